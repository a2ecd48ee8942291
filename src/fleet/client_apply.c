/* What a reply changes. */
#include "fleet/client.h"

#include <string.h>

#define PACE_MAX_NS (10000 * MS)

static swg_state host_state(int state)
{
    return state == SWG_STEP_HALF                               ? SWG_HALF_OPEN
           : state == SWG_STEP_OPEN || state == SWG_STEP_FORCED ? SWG_OPEN
                                                                : SWG_CLOSED;
}

static uint32_t narrow(int64_t count)
{
    return (uint32_t)swg__client_min(count, UINT32_MAX);
}

/* What the fleet was judged by, where it was; else our own share. */
static void put_evidence(swg_event *event, const struct client_circuit *c,
                         const struct swg_step_trip *trip)
{
    bool rate = c->cause == SWG_CAUSE_FAILURE_RATE || c->cause == SWG_CAUSE_SLOW_RATE;

    event->calls = narrow(rate ? trip->n : c->sums.n);
    event->failures = narrow(rate ? trip->f : c->sums.f);
    event->slow = narrow(rate ? trip->s : c->sums.s);
    if (c->cause == SWG_CAUSE_VOTES) {
        event->calls = narrow(trip->reporters);
        event->failures = narrow(trip->votes);
        event->slow = 0;
    }
}

static uint32_t limit_of(const struct client_circuit *c)
{
    static const uint8_t of[SWG_CAUSE_COUNT] = {
        [SWG_CAUSE_FAILURE_RATE] = 1 + SWG_CFG_FAIL_PCT,
        [SWG_CAUSE_SLOW_RATE] = 1 + SWG_CFG_SLOW_PCT,
        [SWG_CAUSE_VOTES] = 1 + SWG_CFG_QUORUM,
        [SWG_CAUSE_PROBES_FAILED] = 1 + SWG_CFG_FAIL_LIMIT,
        [SWG_CAUSE_PROBES_LOST] = 1 + SWG_CFG_EXPIRY_LIMIT,
    };
    int which = c->cause < SWG_CAUSE_COUNT ? of[c->cause] : 0;

    return which > 0 ? narrow(c->config.v[which - 1]) : 0;
}

static void journal(swg_fleet *fleet, const struct client_circuit *c, int from,
                    const struct swg_step_trip *trip, int64_t now)
{
    bool waits = c->state == SWG_STEP_OPEN || c->state == SWG_STEP_FORCED;
    swg_event event = {
        .at_ns = now,
        .until_ns = waits ? c->until : 0,
        .epoch = (uint64_t)c->epoch,
        .limit = limit_of(c),
        .cause = (uint8_t)c->cause,
        .from = (uint8_t)host_state(from),
        .to = (uint8_t)host_state(c->state),
        .override = c->state == SWG_STEP_FORCED ? SWG_FORCED_OPEN : SWG_OVERRIDE_NONE,
        .scope = SWG_SCOPE_FLEET,
    };

    put_evidence(&event, c, trip);
    fleet->stats.transitions++;
    fleet->causes[c->cause < SWG_CAUSE_COUNT ? c->cause : SWG_CAUSE_COUNT]++;
    swg_gate_record(fleet->panel, c->circuit, &event);
}

static void set_times(struct client_circuit *c, const struct swg_step_view *v, int64_t now)
{
    int64_t ramp = c->config.v[SWG_CFG_RAMP];

    c->until = now + v->remaining * US;
    c->ramp_until = 0;
    if (v->state == SWG_STEP_CLOSED && v->age >= 0 && v->age < ramp)
        c->ramp_until = now + (ramp - v->age) * US;
}

/* The fleet has let its probes find out: this host's own breaker need not once more. Not if a probe
 * of ours failed where the others passed, nor after a time on our own, when ours may know better.
 */
static void close_ours(const swg_fleet *fleet, struct client_circuit *c, int from, int64_t now)
{
    bool together = fleet->shards[c->shard].mode == SWG_FLEET_FLEET;

    if (together && !c->failed && c->state == SWG_STEP_CLOSED && from != SWG_STEP_CLOSED &&
        from != SWG_STEP_DISABLED)
        swg_gate_close(c->circuit, now);
}

/* A new epoch: nothing of the old one counts any more, neither evidence nor leases. */
static void take_view(swg_fleet *fleet, struct client_circuit *c, const struct swg_step_view *v,
                      int64_t now)
{
    int from = c->state;
    swg_gate_reading reading;

    if (v->epoch == c->epoch) {
        set_times(c, v, now);
        return;
    }
    c->known = true;
    c->epoch = v->epoch;
    c->state = v->state;
    c->cause = v->cause;
    c->since = now;
    set_times(c, v, now);
    if (from != c->state)
        journal(fleet, c, from, &v->trip, now);
    if (c->state == SWG_STEP_CLOSED)
        c->told_refused = c->refused;
    if (from == SWG_STEP_CLOSED || c->state == SWG_STEP_CLOSED) {
        c->turned_at = now;
        c->longest = 0;
    }
    close_ours(fleet, c, from, now);
    swg__client_forget_leases(c);
    c->round = (c->round + 1) & SWG_GATE_ROUND_MAX;
    c->thin_from = 0;
    swg_gate_read(c->circuit, now, &reading);
    swg__client_window_restart(c, &reading, now);
    c->told_at = 0;
    c->told_open = false; /* nobody has told the new epoch */
}

/* A server that answers with an earlier epoch than we hold has not been told of ours: it is, and
 * will then go beyond it. One that has been told and stays is believed, or we would never agree. */
static void apply_view(swg_fleet *fleet, struct client_shard *shard, const struct swg_step_view *v,
                       int64_t now)
{
    struct client_circuit *c = swg__client_find(fleet, v->circuit);

    if (!c || c->shard != shard->number)
        return;
    if (v->epoch < c->epoch && !(c->sent_seq == shard->seq && c->sent_epoch == c->epoch)) {
        c->claim = true;
        return;
    }
    take_view(fleet, c, v, now);
}

static void apply_offer(swg_fleet *fleet, struct client_shard *shard,
                        const struct swg_step_offer *o)
{
    struct client_circuit *c = swg__client_find(fleet, o->circuit);

    if (!c || c->shard != shard->number)
        return;
    swg__client_limits_take(c, o);
}

static void apply_grant(swg_fleet *fleet, struct client_shard *shard,
                        const struct swg_step_grant *g, int64_t now)
{
    struct client_circuit *c = swg__client_find(fleet, g->circuit);

    if (!c || c->shard != shard->number || g->seq != shard->seq || c->sent_seq != g->seq)
        return;
    c->wait_until = g->wait > 0 ? now + g->wait * US : 0;
    c->quarantine_until = g->quarantine > 0 ? now + g->quarantine * US : 0;
    if (g->count > 0 && g->epoch == c->epoch && c->state == SWG_STEP_HALF)
        swg__client_granted(fleet, c, g, shard->sent_at, now);
}

/* What went with this request has arrived. */
static void acknowledge(swg_fleet *fleet, struct client_shard *shard, int64_t now)
{
    for (uint32_t i = 0; i < shard->count; i++) {
        struct client_circuit *c = fleet->circuits[shard->circuits[i]];
        int64_t half = c->config.v[SWG_CFG_WINDOW] * US / 2;

        if (c->sent_seq != shard->seq)
            continue;
        swg__client_acknowledged(fleet, c, shard->seq);
        c->known = true;
        c->claim = false;
        c->offer = c->offer && !c->sent_offer;
        c->told = c->sent_sums;
        c->told_open = c->sent_open;
        c->told_at = now + half;
    }
}

/* Rounds come every pace, each up to a fifth of it off its time, and are the same for all shards of
 * that pace: requests that leave together are one packet, and one system call at either end. */
static int64_t next_round(const swg_fleet *fleet, int64_t pace, int64_t after)
{
    int64_t k = (after - fleet->phase) / pace, at;

    do {
        uint64_t hash = ((uint64_t)k ^ fleet->salt) * UINT64_C(0x9e3779b97f4a7c15);

        at = fleet->phase + k++ * pace - pace / 5 +
             (int64_t)((hash >> 32) % (uint64_t)(2 * pace / 5 + 1));
    } while (at < after + pace / 2);
    return at;
}

static void apply_header(swg_fleet *fleet, struct client_shard *shard, int64_t now)
{
    const struct swg_step_reply *r = &fleet->reply;

    shard->cursor = r->cursor;
    shard->reporters = r->reporters;
    shard->round_trip = now - shard->sent_at;
    swg__client_metrics_took(fleet, shard->round_trip);
    shard->pace = swg__client_min(
        swg__client_max(r->next * US, (int64_t)fleet->config.interval_ms * MS), PACE_MAX_NS);
    shard->due = next_round(fleet, shard->pace, shard->sent_at);
    if (r->more && r->cursor > shard->sent_cursor)
        shard->due = now;
}

/* Another server may hold less, or more, than the one before; so may the same one, if somebody has
 * emptied it: then it has not come as far as it had. */
static bool other_server(const swg_fleet *fleet, const struct client_shard *shard)
{
    return shard->server[0] && (strcmp(shard->server, fleet->reply.server) != 0 ||
                                fleet->reply.cursor < shard->sent_cursor);
}

void swg__client_apply(swg_fleet *fleet, struct client_shard *shard, int64_t now)
{
    const struct swg_step_reply *r = &fleet->reply;
    bool other = other_server(fleet, shard);

    shard->inflight = false;
    shard->errors = 0;
    shard->last_error = -1;
    fleet->stats.exchanges++;
    fleet->stats.entries += (uint64_t)shard->entries;
    memcpy(shard->server, r->server, sizeof shard->server);
    acknowledge(fleet, shard, now);
    apply_header(fleet, shard, now);
    for (int i = 0; i < r->offers; i++)
        apply_offer(fleet, shard, &r->offer[i]);
    for (int i = 0; i < r->views; i++)
        apply_view(fleet, shard, &r->view[i], now);
    for (int i = 0; i < r->grants; i++)
        apply_grant(fleet, shard, &r->grant[i], now);
    if (other) {
        if (shard->sent_cursor !=
            0) /* else there was nothing to lose, or all was claimed just now */
            swg__client_claim_all(fleet, shard);
        for (uint32_t i = 0; i < shard->count; i++) /* no probe by leases this one may not know */
            swg__client_withdraw(fleet->circuits[shard->circuits[i]], now);
        swg__client_mode_set(fleet, shard, SWG_FLEET_REJOIN, now);
    }
    swg__client_mode_reply(fleet, shard, r->more, now);
    swg__client_publish_all(fleet, shard, now);
    swg__client_heard(fleet, shard, now);
    swg__client_ask_done(shard, true, now);
}
