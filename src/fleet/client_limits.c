/* The limits a circuit of the fleet is judged by: what this host offers, what is in force, and
 * where the two differ.
 *
 * Keeps: what is offered is in range, whatever the circuit's configuration; a host whose limits are
 * not the fleet's says so, once for each time they come to differ. */
#include "fleet/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Events a look: those of the transport must not be pushed out by them. */
#define TELL_MAX (CLIENT_EVENTS / 4)

/* As the configurations call them, in their units. */
static const struct {
    const char *name;
    int64_t unit;
} fields[SWG_CFG_COUNT] = {
    [SWG_CFG_WINDOW] = {"window_ms", 1000},
    [SWG_CFG_CALLS_MIN] = {"calls_min", 1},
    [SWG_CFG_FAIL_PCT] = {"failure_pct", 1},
    [SWG_CFG_SLOW_PCT] = {"slow_pct", 1},
    [SWG_CFG_QUORUM] = {"quorum", 1},
    [SWG_CFG_CAP] = {"cap", 1},
    [SWG_CFG_PROBES] = {"probes", 1},
    [SWG_CFG_NEED] = {"probes", 1},
    [SWG_CFG_FAIL_LIMIT] = {"fail_limit", 1},
    [SWG_CFG_EXPIRY_LIMIT] = {"expiry_limit", 1},
    [SWG_CFG_OPEN] = {"recovery_ms", 1000},
    [SWG_CFG_OPEN_MAX] = {"recovery_ms_max", 1000},
    [SWG_CFG_LEASE] = {"lease_ms", 1000},
    [SWG_CFG_RAMP] = {"ramp_ms", 1000},
    [SWG_CFG_QUARANTINE] = {"quarantine_ms", 1000},
};

static int64_t or_off(uint32_t value)
{
    return value == SWG_NONE ? 0 : value;
}

static int64_t within_us(uint32_t ms, int which)
{
    const struct swg_step_range *range = &swg_step_config_ranges[which];

    return swg__client_max(swg__client_min((int64_t)ms * 1000, range->max), range->min);
}

/* A cap below calls_min would leave the rate of a few hosts short of ever counting. */
static struct swg_step_config limits_of(const swg_fleet_config *f, const swg_circuit_config *c)
{
    struct swg_step_config limits;
    int64_t *v = limits.v;

    v[SWG_CFG_WINDOW] = within_us(c->window_ms, SWG_CFG_WINDOW);
    v[SWG_CFG_CALLS_MIN] = c->calls_min;
    v[SWG_CFG_FAIL_PCT] = or_off(c->failure_pct);
    v[SWG_CFG_SLOW_PCT] = or_off(c->slow_pct);
    v[SWG_CFG_QUORUM] = f->quorum;
    v[SWG_CFG_CAP] = swg__client_max(f->cap, c->calls_min);
    v[SWG_CFG_PROBES] = v[SWG_CFG_NEED] = c->probes;
    v[SWG_CFG_FAIL_LIMIT] = f->fail_limit;
    v[SWG_CFG_EXPIRY_LIMIT] = f->expiry_limit;
    v[SWG_CFG_OPEN] = within_us(c->recovery_ms, SWG_CFG_OPEN);
    v[SWG_CFG_OPEN_MAX] =
        swg__client_max(within_us(c->recovery_ms_max, SWG_CFG_OPEN_MAX), v[SWG_CFG_OPEN]);
    v[SWG_CFG_LEASE] = swg__client_min((int64_t)f->lease_ms * 1000, v[SWG_CFG_OPEN]);
    v[SWG_CFG_RAMP] = or_off(f->ramp_ms) * 1000;
    v[SWG_CFG_QUARANTINE] = or_off(f->quarantine_ms) * 1000;
    return limits;
}

static bool same(const struct swg_step_config *a, const struct swg_step_config *b)
{
    return memcmp(a->v, b->v, sizeof a->v) == 0;
}

/* What the circuit is configured to be now. News is offered, under the one revision there is: if
 * Redis holds other limits of it, it answers with them, and they stay. */
void swg__client_limits_look(const swg_fleet *fleet, struct client_circuit *c,
                             const swg_circuit_config *config)
{
    struct swg_step_config own = limits_of(&fleet->config, config);

    if (fleet->config.revision == SWG_NONE || same(&own, &c->own))
        return;
    c->own = own;
    c->differed = false;
    if (c->rev > fleet->config.revision)
        return;
    c->rev = fleet->config.revision;
    c->config = own;
    c->offer = true;
    c->sent_offer = false; /* one under way said something else */
}

/* What Redis holds, where that is not what we hold. */
void swg__client_limits_take(struct client_circuit *c, const struct swg_step_offer *o)
{
    if (!o->stored || o->rev < c->rev) {
        c->offer = c->rev > 0;
        return;
    }
    if (c->rev != o->rev || !same(&c->config, &o->config))
        c->differed = false;
    c->rev = o->rev;
    c->config = o->config;
    c->offer = false;
}

/* True once the fleet has answered. Who offers nothing has no limits to differ by. */
bool swg__client_limits_differ(const swg_fleet *fleet, const struct client_circuit *c)
{
    return fleet->config.revision != SWG_NONE && c->known && !c->offer &&
           !same(&c->own, &c->config);
}

static void say(const struct client_circuit *c, uint32_t ours, char *text, size_t room)
{
    int i = 0, used;

    while (c->own.v[i] == c->config.v[i])
        i++;
    used =
        snprintf(text, room, "%s: %s is %" PRId64 " here and %" PRId64 " in the fleet, ", c->name,
                 fields[i].name, c->own.v[i] / fields[i].unit, c->config.v[i] / fields[i].unit);
    if (c->rev == ours)
        snprintf(text + used, room - (size_t)used,
                 "both as revision %u: raise it to change the fleet's", ours);
    else
        snprintf(text + used, room - (size_t)used, "whose revision %" PRId64 " is over our %u",
                 c->rev, ours);
}

static void tell(swg_fleet *fleet, const struct client_circuit *c)
{
    const struct client_shard *shard = &fleet->shards[c->shard];
    swg_fleet_event event = {.kind = SWG_FLEET_EVENT_LIMITS,
                             .shard = c->shard,
                             .link = shard->link,
                             .slot = shard->slot,
                             .value = fleet->config.revision,
                             .epoch = (uint64_t)c->rev};
    char text[256]; /* room for the longest name and numbers */

    say(c, fleet->config.revision, text, sizeof text);
    snprintf(event.text, sizeof event.text, "%.*s", (int)sizeof event.text - 1, text);
    swg__client_event(fleet, &event);
}

/* A few at a time; the rest at the next look. */
void swg__client_limits_tell(swg_fleet *fleet)
{
    int told = 0;

    for (uint32_t i = 0; i < fleet->count && told < TELL_MAX; i++) {
        struct client_circuit *c = fleet->circuits[i];

        if (c->differed || !swg__client_limits_differ(fleet, c))
            continue;
        c->differed = true;
        tell(fleet, c);
        told++;
    }
}
