#include "memory_server.h"

#include "fleet/wire.h"

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char *at;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    t->used += (size_t)vsnprintf(t->at + t->used, MEMORY_REPLY - t->used, format, ap);
    va_end(ap);
    ck_assert_uint_lt(t->used, MEMORY_REPLY);
}

static void bulk(struct text *t, const char *text)
{
    put(t, "$%zu\r\n%s\r\n", strlen(text), text);
}

static void number(struct text *t, int64_t value)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64, value);
    bulk(t, text);
}

void memory_server_become(struct memory_server *server, char kind)
{
    memset(server->run_id, 'a', 40);
    server->run_id[0] = kind;
    server->loaded[0] = server->loaded[1] = false;
}

void memory_server_start(struct memory_server *server, int64_t now_us, char kind)
{
    memset(server, 0, sizeof *server);
    server->now_us = now_us;
    memory_server_become(server, kind);
}

struct swg_step_circuit *memory_circuit(struct memory_server *server, const char *name)
{
    for (int s = 0; s < MEMORY_SHARDS; s++) {
        for (int i = 0; i < SWG_STEP_CIRCUITS; i++) {
            struct swg_step_circuit *c = &server->shard[s].circuit[i];

            if (c->used && strcmp(c->name, name) == 0)
                return c;
        }
    }
    return NULL;
}

static int64_t integer(const redisReply *r, size_t *at)
{
    ck_assert_uint_lt(*at, r->elements);
    return strtoll(r->element[(*at)++]->str, NULL, 10);
}

static void string(const redisReply *r, size_t *at, char *to, size_t room)
{
    ck_assert_uint_lt(*at, r->elements);
    snprintf(to, room, "%s", r->element[(*at)++]->str);
}

static void read_config(const char *text, struct swg_step_entry *e)
{
    char *at;

    e->has_config = *text != 0;
    e->config.v[0] = strtoll(text, &at, 10);
    for (int i = 1; i < SWG_CFG_COUNT && *at == '|'; i++)
        e->config.v[i] = strtoll(at + 1, &at, 10);
}

static void read_entry(const redisReply *r, size_t *at, struct swg_step_entry *e)
{
    memset(e, 0, sizeof *e);
    string(r, at, e->circuit, sizeof e->circuit);
    e->seq = integer(r, at);
    e->epoch = integer(r, at);
    e->state = (int)integer(r, at);
    e->remaining = integer(r, at);
    e->n = integer(r, at);
    e->f = integer(r, at);
    e->s = integer(r, at);
    e->l = integer(r, at);
    e->local_open = integer(r, at) != 0;
    e->want = (int)integer(r, at);
    e->rev = integer(r, at);
    read_config(r->element[(*at)++]->str, e);
    e->results = (int)integer(r, at);
    for (int i = 0; i < e->results; i++) {
        e->result[i].epoch = integer(r, at);
        e->result[i].seq = integer(r, at);
        e->result[i].index = (int)integer(r, at);
        e->result[i].outcome = (int)integer(r, at);
    }
}

static void read_request(const redisReply *r, struct swg_step_request *q)
{
    size_t at = 3 + (size_t)strtoull(r->element[2]->str, NULL, 10);

    ck_assert_str_eq(r->element[at]->str, "0"); /* a live client sets no clock */
    ck_assert_str_eq(r->element[at + 1]->str, "");
    at += 2;
    memset(q, 0, offsetof(struct swg_step_request, entry));
    q->schema = (int)integer(r, &at);
    string(r, &at, q->reporter, sizeof q->reporter);
    q->cursor = integer(r, &at);
    q->entries = (int)integer(r, &at);
    for (int i = 0; i < q->entries; i++)
        read_entry(r, &at, &q->entry[i]);
    ck_assert_uint_eq(at, r->elements);
}

static void put_trip(struct text *t, const struct swg_step_trip *trip)
{
    char text[160];

    snprintf(text, sizeof text,
             "%d|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64, trip->cause,
             trip->n, trip->f, trip->s, trip->bad, trip->votes, trip->reporters);
    bulk(t, text);
}

static void put_views(struct text *t, const struct swg_step_reply *r)
{
    put(t, "*%d\r\n", r->views);
    for (int i = 0; i < r->views; i++) {
        const struct swg_step_view *v = &r->view[i];

        put(t, "*8\r\n");
        bulk(t, v->circuit);
        number(t, v->epoch);
        number(t, v->state);
        number(t, v->remaining);
        number(t, v->age);
        number(t, v->backoff);
        number(t, v->cause);
        put_trip(t, &v->trip);
    }
}

static void put_grants(struct text *t, const struct swg_step_reply *r)
{
    put(t, "*%d\r\n", r->grants);
    for (int i = 0; i < r->grants; i++) {
        const struct swg_step_grant *g = &r->grant[i];

        put(t, "*7\r\n");
        bulk(t, g->circuit);
        number(t, g->epoch);
        number(t, g->seq);
        number(t, g->count);
        number(t, g->ttl);
        number(t, g->wait);
        number(t, g->quarantine);
    }
}

static void put_offers(struct text *t, const struct swg_step_reply *r)
{
    put(t, "*%d\r\n", r->offers);
    for (int i = 0; i < r->offers; i++) {
        const struct swg_step_offer *o = &r->offer[i];
        char text[400];
        int used = snprintf(text, sizeof text, "%" PRId64, o->stored ? o->rev : 0);

        for (int k = 0; o->stored && k < SWG_CFG_COUNT; k++)
            used += snprintf(text + used, sizeof text - (size_t)used, "|%" PRId64, o->config.v[k]);
        put(t, "*2\r\n");
        bulk(t, o->circuit);
        bulk(t, text);
    }
}

static void put_reply(struct text *t, const struct swg_step_reply *r)
{
    put(t, "*9\r\n");
    number(t, r->now);
    bulk(t, r->server);
    number(t, r->next);
    number(t, r->reporters);
    number(t, r->cursor);
    number(t, r->more);
    put_grants(t, r);
    put_views(t, r);
    put_offers(t, r);
}

static struct swg_step_shard *shard_of(struct memory_server *server, const redisReply *command)
{
    const char *colon = strrchr(command->element[3]->str, '}');

    ck_assert_ptr_nonnull(colon);
    return &server->shard[strtol(colon - 1, NULL, 10) % MEMORY_SHARDS];
}

static void run_sync(struct memory_server *server, const redisReply *command, struct text *t)
{
    read_request(command, &server->request);
    ck_assert_int_eq(swg_step_check(&server->request), SWG_STEP_DONE); /* never SWGARG */
    ck_assert_int_eq(swg_step_sync(shard_of(server, command), server->now_us, server->run_id,
                                   &server->request, &server->reply),
                     SWG_STEP_DONE);
    server->calls++;
    put_reply(t, &server->reply);
}

static void run_admin(struct memory_server *server, const redisReply *command, struct text *t)
{
    struct swg_step_order o = {0};
    size_t at = 3 + (size_t)strtoull(command->element[2]->str, NULL, 10) + 2;
    int64_t epoch;

    o.schema = (int)integer(command, &at);
    string(command, &at, o.circuit, sizeof o.circuit);
    o.state = (int)integer(command, &at);
    o.ttl = integer(command, &at);
    string(command, &at, o.who, sizeof o.who);
    string(command, &at, o.reason, sizeof o.reason);
    ck_assert_int_eq(
        swg_step_admin(shard_of(server, command), server->now_us, server->run_id, &o, &epoch),
        SWG_STEP_DONE);
    put(t, "*2\r\n");
    number(t, epoch);
    number(t, server->now_us);
}

static void run_script(struct memory_server *server, const redisReply *command, struct text *t)
{
    bool admin = strcmp(command->element[1]->str, swg_fleet_admin_sha1) == 0;

    ck_assert(admin || strcmp(command->element[1]->str, swg_fleet_sync_sha1) == 0);
    if (server->refuse)
        put(t, "-%s\r\n", server->refuse);
    else if (!server->loaded[admin])
        put(t, "-NOSCRIPT No matching script. Please use EVAL.\r\n");
    else if (admin)
        run_admin(server, command, t);
    else
        run_sync(server, command, t);
}

size_t memory_server_run(struct memory_server *server, const redisReply *command, char *out)
{
    struct text t = {out, 0};
    const char *word = command->element[0]->str;

    server->commands++;
    if (strcmp(word, "EVALSHA") == 0) {
        run_script(server, command, &t);
    } else if (strcmp(word, "SCRIPT") == 0) {
        bool admin = strcmp(command->element[2]->str, swg_fleet_admin_lua) == 0;

        server->loaded[admin] = true;
        bulk(&t, admin ? swg_fleet_admin_sha1 : swg_fleet_sync_sha1);
    } else {
        put(&t, "+OK\r\n");
    }
    return t.used;
}
