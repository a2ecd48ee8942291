/* Small programs of public operations under every interleaving. The oracle is the library itself,
 * one operation after the other: whatever the threads do, the end must be one that some sequential
 * order of the operations has, verdicts included. On top of that each program states what must hold
 * in every order. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>

#include "explore.h"

#define MS INT64_C(1000000)
#define BASE (INT64_C(1000000) * MS)
#define OPS_MAX 4
#define ENDS_MAX 4096

/* A stripe for each thread, whatever processor runs us. */
int sched_getcpu(void)
{
    return explore_current();
}

typedef enum op_kind { NOTHING, GET, PUT, RESET, CONFIGURE, READ } op_kind;

typedef struct op {
    op_kind kind;
    int permit; /* which one; 0 to 3 are acquired by the setup */
    swg_outcome outcome;
    double at_ms;
} op;

typedef struct program {
    const char *name;
    const swg_circuit_config *config;
    void (*setup)(swg_circuit *circuit, swg_permit *permits);
    op ops[EXPLORE_THREADS_MAX][OPS_MAX];
    int state;       /* expected at the end; -1: any */
    int permitted;   /* expected number of GETs permitted; -1: any */
    int held_max;    /* permits out at any instant; 0: any */
    int preemptions; /* bound for the short form */
} program;

/* What is compared: everything an order of operations can tell, but for the count of stale
 * outcomes: one that ends while another opens the circuit may still be counted in the epoch that is
 * ending. */
typedef struct ending {
    uint64_t epoch, calls, failures, slow, outcomes, events, rejected;
    uint32_t state, in_a_row, inflight, probes_in, probes_out;
    int8_t verdict[EXPLORE_THREADS_MAX][OPS_MAX];
} ending;

static struct {
    const program *p;
    void *memory, *image;
    size_t bytes;
    swg_panel *panel[EXPLORE_THREADS_MAX];
    swg_circuit *circuit[EXPLORE_THREADS_MAX];
    swg_permit permits[16], permits_image[16];
    ending end;
    int held, held_most;
    ending ends[ENDS_MAX];
    int end_count;
    const char *why;
} w;

static int64_t at(double ms)
{
    return BASE + (int64_t)(ms * (double)MS);
}

static void restore(void *state)
{
    (void)state;
    memcpy(w.memory, w.image, w.bytes);
    memcpy(w.permits, w.permits_image, sizeof(w.permits));
    memset(&w.end, 0, sizeof(w.end));
    w.held = w.held_most = 0;
}

static void do_op(int thread, int index)
{
    const op *o = &w.p->ops[thread][index];
    swg_circuit *circuit = w.circuit[thread];
    swg_snapshot snapshot;
    switch (o->kind) {
    case GET:
        w.end.verdict[thread][index] =
            (int8_t)(1 + (int)swg_acquire(circuit, &w.permits[o->permit], at(o->at_ms)));
        w.held += w.permits[o->permit].held != 0;
        w.held_most = w.held > w.held_most ? w.held : w.held_most;
        break;
    case PUT:
        w.held -= w.permits[o->permit].held != 0;
        swg_release(circuit, &w.permits[o->permit], o->outcome, at(o->at_ms));
        break;
    case RESET:
        swg_circuit_reset(circuit, at(o->at_ms));
        break;
    case CONFIGURE:
        swg_circuit_configure(circuit,
                              SWG_CIRCUIT(.calls_min = 2, .recovery_jitter_pct = SWG_NONE));
        break;
    case READ:
        swg_circuit_read(circuit, at(o->at_ms), &snapshot);
        break;
    case NOTHING:
        break;
    }
}

static void body(void *state, int thread)
{
    (void)state;
    for (int i = 0; i < OPS_MAX; i++) {
        do_op(thread, i);
    }
}

static void take_ending(void)
{
    swg_snapshot s;
    swg_event events[16];
    uint64_t cursor = 0;
    swg_circuit_read(w.circuit[0], at(0), &s);
    w.end.state = s.state;
    w.end.epoch = s.epoch;
    w.end.calls = s.window_calls;
    w.end.failures = s.window_failures;
    w.end.slow = s.window_slow;
    w.end.in_a_row = s.consecutive_failures;
    w.end.inflight = s.inflight;
    w.end.probes_in = s.probes_in;
    w.end.probes_out = s.probes_out;
    for (int i = 0; i < SWG_OUTCOME_COUNT; i++) {
        w.end.outcomes = w.end.outcomes * 16 + s.outcomes[i];
    }
    for (int i = 1; i < SWG_VERDICT_COUNT; i++) {
        w.end.rejected = w.end.rejected * 16 + s.rejected[i];
    }
    w.end.events = swg_journal_read(w.panel[0], &cursor, events, 16);
}

static bool same_as_some_order(void)
{
    for (int i = 0; i < w.end_count; i++) {
        if (memcmp(&w.ends[i], &w.end, sizeof(w.end)) == 0) {
            return true;
        }
    }
    return false;
}

/* All sequential orders of the operations, each thread's in its own order. */
static void all_orders(int done[EXPLORE_THREADS_MAX], const int total[EXPLORE_THREADS_MAX],
                       int order[], int length)
{
    bool finished = true;
    for (int t = 0; t < EXPLORE_THREADS_MAX; t++) {
        if (done[t] < total[t]) {
            finished = false;
            done[t]++;
            order[length] = t;
            all_orders(done, total, order, length + 1);
            done[t]--;
        }
    }
    if (!finished) {
        return;
    }
    int next[EXPLORE_THREADS_MAX] = {0};
    restore(NULL);
    for (int i = 0; i < length; i++) {
        do_op(order[i], next[order[i]]++);
    }
    take_ending();
    if (!same_as_some_order() && w.end_count < ENDS_MAX) {
        w.ends[w.end_count++] = w.end;
    }
}

static bool fails(const char *why)
{
    w.why = why;
    return false;
}

static bool check(void *state)
{
    (void)state;
    int permitted = 0;
    take_ending();
    for (int t = 0; t < EXPLORE_THREADS_MAX; t++) {
        for (int i = 0; i < OPS_MAX; i++) {
            permitted += w.end.verdict[t][i] == 1 + SWG_PERMITTED && w.p->ops[t][i].kind == GET;
        }
    }
    if (w.p->state >= 0 && (int)w.end.state != w.p->state) {
        return fails("the state at the end");
    }
    if (w.p->permitted >= 0 && permitted != w.p->permitted) {
        return fails("the number of permits");
    }
    if (w.p->held_max > 0 && w.held_most > w.p->held_max) {
        return fails("more permits out at once than allowed");
    }
    return same_as_some_order() || fails("no sequential order ends like this");
}

static void prepare(const program *p)
{
    const swg_panel_config small = {
        .size = sizeof(small), .circuits = 1, .processes = EXPLORE_THREADS_MAX, .journal = 16};
    w.p = p;
    w.bytes = swg_panel_bytes(&small);
    w.memory = aligned_alloc(64, w.bytes);
    w.image = malloc(w.bytes);
    swg_panel_format(w.memory, w.bytes, &small);
    for (int t = 0; t < EXPLORE_THREADS_MAX; t++) {
        swg_panel_attach(&w.panel[t], w.memory, w.bytes);
        swg_circuit_open(&w.circuit[t], w.panel[t], "c", p->config);
    }
    memset(w.permits, 0, sizeof(w.permits));
    p->setup(w.circuit[0], w.permits);
    memcpy(w.image, w.memory, w.bytes);
    memcpy(w.permits_image, w.permits, sizeof(w.permits));
}

static void tidy(void)
{
    for (int t = 0; t < EXPLORE_THREADS_MAX; t++) {
        swg_panel_close(&w.panel[t]);
    }
    free(w.memory);
    free(w.image);
}

/* Setups: outcomes counted at once, then permits 0 to 2 acquired. */
static void call(swg_circuit *c, int n, swg_outcome outcome, double ms)
{
    for (int i = 0; i < n; i++) {
        swg_permit p;
        swg_acquire(c, &p, at(ms));
        swg_release(c, &p, outcome, at(ms));
    }
}

static void get_three(swg_circuit *c, swg_permit *permits, double ms)
{
    for (int i = 0; i < 3; i++) {
        swg_acquire(c, &permits[i], at(ms));
    }
}

static void fresh(swg_circuit *c, swg_permit *p)
{
    get_three(c, p, 0);
}

static void one_each(swg_circuit *c, swg_permit *p)
{
    call(c, 1, SWG_SUCCESS, 0);
    call(c, 1, SWG_FAILURE, 0);
    get_three(c, p, 0);
}

static void two_failures(swg_circuit *c, swg_permit *p)
{
    call(c, 2, SWG_FAILURE, 0);
    get_three(c, p, 0);
}

static void six_and_four(swg_circuit *c, swg_permit *p)
{
    call(c, 6, SWG_SUCCESS, 0);
    call(c, 4, SWG_FAILURE, 1000);
    get_three(c, p, 1000);
}

static void full_of_successes(swg_circuit *c, swg_permit *p)
{
    call(c, 4, SWG_SUCCESS, 0);
    get_three(c, p, 0);
}

static void opened(swg_circuit *c, swg_permit *p)
{
    get_three(c, p, 0);
    call(c, 2, SWG_FAILURE, 0);
}

static void probing(swg_circuit *c, swg_permit *p)
{
    call(c, 2, SWG_FAILURE, 0);
    get_three(c, p, 5000);
}

static void nothing(swg_circuit *c, swg_permit *p)
{
    (void)c;
    (void)p;
}

#define EXACT .size = sizeof(swg_circuit_config), .recovery_jitter_pct = SWG_NONE

static const swg_circuit_config min4 = {EXACT, .calls_min = 4};
static const swg_circuit_config min3_60 = {EXACT, .calls_min = 3, .failure_pct = 60};
static const swg_circuit_config min2 = {EXACT, .calls_min = 2, .probes = 2};
static const swg_circuit_config min2_one = {EXACT, .calls_min = 2, .probes = 1};
static const swg_circuit_config row3 = {EXACT, .failure_pct = SWG_NONE, .failure_threshold = 3};
static const swg_circuit_config slots = {EXACT, .window_ms = 10000, .calls_min = 5,
                                         .failure_pct = 65};
static const swg_circuit_config ring = {EXACT, .window_calls = 4, .calls_min = 4,
                                        .failure_pct = 50};
static const swg_circuit_config one_slot = {EXACT, .inflight_max = 1};
static const swg_circuit_config two_slots = {EXACT, .inflight_max = 2, .rate_per_s = 3};
static const swg_circuit_config two_tokens = {EXACT, .rate_per_s = 2};

#define OK(p, ms)                                                                                  \
    {                                                                                              \
        PUT, p, SWG_SUCCESS, ms                                                                    \
    }
#define BAD(p, ms)                                                                                 \
    {                                                                                              \
        PUT, p, SWG_FAILURE, ms                                                                    \
    }
#define TAKE(p, ms)                                                                                \
    {                                                                                              \
        GET, p, SWG_SUCCESS, ms                                                                    \
    }

static const program programs[] = {
    {"the last two outcomes fill the window",
     &min4,
     one_each,
     {{OK(0, 1)}, {BAD(1, 1)}},
     SWG_OPEN,
     -1,
     0,
     2},
    {"two successes reach calls_min",
     &min3_60,
     two_failures,
     {{OK(0, 1)}, {OK(1, 1)}},
     SWG_OPEN,
     -1,
     0,
     2},
    {"three outcomes, one transition",
     &min2,
     fresh,
     {{BAD(0, 1)}, {BAD(1, 1)}, {BAD(2, 1)}},
     SWG_OPEN,
     -1,
     0,
     1},
    {"the first outcomes of a window",
     &min4,
     fresh,
     {{OK(0, 1)}, {OK(1, 1)}, {BAD(2, 1)}},
     SWG_CLOSED,
     -1,
     0,
     1},
    {"a new slot begins and old successes leave",
     &slots,
     six_and_four,
     {{OK(0, 10000)}, {OK(1, 10000)}},
     SWG_OPEN,
     -1,
     0,
     2},
    {"a new slot and a failure",
     &slots,
     six_and_four,
     {{OK(0, 10000)}, {BAD(1, 10000)}},
     -1,
     -1,
     0,
     2},
    {"one is late by a slot",
     &slots,
     six_and_four,
     {{OK(0, 10000)}, {OK(1, 1500)}, {BAD(2, 11000)}},
     -1,
     -1,
     0,
     1},
    {"one is late by more than the window",
     &slots,
     six_and_four,
     {{OK(0, 40000)}, {BAD(1, 1500)}},
     -1,
     -1,
     0,
     2},
    {"failures in a row and a success",
     &row3,
     two_failures,
     {{BAD(0, 1)}, {OK(1, 1)}},
     -1,
     -1,
     0,
     2},
    {"a clean ring gets a failure",
     &ring,
     full_of_successes,
     {{BAD(0, 1)}, {OK(1, 1)}, {OK(2, 1)}},
     SWG_CLOSED,
     -1,
     0,
     1},
    {"a clean ring gets two failures",
     &ring,
     full_of_successes,
     {{BAD(0, 1)}, {BAD(1, 1)}},
     SWG_OPEN,
     -1,
     0,
     2},
    {"a ring fills", &ring, one_each, {{OK(0, 1)}, {OK(1, 1)}, {BAD(2, 1)}}, -1, -1, 0, 1},
    {"three callers, the wait is over, two probes",
     &min2,
     opened,
     {{TAKE(4, 5000)}, {TAKE(5, 5000)}, {TAKE(6, 5000)}},
     SWG_HALF_OPEN,
     2,
     2,
     1},
    {"two callers, one probe, one of them done with it",
     &min2_one,
     opened,
     {{TAKE(4, 5000), OK(4, 5001)}, {TAKE(5, 5000)}},
     -1,
     -1,
     0,
     2},
    {"two probes come back",
     &min2,
     probing,
     {{OK(0, 5001)}, {OK(1, 5001)}, {TAKE(4, 5001)}},
     SWG_CLOSED,
     -1,
     0,
     1},
    {"two probes come back, one failed",
     &min2,
     probing,
     {{OK(0, 5001)}, {BAD(1, 5001)}},
     SWG_OPEN,
     -1,
     0,
     2},
    {"a probe is given back and taken again",
     &min2,
     probing,
     {{{PUT, 0, SWG_IGNORED, 5001}}, {TAKE(4, 5001)}, {TAKE(5, 5001)}},
     SWG_HALF_OPEN,
     -1,
     0,
     1},
    {"a probe too late meets the next caller",
     &min2_one,
     probing,
     {{OK(0, 15000)}, {TAKE(4, 15000)}},
     SWG_OPEN,
     0,
     0,
     2},
    {"an old outcome and a reset",
     &min2,
     opened,
     {{OK(0, 1)}, {{RESET, 0, SWG_SUCCESS, 1}}, {BAD(1, 1)}},
     SWG_CLOSED,
     -1,
     0,
     1},
    {"new limits and an outcome",
     &min4,
     two_failures,
     {{OK(0, 1)}, {{CONFIGURE, 0, SWG_SUCCESS, 1}}},
     -1,
     -1,
     0,
     2},
    {"a bulkhead of one",
     &one_slot,
     nothing,
     {{TAKE(4, 0), OK(4, 1)}, {TAKE(5, 0), OK(5, 1)}, {TAKE(6, 0), OK(6, 1)}},
     -1,
     -1,
     1,
     1},
    {"a bulkhead of two behind a rate of three",
     &two_slots,
     nothing,
     {{TAKE(4, 0)}, {TAKE(5, 0)}, {TAKE(6, 0)}},
     -1,
     2,
     2,
     1},
    {"two tokens for three",
     &two_tokens,
     nothing,
     {{TAKE(4, 0)}, {TAKE(5, 0)}, {TAKE(6, 0)}},
     -1,
     2,
     2,
     1},
    {"a reader changes nothing",
     &min2,
     opened,
     {{TAKE(4, 5000)}, {{READ, 0, SWG_SUCCESS, 5000}}},
     SWG_HALF_OPEN,
     1,
     0,
     2},
};

static bool run(const program *p, int preemptions, uint64_t most)
{
    int done[EXPLORE_THREADS_MAX] = {0};
    int total[EXPLORE_THREADS_MAX] = {0};
    int order[EXPLORE_THREADS_MAX * OPS_MAX];
    exploration e = {.preemptions = preemptions,
                     .reset = restore,
                     .body = body,
                     .check = check,
                     .schedules_max = most};
    for (int t = 0; t < EXPLORE_THREADS_MAX; t++) {
        while (total[t] < OPS_MAX && p->ops[t][total[t]].kind != NOTHING) {
            total[t]++;
        }
        e.threads = total[t] > 0 ? t + 1 : e.threads;
    }
    w.end_count = 0;
    prepare(p);
    all_orders(done, total, order, 0);
    const bool passed = explore(&e);
    printf("%-52s %8llu schedules, %3llu steps, %d preemptions%s, %d endings\n", p->name,
           (unsigned long long)e.schedules, (unsigned long long)e.longest, preemptions,
           e.complete || !passed ? "" : " (cut short)", w.end_count);
    if (!passed) {
        printf("  FAILED: %s. Choices (step:choice, others 0): %s\n", w.why, e.failing);
        printf("  state %u epoch %llu calls %llu failures %llu events %llu in flight %u\n",
               w.end.state, (unsigned long long)w.end.epoch, (unsigned long long)w.end.calls,
               (unsigned long long)w.end.failures, (unsigned long long)w.end.events,
               w.end.inflight);
    }
    tidy();
    return passed;
}

/* The explorer itself: it must find the lost update of two unguarded increments, and no fault in
 * guarded ones. */
static int counter, seen_by[2];
void swg__yield(void);

static void counter_reset(void *state)
{
    (void)state;
    counter = 0;
}

static void counter_body(void *guarded, int thread)
{
    swg__yield();
    seen_by[thread] = counter;
    if (!*(bool *)guarded) {
        swg__yield();
    }
    counter = seen_by[thread] + 1;
}

static bool counter_check(void *state)
{
    (void)state;
    return counter == 2;
}

static bool finds_a_lost_update(void)
{
    bool guarded = false;
    exploration e = {.threads = 2,
                     .preemptions = 1,
                     .reset = counter_reset,
                     .body = counter_body,
                     .check = counter_check,
                     .state = &guarded};
    const bool found = !explore(&e);
    guarded = true;
    return found && explore(&e);
}

int main(int argc, char **argv)
{
    const bool deep = getenv("SWG_LONG") != NULL;
    const char *only = argc > 1 ? argv[1] : NULL;
    int failed = 0;
    if (!finds_a_lost_update()) {
        printf("the explorer does not find a lost update\n");
        return 1;
    }
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        const program *p = &programs[i];
        if (only == NULL || strstr(p->name, only) != NULL) {
            failed += !run(p, p->preemptions + deep, deep ? 5000000 : 60000);
        }
    }
    return failed != 0;
}
