/* Between the files of the second pass, which holds what was said against the invariants.
 *
 *     invariants.c    the walk; I5, I11, I13, and what replies say of epochs
 *     probes.c        I1, I2, I3
 *     transitions.c   I4, I6, I10, I12
 *
 * Numbers of limits come from the configuration, judgments of time from the step function's state;
 * who was granted what, who told of trouble and what came back is counted here, in books of our
 * own. */
#ifndef SWG_SPEC_INVARIANTS_H
#define SWG_SPEC_INVARIANTS_H

#include "books.h"
#include "checker.h"

struct assertion {
    struct shard_run *run;
    struct report *report;
    struct books books;
    struct swg_step_shard *before, *after, *again;
    const struct step *step; /* at hand */
    const struct exchange *x;
    int64_t now;
    int reporter;
    bool explained; /* else `after` is not what happened */
};

#define VIOLATED(rule, circuit, ...)                                                               \
    report_add(a->report, VIOLATION, rule, a->x, circuit, __VA_ARGS__)

/* As the step function has it; closed with epoch 0 if it never heard of it. */
const struct swg_step_circuit *circuit_in(struct swg_step_shard *shard, const char *name);
/* A number of the configuration in force. */
int64_t limit_of(struct assertion *a, const char *circuit, int which);
const char *state_name(int state);

/* probes.c */
void take_result(struct assertion *a, struct book *b, const struct swg_step_result *r);
void take_grant(struct assertion *a, const struct swg_step_grant *g);

/* transitions.c */
void transitions_made(struct assertion *a); /* by the step function */
void transitions_said(struct assertion *a); /* by a reply that nothing explains */

#endif
