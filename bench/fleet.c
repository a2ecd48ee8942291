/* What the fleet costs a call, and how soon a trip is everywhere: three hosts' panels on a real
 * redis-server over a UNIX socket, each with a thread that carries its client's bytes. */
#include "fleet.h"

#include "carrier.h"
#include "figures.h"
#include "redis.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <switchgear/gate.h>
#include <switchgear/switchgear.h>
#include <time.h>

#define MS INT64_C(1000000)

enum {
    HOSTS = 3,
    TRIPS_MAX = 300,
    ROUNDS_MAX = 31,
    CALLS_MAX = 100, /* enough to open any breaker */
    WELL_MS = 10000,
    INTERVAL_MS = 50, /* of an exchange, and */
    SHARDS = 16,      /* by default */
    LOOK_US = 100
};

typedef struct host {
    swg_panel *panel;
    swg_circuit *healthy;
    swg_circuit *trips[TRIPS_MAX];
    carrier carrier;
} host;

static bool start_host(host *h, const char *path, uint64_t number, int trips, bool ear)
{
    char name[32];
    *h = (host){0};
    if (swg_panel_open(&h->panel, NULL, SWG_PANEL(.circuits = TRIPS_MAX + 8)) != SWG_OK ||
        swg_circuit_open(&h->healthy, h->panel, "healthy", NULL) != SWG_OK) {
        return false;
    }
    for (int i = 0; i < trips; i++) {
        snprintf(name, sizeof(name), "trip-%d", i);
        if (swg_circuit_open(&h->trips[i], h->panel, name, NULL) != SWG_OK) {
            return false;
        }
    }
    h->carrier.path = path;
    h->carrier.ears = ear;
    h->carrier.hosts = 1;
    return swg_fleet_open(&h->carrier.fleet[0], h->panel, SWG_FLEET(.reporter = number), number,
                          swg_clock_ns()) == SWG_OK &&
           carrier_start(&h->carrier);
}

static void stop_host(host *h)
{
    carrier_stop(&h->carrier);
    swg_fleet_close(&h->carrier.fleet[0]);
    swg_panel_close(&h->panel);
}

/* A trip waits for a host that has not joined yet. */
static bool join(host *hosts)
{
    for (int turn = 0; turn < WELL_MS / 10; turn++) {
        int joined = 0;
        for (int i = 0; i < HOSTS; i++) {
            joined += carrier_read(&hosts[i].carrier, false).together == SHARDS;
        }
        if (joined == HOSTS) {
            return true;
        }
        poll(NULL, 0, 10);
    }
    fprintf(stderr, "swg_bench: fleet: the hosts did not join in %d s\n", WELL_MS / 1000);
    return false;
}

static double call_ns(swg_circuit *circuit, long calls)
{
    const int64_t now = swg_clock_ns();
    const int64_t began = now;
    for (long i = 0; i < calls; i++) {
        swg_permit permit;
        if (swg_acquire(circuit, &permit, now) == SWG_PERMITTED) {
            swg_release(circuit, &permit, SWG_SUCCESS, now);
        }
    }
    return (double)(swg_clock_ns() - began) / (double)calls;
}

/* In turn, so that both meet the same machine; the median of the rounds' own ratios. */
static void compare(const char *with, swg_circuit *alone, swg_circuit *together, int rounds,
                    long calls)
{
    double a[ROUNDS_MAX], b[ROUNDS_MAX], more[ROUNDS_MAX];
    for (int i = 0; i < rounds; i++) {
        a[i] = call_ns(alone, calls);
        b[i] = call_ns(together, calls);
        more[i] = 100 * (b[i] / a[i] - 1);
    }
    const double cost = bench_median(more, rounds);
    printf("fleet: a call alone %.1f ns, %s %.1f ns, %+.1f %%   5: %s\n", bench_median(a, rounds),
           with, bench_median(b, rounds), cost, bench_holds(cost <= 5));
}

/* Calls that fail until the circuit's own breaker opens. Returns when the last of them was
 * released: the one that trips. */
static int64_t fail(swg_circuit *circuit)
{
    swg_permit permit;
    int64_t now = swg_clock_ns();
    int64_t last = now;
    for (int i = 0; i < CALLS_MAX && swg_acquire(circuit, &permit, now) == SWG_PERMITTED; i++) {
        last = now;
        swg_release(circuit, &permit, SWG_FAILURE, now);
        now = swg_clock_ns();
    }
    return last;
}

static void wait_us(long us)
{
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}, NULL);
}

/* Two hosts see a dependency fail, the second `apart_us` after the first. Milliseconds from there
 * until the third's gate is open; -1: not in time. */
static double trip_ms(host *hosts, int number, long apart_us)
{
    swg_gate_reading reading = {.size = sizeof(reading)};
    fail(hosts[0].trips[number]);
    wait_us(apart_us);
    const int64_t began = fail(hosts[1].trips[number]);
    while (swg_clock_ns() - began < WELL_MS * MS) {
        const int64_t now = swg_clock_ns();
        swg_gate_read(hosts[2].trips[number], now, &reading);
        if (reading.mode == SWG_GATE_OPEN) {
            return (double)(now - began) / 1e6;
        }
        wait_us(LOOK_US);
    }
    return -1;
}

/* A share of [0, 1) for each i, evenly spread in any run of them. */
static double spread(int i, double step)
{
    return fmod(i * step, 1);
}

/* Exchanges have a phase of their own on each host, and are as often as not late or early by a
 * fifth: pauses of one to two intervals, evenly spread, meet all of it. */
static bool measure_trips(host *hosts, const char *how, int trips)
{
    double took[TRIPS_MAX];
    for (int i = 0; i < trips; i++) {
        wait_us((long)(1000 * INTERVAL_MS * (1 + spread(i, 0.6180339887))));
        took[i] =
            trip_ms(hosts, i, i % 2 ? (long)(1000 * INTERVAL_MS * spread(i, 0.7548776662)) : 0);
        if (took[i] < 0) {
            fprintf(stderr, "swg_bench: fleet: a trip did not reach the third host in %d s\n",
                    WELL_MS / 1000);
            return false;
        }
    }
    const double most = bench_at_share(took, trips, 1), p99 = bench_at_share(took, trips, 0.99);
    printf("fleet: a trip reaches the others, %s: %.1f ms, p90 %.1f, p99 %.1f, all %d within %.1f"
           "   p99 50: %s\n",
           how, bench_median(took, trips), bench_at_share(took, trips, 0.9), p99, trips, most,
           bench_holds(p99 < 50));
    return true;
}

typedef struct plan {
    int trips, rounds;
    long calls;
} plan;

static bool start_hosts(host *hosts, const bench_redis *redis, bool ears, const plan *p)
{
    for (int i = 0; i < HOSTS; i++) {
        if (!start_host(&hosts[i], redis->path, (uint64_t)i + 1, p->trips, ears)) {
            fprintf(stderr, "swg_bench: fleet: the hosts do not start\n");
            return false;
        }
    }
    return join(hosts);
}

static bool calls(const host *h, const bench_redis *redis, const plan *p)
{
    swg_panel *panel;
    swg_circuit *alone;
    if (swg_panel_open(&panel, NULL, NULL) != SWG_OK ||
        swg_circuit_open(&alone, panel, "healthy", NULL) != SWG_OK) {
        fprintf(stderr, "swg_bench: fleet: no panel\n");
        return false;
    }
    compare("in a fleet", alone, h->healthy, p->rounds, p->calls);
    kill(redis->pid, SIGSTOP);
    compare("with Redis frozen", alone, h->healthy, p->rounds, p->calls);
    kill(redis->pid, SIGCONT);
    swg_panel_close(&panel);
    return true;
}

/* One fleet after the other, each with a Redis of its own. */
static bool fleet(bool ears, const plan *p)
{
    static host hosts[HOSTS];
    bench_redis redis;
    bool fine = bench_redis_start(&redis) && start_hosts(hosts, &redis, ears, p) &&
                measure_trips(hosts, ears ? "with hints" : "without hints", p->trips) &&
                (!ears || calls(&hosts[0], &redis, p));
    for (int i = 0; i < HOSTS; i++) {
        stop_host(&hosts[i]);
    }
    bench_redis_stop(&redis);
    return fine;
}

int bench_fleet(bool quick)
{
    const plan p = {quick ? 3 : TRIPS_MAX, quick ? 1 : ROUNDS_MAX, quick ? 2000 : 2000000};
    return fleet(false, &p) && fleet(true, &p) && bench_fleet_strict(quick) == 0 ? 0 : 1;
}
