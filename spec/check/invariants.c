/* The second pass: over the order that was found, what was said is held against I1 ... I13. Numbers
 * of limits come from the configuration, judgments of time from the step function's state; who was
 * granted what, who told of trouble and what came back is counted here, in books of our own. */
#include "books.h"
#include "checker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct assertion {
    struct shard_run *run;
    struct report *report;
    struct books books;
    struct swg_step_shard *before, *after, *again;
    const struct step *step; /* at hand */
    const struct exchange *x;
    int64_t now;
    int reporter;
    bool explained; /* else `after` is not what happened */
};

static const struct swg_step_circuit unborn; /* closed, epoch 0, never heard of */

static const struct swg_step_circuit *circuit_in(struct swg_step_shard *shard, const char *name)
{
    const struct swg_step_circuit *c = shard_circuit(shard, name);

    return c ? c : &unborn;
}

static int64_t limit(struct assertion *a, const char *circuit, int which)
{
    return circuit_in(a->after, circuit)->config.v[which];
}

#define VIOLATED(rule, circuit, ...)                                                               \
    report_add(a->report, VIOLATION, rule, a->x, circuit, __VA_ARGS__)

/* ---- probes ---- */

/* I2, I3: at most once, and only in its period. */
static void take_result(struct assertion *a, struct book *b, const struct swg_step_result *r)
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
static void take_grant(struct assertion *a, const struct swg_step_grant *g)
{
    struct book *b = books_of(&a->books, g->circuit);
    int64_t most = limit(a, g->circuit, SWG_CFG_PROBES);
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

/* ---- transitions ---- */

static const char *state_name(int state)
{
    static const char *const names[] = {"closed", "open", "half-open", "forced open", "disabled"};

    return names[state];
}

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
    int64_t quorum = limit(a, b->circuit, SWG_CFG_QUORUM);
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
    int64_t need = limit(a, b->circuit, SWG_CFG_NEED);
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
    else if (a->now < from->until && from->until <= a->now + limit(a, b->circuit, SWG_CFG_OPEN_MAX))
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
static void transitions_made(struct assertion *a)
{
    for (int i = 0; i < SWG_STEP_CIRCUITS && a->after->circuit[i].used; i++) {
        const struct swg_step_circuit *to = &a->after->circuit[i];

        if (to->known && to->epoch != circuit_in(a->before, to->name)->epoch)
            transition(a, to->name, to->epoch, to->state);
    }
}

/* Of a reply that nothing explains: what it says happened. */
static void transitions_said(struct assertion *a)
{
    const struct answer *answer = a->x->answer;

    for (int i = 0; answer && i < answer->views; i++) {
        const struct swg_step_view *v = &answer->view[i];

        if (v->epoch != circuit_in(a->before, v->circuit)->epoch)
            transition(a, v->circuit, v->epoch, v->state);
    }
}

/* ---- what replies say ---- */

static void take_view(struct assertion *a, const struct swg_step_view *v)
{
    struct book *b = books_of(&a->books, v->circuit);
    const struct swg_step_circuit *held = circuit_in(a->before, v->circuit);
    int was = v->epoch > 0 ? book_epoch(b, v->epoch, v->state) : -1;

    if (was < 0 && held->epoch == v->epoch)
        was = held->state;
    if (was >= 0 && was != v->state)
        VIOLATED("epoch", v->circuit, "epoch %" PRId64 " is %s, and was %s", v->epoch,
                 state_name(v->state), state_name(was));
    if (strcmp(b->server, a->step->server) == 0 && v->epoch < b->latest && v->epoch > 0)
        VIOLATED("epoch", v->circuit, "epoch %" PRId64 " after %" PRId64 " on one server", v->epoch,
                 b->latest);
    memcpy(b->server, a->step->server, sizeof b->server);
    b->latest = v->epoch;
}

static void take_reply(struct assertion *a)
{
    const struct answer *answer = a->x->answer;
    const struct swg_step_reply *reply = &a->run->model->reply;

    if (a->x->kind == EXCHANGE_ADMIN)
        return;
    for (int i = 0; answer && i < answer->views; i++)
        take_view(a, &answer->view[i]);
    for (int i = 0; answer && i < answer->grants; i++)
        take_grant(a, &answer->grant[i]);
    for (int i = 0; !answer && i < reply->grants; i++)
        take_grant(a, &reply->grant[i]); /* nobody heard, but the server counts them */
}

static void take_request(struct assertion *a)
{
    a->reporter = *a->x->reporter ? books_reporter(&a->books, a->x->reporter) : -1;
    for (int i = 0; i < a->x->entries; i++) {
        const struct swg_step_entry *e = &a->x->entry[i];
        struct book *b = books_of(&a->books, e->circuit);

        for (int k = 0; k < e->results; k++)
            take_result(a, b, &e->result[k]);
        book_say(b, e, a->reporter);
    }
}

/* ---- I13 ---- */

/* More reports ran out than one call takes away: the next one goes on with it. */
static bool unswept(const struct swg_step_circuit *c, int64_t now)
{
    for (int i = 0; i < SWG_STEP_REPORTERS; i++) {
        if (c->rec[i].used && c->rec[i].expiry <= now)
            return true;
    }
    return false;
}

/* The sweep of idle circuits goes on, and may come by on the second call. */
static bool unchanged(const struct swg_step_circuit *c, const struct swg_step_circuit *again,
                      int64_t now)
{
    if (memcmp(c, again, sizeof *c) == 0 || unswept(c, now))
        return true;
    return c->known && !again->known;
}

static void repeat(struct assertion *a)
{
    struct model *m = a->run->model;

    if (a->x->kind == EXCHANGE_ADMIN)
        return;
    shard_copy(a->again, a->after);
    model_run(m, a->again, a->x, a->now, a->step->server);
    for (int i = 0; i < SWG_STEP_CIRCUITS && a->after->circuit[i].used; i++) {
        const struct swg_step_circuit *c = &a->after->circuit[i];

        if (!unchanged(c, &a->again->circuit[i], a->now))
            VIOLATED("I13", c->name, "the same request once more changes it");
    }
    for (int i = 0; i < m->reply.grants; i++) {
        if (m->reply.grant[i].count > 0)
            VIOLATED("I13", m->reply.grant[i].circuit, "the same request once more is granted %d",
                     m->reply.grant[i].count);
    }
}

/* ---- the walk ---- */

static void jumped(struct assertion *a, const struct step *s, long at)
{
    bool fresh = s->kind == STEP_FRESH;

    a->report->went_fresh += fresh;
    a->report->went_back += !fresh;
    if (fresh)
        report_add(a->report, NOTE, "fresh", s->x, NULL, "assumed: the shard was lost before this");
    else
        report_add(a->report, NOTE, "rollback", s->x, NULL,
                   "assumed: the shard went back by %ld exchanges before this", at - s->target);
    for (long i = 0; i < a->books.count; i++)
        book_went_back(&a->books.book[i]);
}

static void look(struct assertion *a, const struct step *s)
{
    a->step = s;
    a->x = s->x;
    a->now = s->now;
    take_request(a);
    if (a->explained)
        transitions_made(a);
    else
        transitions_said(a);
    take_reply(a);
}

static void walk(struct assertion *a)
{
    struct history *h = &a->run->history;

    a->explained = true;
    for (long i = 0; i < h->count; i++) {
        const struct step *s = &h->step[i];

        shard_copy(a->before, a->after);
        history_run(h, s, a->after);
        if (s->kind != STEP_RUN) {
            jumped(a, s, i);
            continue;
        }
        if (s->x->outcome == EXCHANGE_SILENT) {
            a->report->inserted++;
            report_add(a->report, NOTE, "silent", s->x, NULL, "it ran, though no reply came");
        }
        look(a, s);
        repeat(a);
    }
}

static void walk_into(struct assertion *a, const struct exchange *x)
{
    struct step s = {.kind = STEP_RUN, .x = x, .now = x->now};

    s.server = x->answer ? x->answer->server : x->asked_server;
    shard_copy(a->before, a->after);
    history_run(&a->run->history, &s, a->after);
    a->explained = false;
    look(a, &s);
    VIOLATED("reply", NULL, "%s", a->run->why);
    a->report->unchecked += a->run->items - a->run->stuck - 1;
}

static void at_the_end(struct assertion *a)
{
    const struct shard_run *run = a->run;

    for (int i = 0; run->items > 0 && i < SWG_STEP_CIRCUITS; i++) {
        const struct swg_step_circuit *c = &a->after->circuit[i];

        if (c->used && c->state == SWG_STEP_HALF)
            report_add(a->report, WARNING, "I5", run->item[run->items - 1], c->name,
                       "still half-open where the recording ends");
    }
}

void assert_invariants(struct shard_run *run)
{
    struct assertion a = {.run = run, .report = run->report};

    a.before = calloc(1, sizeof *a.before);
    a.after = calloc(1, sizeof *a.after);
    a.again = calloc(1, sizeof *a.again);
    walk(&a);
    if (run->stuck >= 0)
        walk_into(&a, run->item[run->stuck]);
    else
        at_the_end(&a);
    books_free(&a.books);
    free(a.before);
    free(a.after);
    free(a.again);
}
