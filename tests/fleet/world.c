#include "world.h"

#include <stdio.h>
#include <string.h>

static const char *const circuits[WORLD_CIRCUITS] = {"payments", "stock", "a:b/c", "mail"};

bool world_chance(struct world *w, unsigned one_in)
{
    return world_below(w, one_in) == 0;
}

uint64_t world_below(struct world *w, uint64_t limit)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random >> 11) % limit;
}

void world_new_server(struct world *w)
{
    for (int i = 0; i < 40; i++)
        w->server[i] = "0123456789abcdef"[world_below(w, 16)];
}

void world_start(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->now = INT64_C(1790000000000000);
    world_new_server(w);
    for (int i = 0; i < WORLD_CLIENTS; i++)
        snprintf(w->client[i].name, sizeof w->client[i].name, "host-%d@%d.x", i / 2, i);
}

void world_tick(struct world *w)
{
    static const int64_t scales[] = {1000, 50000, 400000, 3000000, 20000000};

    w->now += (int64_t)world_below(w, (uint64_t)scales[world_below(w, world_chance(w, 8) ? 5 : 4)]);
    if (world_chance(w, 40))
        w->now -= (int64_t)world_below(w, 5000000);
    if (world_chance(w, 1500))
        w->now -= (int64_t)world_below(w, 200000000);
    if (world_chance(w, 1500))
        w->now += INT64_C(90000000000);
    if (world_chance(w, 150))
        world_new_server(w);
}

static void random_config(struct world *w, struct swg_step_config *c)
{
    static const int64_t windows[] = {500000, 2000000, 10000000};

    swg_step_config_default(c);
    c->v[SWG_CFG_WINDOW] = windows[world_below(w, 3)];
    c->v[SWG_CFG_CALLS_MIN] = 1 + (int64_t)world_below(w, 60);
    c->v[SWG_CFG_FAIL_PCT] = (int64_t)world_below(w, 101);
    c->v[SWG_CFG_SLOW_PCT] = world_chance(w, 2) ? (int64_t)world_below(w, 101) : 0;
    c->v[SWG_CFG_QUORUM] = 1 + (int64_t)world_below(w, 3);
    c->v[SWG_CFG_CAP] = 1 + (int64_t)world_below(w, world_chance(w, 2) ? 50 : 100000);
    c->v[SWG_CFG_PROBES] = 1 + (int64_t)world_below(w, 6);
    c->v[SWG_CFG_NEED] = 1 + (int64_t)world_below(w, 4);
    c->v[SWG_CFG_FAIL_LIMIT] = 1 + (int64_t)world_below(w, 3);
    c->v[SWG_CFG_EXPIRY_LIMIT] = 1 + (int64_t)world_below(w, 12);
    c->v[SWG_CFG_LEASE] = 10000 + (int64_t)world_below(w, 1000000);
    c->v[SWG_CFG_OPEN] = c->v[SWG_CFG_LEASE] + (int64_t)world_below(w, 1000000);
    c->v[SWG_CFG_OPEN_MAX] = c->v[SWG_CFG_OPEN] * (1 + (int64_t)world_below(w, 9));
    c->v[SWG_CFG_RAMP] = (int64_t)world_below(w, 3000000);
    c->v[SWG_CFG_QUARANTINE] = world_chance(w, 3) ? 0 : (int64_t)world_below(w, 3000000);
}

static void counts(struct world *w, struct swg_step_entry *e)
{
    static const uint64_t sizes[] = {3, 40, 1000, SWG_STEP_CALLS + 1};

    e->n = (int64_t)world_below(w, sizes[world_below(w, world_chance(w, 6) ? 4 : 2)]);
    e->f = world_chance(w, 3) ? e->n : (int64_t)world_below(w, (uint64_t)e->n + 1);
    e->s = (int64_t)world_below(w, (uint64_t)e->n + 1);
    if (world_chance(w, 3))
        e->l = (int64_t)world_below(w, (uint64_t)(e->n - e->f) + 1);
    e->local_open = world_chance(w, 6);
}

/* Some of the leases held come back with results; some are said twice or kept. */
static void results(struct world *w, struct world_view *v, struct swg_step_entry *e)
{
    for (int i = v->held - 1; i >= 0; i--) {
        if (!world_chance(w, 2))
            continue;
        e->result[e->results] = v->lease[i];
        e->result[e->results++].outcome = world_chance(w, 3) ? (int)world_below(w, 3) : 1;
        if (!world_chance(w, 12))
            v->lease[i] = v->lease[--v->held];
    }
    if (world_chance(w, 20))
        e->result[e->results++] =
            (struct swg_step_result){.epoch = v->epoch, .seq = 1 + (int64_t)world_below(w, 50)};
}

static void fill(struct world *w, struct world_client *c, int circuit, struct swg_step_entry *e)
{
    struct world_view *v = &c->view[circuit];

    memset(e, 0, sizeof *e);
    snprintf(e->circuit, sizeof e->circuit, "%s", circuits[circuit]);
    e->seq = ++c->seq;
    if (world_chance(w, 15))
        e->seq = 1 + (int64_t)world_below(w, (uint64_t)c->seq);
    e->epoch = v->epoch;
    e->state = v->state;
    e->remaining = v->remaining;
    if (world_chance(w, 60)) {
        e->epoch += (int64_t)world_below(w, UINT64_C(1) << world_below(w, 40));
        e->state = (int)world_below(w, SWG_STEP_STATES);
    }
    counts(w, e);
    e->want = v->state == SWG_STEP_CLOSED && !world_chance(w, 8) ? 0 : (int)world_below(w, 5);
    e->rev = v->rev;
    if (v->rev == 0 || world_chance(w, 80)) {
        e->has_config = true;
        e->rev = v->rev + (int64_t)world_below(w, 3);
        random_config(w, &e->config);
    }
    results(w, v, e);
}

int world_request(struct world *w, struct swg_step_request *q)
{
    int who = (int)world_below(w, WORLD_CLIENTS);
    struct world_client *c = &w->client[who];
    int first = (int)world_below(w, WORLD_CIRCUITS);

    q->schema = SWG_STEP_SCHEMA;
    memcpy(q->reporter, c->name, sizeof q->reporter);
    q->cursor = world_chance(w, 10) ? 0 : c->cursor;
    q->entries = (int)world_below(w, WORLD_CIRCUITS + 1);
    for (int i = 0; i < q->entries; i++)
        fill(w, c, (first + i) % WORLD_CIRCUITS, &q->entry[i]);
    return who;
}

static void spoil_entry(struct world *w, struct swg_step_request *q)
{
    struct swg_step_entry *e = &q->entry[world_below(w, (uint64_t)q->entries)];
    int64_t *const big[] = {&e->seq, &e->epoch, &e->remaining, &e->n, &e->f, &e->s, &e->l, &e->rev};

    switch (world_below(w, 6)) {
    case 0:
        *big[world_below(w, 8)] = world_chance(w, 2) ? -1 : SWG_STEP_NUMBER + 1;
        return;
    case 1:
        e->want = world_chance(w, 2) ? SWG_STEP_WANT + 1 : -1;
        return;
    case 2:
        e->state = world_chance(w, 2) ? SWG_STEP_STATES : -1;
        return;
    case 3:
        e->circuit[world_below(w, 3)] = ' ';
        return;
    case 4:
        e->has_config = true;
        swg_step_config_default(&e->config);
        e->config.v[world_below(w, SWG_CFG_COUNT)] = world_chance(w, 2) ? -1 : INT64_C(1) << 40;
        return;
    default:
        e->results = 1;
        e->result[0] = (struct swg_step_result){.seq = world_chance(w, 2), .index = SWG_STEP_WANT};
    }
}

void world_spoil(struct world *w, struct swg_step_request *q)
{
    switch (world_below(w, q->entries > 0 ? 6 : 3)) {
    case 0:
        q->cursor = -1;
        return;
    case 1:
        q->reporter[0] = world_chance(w, 2) ? '/' : 0;
        return;
    case 2:
        q->schema = 2;
        return;
    case 3:
        if (q->entries > 1) {
            memcpy(q->entry[1].circuit, q->entry[0].circuit, SWG_STEP_NAME);
            return;
        }
        /* fall through */
    default:
        spoil_entry(w, q);
    }
}

static int index_of(const char *circuit)
{
    for (int i = 0; i < WORLD_CIRCUITS; i++) {
        if (strcmp(circuits[i], circuit) == 0)
            return i;
    }
    return 0;
}

static void learn_grant(struct world *w, struct world_view *v, const struct swg_step_grant *g)
{
    (void)w;
    for (int i = 0; i < g->count && v->held < WORLD_HELD; i++)
        v->lease[v->held++] =
            (struct swg_step_result){.epoch = g->epoch, .seq = g->seq, .index = i};
}

void world_learn(struct world *w, int client, const struct swg_step_reply *reply)
{
    struct world_client *c = &w->client[client];

    if (world_chance(w, 12))
        return; /* the reply was lost */
    c->cursor = reply->cursor;
    for (int i = 0; i < reply->views; i++) {
        struct world_view *v = &c->view[index_of(reply->view[i].circuit)];

        v->epoch = reply->view[i].epoch;
        v->state = reply->view[i].state;
        v->remaining = reply->view[i].remaining;
    }
    for (int i = 0; i < reply->grants; i++)
        learn_grant(w, &c->view[index_of(reply->grant[i].circuit)], &reply->grant[i]);
    for (int i = 0; i < reply->offers; i++)
        c->view[index_of(reply->offer[i].circuit)].rev = reply->offer[i].rev;
}

void world_order(struct world *w, struct swg_step_order *o)
{
    static const int states[] = {SWG_STEP_CLOSED, SWG_STEP_FORCED, SWG_STEP_DISABLED,
                                 SWG_STEP_OPEN};

    memset(o, 0, sizeof *o);
    o->schema = SWG_STEP_SCHEMA;
    snprintf(o->circuit, sizeof o->circuit, "%s", circuits[world_below(w, WORLD_CIRCUITS)]);
    o->state = states[world_below(w, 4)];
    o->ttl = o->state == SWG_STEP_CLOSED ? 0 : 1000000 + (int64_t)world_below(w, 9000000);
    if (world_chance(w, 10))
        o->ttl = 5;
    snprintf(o->who, sizeof o->who, "ops");
    snprintf(o->reason, sizeof o->reason, "%s", world_chance(w, 20) ? "" : "a|b drill");
}
