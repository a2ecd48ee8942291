/* CLOSED: absolute summaries of each reporter's window, replaced, never added: a request that comes
 * twice or late changes nothing. */
#include "fleet/step_internal.h"

#include <string.h>

static void add(struct swg_step_circuit *c, const struct swg_step_record *r, int sign)
{
    c->n += sign * r->n;
    c->f += sign * r->f;
    c->s += sign * r->s;
    c->l += sign * r->l;
    c->bad += sign * r->bad;
    c->bad2 += sign * r->bad2;
    c->lrep += sign * (r->l > 0);
    c->vote += sign * (r->open && r->l == 0);
    c->vote2 += sign * r->open;
    c->rep += sign * (r->n > 0 || r->open);
}

static int first_expired(const struct swg_step_call *call, const struct swg_step_circuit *c)
{
    int best = -1;

    for (int i = 0; i < SWG_STEP_REPORTERS; i++) {
        if (!c->rec[i].used || c->rec[i].expiry > call->now)
            continue;
        if (best < 0 || c->rec[i].expiry < c->rec[best].expiry ||
            (c->rec[i].expiry == c->rec[best].expiry &&
             strcmp(call->shard->reporter[i], call->shard->reporter[best]) < 0))
            best = i;
    }
    return best;
}

/* A few of each circuit, and not too many in one call: the rest is for the next. */
static void sweep(struct swg_step_call *call, struct swg_step_circuit *c)
{
    for (int k = 0; k < SWG_STEP_SWEEP && call->swept < SWG_STEP_SWEEP_ALL; k++) {
        int i = first_expired(call, c);

        if (i < 0)
            return;
        call->swept++;
        add(c, &c->rec[i], -1);
        memset(&c->rec[i], 0, sizeof c->rec[i]);
    }
}

static int64_t scaled(int64_t part, int64_t n, int64_t cap)
{
    return (2 * part * cap + n) / (2 * n);
}

/* One reporter with much traffic must not outvote the rest: its counts shrink to the cap. */
static void cap_counts(struct swg_step_record *r, int64_t cap)
{
    if (r->n <= cap)
        return;
    r->f = scaled(r->f, r->n, cap);
    r->s = scaled(r->s, r->n, cap);
    r->l = scaled(r->l, r->n, cap);
    r->n = cap;
}

/* bad: by the dependency's failures alone. bad2: with those of local origin. */
static struct swg_step_record record(const struct swg_step_call *call,
                                     const struct swg_step_circuit *c,
                                     const struct swg_step_entry *e)
{
    const int64_t *v = c->config.v;
    struct swg_step_record r = {.used = true, .seq = e->seq, .n = e->n, .f = e->f, .s = e->s};
    int64_t left = c->rec[call->reporter].expiry - call->now;

    r.l = e->l;
    r.open = e->local_open;
    cap_counts(&r, v[SWG_CFG_CAP]);
    r.bad = swg_rule_bad(r.n - r.l, r.f, r.s, v[SWG_CFG_FAIL_PCT], v[SWG_CFG_SLOW_PCT]) ||
            (e->local_open && r.l == 0);
    r.bad2 = swg_rule_bad(r.n, r.f + r.l, r.s, v[SWG_CFG_FAIL_PCT], v[SWG_CFG_SLOW_PCT]) ||
             e->local_open;
    r.expiry = c->rec[call->reporter].expiry;
    if (left < v[SWG_CFG_WINDOW] || left > 2 * v[SWG_CFG_WINDOW])
        r.expiry = call->now + v[SWG_CFG_WINDOW] + v[SWG_CFG_WINDOW] / 4;
    return r;
}

static bool ramping(const struct swg_step_call *call, const struct swg_step_circuit *c)
{
    return c->until > 0 && call->now >= c->until &&
           call->now - c->until < c->config.v[SWG_CFG_RAMP];
}

/* Failures of local origin say nothing about the dependency, unless a quorum sees them. */
static bool trips(const struct swg_step_circuit *c, int64_t calls_min, struct swg_step_trip *trip)
{
    const int64_t *v = c->config.v;
    bool all = c->lrep >= v[SWG_CFG_QUORUM];
    int64_t n = all ? c->n : c->n - c->l, f = all ? c->f + c->l : c->f;
    int64_t bad = all ? c->bad2 : c->bad, votes = all ? c->vote2 : c->vote;
    bool failing = swg_rule_bad(n, f, 0, v[SWG_CFG_FAIL_PCT], v[SWG_CFG_SLOW_PCT]);
    bool over = swg_rule_bad(n, f, c->s, v[SWG_CFG_FAIL_PCT], v[SWG_CFG_SLOW_PCT]);
    bool rate = swg_rule_trip(over, n, calls_min, bad, v[SWG_CFG_QUORUM]);

    *trip = (struct swg_step_trip){SWG_CAUSE_VOTES, n, f, c->s, bad, votes, c->rep};
    if (rate)
        trip->cause = failing ? SWG_CAUSE_FAILURE_RATE : SWG_CAUSE_SLOW_RATE;
    return rate || swg_rule_votes(votes, c->rep, v[SWG_CFG_QUORUM], v[SWG_CFG_FAIL_PCT]);
}

/* While traffic ramps up a quarter of the calls is enough, and the backoff goes on where it was. */
static void judge(struct swg_step_call *call, struct swg_step_circuit *c)
{
    bool ramp = ramping(call, c);
    int64_t calls_min = c->config.v[SWG_CFG_CALLS_MIN];
    struct swg_step_trip trip;

    if (!trips(c, ramp ? (calls_min + 3) / 4 : calls_min, &trip))
        return;
    if (!ramp)
        c->backoff = 0;
    c->trip = trip;
    swg__step_open(call, c, trip.cause);
}

void swg__step_evidence(struct swg_step_call *call, struct swg_step_circuit *c,
                        const struct swg_step_entry *e)
{
    struct swg_step_record *mine = &c->rec[call->reporter];

    sweep(call, c);
    if (!swg_rule_late(e->seq, mine->used ? mine->seq : 0)) {
        struct swg_step_record r = record(call, c, e);

        if (mine->used)
            add(c, mine, -1);
        *mine = r;
        add(c, mine, 1);
    }
    judge(call, c);
}
