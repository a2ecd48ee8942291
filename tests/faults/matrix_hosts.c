/* Rows in which hosts die, hang or have troubles of their own. */
#include "stage.h"

#include <stdlib.h>
#include <string.h>

static bool stopped[HOSTS_MAX];

/* One that holds its probe and was not stopped; -1: none. */
static int probing_host(void)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.holding && !stopped[i])
            return i;
    }
    return -1;
}

static bool one_holds(void)
{
    return probing_host() >= 0;
}

static void hold_probes(bool hold)
{
    EACH_HOST(i)
    {
        s.hosts[i].orders.hold = hold;
    }
}

/* The fleet is open, the dependency well again, and one host at its probe. Returns which. */
static int trip_and_hold(void)
{
    trip();
    hold_probes(true);
    s.dependency->broken = false;
    UNTIL(one_holds);
    const int holder = probing_host();
    EACH_HOST(i)
    {
        if (i != holder)
            s.hosts[i].orders.hold = false;
    }
    return holder;
}

/* ---- a host dies --------------------------------------------------------------------------- */

static bool eight_reported(void)
{
    return redis_total(1) == 8;
}

static struct {
    char reporter[64];
    long long until_us; /* by Redis' clock */
} dead;

/* Whose eight failures they are. */
static void note_the_dead(void)
{
    redisReply *r = redis_ask("HGETALL " T ":b:c0");
    long long failures, until_us;
    dead.until_us = 0;
    for (size_t i = 0; i + 1 < r->elements; i += 2) {
        if (sscanf(r->element[i + 1]->str, "%*d|%*d|%lld|%*d|%*d|%*d|%*d|%*d|%lld", &failures,
                   &until_us) != 2 ||
            strncmp(r->element[i]->str, "r:", 2) != 0 || failures != 8)
            continue;
        snprintf(dead.reporter, sizeof dead.reporter, "%s", r->element[i]->str + 2);
        dead.until_us = until_us;
    }
    freeReplyObject(r);
    ck_assert_int_gt(dead.until_us, 0);
}

static bool its_time_is_over(void)
{
    return redis_time_us() >= dead.until_us;
}

static long long seq_then;

/* Of the latest word of those who live. */
static long long latest_seq(void)
{
    redisReply *r = redis_ask("HGETALL " T ":b:c0");
    long long latest = 0;
    for (size_t i = 0; i + 1 < r->elements; i += 2) {
        const char *field = r->element[i]->str;
        if (strncmp(field, "r:", 2) != 0 || strcmp(field + 2, dead.reporter) == 0)
            continue;
        const long long seq = atoll(r->element[i + 1]->str);
        latest = seq > latest ? seq : latest;
    }
    freeReplyObject(r);
    return latest;
}

static bool others_spoke(void)
{
    return latest_seq() > seq_then;
}

/* Its record counts for 1.25 windows of Redis' clock, and is gone with the first word after that,
 * so that it does not add to what comes later. */
static void crash_without_probe(void)
{
    stage_begin("instance crash, no probe", &(stage_config){.window_ms = 1000});
    s.dependency->broken = true;
    make_calls(0, 8);
    UNTIL(eight_reported);
    host_kill(0);
    note_the_dead();
    ck_assert_int_le(dead.until_us, redis_time_us() + 1250000);
    s.dependency->broken = false;
    s.hosts[1].orders.period_us = 20000;
    UNTIL(its_time_is_over);
    seq_then = latest_seq();
    UNTIL(others_spoke);
    ck_assert_int_eq(redis_total(1), 0);
    s.hosts[1].orders.period_us = 0;
    s.dependency->broken = true;
    make_calls(2, 8);
    UNTIL(calls_made);
    UNTIL(eight_reported);
    ck_assert_uint_eq(s.hosts[1].report.trips + s.hosts[2].report.trips, 0);
    stage_end();
}

/* The only permit dies with its host; the lease ends, and another host gets one. */
static void crash_with_probe(void)
{
    stage_begin("prober crash", &(stage_config){.probes = 1});
    host_kill(trip_and_hold());
    UNTIL(all_views_closed);
    stage_end();
}

static bool reopened(void)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.reopened > 0)
            return true;
    }
    return false;
}

/* Prober after prober stands still, and none of them will ever say how it went: that does not leave
 * the fleet half-open for ever. */
static void probes_hang(void)
{
    stage_begin("prober crash, expiries re-open",
                &(stage_config){.probes = 1, .expiry_limit = 2, .most = 2});
    trip();
    hold_probes(true);
    for (int count = 0; count < 2; count++) {
        UNTIL(one_holds);
        const int i = probing_host();
        host_signal(i, SIGSTOP);
        stopped[i] = true;
    }
    UNTIL(reopened);
    EACH_HOST(i)
    {
        if (stopped[i])
            host_signal(i, SIGCONT);
    }
    stage_end();
}

/* ---- a host is paused ---------------------------------------------------------------------- */

static uint64_t epoch_then;

static bool others_see_it_closed(void)
{
    EACH_HOST(i)
    {
        if (!stopped[i] && s.hosts[i].report.views[SWG_CLOSED] != 1)
            return false;
    }
    return true;
}

static bool as_it_was(void)
{
    return (uint64_t)redis_view(0) == epoch_then && redis_view(1) == SWG_FLEET_CLOSED;
}

/* Its lease ends without it: one probe more than granted is under way, and its result, a failure,
 * is of no account when it wakes. */
static void paused_past_its_lease(void)
{
    stage_begin("prober paused past the lease", &(stage_config){.probes = 1, .most = 2});
    const int holder = trip_and_hold();
    host_signal(holder, SIGSTOP);
    stopped[holder] = true;
    UNTIL(others_see_it_closed);
    epoch_then = (uint64_t)redis_view(0);
    s.hosts[holder].orders.egress = true; /* so its probe fails */
    s.hosts[holder].orders.hold = false;
    s.hosts[holder].orders.period_us = 0;
    host_signal(holder, SIGCONT);
    UNTIL(all_fleet);
    UNTIL(all_views_closed);
    HOLDS(as_it_was, 300);
    stage_end();
}

/* ---- a host is broken ---------------------------------------------------------------------- */

static bool own_open(int i)
{
    return s.hosts[i].report.own_closed == 0;
}

static bool first_opened(void)
{
    return own_open(0);
}

static bool others_closed(void)
{
    for (int i = 1; i < s.config.hosts; i++)
        if (own_open(i) || s.hosts[i].report.trips > 0)
            return false;
    return s.hosts[0].report.trips == 0;
}

static bool others_own_closed(void)
{
    return s.hosts[1].report.own_closed == 1 && s.hosts[2].report.own_closed == 1;
}

static bool first_quarantined(void)
{
    return redis_number("HLEN " T ":q:c0") > 0;
}

static bool first_failed_its_probe(void)
{
    redisReply *r = redis_ask("HGET " T ":b:c0 pf");
    const bool failed = r->type == REDIS_REPLY_STRING && strcmp(r->str, "1") == 0;
    freeReplyObject(r);
    return failed;
}

/* The fleet does not care; and who failed its probe where the others passed probes no more. */
static void one_egress_broken(void)
{
    stage_begin("one instance's egress broken", &(stage_config){.quarantine_ms = 1000});
    s.hosts[0].orders.egress = true;
    traffic(4000);
    UNTIL(first_opened);
    HOLDS(others_closed, 500);
    trip();
    host_signal(1, SIGSTOP); /* the first has the probes to itself */
    host_signal(2, SIGSTOP);
    s.dependency->broken = false;
    UNTIL(first_failed_its_probe);
    host_signal(1, SIGCONT);
    host_signal(2, SIGCONT);
    UNTIL(all_views_closed);
    UNTIL(first_quarantined);
    UNTIL(others_own_closed);
    stage_end();
}

static bool any_trip(void)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.trips > 0)
            return true;
    }
    return false;
}

static bool two_opened(void)
{
    return own_open(0) && own_open(1);
}

static bool no_trip(void)
{
    return !any_trip();
}

static bool all_five_reported(void)
{
    return redis_number("ZCARD " T ":x:c0") == 5 && redis_total(0) > 250;
}

/* Two are a quorum: whether it trips is then a matter of the rate alone. */
static void many_egresses_broken(void)
{
    stage_begin("K instances broken", &(stage_config){.hosts = 5});
    traffic(4000);
    UNTIL(all_five_reported);
    s.hosts[0].orders.egress = s.hosts[1].orders.egress = true;
    UNTIL(two_opened); /* two of five: 40 % */
    HOLDS(no_trip, 500);
    s.hosts[2].orders.egress = true; /* three of five: 60 % */
    UNTIL(any_trip);
    stage_end();
}

/* ---- all together -------------------------------------------------------------------------- */

static bool first_sees_it_closed(void)
{
    return s.hosts[0].report.views[SWG_CLOSED] == 1;
}

/* Hosts that were turned away and then fell silent have no calls to probe with, and ask all the
 * same. They keep nothing from the one that has. */
static void idle_hosts(void)
{
    stage_begin("idle hosts", &(stage_config){.probes = 1});
    trip();
    s.hosts[1].orders.period_us = s.hosts[2].orders.period_us = 0;
    s.dependency->broken = false;
    const uint64_t before = route_count(0, "requests");
    UNTIL(first_sees_it_closed);
    /* Counted in exchanges, for a busy machine has no more of them: some 15 while it is open. */
    ck_assert_uint_lt(route_count(0, "requests") - before, 75);
    stage_end();
}

static bool everybody_had_permits(void)
{
    return s.dependency->passed >= 2;
}

enum { RAMP_MS = 2000 };

static int64_t first_closed_ns(void)
{
    int64_t first = INT64_MAX;
    EACH_HOST(i)
    {
        const int64_t at = s.hosts[i].report.closed_ns;
        first = at < first ? at : first;
    }
    return first;
}

/* No more than the probes until the fleet has closed, and then a share that grows: in no part of
 * the ramp a larger one than at its end. */
static void dependency_recovers(void)
{
    stage_begin("dependency recovers", &(stage_config){.ramp_ms = RAMP_MS});
    trip();
    const uint64_t plain = s.dependency->plain;
    s.dependency->broken = false;
    UNTIL(everybody_had_permits);
    ck_assert_uint_eq(s.dependency->plain, plain);
    UNTIL(all_views_closed);
    uint64_t calls[2] = {0}, through[2] = {0}, ramped_ms[2];
    for (int part = 0; part < 2; part++) {
        EACH_HOST(i)
        {
            calls[part] -= s.hosts[i].report.calls;
            through[part] -= s.hosts[i].report.permitted;
        }
        const int64_t until = swg_clock_ns() + 700 * MS;
        while (swg_clock_ns() < until)
            stage_rest(5);
        EACH_HOST(i)
        {
            calls[part] += s.hosts[i].report.calls;
            through[part] += s.hosts[i].report.permitted;
        }
        ramped_ms[part] = (uint64_t)((swg_clock_ns() - first_closed_ns()) / MS);
    }
    ck_assert_uint_lt(through[0] * 100, calls[0] * (ramped_ms[0] * 100 / RAMP_MS + 30));
    ck_assert_uint_lt(through[0] * calls[1], through[1] * calls[0]);
    stage_end();
}

static bool all_thousand_known(void)
{
    return redis_number("ZCARD swg1:{faults:0}:chg") + redis_number("ZCARD swg1:{faults:1}:chg") ==
           s.config.circuits;
}

static long long calls_of(const char *command)
{
    redisReply *r = redis_ask("INFO commandstats");
    char word[64];
    snprintf(word, sizeof word, "cmdstat_%s:calls=", command);
    const char *at = strstr(r->str, word);
    const long long calls = at ? atoll(at + strlen(word)) : 0;
    freeReplyObject(r);
    return calls;
}

static void thousand_breakers(void)
{
    stage_begin("1,000 breakers trip at once", &(stage_config){.hosts = 2,
                                                               .circuits = 1000,
                                                               .shards = 2,
                                                               .calls_min = 4,
                                                               .window_ms = 20000,
                                                               .recovery_ms = 1500});
    s.dependency->probe_ms = 0;
    s.dependency->broken = true;
    make_calls(0, 5000);
    make_calls(1, 5000);
    UNTIL(all_open);
    UNTIL(all_thousand_known);
    ck_assert_int_le(calls_of("publish"), calls_of("evalsha"));
    ck_assert_int_lt(calls_of("publish"), 300);
    s.dependency->broken = false;
    traffic(100);
    stage_end();
}

const fault_row host_rows[] = {
    {"hosts", "instance crash, no probe", crash_without_probe},
    {"hosts", "prober crash", crash_with_probe},
    {"hosts", "prober crash, expiries re-open", probes_hang},
    {"hosts", "prober paused past the lease", paused_past_its_lease},
    {"hosts", "one instance's egress broken", one_egress_broken},
    {"hosts", "K instances broken", many_egresses_broken},
    {"hosts", "idle hosts", idle_hosts},
    {"hosts", "dependency recovers", dependency_recovers},
    {"hosts", "1,000 breakers trip at once", thousand_breakers},
    {0},
};
