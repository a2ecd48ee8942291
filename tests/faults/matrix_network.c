/* Rows in which the network between hosts and Redis loses, doubles, delays, cuts. */
#include "stage.h"

#include <stdlib.h>

static int64_t next_fault_ns;
static int faults_left;

static uint64_t swallowed(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < s.config.hosts; i++)
        sum += route_count(i, "swallowed");
    return sum;
}

static uint64_t most_closed(void)
{
    uint64_t most = 0;
    EACH_HOST(i)
    {
        if (s.hosts[i].report.closed > most)
            most = s.hosts[i].report.closed;
    }
    return most;
}

/* Trips and recovers. Each closing takes as many passed probes as are granted, whatever was lost or
 * sent twice meanwhile. */
static void cycle(int faults)
{
    faults_left = faults;
    trip();
    s.dependency->broken = false;
    UNTIL(all_views_closed);
    ck_assert_uint_ge(s.dependency->passed, most_closed() * (uint64_t)s.config.probes);
    ck_assert_int_le(s.dependency->most, s.config.most);
}

/* Every so often a fault on somebody's route, but not on one that has not got over the last. */
static void trouble(const char *command, int64_t period_ns)
{
    const int i = rand() % s.config.hosts;
    if (faults_left == 0 || swg_clock_ns() < next_fault_ns ||
        s.hosts[i].report.in_mode[SWG_FLEET_FLEET] == 0)
        return;
    faults_left--;
    next_fault_ns = swg_clock_ns() + period_ns;
    fault(i, command);
}

static void drop_requests(void)
{
    trouble("drop request", 200 * MS);
}

static void request_lost(void)
{
    stage_begin("request lost", &(stage_config){0});
    s.meanwhile = drop_requests;
    cycle(3);
    cycle(3);
    ck_assert_uint_gt(swallowed(), 2);
    stage_end();
}

static void drop_replies(void)
{
    trouble("drop reply", 200 * MS);
}

static void reply_lost(void)
{
    stage_begin("reply lost", &(stage_config){0});
    s.meanwhile = drop_replies;
    cycle(3);
    cycle(3);
    ck_assert_uint_gt(swallowed(), 2);
    stage_end();
}

static bool first_has_a_lease(void)
{
    return redis_number("ZCARD " T ":l:c0") == 1;
}

static bool others_closed(void)
{
    return s.hosts[1].report.views[SWG_CLOSED] == 1 && s.hosts[2].report.views[SWG_CLOSED] == 1;
}

static long long lease_end_us(void)
{
    redisReply *r = redis_ask("ZRANGE " T ":l:c0 0 0 WITHSCORES");
    ck_assert_uint_eq(r->elements, 2);
    const long long us = atoll(r->element[1]->str);
    freeReplyObject(r);
    return us;
}

/* A permit that was granted and never seen is in nobody's way for longer than its lease. */
static void grant_lost(void)
{
    stage_begin("reply lost, with a permit", &(stage_config){.probes = 1, .recovery_ms = 1500});
    trip();
    s.dependency->broken = false;
    host_signal(1, SIGSTOP); /* so that the first alone can ask */
    host_signal(2, SIGSTOP);
    fault(0, "half-open"); /* from here on it asks, and hears nothing */
    UNTIL(first_has_a_lease);
    ck_assert_int_le(lease_end_us(), redis_time_us() + 300000);
    ck_assert_uint_eq(s.dependency->probes, 0);
    host_signal(1, SIGCONT);
    host_signal(2, SIGCONT);
    UNTIL(others_closed);
    stage_end();
}

static void double_and_delay(void)
{
    trouble("duplicate 70ms", 10 * MS);
}

static int failures;

static bool all_failures_told(void)
{
    return redis_total(1) == failures;
}

/* Counted once, however often it is said. */
static void duplicated_or_late(void)
{
    stage_begin("duplicated or late", &(stage_config){0});
    s.meanwhile = double_and_delay;
    cycle(1000);
    cycle(1000);
    cycle(1000);
    stage_end();
    stage_begin("duplicated or late, sums", &(stage_config){.calls_min = 100, .window_ms = 20000});
    s.meanwhile = double_and_delay;
    faults_left = 1000;
    s.dependency->broken = true;
    for (failures = 3; failures <= 9; failures += 3) {
        for (int i = 0; i < 3; i++)
            make_calls(i, 1);
        UNTIL(all_failures_told);
    }
    failures = 9;
    HOLDS(all_failures_told, 300);
    stage_end();
}

static void crumble_and_cut(void)
{
    trouble("truncate 37", 200 * MS);
}

static void in_pieces(void)
{
    stage_begin("replies in pieces, and cut short", &(stage_config){0});
    fault_all("bytes");
    s.meanwhile = crumble_and_cut;
    cycle(3);
    cycle(3);
    stage_end();
}

static uint64_t accepted_then;

static bool first_is_back(void)
{
    return route_count(0, "accepted") > accepted_then && s.hosts[0].report.in_mode[SWG_FLEET_FLEET];
}

/* However often a link is given up, it comes back (fleet_client_odd: and as soon as the first
 * time). */
static void one_after_another(void)
{
    stage_begin("time-outs, one after another", &(stage_config){0});
    for (int round = 0; round < 8; round++) {
        accepted_then = route_count(0, "accepted");
        fault(0, "drop reply");
        UNTIL(first_is_back);
    }
    stage_end();
}

/* ---- no Redis to be had -------------------------------------------------------------------- */

static uint64_t permitted_then[HOSTS_MAX];

static bool calls_go_on(void)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.permitted < permitted_then[i] + 50)
            return false;
    }
    return true;
}

/* Hosts go on alone, calls go on, and all come back. */
static void without_redis(const char *command)
{
    traffic(4000);
    fault_all(command);
    UNTIL(all_local);
    EACH_HOST(i)
    {
        permitted_then[i] = s.hosts[i].report.permitted;
    }
    UNTIL(calls_go_on);
    ck_assert(all_local() && s.dependency->plain_failed == 0);
    fault_all("heal");
    UNTIL(all_well);
}

static void redis_slow(void)
{
    stage_begin("Redis slow", &(stage_config){0});
    without_redis("latency 300ms 50ms");
    stage_end();
}

static void silent_drop(void)
{
    stage_begin("silent drop", &(stage_config){0});
    without_redis("stall");
    without_redis("half-open up");
    without_redis("half-open down");
    stage_end();
}

static bool all_gates_open(void)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.gate != SWG_GATE_OPEN)
            return false;
    }
    return all_local();
}

static int64_t earliest_end(void)
{
    int64_t end = INT64_MAX;
    EACH_HOST(i)
    {
        if (s.hosts[i].report.gate_until_ns < end)
            end = s.hosts[i].report.gate_until_ns;
    }
    return end;
}

static bool all_thinned(void)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.gate != SWG_GATE_RAMP || s.hosts[i].report.ramped == 0)
            return false;
    }
    return all_local();
}

/* What the fleet opened stays shut to its time, and then each host tries a share of its calls. */
static void redis_down(void)
{
    stage_begin("Redis down", &(stage_config){.recovery_ms = 3000});
    trip();
    s.dependency->broken = false;
    fault_all("cut");
    UNTIL(all_gates_open);
    const int64_t end = earliest_end();
    ck_assert_int_gt(end, swg_clock_ns());
    UNTIL(all_thinned);
    ck_assert_uint_eq(s.dependency->probes, 0);
    UNTIL(calls_go_on);
    stage_end();
}

/* ---- hints --------------------------------------------------------------------------------- */

/* They are never needed. */
static void hints_lost(void)
{
    stage_begin("pub/sub lost", &(stage_config){0});
    fault_all("mute");
    cycle(0);
    cycle(0);
    stage_end();
}

const fault_row network_rows[] = {
    {"network", "request lost", request_lost},
    {"network", "reply lost", reply_lost},
    {"network", "reply lost, with a permit", grant_lost},
    {"network", "duplicated or late", duplicated_or_late},
    {"network", "replies in pieces, and cut short", in_pieces},
    {"network", "time-outs, one after another", one_after_another},
    {"network", "Redis slow", redis_slow},
    {"network", "silent drop", silent_drop},
    {"network", "Redis down", redis_down},
    {"network", "pub/sub lost", hints_lost},
    {0},
};
