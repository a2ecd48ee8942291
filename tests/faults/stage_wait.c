/* Waiting for a condition, with a limit, while every host lives. */
#include "stage.h"

#include <sys/wait.h>
#include <time.h>

void stage_rest(int ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000000};
    nanosleep(&t, NULL);
}

static void all_live(void)
{
    EACH_HOST(i)
    {
        int status;
        if (waitpid(s.host_pid[i], &status, WNOHANG) == 0)
            continue;
        s.host_pid[i] = 0;
        ck_abort_msg("host %d is dead: %s %d", i, WIFSIGNALED(status) ? "signal" : "exit code",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
}

static void describe(void)
{
    EACH_HOST(i)
    {
        const host_report *r = &s.hosts[i].report;
        fprintf(stderr, "  host %d: shards", i);
        for (int m = 0; m < SWG_FLEET_MODE_COUNT; m++)
            if (r->in_mode[m] > 0)
                fprintf(stderr, " %s %d", swg_fleet_mode_name((swg_fleet_mode)m), r->in_mode[m]);
        fprintf(stderr,
                "; views closed %d open %d half %d; own closed %d; gates %d (first %d); "
                "calls %llu permitted %llu; epoch %llu\n",
                r->views[0], r->views[1], r->views[2], r->own_closed, r->gates, r->gate,
                (unsigned long long)r->calls, (unsigned long long)r->permitted,
                (unsigned long long)r->epoch);
    }
    for (int i = 0; s.proxy > 0 && i < s.config.hosts; i++)
        fprintf(stderr, "  %s\n", route_status(i));
    fprintf(stderr, "  dependency: probes %llu passed %llu most %d\n",
            (unsigned long long)s.dependency->probes, (unsigned long long)s.dependency->passed,
            s.dependency->most);
}

static void pass_time(void)
{
    if (s.meanwhile)
        s.meanwhile();
    stage_rest(2);
}

void stage_until(bool (*condition)(void), const char *words, int line)
{
    const int64_t end = swg_clock_ns() + PATIENCE_MS * MS;
    while (!condition()) {
        all_live();
        if (swg_clock_ns() > end) {
            describe();
            ck_abort_msg("line %d: never %s", line, words);
        }
        pass_time();
    }
}

void stage_hold(bool (*condition)(void), int ms, const char *words, int line)
{
    const int64_t end = swg_clock_ns() + ms * MS;
    while (swg_clock_ns() < end) {
        all_live();
        if (!condition()) {
            describe();
            ck_abort_msg("line %d: no longer %s", line, words);
        }
        pass_time();
    }
}

static bool all_in(swg_fleet_mode mode)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.in_mode[mode] != s.config.shards)
            return false;
    }
    return true;
}

bool all_fleet(void)
{
    return all_in(SWG_FLEET_FLEET);
}

bool all_local(void)
{
    return all_in(SWG_FLEET_LOCAL);
}

static bool all_views(swg_state state)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.views[state] != s.config.circuits)
            return false;
    }
    return true;
}

bool all_open(void)
{
    return all_views(SWG_OPEN);
}

bool all_views_closed(void)
{
    return all_views(SWG_CLOSED);
}

bool all_closed(void)
{
    EACH_HOST(i)
    {
        const host_report *r = &s.hosts[i].report;
        if (r->own_closed != s.config.circuits || r->gates != 0)
            return false;
    }
    return all_views_closed();
}

bool all_well(void)
{
    return all_fleet() && all_closed();
}

void traffic(int period_us)
{
    EACH_HOST(i)
    {
        s.hosts[i].orders.period_us = period_us;
    }
}

void make_calls(int i, unsigned count)
{
    s.hosts[i].orders.calls += count;
}

bool calls_made(void)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.made != s.hosts[i].orders.calls)
            return false;
    }
    return true;
}

void trip(void)
{
    s.dependency->broken = true;
    traffic(4000);
    UNTIL(all_open);
}
