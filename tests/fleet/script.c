/* The scripts on a real server: what Redis itself adds (time, run id, expiry, its own errors). */
#include "redis_lab.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A change of a script is a change of the protocol: it moves with this line or not at all. */
#define SYNC_SHA1 "8cc6eccbb6f28b0db17d24f84fdc846b34ad1026"
#define ADMIN_SHA1 "87fb682b1f9b85b7c6eb5e76e9a46658e1da5a9c"

static struct redis_lab lab;
static struct swg_step_request request;
static struct swg_step_reply reply;

static void start(void)
{
    redis_lab_start(&lab);
    freeReplyObject(redisCommand(lab.redis, "HDEL " LAB_TAG ":m clock"));
    memset(&request, 0, sizeof request);
    request.schema = SWG_STEP_SCHEMA;
    strcpy(request.reporter, "a");
    request.entries = 1;
    strcpy(request.entry[0].circuit, "db");
    request.entry[0].seq = 1;
}

static void stop(void)
{
    redis_lab_stop(&lab);
}

static void run(const char *command)
{
    redisReply *r = redisCommand(lab.redis, command);

    ck_assert_ptr_nonnull(r);
    ck_assert_msg(r->type != REDIS_REPLY_ERROR, "%s: %s", command, r->str);
    freeReplyObject(r);
}

static void report(const char *who, int64_t n, int64_t f)
{
    strcpy(request.reporter, who);
    request.entry[0].n = n;
    request.entry[0].f = f;
    ck_assert_int_eq(redis_lab_sync(&lab, 0, "", &request, &reply), SWG_STEP_DONE);
    request.entry[0].seq++;
}

static void refused_with(const char *code)
{
    struct swg_wire_clock clock = {0, ""};
    redisReply *r;

    swg_wire_sync(&lab.wire, swg_fleet_sync_sha1, LAB_TAG, clock, &request);
    r = redis_lab_run(&lab);
    ck_assert_int_eq(r->type, REDIS_REPLY_ERROR);
    ck_assert_msg(strncmp(r->str, code, strlen(code)) == 0, "%s", r->str);
    freeReplyObject(r);
}

START_TEST(the_scripts_are_the_pinned_ones)
{
    ck_assert_str_eq(swg_fleet_sync_sha1, SYNC_SHA1);
    ck_assert_str_eq(swg_fleet_admin_sha1, ADMIN_SHA1);
}
END_TEST

START_TEST(time_and_identity_are_the_servers_own)
{
    redisReply *info = redisCommand(lab.redis, "INFO server");

    report("a", 10, 0);
    ck_assert_ptr_nonnull(strstr(info->str, reply.server));
    ck_assert_uint_eq(strlen(reply.server), 40);
    ck_assert_int_gt(reply.now, INT64_C(1704067200000000));
    ck_assert_int_eq(reply.reporters, 1);
    freeReplyObject(info);
}
END_TEST

START_TEST(nobody_sets_the_clock_of_a_live_shard)
{
    ck_assert_int_eq(redis_lab_sync(&lab, INT64_C(1790000000000000), "", &request, &reply),
                     SWG_STEP_ARG);
    ck_assert_int_eq(
        redis_lab_sync(&lab, 0, "abc4567890123456789012345678901234567890", &request, &reply),
        SWG_STEP_ARG);
}
END_TEST

START_TEST(a_newer_schema_is_left_alone)
{
    run("HSET " LAB_TAG ":m v 2");
    ck_assert_int_eq(redis_lab_sync(&lab, 0, "", &request, &reply), SWG_STEP_VERSION);
}
END_TEST

/* Named by its key and field, and found before anything is written for others in the same request.
 */
START_TEST(a_foreign_value_is_found_before_any_write)
{
    static const struct {
        const char *set, *undo, *says;
    } bad[] = {
        {"HSET " LAB_TAG ":st db nonsense", "HDEL " LAB_TAG ":st db", "SWGDATA " LAB_TAG ":st db"},
        {"HSET " LAB_TAG ":c db 1|2|3", "HDEL " LAB_TAG ":c db", "SWGDATA " LAB_TAG ":c db"},
        {"HSET " LAB_TAG ":m ep x", "HDEL " LAB_TAG ":m ep", "SWGDATA " LAB_TAG ":m "},
        {"HSET " LAB_TAG ":b:db t nonsense", "DEL " LAB_TAG ":b:db", "SWGDATA " LAB_TAG ":b:db t"},
        {"HSET " LAB_TAG ":b:db r:a 1|2", "DEL " LAB_TAG ":b:db", "SWGDATA " LAB_TAG ":b:db r:a"},
        {"SET " LAB_TAG ":b:db 1", "DEL " LAB_TAG ":b:db", "WRONGTYPE "},
        {"HSET " LAB_TAG ":st db 1|2|0|0|5|0|0|0|0|0|0|0", NULL, NULL}, /* half-open from here on */
        {"HSET " LAB_TAG ":b:db ps many", "DEL " LAB_TAG ":b:db", "SWGDATA " LAB_TAG ":b:db ps"},
    };
    char before[41], after[41];

    request.entries = 2;
    request.entry[1] = request.entry[0];
    strcpy(request.entry[0].circuit, "first");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        run(bad[i].set);
        if (!bad[i].says)
            continue;
        redis_lab_digest(&lab, before);
        refused_with(bad[i].says);
        redis_lab_digest(&lab, after);
        ck_assert_str_eq(before, after);
        run(bad[i].undo);
    }
    run("HDEL " LAB_TAG ":st db");
    ck_assert_int_eq(redis_lab_sync(&lab, 0, "", &request, &reply), SWG_STEP_DONE);
}
END_TEST

START_TEST(the_servers_own_refusals_keep_their_names)
{
    run("CONFIG SET maxmemory 1");
    refused_with("OOM ");
    run("CONFIG SET maxmemory 0");
    run("CONFIG SET min-replicas-to-write 1");
    refused_with("NOREPLICAS ");
    run("CONFIG SET min-replicas-to-write 0");
    run("REPLICAOF 127.0.0.1 1");
    refused_with("READONLY ");
    run("SCRIPT FLUSH");
    refused_with("NOSCRIPT ");
}
END_TEST

static int64_t ttl(const char *key)
{
    redisReply *r = redisCommand(lab.redis, "PTTL %s", key);
    int64_t left = r->integer;

    freeReplyObject(r);
    return left;
}

/* I12: what decides never expires; what is only evidence always does. */
static void check_expiry(void)
{
    static const char *const lasting[] = {"m", "st", "chg", "c", "a"};
    redisReply *keys = redisCommand(lab.redis, "KEYS " LAB_TAG ":*");

    for (size_t i = 0; i < keys->elements; i++) {
        const char *kind = keys->element[i]->str + strlen(LAB_TAG) + 1;
        bool lasts = false;

        for (size_t k = 0; k < sizeof lasting / sizeof *lasting; k++)
            lasts = lasts || strcmp(kind, lasting[k]) == 0;
        if (lasts)
            ck_assert_msg(ttl(keys->element[i]->str) == -1, "%s expires", kind);
        else
            ck_assert_msg(ttl(keys->element[i]->str) >= 50000, "%s has no expiry", kind);
    }
    ck_assert_uint_ge(keys->elements, 4);
    freeReplyObject(keys);
}

START_TEST(I12_only_evidence_expires)
{
    struct swg_step_order o = {
        .schema = 1, .circuit = "db", .state = SWG_STEP_CLOSED, .who = "ops", .reason = "drill"};
    int64_t epoch;

    report("a", 50, 50);
    check_expiry();
    report("b", 50, 50);
    ck_assert_int_eq(reply.view[0].state, SWG_STEP_OPEN);
    check_expiry();
    ck_assert_int_eq(redis_lab_admin(&lab, 0, "", &o, &epoch), SWG_STEP_DONE);
    check_expiry();
}
END_TEST

#define CROWD_SERVER "abc4567890123456789012345678901234567890"

static struct swg_step_shard shard;

/* The same request to the script and to the step function. */
static void said_by(const char *who, int64_t now)
{
    static struct swg_step_reply model;

    strcpy(request.reporter, who);
    for (int i = 0; i < request.entries; i++)
        request.entry[i].seq++;
    ck_assert_int_eq(redis_lab_sync(&lab, now, CROWD_SERVER, &request, &reply), SWG_STEP_DONE);
    ck_assert_int_eq(swg_step_sync(&shard, now, CROWD_SERVER, &request, &model), SWG_STEP_DONE);
    ck_assert_int_eq(replies_differ(&reply, &model), 0);
}

static int records_here(void)
{
    int found = 0;

    for (int i = 0; i < SWG_STEP_CIRCUITS; i++) {
        for (int k = 0; k < SWG_STEP_REPORTERS; k++)
            found += shard.circuit[i].rec[k].used;
    }
    return found;
}

static int records_there(void)
{
    int found = 0;

    for (int i = 0; i < request.entries; i++) {
        redisReply *r = redisCommand(lab.redis, "ZCARD " LAB_TAG ":x:%s", request.entry[i].circuit);

        found += (int)r->integer;
        freeReplyObject(r);
    }
    return found;
}

/* Ten circuits, each with the records of twelve hosts that are gone: no call does all the work. */
START_TEST(I11_what_is_over_is_swept_in_bounded_work)
{
    static const int left[] = {56, 8, 0};
    const int64_t begin = INT64_C(1790000000000000);

    redis_lab_reset(&lab);
    memset(&shard, 0, sizeof shard);
    request.entries = 10;
    for (int i = 0; i < request.entries; i++) {
        request.entry[i] = (struct swg_step_entry){.n = 1};
        snprintf(request.entry[i].circuit, SWG_STEP_NAME, "db-%d", i);
    }
    for (char who[] = "a"; who[0] < 'a' + 12; who[0]++)
        said_by(who, begin);
    ck_assert_int_eq(records_there(), 120);
    for (int i = 0; i < 3; i++) {
        said_by("z", begin + INT64_C(13000000));
        ck_assert_int_eq(records_there(), left[i] + 10);
        ck_assert_int_eq(records_here(), left[i] + 10);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fleet script");
    TCase *t = tcase_create("redis");

    tcase_add_checked_fixture(t, start, stop);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, the_scripts_are_the_pinned_ones);
    tcase_add_test(t, time_and_identity_are_the_servers_own);
    tcase_add_test(t, nobody_sets_the_clock_of_a_live_shard);
    tcase_add_test(t, a_newer_schema_is_left_alone);
    tcase_add_test(t, a_foreign_value_is_found_before_any_write);
    tcase_add_test(t, the_servers_own_refusals_keep_their_names);
    tcase_add_test(t, I11_what_is_over_is_swept_in_bounded_work);
    tcase_add_test(t, I12_only_evidence_expires);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
