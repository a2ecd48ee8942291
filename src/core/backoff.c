#include "core/backoff.h"

uint32_t swg__backoff_ms(uint32_t base_ms, uint32_t max_ms, unsigned tries)
{
    const uint64_t wait = tries < 32 ? (uint64_t)base_ms << tries : UINT64_MAX;
    return wait < max_ms ? (uint32_t)wait : max_ms;
}

uint64_t swg__mix(uint64_t seed, uint64_t number)
{
    uint64_t z = seed + (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

int64_t swg__backoff_jittered_ns(uint32_t wait_ms, uint32_t jitter_pct, uint64_t random)
{
    const int64_t wait_ns = (int64_t)wait_ms * 1000000;
    const int64_t span_us = (int64_t)wait_ms * jitter_pct * 10; /* wait * pct / 100, in us */
    return wait_ns + (int64_t)(random % ((uint64_t)span_us + 1)) * 1000;
}
