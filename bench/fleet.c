/* Three hosts' panels on a real redis-server over a UNIX socket, each with a thread that carries
 * its client's bytes. */
#include "fleet.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/fleet_run.h>
#include <switchgear/gate.h>
#include <switchgear/switchgear.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS INT64_C(1000000)

enum { HOSTS = 3, TRIPS_MAX = 200, ROUNDS_MAX = 31, WELL_MS = 10000 };

typedef struct host {
    swg_panel *panel;
    swg_circuit *healthy;
    swg_circuit *trips[TRIPS_MAX];
    swg_fleet *fleet;
    pthread_t thread;
    swg_fleet_run_config config;
} host;

static char folder[] = "/tmp/swg-bench-XXXXXX";
static char url[64];
static pid_t redis;
static host hosts[HOSTS];

static bool start_redis(void)
{
    char at[48];
    if (mkdtemp(folder) == NULL) {
        return false;
    }
    snprintf(at, sizeof(at), "%s/sock", folder);
    snprintf(url, sizeof(url), "unix://%s", at);
    redis = fork();
    if (redis == 0) {
        if (freopen("/dev/null", "w", stdout) == NULL) {
            _exit(127);
        }
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", at, "--save", "",
               (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500 && access(at, F_OK) != 0; i++) {
        poll(NULL, 0, 10);
    }
    return access(at, F_OK) == 0;
}

static void *carry(void *arg)
{
    host *h = arg;
    swg_fleet_run(h->fleet, &h->config);
    return NULL;
}

static bool start_host(host *h, uint64_t number, int trips)
{
    char name[32];
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
    h->config = (swg_fleet_run_config){
        .size = sizeof(h->config), .url = url, .stop_fd = eventfd(0, EFD_CLOEXEC)};
    return swg_fleet_open(&h->fleet, h->panel, SWG_FLEET(.reporter = number), number,
                          swg_clock_ns()) == SWG_OK &&
           pthread_create(&h->thread, NULL, carry, h) == 0;
}

static void stop_all(void)
{
    char command[64];
    kill(redis, SIGCONT);
    for (int i = 0; i < HOSTS; i++) {
        if (hosts[i].fleet != NULL) {
            eventfd_write(hosts[i].config.stop_fd, 1);
            pthread_join(hosts[i].thread, NULL);
            close(hosts[i].config.stop_fd);
        }
        swg_fleet_close(&hosts[i].fleet);
        swg_panel_close(&hosts[i].panel);
    }
    kill(redis, SIGKILL);
    waitpid(redis, NULL, 0);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    if (system(command) != 0) {
        perror(command);
    }
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

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at_share(double *values, int count, double share)
{
    qsort(values, (size_t)count, sizeof(*values), by_value);
    const int place = (int)(share * count);
    return values[place < count ? place : count - 1];
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
    const double cost = at_share(more, rounds, 0.5);
    printf("fleet: a call alone %.1f ns, %s %.1f ns, %+.1f %%   5: %s\n", at_share(a, rounds, 0.5),
           with, at_share(b, rounds, 0.5), cost, cost <= 5 ? "yes" : "no");
}

static void fail(swg_circuit *circuit)
{
    for (int i = 0; i < 40; i++) {
        swg_permit permit;
        const int64_t now = swg_clock_ns();
        if (swg_acquire(circuit, &permit, now) == SWG_PERMITTED) {
            swg_release(circuit, &permit, SWG_FAILURE, now);
        }
    }
}

/* Two hosts see a dependency fail; how long until the third's gate is open? Milliseconds; -1: not
 * in time. */
static double trip_ms(int number)
{
    swg_gate_reading reading = {.size = sizeof(reading)};
    fail(hosts[0].trips[number]);
    fail(hosts[1].trips[number]);
    const int64_t began = swg_clock_ns();
    while (swg_clock_ns() - began < WELL_MS * MS) {
        swg_gate_read(hosts[2].trips[number], swg_clock_ns(), &reading);
        if (reading.mode == SWG_GATE_OPEN) {
            return (double)(swg_clock_ns() - began) / 1e6;
        }
        poll(NULL, 0, 1);
    }
    return -1;
}

static bool measure_trips(int trips)
{
    double took[TRIPS_MAX];
    for (int i = 0; i < trips; i++) {
        took[i] = trip_ms(i);
        if (took[i] < 0) {
            fprintf(stderr, "swg_bench: fleet: a trip did not reach the third host\n");
            return false;
        }
        poll(NULL, 0, i * 7 % 50); /* any phase of the exchange */
    }
    const double p50 = at_share(took, trips, 0.5), p99 = at_share(took, trips, 0.99);
    printf("fleet: a trip reaches the others in %.1f ms, p99 %.1f ms of %d   p99 50: %s\n", p50,
           p99, trips, p99 < 50 ? "yes" : "no");
    return true;
}

int bench_fleet(bool quick)
{
    swg_panel *panel;
    swg_circuit *alone;
    const int trips = quick ? 3 : TRIPS_MAX;
    const int rounds = quick ? 1 : ROUNDS_MAX;
    const long calls = quick ? 2000 : 2000000;
    bool fine = start_redis() && swg_panel_open(&panel, NULL, NULL) == SWG_OK &&
                swg_circuit_open(&alone, panel, "healthy", NULL) == SWG_OK;
    for (int i = 0; i < HOSTS && fine; i++) {
        fine = start_host(&hosts[i], (uint64_t)i + 1, trips);
    }
    if (!fine) {
        fprintf(stderr, "swg_bench: fleet: redis-server or the hosts do not start\n");
    } else {
        poll(NULL, 0, 500); /* joined by then; a trip waits for it otherwise */
        fine = measure_trips(trips);
        compare("in a fleet", alone, hosts[0].healthy, rounds, calls);
        kill(redis, SIGSTOP);
        compare("with Redis frozen", alone, hosts[0].healthy, rounds, calls);
        swg_panel_close(&panel);
    }
    stop_all();
    return fine ? 0 : 1;
}
