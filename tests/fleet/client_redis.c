/* Two clients on a real redis-server: real scripts, real clock, real bytes. */
#include "redis_lab.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/fleet.h>
#include <switchgear/switchgear.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define HOSTS 2

struct host {
    swg_panel *panel;
    swg_circuit *circuit;
    swg_fleet *fleet;
    int fd;
    int64_t connect_ns, next_ns;
};

static struct redis_lab lab;
static struct host hosts[HOSTS];
static bool healthy;

static void start(void)
{
    const swg_circuit_config circuit = {
        .size = sizeof circuit, .window_ms = 2000, .recovery_ms = 200, .calls_min = 10};

    redis_lab_start(&lab);
    freeReplyObject(redisCommand(lab.redis, "FLUSHALL"));
    freeReplyObject(redisCommand(lab.redis, "SCRIPT FLUSH"));
    healthy = true;
    for (int i = 0; i < HOSTS; i++) {
        struct host *h = &hosts[i];

        *h = (struct host){.fd = -1};
        ck_assert_int_eq(swg_panel_open(&h->panel, NULL, NULL), SWG_OK);
        ck_assert_int_eq(swg_circuit_open(&h->circuit, h->panel, "db", &circuit), SWG_OK);
        ck_assert_int_eq(
            swg_fleet_open(&h->fleet, h->panel,
                           SWG_FLEET(.reporter = (uint64_t)getpid() + (uint64_t)i + 1,
                                     .space = "lab", .shards = 4, .revision = 1, .lease_ms = 150,
                                     .ramp_ms = SWG_NONE, .timeout_ms = 2000),
                           (uint64_t)i, swg_clock_ns()),
            SWG_OK);
    }
}

static void stop(void)
{
    for (int i = 0; i < HOSTS; i++) {
        swg_fleet_close(&hosts[i].fleet);
        swg_panel_close(&hosts[i].panel);
        close(hosts[i].fd);
    }
    redis_lab_stop(&lab);
}

static void dial(struct host *h, int64_t now)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    if (h->fd >= 0 || now < h->connect_ns)
        return;
    snprintf(at.sun_path, sizeof at.sun_path, "%s/redis.sock", lab.server.dir);
    h->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(h->fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(swg_fleet_connected(h->fleet, 0, now), SWG_OK);
}

static void hang_up(struct host *h, int64_t now)
{
    close(h->fd);
    h->fd = -1;
    h->connect_ns = swg_fleet_disconnected(h->fleet, 0, now);
}

static void carry(struct host *h, int64_t now)
{
    char bytes[65536];
    const char *out;
    size_t count;
    ssize_t n;

    dial(h, now);
    h->next_ns = swg_fleet_tick(h->fleet, now);
    swg_fleet_output(h->fleet, 0, &out, &count);
    if (count > 0 && (n = write(h->fd, out, count)) > 0)
        swg_fleet_sent(h->fleet, 0, (size_t)n);
    n = h->fd >= 0 ? read(h->fd, bytes, sizeof bytes) : 0;
    if (n > 0)
        ck_assert_int_eq(swg_fleet_feed(h->fleet, 0, bytes, (size_t)n, now), SWG_OK);
    if (h->fd >= 0 && (n == 0 || (n < 0 && errno != EAGAIN)))
        hang_up(h, now);
}

static void call(struct host *h, int64_t now)
{
    swg_permit permit;

    if (swg_acquire(h->circuit, &permit, now) == SWG_PERMITTED)
        swg_release(h->circuit, &permit, healthy ? SWG_SUCCESS : SWG_FAILURE, now);
}

static bool all(bool (*right)(const struct host *h))
{
    for (int i = 0; i < HOSTS; i++) {
        if (!right(&hosts[i]))
            return false;
    }
    return true;
}

/* Goes on until all hosts are right, by events and deadlines; a call every few milliseconds. */
static void until(bool (*right)(const struct host *h))
{
    int64_t end = swg_clock_ns() + 10000 * MS;

    while (!all(right)) {
        struct pollfd fds[HOSTS];
        int64_t now = swg_clock_ns();

        ck_assert_msg(now < end, "not in ten seconds");
        for (int i = 0; i < HOSTS; i++) {
            carry(&hosts[i], now);
            call(&hosts[i], now);
            fds[i] = (struct pollfd){.fd = hosts[i].fd, .events = POLLIN};
        }
        poll(fds, HOSTS, 3);
    }
}

static bool is(const struct host *h, swg_fleet_mode mode, swg_fleet_state state)
{
    swg_fleet_circuit_snapshot c = {0};
    swg_fleet_shard_snapshot s;

    swg_fleet_read_shard(h->fleet, swg_fleet_shard(h->fleet, "db"), &s);
    swg_fleet_read_circuit(h->fleet, "db", &c);
    return s.mode == mode && c.state == state;
}

static bool healthy_together(const struct host *h)
{
    return is(h, SWG_FLEET_FLEET, SWG_FLEET_CLOSED);
}

static bool open_together(const struct host *h)
{
    return is(h, SWG_FLEET_FLEET, SWG_FLEET_OPEN);
}

static bool open_alone(const struct host *h)
{
    return is(h, SWG_FLEET_LOCAL, SWG_FLEET_OPEN);
}

static bool held_open(const struct host *h)
{
    return is(h, SWG_FLEET_FLEET, SWG_FLEET_FORCED_OPEN);
}

static void run(const char *command)
{
    redisReply *r = redisCommand(lab.redis, command);

    ck_assert_msg(r && r->type != REDIS_REPLY_ERROR, "%s", command);
    freeReplyObject(r);
}

START_TEST(a_fleet_of_two)
{
    swg_fleet_snapshot s;
    uint64_t loaded;

    until(healthy_together);
    healthy = false;
    until(open_together);
    healthy = true;
    until(healthy_together);
    swg_fleet_read(hosts[1].fleet, &s);
    loaded = s.errors[SWG_FLEET_NOSCRIPT];
    swg_fleet_read(hosts[0].fleet, &s);
    ck_assert_uint_ge(loaded + s.errors[SWG_FLEET_NOSCRIPT], 1);
    ck_assert_uint_eq(s.errors[SWG_FLEET_ARGUMENT] + s.errors[SWG_FLEET_NONSENSE] +
                          s.errors[SWG_FLEET_DATA] + s.errors[SWG_FLEET_OTHER],
                      0);
    ck_assert_uint_eq(s.reporters, HOSTS);
}
END_TEST

START_TEST(a_redis_out_of_memory_then_well_again)
{
    swg_fleet_snapshot s;

    until(healthy_together);
    healthy = false;
    until(open_together);
    run("CONFIG SET maxmemory 1");
    until(open_alone);
    run("CONFIG SET maxmemory 0");
    healthy = true;
    until(healthy_together);
    swg_fleet_read(hosts[0].fleet, &s);
    ck_assert_uint_ge(s.errors[SWG_FLEET_OOM], 1);
}
END_TEST

START_TEST(an_operator_and_a_flushed_redis)
{
    swg_fleet_event e = {0};
    int number;

    until(healthy_together);
    number =
        swg_fleet_order(hosts[0].fleet, "db", SWG_FLEET_FORCED_OPEN, 60000, "ops", "a drill | x");
    ck_assert_int_gt(number, 0);
    until(held_open);
    while (swg_fleet_poll(hosts[0].fleet, &e) && e.kind != SWG_FLEET_EVENT_ORDER)
        ;
    ck_assert_uint_eq(e.value, (uint32_t)number);
    ck_assert_int_eq(e.error, SWG_OK);
    swg_fleet_order(hosts[1].fleet, "db", SWG_FLEET_CLOSED, 0, "ops", "over");
    until(healthy_together);
    healthy = false;
    until(open_together);
    run("SCRIPT FLUSH");
    healthy = true;
    until(healthy_together);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fleet client on Redis");
    TCase *t = tcase_create("redis");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(t, start, stop);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_fleet_of_two);
    tcase_add_test(t, a_redis_out_of_memory_then_well_again);
    tcase_add_test(t, an_operator_and_a_flushed_redis);
    suite_add_tcase(s, t);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
