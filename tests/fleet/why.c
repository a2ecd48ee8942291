/* Why a circuit of the fleet changed its state: from where it is decided, through the wire, to the
 * journal and the snapshot of every host. */
#include "alone.h"
#include "client_world.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <switchgear/observe.h>
#include <time.h>

#define SECOND INT64_C(1000000)
#define BEGIN INT64_C(1790000000000000)
#define BY "abc4567890123456789012345678901234567890"

/* ---- the step function --------------------------------------------------------------------- */

static struct swg_step_shard shard, before;
static struct swg_step_request request;
static struct swg_step_reply reply;
static struct swg_step_entry *const e = request.entry;

static void nobody(void)
{
    memset(&shard, 0, sizeof shard);
    memset(&request, 0, sizeof request);
    request.schema = SWG_STEP_SCHEMA;
    request.entries = 1;
    *e = (struct swg_step_entry){.circuit = "db", .has_config = true, .rev = 1};
    swg_step_config_default(&e->config);
}

static const struct swg_step_circuit *say(const char *who, int64_t at)
{
    strcpy(request.reporter, who);
    e->seq++;
    ck_assert_int_eq(swg_step_sync(&shard, at, BY, &request, &reply), SWG_STEP_DONE);
    e->epoch = shard.circuit[0].epoch;
    return &shard.circuit[0];
}

static void is_trip(const struct swg_step_trip *t, struct swg_step_trip told)
{
    ck_assert_int_eq(t->cause, told.cause);
    ck_assert_int_eq(t->n, told.n);
    ck_assert_int_eq(t->f, told.f);
    ck_assert_int_eq(t->s, told.s);
    ck_assert_int_eq(t->bad, told.bad);
    ck_assert_int_eq(t->votes, told.votes);
    ck_assert_int_eq(t->reporters, told.reporters);
}

START_TEST(a_rate_is_told_with_the_sums_it_was_judged_by)
{
    const struct swg_step_circuit *c;

    nobody();
    e->n = 50, e->f = 0;
    say("a", BEGIN);
    e->n = 60, e->f = 55;
    say("b", BEGIN);
    e->n = 100, e->f = 90, e->s = 3;
    c = say("c", BEGIN);
    ck_assert_int_eq(c->state, SWG_STEP_OPEN);
    ck_assert_int_eq(c->cause, SWG_CAUSE_FAILURE_RATE);
    is_trip(&c->trip, (struct swg_step_trip){SWG_CAUSE_FAILURE_RATE, 210, 145, 3, 2, 0, 3});
    ck_assert_int_eq(reply.view[0].cause, SWG_CAUSE_FAILURE_RATE);
    is_trip(&reply.view[0].trip, c->trip);
}
END_TEST

START_TEST(slow_calls_are_told_apart_from_failures)
{
    const struct swg_step_circuit *c;

    nobody();
    e->config.v[SWG_CFG_SLOW_PCT] = 80;
    e->n = 50, e->f = 1, e->s = 45;
    say("a", BEGIN);
    c = say("b", BEGIN);
    ck_assert_int_eq(c->cause, SWG_CAUSE_SLOW_RATE);
    is_trip(&c->trip, (struct swg_step_trip){SWG_CAUSE_SLOW_RATE, 100, 2, 90, 2, 0, 2});
}
END_TEST

/* Failures that are all the reporters' own are counted when they decide, and only then. */
START_TEST(what_was_counted_is_what_is_told)
{
    const struct swg_step_circuit *c;

    nobody();
    e->n = 50, e->f = 30, e->l = 20;
    say("a", BEGIN);
    c = say("b", BEGIN);
    is_trip(&c->trip, (struct swg_step_trip){SWG_CAUSE_FAILURE_RATE, 100, 100, 0, 2, 0, 2});
    nobody();
    e->n = 50, e->f = 30, e->l = 20;
    say("a", BEGIN);
    e->l = 0;
    c = say("b", BEGIN);
    is_trip(&c->trip, (struct swg_step_trip){SWG_CAUSE_FAILURE_RATE, 80, 60, 0, 2, 0, 2});
}
END_TEST

START_TEST(votes_are_told_as_votes)
{
    const struct swg_step_circuit *c;

    nobody();
    e->n = 9;
    say("a", BEGIN);
    e->local_open = true;
    e->n = e->f = 5;
    say("b", BEGIN);
    c = say("c", BEGIN);
    ck_assert_int_eq(c->cause, SWG_CAUSE_VOTES);
    is_trip(&c->trip, (struct swg_step_trip){SWG_CAUSE_VOTES, 19, 10, 0, 2, 2, 3});
}
END_TEST

static void trip_at(int64_t at)
{
    nobody();
    e->n = e->f = 50;
    say("a", at);
    say("b", at);
    e->n = e->f = 0;
}

static void result(int outcome)
{
    e->results = 1;
    e->result[0] = (struct swg_step_result){.epoch = e->epoch, .seq = e->seq, .outcome = outcome};
    e->want = 0;
}

/* An outage has one trip, however often it is probed. */
START_TEST(the_trip_stays_while_it_probes_and_after_it_closed)
{
    const struct swg_step_circuit *c = &shard.circuit[0];
    struct swg_step_trip trip;
    int64_t at = BEGIN + 6 * SECOND;

    trip_at(BEGIN);
    trip = c->trip;
    ck_assert_int_eq(trip.n, 100);
    e->config.v[SWG_CFG_NEED] = e->config.v[SWG_CFG_PROBES] = 1;
    e->config.v[SWG_CFG_FAIL_LIMIT] = e->config.v[SWG_CFG_EXPIRY_LIMIT] = 1;
    e->rev = 2;
    e->want = 1;
    ck_assert_int_eq(say("a", at)->cause, SWG_CAUSE_WAIT_OVER);
    result(SWG_STEP_FAILED);
    ck_assert_int_eq(say("a", at)->cause, SWG_CAUSE_PROBES_FAILED);
    is_trip(&c->trip, trip);
    e->results = 0;
    e->want = 1;
    say("a", at += 60 * SECOND);
    ck_assert_int_eq(say("a", at += 6 * SECOND)->cause, SWG_CAUSE_PROBES_LOST);
    is_trip(&c->trip, trip);
    say("a", at += 60 * SECOND);
    result(SWG_STEP_OK);
    ck_assert_int_eq(say("a", at)->cause, SWG_CAUSE_PROBES_PASSED);
    is_trip(&c->trip, trip);
}
END_TEST

START_TEST(an_order_leaves_nothing_of_the_trip)
{
    struct swg_step_order o = {
        .schema = 1, .circuit = "db", .state = SWG_STEP_FORCED, .ttl = 60 * SECOND};
    const struct swg_step_circuit *c = &shard.circuit[0];
    int64_t epoch;

    strcpy(o.who, "ops");
    strcpy(o.reason, "drill");
    trip_at(BEGIN);
    ck_assert_int_eq(swg_step_admin(&shard, BEGIN, BY, &o, &epoch), SWG_STEP_DONE);
    ck_assert_int_eq(c->cause, SWG_CAUSE_OVERRIDE);
    is_trip(&c->trip, (struct swg_step_trip){0});
    say("a", BEGIN + 61 * SECOND);
    ck_assert_int_eq(c->state, SWG_STEP_OPEN);
    ck_assert_int_eq(c->cause, SWG_CAUSE_OVERRIDE_ENDED);
}
END_TEST

/* A server that lost a trip opens on a host's word and has no evidence; what it had is another's.
 * One that holds as much as the host keeps its cause. */
START_TEST(a_claim_shows_no_evidence_of_an_earlier_trip)
{
    const struct swg_step_circuit *c = &shard.circuit[0];

    trip_at(BEGIN);
    e->epoch += 4096;
    e->state = SWG_STEP_OPEN;
    say("a", BEGIN);
    ck_assert_int_eq(c->cause, SWG_CAUSE_FAILURE_RATE);
    ck_assert_int_eq(c->trip.n, 100);
    shard.circuit[0].state = SWG_STEP_CLOSED;
    e->epoch += 4096;
    e->remaining = SECOND;
    say("a", BEGIN);
    ck_assert_int_eq(c->state, SWG_STEP_OPEN);
    ck_assert_int_eq(c->cause, SWG_CAUSE_CLAIM);
    is_trip(&c->trip, (struct swg_step_trip){0});
}
END_TEST

static bool opens(int cause)
{
    return cause == SWG_CAUSE_FAILURE_RATE || cause == SWG_CAUSE_SLOW_RATE ||
           cause == SWG_CAUSE_VOTES;
}

static bool fits(int from, int to, int cause)
{
    switch (cause) {
    case SWG_CAUSE_WAIT_OVER:
        return from == SWG_STEP_OPEN && to == SWG_STEP_HALF;
    case SWG_CAUSE_PROBES_PASSED:
        return from == SWG_STEP_HALF && to == SWG_STEP_CLOSED;
    case SWG_CAUSE_PROBES_FAILED:
    case SWG_CAUSE_PROBES_LOST:
        return from == SWG_STEP_HALF && to == SWG_STEP_OPEN;
    case SWG_CAUSE_CLAIM:
        return to == SWG_STEP_OPEN && (from == SWG_STEP_CLOSED || from == SWG_STEP_HALF);
    case SWG_CAUSE_OVERRIDE_ENDED:
        return (from == SWG_STEP_FORCED && to == SWG_STEP_OPEN) ||
               (from == SWG_STEP_DISABLED && to == SWG_STEP_CLOSED);
    default:
        return opens(cause) && from == SWG_STEP_CLOSED && to == SWG_STEP_OPEN;
    }
}

/* The evidence bears out what is said. */
static void holds(const struct swg_step_circuit *c)
{
    const int64_t *v = c->config.v;
    const struct swg_step_trip *t = &c->trip;

    ck_assert_int_eq(t->cause, c->cause);
    if (t->cause == SWG_CAUSE_VOTES) {
        ck_assert(t->votes >= v[SWG_CFG_QUORUM] && t->votes <= t->reporters);
        return;
    }
    ck_assert(t->bad >= v[SWG_CFG_QUORUM] && t->bad <= t->reporters);
    if (t->cause == SWG_CAUSE_FAILURE_RATE)
        ck_assert(v[SWG_CFG_FAIL_PCT] > 0 && t->f * 100 >= v[SWG_CFG_FAIL_PCT] * t->n);
    else
        ck_assert(v[SWG_CFG_SLOW_PCT] > 0 && t->s * 100 >= v[SWG_CFG_SLOW_PCT] * t->n);
}

/* One request may bring more than one transition of a circuit: an override that ends, a claim and
 * the wait; all but the last are of the rules above. */
static void check_causes(void)
{
    for (int i = 0; i < SWG_STEP_CIRCUITS; i++) {
        const struct swg_step_circuit *old = &before.circuit[i], *c = &shard.circuit[i];

        if (!c->used || !c->known)
            continue;
        if (c->state == old->state && memcmp(&c->trip, &old->trip, sizeof c->trip) == 0)
            continue;
        if (opens(c->cause) && c->state == SWG_STEP_OPEN && old->state == SWG_STEP_CLOSED)
            holds(c);
        if (!fits(old->state, c->state, c->cause)) {
            bool twice = fits(SWG_STEP_OPEN, c->state, c->cause) ||
                         fits(SWG_STEP_CLOSED, c->state, c->cause);

            ck_assert_msg(twice, "from %d to %d: %s", old->state, c->state,
                          swg_cause_name((swg_cause)c->cause));
        }
    }
}

START_TEST(every_transition_has_a_cause_that_fits)
{
    uint64_t seed = getenv("SWG_SEED") ? strtoull(getenv("SWG_SEED"), NULL, 10)
                                       : (uint64_t)time(NULL) + (uint64_t)_i;
    static struct world random;

    printf("SWG_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    world_start(&random, seed);
    memset(&shard, 0, sizeof shard);
    for (int i = 0; i < 20000; i++) {
        int who;

        world_tick(&random);
        if (world_chance(&random, 300))
            world_new_server(&random);
        who = world_request(&random, &request);
        before = shard;
        ck_assert_int_eq(swg_step_sync(&shard, random.now, random.server, &request, &reply), 0);
        check_causes();
        world_learn(&random, who, &reply);
    }
}
END_TEST

/* ---- a client ------------------------------------------------------------------------------ */

/* The last of the fleet's in a journal; false: none. */
static bool last_event(swg_panel *of, swg_event *last)
{
    swg_event events[64];
    uint64_t cursor = 0;
    size_t n;
    bool found = false;

    while ((n = swg_journal_read(of, &cursor, events, 64)) > 0) {
        for (size_t i = 0; i < n; i++) {
            if (events[i].scope != SWG_SCOPE_FLEET)
                continue;
            *last = events[i];
            found = true;
        }
    }
    return found;
}

/* epoch, state, remaining, cause, evidence */
static swg_event told(const char *epoch, const char *state, const char *cause, const char *trip)
{
    const char *row[8] = {"db", epoch, state, "9000000", "-1", "1", cause, trip};
    char text[512], bytes[1024];
    swg_fleet_circuit_snapshot s;
    swg_event event;
    int used = 0;

    if (*state == '0' || *state == '2')
        row[3] = "0";
    used += snprintf(text, sizeof text, "*8\r\n");
    for (int i = 0; i < 8; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "$%zu\r\n%s\r\n", strlen(row[i]),
                         row[i]);
    snprintf(bytes, sizeof bytes, VIEWS("%s"), text);
    ck_assert_int_eq(feed(bytes), SWG_OK);
    now += 1000 * MS;
    swg_fleet_tick(fleet, now);
    ck_assert(last_event(panel, &event));
    ck_assert_int_eq(swg_fleet_read_circuit(fleet, "db", &s), SWG_OK);
    ck_assert_uint_eq(s.epoch, strtoull(epoch, NULL, 10));
    ck_assert_uint_eq(s.cause, strtoull(cause, NULL, 10));
    ck_assert_uint_eq(event.epoch, s.epoch);
    return event;
}

static void is_event(swg_event event, swg_cause cause, uint32_t calls, uint32_t failures,
                     uint32_t slow, uint32_t limit)
{
    ck_assert_str_eq(swg_cause_name((swg_cause)event.cause), swg_cause_name(cause));
    ck_assert_uint_eq(event.calls, calls);
    ck_assert_uint_eq(event.failures, failures);
    ck_assert_uint_eq(event.slow, slow);
    ck_assert_uint_eq(event.limit, limit);
}

START_TEST(the_journal_has_cause_evidence_and_limit)
{
    is_event(told("9", "1", "1", "1|210|145|3|2|0|3"), SWG_CAUSE_FAILURE_RATE, 210, 145, 3, 50);
    is_event(told("10", "2", "5", "1|210|145|3|2|0|3"), SWG_CAUSE_WAIT_OVER, 0, 0, 0, 0);
    is_event(told("11", "1", "7", "1|210|145|3|2|0|3"), SWG_CAUSE_PROBES_FAILED, 0, 0, 0, 2);
    is_event(told("12", "2", "5", "1|210|145|3|2|0|3"), SWG_CAUSE_WAIT_OVER, 0, 0, 0, 0);
    is_event(told("13", "1", "14", "1|210|145|3|2|0|3"), SWG_CAUSE_PROBES_LOST, 0, 0, 0, 12);
    is_event(told("14", "0", "6", "1|210|145|3|2|0|3"), SWG_CAUSE_PROBES_PASSED, 0, 0, 0, 0);
    is_event(told("15", "1", "12", "12|19|10|7|2|2|3"), SWG_CAUSE_VOTES, 3, 2, 0, 2);
    is_event(told("16", "4", "10", "0|0|0|0|0|0|0"), SWG_CAUSE_OVERRIDE, 0, 0, 0, 0);
    is_event(told("17", "1", "13", "0|0|0|0|0|0|0"), SWG_CAUSE_CLAIM, 0, 0, 0, 0);
    is_event(told("18", "3", "10", "0|0|0|0|0|0|0"), SWG_CAUSE_OVERRIDE, 0, 0, 0, 0);
}
END_TEST

static void count_is(const char *cause, unsigned count)
{
    char page[32768], line[128];
    size_t used = swg_fleet_metrics_write(fleet, now, 1, page, sizeof page);

    ck_assert_uint_lt(used, sizeof page);
    snprintf(line, sizeof line, "fleet_transitions_total{space=\"default\",cause=\"%s\"} %u\n",
             cause, count);
    ck_assert_msg(strstr(page, line) != NULL, "no %s", line);
}

START_TEST(transitions_are_counted_by_cause)
{
    told("9", "1", "1", "1|210|145|3|2|0|3");
    told("10", "2", "5", "1|210|145|3|2|0|3");
    told("11", "1", "7", "1|210|145|3|2|0|3");
    told("12", "2", "5", "1|210|145|3|2|0|3");
    told("13", "0", "77", "1|210|145|3|2|0|3");
    count_is("failure_rate", 1);
    count_is("wait_over", 2);
    count_is("probes_failed", 1);
    count_is("unknown", 1);
    count_is("claim", 0);
}
END_TEST

/* What a newer library may say, and sums beyond what an event holds. */
START_TEST(causes_nobody_knows_yet_and_sums_too_large)
{
    is_event(told("9", "1", "99", "99|1|1|1|1|1|1"), (swg_cause)99, 0, 0, 0, 0);
    told("10", "0", "6", "99|1|1|1|1|1|1");
    is_event(told("11", "1", "1", "1|9007199254740991|9007199254740991|0|2|0|2"),
             SWG_CAUSE_FAILURE_RATE, UINT32_MAX, UINT32_MAX, 0, 50);
}
END_TEST

/* ---- a fleet ------------------------------------------------------------------------------- */

static struct client_world world;
static struct client_world *const w = &world;

static void run_until(swg_fleet_state state)
{
    for (int i = 0; i < 2000 && client_world_view(w, 0).state != state; i++)
        client_world_run(w, 10);
    client_world_run(w, 200);
    for (int i = 0; i < w->hosts; i++)
        ck_assert_uint_eq(client_world_view(w, i).state, state);
}

static int hosts_that_say(swg_cause cause)
{
    int count = 0;

    for (int i = 0; i < w->hosts; i++)
        count += client_world_view(w, i).cause == (uint32_t)cause;
    return count;
}

static void fleet_of(int hosts)
{
    client_world_start(
        w, hosts, 7,
        SWG_FLEET(.revision = 1, .lease_ms = 1000, .ramp_ms = 1000, .quarantine_ms = 500));
    client_world_run(w, 500);
}

START_TEST(every_host_journals_the_same_cause_and_evidence)
{
    swg_event event, first;

    fleet_of(4);
    w->healthy = false;
    run_until(SWG_FLEET_OPEN);
    ck_assert(last_event(w->host[0].panel, &first));
    ck_assert(first.cause == SWG_CAUSE_FAILURE_RATE || first.cause == SWG_CAUSE_VOTES);
    ck_assert_uint_ge(first.failures * 100u, 50 * first.calls);
    for (int i = 1; i < 4; i++) {
        ck_assert(last_event(w->host[i].panel, &event));
        is_event(event, (swg_cause)first.cause, first.calls, first.failures, first.slow,
                 first.limit);
    }
    w->healthy = true;
    run_until(SWG_FLEET_CLOSED);
    ck_assert_int_eq(hosts_that_say(SWG_CAUSE_PROBES_PASSED), w->hosts);
    client_world_stop(w);
}
END_TEST

START_TEST(a_failover_that_lost_the_trip_says_claim)
{
    fleet_of(4);
    client_world_replicate(w);
    w->healthy = false;
    run_until(SWG_FLEET_OPEN);
    client_world_failover(w, 'b');
    for (int i = 0; i < 200 && hosts_that_say(SWG_CAUSE_CLAIM) < w->hosts; i++)
        client_world_run(w, 10);
    ck_assert_int_eq(hosts_that_say(SWG_CAUSE_CLAIM), w->hosts);
    ck_assert_int_eq(client_world_truth(w)->trip.cause, SWG_CAUSE_NONE);
    client_world_stop(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fleet why");
    TCase *step = tcase_create("step"), *one = tcase_create("client"), *all = tcase_create("fleet");

    tcase_set_timeout(step, 60);
    tcase_add_test(step, a_rate_is_told_with_the_sums_it_was_judged_by);
    tcase_add_test(step, slow_calls_are_told_apart_from_failures);
    tcase_add_test(step, what_was_counted_is_what_is_told);
    tcase_add_test(step, votes_are_told_as_votes);
    tcase_add_test(step, the_trip_stays_while_it_probes_and_after_it_closed);
    tcase_add_test(step, an_order_leaves_nothing_of_the_trip);
    tcase_add_test(step, a_claim_shows_no_evidence_of_an_earlier_trip);
    tcase_add_loop_test(step, every_transition_has_a_cause_that_fits, 0, 4);
    suite_add_tcase(s, step);
    tcase_add_checked_fixture(one, start, stop);
    tcase_add_test(one, the_journal_has_cause_evidence_and_limit);
    tcase_add_test(one, transitions_are_counted_by_cause);
    tcase_add_test(one, causes_nobody_knows_yet_and_sums_too_large);
    suite_add_tcase(s, one);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, every_host_journals_the_same_cause_and_evidence);
    tcase_add_test(all, a_failover_that_lost_the_trip_says_claim);
    suite_add_tcase(s, all);
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
