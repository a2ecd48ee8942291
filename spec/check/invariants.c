/* The second pass: over the order that was found. */
#include "invariants.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct swg_step_circuit unborn;

const struct swg_step_circuit *circuit_in(struct swg_step_shard *shard, const char *name)
{
    const struct swg_step_circuit *c = shard_circuit(shard, name);

    return c ? c : &unborn;
}

int64_t limit_of(struct assertion *a, const char *circuit, int which)
{
    return circuit_in(a->after, circuit)->config.v[which];
}

const char *state_name(int state)
{
    static const char *const names[] = {"closed", "open", "half-open", "forced open", "disabled"};

    return names[state];
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
