/* What the breaker judges by: the outcomes of the last window_ms, or the last window_calls.
 *
 * Keeps: an outcome is counted once, in the epoch it belongs to, or not at all; whoever counts last
 * sees all that were counted before, so no crossing of a limit goes unnoticed.
 *
 * Time window: ten slots, the current and the nine before, so between 9/10 and all of window_ms.
 * Successes go to a per-CPU stripe that only ever counts up; each slot remembers the sum at its
 * start. Failures and slow calls, which are what decides, are counted in the slot itself. A success
 * can open a circuit only when it begins a slot (older successes leave), or when it brings the
 * window to calls_min; those two are counted and judged in their order, all others are one
 * compare-and-swap on a line of their own CPU.
 *
 * Count window: a ring of two bits an outcome. A success into a full ring of successes changes
 * nothing and is not written.
 *
 * A window is never wiped. Every word carries a tag of the serial it counts for: epoch +
 * generation, which both only grow, so a transition, a change of the window's kind, or a pause as
 * long as the window empties it by making its words old. Whoever counts first under a new serial
 * prepares it; any step may be done twice, by anyone, or be left off half-way by a process that
 * died. */
#ifndef SWG_CORE_WINDOW_H
#define SWG_CORE_WINDOW_H

#include "core/breaker.h"

#define SWG__ROW_COUNT_MASK UINT32_C(0x1fffff)
#define SWG__HEAD_CLEAN (UINT64_C(1) << 31)
#define SWG__PREPARED_NEVER UINT32_MAX

static inline uint64_t swg__window_make(uint32_t generation, uint32_t calls, uint32_t ms)
{
    return (uint64_t)generation << 32 | (uint64_t)calls << 22 | ms;
}

/* Both are read so that no word, however spoilt, leads outside the ring or to a slot of no length.
 */
static inline uint32_t swg__window_calls(uint64_t window)
{
    const uint32_t calls = (uint32_t)(window >> 22 & 0x3ff);
    const uint32_t room = SWG__RING_WORDS * SWG__RING_PER_WORD;
    return calls < room ? calls : room;
}

static inline uint32_t swg__window_ms(uint64_t window)
{
    const uint32_t ms = (uint32_t)(window & 0x3fffff);
    return ms != 0 ? ms : 1;
}

static inline int64_t swg__window_ns(const swg_cell *cell)
{
    return swg__window_ms(swg__load_relaxed_u64(&cell->window)) * SWG__NS_PER_MS;
}

static inline uint32_t swg__window_serial(uint64_t window, uint64_t word)
{
    return (uint32_t)((swg__word_epoch(word) + (window >> 32)) & SWG__EPOCH_MASK);
}

static inline swg_stripe *swg__stripe(const swg__parts *parts, unsigned cpu)
{
    return parts->stripes + (cpu & (SWG__STRIPES - 1)) * parts->stride;
}

/* Adds one to a stripe under a serial; false if the stripe counts for another. `*place` is the
 * count with it. */
static inline bool swg__stripe_count(swg_stripe *stripe, uint32_t serial, uint64_t *place)
{
    const uint64_t tag = (uint64_t)(serial & 0xffff) << 48;
    uint64_t old = swg__load_relaxed_u64(&stripe->successes);
    do {
        if ((old ^ tag) & ~SWG__COUNT_MASK) {
            return false;
        }
        *place = (old + 1) & SWG__COUNT_MASK;
    } while (!swg__cas_seq_u64(&stripe->successes, &old, tag | *place));
    return true;
}

typedef enum swg__counted {
    SWG__COUNTED,
    SWG__UNCOUNTED, /* the quick way did not apply: nothing was changed */
    SWG__UNJUDGED   /* counted, but somebody asked for a judgement meanwhile */
} swg__counted;

/* The quick way: a success, not slow, that cannot open anything. */
static inline swg__counted swg__window_success(const swg__parts *parts, uint64_t word, unsigned cpu,
                                               int64_t now_ns)
{
    swg_cell *cell = parts->cell;
    const uint64_t window = swg__load_relaxed_u64(&cell->window);
    const uint32_t serial = swg__window_serial(window, word);
    /* acquire: pairs with the publication in prepare(); its words and boundary are seen */
    if (swg__load_acquire_u32(&cell->prepared) != serial ||
        (swg__load_relaxed_u32(&cell->watch) & 1) != 0 ||
        (swg__load_relaxed_u32(&cell->row) & SWG__ROW_COUNT_MASK) != 0) {
        return SWG__UNCOUNTED;
    }
    if (swg__window_calls(window) == 0) {
        if (now_ns >= swg__load_relaxed_i64(&cell->boundary)) {
            return SWG__UNCOUNTED;
        }
    } else {
        const uint64_t head = swg__load_seq_u64(&parts->window->head);
        if (head >> 32 != serial || (head & SWG__HEAD_CLEAN) == 0) {
            return SWG__UNCOUNTED;
        }
    }
    uint64_t place;
    swg_stripe *stripe = swg__stripe(parts, cpu);
    if (!swg__stripe_count(stripe, serial, &place)) {
        return SWG__UNCOUNTED;
    }
    if (swg__load_relaxed_i64(&stripe->seen) < now_ns) {
        swg__store_relaxed_i64(&stripe->seen, now_ns);
    }
    /* after the count: pairs with watch_over(), which asks first and then sums */
    return (swg__load_seq_u32(&cell->watch) & 1) != 0 ? SWG__UNJUDGED : SWG__COUNTED;
}

/* Counts an outcome exactly and judges. False: the word moved on, nothing was counted. */
bool swg__window_count(const swg__parts *parts, uint64_t word, bool failed, bool slow,
                       int64_t now_ns, swg__evidence *evidence);

/* Judges without counting, for SWG__UNJUDGED. */
swg__evidence swg__window_judge(const swg__parts *parts, uint64_t word, int64_t now_ns);

/* What the window holds now, changing nothing; all zero when the word is not closed. */
swg__evidence swg__window_read(const swg__parts *parts, uint64_t word, int64_t now_ns);

/* Asks the next outcome to judge, whatever it is: limits have changed. */
void swg__window_watch(swg_cell *cell);

/* The latest time the circuit has seen; successes since it was made. */
int64_t swg__seen(const swg__parts *parts);
uint64_t swg__successes(const swg__parts *parts);

#endif
