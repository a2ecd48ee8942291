/* The step function as the crowd's server, with replies as the wire has them. */
#include "crowd.h"
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *row(const char *circuit, const int64_t *number, int count)
{
    json_t *list = json_array();
    char text[24];

    json_array_append_new(list, json_string(circuit));
    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%lld", (long long)number[i]);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

static json_t *trip_json(const struct swg_step_trip *t)
{
    return json_sprintf("%d|%lld|%lld|%lld|%lld|%lld|%lld", t->cause, (long long)t->n,
                        (long long)t->f, (long long)t->s, (long long)t->bad, (long long)t->votes,
                        (long long)t->reporters);
}

static json_t *offer_row(const struct swg_step_offer *o)
{
    char text[400];
    int used = snprintf(text, sizeof text, "%lld", (long long)o->rev);

    for (int i = 0; o->stored && i < SWG_CFG_COUNT; i++)
        used +=
            snprintf(text + used, sizeof text - (size_t)used, "|%lld", (long long)o->config.v[i]);
    return json_pack("[ss]", o->circuit, text);
}

static json_t *reply_json(const struct swg_step_reply *r)
{
    const int64_t head[] = {r->next, r->reporters, r->cursor, r->more};
    json_t *all = row("", head, 4), *grants = json_array(), *views = json_array();
    json_t *offers = json_array();
    char now[24];

    for (int i = 0; i < r->grants; i++) {
        const struct swg_step_grant *g = &r->grant[i];
        const int64_t n[] = {g->epoch, g->seq, g->count, g->ttl, g->wait, g->quarantine};

        json_array_append_new(grants, row(g->circuit, n, 6));
    }
    for (int i = 0; i < r->views; i++) {
        const struct swg_step_view *v = &r->view[i];
        const int64_t n[] = {v->epoch, v->state, v->remaining, v->age, v->backoff, v->cause};
        json_t *view = row(v->circuit, n, 6);

        json_array_append_new(view, trip_json(&v->trip));
        json_array_append_new(views, view);
    }
    for (int i = 0; i < r->offers; i++)
        json_array_append_new(offers, offer_row(&r->offer[i]));
    snprintf(now, sizeof now, "%lld", (long long)r->now);
    json_array_set_new(all, 0, json_string(now));
    json_array_insert_new(all, 1, json_string(r->server));
    json_array_append_new(all, grants);
    json_array_append_new(all, views);
    json_array_append_new(all, offers);
    return all;
}

json_t *crowd_serve_step(struct crowd *c, const struct swg_step_request *q,
                         const struct swg_step_order *o, int64_t now)
{
    static struct swg_step_reply reply;
    int64_t epoch;
    int code = o ? swg_step_admin(c->shard, now, c->server, o, &epoch)
                 : swg_step_sync(c->shard, now, c->server, q, &reply);
    struct saved_shard **past = &c->past[++c->ran % CROWD_PAST];

    if (code != SWG_STEP_DONE)
        return json_pack("{ss}", "error", "SWGARG refused");
    free(*past);
    *past = shard_save(c->shard);
    if (!o)
        return reply_json(&reply);
    return json_pack("[oo]", json_sprintf("%lld", (long long)epoch),
                     json_sprintf("%lld", (long long)c->shard->t));
}
