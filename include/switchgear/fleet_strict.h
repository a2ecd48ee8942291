/* Strict use of a fleet: every acquire and every release is followed up with Redis before it
 * returns, within a budget of time; after that the decision is the one at hand.
 *
 * For teaching, and for calls so rare and so dear that a round trip to Redis is cheap beside them.
 * Without it a call is decided in nanoseconds and the fleet hears of it some milliseconds later;
 * with it a call costs two round trips, and never more than two budgets when Redis is slow or gone.
 *
 * It rides on a client that swg_fleet_run() carries on a thread (fleet_run.h): name it there as
 * `strict`, and open it in the process that runs it. Calls of many threads that come together share
 * an exchange. In a forked child nothing is asked and nothing counted. */
#ifndef SWITCHGEAR_FLEET_STRICT_H
#define SWITCHGEAR_FLEET_STRICT_H

#include <switchgear/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct swg_strict swg_strict;

/* What came of the questions put to Redis. */
typedef struct swg_strict_counts {
    uint64_t asked;
    uint64_t answered; /* in time */
    uint64_t late;     /* the budget was over first */
    uint64_t failed;   /* no connection, an error or the wait after one, no memory, a circuit the
                          client has not found yet, nobody runs the client: no time was lost */
    uint64_t reserved[4];
} swg_strict_counts;

/* `budget_us`: the longest one question may take, in microseconds, 0 (5 000) or 100 to 1 000 000.
 * Errors: SWG_EINVAL, SWG_ENOMEM, SWG_ESYS. */
int swg_strict_open(swg_strict **strict, uint32_t budget_us);

/* Nobody may be in a function of it, nor swg_fleet_run() with it. */
void swg_strict_close(swg_strict **strict);

/* swg_acquire(), after the fleet was asked. A circuit that is half-open in the fleet is asked for a
 * permit.  Threads: any; waits no longer than the budget. */
swg_verdict swg_strict_acquire(swg_strict *strict, swg_circuit *circuit, swg_permit *permit);

/* swg_release(), and then the fleet is told.  Threads: any; waits no longer than the budget. */
void swg_strict_release(swg_strict *strict, swg_circuit *circuit, swg_permit *permit,
                        swg_outcome outcome);

/* Threads: any.  Errors: SWG_EINVAL. */
int swg_strict_read(swg_strict *strict, swg_strict_counts *counts);

#ifdef __cplusplus
}
#endif
#endif
