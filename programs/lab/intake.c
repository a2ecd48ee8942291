/* What the lab's children report, a JSON object a line, sorted into the numbers of their world. */
#include "lab.h"

#include "fleet_event.h"
#include "story.h"

#include <stdio.h>
#include <string.h>

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* ---- the service --------------------------------------------------------------------------- */

static void take_arrivals(world *w, const json_t *line)
{
    const char *from = json_string_value(json_object_get(line, "arrivals_from"));
    const json_t *offsets = json_object_get(line, "arrivals_us");
    int64_t first_ns = (int64_t)number(line, "arrivals_ns");
    for (size_t i = 0; from && from[i] && i < json_array_size(offsets); i++)
        tally_arrive(&w->tally, from[i] - 'A',
                     first_ns + json_integer_value(json_array_get(offsets, i)) * 1000);
}

static void take_service(member *m, const json_t *line)
{
    world *w = m->world;
    uint64_t changes = number(line, "changes");
    const char *fault = json_string_value(json_object_get(line, "fault"));
    m->ready = true;
    take_arrivals(w, line);
    if (w->lab->start_ns) /* before there is load, none arrives */
        series_arrived(&w->series, (int64_t)number(line, "at_ns"), number(line, "calls"));
    w->arrivals_at = (w->arrivals_at + 1) % LIVE_SLOTS;
    w->arrivals[w->arrivals_at] =
        (live_arrivals){.at_ns = (int64_t)number(line, "at_ns"), .calls = number(line, "calls")};
    w->outage_calls = number(json_object_get(line, "outage"), "calls");
    if (changes <= w->service_changes || !fault || !fault_parse(&w->fault, fault))
        return;
    w->service_changes = changes;
    w->rate_pct = (int)number(line, "rate_pct");
    lab_follow(w->lab, w);
}

/* ---- instances ----------------------------------------------------------------------------- */

/* The event as the instance's calls see it: false if they meet the same as before. */
static bool is_felt(member *m, const swg_event *event, swg_event *felt)
{
    int64_t until_ns;
    standing_take(&m->standing, event);
    swg_state state = standing_state(&m->standing, event->at_ns, &until_ns);
    *felt = *event;
    felt->from = (uint8_t)m->state;
    felt->to = (uint8_t)state;
    felt->until_ns = state == SWG_OPEN ? until_ns : 0;
    m->state = state;
    m->until_ns = felt->until_ns;
    return felt->from != felt->to;
}

static void take_mode(member *m, const swg_event *event)
{
    if (event->to == SWG_FLEET_STALE || event->to == SWG_FLEET_LOCAL)
        m->missed_ns = event->at_ns;
    if (event->to == SWG_FLEET_FLEET)
        m->joined_ns = event->at_ns;
    lab_notice_together(m->world, event->at_ns);
}

static void take_fleet_event(member *m, const swg_event *event)
{
    swg_event felt;
    bool is_new = is_felt(m, event, &felt);
    if (is_new)
        tally_add(&m->world->tally, m->index, &felt);
    m->ready |= m->standing.mode == SWG_FLEET_FLEET;
    story_transition(m, event);
    if (event->scope == SWG_SCOPE_FLEET_MODE)
        take_mode(m, event);
}

/* All read the one state in Redis. Many may have written the same. */
static void take_naive_event(member *m, const swg_event *event)
{
    if (m->state == (swg_state)event->to)
        return;
    swg_event felt = *event;
    felt.from = (uint8_t)m->state;
    for (int i = 0; i < STAGE_INSTANCES; i++) {
        m->world->instances[i].state = (swg_state)event->to;
        m->world->instances[i].until_ns = event->until_ns;
    }
    tally_add(&m->world->tally, TALLY_ALL, &felt);
    story_transition(m, &felt);
}

static void take_transition(member *m, const json_t *line)
{
    swg_event event;
    if (!fleet_event_from_json(&event, line))
        return;
    if (m->world->plan->redis == REDIS_FOR_FLEET) {
        take_fleet_event(m, &event);
        return;
    }
    if (m->world->plan->redis == REDIS_FOR_NAIVE) {
        take_naive_event(m, &event);
        return;
    }
    /* on a shared panel every instance reads every event; the one that caused it tells it */
    bool shared = m->world->plan->panel != NULL;
    if (shared && event.pid != m->child.pid)
        return;
    for (int i = 0; i < STAGE_INSTANCES; i++) {
        if (shared || i == m->index) {
            m->world->instances[i].state = (swg_state)event.to;
            m->world->instances[i].until_ns = event.until_ns;
        }
    }
    tally_add(&m->world->tally, shared ? TALLY_ALL : m->index, &event);
    story_transition(m, &event);
}

/* Counters only grow; the last report of each instance stands for it. */
static void take_naive(member *m, const json_t *report)
{
    world *w = m->world;
    naive_counts *mine = &w->by_instance[m->index], *sum = &w->naive_counts;
    if (!report)
        return;
    *mine = (naive_counts){.calls = number(report, "calls"),
                           .trips = number(report, "trips"),
                           .errors = number(report, "errors"),
                           .failures = number(report, "failures"),
                           .counted = number(report, "counted"),
                           .overwritten = number(report, "overwritten")};
    histogram_merge_json(&mine->redis, json_object_get(report, "redis"));
    *sum = (naive_counts){0};
    for (int i = 0; i < STAGE_INSTANCES; i++) {
        const naive_counts *one = &w->by_instance[i];
        sum->calls += one->calls;
        sum->trips += one->trips;
        sum->errors += one->errors;
        sum->failures += one->failures;
        sum->counted += one->counted;
        sum->overwritten += one->overwritten;
        histogram_merge(&sum->redis, &one->redis);
    }
}

static void take_instance(member *m, const json_t *line)
{
    m->ready |= m->world->plan->redis != REDIS_FOR_FLEET;
    take_naive(m, json_object_get(line, "naive"));
}

static void take_redis(member *m, const json_t *line)
{
    world *w = m->world;
    redis_order order;
    uint64_t changes = number(line, "changes");
    m->ready = true;
    if (changes > w->redis_changes &&
        redis_order_parse(&order, json_string_value(json_object_get(line, "action")),
                          json_string_value(json_object_get(line, "instance")))) {
        w->redis_changes = changes;
        lab_redis_follow(w->lab, w, &order);
    }
    w->redis_counts = (redis_counts){.commands = number(line, "commands"),
                                     .scripts = number(line, "scripts"),
                                     .increments = number(line, "increments")};
}

/* ---- the load generator -------------------------------------------------------------------- */

static span *span_of(world *w, int phase)
{
    for (int i = 0; i < SPAN_COUNT; i++)
        if (w->spans[i].began_ns && w->spans[i].phase == phase)
            return &w->spans[i];
    return NULL;
}

static void take_phase(world *w, live_slot *slot, const json_t *phase)
{
    bool outage = (int)number(phase, "phase") == w->tally.phase && w->tally.began_ns;
    span *apart = span_of(w, (int)number(phase, "phase"));
    if (outage)
        w->tally.sent += number(phase, "sent");
    if (apart)
        apart->sent += number(phase, "sent");
    for (int i = 0; i < LOAD_CLASSES; i++) {
        const json_t *class = json_object_get(phase, load_class_names[i]);
        histogram one = {0};
        if (!class || !histogram_merge_json(&one, class))
            continue;
        slot->counts[i] += one.count;
        histogram_merge(&slot->latency, &one);
        if (outage)
            histogram_merge(&w->tally.classes[i], &one);
        if (apart)
            histogram_merge(&apart->classes[i], &one);
    }
}

static void take_load(member *m, const json_t *line)
{
    size_t at;
    const json_t *phase;
    world *w = m->world;
    live_slot *slot = &w->live[w->live_at = (w->live_at + 1) % LIVE_SLOTS];
    *slot = (live_slot){.at_ns = (int64_t)number(line, "at_ns"),
                        .waiting_max = number(line, "waiting_max")};
    m->ready = true;
    json_array_foreach(json_object_get(line, "phases"), at, phase) take_phase(w, slot, phase);
    series_ended(&w->series, slot->at_ns, slot->counts);
    if (w->lab->phase == LAB_OUTAGE && slot->waiting_max > w->tally.waiting_max)
        w->tally.waiting_max = slot->waiting_max;
}

static double arrivals_per_s(const world *w, int64_t since_ns)
{
    const live_arrivals *newest = &w->arrivals[w->arrivals_at], *oldest = newest;
    for (int i = 0; i < LIVE_SLOTS; i++)
        if (w->arrivals[i].at_ns >= since_ns && w->arrivals[i].at_ns < oldest->at_ns)
            oldest = &w->arrivals[i];
    if (oldest == newest)
        return 0;
    return (double)(newest->calls - oldest->calls) * 1e9 / (double)(newest->at_ns - oldest->at_ns);
}

void lab_live_view(const world *w, int64_t now_ns, live_view *view)
{
    enum { SECOND_NS = 1100000000 };
    histogram latency = {0};
    *view = (live_view){.service_per_s = arrivals_per_s(w, now_ns - SECOND_NS)};
    for (int i = 0; i < LIVE_SLOTS; i++) {
        const live_slot *slot = &w->live[i];
        if (slot->at_ns == 0 || now_ns - slot->at_ns > SECOND_NS)
            continue;
        if (slot->waiting_max > view->waiting_max)
            view->waiting_max = slot->waiting_max;
        histogram_merge(&latency, &slot->latency);
        for (int c = 0; c < LOAD_CLASSES; c++)
            view->counts[c] += slot->counts[c];
    }
    view->p50_ns = histogram_at(&latency, 50);
    view->p99_ns = histogram_at(&latency, 99);
}

/* ---- lines --------------------------------------------------------------------------------- */

static void take_line(void *context, char *line)
{
    member *m = context;
    json_t *object = json_loads(line, 0, NULL);
    const char *type = json_string_value(json_object_get(object, "type"));
    if (!type)
        story_talk(m, line);
    else if (strcmp(type, "service") == 0)
        take_service(m, object);
    else if (strcmp(type, "transition") == 0 || strcmp(type, "mode") == 0)
        take_transition(m, object);
    else if (strcmp(type, "instance") == 0)
        take_instance(m, object);
    else if (strcmp(type, "redis") == 0)
        take_redis(m, object);
    else if (strcmp(type, "load") == 0)
        take_load(m, object);
    json_decref(object);
}

static void take_talk(void *context, char *line)
{
    story_talk(context, line);
}

void lab_take_output(member *m)
{
    line_reader_drain(&m->child.output, take_line, m);
    line_reader_drain(&m->child.errors, take_talk, m);
}

void lab_notice_deaths(lab *l)
{
    member *members[STAGE_WORLDS_MAX * MEMBERS_MAX];
    size_t count = lab_members(l, members);
    for (size_t i = 0; i < count; i++) {
        member *m = members[i];
        if (m->dead || !child_reap(&m->child))
            continue;
        lab_take_output(m);
        m->dead = true;
        if (m->role == ROLE_INSTANCE)
            m->world->tally.gone[m->index] = true;
        l->trouble = true;
        story_death(m);
    }
}
