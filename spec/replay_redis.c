#include "replay_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CIRCUIT "db"

static redisReply *run(struct replay_redis *r, const char *command)
{
    redisReply *reply = redisCommand(r->lab.redis, command);

    if (!reply || reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "%s: %s\n", command, reply ? reply->str : "no reply");
        exit(1);
    }
    return reply;
}

static void save(struct replay_redis *r)
{
    redis_dump_free(&r->replica);
    redis_lab_save(&r->lab, &r->replica);
}

static void reset(void *self, int64_t epoch, const char *server)
{
    struct replay_redis *r = self;
    char command[128];

    redis_lab_reset(&r->lab);
    snprintf(command, sizeof command, "HSET " LAB_TAG ":m ep %lld srv %s", (long long)epoch,
             server);
    freeReplyObject(run(r, command));
    save(r);
}

static int granted(const redisReply *reply)
{
    const redisReply *grants;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 9)
        return -1;
    grants = reply->element[6];
    return grants->elements > 0 ? atoi(grants->element[0]->element[3]->str) : 0;
}

static int sync(void *self, int64_t now, const char *server, const struct swg_step_request *request)
{
    struct replay_redis *r = self;
    struct swg_wire_clock clock = {now, server};
    redisReply *reply;
    int count;

    if (swg_wire_sync(&r->lab.wire, r->sha1, LAB_TAG, clock, request) < 0)
        return -1;
    reply = redis_lab_run(&r->lab);
    if (reply->type == REDIS_REPLY_ERROR)
        fprintf(stderr, "the script says %s\n", reply->str);
    count = granted(reply);
    freeReplyObject(reply);
    return count;
}

static int64_t number(const redisReply *field)
{
    return field->str ? strtoll(field->str, NULL, 10) : 0;
}

static void look_state(struct replay_redis *r, struct replay_state *state)
{
    redisReply *m = run(r, "HGET " LAB_TAG ":m since");
    redisReply *st = run(r, "HGET " LAB_TAG ":st " CIRCUIT);
    long long epoch, until;

    state->since = number(m);
    if (st->str && sscanf(st->str, "%lld|%d|%lld", &epoch, &state->state, &until) == 3) {
        state->epoch = epoch;
        state->until = until;
    }
    freeReplyObject(st);
    freeReplyObject(m);
}

/* r:<reporter> -> seq|n|f|s|l|bad|... */
static void look_record(struct replay_state *state, const char *name, const char *value)
{
    int row, bad;

    if (sscanf(name, "r:host-%d", &row) == 1 && row < REPLAY_ROWS &&
        sscanf(value, "%*d|%*d|%*d|%*d|%*d|%d", &bad) == 1)
        state->bad[row] = bad;
}

static void look_circuit(struct replay_redis *r, struct replay_state *state)
{
    redisReply *b = run(r, "HGETALL " LAB_TAG ":b:" CIRCUIT);

    for (size_t i = 0; i + 1 < b->elements; i += 2) {
        if (strcmp(b->element[i]->str, "ps") == 0)
            state->ps = number(b->element[i + 1]);
        if (strcmp(b->element[i]->str, "px") == 0)
            state->px = number(b->element[i + 1]);
        look_record(state, b->element[i]->str, b->element[i + 1]->str);
    }
    freeReplyObject(b);
}

/* <epoch>/<reporter>/<seq>.<i> */
static void look_leases(struct replay_redis *r, struct replay_state *state)
{
    redisReply *l = run(r, "ZRANGE " LAB_TAG ":l:" CIRCUIT " 0 -1 WITHSCORES");

    for (size_t i = 0; i + 1 < l->elements; i += 2) {
        long long seq;
        int row;

        if (sscanf(l->element[i]->str, "%*[0-9]/host-%d/%lld.", &row, &seq) == 2 &&
            row < REPLAY_ROWS) {
            state->lease[row] = seq;
            state->expiry[row] = number(l->element[i + 1]);
        }
    }
    freeReplyObject(l);
}

static void look(void *self, struct replay_state *state)
{
    memset(state, 0, sizeof *state);
    look_state(self, state);
    look_circuit(self, state);
    look_leases(self, state);
}

static void replicate(void *self)
{
    save(self);
}

static void failover(void *self)
{
    struct replay_redis *r = self;

    redis_lab_restore(&r->lab, &r->replica);
}

struct replay_store replay_redis_store(struct replay_redis *r)
{
    return (struct replay_store){r, reset, sync, look, replicate, failover};
}

void replay_redis_script(struct replay_redis *r, const char *script)
{
    redisReply *reply;

    snprintf(r->sha1, sizeof r->sha1, "%s", swg_fleet_sync_sha1);
    if (!script)
        return;
    reply = redisCommand(r->lab.redis, "SCRIPT LOAD %s", script);
    if (!reply || reply->type != REDIS_REPLY_STRING) {
        fprintf(stderr, "SCRIPT LOAD: %s\n", reply ? reply->str : "no reply");
        exit(1);
    }
    snprintf(r->sha1, sizeof r->sha1, "%s", reply->str);
    freeReplyObject(reply);
}

void replay_redis_start(struct replay_redis *r)
{
    memset(r, 0, sizeof *r);
    redis_lab_start(&r->lab);
    replay_redis_script(r, NULL);
}

void replay_redis_stop(struct replay_redis *r)
{
    redis_dump_free(&r->replica);
    redis_lab_stop(&r->lab);
}
