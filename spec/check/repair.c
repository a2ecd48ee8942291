/* A reply that does not fit: what else may have happened? In this order: two exchanges ran the
 * other way round; one without a reply ran; where it is allowed, the shard was lost or is an
 * earlier one. One such change, then two together, each within the last WINDOW steps. */
#include "explain.h"

#include "fleet/step_internal.h"

#include <stdlib.h>
#include <string.h>

enum { TIMES = 12, PLACES = 6, AHEAD = 8, FAR = 4, SILENT = 24, SAMPLES = 24 };

static bool search(struct explainer *e, const struct tail *t, int first, int depth);

/* Do the steps give every reply from the first change on? */
static bool verify(struct explainer *e, const struct tail *t)
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

/* With the change at `at`; another one comes no earlier than `first`. */
static bool attempt(struct explainer *e, struct tail *t, int at, int first, int depth)
{
    t->changed = at < t->changed ? at : t->changed;
    if (verify(e, t)) {
        commit(e, t);
        return true;
    }
    return depth > 1 && e->budget > 0 && search(e, t, first, depth - 1);
}

static void insert(struct tail *t, int at, const struct step *s)
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
            if (attempt(e, &changed, to, to > 0 ? to : 1, depth))
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
        insert(&changed, t->n - 1, &s);
        if (attempt(e, &changed, t->n - 1, t->n - 1, depth))
            return true;
    }
    return false;
}

/* ---- without a reply ---- */

static const struct swg_step_view *seen_view(const struct answer *a, const struct exchange *x,
                                             int *at)
{
    for (; a && *at < a->views; (*at)++) {
        const struct swg_step_view *v = &a->view[*at];
        bool named = x->kind == EXCHANGE_ADMIN && strcmp(x->order->circuit, v->circuit) == 0;

        for (int i = 0; i < x->entries; i++)
            named = named || strcmp(x->entry[i].circuit, v->circuit) == 0;
        if (named) {
            (*at)++;
            return v;
        }
    }
    return NULL;
}

/* Times at which it may have run, likely ones first. Others than these are told apart from them
 * only by what expires in between. */
static int times_of(const struct tail *t, const struct step *s, int at, int64_t times[TIMES])
{
    const struct exchange *stuck = t->step[t->n - 1].x;
    int64_t high = t->step[at].now, low = at > 0 ? t->step[at - 1].now : high - 1000000;
    const struct swg_step_view *v;
    int n = 0, row = 0, kept = 0;

    while (n < TIMES - 3 && (v = seen_view(stuck->answer, s->x, &row))) {
        int64_t minted = (v->epoch / 4096 + SWG_STEP_MS_2024) * 1000;

        times[n++] = minted > low ? minted : low;
    }
    times[n++] = high - (t->step[at].x->sent_ns - s->x->sent_ns) / 1000;
    times[n++] = high > low ? high - 1 : high;
    times[n++] = high > low ? low + 1 : low;
    for (int i = 0; i < n; i++) {
        bool again = times[i] < low || times[i] > high;

        for (int k = 0; k < kept; k++)
            again = again || times[k] == times[i];
        if (!again)
            times[kept++] = times[i];
    }
    return kept;
}

/* Puts a step where its time belongs; returns its place. */
static int settle_place(struct tail *t, int at)
{
    struct step s = t->step[at];

    for (; at > 0 && t->step[at - 1].kind == STEP_RUN && t->step[at - 1].now > s.now; at--)
        t->step[at] = t->step[at - 1];
    for (; at < t->n - 2 && t->step[at + 1].kind == STEP_RUN && t->step[at + 1].now < s.now; at++)
        t->step[at] = t->step[at + 1];
    t->step[at] = s;
    return at;
}

/* A step without a reply at a time that was guessed: if a reply then is off by some time, once more
 * with that corrected. */
static bool attempt_timed(struct explainer *e, struct tail *t, int at, int depth)
{
    struct tail corrected = *t;
    int place;

    t->changed = at < t->changed ? at : t->changed;
    if (!verify(e, t) && e->run->model->late != 0) {
        corrected.step[at].now += e->run->model->late;
        corrected.changed = t->changed;
        place = settle_place(&corrected, at);
        if (attempt(e, &corrected, place, at + 1, 1))
            return true;
    }
    return attempt(e, t, at, at + 1, depth);
}

/* One that was taken to have run may have run a little earlier or later: what it began ends so. */
static bool try_times_of(struct explainer *e, const struct tail *t, int at, int depth)
{
    int64_t low = t->step[at - 1].now, high = t->step[at + 1].now;

    for (int64_t i = 0; i <= SAMPLES; i++) {
        struct tail changed = *t;

        changed.step[at].now = low + (high - low) * i / SAMPLES;
        if (attempt_timed(e, &changed, at, depth))
            return true;
    }
    return false;
}

static bool try_times(struct explainer *e, const struct tail *t, int first, int depth)
{
    for (int at = t->n - 2; at >= first && at > 0; at--) {
        if (t->step[at].kind == STEP_RUN && t->step[at].x->outcome == EXCHANGE_SILENT &&
            try_times_of(e, t, at, depth))
            return true;
    }
    return false;
}

static bool try_at(struct explainer *e, const struct tail *t, const struct exchange *x, int at,
                   int depth)
{
    const char *servers[2] = {t->step[at].server, at > 0 ? t->step[at - 1].server : NULL};

    for (int k = 0; k < 2 && servers[k]; k++) {
        struct step s = {.kind = STEP_RUN, .x = x, .server = servers[k]};
        int64_t times[TIMES];
        int n;

        if (k == 1 && strcmp(servers[0], servers[1]) == 0)
            return false;
        n = times_of(t, &s, at, times);
        for (int i = 0; i < n; i++) {
            struct tail changed = *t;

            s.now = times[i];
            insert(&changed, at, &s);
            if (attempt_timed(e, &changed, at, depth))
                return true;
        }
    }
    return false;
}

static bool in_tail(const struct tail *t, const struct exchange *x)
{
    for (int i = 0; i < t->n; i++) {
        if (t->step[i].x == x)
            return true;
    }
    return false;
}

/* Most ran as soon as they were sent; one to a server that hung may have run just now. */
static bool try_silent(struct explainer *e, const struct tail *t, int first, int depth)
{
    const struct shard_run *run = e->run;
    const struct exchange *stuck = t->step[t->n - 1].x;
    int tried = 0;

    for (long i = run->silents - 1; i >= 0 && tried < SILENT; i--) {
        const struct exchange *x = run->silent[i];
        int at = first;

        if (x->sent_ns > stuck->answered_ns || x->settled || in_tail(t, x))
            continue;
        tried++;
        while (at < t->n - 1 &&
               (t->step[at].kind != STEP_RUN || t->step[at].x->answered_ns < x->sent_ns))
            at++;
        for (int k = 0; k < PLACES && at + k < t->n; k++) {
            if (t->step[at + k].kind == STEP_RUN && try_at(e, t, x, at + k, depth))
                return true;
        }
        if (at + PLACES < t->n && try_at(e, t, x, t->n - 1, depth))
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
        insert(&changed, at, &s);
    else
        changed.step[at] = s;
    return attempt(e, &changed, at, at + 1, depth);
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
    return try_moves(e, t, first, depth) || try_ahead(e, t, depth) ||
           try_times(e, t, first, depth) || try_silent(e, t, first, depth) ||
           (e->run->allow && try_jumps(e, t, first, depth));
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
    bool found = false;

    load(e, &t);
    e->budget = BUDGET;
    for (int depth = 1; !found && depth <= 2 && e->budget > 0; depth++)
        found = search(e, &t, 0, depth);
    for (int i = 0; i < t.n; i++)
        free(e->before[i]);
    return found;
}
