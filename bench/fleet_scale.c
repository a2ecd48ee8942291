/* Fifty hosts of a thousand circuits on one real redis-server, in peace and in trouble: what it
 * costs Redis, what it costs a host, and whether both stay inside what was promised. */
#include "fleet.h"

#include "carrier.h"
#include "figures.h"
#include "redis.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <switchgear/switchgear.h>

#define MS INT64_C(1000000)

enum {
    SHARDS = 16,       /* by default, */
    INTERVAL_MS = 50,  /* too, */
    WINDOW_MS = 10000, /* too */
    PACE_US = 4000,    /* between two exchanges of one shard, whoever makes them */
    SWEEP_MS = 500,    /* each circuit of each host is called so often */
    JOIN_MS = 60000,
    TURN_MS = 100,

    /* What each may cost. */
    ENTRIES_S = 12000, /* of all hosts, in trouble */
    RECORD = 135,      /* bytes */
    HOST_PCT = 5       /* of a core */
};

typedef struct size {
    int hosts, circuits;
    int second_ms; /* a "second" of the plan below */
} size;

/* What the callers meet, on every circuit of every host. */
typedef enum weather { QUIET, HEALTHY, FAILING, ONE_IN_TEN } weather;

typedef struct phase {
    const char *name; /* NULL: on the way from one to the next, not printed */
    weather weather;
    int seconds;
} phase;

enum { CALM, SETTLE, TRAFFIC, BROWN_OUT, INCIDENT, RECOVERY, PHASES };

static const phase phases[PHASES] = {
    [CALM] = {"quiet", QUIET, 8},
    [SETTLE] = {NULL, HEALTHY, 12},
    [TRAFFIC] = {"peace: all circuits called", HEALTHY, 10},
    [BROWN_OUT] = {"brown-out: 1 of 10 fails", ONE_IN_TEN, 10},
    [INCIDENT] = {"incident: all fail", FAILING, 15},
    [RECOVERY] = {"recovery", HEALTHY, 15},
};

typedef struct fleet_of {
    size size;
    bench_redis redis;
    swg_panel *panel[CARRIER_HOSTS];
    swg_circuit **circuits; /* host after host */
    carrier carrier;
    pthread_t callers;
    atomic_int weather;
    atomic_bool stop;
    bool calling;
    double *trips;
} fleet_of;

/* ---- the callers ---- */

static void call_once(swg_circuit *circuit, weather w, uint32_t number, int64_t now)
{
    swg_permit permit;
    const bool fails = w == FAILING || (w == ONE_IN_TEN && number % 10 == 0);
    if (swg_acquire(circuit, &permit, now) == SWG_PERMITTED) {
        swg_release(circuit, &permit, fails ? SWG_FAILURE : SWG_SUCCESS, now);
    }
}

/* All circuits in turn, evenly over a sweep. */
static void *keep_calling(void *arg)
{
    fleet_of *f = arg;
    const uint32_t count = (uint32_t)(f->size.hosts * f->size.circuits);
    const uint32_t slice = (count + SWEEP_MS - 1) / SWEEP_MS;
    uint32_t number = 0;
    int64_t due = swg_clock_ns();
    while (!atomic_load(&f->stop)) {
        const weather w = (weather)atomic_load(&f->weather);
        const int64_t now = swg_clock_ns();
        for (uint32_t i = 0; i < slice && w != QUIET; i++, number++) {
            call_once(f->circuits[number % count], w, number / 7, now);
        }
        due += MS;
        const int64_t left = due - swg_clock_ns();
        if (left > 0) {
            nanosleep(&(struct timespec){.tv_nsec = left}, NULL);
        } else {
            due -= left; /* behind: slower then, not in bursts */
        }
    }
    return NULL;
}

/* ---- the fleet ---- */

static bool open_host(fleet_of *f, int host)
{
    swg_circuit **circuits = &f->circuits[host * f->size.circuits];
    if (swg_panel_open(&f->panel[host], NULL,
                       SWG_PANEL(.circuits = (uint32_t)f->size.circuits, .processes = 1)) !=
        SWG_OK) {
        return false;
    }
    for (int i = 0; i < f->size.circuits; i++) {
        char name[32];
        snprintf(name, sizeof(name), "service-%d", i);
        if (swg_circuit_open(&circuits[i], f->panel[host], name, NULL) != SWG_OK) {
            return false;
        }
    }
    return swg_fleet_open(&f->carrier.fleet[host], f->panel[host],
                          SWG_FLEET(.reporter = (uint64_t)host + 1), (uint64_t)host + 1,
                          swg_clock_ns()) == SWG_OK;
}

static bool start(fleet_of *f)
{
    f->circuits = calloc((size_t)(f->size.hosts * f->size.circuits), sizeof(*f->circuits));
    f->trips = calloc(CARRIER_TRIPS, sizeof(*f->trips));
    if (f->circuits == NULL || f->trips == NULL || !bench_redis_start(&f->redis)) {
        return false;
    }
    for (int i = 0; i < f->size.hosts; i++) {
        if (!open_host(f, i)) {
            fprintf(stderr, "swg_bench: fleet-scale: host %d does not start\n", i);
            return false;
        }
    }
    f->carrier.path = f->redis.path;
    f->carrier.ears = true;
    f->carrier.hosts = f->size.hosts;
    f->calling =
        carrier_start(&f->carrier) && pthread_create(&f->callers, NULL, keep_calling, f) == 0;
    return f->calling;
}

static bool join(fleet_of *f)
{
    const uint32_t all = (uint32_t)(f->size.hosts * SHARDS);
    for (int waited = 0; waited < JOIN_MS; waited += TURN_MS) {
        if (carrier_read(&f->carrier, true).together == all) {
            return true;
        }
        poll(NULL, 0, TURN_MS);
    }
    fprintf(stderr, "swg_bench: fleet-scale: %d hosts did not join in %d s\n", f->size.hosts,
            JOIN_MS / 1000);
    return false;
}

static void stop(fleet_of *f)
{
    atomic_store(&f->stop, true);
    if (f->calling) {
        pthread_join(f->callers, NULL);
    }
    carrier_stop(&f->carrier);
    for (int i = 0; i < f->size.hosts; i++) {
        swg_fleet_close(&f->carrier.fleet[i]);
        swg_panel_close(&f->panel[i]);
    }
    bench_redis_stop(&f->redis);
    free(f->circuits);
    free(f->trips);
}

/* ---- measuring ---- */

typedef struct figures {
    double exchanges, hurried, entries, bytes; /* a second */
    double redis, client;                      /* cores; of one host */
    double p50, p99;                           /* of a round trip, ms */
    double together;                           /* share of shards in mode FLEET, at its lowest */
    uint64_t errors, transitions;
} figures;

static figures measure(fleet_of *f, int ms)
{
    const uint32_t shards = (uint32_t)(f->size.hosts * SHARDS);
    const int64_t redis = bench_redis_cpu_ns(&f->redis), began = swg_clock_ns();
    const carrier_sums a = carrier_read(&f->carrier, true);
    uint32_t together = shards;
    carrier_sums b = a;
    for (int waited = 0; waited < ms; waited += TURN_MS) {
        poll(NULL, 0, ms - waited < TURN_MS ? ms - waited : TURN_MS);
        b = carrier_read(&f->carrier, false);
        together = b.together < together ? b.together : together;
    }
    const double wall = (double)(swg_clock_ns() - began) / 1e9;
    const double s = (double)(b.at_ns - a.at_ns) / 1e9;
    const int count = carrier_round_trips(&f->carrier, f->trips);
    return (figures){
        .exchanges = (double)(b.exchanges - a.exchanges) / s,
        .hurried = (double)(b.hurried - a.hurried) / s,
        .entries = (double)(b.entries - a.entries) / s,
        .bytes = (double)(b.bytes - a.bytes) / s,
        .redis = (double)(bench_redis_cpu_ns(&f->redis) - redis) / 1e9 / wall,
        .client = (double)(b.cpu_ns - a.cpu_ns) / 1e9 / s / f->size.hosts,
        .p50 = count > 0 ? bench_at_share(f->trips, count, 0.5) : 0,
        .p99 = count > 0 ? bench_at_share(f->trips, count, 0.99) : 0,
        .together = (double)together / shards,
        .errors = b.errors - a.errors,
        .transitions = b.transitions - a.transitions,
    };
}

static void print_head(const size *s)
{
    printf("fleet-scale: %d hosts of %d circuits on one redis-server, each circuit of each host "
           "called every %d ms\n%-26s %8s %8s %8s %6s %7s %8s %7s %7s %6s %9s %6s\n",
           s->hosts, s->circuits, SWEEP_MS, "", "exch/s", "early/s", "entr/s", "redis", "host %",
           "MB/s", "p50 ms", "p99 ms", "fleet%", "changes", "errors");
}

static void print(const char *name, const figures *m)
{
    printf("%-26s %8.0f %8.0f %8.0f %6.2f %7.2f %8.1f %7.1f %7.1f %6.0f %9lu %6lu\n", name,
           m->exchanges, m->hurried, m->entries, m->redis, 100 * m->client, m->bytes / 1e6, m->p50,
           m->p99, 100 * m->together, (unsigned long)m->transitions, (unsigned long)m->errors);
    fflush(stdout);
}

/* ---- budgets ---- */

static double least_together(const figures m[PHASES])
{
    double share = 1;
    for (int i = 0; i < PHASES; i++) {
        share = m[i].together < share ? m[i].together : share;
    }
    return share;
}

static void budget(const char *what, double got, const char *format, double limit)
{
    printf("%-62s ", what);
    printf(format, got);
    printf("   ");
    printf(format, limit);
    printf(": %s\n", bench_holds(got <= limit));
}

static double most(const figures m[PHASES], size_t field)
{
    double value = 0;
    for (int i = 0; i < PHASES; i++) {
        const double one = *(const double *)((const char *)&m[i] + field);
        value = one > value ? one : value;
    }
    return value;
}

/* Percent, above or below. */
static double off(double got, double plan)
{
    return 100 * (got > plan ? got / plan - 1 : 1 - got / plan);
}

/* Each host exchanges with each shard every interval, or as seldom as the pace allows; an entry for
 * a circuit with traffic twice a window; in trouble as many as a host may. */
static void judge(const size *s, const figures m[PHASES], double bytes)
{
    const double pace_ms = s->hosts * PACE_US / 1e3;
    const double every_ms = pace_ms > INTERVAL_MS ? pace_ms : INTERVAL_MS;
    const double exchanges = s->hosts * SHARDS * 1e3 / every_ms;
    const double active = s->hosts * (double)s->circuits;
    const double refreshed = active * 2e3 / WINDOW_MS, troubled = ENTRIES_S * 1.05;
    const double regular = m[INCIDENT].exchanges - m[INCIDENT].hurried;
    budget("exchanges in peace, percent off their plan", off(m[TRAFFIC].exchanges, exchanges),
           "%.1f", 5);
    /* One made before its time may stand for the next in its turn, so these get fewer. */
    budget("exchanges in their turn in the incident, times those of peace",
           regular / (m[TRAFFIC].exchanges - m[TRAFFIC].hurried), "%.2f", 1.05);
    budget("all exchanges in the incident, times those of peace",
           m[INCIDENT].exchanges / m[TRAFFIC].exchanges, "%.2f", 2);
    budget("entries a second in peace", m[TRAFFIC].entries, "%.0f", refreshed);
    budget("entries a second, at most", most(m, offsetof(figures, entries)), "%.0f", troubled);
    budget("cores of Redis, at most: two thirds of one", most(m, offsetof(figures, redis)), "%.2f",
           2 / 3.0);
    budget("round trip, p99 of the worst time: one pace, ms", most(m, offsetof(figures, p99)),
           "%.1f", every_ms);
    budget("percent of a core for a host's client, at most",
           100 * most(m, offsetof(figures, client)), "%.1f", HOST_PCT);
    budget("shards that lost the fleet at some time, percent", 100 - 100 * least_together(m),
           "%.0f", 0);
    budget("bytes in Redis for a host and circuit with traffic", bytes / active, "%.0f", RECORD);
}

int bench_fleet_scale(bool quick)
{
    static fleet_of f;
    figures m[PHASES] = {{0}};
    f = (fleet_of){.size = quick ? (size){5, 50, 40} : (size){50, 1000, 1000}};
    bool fine = start(&f) && join(&f);
    double bytes = 0;
    if (fine) {
        print_head(&f.size);
    }
    for (int i = 0; i < PHASES && fine; i++) {
        atomic_store(&f.weather, phases[i].weather);
        m[i] = measure(&f, phases[i].seconds * f.size.second_ms);
        if (phases[i].name != NULL) {
            print(phases[i].name, &m[i]);
        }
        bytes = i == TRAFFIC ? bench_redis_keys_bytes(&f.redis) : bytes;
    }
    if (fine) {
        judge(&f.size, m, bytes);
    }
    stop(&f);
    return fine ? 0 : 1;
}
