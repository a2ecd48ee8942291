/* A server that breaks a promise: each is refused, and for the right reason. */
#include "scenario.h"

START_TEST(the_history_as_it_was_is_fine)
{
    int64_t granted = probe();

    result("ann", epoch, granted, 0, SWG_STEP_OK);
    result("ann", epoch, granted, 1, SWG_STEP_OK);
    ck_assert_int_eq(state, SWG_STEP_CLOSED);
    expect_fine(0);
    ck_assert(report.granted == 2 && report.passed == 2 && report.periods == 1);
}
END_TEST

START_TEST(I1_a_permit_too_many)
{
    json_t *reply;

    probe();
    reply = want("bob", 2);
    ck_assert_int_eq(number(json_array_get(rows(reply, 6), 0), 3), 0);
    set_number(json_array_get(rows(reply, 6), 0), 3, 2);
    expect("I1", 0);
}
END_TEST

START_TEST(I2_a_result_counted_twice)
{
    int64_t granted = probe();

    result("ann", epoch, granted, 0, SWG_STEP_OK);
    pretend(result("ann", epoch, granted, 0, SWG_STEP_OK), epoch + 4096, SWG_STEP_CLOSED);
    expect("I2", 0);
}
END_TEST

START_TEST(I3_a_result_of_another_period)
{
    int64_t granted = probe(), old = epoch;

    result("ann", epoch, granted, 0, SWG_STEP_FAILED);
    result("ann", epoch, granted, 1, SWG_STEP_FAILED);
    ck_assert_int_eq(state, SWG_STEP_OPEN);
    crowd.clock += 700000;
    want("bob", 2);
    ck_assert_int_eq(state, SWG_STEP_HALF);
    result("bob", epoch, seqs, 0, SWG_STEP_OK);
    pretend(result("ann", old, granted, 1, SWG_STEP_OK), epoch + 4096, SWG_STEP_CLOSED);
    expect("I3", 0);
}
END_TEST

START_TEST(I4_closed_before_enough_probes_passed)
{
    int64_t granted = probe();

    pretend(result("ann", epoch, granted, 0, SWG_STEP_OK), epoch + 4096, SWG_STEP_CLOSED);
    expect("I4", 0);
}
END_TEST

START_TEST(I4_closed_from_open)
{
    trip();
    crowd.clock += 400000;
    pretend(want("ann", 1), epoch + 4096, SWG_STEP_CLOSED);
    expect("I4", 0);
}
END_TEST

START_TEST(I10_opened_by_one_reporter)
{
    begin();
    pretend(fail_calls("ann", 20), INT64_C(350000000000000), SWG_STEP_OPEN);
    expect("I10", 0);
}
END_TEST

START_TEST(I6_opened_on_evidence_of_another_epoch)
{
    int64_t granted = probe(), old = epoch, now;

    result("ann", epoch, granted, 0, SWG_STEP_OK);
    result("ann", epoch, granted, 1, SWG_STEP_OK);
    ck_assert_int_eq(state, SWG_STEP_CLOSED);
    now = epoch;
    epoch = old;
    fail_calls("bob", 20);
    epoch = now;
    pretend(fail_calls("ann", 20), epoch + 4096, SWG_STEP_OPEN);
    expect("I6", 0);
}
END_TEST

START_TEST(I12_half_open_before_its_time)
{
    trip();
    crowd.clock += 100000;
    pretend(want("ann", 1), epoch + 4096, SWG_STEP_HALF);
    expect("I12", 0);
}
END_TEST

START_TEST(a_state_that_is_another_under_the_same_epoch)
{
    json_t *reply;

    trip();
    epoch = state = 0;
    reply = fail_calls("cyd", 0);
    ck_assert_int_eq(json_array_size(rows(reply, 7)), 1);
    pretend(reply, epoch, SWG_STEP_FORCED);
    expect("epoch", 0);
}
END_TEST

START_TEST(an_epoch_for_two_transitions)
{
    json_t *reply;
    int64_t old;

    trip();
    old = epoch;
    crowd.clock += 400000;
    reply = want("ann", 2);
    ck_assert_int_eq(state, SWG_STEP_HALF);
    set_number(json_array_get(rows(reply, 7), 0), 1, old);
    expect("epoch", 0);
}
END_TEST

START_TEST(an_epoch_before_the_last_one)
{
    json_t *reply;

    trip();
    crowd.clock += 400000;
    reply = want("ann", 2);
    pretend(reply, INT64_C(4096), SWG_STEP_HALF);
    expect("epoch", 0);
}
END_TEST

START_TEST(a_number_that_the_step_function_would_not_say)
{
    set_number(fail_calls("ann", 3), 2, 60000);
    expect("reply", 0);
}
END_TEST

START_TEST(a_refusal_of_a_request_that_is_right)
{
    fail_calls("ann", 3);
    json_object_set_new(last_line(), "reply", json_pack("{ss}", "error", "SWGARG number at 7"));
    expect("reply", 0);
}
END_TEST

START_TEST(an_error_of_no_known_kind)
{
    fail_calls("ann", 3);
    json_object_set_new(last_line(), "reply", json_pack("{ss}", "error", "ERR what is this"));
    expect("reply", 0);
}
END_TEST

START_TEST(a_reply_of_another_shape)
{
    json_array_append_new(fail_calls("ann", 3), json_string("0"));
    expect("reply", 0);
}
END_TEST

START_TEST(a_server_that_takes_what_is_out_of_range)
{
    fail_calls("ann", 3);
    json_array_set_new(json_object_get(last_line(), "request"), 3 + 9 + 6 + 1, json_string("0"));
    expect("request", 0);
}
END_TEST

START_TEST(a_server_that_takes_a_key_of_another_circuit)
{
    fail_calls("ann", 3);
    json_array_set_new(json_object_get(last_line(), "request"), 3 + 5,
                       json_string(CROWD_TAG ":b:stock"));
    expect("request", 0);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, the_history_as_it_was_is_fine);
    tcase_add_test(t, I1_a_permit_too_many);
    tcase_add_test(t, I2_a_result_counted_twice);
    tcase_add_test(t, I3_a_result_of_another_period);
    tcase_add_test(t, I4_closed_before_enough_probes_passed);
    tcase_add_test(t, I4_closed_from_open);
    tcase_add_test(t, I10_opened_by_one_reporter);
    tcase_add_test(t, I6_opened_on_evidence_of_another_epoch);
    tcase_add_test(t, I12_half_open_before_its_time);
    tcase_add_test(t, a_state_that_is_another_under_the_same_epoch);
    tcase_add_test(t, an_epoch_for_two_transitions);
    tcase_add_test(t, an_epoch_before_the_last_one);
    tcase_add_test(t, a_number_that_the_step_function_would_not_say);
    tcase_add_test(t, a_refusal_of_a_request_that_is_right);
    tcase_add_test(t, an_error_of_no_known_kind);
    tcase_add_test(t, a_reply_of_another_shape);
    tcase_add_test(t, a_server_that_takes_what_is_out_of_range);
    tcase_add_test(t, a_server_that_takes_a_key_of_another_circuit);
}

int main(void)
{
    return run_tests("fleet_check_broken", add);
}
