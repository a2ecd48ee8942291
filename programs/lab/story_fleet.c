/* The fleet's own part of the story: what it decides, who hears of it when, and what happens to
 * Redis. */
#include "story.h"

#include "fleet_event.h"
#include "paragraph.h"

#include <stdio.h>
#include <string.h>

/* ---- what the fleet decides ---------------------------------------------------------------- */

typedef struct view {
    const pending *first;
    unsigned calls, failures; /* of all who took it */
    int members;              /* who did */
    int own_closed;           /* that closed with it */
    char who[96];             /* "(B first, A 4 ms, C 11 ms" */
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
    v->members++;
    if (used == 0)
        snprintf(v->who, sizeof v->who, "(%c" GLUE "first", 'A' + p->member->index);
    else
        snprintf(v->who + used, sizeof v->who - used, "," GLUE "%c" GLUE "%.0f" GLUE "ms",
                 'A' + p->member->index, (double)later_ns / 1e6);
}

/* The fleet's closing closes a host's own breaker in the same moment. */
static void tell_own(lab *l, view *v, const pending *heard)
{
    for (int i = 0; i < l->pending_count; i++) {
        pending *p = &l->pending[i];
        if (p->member != heard->member || p->event.scope != SWG_SCOPE_HOST ||
            p->event.at_ns != heard->event.at_ns || p->event.cause != SWG_CAUSE_FLEET)
            continue;
        p->told = true;
        v->own_closed++;
    }
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
        tell_own(l, v, p);
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

/* One that was not with the others, for it had lost Redis, is told what they decided. */
static void tell_late(lab *l, const pending *p)
{
    char next[64];
    const out *o = &l->out;
    swg_state to = (swg_state)p->event.to;
    story_what_next(next, sizeof next, p->member->world, &p->event);
    story_tell_at(l, p->event.at_ns, "%s%s %s → %s%s at %c too%s",
                  out_paint(o, out_state_style(to, 0)), out_state_sign(to, 0),
                  p->member->world->plan->name, out_state_word(to, 0), out_paint(o, OUT_PLAIN),
                  'A' + p->member->index, next);
}

void story_view(lab *l, int at)
{
    char reason[EVIDENCE_MAX], next[64];
    view v = {0};
    const out *o = &l->out;
    const swg_event *e = &l->pending[at].event;
    world *w = l->pending[at].member->world;
    swg_state to = (swg_state)e->to;
    if (l->pending[at].told)
        return;
    if (e->epoch == w->told_epoch) {
        tell_late(l, &l->pending[at]);
        return;
    }
    w->told_epoch = e->epoch;
    gather(l, at, &v);
    story_what_next(next, sizeof next, w, e);
    story_tell_at(l, e->at_ns, "%s%s %s → %s%s: %s%s%s %s%s)", out_paint(o, out_state_style(to, 0)),
                  out_state_sign(to, 0), w->plan->name, out_state_word(to, 0),
                  out_paint(o, OUT_PLAIN), why(reason, &v),
                  v.own_closed ? ", own breakers with it" : "", next, v.who,
                  v.members > 1 ? GLUE "later" : "");
}

/* Who went the same way about the same time is told in one line. */
void story_mode(lab *l, int at)
{
    char what[EVIDENCE_MAX], who[3 * STAGE_INSTANCES + 1] = "";
    const pending *first = &l->pending[at];
    const world *w = first->member->world;
    bool went[STAGE_INSTANCES] = {false};
    if (first->told)
        return;
    for (int i = at; i < l->pending_count; i++) {
        pending *p = &l->pending[i];
        if (p->told || p->event.scope != SWG_SCOPE_FLEET_MODE || p->member->world != w ||
            p->event.to != first->event.to || went[p->member->index])
            continue;
        p->told = went[p->member->index] = true;
    }
    for (int i = 0; i < STAGE_INSTANCES; i++)
        if (went[i])
            snprintf(who + strlen(who), sizeof who - strlen(who), "%s%c", *who ? ", " : "",
                     'A' + i);
    if (first->event.at_ns >= l->start_ns) /* joining is before the story begins */
        story_tell_at(l, first->event.at_ns, "· %s %s: %s", w->plan->name, who,
                      fleet_event_text(what, &first->event));
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
    char sent[OUT_NUMBER_MAX], p50[OUT_NUMBER_MAX], p99[OUT_NUMBER_MAX], fate[64], text[256];
    histogram all;
    span_latency(s, &all);
    uint64_t not = s->classes[LOAD_REJECTED].count + s->classes[LOAD_FAILED].count +
                   s->classes[LOAD_LOST].count;
    snprintf(fate, sizeof fate, not ? "%llu failed or rejected" : "all answered",
             (unsigned long long)not );
    snprintf(text, sizeof text, "%*s%-16s %7s calls, %s; p50 %s, p99 %s", STORY_INDENT, "",
             w->plan->name, out_count(sent, s->sent), fate,
             out_latency(p50, histogram_at(&all, 50)), out_latency(p99, histogram_at(&all, 99)));
    paragraph(&l->out, STORY_INDENT, text);
}

/* The world that has no Redis lived through the same seconds. */
void story_span(lab *l, lab_span which)
{
    char took[OUT_NUMBER_MAX];
    const span *first = &l->worlds[0].spans[which];
    json_t *list = json_array();
    if (!l->json)
        out_line(&l->out, "%s%*sRedis was %s for %s, and all else well:%s",
                 out_paint(&l->out, OUT_DIM), STORY_INDENT, "", span_names[which],
                 out_seconds(took, first->ended_ns - first->began_ns),
                 out_paint(&l->out, OUT_PLAIN));
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

void story_together(lab *l, const world *w, int missed)
{
    char took[OUT_NUMBER_MAX];
    out_seconds(took, w->together_ns - w->back_ns);
    story_flush(l, INT64_MAX);
    if (l->json)
        story_emit(l, "together",
                   json_pack("{s:s, s:I, s:i}", "world", w->plan->name, "after_ms",
                             (json_int_t)(w->together_ns - w->back_ns) / 1000000, "missed_by",
                             missed));
    else if (missed == STAGE_INSTANCES)
        story_tell(l, "● %s is together again, %s after Redis was back", w->plan->name, took);
    else if (missed)
        story_tell(l, "● %s is together again, %s after Redis was back (%d of %d had missed it)",
                   w->plan->name, took, missed, STAGE_INSTANCES);
    else if (w->anew)
        story_tell(l,
                   "● %s: nobody had missed Redis, so soon was it back; %s later it knew again "
                   "what all know",
                   w->plan->name, took);
    else
        story_tell(l, "● %s: nobody had missed Redis, so soon was it back", w->plan->name);
}
