/* The operator's functions beside real clients on a real redis-server: orders reach every host's
 * gate, what hosts report can be read, and looking disturbs nobody. Bad servers, and the program:
 * tests/live/fleet_*_test.py. */
#include "redis_lab.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/fleet_doctor.h>
#include <switchgear/fleet_run.h>
#include <switchgear/switchgear.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { HOSTS = 2, SHARDS = 4, KEPT = 16 };

typedef struct host {
    swg_panel *panel;
    swg_circuit *circuit;
    swg_fleet *fleet;
    swg_fleet_run_config run;
    pthread_t thread;
    int result;
} host;

static struct redis_lab lab;
static host hosts[HOSTS];
static char url[128], trouble[SWG_FLEET_TROUBLE_MAX];

/* ---- the fleet ----------------------------------------------------------------------------- */

static void *run(void *arg)
{
    host *h = arg;
    h->result = swg_fleet_run(h->fleet, &h->run);
    return NULL;
}

static void start_host(host *h, int number)
{
    const swg_circuit_config circuit = {.size = sizeof circuit,
                                        .window_ms = 5000,
                                        .recovery_ms = 100,
                                        .recovery_ms_max = 100,
                                        .calls_min = 10};
    const swg_fleet_config fleet = {.size = sizeof fleet,
                                    .reporter = (uint64_t)getpid() + (uint64_t)number + 1,
                                    .space = "shop",
                                    .shards = SHARDS,
                                    .revision = 7,
                                    .lease_ms = 100,
                                    .ramp_ms = SWG_NONE,
                                    .quorum = HOSTS,
                                    .interval_ms = 10};
    *h = (host){.run = {.size = sizeof h->run, .url = url, .stop_fd = eventfd(0, EFD_CLOEXEC)}};
    ck_assert_int_eq(swg_panel_open(&h->panel, NULL, NULL), SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&h->circuit, h->panel, "db", &circuit), SWG_OK);
    ck_assert_int_eq(swg_fleet_open(&h->fleet, h->panel, &fleet, (uint64_t)number, swg_clock_ns()),
                     SWG_OK);
    ck_assert_int_eq(pthread_create(&h->thread, NULL, run, h), 0);
}

static void stop(void)
{
    for (int i = 0; i < HOSTS; i++) {
        eventfd_write(hosts[i].run.stop_fd, 1);
        pthread_join(hosts[i].thread, NULL);
        ck_assert_int_eq(hosts[i].result, SWG_OK);
        swg_fleet_close(&hosts[i].fleet);
        swg_panel_close(&hosts[i].panel);
        close(hosts[i].run.stop_fd);
    }
    redis_lab_stop(&lab);
}

static swg_fleet_redis redis(void)
{
    return *SWG_FLEET_REDIS(.url = url, .space = "shop", .trouble = trouble);
}

/* ---- what is told -------------------------------------------------------------------------- */

static struct {
    int count;
    swg_fleet_status status[KEPT];
    swg_fleet_action action[KEPT];
    swg_fleet_finding finding[SWG_FLEET_CHECK_COUNT + 1];
    char seen[SWG_FLEET_CHECK_COUNT + 1][256];
} told;

static void on_circuit(void *arg, const swg_fleet_status *circuit)
{
    ck_assert_ptr_eq(arg, &told);
    ck_assert_int_lt(told.count, KEPT);
    told.status[told.count++] = *circuit;
}

static void on_action(void *arg, const swg_fleet_action *action)
{
    ck_assert_ptr_eq(arg, &told);
    ck_assert_int_lt(told.count, KEPT);
    told.action[told.count++] = *action;
}

static void on_finding(void *arg, const swg_fleet_finding *finding)
{
    ck_assert_ptr_eq(arg, &told);
    ck_assert_int_lt(told.count, SWG_FLEET_CHECK_COUNT + 1);
    snprintf(told.seen[told.count], sizeof told.seen[0], "%s", finding->seen);
    told.finding[told.count++] = *finding;
}

static const swg_fleet_status *look(const char *name)
{
    const swg_fleet_redis r = redis();
    told.count = 0;
    ck_assert_int_eq(swg_fleet_inspect(&r, name ? &name : NULL, name ? 1 : 0, on_circuit, &told),
                     SWG_OK);
    return told.count > 0 ? &told.status[0] : NULL;
}

/* ---- waiting ------------------------------------------------------------------------------- */

static bool pause_until(int64_t limit)
{
    usleep(5000);
    return swg_clock_ns() < limit;
}

static int64_t in_twenty_seconds(void)
{
    return swg_clock_ns() + INT64_C(20000000000);
}

static void call(host *h, swg_outcome outcome)
{
    swg_permit permit;
    if (swg_acquire(h->circuit, &permit, swg_clock_ns()) == SWG_PERMITTED)
        swg_release(h->circuit, &permit, outcome, swg_clock_ns());
}

static void until_verdict(swg_verdict verdict)
{
    const int64_t limit = in_twenty_seconds();
    for (int i = 0; i < HOSTS; i++) {
        swg_permit permit;
        swg_verdict now;
        do {
            now = swg_acquire(hosts[i].circuit, &permit, swg_clock_ns());
            swg_release(hosts[i].circuit, &permit, SWG_CANCELLED, swg_clock_ns());
        } while (now != verdict && pause_until(limit));
        ck_assert_msg(now == verdict, "host %d: %s, not %s", i, swg_verdict_name(now),
                      swg_verdict_name(verdict));
    }
}

static long long hosts_in(uint32_t shard)
{
    redisReply *r = redisCommand(lab.redis, "ZCARD swg1:{shop:%u}:r", shard);
    const long long count = r->integer;
    freeReplyObject(r);
    return count;
}

/* Every host has been to every shard, and offered its limits: calls are evidence from here on, and
 * the number of shards is there to see. */
static void until_joined(void)
{
    const int64_t limit = in_twenty_seconds();
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        while (hosts_in(shard) < HOSTS && pause_until(limit))
            ;
        ck_assert_int_eq(hosts_in(shard), HOSTS);
    }
    while (!look("db")->known && pause_until(limit))
        ;
    ck_assert_uint_eq(look("db")->known, 1);
}

static void start(void)
{
    redis_lab_start(&lab);
    freeReplyObject(redisCommand(lab.redis, "FLUSHALL"));
    snprintf(url, sizeof url, "unix://%s/redis.sock", lab.server.dir);
    for (int i = 0; i < HOSTS; i++)
        start_host(&hosts[i], i);
    until_joined();
}

static void until_reporters(uint32_t count)
{
    const int64_t limit = in_twenty_seconds();
    const swg_fleet_status *s;
    do
        s = look("db");
    while (s->reporters != count && pause_until(limit));
    ck_assert_uint_eq(s->reporters, count);
}

/* ---- tests --------------------------------------------------------------------------------- */

START_TEST(orders_reach_every_host_and_are_signed)
{
    const swg_fleet_redis r = redis();
    uint64_t epochs[3];
    ck_assert_int_eq(swg_fleet_command(&r, "db", SWG_FLEET_FORCED_OPEN, 60000, "ann@desk",
                                       "a drill", &epochs[0]),
                     SWG_OK);
    until_verdict(SWG_REJECTED_FORCED);
    const swg_fleet_status *s = look("db");
    ck_assert_uint_eq(s->state, SWG_FLEET_FORCED_OPEN);
    ck_assert_uint_eq(s->epoch, epochs[0]);
    ck_assert_uint_eq(s->cause, SWG_CAUSE_OVERRIDE);
    ck_assert_int_gt(s->until_ms, s->now_ms + 30000);
    ck_assert_int_le(s->until_ms, s->since_ms + 60000);
    ck_assert_int_eq(
        swg_fleet_command(&r, "db", SWG_FLEET_CLOSED, 0, "bob@desk", "over", &epochs[1]), SWG_OK);
    until_verdict(SWG_PERMITTED);
    ck_assert_uint_gt(epochs[1], epochs[0]);
    ck_assert_uint_eq(look("db")->state, SWG_FLEET_CLOSED);

    told.count = 0;
    ck_assert_int_eq(swg_fleet_audit(&r, on_action, &told), SWG_OK);
    ck_assert_int_eq(told.count, 2);
    ck_assert_str_eq(told.action[0].who, "ann@desk");
    ck_assert_str_eq(told.action[0].reason, "a drill");
    ck_assert_uint_eq(told.action[0].to, SWG_FLEET_FORCED_OPEN);
    ck_assert_int_eq(told.action[0].ttl_ms, 60000);
    ck_assert_str_eq(told.action[1].who, "bob@desk");
    ck_assert_uint_eq(told.action[1].from, SWG_FLEET_FORCED_OPEN);
    ck_assert_uint_eq(told.action[1].epoch, epochs[1]);
    ck_assert_int_le(told.action[0].at_ms, told.action[1].at_ms);
}
END_TEST

/* A circuit without a history: what its reporters say, summed. */
START_TEST(evidence_is_told)
{
    for (int i = 0; i < HOSTS; i++) {
        for (int n = 0; n < 4; n++)
            call(&hosts[i], n == 0 ? SWG_FAILURE : SWG_SUCCESS);
    }
    until_reporters(HOSTS);
    const swg_fleet_status *s = look(NULL);
    ck_assert_int_eq(told.count, 1);
    ck_assert_str_eq(s->name, "db");
    ck_assert_uint_eq(s->known, 1);
    ck_assert_uint_eq(s->epoch, 0);
    ck_assert_uint_eq(s->state, SWG_FLEET_CLOSED);
    ck_assert_uint_eq(s->revision, 7);
    ck_assert_uint_eq(s->window_ms, 5000);
    ck_assert_uint_eq(s->quorum, HOSTS);
    ck_assert_uint_eq(s->calls, 8);
    ck_assert_uint_eq(s->failures, 2);
    ck_assert_int_eq(s->since_ms, 0);
    ck_assert_uint_eq(look("nobody")->known, 0);
}
END_TEST

static void is_tripped(const swg_fleet_status *s, uint32_t cause)
{
    const swg_fleet_trip *t = &s->trip;
    ck_assert_uint_eq(t->cause, cause);
    ck_assert(cause == SWG_CAUSE_FAILURE_RATE || cause == SWG_CAUSE_VOTES);
    ck_assert_uint_eq(t->reporters, HOSTS);
    ck_assert_uint_eq(t->bad, HOSTS);
    ck_assert_uint_gt(t->failures, 0);
    ck_assert_uint_eq(t->failures, t->calls);
    ck_assert_uint_eq(t->slow, 0);
}

/* Tripped by its calls, and then half-open with a probe out: as Redis holds it. */
START_TEST(an_incident_is_told)
{
    const int64_t limit = in_twenty_seconds();
    swg_permit permit;
    const swg_fleet_status *s = look("db");
    for (; s->state != SWG_FLEET_OPEN && pause_until(limit); s = look("db")) {
        for (int i = 0; i < HOSTS; i++)
            call(&hosts[i], SWG_FAILURE);
    }
    ck_assert_uint_eq(s->state, SWG_FLEET_OPEN);
    ck_assert_int_gt(s->until_ms, s->since_ms);
    ck_assert_int_gt(s->since_ms, s->now_ms - 20000);
    is_tripped(s, s->cause);
    do
        swg_acquire(hosts[0].circuit, &permit, swg_clock_ns());
    while ((s = look("db"))->leases == 0 && pause_until(limit));
    ck_assert_uint_eq(s->state, SWG_FLEET_HALF_OPEN);
    ck_assert_uint_gt(s->leases, 0);
    ck_assert_int_eq(s->until_ms, 0);
    ck_assert_uint_eq(s->cause, SWG_CAUSE_WAIT_OVER);
    is_tripped(s, s->trip.cause);
    swg_release(hosts[0].circuit, &permit, SWG_CANCELLED, swg_clock_ns());
}
END_TEST

/* The doctor beside a fleet at work: it counts the hosts, is none of them, and leaves no key. */
START_TEST(the_doctor_disturbs_nobody)
{
    const swg_fleet_redis r = redis();
    const int64_t limit = in_twenty_seconds();
    char wanted[64];
    until_verdict(SWG_PERMITTED);
    snprintf(wanted, sizeof wanted, "%d, %d reporters alive", SHARDS, HOSTS);
    do {
        told.count = 0;
        ck_assert_int_eq(swg_fleet_doctor(&r, on_finding, &told), SWG_OK);
        ck_assert_int_eq(told.count, SWG_FLEET_CHECK_SENTINEL); /* all before it */
    } while (strcmp(told.seen[SWG_FLEET_CHECK_SHARDS], wanted) != 0 && pause_until(limit));
    ck_assert_str_eq(told.seen[SWG_FLEET_CHECK_SHARDS], wanted);
    for (int i = 0; i < told.count; i++) {
        ck_assert_uint_eq(told.finding[i].check, (unsigned)i);
        ck_assert_msg(told.finding[i].severity <= SWG_FLEET_NOTE, "%s: %s", told.finding[i].id,
                      told.seen[i]);
    }
    redisReply *left = redisCommand(lab.redis, "KEYS *doctor*");
    ck_assert_uint_eq(left->elements, 0);
    freeReplyObject(left);
    until_verdict(SWG_PERMITTED);
}
END_TEST

START_TEST(mistakes_are_errors)
{
    const char *const none[] = {NULL}, *const empty[] = {""};
    struct {
        swg_fleet_redis known;
        uint32_t unknown;
    } newer = {.known = redis(), .unknown = 1};
    const swg_fleet_redis good = redis();
    const swg_fleet_redis bad[] = {
        {.size = sizeof good, .trouble = trouble},
        {.size = sizeof good, .url = "http://x", .trouble = trouble},
        {.size = sizeof good, .url = url, .deadline_ms = 9, .trouble = trouble},
        {.size = sizeof good, .url = url, .deadline_ms = 600001, .trouble = trouble},
        {.size = sizeof good, .url = url, .shards = 257, .trouble = trouble},
        {.size = sizeof good, .url = url, .space = "", .trouble = trouble},
        {.size = sizeof good, .url = url, .space = "{x}", .trouble = trouble},
        {.size = sizeof good, .url = url, .user = "x", .trouble = trouble},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        trouble[0] = '\0';
        ck_assert_int_eq(swg_fleet_doctor(&bad[i], on_finding, &told), SWG_EINVAL);
        ck_assert_int_gt((int)strlen(trouble), 8);
        ck_assert_int_eq(swg_fleet_audit(&bad[i], on_action, &told), SWG_EINVAL);
    }
    newer.known.size = sizeof newer;
    ck_assert_int_eq(swg_fleet_doctor(&newer.known, on_finding, &told), SWG_ENEWER);
    ck_assert_int_eq(swg_fleet_doctor(NULL, on_finding, &told), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_doctor(&good, NULL, &told), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_audit(&good, NULL, &told), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_inspect(&good, NULL, 1, on_circuit, &told), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_inspect(&good, none, 1, on_circuit, &told), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_inspect(&good, empty, 1, on_circuit, &told), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_inspect(&good, NULL, 0, NULL, &told), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_command(&good, "db", SWG_FLEET_OPEN, 1000, "a", "b", NULL),
                     SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_command(&good, "db", SWG_FLEET_FORCED_OPEN, 999, "a", "b", NULL),
                     SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_command(&good, "d b", SWG_FLEET_CLOSED, 0, "a", "b", NULL),
                     SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_command(&good, "db", SWG_FLEET_CLOSED, 0, "", "b", NULL),
                     SWG_EINVAL);
    ck_assert_str_eq(swg_fleet_severity_name(SWG_FLEET_PROBLEM), "problem");
    ck_assert_str_eq(swg_fleet_severity_name((swg_fleet_severity)9), "unknown");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet doctor");
    TCase *tests = tcase_create("all");
    tcase_add_checked_fixture(tests, start, stop);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, orders_reach_every_host_and_are_signed);
    tcase_add_test(tests, evidence_is_told);
    tcase_add_test(tests, an_incident_is_told);
    tcase_add_test(tests, the_doctor_disturbs_nobody);
    tcase_add_test(tests, mistakes_are_errors);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
