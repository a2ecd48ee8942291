/* What an exchange costs Redis: requests made up here, in the wire's own words, one after the other
 * on one connection, against the server's own CPU clock. */
#include "fleet.h"

#include "figures.h"
#include "fleet/wire.h"
#include "redis.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    SIZES = 5,
    MOST = SWG_STEP_ENTRIES,
    HISTORY = 64, /* circuits of the shard that once tripped: the script goes round them */
    FEW = 3,
    SCRIPTS = 50,
    SHORT_US = 100000,
    BOUND_US = 3000 /* the promise: no script runs longer */
};

static const int sizes[SIZES] = {0, 1, 16, 64, MOST};
static const int counts[SIZES] = {5000, 5000, 2000, 1000, 300};

/* One reporter's side of the shard. */
typedef struct desk {
    bench_redis redis;
    struct swg_wire wire;
    struct swg_step_request request;
    int64_t seq;
    int64_t epoch[MOST];
    int state[MOST];
    int64_t said[MOST]; /* the request that named it last */
    int grants, views;  /* rows of the last reply */
} desk;

typedef struct scene {
    const char *name;
    int reporters;           /* that have reported on each circuit, beside ours */
    bool (*before)(desk *d); /* not measured; of each exchange if `once` is false */
    bool once;
    void (*fill)(const desk *d, int i, struct swg_step_entry *e);
    bool grants; /* each entry is granted something, or the scene is not what it says */
} scene;

/* ---- exchanges ---- */

static bool equip(desk *d)
{
    d->wire.size = 1 << 20;
    d->wire.room = SWG_WIRE_ARGS;
    d->wire.text = malloc(d->wire.size);
    d->wire.argv = calloc(SWG_WIRE_ARGS, sizeof(*d->wire.argv));
    d->wire.lengths = calloc(SWG_WIRE_ARGS, sizeof(*d->wire.lengths));
    return d->wire.text != NULL && d->wire.argv != NULL && d->wire.lengths != NULL;
}

static void clear(desk *d)
{
    free(d->wire.text);
    free((void *)d->wire.argv);
    free(d->wire.lengths);
}

static bool fine(const redisReply *reply, const char *what)
{
    if (reply != NULL && reply->type != REDIS_REPLY_ERROR) {
        return true;
    }
    fprintf(stderr, "swg_bench: fleet-redis: %s: %s\n", what,
            reply != NULL ? reply->str : "no reply");
    return false;
}

static bool command(desk *d, const char *text)
{
    redisReply *reply = redisCommand(d->redis.link, text);
    const bool done = fine(reply, text);
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return done;
}

/* Views of our circuits; those of the history are nobody's. */
static void take_views(desk *d, const redisReply *rows)
{
    d->views = (int)rows->elements;
    for (size_t i = 0; i < rows->elements; i++) {
        int which = -1;
        if (sscanf(rows->element[i]->element[0]->str, "circuit-%d", &which) == 1 && which >= 0 &&
            which < MOST) {
            d->epoch[which] = strtoll(rows->element[i]->element[1]->str, NULL, 10);
            d->state[which] = atoi(rows->element[i]->element[2]->str);
        }
    }
}

static bool send_request(desk *d)
{
    const struct swg_wire_clock clock = {0, ""};
    swg_wire_sync(&d->wire, swg_fleet_sync_sha1, "swg1:{bench:0}", clock, &d->request);
    char *bytes = NULL;
    void *got = NULL;
    const int length = redisFormatCommandArgv(&bytes, d->wire.count, d->wire.argv, d->wire.lengths);
    if (length > 0 &&
        redisAppendFormattedCommand(d->redis.link, bytes, (size_t)length) == REDIS_OK) {
        redisGetReply(d->redis.link, &got);
    }
    free(bytes);
    redisReply *reply = got;
    const bool done = fine(reply, "an exchange");
    if (done) {
        d->request.cursor = strtoll(reply->element[4]->str, NULL, 10);
        d->grants = (int)reply->element[6]->elements;
        take_views(d, reply->element[7]);
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return done;
}

/* As `reporter`, of the first `entries` circuits called `name`-0 and so on. */
static bool exchange(desk *d, const char *reporter, const char *name, int entries,
                     void (*fill)(const desk *d, int i, struct swg_step_entry *e))
{
    struct swg_step_request *q = &d->request;
    q->schema = SWG_STEP_SCHEMA;
    snprintf(q->reporter, sizeof(q->reporter), "%s", reporter);
    q->entries = entries;
    for (int i = 0; i < entries; i++) {
        struct swg_step_entry *e = &q->entry[i];
        memset(e, 0, sizeof(*e));
        snprintf(e->circuit, sizeof(e->circuit), "%s-%d", name, i);
        e->seq = d->seq + 1;
        e->epoch = d->epoch[i];
        e->state = d->state[i];
        fill(d, i, e);
    }
    d->seq++;
    for (int i = 0; i < entries; i++) {
        d->said[i] = d->seq;
    }
    return send_request(d);
}

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

/* Little is remembered long here. */
static void say_briefly(const desk *d, int i, struct swg_step_entry *e)
{
    say_again(d, i, e);
    swg_step_config_default(&e->config);
    e->config.v[SWG_CFG_WINDOW] = SHORT_US;
    e->has_config = true;
    e->rev = 1;
}

/* ---- scenes ---- */

static bool report_others(desk *d, int reporters,
                          void (*fill)(const desk *d, int i, struct swg_step_entry *e))
{
    for (int i = 0; i < reporters; i++) {
        char name[32];
        snprintf(name, sizeof(name), "reporter-%d", i);
        if (!exchange(d, name, "circuit", MOST, fill)) {
            return false;
        }
    }
    return true;
}

static bool start_anew(desk *d)
{
    memset(d->epoch, 0, sizeof(d->epoch));
    memset(d->state, 0, sizeof(d->state));
    d->request.cursor = 0;
    return command(d, "FLUSHALL");
}

static bool half_open(desk *d)
{
    return exchange(d, "bench", "circuit", MOST, say_was_open) &&
           exchange(d, "bench", "circuit", MOST, say_want);
}

/* One reporter has seen it fail; the next makes a quorum of two. */
static bool about_to_trip(desk *d)
{
    return start_anew(d) && report_others(d, 1, say_failing);
}

/* A rack has died: as many records of each circuit are over as one exchange sweeps. */
static bool eight_gone(desk *d)
{
    const bool done = start_anew(d) && report_others(d, 8, say_briefly);
    poll(NULL, 0, SHORT_US / 1000 * 5 / 4 + 20);
    return done;
}

static const scene scenes[] = {
    {"closed, evidence changed, alone", 0, NULL, true, say_changed, false},
    {"closed, evidence changed, one of 50", 49, NULL, true, say_changed, false},
    {"closed, evidence changed, one of 200", 199, NULL, true, say_changed, false},
    {"closed, evidence said again, one of 50", 49, NULL, true, say_again, false},
    {"closed, a request that comes twice", 49, NULL, true, say_late, false},
    {"half-open, a permit back, one wanted", 0, half_open, true, say_probed, true},
    {"closed, every circuit trips", 0, about_to_trip, false, say_failing, false},
    {"closed, of each eight reporters gone", 0, eight_gone, false, say_again, false},
};

#define SCENES ((int)(sizeof(scenes) / sizeof(scenes[0])))

static bool set_up(desk *d, const scene *s, bool quick)
{
    const int others = quick && s->reporters > FEW ? FEW : s->reporters;
    return start_anew(d) && exchange(d, "bench", "old", HISTORY, say_was_open) &&
           exchange(d, "bench", "old", 0, say_was_open) &&
           (memset(d->epoch, 0, sizeof(d->epoch)), report_others(d, others, say_changed)) &&
           (!s->once || s->before == NULL || s->before(d));
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
        const int64_t before = bench_redis_cpu_ns(&d->redis);
        if (!exchange(d, "bench", "circuit", entries, s->fill)) {
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
    for (size_t i = 0; fine(reply, "SLOWLOG GET") && i < reply->elements && !found; i++) {
        const redisReply *row = reply->element[i];
        found = strcasecmp(row->element[3]->element[0]->str, "EVALSHA") == 0;
        *us = (double)row->element[2]->integer;
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return found;
}

static bool longest(desk *d, const scene *s, int count, double *median_us, double *most_us)
{
    double took[SCRIPTS];
    for (int i = 0; i < count; i++) {
        if ((!s->once && !s->before(d)) || !command(d, "SLOWLOG RESET") ||
            !exchange(d, "bench", "circuit", MOST, s->fill) || !last_script(d, &took[i])) {
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
        const int count = !s->once || quick ? FEW : counts[i];
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
           bench_holds(most <= BOUND_US));
    return true;
}

/* What this machine's Redis takes for the least there is. */
static bool machine(desk *d, const char *name, const char *text, int count)
{
    const int64_t before = bench_redis_cpu_ns(&d->redis);
    for (int i = 0; i < count; i++) {
        if (!command(d, text)) {
            return false;
        }
    }
    printf("%-40s %7.1f\n", name, (double)(bench_redis_cpu_ns(&d->redis) - before) / count / 1e3);
    return true;
}

static bool load(desk *d)
{
    redisReply *reply = redisCommand(d->redis.link, "SCRIPT LOAD %s", swg_fleet_sync_lua);
    const bool done = fine(reply, "SCRIPT LOAD");
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return done && command(d, "CONFIG SET slowlog-log-slower-than 500");
}

int bench_fleet_redis(bool quick)
{
    static desk d;
    bool done = equip(&d) && bench_redis_start(&d.redis) && load(&d);
    if (done) {
        printf(
            "fleet-redis: CPU of redis-server in us for an exchange of so many entries, protocol "
            "and system calls\nincluded; what that is a call + an entry (expected 30 to 33 + 6.5 "
            "to 8.5); ms its script runs with %d\n%-40s",
            MOST, "");
        for (int i = 0; i < SIZES; i++) {
            printf(" %7d", sizes[i]);
        }
        printf("   call  + entry   usual  most   bound\n");
    }
    done =
        done && machine(&d, "machine: PING", "PING", quick ? 10 : 10000) &&
        machine(&d, "machine: a script that does nothing", "EVAL return{} 0", quick ? 10 : 10000);
    for (int i = 0; i < SCENES && done; i++) {
        done = run(&d, &scenes[i], quick);
    }
    bench_redis_stop(&d.redis);
    clear(&d);
    return done ? 0 : 1;
}
