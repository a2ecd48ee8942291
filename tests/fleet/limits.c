/* Whose limits hold in the fleet, and that a host with others hears of it. */
#include "client_world.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define OTHERS(...)                                                                                \
    SWG_FLEET(.host = "host", .shards = MEMORY_SHARDS, .lease_ms = 1000, __VA_ARGS__)

static struct client_world world;
static struct client_world *const w = &world;
static const swg_fleet_config config = {.size = sizeof config, .lease_ms = 1000};

/* That of the world, but for a field or two. */
#define CIRCUIT(...)                                                                               \
    SWG_CIRCUIT(.window_ms = 2000, .calls_min = 10, .recovery_ms = 1000, .recovery_ms_max = 4000,  \
                .probes = 3, __VA_ARGS__)

static int64_t in_force(int which)
{
    const struct swg_step_circuit *c = client_world_truth(w);

    ck_assert(c && c->has_config);
    return c->config.v[which];
}

static uint64_t differ(int host)
{
    swg_fleet_snapshot s;

    ck_assert_int_eq(swg_fleet_read(w->host[host].fleet, &s), SWG_OK);
    ck_assert_uint_eq(s.limits_differ, client_world_view(w, host).limits_differ);
    return s.limits_differ;
}

/* Told once, and no more while it stays so. */
static void hears(int host, const char *what)
{
    client_world_run(w, 5000);
    ck_assert_int_eq(w->host[host].told, 1);
    ck_assert_str_eq(w->host[host].limits.text, what);
    ck_assert_uint_eq(differ(host), 1);
    w->host[host].told = 0;
}

static void hears_nothing(int host)
{
    client_world_run(w, 3000);
    ck_assert_int_eq(w->host[host].told, 0);
    ck_assert_uint_eq(differ(host), 0);
}

static void start(void)
{
    client_world_start(w, 2, 7, &config);
    client_world_run(w, 500);
}

START_TEST(hosts_configured_alike_need_no_revision)
{
    start();
    ck_assert_int_eq(client_world_truth(w)->rev, 1);
    ck_assert_int_eq(in_force(SWG_CFG_WINDOW), 2000000);
    ck_assert_int_eq(in_force(SWG_CFG_CALLS_MIN), 10);
    ck_assert_int_eq(in_force(SWG_CFG_OPEN), 1000000);
    ck_assert_int_eq(in_force(SWG_CFG_OPEN_MAX), 4000000);
    ck_assert_int_eq(in_force(SWG_CFG_LEASE), 1000000);
    ck_assert_uint_eq(client_world_view(w, 1).revision, 1);
    hears_nothing(0);
    hears_nothing(1);
    client_world_stop(w);
}
END_TEST

START_TEST(the_first_of_a_revision_stays)
{
    start();
    client_world_succeed(w, 1, OTHERS(.quorum = 1, .fail_limit = 1));
    hears(1, "db: quorum is 1 here and 2 in the fleet, both as revision 1: raise it to change the "
             "fleet's");
    ck_assert_uint_eq(w->host[1].limits.value, 1);
    ck_assert_uint_eq(w->host[1].limits.epoch, 1);
    ck_assert_int_eq(in_force(SWG_CFG_QUORUM), 2);
    hears_nothing(0);
    client_world_stop(w);
}
END_TEST

START_TEST(of_two_that_come_at_once_one_hears)
{
    client_world_start(w, 2, 7, &config);
    client_world_succeed(w, 1, OTHERS(.quorum = 1));
    client_world_run(w, 5000);
    ck_assert_int_eq(w->host[0].told + w->host[1].told, 1);
    ck_assert_uint_eq(differ(0) + differ(1), 1);
    client_world_stop(w);
}
END_TEST

START_TEST(the_highest_revision_wins)
{
    start();
    client_world_succeed(w, 1, OTHERS(.revision = 3, .ramp_ms = SWG_NONE));
    hears(0, "db: ramp_ms is 10000 here and 0 in the fleet, whose revision 3 is over our 1");
    ck_assert_int_eq(client_world_truth(w)->rev, 3);
    ck_assert_int_eq(in_force(SWG_CFG_RAMP), 0);
    ck_assert_uint_eq(client_world_view(w, 0).revision, 3);
    hears_nothing(1);
    w->host[0].cut = true; /* what is in force is not forgotten over a change of what is not */
    swg_circuit_configure(w->host[0].circuit, CIRCUIT(.failure_pct = 30));
    client_world_run(w, 3000);
    ck_assert_uint_eq(client_world_view(w, 0).revision, 3);
    w->host[0].cut = false;
    swg_circuit_configure(w->host[0].circuit, CIRCUIT(.failure_pct = 50));
    w->host[0].told = 0;
    client_world_succeed(w, 0, OTHERS(.revision = 3, .ramp_ms = SWG_NONE));
    hears_nothing(0);
    client_world_succeed(w, 0, OTHERS(.ramp_ms = SWG_NONE)); /* an old one, of the same limits */
    hears_nothing(0);
    ck_assert_int_eq(client_world_truth(w)->rev, 3);
    client_world_stop(w);
}
END_TEST

/* A circuit changed live: its own breaker's limits are new, the fleet's are not. */
START_TEST(a_change_takes_hold_with_a_higher_revision)
{
    start();
    for (int i = 0; i < 2; i++)
        swg_circuit_configure(w->host[i].circuit, CIRCUIT(.failure_pct = 30));
    hears(0, "db: failure_pct is 30 here and 50 in the fleet, both as revision 1: raise it to "
             "change the fleet's");
    ck_assert_int_eq(w->host[1].told, 1);
    ck_assert_int_eq(in_force(SWG_CFG_FAIL_PCT), 50);
    swg_circuit_configure(w->host[1].circuit, CIRCUIT(.failure_pct = 50));
    w->host[1].told = 0;
    hears_nothing(1);
    client_world_succeed(w, 0, OTHERS(.revision = 2));
    hears_nothing(0);
    ck_assert_int_eq(in_force(SWG_CFG_FAIL_PCT), 30);
    client_world_stop(w);
}
END_TEST

START_TEST(a_change_while_the_first_is_under_way_is_not_lost)
{
    const swg_fleet_config patient = {
        .size = sizeof patient, .lease_ms = 1000, .timeout_ms = 10000};

    client_world_start(w, 1, 7, &patient);
    w->delay_ms = 1500;
    for (int i = 0; i < 1000 && !client_world_truth(w); i++)
        client_world_run(w, STEP_MS);
    swg_circuit_configure(w->host[0].circuit, CIRCUIT(.failure_pct = 30));
    client_world_run(w, 5000);
    hears(0, "db: failure_pct is 30 here and 50 in the fleet, both as revision 1: raise it to "
             "change the fleet's");
    client_world_stop(w);
}
END_TEST

START_TEST(who_offers_nothing_takes_what_there_is)
{
    const swg_fleet_config none = {.size = sizeof none, .revision = SWG_NONE};

    client_world_start(w, 2, 7, &none);
    client_world_run(w, 500);
    ck_assert(!client_world_truth(w)->has_config);
    ck_assert_uint_eq(client_world_view(w, 0).revision, 0);
    client_world_succeed(w, 1, OTHERS(.quorum = 1));
    client_world_run(w, 5000);
    ck_assert_int_eq(in_force(SWG_CFG_QUORUM), 1);
    ck_assert_uint_eq(client_world_view(w, 0).revision, 1);
    hears_nothing(0);
    hears_nothing(1);
    client_world_stop(w);
}
END_TEST

START_TEST(an_empty_redis_is_told_again)
{
    start();
    client_world_succeed(w, 1, OTHERS(.quorum = 1));
    client_world_run(w, 3000);
    memset(w->server.shard, 0, sizeof w->server.shard);
    client_world_run(w, 3000);
    ck_assert_int_eq(client_world_truth(w)->rev, 1);
    ck_assert_int_eq(in_force(SWG_CFG_QUORUM), 2); /* those that were in force */
    ck_assert_int_eq(w->host[1].told, 1);
    client_world_stop(w);
}
END_TEST

START_TEST(a_cap_lets_two_hosts_reach_calls_min)
{
    client_world_start(w, 2, 7, &config);
    for (int i = 0; i < 2; i++)
        swg_circuit_configure(w->host[i].circuit, SWG_CIRCUIT(.calls_min = 5000));
    client_world_run(w, 500);
    ck_assert_int_eq(in_force(SWG_CFG_CALLS_MIN), 5000);
    ck_assert_int_eq(in_force(SWG_CFG_CAP), 5000);
    client_world_stop(w);
}
END_TEST

/* A margin longer than what the circuit's wait leaves of a lease. */
START_TEST(a_margin_leaves_something_of_a_lease)
{
    const swg_fleet_config wide = {.size = sizeof wide, .lease_ms = 5000, .margin_ms = 2500};

    client_world_start(w, 2, 7, &wide);
    client_world_run(w, 500);
    ck_assert_int_eq(in_force(SWG_CFG_LEASE), 1000000);
    w->healthy = false;
    for (int i = 0; i < 200 && client_world_view(w, 0).state != SWG_FLEET_OPEN; i++)
        client_world_run(w, 10);
    ck_assert_uint_eq(client_world_view(w, 0).state, SWG_FLEET_OPEN);
    w->healthy = true;
    for (int i = 0; i < 1000 && client_world_view(w, 0).state != SWG_FLEET_CLOSED; i++)
        client_world_run(w, 10);
    ck_assert_uint_eq(client_world_view(w, 0).state, SWG_FLEET_CLOSED);
    client_world_stop(w);
}
END_TEST

static const swg_circuit_config extremes[] = {
    {.size = sizeof *extremes,
     .window_ms = 10,
     .calls_min = 1,
     .failure_pct = 1,
     .slow_pct = 1,
     .recovery_ms = 1,
     .recovery_ms_max = 1,
     .probes = 1},
    {.size = sizeof *extremes,
     .window_ms = 3600000,
     .calls_min = 1000000,
     .failure_pct = 100,
     .slow_pct = 100,
     .recovery_ms = 86400000,
     .recovery_ms_max = 86400000,
     .probes = 16},
    {.size = sizeof *extremes, .window_calls = 1, .failure_pct = SWG_NONE, .recovery_ms = 5},
};

START_TEST(every_configuration_makes_limits_in_range)
{
    static const swg_fleet_config ends[] = {
        {.size = sizeof *ends,
         .quorum = 1,
         .cap = 1,
         .fail_limit = 1,
         .expiry_limit = 1,
         .lease_ms = 10,
         .ramp_ms = 1,
         .quarantine_ms = 1},
        {.size = sizeof *ends,
         .quorum = 1000,
         .cap = 1000000,
         .fail_limit = 64,
         .expiry_limit = 1000,
         .lease_ms = 60000,
         .ramp_ms = 600000,
         .quarantine_ms = 3600000},
        {.size = sizeof *ends, .ramp_ms = SWG_NONE, .quarantine_ms = SWG_NONE},
    };

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        client_world_start(w, 1, 7, &ends[i]);
        ck_assert_int_eq(swg_circuit_configure(w->host[0].circuit, &extremes[_i]), SWG_OK);
        client_world_run(w, 500);
        ck_assert_int_eq(client_world_mode(w, 0), SWG_FLEET_FLEET);
        ck_assert_int_ge(in_force(SWG_CFG_OPEN_MAX), in_force(SWG_CFG_OPEN));
        client_world_stop(w);
    }
}
END_TEST

/* ---- many circuits ---- */

enum { MANY = 60 };

/* The answer of a fleet that has other limits for all of them. */
static size_t other_limits(char *reply)
{
    size_t used = (size_t)sprintf(reply,
                                  "*9\r\n$16\r\n1790000000000000\r\n"
                                  "$40\r\nabc4567890123456789012345678901234567890\r\n"
                                  "$5\r\n50000\r\n$1\r\n2\r\n$1\r\n0\r\n$1\r\n0\r\n"
                                  "*0\r\n*0\r\n*%d\r\n",
                                  MANY);

    for (int i = 10; i < 10 + MANY; i++)
        used += (size_t)sprintf(reply + used,
                                "*2\r\n$3\r\nc%d\r\n$77\r\n"
                                "1|10000000|20|50|0|3|1000|3|3|2|12|5000000|60000000|5000000|"
                                "10000000|10000000\r\n",
                                i);
    return used;
}

START_TEST(many_that_differ_push_no_other_event_out)
{
    static char reply[MANY * 128 + 256];
    int64_t now = 1000000 * MS;
    swg_panel *panel;
    swg_fleet *fleet;
    swg_fleet_snapshot s;
    swg_fleet_event e;
    char name[8];
    int told = 0;

    ck_assert_int_eq(swg_panel_open(&panel, NULL, SWG_PANEL(.circuits = MANY)), SWG_OK);
    for (int i = 10; i < 10 + MANY; i++) {
        snprintf(name, sizeof name, "c%d", i);
        ck_assert_int_eq(swg_circuit_open(&(swg_circuit *){0}, panel, name, NULL), SWG_OK);
    }
    ck_assert_int_eq(swg_fleet_open(&fleet, panel, SWG_FLEET(.shards = 1), 5, now), SWG_OK);
    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
    now += 100 * MS;
    swg_fleet_tick(fleet, now);
    ck_assert_int_eq(swg_fleet_feed(fleet, 0, reply, other_limits(reply), now), SWG_OK);
    for (int second = 0; second < MANY && told < MANY; second++) {
        int first = told;

        now += 1000 * MS;
        swg_fleet_tick(fleet, now);
        while (swg_fleet_poll(fleet, &e))
            told += e.kind == SWG_FLEET_EVENT_LIMITS;
        ck_assert_int_le(told - first, 32); /* of 64 there is room for */
    }
    swg_fleet_read(fleet, &s);
    ck_assert_int_eq(told, MANY);
    ck_assert_uint_eq(s.limits_differ, MANY);
    ck_assert_uint_eq(s.dropped_events, 0);
    swg_fleet_close(&fleet);
    swg_panel_close(&panel);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet limits");
    TCase *t = tcase_create("limits");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, hosts_configured_alike_need_no_revision);
    tcase_add_test(t, the_first_of_a_revision_stays);
    tcase_add_test(t, of_two_that_come_at_once_one_hears);
    tcase_add_test(t, the_highest_revision_wins);
    tcase_add_test(t, a_change_takes_hold_with_a_higher_revision);
    tcase_add_test(t, a_change_while_the_first_is_under_way_is_not_lost);
    tcase_add_test(t, who_offers_nothing_takes_what_there_is);
    tcase_add_test(t, an_empty_redis_is_told_again);
    tcase_add_test(t, a_cap_lets_two_hosts_reach_calls_min);
    tcase_add_test(t, a_margin_leaves_something_of_a_lease);
    tcase_add_loop_test(t, every_configuration_makes_limits_in_range, 0,
                        sizeof extremes / sizeof *extremes);
    tcase_add_test(t, many_that_differ_push_no_other_event_out);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
