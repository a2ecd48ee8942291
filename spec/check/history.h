/* What a shard went through, in order, and what it was at any point of it.
 *
 * Keeps: the shard after the first n steps depends on those steps alone. States are saved now and
 * then; others are made again from the nearest. */
#ifndef SWG_SPEC_HISTORY_H
#define SWG_SPEC_HISTORY_H

#include "model.h"

enum step_kind {
    STEP_RUN,   /* an exchange ran */
    STEP_FRESH, /* everything was lost */
    STEP_BACK   /* the shard is again what it was after `target` steps */
};

struct step {
    enum step_kind kind;
    const struct exchange *x; /* RUN; else the exchange it was noticed at */
    int64_t now;
    const char *server;
    long target;
};

struct history {
    struct step *step;
    long count, room;
    struct {
        long at;
        struct saved_shard *shard;
    } * saved;
    long saves, saves_room;
    struct model *model; /* scratch */
};

void history_open(struct history *h, struct model *model);
void history_close(struct history *h);

/* `after` is the shard after the step. */
void history_add(struct history *h, const struct step *step, const struct swg_step_shard *after);
void history_cut(struct history *h, long count);

/* The shard after the first `count` steps. */
void history_state(struct history *h, long count, struct swg_step_shard *shard);

/* Takes `shard` through one step, whatever the reply was: an SWG_STEP_ code. */
int history_run(struct history *h, const struct step *step, struct swg_step_shard *shard);

#endif
