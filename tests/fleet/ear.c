/* The ear: what it subscribes to, what a hint brings forward, and that nothing depends on it. */
#include "client_world.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct client_world world;
static struct client_world *const w = &world;
static const swg_fleet_config config = {
    .size = sizeof config, .interval_ms = 1000, .stale_ms = 4000, .revision = 1};

static swg_fleet *fleet(void)
{
    return w->host[0].fleet;
}

static void say(const char *bytes, int expected)
{
    ck_assert_int_eq(swg_fleet_feed(fleet(), SWG_FLEET_EAR, bytes, strlen(bytes), w->now_ns),
                     expected);
}

static bool is_asked(const char *words)
{
    const char *out;
    size_t count;

    swg_fleet_output(fleet(), SWG_FLEET_EAR, &out, &count);
    const bool found = count > 0 && memmem(out, count, words, strlen(words)) != NULL;
    swg_fleet_sent(fleet(), SWG_FLEET_EAR, count);
    return found;
}

static void confirm(void)
{
    char text[128];

    for (int i = 0; i < MEMORY_SHARDS; i++) {
        const int length = snprintf(text, sizeof text, "swg1:{default:%d}:chg", i);
        char reply[256];

        snprintf(reply, sizeof reply, "*3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:%d\r\n", length, text,
                 i + 1);
        say(reply, SWG_OK);
    }
}

static void listen(void)
{
    client_world_start(w, 1, 3, &config);
    client_world_run(w, 3000);
    ck_assert_int_eq(client_world_mode(w, 0), SWG_FLEET_FLEET);
    ck_assert_int_eq(swg_fleet_connected(fleet(), SWG_FLEET_EAR, w->now_ns), SWG_OK);
    ck_assert(is_asked("SUBSCRIBE\r\n"));
    confirm();
}

/* The server's end of the ear lives: it answers. */
static void run(int64_t ms)
{
    for (; ms > 0; ms -= 10) {
        client_world_run(w, 10);
        if (is_asked("PING\r\n"))
            say("*2\r\n$4\r\npong\r\n$0\r\n\r\n", SWG_OK);
    }
}

static uint64_t exchanges(void)
{
    swg_fleet_snapshot s;

    ck_assert_int_eq(swg_fleet_read(fleet(), &s), SWG_OK);
    return s.exchanges;
}

static void hint(uint32_t shard, const char *epoch)
{
    char text[256];
    char channel[64];
    const int length = snprintf(channel, sizeof channel, "swg1:{default:%u}:chg", shard);

    snprintf(text, sizeof text, "*3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$%zu\r\n%s\r\n", length,
             channel, strlen(epoch), epoch);
    say(text, SWG_OK);
}

/* Each interval of 1 s has its own exchange; what comes more of them is counted. */
static uint64_t exchanges_in(int64_t ms)
{
    const uint64_t before = exchanges();

    run(ms);
    return exchanges() - before;
}

START_TEST(a_hint_brings_the_exchange_forward)
{
    const char *later = "9007199254740000";

    listen();
    run(900);
    for (int i = 0; i < 20; i++) { /* however many there are */
        hint(0, later);
        hint(1, later);
    }
    ck_assert_uint_eq(exchanges_in(250), MEMORY_SHARDS); /* spread over a fifth of the interval */
    for (int i = 0; i < 50; i++) {
        hint(0, later);
        run(100);
    }
    ck_assert_uint_le(exchanges_in(10), 2);
    client_world_stop(w);
}
END_TEST

START_TEST(hints_double_the_exchanges_at_the_most)
{
    uint64_t calm, busy;

    listen();
    calm = exchanges_in(20000);
    busy = exchanges();
    for (int i = 0; i < 2000; i++) {
        hint(0, "9007199254740000");
        run(10);
    }
    busy = exchanges() - busy;
    ck_assert_uint_gt(busy, calm);
    ck_assert_uint_le(busy, 2 * calm);
    client_world_stop(w);
}
END_TEST

START_TEST(old_news_and_strange_channels_are_nothing)
{
    swg_fleet_snapshot s;

    listen();
    hint(0, "0");
    hint(0, "x");
    hint(77, "9007199254740000");
    ck_assert_int_eq(swg_fleet_read(fleet(), &s), SWG_OK);
    ck_assert_uint_eq(s.hints, 0);
    say("*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n*0\r\n", SWG_OK);
    client_world_stop(w);
}
END_TEST

START_TEST(silence_is_noticed_and_the_exchange_goes_on)
{
    listen();
    run(10000);
    hint(0, "9007199254740000"); /* it lives */
    client_world_run(w, 2000);
    say("", SWG_EPROTO); /* given up */
    ck_assert_int_gt(swg_fleet_disconnected(fleet(), SWG_FLEET_EAR, w->now_ns), w->now_ns - 1);
    client_world_run(w, 5000);
    ck_assert_int_eq(client_world_mode(w, 0), SWG_FLEET_FLEET);
    client_world_stop(w);
}
END_TEST

START_TEST(a_server_that_refuses_or_answers_nonsense)
{
    client_world_start(w, 1, 3, &config);
    ck_assert_int_eq(swg_fleet_connected(fleet(), SWG_FLEET_EAR, w->now_ns), SWG_OK);
    say("-NOPERM this user has no permissions to access one of the channels\r\n", SWG_OK);
    say("+PONG\r\n", SWG_EPROTO); /* nobody asked */
    client_world_run(w, 3000);
    ck_assert_int_eq(client_world_mode(w, 0), SWG_FLEET_FLEET);
    client_world_stop(w);
}
END_TEST

START_TEST(an_opening_of_our_own_is_told_before_its_time)
{
    swg_fleet_snapshot s;

    listen();
    client_world_run(w, 100);
    ck_assert_int_eq(swg_fleet_read(fleet(), &s), SWG_OK);
    ck_assert_uint_eq(s.hurried, 0);
    w->healthy = false;
    for (int i = 0; i < 500 && w->host[0].rejected == 0; i++)
        run(10);
    run(250); /* the journal is looked at every fifth of an interval */
    ck_assert_int_eq(swg_fleet_read(fleet(), &s), SWG_OK);
    ck_assert_uint_eq(s.hurried, 1);
    client_world_stop(w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet ear");
    TCase *ear = tcase_create("ear");
    SRunner *runner = srunner_create(suite);

    tcase_add_test(ear, a_hint_brings_the_exchange_forward);
    tcase_add_test(ear, hints_double_the_exchanges_at_the_most);
    tcase_add_test(ear, old_news_and_strange_channels_are_nothing);
    tcase_add_test(ear, silence_is_noticed_and_the_exchange_goes_on);
    tcase_add_test(ear, a_server_that_refuses_or_answers_nonsense);
    tcase_add_test(ear, an_opening_of_our_own_is_told_before_its_time);
    suite_add_tcase(suite, ear);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
