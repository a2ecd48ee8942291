/* Requests without a reply: which of them ran, where, and when. */
#include "explain.h"

#include "fleet/step_internal.h"

#include <string.h>

enum { TIMES = 24, PLACES = 6, SILENT = 24, SAMPLES = 24 };

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

/* A step at this place does not run before this. */
static int64_t earliest(const struct tail *t, int at)
{
    return at > 0 && t->step[at - 1].kind == STEP_RUN ? t->step[at - 1].now
                                                      : t->step[at].now - 1000000;
}

/* Times at which it may have run, likely ones first. Others than these are told apart from them
 * only by what expires in between. */
static int times_of(const struct tail *t, const struct step *s, int at, int64_t times[TIMES])
{
    const struct exchange *stuck = t->step[t->n - 1].x;
    int64_t high = t->step[at].now, low = earliest(t, at);
    const struct swg_step_view *v;
    int n = 0, row = 0, kept = 0;

    while (n < TIMES - 6 && (v = seen_view(stuck->answer, s->x, &row))) {
        int64_t minted = (v->epoch / 4096 + SWG_STEP_MS_2024) * 1000;

        times[n++] = minted > low ? minted : low;
        times[n++] = minted + 500;
        times[n++] = minted + 999;
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
    if (!tail_fits(e, t) && e->run->model->late != 0) {
        corrected.step[at].now += e->run->model->late;
        corrected.changed = t->changed;
        place = settle_place(&corrected, at);
        if (tail_attempt(e, &corrected, place, at + 1, 1))
            return true;
    }
    return tail_attempt(e, t, at, at + 1, depth);
}

/* One that was taken to have run may have run a little earlier or later: what it began ends so. */
static bool try_times_of(struct explainer *e, const struct tail *t, int at, int depth)
{
    int64_t low = earliest(t, at), high = t->step[at + 1].now;

    for (int64_t i = -1; i <= SAMPLES; i++) {
        struct tail changed = *t;

        if (i >= 0) /* first as it is: the reply may tell by how much it is off */
            changed.step[at].now = low + (high - low) * i / SAMPLES;
        if (attempt_timed(e, &changed, at, depth))
            return true;
    }
    return false;
}

bool try_times(struct explainer *e, const struct tail *t, int first, int depth)
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
            tail_insert(&changed, at, &s);
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

/* Where it would have run had it run when it was sent. */
static int natural_place(const struct tail *t, const struct exchange *x)
{
    int at = 0;

    while (at < t->n - 1 &&
           (t->step[at].kind != STEP_RUN || t->step[at].x->answered_ns < x->sent_ns))
        at++;
    return at;
}

static bool try_places(struct explainer *e, const struct tail *t, const struct exchange *x, int at,
                       int depth)
{
    for (int k = 0; k < PLACES && at + k < t->n; k++) {
        if (t->step[at + k].kind == STEP_RUN && try_at(e, t, x, at + k, depth))
            return true;
    }
    return at + PLACES < t->n && try_at(e, t, x, t->n - 1, depth);
}

/* Most ran as soon as they were sent; one to a server that hung may have run just now. */
bool try_silent(struct explainer *e, const struct tail *t, int first, int depth)
{
    const struct shard_run *run = e->run;
    const struct exchange *stuck = t->step[t->n - 1].x;
    int tried = 0;

    for (long i = run->silents - 1; i >= 0 && tried < SILENT; i--) {
        const struct exchange *x = run->silent[i];
        int at = natural_place(t, x);

        if (x->sent_ns > stuck->answered_ns || x->settled || in_tail(t, x) || at + PLACES < first)
            continue;
        tried++;
        if (try_places(e, t, x, at > first ? at : first, depth))
            return true;
    }
    return false;
}

/* What was taken to have run did not: another one did. */
bool try_others(struct explainer *e, const struct tail *t, int depth)
{
    for (int at = t->n - 2; at >= 0; at--) {
        struct tail changed = *t;

        if (t->step[at].kind != STEP_RUN || t->step[at].x->outcome != EXCHANGE_SILENT)
            continue;
        changed.n--;
        memmove(&changed.step[at], &t->step[at + 1], (size_t)(t->n - at - 1) * sizeof *t->step);
        if (tail_attempt(e, &changed, at, 1, depth))
            return true;
    }
    return false;
}
