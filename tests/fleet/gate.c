/* What the fleet's gate does to a call: one test a promise of semantics.md, section Fleet. */
#include "unit/script.h"

#include <pthread.h>
#include <stdatomic.h>

#include <stdio.h>
#include <stdlib.h>
#include <switchgear/gate.h>
#include <sys/wait.h>
#include <unistd.h>

#define GATE(...) (&(swg_gate){.size = sizeof(swg_gate), __VA_ARGS__})
#define EXACT .recovery_jitter_pct = SWG_NONE

static uint32_t set(bench *b, const swg_gate *gate)
{
    uint32_t left;
    ck_assert_int_eq(swg_gate_set(b->circuit, gate, &left), SWG_OK);
    return left;
}

static swg_gate_reading reading_at(bench *b, double ms)
{
    swg_gate_reading reading;
    ck_assert_int_eq(swg_gate_read(b->circuit, at_ms(ms), &reading), SWG_OK);
    return reading;
}

START_TEST(F1_both_must_agree)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 1, .recovery_ms = 100, .probes = 1, EXACT));
    set(b, GATE(.mode = SWG_GATE_OPEN, .until_ns = at_ms(50)));
    PLAY(b, {0, "get", "open"});
    set(b, GATE(.mode = SWG_GATE_NONE));
    PLAY(b, {0, "get", "yes"}, {0, "fail", "open"}, {1, "get", "open"});
    set(b, GATE(.mode = SWG_GATE_OPEN, .until_ns = at_ms(150)));
    PLAY(b, {100, "get", "open"}, {100, "read", "half_open"}); /* its probe is not spent */
    set(b, GATE(.mode = SWG_GATE_NONE));
    PLAY(b, {100, "get", "yes"}, {100, "ok", "closed"});
    bench_close(b);
}
END_TEST

START_TEST(F2_open_says_when_and_ends_with_its_grace)
{
    bench *b = bench_open(NULL);
    swg_permit permit;
    set(b, GATE(.mode = SWG_GATE_OPEN, .until_ns = at_ms(500)));
    ck_assert_int_eq(swg_acquire(b->circuit, &permit, at_ms(1)), SWG_REJECTED_OPEN);
    ck_assert_int_eq(permit.retry_ns, at_ms(500));
    ck_assert_int_eq(permit.held, 0);
    PLAY(b, {500, "get", "open"}, {2499.9, "get", "open"}, {2500, "get", "yes"});
    ck_assert_int_eq(reading_at(b, 2500).mode, SWG_GATE_NONE);
    ck_assert_int_eq(snapshot_at(b, 2500).rejected[SWG_REJECTED_OPEN], 3);
    bench_close(b);
}
END_TEST

/* Nobody calls, nobody looks, and years go by. */
START_TEST(F2_what_lost_its_hold_never_has_it_again)
{
    static const uint32_t modes[] = {SWG_GATE_OPEN, SWG_GATE_PROBING, SWG_GATE_RAMP,
                                     SWG_GATE_FORCED};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        bench *b = bench_open(NULL);
        set(b, GATE(.mode = modes[i], .permits = modes[i] == SWG_GATE_PROBING,
                    .ramp_ms = SWG_GATE_RAMP_MAX_MS, .until_ns = at_ms(60000)));
        ck_assert_uint_eq(reading_at(b, 0).mode, modes[i]);
        for (int hours = 1; hours < 24 * 1000; hours++) {
            ck_assert_uint_eq(reading_at(b, hours * 3600000.0).mode, SWG_GATE_NONE);
            ck_assert_uint_eq(snapshot_at(b, hours * 3600000.0).gate, SWG_GATE_NONE);
        }
        PLAY(b, {86400000.0 * 181, "get", "yes"});
        bench_close(b);
    }
}
END_TEST

START_TEST(F2_until_is_any_time_there_is)
{
    static const int64_t out[] = {-1, SWG_GATE_UNTIL_MAX_NS + 1, INT64_MAX, INT64_MIN};
    bench *b = bench_open(NULL);
    set(b, GATE(.mode = SWG_GATE_OPEN, .until_ns = SWG_GATE_UNTIL_MAX_NS));
    PLAY(b, {0, "get", "open"}, {86400000.0 * 365, "get", "open"});
    for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
        for (uint32_t mode = SWG_GATE_OPEN; mode < SWG_GATE_MODE_COUNT; mode++) {
            ck_assert_int_eq(swg_gate_set(b->circuit,
                                          GATE(.mode = mode, .ramp_ms = 1, .until_ns = out[i]),
                                          NULL),
                             SWG_EINVAL);
        }
        set(b, GATE(.mode = SWG_GATE_NONE, .until_ns = out[i]));
    }
    bench_close(b);
}
END_TEST

START_TEST(F3_forced)
{
    bench *b = bench_open(NULL);
    set(b, GATE(.mode = SWG_GATE_FORCED, .until_ns = at_ms(86400000.0 * 30)));
    PLAY(b, {0, "get", "forced"}, {86400000.0 * 29, "get", "forced"});
    bench_close(b);
}
END_TEST

START_TEST(F4_probing_permits_so_many_past_the_breaker)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 1, .recovery_ms = 9000, EXACT));
    PLAY(b, {0, "get", "yes"}, {0, "fail", "open"});
    set(b, GATE(.mode = SWG_GATE_PROBING, .permits = 2, .round = 7, .until_ns = at_ms(1000)));
    PLAY(b, {10, "get", "yes", 2}, {10, "get", "probing"}, {20, "ok", "open"},
         {30, "fail", "open"});
    swg_gate_reading reading;
    swg_gate_collect(b->circuit, at_ms(31), &reading);
    ck_assert_uint_eq(reading.round, 7);
    ck_assert_uint_eq(reading.passed, 1);
    ck_assert_uint_eq(reading.failed, 1);
    swg_gate_collect(b->circuit, at_ms(31), &reading);
    ck_assert_uint_eq(reading.passed + reading.failed + reading.unused, 0);
    bench_close(b);
}
END_TEST

START_TEST(F5_permits_end_and_are_withdrawn)
{
    bench *b = bench_open(NULL);
    swg_permit permit;
    set(b, GATE(.mode = SWG_GATE_PROBING, .permits = 3, .round = 1, .until_ns = at_ms(1000)));
    ck_assert_int_eq(swg_acquire(b->circuit, &permit, at_ms(10)), SWG_PERMITTED);
    ck_assert_int_eq(permit.retry_ns, at_ms(1000)); /* back by then */
    PLAY(b, {1000, "get", "probing"});
    ck_assert_uint_eq(set(b, GATE(.mode = SWG_GATE_PROBING, .round = 1, .until_ns = at_ms(2000))),
                      2);
    PLAY(b, {1001, "get", "probing"});
    swg_release(b->circuit, &permit, SWG_SUCCESS, at_ms(1001)); /* too late to count */
    ck_assert_uint_eq(reading_at(b, 1001).passed, 0);
    bench_close(b);
}
END_TEST

/* Cancelled after its lease was over: the fleet has granted another in its place. */
START_TEST(F5_a_permit_given_back_too_late_says_nothing)
{
    bench *b = bench_open(NULL);
    set(b, GATE(.mode = SWG_GATE_PROBING, .permits = 2, .round = 1, .until_ns = at_ms(1000)));
    PLAY(b, {10, "get", "yes", 2}, {999.9, "can", "closed"}, {1000, "can", "closed"});
    ck_assert_uint_eq(reading_at(b, 1001).unused, 1);
    bench_close(b);
}
END_TEST

/* A limit that would have said no leaves the probe its lease. */
START_TEST(F5_a_dry_runs_probe_counts)
{
    bench *b = bench_open(SWG_CIRCUIT(.inflight_max = 1));
    PLAY(b, {0, "get", "yes"});
    swg_circuit_override(b->circuit, SWG_DRY_RUN, at_ms(1000), "drill");
    set(b, GATE(.mode = SWG_GATE_PROBING, .permits = 1, .round = 1, .until_ns = at_ms(1000)));
    PLAY(b, {1, "get", "yes"}, {2, "ok", "closed"}, {3, "ok", "closed"});
    ck_assert_uint_eq(snapshot_at(b, 3).would_reject[SWG_REJECTED_BULKHEAD], 1);
    ck_assert_uint_eq(reading_at(b, 3).passed, 1);
    bench_close(b);
}
END_TEST

START_TEST(F6_a_result_counts_in_its_round_alone)
{
    bench *b = bench_open(NULL);
    set(b, GATE(.mode = SWG_GATE_PROBING, .permits = 2, .round = 1, .until_ns = at_ms(1000)));
    PLAY(b, {0, "get", "yes", 2}, {1, "ok", "closed"});
    set(b, GATE(.mode = SWG_GATE_PROBING, .permits = 1, .round = 2, .until_ns = at_ms(1000)));
    PLAY(b, {2, "ok", "closed"});
    ck_assert_uint_eq(reading_at(b, 2).round, 2);
    ck_assert_uint_eq(reading_at(b, 2).passed, 0);
    ck_assert_uint_eq(snapshot_at(b, 2).window_calls, 2); /* here both are outcomes as any */
    bench_close(b);
}
END_TEST

START_TEST(F7_what_a_probe_says)
{
    static const struct {
        const char *outcome;
        double took;
        uint32_t passed, failed, unused;
    } rows[] = {
        {"ok", 1, 1, 0, 0},  {"fail", 1, 0, 1, 0}, {"time", 1, 0, 1, 0},
        {"ign", 1, 0, 0, 1}, {"can", 1, 0, 0, 1},  {"ok", 101, 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bench *b = bench_open(SWG_CIRCUIT(.slow_pct = 50, .slow_ms = 100));
        set(b, GATE(.mode = SWG_GATE_PROBING, .permits = 1, .round = 1, .until_ns = at_ms(1000)));
        PLAY(b, {0, "get", "yes"}, {rows[i].took, rows[i].outcome, "closed"});
        const swg_gate_reading reading = reading_at(b, 200);
        ck_assert_uint_eq(reading.passed, rows[i].passed);
        ck_assert_uint_eq(reading.failed, rows[i].failed);
        ck_assert_uint_eq(reading.unused, rows[i].unused);
        bench_close(b);
    }
}
END_TEST

START_TEST(F7_a_probe_the_bulkhead_stops_is_unused)
{
    bench *b = bench_open(SWG_CIRCUIT(.inflight_max = 1));
    PLAY(b, {0, "get", "yes"});
    set(b, GATE(.mode = SWG_GATE_PROBING, .permits = 1, .round = 1, .until_ns = at_ms(1000)));
    PLAY(b, {1, "get", "bulkhead"}, {2, "get", "probing"});
    ck_assert_uint_eq(reading_at(b, 2).unused, 1);
    bench_close(b);
}
END_TEST

static int admitted(bench *b, double ms, int calls)
{
    int yes = 0;
    for (int i = 0; i < calls; i++) {
        swg_permit permit;
        if (swg_acquire(b->circuit, &permit, at_ms(ms)) == SWG_PERMITTED) {
            swg_release(b->circuit, &permit, SWG_SUCCESS, at_ms(ms));
            yes++;
        }
    }
    return yes;
}

START_TEST(F8_a_ramp_admits_its_share)
{
    bench *b = bench_open(NULL);
    set(b, GATE(.mode = SWG_GATE_RAMP, .ramp_ms = 1000, .until_ns = at_ms(1000)));
    ck_assert_int_eq(admitted(b, 0, 1000), 100);
    ck_assert_int_eq(admitted(b, 500, 1000), 550);
    ck_assert_int_eq(admitted(b, 1000, 1000), 1000);
    set(b,
        GATE(.mode = SWG_GATE_RAMP, .ramp_ms = 1000, .share_halved = 5, .until_ns = at_ms(3000)));
    ck_assert_int_le(abs(admitted(b, 2000, 3200) - 100), 2);
    bench_close(b);
}
END_TEST

START_TEST(F9_the_hosts_operator_comes_first)
{
    bench *b = bench_open(NULL);
    set(b, GATE(.mode = SWG_GATE_OPEN, .until_ns = at_ms(1000)));
    swg_circuit_override(b->circuit, SWG_FORCED_CLOSED, at_ms(100), "drill");
    PLAY(b, {0, "get", "yes"}, {1, "ok", "closed"});
    swg_circuit_override(b->circuit, SWG_DRY_RUN, at_ms(100), "drill");
    PLAY(b, {2, "get", "yes"}, {3, "ok", "closed"});
    ck_assert_int_eq(snapshot_at(b, 3).would_reject[SWG_REJECTED_OPEN], 1);
    set(b, GATE(.mode = SWG_GATE_PROBING, .permits = 1, .round = 1, .until_ns = at_ms(1000)));
    swg_circuit_override(b->circuit, SWG_FORCED_OPEN, at_ms(100), "drill");
    PLAY(b, {4, "get", "forced"});
    ck_assert_uint_eq(reading_at(b, 4).permits, 1);
    bench_close(b);
}
END_TEST

START_TEST(F10_outcomes_of_earlier_calls_are_kept_apart)
{
    bench *b = bench_open(SWG_CIRCUIT(.slow_pct = 100, .slow_ms = 50));
    PLAY(b, {0, "get", "yes", 2}, {1, "fail", "closed"});
    set(b, GATE(.mode = SWG_GATE_NONE, .since_ns = at_ms(5)));
    PLAY(b, {10, "get", "yes"}, {60, "fail", "closed"}, {60, "ok", "closed"});
    const swg_gate_reading reading = reading_at(b, 60);
    ck_assert_uint_eq(reading.calls, 2);
    ck_assert_uint_eq(reading.failures, 1);
    ck_assert_uint_eq(reading.slow, 0);
    ck_assert_uint_eq(reading.ended, 3);
    bench_close(b);
}
END_TEST

START_TEST(F11_no_retries_while_it_has_a_say)
{
    bench *b = bench_open(NULL);
    for (int ramping = 1; ramping >= 0; ramping--) {
        swg_retry retry;
        swg_permit permit;
        int64_t wait_ns;
        set(b, ramping ? GATE(.mode = SWG_GATE_RAMP, .ramp_ms = 1000, .until_ns = at_ms(1000))
                       : GATE(.mode = SWG_GATE_NONE));
        swg_retry_begin(&retry, NULL, 1, at_ms(999));
        ck_assert_int_eq(swg_acquire(b->circuit, &permit, at_ms(999)), SWG_PERMITTED);
        swg_release(b->circuit, &permit, SWG_FAILURE, at_ms(999));
        ck_assert_int_eq(
            swg_retry_again(&retry, b->circuit, &permit, SWG_FAILURE, at_ms(999), &wait_ns),
            !ramping);
    }
    bench_close(b);
}
END_TEST

typedef struct caller {
    bench *b;
    atomic_bool *over;
    uint64_t probes;
} caller;

static void *call_on(void *arg)
{
    caller *c = arg;
    while (!atomic_load(c->over)) {
        swg_permit permit;
        if (swg_acquire(c->b->circuit, &permit, at_ms(1)) == SWG_PERMITTED) {
            c->probes += (permit.held & 8) != 0;
            swg_release(c->b->circuit, &permit, SWG_SUCCESS, at_ms(2));
        }
    }
    return NULL;
}

/* Permits published, withdrawn and taken at once by others: each is taken or given back, never
 * both; each result is collected once. */
START_TEST(F4_F5_no_permit_is_lost_or_doubled)
{
    enum { CALLERS = 3, ROUNDS = 20000 };
    bench *b = bench_open(SWG_CIRCUIT(.failure_pct = SWG_NONE, .failure_threshold = SWG_NONE));
    atomic_bool over = false;
    pthread_t threads[CALLERS];
    caller callers[CALLERS];
    uint64_t given = 0, left = 0, passed = 0, probes = 0;
    swg_gate_reading reading;
    set(b, GATE(.mode = SWG_GATE_PROBING, .round = 1, .until_ns = at_ms(1000)));
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (caller){.b = b, .over = &over};
        pthread_create(&threads[i], NULL, call_on, &callers[i]);
    }
    for (int i = 0; i < ROUNDS; i++) {
        const uint32_t permits = 1 + (uint32_t)i % 5;
        left += set(b, GATE(.mode = SWG_GATE_PROBING, .permits = permits, .round = 1,
                            .until_ns = at_ms(1000)));
        given += permits;
        swg_gate_collect(b->circuit, at_ms(1), &reading);
        passed += reading.passed;
    }
    left += set(b, GATE(.mode = SWG_GATE_PROBING, .round = 1, .until_ns = at_ms(1000)));
    atomic_store(&over, true);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        probes += callers[i].probes;
    }
    swg_gate_collect(b->circuit, at_ms(1), &reading);
    ck_assert_uint_eq(probes, given - left);
    ck_assert_uint_eq(passed + reading.passed, probes);
    ck_assert_uint_gt(probes, 0);
    bench_close(b);
}
END_TEST

START_TEST(F14_the_fleet_closes_this_hosts_breaker_too)
{
    bench *b = bench_open(
        SWG_CIRCUIT(.calls_min = 1, .recovery_ms = 100, .probes = 1, .ramp_ms = 50, EXACT));
    swg_event event;
    uint64_t cursor = 0;
    PLAY(b, {0, "get", "yes"}, {0, "get", "yes"}, {0, "fail", "open"}, {1, "get", "open"});
    ck_assert_int_eq(swg_gate_close(b->circuit, at_ms(2)), SWG_OK);
    ck_assert_int_eq(snapshot_at(b, 2).transitions[SWG_CAUSE_FLEET], 1);
    ck_assert_uint_eq(snapshot_at(b, 2).ramp_pct, 10);
    PLAY(b, {2, "fail", "closed"}, {60, "get", "yes"}); /* an outcome of before is no evidence */
    while (swg_journal_read(b->panel, &cursor, &event, 1) == 1) {
    }
    ck_assert_int_eq(event.cause, SWG_CAUSE_FLEET);
    ck_assert_int_eq(event.scope, SWG_SCOPE_HOST);
    ck_assert_int_eq(swg_gate_close(NULL, 0), SWG_EINVAL);
    bench_close(b);

    b = bench_open(
        SWG_CIRCUIT(.calls_min = 4, EXACT)); /* failures from before open nothing after */
    PLAY(b, {0, "get", "yes", 6}, {0, "fail", "closed", 3});
    ck_assert_int_eq(swg_gate_close(b->circuit, at_ms(1)), SWG_OK);
    PLAY(b, {2, "fail", "closed", 3}, {2, "get", "yes"}, {2, "fail", "closed"});
    ck_assert_uint_eq(snapshot_at(b, 2).window_calls, 1);
    bench_close(b);
}
END_TEST

START_TEST(F15_failures_of_local_origin_are_told_apart)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 4, EXACT));
    set(b, GATE(.mode = SWG_GATE_NONE, .since_ns = at_ms(5)));
    PLAY(b, {4, "get", "yes"}, {5, "get", "yes", 3}, {6, "failure_local", "closed"},
         {6, "failure_local", "closed"}, {6, "fail", "closed"});
    ck_assert_uint_eq(reading_at(b, 6).failures, 2); /* the first began before */
    ck_assert_uint_eq(reading_at(b, 6).local, 1);
    PLAY(b, {7, "failure_local", "open"}); /* to this host a failure like any other */
    ck_assert_uint_eq(reading_at(b, 7).local, 2);
    ck_assert_uint_eq(snapshot_at(b, 7).outcomes[SWG_FAILURE_LOCAL], 3);
    bench_close(b);
}
END_TEST

/* The panel's identity as a forked child sees it. */
static uint64_t identity_in_a_child(swg_panel *panel)
{
    uint64_t seen = 0;
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        seen = swg_gate_identity(panel);
        _exit(write(ends[1], &seen, sizeof(seen)) != sizeof(seen));
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(read(ends[0], &seen, sizeof(seen)), sizeof(seen));
    close(ends[0]);
    close(ends[1]);
    return seen;
}

START_TEST(F16_a_panel_is_one_host_whoever_speaks_for_it)
{
    char name[40];
    swg_panel *shared, *again, *heap;
    snprintf(name, sizeof(name), "/swg-identity-%d", (int)getpid());
    ck_assert_int_eq(swg_panel_open(&shared, name, NULL), SWG_OK);
    ck_assert_int_eq(swg_panel_open(&heap, NULL, NULL), SWG_OK);
    const uint64_t identity = identity_in_a_child(shared);
    ck_assert_uint_ne(identity, 0);
    ck_assert_uint_eq(swg_gate_identity(shared), identity);
    swg_panel_close(&shared);
    ck_assert_int_eq(swg_panel_open(&again, name, NULL), SWG_OK);
    ck_assert_int_eq(swg_panel_unlink(name), SWG_OK);
    ck_assert_uint_eq(swg_gate_identity(again), identity);
    ck_assert_uint_ne(swg_gate_identity(heap), identity);
    ck_assert_uint_ne(identity_in_a_child(heap), swg_gate_identity(heap));
    swg_panel_close(&again);
    swg_panel_close(&heap);
}
END_TEST

/* What a forked child gets that claims the panel, keeps and releases `claim`, and asks. */
typedef struct answers {
    int claimed, kept, released;
    int32_t owner;
} answers;

static answers in_a_child(swg_panel *panel, uint64_t claim)
{
    answers seen = {0};
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        uint64_t number;
        seen.kept = swg_gate_keep(panel, claim, at_ms(1));
        seen.released = swg_gate_release(panel, claim);
        seen.claimed = swg_gate_claim(panel, at_ms(1), &number);
        seen.owner = swg_gate_owner(panel, at_ms(1), NULL);
        _exit(write(ends[1], &seen, sizeof(seen)) != sizeof(seen));
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(read(ends[0], &seen, sizeof(seen)), sizeof(seen));
    close(ends[0]);
    close(ends[1]);
    seen.owner = seen.owner == child ? -1 : seen.owner; /* -1: itself */
    return seen;
}

static swg_panel *shared_panel(const char *what)
{
    char name[64];
    swg_panel *panel;
    snprintf(name, sizeof(name), "/swg-%s-%d", what, (int)getpid());
    ck_assert_int_eq(swg_panel_open(&panel, name, NULL), SWG_OK);
    ck_assert_int_eq(swg_panel_unlink(name), SWG_OK);
    return panel;
}

START_TEST(F17_a_panel_is_claimed_once)
{
    swg_panel *panel = shared_panel("claim");
    uint64_t first, second;
    int64_t seen = -1;
    ck_assert_int_eq(swg_gate_owner(panel, at_ms(0), &seen), 0);
    ck_assert_int_eq(seen, 0);
    ck_assert_int_eq(swg_gate_claim(panel, at_ms(0), &first), SWG_OK);
    ck_assert_int_eq(swg_gate_owner(panel, at_ms(0), &seen), getpid());
    ck_assert_int_eq(seen, at_ms(0));
    ck_assert_int_eq(swg_gate_claim(panel, at_ms(1), &second), SWG_EBUSY);
    ck_assert_int_eq(swg_gate_release(panel, second), SWG_EBUSY);
    ck_assert_int_eq(swg_gate_keep(panel, first, at_ms(1)), SWG_OK);
    const answers child = in_a_child(panel, first);
    ck_assert_int_eq(child.claimed, SWG_EBUSY);
    ck_assert_int_eq(child.kept, SWG_EBUSY);
    ck_assert_int_eq(child.released, SWG_EBUSY);
    ck_assert_int_eq(child.owner, getpid());
    ck_assert_int_eq(swg_gate_release(panel, first), SWG_OK);
    ck_assert_int_eq(swg_gate_keep(panel, first, at_ms(2)), SWG_EBUSY);
    ck_assert_int_eq(swg_gate_owner(panel, at_ms(2), NULL), 0);
    ck_assert_int_eq(in_a_child(panel, first).claimed, SWG_OK);
    ck_assert_int_eq(swg_gate_owner(panel, at_ms(2), NULL), 0); /* that child is dead */
    ck_assert_int_eq(swg_gate_claim(panel, at_ms(3), &second), SWG_OK);
    ck_assert_uint_ne(first, second);
    ck_assert_int_eq(swg_gate_keep(panel, first, at_ms(3)), SWG_EBUSY);
    swg_panel_close(&panel);
}
END_TEST

/* It may hang, or live where nobody can tell: a container that is gone. */
START_TEST(F17_who_falls_silent_is_replaced)
{
    swg_panel *panel = shared_panel("silent");
    uint64_t first, second;
    ck_assert_int_eq(swg_gate_claim(panel, at_ms(0), &first), SWG_OK);
    ck_assert_int_eq(swg_gate_keep(panel, first, at_ms(500)), SWG_OK);
    ck_assert_int_eq(swg_gate_claim(panel, at_ms(500 + SWG_GATE_CLAIM_MS), &second), SWG_EBUSY);
    ck_assert_int_eq(swg_gate_owner(panel, at_ms(501 + SWG_GATE_CLAIM_MS), NULL), 0);
    ck_assert_int_eq(swg_gate_claim(panel, at_ms(501 + SWG_GATE_CLAIM_MS), &second), SWG_OK);
    ck_assert_int_eq(swg_gate_keep(panel, first, at_ms(502 + SWG_GATE_CLAIM_MS)), SWG_EBUSY);
    ck_assert_int_eq(swg_gate_keep(panel, second, at_ms(502 + SWG_GATE_CLAIM_MS)), SWG_OK);
    swg_panel_close(&panel);
}
END_TEST

START_TEST(F17_on_the_heap_each_process_has_its_own)
{
    swg_panel *panel;
    uint64_t claim;
    ck_assert_int_eq(swg_panel_open(&panel, NULL, NULL), SWG_OK);
    ck_assert_int_eq(swg_gate_claim(panel, at_ms(0), &claim), SWG_OK);
    const answers child = in_a_child(panel, claim);
    ck_assert_int_eq(child.kept, SWG_EBUSY);
    ck_assert_int_eq(child.claimed, SWG_OK);
    ck_assert_int_eq(child.owner, -1);
    ck_assert_int_eq(swg_gate_owner(panel, at_ms(1), NULL), getpid());
    ck_assert_int_eq(swg_gate_keep(panel, claim, at_ms(1)), SWG_OK);
    swg_panel_close(&panel);
}
END_TEST

START_TEST(nonsense_is_refused)
{
    bench *b = bench_open(NULL);
    swg_event event = {.scope = SWG_SCOPE_HOST};
    uint64_t claim;
    ck_assert_int_eq(swg_gate_set(b->circuit, GATE(.mode = 9), NULL), SWG_EINVAL);
    ck_assert_int_eq(swg_gate_set(b->circuit, GATE(.mode = SWG_GATE_RAMP), NULL), SWG_EINVAL);
    ck_assert_int_eq(swg_gate_set(b->circuit, GATE(.permits = 32), NULL), SWG_EINVAL);
    ck_assert_int_eq(swg_gate_set(b->circuit, GATE(.round = SWG_GATE_ROUND_MAX + 1), NULL),
                     SWG_EINVAL);
    ck_assert_int_eq(swg_gate_set(b->circuit, NULL, NULL), SWG_EINVAL);
    ck_assert_int_eq(swg_gate_set(NULL, GATE(.mode = 0), NULL), SWG_EINVAL);
    ck_assert_int_eq(swg_gate_read(b->circuit, 0, NULL), SWG_EINVAL);
    ck_assert_int_eq(swg_gate_record(b->panel, b->circuit, &event), SWG_EINVAL);
    ck_assert_uint_eq(swg_gate_identity(NULL), 0);
    ck_assert_int_eq(swg_gate_claim(NULL, 0, &claim), SWG_EINVAL);
    ck_assert_int_eq(swg_gate_claim(b->panel, 0, NULL), SWG_EINVAL);
    ck_assert_int_eq(swg_gate_keep(NULL, 0, 0), SWG_EINVAL);
    ck_assert_int_eq(swg_gate_keep(b->panel, UINT64_MAX, 0), SWG_EBUSY);
    ck_assert_int_eq(swg_gate_release(NULL, 0), SWG_EINVAL);
    ck_assert_int_eq(swg_gate_owner(NULL, 0, NULL), 0);
    bench_close(b);
}
END_TEST

START_TEST(modes_have_names)
{
    static const char *const names[] = {"none", "open", "probing", "ramp", "forced"};
    for (int i = 0; i < SWG_GATE_MODE_COUNT; i++)
        ck_assert_str_eq(swg_gate_mode_name((swg_gate_mode)i), names[i]);
    ck_assert_str_eq(swg_gate_mode_name((swg_gate_mode)SWG_GATE_MODE_COUNT), "unknown");
    ck_assert_str_eq(swg_gate_mode_name((swg_gate_mode)-1), "unknown");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gate");
    TCase *t = tcase_create("gate");
    tcase_add_test(t, F1_both_must_agree);
    tcase_add_test(t, F2_open_says_when_and_ends_with_its_grace);
    tcase_add_test(t, F2_what_lost_its_hold_never_has_it_again);
    tcase_add_test(t, F2_until_is_any_time_there_is);
    tcase_add_test(t, F3_forced);
    tcase_add_test(t, F4_probing_permits_so_many_past_the_breaker);
    tcase_add_test(t, F5_permits_end_and_are_withdrawn);
    tcase_add_test(t, F5_a_permit_given_back_too_late_says_nothing);
    tcase_add_test(t, F5_a_dry_runs_probe_counts);
    tcase_add_test(t, F6_a_result_counts_in_its_round_alone);
    tcase_add_test(t, F7_what_a_probe_says);
    tcase_add_test(t, F7_a_probe_the_bulkhead_stops_is_unused);
    tcase_add_test(t, F8_a_ramp_admits_its_share);
    tcase_add_test(t, F9_the_hosts_operator_comes_first);
    tcase_add_test(t, F10_outcomes_of_earlier_calls_are_kept_apart);
    tcase_add_test(t, F11_no_retries_while_it_has_a_say);
    tcase_add_test(t, F14_the_fleet_closes_this_hosts_breaker_too);
    tcase_add_test(t, F15_failures_of_local_origin_are_told_apart);
    tcase_add_test(t, F16_a_panel_is_one_host_whoever_speaks_for_it);
    tcase_add_test(t, F17_a_panel_is_claimed_once);
    tcase_add_test(t, F17_who_falls_silent_is_replaced);
    tcase_add_test(t, F17_on_the_heap_each_process_has_its_own);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, F4_F5_no_permit_is_lost_or_doubled);
    tcase_add_test(t, nonsense_is_refused);
    tcase_add_test(t, modes_have_names);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
