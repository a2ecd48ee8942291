/* The fleet's view of a circuit and the shard's mode, as a gate. */
#include "fleet/client.h"

#define THIN_NS (10000 * MS)
#define THIN_MS 10000

bool swg__client_is_out(const struct client_shard *shard)
{
    return shard->mode == SWG_FLEET_LOCAL || shard->mode == SWG_FLEET_JOINING;
}

/* Halvings of the first share: at most 1/n of the calls. */
static uint32_t halvings(int64_t reporters)
{
    uint32_t k = 1;

    while (k < 20 && (INT64_C(1) << k) < reporters)
        k++;
    return k;
}

/* On our own after an opening of the fleet: a share of 1/n for as long as our own breaker is not
 * closed, then more and more. All n together make the traffic of one. */
static void thin(struct client_circuit *c, int64_t reporters, int64_t now, swg_gate *gate)
{
    swg_gate_reading reading;
    int64_t length = c->config.v[SWG_CFG_RAMP] > 0 ? c->config.v[SWG_CFG_RAMP] * US : THIN_NS;

    swg_gate_read(c->circuit, now, &reading);
    if (c->thin_from == 0 || reading.state != SWG_CLOSED)
        c->thin_from = now;
    if (now >= c->thin_from + length)
        return;
    gate->mode = SWG_GATE_RAMP;
    gate->until_ns = c->thin_from + length;
    gate->ramp_ms = (uint32_t)swg__client_max(length / MS, 1);
    gate->share_halved = halvings(reporters);
}

static void closed(const struct client_circuit *c, int64_t now, swg_gate *gate)
{
    if (now >= c->ramp_until)
        return;
    gate->mode = SWG_GATE_RAMP;
    gate->until_ns = c->ramp_until;
    gate->ramp_ms = (uint32_t)swg__client_max(c->config.v[SWG_CFG_RAMP] / 1000, 1);
}

/* A wait that is over goes on until the fleet says otherwise, as long as we hear from it. */
static void open(const struct client_circuit *c, unsigned mode, int64_t hold, int64_t now,
                 swg_gate *gate)
{
    gate->mode = mode;
    gate->until_ns = swg__client_max(c->until, now + hold);
}

static void probing(const struct client_circuit *c, int64_t hold, int64_t now, swg_gate *gate)
{
    int64_t deadline;

    gate->mode = SWG_GATE_PROBING;
    gate->round = c->round;
    gate->permits = (uint32_t)swg__client_permits(c, now, &deadline);
    gate->until_ns = gate->permits > 0 ? deadline : now + hold;
}

static void by_view(struct client_circuit *c, const struct client_shard *shard, int64_t now,
                    swg_gate *gate)
{
    int64_t hold = 2 * shard->pace;

    switch (c->state) {
    case SWG_STEP_OPEN:
        open(c, SWG_GATE_OPEN, hold, now, gate);
        return;
    case SWG_STEP_FORCED:
        open(c, SWG_GATE_FORCED, hold, now, gate);
        return;
    case SWG_STEP_HALF:
        probing(c, hold, now, gate);
        return;
    case SWG_STEP_CLOSED:
        closed(c, now, gate);
        return;
    default:
        return;
    }
}

static void on_our_own(struct client_circuit *c, const struct client_shard *shard, int64_t now,
                       swg_gate *gate)
{
    bool waits = now < c->until;

    if (c->state == SWG_STEP_OPEN && waits)
        open(c, SWG_GATE_OPEN, 0, now, gate);
    else if (c->state == SWG_STEP_FORCED && waits)
        open(c, SWG_GATE_FORCED, 0, now, gate);
    else if (c->state == SWG_STEP_CLOSED)
        closed(c, now, gate);
    else if (c->state != SWG_STEP_DISABLED)
        thin(c, shard->reporters, now, gate);
}

void swg__client_publish(swg_fleet *fleet, struct client_circuit *c, int64_t now)
{
    const struct client_shard *shard = &fleet->shards[c->shard];
    swg_gate gate = {.size = sizeof gate, .since_ns = c->since};

    if (!c->known)
        return; /* what a client before us left there holds for its time */
    if (shard->mode == SWG_FLEET_STALE || swg__client_is_out(shard)) /* no probe unconfirmed */
        swg__client_withdraw(c, now);
    if (swg__client_is_out(shard))
        on_our_own(c, shard, now, &gate);
    else
        by_view(c, shard, now, &gate);
    if (gate.mode == SWG_GATE_PROBING && c->given > 0 && gate.permits > 0)
        return; /* they are out there: counted when collected */
    gate.until_ns = swg__client_until(gate.until_ns);
    swg_gate_set(c->circuit, &gate, NULL);
    c->given = gate.mode == SWG_GATE_PROBING ? gate.permits : 0;
}

void swg__client_publish_all(swg_fleet *fleet, struct client_shard *shard, int64_t now)
{
    for (uint32_t i = 0; i < shard->count; i++)
        swg__client_publish(fleet, fleet->circuits[shard->circuits[i]], now);
}
