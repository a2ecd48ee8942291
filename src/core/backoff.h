/* How long to wait: doubling with a ceiling, plus jitter from a seed. Pure arithmetic. */
#ifndef SWG_CORE_BACKOFF_H
#define SWG_CORE_BACKOFF_H

#include <stdint.h>

/* base_ms doubled `tries` times, at most max_ms. */
uint32_t swg__backoff_ms(uint32_t base_ms, uint32_t max_ms, unsigned tries);

/* A well-mixed 64-bit value of a seed and a number (splitmix64; Steele, Lea, Flood 2014). */
uint64_t swg__mix(uint64_t seed, uint64_t number);

/* Nanoseconds for a wait of wait_ms with up to jitter_pct percent added, the share taken from
 * `random` uniformly. */
int64_t swg__backoff_jittered_ns(uint32_t wait_ms, uint32_t jitter_pct, uint64_t random);

#endif
