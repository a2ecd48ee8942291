/* What a strict call waits for: one host, its runner, and a real redis-server over a UNIX socket.
 */
#include "fleet.h"

#include "figures.h"
#include "redis.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <switchgear/fleet_run.h>
#include <switchgear/fleet_strict.h>
#include <switchgear/switchgear.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CALLS_MAX = 5000, TRIES = 500 };

typedef struct strict_host {
    swg_panel *panel;
    swg_circuit *circuit;
    swg_fleet *fleet;
    swg_strict *strict;
    swg_fleet_run_config run;
    pthread_t thread;
    char url[128];
} strict_host;

static void *carry(void *arg)
{
    strict_host *h = arg;
    swg_fleet_run(h->fleet, &h->run);
    return NULL;
}

static bool start(strict_host *h, const bench_redis *redis)
{
    snprintf(h->url, sizeof(h->url), "unix://%s", redis->path);
    if (swg_panel_open(&h->panel, NULL, NULL) != SWG_OK ||
        swg_circuit_open(&h->circuit, h->panel, "strict", NULL) != SWG_OK ||
        swg_strict_open(&h->strict, 100000) != SWG_OK ||
        swg_fleet_open(&h->fleet, h->panel, SWG_FLEET(.reporter = 1), 1, swg_clock_ns()) !=
            SWG_OK) {
        return false;
    }
    h->run = *SWG_FLEET_RUN(.url = h->url, .stop_fd = eventfd(0, EFD_CLOEXEC), .strict = h->strict);
    return pthread_create(&h->thread, NULL, carry, h) == 0;
}

static void stop(strict_host *h)
{
    if (h->run.stop_fd > 0) {
        eventfd_write(h->run.stop_fd, 1);
        pthread_join(h->thread, NULL);
        close(h->run.stop_fd);
    }
    swg_strict_close(&h->strict);
    swg_fleet_close(&h->fleet);
    swg_panel_close(&h->panel);
}

static bool joined(strict_host *h)
{
    swg_strict_counts counts = {0};
    for (int i = 0; i < TRIES && counts.answered == 0; i++) {
        swg_permit permit;
        swg_strict_acquire(h->strict, h->circuit, &permit);
        swg_strict_release(h->strict, h->circuit, &permit, SWG_SUCCESS);
        swg_strict_read(h->strict, &counts);
        poll(NULL, 0, counts.answered == 0 ? 10 : 0);
    }
    return counts.answered > 0;
}

static void measure(strict_host *h, int calls)
{
    double ask[CALLS_MAX], tell[CALLS_MAX];
    for (int i = 0; i < calls; i++) {
        swg_permit permit;
        const int64_t began = swg_clock_ns();
        swg_strict_acquire(h->strict, h->circuit, &permit);
        const int64_t between = swg_clock_ns();
        swg_strict_release(h->strict, h->circuit, &permit, SWG_SUCCESS);
        ask[i] = (double)(between - began) / 1e3;
        tell[i] = (double)(swg_clock_ns() - between) / 1e3;
    }
    const double p99 = bench_at_share(ask, calls, 0.99),
                 told_p99 = bench_at_share(tell, calls, 0.99);
    printf("fleet: a strict acquire waits %.0f us, p99 %.0f; its release %.0f, p99 %.0f\n",
           bench_median(ask, calls), p99, bench_median(tell, calls), told_p99);
}

int bench_fleet_strict(bool quick)
{
    static bench_redis redis;
    static strict_host host;
    const bool fine = bench_redis_start(&redis) && start(&host, &redis) && joined(&host);
    if (fine) {
        measure(&host, quick ? 20 : CALLS_MAX);
    } else {
        fprintf(stderr, "swg_bench: fleet: redis-server or the strict host does not start\n");
    }
    stop(&host);
    bench_redis_stop(&redis);
    return fine ? 0 : 1;
}
