/* A shard and Redis: JOINING, FLEET, STALE, LOCAL, REJOIN.
 *
 * Keeps: no decision ever waits for Redis; what was open in the fleet stays open to its time,
 * whatever becomes of the connection. */
#include "fleet/client.h"

#include <stdio.h>

#define UPKEEP_NS (100 * MS)
#define REPLIES_NS (1000 * MS) /* a gate outlives its time by two seconds */

/* The next change for the worse, from when a reply is owed: a pace of seconds is no silence. */
static int64_t patience(const swg_fleet *fleet, const struct client_shard *shard)
{
    uint32_t ms = shard->mode == SWG_FLEET_STALE ? fleet->config.local_ms : fleet->config.stale_ms;

    return shard->owed != 0 ? shard->owed + (int64_t)ms * MS : NEVER;
}

static void journal(swg_fleet *fleet, const struct client_shard *shard, swg_fleet_mode from,
                    int64_t now)
{
    swg_event event = {.at_ns = now,
                       .scope = SWG_SCOPE_FLEET_MODE,
                       .from = (uint8_t)from,
                       .to = (uint8_t)shard->mode};

    snprintf(event.name, sizeof event.name, "%s:%u", fleet->space, shard->number);
    swg_gate_record(fleet->panel, NULL, &event);
}

void swg__client_mode_set(swg_fleet *fleet, struct client_shard *shard, swg_fleet_mode mode,
                          int64_t now)
{
    swg_fleet_mode from = shard->mode;
    swg_fleet_event event = {.kind = SWG_FLEET_EVENT_MODE,
                             .shard = shard->number,
                             .link = shard->link,
                             .slot = shard->slot,
                             .value = mode};

    if (from == mode)
        return;
    shard->mode = mode;
    shard->mode_since = now;
    shard->upkeep = now + UPKEEP_NS;
    journal(fleet, shard, from, now);
    swg__client_event(fleet, &event);
}

/* Another server, or the same after a long time: it is told all we know, and asked for all. */
void swg__client_claim_all(swg_fleet *fleet, struct client_shard *shard)
{
    shard->cursor = 0;
    for (uint32_t i = 0; i < shard->count; i++) {
        struct client_circuit *c = fleet->circuits[shard->circuits[i]];

        c->claim = true;
        c->window.count = 0;
    }
}

static void go_local(swg_fleet *fleet, struct client_shard *shard, int64_t now)
{
    swg__client_mode_set(fleet, shard, SWG_FLEET_LOCAL, now);
    swg__client_claim_all(fleet, shard);
    for (uint32_t i = 0; i < shard->count; i++)
        fleet->circuits[shard->circuits[i]]->thin_from = 0;
    swg__client_publish_all(fleet, shard, now);
}

/* A gate is set anew before it loses its hold, for as long as the shard's mode says that it holds.
 */
static void uphold(swg_fleet *fleet, struct client_shard *shard, int64_t now)
{
    swg_gate_reading reading;

    for (uint32_t i = 0; i < shard->count; i++)
        swg__client_collect(fleet->circuits[shard->circuits[i]], now, &reading);
    swg__client_publish_all(fleet, shard, now);
    shard->upkeep = now + UPKEEP_NS;
}

void swg__client_mode_tick(swg_fleet *fleet, struct client_shard *shard, int64_t now)
{
    if (shard->owed == 0 && !shard->inflight && now >= shard->due)
        shard->owed = now;
    if (shard->mode == SWG_FLEET_JOINING)
        return;
    if (shard->mode == SWG_FLEET_STALE && now >= patience(fleet, shard))
        go_local(fleet, shard, now);
    else if (shard->mode != SWG_FLEET_LOCAL && shard->mode != SWG_FLEET_STALE &&
             now >= patience(fleet, shard)) {
        swg__client_mode_set(fleet, shard, SWG_FLEET_STALE, now);
        swg__client_publish_all(fleet, shard, now);
    } else if (now >= shard->upkeep) {
        uphold(fleet, shard, now);
    }
}

int64_t swg__client_mode_deadline(const swg_fleet *fleet, const struct client_shard *shard)
{
    int64_t owes = shard->owed == 0 && !shard->inflight ? shard->due : NEVER;

    if (shard->mode == SWG_FLEET_JOINING)
        return NEVER;
    if (shard->mode == SWG_FLEET_LOCAL)
        return shard->upkeep;
    return swg__client_min(swg__client_min(patience(fleet, shard), shard->upkeep), owes);
}

static bool claims_left(const swg_fleet *fleet, const struct client_shard *shard)
{
    for (uint32_t i = 0; i < shard->count; i++) {
        if (fleet->circuits[shard->circuits[i]]->claim)
            return true;
    }
    return false;
}

void swg__client_mode_reply(swg_fleet *fleet, struct client_shard *shard, bool more, int64_t now)
{
    bool behind = more || claims_left(fleet, shard);

    shard->last_sync = now;
    shard->owed = 0;
    if (behind && (shard->mode == SWG_FLEET_LOCAL || shard->mode == SWG_FLEET_REJOIN))
        swg__client_mode_set(fleet, shard, SWG_FLEET_REJOIN, now);
    else
        swg__client_mode_set(fleet, shard, SWG_FLEET_FLEET, now);
    shard->upkeep = now + REPLIES_NS;
}
