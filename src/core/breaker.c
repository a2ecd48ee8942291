#include "core/breaker.h"

#define HOUR_MS INT64_C(3600000)

int64_t swg__word_age_ms(uint64_t word, int64_t now_ns)
{
    const int64_t age = -swg__ms_ahead(word, now_ns / SWG__NS_PER_MS);
    if (age < -HOUR_MS) {
        return INT64_MAX; /* no clock is so far behind: the word is older than its bits tell */
    }
    return age < 0 ? 0 : age;
}

swg__evidence swg__judge_rates(swg__limits limits, uint64_t calls, uint64_t failures, uint64_t slow)
{
    swg__evidence evidence = {.calls = calls, .failures = failures, .slow = slow};
    if (limits.failure_pct != 0 && failures * 100 >= limits.failure_pct * calls) {
        evidence.cause = SWG_CAUSE_FAILURE_RATE;
        evidence.limit = limits.failure_pct;
    } else if (limits.slow_pct != 0 && slow * 100 >= limits.slow_pct * calls) {
        evidence.cause = SWG_CAUSE_SLOW_RATE;
        evidence.limit = limits.slow_pct;
    }
    return evidence;
}

/* Admitted share in 1/1000. */
static uint64_t ramp_permille(int64_t age_ms, uint32_t ramp_ms)
{
    if (ramp_ms == 0 || age_ms >= (int64_t)ramp_ms) {
        return 1000;
    }
    return 100 + 900 * (uint64_t)age_ms / ramp_ms;
}

uint32_t swg__ramp_pct(int64_t age_ms, uint32_t ramp_ms)
{
    return (uint32_t)(ramp_permille(age_ms, ramp_ms) / 10);
}

bool swg__ramp_admits(uint64_t turn, int64_t age_ms, uint32_t ramp_ms)
{
    return (uint64_t)swg__spread(turn) * 1000 >> 32 < ramp_permille(age_ms, ramp_ms);
}
