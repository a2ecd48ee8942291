/* Rows in which Redis itself is away, empty, refuses, or has a clock of its own. */
#include "stage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static uint64_t permitted_then[HOSTS_MAX], plain_then;
static swg_fleet_error awaited;

static void note_calls(void)
{
    EACH_HOST(i)
    {
        permitted_then[i] = s.hosts[i].report.permitted;
    }
    plain_then = s.dependency->plain;
}

static bool calls_go_on(void)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.permitted < permitted_then[i] + 50)
            return false;
    }
    return true;
}

static bool all_told(void)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.errors[awaited] == 0)
            return false;
    }
    return true;
}

/* ---- away ---------------------------------------------------------------------------------- */

static void frozen_and_thawed(void)
{
    stage_begin("frozen and thawed", &(stage_config){0});
    traffic(4000);
    redis_signal(0, SIGSTOP);
    UNTIL(all_local);
    note_calls();
    UNTIL(calls_go_on);
    redis_signal(0, SIGCONT);
    UNTIL(all_well);
    trip();
    redis_signal(0, SIGSTOP);
    UNTIL(all_local);
    redis_signal(0, SIGCONT);
    stage_end();
}

static bool back_in_redis(void)
{
    return redis_view(1) == SWG_FLEET_OPEN && redis_view(0) > 0;
}

static bool nobody_passes(void)
{
    return s.dependency->plain == plain_then;
}

static bool some_probe(void)
{
    return s.dependency->probes > 0;
}

/* Another server, without a memory: the hosts tell it what is open. No call goes meanwhile but the
 * probes. */
static void restarted_empty(void)
{
    stage_begin("Redis restart, empty", &(stage_config){.recovery_ms = 2500, .allow = "fresh"});
    trip();
    s.dependency->broken = false;
    note_calls();
    redis_signal(0, SIGKILL);
    redis_start(0);
    UNTIL(back_in_redis);
    UNTIL(some_probe);
    ck_assert_uint_eq(s.dependency->plain, plain_then);
    stage_end();
}

static bool one_holds(void)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.holding)
            return true;
    }
    return false;
}

static void hold_probes(bool hold)
{
    EACH_HOST(i)
    {
        s.hosts[i].orders.hold = hold;
    }
}

/* A probe is under way that it knows nothing of: it grants none while that can be. */
static void restarted_empty_while_probing(void)
{
    stage_begin(
        "Redis restart, empty, while probing",
        &(stage_config){.probes = 1, .lease_ms = 2000, .recovery_ms = 2000, .allow = "fresh"});
    trip();
    hold_probes(true);
    s.dependency->broken = false;
    UNTIL(one_holds);
    const int64_t granted = swg_clock_ns();
    redis_signal(0, SIGKILL);
    redis_start(0);
    UNTIL(all_fleet);
    while (swg_clock_ns() < granted + 1700 * MS) { /* it is back before its lease ends */
        ck_assert_uint_eq(s.dependency->probes, 1);
        stage_rest(2);
    }
    hold_probes(false);
    stage_end();
}

static void flushed(void)
{
    stage_begin("FLUSHALL", &(stage_config){.recovery_ms = 1500, .allow = "fresh"});
    trip();
    note_calls();
    redis_do("FLUSHALL");
    HOLDS(nobody_passes, 500);
    s.dependency->broken = false;
    UNTIL(some_probe);
    ck_assert_uint_eq(s.dependency->plain, plain_then);
    UNTIL(all_views_closed);
    ck_assert_uint_ge(s.dependency->passed, 2);
    stage_end();
}

static bool tripped_anew(void)
{
    return all_open() && redis_view(1) == SWG_FLEET_OPEN;
}

/* Nobody is left who knows: the trip is lost, and made again from what is seen. */
static void witnesses_die(void)
{
    stage_begin("all witnesses die with Redis", &(stage_config){.allow = "fresh"});
    trip();
    for (int i = 0; i < 3; i++)
        host_kill(i);
    redis_signal(0, SIGKILL);
    redis_start(0);
    for (int i = 0; i < 3; i++)
        host_start(i);
    UNTIL(all_fleet);
    ck_assert_int_eq(redis_view(1), -1);
    traffic(4000);
    UNTIL(tripped_anew);
    stage_end();
}

/* ---- it refuses ---------------------------------------------------------------------------- */

static uint64_t changes_of_mode(void)
{
    uint64_t changes = 0;
    EACH_HOST(i)
    {
        for (int m = 0; m < SWG_FLEET_MODE_COUNT; m++)
            changes += s.hosts[i].report.went[m];
    }
    return changes;
}

static uint64_t requests_then[HOSTS_MAX];

static bool more_requests(void)
{
    for (int i = 0; i < s.config.hosts; i++)
        if (route_count(i, "replies") < requests_then[i] + 6)
            return false;
    return true;
}

/* One round trip more, and nobody's mode changes. */
static void script_flushed(void)
{
    stage_begin("SCRIPT FLUSH", &(stage_config){.stale_ms = 3000}); /* a busy machine is no cause */
    traffic(4000);
    const uint64_t changes = changes_of_mode();
    EACH_HOST(i)
    {
        requests_then[i] = route_count(i, "replies");
    }
    uint64_t before = 0, after = 0;
    EACH_HOST(i)
    {
        before += s.hosts[i].report.errors[SWG_FLEET_NOSCRIPT];
    }
    redis_do("SCRIPT FLUSH");
    UNTIL(more_requests);
    EACH_HOST(i)
    {
        after += s.hosts[i].report.errors[SWG_FLEET_NOSCRIPT];
    }
    ck_assert_uint_ge(after, before + 1);
    ck_assert_uint_le(after, before + 3); /* each host at most once */
    ck_assert_uint_eq(changes_of_mode(), changes);
    stage_end();
}

/* While Redis refuses hosts go on alone and know why; then they find together again. */
static void refuses(swg_fleet_error error, const char *begin, const char *end)
{
    awaited = error;
    traffic(4000);
    redis_do(begin);
    UNTIL(all_local);
    ck_assert_msg(all_told(), "nobody was told %s", swg_fleet_error_name(error));
    note_calls();
    UNTIL(calls_go_on);
    redis_do(end);
    UNTIL(all_well);
    trip();
    stage_end();
}

static void out_of_memory(void)
{
    stage_begin("OOM", &(stage_config){0});
    redis_do("CONFIG SET maxmemory-policy noeviction");
    refuses(SWG_FLEET_OOM, "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0");
}

static void read_only(void)
{
    stage_begin("READONLY", &(stage_config){0});
    refuses(SWG_FLEET_READONLY, "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE");
}

static void no_replicas(void)
{
    stage_begin("NOREPLICAS", &(stage_config){0});
    refuses(SWG_FLEET_NOREPLICAS, "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0");
}

/* A newer program wrote this shard: alone, and alarmed. */
static void version_skew(void)
{
    stage_begin("script version skew", &(stage_config){0});
    refuses(SWG_FLEET_VERSION, "HSET " T ":m v 2", "HSET " T ":m v 1");
}

static pid_t start_long_script(const char *script)
{
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        freeReplyObject(redis_ask("EVAL %s 0", script));
        _exit(0);
    }
    return pid;
}

static void busy(void)
{
    stage_begin("BUSY", &(stage_config){0});
    awaited = SWG_FLEET_BUSY;
    traffic(4000);
    pid_t other = start_long_script("while true do end");
    UNTIL(all_local);
    ck_assert(all_told());
    note_calls();
    UNTIL(calls_go_on);
    redis_do("SCRIPT KILL");
    stage_end_process(&other, SIGKILL);
    UNTIL(all_well);
    trip();
    stage_end();
}

static void loading(void)
{
    stage_begin("LOADING", &(stage_config){0});
    awaited = SWG_FLEET_LOADING;
    traffic(4000);
    redis_do("DEBUG POPULATE 1500");
    redis_do("CONFIG SET key-load-delay 500");
    redis_do("CONFIG SET loading-process-events-interval-bytes 1024");
    pid_t other = fork();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        redis_do("DEBUG RELOAD");
        _exit(0);
    }
    UNTIL(all_told);
    stage_end_process(&other, 0);
    redis_do("CONFIG SET key-load-delay 0");
    UNTIL(all_well);
    trip();
    stage_end();
}

/* ---- its clock ----------------------------------------------------------------------------- */

static void shift_clock(int64_t seconds)
{
    *(volatile int64_t *)s.clock_ns = seconds * 1000 * MS;
}

/* The latest time the script has gone by, in microseconds. */
static long long script_time(void)
{
    redisReply *r = redis_ask("HGET " T ":m t");
    ck_assert_int_eq(r->type, REDIS_REPLY_STRING);
    const long long us = atoll(r->str);
    freeReplyObject(r);
    return us;
}

static long long script_time_then;
static uint64_t probes_then;

static bool stands_still(void)
{
    return script_time() == script_time_then && redis_view(1) == SWG_FLEET_OPEN &&
           nobody_passes() && s.dependency->probes == probes_then;
}

/* Trips and recovers under this clock. */
static void a_round(void)
{
    const long long epoch = redis_view(0);
    trip();
    ck_assert_int_gt(redis_view(0), epoch);
    s.dependency->broken = false;
    UNTIL(all_views_closed);
    ck_assert_int_ge(s.dependency->passed, 2);
}

/* Back by less than a minute it stands still until the clock has caught up: of an OPEN of 1.5 s
 * nothing is over after two. Played short: the clock is set right before the minute is over. */
static void nearly_a_minute_back(void)
{
    trip();
    shift_clock(-59);
    s.dependency->broken = false;
    script_time_then = script_time();
    ck_assert_int_lt(script_time_then, redis_view(2));
    probes_then = s.dependency->probes;
    note_calls();
    HOLDS(stands_still, 2000);
    shift_clock(0);
    UNTIL(all_views_closed);
    a_round();
}

/* OPEN ends early by the step. */
static void an_hour_forward(void)
{
    const long long before = script_time();
    trip();
    shift_clock(3600);
    s.dependency->broken = false;
    UNTIL(all_views_closed);
    ck_assert_int_ge(script_time(), before + 3600 * 1000000LL);
    a_round();
}

/* By more than a minute back it is believed. What was open until a minute from then is so no longer
 * than the longest wait; epochs rise all the same. */
static void over_a_minute_back(void)
{
    trip();
    const long long before = script_time();
    shift_clock(3600 - 62);
    s.dependency->broken = false;
    UNTIL(all_views_closed);
    ck_assert_int_lt(script_time(), before);
    a_round();
}

static void clock_steps(void)
{
    stage_begin("Redis clock",
                &(stage_config){.clock = true, .recovery_ms = 1500, .stale_ms = 3000});
    traffic(4000);
    nearly_a_minute_back();
    an_hour_forward();
    over_a_minute_back();
    stage_end();
}

const fault_row redis_rows[] = {
    {"redis", "frozen and thawed", frozen_and_thawed},
    {"redis", "Redis restart, empty", restarted_empty},
    {"redis", "Redis restart, empty, while probing", restarted_empty_while_probing},
    {"redis", "FLUSHALL", flushed},
    {"redis", "all witnesses die with Redis", witnesses_die},
    {"redis", "SCRIPT FLUSH", script_flushed},
    {"redis", "OOM", out_of_memory},
    {"redis", "READONLY", read_only},
    {"redis", "NOREPLICAS", no_replicas},
    {"redis", "BUSY", busy},
    {"redis", "LOADING", loading},
    {"redis", "script version skew", version_skew},
    {"redis", "Redis clock", clock_steps},
    {0},
};
