/* The gate, in one word: mode:3 argument:5 low:16 ms:40; 0 is none. Written by the fleet client,
 * and by callers only to take a permit or to forget a gate that lost its hold.
 *
 * Keeps: a permit is taken by one compare-and-swap of the word it was published in, so no more are
 * taken than were granted, and none after they were withdrawn. A result counts once, and only in
 * the round of its permit. A word's time is whole, not modulo anything, so one that has lost its
 * hold never has it again, however long nobody looks.
 *
 * argument and low: PROBING permits and round, RAMP halvings of the first share and length in
 * steps of 10 ms. */
#ifndef SWG_CORE_GATE_H
#define SWG_CORE_GATE_H

#include "core/breaker.h"

enum { SWG__GATE_NONE, SWG__GATE_OPEN, SWG__GATE_PROBING, SWG__GATE_RAMP, SWG__GATE_FORCED };

#define SWG__GATE_MS_MASK ((UINT64_C(1) << 40) - 1)
#define SWG__GATE_LOW_MASK 0xffff
#define SWG__GATE_RAMP_STEP_MS 10
#define SWG__GATE_ARGUMENT (UINT64_C(1) << 56)
#define SWG__GATE_GRACE_NS (2000 * SWG__NS_PER_MS)

static inline unsigned swg__gate_argument(uint64_t word)
{
    return (unsigned)(word >> 56 & 31);
}

static inline uint32_t swg__gate_low(uint64_t word)
{
    return (uint32_t)(word >> 40 & SWG__GATE_LOW_MASK);
}

static inline uint64_t swg__gate_make(unsigned mode, unsigned argument, int64_t ms, uint32_t low)
{
    return (uint64_t)mode << 61 | (uint64_t)argument << 56 | (uint64_t)low << 40 |
           ((uint64_t)ms & SWG__GATE_MS_MASK);
}

/* Nanoseconds from now until the word's time; <= 0 when it is over. */
int64_t swg__gate_wait_ns(uint64_t word, int64_t now_ns);

/* The mode in force: a gate nobody renews is none after its time and the grace, a ramp after its
 * time. */
unsigned swg__gate_mode_now(uint64_t word, int64_t now_ns);

/* Ramp: is this turn admitted? */
bool swg__gate_ramp_admits(uint64_t word, uint64_t turn, int64_t now_ns);

/* Results of probes: round:22 unused:14 failed:14 passed:14. */
typedef struct swg__gate_results {
    uint32_t round, passed, failed, unused;
} swg__gate_results;

typedef enum swg__gate_result {
    SWG__GATE_PASSED,
    SWG__GATE_FAILED,
    SWG__GATE_UNUSED
} swg__gate_result;

static inline swg__gate_results swg__gate_results_of(uint64_t word)
{
    return (swg__gate_results){.round = (uint32_t)(word >> 42),
                               .unused = (uint32_t)(word >> 28 & 0x3fff),
                               .failed = (uint32_t)(word >> 14 & 0x3fff),
                               .passed = (uint32_t)(word & 0x3fff)};
}

/* Counts a result for `round`; of another round it is dropped. */
void swg__gate_count(swg_au64 *results, uint32_t round, swg__gate_result result);

/* Results so far, and zero from here on. */
swg__gate_results swg__gate_take(swg_au64 *results);

#endif
