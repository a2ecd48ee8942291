#include "core/window.h"

#define TAG_SHIFT 44
#define START_MASK ((UINT64_C(1) << TAG_SHIFT) - 1)
#define SLOT_COUNT_BITS 22
#define SLOT_COUNT_MAX ((UINT64_C(1) << SLOT_COUNT_BITS) - 1)

/* Slots are numbered from 16, so that the nine before the first have numbers too. */
#define TICK_BIAS 16

/* One look at what an exact count needs. */
typedef struct view {
    const swg__parts *parts;
    uint64_t epoch;
    uint64_t window;
    uint32_t serial;
    int64_t slot_ns; /* 0: count window */
    int64_t tick;
} view;

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

/* Does the circuit still count under the serial we looked at? Asked after loading a word and before
 * its compare-and-swap, it makes a late helper harmless: had the serial moved on and the word been
 * prepared anew, its tag would differ and the swap fail. */
static bool current(const view *v)
{
    const swg_cell *cell = v->parts->cell;
    const uint64_t word = swg__load_seq_u64(&cell->word);
    return swg__word_epoch(word) == v->epoch &&
           swg__window_serial(swg__load_seq_u64(&cell->window), word) == v->serial;
}

static view look(const swg__parts *parts, uint64_t word, int64_t now_ns)
{
    view v = {.parts = parts, .epoch = swg__word_epoch(word)};
    v.window = swg__load_seq_u64(&parts->cell->window);
    v.serial = swg__window_serial(v.window, word);
    if (swg__window_calls(v.window) == 0) {
        v.slot_ns = (int64_t)swg__window_ms(v.window) * (SWG__NS_PER_MS / SWG__SLOTS);
        v.tick = now_ns / v.slot_ns + TICK_BIAS;
    }
    return v;
}

static uint64_t tick_tag(const view *v, int64_t tick)
{
    return ((uint64_t)(v->serial & 0xfff) << 8 | ((uint64_t)tick & 0xff)) << TAG_SHIFT;
}

/* Is `word` tagged for another serial, or for a slot before `tag`'s? */
static bool older(uint64_t word, uint64_t tag)
{
    const uint64_t have = word >> TAG_SHIFT;
    const uint64_t want = tag >> TAG_SHIFT;
    return have >> 8 != want >> 8 || (int8_t)(uint8_t)(want - have) > 0;
}

/* Gives a word the tag and a first value, unless it has that tag or a later one. */
static bool renew(const view *v, swg_au64 *place, uint64_t tag, uint64_t value)
{
    uint64_t word = swg__load_seq_u64(place);
    while (older(word, tag)) {
        if (!current(v)) {
            return false;
        }
        if (swg__cas_seq_u64(place, &word, tag | value)) {
            return true;
        }
    }
    return true;
}

/* Makes all ten slots those up to v->tick: new ones start empty, at the present sum. */
static bool sweep(const view *v)
{
    swg_window *w = v->parts->window;
    const uint64_t sum = swg__successes(v->parts) & START_MASK;
    for (int64_t tick = v->tick - SWG__SLOTS + 1; tick <= v->tick; tick++) {
        const int place = (int)(tick % SWG__SLOTS);
        const uint64_t tag = tick_tag(v, tick);
        if (!renew(v, &w->time.slot[place], tag, 0) || !renew(v, &w->time.start[place], tag, sum)) {
            return false;
        }
    }
    return true;
}

/* From here on no outcome of an earlier serial can be added to a stripe. */
static bool claim_stripes(const view *v)
{
    const uint64_t tag = (uint64_t)(v->serial & 0xffff) << 48;
    for (unsigned i = 0; i < SWG__STRIPES; i++) {
        swg_au64 *successes = &swg__stripe(v->parts, i)->successes;
        uint64_t word = swg__load_seq_u64(successes);
        while ((word & ~SWG__COUNT_MASK) != tag) {
            if (!current(v)) {
                return false;
            }
            if (swg__cas_seq_u64(successes, &word, tag | (word & SWG__COUNT_MASK))) {
                break;
            }
        }
    }
    return true;
}

static void move_boundary(const view *v, int64_t from)
{
    swg__cas_seq_i64(&v->parts->cell->boundary, &from, (v->tick - TICK_BIAS + 1) * v->slot_ns);
}

/* Makes the window count for v->serial; false: look again. Boundary before publication: see
 * swg__window_success. */
static bool prepare(const view *v, int64_t now_ns)
{
    swg_cell *cell = v->parts->cell;
    uint32_t prepared = swg__load_seq_u32(&cell->prepared);
    if (prepared == v->serial) {
        return true;
    }
    const int64_t boundary = swg__load_seq_i64(&cell->boundary);
    if (!current(v) || !claim_stripes(v)) {
        return false;
    }
    if (v->slot_ns != 0) {
        swg__raise(&cell->seen, now_ns);
        if (!sweep(v)) {
            return false;
        }
        move_boundary(v, boundary);
    }
    return swg__cas_seq_u32(&cell->prepared, &prepared, v->serial) || prepared == v->serial;
}

static void add_counts(uint64_t slot, swg__evidence *sum)
{
    sum->failures += slot >> SLOT_COUNT_BITS & SLOT_COUNT_MAX;
    sum->slow += slot & SLOT_COUNT_MAX;
}

/* Sums the ten slots up to v->tick; false if others have moved on to later ones. */
static bool time_sum(const view *v, swg__evidence *sum)
{
    const swg_window *w = v->parts->window;
    const swg_au64 *oldest = &w->time.start[(v->tick + 1) % SWG__SLOTS];
    const uint64_t start = swg__load_seq_u64(oldest);
    if ((start & ~START_MASK) != tick_tag(v, v->tick - SWG__SLOTS + 1)) {
        return false;
    }
    *sum = (swg__evidence){0};
    for (int i = 0; i < SWG__SLOTS; i++) {
        const uint64_t slot = swg__load_seq_u64(&w->time.slot[i]);
        const uint64_t age = (uint64_t)v->tick - (slot >> TAG_SHIFT);
        if (slot >> (TAG_SHIFT + 8) == (v->serial & 0xfff) && (age & 0xff) < SWG__SLOTS) {
            add_counts(slot, sum);
        }
    }
    sum->calls = ((swg__successes(v->parts) - start) & START_MASK) + sum->failures;
    return swg__load_seq_u64(oldest) == start;
}

static unsigned bits_set(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(x * UINT64_C(0x0101010101010101) >> 56);
}

static uint32_t head_position(uint64_t head, uint32_t serial)
{
    return head >> 32 == serial ? (uint32_t)(head & (SWG__HEAD_CLEAN - 1)) : 0;
}

/* Counts the ring's bits. A full ring without any is marked clean, unless it moved meanwhile. */
static void ring_sum(const view *v, swg__evidence *sum, bool mark)
{
    swg_window *w = v->parts->window;
    const uint32_t size = swg__window_calls(v->window);
    uint64_t head = swg__load_seq_u64(&w->head);
    const uint32_t position = head_position(head, v->serial);

    *sum = (swg__evidence){.calls = position < size ? position : size};
    for (uint32_t i = 0; i * SWG__RING_PER_WORD < size; i++) {
        const uint64_t word = swg__load_seq_u64(&w->ring[i]);
        if (word >> 48 == (v->serial & 0xffff)) {
            sum->failures += bits_set(word & UINT64_C(0x555555555555));
            sum->slow += bits_set(word & UINT64_C(0xaaaaaaaaaaaa));
        }
    }
    if (mark && sum->calls == size && sum->failures + sum->slow == 0) {
        swg__cas_seq_u64(&w->head, &head, head | SWG__HEAD_CLEAN);
    }
}

static bool sum_window(const view *v, swg__evidence *sum, bool mark)
{
    if (v->slot_ns != 0) {
        return time_sum(v, sum);
    }
    ring_sum(v, sum, mark);
    return true;
}

/* Could successes alone, by filling the window up to calls_min, cross a limit? */
static bool ripe(swg__limits limits, const swg__evidence *sum)
{
    return sum->calls < limits.calls_min &&
           swg__judge_rates(limits, limits.calls_min, sum->failures, sum->slow).cause !=
               SWG_CAUSE_NONE;
}

/* Leaves `watch` odd if successes must judge. True: it was changed, and the sum must be taken again,
 * for a success counted in between did not know. */
static bool watch_over(swg_cell *cell, uint32_t watch, bool wanted)
{
    if (((watch & 1) != 0) == wanted) {
        return false;
    }
    return swg__cas_seq_u32(&cell->watch, &watch, watch + 1) && wanted;
}

/* Judges the window; false if others have moved on to later slots. */
static bool judge(const view *v, swg__evidence *evidence)
{
    swg_cell *cell = v->parts->cell;
    const bool timed = v->slot_ns != 0;
    for (;;) {
        const uint32_t watch = swg__load_seq_u32(&cell->watch);
        const swg__limits limits = swg__limits_read(cell);
        if (!sum_window(v, evidence, true)) {
            return false;
        }
        if (evidence->calls >= limits.calls_min) {
            *evidence = swg__judge_rates(limits, evidence->calls, evidence->failures,
                                         evidence->slow);
        }
        if (evidence->cause != SWG_CAUSE_NONE ||
            !watch_over(cell, watch, timed && ripe(limits, evidence))) {
            return true;
        }
    }
}

/* Counts a failure or slow call in its slot; false if the slot is another's by now. */
static bool slot_count(const view *v, bool failed, bool slow)
{
    swg_au64 *place = &v->parts->window->time.slot[v->tick % SWG__SLOTS];
    const uint64_t tag = tick_tag(v, v->tick);
    uint64_t word = swg__load_seq_u64(place);
    for (;;) {
        if ((word & ~START_MASK) != tag) {
            return false;
        }
        swg__evidence counts = {0};
        add_counts(word, &counts);
        const uint64_t failures = counts.failures + (failed && counts.failures < SLOT_COUNT_MAX);
        const uint64_t slows = counts.slow + (slow && counts.slow < SLOT_COUNT_MAX);
        if (swg__cas_seq_u64(place, &word, tag | failures << SLOT_COUNT_BITS | slows)) {
            return true;
        }
    }
}

static bool ring_write(const view *v, uint32_t position, unsigned bits)
{
    const uint32_t place = position % swg__window_calls(v->window);
    swg_au64 *ring = &v->parts->window->ring[place / SWG__RING_PER_WORD];
    const unsigned shift = place % SWG__RING_PER_WORD * 2;
    const uint64_t tag = (uint64_t)(v->serial & 0xffff) << 48;
    uint64_t word = swg__load_seq_u64(ring);
    for (;;) {
        const uint64_t kept = (word & ~SWG__COUNT_MASK) == tag ? word & ~(UINT64_C(3) << shift) : tag;
        if (!current(v)) {
            return false;
        }
        if (swg__cas_seq_u64(ring, &word, kept | (uint64_t)bits << shift)) {
            return true;
        }
    }
}

/* Appends to the ring; false if the word moved on. */
static bool ring_count(const view *v, bool failed, bool slow)
{
    swg_window *w = v->parts->window;
    const uint32_t size = swg__window_calls(v->window);
    uint64_t head = swg__load_seq_u64(&w->head);
    uint32_t position;
    do {
        if (!current(v)) {
            return false;
        }
        position = head_position(head, v->serial);
    } while (!swg__cas_seq_u64(&w->head, &head,
                               (uint64_t)v->serial << 32 |
                                   (position + 1 < 2 * size ? position + 1 : size)));
    if (!ring_write(v, position, (failed ? 1u : 0u) | (slow ? 2u : 0u))) {
        return false;
    }
    /* Somebody may have found the ring clean between our claim and our bits. */
    head = swg__load_seq_u64(&w->head);
    while ((failed || slow) && head >> 32 == v->serial && (head & SWG__HEAD_CLEAN) != 0 &&
           !swg__cas_seq_u64(&w->head, &head, head & ~SWG__HEAD_CLEAN)) {
    }
    return true;
}

/* Counts failures in a row; a success starts anew. Returns the row so far. */
static uint32_t row_count(const view *v, bool failed)
{
    swg_au32 *row = &v->parts->cell->row;
    const uint32_t tag = v->serial << 21;
    uint32_t old = swg__load_seq_u32(row);
    uint32_t count;
    do {
        count = (old & ~SWG__ROW_COUNT_MASK) == tag ? old & SWG__ROW_COUNT_MASK : 0;
        count = failed ? count + (count < SWG__ROW_COUNT_MASK) : 0;
        if (old == (tag | count) || !current(v)) {
            return count;
        }
    } while (!swg__cas_seq_u32(row, &old, tag | count));
    return count;
}

static int64_t at_least_seen(const swg__parts *parts, int64_t now_ns)
{
    const int64_t seen = swg__load_seq_i64(&parts->cell->seen);
    return seen > now_ns ? seen : now_ns;
}

/* What is left to do of counting one outcome. */
typedef struct pending {
    bool success; /* one more call in the sum of successes */
    bool slot;    /* a failure or slow call in its slot, or anything in the ring */
    bool failed;
    bool slow;
} pending;

/* Counts as far as it can under this view; false: look again. Successes that come this way meet in
 * stripe 0. A slow one is a call first, so that no sum has more slow calls than calls. */
static bool count(const view *v, pending *todo)
{
    if (todo->success && !swg__stripe_count(swg__stripe(v->parts, 0), v->serial)) {
        return false;
    }
    todo->success = false;
    if (!todo->slot) {
        return true;
    }
    return v->slot_ns != 0 ? slot_count(v, todo->failed, todo->slow)
                                             : ring_count(v, todo->failed, todo->slow);
}

/* Looks at the window as of now, prepared and swept; false if the epoch is over. */
static bool look_ready(view *v, const swg__parts *parts, uint64_t word, int64_t *now_ns)
{
    for (;;) {
        *now_ns = at_least_seen(parts, *now_ns);
        *v = look(parts, word, *now_ns);
        if (swg__word_epoch(swg__load_seq_u64(&parts->cell->word)) != v->epoch) {
            return false;
        }
        if (!prepare(v, *now_ns)) {
            continue;
        }
        if (v->slot_ns == 0 || *now_ns < swg__load_seq_i64(&parts->cell->boundary)) {
            return true;
        }
        swg__raise(&parts->cell->seen, *now_ns); /* whoever meets our slots knows the time */
        if (sweep(v)) {
            return true;
        }
    }
}

/* Judges, looking anew as often as others move the window on. */
static swg__evidence judge_latest(view *v, uint64_t word, int64_t now_ns)
{
    swg__evidence evidence = {0};
    while (!judge(v, &evidence)) {
        if (!look_ready(v, v->parts, word, &now_ns)) {
            return (swg__evidence){0};
        }
    }
    return evidence;
}

bool swg__window_count(const swg__parts *parts, uint64_t word, bool failed, bool slow,
                       int64_t now_ns, swg__evidence *evidence)
{
    view v;
    pending todo = {.success = !failed, .failed = failed, .slow = slow};
    const int64_t boundary = swg__load_seq_i64(&parts->cell->boundary);
    do {
        if (!look_ready(&v, parts, word, &now_ns)) {
            return !failed && !todo.success; /* a slow success may have been counted by half */
        }
        todo.slot = failed || slow || v.slot_ns == 0;
    } while (!count(&v, &todo));
    swg__raise(&parts->cell->seen, now_ns);

    const uint32_t threshold = swg__limits_read(parts->cell).failure_threshold;
    const uint32_t row = threshold != 0 ? row_count(&v, failed) : 0;
    *evidence = judge_latest(&v, word, now_ns);
    if (threshold != 0 && row >= threshold) {
        *evidence = (swg__evidence){.calls = evidence->calls,
                                    .failures = row,
                                    .slow = evidence->slow,
                                    .limit = threshold,
                                    .cause = SWG_CAUSE_CONSECUTIVE};
    }
    /* Only now: until here successes of a new slot were counted exactly, by coming this way. */
    if (v.slot_ns != 0 && now_ns >= boundary) {
        move_boundary(&v, boundary);
    }
    return true;
}

swg__evidence swg__window_judge(const swg__parts *parts, uint64_t word, int64_t now_ns)
{
    view v;
    if (!look_ready(&v, parts, word, &now_ns)) {
        return (swg__evidence){0};
    }
    return judge_latest(&v, word, now_ns);
}

/* The ten slots up to now as they would be if somebody swept. */
static void time_peek(const view *v, swg__evidence *sum)
{
    const swg_cell *cell = v->parts->cell;
    const swg_window *w = v->parts->window;
    const int64_t last = swg__load_seq_i64(&cell->boundary) / v->slot_ns - 1 + TICK_BIAS;
    if (v->tick - last >= SWG__SLOTS) {
        return;
    }
    uint64_t start = 0;
    uint64_t start_age = 0;
    bool found = false;
    for (int i = 0; i < SWG__SLOTS; i++) {
        const uint64_t begun = swg__load_seq_u64(&w->time.start[i]);
        const uint64_t slot = swg__load_seq_u64(&w->time.slot[i]);
        const uint64_t age = ((uint64_t)v->tick - (begun >> TAG_SHIFT)) & 0xff;
        if (begun >> (TAG_SHIFT + 8) != (v->serial & 0xfff) || age >= SWG__SLOTS) {
            continue;
        }
        if (!found || age > start_age) {
            start = begun;
            start_age = age;
        }
        found = true;
        if (slot >> TAG_SHIFT == begun >> TAG_SHIFT) {
            add_counts(slot, sum);
        }
    }
    if (found) {
        sum->calls = ((swg__successes(v->parts) - start) & START_MASK) + sum->failures;
    }
}

swg__evidence swg__window_read(const swg__parts *parts, uint64_t word, int64_t now_ns)
{
    swg__evidence sum = {0};
    const int64_t seen = swg__seen(parts);
    const view v = look(parts, word, now_ns > seen ? now_ns : seen);
    if (swg__word_public(word) != SWG_CLOSED ||
        swg__load_seq_u32(&parts->cell->prepared) != v.serial) {
        return sum;
    }
    if (v.slot_ns != 0) {
        time_peek(&v, &sum);
    } else {
        ring_sum(&v, &sum, false);
    }
    return sum;
}

void swg__window_watch(swg_cell *cell)
{
    uint32_t watch = swg__load_seq_u32(&cell->watch);
    while (!swg__cas_seq_u32(&cell->watch, &watch, (watch + 1) | 1)) {
    }
}
