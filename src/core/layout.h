/* What a block is made of. No pointers: a block is used at different addresses by many processes.
 *
 * Every word of shared state is an atomic from atomic.h. What must change together sits in one
 * word; the packing of each word is written beside it, most significant bits first. */
#ifndef SWG_CORE_LAYOUT_H
#define SWG_CORE_LAYOUT_H

#include <stddef.h>
#include <switchgear/types.h>

#include "core/atomic.h"

enum {
    SWG__STRIPES = 8,        /* per-CPU success counters per circuit; a power of two */
    SWG__SLOTS = 10,         /* a time window is the current slot and the nine before */
    SWG__PROBES_MAX = 16,    /* leases per circuit */
    SWG__RING_WORDS = 42,    /* count window: words of 24 outcomes, 1 008 in all */
    SWG__RING_PER_WORD = 24, /* two bits each, under a 16-bit tag */
    SWG__PROCESSES_MAX = 4095,
    SWG__CONFIG_WORDS = 7,
};

#define SWG__NS_PER_MS INT64_C(1000000)

/* cell->features */
#define SWG__FEATURE_RATE 1u
#define SWG__FEATURE_INFLIGHT 2u /* bulkhead or stall detection: calls in flight are counted */
#define SWG__FEATURE_SHED 4u

/* permit->held: flags, and in the upper four bits the number of the probe lease */
#define SWG__HELD_CALL 1u
#define SWG__HELD_SLOT 2u
#define SWG__HELD_PROBE 4u
#define SWG__HELD_FLEET 8u /* a permit of the gate, see gate.h */
#define SWG__HELD_LEASE_SHIFT 4

/* One circuit: identity, limits, state and counters. Eight cache lines. */
typedef struct swg_cell {
    /* Line 0: read by every call; written by transitions, by the first outcome of a slot, and by
     * failures. */
    _Alignas(64) swg_au64 word; /* ms:34 tries:5 epoch:23 state:2, see breaker.h */
    swg_au64 window;            /* generation:32 calls:10 ms:22; calls 0: time window */
    swg_au64 slow;              /* stall_ms:32 slow_ms:32; 0: off */
    swg_au32 features;
    swg_au32 row;      /* epoch:11 failures in a row:21 */
    swg_ai64 boundary; /* end of the current slot of the time window */
    swg_au32 prepared; /* the serial the window counts for, see window.h */
    swg_au32 watch;    /* odd: successes must judge too. Any change bumps it */
    swg_au64 advice;   /* the fleet's word, see gate.h; 0: none */
    swg_au64 override; /* kind:2 until_ns:62; 0: none */

    /* Line 1: outcomes other than plain success. */
    _Alignas(64) swg_ai64 seen; /* latest time of a transition, a probe granted, an exact outcome */
    swg_au64 outcomes[SWG_OUTCOME_COUNT];
    swg_au64 slow_calls;

    /* Lines 2 and 3. */
    _Alignas(64) swg_au64 rejected[SWG_VERDICT_COUNT];
    _Alignas(64) swg_au64 would_reject[SWG_VERDICT_COUNT];

    /* Line 4: limiter and bulkhead, contended only where they are on. */
    _Alignas(64) swg_ai64 rate_tat; /* GCRA: theoretical arrival time */
    swg_au64 inflight;              /* see bulkhead.h */
    swg_ai64 progress;              /* stall detection: when a call last ended, or enough began */
    swg_ai64 since;                 /* when the present state was entered; 0: never changed */
    swg_ai64 state_ns[SWG_STATE_COUNT];
    swg_au64 adapted; /* the in-flight limit that finds itself, see adapt.h; 0: not yet */

    /* Line 5: the configuration, see store/settings.h. */
    _Alignas(64) swg_au64 config[SWG__CONFIG_WORDS];
    swg_au64 jitter_seed;

    /* Line 6. */
    _Alignas(64) char name[SWG_NAME_MAX + 1];

    /* Line 7. */
    _Alignas(64) swg_au32 transitions[SWG_CAUSE_HOST_COUNT];
    swg_au32 claim; /* see store/directory.h */
    swg_au32 config_conflicts;
    swg_ai64 last_outcome; /* of those not counted in a stripe */
} swg_cell;

_Static_assert(sizeof(swg_cell) == 512, "an idle circuit touches 512 bytes");

/* window->gate_old */
enum { SWG__OLD_CALLS, SWG__OLD_FAILURES, SWG__OLD_SLOW, SWG__OLD_COUNT };

/* What only a circuit with traffic touches. */
typedef struct swg_window {
    union {
        struct {
            swg_au64 start[SWG__SLOTS]; /* tag:20 successes when the slot began:44 */
            swg_au64 slot[SWG__SLOTS];  /* tag:20 failures:22 slow:22 */
        } time;
        swg_au64 ring[SWG__RING_WORDS]; /* tag:16 outcomes:24*2, bit 0 failure, bit 1 slow */
    };
    swg_au64 head;                   /* serial:32 clean:1 position:31 */
    swg_au64 lease[SWG__PROBES_MAX]; /* see probe.h */
    swg_au64 reason[(SWG_REASON_MAX + 1) / 8];
    swg_au64 gate_results;             /* round:22 unused:14 failed:14 passed:14 */
    swg_ai64 gate_since;               /* the fleet's view holds for calls begun from here on */
    swg_au64 gate_old[SWG__OLD_COUNT]; /* outcomes of calls begun before */

    /* Ramp, shedding, retries and hedges. */
    _Alignas(64) swg_au64 turn; /* of ramp and shedding */
    swg_au64 shed;              /* calls shed, see shed.h */
    swg_au64 share;  /* serial:12 step:35 share:17: what is shed now, and when that was found */
    swg_au64 budget; /* of retries, see budget.h */
    swg_au64 retries;
    swg_au64 recovered;
    swg_au64 quantile; /* latency after which a second attempt is made, see quantile.h */
    swg_au64 stale;    /* outcomes of an earlier epoch */
    swg_au64 denied[SWG_RETRY_END_COUNT];
    swg_au64 gate_old_local; /* of those in gate_old, failures of local origin */
} swg_window;

_Static_assert(sizeof(swg_window) == 704, "whole cache lines");

/* One circuit's share of one CPU's counters. A CPU's stripes of all circuits lie together, so they
 * share lines only with what the same CPU writes. */
typedef struct swg_stripe {
    swg_au64 successes; /* tag:16 count:48, never reset */
    swg_ai64 seen;      /* latest time of an outcome */
    swg_au64 rejected;  /* SWG_REJECTED_OPEN */
    swg_au64 spare;
} swg_stripe;

#define SWG__COUNT_MASK ((UINT64_C(1) << 48) - 1)

/* Where one circuit's memory is mapped in this process. */
typedef struct swg__parts {
    swg_cell *cell;
    swg_window *window;
    swg_stripe *stripes; /* the first CPU's */
    size_t stride;       /* from one CPU's stripe to the next CPU's */
} swg__parts;

/* Why a machine wants to move, and on what grounds. */
typedef struct swg__evidence {
    uint64_t calls;
    uint64_t failures;
    uint64_t slow;
    uint32_t limit;
    swg_cause cause; /* SWG_CAUSE_NONE: stay */
} swg__evidence;

/* The limits outcomes are judged by: one word, so they change together.
 * probes:5 failure_threshold:20 slow_pct:7 failure_pct:7 calls_min:20; 0 is off. */
typedef struct swg__limits {
    uint32_t calls_min;
    uint32_t failure_pct;
    uint32_t slow_pct;
    uint32_t failure_threshold;
    uint32_t probes;
} swg__limits;

static inline uint32_t swg__between(uint64_t value, uint32_t low, uint32_t high)
{
    return value < low ? low : value > high ? high : (uint32_t)value;
}

/* In a spoilt block too, every limit is one a configuration could have. */
static inline swg__limits swg__limits_read(const swg_cell *cell)
{
    const uint64_t word = swg__load_relaxed_u64(&cell->config[0]);
    const swg__limits limits = {
        .calls_min = swg__between(word & 0xfffff, 1, 1000000),
        .failure_pct = swg__between(word >> 20 & 0x7f, 0, 100),
        .slow_pct = swg__between(word >> 27 & 0x7f, 0, 100),
        .failure_threshold = word >> 34 & 0xfffff,
        .probes = swg__between(word >> 54 & 0x1f, 1, SWG__PROBES_MAX),
    };
    return limits;
}

static inline bool swg__is_failure(swg_outcome outcome)
{
    return outcome == SWG_FAILURE || outcome == SWG_TIMEOUT || outcome == SWG_FAILURE_LOCAL;
}

/* Raises a time; pairs with nothing but itself: readers take whatever maximum they find. */
static inline void swg__raise(swg_ai64 *time, int64_t now_ns)
{
    int64_t old = swg__load_relaxed_i64(time);
    while (old < now_ns && !swg__cas_seq_i64(time, &old, now_ns)) {
    }
}

#endif
