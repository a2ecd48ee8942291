#include "crowd.h"
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START INT64_C(1790000000000000)

static const char *const circuits[CROWD_CIRCUITS] = {"payments", "stock", "a:b/c"};

uint64_t crowd_below(struct crowd *c, uint64_t limit)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return (c->random >> 11) % limit;
}

bool crowd_chance(struct crowd *c, unsigned one_in)
{
    return one_in > 0 && crowd_below(c, one_in) == 0;
}

void crowd_new_server(struct crowd *c)
{
    for (int i = 0; i < 40; i++)
        c->server[i] = "0123456789abcdef"[crowd_below(c, 16)];
}

/* ---- life of a crowd ---- */

void crowd_open(struct crowd *c, uint64_t seed)
{
    int64_t *v = c->config.v;

    memset(c, 0, sizeof *c);
    c->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    c->clock = START;
    c->clients = 5;
    c->spread_us = 3000;
    c->serve = crowd_serve_step;
    c->shard = calloc(1, sizeof *c->shard);
    c->lines = json_array();
    c->wire.size = 1 << 18;
    c->wire.room = 4096;
    c->wire.text = malloc(c->wire.size);
    c->wire.argv = calloc((size_t)c->wire.room, sizeof *c->wire.argv);
    c->wire.lengths = calloc((size_t)c->wire.room, sizeof *c->wire.lengths);
    crowd_new_server(c);
    swg_step_config_default(&c->config);
    v[SWG_CFG_WINDOW] = 1000000;
    v[SWG_CFG_CALLS_MIN] = 10;
    v[SWG_CFG_OPEN] = 300000;
    v[SWG_CFG_OPEN_MAX] = 1000000;
    v[SWG_CFG_LEASE] = 250000;
    v[SWG_CFG_RAMP] = 300000;
    v[SWG_CFG_QUARANTINE] = 200000;
    c->rev = 1;
    for (int i = 0; i < CROWD_CLIENTS; i++)
        snprintf(c->client[i].name, sizeof c->client[i].name, "host-%d.x", i);
}

void crowd_close(struct crowd *c)
{
    for (int i = 0; i < CROWD_PAST; i++)
        free(c->past[i]);
    free(c->shard);
    free(c->wire.text);
    free(c->wire.argv);
    free(c->wire.lengths);
    json_decref(c->lines);
}

void crowd_fail_over(struct crowd *c, long lost)
{
    struct saved_shard *then = c->past[(c->ran - lost) % CROWD_PAST];

    if (then)
        shard_restore(c->shard, then);
    crowd_new_server(c);
}

void crowd_lose_all(struct crowd *c, bool other_server)
{
    memset(c->shard, 0, sizeof *c->shard);
    if (other_server)
        crowd_new_server(c);
}

static json_t *words_json(const struct swg_wire *wire)
{
    json_t *list = json_array();

    for (int i = 0; i < wire->count; i++)
        json_array_append_new(list, json_stringn(wire->argv[i], wire->lengths[i]));
    return list;
}

/* A line; `answered` 0: none. Takes the reply over. */
static void record(struct crowd *c, int connection, int64_t sent, int64_t answered, json_t *reply,
                   bool delivered)
{
    json_t *line = json_pack("{ss si sI so so so sb}", "route", "A", "conn", connection, "sent_ns",
                             (json_int_t)sent * 1000, "answered_ns",
                             answered ? json_integer(answered * 1000) : json_null(), "request",
                             words_json(&c->wire), "reply", reply ? reply : json_null(),
                             "delivered", delivered);

    json_array_append_new(c->lines, line);
}

static void encode(struct crowd *c, const struct swg_step_request *q,
                   const struct swg_step_order *o)
{
    struct swg_wire_clock live = {0, ""};

    if (o)
        swg_wire_admin(&c->wire, swg_fleet_admin_sha1, CROWD_TAG, live, o);
    else
        swg_wire_sync(&c->wire, swg_fleet_sync_sha1, CROWD_TAG, live, q);
}

json_t *crowd_say(struct crowd *c, const char *who, int connection,
                  const struct swg_step_request *q)
{
    json_t *reply;

    snprintf(c->request.reporter, sizeof c->request.reporter, "%s", who);
    if (q != &c->request)
        c->request = *q;
    encode(c, &c->request, NULL);
    reply = c->serve(c, &c->request, NULL, c->clock);
    record(c, connection, c->clock - 500, c->clock + 500, json_incref(reply), true);
    json_decref(reply);
    c->clock += 2000;
    return json_object_get(json_array_get(c->lines, json_array_size(c->lines) - 1), "reply");
}

/* ---- what a client says ---- */

static void use_lease(struct crowd *c, int circuit, struct crowd_lease *l, int64_t now)
{
    static const int outcomes[] = {SWG_STEP_OK, SWG_STEP_OK, SWG_STEP_OK, SWG_STEP_UNUSED};

    if (!l->used || l->done || !crowd_chance(c, 2))
        return;
    l->done = true;
    l->result.outcome = outcomes[crowd_below(c, 4)];
    if (c->sick[circuit])
        l->result.outcome = SWG_STEP_FAILED;
    if (crowd_chance(c, 15) || l->deadline <= now)
        l->used = false; /* it hangs, and is forgotten */
}

static void say_results(struct crowd *c, int circuit, struct crowd_view *v,
                        struct swg_step_entry *e, int64_t now)
{
    for (int i = 0; i < CROWD_LEASES; i++) {
        use_lease(c, circuit, &v->lease[i], now);
        if (v->lease[i].used && v->lease[i].done)
            e->result[e->results++] = v->lease[i].result;
    }
}

static bool holds(const struct crowd_view *v)
{
    for (int i = 0; i < CROWD_LEASES; i++) {
        if (v->lease[i].used)
            return true;
    }
    return false;
}

static void say_counts(struct crowd *c, bool sick, struct swg_step_entry *e)
{
    e->n = (int64_t)crowd_below(c, 40);
    if (sick)
        e->f = e->n - (int64_t)crowd_below(c, (uint64_t)e->n + 1) / 4;
    else
        e->f = e->n > 30 ? (int64_t)crowd_below(c, 3) : 0;
    e->local_open = sick && crowd_chance(c, 6);
}

static void say(struct crowd *c, struct crowd_client *me, int circuit, int64_t now)
{
    struct crowd_view *v = &me->view[circuit];
    struct swg_step_entry *e = &c->request.entry[c->request.entries];
    bool due = v->state != SWG_STEP_CLOSED && (now >= v->until || crowd_chance(c, 20));

    if (!v->claim && !v->offer && v->rev > 0 && !crowd_chance(c, 2) && v->state != SWG_STEP_HALF)
        return;
    memset(e, 0, sizeof *e);
    snprintf(e->circuit, sizeof e->circuit, "%s", circuits[circuit]);
    e->seq = me->seq;
    e->epoch = v->epoch;
    e->state = v->state;
    if ((v->state == SWG_STEP_OPEN || v->state == SWG_STEP_FORCED) && v->until > now)
        e->remaining = v->until - now;
    if (v->state == SWG_STEP_CLOSED)
        say_counts(c, c->sick[circuit] || me->lame, e);
    if ((v->state == SWG_STEP_HALF && !holds(v)) || (v->state == SWG_STEP_OPEN && due))
        e->want = 1 + (int)crowd_below(c, 3);
    say_results(c, circuit, v, e, now);
    e->has_config = v->offer || v->rev < c->rev;
    e->rev = e->has_config ? c->rev : v->rev;
    e->config = c->config;
    c->request.entries++;
}

static void make_request(struct crowd *c, struct crowd_client *me, int64_t now)
{
    c->request.schema = SWG_STEP_SCHEMA;
    memcpy(c->request.reporter, me->name, sizeof c->request.reporter);
    c->request.cursor = me->cursor;
    c->request.entries = 0;
    me->seq++;
    for (int i = 0; i < CROWD_CIRCUITS; i++)
        say(c, me, i, now);
}

/* ---- what a client learns ---- */

static int circuit_of(const char *name)
{
    int i = 0;

    while (i < CROWD_CIRCUITS - 1 && strcmp(circuits[i], name) != 0)
        i++;
    return i;
}

static void take_view(struct crowd *c, struct crowd_client *me, const struct swg_step_view *seen,
                      int64_t now)
{
    struct crowd_view *v = &me->view[circuit_of(seen->circuit)];
    bool told = false;

    for (int i = 0; i < c->request.entries; i++)
        told = told || (strcmp(c->request.entry[i].circuit, seen->circuit) == 0 &&
                        c->request.entry[i].epoch == v->epoch);
    if (seen->epoch < v->epoch && !told) {
        v->claim = true;
        return;
    }
    if (seen->epoch != v->epoch)
        memset(v->lease, 0, sizeof v->lease);
    v->epoch = seen->epoch;
    v->state = seen->state;
    v->until = now + seen->remaining;
}

static void take_grant(struct crowd_client *me, const struct swg_step_grant *g, int64_t sent)
{
    struct crowd_view *v = &me->view[circuit_of(g->circuit)];

    for (int i = 0; i < g->count && g->epoch == v->epoch && i < CROWD_LEASES; i++)
        v->lease[i] = (struct crowd_lease){.result = {.epoch = g->epoch, .seq = g->seq, .index = i},
                                           .deadline = sent + g->ttl * 9 / 10,
                                           .used = true};
}

/* What went with the request has arrived. */
static void acknowledge(struct crowd *c, struct crowd_client *me)
{
    for (int i = 0; i < c->request.entries; i++) {
        struct crowd_view *v = &me->view[circuit_of(c->request.entry[i].circuit)];

        v->claim = v->offer = false;
        v->rev = c->request.entry[i].rev;
        for (int k = 0; k < CROWD_LEASES; k++)
            v->lease[k].used = v->lease[k].used && !v->lease[k].done;
    }
}

static void learn(struct crowd *c, struct crowd_client *me, const json_t *reply, int64_t sent,
                  int64_t now)
{
    struct exchange x = {.kind = EXCHANGE_SYNC};
    char why[WHY_MAX];

    if (!exchange_read_reply(&x, reply, why)) {
        exchange_free(&x);
        return;
    }
    acknowledge(c, me);
    me->cursor = x.answer->cursor;
    for (int i = 0; i < x.answer->offers; i++) {
        struct crowd_view *v = &me->view[circuit_of(x.answer->offer[i].circuit)];

        v->offer = x.answer->offer[i].rev < v->rev;
        v->rev = v->offer ? v->rev : x.answer->offer[i].rev;
    }
    for (int i = 0; i < x.answer->views; i++)
        take_view(c, me, &x.answer->view[i], now);
    for (int i = 0; i < x.answer->grants; i++)
        take_grant(me, &x.answer->grant[i], sent);
    if (*me->server && strcmp(me->server, x.answer->server) != 0) {
        me->cursor = 0;
        for (int i = 0; i < CROWD_CIRCUITS; i++)
            me->view[i].claim = true;
    }
    memcpy(me->server, x.answer->server, sizeof me->server);
    exchange_free(&x);
}

/* ---- exchanges ---- */

/* The connection is given up with what was on it. */
static void give_up(struct crowd_client *me, int64_t at)
{
    me->connection++;
    me->free_at = at;
}

static void exchange(struct crowd *c, int who)
{
    struct crowd_client *me = &c->client[who];
    int64_t sent = c->clock - (int64_t)crowd_below(c, c->spread_us);
    int64_t answered = c->clock + (int64_t)crowd_below(c, c->spread_us);
    int connection = who * 1000 + me->connection;
    json_t *reply;

    if (sent <= me->free_at)
        sent = me->free_at + 1;
    if (sent > c->clock)
        return; /* its last reply is on its way yet */
    make_request(c, me, sent);
    encode(c, &c->request, NULL);
    me->free_at = answered;
    if (crowd_chance(c, c->lose_request)) {
        record(c, connection, sent, 0, NULL, false);
        give_up(me, answered);
        return;
    }
    if (crowd_chance(c, c->refuse)) {
        record(c, connection, sent, answered, json_pack("{ss}", "error", "BUSY wait"), true);
        return;
    }
    reply = c->serve(c, &c->request, NULL, c->clock);
    if (crowd_chance(c, c->silent)) {
        record(c, connection, sent, 0, NULL, false);
        give_up(me, answered);
    } else if (crowd_chance(c, c->lose_reply)) {
        record(c, connection, sent, answered, json_incref(reply), false);
        give_up(me, answered);
    } else {
        record(c, connection, sent, answered, json_incref(reply), true);
        learn(c, me, reply, sent, answered);
    }
    json_decref(reply);
}

static void order(struct crowd *c)
{
    static const int states[] = {SWG_STEP_CLOSED, SWG_STEP_FORCED, SWG_STEP_DISABLED};
    struct swg_step_order o = {.schema = SWG_STEP_SCHEMA};

    o.state = states[crowd_below(c, 3)];
    o.ttl = o.state == SWG_STEP_CLOSED ? 0 : 1000000;
    snprintf(o.circuit, sizeof o.circuit, "%s", circuits[crowd_below(c, CROWD_CIRCUITS)]);
    snprintf(o.who, sizeof o.who, "ops");
    snprintf(o.reason, sizeof o.reason, "a drill");
    encode(c, NULL, &o);
    record(c, 99, c->clock - 1, c->clock + 1, c->serve(c, NULL, &o, c->clock), true);
}

void crowd_run(struct crowd *c, int exchanges)
{
    for (int i = 0; i < exchanges; i++) {
        c->clock += 1 + (int64_t)crowd_below(c, 8000);
        for (int k = 0; k < CROWD_CIRCUITS; k++) {
            if (crowd_chance(c, c->sick[k] ? 150 : 250))
                c->sick[k] = !c->sick[k];
        }
        if (crowd_chance(c, 300))
            c->client[0].lame = !c->client[0].lame;
        if (crowd_chance(c, c->order))
            order(c);
        else
            exchange(c, (int)crowd_below(c, (uint64_t)c->clients));
    }
}

static int64_t when(const json_t *line)
{
    const json_t *answered = json_object_get(line, "answered_ns");

    return json_integer_value(json_is_null(answered) ? json_object_get(line, "sent_ns") : answered);
}

static int by_time(const void *a, const void *b)
{
    int64_t x = when(*(json_t *const *)a), y = when(*(json_t *const *)b);

    return (x > y) - (x < y);
}

void crowd_sort(struct crowd *c)
{
    size_t count = json_array_size(c->lines);
    json_t **line = calloc(count + 1, sizeof(json_t *)), *sorted = json_array();

    for (size_t i = 0; i < count; i++)
        line[i] = json_array_get(c->lines, i);
    qsort(line, count, sizeof(json_t *), by_time);
    for (size_t i = 0; i < count; i++)
        json_array_append(sorted, line[i]);
    free(line);
    json_decref(c->lines);
    c->lines = sorted;
}
