/* The crowd on a real redis-server: what the script answered is what the step function answers. */
#include "crowd.h"
#include "redis_lab.h"
#include "verdict.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct crowd crowd;
static struct report report;
static struct redis_lab lab;
static int64_t began; /* monotonic, less the crowd's clock; 0: the crowd sets the server's clock */

static int64_t monotonic_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static json_t *json_of(const redisReply *r)
{
    json_t *list;

    if (r->type == REDIS_REPLY_ERROR)
        return json_pack("{ss}", "error", r->str);
    if (r->type == REDIS_REPLY_INTEGER)
        return json_integer(r->integer);
    if (r->type != REDIS_REPLY_ARRAY)
        return r->str ? json_stringn(r->str, r->len) : json_null();
    list = json_array();
    for (size_t i = 0; i < r->elements; i++)
        json_array_append_new(list, json_of(r->element[i]));
    return list;
}

/* The crowd's time is the world's: its clients wait for what takes time. */
static void keep_pace(int64_t now)
{
    int64_t ahead = now + began - monotonic_us();

    if (ahead > 0)
        nanosleep(&(struct timespec){ahead / 1000000, ahead % 1000000 * 1000}, NULL);
}

static json_t *serve(struct crowd *c, const struct swg_step_request *q,
                     const struct swg_step_order *o, int64_t now)
{
    struct swg_wire_clock clock = {now, c->server};
    redisReply *r;
    json_t *reply;

    if (began) {
        clock = (struct swg_wire_clock){0, ""};
        keep_pace(now);
    }
    if (o)
        swg_wire_admin(&c->wire, swg_fleet_admin_sha1, CROWD_TAG, clock, o);
    else
        swg_wire_sync(&c->wire, swg_fleet_sync_sha1, CROWD_TAG, clock, q);
    r = redisCommandArgv(lab.redis, c->wire.count, c->wire.argv, c->wire.lengths);
    ck_assert(r != NULL);
    reply = json_of(r);
    freeReplyObject(r);
    return reply;
}

static void open_crowd(void)
{
    redis_lab_start(&lab);
    crowd_open(&crowd, 11);
    crowd.serve = serve;
    crowd.lose_reply = 30;
    crowd.lose_request = 40;
    crowd.order = 80;
    began = 0;
}

static void close_crowd(void)
{
    crowd_close(&crowd);
    report_free(&report);
    redis_lab_stop(&lab);
}

static void test_clock(void)
{
    freeReplyObject(redisCommand(lab.redis, "HSET " CROWD_TAG ":m clock test"));
}

static void expect_fine(unsigned allow)
{
    crowd_sort(&crowd);
    judge(crowd.lines, allow, &report);
    if (report.count[VIOLATION] > 0)
        report_print(&report, stderr);
    ck_assert_int_eq(report.count[VIOLATION], 0);
    ck_assert(report.exchanges > 100 && report.transitions > 5);
}

START_TEST(a_long_run_at_a_clock_of_its_own)
{
    test_clock();
    crowd_run(&crowd, 3000);
    expect_fine(0);
    ck_assert(report.passed > 0 && report.failed > 0);
}
END_TEST

START_TEST(failovers_to_what_a_replica_held)
{
    struct redis_dump dump = {0};

    test_clock();
    for (int i = 0; i < 4; i++) {
        crowd_run(&crowd, 400);
        redis_lab_save(&lab, &dump);
        crowd_run(&crowd, 1 + (int)crowd_below(&crowd, 30));
        redis_lab_restore(&lab, &dump);
        redis_dump_free(&dump);
        crowd_new_server(&crowd);
    }
    crowd_run(&crowd, 400);
    expect_fine(ALLOW_ROLLBACK);
    ck_assert(report.went_back > 0);
}
END_TEST

START_TEST(a_run_in_real_time_with_servers_own_clock_and_name)
{
    crowd.clock = 1000000;
    began = monotonic_us() - crowd.clock;
    crowd_run(&crowd, 600);
    expect_fine(0);
    ck_assert_int_eq(report.servers, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fleet_check_redis");
    TCase *t = tcase_create("redis");
    SRunner *runner;
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, open_crowd, close_crowd);
    tcase_add_test(t, a_long_run_at_a_clock_of_its_own);
    tcase_add_test(t, failovers_to_what_a_replica_held);
    tcase_add_test(t, a_run_in_real_time_with_servers_own_clock_and_name);
    suite_add_tcase(s, t);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
