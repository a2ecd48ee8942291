#include "core/window.h"

#include "core/view.h"

/* Others moving on can make us look again, but not so often: the words are spoilt. A new generation
 * gives them new tags. */
#define ATTEMPTS 100

int64_t swg__seen(const swg__parts *parts)
{
    int64_t seen = swg__load_relaxed_i64(&parts->cell->seen);
    for (unsigned i = 0; i < SWG__STRIPES; i++) {
        const int64_t stripe = swg__load_relaxed_i64(&swg__stripe(parts, i)->seen);
        seen = stripe > seen ? stripe : seen;
    }
    return seen;
}

uint64_t swg__successes(const swg__parts *parts)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < SWG__STRIPES; i++) {
        sum += swg__load_seq_u64(&swg__stripe(parts, i)->successes) & SWG__COUNT_MASK;
    }
    return sum;
}

static bool same_epoch(const swg__view *v)
{
    return swg__word_epoch(swg__load_seq_u64(&v->parts->cell->word)) == v->epoch;
}

bool swg__view_current(const swg__view *v)
{
    const swg_cell *cell = v->parts->cell;
    const uint64_t word = swg__load_seq_u64(&cell->word);
    return swg__word_epoch(word) == v->epoch &&
           swg__window_serial(swg__load_seq_u64(&cell->window), word) == v->serial;
}

static swg__view look(const swg__parts *parts, uint64_t word, int64_t now_ns)
{
    swg__view v = {.parts = parts, .epoch = swg__word_epoch(word)};
    v.window = swg__load_seq_u64(&parts->cell->window);
    v.serial = swg__window_serial(v.window, word);
    if (swg__window_calls(v.window) == 0) {
        v.slot_ns = (int64_t)swg__window_ms(v.window) * (SWG__NS_PER_MS / SWG__SLOTS);
        v.tick = swg__slots_tick(now_ns, v.slot_ns);
    }
    return v;
}

/* From here on no outcome of an earlier serial can be added to a stripe. */
static bool claim_stripes(const swg__view *v)
{
    const uint64_t tag = (uint64_t)(v->serial & 0xffff) << 48;
    for (unsigned i = 0; i < SWG__STRIPES; i++) {
        swg_au64 *successes = &swg__stripe(v->parts, i)->successes;
        uint64_t word = swg__load_seq_u64(successes);
        while ((word & ~SWG__COUNT_MASK) != tag) {
            if (!swg__view_current(v)) {
                return false;
            }
            if (swg__cas_seq_u64(successes, &word, tag | (word & SWG__COUNT_MASK))) {
                break;
            }
        }
    }
    return true;
}

/* Makes the window count for v->serial; false: look again. Boundary before publication: see
 * swg__window_success. */
static bool prepare(const swg__view *v, int64_t now_ns)
{
    swg_cell *cell = v->parts->cell;
    uint32_t prepared = swg__load_seq_u32(&cell->prepared);
    if (prepared == v->serial) {
        return true;
    }
    const int64_t boundary = swg__load_seq_i64(&cell->boundary);
    if (!swg__view_current(v) || !claim_stripes(v)) {
        return false;
    }
    if (v->slot_ns != 0) {
        swg__raise(&cell->seen, now_ns);
        if (!swg__slots_sweep(v)) {
            return false;
        }
        swg__slots_close(v, boundary);
    }
    return swg__cas_seq_u32(&cell->prepared, &prepared, v->serial) || prepared == v->serial;
}

static bool sum_window(const swg__view *v, uint64_t own, swg__evidence *sum)
{
    if (v->slot_ns != 0) {
        return swg__slots_sum(v, own, sum);
    }
    swg__ring_sum(v, sum, true);
    sum->calls = own < sum->calls ? own : sum->calls;
    return true;
}

/* Could successes alone, by filling the window up to calls_min, cross a limit? */
static bool ripe(swg__limits limits, const swg__evidence *sum)
{
    return sum->calls < limits.calls_min &&
           swg__judge_rates(limits, limits.calls_min, sum->failures, sum->slow).cause !=
               SWG_CAUSE_NONE;
}

/* Leaves `watch` odd if successes must judge. True: it was changed, and the sum must be taken
 * again, for a success counted in between did not know. */
static bool watch_over(swg_cell *cell, uint32_t watch, bool wanted)
{
    if (((watch & 1) != 0) == wanted) {
        return false;
    }
    return swg__cas_seq_u32(&cell->watch, &watch, watch + 1) && wanted;
}

/* Judges the window as it was when our own outcome came in, then, if that calls for watching, as it
 * is once all know of it. False: others have moved on to later slots. */
static bool judge(const swg__view *v, uint64_t own, swg__evidence *evidence)
{
    swg_cell *cell = v->parts->cell;
    const bool timed = v->slot_ns != 0;
    for (;;) {
        const uint32_t watch = swg__load_seq_u32(&cell->watch);
        const swg__limits limits = swg__limits_read(cell);
        if (!sum_window(v, own, evidence)) {
            return false;
        }
        if (evidence->calls >= limits.calls_min) {
            *evidence =
                swg__judge_rates(limits, evidence->calls, evidence->failures, evidence->slow);
        }
        if (evidence->cause != SWG_CAUSE_NONE ||
            !watch_over(cell, watch, timed && ripe(limits, evidence))) {
            return true;
        }
        own = SWG__ALL;
    }
}

/* Counts failures in a row; a success starts anew. Returns the row so far. */
static uint32_t row_count(const swg__view *v, bool failed)
{
    swg_au32 *row = &v->parts->cell->row;
    const uint32_t tag = (uint32_t)v->epoch << 21;
    uint32_t old = swg__load_seq_u32(row);
    uint32_t count;
    do {
        count = (old & ~SWG__ROW_COUNT_MASK) == tag ? old & SWG__ROW_COUNT_MASK : 0;
        count = failed ? count + (count < SWG__ROW_COUNT_MASK) : 0;
        if (old == (tag | count) || !same_epoch(v)) {
            return count;
        }
    } while (!swg__cas_seq_u32(row, &old, tag | count));
    return count;
}

static int64_t at_least_seen(const swg__parts *parts, int64_t now_ns)
{
    const int64_t seen = swg__seen(parts);
    return seen > now_ns ? seen : now_ns;
}

/* What is left to do of counting one outcome. */
typedef struct pending {
    bool success; /* one more call in the sum of successes */
    bool slot;    /* a failure or slow call in its slot */
    bool failed;
    bool slow;
    uint64_t own; /* our place among the successes of stripe 0, or in the ring */
} pending;

/* Counts as far as it can under this view; false: look again. Successes that come this way meet in
 * stripe 0. A slow one is a call first, so that no sum has more slow calls than calls. */
static bool count(const swg__view *v, pending *todo)
{
    uint64_t place;
    if (todo->success) {
        if (!swg__stripe_count(swg__stripe(v->parts, 0), v->serial, &place)) {
            return false;
        }
        todo->success = false;
        todo->own = place;
    }
    if (v->slot_ns == 0) {
        return swg__ring_count(v, todo->failed, todo->slow, &todo->own);
    }
    return !todo->slot || swg__slots_count(v, todo->failed, todo->slow);
}

/* Nothing in the window is young enough: a new generation empties it. Slots are then never more
 * than a window apart, so their short tags suffice. */
static void start_anew(const swg__view *v)
{
    uint64_t window = v->window;
    swg__cas_seq_u64(&v->parts->cell->window, &window, window + (UINT64_C(1) << 32));
}

/* Looks at the window as of now, prepared and swept; false if the epoch is over. */
static bool look_ready(swg__view *v, const swg__parts *parts, uint64_t word, int64_t *now_ns)
{
    for (;;) {
        *now_ns = at_least_seen(parts, *now_ns);
        *v = look(parts, word, *now_ns);
        if (!same_epoch(v)) {
            return false;
        }
        if (!prepare(v, *now_ns)) {
            continue;
        }
        const int64_t boundary = swg__load_seq_i64(&parts->cell->boundary);
        if (v->slot_ns == 0 || *now_ns < boundary) {
            return true;
        }
        const int64_t seen = swg__seen(parts);
        const int64_t latest = swg__slots_tick(seen >= boundary ? seen : boundary - 1, v->slot_ns);
        if (v->tick - latest >= SWG__SLOTS) {
            start_anew(v);
            continue;
        }
        swg__raise(&parts->cell->seen, *now_ns); /* whoever meets our slots knows the time */
        if (swg__slots_sweep(v)) {
            return true;
        }
    }
}

/* Judges, looking anew as often as others move the window on. */
static swg__evidence judge_latest(swg__view *v, uint64_t word, uint64_t own, int64_t now_ns)
{
    swg__evidence evidence = {0};
    for (int i = 0; !judge(v, own, &evidence); i++) {
        if (i == ATTEMPTS) {
            start_anew(v);
            i = 0;
        }
        if (!look_ready(v, v->parts, word, &now_ns)) {
            return (swg__evidence){0};
        }
    }
    return evidence;
}

bool swg__window_count(const swg__parts *parts, uint64_t word, bool failed, bool slow,
                       int64_t now_ns, swg__evidence *evidence)
{
    swg__view v;
    pending todo = {.success = !failed, .failed = failed, .slow = slow, .own = SWG__ALL};
    const int64_t boundary = swg__load_seq_i64(&parts->cell->boundary);
    int attempt = 0;
    do {
        if (attempt++ == ATTEMPTS) {
            start_anew(&v);
            attempt = 0;
        }
        if (!look_ready(&v, parts, word, &now_ns)) {
            return !failed && !todo.success; /* a slow success may have been counted by half */
        }
        todo.slot = failed || slow;
    } while (!count(&v, &todo));
    swg__raise(&parts->cell->seen, now_ns);

    const uint32_t threshold = swg__limits_read(parts->cell).failure_threshold;
    const uint32_t row = threshold != 0 ? row_count(&v, failed) : 0;
    *evidence = judge_latest(&v, word, todo.own, now_ns);
    if (threshold != 0 && row >= threshold) {
        *evidence = (swg__evidence){.calls = evidence->calls,
                                    .failures = row,
                                    .slow = evidence->slow,
                                    .limit = threshold,
                                    .cause = SWG_CAUSE_CONSECUTIVE};
    }
    /* Only now: until here successes of a new slot were counted exactly, by coming this way. */
    if (v.slot_ns != 0 && now_ns >= boundary) {
        swg__slots_close(&v, boundary);
    }
    return true;
}

swg__evidence swg__window_judge(const swg__parts *parts, uint64_t word, int64_t now_ns)
{
    swg__view v;
    if (!look_ready(&v, parts, word, &now_ns)) {
        return (swg__evidence){0};
    }
    return judge_latest(&v, word, SWG__ALL, now_ns);
}

swg__evidence swg__window_read(const swg__parts *parts, uint64_t word, int64_t now_ns)
{
    swg__evidence sum = {0};
    const int64_t seen = swg__seen(parts);
    const swg__view v = look(parts, word, now_ns > seen ? now_ns : seen);
    if (swg__word_public(word) != SWG_CLOSED ||
        swg__load_seq_u32(&parts->cell->prepared) != v.serial) {
        return sum;
    }
    if (v.slot_ns != 0) {
        swg__slots_peek(&v, &sum);
    } else {
        swg__ring_sum(&v, &sum, false);
    }
    return sum;
}

void swg__window_watch(swg_cell *cell)
{
    uint32_t watch = swg__load_seq_u32(&cell->watch);
    while (!swg__cas_seq_u32(&cell->watch, &watch, (watch + 1) | 1)) {
    }
}
