/* HALF_OPEN: leases for probes, their results, the verdict. */
#include "fleet/step_internal.h"

#include <string.h>

/* What is left of this reporter's quarantine here; never more than the longest wait, whatever the
 * clock did. */
int64_t swg__step_quarantine(const struct swg_step_call *call, const struct swg_step_circuit *c)
{
    const struct swg_step_ban *ban = &c->ban[call->reporter];

    if (!ban->used || ban->until <= call->now)
        return 0;
    return swg__step_min(ban->until - call->now, c->config.v[SWG_CFG_OPEN_MAX]);
}

static void ban(const struct swg_step_call *call, struct swg_step_circuit *c, int reporter)
{
    struct swg_step_ban *b = &c->ban[reporter];
    const int64_t *v = c->config.v;

    if (v[SWG_CFG_QUARANTINE] == 0)
        return;
    if (!b->used || call->now >= b->until + v[SWG_CFG_OPEN_MAX])
        b->level = 0;
    b->until = call->now + swg__step_min(v[SWG_CFG_QUARANTINE] << b->level, v[SWG_CFG_OPEN_MAX]);
    b->level = b->level < SWG_STEP_BACKOFF_MAX ? b->level + 1 : SWG_STEP_BACKOFF_MAX;
    b->used = true;
}

/* Who failed where the fleet succeeded has a problem of its own: no probes for a while. */
static void close_circuit(struct swg_step_call *call, struct swg_step_circuit *c)
{
    for (int i = 0; i < SWG_STEP_REPORTERS; i++) {
        if (c->half[i].failed)
            ban(call, c, i);
    }
    swg__step_go(call, c, SWG_STEP_CLOSED, SWG_CAUSE_PROBES_PASSED);
    c->until = call->now;
}

static void expire(const struct swg_step_call *call, struct swg_step_circuit *c)
{
    for (int i = 0; i < SWG_STEP_LEASES; i++) {
        struct swg_step_lease *lease = &c->lease[i];

        if (lease->used &&
            (lease->expiry <= call->now || lease->expiry > call->now + SWG_STEP_LEASE_MAX)) {
            memset(lease, 0, sizeof *lease);
            c->px++;
        }
    }
}

static struct swg_step_lease *find(const struct swg_step_call *call, struct swg_step_circuit *c,
                                   const struct swg_step_result *r)
{
    for (int i = 0; i < SWG_STEP_LEASES; i++) {
        struct swg_step_lease *lease = &c->lease[i];

        if (lease->used && lease->epoch == r->epoch && lease->seq == r->seq &&
            lease->index == r->index && lease->reporter == call->reporter)
            return lease;
    }
    return NULL;
}

static void take(const struct swg_step_call *call, struct swg_step_circuit *c, bool late,
                 const struct swg_step_result *r)
{
    struct swg_step_half *mine = &c->half[call->reporter];
    struct swg_step_lease *lease = find(call, c, r);

    if (!swg_rule_counts(late, lease != NULL, r->epoch == c->epoch))
        return;
    memset(lease, 0, sizeof *lease);
    if (r->outcome == SWG_STEP_OK)
        c->ps++;
    if (r->outcome == SWG_STEP_FAILED) {
        c->pf++;
        mine->failed = true;
        mine->wait = call->now + c->config.v[SWG_CFG_LEASE];
    }
}

static void add_lease(const struct swg_step_call *call, struct swg_step_circuit *c, int64_t seq,
                      int index)
{
    struct swg_step_lease *lease = c->lease;

    while (lease->used)
        lease++; /* there is room: fewer than `probes` <= SWG_STEP_LEASES are live */
    *lease = (struct swg_step_lease){.used = true, .epoch = c->epoch, .seq = seq, .index = index};
    lease->reporter = call->reporter;
    lease->expiry = call->now + c->config.v[SWG_CFG_LEASE];
}

static int64_t waits(const struct swg_step_call *call, const struct swg_step_circuit *c)
{
    int64_t wait = swg__step_quarantine(call, c);

    if (call->shard->since > 0)
        wait = swg__step_max(wait, call->shard->since + c->config.v[SWG_CFG_LEASE] - call->now);
    return swg__step_max(wait, c->half[call->reporter].wait - call->now);
}

static void grant_leases(const struct swg_step_call *call, struct swg_step_circuit *c,
                         const struct swg_step_entry *e, struct swg_step_grant *grant)
{
    int64_t live = 0, own = 0;

    for (int i = 0; i < SWG_STEP_LEASES; i++) {
        live += c->lease[i].used;
        own += c->lease[i].used && c->lease[i].reporter == call->reporter;
    }
    grant->count = (int)swg_rule_grants(e->want, live, own, c->config.v[SWG_CFG_PROBES],
                                        c->config.v[SWG_CFG_NEED] - c->ps);
    grant->ttl = grant->count > 0 ? c->config.v[SWG_CFG_LEASE] : 0;
    for (int i = 0; i < grant->count; i++)
        add_lease(call, c, e->seq, i);
}

/* Expiry comes first: a result after its lease does not count. */
void swg__step_probes(struct swg_step_call *call, struct swg_step_circuit *c,
                      const struct swg_step_entry *e, bool knows, struct swg_step_grant *grant)
{
    const int64_t *v = c->config.v;
    struct swg_step_half *mine = &c->half[call->reporter];
    bool late = swg_rule_late(e->seq, mine->used ? mine->seq : 0);
    int verdict;

    expire(call, c);
    for (int i = 0; i < e->results; i++)
        take(call, c, late, &e->result[i]);
    verdict = swg_rule_verdict(c->ps, c->pf, c->px, v[SWG_CFG_NEED], v[SWG_CFG_FAIL_LIMIT],
                               v[SWG_CFG_EXPIRY_LIMIT]);
    if (verdict == SWG_STEP_OPEN) {
        swg__step_open(call, c,
                       c->pf >= v[SWG_CFG_FAIL_LIMIT] ? SWG_CAUSE_PROBES_FAILED
                                                      : SWG_CAUSE_PROBES_LOST);
        return;
    }
    if (verdict == SWG_STEP_CLOSED) {
        close_circuit(call, c);
        return;
    }
    mine->used = true;
    mine->seq = swg__step_max(mine->seq, e->seq);
    grant->wait = swg__step_max(waits(call, c), 0);
    if (e->want > 0 && swg_rule_may_grant(late, grant->wait > 0, knows))
        grant_leases(call, c, e, grant);
}
