/* Every interleaving of a few threads, one atomic access at a time.
 *
 * The library is compiled with SWG_INTERLEAVE, so that each atomic access first comes back here;
 * threads are coroutines, and a depth-first search tries every choice of who runs next, up to a
 * number of preemptions (switches away from a thread that could go on). Sequential consistency is
 * assumed; weaker orders are ThreadSanitizer's part. */
#ifndef TESTS_EXPLORE_H
#define TESTS_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

#define EXPLORE_THREADS_MAX 3

typedef struct exploration {
    int threads;
    int preemptions;            /* the bound */
    void (*reset)(void *state); /* before each schedule */
    void (*body)(void *state, int thread);
    bool (*check)(void *state); /* after each schedule; false stops the search */
    void *state;
    uint64_t schedules_max; /* 0: no limit */
    /* answers */
    uint64_t schedules;
    uint64_t longest; /* steps */
    bool complete;
    char failing[4096]; /* the choices of a schedule that failed */
} exploration;

/* True if every schedule passed. */
bool explore(exploration *e);

/* The coroutine that runs now; 0 outside. */
int explore_current(void);

#endif
