/* The client against a Redis in memory: one story a test, then random ones with every kind of
 * trouble. I-numbers: the protocol's invariants; the world asserts I1 to I4 and I14 all the time.
 */
#include "client_world.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct client_world world;
static struct client_world *const w = &world;
static const swg_fleet_config config = {
    .size = sizeof config, .revision = 1, .lease_ms = 1000, .ramp_ms = 1000, .quarantine_ms = 500};

static void all_in(swg_fleet_mode mode)
{
    for (int i = 0; i < w->hosts; i++)
        ck_assert_str_eq(swg_fleet_mode_name(client_world_mode(w, i)), swg_fleet_mode_name(mode));
}

static void all_see(swg_fleet_state state)
{
    for (int i = 0; i < w->hosts; i++)
        ck_assert_str_eq(swg_fleet_state_name((swg_fleet_state)client_world_view(w, i).state),
                         swg_fleet_state_name(state));
}

static void start_with(int hosts, const swg_fleet_config *limits)
{
    client_world_start(w, hosts, 7, limits);
    client_world_run(w, 500);
    all_in(SWG_FLEET_FLEET);
}

static void start(int hosts)
{
    start_with(hosts, &config);
}

static void trip(void)
{
    w->healthy = false;
    for (int i = 0; i < 200 && client_world_view(w, 0).state != SWG_FLEET_OPEN; i++)
        client_world_run(w, 10);
    client_world_run(w, 100);
    all_see(SWG_FLEET_OPEN);
}

START_TEST(opens_everywhere_and_closes_by_few_probes)
{
    swg_fleet_snapshot s;

    start(4);
    trip();
    client_world_run(w, 10000);
    ck_assert_int_le(w->most_probes, 3);
    w->healthy = true;
    client_world_run(w, 8000);
    all_see(SWG_FLEET_CLOSED);
    swg_fleet_read(w->host[0].fleet, &s);
    ck_assert_uint_eq(s.errors[SWG_FLEET_NONSENSE] + s.errors[SWG_FLEET_LOST], 0);
    ck_assert_uint_ge(s.transitions, 4);
    ck_assert_uint_eq(s.reporters, 4);
    client_world_stop(w);
}
END_TEST

START_TEST(one_host_with_a_broken_network_stays_alone)
{
    start(3);
    w->host[0].broken = true;
    client_world_run(w, 6000);
    all_see(SWG_FLEET_CLOSED);
    ck_assert_uint_gt(w->host[0].rejected, 100); /* by its own breaker */
    ck_assert_uint_eq(w->host[1].rejected + w->host[2].rejected, 0);
    client_world_stop(w);
}
END_TEST

/* Did the fleet open while a sick host's client began anew every second? */
static bool opens(uint64_t reporter, bool fresh)
{
    bool opened;

    start(3);
    w->host[0].broken = true;
    for (int i = 0; i < 10; i++) {
        client_world_succeed(w, 0,
                             SWG_FLEET(.host = "host", .shards = MEMORY_SHARDS,
                                       .reporter = fresh ? reporter + (uint64_t)i : reporter));
        client_world_run(w, 1000);
    }
    opened = client_world_view(w, 1).epoch > 0;
    client_world_stop(w);
    return opened;
}

/* Under the panel's name; under a new name each time it would be a quorum by itself. */
START_TEST(I10_a_host_whose_client_starts_over_and_over_is_one_host)
{
    ck_assert(opens(777000, true));
    ck_assert(!opens(0, false));
}
END_TEST

static swg_snapshot own(int host)
{
    swg_snapshot s;

    ck_assert_int_eq(swg_circuit_read(w->host[host].circuit, w->now_ns, &s), SWG_OK);
    return s;
}

START_TEST(closes_every_hosts_own_breaker_with_it)
{
    start(4);
    trip();
    w->healthy = true;
    for (int i = 0; i < 2000 && client_world_view(w, 0).state != SWG_FLEET_CLOSED; i++)
        client_world_run(w, 5);
    client_world_run(w, 100);
    all_see(SWG_FLEET_CLOSED);
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(own(i).state, SWG_CLOSED);
        ck_assert_uint_eq(own(i).transitions[SWG_CAUSE_WAIT_OVER], 0); /* no probe of its own */
    }
    client_world_stop(w);
}
END_TEST

static int failed_probes(void)
{
    const struct swg_step_circuit *c = client_world_truth(w);

    return c && c->state == SWG_STEP_HALF ? (int)c->pf : 0;
}

/* A single failure opens nothing again: the fleet closes by the probes of the others. */
START_TEST(a_host_that_failed_its_probe_stays_with_its_own_breaker)
{
    swg_fleet_config lenient = config;

    lenient.fail_limit = 8;
    start_with(4, &lenient);
    trip();
    w->healthy = true;
    w->host[0].broken = true;
    for (int i = 1; i < 4; i++)
        w->host[i].every_ms = 1000000; /* the first has the probes to itself */
    for (int i = 0; i < 4000 && failed_probes() == 0; i++)
        client_world_run(w, 5);
    ck_assert_int_gt(failed_probes(), 0);
    for (int i = 1; i < 4; i++) {
        w->host[i].every_ms = 10;
        w->host[i].next_call_ns = w->now_ns;
    }
    for (int i = 0; i < 4000 && failed_probes() > 0; i++) /* to the end of this period */
        client_world_run(w, 5);
    client_world_run(w, 100);
    all_see(SWG_FLEET_CLOSED);
    ck_assert_uint_ne(own(0).state, SWG_CLOSED);
    for (int i = 1; i < 4; i++)
        ck_assert_uint_eq(own(i).state, SWG_CLOSED);
    client_world_stop(w);
}
END_TEST

START_TEST(failures_of_local_origin_do_not_open_the_fleet)
{
    start(3);
    w->host[0].broken = w->host[0].at_home = true;
    client_world_run(w, 3000);
    ck_assert_int_gt(client_world_truth(w)->l, 0);
    ck_assert_int_eq(client_world_truth(w)->f, 0);
    all_see(SWG_FLEET_CLOSED);
    w->host[1].broken = w->host[1].at_home = true; /* two at home are no accident */
    client_world_run(w, 3000);
    ck_assert_uint_ne(client_world_view(w, 2).state, SWG_FLEET_CLOSED);
    client_world_stop(w);
}
END_TEST

START_TEST(the_fleets_limits_are_the_circuits)
{
    start(2);
    ck_assert(client_world_truth(w)->has_config);
    ck_assert_int_eq(client_world_truth(w)->rev, 1);
    ck_assert_int_eq(client_world_truth(w)->config.v[SWG_CFG_WINDOW], 2000000);
    ck_assert_int_eq(client_world_truth(w)->config.v[SWG_CFG_OPEN], 1000000);
    ck_assert_int_eq(client_world_truth(w)->config.v[SWG_CFG_LEASE], 1000000);
    client_world_stop(w);
}
END_TEST

START_TEST(a_circuit_with_hardly_any_calls_recovers_too)
{
    start(2);
    trip();
    w->host[0].every_ms = w->host[1].every_ms = 900;
    w->healthy = true;
    client_world_run(w, 30000);
    all_see(SWG_FLEET_CLOSED);
    client_world_stop(w);
}
END_TEST

START_TEST(healthy_circuits_cost_an_exchange_and_seldom_an_entry)
{
    swg_fleet_snapshot before, after;

    start(2);
    client_world_run(w, 5000);
    swg_fleet_read(w->host[0].fleet, &before);
    client_world_run(w, 10000);
    swg_fleet_read(w->host[0].fleet, &after);
    ck_assert_uint_ge(after.exchanges - before.exchanges, 2 * 150); /* two shards */
    ck_assert_uint_le(after.entries - before.entries, 30);          /* of a window of 2 s */
    client_world_stop(w);
}
END_TEST

/* ---- the state machine of a shard, as rows of (ms, action, expected) ---- */

struct row {
    int at_ms;
    const char *action, *mode, *state;
};

static void act(const char *action)
{
    struct host *h = &w->host[0];

    if (strcmp(action, "cut") == 0)
        h->cut = true;
    if (strcmp(action, "mend") == 0)
        h->cut = false;
    if (strcmp(action, "busy") == 0)
        w->server.refuse = "BUSY Redis is busy running a script.";
    if (strcmp(action, "serve") == 0)
        w->server.refuse = NULL;
    if (strcmp(action, "flush scripts") == 0)
        w->server.loaded[0] = w->server.loaded[1] = false;
    if (strcmp(action, "empty") == 0) {
        memset(w->server.shard, 0, sizeof w->server.shard);
        memory_server_become(&w->server, '9');
    }
}

static void play(const struct row *rows, int count)
{
    int at = 0;

    for (int i = 0; i < count; i++) {
        client_world_run(w, rows[i].at_ms - at);
        at = rows[i].at_ms;
        act(rows[i].action);
        ck_assert_msg(strcmp(swg_fleet_mode_name(client_world_mode(w, 0)), rows[i].mode) == 0,
                      "row %d (%d ms, %s): %s", i, at, rows[i].action,
                      swg_fleet_mode_name(client_world_mode(w, 0)));
        ck_assert_msg(strcmp(swg_fleet_state_name(client_world_view(w, 0).state), rows[i].state) ==
                          0,
                      "row %d (%d ms, %s): %s", i, at, rows[i].action,
                      swg_fleet_state_name(client_world_view(w, 0).state));
    }
}
#define PLAY(...)                                                                                  \
    do {                                                                                           \
        const struct row rows_[] = {__VA_ARGS__};                                                  \
        play(rows_, (int)(sizeof rows_ / sizeof *rows_));                                          \
    } while (0)

START_TEST(joins_goes_stale_local_and_rejoins)
{
    client_world_start(w, 2, 3, &config);
    PLAY({0, "look", "joining", "closed"}, {200, "cut", "fleet", "closed"},
         {450, "look", "fleet", "closed"}, {600, "look", "stale", "closed"},
         {1150, "look", "stale", "closed"}, {1350, "mend", "local", "closed"},
         {4000, "look", "fleet", "closed"});
    client_world_stop(w);
}
END_TEST

START_TEST(refusals_are_waited_out)
{
    swg_fleet_snapshot s;

    client_world_start(w, 2, 3, &config);
    PLAY({300, "busy", "fleet", "closed"}, {2000, "serve", "local", "closed"},
         {5000, "flush scripts", "fleet", "closed"}, {5250, "look", "fleet", "closed"});
    swg_fleet_read(w->host[0].fleet, &s);
    ck_assert_uint_ge(s.errors[SWG_FLEET_BUSY], 3);
    ck_assert_uint_le(s.errors[SWG_FLEET_BUSY], 40); /* not as often as exchanges */
    ck_assert_uint_ge(s.errors[SWG_FLEET_NOSCRIPT], 2);
    client_world_stop(w);
}
END_TEST

START_TEST(I14_cut_off_while_open)
{
    uint64_t permitted;
    int64_t until;

    start(5);
    trip();
    w->host[0].cut = true;
    permitted = w->host[0].permitted;
    until = client_world_view(w, 0).until_ns;
    while (w->now_ns < until - STEP_MS * MS)
        client_world_run(w, STEP_MS);
    ck_assert_uint_eq(w->host[0].permitted, permitted);
    w->healthy = true;
    client_world_run(w, 205); /* of twenty calls an eighth, for there are five hosts */
    ck_assert_uint_le(w->host[0].permitted, permitted + 5);
    client_world_run(w, 4000); /* a thin share, then more: its own breaker finds out */
    ck_assert_uint_gt(w->host[0].permitted, permitted + 50);
    ck_assert_int_eq(client_world_mode(w, 0), SWG_FLEET_LOCAL);
    w->host[0].cut = false;
    client_world_run(w, 4000);
    all_in(SWG_FLEET_FLEET);
    all_see(SWG_FLEET_CLOSED);
    client_world_stop(w);
}
END_TEST

/* With seldom exchanges it takes long to know that Redis is gone. The world asserts that no call
 * goes meanwhile, though the circuit's time is over. */
START_TEST(I14_cut_off_with_seldom_exchanges)
{
    const swg_fleet_config seldom = {.size = sizeof seldom,
                                     .revision = 1,
                                     .interval_ms = 2000,
                                     .stale_ms = 10000,
                                     .local_ms = 15000};

    client_world_start(w, 3, 7, &seldom);
    client_world_run(w, 5000);
    w->healthy = false;
    for (int i = 0; i < 1000 && client_world_view(w, 0).state != SWG_FLEET_OPEN; i++)
        client_world_run(w, 10);
    ck_assert_uint_eq(client_world_view(w, 0).state, SWG_FLEET_OPEN);
    w->healthy = true;
    w->host[0].cut = true;
    for (int i = 0; i < 4000 && client_world_mode(w, 0) != SWG_FLEET_LOCAL; i++)
        client_world_run(w, STEP_MS);
    ck_assert_int_eq(client_world_mode(w, 0), SWG_FLEET_LOCAL);
    client_world_stop(w);
}
END_TEST

START_TEST(a_dead_client_locks_nobody_out)
{
    swg_permit permit;

    start(2);
    trip();
    swg_fleet_close(&w->host[1].fleet);
    ck_assert_int_ne(swg_acquire(w->host[1].circuit, &permit, w->now_ns + 500 * MS), SWG_PERMITTED);
    ck_assert_int_eq(swg_acquire(w->host[1].circuit, &permit, w->now_ns + 10000 * MS),
                     SWG_PERMITTED);
    w->host[1].up = false;
    redisReaderFree(w->host[1].reader);
    swg_panel_close(&w->host[1].panel);
    w->hosts = 1;
    client_world_stop(w);
}
END_TEST

START_TEST(an_empty_redis_learns_of_the_trip)
{
    int64_t epoch;

    start(2);
    trip();
    epoch = client_world_truth(w)->epoch;
    act("empty");
    client_world_run(w, 400);
    ck_assert_ptr_nonnull(client_world_truth(w));
    ck_assert_int_eq(client_world_truth(w)->state, SWG_STEP_OPEN);
    ck_assert_int_gt(client_world_truth(w)->epoch, epoch);
    all_see(SWG_FLEET_OPEN);
    client_world_stop(w);
}
END_TEST

START_TEST(a_failover_that_lost_the_trip)
{
    start(3);
    client_world_replicate(w);
    trip();
    client_world_failover(w, 'e');
    client_world_run(w, 3000);
    all_in(SWG_FLEET_FLEET);
    ck_assert_int_ne(client_world_truth(w)->state, SWG_STEP_CLOSED);
    w->healthy = true;
    client_world_run(w, 10000);
    all_see(SWG_FLEET_CLOSED);
    client_world_stop(w);
}
END_TEST

START_TEST(operators_of_the_whole_fleet)
{
    swg_event events[64];
    uint64_t cursor = 0, rejected;
    size_t n;
    bool seen = false;

    start(2);
    ck_assert_int_eq(swg_fleet_order(w->host[0].fleet, "db", SWG_FLEET_OPEN, 0, "a", "b"),
                     SWG_EINVAL);
    ck_assert_int_eq(
        swg_fleet_order(w->host[0].fleet, "db", SWG_FLEET_FORCED_OPEN, 5, "ops", "too short"),
        SWG_EINVAL);
    ck_assert_int_gt(
        swg_fleet_order(w->host[0].fleet, "db", SWG_FLEET_FORCED_OPEN, 2000, "ops", "drill"), 0);
    client_world_run(w, 300);
    all_see(SWG_FLEET_FORCED_OPEN);
    rejected = w->host[1].rejected;
    client_world_run(w, 500);
    ck_assert_uint_ge(w->host[1].rejected, rejected + 49);
    client_world_run(w, 6000); /* over: probes decide */
    all_see(SWG_FLEET_CLOSED);
    while ((n = swg_journal_read(w->host[1].panel, &cursor, events, 64)) > 0) {
        for (size_t i = 0; i < n; i++)
            seen = seen || (events[i].scope == SWG_SCOPE_FLEET && events[i].to == SWG_OPEN &&
                            events[i].override == SWG_FORCED_OPEN);
    }
    ck_assert(seen);
    client_world_stop(w);
}
END_TEST

START_TEST(modes_are_in_the_journal)
{
    swg_event events[64];
    uint64_t cursor = 0;
    size_t n;

    start(1);
    n = swg_journal_read(w->host[0].panel, &cursor, events, 64);
    ck_assert_uint_eq(n, MEMORY_SHARDS);
    ck_assert_uint_eq(events[0].scope, SWG_SCOPE_FLEET_MODE);
    ck_assert_uint_eq(events[0].from, SWG_FLEET_JOINING);
    ck_assert_uint_eq(events[0].to, SWG_FLEET_FLEET);
    ck_assert_uint_eq(events[0].circuit, SWG_NONE);
    ck_assert_ptr_nonnull(strstr(events[0].name, "default:"));
    client_world_stop(w);
}
END_TEST

/* ---- everything at once ---- */

static void trouble(void)
{
    static const char *const words[] = {"OOM command not allowed", "READONLY You can't write",
                                        "LOADING Redis is loading", "CLUSTERDOWN Hash slot"};
    int host = (int)client_world_below(w, (uint64_t)w->hosts);

    if (client_world_below(w, 2) == 0) { /* no trouble lasts for ever */
        w->server.refuse = NULL;
        w->host[host].cut = false;
    }
    switch (client_world_below(w, 11)) {
    case 0:
    case 9:
    case 10:
        w->healthy = !w->healthy;
        return;
    case 1:
        w->host[host].cut = !w->host[host].cut;
        return;
    case 2:
        w->host[host].broken = !w->host[host].broken;
        return;
    case 3:
        client_world_replicate(w);
        return;
    case 4:
        client_world_failover(w, "123456789abcdef"[client_world_below(w, 15)]);
        return;
    case 5:
        w->server.refuse = w->server.refuse ? NULL : words[client_world_below(w, 4)];
        return;
    case 6:
        w->server.loaded[0] = false;
        return;
    case 7:
        w->host[host].every_ms = 5 + (int)client_world_below(w, 60);
        return;
    default:
        w->delay_ms = (int)client_world_below(w, 60);
        return;
    }
}

static void calm(void)
{
    w->lossy = false;
    w->healthy = true;
    w->server.refuse = NULL;
    w->delay_ms = 2;
    for (int i = 0; i < w->hosts; i++)
        w->host[i].cut = w->host[i].broken = false;
}

START_TEST(invariants_hold_and_all_agree_in_the_end)
{
    client_world_start(w, 3 + _i % 3, (uint64_t)_i + 1, &config);
    w->lossy = true;
    for (int i = 0; i < 60; i++) {
        client_world_run(w, 100 + (int64_t)client_world_below(w, 1500));
        trouble();
    }
    calm();
    client_world_run(w, 30000);
    all_in(SWG_FLEET_FLEET);
    all_see(SWG_FLEET_CLOSED);
    for (int i = 0; i < w->hosts; i++)
        ck_assert_int_eq((int64_t)client_world_view(w, i).epoch,
                         client_world_truth(w) ? client_world_truth(w)->epoch : 0);
    client_world_stop(w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fleet client");
    TCase *t = tcase_create("stories"), *r = tcase_create("random");

    tcase_set_timeout(t, 30);
    tcase_add_test(t, opens_everywhere_and_closes_by_few_probes);
    tcase_add_test(t, one_host_with_a_broken_network_stays_alone);
    tcase_add_test(t, I10_a_host_whose_client_starts_over_and_over_is_one_host);
    tcase_add_test(t, closes_every_hosts_own_breaker_with_it);
    tcase_add_test(t, a_host_that_failed_its_probe_stays_with_its_own_breaker);
    tcase_add_test(t, failures_of_local_origin_do_not_open_the_fleet);
    tcase_add_test(t, the_fleets_limits_are_the_circuits);
    tcase_add_test(t, a_circuit_with_hardly_any_calls_recovers_too);
    tcase_add_test(t, healthy_circuits_cost_an_exchange_and_seldom_an_entry);
    tcase_add_test(t, joins_goes_stale_local_and_rejoins);
    tcase_add_test(t, refusals_are_waited_out);
    tcase_add_test(t, I14_cut_off_while_open);
    tcase_add_test(t, I14_cut_off_with_seldom_exchanges);
    tcase_add_test(t, a_dead_client_locks_nobody_out);
    tcase_add_test(t, an_empty_redis_learns_of_the_trip);
    tcase_add_test(t, a_failover_that_lost_the_trip);
    tcase_add_test(t, operators_of_the_whole_fleet);
    tcase_add_test(t, modes_are_in_the_journal);
    suite_add_tcase(s, t);
    tcase_set_timeout(r, 60);
    tcase_add_loop_test(r, invariants_hold_and_all_agree_in_the_end, 0, 20);
    suite_add_tcase(s, r);
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
