/* The client on its own thread and a real redis-server: UNIX socket, TCP, TLS; killed, frozen,
 * brought back; certificates of others; what is said on the ear. */
#include "live_host.h"
#include "servers.h"

#include <check.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/gate.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static struct server redis;
static int tls_port;
static live_host host;

static void begin(void)
{
    static char at[16];

    server_make(&redis, true);
    server_certificates(redis.dir, "DNS:localhost");
    tls_port = server_free_port();
    snprintf(at, sizeof at, "%d", tls_port);
    server_add(&redis, "--tls-port", at);
    server_add(&redis, "--tls-cert-file", "cert.pem");
    server_add(&redis, "--tls-key-file", "key.pem");
    server_add(&redis, "--tls-ca-cert-file", "ca.pem");
    server_add(&redis, "--tls-auth-clients", "no");
    server_protect(&redis, "secret");
    server_start(&redis);
}

static void end(void)
{
    server_end(&redis);
}

/* A host for the URL. "%s" is the server's folder. */
static void go(const char *format, const char *ca)
{
    static char url[256], ca_file[128];

    snprintf(url, sizeof url, format, redis.dir);
    snprintf(ca_file, sizeof ca_file, "%s/%s", redis.dir, ca ? ca : "");
    host_start(&host, SWG_FLEET_RUN(.url = url, .ca_file = ca ? ca_file : NULL),
               SWG_FLEET(.shards = 2));
}

/* ---- tests --------------------------------------------------------------------------------- */

static const char *address(const char *format, int at)
{
    static char text[128];
    snprintf(text, sizeof text, format, at);
    return text;
}

START_TEST(every_road_leads_to_redis)
{
    switch (_i) {
    case 0:
        go("unix://%s/redis.sock", NULL);
        break;
    case 1:
        go(address("redis://:secret@127.0.0.1:%d", redis.port), NULL);
        break;
    case 2:
        go(address("redis://:secret@localhost:%d/3", redis.port), NULL);
        break;
    default:
        go(address("rediss://:secret@localhost:%d", tls_port), "ca.pem");
        break;
    }
    if (_i == 0) /* no password in this URL: told so, again and again, and never wedged */
        host_until_error(&host, SWG_FLEET_AUTH);
    else
        host_until_mode(&host, SWG_FLEET_FLEET);
    host_stop(&host);
    ck_assert_int_eq(server_says(&redis, "db3:", "INFO keyspace"), _i == 2);
    ck_assert_int_eq(server_says(&redis, "db0:", "INFO keyspace"), _i == 1 || _i == 3);
    server_tell(&redis, "FLUSHALL");
}
END_TEST

typedef struct trouble_row {
    const char *url;
    bool secure;
    const char *ca;
    const char *words;
} trouble_row;

static const trouble_row trouble_rows[] = {
    {"rediss://:secret@localhost:%d", true, "other.pem", "TLS: certificate refused"},
    {"rediss://:secret@localhost:%d", true, NULL, "TLS: certificate refused"},
    {"rediss://:secret@127.0.0.1:%d", true, "ca.pem", "IP address mismatch"},
    {"rediss://:secret@localhost:%d", false, "ca.pem", "TLS"}, /* it speaks plainly */
    {"redis://:secret@localhost:%d", true, NULL, "read"},      /* it does not */
    {"redis://:wrong@localhost:%d", false, NULL, "refused, is it the right user and password?"},
    {"redis://127.0.0.1:1", false, NULL, "127.0.0.1:1: connect: Connection refused"},
    {"redis://[::1]:1", false, NULL, "[::1]:1: connect: "},
    {"unix:///nowhere/at/all", false, NULL, "/nowhere/at/all: connect: No such file"},
    {"redis://no-such-host.invalid:7", false, NULL, "no-such-host.invalid:7: name look-up: "},
};

START_TEST(trouble_is_named)
{
    const trouble_row *row = &trouble_rows[_i];
    go(address(row->url, row->secure ? tls_port : redis.port), row->ca);
    host_until_trouble(&host, row->words);
    ck_assert_int_eq(host.modes[host.shard], SWG_FLEET_JOINING);
    host_stop(&host);
}
END_TEST

/* Frozen, killed, back: the circuits go on alone, then together again. Calls never wait. */
START_TEST(redis_frozen_killed_and_back)
{
    swg_permit permit;
    go(address("redis://:secret@127.0.0.1:%d", redis.port), NULL);
    host_until_mode(&host, SWG_FLEET_FLEET);
    server_signal(&redis, SIGSTOP);
    host_until_mode(&host, SWG_FLEET_LOCAL);
    ck_assert_int_eq(swg_acquire(host.circuit, &permit, swg_clock_ns()), SWG_PERMITTED);
    swg_release(host.circuit, &permit, SWG_SUCCESS, swg_clock_ns());
    server_signal(&redis, SIGCONT);
    host_until_mode(&host, SWG_FLEET_FLEET);
    server_kill(&redis);
    host_until_mode(&host, SWG_FLEET_LOCAL);
    host_until_trouble(&host, "connect: Connection refused");
    server_start(&redis);
    host_until_mode(&host, SWG_FLEET_FLEET);
    ck_assert_uint_eq(host_troubles(&host, "connect: Connection refused"), 1); /* told once */
    host_stop(&host);
}
END_TEST

/* News of an epoch that nobody has seen. */
static bool is_heard(live_host *h, const void *arg)
{
    (void)arg;
    if (server_listeners(&redis, h->shard) == 0)
        return false;
    server_tell(&redis, "PUBLISH swg1:{default:%u}:chg 9007199254740000", h->shard);
    return true;
}

static bool has_hints(live_host *h, const void *arg)
{
    (void)arg;
    return h->last.hints > 0;
}

START_TEST(hints_are_heard_unless_they_are_not_wanted)
{
    host_start(&host,
               SWG_FLEET_RUN(.url = address("redis://:secret@127.0.0.1:%d", redis.port),
                             .no_hints = _i == 1),
               SWG_FLEET(.shards = 2));
    host_until_mode(&host, SWG_FLEET_FLEET);
    if (_i == 0) {
        host_until(&host, is_heard, NULL, "somebody listens");
        host_until(&host, has_hints, NULL, "a hint was heard");
    }
    ck_assert_int_eq(server_listeners(&redis, host.shard) > 0, _i == 0);
    host_stop(&host);
}
END_TEST

static swg_panel *panel;
static swg_circuit *circuit;
static swg_fleet *fleet;
static swg_fleet_run_config carried;

static void *carry(void *arg)
{
    *(int *)arg = swg_fleet_run(fleet, &carried);
    return NULL;
}

/* Calls fail until the fleet has opened and granted permits for probes, which nobody takes. */
static void until_permits(void)
{
    const int64_t end = swg_clock_ns() + 30000000000;
    swg_gate_reading reading = {0};
    swg_permit permit;

    while (reading.permits == 0) {
        ck_assert_msg(swg_clock_ns() < end, "no permit in thirty seconds");
        if (swg_acquire(circuit, &permit, swg_clock_ns()) == SWG_PERMITTED)
            swg_release(circuit, &permit, SWG_FAILURE, swg_clock_ns());
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        swg_gate_read(circuit, swg_clock_ns(), &reading);
    }
}

/* A deploy in a half-open period: no permit is left to count as lost. */
START_TEST(told_to_stop_it_gives_back_its_permits)
{
    const swg_circuit_config limits = {
        .size = sizeof limits, .calls_min = 4, .recovery_ms = 1000, .probes = 6};
    const swg_fleet_config config = {.size = sizeof config,
                                     .quorum = 1,
                                     .fail_limit = 64,
                                     .revision = 1,
                                     .lease_ms = 1000,
                                     .password = "secret"};
    pthread_t thread;
    int result = -1;

    ck_assert_int_eq(swg_panel_open(&panel, NULL, NULL), SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&circuit, panel, "db", &limits), SWG_OK);
    ck_assert_int_eq(swg_fleet_open(&fleet, panel, &config, 1, swg_clock_ns()), SWG_OK);
    carried = (swg_fleet_run_config){.size = sizeof carried,
                                     .url = address("redis://127.0.0.1:%d", redis.port),
                                     .stop_fd = eventfd(0, EFD_CLOEXEC)};
    ck_assert_int_eq(pthread_create(&thread, NULL, carry, &result), 0);
    until_permits();
    ck_assert_int_eq(eventfd_write(carried.stop_fd, 1), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(result, SWG_OK);
    redisReply *left =
        server_ask(&redis, "ZCARD swg1:{default:%u}:l:db", (unsigned)swg_fleet_shard(fleet, "db"));
    ck_assert_int_eq(left->type, REDIS_REPLY_INTEGER);
    ck_assert_int_eq(left->integer, 0);
    freeReplyObject(left);
    close(carried.stop_fd);
    swg_fleet_close(&fleet);
    swg_panel_close(&panel);
}
END_TEST

START_TEST(limits_that_are_not_in_force_are_told)
{
    go(address("redis://:secret@127.0.0.1:%d", redis.port), NULL);
    host_until_mode(&host, SWG_FLEET_FLEET);
    ck_assert_int_eq(
        swg_circuit_configure(
            host.circuit, SWG_CIRCUIT(.calls_min = 10, .failure_pct = 33, .recovery_ms = 60000)),
        SWG_OK);
    host_until_trouble(&host, "limits: db: failure_pct is 33 here and 50 in the fleet");
    host_until_event(&host, SWG_FLEET_EVENT_LIMITS);
    host_stop(&host);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet run");
    TCase *tests = tcase_create("all");
    tcase_add_unchecked_fixture(tests, begin, end);
    tcase_set_timeout(tests, 90);
    tcase_add_loop_test(tests, every_road_leads_to_redis, 0, 4);
    tcase_add_loop_test(tests, trouble_is_named, 0, sizeof trouble_rows / sizeof *trouble_rows);
    tcase_add_loop_test(tests, hints_are_heard_unless_they_are_not_wanted, 0, 2);
    tcase_add_test(tests, told_to_stop_it_gives_back_its_permits);
    tcase_add_test(tests, limits_that_are_not_in_force_are_told);
    suite_add_tcase(suite, tests);
    TCase *dying = tcase_create("dying");
    tcase_add_checked_fixture(dying, begin, end);
    tcase_set_timeout(dying, 120);
    tcase_add_test(dying, redis_frozen_killed_and_back);
    suite_add_tcase(suite, dying);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
