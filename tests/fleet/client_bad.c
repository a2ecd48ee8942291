/* The client and those who are no Redis of ours: nonsense in replies, in configurations, in bytes.
 * Whatever comes, it ends in SWG_EPROTO and a circuit that decides on its own. */
#include "alone.h"
#include "memory_server.h"

#include "fleet/wire.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/fleet.h>
#include <switchgear/switchgear.h>

static uint32_t mode(void)
{
    swg_fleet_shard_snapshot s;
    swg_fleet_read_shard(fleet, 0, &s);
    return s.mode;
}

#define OFFER(text) HEAD "$1\r\n0\r\n$1\r\n0\r\n*0\r\n*0\r\n*1\r\n*2\r\n$2\r\ndb\r\n" text

START_TEST(a_good_reply)
{
    ck_assert_int_eq(feed(GOOD), SWG_OK);
    ck_assert_uint_eq(mode(), SWG_FLEET_FLEET);
}
END_TEST

START_TEST(a_good_reply_byte_by_byte)
{
    for (const char *at = GOOD; *at; at++)
        ck_assert_int_eq(swg_fleet_feed(fleet, 0, at, 1, now), SWG_OK);
    ck_assert_uint_eq(mode(), SWG_FLEET_FLEET);
}
END_TEST

/* A view but for its cause and evidence, and these. */
#define SIX "*8\r\n$2\r\ndb\r\n$1\r\n9\r\n$1\r\n1\r\n$1\r\n9\r\n$2\r\n-1\r\n$1\r\n0\r\n"

static const char *const nonsense[] = {
    "hello\r\n",
    "+OK\r\n",
    ":7\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "*0\r\n",
    "*1000000000\r\n",
    "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
    "*9\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
    "*9\r\n*0\r\n*0\r\n*0\r\n*0\r\n*0\r\n*0\r\n*0\r\n*0\r\n*0\r\n",
    HEAD "$1\r\n0\r\n$1\r\n2\r\n*0\r\n*0\r\n*0\r\n",
    HEAD "$2\r\n-5\r\n$1\r\n0\r\n*0\r\n*0\r\n*0\r\n",
    HEAD "$17\r\n99999999999999999\r\n$1\r\n0\r\n*0\r\n*0\r\n*0\r\n",
    HEAD "$4\r\n1e16\r\n$1\r\n0\r\n*0\r\n*0\r\n*0\r\n",
    HEAD "$1\r\n0\r\n$1\r\n0\r\n$1\r\n0\r\n*0\r\n*0\r\n",
    VIEWS("*0\r\n"),
    VIEWS("*8\r\n$2\r\ndb\r\n$1\r\n9\r\n$1\r\n7\r\n$1\r\n0\r\n$2\r\n-1\r\n$1\r\n0\r\n" WHY),
    VIEWS("*8\r\n$2\r\ndb\r\n$1\r\n9\r\n$1\r\n1\r\n$2\r\n-9\r\n$2\r\n-1\r\n$1\r\n0\r\n" WHY),
    VIEWS("*8\r\n$0\r\n\r\n$1\r\n9\r\n$1\r\n1\r\n$1\r\n9\r\n$2\r\n-1\r\n$1\r\n0\r\n" WHY),
    VIEWS("*6\r\n$2\r\ndb\r\n$1\r\n9\r\n$1\r\n1\r\n$1\r\n9\r\n$2\r\n-1\r\n$1\r\n0\r\n"),
    VIEWS(SIX "$3\r\n100\r\n$13\r\n1|9|8|0|2|0|2\r\n"),
    VIEWS(SIX "$1\r\n1\r\n$0\r\n\r\n"),
    VIEWS(SIX "$1\r\n1\r\n$11\r\n1|9|8|0|2|0\r\n"),
    VIEWS(SIX "$1\r\n1\r\n$15\r\n1|9|8|0|2|0|2|2\r\n"),
    VIEWS(SIX "$1\r\n1\r\n$14\r\n1|9|-8|0|2|0|2\r\n"),
    VIEWS(SIX "$1\r\n1\r\n$13\r\n1|9|x|0|2|0|2\r\n"),
    VIEWS(SIX "$1\r\n1\r\n$15\r\n100|9|8|0|2|0|2\r\n"),
    VIEWS(SIX "$1\r\n1\r\n$29\r\n1|9|99999999999999999|0|2|0|2\r\n"),
    OFFER("$3\r\n1|2\r\n"),
    OFFER("$5\r\n1|2|x\r\n"),
    OFFER("$1\r\n|\r\n"),
    OFFER("$2\r\n-1\r\n"),
};

START_TEST(nonsense_is_told_apart_and_changes_nothing)
{
    swg_fleet_snapshot s;
    swg_permit permit;

    ck_assert_int_eq(feed(nonsense[_i]), SWG_EPROTO);
    ck_assert_int_eq(feed(GOOD), SWG_EPROTO); /* the link is done for */
    swg_fleet_read(fleet, &s);
    ck_assert_uint_ge(s.errors[SWG_FLEET_NONSENSE], 1);
    ck_assert_uint_eq(mode(), SWG_FLEET_JOINING);
    ck_assert_int_eq(swg_acquire(circuit, &permit, now), SWG_PERMITTED);
    ck_assert_int_gt(swg_fleet_disconnected(fleet, 0, now), now);
    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
    now += 10000 * MS;
    swg_fleet_tick(fleet, now);
    ck_assert_int_eq(feed(GOOD), SWG_OK);
    ck_assert_uint_eq(mode(), SWG_FLEET_FLEET);
}
END_TEST

START_TEST(a_reply_nobody_asked_for)
{
    ck_assert_int_eq(feed(GOOD GOOD), SWG_EPROTO);
}
END_TEST

START_TEST(views_of_strangers_are_no_concern)
{
    ck_assert_int_eq(feed(VIEWS("*8\r\n$5\r\nother\r\n$1\r\n9\r\n$1\r\n1\r\n$1\r\n9\r\n$2\r\n-1\r\n"
                                "$1\r\n0\r\n" WHY)),
                     SWG_OK);
}
END_TEST

/* A good reply with bytes changed, dropped and doubled at random. */
START_TEST(spoilt_replies)
{
    static const char good[] =
        VIEWS("*8\r\n$2\r\ndb\r\n$16\r\n7000000000000000\r\n$1\r\n1\r\n$7\r\n5000000\r\n"
              "$2\r\n-1\r\n$1\r\n1\r\n" WHY);
    uint64_t x = (uint64_t)_i * 7919 + 1;

    for (int round = 0; round < 400; round++) {
        char bytes[sizeof good];
        size_t n = sizeof good - 1;

        memcpy(bytes, good, sizeof good);
        for (int k = 0; k < 1 + round % 4; k++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            bytes[x % n] = (char)(x >> 32);
            if (x % 11 == 0)
                n = x % n + 1;
        }
        if (swg_fleet_feed(fleet, 0, bytes, n, now) != SWG_OK || round % 7 == 0) {
            swg_fleet_disconnected(fleet, 0, now);
            ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
        }
        now += 700 * MS;
        swg_fleet_tick(fleet, now);
    }
}
END_TEST

#define OLDER                                                                                      \
    VIEWS("*8\r\n$2\r\ndb\r\n$1\r\n5\r\n$1\r\n0\r\n$1\r\n0\r\n$2\r\n-1\r\n$1\r\n0\r\n" WHY)
#define NEWER                                                                                      \
    VIEWS("*8\r\n$2\r\ndb\r\n$1\r\n9\r\n$1\r\n1\r\n$8\r\n90000000\r\n$2\r\n-1\r\n$1\r\n1\r\n" WHY)

static uint64_t epoch_after(const char *reply)
{
    swg_fleet_circuit_snapshot s;

    ck_assert_int_eq(feed(reply), SWG_OK);
    now += 100 * MS;
    swg_fleet_tick(fleet, now);
    swg_fleet_read_circuit(fleet, "db", &s);
    return s.epoch;
}

START_TEST(an_earlier_view_is_believed_of_a_server_that_was_told)
{
    swg_fleet_snapshot s;

    ck_assert_uint_eq(epoch_after(NEWER), 9);
    ck_assert_uint_eq(epoch_after(OLDER), 9); /* it was not told: the next request does */
    swg_fleet_read(fleet, &s);
    ck_assert_uint_eq(s.claims, 1);
    ck_assert_uint_eq(epoch_after(OLDER), 5); /* and it does not want to know */
}
END_TEST

START_TEST(where_to_go_is_told)
{
    swg_fleet_event e;
    const char *bytes;
    size_t count;

    ck_assert_int_eq(feed("-MOVED 3999 127.0.0.1:6381\r\n"), SWG_OK);
    do
        ck_assert(swg_fleet_poll(fleet, &e));
    while (e.kind != SWG_FLEET_EVENT_MOVED);
    ck_assert_str_eq(e.text, "127.0.0.1:6381");
    ck_assert_uint_eq(e.slot, swg_fleet_slot(fleet, 0));
    now += 500 * MS;
    swg_fleet_tick(fleet, now);
    ck_assert_int_eq(feed("-ASK 3999 127.0.0.1:6382\r\n"), SWG_OK);
    do
        ck_assert(swg_fleet_poll(fleet, &e));
    while (e.kind != SWG_FLEET_EVENT_ASK);
    ck_assert_str_eq(e.text, "127.0.0.1:6382");
    ck_assert_int_eq(swg_fleet_route_once(fleet, 0, 0), SWG_OK);
    swg_fleet_output(fleet, 0, &bytes, &count);
    swg_fleet_sent(fleet, 0, count);
    swg_fleet_tick(fleet, now);
    swg_fleet_output(fleet, 0, &bytes, &count);
    ck_assert_int_eq(strncmp(bytes, "*1\r\n$6\r\nASKING\r\n*", 17), 0);
    ck_assert_int_eq(feed("+OK\r\n" GOOD), SWG_OK);
    ck_assert_uint_eq(mode(), SWG_FLEET_FLEET);
}
END_TEST

START_TEST(a_link_too_slow_is_given_up)
{
    swg_fleet_event e;
    const char *bytes;
    size_t count;

    now += 499 * MS;
    ck_assert_int_eq(swg_fleet_tick(fleet, now), now + MS);
    now += MS;
    swg_fleet_tick(fleet, now);
    ck_assert(swg_fleet_poll(fleet, &e));
    ck_assert_uint_eq(e.kind, SWG_FLEET_EVENT_GIVE_UP);
    swg_fleet_output(fleet, 0, &bytes, &count);
    ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(slots_are_those_of_redis_cluster)
{
    swg_panel *other;
    swg_fleet *f;

    ck_assert_int_eq(swg_panel_open(&other, NULL, NULL), SWG_OK);
    ck_assert_int_eq(
        swg_fleet_open(&f, other, SWG_FLEET(.reporter = 1, .space = "shop", .shards = 4), 1, now),
        SWG_OK);
    /* CLUSTER KEYSLOT swg1:{shop:3}:m */
    ck_assert_uint_eq(swg_fleet_slot(f, 3), 10711);
    ck_assert_uint_lt(swg_fleet_shard(f, "payments"), 4);
    swg_fleet_close(&f);
    swg_panel_close(&other);
}
END_TEST

#define CONFIG(...)                                                                                \
    {                                                                                              \
        .size = sizeof(swg_fleet_config), .reporter = 1, __VA_ARGS__                               \
    }

static const struct {
    const char *field;
    swg_fleet_config config;
} bad_configs[] = {
    {"size", {.size = 2}},
    {"shards", CONFIG(.shards = 257)},
    {"interval_ms", CONFIG(.interval_ms = 5)},
    {"stale_ms", CONFIG(.stale_ms = 100)},
    {"stale_ms", CONFIG(.stale_ms = 3600001)},
    {"local_ms", CONFIG(.local_ms = 200)},
    {"timeout_ms", CONFIG(.timeout_ms = 9)},
    {"margin_ms", CONFIG(.margin_ms = 3000, .lease_ms = 1000)},
    {"margin_ms", CONFIG(.margin_ms = 501, .lease_ms = 1000)},
    {"links", CONFIG(.links = 65)},
    {"revision", CONFIG(.revision = 1u << 31)},
    {"database", CONFIG(.database = 1048576)},
    {"quorum", CONFIG(.quorum = 5000)},
    {"cap", CONFIG(.cap = 1000001)},
    {"fail_limit", CONFIG(.fail_limit = 65)},
    {"expiry_limit", CONFIG(.expiry_limit = 1001)},
    {"lease_ms", CONFIG(.lease_ms = 9)},
    {"lease_ms", CONFIG(.lease_ms = SWG_NONE)},
    {"ramp_ms", CONFIG(.ramp_ms = 600001)},
    {"quarantine_ms", CONFIG(.quarantine_ms = 3600001)},
    {"entries_per_s", CONFIG(.entries_per_s = 99)},
    {"space", CONFIG(.space = "a{b")},
    {"space", CONFIG(.space = "")},
    {"space", CONFIG(.space = "a@b")},
    {"space", CONFIG(.space = "a-namespace-of-thirty-three-bytes")},
};

/* The check names the field, and opening agrees with it. */
START_TEST(configurations)
{
    const swg_fleet_config *config = &bad_configs[_i].config;
    const char *field, *reason;
    swg_fleet *f = fleet;

    ck_assert_int_eq(swg_fleet_config_check(config, &field, &reason), SWG_EINVAL);
    ck_assert_str_eq(field, bad_configs[_i].field);
    ck_assert_str_ne(reason, "");
    ck_assert_int_eq(swg_fleet_config_check(config, NULL, NULL), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_open(&f, panel, config, 1, now), SWG_EINVAL);
    ck_assert_ptr_null(f);
}
END_TEST

START_TEST(configurations_at_their_limits)
{
    static const swg_fleet_config good[] = {
        {.size = sizeof(uint32_t)}, /* of an older caller */
        CONFIG(.margin_ms = 500, .lease_ms = 1000),
        CONFIG(.revision = SWG_NONE, .ramp_ms = SWG_NONE, .quarantine_ms = SWG_NONE),
        CONFIG(.revision = INT32_MAX, .database = 1048575, .interval_ms = 10000),
        CONFIG(.space = "a-namespace-of-thirty-two-bytes_", .host = "a b"),
    };
    struct {
        swg_fleet_config known;
        uint32_t more;
    } newer = {{.size = sizeof newer}, 0};
    const char *field, *reason;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_int_eq(swg_fleet_config_check(&good[i], &field, &reason), SWG_OK);
        ck_assert_str_eq(field, "");
    }
    ck_assert_int_eq(swg_fleet_config_check(&newer.known, &field, &reason), SWG_OK);
    newer.more = 1;
    ck_assert_int_eq(swg_fleet_config_check(&newer.known, &field, &reason), SWG_ENEWER);
    ck_assert_str_eq(field, "size");
    ck_assert_int_eq(swg_fleet_config_check(NULL, &field, &reason), SWG_EINVAL);
    ck_assert_str_eq(field, "config");
    ck_assert_int_eq(swg_fleet_open(&(swg_fleet *){0}, panel, NULL, 1, now), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_open(NULL, panel, NULL, 1, now), SWG_EINVAL);
}
END_TEST

/* The reporter of the first request. */
static bool reports_as(const char *host, const char *reporter)
{
    const char *bytes;
    size_t count;
    swg_panel *other;
    swg_fleet *f;
    bool found;

    ck_assert_int_eq(swg_panel_open(&other, NULL, NULL), SWG_OK);
    ck_assert_int_eq(swg_fleet_open(&f, other, SWG_FLEET(.reporter = 1, .host = host), 1, now),
                     SWG_OK);
    ck_assert_int_eq(swg_fleet_connected(f, 0, now), SWG_OK);
    swg_fleet_tick(f, now + 100 * MS);
    swg_fleet_output(f, 0, &bytes, &count);
    found = memmem(bytes, count, reporter, strlen(reporter));
    swg_fleet_close(&f);
    swg_panel_close(&other);
    return found;
}

START_TEST(any_name_of_a_host_will_do)
{
    ck_assert(reports_as(NULL, "\r\n0000000000000001\r\n"));
    ck_assert(reports_as("web7", "\r\nweb7:0000000000000001\r\n"));
    ck_assert(reports_as("ip-10-120-130-15.eu-central-1.compute.internal",
                         "\r\nip-10-120-130-15.eu-central-1.compute.in:0000000000000001\r\n"));
    ck_assert(reports_as("b\303\244r|{1}", "\r\nb__r__1_:0000000000000001\r\n"));
}
END_TEST

START_TEST(wrong_use)
{
    swg_fleet_event e;
    const char *bytes;
    size_t count;

    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_EINVAL); /* it is up */
    ck_assert_int_eq(swg_fleet_connected(fleet, 1, now), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_feed(fleet, 1, "", 0, now), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_feed(fleet, 0, NULL, 1, now), SWG_EINVAL);
    swg_fleet_output(fleet, 0, &bytes, &count);
    swg_fleet_sent(fleet, 0, count + 1000); /* no more than there was */
    swg_fleet_output(fleet, 0, &bytes, &count);
    ck_assert_uint_eq(count, 0);
    swg_fleet_disconnected(fleet, 0, now);
    swg_fleet_disconnected(fleet, 0, now);
    ck_assert_int_eq(swg_fleet_route(fleet, 1, 0), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_route_once(fleet, 0, 1), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_read(NULL, NULL), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_read_circuit(fleet, "none", &(swg_fleet_circuit_snapshot){0}),
                     SWG_ENOENT);
    ck_assert_int_eq(swg_fleet_order(fleet, "db", SWG_FLEET_CLOSED, 0, "", "x"), SWG_EINVAL);
    for (int i = 0; i < 8; i++)
        ck_assert_int_gt(swg_fleet_order(fleet, "db", SWG_FLEET_CLOSED, 0, "a", "b"), 0);
    ck_assert_int_eq(swg_fleet_order(fleet, "db", SWG_FLEET_CLOSED, 0, "a", "b"), SWG_EFULL);
    while (swg_fleet_poll(fleet, &e))
        ;
    ck_assert_str_eq(swg_fleet_mode_name((swg_fleet_mode)9), "unknown");
    ck_assert_str_eq(swg_fleet_error_name(SWG_FLEET_NOSCRIPT), "NOSCRIPT");
}
END_TEST

START_TEST(more_circuits_than_fit_one_exchange)
{
    static struct memory_server server;
    static char out[MEMORY_REPLY];
    swg_panel *many;
    swg_fleet *f;
    const char *bytes;
    size_t count;
    redisReader *reader = redisReaderCreate();
    void *command;

    (void)server, (void)out;
    ck_assert_int_eq(swg_panel_open(&many, NULL, SWG_PANEL(.circuits = 600)), SWG_OK);
    for (int i = 0; i < 600; i++) {
        swg_circuit *c;
        char name[64];

        snprintf(name, sizeof name, "circuit-with-a-name-of-more-than-forty-characters-%d", i);
        ck_assert_int_eq(swg_circuit_open(&c, many, name, NULL), SWG_OK);
    }
    ck_assert_int_eq(
        swg_fleet_open(&f, many,
                       SWG_FLEET(.reporter = 1, .shards = 1, .revision = 1, .entries_per_s = 500),
                       5, now),
        SWG_OK);
    swg_fleet_connected(f, 0, now);
    /* What has gathered goes out in pieces; then two clients share 500 a second. */
    for (int i = 0; i < 5; i++) {
        static const char *const entries[] = {"64", "64", "50", "25", "25"};

        now += 100 * MS;
        swg_fleet_tick(f, now);
        swg_fleet_output(f, 0, &bytes, &count);
        redisReaderFeed(reader, bytes, count);
        swg_fleet_sent(f, 0, count);
        ck_assert_int_eq(redisReaderGetReply(reader, &command), REDIS_OK);
        ck_assert_ptr_nonnull(command);
        const redisReply *r = command;
        size_t keys = strtoull(r->element[2]->str, NULL, 10);
        ck_assert_str_eq(r->element[3 + keys + 5]->str, entries[i]);
        freeReplyObject(command);
        swg_fleet_feed(f, 0, GOOD, strlen(GOOD), now);
    }
    redisReaderFree(reader);
    swg_fleet_close(&f);
    swg_panel_close(&many);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fleet client, hostile");
    TCase *t = tcase_create("bad");

    tcase_add_checked_fixture(t, start, stop);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_good_reply);
    tcase_add_test(t, a_good_reply_byte_by_byte);
    tcase_add_loop_test(t, nonsense_is_told_apart_and_changes_nothing, 0,
                        (int)(sizeof nonsense / sizeof *nonsense));
    tcase_add_test(t, a_reply_nobody_asked_for);
    tcase_add_test(t, views_of_strangers_are_no_concern);
    tcase_add_loop_test(t, spoilt_replies, 0, 20);
    tcase_add_test(t, an_earlier_view_is_believed_of_a_server_that_was_told);
    tcase_add_test(t, where_to_go_is_told);
    tcase_add_test(t, a_link_too_slow_is_given_up);
    tcase_add_test(t, slots_are_those_of_redis_cluster);
    tcase_add_loop_test(t, configurations, 0, sizeof bad_configs / sizeof *bad_configs);
    tcase_add_test(t, configurations_at_their_limits);
    tcase_add_test(t, any_name_of_a_host_will_do);
    tcase_add_test(t, wrong_use);
    tcase_add_test(t, more_circuits_than_fit_one_exchange);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
