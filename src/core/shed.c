#include "core/shed.h"

#define COUNT_MAX ((UINT64_C(1) << 24) - 1)
#define SHARE_BITS 17
#define SHARE_MASK ((UINT64_C(1) << SHARE_BITS) - 1)
#define STAMP_MASK ((UINT64_C(1) << (64 - SHARE_BITS)) - 1)

uint32_t swg__shed_share(uint64_t requests, uint64_t accepts, uint32_t factor_pct)
{
    const uint64_t room = UINT64_C(1) << 30; /* more than any window holds; no product overflows */
    const uint64_t asked = (requests < room ? requests : room) * 100;
    const uint64_t wanted = (accepts < room ? accepts : room) * factor_pct;
    return asked <= wanted ? 0 : (uint32_t)((asked - wanted) * SWG__SHED_ALL / (asked + 100));
}

static uint64_t tick_of(int64_t now_ns, int64_t window_ns)
{
    return (uint64_t)(now_ns / window_ns) & 0xffff;
}

/* The word as it would be written in this tick: older counts moved on or gone. */
static uint64_t moved_on(uint64_t word, uint64_t tick)
{
    const uint64_t ahead = (tick - (word >> 48)) & 0xffff;
    if (ahead == 0 || ahead == 0xffff) { /* this stretch, or a clock a little behind */
        return word;
    }
    const uint64_t before = ahead == 1 ? word & COUNT_MAX : 0;
    return tick << 48 | before << 24;
}

uint64_t swg__shed_recent(const swg_au64 *place, int64_t now_ns, int64_t window_ns)
{
    const uint64_t word = moved_on(swg__load_relaxed_u64(place), tick_of(now_ns, window_ns));
    const uint64_t left_us = (uint64_t)(window_ns - now_ns % window_ns) / 1000;
    const uint64_t before = word >> 24 & COUNT_MAX;
    return (word & COUNT_MAX) + before * left_us / ((uint64_t)window_ns / 1000);
}

void swg__shed_count(swg_au64 *place, int64_t now_ns, int64_t window_ns)
{
    const uint64_t tick = tick_of(now_ns, window_ns);
    uint64_t old = swg__load_relaxed_u64(place);
    uint64_t next;
    do {
        next = moved_on(old, tick);
        next += (next & COUNT_MAX) < COUNT_MAX ? 1 : 0;
    } while (!swg__cas_seq_u64(place, &old, next));
}

uint32_t swg__shed_now(const swg__parts *parts, uint32_t factor_pct, int64_t now_ns)
{
    const swg_cell *cell = parts->cell;
    const uint64_t word = swg__load_seq_u64(&cell->word);
    if (factor_pct == 0 || swg__word_state(word) != SWG_CLOSED) {
        return 0;
    }
    const swg__evidence sum = swg__window_read(parts, word, now_ns);
    const uint64_t requests =
        sum.calls + swg__shed_recent(&parts->window->shed, now_ns, swg__window_ns(cell));
    return requests < swg__limits_read(cell).calls_min
               ? 0
               : swg__shed_share(requests, sum.calls - sum.failures, factor_pct);
}

uint32_t swg__shed_known(const swg__parts *parts, uint32_t factor_pct, int64_t now_ns)
{
    const uint64_t stamp = (uint64_t)(now_ns / (swg__window_ns(parts->cell) / 100));
    const uint64_t known = swg__load_relaxed_u64(&parts->window->share);
    if (known >> SHARE_BITS == (stamp & STAMP_MASK)) {
        return (uint32_t)(known & SHARE_MASK);
    }
    const uint32_t share = swg__shed_now(parts, factor_pct, now_ns);
    swg__store_relaxed_u64(&parts->window->share, stamp << SHARE_BITS | share);
    return share;
}
