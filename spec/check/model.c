#include "model.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int used(const struct swg_step_shard *shard)
{
    int n = 0;

    while (n < SWG_STEP_CIRCUITS && shard->circuit[n].used)
        n++; /* they are taken in order and never given back */
    return n;
}

static size_t size_of(int circuits)
{
    return offsetof(struct swg_step_shard, circuit) +
           (size_t)circuits * sizeof(struct swg_step_circuit);
}

static void wipe_from(struct swg_step_shard *shard, int first, int end)
{
    if (end > first)
        memset(&shard->circuit[first], 0, size_of(end) - size_of(first));
}

void shard_copy(struct swg_step_shard *to, const struct swg_step_shard *from)
{
    int had = used(to), has = used(from);

    memcpy(to, from, size_of(has));
    wipe_from(to, has, had);
}

struct saved_shard {
    int circuits;
    unsigned char bytes[];
};

struct saved_shard *shard_save(const struct swg_step_shard *shard)
{
    int circuits = used(shard);
    struct saved_shard *saved = malloc(sizeof *saved + size_of(circuits));

    saved->circuits = circuits;
    memcpy(saved->bytes, shard, size_of(circuits));
    return saved;
}

void shard_restore(struct swg_step_shard *shard, const struct saved_shard *saved)
{
    int had = used(shard);

    memcpy(shard, saved->bytes, size_of(saved->circuits));
    wipe_from(shard, saved->circuits, had);
}

struct swg_step_circuit *shard_circuit(struct swg_step_shard *shard, const char *name)
{
    for (int i = 0; i < SWG_STEP_CIRCUITS && shard->circuit[i].used; i++) {
        if (strcmp(shard->circuit[i].name, name) == 0)
            return &shard->circuit[i];
    }
    return NULL;
}

int model_run(struct model *m, struct swg_step_shard *shard, const struct exchange *x, int64_t now,
              const char *server)
{
    if (x->kind == EXCHANGE_ADMIN)
        return swg_step_admin(shard, now, server, x->order, &m->epoch);
    m->request.schema = x->schema;
    memcpy(m->request.reporter, x->reporter, sizeof m->request.reporter);
    m->request.cursor = x->cursor;
    m->request.entries = x->entries;
    memcpy(m->request.entry, x->entry, (size_t)x->entries * sizeof *x->entry);
    return swg_step_sync(shard, now, server, &m->request, &m->reply);
}

/* ---- comparing ---- */

struct difference {
    const char *part, *circuit;
    char *why;
    bool found;
    int64_t late;
};

static void number(struct difference *d, const char *field, int64_t expected, int64_t seen)
{
    if (d->found || expected == seen)
        return;
    d->found = true;
    snprintf(d->why, WHY_MAX, "%s%s%s: %s: expected %" PRId64 ", seen %" PRId64, d->part,
             *d->circuit ? " of " : "", d->circuit, field, expected, seen);
}

/* A duration that began with something that ran: it tells when. */
static void lasting(struct difference *d, const char *field, int64_t expected, int64_t seen)
{
    if (!d->found && expected > 0 && seen > 0)
        d->late = seen - expected;
    number(d, field, expected, seen);
}

static void text(struct difference *d, const char *field, const char *expected, const char *seen)
{
    if (d->found || strcmp(expected, seen) == 0)
        return;
    d->found = true;
    snprintf(d->why, WHY_MAX, "%s%s%s: %s: expected %s, seen %s", d->part,
             *d->circuit ? " of " : "", d->circuit, field, expected, seen);
}

#define NUMBER(f) number(d, #f, expected->f, seen->f)
#define LASTING(f) lasting(d, #f, expected->f, seen->f)

static void grant(struct difference *d, const struct swg_step_grant *expected,
                  const struct swg_step_grant *seen)
{
    d->part = "grant";
    d->circuit = expected->circuit;
    text(d, "circuit", expected->circuit, seen->circuit);
    NUMBER(epoch);
    NUMBER(seq);
    NUMBER(count);
    NUMBER(ttl);
    LASTING(wait);
    LASTING(quarantine);
}

static void view(struct difference *d, const struct swg_step_view *expected,
                 const struct swg_step_view *seen)
{
    d->part = "view";
    d->circuit = expected->circuit;
    text(d, "circuit", expected->circuit, seen->circuit);
    NUMBER(epoch);
    NUMBER(state);
    LASTING(remaining);
    if (!d->found && expected->age > 0 && seen->age > 0)
        d->late = expected->age - seen->age;
    NUMBER(age);
    NUMBER(backoff);
    NUMBER(cause);
    NUMBER(trip.cause);
    NUMBER(trip.n);
    NUMBER(trip.f);
    NUMBER(trip.s);
    NUMBER(trip.bad);
    NUMBER(trip.votes);
    NUMBER(trip.reporters);
}

static void offer(struct difference *d, const struct swg_step_offer *expected,
                  const struct swg_step_offer *seen)
{
    d->part = "configuration";
    d->circuit = expected->circuit;
    text(d, "circuit", expected->circuit, seen->circuit);
    NUMBER(rev);
    NUMBER(stored);
    for (int i = 0; i < SWG_CFG_COUNT; i++)
        number(d, swg_step_config_ranges[i].name, expected->config.v[i], seen->config.v[i]);
}

static void header(struct difference *d, const struct swg_step_reply *expected,
                   const struct answer *seen)
{
    NUMBER(now);
    text(d, "server", expected->server, seen->server);
    NUMBER(next);
    NUMBER(reporters);
    NUMBER(grants);
    NUMBER(views);
    NUMBER(offers);
}

bool model_agrees(struct model *m, const struct exchange *x, char why[WHY_MAX])
{
    struct difference d = {.part = "reply", .circuit = "", .why = why};
    const struct swg_step_reply *expected = &m->reply;
    const struct answer *seen = x->answer;

    m->late = 0;
    if (x->kind == EXCHANGE_ADMIN) {
        number(&d, "epoch", m->epoch, x->epoch);
        return !d.found;
    }
    header(&d, expected, seen);
    for (int i = 0; !d.found && i < expected->grants; i++)
        grant(&d, &expected->grant[i], &seen->grant[i]);
    for (int i = 0; !d.found && i < expected->views; i++)
        view(&d, &expected->view[i], &seen->view[i]);
    for (int i = 0; !d.found && i < expected->offers; i++)
        offer(&d, &expected->offer[i], &seen->offer[i]);
    number(&d, "cursor", expected->cursor, seen->cursor);
    number(&d, "more", expected->more, seen->more);
    m->late = d.late;
    return !d.found;
}
