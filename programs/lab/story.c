#include "story.h"

#include "fleet_event.h"
#include "paragraph.h"
#include "part.h"
#include "profile.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SECOND = 1000000000 };

double story_seconds(const lab *l)
{
    return l->start_ns ? (double)(swg_clock_ns() - l->start_ns) / 1e9 : 0;
}

void story_emit(lab *l, const char *type, json_t *object)
{
    part p = {.out = l->out, .json = true};
    json_object_set_new(object, "schema", json_string("switchgear.lab/1"));
    json_object_set_new(object, "type", json_string(type));
    json_object_set_new(object, "at_ms", json_integer((json_int_t)(story_seconds(l) * 1000)));
    part_json(&p, object);
}

static void tell(lab *l, double at_s, const char *format, va_list list)
{
    char text[OUT_LINE_MAX];
    int used = snprintf(text, sizeof text, "%6.1f s  ", at_s);
    vsnprintf(text + used, sizeof text - (size_t)used, format, list);
    paragraph(&l->out, STORY_INDENT, text);
}

void story_tell(lab *l, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    tell(l, story_seconds(l), format, list);
    va_end(list);
}

void story_tell_at(lab *l, int64_t at_ns, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    tell(l, (double)(at_ns - l->start_ns) / 1e9, format, list);
    va_end(list);
}

/* ---- beginning ----------------------------------------------------------------------------- */

static void print_cast(lab *l)
{
    for (int i = 0; i < l->world_count; i++) {
        const stage_world *plan = l->worlds[i].plan;
        out_line(&l->out, "  %-17s service %u, instances %u to %u", plan->name,
                 lab_service_port(l, plan), lab_instance_port(l, plan, 0),
                 lab_instance_port(l, plan, STAGE_INSTANCES - 1));
    }
}

void story_begin(lab *l)
{
    char circuit[PROFILE_TEXT_MAX], text[OUT_LINE_MAX];
    out *o = &l->out;
    if (l->json) {
        story_emit(l, "begin",
                   json_pack("{s:s, s:I, s:I, s:I, s:i}", "stage", l->stage->name, "seed",
                             (json_int_t)l->seed, "calls_per_s", (json_int_t)l->script.calls_per_s,
                             "timeout_ms", (json_int_t)l->script.timeout_ms, "worlds",
                             l->world_count));
        return;
    }
    snprintf(text, sizeof text, "%sswitchgear lab %s: %s%s", out_paint(o, OUT_BOLD), l->stage->name,
             l->stage->title, out_paint(o, OUT_PLAIN));
    paragraph(o, 2, text);
    snprintf(text, sizeof text,
             "  %s\n  Each circuit: %s.\n  %lld calls/s in each world; instances give the service "
             "%lld ms. Seed %llu.",
             l->stage->story, profile_text(circuit, &l->config), (long long)l->script.calls_per_s,
             (long long)l->script.timeout_ms, (unsigned long long)l->seed);
    for (char *rest, *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        paragraph(o, 2, line);
    print_cast(l);
    out_line(o, "%s", "");
}

void story_healthy(lab *l)
{
    if (l->json)
        story_emit(l, "healthy", json_object());
    else
        story_tell(l, "● all is well: three instances, one service, load is on");
}

/* ---- the outage ---------------------------------------------------------------------------- */

static json_t *fault_json(const lab *l, bool by_somebody)
{
    return json_pack("{s:s, s:i, s:b}", "fault", fault_name((fault_kind)l->fault_now), "rate_pct",
                     l->rate_now, "by_control_path", by_somebody);
}

void story_broken(lab *l, bool by_somebody)
{
    char text[FAULT_TEXT_MAX];
    story_flush(l, INT64_MAX);
    if (l->json) {
        story_emit(l, "broken", fault_json(l, by_somebody));
        return;
    }
    out *o = &l->out;
    story_tell(l, "%s✱ %s: %s%s", out_paint(o, OUT_BOLD),
               by_somebody ? "somebody broke it" : "broke it",
               fault_text(text, (fault_kind)l->fault_now, l->rate_now, &l->times),
               out_paint(o, OUT_PLAIN));
}

void story_healed(lab *l, bool by_somebody)
{
    out *o = &l->out;
    story_flush(l, INT64_MAX);
    if (l->json)
        story_emit(l, "healed", fault_json(l, by_somebody));
    else
        story_tell(l, "%s✱ %s: the service answers again%s", out_paint(o, OUT_BOLD),
                   by_somebody ? "somebody healed it" : "healed it", out_paint(o, OUT_PLAIN));
}

int story_breaker_worlds(const lab *l)
{
    int count = 0;
    for (int i = 0; i < l->world_count; i++)
        count += l->worlds[i].plan->breakers;
    return count;
}

/* "  · retry in 5.2 s", and a word for the pattern everybody should have seen once. */
void story_what_next(char *text, size_t size, world *w, const swg_event *event)
{
    char wait[OUT_NUMBER_MAX];
    bool flaps = event->from == SWG_HALF_OPEN && event->to == SWG_OPEN && !w->flap_told;
    *text = '\0';
    w->flap_told |= flaps;
    if (event->to == SWG_OPEN)
        snprintf(text, size, ", retry in %s%s", out_seconds(wait, event->until_ns - event->at_ns),
                 flaps ? " (flapping)" : "");
}

static void tell_json(const member *m, const swg_event *event)
{
    json_t *object = fleet_event_json(event);
    json_object_set_new(object, "world", json_string(m->world->plan->name));
    json_object_set_new(object, "instance", json_string(m->label));
    story_emit(m->world->lab, event->scope == SWG_SCOPE_FLEET_MODE ? "mode" : "transition", object);
}

/* Whose circuit it is: "with breakers" has none to be told from, others say which world's. */
static void name_circuit(char *text, size_t size, const member *m)
{
    const stage_world *plan = m->world->plan;
    char letter = (char)('A' + m->index);
    bool alone = story_breaker_worlds(m->world->lab) == 1;
    if (plan->redis == REDIS_FOR_FLEET)
        snprintf(text, size, "%s, %c's own breaker", plan->name, letter);
    else if (alone && plan->panel)
        snprintf(text, size, "all (by %s)", m->label);
    else if (alone)
        snprintf(text, size, "%s", m->label);
    else
        snprintf(text, size, plan->panel || plan->redis ? "%s (by %c)" : "%s, %c", plan->name,
                 letter);
}

/* Its probes are many, and each is obeyed. */
static const char *naive_text(char text[EVIDENCE_MAX], const swg_event *event)
{
    if (event->cause == SWG_CAUSE_PROBES_PASSED)
        return "a probe passed";
    if (event->cause == SWG_CAUSE_PROBES_FAILED)
        return "a probe failed";
    return fleet_event_text(text, event);
}

/* Calls that set the same state one after the other are told once. */
static bool is_told(world *w, const swg_event *event)
{
    bool told = w->plan->redis == REDIS_FOR_NAIVE && w->told_state == (swg_state)event->to;
    w->told_state = (swg_state)event->to;
    return told;
}

static void tell_transition(member *m, const swg_event *event)
{
    char why[EVIDENCE_MAX], next[64], whose[96];
    lab *l = m->world->lab;
    bool naive = m->world->plan->redis == REDIS_FOR_NAIVE;
    if (is_told(m->world, event))
        return;
    const out *o = &l->out;
    swg_state to = (swg_state)event->to;
    story_what_next(next, sizeof next, m->world, event);
    name_circuit(whose, sizeof whose, m);
    story_tell_at(l, event->at_ns, "%s%s %s → %s%s: %s%s", out_paint(o, out_state_style(to, 0)),
                  out_state_sign(to, 0), whose, out_state_word(to, 0), out_paint(o, OUT_PLAIN),
                  naive ? naive_text(why, event) : fleet_event_text(why, event), next);
}

static void tell_event(lab *l, int at)
{
    const pending *p = &l->pending[at];
    l->states_ns = swg_clock_ns() + SECOND / 20;
    if (l->json)
        tell_json(p->member, &p->event);
    else if (l->stage->quiet || p->told)
        return;
    else if (p->event.scope == SWG_SCOPE_FLEET_MODE)
        story_mode(l, at);
    else if (p->event.scope == SWG_SCOPE_FLEET)
        story_view(l, at);
    else
        tell_transition(p->member, &p->event);
}

void story_flush(lab *l, int64_t until_ns)
{
    int told = 0;
    while (told < l->pending_count && l->pending[told].event.at_ns <= until_ns) {
        tell_event(l, told++);
    }
    l->pending_count -= told;
    memmove(l->pending, l->pending + told, (size_t)l->pending_count * sizeof *l->pending);
}

void story_transition(member *m, const swg_event *event)
{
    lab *l = m->world->lab;
    if (l->pending_count == PENDING_MAX)
        story_flush(l, l->pending[0].event.at_ns);
    int at = l->pending_count++;
    for (; at > 0 && l->pending[at - 1].event.at_ns > event->at_ns; at--)
        l->pending[at] = l->pending[at - 1];
    l->pending[at] = (pending){.member = m, .event = *event};
}

/* ---- comparing ----------------------------------------------------------------------------- */

static json_t *view_json(const world *w, const live_view *v)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "world", w->plan->name, "answered",
                     (json_int_t)v->counts[LOAD_ANSWERED], "rejected",
                     (json_int_t)v->counts[LOAD_REJECTED], "failed",
                     (json_int_t)v->counts[LOAD_FAILED], "waiting_max", (json_int_t)v->waiting_max,
                     "p50_us", (json_int_t)v->p50_ns / 1000, "p99_us", (json_int_t)v->p99_ns / 1000,
                     "service_calls_per_s", v->service_per_s);
}

static void print_view(lab *l, const world *w, const live_view *v)
{
    char p50[OUT_NUMBER_MAX], p99[OUT_NUMBER_MAX], rate[OUT_NUMBER_MAX];
    out_line(&l->out, "            %-16s %12llu %9s %9s %17s", w->plan->name,
             (unsigned long long)v->waiting_max, out_latency(p50, v->p50_ns),
             out_latency(p99, v->p99_ns), out_rate(rate, v->service_per_s));
}

void story_compare(lab *l)
{
    live_view view;
    json_t *list = json_array();
    out *o = &l->out;
    if (!l->json)
        out_line(o, "%s            %-16s %12s %9s %9s %17s%s", out_paint(o, OUT_DIM),
                 "the last second", "callers wait", "p50", "p99", "service is called",
                 out_paint(o, OUT_PLAIN));
    for (int i = 0; i < l->world_count; i++) {
        lab_live_view(&l->worlds[i], swg_clock_ns(), &view);
        if (l->json)
            json_array_append_new(list, view_json(&l->worlds[i], &view));
        else
            print_view(l, &l->worlds[i], &view);
    }
    if (l->json)
        story_emit(l, "compare", json_pack("{s:O}", "worlds", list));
    json_decref(list);
}

/* ---- endings ------------------------------------------------------------------------------- */

void story_all_closed(lab *l)
{
    if (l->json)
        story_emit(l, "all_closed", json_object());
    else
        story_tell(l, "● every circuit is closed again");
}

void story_not_closed(lab *l)
{
    if (l->json)
        story_emit(l, "not_closed", json_object());
    else
        story_tell(l, "✗ not every circuit closed again");
}

void story_report(lab *l, const char *path)
{
    char text[PATH_MAX + 64];
    double busy = machine_busy_pct(&l->machine);
    if (l->json) {
        story_emit(l, "report", json_pack("{s:s, s:f}", "path", path, "machine_busy_pct", busy));
        return;
    }
    snprintf(text, sizeof text,
             "  All at the same time; the machine (%d processors) was %.0f %% busy.",
             machine_processors(), busy);
    paragraph(&l->out, 2, text);
    snprintf(text, sizeof text, "  The report, with plots: %s", path);
    paragraph(&l->out, 2, text);
}

void story_death(member *m)
{
    char fate[96];
    lab *l = m->world->lab;
    child_fate(fate, sizeof fate, m->child.status);
    story_flush(l, INT64_MAX);
    if (l->json)
        story_emit(l, "died",
                   json_pack("{s:s, s:s, s:i, s:s}", "world", m->world->plan->name, "part",
                             m->label, "port", m->port, "fate", fate));
    else
        story_tell(l, "%s✗ %s%s of the world %s%s is gone: %s. The rest goes on.",
                   out_paint(&l->out, OUT_BAD), m->role == ROLE_INSTANCE ? "" : "the ", m->label,
                   m->world->plan->name, out_paint(&l->out, OUT_PLAIN), fate);
}

void story_talk(member *m, const char *text)
{
    out_status(&m->world->lab->out, NULL);
    fprintf(stderr, "%s (%s): %s\n", m->label, m->world->plan->name, text);
}

void story_note(lab *l, const char *text)
{
    if (l->json)
        story_emit(l, "note", json_pack("{s:s}", "text", text));
    else
        story_tell(l, "%s", text);
}

void story_care(lab *l)
{
    if (!l->json)
        paragraph(&l->out, 2,
                  "  Something died or did not recover on the way (see ✗ above): these numbers are "
                  "of what was left.");
}
