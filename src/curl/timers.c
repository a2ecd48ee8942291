#include "timers.h"

#include <stdlib.h>

bool swg__timers_reserve(swg__timers *timers, size_t count)
{
    if (count < timers->room) {
        return true;
    }
    const size_t room = (count + 1) * 2;
    swg__timer **heap = realloc(timers->heap, room * sizeof(*heap));
    if (heap == NULL) {
        return false;
    }
    timers->heap = heap;
    timers->room = room;
    return true;
}

void swg__timers_free(swg__timers *timers)
{
    free(timers->heap);
    *timers = (swg__timers){0};
}

static void put(swg__timers *timers, swg__timer *timer, size_t place)
{
    timers->heap[place] = timer;
    timer->place = place;
}

static void settle(swg__timers *timers, swg__timer *timer, size_t place)
{
    while (place > 1 && timers->heap[place / 2]->due_ns > timer->due_ns) {
        put(timers, timers->heap[place / 2], place);
        place /= 2;
    }
    for (;;) {
        size_t child = place * 2;
        if (child < timers->count &&
            timers->heap[child + 1]->due_ns < timers->heap[child]->due_ns) {
            child++;
        }
        if (child > timers->count || timers->heap[child]->due_ns >= timer->due_ns) {
            break;
        }
        put(timers, timers->heap[child], place);
        place = child;
    }
    put(timers, timer, place);
}

void swg__timer_clear(swg__timers *timers, swg__timer *timer)
{
    if (timer->place == 0) {
        return;
    }
    swg__timer *last = timers->heap[timers->count--];
    if (last != timer) {
        settle(timers, last, timer->place);
    }
    timer->place = 0;
}

void swg__timer_set(swg__timers *timers, swg__timer *timer, int64_t due_ns)
{
    swg__timer_clear(timers, timer);
    timer->due_ns = due_ns;
    settle(timers, timer, ++timers->count);
}
