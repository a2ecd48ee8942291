/* The fleet's own part of the story: what it decides, who hears of it when, and what happens to
 * Redis. */
#include "story.h"

#include "fleet_event.h"

#include <stdio.h>
#include <string.h>

/* ---- what the fleet decides ---------------------------------------------------------------- */

typedef struct view {
    const pending *first;
    unsigned calls, failures; /* of all who took it */
    char who[96];             /* "B first, A 4 ms, C 11 ms" */
} view;

static bool same_view(const pending *a, const pending *b)
{
    return b->event.scope == SWG_SCOPE_FLEET && a->member->world == b->member->world &&
           a->event.epoch == b->event.epoch;
}

static void add_member(view *v, const pending *p)
{
    size_t used = strlen(v->who);
    int64_t later_ns = p->event.at_ns - v->first->event.at_ns;
    v->calls += p->event.calls;
    v->failures += p->event.failures;
    if (used == 0)
        snprintf(v->who, sizeof v->who, "%c first", 'A' + p->member->index);
    else
        snprintf(v->who + used, sizeof v->who - used, ", %c %.0f ms", 'A' + p->member->index,
                 (double)later_ns / 1e6);
}

/* An instance that hears of it much later is told apart. */
static void gather(lab *l, int at, view *v)
{
    v->first = &l->pending[at];
    for (int i = at; i < l->pending_count; i++) {
        pending *p = &l->pending[i];
        if (p->told || !same_view(v->first, p))
            continue;
        p->told = true;
        add_member(v, p);
    }
}

static const char *why(char text[EVIDENCE_MAX], const view *v)
{
    const swg_event *e = &v->first->event;
    if (e->to == SWG_HALF_OPEN)
        snprintf(text, EVIDENCE_MAX, "the wait is over, probing");
    else if (e->from == SWG_HALF_OPEN && v->calls == 1)
        snprintf(text, EVIDENCE_MAX, "the probe %s", e->to == SWG_OPEN ? "failed" : "passed");
    else if (e->from == SWG_HALF_OPEN)
        snprintf(text, EVIDENCE_MAX, "%u of %u probes %s",
                 e->to == SWG_OPEN ? v->failures : v->calls - v->failures, v->calls,
                 e->to == SWG_OPEN ? "failed" : "passed");
    else if (e->to == SWG_CLOSED)
        snprintf(text, EVIDENCE_MAX, "closed");
    else
        evidence_text(text, e);
    return text;
}

void story_view(lab *l, int at)
{
    char reason[EVIDENCE_MAX], next[64];
    view v = {0};
    const out *o = &l->out;
    const swg_event *e = &l->pending[at].event;
    swg_state to = (swg_state)e->to;
    if (l->pending[at].told)
        return;
    gather(l, at, &v);
    story_what_next(next, sizeof next, e);
    out_line(&l->out, "%6.1f s  %s%s %s → %s%s: %s%s (%s%s)",
             (double)(e->at_ns - l->start_ns) / 1e9, out_paint(o, out_state_style(to, 0)),
             out_state_sign(to, 0), v.first->member->world->plan->name, out_state_word(to, 0),
             out_paint(o, OUT_PLAIN), why(reason, &v), next, v.who,
             strchr(v.who, ',') ? " later" : "");
}

/* Who went the same way about the same time is told in one line. */
void story_mode(lab *l, int at)
{
    char what[EVIDENCE_MAX], who[3 * STAGE_INSTANCES + 1] = "";
    const pending *first = &l->pending[at];
    const world *w = first->member->world;
    if (first->told)
        return;
    for (int i = at; i < l->pending_count; i++) {
        pending *p = &l->pending[i];
        size_t used = strlen(who);
        if (p->told || p->event.scope != SWG_SCOPE_FLEET_MODE || p->member->world != w ||
            p->event.to != first->event.to || used + 4 > sizeof who)
            continue;
        p->told = true;
        snprintf(who + used, sizeof who - used, "%s%c", used ? ", " : "", 'A' + p->member->index);
    }
    if (first->event.at_ns >= l->start_ns) /* joining is before the story begins */
        out_line(&l->out, "%6.1f s  · %s %s: %s", (double)(first->event.at_ns - l->start_ns) / 1e9,
                 w->plan->name, who, fleet_event_text(what, &first->event));
}

/* ---- what happens to Redis ----------------------------------------------------------------- */

static const char *const done[] = {
    "killed Redis (SIGKILL): it is gone", "froze Redis (SIGSTOP): connections stay, nobody answers",
    "thawed Redis: it answers again",     "restarted Redis, empty: it knows nothing",
    "cut the way to Redis of Instance-",  "mended all ways to Redis",
};

void story_redis(lab *l, const redis_order *order, bool by_somebody)
{
    const out *o = &l->out;
    const char letter[] = {(char)('A' + order->instance), '\0'};
    story_flush(l, INT64_MAX);
    if (l->json)
        story_emit(l, "redis",
                   json_pack("{s:s, s:s, s:b}", "action", redis_actions[order->action], "instance",
                             letter, "by_control_path", by_somebody));
    else
        story_tell(l, "%s✱ %s%s%s%s", out_paint(o, OUT_BOLD), by_somebody ? "somebody " : "",
                   done[order->action], order->action == REDIS_CUT ? letter : "",
                   out_paint(o, OUT_PLAIN));
}

static const char *const span_names[] = {"healthy", "frozen", "gone"};

static json_t *span_json(const world *w, const span *s)
{
    histogram all;
    span_latency(s, &all);
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "world", w->plan->name, "ms",
                     (json_int_t)(s->ended_ns - s->began_ns) / 1000000, "sent", (json_int_t)s->sent,
                     "answered", (json_int_t)s->classes[LOAD_ANSWERED].count, "rejected",
                     (json_int_t)s->classes[LOAD_REJECTED].count, "failed",
                     (json_int_t)s->classes[LOAD_FAILED].count, "lost",
                     (json_int_t)s->classes[LOAD_LOST].count, "p50_us",
                     (json_int_t)histogram_at(&all, 50) / 1000, "p99_us",
                     (json_int_t)histogram_at(&all, 99) / 1000);
}

static void print_span(lab *l, const world *w, const span *s)
{
    char sent[OUT_NUMBER_MAX], answered[OUT_NUMBER_MAX], p50[OUT_NUMBER_MAX], p99[OUT_NUMBER_MAX];
    histogram all;
    span_latency(s, &all);
    uint64_t not = s->classes[LOAD_REJECTED].count + s->classes[LOAD_FAILED].count +
                   s->classes[LOAD_LOST].count;
    out_line(&l->out,
             "            %-16s %7s calls: %7s answered, %llu failed or rejected; p50 %s, p99 %s",
             w->plan->name, out_count(sent, s->sent),
             out_count(answered, s->classes[LOAD_ANSWERED].count), (unsigned long long)not,
             out_latency(p50, histogram_at(&all, 50)), out_latency(p99, histogram_at(&all, 99)));
}

/* The world that has no Redis lived through the same seconds. */
void story_span(lab *l, lab_span which)
{
    char took[OUT_NUMBER_MAX];
    const span *first = &l->worlds[0].spans[which];
    json_t *list = json_array();
    if (!l->json)
        out_line(&l->out, "%s            in %s in which Redis was %s:%s",
                 out_paint(&l->out, OUT_DIM), out_seconds(took, first->ended_ns - first->began_ns),
                 span_names[which], out_paint(&l->out, OUT_PLAIN));
    for (int i = 0; i < l->world_count; i++) {
        const world *w = &l->worlds[i];
        if (l->json)
            json_array_append_new(list, span_json(w, &w->spans[which]));
        else
            print_span(l, w, &w->spans[which]);
    }
    if (l->json)
        story_emit(l, "span", json_pack("{s:s, s:O}", "redis", span_names[which], "worlds", list));
    json_decref(list);
}

void story_together(lab *l, const world *w)
{
    char took[OUT_NUMBER_MAX];
    story_flush(l, INT64_MAX);
    if (l->json)
        story_emit(l, "together",
                   json_pack("{s:s, s:I}", "world", w->plan->name, "after_ms",
                             (json_int_t)(w->together_ns - w->back_ns) / 1000000));
    else
        story_tell(l, "● %s is together again, %s after it could reach Redis", w->plan->name,
                   out_seconds(took, w->together_ns - w->back_ns));
}
