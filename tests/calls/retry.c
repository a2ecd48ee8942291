/* Retry: waits follow their formula, and every no has its reason. */
#include <check.h>
#include <stdlib.h>
#include <switchgear/switchgear.h>

#define MS INT64_C(1000000)
#define T0 (INT64_C(1000000) * MS)

static swg_panel *panel;
static swg_circuit *circuit;

static void make(const swg_circuit_config *config)
{
    ck_assert_int_eq(swg_panel_open(&panel, NULL, SWG_PANEL(.circuits = 4, .processes = 4)), 0);
    ck_assert_int_eq(swg_circuit_open(&circuit, panel, "dependency", config), SWG_OK);
}

static void unmake(void)
{
    swg_panel_close(&panel);
}

/* One attempt of this outcome at this time; the wait, or -1 and why. */
static int64_t attempt(swg_retry *retry, swg_outcome outcome, int64_t now_ns)
{
    swg_permit permit;
    int64_t wait_ns;
    if (swg_acquire(circuit, &permit, now_ns) == SWG_PERMITTED) {
        swg_release(circuit, &permit, outcome, now_ns);
    }
    return swg_retry_again(retry, circuit, &permit, outcome, now_ns, &wait_ns) ? wait_ns : -1;
}

typedef struct wait_row {
    swg_jitter jitter;
    int retry;        /* the n-th wait */
    double low, high; /* ms: all waits are within */
    double mean;      /* ms */
} wait_row;

/* delay 100 ms, at most 1 s. */
static const wait_row wait_rows[] = {
    {SWG_JITTER_NONE, 1, 100, 100, 100},
    {SWG_JITTER_NONE, 2, 200, 200, 200},
    {SWG_JITTER_NONE, 4, 800, 800, 800},
    {SWG_JITTER_NONE, 5, 1000, 1000, 1000},
    {SWG_JITTER_FULL, 1, 0, 100, 50},
    {SWG_JITTER_FULL, 3, 0, 400, 200},
    {SWG_JITTER_FULL, 7, 0, 1000, 500},
    {SWG_JITTER_EQUAL, 1, 50, 100, 75},
    {SWG_JITTER_EQUAL, 3, 200, 400, 300},
    {SWG_JITTER_EQUAL, 7, 500, 1000, 750},
    {SWG_JITTER_DECORRELATED, 1, 100, 300, 200},
    {SWG_JITTER_DECORRELATED, 7, 100, 1000, 0},
};

static double nth_wait_ms(swg_jitter jitter, int n, uint64_t seed)
{
    swg_retry retry;
    int64_t wait = 0;
    ck_assert_int_eq(
        swg_retry_begin(&retry,
                        SWG_RETRY(.attempts = 100, .delay_ms = 100, .delay_ms_max = 1000,
                                  .jitter = jitter, .budget_pct = SWG_NONE),
                        seed, T0),
        SWG_OK);
    for (int i = 0; i < n; i++) {
        wait = attempt(&retry, SWG_FAILURE, T0);
        ck_assert_int_ge(wait, 0);
    }
    return (double)wait / MS;
}

START_TEST(waits_follow_their_formula)
{
    const wait_row *row = &wait_rows[_i];
    double sum = 0;
    enum { SEEDS = 2000 };
    make(SWG_CIRCUIT(.failure_pct = SWG_NONE));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        const double wait = nth_wait_ms(row->jitter, row->retry, seed);
        ck_assert_double_ge(wait, row->low);
        ck_assert_double_le(wait, row->high);
        sum += wait;
    }
    if (row->mean > 0) {
        ck_assert_double_eq_tol(sum / SEEDS, row->mean, row->mean * 0.05);
    }
    unmake();
}
END_TEST

START_TEST(attempts_run_out)
{
    swg_retry retry;
    make(NULL);
    swg_retry_begin(&retry, SWG_RETRY(.attempts = 3), 7, T0);
    ck_assert_int_ge(attempt(&retry, SWG_FAILURE, T0), 0);
    ck_assert_int_ge(attempt(&retry, SWG_TIMEOUT, T0), 0);
    ck_assert_int_eq(attempt(&retry, SWG_FAILURE, T0), -1);
    ck_assert_int_eq(retry.end, SWG_RETRY_ATTEMPTS);
    swg_snapshot s;
    swg_circuit_read(circuit, T0, &s);
    ck_assert_int_eq(s.retries, 2);
    ck_assert_int_eq(s.retries_denied[SWG_RETRY_ATTEMPTS], 1);
    unmake();
}
END_TEST

START_TEST(what_needs_no_retry_gets_none)
{
    const swg_outcome ends[] = {SWG_SUCCESS, SWG_IGNORED, SWG_CANCELLED};
    swg_retry retry;
    make(NULL);
    for (int i = 0; i < 3; i++) {
        swg_retry_begin(&retry, NULL, 7, T0);
        ck_assert_int_eq(attempt(&retry, ends[i], T0), -1);
        ck_assert_int_eq(retry.end, SWG_RETRY_DONE);
    }
    swg_retry_begin(&retry, NULL, 7, T0);
    swg_retry_stop(&retry);
    ck_assert_int_eq(attempt(&retry, SWG_FAILURE, T0), -1);
    ck_assert_int_eq(retry.end, SWG_RETRY_FINAL);

    swg_retry_begin(&retry, NULL, 7, T0);
    ck_assert_int_ge(attempt(&retry, SWG_FAILURE, T0), 0);
    ck_assert_int_eq(attempt(&retry, SWG_SUCCESS, T0), -1);
    swg_snapshot s;
    swg_circuit_read(circuit, T0, &s);
    ck_assert_int_eq(s.retries_recovered, 1);
    unmake();
}
END_TEST

START_TEST(no_attempt_begins_after_the_deadline)
{
    swg_retry retry;
    make(NULL);
    const swg_retry_config *config =
        SWG_RETRY(.attempts = 9, .delay_ms = 100, .jitter = SWG_JITTER_NONE, .deadline_ms = 1000);
    swg_retry_begin(&retry, config, 7, T0);
    ck_assert_int_eq(retry.deadline_ns, T0 + 1000 * MS);
    ck_assert_int_eq(attempt(&retry, SWG_FAILURE, T0), 100 * MS);
    ck_assert_int_eq(attempt(&retry, SWG_FAILURE, T0 + 799 * MS), 200 * MS);
    ck_assert_int_eq(attempt(&retry, SWG_FAILURE, T0 + 999 * MS), -1);
    ck_assert_int_eq(retry.end, SWG_RETRY_DEADLINE);
    unmake();
}
END_TEST

START_TEST(the_server_may_ask_for_time)
{
    swg_retry retry;
    make(NULL);
    swg_retry_begin(&retry, SWG_RETRY(.after_ms_max = 5000, .jitter = SWG_JITTER_NONE), 7, T0);
    swg_retry_after(&retry, 3000 * MS);
    swg_retry_after(&retry, 1000 * MS); /* the longest counts */
    ck_assert_int_eq(attempt(&retry, SWG_FAILURE, T0), 3000 * MS);
    ck_assert_int_eq(attempt(&retry, SWG_FAILURE, T0), 200 * MS); /* once */

    swg_retry_begin(&retry, SWG_RETRY(.after_ms_max = 5000), 7, T0);
    swg_retry_after(&retry, 5001 * MS);
    ck_assert_int_eq(attempt(&retry, SWG_FAILURE, T0), -1);
    ck_assert_int_eq(retry.end, SWG_RETRY_DEADLINE);
    unmake();
}
END_TEST

/* An open circuit ends it, whether it rejected this call or opened on its failure. */
START_TEST(not_while_the_circuit_is_open)
{
    swg_retry retry;
    make(SWG_CIRCUIT(.failure_threshold = 2, .failure_pct = SWG_NONE, .ramp_ms = 1000,
                     .recovery_jitter_pct = SWG_NONE, .probes = 1));
    swg_retry_begin(&retry, NULL, 7, T0);
    ck_assert_int_ge(attempt(&retry, SWG_FAILURE, T0), 0);
    ck_assert_int_eq(attempt(&retry, SWG_FAILURE, T0), -1); /* the second opened it */
    ck_assert_int_eq(retry.end, SWG_RETRY_CIRCUIT);
    swg_retry_begin(&retry, NULL, 7, T0);
    ck_assert_int_eq(attempt(&retry, SWG_FAILURE, T0), -1); /* rejected */
    ck_assert_int_eq(retry.end, SWG_RETRY_CIRCUIT);

    swg_retry_begin(&retry, NULL, 7, T0);
    ck_assert_int_eq(attempt(&retry, SWG_SUCCESS, T0 + 5000 * MS), -1); /* the probe closes it */
    swg_permit permit;
    int64_t wait;
    swg_retry_begin(&retry, NULL, 7, T0);
    while (swg_acquire(circuit, &permit, T0 + 5001 * MS) != SWG_PERMITTED) {
        ck_assert_int_eq(permit.verdict, SWG_REJECTED_RAMP);
    }
    swg_release(circuit, &permit, SWG_FAILURE, T0 + 5001 * MS);
    ck_assert(!swg_retry_again(&retry, circuit, &permit, SWG_FAILURE, T0 + 5001 * MS, &wait));
    ck_assert_int_eq(retry.end, SWG_RETRY_CIRCUIT); /* not in a ramp either */
    unmake();
}
END_TEST

START_TEST(an_operator_rules_over_it)
{
    swg_retry retry;
    make(SWG_CIRCUIT(.failure_threshold = 1, .failure_pct = SWG_NONE));
    swg_circuit_override(circuit, SWG_FORCED_CLOSED, INT64_MAX, "drill");
    swg_retry_begin(&retry, NULL, 7, T0);
    ck_assert_int_ge(attempt(&retry, SWG_FAILURE, T0), 0); /* the machine is open, the call goes */
    swg_circuit_override(circuit, SWG_FORCED_OPEN, INT64_MAX, "drill");
    swg_retry_begin(&retry, NULL, 7, T0);
    ck_assert_int_eq(attempt(&retry, SWG_FAILURE, T0), -1);
    ck_assert_int_eq(retry.end, SWG_RETRY_CIRCUIT);
    unmake();
}
END_TEST

/* Rejected by rate or bulkhead: it waits its turn, and costs no budget. */
START_TEST(rejected_calls_wait_their_turn)
{
    swg_retry retry;
    make(SWG_CIRCUIT(.rate_per_s = 1, .inflight_max = 1));
    swg_retry_begin(&retry, SWG_RETRY(.delay_ms = 1, .jitter = SWG_JITTER_NONE), 7, T0);
    ck_assert_int_eq(attempt(&retry, SWG_SUCCESS, T0), -1);
    swg_retry_begin(&retry, SWG_RETRY(.delay_ms = 1, .jitter = SWG_JITTER_NONE), 7, T0);
    ck_assert_int_eq(attempt(&retry, SWG_CANCELLED, T0), 1000 * MS);
    swg_snapshot s;
    swg_circuit_read(circuit, T0, &s);
    ck_assert_int_eq(s.retries, 0);
    unmake();
}
END_TEST

START_TEST(hedges_are_one_an_attempt_and_cost_the_budget)
{
    swg_retry retry;
    make(NULL);
    swg_retry_begin(&retry, SWG_RETRY(.hedge_ms = 50, .budget_min = 2), 7, T0);
    ck_assert_int_eq(swg_hedge_wait_ns(&retry, circuit), 50 * MS);
    ck_assert(swg_hedge_begin(&retry, circuit, T0));
    ck_assert(!swg_hedge_begin(&retry, circuit, T0));
    ck_assert_int_ge(attempt(&retry, SWG_FAILURE, T0), 0); /* the budget's second */
    ck_assert(!swg_hedge_begin(&retry, circuit, T0));      /* and it is empty */
    swg_snapshot s;
    swg_circuit_read(circuit, T0, &s);
    ck_assert_int_eq(s.retries, 2);
    ck_assert_int_eq(s.retries_denied[SWG_RETRY_BUDGET], 1);

    swg_retry_begin(&retry, NULL, 7, T0);
    ck_assert_int_eq(swg_hedge_wait_ns(&retry, circuit), -1);
    unmake();
}
END_TEST

/* Latencies uniform in [0, 100 ms): the 90th percentile is 90 ms, and follows when they change. */
START_TEST(the_quantile_follows_the_latency)
{
    swg_retry retry;
    make(NULL);
    swg_retry_begin(&retry, SWG_RETRY(.hedge_pct = 90), 7, T0);
    ck_assert_int_eq(swg_hedge_wait_ns(&retry, circuit), -1); /* nothing is known */
    const unsigned seed = (unsigned)_i + 1;
    srandom(seed);
    for (int scale = 1; scale <= 4; scale += 3) {
        double sum = 0;
        for (int i = 0; i < 6000; i++) {
            swg_hedge_learn(&retry, circuit, random() % (scale * 100 * MS));
            sum += i >= 2000 ? (double)swg_hedge_wait_ns(&retry, circuit) / MS / 4000 : 0;
        }
        ck_assert_msg(sum > scale * 80 && sum < scale * 97, "seed %u: %g ms", seed, sum);
    }
    unmake();
}
END_TEST

typedef struct bad_row {
    swg_retry_config config;
    int result;
    const char *field;
} bad_row;

static const bad_row bad_rows[] = {
    {{.size = 2}, SWG_EINVAL, "size"},
    {{.size = sizeof(swg_retry_config), .attempts = 101}, SWG_EINVAL, "attempts"},
    {{.size = sizeof(swg_retry_config), .jitter = 4}, SWG_EINVAL, "jitter"},
    {{.size = sizeof(swg_retry_config), .hedge_pct = 100}, SWG_EINVAL, "hedge_pct"},
    {{.size = sizeof(swg_retry_config), .delay_ms = 50, .delay_ms_max = 49},
     SWG_EINVAL,
     "delay_ms_max"},
    {{.size = sizeof(swg_retry_config), .delay_ms = 5000}, SWG_OK, ""},
};

START_TEST(mistakes_are_named)
{
    const bad_row *row = &bad_rows[_i];
    const char *field, *reason;
    swg_retry retry;
    ck_assert_int_eq(swg_retry_check(&row->config, &field, &reason), row->result);
    ck_assert_str_eq(field, row->field);
    ck_assert_int_eq(*reason == '\0', row->result == SWG_OK);
    ck_assert_int_eq(swg_retry_begin(&retry, &row->config, 1, T0), row->result);
    ck_assert_int_eq(retry.attempts_max, row->result == SWG_OK ? 3 : 1);
}
END_TEST

START_TEST(fields_are_set_from_text)
{
    swg_retry_config config = {.size = sizeof(config)};
    ck_assert_int_eq(swg_retry_set(&config, "delay", "2s"), SWG_OK);
    ck_assert_int_eq(config.delay_ms, 2000);
    ck_assert_int_eq(swg_retry_set(&config, "budget_pct", "30%"), SWG_OK);
    ck_assert_int_eq(config.budget_pct, 30);
    ck_assert_int_eq(swg_retry_set(&config, "jitter", "decorrelated"), SWG_OK);
    ck_assert_int_eq(config.jitter, SWG_JITTER_DECORRELATED);
    ck_assert_int_eq(swg_retry_set(&config, "jitter", "none"), SWG_OK);
    ck_assert_int_eq(config.jitter, SWG_JITTER_NONE);
    ck_assert_int_eq(swg_retry_set(&config, "jitter", "some"), SWG_EINVAL);
    ck_assert_int_eq(swg_retry_set(&config, "atempts", "3"), SWG_ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("retry");
    TCase *tests = tcase_create("all");
    tcase_add_loop_test(tests, waits_follow_their_formula, 0,
                        sizeof(wait_rows) / sizeof(wait_rows[0]));
    tcase_add_test(tests, attempts_run_out);
    tcase_add_test(tests, what_needs_no_retry_gets_none);
    tcase_add_test(tests, no_attempt_begins_after_the_deadline);
    tcase_add_test(tests, the_server_may_ask_for_time);
    tcase_add_test(tests, not_while_the_circuit_is_open);
    tcase_add_test(tests, an_operator_rules_over_it);
    tcase_add_test(tests, rejected_calls_wait_their_turn);
    tcase_add_test(tests, hedges_are_one_an_attempt_and_cost_the_budget);
    tcase_add_loop_test(tests, the_quantile_follows_the_latency, 0, 5);
    tcase_add_loop_test(tests, mistakes_are_named, 0, sizeof(bad_rows) / sizeof(bad_rows[0]));
    tcase_add_test(tests, fields_are_set_from_text);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
