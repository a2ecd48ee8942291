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
    swg_panel *other;
    swg_fleet *two;

    ck_assert_int_eq(swg_panel_open(&other, NULL, NULL), SWG_OK);
    ck_assert_int_eq(
        swg_fleet_open(&two, other, SWG_FLEET(.reporter = 2, .shards = 1, .links = 2), 5, now),
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
    swg_panel_close(&other);
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

static void ask(void)
{
    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
    now += 100 * MS;
    ck_assert(is_sent());
}

/* How long until a link that broke is to be tried again. */
static int64_t wait_after_end(void)
{
    return swg_fleet_disconnected(fleet, 0, now) - now;
}

/* The same, of one that was asked and is silent. */
static int64_t wait_after_silence(void)
{
    ask();
    now += 500 * MS;
    swg_fleet_tick(fleet, now);
    return wait_after_end();
}

/* However long it was dead, its return is not missed; and it is not asked in a loop. */
START_TEST(where_nobody_is_it_asks_again_within_a_second)
{
    const int64_t before = now;
    enum { TRIES = 10000 };

    for (int i = 0; i < TRIES; i++) {
        if (i % 4 == 0) /* a proxy takes it for a server that is not there */
            ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), i ? SWG_OK : SWG_EINVAL);
        const int64_t wait = wait_after_end();
        ck_assert_int_ge(wait, 0);
        ck_assert_int_lt(wait, 1000 * MS);
        now += wait;
    }
    ck_assert_int_gt(now - before, TRIES * 450 * MS);
}
END_TEST

/* However often a proxy hung up on it: what comes after is asked at once. */
START_TEST(a_link_that_is_there_again_is_used_at_once)
{
    for (int i = 0; i < 20; i++) {
        now += wait_after_end();
        ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
        ck_assert(is_sent());
    }
    ck_assert_int_eq(feed(GOOD), SWG_OK);
    ck_assert(!is_sent());
}
END_TEST

START_TEST(who_takes_connections_and_is_silent_is_asked_ever_more_rarely)
{
    int64_t least = 100 * MS;

    wait_after_end();
    for (int i = 0; i < 12; i++) {
        const int64_t wait = wait_after_silence();
        ck_assert_int_ge(wait, least);
        ck_assert_int_le(wait, 2 * least);
        least = 2 * least < 2500 * MS ? 2 * least : 2500 * MS;
        if (i % 3 == 0) /* a try that nobody took shows nothing about that */
            ck_assert_int_lt(wait_after_end(), 1000 * MS);
    }
    ck_assert_int_eq(least, 2500 * MS);
    ask();
    ck_assert_int_eq(feed(GOOD), SWG_OK);
    ck_assert_int_lt(wait_after_end(), 1000 * MS);
    ck_assert_int_le(wait_after_silence(), 200 * MS); /* the first of others */
}
END_TEST

/* What a new master meets when it takes over from one that all were connected to. */
START_TEST(hosts_that_lost_it_together_come_back_apart)
{
    enum { HOSTS = 500, SLOTS = 10 };
    int come[SLOTS] = {0};

    for (uint64_t seed = 0; seed < HOSTS; seed++) {
        swg_fleet_close(&fleet);
        ck_assert_int_eq(
            swg_fleet_open(&fleet, panel, SWG_FLEET(.reporter = seed + 1, .shards = 1), seed, now),
            SWG_OK);
        ask();
        ck_assert_int_eq(feed(GOOD), SWG_OK);
        const int64_t wait = wait_after_end();
        ck_assert_int_lt(wait, 1000 * MS);
        come[wait * SLOTS / (1000 * MS)]++;
    }
    for (int i = 0; i < SLOTS; i++)
        ck_assert_int_lt(come[i], 2 * HOSTS / SLOTS);
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
    tcase_add_test(t, where_nobody_is_it_asks_again_within_a_second);
    tcase_add_test(t, a_link_that_is_there_again_is_used_at_once);
    tcase_add_test(t, who_takes_connections_and_is_silent_is_asked_ever_more_rarely);
    tcase_add_test(t, hosts_that_lost_it_together_come_back_apart);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
