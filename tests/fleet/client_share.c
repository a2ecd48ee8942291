/* One client of many circuits in a fleet of many: what there is leave to say a second is shared by
 * sixteen shards, and the trouble of one must not silence another. Redis is made up here. */
#include <check.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/fleet.h>
#include <switchgear/gate.h>
#include <switchgear/switchgear.h>

#define MS INT64_C(1000000)
#define STEP_MS 5
#define SHARDS 16
#define MOST 1000

static swg_panel *panel;
static swg_fleet *fleet;
static swg_circuit *circuit[MOST];
static char name[MOST][16];
static uint32_t shard_of[MOST];
static redisReader *reader;
static int64_t now;
static int circuits, reporters;
static char out[1 << 17];
static size_t used;

/* What the made-up Redis says of a circuit; NULL: nothing. */
static const char *(*view_of)(int circuit, bool first);
static int told[SHARDS];              /* entries */
static int named[MOST], wished[MOST]; /* entries of each circuit, and those with a wish */

static void bulk(const char *text)
{
    used += (size_t)snprintf(out + used, sizeof out - used, "$%zu\r\n%s\r\n", strlen(text), text);
}

static void number(int64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)value);
    bulk(text);
}

static void rows(size_t count)
{
    used += (size_t)snprintf(out + used, sizeof out - used, "*%zu\r\n", count);
}

/* A view is "epoch state remaining". */
static void put_views(uint32_t shard, bool first)
{
    int count = 0;

    for (int i = 0; i < circuits; i++)
        count += shard_of[i] == shard && view_of && view_of(i, first);
    rows((size_t)count);
    for (int i = 0; i < circuits; i++) {
        const char *view = shard_of[i] == shard && view_of ? view_of(i, first) : NULL;
        char epoch[16], state[4], remaining[16];

        if (!view)
            continue;
        ck_assert_int_eq(sscanf(view, "%15s %3s %15s", epoch, state, remaining), 3);
        rows(8);
        bulk(name[i]);
        bulk(epoch);
        bulk(state);
        bulk(remaining);
        bulk("-1");
        bulk("0");
        bulk("1");
        bulk("1|9|8|0|2|0|2");
    }
}

static void note(uint32_t shard, const redisReply *r, size_t at, int entries)
{
    told[shard] += entries;
    for (int e = 0; e < entries; e++) {
        int i = atoi(r->element[at]->str + 1);

        named[i]++;
        wished[i] += atoi(r->element[at + 10]->str) > 0;
        at += 14 + 4 * (size_t)atoi(r->element[at + 13]->str);
    }
}

static void answer(const redisReply *r)
{
    if (strcmp(r->element[0]->str, "EVALSHA") != 0) {
        swg_fleet_feed(fleet, 0, "+OK\r\n", 5, now);
        return;
    }
    const size_t keys = (size_t)atoi(r->element[2]->str), header = 3 + keys;
    const uint32_t shard = (uint32_t)atoi(strchr(strchr(r->element[3]->str, '{'), ':') + 1);
    const int64_t pace = reporters * INT64_C(4000);

    note(shard, r, header + 6, atoi(r->element[header + 5]->str));
    used = 0;
    rows(9);
    number(INT64_C(1790000000000000) + now / 1000);
    bulk("abc4567890123456789012345678901234567890");
    number(pace < 50000 ? 50000 : pace > 2000000 ? 2000000 : pace);
    number(reporters);
    bulk("1000000");
    bulk("0");
    rows(0);
    put_views(shard, strcmp(r->element[header + 4]->str, "0") == 0);
    rows(0);
    ck_assert_int_eq(swg_fleet_feed(fleet, 0, out, used, now), SWG_OK);
}

static void carry(void)
{
    const char *bytes;
    size_t count;
    void *command;
    swg_fleet_event event;

    swg_fleet_tick(fleet, now);
    swg_fleet_output(fleet, 0, &bytes, &count);
    redisReaderFeed(reader, bytes, count);
    swg_fleet_sent(fleet, 0, count);
    while (redisReaderGetReply(reader, &command) == REDIS_OK && command) {
        answer(command);
        freeReplyObject(command);
    }
    while (swg_fleet_poll(fleet, &event)) {
    }
}

static void begin(int many, int hosts)
{
    circuits = many;
    reporters = hosts;
    view_of = NULL;
    memset(told, 0, sizeof told);
    memset(named, 0, sizeof named);
    memset(wished, 0, sizeof wished);
    now = 1000000 * MS;
    reader = redisReaderCreate();
    ck_assert_int_eq(swg_panel_open(&panel, NULL, SWG_PANEL(.circuits = MOST)), SWG_OK);
    ck_assert_int_eq(swg_fleet_open(&fleet, panel, SWG_FLEET(.reporter = 77), 3, now), SWG_OK);
    for (int i = 0; i < circuits; i++) {
        snprintf(name[i], sizeof name[i], "c%d", i);
        ck_assert_int_eq(swg_circuit_open(&circuit[i], panel, name[i], NULL), SWG_OK);
        shard_of[i] = swg_fleet_shard(fleet, name[i]);
    }
    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
}

static void end(void)
{
    swg_fleet_close(&fleet);
    swg_panel_close(&panel);
    redisReaderFree(reader);
}

/* Ten calls a second of each circuit, of which one in five fails if there is trouble; all of
 * `victim`'s do. */
static void run(int ms, bool trouble, int victim)
{
    for (int t = 0; t < ms; t += STEP_MS) {
        now += STEP_MS * MS;
        for (int i = 0; i < circuits; i++) {
            const int turn = t / STEP_MS + i;
            swg_permit permit;

            if (turn % 20 != 0 || swg_acquire(circuit[i], &permit, now) != SWG_PERMITTED)
                continue;
            swg_release(circuit[i], &permit,
                        i == victim || (trouble && turn / 20 % 5 == 0) ? SWG_FAILURE : SWG_SUCCESS,
                        now);
        }
        carry();
    }
}

static int one_of_shard(uint32_t shard)
{
    for (int i = 0; i < circuits; i++) {
        if (shard_of[i] == shard)
            return i;
    }
    ck_abort_msg("no circuit in shard %u", shard);
    return -1;
}

/* Everything fails a little, everywhere; one circuit of the last shard fails for good. */
START_TEST(no_shard_is_silenced_by_the_trouble_of_others)
{
    begin(1000, 200);
    const int victim = one_of_shard(SHARDS - 1);
    run(20000, false, -1);
    memset(told, 0, sizeof told);
    memset(named, 0, sizeof named);
    run(8000, true, victim);
    ck_assert_int_gt(named[victim], 0); /* its breaker opened */
    run(22000, true, victim);
    for (int i = 0; i < SHARDS; i++) /* 60 a second: 112 each, if all were alike */
        ck_assert_msg(told[i] >= 20, "shard %d was told %d entries", i, told[i]);
    end();
}
END_TEST

static int due;

static const char *one_open(int i, bool first)
{
    (void)first;
    return i == due ? "5000 1 0" : NULL;
}

START_TEST(a_wish_for_a_permit_goes_first)
{
    begin(600, 50);
    due = one_of_shard(SHARDS - 2);
    run(20000, true, -1);
    view_of = one_open;
    run(1000, true, -1);
    memset(wished, 0, sizeof wished);
    run(10000, true, -1);
    ck_assert_int_ge(wished[due], 20); /* of fifty exchanges */
    end();
}
END_TEST

static const char *all_open(int i, bool first)
{
    static char text[40];

    snprintf(text, sizeof text, "%d 1 60000000", 1000 + i);
    return first ? text : NULL;
}

START_TEST(a_host_that_comes_into_an_outage_shuts_its_gates_at_once)
{
    begin(1000, 200);
    view_of = all_open;
    for (int t = 0; t < 1000; t += STEP_MS) {
        now += STEP_MS * MS;
        carry();
    }
    for (int i = 0; i < circuits; i++) {
        swg_gate_reading reading;

        ck_assert_int_eq(swg_gate_read(circuit[i], now, &reading), SWG_OK);
        ck_assert_uint_eq(reading.mode, SWG_GATE_OPEN);
    }
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fleet client, share");
    TCase *t = tcase_create("share");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, no_shard_is_silenced_by_the_trouble_of_others);
    tcase_add_test(t, a_wish_for_a_permit_goes_first);
    tcase_add_test(t, a_host_that_comes_into_an_outage_shuts_its_gates_at_once);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
