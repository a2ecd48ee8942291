/* A reply that does not fit: what else may have happened? In this order: two exchanges ran the
 * other way round; one without a reply ran; where it is allowed, the shard was lost or is an
 * earlier one. One such change, then two together, each within the last WINDOW steps. */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

enum { AHEAD = 8, FAR = 4 };

static bool search(struct explainer *e, const struct tail *t, int first, int depth);

bool tail_fits(struct explainer *e, const struct tail *t)
{
    struct history *h = &e->run->history;
    char why[WHY_MAX];

    e->run->model->late = 0;
    shard_restore(e->scratch, e->before[t->changed]);
    for (int at = t->changed; at < t->n; at++) {
        const struct step *s = &t->step[at];

        e->budget -= s->kind == STEP_BACK ? 32 : 1; /* a state to be made again */
        if (e->budget <= 0 || history_run(h, s, e->scratch) != SWG_STEP_DONE)
            return false;
        if (s->kind == STEP_RUN && s->x->outcome == EXCHANGE_ANSWERED &&
            !model_agrees(e->run->model, s->x, why))
            return false;
    }
    return true;
}

static void settle(const struct step *s, bool settled)
{
    if (s->kind == STEP_RUN)
        ((struct exchange *)s->x)->settled = settled;
}

static void commit(struct explainer *e, const struct tail *t)
{
    struct history *h = &e->run->history;

    for (long i = e->base; i < h->count; i++)
        settle(&h->step[i], false);
    history_cut(h, e->base);
    shard_restore(e->now, e->before[0]);
    for (int i = 0; i < t->n; i++) {
        history_run(h, &t->step[i], e->now);
        history_add(h, &t->step[i], e->now);
        settle(&t->step[i], true);
    }
}

bool tail_attempt(struct explainer *e, struct tail *t, int at, int first, int depth)
{
    t->changed = at < t->changed ? at : t->changed;
    if (tail_fits(e, t)) {
        commit(e, t);
        return true;
    }
    return depth > 1 && e->budget > 0 && search(e, t, first, depth - 1);
}

void tail_insert(struct tail *t, int at, const struct step *s)
{
    memmove(&t->step[at + 1], &t->step[at], (size_t)(t->n - at) * sizeof *t->step);
    t->step[at] = *s;
    t->n++;
}

/* ---- the other way round ---- */

/* Under way together, and the server's time does not speak against it. */
static bool may_precede(const struct step *s, const struct step *other)
{
    return s->kind == STEP_RUN && other->kind == STEP_RUN && s->now <= other->now &&
           !(other->x->answered_ns >= 0 && other->x->answered_ns < s->x->sent_ns);
}

static bool try_moves(struct explainer *e, const struct tail *t, int first, int depth)
{
    for (int from = t->n - 1; from > first; from--) {
        for (int to = from - 1; to >= first && to >= from - FAR; to--) {
            struct tail changed = *t;
            struct step moved = t->step[from];

            if (!may_precede(&moved, &t->step[to]))
                break;
            memmove(&changed.step[to + 1], &t->step[to], (size_t)(from - to) * sizeof moved);
            changed.step[to] = moved;
            if (tail_attempt(e, &changed, to, to > 0 ? to : 1, depth))
                return true;
        }
    }
    return false;
}

/* One of the next ran before. */
static bool try_ahead(struct explainer *e, const struct tail *t, int depth)
{
    struct shard_run *run = e->run;

    for (long i = e->next + 1; i < run->items && i <= e->next + AHEAD; i++) {
        struct step s = step_of(e, run->item[i]);
        struct tail changed = *t;

        if (run->item[i]->settled || !may_precede(&s, &t->step[t->n - 1]))
            continue;
        tail_insert(&changed, t->n - 1, &s);
        if (tail_attempt(e, &changed, t->n - 1, t->n - 1, depth))
            return true;
    }
    return false;
}

/* ---- the shard lost, or an earlier one ---- */

static bool try_jump(struct explainer *e, const struct tail *t, int at, struct step s, int depth)
{
    struct tail changed = *t;

    s.x = t->step[t->n - 1].x;
    if (t->step[at].kind == STEP_RUN)
        tail_insert(&changed, at, &s);
    else
        changed.step[at] = s;
    return tail_attempt(e, &changed, at, at + 1, depth);
}

static bool try_jumps_at(struct explainer *e, const struct tail *t, int at, int depth)
{
    long last = e->base + at, lowest = last > ROLLBACK ? last - ROLLBACK : 0;

    if (t->step[at].kind == STEP_BACK)
        last = t->step[at].target;
    if (depth > 1 && last - lowest > WINDOW)
        lowest = last - WINDOW;
    if ((e->run->allow & ALLOW_FRESH) &&
        try_jump(e, t, at, (struct step){.kind = STEP_FRESH}, depth))
        return true;
    if (!(e->run->allow & ALLOW_ROLLBACK))
        return false;
    for (long to = last - 1; to >= lowest && e->budget > 0; to--) {
        if (try_jump(e, t, at, (struct step){.kind = STEP_BACK, .target = to}, depth))
            return true;
    }
    return false;
}

static bool other_server(const struct explainer *e, const struct tail *t, int at)
{
    const char *was = at == 0 ? e->first_server : t->step[at - 1].server;

    return was && *was && t->step[at].server && strcmp(was, t->step[at].server) != 0;
}

/* Where the server changed, then anywhere near. Only as the first of two changes: what it goes back
 * to is a state of the history as it stands. */
static bool try_jumps(struct explainer *e, const struct tail *t, int first, int depth)
{
    if (first > 0)
        return false;
    for (int at = t->n - 1; at >= 0; at--) {
        if ((t->step[at].kind != STEP_RUN || other_server(e, t, at)) &&
            try_jumps_at(e, t, at, depth))
            return true;
    }
    for (int at = t->n - 1; at >= 0 && at >= t->n - AHEAD; at--) {
        if (t->step[at].kind == STEP_RUN && !other_server(e, t, at) &&
            try_jumps_at(e, t, at, depth))
            return true;
    }
    return false;
}

static bool search(struct explainer *e, const struct tail *t, int first, int depth)
{
    if (t->n + 2 >= WINDOW + 16)
        return false;
    return (depth > 1 && try_others(e, t, depth)) || try_moves(e, t, first, depth) ||
           try_ahead(e, t, depth) || try_times(e, t, first, depth) ||
           try_silent(e, t, first, depth) || (e->run->allow && try_jumps(e, t, first, depth));
}

/* The end of the history, but for what lies before the last jump: that is not reconsidered. */
static void load(struct explainer *e, struct tail *t)
{
    struct history *h = &e->run->history;

    e->base = h->count > WINDOW ? h->count - WINDOW : 0;
    for (long i = h->count - 1; i > e->base; i--) {
        if (h->step[i].kind != STEP_RUN)
            e->base = i;
    }
    t->n = 0;
    t->changed = WINDOW + 16;
    history_state(h, e->base, e->scratch);
    memcpy(e->first_server, e->scratch->server, sizeof e->first_server);
    for (long i = e->base; i < h->count; i++) {
        e->before[t->n] = shard_save(e->scratch);
        t->step[t->n++] = h->step[i];
        history_run(h, &h->step[i], e->scratch);
    }
    e->before[t->n] = shard_save(e->scratch);
    t->step[t->n++] = step_of(e, e->run->item[e->next]);
}

bool repair(struct explainer *e)
{
    struct tail t;
    bool found;

    load(e, &t);
    e->budget = BUDGET;
    found = search(e, &t, 0, 1);
    e->budget = BUDGET;
    if (!found && e->run->allow)
        found = try_jumps(e, &t, 0, 2);
    e->budget = BUDGET;
    found = found || search(e, &t, 0, 2);
    for (int i = 0; i < t.n; i++)
        free(e->before[i]);
    return found;
}
