/* What the fleet promises, on the step function: invariants over random histories, and each rule on
 * its own. I-numbers name the protocol's invariants. */
#include "world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 5000
#define MS INT64_C(1000)
#define SECOND INT64_C(1000000)
#define START INT64_C(1790000000000000)

static struct swg_step_shard shard, before;
static struct swg_step_request request;
static struct swg_step_reply reply;
static struct world world;
static const char server[] = "abc4567890123456789012345678901234567890";
static const char other[] = "def4567890123456789012345678901234567890";

static struct swg_step_circuit *circuit(struct swg_step_shard *s, const char *name)
{
    for (int i = 0; i < SWG_STEP_CIRCUITS; i++) {
        if (strcmp(s->circuit[i].name, name) == 0)
            return &s->circuit[i];
    }
    return NULL;
}

/* ---- random histories ---- */

static int64_t good_results(const struct swg_step_circuit *c, const struct swg_step_entry *e,
                            const char *reporter)
{
    int64_t good = 0;

    for (int i = 0; i < e->results; i++) {
        const struct swg_step_result *r = &e->result[i];

        for (int k = 0; k < SWG_STEP_LEASES; k++) {
            const struct swg_step_lease *l = &c->lease[k];

            good += r->outcome == SWG_STEP_OK && l->used && l->epoch == r->epoch &&
                    l->epoch == c->epoch && l->seq == r->seq && l->index == r->index &&
                    l->expiry > reply.now && strcmp(before.reporter[l->reporter], reporter) == 0;
        }
    }
    return good;
}

/* I2, I3, I4: closed only after `need` live leases of this very period came back good. */
static void check_closing(const struct swg_step_circuit *old, const struct swg_step_circuit *new,
                          const struct swg_step_entry *e)
{
    if (new->state != SWG_STEP_CLOSED || old->state == SWG_STEP_CLOSED)
        return;
    if (old->state == SWG_STEP_DISABLED) {
        ck_assert(reply.now >= old->until);
        return;
    }
    ck_assert_int_eq(old->state, SWG_STEP_HALF);
    ck_assert(old->ps + good_results(old, e, request.reporter) >= new->config.v[SWG_CFG_NEED]);
}

/* I12: nothing shortens an open period but the longest wait allowed and a new history. */
static void check_opening(const struct swg_step_circuit *old, const struct swg_step_circuit *new)
{
    if (old->state != SWG_STEP_OPEN || new->state != SWG_STEP_HALF)
        return;
    ck_assert(reply.now >= old->until || old->until > reply.now + new->config.v[SWG_CFG_OPEN_MAX]);
}

static void check_totals(const struct swg_step_circuit *c)
{
    int64_t n = 0, f = 0, s = 0, l = 0, bad = 0;

    for (int i = 0; i < SWG_STEP_REPORTERS; i++) {
        n += c->rec[i].n;
        f += c->rec[i].f;
        s += c->rec[i].s;
        l += c->rec[i].l;
        bad += c->rec[i].bad;
        ck_assert(!c->rec[i].used || c->state == SWG_STEP_CLOSED);
    }
    ck_assert(n == c->n && f == c->f && s == c->s && l == c->l && bad == c->bad);
}

static void check_leases(const struct swg_step_circuit *old, const struct swg_step_circuit *c)
{
    int live = 0, most = (int)c->config.v[SWG_CFG_PROBES], had = 0;

    for (int i = 0; i < SWG_STEP_LEASES; i++) {
        live += c->lease[i].used;
        had += old && old->lease[i].used && old->epoch == c->epoch;
        ck_assert(!c->lease[i].used ||
                  (c->state == SWG_STEP_HALF && c->lease[i].epoch == c->epoch));
    }
    ck_assert_int_le(live, had > most ? had : most); /* a lowered limit takes nothing back */
}

static void check_circuits(void)
{
    for (int i = 0; i < SWG_STEP_CIRCUITS; i++) {
        struct swg_step_circuit *c = &shard.circuit[i], *old = &before.circuit[i];

        if (!c->used)
            continue;
        check_totals(c);
        check_leases(old->used ? old : NULL, c);
        ck_assert(!c->known || c->epoch >= old->epoch);
        if (memcmp(&c->state, &old->state, sizeof c->state) != 0 && c->known)
            ck_assert(c->epoch > old->epoch);
    }
    for (int i = 0; i < request.entries; i++) {
        struct swg_step_circuit *old = circuit(&before, request.entry[i].circuit);
        struct swg_step_circuit *new = circuit(&shard, request.entry[i].circuit);

        if (old) {
            check_closing(old, new, &request.entry[i]);
            check_opening(old, new);
        }
    }
}

static void history(uint64_t seed, void (*after)(void))
{
    world_start(&world, seed);
    memset(&shard, 0, sizeof shard);
    for (int i = 0; i < STEPS; i++) {
        int who;

        world_tick(&world);
        who = world_request(&world, &request);
        before = shard;
        ck_assert_int_eq(swg_step_sync(&shard, world.now, world.server, &request, &reply), 0);
        after();
        world_learn(&world, who, &reply);
    }
}

START_TEST(invariants_hold_over_random_histories)
{
    history((uint64_t)_i + 1, check_circuits);
}
END_TEST

/* I13. The sweep of idle circuits goes on, and may come by on the second call. */
static void repeat_it(void)
{
    struct swg_step_reply second;

    before = shard;
    ck_assert_int_eq(swg_step_sync(&shard, world.now, world.server, &request, &second), 0);
    for (int i = 0; i < SWG_STEP_CIRCUITS; i++) {
        if (shard.circuit[i].known || !before.circuit[i].known)
            ck_assert(memcmp(&shard.circuit[i], &before.circuit[i], sizeof shard.circuit[i]) == 0);
    }
    ck_assert(shard.ep == before.ep && shard.since == before.since);
    for (int i = 0; i < second.grants; i++)
        ck_assert_int_eq(second.grant[i].count, 0);
}

START_TEST(I13_a_repeated_request_changes_nothing)
{
    history((uint64_t)_i + 101, repeat_it);
}
END_TEST

static void spoil_it(void)
{
    struct swg_step_request kept = request;

    world_spoil(&world, &request);
    before = shard;
    ck_assert_int_eq(swg_step_sync(&shard, world.now, world.server, &request, &reply),
                     SWG_STEP_ARG);
    ck_assert(memcmp(&shard, &before, sizeof shard) == 0);
    request = kept;
}

START_TEST(hostile_arguments_are_refused_before_any_write)
{
    history((uint64_t)_i + 201, spoil_it);
}
END_TEST

/* ---- one rule each ---- */

static struct swg_step_config config;
static int64_t now_us, seqs;
static const char *at_server;

static void fresh(void)
{
    memset(&shard, 0, sizeof shard);
    swg_step_config_default(&config);
    now_us = START;
    seqs = 0;
    at_server = server;
}

static struct swg_step_entry *say(const char *who)
{
    struct swg_step_circuit *c = circuit(&shard, "db");

    memset(&request, 0, sizeof request);
    request.schema = SWG_STEP_SCHEMA;
    strcpy(request.reporter, who);
    request.entries = 1;
    strcpy(request.entry[0].circuit, "db");
    request.entry[0].seq = ++seqs;
    request.entry[0].epoch = c ? c->epoch : 0;
    request.entry[0].state = c ? c->state : 0;
    request.entry[0].has_config = true;
    request.entry[0].config = config;
    request.entry[0].rev = 1;
    return &request.entry[0];
}

static struct swg_step_circuit *sent(void)
{
    ck_assert_int_eq(swg_step_sync(&shard, now_us, at_server, &request, &reply), 0);
    return circuit(&shard, "db");
}

static struct swg_step_circuit *report(const char *who, int64_t n, int64_t f, int64_t l)
{
    struct swg_step_entry *e = say(who);

    e->n = n;
    e->f = f;
    e->l = l;
    return sent();
}

static struct swg_step_circuit *ask(const char *who, int want)
{
    say(who)->want = want;
    return sent();
}

static struct swg_step_circuit *answer(const char *who, const struct swg_step_grant *g, int index,
                                       int outcome)
{
    struct swg_step_entry *e = say(who);

    e->results = 1;
    e->result[0] = (struct swg_step_result){g->epoch, g->seq, index, outcome};
    return sent();
}

static void trip(void)
{
    report("a", 50, 50, 0);
    ck_assert_int_eq(report("b", 50, 50, 0)->state, SWG_STEP_OPEN);
}

static void half_open(void)
{
    trip();
    now_us += 7 * SECOND;
    ck_assert_int_eq(ask("a", 1)->state, SWG_STEP_HALF);
    ck_assert_int_eq(reply.grant[0].count, 1);
}

START_TEST(I10_one_reporter_alone_never_trips_the_fleet)
{
    world_start(&world, (uint64_t)_i + 1);
    fresh();
    for (int i = 0; i < 5000; i++) {
        int64_t n = (int64_t)world_below(&world, 2000);

        now_us += (int64_t)world_below(&world, 3000000);
        say("a")->n = n;
        request.entry[0].f = (int64_t)world_below(&world, (uint64_t)n + 1);
        request.entry[0].local_open = world_chance(&world, 2);
        ck_assert_int_eq(sent()->state, SWG_STEP_CLOSED);
    }
    /* and the second one does */
    report("a", 500, 500, 0);
    ck_assert_int_eq(report("b", 500, 500, 0)->state, SWG_STEP_OPEN);
}
END_TEST

START_TEST(one_loud_reporter_is_capped)
{
    fresh();
    config.v[SWG_CFG_CAP] = 50;
    report("good1", 50, 0, 0);
    report("good2", 50, 0, 0);
    report("small", 2, 2, 0);
    ck_assert_int_eq(report("loud", 900, 900, 0)->state, SWG_STEP_CLOSED);
    ck_assert_int_eq(circuit(&shard, "db")->n, 152);
}
END_TEST

START_TEST(failures_of_local_origin_need_a_quorum_of_their_own)
{
    fresh();
    report("a", 100, 0, 100);
    report("b", 100, 0, 0);
    ck_assert_int_eq(report("c", 100, 60, 0)->state, SWG_STEP_CLOSED);
    fresh();
    report("a", 100, 0, 100);
    ck_assert_int_eq(report("b", 100, 0, 100)->state, SWG_STEP_OPEN);
}
END_TEST

static const struct swg_step_circuit *vote(const char *reporter, int64_t n, int64_t l)
{
    say(reporter)->n = n;
    request.entry[0].l = l;
    request.entry[0].local_open = true;
    return sent();
}

/* A host whose breaker opened on five failures in a row shows no bad rate. */
START_TEST(a_quorum_of_open_breakers_trips_without_a_rate)
{
    fresh();
    ck_assert_int_eq(vote("a", 1000, 0)->state, SWG_STEP_CLOSED);
    ck_assert_int_eq(vote("b", 1000, 0)->state, SWG_STEP_OPEN);
    fresh(); /* two of five are no half */
    report("c", 1000, 0, 0);
    report("d", 1000, 0, 0);
    report("e", 1000, 0, 0);
    vote("a", 1000, 0);
    ck_assert_int_eq(vote("b", 1000, 0)->state, SWG_STEP_CLOSED);
    ck_assert_int_eq(vote("c", 1000, 0)->state, SWG_STEP_OPEN);
    fresh(); /* a reporter that has no calls has no say, one that fails at home no vote */
    report("c", 0, 0, 0);
    report("d", 0, 0, 0);
    report("e", 0, 0, 0);
    vote("a", 1000, 5);
    ck_assert_int_eq(vote("b", 1000, 0)->state, SWG_STEP_CLOSED);
    ck_assert_int_eq(vote("c", 0, 0)->state, SWG_STEP_OPEN);
}
END_TEST

START_TEST(evidence_of_another_epoch_does_not_count)
{
    struct swg_step_circuit *c;

    fresh();
    half_open();
    config.v[SWG_CFG_NEED] = 1;
    c = circuit(&shard, "db");
    c->config.v[SWG_CFG_NEED] = 1;
    ck_assert_int_eq(answer("a", &reply.grant[0], 0, SWG_STEP_OK)->state, SWG_STEP_CLOSED);
    say("a")->n = 100;
    request.entry[0].f = 100;
    request.entry[0].epoch -= 4096;
    ck_assert_int_eq(sent()->n, 0);
}
END_TEST

START_TEST(summaries_arrive_in_any_order)
{
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct swg_step_request q[3];

    fresh();
    for (int i = 0; i < 3; i++) {
        say("a")->n = 10 * (i + 1);
        q[i] = request;
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(swg_step_sync(&shard, now_us, server, &q[orders[_i][i]], &reply), 0);
        ck_assert_int_eq(swg_step_sync(&shard, now_us, server, &q[orders[_i][i]], &reply), 0);
    }
    ck_assert_int_eq(circuit(&shard, "db")->n, 30);
}
END_TEST

START_TEST(I5_a_dependency_that_hangs_does_not_keep_it_half_open)
{
    int rounds = 0;

    fresh();
    half_open();
    while (circuit(&shard, "db")->state == SWG_STEP_HALF) {
        now_us += config.v[SWG_CFG_LEASE];
        ask(rounds % 2 ? "a" : "b", 3);
        ck_assert_int_le(++rounds, 20);
    }
    ck_assert_int_eq(circuit(&shard, "db")->state, SWG_STEP_OPEN);
    ck_assert_int_eq(circuit(&shard, "db")->backoff, 2);
}
END_TEST

START_TEST(a_new_server_grants_nothing_for_one_lease)
{
    fresh();
    trip();
    at_server = other;
    now_us += 7 * SECOND;
    ask("a", 2);
    ck_assert_int_eq(reply.grant[0].count, 0);
    ck_assert_int_eq(reply.grant[0].wait, config.v[SWG_CFG_LEASE]);
    now_us += config.v[SWG_CFG_LEASE] - 1;
    ask("a", 2);
    ck_assert_int_eq(reply.grant[0].count, 0);
    now_us += 1;
    ask("a", 2);
    ck_assert_int_eq(reply.grant[0].count, 2);
}
END_TEST

START_TEST(one_reporter_gets_half_the_probes)
{
    fresh();
    trip();
    now_us += 7 * SECOND;
    ask("a", 64);
    ck_assert_int_eq(reply.grant[0].count, 2);
    ask("b", 64);
    ck_assert_int_eq(reply.grant[0].count, 1);
    ask("c", 64);
    ck_assert_int_eq(reply.grant[0].count, 0);
}
END_TEST

START_TEST(who_fails_where_the_fleet_succeeds_is_quarantined)
{
    struct swg_step_grant bad, good;

    fresh();
    trip();
    now_us += 7 * SECOND;
    ask("bad", 1);
    bad = reply.grant[0];
    ask("good", 2);
    good = reply.grant[0];
    ck_assert_int_eq(good.count, 2);
    answer("bad", &bad, 0, SWG_STEP_FAILED);
    ask("bad", 1);
    ck_assert_int_eq(reply.grant[0].wait, config.v[SWG_CFG_LEASE]);
    answer("good", &good, 0, SWG_STEP_OK);
    answer("good", &good, 1, SWG_STEP_OK);
    ask("good", 2);
    good = reply.grant[0];
    ck_assert_int_eq(good.count, 1); /* two have passed, of three */
    ck_assert_int_eq(answer("good", &good, 0, SWG_STEP_OK)->state, SWG_STEP_CLOSED);
    ask("bad", 1);
    ck_assert_int_eq(reply.grant[0].quarantine, config.v[SWG_CFG_QUARANTINE]);
    ask("good", 1);
    ck_assert_int_eq(reply.grant[0].quarantine, 0);
}
END_TEST

START_TEST(a_trip_while_ramping_keeps_the_backoff_and_needs_fewer_calls)
{
    struct swg_step_circuit *c;

    fresh();
    config.v[SWG_CFG_NEED] = 1;
    half_open();
    c = answer("a", &reply.grant[0], 0, SWG_STEP_OK);
    ck_assert_int_eq(c->state, SWG_STEP_CLOSED);
    ck_assert_int_eq(reply.view[0].age, 0);
    report("a", 3, 3, 0);
    c = report("b", 3, 3, 0);
    ck_assert_int_eq(c->state, SWG_STEP_OPEN);
    ck_assert_int_eq(c->backoff, 2);
    ck_assert_int_ge(c->until - now_us, 2 * config.v[SWG_CFG_OPEN]);
}
END_TEST

START_TEST(a_claim_from_the_far_future_is_ignored)
{
    fresh();
    say("a")->epoch = SWG_STEP_NUMBER;
    request.entry[0].state = SWG_STEP_OPEN;
    request.entry[0].remaining = SECOND;
    ck_assert_int_eq(sent()->state, SWG_STEP_CLOSED);
    ck_assert_int_eq(shard.ep, 0);
}
END_TEST

START_TEST(I7_a_lost_trip_comes_back_with_its_first_witness)
{
    int64_t epoch;

    fresh();
    trip();
    epoch = circuit(&shard, "db")->epoch;
    memset(&shard, 0, sizeof shard);
    at_server = other;
    say("a")->epoch = epoch;
    request.entry[0].state = SWG_STEP_OPEN;
    request.entry[0].remaining = 3 * SECOND;
    ck_assert_int_eq(sent()->state, SWG_STEP_OPEN);
    ck_assert(circuit(&shard, "db")->epoch > epoch);
    ck_assert_int_eq(circuit(&shard, "db")->until, now_us + 3 * SECOND);
}
END_TEST

START_TEST(the_clock_is_held_over_a_small_step_back)
{
    fresh();
    trip();
    now_us -= 59 * SECOND;
    ask("a", 1);
    ck_assert_int_eq(reply.now, START);
    now_us -= 3600 * SECOND;
    ask("a", 1);
    ck_assert_int_eq(reply.now, now_us);
    ck_assert_int_le(circuit(&shard, "db")->until, now_us + config.v[SWG_CFG_OPEN_MAX]);
}
END_TEST

START_TEST(idle_circuits_are_forgotten_and_open_ones_never)
{
    fresh();
    config.v[SWG_CFG_NEED] = 1;
    half_open();
    answer("a", &reply.grant[0], 0, SWG_STEP_OK);
    now_us += 86402 * SECOND;
    request.entries = 0;
    ck_assert(sent()->known == false);
    fresh();
    trip();
    now_us += 30 * 86402 * SECOND;
    request.entries = 0;
    ck_assert_int_eq(sent()->state, SWG_STEP_OPEN);
}
END_TEST

START_TEST(an_operator_overrides_and_it_ends_by_itself)
{
    struct swg_step_order o = {.schema = 1,
                               .circuit = "db",
                               .state = SWG_STEP_FORCED,
                               .ttl = SECOND,
                               .who = "ops",
                               .reason = "drill"};
    int64_t epoch;

    fresh();
    ck_assert_int_eq(swg_step_admin(&shard, now_us, server, &o, &epoch), 0);
    report("a", 100, 0, 0);
    ck_assert_int_eq(reply.view[0].state, SWG_STEP_FORCED);
    ck_assert_int_eq(report("b", 100, 0, 0)->state, SWG_STEP_FORCED);
    now_us += SECOND;
    ck_assert_int_eq(ask("a", 1)->state, SWG_STEP_OPEN);
    ck_assert_int_eq(ask("a", 1)->state, SWG_STEP_OPEN); /* not before one lease after the order */
    now_us += 4 * SECOND;
    ck_assert_int_eq(ask("a", 1)->state, SWG_STEP_HALF);
    o.state = SWG_STEP_DISABLED;
    ck_assert_int_eq(swg_step_admin(&shard, now_us, server, &o, &epoch), 0);
    report("a", 100, 100, 0);
    ck_assert_int_eq(report("b", 100, 100, 0)->state, SWG_STEP_DISABLED);
    o.state = SWG_STEP_OPEN;
    ck_assert_int_eq(swg_step_admin(&shard, now_us, server, &o, &epoch), SWG_STEP_ARG);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fleet properties");
    TCase *random = tcase_create("random"), *rules = tcase_create("rules");

    tcase_set_timeout(random, 60);
    tcase_add_loop_test(random, invariants_hold_over_random_histories, 0, 4);
    tcase_add_loop_test(random, I13_a_repeated_request_changes_nothing, 0, 2);
    tcase_add_loop_test(random, hostile_arguments_are_refused_before_any_write, 0, 2);
    tcase_add_loop_test(random, I10_one_reporter_alone_never_trips_the_fleet, 0, 3);
    tcase_add_test(rules, one_loud_reporter_is_capped);
    tcase_add_test(rules, failures_of_local_origin_need_a_quorum_of_their_own);
    tcase_add_test(rules, a_quorum_of_open_breakers_trips_without_a_rate);
    tcase_add_test(rules, evidence_of_another_epoch_does_not_count);
    tcase_add_loop_test(rules, summaries_arrive_in_any_order, 0, 6);
    tcase_add_test(rules, I5_a_dependency_that_hangs_does_not_keep_it_half_open);
    tcase_add_test(rules, a_new_server_grants_nothing_for_one_lease);
    tcase_add_test(rules, one_reporter_gets_half_the_probes);
    tcase_add_test(rules, who_fails_where_the_fleet_succeeds_is_quarantined);
    tcase_add_test(rules, a_trip_while_ramping_keeps_the_backoff_and_needs_fewer_calls);
    tcase_add_test(rules, a_claim_from_the_far_future_is_ignored);
    tcase_add_test(rules, I7_a_lost_trip_comes_back_with_its_first_witness);
    tcase_add_test(rules, the_clock_is_held_over_a_small_step_back);
    tcase_add_test(rules, idle_circuits_are_forgotten_and_open_ones_never);
    tcase_add_test(rules, an_operator_overrides_and_it_ends_by_itself);
    suite_add_tcase(s, random);
    suite_add_tcase(s, rules);
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
