/* Clients and recordings: what is wrong with them is found and named; what only looks odd, as the
 * network and servers that come and go make it, is explained. */
#include "scenario.h"
#include "model.h"
#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- clients ---- */

START_TEST(I8_a_client_that_forgets_what_it_was_told)
{
    trip();
    epoch = state = 0;
    fail_calls("bob", 0);
    expect("I8", 0);
}
END_TEST

START_TEST(I14_an_open_view_given_up_before_its_time)
{
    trip();
    crowd.clock += 50000;
    entry()->remaining = 1000;
    send_as("bob");
    expect("I14", 0);
}
END_TEST

START_TEST(a_sequence_number_said_twice)
{
    fail_calls("ann", 3);
    seqs--;
    fail_calls("ann", 4);
    expect("seq", 0);
}
END_TEST

START_TEST(the_same_bytes_twice_or_late_are_the_network)
{
    static struct swg_step_request late;

    trip();
    entry()->remaining = 320000;
    send_as("bob");
    send_as("bob");
    entry()->remaining = 320000;
    late = crowd.request;
    send_as("bob");
    entry()->remaining = 320000;
    send_as("bob");
    crowd_say(&crowd, "bob", 'b', &late);
    expect_fine(0);
}
END_TEST

/* ---- recordings that only look odd ---- */

START_TEST(lines_out_of_order_are_sorted)
{
    crowd_run(&crowd, 600);
    crowd_sort(&crowd);
    for (size_t i = 0; i + 1 < json_array_size(crowd.lines); i += 2) {
        json_t *line = json_incref(json_array_get(crowd.lines, i));

        json_array_remove(crowd.lines, i);
        json_array_insert_new(crowd.lines, i + 1, line);
    }
    expect_fine(0);
}
END_TEST

/* At the same microsecond, which a clock that was set back makes, only the replies tell the order.
 */
START_TEST(exchanges_at_one_time_are_put_in_order)
{
    json_t *a, *b;
    size_t last;

    begin();
    fail_calls("ann", 20);
    crowd.clock -= 2000;
    epoch = state = 0;
    fail_calls("bob", 20);
    last = json_array_size(crowd.lines) - 1;
    a = json_incref(json_array_get(crowd.lines, last - 1));
    b = json_array_get(crowd.lines, last);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(a, "reply"), 0)),
                     json_string_value(json_array_get(json_object_get(b, "reply"), 0)));
    json_array_remove(crowd.lines, last - 1);
    json_array_append_new(crowd.lines, a);
    expect_fine(0);
}
END_TEST

static void lose_reply(void)
{
    json_object_set_new(last_line(), "answered_ns", json_null());
    json_object_set_new(last_line(), "reply", json_null());
    json_object_set_new(last_line(), "delivered", json_false());
}

START_TEST(a_reply_that_was_lost_is_found_to_have_run)
{
    begin();
    fail_calls("ann", 20);
    fail_calls("bob", 20); /* trips, and nobody hears of it but ann, next */
    lose_reply();
    epoch = state = 0;
    fail_calls("ann", 20);
    expect_fine(0);
    ck_assert_int_eq(report.inserted, 1);
    ck_assert_int_eq(report.transitions, 1);
}
END_TEST

START_TEST(a_request_that_was_lost_need_not_have_run)
{
    struct saved_shard *kept;

    begin();
    fail_calls("ann", 20);
    kept = shard_save(crowd.shard);
    fail_calls("bob", 20);
    lose_reply();
    shard_restore(crowd.shard, kept);
    free(kept);
    epoch = state = 0;
    fail_calls("ann", 20);
    expect_fine(0);
    ck_assert_int_eq(report.inserted, 0);
    ck_assert_int_eq(report.transitions, 0);
}
END_TEST

/* ---- servers that lost something ---- */

static void lose_a_trip(void)
{
    trip();
    crowd_fail_over(&crowd, 1);
    epoch = state = 0;
    fail_calls("cyd", 0); /* is told: closed, no epoch */
}

START_TEST(a_failover_that_lost_a_trip)
{
    lose_a_trip();
    expect("reply", 0);
    expect("reply", ALLOW_FRESH);
    expect_fine(ALLOW_ROLLBACK);
    ck_assert_int_eq(report.went_back, 1);
    ck_assert(report_has(&report, NOTE, "rollback"));
}
END_TEST

START_TEST(a_restart_without_data)
{
    trip();
    crowd_lose_all(&crowd, true);
    epoch = state = 0;
    fail_calls("ann", 0);
    fail_calls("cyd", 0);
    expect("reply", 0);
    expect_fine(ALLOW_FRESH);
    ck_assert_int_eq(report.went_fresh, 1);
    ck_assert(report_has(&report, NOTE, "fresh"));
}
END_TEST

START_TEST(a_flushed_database)
{
    trip();
    crowd_lose_all(&crowd, false);
    epoch = state = 0;
    fail_calls("cyd", 0);
    expect("reply", 0);
    expect_fine(ALLOW_FRESH);
}
END_TEST

/* ---- what is no recording ---- */

static void expect_why(const char *part)
{
    const char *why = judge_why(crowd.lines);

    if (!strstr(why, part))
        ck_abort_msg("'%s' does not say '%s'", why, part);
}

START_TEST(a_line_or_field_that_is_wrong_is_named)
{
    static const char *const fields[] = {"route", "conn", "sent_ns", "answered_ns", "delivered"};
    char part[32];

    fail_calls("ann", 3);
    for (int i = 0; i < 5; i++) {
        json_t *kept = json_incref(json_object_get(last_line(), fields[i]));

        json_object_set_new(last_line(), fields[i], json_pack("[]"));
        snprintf(part, sizeof part, ":1: %s: ", fields[i]);
        expect_why(part);
        json_object_set_new(last_line(), fields[i], kept);
    }
    json_object_set_new(last_line(), "request", json_string("EVALSHA"));
    expect_why(":1: request: ");
    json_array_clear(crowd.lines);
    json_array_append_new(crowd.lines, json_string(""));
    json_array_append_new(crowd.lines, json_string("{\"route\":"));
    expect_why(":2: the line: ");
}
END_TEST

START_TEST(a_script_of_another_build_is_named)
{
    fail_calls("ann", 3);
    json_array_set_new(json_object_get(last_line(), "request"), 1, json_string("0123"));
    expect_why(":1: request: EVALSHA on a shard of a script this build does not know");
}
END_TEST

START_TEST(other_commands_are_of_no_interest)
{
    static const char *const others[] = {
        "{\"route\":\"A\",\"conn\":1,\"sent_ns\":1,\"answered_ns\":2,\"request\":[\"PING\"],"
        "\"reply\":\"PONG\",\"delivered\":true}",
        "{\"route\":\"A\",\"conn\":1,\"request\":[\"EVALSHA\",\"12\",\"1\",\"mine\"]}",
        "{\"request\":null}"};

    fail_calls("ann", 3);
    for (int i = 0; i < 3; i++)
        json_array_append_new(crowd.lines, json_string(others[i]));
    expect_fine(0);
    ck_assert_int_eq(report.exchanges, 1);
}
END_TEST

START_TEST(a_period_that_does_not_end_is_a_warning)
{
    probe();
    expect_fine(0);
    ck_assert(report_has(&report, WARNING, "I5"));
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, I8_a_client_that_forgets_what_it_was_told);
    tcase_add_test(t, I14_an_open_view_given_up_before_its_time);
    tcase_add_test(t, a_sequence_number_said_twice);
    tcase_add_test(t, the_same_bytes_twice_or_late_are_the_network);
    tcase_add_test(t, lines_out_of_order_are_sorted);
    tcase_add_test(t, exchanges_at_one_time_are_put_in_order);
    tcase_add_test(t, a_reply_that_was_lost_is_found_to_have_run);
    tcase_add_test(t, a_request_that_was_lost_need_not_have_run);
    tcase_add_test(t, a_failover_that_lost_a_trip);
    tcase_add_test(t, a_restart_without_data);
    tcase_add_test(t, a_flushed_database);
    tcase_add_test(t, a_line_or_field_that_is_wrong_is_named);
    tcase_add_test(t, a_script_of_another_build_is_named);
    tcase_add_test(t, other_commands_are_of_no_interest);
    tcase_add_test(t, a_period_that_does_not_end_is_a_warning);
}

int main(void)
{
    return run_tests("fleet_check_odd", add);
}
