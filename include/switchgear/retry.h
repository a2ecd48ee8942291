/* Trying again, without a storm: how long to wait, when to stop, and a budget that all callers of a
 * circuit share. A swg_retry is a value that answers questions; it never sleeps, so it serves a
 * thread and an event loop alike. swg_call() is the whole of it for a thread that may block.
 *
 *     swg_retry retry;
 *     swg_retry_begin(&retry, NULL, seed, now);
 *     do {
 *         verdict = swg_acquire(circuit, &permit, now);
 *         if (verdict == SWG_PERMITTED) { ... swg_release(circuit, &permit, outcome, now); }
 *     } while (swg_retry_again(&retry, circuit, &permit, outcome, now, &wait_ns) &&
 * sleep(wait_ns));
 */
#ifndef SWITCHGEAR_RETRY_H
#define SWITCHGEAR_RETRY_H

#include <switchgear/circuit.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How waits are spread, so that callers who failed together do not come back together. With b =
 * delay_ms doubled at each retry, at most delay_ms_max (the names and formulas are those of M.
 * Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015):
 *   full          uniform in [0, b]
 *   equal         b / 2 + uniform in [0, b / 2]
 *   decorrelated  at most delay_ms_max of: uniform in [delay_ms, 3 * the wait before]
 *   none          b */
typedef enum swg_jitter {
    SWG_JITTER_FULL = 0,
    SWG_JITTER_EQUAL = 1,
    SWG_JITTER_DECORRELATED = 2,
    SWG_JITTER_NONE = 3
} swg_jitter;

/* 0 = default, SWG_NONE = off; only ever appended to. Set `size`, or use SWG_RETRY(). */
typedef struct swg_retry_config {
    uint32_t size;
    uint32_t attempts;     /* 3; 1 to 100, the first included */
    uint32_t delay_ms;     /* 100; 1 to 3 600 000: before the second attempt, doubling to: */
    uint32_t delay_ms_max; /* 2 000 (at least delay_ms) */
    uint32_t jitter;       /* enum swg_jitter */
    uint32_t deadline_ms;  /* SWG_NONE; 1 to 86 400 000: no attempt begins later, waits included */
    uint32_t budget_pct;   /* 20; 1 to 1 000; SWG_NONE: no budget. Retries per first attempts */
    uint32_t budget_min;   /* 10; 1 to 10 000: retries a circuit may save up for bad times */
    uint32_t after_ms_max; /* 30 000; 1 to 86 400 000: a server asking to wait longer ends it */
    uint32_t hedge_ms;  /* SWG_NONE; 1 to 3 600 000: a second attempt when the first takes longer */
    uint32_t hedge_pct; /* SWG_NONE; 50 to 99: the same after this quantile of the latency */
    uint32_t wait_ms; /* SWG_NONE; 1 to 3 600 000: how long swg_call() waits for rate or bulkhead */
} swg_retry_config;
#define SWG_RETRY(...) (&(swg_retry_config){.size = sizeof(swg_retry_config), __VA_ARGS__})

/* One operation and its attempts. Yours to keep; read `attempts` and `end`, leave the rest. */
typedef struct swg_retry {
    int64_t deadline_ns; /* INT64_MAX: none */
    int64_t after_ns;    /* the server asked for this much */
    int64_t waited_ns;   /* the last wait */
    uint64_t seed;
    uint32_t attempts; /* made so far, hedges not counted */
    uint32_t attempts_max;
    uint32_t delay_ms;
    uint32_t delay_ms_max;
    uint32_t budget_pct; /* 0: no budget */
    uint32_t budget_min;
    uint32_t after_ms_max;
    uint32_t hedge_ms;  /* 0: off */
    uint32_t hedge_pct; /* 0: off */
    uint32_t wait_ms;   /* 0: off */
    uint8_t jitter;
    uint8_t final;
    uint8_t hedged; /* this attempt has a second one beside it */
    uint8_t end;    /* enum swg_retry_end: why it is not tried again */
    uint32_t reserved[5];
} swg_retry;

#ifdef __cplusplus
static_assert(sizeof(swg_retry) == 96, "swg_retry is stored by callers");
#else
_Static_assert(sizeof(swg_retry) == 96, "swg_retry is stored by callers");
#endif

/* As swg_config_check() and swg_config_set(), for the fields above; jitter also takes its names.
 * Errors: the same.  Threads: any. */
int swg_retry_check(const swg_retry_config *config, const char **field, const char **reason);
int swg_retry_set(swg_retry_config *config, const char *key, const char *value);

/* Begins an operation. NULL config: the defaults. Operations with the same seed wait the same
 * times; give each its own (a counter will do). Errors: SWG_EINVAL, SWG_ENEWER; then nothing is
 * retried. Threads: any. */
int swg_retry_begin(swg_retry *retry, const swg_retry_config *config, uint64_t seed,
                    int64_t now_ns);

/* The last attempt must not be repeated, however it failed: it was not idempotent, say. */
void swg_retry_stop(swg_retry *retry);

/* The server asked to wait at least so long before the next attempt (HTTP Retry-After). */
void swg_retry_after(swg_retry *retry, int64_t wait_ns);

/* After an attempt, whether it was rejected or has been released: again, after `*wait_ns`?
 *
 * Never after a success, an ignored or a cancelled call; never when attempts or the time run out;
 * never while the circuit is not closed, which is also why a call rejected by the breaker, the
 * ramp, shedding or an operator is not tried again. One rejected by rate or bulkhead may be: it has
 * not reached the dependency, so it costs no budget. All others take one from the budget: over any
 * stretch of time and over all threads and processes, a circuit's retries and hedges are at most
 * budget_min + budget_pct % of its first attempts that came to an end.
 * On false, `retry->end` says why.  Threads: any thread, any process; lock-free. */
bool swg_retry_again(swg_retry *retry, swg_circuit *circuit, const swg_permit *permit,
                     swg_outcome outcome, int64_t now_ns, int64_t *wait_ns);

/* Hedging: when an attempt has begun, how long to wait for it before a second one is begun beside
 * it; -1: no hedging. With hedge_pct that is the circuit's own latency at this quantile, of hedged
 * operations, as the last some hundred of them showed it (hedge_ms, if set too, is the least; a
 * circuit that knows nothing yet answers hedge_ms, or -1).  Threads: any thread, any process. */
int64_t swg_hedge_wait_ns(const swg_retry *retry, const swg_circuit *circuit);

/* That time is over and no answer here: may the second attempt begin? At most one an attempt, under
 * the rules and the budget of a retry. It needs a permit of its own. The first to succeed wins;
 * release the other with SWG_CANCELLED.  Threads: any thread, any process; lock-free. */
bool swg_hedge_begin(swg_retry *retry, swg_circuit *circuit, int64_t now_ns);

/* How long an attempt took, hedged ones too: the time from the start of the first to the answer, or
 * until it was given up.  Threads: any thread, any process; lock-free. */
void swg_hedge_learn(const swg_retry *retry, swg_circuit *circuit, int64_t took_ns);

/* What swg_call() tells the work, and the work may tell it. */
typedef struct swg_attempt {
    uint32_t number;      /* from 1 */
    uint32_t final;       /* set it: however this failed, do not repeat it */
    int64_t deadline_ns;  /* be done by then; INT64_MAX: no limit */
    int64_t after_ns;     /* set it: do not repeat it sooner than this many nanoseconds from now */
    uint64_t reserved[2]; /* 0 */
} swg_attempt;

typedef swg_outcome (*swg_work)(void *arg, swg_attempt *attempt);

/* Acquires, works, releases, and again as `retry` says (NULL, or one that swg_retry_check()
 * refuses: a single attempt), sleeping in between. With wait_ms a call that rate or bulkhead reject
 * waits for its turn: for rate until the time it was told, for a slot by asking again, every 50 us
 * at first, doubling to 2 ms, spread at random; who asks first when a slot is free gets it, so no
 * order is kept, but none of those who wait is preferred. Answers the last verdict; `*outcome` (may
 * be NULL) is that of the last attempt made, or SWG_CANCELLED if none was. Does not hedge: that
 * needs two attempts at once.  Threads: any; blocks, and never holds anything while it waits. */
swg_verdict swg_call(swg_circuit *circuit, const swg_retry_config *retry, swg_work work, void *arg,
                     swg_outcome *outcome);

/* The same, telling more. */
typedef struct swg_call_report {
    swg_outcome outcome; /* of the last attempt made; SWG_CANCELLED if none was */
    swg_retry_end end;   /* why it was not tried again */
    uint32_t attempts;   /* asked for, whether permitted or not */
    int64_t retry_ns;    /* rejected: trying before this is of no use */
} swg_call_report;

swg_verdict swg_call_reported(swg_circuit *circuit, const swg_retry_config *retry, swg_work work,
                              void *arg, swg_call_report *report);

#ifdef __cplusplus
}
#endif
#endif
