/* One test a promise of docs/design/semantics.md, named after it. */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shorthand: a call that begins and ends at once. */
#define CALL(ms, outcome, state)                                                                   \
    {ms, "get", "yes", 0},                                                                         \
    {                                                                                              \
        ms, outcome, state, 0                                                                      \
    }

#define EXACT .recovery_jitter_pct = SWG_NONE

/* n calls of one outcome, each at its time, all expected to be permitted. */
static void calls(bench *b, double ms, int n, const char *outcome, const char *last_state)
{
    for (int i = 0; i < n; i++) {
        swg_permit permit;
        ck_assert_int_eq(swg_acquire(b->circuit, &permit, at_ms(ms)), SWG_PERMITTED);
        swg_release(b->circuit, &permit, strcmp(outcome, "ok") == 0 ? SWG_SUCCESS : SWG_FAILURE,
                    at_ms(ms));
    }
    ck_assert_str_eq(swg_state_name((swg_state)snapshot_at(b, ms).state), last_state);
}

START_TEST(S1_limits_are_judged_on_every_outcome_success_included)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 4, .failure_pct = 50, EXACT));
    PLAY(b, CALL(0, "fail", "closed"), CALL(1, "fail", "closed"), CALL(2, "ok", "closed"),
         CALL(3, "ok", "open")); /* the success fills the window to calls_min: 2 of 4 */
    bench_close(b);

    b = bench_open(SWG_CIRCUIT(.calls_min = 3, .failure_pct = 34, EXACT));
    PLAY(b, CALL(0, "fail", "closed"), CALL(1, "ok", "closed"), CALL(2, "ok", "closed"));
    bench_close(b); /* 1 * 100 < 34 * 3: no rounding up */

    b = bench_open(SWG_CIRCUIT(.calls_min = 3, .failure_pct = 33, EXACT));
    PLAY(b, CALL(0, "fail", "closed"), CALL(1, "ok", "closed"), CALL(2, "ok", "open"));
    bench_close(b);
}
END_TEST

START_TEST(S1_old_successes_leaving_may_open)
{
    bench *b = bench_open(SWG_CIRCUIT(.window_ms = 1000, .calls_min = 5, .failure_pct = 50, EXACT));
    calls(b, 0, 10, "ok", "closed");
    calls(b, 500, 5, "fail", "closed"); /* 5 of 15 */
    calls(b, 1000, 1, "ok", "open");    /* 5 of 6 */
    bench_close(b);
}
END_TEST

START_TEST(S1_both_windows_agree)
{
    for (int kind = 0; kind < 2; kind++) {
        bench *b = bench_open(
            SWG_CIRCUIT(.window_calls = kind ? 10 : 0, .calls_min = 10, .failure_pct = 30, EXACT));
        calls(b, 0, 8, "ok", "closed");
        calls(b, 1, 1, "fail", "closed");
        calls(b, 1, 1, "fail", "closed");
        calls(b, 2, 1, "fail", kind ? "open" : "closed"); /* 3 of 10; 3 of 11 */
        bench_close(b);
    }
}
END_TEST

START_TEST(S2_slow_is_strictly_longer)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 2, .slow_pct = 100, .slow_ms = 100,
                                      .failure_pct = SWG_NONE, EXACT));
    PLAY(b, {0, "get", "yes", 4}, {100, "ok", "closed", 2}, {100.001, "ok", "closed", 2});
    ck_assert_int_eq(snapshot_at(b, 101).window_slow, 2);
    ck_assert_int_eq(snapshot_at(b, 101).window_calls, 4);
    bench_close(b);

    b = bench_open(
        SWG_CIRCUIT(.calls_min = 2, .slow_pct = 100, .slow_ms = 100, .failure_pct = 100));
    PLAY(b, {0, "get", "yes", 2}, {101, "ok", "closed"}, {101, "fail", "open"});
    bench_close(b); /* the slow failure counts as slow too: 2 of 2 */
}
END_TEST

START_TEST(S3_failures_in_a_row)
{
    bench *b = bench_open(SWG_CIRCUIT(.failure_threshold = 3, .failure_pct = SWG_NONE, EXACT));
    PLAY(b, CALL(0, "fail", "closed"), CALL(1, "fail", "closed"), CALL(2, "ok", "closed"),
         CALL(3, "fail", "closed"), CALL(4, "time", "closed"), CALL(5, "ign", "closed"),
         CALL(6, "can", "closed"), CALL(90000, "fail", "open"));
    bench_close(b);
}
END_TEST

START_TEST(S4_ignored_and_cancelled_are_in_no_rate)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 2, .inflight_max = 1, EXACT));
    PLAY(b, CALL(0, "ign", "closed"), CALL(1, "can", "closed"), CALL(2, "ign", "closed"));
    ck_assert_int_eq(snapshot_at(b, 3).window_calls, 0);
    ck_assert_int_eq(snapshot_at(b, 3).inflight, 0);
    bench_close(b);
}
END_TEST

START_TEST(S5_rejections_are_no_outcomes)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 1, .inflight_max = 1, .rate_per_s = 2, EXACT));
    PLAY(b, {0, "get", "yes"}, {0, "get", "bulkhead", 5}, {0, "ok", "closed"}, {0, "get", "yes"},
         {0, "get", "rate", 5}, {0, "ok", "closed"});
    const swg_snapshot s = snapshot_at(b, 0);
    ck_assert_int_eq(s.window_calls, 2);
    ck_assert_int_eq(s.rejected[SWG_REJECTED_BULKHEAD], 5);
    ck_assert_int_eq(s.rejected[SWG_REJECTED_RATE], 5);
    bench_close(b);
}
END_TEST

START_TEST(S6_a_long_call_counts_when_it_ends)
{
    bench *b = bench_open(SWG_CIRCUIT(.window_ms = 100, .calls_min = 1, .failure_pct = 100, EXACT));
    PLAY(b, {0, "get", "yes"}, {5000, "fail", "open"});
    bench_close(b);
}
END_TEST

START_TEST(S7_count_window_is_exact)
{
    bench *b = bench_open(SWG_CIRCUIT(.window_calls = 5, .calls_min = 5, .failure_pct = 60, EXACT));
    calls(b, 0, 2, "fail", "closed");
    calls(b, 1, 5, "ok", "closed"); /* both failures are out */
    ck_assert_int_eq(snapshot_at(b, 1).window_failures, 0);
    calls(b, 2, 40, "ok", "closed");
    calls(b, 3, 2, "fail", "closed");
    ck_assert_int_eq(snapshot_at(b, 3).window_calls, 5);
    calls(b, 4, 1, "fail", "open");
    bench_close(b);
}
END_TEST

START_TEST(S7_time_window_holds_nine_tenths_to_all)
{
    bench *b = bench_open(SWG_CIRCUIT(.window_ms = 1000, .calls_min = 100, EXACT));
    calls(b, 0, 1, "ok", "closed");
    calls(b, 99, 1, "fail", "closed");
    ck_assert_int_eq(snapshot_at(b, 999).window_calls, 2);  /* 9/10 at least: 99 + 900 */
    ck_assert_int_eq(snapshot_at(b, 1000).window_calls, 0); /* at most 1000 ms of past */
    calls(b, 1000, 1, "ok", "closed");
    ck_assert_int_eq(snapshot_at(b, 1000).window_calls, 1);
    ck_assert_int_eq(snapshot_at(b, 1000).window_failures, 0);
    bench_close(b);
}
END_TEST

START_TEST(S7_nothing_old_is_left_after_any_pause)
{
    for (double pause = 1000; pause < 4e9; pause *= 1.37) {
        bench *b = bench_open(SWG_CIRCUIT(.window_ms = 1000, .calls_min = 100, EXACT));
        calls(b, 50, 30, "fail", "closed");
        calls(b, 950, 30, "fail", "closed");
        calls(b, 950 + pause + 100, 1, "ok", "closed");
        ck_assert_int_eq(snapshot_at(b, 950 + pause + 100).window_calls, 1);
        bench_close(b);
    }
}
END_TEST

START_TEST(S8_S9_open_until_then_the_first_caller_probes)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 1, .recovery_ms = 100, .probes = 2, EXACT));
    swg_permit permit;
    PLAY(b, CALL(0, "fail", "open"), {99.999999, "get", "open", 3});
    ck_assert_int_eq(swg_acquire(b->circuit, &permit, at_ms(50)), SWG_REJECTED_OPEN);
    ck_assert_int_eq(permit.retry_ns, at_ms(100));
    PLAY(b, {100, "read", "half_open"}); /* looks so, and nothing has changed: */
    ck_assert_int_eq(snapshot_at(b, 99).state, SWG_OPEN);
    PLAY(b, {100, "get", "yes", 2}, {100, "get", "probing"});
    bench_close(b);
}
END_TEST

START_TEST(S10_no_more_probes_than_configured)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 1, .recovery_ms = 100, .probes = 3, EXACT));
    PLAY(b, CALL(0, "fail", "open"), {100, "get", "yes", 3}, {100, "get", "probing", 3},
         {101, "ign", "half_open"}, {101, "get", "yes"}, {101, "get", "probing"},
         {102, "can", "half_open"}, {102, "get", "yes"}, {102, "get", "probing"},
         {103, "ok", "half_open"}, {103, "get", "probing"}, {104, "ok", "closed"});
    bench_close(b);
}
END_TEST

START_TEST(S11_the_verdict_falls_as_soon_as_it_must)
{
    const swg_circuit_config *config =
        SWG_CIRCUIT(.calls_min = 1, .recovery_ms = 100, .probes = 3, EXACT);
    bench *b = bench_open(config);
    PLAY(b, CALL(0, "fail", "open"), {100, "get", "yes", 3}, {101, "fail", "half_open"},
         {102, "fail", "open"}, {103, "ok", "open"}); /* 2 of 3 is enough; the third is stale */
    ck_assert_int_eq(snapshot_at(b, 103).stale, 1);
    bench_close(b);
    b = bench_open(config);
    PLAY(b, CALL(0, "fail", "open"), {100, "get", "yes", 3}, {101, "fail", "half_open"},
         {102, "ok", "half_open"}, {103, "ok", "closed"}); /* 1 of 3 */
    bench_close(b);
    b = bench_open(&swg_profile_classic);
    PLAY(b, CALL(0, "fail", "closed"), CALL(0, "fail", "closed"), CALL(0, "fail", "closed"),
         CALL(0, "fail", "closed"), CALL(0, "fail", "open"), {4999, "get", "open"},
         {5000, "get", "yes"}, {5000, "get", "probing"}, {5001, "fail", "open"},
         {10000, "get", "open"}, {10001, "get", "yes"}, {10002, "ok", "closed"});
    bench_close(b);
}
END_TEST

START_TEST(S12_a_hung_probe_counts_as_failed)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 1, .recovery_ms = 100, .probes = 1,
                                      .probe_ms = 50, .failure_pct = 50, EXACT));
    PLAY(b, CALL(0, "fail", "open"), {100, "get", "yes"}, {149, "get", "probing"},
         {150, "get", "open"}, {151, "ok", "open"}, {349, "get", "open"}, {350, "get", "yes"},
         {351, "ok", "closed"});
    bench_close(b);
}
END_TEST

START_TEST(S13_waits_double_and_closing_resets)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 1, .recovery_ms = 100, .recovery_ms_max = 350,
                                      .probes = 1, EXACT));
    PLAY(b, CALL(0, "fail", "open"), {100, "get", "yes"}, {100, "fail", "open"},
         {299, "get", "open"}, {300, "get", "yes"}, {300, "fail", "open"}, {649, "get", "open"},
         {650, "get", "yes"}, {650, "fail", "open"}, {999, "get", "open"}, {1000, "get", "yes"},
         {1000, "ok", "closed"}, CALL(1001, "fail", "open"), {1100, "get", "open"},
         {1101, "get", "yes"});
    bench_close(b);
}
END_TEST

START_TEST(S13_jitter_only_adds_and_differs)
{
    int64_t first = 0;
    bool differs = false;
    for (int i = 0; i < 20; i++) {
        bench *b = bench_open(NULL);
        swg_circuit *c;
        char name[16];
        snprintf(name, sizeof(name), "c%d", i % 6);
        ck_assert_int_eq(swg_circuit_open(&c, b->panel, name,
                                          SWG_CIRCUIT(.calls_min = 1, .recovery_ms = 1000,
                                                      .recovery_jitter_pct = 50)),
                         SWG_OK);
        for (int n = 0; n < i; n++) {
            swg_circuit_reset(c, at_ms(0));
        }
        swg_permit p;
        swg_acquire(c, &p, at_ms(0));
        swg_release(c, &p, SWG_FAILURE, at_ms(0));
        ck_assert_int_eq(swg_acquire(c, &p, at_ms(1)), SWG_REJECTED_OPEN);
        ck_assert_int_ge(p.retry_ns, at_ms(1000));
        ck_assert_int_le(p.retry_ns, at_ms(1501));
        first = i == 0 ? p.retry_ns : first;
        differs = differs || p.retry_ns != first;
        bench_close(b);
    }
    ck_assert(differs);
}
END_TEST

static int admitted(bench *b, double from_ms, double to_ms, int n)
{
    int yes = 0;
    for (int i = 0; i < n; i++) {
        swg_permit permit;
        const double ms = from_ms + (to_ms - from_ms) * i / n;
        const swg_verdict verdict = swg_acquire(b->circuit, &permit, at_ms(ms));
        ck_assert(verdict == SWG_PERMITTED || verdict == SWG_REJECTED_RAMP);
        yes += verdict == SWG_PERMITTED;
        swg_release(b->circuit, &permit, SWG_SUCCESS, at_ms(ms));
    }
    return yes;
}

START_TEST(S14_traffic_comes_back_linearly)
{
    bench *b = bench_open(
        SWG_CIRCUIT(.calls_min = 1, .recovery_ms = 100, .probes = 1, .ramp_ms = 1000, EXACT));
    PLAY(b, CALL(0, "fail", "open"), {100, "get", "yes"}, {100, "ok", "closed"});
    ck_assert_int_eq(snapshot_at(b, 600).ramp_pct, 55);
    const int begin = admitted(b, 100, 101, 1000);
    const int middle = admitted(b, 600, 601, 1000);
    const int end = admitted(b, 1090, 1091, 1000);
    ck_assert_msg(begin >= 90 && begin <= 110, "%d of 1000 at the start", begin);
    ck_assert_msg(middle >= 540 && middle <= 560, "%d of 1000 half-way", middle);
    ck_assert_msg(end >= 980 && end <= 1000, "%d of 1000 near the end", end);
    ck_assert_int_eq(admitted(b, 1100, 1200, 1000), 1000);
    bench_close(b);
}
END_TEST

START_TEST(S15_stalled_calls_open_before_they_time_out)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 3, .stall_ms = 200, EXACT));
    PLAY(b, {0, "get", "yes"}, {500, "get", "yes"}, {1000, "get", "yes"}, {1199, "get", "yes"},
         {1199, "late ign", "closed"}, {1398, "get", "yes"}, {1399, "get", "open"});
    ck_assert_int_eq(snapshot_at(b, 1399).transitions[SWG_CAUSE_STALL], 1);
    bench_close(b);
}
END_TEST

START_TEST(S16_late_outcomes_decide_nothing)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 2, .recovery_ms = 100, .probes = 1, EXACT));
    PLAY(b, {0, "get", "yes", 5}, {1, "fail", "closed"}, {1, "fail", "open"}, {2, "ok", "open"},
         {101, "get", "yes"}, {101, "fail", "half_open"}, {102, "late ok", "closed"},
         {103, "fail", "closed"});
    const swg_snapshot s = snapshot_at(b, 103);
    ck_assert_int_eq(s.stale, 3);
    ck_assert_int_eq(s.window_calls, 0);
    ck_assert_int_eq(s.outcomes[SWG_FAILURE], 4);
    ck_assert_int_eq(s.outcomes[SWG_SUCCESS], 2);
    bench_close(b);
}
END_TEST

START_TEST(S17_one_event_a_transition_with_its_evidence)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 4, .recovery_ms = 100, .probes = 1, EXACT));
    swg_event events[8];
    uint64_t cursor = 0;
    PLAY(b, CALL(0, "ok", "closed"), CALL(1, "fail", "closed"), CALL(2, "ok", "closed"),
         CALL(3, "fail", "open"), {103, "get", "yes"}, {104, "ok", "closed"});
    ck_assert_uint_eq(swg_journal_read(b->panel, &cursor, events, 8), 3);
    ck_assert_int_eq(events[0].cause, SWG_CAUSE_FAILURE_RATE);
    ck_assert_int_eq(events[0].from, SWG_CLOSED);
    ck_assert_int_eq(events[0].to, SWG_OPEN);
    ck_assert_uint_eq(events[0].calls, 4);
    ck_assert_uint_eq(events[0].failures, 2);
    ck_assert_uint_eq(events[0].limit, 50);
    ck_assert_int_eq(events[0].at_ns, at_ms(3));
    ck_assert_int_eq(events[0].until_ns, at_ms(103));
    ck_assert_str_eq(events[0].name, "dependency");
    ck_assert_int_eq(events[1].cause, SWG_CAUSE_WAIT_OVER);
    ck_assert_int_eq(events[2].cause, SWG_CAUSE_PROBES_PASSED);
    ck_assert_uint_eq(events[2].epoch, events[0].epoch + 2);
    ck_assert_uint_eq(swg_journal_read(b->panel, &cursor, events, 8), 0);
    bench_close(b);
}
END_TEST

START_TEST(S18_releasing_twice_or_a_rejected_permit_does_nothing)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 2, .inflight_max = 5, EXACT));
    swg_permit p;
    swg_acquire(b->circuit, &p, at_ms(0));
    swg_release(b->circuit, &p, SWG_FAILURE, at_ms(0));
    swg_release(b->circuit, &p, SWG_FAILURE, at_ms(0));
    ck_assert_int_eq(snapshot_at(b, 0).window_calls, 1);
    ck_assert_int_eq(swg_circuit_override(b->circuit, SWG_FORCED_OPEN, at_ms(100), "test"), SWG_OK);
    ck_assert_int_eq(swg_acquire(b->circuit, &p, at_ms(1)), SWG_REJECTED_FORCED);
    swg_release(b->circuit, &p, SWG_FAILURE, at_ms(1));
    ck_assert_int_eq(snapshot_at(b, 1).window_calls, 1);
    ck_assert_int_eq(snapshot_at(b, 1).inflight, 0);
    bench_close(b);
}
END_TEST

START_TEST(S19_a_step_back_is_no_time)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 2, .recovery_ms = 100, .probes = 1, EXACT));
    PLAY(b, CALL(1000, "ok", "closed"), CALL(10, "fail", "open"), {1099, "get", "open"},
         {1100, "get", "yes"}, {500, "ok", "closed"}); /* waited from what was seen, 1000 */
    bench_close(b);
    b = bench_open(SWG_CIRCUIT(.window_ms = 1000, .calls_min = 3, EXACT));
    PLAY(b, CALL(5000, "ok", "closed"), CALL(100, "fail", "closed"), CALL(5001, "fail", "open"));
    bench_close(b);
}
END_TEST

START_TEST(S20_overrides_expire_by_themselves)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 1, .recovery_ms = 100, .probes = 1, EXACT));
    ck_assert_int_eq(swg_circuit_override(b->circuit, SWG_FORCED_OPEN, at_ms(50), "fire"), SWG_OK);
    ck_assert_str_eq(snapshot_at(b, 1).override_reason, "fire");
    PLAY(b, {0, "get", "forced"}, {49.999, "get", "forced"}, {50, "get", "yes"},
         {51, "fail", "open"});
    ck_assert_int_eq(snapshot_at(b, 51).override, SWG_OVERRIDE_NONE);
    ck_assert_int_eq(swg_circuit_override(b->circuit, SWG_FORCED_CLOSED, at_ms(80), NULL), SWG_OK);
    PLAY(b, {60, "get", "yes", 3}, {61, "fail", "open", 3}, {80, "get", "open"});
    ck_assert_int_eq(swg_circuit_override(b->circuit, SWG_DRY_RUN, INT64_MAX, NULL), SWG_OK);
    PLAY(b, {90, "get", "yes", 4}, {91, "ok", "open", 4}, {151, "get", "yes", 2},
         {152, "ok", "closed", 2});
    const swg_snapshot s = snapshot_at(b, 152);
    ck_assert_int_eq(s.would_reject[SWG_REJECTED_OPEN], 4);
    ck_assert_int_eq(s.would_reject[SWG_REJECTED_PROBING], 1);
    ck_assert_int_eq(swg_circuit_override(b->circuit, SWG_OVERRIDE_NONE, 0, NULL), SWG_OK);
    bench_close(b);
}
END_TEST

START_TEST(S21_configuring_keeps_state_and_window)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 20, EXACT));
    calls(b, 0, 4, "fail", "closed");
    ck_assert_int_eq(swg_circuit_configure(b->circuit, SWG_CIRCUIT(.calls_min = 5, EXACT)), SWG_OK);
    ck_assert_int_eq(snapshot_at(b, 0).window_calls, 4);
    calls(b, 1, 1, "ok",
          "open"); /* the next outcome, though a success, is judged by the new limit */
    ck_assert_int_eq(swg_circuit_configure(b->circuit, SWG_CIRCUIT(.window_calls = 50)), SWG_OK);
    ck_assert_int_eq(snapshot_at(b, 1).state, SWG_OPEN);
    bench_close(b);

    b = bench_open(SWG_CIRCUIT(.calls_min = 20, EXACT));
    calls(b, 0, 4, "fail", "closed");
    ck_assert_int_eq(
        swg_circuit_configure(b->circuit, SWG_CIRCUIT(.calls_min = 20, .window_ms = 500, EXACT)),
        SWG_OK);
    ck_assert_int_eq(snapshot_at(b, 0).window_calls, 0);
    bench_close(b);
}
END_TEST

START_TEST(S21_stall_detection_switched_on_with_calls_under_way)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 2, .inflight_max = 5, EXACT));
    PLAY(b, {0, "get", "yes", 3});
    ck_assert_int_eq(
        swg_circuit_configure(
            b->circuit, SWG_CIRCUIT(.calls_min = 2, .inflight_max = 5, .stall_ms = 1000, EXACT)),
        SWG_OK);
    PLAY(b, {90000, "get", "yes"}, {90999, "get", "yes"}, {91000, "get", "open"});
    bench_close(b); /* counted from the first look, not from before it was on */
}
END_TEST

START_TEST(S22_reset_forgets)
{
    bench *b = bench_open(SWG_CIRCUIT(.calls_min = 2, .recovery_ms = 100, .probes = 1, EXACT));
    PLAY(b, {0, "get", "yes", 3}, {0, "fail", "closed"}, {0, "fail", "open"}, {100, "get", "yes"},
         {100, "late fail", "open"});
    const uint64_t epoch = snapshot_at(b, 100).epoch;
    swg_circuit_reset(b->circuit, at_ms(101));
    ck_assert_uint_eq(snapshot_at(b, 101).epoch, epoch + 1);
    PLAY(b, {101, "fail", "closed"}, CALL(102, "fail", "closed"), CALL(103, "fail", "open"),
         {202, "get", "open"}, {203, "get", "yes"}); /* the first wait again */
    bench_close(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("semantics");
    TCase *lines = tcase_create("S");
    tcase_add_test(lines, S1_limits_are_judged_on_every_outcome_success_included);
    tcase_add_test(lines, S1_old_successes_leaving_may_open);
    tcase_add_test(lines, S1_both_windows_agree);
    tcase_add_test(lines, S2_slow_is_strictly_longer);
    tcase_add_test(lines, S3_failures_in_a_row);
    tcase_add_test(lines, S4_ignored_and_cancelled_are_in_no_rate);
    tcase_add_test(lines, S5_rejections_are_no_outcomes);
    tcase_add_test(lines, S6_a_long_call_counts_when_it_ends);
    tcase_add_test(lines, S7_count_window_is_exact);
    tcase_add_test(lines, S7_time_window_holds_nine_tenths_to_all);
    tcase_add_test(lines, S7_nothing_old_is_left_after_any_pause);
    tcase_add_test(lines, S8_S9_open_until_then_the_first_caller_probes);
    tcase_add_test(lines, S10_no_more_probes_than_configured);
    tcase_add_test(lines, S11_the_verdict_falls_as_soon_as_it_must);
    tcase_add_test(lines, S12_a_hung_probe_counts_as_failed);
    tcase_add_test(lines, S13_waits_double_and_closing_resets);
    tcase_add_test(lines, S13_jitter_only_adds_and_differs);
    tcase_add_test(lines, S14_traffic_comes_back_linearly);
    tcase_add_test(lines, S15_stalled_calls_open_before_they_time_out);
    tcase_add_test(lines, S16_late_outcomes_decide_nothing);
    tcase_add_test(lines, S17_one_event_a_transition_with_its_evidence);
    tcase_add_test(lines, S18_releasing_twice_or_a_rejected_permit_does_nothing);
    tcase_add_test(lines, S19_a_step_back_is_no_time);
    tcase_add_test(lines, S20_overrides_expire_by_themselves);
    tcase_add_test(lines, S21_configuring_keeps_state_and_window);
    tcase_add_test(lines, S21_stall_detection_switched_on_with_calls_under_way);
    tcase_add_test(lines, S22_reset_forgets);
    suite_add_tcase(suite, lines);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
