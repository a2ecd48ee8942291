/* The lab's arithmetic about circuits that are shared: probes by where they arrive, how an instance
 * of a fleet stands, rates over time. */
#include <check.h>
#include <stdlib.h>

#include "../../programs/lab/fleet_event.h"
#include "../../programs/lab/series.h"
#include "../../programs/lab/standing.h"
#include "../../programs/lab/tally.h"

static const int64_t SECOND = 1000000000;
static const swg_state all_closed[STAGE_INSTANCES] = {SWG_CLOSED, SWG_CLOSED, SWG_CLOSED};
static tally t;

static int64_t at(double seconds)
{
    return (int64_t)(seconds * 1e9);
}

static void turn(int instance, double at_s, swg_state from, swg_state to)
{
    const swg_event event = {.at_ns = at(at_s), .from = (uint8_t)from, .to = (uint8_t)to};
    tally_add(&t, instance, &event);
}

static tally_tries count(bool together)
{
    tally_summary s;
    tally_summarize(&t, together, 100 * SECOND, &s);
    return s.tries;
}

/* ---- tries --------------------------------------------------------------------------------- */

START_TEST(calls_are_sorted_by_the_state_of_their_caller)
{
    tally_begin(&t, 1, 10 * SECOND, all_closed);
    tally_arrive(&t, 0, at(10.5)); /* before any is open: nobody's fault */
    turn(0, 11, SWG_CLOSED, SWG_OPEN);
    tally_arrive(&t, 1, at(11.5)); /* wasted */
    turn(1, 12, SWG_CLOSED, SWG_OPEN);
    turn(0, 13, SWG_OPEN, SWG_HALF_OPEN);
    tally_arrive(&t, 0, at(13.1));
    tally_arrive(&t, 0, at(13.2));
    turn(0, 13.5, SWG_HALF_OPEN, SWG_OPEN);
    turn(0, 15, SWG_OPEN, SWG_HALF_OPEN);
    tally_arrive(&t, 0, at(15.1));
    turn(0, 15.2, SWG_HALF_OPEN, SWG_CLOSED);
    t.healed_ns = at(15.15);
    tally_arrive(&t, 0, at(16)); /* the service is well */
    const tally_tries s = count(false);
    ck_assert_uint_eq(s.tries, 2);
    ck_assert_uint_eq(s.probes, 3);
    ck_assert_uint_eq(s.fewest, 1);
    ck_assert_uint_eq(s.most, 2);
    ck_assert_uint_eq(s.flaps, 1);
    ck_assert_uint_eq(s.closed_sick, 0);
    ck_assert_uint_eq(s.wasted, 1);
    ck_assert_int_eq(s.stopped_ns[0], 0);
    ck_assert_int_eq(s.stopped_ns[1], SECOND);
    ck_assert_int_eq(s.stopped_ns[2], -1);
}
END_TEST

/* Instances hear of it one after the other; the period is one. */
START_TEST(a_half_open_period_of_a_fleet_is_one_for_all)
{
    tally_begin(&t, 1, 10 * SECOND, all_closed);
    for (int i = 0; i < STAGE_INSTANCES; i++)
        turn(i, 11 + i * 0.01, SWG_CLOSED, SWG_OPEN);
    for (int i = 0; i < STAGE_INSTANCES; i++)
        turn(i, 13 + i * 0.05, SWG_OPEN, SWG_HALF_OPEN);
    tally_arrive(&t, 2, at(13.2));
    for (int i = 0; i < STAGE_INSTANCES; i++)
        turn(i, 13.3 + i * 0.05, SWG_HALF_OPEN, SWG_CLOSED);
    const tally_tries s = count(true);
    ck_assert_uint_eq(s.tries, 1);
    ck_assert_uint_eq(s.fewest, 1);
    ck_assert_uint_eq(s.most, 1);
    ck_assert_uint_eq(s.closed_sick, 1);
    ck_assert_uint_eq(count(false).tries, 3);
}
END_TEST

/* The fleet closes, and, in the same moment, the own breaker that was still open behind it. */
START_TEST(what_lasts_no_time_is_no_state)
{
    swg_event event = {.at_ns = at(13.3), .sequence = 8, .from = SWG_OPEN, .to = SWG_CLOSED};
    tally_begin(&t, 1, 10 * SECOND, all_closed);
    turn(0, 11, SWG_CLOSED, SWG_OPEN);
    turn(0, 13, SWG_OPEN, SWG_HALF_OPEN);
    tally_add(&t, 0, &event);
    event = (swg_event){.at_ns = at(13.3), .sequence = 7, .from = SWG_HALF_OPEN, .to = SWG_OPEN};
    tally_add(&t, 0, &event);
    const tally_tries s = count(true);
    ck_assert_uint_eq(s.tries, 1);
    ck_assert_uint_eq(s.flaps, 0);
    ck_assert_uint_eq(s.closed_sick, 1);
}
END_TEST

START_TEST(a_period_without_a_probe_counts_as_none)
{
    tally_begin(&t, 1, 10 * SECOND, all_closed);
    turn(TALLY_ALL, 11, SWG_CLOSED, SWG_OPEN);
    turn(TALLY_ALL, 13, SWG_OPEN, SWG_HALF_OPEN);
    turn(TALLY_ALL, 14, SWG_HALF_OPEN, SWG_OPEN);
    ck_assert_uint_eq(count(true).tries, 1);
    ck_assert_uint_eq(count(true).most, 0);
}
END_TEST

/* ---- standing ------------------------------------------------------------------------------ */

static standing s;

static void take(swg_scope scope, int to, double until_s)
{
    standing_take(&s, &(swg_event){.scope = (uint8_t)scope,
                                   .to = (uint8_t)to,
                                   .at_ns = SECOND,
                                   .until_ns = at(until_s)});
}

static swg_state met(double at_s)
{
    int64_t until_ns;
    return standing_state(&s, at(at_s), &until_ns);
}

START_TEST(the_fleet_comes_before_the_own_breaker)
{
    s = (standing){.mode = SWG_FLEET_FLEET};
    take(SWG_SCOPE_HOST, SWG_OPEN, 5);
    ck_assert_int_eq(met(2), SWG_OPEN);
    take(SWG_SCOPE_FLEET, SWG_HALF_OPEN, 0);
    ck_assert_int_eq(met(2), SWG_HALF_OPEN);
    take(SWG_SCOPE_FLEET, SWG_CLOSED, 0);
    ck_assert_int_eq(met(2), SWG_OPEN);
    take(SWG_SCOPE_HOST, SWG_CLOSED, 0);
    ck_assert_int_eq(met(2), SWG_CLOSED);
}
END_TEST

START_TEST(cut_off_an_opening_of_the_fleet_holds_to_its_time)
{
    s = (standing){.mode = SWG_FLEET_FLEET};
    take(SWG_SCOPE_FLEET, SWG_OPEN, 5);
    take(SWG_SCOPE_FLEET_MODE, SWG_FLEET_STALE, 0);
    ck_assert_int_eq(met(6), SWG_OPEN);
    take(SWG_SCOPE_FLEET_MODE, SWG_FLEET_LOCAL, 0);
    ck_assert_int_eq(met(4), SWG_OPEN);
    ck_assert_int_eq(met(6), SWG_CLOSED);
    take(SWG_SCOPE_FLEET, SWG_HALF_OPEN, 0);
    ck_assert_int_eq(met(4), SWG_CLOSED);
}
END_TEST

START_TEST(events_of_every_scope_come_back_from_json)
{
    const swg_event events[] = {
        {.scope = SWG_SCOPE_HOST, .to = SWG_OPEN, .cause = SWG_CAUSE_CONSECUTIVE, .at_ns = 5},
        {.scope = SWG_SCOPE_FLEET, .from = SWG_HALF_OPEN, .to = SWG_CLOSED, .epoch = 7, .at_ns = 6},
        {.scope = SWG_SCOPE_FLEET_MODE,
         .from = SWG_FLEET_LOCAL,
         .to = SWG_FLEET_REJOIN,
         .at_ns = 8}};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        swg_event back;
        json_t *object = fleet_event_json(&events[i]);
        ck_assert(fleet_event_from_json(&back, object));
        ck_assert_int_eq(back.scope, events[i].scope);
        ck_assert_int_eq(back.from, events[i].from);
        ck_assert_int_eq(back.to, events[i].to);
        ck_assert_int_eq(back.at_ns, events[i].at_ns);
        ck_assert_uint_eq(back.epoch, events[i].epoch);
        json_decref(object);
    }
}
END_TEST

/* ---- series -------------------------------------------------------------------------------- */

static series curve;

START_TEST(a_steady_rate_is_steady_to_its_ends)
{
    curve = (series){0};
    for (int i = 0; i <= 50; i++) {
        series_ended(&curve, i * SECOND / 5, (uint64_t[LOAD_CLASSES]){[LOAD_FAILED] = i ? 20 : 0});
        series_arrived(&curve, i * SECOND / 5, (uint64_t)i * 10);
    }
    for (int i = 0; i <= 100; i++) {
        ck_assert_double_eq_tol(series_rate(&curve, LOAD_FAILED, i * SECOND / 10), 100, 0.01);
        ck_assert_double_eq_tol(series_arrival_rate(&curve, i * SECOND / 10), 50, 0.01);
        ck_assert_double_eq(series_rate(&curve, LOAD_ANSWERED, i * SECOND / 10), 0);
    }
}
END_TEST

START_TEST(nothing_reported_is_no_rate)
{
    curve = (series){0};
    ck_assert_double_eq(series_rate(&curve, LOAD_FAILED, SECOND), 0);
    series_arrived(&curve, SECOND, 500);
    ck_assert_double_eq(series_arrival_rate(&curve, SECOND), 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {calls_are_sorted_by_the_state_of_their_caller,
                                  a_half_open_period_of_a_fleet_is_one_for_all,
                                  what_lasts_no_time_is_no_state,
                                  a_period_without_a_probe_counts_as_none,
                                  the_fleet_comes_before_the_own_breaker,
                                  cut_off_an_opening_of_the_fleet_holds_to_its_time,
                                  events_of_every_scope_come_back_from_json,
                                  a_steady_rate_is_steady_to_its_ends,
                                  nothing_reported_is_no_rate};
    TCase *tcase = tcase_create("fleet numbers");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, tests[i]);
    Suite *suite = suite_create("lab_fleet_numbers");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
