/* Limits that held too long, or not at all. */
#include <check.h>
#include <switchgear/switchgear.h>

#include "core/adapt.h"
#include "core/limiter.h"

#define MS INT64_C(1000000)
#define T0 (INT64_C(1000000) * MS)

static swg_panel *panel;
static swg_circuit *circuit;

static void make(const swg_circuit_config *config)
{
    ck_assert_int_eq(swg_panel_open(&panel, NULL, SWG_PANEL(.circuits = 4, .processes = 4)), 0);
    ck_assert_int_eq(swg_circuit_open(&circuit, panel, "dependency", config), SWG_OK);
}

static int permitted(int calls, int64_t now_ns, swg_outcome outcome)
{
    int count = 0;
    for (int i = 0; i < calls; i++) {
        swg_permit permit;
        if (swg_acquire(circuit, &permit, now_ns) == SWG_PERMITTED) {
            swg_release(circuit, &permit, outcome, now_ns);
            count++;
        }
    }
    return count;
}

/* A call that ends while the configuration changes may meet an adaptive limit without its most. */
START_TEST(an_adaptive_limit_without_a_most_divides_by_nothing)
{
    swg_au64 word = {0};
    swg__adapt_learn(&word, 1, 0, 5, false, T0, T0 + MS);
    swg__adapt_learn(&word, 3, 0, 5, true, T0, T0 + MS);
    ck_assert_uint_eq(swg__adapt_limit(&word, 3, 0), 3);
}
END_TEST

/* What was shed before a reset kept the circuit shut after it. */
START_TEST(a_reset_forgets_what_was_shed)
{
    make(SWG_CIRCUIT(.failure_pct = SWG_NONE, .shed_factor_pct = 110, .calls_min = 20));
    for (int i = 0; i < 3000; i++) {
        permitted(1, T0 + i * MS, SWG_FAILURE);
    }
    swg_circuit_reset(circuit, T0 + 3000 * MS);
    int after = 0;
    for (int i = 0; i < 1000; i++) {
        after += permitted(1, T0 + (3001 + i) * MS, SWG_SUCCESS);
    }
    ck_assert_int_eq(after, 1000);
    swg_panel_close(&panel);
}
END_TEST

/* A burst of 6,000 spent at 10 a second was a debt of ten minutes, whatever the new rate. */
START_TEST(a_new_rate_begins_without_debts)
{
    make(SWG_CIRCUIT(.rate_per_s = 10, .rate_burst = 6000));
    ck_assert_int_eq(permitted(7000, T0, SWG_SUCCESS), 6000);
    swg_circuit_configure(circuit, SWG_CIRCUIT(.rate_per_s = 1000));
    ck_assert_int_eq(permitted(2000, T0 + MS, SWG_SUCCESS), 1000);
    swg_circuit_configure(circuit, SWG_CIRCUIT(.rate_per_s = 1000, .calls_min = 7));
    ck_assert_int_eq(permitted(2000, T0 + MS, SWG_SUCCESS), 0); /* the same rate: the same debts */
    swg_panel_close(&panel);
}
END_TEST

/* A token given back late, when others have been taken, would let two through at once. */
START_TEST(a_token_is_given_back_once)
{
    swg_ai64 tat = {0};
    int64_t first, second, third;
    ck_assert_int_eq(swg__limiter_take(&tat, 10, 1, T0, &first), 0);
    ck_assert_int_eq(swg__limiter_take(&tat, 10, 1, T0 + 100 * MS, &second), 0);
    swg__limiter_give(&tat, 10, first);
    ck_assert_int_gt(swg__limiter_take(&tat, 10, 1, T0 + 100 * MS, &third), 0);
    swg__limiter_give(&tat, 10, second);
    ck_assert_int_eq(swg__limiter_take(&tat, 10, 1, T0 + 100 * MS, &third), 0);
}
END_TEST

/* A call the ramp would have turned away goes in a dry run, and decides nothing. */
START_TEST(a_dry_run_through_a_ramp_decides_nothing)
{
    swg_snapshot s;
    make(SWG_CIRCUIT(.failure_threshold = 3, .failure_pct = SWG_NONE, .probes = 1,
                     .ramp_ms = 100000, .recovery_jitter_pct = SWG_NONE));
    permitted(3, T0, SWG_FAILURE);
    permitted(1, T0 + 5000 * MS, SWG_SUCCESS);
    swg_circuit_override(circuit, SWG_DRY_RUN, INT64_MAX, NULL);
    int failures = 0; /* of calls the ramp let through: two are not enough */
    for (int i = 0; i < 40 && failures < 2; i++) {
        swg_circuit_read(circuit, T0 + 5001 * MS, &s);
        const uint64_t before = s.would_reject[SWG_REJECTED_RAMP];
        permitted(1, T0 + 5001 * MS, SWG_FAILURE);
        swg_circuit_read(circuit, T0 + 5001 * MS, &s);
        failures += s.would_reject[SWG_REJECTED_RAMP] == before;
    }
    ck_assert_int_gt((int)s.would_reject[SWG_REJECTED_RAMP], 2);
    ck_assert_int_eq(s.state, SWG_CLOSED);
    swg_panel_close(&panel);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("regress limits");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, an_adaptive_limit_without_a_most_divides_by_nothing);
    tcase_add_test(tests, a_reset_forgets_what_was_shed);
    tcase_add_test(tests, a_new_rate_begins_without_debts);
    tcase_add_test(tests, a_token_is_given_back_once);
    tcase_add_test(tests, a_dry_run_through_a_ramp_decides_nothing);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
