/* Names, snapshots. */
#include "fleet/client.h"

#include <string.h>

const char *swg_fleet_mode_name(swg_fleet_mode mode)
{
    static const char *const names[] = {
#define SWG_X(name, value, text) text,
        SWG_FLEET_MODES(SWG_X)
#undef SWG_X
    };

    return (unsigned)mode < SWG_FLEET_MODE_COUNT ? names[mode] : "unknown";
}

const char *swg_fleet_state_name(swg_fleet_state state)
{
    static const char *const names[] = {"closed", "open", "half_open", "forced_open", "disabled"};

    return (unsigned)state < sizeof names / sizeof *names ? names[state] : "unknown";
}

const char *swg_fleet_error_name(swg_fleet_error error)
{
    static const char *const names[] = {
#define SWG_X(name, value, text) text,
        SWG_FLEET_ERRORS(SWG_X)
#undef SWG_X
    };

    return (unsigned)error < SWG_FLEET_ERROR_COUNT ? names[error] : "unknown";
}

int swg_fleet_read(const swg_fleet *fleet, swg_fleet_snapshot *s)
{
    if (!fleet || !s)
        return SWG_EINVAL;
    *s = fleet->stats;
    s->size = sizeof *s;
    s->shards = fleet->config.shards;
    s->circuits = fleet->count;
    s->last_sync_ns = NEVER;
    for (uint32_t i = 0; i < fleet->count; i++)
        s->limits_differ += swg__client_limits_differ(fleet, fleet->circuits[i]);
    for (uint32_t i = 0; i < fleet->config.shards; i++) {
        const struct client_shard *shard = &fleet->shards[i];

        s->modes[shard->mode]++;
        s->reporters = (uint64_t)swg__client_max((int64_t)s->reporters, shard->reporters);
        s->last_sync_ns = swg__client_min(s->last_sync_ns, shard->last_sync);
    }
    return SWG_OK;
}

int swg_fleet_read_shard(const swg_fleet *fleet, uint32_t number, swg_fleet_shard_snapshot *s)
{
    const struct client_shard *shard;

    if (!fleet || !s || number >= fleet->config.shards)
        return SWG_EINVAL;
    shard = &fleet->shards[number];
    *s = (swg_fleet_shard_snapshot){.shard = number,
                                    .slot = shard->slot,
                                    .link = shard->link,
                                    .mode = shard->mode,
                                    .reporters = (uint64_t)shard->reporters,
                                    .since_ns = shard->mode_since,
                                    .last_sync_ns = shard->last_sync,
                                    .round_trip_ns = shard->round_trip,
                                    .pace_ns = shard->pace};
    memcpy(s->server, shard->server, sizeof s->server);
    return SWG_OK;
}

static void count_leases(const struct client_circuit *c, swg_fleet_circuit_snapshot *s)
{
    for (int i = 0; i < CLIENT_LEASES; i++) {
        s->leases += c->lease[i].state == LEASE_IDLE || c->lease[i].state == LEASE_OUT;
        s->results += c->lease[i].state == LEASE_DONE;
    }
}

int swg_fleet_read_circuit(const swg_fleet *fleet, const char *circuit,
                           swg_fleet_circuit_snapshot *s)
{
    const struct client_circuit *c;

    if (!fleet || !circuit || !s)
        return SWG_EINVAL;
    c = swg__client_find(fleet, circuit);
    if (!c)
        return SWG_ENOENT;
    *s = (swg_fleet_circuit_snapshot){
        .shard = c->shard,
        .state = (uint32_t)c->state,
        .epoch = (uint64_t)c->epoch,
        .since_ns = c->since,
        .until_ns = c->state == SWG_STEP_CLOSED ? c->ramp_until
                    : c->state == SWG_STEP_HALF ? 0
                                                : c->until,
        .calls = (uint64_t)c->told.n,
        .failures = (uint64_t)c->told.f,
        .slow = (uint64_t)c->told.s,
        .wait_ns = c->wait_until,
        .quarantine_ns = c->quarantine_until,
        .revision = (uint32_t)c->rev,
        .limits_differ = swg__client_limits_differ(fleet, c),
        .cause = (uint32_t)c->cause,
    };
    count_leases(c, s);
    return SWG_OK;
}
