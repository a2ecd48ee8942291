#include "core/shed.h"

#define COUNT_MAX ((UINT64_C(1) << 20) - 1)
#define SHARE_BITS 17
#define SHARE_MASK ((UINT64_C(1) << SHARE_BITS) - 1)
#define STEP_MASK ((UINT64_C(1) << 35) - 1)

uint32_t swg__shed_share(uint64_t requests, uint64_t accepts, uint32_t factor_pct)
{
    const uint64_t room = UINT64_C(1) << 30; /* more than any window holds; no product overflows */
    const uint64_t asked = (requests < room ? requests : room) * 100;
    const uint64_t wanted = (accepts < room ? accepts : room) * factor_pct;
    return asked <= wanted ? 0 : (uint32_t)((asked - wanted) * SWG__SHED_ALL / (asked + 100));
}

/* What a count belongs to: the window's serial, so that it ends with the epoch, and the stretch. */
typedef struct stretch {
    uint64_t tag; /* serial:12 tick:12 */
    int64_t left_us, window_us;
} stretch;

static stretch stretch_at(const swg__parts *parts, uint32_t serial, int64_t now_ns)
{
    const int64_t window_ns = swg__window_ns(parts->cell);
    return (stretch){
        .tag = (uint64_t)(serial & 0xfff) << 12 | ((uint64_t)(now_ns / window_ns) & 0xfff),
        .left_us = (window_ns - now_ns % window_ns) / 1000,
        .window_us = window_ns / 1000,
    };
}

static uint32_t serial_of(const swg__parts *parts)
{
    return swg__window_serial(swg__load_relaxed_u64(&parts->cell->window),
                              swg__load_seq_u64(&parts->cell->word));
}

/* The word as it would be written in this stretch: older counts moved on or gone. */
static uint64_t moved_on(uint64_t word, uint64_t tag)
{
    const uint64_t ahead = (tag - (word >> 40)) & 0xfff;
    if (word >> 52 != tag >> 12) {
        return tag << 40;
    }
    if (ahead == 0 || ahead == 0xfff) { /* this stretch, or a clock a little behind */
        return word;
    }
    return tag << 40 | (ahead == 1 ? word & COUNT_MAX : 0) << 20;
}

uint64_t swg__shed_recent(const swg__parts *parts, int64_t now_ns)
{
    const stretch at = stretch_at(parts, serial_of(parts), now_ns);
    const uint64_t word = moved_on(swg__load_relaxed_u64(&parts->window->shed), at.tag);
    const uint64_t before = word >> 20 & COUNT_MAX;
    return (word & COUNT_MAX) + before * (uint64_t)at.left_us / (uint64_t)at.window_us;
}

void swg__shed_count(const swg__parts *parts, int64_t now_ns)
{
    const stretch at = stretch_at(parts, serial_of(parts), now_ns);
    uint64_t old = swg__load_relaxed_u64(&parts->window->shed);
    uint64_t next;
    do {
        next = moved_on(old, at.tag);
        next += (next & COUNT_MAX) < COUNT_MAX ? 1 : 0;
    } while (!swg__cas_seq_u64(&parts->window->shed, &old, next));
}

uint32_t swg__shed_now(const swg__parts *parts, uint32_t factor_pct, int64_t now_ns)
{
    const swg_cell *cell = parts->cell;
    const uint64_t word = swg__load_seq_u64(&cell->word);
    if (factor_pct == 0 || swg__word_state(word) != SWG_CLOSED) {
        return 0;
    }
    const swg__evidence sum = swg__window_read(parts, word, now_ns);
    const uint64_t requests = sum.calls + swg__shed_recent(parts, now_ns);
    return requests < swg__limits_read(cell).calls_min
               ? 0
               : swg__shed_share(requests, sum.calls - sum.failures, factor_pct);
}

uint32_t swg__shed_known(const swg__parts *parts, uint32_t factor_pct, int64_t now_ns)
{
    const uint64_t step = (uint64_t)(now_ns / (swg__window_ns(parts->cell) / 100));
    const uint64_t stamp = (uint64_t)(serial_of(parts) & 0xfff) << 35 | (step & STEP_MASK);
    const uint64_t known = swg__load_relaxed_u64(&parts->window->share);
    if (known >> SHARE_BITS == stamp) {
        return (uint32_t)(known & SHARE_MASK);
    }
    const uint32_t share = swg__shed_now(parts, factor_pct, now_ns);
    swg__store_relaxed_u64(&parts->window->share, stamp << SHARE_BITS | share);
    return share;
}
