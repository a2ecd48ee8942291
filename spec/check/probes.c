/* Leases: how many live, and what came back with each. */
#include "invariants.h"

#include <inttypes.h>

/* I2, I3: at most once, and only in its period. */
void take_result(struct assertion *a, struct book *b, const struct swg_step_result *r)
{
    const struct swg_step_circuit *c = circuit_in(a->before, b->circuit);
    struct lease_note *l = book_lease(b, r, a->reporter);
    struct period *p;

    if (c->state != SWG_STEP_HALF)
        return;
    p = book_period(b, c->epoch);
    if (l && lease_live(l, a->now) && r->epoch == c->epoch) {
        l->settled = true;
        p->passed += r->outcome == SWG_STEP_OK;
        a->report->passed += r->outcome == SWG_STEP_OK;
        a->report->failed += r->outcome == SWG_STEP_FAILED;
        a->report->unused += r->outcome == SWG_STEP_UNUSED;
        return;
    }
    if (r->outcome != SWG_STEP_OK)
        return;
    if (l && l->settled && r->epoch == c->epoch)
        p->repeated++;
    else
        p->foreign++;
}

/* I1: of this period; and of those before, unless the configuration was another then. */
void take_grant(struct assertion *a, const struct swg_step_grant *g)
{
    struct book *b = books_of(&a->books, g->circuit);
    int64_t most = limit_of(a, g->circuit, SWG_CFG_PROBES);
    int64_t rev = circuit_in(a->after, g->circuit)->rev;
    long own = 0, others = 0;

    if (g->count <= 0)
        return;
    for (long i = 0; i < b->leases; i++) {
        const struct lease_note *l = &b->lease[i];

        own += lease_live(l, a->now) && l->epoch == g->epoch;
        others += lease_live(l, a->now) && l->epoch != g->epoch && l->rev == rev;
    }
    if (own + others + g->count > most)
        VIOLATED("I1", g->circuit,
                 "%d permits granted while %ld leases live of this half-open period and %ld of "
                 "others: %" PRId64 " probes are allowed",
                 g->count, own, others, most);
    if (own + others + g->count > a->report->live_most)
        a->report->live_most = own + others + g->count;
    a->report->granted += g->count;
    book_grant(b, g, a->reporter, a->now, rev);
}
