/* Small programs of public operations under every interleaving. The oracle is the library itself,
 * one operation after the other: whatever the threads do, the end must be one that some sequential
 * order of the operations has, verdicts included. On top of that each program states what must hold
 * in every order. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interleave.h"

#define ENDS_MAX 4096

/* A stripe for each thread, whatever processor runs us. */
int sched_getcpu(void)
{
    return explore_current();
}

/* What is compared: everything an order of operations can tell, but for the count of stale
 * outcomes: one that ends while another opens the circuit may still be counted in the epoch that is
 * ending. */
typedef struct ending {
    uint64_t epoch, calls, failures, slow, outcomes, events, rejected;
    uint32_t state, in_a_row, inflight, probes_in, probes_out;
    uint32_t gate, permits, left, results; /* results: collected in the end, or on the way */
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

static void restore(void *state)
{
    (void)state;
    memcpy(w.memory, w.image, w.bytes);
    memcpy(w.permits, w.permits_image, sizeof(w.permits));
    memset(&w.end, 0, sizeof(w.end));
    w.held = w.held_most = 0;
}

/* What nobody has taken of the gate before is seen by whoever replaces it. */
static void publish(swg_circuit *circuit, uint32_t permits, uint32_t round, double until_ms)
{
    uint32_t left = 0;
    swg_gate_set(circuit,
                 &(swg_gate){.size = sizeof(swg_gate),
                             .mode = SWG_GATE_PROBING,
                             .permits = permits,
                             .round = round,
                             .until_ns = at(until_ms)},
                 &left);
    w.end.left += left;
}

static void do_op(int thread, int index)
{
    const op *o = &w.p->ops[thread][index];
    swg_circuit *circuit = w.circuit[thread];
    swg_snapshot snapshot;
    swg_gate_reading reading;
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
    case GRANT:
        publish(circuit, (uint32_t)o->permit, (uint32_t)o->outcome, o->at_ms);
        break;
    case WITHDRAW:
        publish(circuit, 0, 1, 0);
        break;
    case COLLECT:
        swg_gate_collect(circuit, at(o->at_ms), &reading);
        w.end.results += reading.passed + 16 * reading.failed + 256 * reading.unused;
        break;
    case CLOSE:
        swg_gate_close(circuit, at(o->at_ms));
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
    swg_gate_reading gate;
    swg_gate_collect(w.circuit[0], at(0), &gate);
    w.end.gate = gate.mode;
    w.end.permits = gate.permits;
    w.end.results += gate.passed + 16 * gate.failed + 256 * gate.unused;
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
    return w.p->any_order || same_as_some_order() || fails("no sequential order ends like this");
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
    const program *const suites[] = {circuit_programs, gate_programs};
    int failed = 0;
    if (!finds_a_lost_update()) {
        printf("the explorer does not find a lost update\n");
        return 1;
    }
    for (int i = 0; i < 2; i++) {
        for (const program *p = suites[i]; p->name != NULL; p++) {
            if (only == NULL || strstr(p->name, only) != NULL) {
                failed += !run(p, p->preemptions + deep, deep ? 5000000 : 60000);
            }
        }
    }
    return failed != 0;
}
