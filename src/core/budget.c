#include "core/budget.h"

#define MARK_BITS 40
#define MARK_MASK ((UINT64_C(1) << MARK_BITS) - 1)
#define RETRY 100u /* hundredths */

/* Attempts that ended and are not accounted for: none if retries granted have not ended yet. */
static uint64_t fresh(uint64_t mark, uint64_t ended)
{
    const uint64_t ahead = (ended - mark) & MARK_MASK;
    return ahead >> (MARK_BITS - 1) != 0 ? 0 : ahead;
}

bool swg__budget_take(swg_au64 *place, uint32_t share_pct, uint32_t least, uint64_t ended)
{
    uint64_t old = swg__load_seq_u64(place);
    uint64_t next;
    do {
        const uint64_t attempts = fresh(old & MARK_MASK, ended);
        const uint64_t owed = old >> MARK_BITS;
        const uint64_t paid = attempts < owed ? attempts * share_pct : owed * share_pct;
        const uint64_t left = paid < owed ? owed - paid : 0;
        if (left + RETRY > (uint64_t)least * RETRY) {
            return false;
        }
        next = (left + RETRY) << MARK_BITS | (((old & MARK_MASK) + attempts + 1) & MARK_MASK);
    } while (!swg__cas_seq_u64(place, &old, next));
    return true;
}
