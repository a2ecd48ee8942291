/* The step function as a judge: runs an exchange on a shard and compares the answers.
 *
 * Keeps: shards are copied as far as they are used, so that a checker whose limits are wide stays
 * quick. */
#ifndef SWG_SPEC_MODEL_H
#define SWG_SPEC_MODEL_H

#include "exchange.h"

/* What the last run made up. */
struct model {
    struct swg_step_request request;
    struct swg_step_reply reply;
    int64_t epoch; /* admin's */
    int64_t late;  /* us by which something must have run later than it did here, or 0: not known */
};

/* Runs one exchange at `now` on `server`: an SWG_STEP_ code. */
int model_run(struct model *m, struct swg_step_shard *shard, const struct exchange *x, int64_t now,
              const char *server);

/* Is the recorded reply what the last run answered? Else `why` names the first field that is not:
 * expected, then seen. */
bool model_agrees(struct model *m, const struct exchange *x, char why[WHY_MAX]);

void shard_copy(struct swg_step_shard *to, const struct swg_step_shard *from);
struct swg_step_circuit *shard_circuit(struct swg_step_shard *shard, const char *name);

/* A copy in as little memory as it takes. */
struct saved_shard;
struct saved_shard *shard_save(const struct swg_step_shard *shard);
void shard_restore(struct swg_step_shard *shard, const struct saved_shard *saved);

#endif
