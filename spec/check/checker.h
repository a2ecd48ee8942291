/* The checker: recordings in, a report out.
 *
 * Two passes over each shard. The first finds an order of the exchanges in which the step function
 * gives every recorded reply; the second walks that order and holds what was really said against
 * the invariants, with books of its own. */
#ifndef SWG_SPEC_CHECKER_H
#define SWG_SPEC_CHECKER_H

#include "history.h"
#include "recording.h"

/* What may be assumed to have happened to a shard besides the exchanges. A server that changes and
 * has everything needs no leave. */
enum { ALLOW_FRESH = 1, ALLOW_ROLLBACK = 2 };

/* All exchanges of one shard. */
struct shard_run {
    struct exchange **item; /* answered, in the order they are taken to have run */
    long items;
    struct exchange **silent; /* by when they were sent */
    long silents;
    struct history history;
    struct model *model;
    struct report *report;
    unsigned allow;
    long stuck; /* the item nothing explains, or -1 */
    char why[WHY_MAX];
    int beyond; /* SWG_STEP_FULL: more than this build holds */
};

/* Checks what was recorded. False: more circuits or reporters than this build holds, as `why` says;
 * nothing is proved then. */
bool check_recording(struct recording *recording, unsigned allow, struct report *report,
                     char why[2 * WHY_MAX]);

/* The steps of it. */
void order_items(struct shard_run *run);
void explain(struct shard_run *run);
void assert_invariants(struct shard_run *run);
void assert_clients(const struct recording *recording, struct report *report);

#endif
