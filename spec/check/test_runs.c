/* Recordings of honest fleets are in order, whatever the network, the servers and operators did. */
#include "checker.h"
#include "crowd.h"
#include "verdict.h"

#include <check.h>
#include <stdlib.h>

static struct crowd crowd;
static struct report report;

static void open_crowd(void)
{
    const char *seed = getenv("SWG_SEED");

    crowd_open(&crowd, seed ? strtoull(seed, NULL, 10) : 1);
}

static void close_crowd(void)
{
    crowd_close(&crowd);
    report_free(&report);
}

static void reseed(int i)
{
    crowd_close(&crowd);
    crowd_open(&crowd, (uint64_t)i + 1);
}

static void expect_fine(unsigned allow)
{
    crowd_sort(&crowd);
    judge(crowd.lines, allow, &report);
    if (report.count[VIOLATION] > 0)
        report_print(&report, stderr);
    ck_assert_int_eq(report.count[VIOLATION], 0);
}

START_TEST(a_quiet_run_is_in_order)
{
    reseed(_i);
    crowd_run(&crowd, 3000);
    expect_fine(0);
    ck_assert(report.exchanges > 2000 && report.transitions > 20 && report.periods > 5);
    ck_assert(report.granted > 10 && report.passed > 5 && report.failed > 0);
    ck_assert(report.live_most > 0 && report.live_most <= 3);
}
END_TEST

START_TEST(a_run_with_orders_and_refusals_is_in_order)
{
    reseed(_i + 100);
    crowd.order = 60;
    crowd.refuse = 20;
    crowd_run(&crowd, 3000);
    expect_fine(0);
    ck_assert(report.refused > 50);
}
END_TEST

START_TEST(lost_requests_and_replies_are_no_violation)
{
    reseed(_i + 200);
    crowd.lose_request = 30;
    crowd.lose_reply = 30;
    crowd_run(&crowd, 3000);
    expect_fine(0);
    ck_assert(report.silent > 50);
}
END_TEST

START_TEST(requests_that_ran_without_a_reply_are_found)
{
    reseed(_i + 300);
    crowd.silent = 100;
    crowd.lose_request = 100;
    crowd_run(&crowd, 3000);
    expect_fine(0);
}
END_TEST

START_TEST(a_server_that_takes_over_with_everything_needs_no_leave)
{
    reseed(_i + 400);
    for (int i = 0; i < 6; i++) {
        crowd_run(&crowd, 500);
        crowd_fail_over(&crowd, 0);
    }
    crowd_run(&crowd, 500);
    expect_fine(0);
    ck_assert_int_eq(report.servers, 7);
}
END_TEST

START_TEST(failovers_that_lost_exchanges_are_found_where_that_is_allowed)
{
    reseed(_i + 500);
    for (int i = 0; i < 6; i++) {
        crowd_run(&crowd, 500);
        crowd_fail_over(&crowd, 1 + (long)crowd_below(&crowd, 40));
    }
    crowd_run(&crowd, 500);
    expect_fine(ALLOW_ROLLBACK);
    ck_assert(report.went_back > 0 && report.went_back <= 6);
}
END_TEST

START_TEST(everything_at_once_is_in_order)
{
    reseed(_i + 600);
    crowd.silent = 150;
    crowd.lose_request = crowd.refuse = crowd.order = 100;
    crowd.lose_reply = 50;
    for (int i = 0; i < 6; i++) {
        crowd_run(&crowd, 250);
        crowd_fail_over(&crowd, (long)crowd_below(&crowd, 40));
    }
    crowd_run(&crowd, 250);
    expect_fine(ALLOW_ROLLBACK);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fleet_check_runs");
    TCase *t = tcase_create("runs");
    int seeds = getenv("SWG_LONG") ? 40 : 2;

    tcase_set_timeout(t, getenv("SWG_LONG") ? 1200 : 60);
    tcase_add_checked_fixture(t, open_crowd, close_crowd);
    tcase_add_loop_test(t, a_quiet_run_is_in_order, 0, seeds);
    tcase_add_loop_test(t, a_run_with_orders_and_refusals_is_in_order, 0, seeds);
    tcase_add_loop_test(t, lost_requests_and_replies_are_no_violation, 0, seeds);
    tcase_add_loop_test(t, requests_that_ran_without_a_reply_are_found, 0, seeds);
    tcase_add_loop_test(t, a_server_that_takes_over_with_everything_needs_no_leave, 0, seeds);
    tcase_add_loop_test(t, failovers_that_lost_exchanges_are_found_where_that_is_allowed, 0, seeds);
    tcase_add_loop_test(t, everything_at_once_is_in_order, 0, seeds);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
