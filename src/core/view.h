/* One look at a window, shared by its two kinds: slots.c counts by time, ring.c by number. */
#ifndef SWG_CORE_VIEW_H
#define SWG_CORE_VIEW_H

#include "core/window.h"

/* What an exact count needs, taken together. */
typedef struct swg__view {
    const swg__parts *parts;
    uint64_t epoch;
    uint64_t window;
    uint32_t serial;
    int64_t slot_ns; /* 0: count window */
    int64_t tick;
} swg__view;

/* Does the circuit still count under the serial we looked at? Asked after loading a word and before
 * its compare-and-swap, it makes a late helper harmless: had the serial moved on and the word been
 * prepared anew, its tag would differ and the swap fail. */
bool swg__view_current(const swg__view *v);

/* Makes all ten slots those up to v->tick: new ones start empty, at the present sum. False: look
 * again. */
bool swg__slots_sweep(const swg__view *v);

/* Moves the boundary to the end of v->tick, unless it is no longer `from`. */
void swg__slots_close(const swg__view *v, int64_t from);

/* Counts a failure or slow call in its slot; false if the slot is another's by now. */
bool swg__slots_count(const swg__view *v, bool failed, bool slow);

/* Sums the ten slots up to v->tick, of stripe 0 only the first `own` successes; false if others
 * have moved on to later slots. */
#define SWG__ALL UINT64_MAX
bool swg__slots_sum(const swg__view *v, uint64_t own, swg__evidence *sum);

/* The same as it would be if somebody swept, changing nothing. */
void swg__slots_peek(const swg__view *v, swg__evidence *sum);

/* The slot a time falls into. */
int64_t swg__slots_tick(int64_t now_ns, int64_t slot_ns);

/* Appends to the ring; false: look again. `*own` is the number of outcomes in the window with it.
 */
bool swg__ring_count(const swg__view *v, bool failed, bool slow, uint64_t *own);

/* Counts the ring's bits. With `mark`, a full ring without any is marked clean, unless it moved
 * meanwhile. */
void swg__ring_sum(const swg__view *v, swg__evidence *sum, bool mark);

#endif
