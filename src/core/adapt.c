#include "core/adapt.h"

#define FRACTION 16
#define CUT_MASK ((UINT64_C(1) << 28) - 1)
#define BEGIN 20

static uint64_t bounded(uint64_t limit, uint32_t least, uint32_t most)
{
    const uint64_t low = (uint64_t)least << FRACTION;
    const uint64_t high = (uint64_t)most << FRACTION; /* may be below low while both change */
    return limit < low || high < low ? low : limit > high ? high : limit;
}

static uint64_t limit_of(uint64_t word, uint32_t least, uint32_t most)
{
    const uint64_t limit = word >> 28;
    return bounded(limit != 0 ? limit : (uint64_t)BEGIN << FRACTION, least, most);
}

uint32_t swg__adapt_limit(const swg_au64 *word, uint32_t least, uint32_t most)
{
    return (uint32_t)(limit_of(swg__load_relaxed_u64(word), least, most) >> FRACTION);
}

/* Was the last decrease while the call ran? A word without any says no. */
static bool cut_since(uint64_t word, int64_t begun_ns, int64_t now_ns)
{
    const uint64_t now_ms = (uint64_t)(now_ns / SWG__NS_PER_MS);
    const uint64_t ago = (now_ms - (word & CUT_MASK)) & CUT_MASK;
    return word >> 28 != 0 && ago <= now_ms - (uint64_t)(begun_ns / SWG__NS_PER_MS);
}

void swg__adapt_learn(swg_au64 *place, uint32_t least, uint32_t most, uint32_t inflight, bool late,
                      int64_t begun_ns, int64_t now_ns)
{
    uint64_t old = swg__load_relaxed_u64(place);
    uint64_t next;
    do {
        uint64_t limit = limit_of(old, least, most);
        uint64_t cut = old & CUT_MASK;
        if (late) {
            if (cut_since(old, begun_ns, now_ns)) {
                return;
            }
            limit -= limit / 10;
            cut = (uint64_t)(now_ns / SWG__NS_PER_MS) & CUT_MASK;
        } else if ((uint64_t)inflight * 2 >= limit >> FRACTION) {
            const uint64_t step = (UINT64_C(1) << 2 * FRACTION) / limit;
            limit += step != 0 ? step : 1;
            if (old >> 28 ==
                0) { /* the first word: no decrease yet, so none a call could overlap */
                cut = ((uint64_t)(now_ns / SWG__NS_PER_MS) + CUT_MASK / 2) & CUT_MASK;
            }
        } else {
            return;
        }
        next = bounded(limit, least, most) << 28 | cut;
    } while (next != old && !swg__cas_seq_u64(place, &old, next));
}
