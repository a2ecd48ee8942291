#include "core/view.h"

#define TAG_SHIFT 44
#define START_MASK ((UINT64_C(1) << TAG_SHIFT) - 1)
#define SLOT_COUNT_BITS 22
#define SLOT_COUNT_MAX ((UINT64_C(1) << SLOT_COUNT_BITS) - 1)

/* Slots are numbered from 16, so that the nine before the first have numbers too. */
#define TICK_BIAS 16

int64_t swg__slots_tick(int64_t now_ns, int64_t slot_ns)
{
    return now_ns / slot_ns + TICK_BIAS;
}

static uint64_t tick_tag(const swg__view *v, int64_t tick)
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
static bool renew(const swg__view *v, swg_au64 *place, uint64_t tag, uint64_t value)
{
    uint64_t word = swg__load_seq_u64(place);
    while (older(word, tag)) {
        if (!swg__view_current(v)) {
            return false;
        }
        if (swg__cas_seq_u64(place, &word, tag | value)) {
            return true;
        }
    }
    return true;
}

bool swg__slots_sweep(const swg__view *v)
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

void swg__slots_close(const swg__view *v, int64_t from)
{
    swg__cas_seq_i64(&v->parts->cell->boundary, &from, (v->tick - TICK_BIAS + 1) * v->slot_ns);
}

static void add_counts(uint64_t slot, swg__evidence *sum)
{
    sum->failures += slot >> SLOT_COUNT_BITS & SLOT_COUNT_MAX;
    sum->slow += slot & SLOT_COUNT_MAX;
}

/* Successes so far, without those that came to stripe 0 after our own. */
static uint64_t successes_until(const swg__view *v, uint64_t own)
{
    const uint64_t first = swg__load_seq_u64(&swg__stripe(v->parts, 0)->successes);
    const uint64_t later =
        own == SWG__ALL ? 0 : ((first & SWG__COUNT_MASK) - own) & SWG__COUNT_MASK;
    uint64_t sum = (first & SWG__COUNT_MASK) - later;
    for (unsigned i = 1; i < SWG__STRIPES; i++) {
        sum += swg__load_seq_u64(&swg__stripe(v->parts, i)->successes) & SWG__COUNT_MASK;
    }
    return sum;
}

bool swg__slots_sum(const swg__view *v, uint64_t own, swg__evidence *sum)
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
    sum->calls = ((successes_until(v, own) - start) & START_MASK) + sum->failures;
    return swg__load_seq_u64(oldest) == start;
}

bool swg__slots_count(const swg__view *v, bool failed, bool slow)
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

void swg__slots_peek(const swg__view *v, swg__evidence *sum)
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
