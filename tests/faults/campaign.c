/* Faults at random, for as long as is asked: on routes, Redis, hosts and the dependency, one on top
 * of the other. The promises that must survive any of it are checked at the end: all come back
 * together, and no more probes were ever under way than granted, but for hosts that were paused and
 * servers that lost what they had granted.
 *
 * SWG_SEED repeats a run's choices; SWG_LONG=1 takes five minutes. */
#include "stage.h"

#include <stdlib.h>

enum { PROBES = 2, ROUTES = 4 };

static uint64_t random_state;
static int paused = -1;

static int pick(int count)
{
    uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (int)((x ^ x >> 31) % (uint64_t)count);
}

static void on_a_route(void)
{
    static const char *const commands[] = {
        "latency 20ms 30ms", "latency 400ms", "stall",      "stall up",    "cut",
        "half-open",         "half-open up",  "bytes",      "truncate 50", "duplicate",
        "duplicate 100ms",   "drop request",  "drop reply", "mute",
    };
    fault(pick(ROUTES), commands[pick(sizeof commands / sizeof *commands)]);
}

static void on_the_dependency(void)
{
    s.dependency->broken = pick(2) == 0;
}

static void on_redis(void)
{
    switch (pick(4)) {
    case 0:
        redis_signal(0, SIGSTOP);
        stage_rest(10 + pick(800));
        redis_signal(0, SIGCONT);
        return;
    case 1:
        redis_do("SCRIPT FLUSH");
        return;
    case 2:
        redis_do("CONFIG SET maxmemory 1");
        stage_rest(10 + pick(800));
        redis_do("CONFIG SET maxmemory 0");
        return;
    default:
        redis_do("CLIENT KILL TYPE normal SKIPME yes");
        return;
    }
}

static void on_a_host(void)
{
    const int i = pick(ROUTES);
    if (paused >= 0) {
        host_signal(paused, SIGCONT);
        paused = -1;
    } else if (pick(2) == 0) {
        paused = i;
        host_signal(i, SIGSTOP);
    } else {
        host_kill(i);
        host_start(i);
        s.hosts[i].orders.period_us = 3000;
    }
}

static void one_fault(void)
{
    const int kind = pick(12);
    if (kind < 4)
        fault_all("heal");
    else if (kind < 7)
        on_the_dependency();
    else if (kind < 10)
        on_a_route();
    else if (kind < 11)
        on_redis();
    else
        on_a_host();
}

static void random_faults(void)
{
    const char *seed = getenv("SWG_SEED");
    const bool is_long = getenv("SWG_LONG") != NULL;
    random_state = seed ? strtoull(seed, NULL, 0) : (uint64_t)swg_clock_ns();
    printf("SWG_SEED=%llu\n", (unsigned long long)random_state);
    fflush(stdout);
    stage_begin("campaign", &(stage_config){.hosts = ROUTES, .probes = PROBES, .most = PROBES + 1});
    traffic(3000);
    const int64_t end = swg_clock_ns() + (is_long ? 300 : 4) * 1000 * MS;
    while (swg_clock_ns() < end) {
        one_fault();
        stage_rest(20 + pick(200));
    }
    if (paused >= 0)
        host_signal(paused, SIGCONT);
    stage_end();
}

const fault_row campaign_rows[] = {
    {"campaign", "campaign", random_faults},
    {0},
};
