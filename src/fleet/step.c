#include "fleet/step_internal.h"

#include <string.h>

static void settle_config(struct swg_step_circuit *c, const struct swg_step_entry *e)
{
    if (e && e->has_config && e->rev > c->rev) {
        c->has_config = true;
        c->rev = e->rev;
        c->config = e->config;
    }
    if (!c->has_config)
        swg_step_config_default(&c->config);
}

/* An override that is over: the forced-open circuit asks its probes, though none before the leases
 * of a period it interrupted have ended; the disabled one is closed. */
static void end_override(struct swg_step_call *call, struct swg_step_circuit *c)
{
    bool over = call->now >= c->until;
    int64_t ordered = (c->epoch / 4096 + SWG_STEP_MS_2024) * 1000;

    if (c->state == SWG_STEP_FORCED && over) {
        swg__step_go(call, c, SWG_STEP_OPEN, SWG_CAUSE_OVERRIDE_ENDED);
        c->until = swg__step_max(call->now, ordered + c->config.v[SWG_CFG_LEASE]);
    } else if (c->state == SWG_STEP_DISABLED && over) {
        swg__step_go(call, c, SWG_STEP_CLOSED, SWG_CAUSE_OVERRIDE_ENDED);
        c->until = 0;
    }
}

/* What stays as it was keeps its cause. What opened somewhere else shows no evidence here. */
static void repair(struct swg_step_call *call, struct swg_step_circuit *c,
                   const struct swg_step_entry *e)
{
    const int64_t *v = c->config.v;
    int before = c->state, after = swg_rule_repair(before, e->state);

    if (e->epoch <= c->epoch || e->epoch > swg__step_epoch_limit(call->now))
        return;
    call->shard->ep = swg__step_max(call->shard->ep, e->epoch);
    if (before == SWG_STEP_CLOSED && after != before)
        c->trip = (struct swg_step_trip){0};
    swg__step_go(call, c, after, after != before ? SWG_CAUSE_CLAIM : c->cause);
    if (before == SWG_STEP_HALF)
        c->until = call->now + v[SWG_CFG_LEASE];
    else if (after != before)
        c->until = call->now + swg__step_min(e->remaining, v[SWG_CFG_OPEN_MAX]);
}

static void serve(struct swg_step_call *call, struct swg_step_circuit *c,
                  const struct swg_step_entry *e, struct swg_step_grant *grant)
{
    int64_t first = c->epoch, most;

    end_override(call, c);
    repair(call, c, e);
    most = call->now + c->config.v[SWG_CFG_OPEN_MAX];
    if (c->state == SWG_STEP_OPEN && c->until > most)
        c->until = most;
    if (c->state == SWG_STEP_CLOSED && e->epoch == c->epoch)
        swg__step_evidence(call, c, e);
    grant->quarantine = swg__step_quarantine(call, c);
    if (swg_rule_due(c->state, call->now >= c->until, e->want > 0 && grant->quarantine == 0,
                     e->epoch == c->epoch)) {
        swg__step_go(call, c, SWG_STEP_HALF, SWG_CAUSE_WAIT_OVER);
        c->until = 0;
    }
    if (c->state == SWG_STEP_HALF)
        swg__step_probes(call, c, e, e->epoch == c->epoch || e->epoch == first, grant);
}

static void put_view(struct swg_step_reply *reply, const struct swg_step_circuit *c)
{
    struct swg_step_view *view = &reply->view[reply->views++];
    bool timed = c->state != SWG_STEP_CLOSED && c->state != SWG_STEP_HALF;

    *view = (struct swg_step_view){
        .epoch = c->epoch,
        .state = c->state,
        .backoff = c->backoff,
        .cause = c->cause,
        .trip = c->trip,
    };
    memcpy(view->circuit, c->name, sizeof view->circuit);
    view->remaining = timed ? swg__step_max(c->until - reply->now, 0) : 0;
    view->age = -1;
    if (c->state == SWG_STEP_CLOSED && c->until > 0)
        view->age = swg__step_max(reply->now - c->until, 0);
}

static void put_offer(struct swg_step_reply *reply, const struct swg_step_circuit *c)
{
    struct swg_step_offer *offer = &reply->offer[reply->offers++];

    *offer = (struct swg_step_offer){.rev = c->rev, .stored = c->has_config};
    memcpy(offer->circuit, c->name, sizeof offer->circuit);
    if (c->has_config)
        offer->config = c->config;
}

/* A reporter that holds other limits than there are here, whatever their revision. */
static bool differs(const struct swg_step_circuit *c, const struct swg_step_entry *e)
{
    bool same = c->has_config && memcmp(&e->config, &c->config, sizeof c->config) == 0;

    return e->rev != c->rev || (e->has_config && !same);
}

static void serve_entry(struct swg_step_call *call, const struct swg_step_entry *e,
                        struct swg_step_reply *reply)
{
    struct swg_step_circuit *c = &call->shard->circuit[swg__step_slot(call->shard, e->circuit)];
    struct swg_step_grant grant = {.seq = e->seq};

    memcpy(c->name, e->circuit, sizeof c->name);
    c->used = true;
    settle_config(c, e);
    serve(call, c, e, &grant);
    grant.epoch = c->epoch;
    memcpy(grant.circuit, e->circuit, sizeof grant.circuit);
    if (e->want > 0)
        reply->grant[reply->grants++] = grant;
    if (e->epoch != c->epoch)
        put_view(reply, c);
    if (differs(c, e))
        put_offer(reply, c);
}

static bool told(const struct swg_step_reply *reply, int views, const char *name)
{
    for (int i = 0; i < views; i++) {
        if (strcmp(reply->view[i].circuit, name) == 0)
            return true;
    }
    return false;
}

/* The changelog behind the cursor, in the order of the epochs. */
static void put_changes(const struct swg_step_shard *shard, struct swg_step_reply *reply)
{
    int first = reply->views;

    for (int n = 0; n < SWG_STEP_PAGE; n++) {
        const struct swg_step_circuit *next = NULL;

        for (int i = 0; i < SWG_STEP_CIRCUITS; i++) {
            const struct swg_step_circuit *c = &shard->circuit[i];

            if (c->used && c->known && c->epoch > reply->cursor &&
                (!next || c->epoch < next->epoch))
                next = c;
        }
        if (!next)
            return;
        reply->cursor = next->epoch;
        if (!told(reply, first, next->name))
            put_view(reply, next);
    }
    reply->more = true;
}

static void put_header(const struct swg_step_call *call, struct swg_step_reply *reply)
{
    int64_t pace;

    memset(reply, 0, sizeof *reply);
    reply->now = call->now;
    memcpy(reply->server, call->shard->server, sizeof reply->server);
    for (int i = 0; i < SWG_STEP_REPORTERS; i++)
        reply->reporters += call->shard->alive[i] > 0;
    pace = swg__step_max(reply->reporters * SWG_STEP_QUOTA_US, SWG_STEP_NEXT_MIN);
    reply->next = swg__step_min(pace, SWG_STEP_NEXT_MAX);
}

static bool fits(const struct swg_step_shard *shard, const struct swg_step_request *request)
{
    int room = 0, strange = 0;

    for (int i = 0; i < SWG_STEP_CIRCUITS; i++)
        room += !shard->circuit[i].used;
    for (int i = 0; i < request->entries; i++) {
        int slot = swg__step_slot(shard, request->entry[i].circuit);

        strange += slot < 0 || !shard->circuit[slot].used;
    }
    return strange <= room && swg__step_reporter(shard, request->reporter) >= 0;
}

/* A cursor of what was here before somebody emptied it: the client has to begin anew, and say what
 * it knows. */
static bool is_of_another(const struct swg_step_shard *shard, int64_t cursor)
{
    return cursor > 0 &&
           (cursor > shard->ep || cursor / 4096 < shard->born / 1000 - SWG_STEP_MS_2024);
}

int swg_step_sync(struct swg_step_shard *shard, int64_t now, const char *server,
                  const struct swg_step_request *request, struct swg_step_reply *reply)
{
    struct swg_step_call call;
    bool lost;

    if (swg_step_check(request) != SWG_STEP_DONE)
        return SWG_STEP_ARG;
    if (shard->schema != 0 && shard->schema != SWG_STEP_SCHEMA)
        return SWG_STEP_VERSION;
    if (!fits(shard, request))
        return SWG_STEP_FULL;
    swg__step_begin(&call, shard, now, server);
    lost = is_of_another(shard, request->cursor);
    call.reporter = swg__step_reporter(shard, request->reporter);
    memcpy(shard->reporter[call.reporter], request->reporter, SWG_STEP_NAME);
    swg__step_roster(&call);
    put_header(&call, reply);
    reply->cursor = lost ? 0 : request->cursor;
    for (int i = 0; i < request->entries; i++)
        serve_entry(&call, &request->entry[i], reply);
    swg__step_gc(&call, request);
    if (!lost)
        put_changes(shard, reply);
    return SWG_STEP_DONE;
}

int swg_step_admin(struct swg_step_shard *shard, int64_t now, const char *server,
                   const struct swg_step_order *order, int64_t *epoch)
{
    struct swg_step_call call;
    struct swg_step_circuit *c;
    int slot = swg__step_slot(shard, order->circuit);

    if (swg_step_check_order(order) != SWG_STEP_DONE)
        return SWG_STEP_ARG;
    if (shard->schema != 0 && shard->schema != SWG_STEP_SCHEMA)
        return SWG_STEP_VERSION;
    if (slot < 0)
        return SWG_STEP_FULL;
    swg__step_begin(&call, shard, now, server);
    c = &shard->circuit[slot];
    memcpy(c->name, order->circuit, sizeof c->name);
    c->used = true;
    settle_config(c, NULL);
    swg__step_go(&call, c, order->state, SWG_CAUSE_OVERRIDE);
    c->until = order->ttl > 0 ? call.now + order->ttl : 0;
    c->backoff = 0;
    c->trip = (struct swg_step_trip){0};
    *epoch = c->epoch;
    return SWG_STEP_DONE;
}
