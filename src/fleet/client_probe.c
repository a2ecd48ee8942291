/* Leases: granted by the fleet, published as permits of the gate, taken by calls, brought back as
 * results, kept until the fleet has acknowledged them.
 *
 * Keeps: no more permits than live leases, none after a lease's end here, which is before its end
 * there; a result goes with a lease of its own period, once. */
#include "fleet/client.h"

#define HOLD_MS 100
#define LEAVING_NS (1000 * MS)
#define INTEREST_NS (60000 * MS)

static int result_of(int which)
{
    static const int outcomes[] = {SWG_STEP_OK, SWG_STEP_FAILED, SWG_STEP_UNUSED};

    return outcomes[which];
}

/* The lease of a state that ends first, or has ended. */
static struct client_lease *first_in(struct client_circuit *c, int state)
{
    struct client_lease *best = NULL;

    for (int i = 0; i < CLIENT_LEASES; i++) {
        struct client_lease *l = &c->lease[i];

        if (l->state == state && (!best || l->deadline < best->deadline))
            best = l;
    }
    return best;
}

static void move(struct client_circuit *c, int from, int to, int outcome, uint32_t count)
{
    for (struct client_lease *l; count > 0 && (l = first_in(c, from)); count--) {
        l->state = (uint8_t)to;
        l->outcome = (uint8_t)outcome;
        c->failed |= to == LEASE_DONE && outcome == SWG_STEP_FAILED;
    }
}

static void expire(struct client_circuit *c, int64_t now)
{
    for (int i = 0; i < CLIENT_LEASES; i++) {
        struct client_lease *l = &c->lease[i];

        if (l->state != LEASE_FREE && l->deadline <= now)
            l->state = LEASE_FREE; /* the fleet counts it as lost */
    }
}

/* Which permits were taken is seen in the gate; a result without one would be of another round. It
 * came before its lease ended, which by now may be over: before the lease is forgotten, or its
 * result would be taken for another's. */
static void account(struct client_circuit *c, const swg_gate_reading *reading)
{
    uint32_t left = reading->mode == SWG_GATE_PROBING ? reading->permits : 0;

    if (left < c->given)
        move(c, LEASE_IDLE, LEASE_OUT, 0, c->given - left);
    c->given = left;
    if (reading->round == c->round) {
        const uint32_t counts[] = {reading->passed, reading->failed, reading->unused};

        for (int i = 0; i < 3; i++)
            move(c, LEASE_OUT, LEASE_DONE, result_of(i), counts[i]);
    }
}

/* How seldom calls come is learned from those that were turned away since the circuit opened. */
static void turned_away(struct client_circuit *c, int64_t now)
{
    if (c->refused_at > c->turned_at)
        c->longest = swg__client_max(c->longest, now - c->refused_at);
    c->refused_at = now;
}

/* Is another call to be expected? Else a permit would only be kept from others. */
static bool is_awaited(const struct client_circuit *c, int64_t now)
{
    return now - c->refused_at < swg__client_max(INTEREST_NS, 2 * c->longest);
}

void swg__client_collect(struct client_circuit *c, int64_t now, swg_gate_reading *reading)
{
    bool probing = c->given > 0 || first_in(c, LEASE_OUT);

    if (probing)
        swg_gate_collect(c->circuit, now, reading);
    else
        swg_gate_read(c->circuit, now, reading);
    if (reading->refused != c->refused)
        turned_away(c, now);
    c->refused = reading->refused;
    if (probing)
        account(c, reading);
    expire(c, now);
    if (c->given > 0 && now >= c->hold_until)
        swg__client_withdraw(c, now);
}

/* Has it a lease that has come so far? */
static bool has_lease(const struct client_circuit *c, int state)
{
    for (int i = 0; i < CLIENT_LEASES; i++) {
        if (c->lease[i].state >= state)
            return true;
    }
    return false;
}

bool swg__client_has_results(const struct client_circuit *c)
{
    return has_lease(c, LEASE_DONE);
}

/* What probes brought goes out at once: the whole fleet waits for it, leases end, and the next
 * exchange may be further away than that. There is no more of it than there were permits. */
void swg__client_results_due(swg_fleet *fleet, int64_t now)
{
    bool probing = false;

    for (uint32_t i = 0; i < fleet->count && fleet->probing; i++) {
        struct client_circuit *c = fleet->circuits[i];
        struct client_shard *shard = &fleet->shards[c->shard];
        swg_gate_reading reading;

        if (!has_lease(c, LEASE_IDLE))
            continue;
        probing = true;
        swg__client_collect(c, now, &reading);
        if (swg__client_has_results(c) && !shard->inflight && shard->errors == 0 &&
            shard->due > now) {
            shard->due = now;
            fleet->stats.hurried++;
        }
    }
    fleet->probing = probing;
}

/* Permits nobody took go back to the fleet. */
void swg__client_withdraw(struct client_circuit *c, int64_t now)
{
    swg_gate gate = {.size = sizeof gate,
                     .mode = SWG_GATE_PROBING,
                     .round = c->round,
                     .until_ns = swg__client_until(now),
                     .since_ns = c->since};
    uint32_t left = 0;

    if (c->given == 0)
        return;
    swg_gate_set(c->circuit, &gate, &left);
    if (left < c->given)
        move(c, LEASE_IDLE, LEASE_OUT, 0, c->given - left);
    move(c, LEASE_IDLE, LEASE_DONE, SWG_STEP_UNUSED, left);
    c->unused += left > 0;
    c->given = 0;
}

/* The last that is done for it in this client's time: what came of its probes is gathered, what
 * nobody took goes back, nothing more is asked for in the next second. */
void swg__client_leave(struct client_circuit *c, int64_t now)
{
    swg_gate_reading reading;

    swg__client_collect(c, now, &reading);
    swg__client_withdraw(c, now);
    c->wait_until = now + LEAVING_NS;
}

/* The end, at no known time: permits still there can be taken no more. */
void swg__client_retire(const struct client_circuit *c)
{
    swg_gate gate = {.size = sizeof gate, .mode = SWG_GATE_NONE, .since_ns = c->since};

    if (c->given > 0)
        swg_gate_set(c->circuit, &gate, NULL);
}

/* A lease may be shorter than lease_ms says, by the circuit's wait or by others' limits; without
 * anything left of it no probe would ever go, and the fleet never close. */
static int64_t margin(const swg_fleet *fleet, int64_t ttl)
{
    int64_t asked = fleet->config.margin_ms > 0 ? (int64_t)fleet->config.margin_ms * MS
                                                : swg__client_max(ttl / 10, MS);

    return swg__client_min(asked, ttl / 2);
}

/* A circuit with little traffic holds its permits longer each time nobody came for them. */
void swg__client_granted(swg_fleet *fleet, struct client_circuit *c, const struct swg_step_grant *g,
                         int64_t sent_at, int64_t now)
{
    int64_t ttl = g->ttl * US, deadline = sent_at + ttl - margin(fleet, ttl);
    int64_t hold = swg__client_max(2 * fleet->shards[c->shard].pace, HOLD_MS * MS);
    int added = 0;

    for (int i = 0; i < CLIENT_LEASES && added < g->count && deadline > now; i++) {
        if (c->lease[i].state != LEASE_FREE)
            continue;
        c->lease[i] = (struct client_lease){
            .seq = g->seq, .deadline = deadline, .state = LEASE_IDLE, .index = (uint8_t)added++};
    }
    hold = swg__client_min(hold << (c->unused < 8 ? c->unused : 8), (deadline - now) / 4 * 3);
    c->hold_until = now + hold;
    c->told_refused = c->sent_refused;
    fleet->probing = true;
    fleet->watch = swg__client_min(fleet->watch, now + CLIENT_PROBE_WATCH_NS);
    fleet->stats.granted += (uint64_t)added;
}

int swg__client_permits(const struct client_circuit *c, int64_t now, int64_t *deadline)
{
    int permits = 0;

    *deadline = NEVER;
    for (int i = 0; i < CLIENT_LEASES; i++) {
        const struct client_lease *l = &c->lease[i];

        if (l->state == LEASE_IDLE && l->deadline > now) {
            permits++;
            *deadline = swg__client_min(*deadline, l->deadline);
        }
    }
    return permits;
}

/* Every result not acknowledged goes with every request. */
int swg__client_results(struct client_circuit *c, int64_t seq, struct swg_step_entry *entry)
{
    for (int i = 0; i < CLIENT_LEASES; i++) {
        struct client_lease *l = &c->lease[i];

        if (l->state != LEASE_DONE)
            continue;
        l->sent = seq;
        entry->result[entry->results++] = (struct swg_step_result){
            .epoch = c->epoch, .seq = l->seq, .index = l->index, .outcome = l->outcome};
    }
    return entry->results;
}

void swg__client_acknowledged(swg_fleet *fleet, struct client_circuit *c, int64_t seq)
{
    for (int i = 0; i < CLIENT_LEASES; i++) {
        struct client_lease *l = &c->lease[i];

        if (l->state != LEASE_DONE || l->sent != seq)
            continue;
        fleet->stats.probes[l->outcome]++;
        l->state = LEASE_FREE;
    }
}

/* Permits are for those with calls to make: calls were turned away lately and had no permit for it
 * yet, or the permits they were the cause of went back unused. The latter do not ask in the
 * exchange that brings them back: they would have them again before anybody else could. */
int swg__client_wants(const struct client_circuit *c, int64_t now)
{
    uint64_t missed = c->refused - c->told_refused;
    bool returns = false;
    int room = 0;

    if (now < c->wait_until || now < c->quarantine_until || c->given > 0 ||
        (!is_awaited(c, now) && !c->wish))
        return 0;
    if (c->state != SWG_STEP_HALF && (c->state != SWG_STEP_OPEN || now < c->until))
        return 0;
    for (int i = 0; i < CLIENT_LEASES; i++) {
        room += c->lease[i].state == LEASE_FREE;
        returns |= c->lease[i].state == LEASE_DONE && c->lease[i].outcome == SWG_STEP_UNUSED;
    }
    if (missed == 0 && ((c->unused > 0 && !returns) || c->wish))
        missed = 1;
    room = (int)swg__client_min(room, CLIENT_WANT);
    return (int)swg__client_min((int64_t)swg__client_min((int64_t)missed, CLIENT_WANT), room);
}

void swg__client_forget_leases(struct client_circuit *c)
{
    for (int i = 0; i < CLIENT_LEASES; i++)
        c->lease[i].state = LEASE_FREE;
    c->given = 0;
    c->unused = 0;
    c->failed = false;
    c->wait_until = 0;
}
