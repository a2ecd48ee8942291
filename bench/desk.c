#include "desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARD "swg1:{bench:0}"
#define SOME_DAY_US INT64_C(3000000000000000) /* later than today */
#define SLOW_US "500" /* scripts slower than this are in the slow log, and few commands else */

static bool equip(desk *d)
{
    d->wire.size = 1 << 20;
    d->wire.room = SWG_WIRE_ARGS;
    d->wire.text = malloc(d->wire.size);
    d->wire.argv = calloc(SWG_WIRE_ARGS, sizeof(*d->wire.argv));
    d->wire.lengths = calloc(SWG_WIRE_ARGS, sizeof(*d->wire.lengths));
    return d->wire.text != NULL && d->wire.argv != NULL && d->wire.lengths != NULL;
}

/* Frees the reply. */
static bool done(redisReply *reply, const char *what)
{
    const bool fine = desk_fine(reply, what);
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return fine;
}

bool desk_open(desk *d)
{
    memset(d, 0, sizeof(*d));
    return equip(d) && bench_redis_start(&d->redis) &&
           done(redisCommand(d->redis.link, "SCRIPT LOAD %s", swg_fleet_sync_lua), "SCRIPT LOAD") &&
           desk_command(d, "CONFIG SET slowlog-log-slower-than " SLOW_US);
}

void desk_close(desk *d)
{
    bench_redis_stop(&d->redis);
    free(d->wire.text);
    free((void *)d->wire.argv);
    free(d->wire.lengths);
}

bool desk_fine(const redisReply *reply, const char *what)
{
    if (reply != NULL && reply->type != REDIS_REPLY_ERROR) {
        return true;
    }
    fprintf(stderr, "swg_bench: fleet-redis: %s: %s\n", what,
            reply != NULL ? reply->str : "no reply");
    return false;
}

bool desk_command(desk *d, const char *text)
{
    return done(redisCommand(d->redis.link, text), text);
}

bool desk_clear(desk *d)
{
    memset(d->epoch, 0, sizeof(d->epoch));
    memset(d->state, 0, sizeof(d->state));
    d->request.cursor = 0;
    d->now_us = 0;
    return desk_command(d, "FLUSHALL");
}

bool desk_hold_clock(desk *d)
{
    d->now_us = SOME_DAY_US;
    return desk_command(d, "HSET " SHARD ":m clock test");
}

static void take_views(desk *d, const redisReply *rows)
{
    for (size_t i = 0; i < rows->elements; i++) {
        int which = -1;
        if (sscanf(rows->element[i]->element[0]->str, "circuit-%d", &which) == 1 && which >= 0 &&
            which < DESK_CIRCUITS) {
            d->epoch[which] = strtoll(rows->element[i]->element[1]->str, NULL, 10);
            d->state[which] = atoi(rows->element[i]->element[2]->str);
        }
    }
}

static bool take_reply(desk *d, redisReply *reply)
{
    if (desk_fine(reply, "an exchange")) {
        d->request.cursor = strtoll(reply->element[4]->str, NULL, 10);
        d->grants = (int)reply->element[6]->elements;
        take_views(d, reply->element[7]);
    }
    return done(reply, "an exchange");
}

static bool send_request(desk *d)
{
    const struct swg_wire_clock clock = {d->now_us, ""};
    char *bytes = NULL;
    void *reply = NULL;
    swg_wire_sync(&d->wire, swg_fleet_sync_sha1, SHARD, clock, &d->request);
    const int length = redisFormatCommandArgv(&bytes, d->wire.count, d->wire.argv, d->wire.lengths);
    if (length > 0 &&
        redisAppendFormattedCommand(d->redis.link, bytes, (size_t)length) == REDIS_OK) {
        redisGetReply(d->redis.link, &reply);
    }
    free(bytes);
    return take_reply(d, reply);
}

bool desk_exchange(desk *d, const char *reporter, const char *name, int entries, desk_words words)
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
        words(d, i, e);
    }
    d->seq++;
    for (int i = 0; i < entries; i++) {
        d->said[i] = d->seq;
    }
    return send_request(d);
}
