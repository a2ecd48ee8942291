/* What is due when: a binary heap of times, each of which knows its place in it. */
#ifndef SWG_CURL_TIMERS_H
#define SWG_CURL_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct swg__timer {
    int64_t due_ns;
    size_t place; /* 0: not set */
} swg__timer;

typedef struct swg__timers {
    swg__timer **heap; /* [1 .. count] */
    size_t count;
    size_t room;
} swg__timers;

/* Room for so many; false: out of memory, and nothing changed. Setting within it cannot fail. */
bool swg__timers_reserve(swg__timers *timers, size_t count);
void swg__timers_free(swg__timers *timers);

void swg__timer_set(swg__timers *timers, swg__timer *timer, int64_t due_ns);
void swg__timer_clear(swg__timers *timers, swg__timer *timer);

/* The soonest; NULL: none. */
static inline swg__timer *swg__timers_first(const swg__timers *timers)
{
    return timers->count > 0 ? timers->heap[1] : NULL;
}

#endif
