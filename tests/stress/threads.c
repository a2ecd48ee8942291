/* Threads on one circuit with everything on; meant for ThreadSanitizer. Time is a counter they
 * share. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>

#define MS INT64_C(1000000)
#define THREADS 4
#define CALLS 30000

static swg_panel *panel;
static swg_circuit *circuit;
static _Atomic int64_t clock_ns = INT64_C(1000000) * MS;
static _Atomic uint64_t released[SWG_OUTCOME_COUNT];
static _Atomic uint64_t permitted, rejected;

static void manage(unsigned *seed, int64_t now)
{
    swg_snapshot s;
    swg_event events[8];
    uint64_t cursor = 0;
    switch (rand_r(seed) % 5) {
    case 0:
        swg_circuit_reset(circuit, now);
        break;
    case 1:
        swg_circuit_override(circuit, (swg_override)(rand_r(seed) % SWG_OVERRIDE_COUNT),
                             now + 2 * MS, "stress");
        break;
    case 2:
        swg_circuit_configure(circuit, rand_r(seed) % 2
                                           ? SWG_CIRCUIT(.window_calls = 50, .recovery_ms = 5)
                                           : SWG_CIRCUIT(.window_ms = 200, .recovery_ms = 5,
                                                         .failure_threshold = 6, .inflight_max = 3,
                                                         .ramp_ms = 5, .stall_ms = 1000));
        break;
    case 3:
        swg_journal_read(panel, &cursor, events, 8);
        break;
    default:
        swg_circuit_read(circuit, now, &s);
        break;
    }
}

static void *work(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    for (int i = 0; i < CALLS; i++) {
        swg_permit permit;
        const int64_t now = atomic_fetch_add(&clock_ns, rand_r(&seed) % 40000);
        if (rand_r(&seed) % 1000 == 0) {
            manage(&seed, now);
        }
        if (swg_acquire(circuit, &permit, now) != SWG_PERMITTED) {
            atomic_fetch_add(&rejected, 1);
            continue;
        }
        const unsigned dice = (unsigned)rand_r(&seed) % 20;
        const swg_outcome outcome = dice < SWG_OUTCOME_COUNT ? (swg_outcome)dice : SWG_SUCCESS;
        atomic_fetch_add(&permitted, 1);
        swg_release(circuit, &permit, outcome, now + rand_r(&seed) % 2000000);
        atomic_fetch_add(&released[outcome], 1);
    }
    return NULL;
}

static int differ(const char *what, uint64_t got, uint64_t expected)
{
    printf("%s: %llu, not %llu\n", what, (unsigned long long)got, (unsigned long long)expected);
    return 1;
}

int main(void)
{
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    swg_snapshot s;
    const char *text = getenv("SWG_SEED");
    const unsigned seed = text != NULL ? (unsigned)atoi(text) : 1;
    if (swg_panel_open(&panel, NULL, NULL) != SWG_OK ||
        swg_circuit_open(&circuit, panel, "c",
                         SWG_CIRCUIT(.window_ms = 100, .calls_min = 10, .failure_pct = 30,
                                     .slow_pct = 60, .slow_ms = 1, .recovery_ms = 5, .ramp_ms = 5,
                                     .inflight_max = 3, .rate_per_s = 100000)) != SWG_OK) {
        return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        seeds[i] = seed * 100 + (unsigned)i;
        pthread_create(&threads[i], NULL, work, &seeds[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    int failed = 0;
    uint64_t no = 0;
    swg_circuit_read(circuit, clock_ns, &s);
    for (int i = 0; i < SWG_OUTCOME_COUNT; i++) {
        if (s.outcomes[i] != released[i]) {
            failed = differ(swg_outcome_name((swg_outcome)i), s.outcomes[i], released[i]);
        }
    }
    for (int i = 1; i < SWG_VERDICT_COUNT; i++) {
        no += s.rejected[i];
    }
    if (no != rejected) {
        failed = differ("rejected", no, rejected);
    }
    if (s.inflight != 0) {
        failed = differ("in flight", s.inflight, 0);
    }
    printf("seed %u: %llu calls, %llu rejected, %llu openings, %llu recoveries\n", seed,
           (unsigned long long)permitted, (unsigned long long)no,
           (unsigned long long)(s.transitions[SWG_CAUSE_FAILURE_RATE] +
                                s.transitions[SWG_CAUSE_SLOW_RATE] +
                                s.transitions[SWG_CAUSE_CONSECUTIVE]),
           (unsigned long long)s.transitions[SWG_CAUSE_PROBES_PASSED]);
    swg_panel_close(&panel);
    return failed;
}
