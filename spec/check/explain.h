/* Between explain.c, which goes forward, and repair.c and silent.c, which go back where that fails.
 */
#ifndef SWG_SPEC_EXPLAIN_H
#define SWG_SPEC_EXPLAIN_H

#include "checker.h"

enum {
    WINDOW = 400,    /* steps that may be reconsidered */
    ROLLBACK = 4096, /* how far a shard may have gone back */
    BUDGET = 1000000 /* steps made in each of three searches for what explains one reply */
};

/* A stretch of history under trial. */
struct tail {
    struct step step[WINDOW + 16];
    int n, changed; /* up to `changed` it is the history as it was */
};

struct explainer {
    struct shard_run *run;
    struct swg_step_shard *now, *scratch;
    long next;                               /* the item to be explained */
    long base;                               /* where the tail begins in the history */
    struct saved_shard *before[WINDOW + 16]; /* the shard before each step of the tail as it was */
    char first_server[41];                   /* whose state before[0] is */
    long budget;
};

struct step step_of(const struct explainer *e, const struct exchange *x);

/* Finds other steps for the end of the history that explain the next item too, and makes them the
 * history. False: there are none within bounds. */
bool repair(struct explainer *e);

/* Do the steps give every reply from the first change on? */
bool tail_fits(struct explainer *e, const struct tail *t);
/* Makes the tail the history if it fits; else looks for another change, at `first` or later, if
 * there is depth left. The change already made is at `at`. */
bool tail_attempt(struct explainer *e, struct tail *t, int at, int first, int depth);
void tail_insert(struct tail *t, int at, const struct step *s);

/* silent.c: each makes one change to the tail, at `first` or later, and attempts it. */
bool try_times(struct explainer *e, const struct tail *t, int first, int depth);
bool try_silent(struct explainer *e, const struct tail *t, int first, int depth);
bool try_others(struct explainer *e, const struct tail *t, int depth);

#endif
