#include "core/gate.h"

int64_t swg__gate_wait_ns(uint64_t word, int64_t now_ns)
{
    return (int64_t)(word & SWG__GATE_MS_MASK) * SWG__NS_PER_MS - now_ns;
}

unsigned swg__gate_mode_now(uint64_t word, int64_t now_ns)
{
    const unsigned mode = (unsigned)(word >> 61);
    if (mode == SWG__GATE_NONE || mode > SWG__GATE_FORCED) {
        return SWG__GATE_NONE;
    }
    const int64_t hold_ns = mode == SWG__GATE_RAMP ? 0 : SWG__GATE_GRACE_NS;
    return swg__gate_wait_ns(word, now_ns) > -hold_ns ? mode : SWG__GATE_NONE;
}

/* Admitted share in 1/1000000. */
static uint64_t share(uint64_t word, int64_t now_ns)
{
    const int64_t length_ms = (int64_t)swg__gate_low(word) * SWG__GATE_RAMP_STEP_MS;
    const int64_t left_ms = swg__gate_wait_ns(word, now_ns) / SWG__NS_PER_MS;
    const unsigned halvings = swg__gate_argument(word);
    const uint64_t first = halvings == 0 ? 100000 : UINT64_C(1000000) >> halvings;
    if (length_ms == 0 || left_ms <= 0) {
        return 1000000;
    }
    const int64_t age_ms = left_ms < length_ms ? length_ms - left_ms : 0;
    return first + (1000000 - first) * (uint64_t)age_ms / (uint64_t)length_ms;
}

bool swg__gate_ramp_admits(uint64_t word, uint64_t turn, int64_t now_ns)
{
    return (uint64_t)swg__spread(turn) * 1000000 >> 32 < share(word, now_ns);
}

void swg__gate_count(swg_au64 *results, uint32_t round, swg__gate_result result)
{
    const unsigned shift = 14 * (unsigned)result;
    uint64_t old = swg__load_seq_u64(results);
    do {
        if (old >> 42 != round || (old >> shift & 0x3fff) == 0x3fff) {
            return;
        }
    } while (!swg__cas_seq_u64(results, &old, old + (UINT64_C(1) << shift)));
}

swg__gate_results swg__gate_take(swg_au64 *results)
{
    uint64_t old = swg__load_seq_u64(results);
    while (!swg__cas_seq_u64(results, &old, old >> 42 << 42)) {
    }
    return swg__gate_results_of(old);
}
