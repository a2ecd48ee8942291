/* What an exchange costs Redis: requests made up here, in the wire's own words, one after the other
 * on one connection, against the server's own CPU clock. */
#include "fleet.h"

#include "desk.h"
#include "figures.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    SIZES = 5,
    MOST = DESK_CIRCUITS,
    HISTORY = 64, /* circuits of the shard that once tripped: the script goes round them */
    FEW = 3,
    TURNS = 10, /* of a scene that must be set anew for each exchange */
    SCRIPTS = 50,
    RECORD = 135,       /* bytes */
    HALF_US = 5500000,  /* of a window and a bit, */
    GONE_US = 13000000, /* and one and a quarter, and a bit */
    BOUND_US = 3000     /* the promise: no script runs longer */
};

static const int sizes[SIZES] = {0, 1, 16, 32, MOST};
static const int counts[SIZES] = {5000, 5000, 2000, 1000, 500};

typedef struct scene {
    const char *name;
    int reporters;           /* that have reported on each circuit, beside ours */
    bool (*before)(desk *d); /* not measured; of each exchange if `once` is false */
    bool once;
    desk_words fill;
    int64_t step_us; /* so much later is each exchange */
    bool grants;     /* each entry is granted something, or the scene is not what it says */
} scene;

/* ---- what is said ---- */

static void say_changed(const desk *d, int i, struct swg_step_entry *e)
{
    e->n = 100 + (d->seq + i) % 50;
    e->f = e->n / 20;
}

static void say_again(const desk *d, int i, struct swg_step_entry *e)
{
    (void)d;
    (void)i;
    e->n = 100;
    e->f = 5;
}

static void say_late(const desk *d, int i, struct swg_step_entry *e)
{
    say_again(d, i, e);
    e->seq = 1;
}

/* Claims an opening that is over: the quickest way to a circuit that is due for probes. */
static void say_was_open(const desk *d, int i, struct swg_step_entry *e)
{
    (void)d;
    (void)i;
    e->epoch = 1;
    e->state = SWG_STEP_OPEN;
}

static void say_want(const desk *d, int i, struct swg_step_entry *e)
{
    (void)d;
    (void)i;
    e->want = 1;
}

/* The permit of last time unused, and another wanted: this can go on for ever. */
static void say_probed(const desk *d, int i, struct swg_step_entry *e)
{
    e->want = 1;
    e->results = 1;
    e->result[0] = (struct swg_step_result){
        .epoch = d->epoch[i], .seq = d->said[i], .index = 0, .outcome = SWG_STEP_UNUSED};
}

static void say_failing(const desk *d, int i, struct swg_step_entry *e)
{
    (void)d;
    (void)i;
    e->n = e->f = 20;
}

static void say_limits(const desk *d, int i, struct swg_step_entry *e)
{
    say_again(d, i, e);
    swg_step_config_default(&e->config);
    e->has_config = true;
    e->rev = 1;
}

/* Knows of those limits already. */
static void say_at_limits(const desk *d, int i, struct swg_step_entry *e)
{
    say_again(d, i, e);
    e->rev = 1;
}

/* ---- scenes ---- */

static bool report_others(desk *d, int reporters, desk_words fill)
{
    for (int i = 0; i < reporters; i++) {
        char name[40];
        snprintf(name, sizeof(name), "host-%03d:%016x", i, (unsigned)i);
        if (!desk_exchange(d, name, "circuit", MOST, fill)) {
            return false;
        }
    }
    return true;
}

static bool half_open(desk *d)
{
    return desk_exchange(d, "bench", "circuit", MOST, say_was_open) &&
           desk_exchange(d, "bench", "circuit", MOST, say_want);
}

/* One reporter has seen it fail; the next makes a quorum of two. */
static bool about_to_trip(desk *d)
{
    return desk_clear(d) && report_others(d, 1, say_failing);
}

/* A rack has died, all records of it are over: more than one exchange sweeps. */
static bool eight_gone(desk *d)
{
    const bool done = desk_clear(d) && desk_hold_clock(d) && report_others(d, 8, say_limits);
    d->now_us += GONE_US;
    return done;
}

static bool limits_known(desk *d)
{
    return desk_hold_clock(d) && desk_exchange(d, "bench", "circuit", MOST, say_limits);
}

/* What traffic costs in peace: told again when half of the window is over, the record lives on. */
static void say_later(const desk *d, int i, struct swg_step_entry *e)
{
    say_changed(d, i, e);
    e->rev = 1;
}

static const scene scenes[] = {
    {"closed, evidence changed, alone", 0, NULL, true, say_changed, 0, false},
    {"closed, evidence changed, one of 50", 49, NULL, true, say_changed, 0, false},
    {"closed, evidence changed, one of 200", 199, NULL, true, say_changed, 0, false},
    {"closed, evidence said again, one of 50", 49, NULL, true, say_again, 0, false},
    {"closed, told again half a window later", 0, limits_known, true, say_later, HALF_US, false},
    {"closed, a request that comes twice", 49, NULL, true, say_late, 0, false},
    {"half-open, a permit back, one wanted", 0, half_open, true, say_probed, 0, true},
    {"closed, every circuit trips", 0, about_to_trip, false, say_failing, 0, false},
    {"closed, of each eight reporters gone", 0, eight_gone, false, say_at_limits, 0, false},
};

#define SCENES ((int)(sizeof(scenes) / sizeof(scenes[0])))

static bool set_up(desk *d, const scene *s, bool quick)
{
    const int others = quick && s->reporters > FEW ? FEW : s->reporters;
    return desk_clear(d) && desk_exchange(d, "bench", "old", HISTORY, say_was_open) &&
           report_others(d, others, say_changed) && (!s->once || s->before == NULL || s->before(d));
}

/* ---- measuring ---- */

/* Microseconds of Redis CPU for one exchange, the mean of `count`; -1: it failed. */
static double measure(desk *d, const scene *s, int entries, int count)
{
    int64_t used = 0;
    for (int i = 0; i < count; i++) {
        if (!s->once && !s->before(d)) {
            return -1;
        }
        d->now_us += s->step_us;
        const int64_t before = bench_redis_cpu_ns(&d->redis);
        if (!desk_exchange(d, "bench", "circuit", entries, s->fill)) {
            return -1;
        }
        used += bench_redis_cpu_ns(&d->redis) - before;
        if (s->grants && d->grants < entries) {
            fprintf(stderr, "swg_bench: fleet-redis: %s: not granted\n", s->name);
            return -1;
        }
    }
    return (double)used / count / 1e3;
}

/* Least squares of y = call + entry * x, each point by its own size. */
static void fit(const double y[SIZES], double *call, double *entry)
{
    double w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
    for (int i = 0; i < SIZES; i++) {
        const double x = sizes[i], weight = 1 / (y[i] * y[i]);
        w += weight;
        wx += weight * x;
        wy += weight * y[i];
        wxx += weight * x * x;
        wxy += weight * x * y[i];
    }
    *entry = (w * wxy - wx * wy) / (w * wxx - wx * wx);
    *call = (wy - *entry * wx) / w;
}

/* How long the server says the script ran, waiting for a core included. Commands within a script
 * are logged too, the slow ones. */
static bool last_script(desk *d, double *us)
{
    redisReply *reply = redisCommand(d->redis.link, "SLOWLOG GET 128");
    bool found = false;
    for (size_t i = 0; desk_fine(reply, "SLOWLOG GET") && i < reply->elements && !found; i++) {
        const redisReply *row = reply->element[i];
        found = strcasecmp(row->element[3]->element[0]->str, "EVALSHA") == 0;
        *us = (double)row->element[2]->integer;
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    if (!found) {
        fprintf(stderr, "swg_bench: fleet-redis: no script in the slow log\n");
    }
    return found;
}

static bool longest(desk *d, const scene *s, int count, double *median_us, double *most_us)
{
    double took[SCRIPTS];
    for (int i = 0; i < count; i++) {
        if ((!s->once && !s->before(d)) || !desk_command(d, "SLOWLOG RESET")) {
            return false;
        }
        d->now_us += s->step_us;
        if (!desk_exchange(d, "bench", "circuit", MOST, s->fill) || !last_script(d, &took[i])) {
            return false;
        }
    }
    *median_us = bench_median(took, count);
    *most_us = took[count - 1];
    return true;
}

static bool run(desk *d, const scene *s, bool quick)
{
    double cpu[SIZES], call, entry, median, most;
    if (!set_up(d, s, quick)) {
        return false;
    }
    printf("%-40s", s->name);
    for (int i = 0; i < SIZES; i++) {
        const int count = quick ? FEW : s->once ? counts[i] : TURNS;
        cpu[i] = measure(d, s, sizes[i], count);
        if (cpu[i] < 0) {
            return false;
        }
        printf(" %7.1f", cpu[i]);
        fflush(stdout);
    }
    fit(cpu, &call, &entry);
    if (!longest(d, s, quick ? FEW : SCRIPTS, &median, &most)) {
        return false;
    }
    printf("   %5.1f + %4.1f   %5.2f %5.2f   3: %s\n", call, entry, median / 1e3, most / 1e3,
           bench_holds(median <= BOUND_US));
    return true;
}

/* What this machine's Redis takes for the least there is. */
static bool machine(desk *d, const char *name, const char *text, int count)
{
    const int64_t before = bench_redis_cpu_ns(&d->redis);
    for (int i = 0; i < count; i++) {
        if (!desk_command(d, text)) {
            return false;
        }
    }
    printf("%-40s %7.1f\n", name, (double)(bench_redis_cpu_ns(&d->redis) - before) / count / 1e3);
    return true;
}

/* What a record of a reporter takes: in a small hash, and in one that is no longer small. */
static bool memory(desk *d, int reporters)
{
    if (!desk_clear(d) || !report_others(d, 1, say_changed)) {
        return false;
    }
    const double one = bench_redis_keys_bytes(&d->redis);
    if (!report_others(d, reporters, say_changed)) {
        return false;
    }
    const double bytes = (bench_redis_keys_bytes(&d->redis) - one) / (reporters - 1) / MOST;
    printf("memory in Redis of a host's record of a circuit, %3d hosts: %.0f bytes   %d: %s\n",
           reporters, bytes, RECORD, bench_holds(bytes <= RECORD));
    return true;
}

static void print_head(void)
{
    printf("fleet-redis: CPU of redis-server in us for an exchange of so many entries, protocol "
           "and system calls\nincluded; what that is a call + an entry (expected 30 to 33 + 6.5 to "
           "8.5); ms its script runs with %d, the most\nwith what it waits for a core\n%-40s",
           MOST, "");
    for (int i = 0; i < SIZES; i++) {
        printf(" %7d", sizes[i]);
    }
    printf("   call  + entry   usual  most   bound\n");
}

int bench_fleet_redis(bool quick)
{
    static desk d;
    const int often = quick ? 10 : 10000;
    bool done = desk_open(&d);
    if (done) {
        print_head();
        done = machine(&d, "machine: PING", "PING", often) &&
               machine(&d, "machine: a script that does nothing", "EVAL return{} 0", often);
    }
    for (int i = 0; i < SCENES && done; i++) {
        done = run(&d, &scenes[i], quick);
    }
    done = done && memory(&d, quick ? FEW : 50) && memory(&d, quick ? 2 * FEW : 200);
    desk_close(&d);
    return done ? 0 : 1;
}
