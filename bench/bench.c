/* What a call costs here, beside what this machine can do, measured in the same run.
 *
 * Each case is repeated in rounds, all cases in turn, so that a machine that slows down slows all
 * of them; medians are printed. Figures are nanoseconds for one acquire and release, per thread.
 * Nothing here passes or fails. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "curl.h"
#include "empty.h"
#include "figures.h"
#include "fleet.h"

#define MANY 100000
#define NEIGHBORS 64
#define ROUNDS_MAX 15
#define MS INT64_C(1000000)

typedef struct place {
    swg_circuit **circuits; /* one of them chosen each time, or the first only */
    uint32_t count;
    uint32_t seed;
    int64_t now_ns;
    long iterations;
} place;

typedef struct bench_case {
    const char *name;
    void (*run)(place *p);
    const swg_circuit_config *config;
    void (*prepare)(swg_circuit *circuit);
    uint32_t circuits;
    const char *panel; /* NULL: heap */
    double aim[2];     /* at one and two threads; 0: none */
    double more;       /* aim: so much more than the healthy time window; 0: none */
} bench_case;

/* --- the machine's own limits */
static _Atomic uint64_t shared_counter;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t guarded;

static void run_empty(place *p)
{
    uint64_t permit[4];
    for (long i = 0; i < p->iterations; i++) {
        if (empty_acquire(p, permit, p->now_ns) == 0) {
            empty_release(p, permit, 0, p->now_ns);
        }
    }
}

static void run_add(place *p)
{
    for (long i = 0; i < p->iterations; i++) {
        atomic_fetch_add(&shared_counter, 1);
    }
}

static void run_mutex(place *p)
{
    for (long i = 0; i < 2 * p->iterations; i++) { /* once to acquire, once to release */
        pthread_mutex_lock(&mutex);
        guarded++;
        pthread_mutex_unlock(&mutex);
    }
}

static void read_clock(place *p, clockid_t clock)
{
    struct timespec now;
    for (long i = 0; i < p->iterations; i++) {
        clock_gettime(clock, &now);
    }
}

static void run_clock(place *p)
{
    read_clock(p, CLOCK_MONOTONIC);
}

static void run_coarse(place *p)
{
    read_clock(p, CLOCK_MONOTONIC_COARSE);
}

/* --- the library */
static void run_calls(place *p)
{
    swg_permit permit;
    swg_circuit *circuit = p->circuits[0];
    for (long i = 0; i < p->iterations; i++) {
        if (swg_acquire(circuit, &permit, p->now_ns) == SWG_PERMITTED) {
            swg_release(circuit, &permit, SWG_SUCCESS, p->now_ns);
        }
    }
}

static int64_t later_ns;

/* Time goes on by a microsecond a call, so that a rate limit has tokens. */
static void run_paced(place *p)
{
    swg_permit permit;
    for (long i = 0; i < p->iterations; i++) {
        const int64_t now_ns = p->now_ns + later_ns + i * 1000;
        if (swg_acquire(p->circuits[0], &permit, now_ns) == SWG_PERMITTED) {
            swg_release(p->circuits[0], &permit, SWG_SUCCESS, now_ns);
        }
    }
}

/* What a call that needs no retry pays for being able to. */
static void run_retry(place *p)
{
    const swg_retry_config config = {.size = sizeof(config)};
    swg_permit permit;
    swg_retry retry;
    int64_t wait_ns;
    for (long i = 0; i < p->iterations; i++) {
        swg_retry_begin(&retry, &config, (uint64_t)i, p->now_ns);
        if (swg_acquire(p->circuits[0], &permit, p->now_ns) == SWG_PERMITTED) {
            swg_release(p->circuits[0], &permit, SWG_SUCCESS, p->now_ns);
        }
        swg_retry_again(&retry, p->circuits[0], &permit, SWG_SUCCESS, p->now_ns, &wait_ns);
    }
}

static void run_random(place *p)
{
    swg_permit permit;
    uint32_t x = p->seed * 2654435761u + 1;
    for (long i = 0; i < p->iterations; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        swg_circuit *circuit = p->circuits[(uint64_t)x * p->count >> 32];
        if (swg_acquire(circuit, &permit, p->now_ns) == SWG_PERMITTED) {
            swg_release(circuit, &permit, SWG_SUCCESS, p->now_ns);
        }
    }
}

/* Each thread its own circuit, next to the other's. */
static void run_own(place *p)
{
    place own = *p;
    own.circuits = &p->circuits[p->seed];
    run_calls(&own);
}

static void run_some_failures(place *p)
{
    swg_permit permit;
    for (long i = 0; i < p->iterations; i++) {
        if (swg_acquire(p->circuits[0], &permit, p->now_ns) == SWG_PERMITTED) {
            swg_release(p->circuits[0], &permit, i % 100 == 0 ? SWG_FAILURE : SWG_SUCCESS,
                        p->now_ns);
        }
    }
}

static void run_with_clock(place *p)
{
    swg_permit permit;
    for (long i = 0; i < p->iterations; i++) {
        if (swg_acquire(p->circuits[0], &permit, swg_clock_ns()) == SWG_PERMITTED) {
            swg_release(p->circuits[0], &permit, SWG_SUCCESS, swg_clock_ns());
        }
    }
}

static const int64_t BASE = INT64_C(1000000000) * MS;

static void calls(swg_circuit *circuit, int n, swg_outcome outcome)
{
    swg_permit permit;
    for (int i = 0; i < n; i++) {
        swg_acquire(circuit, &permit, BASE);
        swg_release(circuit, &permit, outcome, BASE);
    }
}

static void healthy(swg_circuit *circuit)
{
    calls(circuit, 200, SWG_SUCCESS);
}

static void one_failure(swg_circuit *circuit)
{
    calls(circuit, 200, SWG_SUCCESS);
    calls(circuit, 1, SWG_FAILURE);
}

static void opened(swg_circuit *circuit)
{
    calls(circuit, 20, SWG_FAILURE);
}

static void probed(swg_circuit *circuit)
{
    swg_permit permit;
    calls(circuit, 20, SWG_FAILURE);
    for (int i = 0; i < 3; i++) { /* all probes out; they are not given back */
        swg_acquire(circuit, &permit, BASE + 100 * MS);
    }
}

static void forced(swg_circuit *circuit)
{
    swg_circuit_override(circuit, SWG_FORCED_OPEN, INT64_MAX, "bench");
}

static void dry(swg_circuit *circuit)
{
    swg_circuit_override(circuit, SWG_DRY_RUN, INT64_MAX, "bench");
}

#define SIZE .size = sizeof(swg_circuit_config)
static const swg_circuit_config timed = {SIZE};
static const swg_circuit_config slow = {SIZE, .slow_pct = 80, .slow_ms = 100};
static const swg_circuit_config counted = {SIZE, .window_calls = 100};
static const swg_circuit_config tripped = {SIZE, .recovery_ms = 3600000,
                                           .recovery_ms_max = 3600000};
static const swg_circuit_config probing = {SIZE, .recovery_ms = 50, .recovery_jitter_pct = SWG_NONE,
                                           .probe_ms = 3600000};
static const swg_circuit_config limited = {SIZE, .rate_per_s = 1000000, .rate_burst = 1000000};
static const swg_circuit_config bulkhead = {SIZE, .inflight_max = 1000};
static const swg_circuit_config both = {SIZE, .rate_per_s = 1000000, .rate_burst = 1000000,
                                        .inflight_max = 1000};

static const swg_circuit_config adaptive = {SIZE, .inflight_max = 1000, .inflight_ms = 100};
static const swg_circuit_config shedding = {SIZE, .shed_factor_pct = 200};

static const bench_case cases[] = {
    {"machine: two empty calls, shared library", run_empty, NULL, NULL, 0, NULL, {0}},
    {"machine: one fetch_add on one word", run_add, NULL, NULL, 0, NULL, {0}},
    {"machine: a mutex around two increments", run_mutex, NULL, NULL, 0, NULL, {0}},
    {"machine: CLOCK_MONOTONIC read", run_clock, NULL, NULL, 0, NULL, {0}},
    {"machine: CLOCK_MONOTONIC_COARSE read", run_coarse, NULL, NULL, 0, NULL, {0}},
    {"time window, healthy", run_calls, &timed, healthy, 1, NULL, {15, 20}},
    {"time window, slow calls on", run_calls, &slow, healthy, 1, NULL, {0}},
    {"time window, a failure in it", run_calls, &timed, one_failure, 1, NULL, {0}},
    {"time window, 1 % fail", run_some_failures, &timed, healthy, 1, NULL, {0}},
    {"time window, with two clock reads", run_with_clock, &timed, healthy, 1, NULL, {0}},
    {"time window, in shared memory", run_calls, &timed, healthy, 1, "/", {0}},
    {"time window, a circuit each of 64", run_own, &timed, healthy, NEIGHBORS, NULL, {0}},
    {"time window, random of 100,000", run_random, &timed, NULL, MANY, NULL, {0}},
    {"count window, healthy", run_calls, &counted, healthy, 1, NULL, {10, 0}},
    {"count window, a failure in it", run_calls, &counted, one_failure, 1, NULL, {0}},
    {"rejected: open", run_calls, &tripped, opened, 1, NULL, {10, 0}},
    {"rejected: probes out", run_calls, &probing, probed, 1, NULL, {0}},
    {"rejected: forced open", run_calls, &timed, forced, 1, NULL, {0}},
    {"dry run", run_calls, &timed, dry, 1, NULL, {0}},
    {"with a rate limit", run_paced, &limited, healthy, 1, NULL, {0}},
    {"with a bulkhead", run_calls, &bulkhead, healthy, 1, NULL, {0}},
    {"with a bulkhead, in shared memory", run_calls, &bulkhead, healthy, 1, "/b", {0}},
    {"with both", run_paced, &both, healthy, 1, NULL, {0}, 25},
    {"with a limit that finds itself", run_calls, &adaptive, healthy, 1, NULL, {0}},
    {"with shedding, nothing to shed", run_calls, &shedding, healthy, 1, NULL, {0}},
    {"with a retry begun and asked", run_retry, &timed, healthy, 1, NULL, {0}},
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

typedef struct stand {
    swg_panel *panel;
    swg_circuit **circuits;
} stand;

static char shared_name[64];
static char shared_other[64];

static void die(const char *what, int error)
{
    fprintf(stderr, "swg_bench: %s: %s\n", what, swg_error_text(error));
    exit(1);
}

static stand set_up(const bench_case *c)
{
    stand s = {0};
    if (c->circuits == 0) {
        return s;
    }
    int error = swg_panel_open(&s.panel,
                               c->panel == NULL     ? NULL
                               : c->panel[1] == 'b' ? shared_other
                                                    : shared_name,
                               SWG_PANEL(.circuits = c->circuits + 8, .processes = 8));
    if (error != SWG_OK) {
        die("opening a panel", error);
    }
    s.circuits = malloc(c->circuits * sizeof(swg_circuit *));
    for (uint32_t i = 0; i < c->circuits; i++) {
        char name[32];
        snprintf(name, sizeof(name), "circuit-%u", i);
        error = swg_circuit_open(&s.circuits[i], s.panel, name, c->config);
        if (error != SWG_OK) {
            die("opening a circuit", error);
        }
        if (c->prepare != NULL) {
            c->prepare(s.circuits[i]);
        }
    }
    return s;
}

typedef struct job {
    const bench_case *c;
    place p;
} job;

static void *run_job(void *arg)
{
    job *j = arg;
    j->c->run(&j->p);
    return NULL;
}

/* Nanoseconds for one iteration of each thread. */
static double measure(const bench_case *c, const stand *s, int threads, long iterations)
{
    pthread_t ids[2];
    job jobs[2];
    for (int i = 0; i < threads; i++) {
        jobs[i] = (job){c, {s->circuits, c->circuits, (uint32_t)i, BASE + 101 * MS, iterations}};
    }
    later_ns += 2000 * iterations; /* no measurement goes back behind the one before */
    const int64_t begin = swg_clock_ns();
    for (int i = 1; i < threads; i++) {
        pthread_create(&ids[i], NULL, run_job, &jobs[i]);
    }
    run_job(&jobs[0]);
    for (int i = 1; i < threads; i++) {
        pthread_join(ids[i], NULL);
    }
    return (double)(swg_clock_ns() - begin) / (double)iterations;
}

static double results[CASES][2][ROUNDS_MAX];

static void core(int rounds, long iterations)
{
    stand stands[CASES];
    for (size_t i = 0; i < CASES; i++) {
        stands[i] = set_up(&cases[i]);
    }
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < CASES; i++) {
            for (int threads = 1; threads <= 2; threads++) {
                results[i][threads - 1][round] =
                    measure(&cases[i], &stands[i], threads, iterations);
            }
        }
    }
    printf("ns per acquire + release and thread, medians of %d rounds of %ld      x: times two "
           "empty calls\n",
           rounds, iterations);
    printf("%-42s %9s %6s %9s %6s   aim\n", "", "1 thread", "x", "2 threads", "x");
    double base[2] = {0};
    double plain = 0;
    for (size_t i = 0; i < CASES; i++) {
        double m[2];
        for (int t = 0; t < 2; t++) {
            m[t] = bench_median(results[i][t], rounds);
            base[t] = i == 0 ? m[t] : base[t];
        }
        printf("%-42s %9.1f %6.1f %9.1f %6.1f", cases[i].name, m[0], m[0] / base[0], m[1],
               m[1] / base[1]);
        if (cases[i].aim[0] > 0) {
            printf("   %.0f: %s", cases[i].aim[0], m[0] <= cases[i].aim[0] ? "yes" : "no");
        }
        if (cases[i].aim[1] > 0) {
            printf(", %.0f: %s", cases[i].aim[1], m[1] <= cases[i].aim[1] ? "yes" : "no");
        }
        plain = strcmp(cases[i].name, "time window, healthy") == 0 ? m[0] : plain;
        if (cases[i].more > 0) {
            printf("   %+.1f, %.0f: %s", m[0] - plain, cases[i].more,
                   m[0] - plain <= cases[i].more ? "yes" : "no");
        }
        printf("\n");
    }
    for (size_t i = 0; i < CASES; i++) {
        swg_panel_close(&stands[i].panel);
        free(stands[i].circuits);
    }
}

static size_t resident(const void *at, size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = (uintptr_t)at / page * page;
    const size_t pages = ((uintptr_t)at + bytes - begin + page - 1) / page;
    unsigned char *in = malloc(pages);
    size_t count = 0;
    if (mincore((void *)begin, pages * page, in) != 0) {
        perror("mincore");
    }
    for (size_t i = 0; i < pages; i++) {
        count += in[i] & 1;
    }
    free(in);
    return count * page;
}

/* Memory: what a circuit adds to a block, and what it touches while idle. */
static void memory(void)
{
    const swg_panel_config few = {.size = sizeof(few), .circuits = 20000, .processes = 1};
    const swg_panel_config more = {.size = sizeof(more), .circuits = 40000, .processes = 1};
    const size_t reserved = (swg_panel_bytes(&more) - swg_panel_bytes(&few)) / 20000;
    swg_panel *panel;
    int error = swg_panel_open(&panel, NULL, &few);
    if (error != SWG_OK) {
        die("opening a panel", error);
    }
    swg_circuit *first = NULL;
    swg_circuit *last = NULL;
    for (int i = 0; i < 20000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "circuit-%d", i);
        swg_circuit_open(&last, panel, name, NULL);
        first = first == NULL ? last : first;
    }
    const char *names = swg_circuit_name(first); /* inside the first cell */
    const size_t span = (size_t)(swg_circuit_name(last) - names);
    const size_t idle = resident(names, span) / 20000; /* the cells: one after the other */
    const size_t traffic = resident(names + span + 512, (reserved - 16 - 512) * 20000) / 20000;
    printf("\nmemory of a circuit: %zu bytes reserved (8 of them for each process row), resident "
           "while "
           "idle %zu; aim 512: %s\n",
           reserved, idle + traffic, idle + traffic <= 512 ? "yes" : "no");
    swg_panel_close(&panel);
}

/* Joining a panel of 10,000 circuits in shared memory. */
static void attach(int rounds)
{
    double took[ROUNDS_MAX];
    swg_panel *maker;
    swg_circuit *circuit;
    int error = swg_panel_open(&maker, shared_name, SWG_PANEL(.circuits = 10000, .processes = 8));
    if (error != SWG_OK) {
        die("opening a shared panel", error);
    }
    for (int i = 0; i < 10000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "circuit-%d", i);
        swg_circuit_open(&circuit, maker, name, NULL);
    }
    for (int i = 0; i < rounds; i++) {
        swg_panel *panel;
        const int64_t begin = swg_clock_ns();
        error = swg_panel_open(&panel, shared_name, NULL);
        took[i] = (double)(swg_clock_ns() - begin) / 1e6;
        swg_panel_close(&panel);
    }
    const double ms = bench_median(took, rounds);
    printf("joining a shared panel of 10,000 circuits: %.3f ms (median of %d); aim 1: %s\n", ms,
           rounds, ms < 1 ? "yes" : "no");
    swg_panel_close(&maker);
    swg_panel_unlink(shared_name);
}

static int bench_core(bool quick)
{
    core(quick ? 1 : 9, quick ? 2000 : 1000000);
    swg_panel_unlink(shared_name);
    swg_panel_unlink(shared_other);
    return 0;
}

static int bench_memory(bool quick)
{
    (void)quick;
    memory();
    return 0;
}

static int bench_attach(bool quick)
{
    attach(quick ? 1 : 15);
    return 0;
}

static const struct part {
    const char *name;
    int (*run)(bool quick);
} parts[] = {
    {"core", bench_core},   {"memory", bench_memory},           {"attach", bench_attach},
#ifdef SWG_BENCH_CURL
    {"curl", bench_curl},
#endif
#ifdef SWG_BENCH_FLEET
    {"fleet", bench_fleet}, {"fleet-redis", bench_fleet_redis}, {"fleet-scale", bench_fleet_scale},
#endif
};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

static bool is_part(const char *name)
{
    bool found = strcmp(name, "all") == 0;
    for (size_t i = 0; i < PARTS; i++) {
        found |= strcmp(name, parts[i].name) == 0;
    }
    return found;
}

static int usage(const char *wrong)
{
    if (strcmp(wrong, "--help") != 0) {
        fprintf(stderr, "swg_bench: no such part: %s\n", wrong);
    }
    fprintf(stderr, "usage: swg_bench [--quick] [all");
    for (size_t i = 0; i < PARTS; i++) {
        fprintf(stderr, "|%s", parts[i].name);
    }
    fprintf(stderr, "]\n");
    return strcmp(wrong, "--help") == 0 ? 0 : 2;
}

int main(int argc, char **argv)
{
    const char *chosen = "all";
    bool quick = false;
    int result = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            quick = true;
        } else if (is_part(argv[i])) {
            chosen = argv[i];
        } else {
            return usage(argv[i]);
        }
    }
    snprintf(shared_name, sizeof(shared_name), "/swg-bench-%d", (int)getpid());
    snprintf(shared_other, sizeof(shared_other), "/swg-bench-b-%d", (int)getpid());
    for (size_t i = 0; i < PARTS; i++) {
        if (strcmp(chosen, "all") == 0 || strcmp(chosen, parts[i].name) == 0) {
            result |= parts[i].run(quick);
            fflush(stdout);
        }
    }
    return result;
}
