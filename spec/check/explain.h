/* Between explain.c, which goes forward, and repair.c, which goes back where that fails. */
#ifndef SWG_SPEC_EXPLAIN_H
#define SWG_SPEC_EXPLAIN_H

#include "checker.h"

enum {
    WINDOW = 400,    /* steps that may be reconsidered */
    ROLLBACK = 4096, /* how far a shard may have gone back */
    BUDGET = 1000000 /* steps made to explain one reply */
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

#endif
