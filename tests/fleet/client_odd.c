/* The client and a Redis that is one, but behaves oddly: what it says is believed, and neither a
 * busy loop nor a result counted for another comes of it. */
#include "alone.h"

#include "fleet/step.h"

static bool is_sent(void)
{
    const char *bytes;
    size_t count;

    swg_fleet_tick(fleet, now);
    swg_fleet_output(fleet, 0, &bytes, &count);
    swg_fleet_sent(fleet, 0, count);
    return count > 0;
}

START_TEST(who_is_sent_in_a_circle_does_not_run_in_it)
{
    ck_assert(is_sent());
    ck_assert_int_eq(feed("-ASK 3999 127.0.0.1:6382\r\n"), SWG_OK);
    swg_fleet_route_once(fleet, 0, 0);
    ck_assert(is_sent()); /* there at once */
    ck_assert_int_eq(feed("+OK\r\n-ASK 3999 127.0.0.1:6381\r\n"), SWG_OK);
    swg_fleet_route_once(fleet, 0, 0);
    ck_assert(!is_sent());
    now += 5000 * MS;
    ck_assert(is_sent());
}
END_TEST

/* A node that has no name for itself means the place where it was asked. */
START_TEST(an_error_is_of_the_link_it_came_by)
{
    const char *bytes;
    size_t count;
    swg_fleet_event e;
    swg_fleet *two;

    ck_assert_int_eq(
        swg_fleet_open(&two, panel, SWG_FLEET(.reporter = 2, .shards = 1, .links = 2), 5, now),
        SWG_OK);
    ck_assert_int_eq(swg_fleet_connected(two, 1, now), SWG_OK);
    ck_assert_int_eq(swg_fleet_route_once(two, 0, 1), SWG_OK);
    swg_fleet_tick(two, now);
    swg_fleet_output(two, 1, &bytes, &count);
    swg_fleet_sent(two, 1, count);
    bytes = "+OK\r\n-MOVED 3999 :6381\r\n";
    ck_assert_int_eq(swg_fleet_feed(two, 1, bytes, strlen(bytes), now), SWG_OK);
    do
        ck_assert(swg_fleet_poll(two, &e));
    while (e.kind != SWG_FLEET_EVENT_MOVED);
    ck_assert_uint_eq(e.link, 1);
    swg_fleet_close(&two);
}
END_TEST

static void send_next(void)
{
    const int64_t limit = now + 10000 * MS;

    while (!is_sent() && now < limit)
        now += 10 * MS;
    ck_assert_int_lt(now, limit);
}

#define MORE(cursor)                                                                               \
    "*9\r\n$16\r\n1790000000000000\r\n" SERVER "$5\r\n50000\r\n$1\r\n2\r\n$1\r\n" cursor           \
    "\r\n$1\r\n1\r\n*0\r\n*0\r\n*0\r\n"

START_TEST(more_of_the_same_is_not_fetched_at_once)
{
    ck_assert(is_sent());
    ck_assert_int_eq(feed(MORE("7")), SWG_OK);
    ck_assert(is_sent());
    ck_assert_int_eq(feed(MORE("7")), SWG_OK);
    ck_assert(!is_sent());
    now += 100 * MS;
    ck_assert(is_sent());
}
END_TEST

/* The wait to connect again doubles from one useless link to the next, and then no more. */
START_TEST(a_link_that_worked_is_not_the_worse_for_those_before)
{
    int64_t at = now, longest = 0;

    for (int i = 0; i < 24; i++) {
        send_next();
        if (i >= 16) { /* answered, and only then silent */
            ck_assert_int_eq(feed(MORE("7")), SWG_OK);
            send_next();
        }
        now += 500 * MS; /* timeout_ms */
        swg_fleet_tick(fleet, now);
        at = swg_fleet_disconnected(fleet, 0, now);
        if (i < 16)
            longest = at - now > longest ? at - now : longest;
        else
            ck_assert_int_le(at - now, 200 * MS);
        now = at;
        ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
    }
    ck_assert_int_gt(longest, 2000 * MS);
}
END_TEST

/* Each part is read and kept; only the whole never comes. */
START_TEST(a_reply_without_end_is_cut_short)
{
    static char part[7 + 7 * 1024] = "*1024\r\n";
    int result = feed("*9\r\n*1024\r\n*1024\r\n");

    for (size_t at = 7; at < sizeof part; at += 7)
        memcpy(part + at, "$1\r\n0\r\n", 7);
    for (size_t fed = 0; result == SWG_OK && fed < 12u << 20; fed += sizeof part)
        result = swg_fleet_feed(fleet, 0, part, sizeof part, now);
    ck_assert_int_eq(result, SWG_EPROTO);
}
END_TEST

#define HALF VIEWS("*8\r\n$2\r\ndb\r\n$1\r\n9\r\n$1\r\n2\r\n$1\r\n0\r\n$2\r\n-1\r\n$1\r\n0\r\n" WHY)
/* Requests are numbered on from the microsecond of the client's beginning. */
#define GRANT(seq)                                                                                 \
    HEAD "$1\r\n0\r\n$1\r\n0\r\n*1\r\n*7\r\n$2\r\ndb\r\n$1\r\n9\r\n$10\r\n100000000" seq           \
         "\r\n$1\r\n1\r\n$6\r\n200000\r\n$1\r\n0\r\n$1\r\n0\r\n*0\r\n*0\r\n"

/* A lease of 200 ms, a tenth of it margin, and a call on it. */
static swg_permit probe(const char *granted)
{
    swg_permit permit;

    swg_fleet_ask(fleet, "db", now);
    ck_assert(is_sent());
    ck_assert_int_eq(feed(granted), SWG_OK);
    ck_assert_int_eq(swg_acquire(circuit, &permit, now), SWG_PERMITTED);
    return permit;
}

static void exchange(void)
{
    swg_fleet_ask(fleet, "db", now);
    ck_assert(is_sent());
    ck_assert_int_eq(feed(GOOD), SWG_OK);
}

START_TEST(what_a_lease_brought_at_its_end_is_not_the_next_ones)
{
    swg_fleet_snapshot s;
    swg_permit permit;

    ck_assert(is_sent());
    ck_assert_int_eq(feed(HALF), SWG_OK);
    permit = probe(GRANT("2"));
    exchange();
    now += 175 * MS;
    swg_release(circuit, &permit, SWG_SUCCESS, now);
    now += 10 * MS; /* nobody looked in time */
    permit = probe(GRANT("4"));
    exchange();
    exchange();
    swg_fleet_read(fleet, &s);
    ck_assert_uint_eq(s.granted, 2);
    ck_assert_uint_eq(s.probes[SWG_STEP_OK], 0); /* it is still under way */
    swg_release(circuit, &permit, SWG_FAILURE, now);
    exchange();
    swg_fleet_read(fleet, &s);
    ck_assert_uint_eq(s.probes[SWG_STEP_FAILED], 1);
}
END_TEST

static bool is_answered(swg_fleet_event *e)
{
    swg_fleet_tick(fleet, now);
    while (swg_fleet_poll(fleet, e)) {
        if (e->kind == SWG_FLEET_EVENT_ORDER)
            return true;
    }
    return false;
}

START_TEST(an_order_nobody_takes_is_given_up)
{
    swg_fleet_event e;
    int number;

    swg_fleet_disconnected(fleet, 0, now);
    number = swg_fleet_order(fleet, "db", SWG_FLEET_FORCED_OPEN, 60000, "me", "test");
    ck_assert(!is_answered(&e));
    ck_assert_int_le(swg_fleet_tick(fleet, now), now + 10000 * MS);
    now += 9999 * MS;
    ck_assert(!is_answered(&e));
    now += MS;
    ck_assert(is_answered(&e));
    ck_assert_int_eq((int)e.value, number);
    ck_assert_int_eq(e.error, SWG_ESYS);
    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
    now += 100 * MS;
    ck_assert(is_sent());
    ck_assert(!is_answered(&e)); /* and not carried out after all */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet client, odd");
    TCase *t = tcase_create("odd");

    tcase_add_checked_fixture(t, start, stop);
    tcase_add_test(t, who_is_sent_in_a_circle_does_not_run_in_it);
    tcase_add_test(t, an_error_is_of_the_link_it_came_by);
    tcase_add_test(t, more_of_the_same_is_not_fetched_at_once);
    tcase_add_test(t, a_link_that_worked_is_not_the_worse_for_those_before);
    tcase_add_test(t, a_reply_without_end_is_cut_short);
    tcase_add_test(t, what_a_lease_brought_at_its_end_is_not_the_next_ones);
    tcase_add_test(t, an_order_nobody_takes_is_given_up);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
