/* The state machine, in one word: ms:34 tries:5 epoch:23 state:2.
 *
 * Keeps: every change of state is one compare-and-swap of this word to the next epoch, so exactly
 * one caller wins it, and state, epoch, deadline and number of re-openings are never seen apart.
 *
 * `ms` is the low 34 bits of a time in milliseconds: open, when the wait is over; closed and
 * ramping, when it closed. It is read against a time at most 99 days away; a deadline further ahead
 * than any wait can be counts as past. The epoch wraps after 8 million transitions. */
#ifndef SWG_CORE_BREAKER_H
#define SWG_CORE_BREAKER_H

#include "core/layout.h"

#define SWG__RAMPING 3u /* closed, with traffic coming back; the public state is SWG_CLOSED */

#define SWG__EPOCH_BITS 23
#define SWG__EPOCH_MASK ((UINT64_C(1) << SWG__EPOCH_BITS) - 1)
#define SWG__TRIES_MAX 31u
#define SWG__MS_BITS 34
#define SWG__MS_MASK ((UINT64_C(1) << SWG__MS_BITS) - 1)

static inline unsigned swg__word_state(uint64_t word)
{
    return (unsigned)(word & 3);
}

static inline uint64_t swg__word_epoch(uint64_t word)
{
    return word >> 2 & SWG__EPOCH_MASK;
}

static inline unsigned swg__word_tries(uint64_t word)
{
    return (unsigned)(word >> 25 & SWG__TRIES_MAX);
}

static inline uint64_t swg__epoch_after(uint64_t epoch)
{
    return (epoch + 1) & SWG__EPOCH_MASK;
}

static inline uint64_t swg__word_make(unsigned state, uint64_t epoch, unsigned tries, int64_t ms)
{
    return ((uint64_t)ms & SWG__MS_MASK) << 30 | (uint64_t)tries << 25 | epoch << 2 | state;
}

/* The state a reader outside sees. */
static inline swg_state swg__word_public(uint64_t word)
{
    const unsigned state = swg__word_state(word);
    return state == SWG__RAMPING ? SWG_CLOSED : (swg_state)state;
}

/* Longer than any wait: a day, doubled by jitter. */
#define SWG__WAIT_MAX_MS (INT64_C(2) * 86400000 + 1)

/* The difference of a word's time and now, both modulo 2^34 ms, as a signed number. */
static inline int64_t swg__ms_ahead(uint64_t word, int64_t now_ms)
{
    const uint64_t ahead = ((word >> 30) - (uint64_t)now_ms) & SWG__MS_MASK;
    const bool negative = ahead >> (SWG__MS_BITS - 1) != 0;
    return negative ? (int64_t)ahead - (INT64_C(1) << SWG__MS_BITS) : (int64_t)ahead;
}

/* Nanoseconds from now until the wait of an open word is over; <= 0 when it is. */
static inline int64_t swg__word_wait_ns(uint64_t word, int64_t now_ns)
{
    const int64_t ahead = swg__ms_ahead(word, now_ns / SWG__NS_PER_MS);
    if (ahead > SWG__WAIT_MAX_MS) {
        return 0;
    }
    return ahead * SWG__NS_PER_MS - now_ns % SWG__NS_PER_MS;
}

/* Milliseconds since a ramping word closed. */
int64_t swg__word_age_ms(uint64_t word, int64_t now_ns);

/* Does a half-open or closed circuit have to move? Judged in integers:
 * opens when failures * 100 >= failure_pct * calls, the same for slow calls. */
swg__evidence swg__judge_rates(swg__limits limits, uint64_t calls, uint64_t failures,
                               uint64_t slow);

/* Spreads turns evenly over 32 bits: multiples of 2^32 / golden ratio, modulo 2^32 (Knuth, TAOCP
 * 6.4), so that any share of them is met evenly. */
static inline uint32_t swg__spread(uint64_t turn)
{
    return (uint32_t)turn * UINT32_C(2654435769);
}

/* Ramp: is this turn admitted, `age_ms` into a ramp of `ramp_ms`? Admits 10 % rising linearly to
 * 100 %. */
bool swg__ramp_admits(uint64_t turn, int64_t age_ms, uint32_t ramp_ms);
uint32_t swg__ramp_pct(int64_t age_ms, uint32_t ramp_ms);

#endif
