/* The client against a Redis in memory: what happens seldom, slowly, or behind its back. */
#include "client_world.h"

#include <check.h>
#include <string.h>

static struct client_world world;
static struct client_world *const w = &world;

static const swg_fleet_config usual = {
    .size = sizeof usual, .revision = 1, .lease_ms = 1000, .ramp_ms = 1000, .quarantine_ms = 500};

static void start(int hosts, const swg_fleet_config *config)
{
    client_world_start(w, hosts, 7, config);
    client_world_run(w, 500);
}

static void until(swg_fleet_state state, int ms)
{
    for (int i = 0; i < ms && client_world_view(w, 0).state != state; i += 5)
        client_world_run(w, 5);
    ck_assert_str_eq(swg_fleet_state_name((swg_fleet_state)client_world_view(w, 0).state),
                     swg_fleet_state_name(state));
}

static const int seldom_s[] = {30, 90, 200};

/* Each host calls so seldom; the first call after the outage already finds the gate shut. */
START_TEST(calls_that_come_seldom_recover_too)
{
    const int every_ms = seldom_s[_i] * 1000;

    start(2, &usual);
    w->healthy = false;
    until(SWG_FLEET_OPEN, 2000);
    client_world_run(w, 100);
    w->healthy = true;
    for (int i = 0; i < 2; i++) {
        w->host[i].every_ms = every_ms;
        w->host[i].next_call_ns = w->now_ns + every_ms * MS / 2 * (i + 1);
    }
    for (int i = 0; i < 16 && client_world_view(w, 0).state != SWG_FLEET_CLOSED; i++)
        client_world_run(w, every_ms);
    ck_assert_int_eq(client_world_view(w, 0).state, SWG_FLEET_CLOSED);
    client_world_stop(w);
}
END_TEST

static uint64_t granted(int host)
{
    swg_fleet_snapshot s;

    ck_assert_int_eq(swg_fleet_read(w->host[host].fleet, &s), SWG_OK);
    return s.granted;
}

/* However long it was well before: a time without refusals says nothing of how seldom calls come.
 */
START_TEST(who_has_no_more_calls_leaves_the_permits_to_others)
{
    uint64_t before;

    start(2, &usual);
    client_world_run(w, 180000);
    w->healthy = false;
    until(SWG_FLEET_OPEN, 2000);
    client_world_run(w, 3000);
    for (int i = 0; i < 2; i++)
        w->host[i].next_call_ns = INT64_MAX;
    client_world_run(w, 65000);
    before = granted(0) + granted(1);
    ck_assert_uint_gt(before, 0);
    client_world_run(w, 30000);
    ck_assert_uint_eq(granted(0) + granted(1), before);
    client_world_stop(w);
}
END_TEST

static const uint32_t lease_ms[] = {1000, 300, 100};

/* What a probe brought cannot wait for the next exchange. */
START_TEST(leases_shorter_than_the_pace_close_too)
{
    start(3, SWG_FLEET(.revision = 1, .ramp_ms = 1000, .interval_ms = 10000, .stale_ms = 30000,
                       .local_ms = 40000, .lease_ms = lease_ms[_i]));
    client_world_run(w, 20000);
    w->healthy = false;
    until(SWG_FLEET_OPEN, 60000);
    client_world_run(w, 1000);
    w->healthy = true;
    until(SWG_FLEET_CLOSED, 60000);
    client_world_stop(w);
}
END_TEST

/* The same server runs on; whoever emptied it has not asked us. */
START_TEST(a_redis_emptied_behind_our_back_is_told_all_again)
{
    const bool forced = _i == 0;
    const swg_fleet_state state = forced ? SWG_FLEET_FORCED_OPEN : SWG_FLEET_OPEN;
    static const swg_circuit_config lasting = {.size = sizeof lasting,
                                               .window_ms = 2000,
                                               .calls_min = 10,
                                               .recovery_ms = 600000,
                                               .recovery_ms_max = 3600000,
                                               .probes = 3};
    uint64_t before;

    start(3, &usual);
    for (int i = 0; i < 3; i++)
        ck_assert_int_ge(swg_circuit_configure(w->host[i].circuit, &lasting), SWG_OK);
    w->host[2].cut = true;
    client_world_run(w, 100);
    if (forced)
        swg_fleet_order(w->host[0].fleet, "db", SWG_FLEET_FORCED_OPEN, 3600000, "ann", "drill");
    else
        w->healthy = false;
    until(state, 3000);
    client_world_run(w, 200);
    memset(w->server.shard, 0, sizeof w->server.shard);
    w->host[2].cut = false;
    client_world_run(w, 7000);
    for (int i = 0; i < 3; i++)
        ck_assert_int_ne(client_world_view(w, i).state, SWG_FLEET_CLOSED);
    before = w->host[2].permitted;
    client_world_run(w, 5000);
    ck_assert_uint_eq(w->host[2].permitted, before);
    client_world_stop(w);
}
END_TEST

static swg_verdict try_once(int host)
{
    swg_permit permit;
    swg_verdict verdict = swg_acquire(w->host[host].circuit, &permit, w->now_ns);

    if (verdict == SWG_PERMITTED)
        swg_release(w->host[host].circuit, &permit, SWG_CANCELLED, w->now_ns);
    return verdict;
}

static const struct {
    uint32_t stale_ms, local_ms;
} patient[] = {{300, 8000}, {5000, 8000}};

/* Long after the gate would have lost its hold by itself. */
START_TEST(views_hold_until_it_goes_local)
{
    start(2, SWG_FLEET(.revision = 1, .lease_ms = 1000, .stale_ms = patient[_i].stale_ms,
                       .local_ms = patient[_i].local_ms));
    w->healthy = false;
    until(SWG_FLEET_OPEN, 3000);
    until(SWG_FLEET_HALF_OPEN, 4000);
    for (int i = 0; i < 2; i++) {
        swg_gate_close(w->host[i].circuit, w->now_ns); /* its own breaker would let them */
        w->host[i].next_call_ns = w->now_ns + 3600000 * MS;
        w->host[i].cut = true;
        client_world_break(w, i);
    }
    client_world_run(w, 1000); /* permits that were out have ended */
    for (int i = 0; i < 65; i++) {
        ck_assert_int_eq(try_once(0), SWG_REJECTED_PROBING);
        client_world_run(w, 100);
    }
    client_world_run(w, 1000);
    ck_assert_int_eq(client_world_mode(w, 0), SWG_FLEET_LOCAL);
    client_world_stop(w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fleet client, seldom");
    TCase *t = tcase_create("seldom");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, calls_that_come_seldom_recover_too, 0,
                        sizeof seldom_s / sizeof *seldom_s);
    tcase_add_test(t, who_has_no_more_calls_leaves_the_permits_to_others);
    tcase_add_loop_test(t, leases_shorter_than_the_pace_close_too, 0,
                        sizeof lease_ms / sizeof *lease_ms);
    tcase_add_loop_test(t, a_redis_emptied_behind_our_back_is_told_all_again, 0, 2);
    tcase_add_loop_test(t, views_hold_until_it_goes_local, 0, 2);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
