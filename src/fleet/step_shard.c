#include "fleet/step_internal.h"

#include <string.h>

/* A small step back of the server's clock is held still; a large one is believed. */
int64_t swg__step_clock(const struct swg_step_shard *shard, int64_t now)
{
    return now < shard->t && shard->t - now < SWG_STEP_CLOCK_SLACK ? shard->t : now;
}

static int64_t hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return 0;
}

/* A server not seen before may hold old data, or none where there was some: `since` starts the
 * hold-off on new permits, one lease long, so that whatever another one granted has ended. */
void swg__step_begin(struct swg_step_call *call, struct swg_step_shard *shard, int64_t now,
                     const char *server)
{
    now = swg__step_clock(shard, now);
    if (strcmp(shard->server, server) != 0)
        shard->since = now;
    if (shard->since > now)
        shard->since = now;
    if (shard->schema == 0 || shard->born > now)
        shard->born = now;
    shard->schema = SWG_STEP_SCHEMA;
    memset(shard->server, 0, sizeof shard->server);
    strncpy(shard->server, server, sizeof shard->server - 1);
    shard->t = now;
    call->shard = shard;
    call->now = now;
    call->tag = hex(server[0]) * 256 + hex(server[1]) * 16 + hex(server[2]);
    call->reporter = -1;
    call->swept = 0;
}

/* The row of a name, else the first free one, else -1. */
int swg__step_reporter(const struct swg_step_shard *shard, const char *name)
{
    int i = 0;

    while (i < SWG_STEP_REPORTERS && shard->reporter[i][0] && strcmp(shard->reporter[i], name) != 0)
        i++;
    return i < SWG_STEP_REPORTERS ? i : -1;
}

int swg__step_slot(const struct swg_step_shard *shard, const char *name)
{
    int i = 0;

    while (i < SWG_STEP_CIRCUITS && shard->circuit[i].used &&
           strcmp(shard->circuit[i].name, name) != 0)
        i++;
    return i < SWG_STEP_CIRCUITS ? i : -1;
}

/* Epochs are milliseconds, hybrid logical: never below the last, never equal on two servers. */
static int64_t mint(struct swg_step_call *call)
{
    int64_t next = call->shard->ep / 4096 + 1;
    int64_t clock = call->now / 1000 - SWG_STEP_MS_2024;

    call->shard->ep = swg__step_max(next, clock) * 4096 + call->tag;
    return call->shard->ep;
}

/* A client's epoch beyond this is a lie or a broken clock: it must not poison the shard. */
int64_t swg__step_epoch_limit(int64_t now)
{
    return (now / 1000 - SWG_STEP_MS_2024 + 60000) * 4096;
}

static void forget_evidence(struct swg_step_circuit *c)
{
    c->n = c->f = c->s = c->l = 0;
    c->bad = c->bad2 = c->lrep = c->vote = c->vote2 = c->rep = 0;
    c->ps = c->pf = c->px = 0;
    memset(c->rec, 0, sizeof c->rec);
    memset(c->half, 0, sizeof c->half);
    memset(c->lease, 0, sizeof c->lease);
}

/* Every transition passes here: a new epoch, its cause, and nothing of the old one left. */
void swg__step_go(struct swg_step_call *call, struct swg_step_circuit *c, int state, int cause)
{
    c->epoch = mint(call);
    c->state = state;
    c->cause = cause;
    c->known = true;
    forget_evidence(c);
}

/* Opens with the backoff due; up to an eighth of jitter from the epoch keeps circuits that tripped
 * together from probing together, while the whole fleet agrees on one time. */
void swg__step_open(struct swg_step_call *call, struct swg_step_circuit *c, int cause)
{
    int64_t most = c->config.v[SWG_CFG_OPEN_MAX];
    int64_t wait = swg__step_min(c->config.v[SWG_CFG_OPEN] << c->backoff, most);

    swg__step_go(call, c, SWG_STEP_OPEN, cause);
    wait += wait * (c->epoch / 4096 % 16) / 128;
    c->until = call->now + swg__step_min(wait, most);
    c->backoff = c->backoff < SWG_STEP_BACKOFF_MAX ? c->backoff + 1 : SWG_STEP_BACKOFF_MAX;
}

/* The next circuit of the changelog behind `after`, or -1. */
static int next_changed(const struct swg_step_shard *shard, int64_t after)
{
    int best = -1;

    for (int i = 0; i < SWG_STEP_CIRCUITS; i++) {
        const struct swg_step_circuit *c = &shard->circuit[i];

        if (c->used && c->known && c->epoch > after &&
            (best < 0 || c->epoch < shard->circuit[best].epoch))
            best = i;
    }
    return best;
}

static bool idle(const struct swg_step_call *call, const struct swg_step_circuit *c)
{
    if (c->state != SWG_STEP_CLOSED ||
        call->now / 1000 - SWG_STEP_MS_2024 - c->epoch / 4096 <= SWG_STEP_IDLE_MS)
        return false;
    for (int i = 0; i < SWG_STEP_REPORTERS; i++) {
        if (c->rec[i].used)
            return false;
    }
    return true;
}

static bool named(const struct swg_step_request *request, const char *name)
{
    for (int i = 0; i < request->entries; i++) {
        if (strcmp(request->entry[i].circuit, name) == 0)
            return true;
    }
    return false;
}

static void forget(struct swg_step_circuit *c)
{
    char name[SWG_STEP_NAME];

    memcpy(name, c->name, sizeof name);
    memset(c, 0, sizeof *c);
    memcpy(c->name, name, sizeof name);
    c->used = true;
}

/* A few closed circuits that nobody reports on any more, per call, going round. */
void swg__step_gc(struct swg_step_call *call, const struct swg_step_request *request)
{
    struct swg_step_shard *shard = call->shard;

    for (int k = 0; k < SWG_STEP_GC; k++) {
        int i = next_changed(shard, shard->gc);

        if (i < 0) {
            shard->gc = 0;
            return;
        }
        shard->gc = shard->circuit[i].epoch;
        if (idle(call, &shard->circuit[i]) && !named(request, shard->circuit[i].name))
            forget(&shard->circuit[i]);
    }
}

static int first_gone(const struct swg_step_shard *shard, int64_t now)
{
    int best = -1;

    for (int i = 0; i < SWG_STEP_REPORTERS; i++) {
        if (shard->alive[i] == 0 || shard->alive[i] > now)
            continue;
        if (best < 0 || shard->alive[i] < shard->alive[best] ||
            (shard->alive[i] == shard->alive[best] &&
             strcmp(shard->reporter[i], shard->reporter[best]) < 0))
            best = i;
    }
    return best;
}

/* Who is there: sets the pace, and tells a client cut off from Redis how many share its lot. */
void swg__step_roster(struct swg_step_call *call)
{
    struct swg_step_shard *shard = call->shard;
    int64_t *mine = &shard->alive[call->reporter];

    for (int k = 0; k < SWG_STEP_SWEEP; k++) {
        int i = first_gone(shard, call->now);

        if (i < 0)
            break;
        shard->alive[i] = 0;
    }
    if (*mine - call->now < SWG_STEP_ALIVE / 2 || *mine - call->now > 2 * SWG_STEP_ALIVE)
        *mine = call->now + SWG_STEP_ALIVE;
}
