/* The scripts, and exchanges without a circuit in a shard of the doctor's own. */
#include "fleet/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1000000)
#define FINE SWG_FLEET_FINE
#define NOTE SWG_FLEET_NOTE
#define WARNING SWG_FLEET_WARNING
#define PROBLEM SWG_FLEET_PROBLEM

/* Of clients, by default. */
#define STALE_NS (300 * MS)
#define TIMEOUT_NS (500 * MS)

enum { ROUNDS = 50, ROUNDS_MIN = 3, ARGUMENTS = 32, ARGUMENT_BYTES = 1024 };

/* ---- loading ------------------------------------------------------------------------------- */

/* True: it loads, under its name. */
static bool loads(doctor *d, const char *lua, const char *sha1, char why[DOCTOR_TEXT])
{
    redisReply *reply = swg__talk_ask(&d->node->talk, "SCRIPT LOAD %s", lua);
    const char *name = swg__text(reply);
    const bool fine = name && strcmp(name, sha1) == 0;

    if (reply && !fine)
        snprintf(why, DOCTOR_TEXT, "%.200s", reply->str ? reply->str : "a reply of another shape");
    swg__free(reply);
    return fine;
}

void swg__doctor_scripts(doctor *d)
{
    char why[DOCTOR_TEXT] = "";

    if (loads(d, swg_fleet_sync_lua, swg_fleet_sync_sha1, why) &&
        loads(d, swg_fleet_admin_lua, swg_fleet_admin_sha1, why)) {
        swg__doctor_say(d, SWG_FLEET_CHECK_SCRIPTS, FINE, "sync %.12s and admin %.12s load",
                        swg_fleet_sync_sha1, swg_fleet_admin_sha1);
    } else if (why[0]) {
        swg__doctor_fix(d, d->lacks_rights ? "see rights, above" : "see the server's log");
        swg__doctor_say(d, SWG_FLEET_CHECK_SCRIPTS, PROBLEM, "they do not load: %s", why);
    }
}

/* ---- exchanging ---------------------------------------------------------------------------- */

typedef struct timing {
    int64_t ns[ROUNDS];
    int count;
} timing;

static int order(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static double percentile_ms(timing *t, int percent)
{
    qsort(t->ns, (size_t)t->count, sizeof *t->ns, order);
    return (double)t->ns[(t->count - 1) * percent / 100] / 1e6;
}

static redisReply *exchange(doctor *d, struct swg_wire *wire)
{
    const struct swg_wire_clock clock = {0, ""};
    struct swg_step_request *request = calloc(1, sizeof *request);

    if (request) {
        request->schema = SWG_STEP_SCHEMA;
        strcpy(request->reporter, "doctor");
        swg_wire_sync(wire, swg_fleet_sync_sha1, d->scratch, clock, request);
    }
    free(request);
    swg__talk_say_wire(&d->node->talk, wire);
    swg__talk_say(&d->node->talk, "PEXPIRE %s:m 60000", d->scratch); /* in case we die here */
    redisReply *reply = swg__talk_hear(&d->node->talk);
    swg__free(swg__talk_hear(&d->node->talk));
    return reply;
}

/* How long exchanges and bare round trips take, for a quarter of the time we have. */
static void measure(doctor *d, const struct swg_wire *wire, timing *pings, timing *exchanges)
{
    const int64_t until = swg_clock_ns() + (d->v.deadline_ns - swg_clock_ns()) / 4;

    for (int i = 0; i < ROUNDS && (i < ROUNDS_MIN || swg_clock_ns() < until); i++) {
        const int64_t start = swg_clock_ns();
        swg__free(swg__talk_ask(&d->node->talk, "PING"));
        const int64_t middle = swg_clock_ns();
        swg__talk_say_wire(&d->node->talk, wire);
        swg__free(swg__talk_hear(&d->node->talk));
        pings->ns[pings->count++] = middle - start;
        exchanges->ns[exchanges->count++] = swg_clock_ns() - middle;
    }
}

static void say_timing(doctor *d, timing *pings, timing *exchanges)
{
    const double p50 = percentile_ms(exchanges, 50), p99 = percentile_ms(exchanges, 99);
    swg_fleet_severity severity = FINE;

    if (p50 * MS >= TIMEOUT_NS) {
        severity = PROBLEM;
        swg__doctor_fix(d, "a Redis that is nearer, or clients with timeout_ms and stale_ms beyond "
                           "that");
    } else if (p99 * MS >= STALE_NS / 3) {
        severity = WARNING;
        swg__doctor_fix(d, "what keeps it busy: redis-cli SLOWLOG GET, redis-cli --latency; or "
                           "clients with a longer stale_ms");
    }
    swg__doctor_say(d, SWG_FLEET_CHECK_EXCHANGE, severity,
                    "%.2f ms, p99 %.2f ms (a bare round trip %.2f ms, p99 %.2f ms), of %d", p50,
                    p99, percentile_ms(pings, 50), percentile_ms(pings, 99), exchanges->count);
}

static void advise(doctor *d, const redisReply *reply)
{
    static const struct {
        const char *code, *fix;
    } known[] = {
        {"OOM", "CONFIG SET maxmemory to more, or less other data here"},
        {"NOREPLICAS", "bring a replica back"},
        {"READONLY", "use its master"},
        {"MISCONF", "see the server's log; is its disk full?"},
        {"NOSCRIPT", "let this user run SCRIPT LOAD"},
        {"CLUSTERDOWN", "redis-cli CLUSTER INFO"},
    };

    swg__doctor_fix(d, "see the server's log");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (swg__is_error(reply, known[i].code))
            swg__doctor_fix(d, "%s", known[i].fix);
    }
    if (d->lacks_rights)
        swg__doctor_fix(d, "see rights, above");
}

void swg__doctor_exchange(doctor *d)
{
    char text[ARGUMENT_BYTES];
    const char *argv[ARGUMENTS];
    size_t lengths[ARGUMENTS];
    struct swg_wire wire = {
        .text = text, .size = sizeof text, .argv = argv, .lengths = lengths, .room = ARGUMENTS};
    timing pings = {0}, exchanges = {0};

    if (!d->may_unlink) {
        swg__doctor_say(d, SWG_FLEET_CHECK_EXCHANGE, NOTE,
                        "not tried: what it leaves could not be deleted");
        return;
    }
    redisReply *reply = exchange(d, &wire);
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        advise(d, reply);
        swg__doctor_say(d, SWG_FLEET_CHECK_EXCHANGE, PROBLEM, "refused: %.300s", reply->str);
    } else if (reply && swg__length(reply) != 9) {
        swg__doctor_say(d, SWG_FLEET_CHECK_EXCHANGE, PROBLEM, "a reply of another shape");
    } else if (reply) {
        measure(d, &wire, &pings, &exchanges);
        if (d->node->talk.end == TALK_GOES_ON)
            say_timing(d, &pings, &exchanges);
    }
    swg__free(reply);
}
