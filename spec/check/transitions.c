/* From one epoch to the next: by what right. */
#include "invariants.h"

#include <inttypes.h>
#include <string.h>

/* Did the request come from somebody with a later history? Then the server goes along. */
static bool claimed(const struct assertion *a, const struct swg_step_circuit *from)
{
    for (int i = 0; i < a->x->entries; i++) {
        const struct swg_step_entry *e = &a->x->entry[i];

        if (strcmp(e->circuit, from->name) == 0)
            return e->epoch > from->epoch;
    }
    return false;
}

static void check_trip(struct assertion *a, struct book *b, const struct swg_step_circuit *from)
{
    int64_t quorum = limit_of(a, b->circuit, SWG_CFG_QUORUM);
    long same = book_troubled(b, from->epoch), other = book_misled(b, from->epoch);

    if (same >= quorum)
        return;
    if (same + other >= quorum)
        VIOLATED("I6", b->circuit,
                 "opened on %ld reporters with trouble under its epoch %" PRId64
                 " and %ld under others: the quorum is %" PRId64,
                 same, from->epoch, other, quorum);
    else
        VIOLATED("I10", b->circuit, "opened on %ld reporters with trouble: the quorum is %" PRId64,
                 same, quorum);
}

static void check_close(struct assertion *a, struct book *b, const struct swg_step_circuit *from)
{
    int64_t need = limit_of(a, b->circuit, SWG_CFG_NEED);
    const struct period *p;

    if (from->state == SWG_STEP_DISABLED && a->now >= from->until)
        return;
    if (from->state != SWG_STEP_HALF) {
        VIOLATED("I4", b->circuit, "closed from %s", state_name(from->state));
        return;
    }
    p = book_period(b, from->epoch);
    if (p->passed >= need)
        return;
    VIOLATED(p->passed + p->repeated >= need                ? "I2"
             : p->passed + p->repeated + p->foreign >= need ? "I3"
                                                            : "I4",
             b->circuit,
             "closed on %ld passed probes of %" PRId64 " needed (%ld told again, %ld of other "
             "periods or without a live lease)",
             p->passed, need, p->repeated, p->foreign);
}

static void check_half(struct assertion *a, struct book *b, const struct swg_step_circuit *from)
{
    bool timed = from->state == SWG_STEP_OPEN || from->state == SWG_STEP_FORCED;

    if (!timed)
        VIOLATED("I4", b->circuit, "half-open from %s", state_name(from->state));
    else if (a->now < from->until &&
             from->until <= a->now + limit_of(a, b->circuit, SWG_CFG_OPEN_MAX))
        VIOLATED("I12", b->circuit, "half-open %" PRId64 " us before its time",
                 from->until - a->now);
}

static void judge_transition(struct assertion *a, struct book *b,
                             const struct swg_step_circuit *from, int to)
{
    if (to == SWG_STEP_OPEN && from->state == SWG_STEP_CLOSED)
        check_trip(a, b, from);
    if (to == SWG_STEP_OPEN && from->state == SWG_STEP_FORCED && a->now < from->until)
        VIOLATED("I12", b->circuit, "forced open no more %" PRId64 " us before its time",
                 from->until - a->now);
    if (to == SWG_STEP_CLOSED)
        check_close(a, b, from);
    if (to == SWG_STEP_HALF)
        check_half(a, b, from);
}

static void transition(struct assertion *a, const char *circuit, int64_t epoch, int state)
{
    const struct swg_step_circuit *known = circuit_in(a->before, circuit);
    struct swg_step_circuit from = *known;
    struct book *b = books_of(&a->books, circuit);
    bool ordered = a->x->kind == EXCHANGE_ADMIN;

    memcpy(from.name, b->circuit, sizeof from.name);
    a->report->transitions++;
    a->report->periods += state == SWG_STEP_HALF;
    if (epoch <= from.epoch)
        VIOLATED("epoch", circuit, "%s under epoch %" PRId64 " after epoch %" PRId64,
                 state_name(state), epoch, from.epoch);
    if (!ordered && !claimed(a, &from))
        judge_transition(a, b, &from, state);
    book_turn(b);
}
void transitions_made(struct assertion *a)
{
    for (int i = 0; i < SWG_STEP_CIRCUITS && a->after->circuit[i].used; i++) {
        const struct swg_step_circuit *to = &a->after->circuit[i];

        if (to->known && to->epoch != circuit_in(a->before, to->name)->epoch)
            transition(a, to->name, to->epoch, to->state);
    }
}

/* Of a reply that nothing explains: what it says happened. */
void transitions_said(struct assertion *a)
{
    const struct answer *answer = a->x->answer;

    for (int i = 0; answer && i < answer->views; i++) {
        const struct swg_step_view *v = &answer->view[i];

        if (v->epoch != circuit_in(a->before, v->circuit)->epoch)
            transition(a, v->circuit, v->epoch, v->state);
    }
}
