/* What a client tells who carries and who operates it: what must be acted upon is never lost, and
 * a command of the link's own that is refused is named; where it may not work it does not. */
#include "alone.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

static bool no_memory;

int __real_redisFormatCommandArgv(char **target, int argc, const char **argv,
                                  const size_t *lengths);
int __wrap_redisFormatCommandArgv(char **target, int argc, const char **argv,
                                  const size_t *lengths);

int __wrap_redisFormatCommandArgv(char **target, int argc, const char **argv, const size_t *lengths)
{
    return no_memory ? -1 : __real_redisFormatCommandArgv(target, argc, argv, lengths);
}

/* ---- a client of another configuration ---- */

static void open_other(const swg_fleet_config *config)
{
    swg_fleet_config mine = *config;

    mine.size = sizeof mine;
    mine.reporter = 1;
    swg_fleet_close(&fleet);
    ck_assert_int_eq(swg_fleet_open(&fleet, panel, &mine, 5, now), SWG_OK);
}

/* What is sent on a link, at its beginning; "" for nothing. */
static const char *sent(uint32_t link)
{
    static char text[4096];
    const char *bytes;
    size_t count;

    swg_fleet_tick(fleet, now);
    swg_fleet_output(fleet, link, &bytes, &count);
    snprintf(text, sizeof text, "%.*s", (int)count, count ? bytes : "");
    swg_fleet_sent(fleet, link, count);
    return text;
}

static int feed_link(uint32_t link, const char *text)
{
    return swg_fleet_feed(fleet, link, text, strlen(text), now);
}

/* The next event of this kind. */
static bool polled(uint32_t kind, swg_fleet_event *e)
{
    while (swg_fleet_poll(fleet, e)) {
        if (e->kind == kind)
            return true;
    }
    return false;
}

static void begins(const char *text, const char *with)
{
    ck_assert_msg(strncmp(text, with, strlen(with)) == 0, "%s: not %s", text, with);
}

/* ---- nothing is lost ---- */

enum { MANY = 128 };

/* A shard that was in the fleet goes stale and local: two events each, more than are kept. */
static void open_many(void)
{
    open_other(&(swg_fleet_config){.shards = MANY, .links = 2, .timeout_ms = 60000});
    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
    now += 100 * MS;
    begins(sent(0), "*");
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(feed(GOOD), SWG_OK);
    now += 70 * MS;
    begins(sent(0), "*");
}

static void chatter(void)
{
    swg_fleet_snapshot s;

    for (int i = 0; i < 100; i++) {
        now += 50 * MS;
        swg_fleet_tick(fleet, now);
    }
    swg_fleet_read(fleet, &s);
    ck_assert_uint_ge(s.dropped_events, MANY);
}

START_TEST(a_replica_is_told_whatever_else_there_is)
{
    swg_fleet_event e;

    open_many();
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(feed("-READONLY You can't write against a read only replica.\r\n"),
                         SWG_OK);
    chatter();
    ck_assert(swg_fleet_poll(fleet, &e)); /* before all talk */
    ck_assert_uint_eq(e.kind, SWG_FLEET_EVENT_READONLY);
    ck_assert_uint_eq(e.link, 0);
    ck_assert(!polled(SWG_FLEET_EVENT_READONLY, &e)); /* once a connection */
    swg_fleet_disconnected(fleet, 0, now);
    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
    now += 5000 * MS;
    begins(sent(0), "*");
    ck_assert_int_eq(feed("-READONLY You can't write against a read only replica.\r\n"), SWG_OK);
    ck_assert(polled(SWG_FLEET_EVENT_READONLY, &e));
}
END_TEST

START_TEST(every_shard_that_moved_is_told)
{
    swg_fleet_event e;
    bool seen[MANY] = {false};

    open_many();
    for (int i = 0; i < MANY; i++) /* an older word, and the last */
        ck_assert_int_eq(feed("-MOVED 3999 127.0.0.1:6381\r\n"), SWG_OK);
    chatter();
    now += 5000 * MS;
    begins(sent(0), "*");
    ck_assert_int_eq(feed("-ASK 3999 127.0.0.1:6382\r\n"), SWG_OK);
    for (int i = 0; i < MANY; i++) {
        ck_assert(swg_fleet_poll(fleet, &e));
        ck_assert(!seen[e.shard]);
        seen[e.shard] = true;
        ck_assert_str_eq(e.text,
                         e.kind == SWG_FLEET_EVENT_ASK ? "127.0.0.1:6382" : "127.0.0.1:6381");
        ck_assert(e.kind == SWG_FLEET_EVENT_ASK || e.kind == SWG_FLEET_EVENT_MOVED);
    }
    ck_assert(!polled(SWG_FLEET_EVENT_MOVED, &e));
}
END_TEST

START_TEST(a_link_to_close_is_told_whatever_else_there_is)
{
    swg_fleet_event e;

    open_many();
    for (int i = 0; i < 1300; i++) {
        now += 50 * MS;
        swg_fleet_tick(fleet, now);
    }
    ck_assert(swg_fleet_poll(fleet, &e));
    ck_assert_uint_eq(e.kind, SWG_FLEET_EVENT_GIVE_UP);
    ck_assert_uint_eq(e.value, SWG_FLEET_TIMEOUT);
}
END_TEST

/* Its place is taken until the answer was polled. */
START_TEST(the_answer_to_an_order_waits_for_who_gave_it)
{
    swg_fleet_event e;
    bool seen[9] = {false};

    open_many();
    swg_fleet_disconnected(fleet, 0, now);
    for (int i = 1; i <= 8; i++)
        ck_assert_int_eq(swg_fleet_order(fleet, "db", SWG_FLEET_CLOSED, 0, "a", "b"), i);
    for (int i = 0; i < 220; i++) { /* nobody takes them */
        now += 50 * MS;
        swg_fleet_tick(fleet, now);
    }
    ck_assert_int_eq(swg_fleet_order(fleet, "db", SWG_FLEET_CLOSED, 0, "a", "b"), SWG_EFULL);
    for (int i = 1; i <= 8; i++) {
        ck_assert(polled(SWG_FLEET_EVENT_ORDER, &e));
        ck_assert(!seen[e.value]);
        seen[e.value] = true;
        ck_assert_int_eq(e.error, SWG_ESYS);
    }
    ck_assert(!polled(SWG_FLEET_EVENT_ORDER, &e));
    ck_assert_int_eq(swg_fleet_order(fleet, "db", SWG_FLEET_CLOSED, 0, "a", "b"), 9);
}
END_TEST

START_TEST(a_freeze_has_one_name)
{
    swg_fleet_event e;
    int late = 0;

    open_other(&(swg_fleet_config){.shards = 8, .timeout_ms = 500});
    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
    now += 100 * MS;
    begins(sent(0), "*");
    now += 500 * MS;
    swg_fleet_tick(fleet, now);
    ck_assert(polled(SWG_FLEET_EVENT_GIVE_UP, &e));
    swg_fleet_disconnected(fleet, 0, now);
    for (; polled(SWG_FLEET_EVENT_ERROR, &e); late++)
        ck_assert_uint_eq(e.value, SWG_FLEET_TIMEOUT);
    ck_assert_int_eq(late, 8);
    swg_fleet_snapshot s;
    swg_fleet_read(fleet, &s);
    ck_assert_uint_eq(s.errors[SWG_FLEET_TIMEOUT], 8);
    ck_assert_uint_eq(s.errors[SWG_FLEET_LOST], 0);
}
END_TEST

/* ---- AUTH and SELECT ---- */

#define AUTH "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n"
#define SELECT "*2\r\n$6\r\nSELECT\r\n$2\r\n20\r\n"

static const swg_fleet_config elsewhere = {
    .shards = 1, .password = "pw", .database = 20, .revision = SWG_NONE};

static void connect_elsewhere(void)
{
    open_other(&elsewhere);
    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
    now += 200 * MS;
    ck_assert_str_eq(sent(0), AUTH SELECT); /* and no exchange with it */
}

static const struct {
    const char *replies;
    uint32_t error;
    const char *told;
} refusals[] = {
    {"+OK\r\n-ERR DB index is out of range\r\n", SWG_FLEET_OTHER,
     "SELECT: ERR DB index is out of range"},
    {"+OK\r\n-NOPERM no permissions\r\n", SWG_FLEET_AUTH, "SELECT: NOPERM no permissions"},
    {"-WRONGPASS invalid\r\n-NOAUTH Authentication required.\r\n", SWG_FLEET_AUTH,
     "AUTH: WRONGPASS invalid"},
};

START_TEST(who_is_not_let_in_stays_out)
{
    swg_fleet_event e;

    connect_elsewhere();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(feed(refusals[_i].replies), SWG_OK);
        ck_assert_str_eq(sent(0), "");
        ck_assert(swg_fleet_poll(fleet, &e));
        ck_assert_uint_eq(e.kind, SWG_FLEET_EVENT_GIVE_UP);
        ck_assert_uint_eq(e.link, 0);
        ck_assert_uint_eq(e.value, refusals[_i].error);
        ck_assert_str_eq(e.text, refusals[_i].told);
        ck_assert(polled(SWG_FLEET_EVENT_ERROR, &e));
        ck_assert_uint_eq(e.shard, SWG_NONE);
        ck_assert_uint_eq(e.value, refusals[_i].error);
        ck_assert_str_eq(e.text, refusals[_i].told);
        ck_assert(!swg_fleet_poll(fleet, &e));
        ck_assert_int_eq(feed("+OK\r\n"), SWG_EPROTO);
        const int64_t again = swg_fleet_disconnected(fleet, 0, now);
        ck_assert_int_ge(again - now, 50 * MS << i);
        now = again;
        ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
        ck_assert_str_eq(sent(0), AUTH SELECT);
    }
    ck_assert_int_eq(feed("+OK\r\n"), SWG_OK);
    ck_assert_str_eq(sent(0), "");
    ck_assert_int_eq(feed("+OK\r\n"), SWG_OK);
    ck_assert_ptr_nonnull(strstr(sent(0), "$7\r\nEVALSHA\r\n"));
}
END_TEST

static const char *const needless[] = {
    "-ERR AUTH <password> called without any password configured for the default user.\r\n",
    "-ERR Client sent AUTH, but no password is set\r\n",
};

START_TEST(a_server_without_passwords_lets_everybody_in)
{
    swg_fleet_event e;

    connect_elsewhere();
    ck_assert_int_eq(feed(needless[_i]), SWG_OK);
    ck_assert_int_eq(feed("+OK\r\n"), SWG_OK);
    ck_assert_ptr_nonnull(strstr(sent(0), "$7\r\nEVALSHA\r\n"));
    ck_assert(!swg_fleet_poll(fleet, &e));
}
END_TEST

START_TEST(silence_after_auth_is_silence)
{
    swg_fleet_event e;

    connect_elsewhere();
    now += 500 * MS;
    ck_assert_str_eq(sent(0), "");
    ck_assert(swg_fleet_poll(fleet, &e));
    ck_assert_uint_eq(e.kind, SWG_FLEET_EVENT_GIVE_UP);
    ck_assert_uint_eq(e.value, SWG_FLEET_TIMEOUT);
}
END_TEST

START_TEST(what_cannot_be_said_for_lack_of_memory_is_not_left_out)
{
    static const uint32_t links[] = {0, SWG_FLEET_EAR};

    open_other(&elsewhere);
    no_memory = true;
    ck_assert_int_eq(swg_fleet_connected(fleet, links[_i], now), SWG_ENOMEM);
    ck_assert_int_gt(swg_fleet_disconnected(fleet, links[_i], now), now);
    no_memory = false;
    now += 200 * MS;
    ck_assert_str_eq(sent(links[_i]), "");
    ck_assert_int_eq(swg_fleet_connected(fleet, links[_i], now), SWG_OK);
    begins(sent(links[_i]), AUTH);
}
END_TEST

/* ---- other commands of a link's own ---- */

#define DEAF "-NOPERM no permissions to access one of the channels\r\n"
#define SUBSCRIBE "*2\r\n$9\r\nSUBSCRIBE\r\n"

START_TEST(an_ear_that_may_not_listen_says_so_and_asks_again)
{
    swg_fleet_event e;

    ck_assert_int_eq(swg_fleet_connected(fleet, SWG_FLEET_EAR, now), SWG_OK);
    for (int i = 0; i < 5; i++) {
        begins(sent(SWG_FLEET_EAR), SUBSCRIBE);
        ck_assert_int_eq(feed_link(SWG_FLEET_EAR, DEAF), SWG_OK);
        ck_assert_int_eq(polled(SWG_FLEET_EVENT_ERROR, &e), i == 0); /* told once */
        ck_assert_uint_eq(e.link, i == 0 ? SWG_FLEET_EAR : e.link);
        if (i == 0) {
            ck_assert_uint_eq(e.shard, SWG_NONE);
            ck_assert_uint_eq(e.value, SWG_FLEET_AUTH);
            begins(e.text, "SUBSCRIBE: NOPERM");
        }
        ck_assert_str_eq(sent(SWG_FLEET_EAR), "");
        now += 1000 * MS;
    }
    begins(sent(SWG_FLEET_EAR), SUBSCRIBE);
    ck_assert_int_eq(feed_link(SWG_FLEET_EAR, "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n"),
                     SWG_OK);
    now += 1000 * MS;
    ck_assert_str_eq(sent(SWG_FLEET_EAR), "*1\r\n$4\r\nPING\r\n");
}
END_TEST

START_TEST(a_refused_asking_is_called_so)
{
    swg_fleet_event e;

    ck_assert_int_eq(swg_fleet_route_once(fleet, 0, 0), SWG_OK);
    ck_assert_int_eq(feed(GOOD), SWG_OK);
    begins(sent(0), "*");
    ck_assert_int_eq(swg_fleet_route_once(fleet, 0, 0), SWG_OK);
    begins(sent(0), "*1\r\n$6\r\nASKING\r\n");
    while (swg_fleet_poll(fleet, &e))
        ;
    ck_assert_int_eq(feed("-ERR This instance has cluster support disabled\r\n" GOOD), SWG_OK);
    ck_assert(polled(SWG_FLEET_EVENT_ERROR, &e));
    begins(e.text, "ASKING: ERR This instance");
    ck_assert(!polled(SWG_FLEET_EVENT_GIVE_UP, &e));
    now += 200 * MS;
    begins(sent(0), "*");
}
END_TEST

START_TEST(scripts_that_may_not_be_loaded_are_told)
{
    swg_fleet_event e;

    ck_assert_int_eq(feed("-NOSCRIPT No matching script.\r\n"), SWG_OK);
    ck_assert_ptr_nonnull(strstr(sent(0), "SCRIPT\r\n"));
    while (swg_fleet_poll(fleet, &e))
        ;
    ck_assert_int_eq(feed("-NOPERM no SCRIPT LOAD\r\n-NOPERM no SCRIPT LOAD\r\n"), SWG_OK);
    ck_assert(polled(SWG_FLEET_EVENT_ERROR, &e));
    begins(e.text, "SCRIPT LOAD: NOPERM");
    ck_assert(!polled(SWG_FLEET_EVENT_ERROR, &e)); /* once, for both */
}
END_TEST

/* ---- orders while a slot moves ---- */

START_TEST(an_order_goes_where_the_exchange_was_sent_on_to)
{
    swg_fleet_event e;

    open_other(&(swg_fleet_config){.shards = 1, .links = 2, .timeout_ms = 60000});
    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
    ck_assert_int_eq(swg_fleet_connected(fleet, 1, now), SWG_OK);
    now += 100 * MS;
    begins(sent(0), "*");
    ck_assert_int_eq(feed("-ASK 3999 127.0.0.1:6382\r\n"), SWG_OK);
    ck_assert_int_eq(swg_fleet_order(fleet, "db", SWG_FLEET_FORCED_OPEN, 60000, "me", "x"), 1);
    begins(sent(0), "*");
    ck_assert_int_eq(feed("-ASK 3999 127.0.0.1:6382\r\n"), SWG_OK);
    ck_assert(polled(SWG_FLEET_EVENT_ASK, &e));
    ck_assert_int_eq(swg_fleet_route_once(fleet, 0, 1), SWG_OK);
    begins(sent(1), "*1\r\n$6\r\nASKING\r\n"); /* the exchange */
    ck_assert_int_eq(feed_link(1, "+OK\r\n"), SWG_OK);
    now += 100 * MS;
    begins(sent(1), "*1\r\n$6\r\nASKING\r\n"); /* and the order behind it */
    ck_assert_int_eq(feed_link(1, GOOD "+OK\r\n*2\r\n$1\r\n9\r\n$1\r\n0\r\n"), SWG_OK);
    ck_assert(polled(SWG_FLEET_EVENT_ORDER, &e));
    ck_assert_int_eq(e.error, SWG_OK);
    ck_assert_uint_eq(e.epoch, 9);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet client, told");
    TCase *t = tcase_create("told");

    tcase_add_checked_fixture(t, start, stop);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_replica_is_told_whatever_else_there_is);
    tcase_add_test(t, every_shard_that_moved_is_told);
    tcase_add_test(t, a_link_to_close_is_told_whatever_else_there_is);
    tcase_add_test(t, the_answer_to_an_order_waits_for_who_gave_it);
    tcase_add_test(t, a_freeze_has_one_name);
    tcase_add_loop_test(t, who_is_not_let_in_stays_out, 0,
                        (int)(sizeof refusals / sizeof *refusals));
    tcase_add_loop_test(t, a_server_without_passwords_lets_everybody_in, 0, 2);
    tcase_add_test(t, silence_after_auth_is_silence);
    tcase_add_loop_test(t, what_cannot_be_said_for_lack_of_memory_is_not_left_out, 0, 2);
    tcase_add_test(t, an_ear_that_may_not_listen_says_so_and_asks_again);
    tcase_add_test(t, a_refused_asking_is_called_so);
    tcase_add_test(t, scripts_that_may_not_be_loaded_are_told);
    tcase_add_test(t, an_order_goes_where_the_exchange_was_sent_on_to);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
