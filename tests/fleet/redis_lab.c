#include "redis_lab.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void load(struct redis_lab *lab, const char *script, const char *sha1)
{
    redisReply *r = redisCommand(lab->redis, "SCRIPT LOAD %s", script);

    if (!r || r->type != REDIS_REPLY_STRING || strcmp(r->str, sha1) != 0)
        die("SCRIPT LOAD", r && r->str ? r->str : "no reply");
    freeReplyObject(r);
}

void redis_lab_start(struct redis_lab *lab)
{
    memset(lab, 0, sizeof *lab);
    server_make(&lab->server, false);
    server_add(&lab->server, "--enable-debug-command", "yes");
    server_start(&lab->server);
    lab->redis = server_connect(&lab->server);
    if (!lab->redis || lab->redis->err)
        die(lab->server.dir, "cannot be connected to");
    lab->wire.size = 1 << 20;
    lab->wire.room = SWG_WIRE_ARGS;
    lab->wire.text = malloc(lab->wire.size);
    lab->wire.argv = calloc((size_t)lab->wire.room, sizeof *lab->wire.argv);
    lab->wire.lengths = calloc((size_t)lab->wire.room, sizeof *lab->wire.lengths);
    load(lab, swg_fleet_sync_lua, swg_fleet_sync_sha1);
    load(lab, swg_fleet_admin_lua, swg_fleet_admin_sha1);
    redis_lab_reset(lab);
}

void redis_lab_stop(struct redis_lab *lab)
{
    redisFree(lab->redis);
    server_end(&lab->server);
    free(lab->wire.text);
    free(lab->wire.argv);
    free(lab->wire.lengths);
}

void redis_lab_reset(struct redis_lab *lab)
{
    freeReplyObject(redisCommand(lab->redis, "FLUSHALL"));
    freeReplyObject(redisCommand(lab->redis, "HSET " LAB_TAG ":m clock test"));
}

redisReply *redis_lab_run(struct redis_lab *lab)
{
    redisReply *r =
        redisCommandArgv(lab->redis, lab->wire.count, lab->wire.argv, lab->wire.lengths);

    if (!r)
        die("redis", lab->redis->errstr);
    return r;
}

static int error_code(const redisReply *r)
{
    if (strncmp(r->str, "SWGARG ", 7) == 0)
        return SWG_STEP_ARG;
    if (strncmp(r->str, "SWGVER ", 7) == 0)
        return SWG_STEP_VERSION;
    die("the script says", r->str);
    return 0;
}

static int64_t number(const redisReply *row, size_t i)
{
    if (row->type != REDIS_REPLY_ARRAY || i >= row->elements ||
        row->element[i]->type != REDIS_REPLY_STRING)
        die("reply", "not an array of strings");
    return strtoll(row->element[i]->str, NULL, 10);
}

static void name(char to[SWG_STEP_NAME], const redisReply *row)
{
    number(row, 0);
    snprintf(to, SWG_STEP_NAME, "%s", row->element[0]->str);
}

static void read_grant(struct swg_step_grant *g, const redisReply *row)
{
    name(g->circuit, row);
    g->epoch = number(row, 1);
    g->seq = number(row, 2);
    g->count = (int)number(row, 3);
    g->ttl = number(row, 4);
    g->wait = number(row, 5);
    g->quarantine = number(row, 6);
}

static void read_trip(struct swg_step_trip *trip, const redisReply *row)
{
    number(row, 7);
    if (sscanf(row->element[7]->str,
               "%d|%" SCNd64 "|%" SCNd64 "|%" SCNd64 "|%" SCNd64 "|%" SCNd64 "|%" SCNd64,
               &trip->cause, &trip->n, &trip->f, &trip->s, &trip->bad, &trip->votes,
               &trip->reporters) != 7)
        die("the script says", row->element[7]->str);
}

static void read_view(struct swg_step_view *v, const redisReply *row)
{
    name(v->circuit, row);
    v->epoch = number(row, 1);
    v->state = (int)number(row, 2);
    v->remaining = number(row, 3);
    v->age = number(row, 4);
    v->backoff = (int)number(row, 5);
    v->cause = (int)number(row, 6);
    read_trip(&v->trip, row);
}

static void read_offer(struct swg_step_offer *o, const redisReply *row)
{
    char *at = row->element[1]->str;

    name(o->circuit, row);
    o->rev = strtoll(at, &at, 10);
    o->stored = *at == '|';
    for (int i = 0; o->stored && i < SWG_CFG_COUNT; i++)
        o->config.v[i] = strtoll(at + 1, &at, 10);
}

static void read_reply(struct swg_step_reply *to, const redisReply *r)
{
    memset(to, 0, sizeof *to);
    to->now = number(r, 0);
    snprintf(to->server, sizeof to->server, "%s", r->element[1]->str);
    to->next = number(r, 2);
    to->reporters = number(r, 3);
    to->cursor = number(r, 4);
    to->more = number(r, 5) != 0;
    for (size_t i = 0; i < r->element[6]->elements; i++)
        read_grant(&to->grant[to->grants++], r->element[6]->element[i]);
    for (size_t i = 0; i < r->element[7]->elements; i++)
        read_view(&to->view[to->views++], r->element[7]->element[i]);
    for (size_t i = 0; i < r->element[8]->elements; i++)
        read_offer(&to->offer[to->offers++], r->element[8]->element[i]);
}

int redis_lab_sync(struct redis_lab *lab, int64_t now, const char *server,
                   const struct swg_step_request *request, struct swg_step_reply *reply)
{
    struct swg_wire_clock clock = {now, server};
    redisReply *r;
    int code = SWG_STEP_DONE;

    if (swg_wire_sync(&lab->wire, swg_fleet_sync_sha1, LAB_TAG, clock, request) < 0)
        die("request", "does not fit");
    r = redis_lab_run(lab);
    if (r->type == REDIS_REPLY_ERROR)
        code = error_code(r);
    else
        read_reply(reply, r);
    freeReplyObject(r);
    return code;
}

int redis_lab_admin(struct redis_lab *lab, int64_t now, const char *server,
                    const struct swg_step_order *order, int64_t *epoch)
{
    struct swg_wire_clock clock = {now, server};
    redisReply *r;
    int code = SWG_STEP_DONE;

    if (swg_wire_admin(&lab->wire, swg_fleet_admin_sha1, LAB_TAG, clock, order) < 0)
        die("order", "does not fit");
    r = redis_lab_run(lab);
    if (r->type == REDIS_REPLY_ERROR)
        code = error_code(r);
    else
        *epoch = number(r, 0);
    freeReplyObject(r);
    return code;
}

void redis_lab_digest(struct redis_lab *lab, char digest[41])
{
    redisReply *r = redisCommand(lab->redis, "DEBUG DIGEST");

    if (!r || !r->str)
        die("DEBUG DIGEST", "refused");
    snprintf(digest, 41, "%s", r->str);
    freeReplyObject(r);
}

void redis_lab_save(struct redis_lab *lab, struct redis_dump *dump)
{
    dump->keys = redisCommand(lab->redis, "KEYS *");
    dump->count = dump->keys->elements;
    dump->values = calloc(dump->count + 1, sizeof(redisReply *));
    for (size_t i = 0; i < dump->count; i++)
        dump->values[i] = redisCommand(lab->redis, "DUMP %s", dump->keys->element[i]->str);
}

void redis_lab_restore(struct redis_lab *lab, const struct redis_dump *dump)
{
    freeReplyObject(redisCommand(lab->redis, "FLUSHALL"));
    for (size_t i = 0; i < dump->count; i++) {
        redisReply *r = redisCommand(lab->redis, "RESTORE %s 0 %b", dump->keys->element[i]->str,
                                     dump->values[i]->str, dump->values[i]->len);

        if (!r || r->type == REDIS_REPLY_ERROR)
            die("RESTORE", r ? r->str : "no reply");
        freeReplyObject(r);
    }
}

void redis_dump_free(struct redis_dump *dump)
{
    for (size_t i = 0; i < dump->count; i++)
        freeReplyObject(dump->values[i]);
    if (dump->keys)
        freeReplyObject(dump->keys);
    free(dump->values);
    memset(dump, 0, sizeof *dump);
}
