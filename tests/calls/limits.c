/* Limits that hold: the rate on every interval, the in-flight limit that finds itself, shedding. */
#include <check.h>
#include <stdlib.h>
#include <switchgear/switchgear.h>

#include "core/shed.h"

#define MS INT64_C(1000000)
#define T0 (INT64_C(1000000) * MS)

static swg_panel *panel;
static swg_circuit *circuit;

static void make(const swg_circuit_config *config)
{
    ck_assert_int_eq(swg_panel_open(&panel, NULL, SWG_PANEL(.circuits = 4, .processes = 4)), 0);
    ck_assert_int_eq(swg_circuit_open(&circuit, panel, "dependency", config), SWG_OK);
}

static swg_snapshot look(int64_t now_ns)
{
    swg_snapshot s;
    ck_assert_int_eq(swg_circuit_read(circuit, now_ns, &s), SWG_OK);
    return s;
}

/* ---- rate -------------------------------------------------------------------------------- */

START_TEST(rate_holds_on_every_interval)
{
    enum { CALLS = 500 };
    static int64_t admitted[CALLS];
    const unsigned seed = (unsigned)_i + 1;
    srandom(seed);
    const uint32_t rate = 1 + (uint32_t)(random() % 2000), burst = 1 + (uint32_t)(random() % 50);
    make(SWG_CIRCUIT(.rate_per_s = rate, .rate_burst = burst));
    int64_t now = T0;
    int count = 0;
    for (int i = 0; i < CALLS; i++) {
        swg_permit permit;
        now += random() % 3 == 0 ? random() % (2 * 1000 * MS / rate) : 0;
        if (swg_acquire(circuit, &permit, now) == SWG_PERMITTED) {
            admitted[count++] = now;
        }
    }
    for (int i = 0; i < count; i++) {
        for (int j = i; j < count; j++) {
            const double most = (double)(admitted[j] - admitted[i]) * rate / 1e9 + burst;
            ck_assert_msg(j - i + 1 <= most, "seed %u: %d calls, at most %g", seed, j - i + 1,
                          most);
        }
    }
    ck_assert_int_ge(count, (int)burst);
    swg_panel_close(&panel);
}
END_TEST

/* ---- the in-flight limit that finds itself ------------------------------------------------ */

/* n calls at once that take so long. */
static void wave(int n, int64_t at_ns, int64_t took_ns, swg_outcome outcome)
{
    swg_permit permits[256];
    int got = 0;
    for (int i = 0; i < n; i++) {
        got += swg_acquire(circuit, &permits[got], at_ns) == SWG_PERMITTED;
    }
    for (int i = 0; i < got; i++) {
        swg_release(circuit, &permits[i], outcome, at_ns + took_ns);
    }
}

START_TEST(the_limit_follows_latency)
{
    make(SWG_CIRCUIT(.inflight_max = 100, .inflight_min = 4, .inflight_ms = 50,
                     .failure_pct = SWG_NONE));
    ck_assert_int_eq(look(T0).inflight_limit, 20); /* where it begins */
    wave(1, T0, 10 * MS, SWG_SUCCESS);
    ck_assert_int_eq(look(T0).inflight_limit, 20); /* not in use: nothing is learned */
    wave(100, T0, 10 * MS, SWG_SUCCESS);           /* 20 go, the first half of them teach */
    ck_assert_int_eq(look(T0).inflight_limit, 20);
    wave(100, T0 + 20 * MS, 10 * MS, SWG_SUCCESS);
    ck_assert_int_eq(look(T0).inflight_limit, 21); /* one more a round or two */

    wave(100, T0 + 100 * MS, 51 * MS, SWG_SUCCESS); /* all late: one decrease, not twenty */
    const uint32_t cut = look(T0).inflight_limit;
    ck_assert_int_eq(cut, 18);
    wave(100, T0 + 200 * MS, 1 * MS, SWG_FAILURE); /* quick failures say nothing about load */
    ck_assert_int_eq(look(T0).inflight_limit, cut);
    wave(100, T0 + 300 * MS, 1 * MS, SWG_TIMEOUT); /* a timeout does */
    ck_assert_int_eq(look(T0).inflight_limit, 17);
    for (int i = 0; i < 100; i++) {
        wave(100, T0 + (400 + 100 * i) * MS, 60 * MS, SWG_SUCCESS);
    }
    ck_assert_int_eq(look(T0).inflight_limit, 4); /* inflight_min */
    for (int i = 0; i < 1000; i++) {
        wave(200, T0 + (20000 + 10 * i) * MS, 5 * MS, SWG_SUCCESS);
    }
    ck_assert_int_eq(look(T0).inflight_limit, 100); /* inflight_max */
    swg_panel_close(&panel);
}
END_TEST

/* A dependency that serves 10 calls at 10 ms and queues the rest: the limit settles near the knee,
 * 5 times that at 50 ms, without being told. */
START_TEST(the_limit_finds_the_knee)
{
    make(SWG_CIRCUIT(.inflight_max = 1000, .inflight_ms = 50, .failure_pct = SWG_NONE));
    int64_t now = T0;
    double sum = 0;
    for (int round = 0; round < 2000; round++) {
        const uint32_t limit = look(now).inflight_limit;
        const int64_t took = 10 * MS * (int64_t)limit / 10;
        wave((int)limit > 256 ? 256 : (int)limit, now, took, SWG_SUCCESS);
        now += took;
        sum += round >= 1000 ? limit / 1000.0 : 0;
    }
    ck_assert_double_gt(sum, 40);
    ck_assert_double_lt(sum, 52);
    swg_panel_close(&panel);
}
END_TEST

/* ---- shedding ----------------------------------------------------------------------------- */

typedef struct share_row {
    uint64_t requests, accepts;
    uint32_t factor_pct;
    double share;
} share_row;

static const share_row share_rows[] = {
    {0, 0, 200, 0},       {100, 100, 200, 0},      {100, 50, 200, 0}, {100, 25, 200, 0.495},
    {100, 0, 200, 0.990}, {1000, 100, 110, 0.889}, {9, 3, 300, 0},    {9, 3, 100, 0.6},
};

START_TEST(the_share_is_the_formulas)
{
    const share_row *row = &share_rows[_i];
    const double share =
        (double)swg__shed_share(row->requests, row->accepts, row->factor_pct) / SWG__SHED_ALL;
    ck_assert_double_eq_tol(share, row->share, 0.001);
}
END_TEST

/* 200 calls a second for a dependency that does 50. Shedding: what it can do gets done, and it is
 * asked for about twice that. */
static void half_working(const swg_circuit_config *config, double *good, double *asked)
{
    enum { PER_S = 200, CAPACITY = 50, SECONDS = 60 };
    long served = 0, sent = 0, in_second = 0;
    make(config);
    for (int i = 0; i < PER_S * SECONDS; i++) {
        const int64_t now = T0 + (int64_t)i * 1000 * MS / PER_S;
        swg_permit permit;
        in_second = i % PER_S == 0 ? 0 : in_second;
        if (swg_acquire(circuit, &permit, now) != SWG_PERMITTED) {
            continue;
        }
        const bool serves = in_second++ < CAPACITY;
        swg_release(circuit, &permit, serves ? SWG_SUCCESS : SWG_FAILURE, now);
        served += serves && i >= PER_S * 20;
        sent += i >= PER_S * 20;
    }
    *good = (double)served / (SECONDS - 20);
    *asked = (double)sent / (SECONDS - 20);
}

START_TEST(shedding_keeps_the_goodput_that_opening_loses)
{
    double good, asked;
    half_working(SWG_CIRCUIT(.failure_pct = SWG_NONE, .shed_factor_pct = 200), &good, &asked);
    ck_assert_double_gt(good, 48);
    ck_assert_double_lt(asked, 130);
    ck_assert_double_gt(asked, 80);
    const swg_snapshot s = look(T0 + 60 * 1000 * MS);
    ck_assert_int_gt(s.shed_pct, 30);
    ck_assert_int_lt(s.shed_pct, 65);
    ck_assert_int_gt(s.rejected[SWG_REJECTED_SHED], 4000);
    swg_panel_close(&panel);

    half_working(SWG_CIRCUIT(.failure_pct = 50), &good, &asked);
    ck_assert_double_lt(good, 25); /* hard opening */
    swg_panel_close(&panel);
}
END_TEST

START_TEST(shedding_ends_when_the_dependency_is_well)
{
    make(SWG_CIRCUIT(.failure_pct = SWG_NONE, .shed_factor_pct = 200, .window_ms = 1000));
    swg_permit permit;
    for (int i = 0; i < 1000; i++) {
        if (swg_acquire(circuit, &permit, T0 + i * MS) == SWG_PERMITTED) {
            swg_release(circuit, &permit, SWG_FAILURE, T0 + i * MS);
        }
    }
    ck_assert_int_gt(look(T0 + 1000 * MS).shed_pct, 90);
    int last_second = 0;
    for (int i = 1000; i < 15000; i++) {
        const bool goes = swg_acquire(circuit, &permit, T0 + i * MS) == SWG_PERMITTED;
        if (goes) {
            swg_release(circuit, &permit, SWG_SUCCESS, T0 + i * MS);
        }
        last_second += goes && i >= 14000;
    }
    ck_assert_int_eq(last_second, 1000);
    ck_assert_int_eq(look(T0 + 15000 * MS).shed_pct, 0);
    swg_panel_close(&panel);
}
END_TEST

/* Not before calls_min, not the probes; counted and let go in a dry run. */
START_TEST(shedding_knows_its_place)
{
    swg_permit permit;
    make(SWG_CIRCUIT(.failure_pct = SWG_NONE, .shed_factor_pct = 100, .calls_min = 50));
    for (int i = 0; i < 49; i++) {
        ck_assert_int_eq(swg_acquire(circuit, &permit, T0 + i * MS), SWG_PERMITTED);
        swg_release(circuit, &permit, SWG_FAILURE, T0 + i * MS);
    }
    ck_assert_int_eq(look(T0 + 49 * MS).shed_pct, 0);
    swg_circuit_override(circuit, SWG_DRY_RUN, INT64_MAX, NULL);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(swg_acquire(circuit, &permit, T0 + (200 + 10 * i) * MS), SWG_PERMITTED);
        swg_release(circuit, &permit, SWG_FAILURE, T0 + (200 + 10 * i) * MS);
    }
    const swg_snapshot s = look(T0 + 1200 * MS);
    ck_assert_int_eq(s.rejected[SWG_REJECTED_SHED], 0);
    ck_assert_int_gt(s.would_reject[SWG_REJECTED_SHED], 50);
    swg_panel_close(&panel);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limits");
    TCase *tests = tcase_create("all");
    tcase_add_loop_test(tests, rate_holds_on_every_interval, 0, 40);
    tcase_add_test(tests, the_limit_follows_latency);
    tcase_add_test(tests, the_limit_finds_the_knee);
    tcase_add_loop_test(tests, the_share_is_the_formulas, 0,
                        sizeof(share_rows) / sizeof(share_rows[0]));
    tcase_add_test(tests, shedding_keeps_the_goodput_that_opening_loses);
    tcase_add_test(tests, shedding_ends_when_the_dependency_is_well);
    tcase_add_test(tests, shedding_knows_its_place);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
