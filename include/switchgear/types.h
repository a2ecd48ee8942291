/* Values every part of switchgear shares: results, verdicts, outcomes, states, permits, events.
 *
 * All times are nanoseconds of CLOCK_MONOTONIC (int64_t, suffix _ns) unless a name ends in _ms.
 * Nothing in this header allocates, blocks or touches shared memory. */
#ifndef SWITCHGEAR_TYPES_H
#define SWITCHGEAR_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SWG_VERSION_MAJOR 0
#define SWG_VERSION_MINOR 1
#define SWG_VERSION_PATCH 0

/* A configuration field set to this is off. (0 is "the default".) */
#define SWG_NONE UINT32_MAX

/* Longest circuit name and override reason, in bytes, without the terminating NUL. */
#define SWG_NAME_MAX 63
#define SWG_REASON_MAX 63

typedef struct swg_panel swg_panel;     /* one block of circuits, shared by threads and processes */
typedef struct swg_circuit swg_circuit; /* one named dependency; borrowed from its panel */

/* Results. 0 is fine, errors are negative, a positive value is done-but-note-this. */
#define SWG_RESULTS(X)                                                                             \
    X(SWG_OK, 0, "ok")                                                                             \
    X(SWG_DIFFERS, 1, "done, but it already existed with another configuration, which stays")      \
    X(SWG_EINVAL, -1, "invalid argument")                                                          \
    X(SWG_ENOMEM, -2, "out of memory")                                                             \
    X(SWG_ESYS, -3, "system call failed, see errno")                                               \
    X(SWG_EMAGIC, -4, "not a switchgear block")                                                    \
    X(SWG_ELAYOUT, -5, "block laid out by an incompatible build of switchgear")                    \
    X(SWG_EFULL, -6, "no free row: the panel is full")                                             \
    X(SWG_ENEWER, -7, "configuration sets a field this library does not know: newer header")       \
    X(SWG_EPROTO, -8, "peer sent something unexpected")                                            \
    X(SWG_ENOENT, -9, "no such thing")                                                             \
    X(SWG_EACCESS, -10, "not trusted: wrong owner, mode or kind of file")                          \
    X(SWG_EBUSY, -11, "taken: there is one already, and it lives")

typedef enum swg_result {
#define SWG_X(name, value, text) name = value,
    SWG_RESULTS(SWG_X)
#undef SWG_X
} swg_result;

/* May this call go? 0 is the only yes; a no is not an error. */
#define SWG_VERDICTS(X)                                                                            \
    X(SWG_PERMITTED, 0, "permitted")                                                               \
    X(SWG_REJECTED_OPEN, 1, "open")         /* the breaker is open */                              \
    X(SWG_REJECTED_PROBING, 2, "probing")   /* half-open, every probe is out */                    \
    X(SWG_REJECTED_RAMP, 3, "ramp")         /* just recovered, traffic is let back gradually */    \
    X(SWG_REJECTED_RATE, 4, "rate")         /* the rate limit */                                   \
    X(SWG_REJECTED_BULKHEAD, 5, "bulkhead") /* as many calls in flight as allowed */               \
    X(SWG_REJECTED_FORCED, 6, "forced")     /* an operator holds it open */                        \
    X(SWG_REJECTED_SHED, 7, "shed")         /* shed, so that the rest gets through */
#define SWG_VERDICT_COUNT 8

typedef enum swg_verdict {
#define SWG_X(name, value, text) name = value,
    SWG_VERDICTS(SWG_X)
#undef SWG_X
} swg_verdict;

/* How did it go? */
#define SWG_OUTCOMES(X)                                                                            \
    X(SWG_SUCCESS, 0, "success")                                                                   \
    X(SWG_FAILURE, 1, "failure")                                                                   \
    X(SWG_TIMEOUT, 2, "timeout")             /* a failure, counted apart */                        \
    X(SWG_IGNORED, 3, "ignored")             /* says nothing about the dependency: a 404, say */   \
    X(SWG_CANCELLED, 4, "cancelled")         /* never came to an end; only gives back */           \
    X(SWG_FAILURE_LOCAL, 5, "failure_local") /* a failure that never left this host: no name, no   \
                                                route, no descriptors. The fleet weighs it less */
#define SWG_OUTCOME_COUNT 6

typedef enum swg_outcome {
#define SWG_X(name, value, text) name = value,
    SWG_OUTCOMES(SWG_X)
#undef SWG_X
} swg_outcome;

typedef enum swg_state { SWG_CLOSED = 0, SWG_OPEN = 1, SWG_HALF_OPEN = 2 } swg_state;
#define SWG_STATE_COUNT 3

/* What an operator asked for; kept apart from the state, which goes on by itself. */
typedef enum swg_override {
    SWG_OVERRIDE_NONE = 0,
    SWG_FORCED_OPEN = 1,   /* rejects all */
    SWG_FORCED_CLOSED = 2, /* permits all; the machine goes on counting */
    SWG_DRY_RUN = 3        /* permits all; counts what it would have rejected */
} swg_override;
#define SWG_OVERRIDE_COUNT 4

/* Why a circuit changed its state. */
#define SWG_CAUSES(X)                                                                              \
    X(SWG_CAUSE_NONE, 0, "none")                                                                   \
    X(SWG_CAUSE_FAILURE_RATE, 1, "failure_rate")   /* limit: failure_pct */                        \
    X(SWG_CAUSE_SLOW_RATE, 2, "slow_rate")         /* limit: slow_pct */                           \
    X(SWG_CAUSE_CONSECUTIVE, 3, "consecutive")     /* limit: failure_threshold */                  \
    X(SWG_CAUSE_STALL, 4, "stall")                 /* limit: stall_ms */                           \
    X(SWG_CAUSE_WAIT_OVER, 5, "wait_over")         /* open -> half-open */                         \
    X(SWG_CAUSE_PROBES_PASSED, 6, "probes_passed") /* half-open -> closed */                       \
    X(SWG_CAUSE_PROBES_FAILED, 7, "probes_failed") /* half-open -> open; limit: failure_pct */     \
    X(SWG_CAUSE_PROBES_SLOW, 8, "probes_slow")     /* half-open -> open; limit: slow_pct */        \
    X(SWG_CAUSE_RESET, 9, "reset")                 /* swg_circuit_reset */                         \
    X(SWG_CAUSE_OVERRIDE, 10, "override") /* no transition: an override was set or lifted */       \
    X(SWG_CAUSE_FLEET, 11, "fleet")       /* closed with the fleet, whose probes passed */         \
    /* Of the fleet alone (SWG_SCOPE_FLEET in gate.h, which says what else the others mean there)  \
     */                                                                                            \
    X(SWG_CAUSE_VOTES, 12, "votes")             /* hosts' own breakers are open; limit: quorum */  \
    X(SWG_CAUSE_CLAIM, 13, "claim")             /* a host knew more than Redis, which lost data */ \
    X(SWG_CAUSE_PROBES_LOST, 14, "probes_lost") /* half-open -> open; limit: expiry_limit */       \
    X(SWG_CAUSE_OVERRIDE_ENDED, 15, "override_ended") /* the time of an order is over */
#define SWG_CAUSE_COUNT 16
#define SWG_CAUSE_HOST_COUNT 12 /* of a circuit's own breaker */

typedef enum swg_cause {
#define SWG_X(name, value, text) name = value,
    SWG_CAUSES(SWG_X)
#undef SWG_X
} swg_cause;

/* Why a call is not tried again (retry.h). */
#define SWG_RETRY_ENDS(X)                                                                          \
    X(SWG_RETRY_GOING, 0, "going")       /* it may be tried again */                               \
    X(SWG_RETRY_DONE, 1, "done")         /* it succeeded, or trying again would not change it */   \
    X(SWG_RETRY_FINAL, 2, "final")       /* the caller marked it not retryable */                  \
    X(SWG_RETRY_ATTEMPTS, 3, "attempts") /* all attempts are used */                               \
    X(SWG_RETRY_DEADLINE, 4, "deadline") /* the next attempt would begin after the deadline */     \
    X(SWG_RETRY_CIRCUIT, 5, "circuit")   /* the circuit is not closed, or sheds calls */           \
    X(SWG_RETRY_BUDGET, 6, "budget")     /* the circuit's retries are used up */
#define SWG_RETRY_END_COUNT 7

typedef enum swg_retry_end {
#define SWG_X(name, value, text) name = value,
    SWG_RETRY_ENDS(SWG_X)
#undef SWG_X
} swg_retry_end;

/* The right to make one attempt. A value: keep it in the request, move it between threads of one
 * process. The library remembers nothing about it but what it holds (a probe, a bulkhead slot).
 * Copies stand for the same attempt: release only one of them. */
typedef struct swg_permit {
    int64_t acquired_ns;
    int64_t
        retry_ns; /* rejected: trying before this is of no use. Probe of the fleet: back by then */
    uint64_t epoch;
    uint32_t circuit;
    uint16_t owner;  /* process row charged for what is held */
    uint8_t held;    /* what must be given back; 0 = rejected or spent */
    uint8_t verdict; /* enum swg_verdict */
} swg_permit;

/* One transition, with the evidence that caused it. Also written, with from == to and cause
 * SWG_CAUSE_OVERRIDE, when an override is set or lifted. */
typedef struct swg_event {
    uint64_t sequence; /* its place in the journal, from 0 */
    int64_t at_ns;
    int64_t wall_ms;   /* CLOCK_REALTIME, milliseconds since 1970 */
    int64_t until_ns;  /* to OPEN: when it will be tried again. Override: its expiry. Else 0 */
    uint64_t epoch;    /* the epoch it began */
    uint32_t calls;    /* outcomes in the window; of the probes when it was half-open */
    uint32_t failures; /* of those; for SWG_CAUSE_CONSECUTIVE the failures in a row */
    uint32_t slow;     /* of those */
    uint32_t limit;    /* the limit crossed, in the unit its cause names; else 0 */
    uint32_t circuit;  /* its number on the panel */
    int32_t pid;       /* the process that caused it */
    uint8_t cause;     /* enum swg_cause */
    uint8_t from;      /* enum swg_state */
    uint8_t to;
    uint8_t override; /* enum swg_override in force after it */
    uint8_t scope;    /* enum swg_scope, see gate.h; 0: this host */
    uint8_t reserved[3];
    char name[SWG_NAME_MAX + 1];
} swg_event;

#ifdef __cplusplus
static_assert(sizeof(swg_permit) == 32, "swg_permit is stored by callers");
static_assert(sizeof(swg_event) == 136, "swg_event is stored by callers");
#else
_Static_assert(sizeof(swg_permit) == 32, "swg_permit is stored by callers");
_Static_assert(sizeof(swg_event) == 136, "swg_event is stored by callers");
#endif

/* The library's version: major << 16 | minor << 8 | patch.  Threads: any. */
uint32_t swg_version(void);

/* One sentence for a result, never NULL.  Threads: any. */
const char *swg_error_text(int error);

/* Stable lower-case words for logs and metrics ("permitted", "open", "success", "half_open",
 * "failure_rate", "forced_open"); "unknown" for a value out of range.  Threads: any. */
const char *swg_verdict_name(swg_verdict verdict);
const char *swg_outcome_name(swg_outcome outcome);
const char *swg_state_name(swg_state state);
const char *swg_override_name(swg_override kind);
const char *swg_cause_name(swg_cause cause);
const char *swg_retry_end_name(swg_retry_end end);

/* CLOCK_MONOTONIC in nanoseconds, the clock of every shared panel.  Threads: any. */
int64_t swg_clock_ns(void);

#ifdef __cplusplus
}
#endif
#endif
