/* What happens in the story besides the outage: orders to Redis, the stretches in which calls are
 * counted apart, and the encore, which is made of both. */
#include "lab.h"

#include "story.h"

enum { MS = 1000000 };

/* ---- spans --------------------------------------------------------------------------------- */

void lab_next_phase(lab *l)
{
    l->load_phase++;
    lab_mark_phase(l);
}

void lab_span_begin(lab *l, lab_span which, int64_t now_ns)
{
    if (which != SPAN_HEALTHY) /* the first calls are marked so anyway */
        lab_next_phase(l);
    l->span = which;
    for (int i = 0; i < l->world_count; i++) {
        world *w = &l->worlds[i];
        w->spans[which] = (span){.phase = l->load_phase, .began_ns = now_ns};
        if (which == SPAN_HEALTHY)
            w->redis_begun = w->redis_counts;
    }
}

/* Told a little later, when its last calls have come back and been reported. */
void lab_span_end(lab *l, int64_t now_ns)
{
    enum { REPORTED_AFTER_MS = 450 };
    lab_next_phase(l);
    if (l->span == SPAN_NONE)
        return;
    for (int i = 0; i < l->world_count; i++) {
        world *w = &l->worlds[i];
        w->spans[l->span].ended_ns = now_ns;
        if (l->span == SPAN_HEALTHY) {
            w->redis_broken = w->redis_counts;
            w->naive_broken = w->naive_counts;
        }
    }
    l->span_ended = l->span;
    l->span_told_ns = now_ns + REPORTED_AFTER_MS * (int64_t)MS;
    l->span = SPAN_NONE;
}

void lab_span_step(lab *l, int64_t now_ns)
{
    if (l->span_told_ns == 0 || now_ns < l->span_told_ns)
        return;
    l->span_told_ns = 0;
    if (l->span_ended != SPAN_HEALTHY)
        story_span(l, l->span_ended);
}

/* ---- Redis --------------------------------------------------------------------------------- */

static bool is_quiet(const lab *l)
{
    return l->phase == LAB_HEALTHY || l->phase == LAB_FREE;
}

/* While all is well, what calls feel of it is counted. */
static void mark_span(lab *l, redis_action action, int64_t now_ns)
{
    bool back = action == REDIS_RESTART || action == REDIS_THAW;
    if (is_quiet(l) && action == REDIS_KILL)
        lab_span_begin(l, SPAN_GONE, now_ns);
    else if (is_quiet(l) && action == REDIS_FREEZE)
        lab_span_begin(l, SPAN_FROZEN, now_ns);
    else if (back && l->span != SPAN_HEALTHY && l->span != SPAN_NONE)
        lab_span_end(l, now_ns);
}

/* Without Redis there is no state, and the naive breaker lets all go. */
static void forget_naive(world *w)
{
    for (int i = 0; i < STAGE_INSTANCES && w->plan->redis == REDIS_FOR_NAIVE; i++)
        w->instances[i].state = SWG_CLOSED;
}

static bool tell_redis(world *w, const redis_order *order)
{
    json_t *answer;
    if (!w->redis.started || w->redis.dead)
        return true;
    if (!control_redis(w->redis.port, order, &answer))
        return false;
    w->redis_changes = (uint64_t)json_integer_value(json_object_get(answer, "changes"));
    json_decref(answer);
    return true;
}

static void note_order(world *w, redis_action action, int64_t asked_ns)
{
    bool back = action == REDIS_RESTART || action == REDIS_THAW || action == REDIS_HEAL;
    if (w->plan->redis != REDIS_FOR_FLEET)
        asked_ns = 0;
    if (w->back_ns || !w->away_ns)
        w->away_ns = asked_ns;
    w->back_ns = back && asked_ns ? swg_clock_ns() : 0; /* it has done so by now */
    w->anew = action == REDIS_RESTART;
    w->together_ns = 0;
    if (action == REDIS_KILL || action == REDIS_RESTART)
        forget_naive(w);
}

static bool is_with_redis(const world *w, const member *m)
{
    return m->dead ||
           (m->standing.mode == SWG_FLEET_FLEET && (!w->anew || m->joined_ns >= w->away_ns));
}

static int count_missed(const world *w)
{
    int count = 0;
    for (int i = 0; i < STAGE_INSTANCES; i++)
        count += w->instances[i].missed_ns >= w->away_ns;
    return count;
}

/* Whoever has not missed it yet may still do so, unless Redis has been back for long enough. */
void lab_notice_together(world *w, int64_t now_ns)
{
    enum { SURE_AFTER_MS = 1000 };
    int missed = count_missed(w);
    int64_t last_ns = w->back_ns;
    if (w->back_ns == 0 || w->together_ns || now_ns < w->back_ns)
        return;
    for (int i = 0; i < STAGE_INSTANCES; i++) {
        const member *m = &w->instances[i];
        if (!is_with_redis(w, m))
            return;
        last_ns = m->joined_ns > last_ns ? m->joined_ns : last_ns;
    }
    if (missed == 0 && !w->anew && now_ns < w->back_ns + SURE_AFTER_MS * (int64_t)MS)
        return;
    w->together_ns = last_ns;
    story_together(w->lab, w, missed);
}

static bool any_redis(const lab *l)
{
    for (int i = 0; i < l->world_count; i++)
        if (l->worlds[i].redis.started && !l->worlds[i].redis.dead)
            return true;
    return false;
}

void lab_redis(lab *l, int64_t now_ns, const redis_order *order, const world *but)
{
    if (!any_redis(l)) {
        story_note(l, "✗ no Redis is left to be told anything: its keeper is gone");
        return;
    }
    mark_span(l, order->action, now_ns);
    for (int i = 0; i < l->world_count; i++) {
        world *w = &l->worlds[i];
        if (w != but && !tell_redis(w, order)) {
            story_note(l, "Redis did not do as it was told");
            l->trouble = true;
        }
        note_order(w, order->action, now_ns);
    }
    story_redis(l, order, but != NULL);
}

void lab_redis_follow(lab *l, world *from, const redis_order *order)
{
    if (l->start_ns == 0)
        return;
    l->by_hand = !l->once;
    lab_redis(l, swg_clock_ns(), order, from);
}

/* ---- the encore ---------------------------------------------------------------------------- */

bool lab_encore_begin(lab *l, int64_t now_ns)
{
    if (l->encore || l->by_hand || l->stage->encore[0].kind == ACT_NONE)
        return false;
    l->encore = true;
    if (!l->json)
        out_line(&l->out, "%s", "");
    l->phase = LAB_HEALTHY;
    l->next_ns = now_ns + l->stage->encore[0].after_ms * MS;
    return true;
}

static void perform(lab *l, const stage_act *act, int64_t now_ns)
{
    switch (act->kind) {
    case ACT_BREAK:
        lab_break(l, now_ns, l->script.fault, l->script.rate_pct);
        break;
    case ACT_HEAL:
        lab_heal(l, now_ns);
        break;
    case ACT_REDIS:
        lab_redis(l, now_ns, &act->redis, NULL);
        break;
    case ACT_REST:
        lab_span_end(l, now_ns);
        break;
    default:
        break;
    }
}

void lab_encore_step(lab *l, int64_t now_ns)
{
    const stage_act *act = &l->stage->encore[l->act++];
    perform(l, act, now_ns);
    l->next_ns = act[1].kind == ACT_NONE ? INT64_MAX : now_ns + act[1].after_ms * MS;
}
