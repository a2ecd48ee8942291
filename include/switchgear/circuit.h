/* Circuits: one named dependency and what guards it. The hot pair is swg_acquire / swg_release. */
#ifndef SWITCHGEAR_CIRCUIT_H
#define SWITCHGEAR_CIRCUIT_H

#include <switchgear/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 0 = default, SWG_NONE = off; only ever appended to. Set `size`, or use SWG_CIRCUIT().
 * Ranges are those swg_config_check() enforces; _ms are milliseconds, _pct percent. */
typedef struct swg_circuit_config {
    uint32_t size;
    uint32_t window_ms;    /* 10 000; 10 to 3 600 000: time window. Or: */
    uint32_t window_calls; /* 1 to 1 000: count window, exactly the last N outcomes */
    uint32_t calls_min;    /* 20 (at most window_calls); 1 to 1 000 000: fewer decide nothing */
    uint32_t failure_pct;  /* 50; 1 to 100; SWG_NONE: the failure rate opens nothing */
    uint32_t slow_pct;     /* SWG_NONE; 1 to 100 */
    uint32_t slow_ms;      /* 1 000; 1 to 3 600 000: longer than this is slow */
    uint32_t failure_threshold;   /* SWG_NONE; 1 to 1 000 000: failures in a row that open */
    uint32_t recovery_ms;         /* 5 000; 1 to 86 400 000: first wait when open, doubling to: */
    uint32_t recovery_ms_max;     /* 60 000 (at least recovery_ms); to 86 400 000 */
    uint32_t recovery_jitter_pct; /* 10; 1 to 100; SWG_NONE: no jitter. Added to the wait */
    uint32_t probes;              /* 3; 1 to 16: calls permitted in half-open */
    uint32_t probe_ms;            /* 10 000; 1 to 3 600 000: a probe not released by then failed */
    uint32_t ramp_ms;             /* SWG_NONE; 1 to 3 600 000: traffic comes back over this time */
    uint32_t stall_ms;            /* SWG_NONE; 1 to 3 600 000: opens if no call ended for so long */
    uint32_t inflight_max;        /* SWG_NONE; 1 to 1 000 000: bulkhead */
    uint32_t rate_per_s;          /* SWG_NONE; 1 to 1 000 000: rate limit */
    uint32_t rate_burst;          /* = rate_per_s; 1 to 1 000 000 */
    uint32_t inflight_ms;         /* SWG_NONE; 1 to 3 600 000: the limit adapts between inflight_min
                                     and inflight_max, down when calls take longer than this */
    uint32_t inflight_min;        /* 1; 1 to inflight_max */
    uint32_t shed_factor_pct;     /* SWG_NONE; 100 to 1 000: sheds calls beyond so many percent of
                                     those that succeed; 200 suits most. Needs a time window */
} swg_circuit_config;
#define SWG_CIRCUIT(...) (&(swg_circuit_config){.size = sizeof(swg_circuit_config), __VA_ARGS__})

/* Whole configurations to start from. http: slow calls count, traffic comes back gradually.
 * database: opens on stalls too, small bulkhead. classic: the textbook breaker, five failures in a
 * row open it, five seconds, one probe. */
extern const swg_circuit_config swg_profile_http;
extern const swg_circuit_config swg_profile_database;
extern const swg_circuit_config swg_profile_classic;

/* What a circuit looks like at one moment. Grows only at its end, into `reserved`. */
typedef struct swg_snapshot {
    char name[SWG_NAME_MAX + 1];
    uint32_t circuit;  /* its number on the panel */
    uint32_t state;    /* enum swg_state; an open circuit whose wait is over reads half-open */
    uint32_t override; /* enum swg_override in force, expiry considered */
    uint32_t ramp_pct; /* share of calls admitted now: 100 unless ramping */
    uint64_t epoch;
    int64_t since_ns; /* when the present state was entered; 0: never changed */
    int64_t retry_ns; /* open: when it will be tried; else 0 */
    int64_t override_until_ns;
    char override_reason[SWG_REASON_MAX + 1];
    uint64_t window_calls; /* outcomes in the window; half-open: probes that came in */
    uint64_t window_failures;
    uint64_t window_slow;
    uint32_t consecutive_failures;        /* counted only with failure_threshold */
    uint32_t probes_out;                  /* half-open: probes granted and not yet back */
    uint32_t probes_in;                   /* half-open: probes that came back (or were given up) */
    uint32_t inflight;                    /* counted only with inflight_max or stall_ms */
    uint64_t outcomes[SWG_OUTCOME_COUNT]; /* since the circuit was made, by enum swg_outcome */
    uint64_t slow;
    uint64_t stale;                       /* outcomes of an earlier epoch, which decided nothing */
    uint64_t rejected[SWG_VERDICT_COUNT]; /* by enum swg_verdict */
    uint64_t would_reject[SWG_VERDICT_COUNT];   /* the same, in a dry run */
    uint64_t transitions[SWG_CAUSE_HOST_COUNT]; /* by enum swg_cause */
    int64_t state_ns[SWG_STATE_COUNT];          /* time spent in each state so far */
    int64_t last_outcome_ns;                    /* 0: none yet */
    uint64_t config_conflicts;                  /* openers that asked for another configuration */
    swg_circuit_config config;                  /* in force, defaults resolved */
    uint32_t config_room[43];                   /* what the configuration may grow into */
    uint32_t inflight_limit;    /* in force now: inflight_max, or what it adapted to; 0: none */
    uint32_t shed_pct;          /* share of calls shed now, rounded up */
    uint64_t retries;           /* granted, hedges included */
    uint64_t retries_recovered; /* calls that succeeded at a retry or hedge */
    uint64_t retries_denied[SWG_RETRY_END_COUNT]; /* by enum swg_retry_end */
    uint32_t gate;         /* what the fleet says of it now: enum swg_gate_mode, see gate.h */
    uint32_t gate_permits; /* probes of the fleet not taken yet */
    int64_t gate_until_ns; /* 0: none */
    uint64_t reserved[10];
} swg_snapshot;

#ifndef __cplusplus
_Static_assert(sizeof(swg_circuit_config) + sizeof(((swg_snapshot *)0)->config_room) == 256,
               "a configuration that grows takes of its room, so that nothing moves");
#endif

/* Finds the circuit, or claims a free row for it. NULL config: find it, or make it with defaults.
 * Names are [A-Za-z0-9_.:/-]{1,63}. A circuit that exists keeps its configuration; asking for
 * another answers SWG_DIFFERS (the handle is valid) and is counted.
 * Errors: SWG_EINVAL, SWG_ENEWER, SWG_EFULL, SWG_ENOMEM.  Threads: any thread, any process. */
int swg_circuit_open(swg_circuit **circuit, swg_panel *panel, const char *name,
                     const swg_circuit_config *config);

/* Finds a circuit without making one.
 * Errors: SWG_EINVAL, SWG_ENOENT, SWG_ENOMEM.  Threads: any thread, any process. */
int swg_circuit_find(swg_circuit **circuit, swg_panel *panel, const char *name);

/* Changes a live circuit. State, epoch, window and wait stay; new limits hold from the next
 * outcome. A window of another kind or length starts empty. Each field is the old or the new one at
 * every instant. Errors: SWG_EINVAL, SWG_ENEWER.  Threads: any thread, any process. */
int swg_circuit_configure(swg_circuit *circuit, const swg_circuit_config *config);

/* Sets an override until `until_ns` (monotonic; INT64_MAX: until lifted), with a reason of at most
 * SWG_REASON_MAX bytes (longer ones are cut, NULL is none). SWG_OVERRIDE_NONE lifts it.
 * Errors: SWG_EINVAL.  Threads: any thread, any process; wait-free. */
int swg_circuit_override(swg_circuit *circuit, swg_override kind, int64_t until_ns,
                         const char *reason);

/* Closes the circuit, starts a new epoch, forgets window and wait. Keeps the override.
 * Threads: any thread, any process; lock-free. */
void swg_circuit_reset(swg_circuit *circuit, int64_t now_ns);

/* The circuits of a panel in order of their number; NULL begins, NULL ends.
 * Threads: any thread, any process. */
swg_circuit *swg_circuit_next(swg_panel *panel, const swg_circuit *previous);

/* Its name; valid as long as the panel is open.  Threads: any. */
const char *swg_circuit_name(const swg_circuit *circuit);

/* Reads a circuit and changes nothing.
 * Errors: SWG_EINVAL.  Threads: any thread, any process; lock-free. Counters are each exact, and
 * taken one after the other. */
int swg_circuit_read(const swg_circuit *circuit, int64_t now_ns, swg_snapshot *snapshot);

/* Is every field in its range, and do they go together? On SWG_EINVAL `*field` and `*reason`
 * (either may be NULL) name what is wrong; the strings are static. Errors: SWG_EINVAL, SWG_ENEWER.
 * Threads: any. */
int swg_config_check(const swg_circuit_config *config, const char **field, const char **reason);

/* Sets one field from text: swg_config_set(&config, "failure_pct", "50"). Values are whole numbers,
 * "none" or "default"; percent may end in %, times in ms, s, m or h ("window" "10s" is window_ms;
 * "_ms" may be left off any key whose value has a unit). On SWG_EINVAL nothing is changed.
 * Errors: SWG_ENOENT (unknown key), SWG_EINVAL (value).  Threads: any. */
int swg_config_set(swg_circuit_config *config, const char *key, const char *value);

/* May this call go? Fills `*permit` either way and cannot fail.
 *
 * How precise must now_ns be? With slow_pct off and no ramp, rate limit or stall detection, a
 * closed circuit does not look at it: any recent time, such as the one an event loop keeps, will
 * do. To an open circuit it decides when the wait is over, to the others at the precision of their
 * own limit; a coarse clock only makes those decisions as coarse. Threads: any thread, any process;
 * lock-free. */
swg_verdict swg_acquire(swg_circuit *circuit, swg_permit *permit, int64_t now_ns);

/* Gives back what the permit holds and counts the outcome. A permit that was rejected or has been
 * released does nothing. Needs a now_ns as precise as slow_ms, and as a tenth of the time window.
 * Threads: any thread, any process; lock-free. */
void swg_release(swg_circuit *circuit, swg_permit *permit, swg_outcome outcome, int64_t now_ns);

#ifdef __cplusplus
}
#endif
#endif
