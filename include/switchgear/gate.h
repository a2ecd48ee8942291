/* The gate of a circuit: an outside authority's say over it. The fleet client is one such
 * authority; nothing here knows of Redis.
 *
 * A call goes if the gate AND the circuit's own breaker let it. An authority publishes a gate with
 * swg_gate_set() and looks at what came of it with swg_gate_read(). A gate that is not published
 * anew loses its hold SWG_GATE_GRACE_MS after its time: an authority that died locks nobody out.
 * One authority a panel: swg_gate_claim() says whose turn it is. What each mode does:
 * docs/design/semantics.md, "Fleet". */
#ifndef SWITCHGEAR_GATE_H
#define SWITCHGEAR_GATE_H

#include <switchgear/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SWG_GATE_GRACE_MS 2000
#define SWG_GATE_CLAIM_MS 10000
#define SWG_GATE_PERMITS_MAX 31
#define SWG_GATE_ROUND_MAX 0xffff
#define SWG_GATE_RAMP_MAX_MS 600000
#define SWG_GATE_UNTIL_MAX_NS (INT64_C(0xffffffffff) * 1000000) /* 34 years of uptime */

/* swg_event.scope: whose transition is it? */
typedef enum swg_scope {
    SWG_SCOPE_HOST = 0,
    SWG_SCOPE_FLEET = 1, /* the fleet's view of a circuit; epoch is the fleet's. With FAILURE_RATE
                            and SLOW_RATE calls, failures and slow are the fleet's, capped for each
                            host, by which it was judged. With VOTES calls are the hosts that
                            report, failures those whose own breaker is open. With any other cause
                            they are this host's share. PROBES_FAILED has fail_limit as limit,
                            OVERRIDE is an operator's order, CLOSED included */
    SWG_SCOPE_FLEET_MODE = 2 /* a shard's mode: from, to are enum swg_fleet_mode; no circuit */
} swg_scope;

#define SWG_GATE_MODES(X)                                                                          \
    X(SWG_GATE_NONE, 0, "none")       /* nothing to say: the circuit's own breaker decides */      \
    X(SWG_GATE_OPEN, 1, "open")       /* rejects until until_ns, and the grace after it */         \
    X(SWG_GATE_PROBING, 2, "probing") /* `permits` calls may go, past the circuit's own breaker,   \
                                         while now < until_ns; all others are rejected */          \
    X(SWG_GATE_RAMP, 3, "ramp")       /* admits a share rising linearly to all at until_ns */      \
    X(SWG_GATE_FORCED, 4, "forced")   /* an operator of the fleet holds it open; as OPEN */
#define SWG_GATE_MODE_COUNT 5

typedef enum swg_gate_mode {
#define SWG_X(name, value, text) name = value,
    SWG_GATE_MODES(SWG_X)
#undef SWG_X
} swg_gate_mode;

/* A stable word for logs and metrics; "unknown" out of range.  Threads: any. */
const char *swg_gate_mode_name(swg_gate_mode mode);

typedef struct swg_gate {
    uint32_t size;
    uint32_t mode;         /* enum swg_gate_mode */
    int64_t until_ns;      /* monotonic; 0 to SWG_GATE_UNTIL_MAX_NS. NONE: of no meaning */
    uint32_t permits;      /* PROBING: 0 to SWG_GATE_PERMITS_MAX */
    uint32_t round;        /* PROBING, to SWG_GATE_ROUND_MAX: results are counted for it alone */
    uint32_t ramp_ms;      /* RAMP: its whole length, 1 to SWG_GATE_RAMP_MAX_MS; rounded up to 10 */
    uint32_t share_halved; /* RAMP: starts at 1 / 2^share_halved; 0: at 10 % */
    int64_t since_ns;      /* outcomes of calls begun before are kept apart: not the present's */
} swg_gate;

/* What came of it. Counters grow from when the circuit was made; results are of `round` and of
 * calls that held a permit of the gate and ended before it was over. */
typedef struct swg_gate_reading {
    uint32_t size;
    uint32_t mode;    /* in force now; SWG_GATE_NONE if it lost its hold */
    uint32_t permits; /* PROBING: not taken yet */
    uint32_t circuit; /* its number on the panel */
    int64_t until_ns; /* 0: none */
    uint32_t round;   /* the one results are counted for */
    uint32_t passed;  /* results: since the last swg_gate_collect() */
    uint32_t failed;
    uint32_t unused;
    uint32_t state;    /* of the circuit's own breaker, enum swg_state */
    uint32_t inflight; /* counted only with inflight_max or stall_ms */
    uint64_t calls;    /* that succeeded or failed, begun after since_ns */
    uint64_t failures; /* of those */
    uint64_t slow;     /* of those */
    uint64_t ended;    /* all outcomes */
    uint64_t refused;  /* SWG_REJECTED_OPEN and SWG_REJECTED_PROBING */
    uint64_t local;    /* of the failures, those of local origin: SWG_FAILURE_LOCAL */
    uint64_t reserved[3];
} swg_gate_reading;

/* Publishes a gate. `*left` (may be NULL) is the number of permits of the gate before that nobody
 * had taken and nobody can take any more. A new round forgets the results of the old one.
 * Errors: SWG_EINVAL.  Threads: one authority; callers of the circuit go on meanwhile. */
int swg_gate_set(swg_circuit *circuit, const swg_gate *gate, uint32_t *left);

/* Reads; changes nothing.  Errors: SWG_EINVAL.  Threads: any thread, any process. */
int swg_gate_read(const swg_circuit *circuit, int64_t now_ns, swg_gate_reading *reading);

/* The same, and results start anew from zero.  Threads: one authority. */
int swg_gate_collect(swg_circuit *circuit, int64_t now_ns, swg_gate_reading *reading);

/* The authority's own probes passed: the circuit's own breaker is closed, with cause
 * SWG_CAUSE_FLEET, a new epoch, and window and wait forgotten, so that this host need neither probe
 * once more by itself nor open on failures from before. A breaker that was closed is one with a new
 * epoch. Errors: SWG_EINVAL.  Threads: any thread, any process; lock-free. */
int swg_gate_close(swg_circuit *circuit, int64_t now_ns);

/* A random number, not 0, drawn once for the panel: who is its authority after another that died or
 * was replaced goes on under the same name. Of a panel on the heap, and of its copy in a forked
 * child, each process has one of its own. 0: no panel.  Threads: any thread, any process. */
uint64_t swg_gate_identity(swg_panel *panel);

/* Claims the panel for one authority; `*claim` is the number to keep and release it by. Whoever
 * claims one whose holder has died, or has not kept it for SWG_GATE_CLAIM_MS, takes it over at
 * once; of many that try, one gets it. It is the handle's: a child that inherited panel and number
 * by fork does not hold it. The caller honors it; the gates do not.
 * Errors: SWG_EBUSY (somebody holds it, maybe this very process: see swg_gate_owner()), SWG_EFULL
 * (no process row), SWG_EINVAL.  Threads: any thread, any process; lock-free. */
int swg_gate_claim(swg_panel *panel, int64_t now_ns, uint64_t *claim);

/* Says that the holder goes on; do so every second. A time before the last only asks.
 * Errors: SWG_EBUSY (it is not, or no longer, the caller's: it has to stop), SWG_EINVAL.
 * Threads: any thread; lock-free. */
int swg_gate_keep(swg_panel *panel, uint64_t claim, int64_t now_ns);

/* Gives it back, if it still is the caller's.  Errors and Threads: as above. */
int swg_gate_release(swg_panel *panel, uint64_t claim);

/* The process that holds the claim, as it is numbered in its own pid namespace; 0: nobody, or
 * somebody who has died or fallen silent, so that the panel has no authority now. `*seen_ns` (may
 * be NULL) is when a holder last kept it, 0: there was none yet. Looks into /proc: a matter of some
 * microseconds.  Threads: any thread, any process. */
int32_t swg_gate_owner(const swg_panel *panel, int64_t now_ns, int64_t *seen_ns);

/* Journals an event the caller filled but for sequence, wall_ms and pid. NULL circuit: of none, the
 * name is the caller's. `scope` must not be SWG_SCOPE_HOST.
 * Errors: SWG_EINVAL.  Threads: any thread, any process; lock-free. */
int swg_gate_record(swg_panel *panel, const swg_circuit *circuit, swg_event *event);

#ifdef __cplusplus
}
#endif
#endif
