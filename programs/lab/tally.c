#include "tally.h"

#include <stdlib.h>
#include <string.h>

void tally_begin(tally *t, int phase, int64_t now_ns, const swg_state *states)
{
    bool gone[STAGE_INSTANCES];
    memcpy(gone, t->gone, sizeof gone);
    *t = (tally){.phase = phase, .began_ns = now_ns};
    memcpy(t->gone, gone, sizeof gone);
    memcpy(t->at_start, states, sizeof t->at_start);
}

void tally_add(tally *t, int instance, const swg_event *event)
{
    if (t->began_ns == 0 || event->at_ns < t->began_ns)
        return;
    if (t->event_count == TALLY_EVENTS_MAX) {
        t->events_lost++;
        return;
    }
    t->events[t->event_count++] = (tally_event){.instance = instance, .event = *event};
}

void span_latency(const span *s, histogram *all)
{
    *all = (histogram){0};
    for (int i = 0; i < LOAD_CLASSES; i++)
        histogram_merge(all, &s->classes[i]);
}

void tally_arrive(tally *t, int instance, int64_t at_ns)
{
    if (t->began_ns == 0 || at_ns < t->began_ns)
        return;
    if (t->arrival_count == TALLY_ARRIVALS_MAX) {
        t->arrivals_lost++;
        return;
    }
    t->arrivals[t->arrival_count++] = (tally_arrival){.at_ns = at_ns, .instance = instance};
}

/* Those of one moment as their journal has them. */
static int by_time(const void *a, const void *b)
{
    const swg_event *left = &((const tally_event *)a)->event;
    const swg_event *right = &((const tally_event *)b)->event;
    if (left->at_ns != right->at_ns)
        return left->at_ns < right->at_ns ? -1 : 1;
    return (left->sequence > right->sequence) - (left->sequence < right->sequence);
}

static bool differ(const tally *t, const swg_state *states)
{
    int first = -1;
    for (int i = 0; i < STAGE_INSTANCES; i++) {
        if (t->gone[i])
            continue;
        if (first >= 0 && states[i] != states[first])
            return true;
        first = first < 0 ? i : first;
    }
    return false;
}

void tally_apply(swg_state *states, const tally_event *e)
{
    for (int i = 0; i < STAGE_INSTANCES; i++)
        if (e->instance == i || e->instance == TALLY_ALL)
            states[i] = (swg_state)e->event.to;
}

/* The time in which not all instances were in the same state. Needs the events in order. */
static int64_t disagreement(const tally *t, int64_t end_ns)
{
    swg_state states[STAGE_INSTANCES];
    int64_t sum_ns = 0, since_ns = t->began_ns;
    memcpy(states, t->at_start, sizeof states);
    for (int i = 0; i < t->event_count && t->events[i].event.at_ns <= end_ns; i++) {
        int64_t at_ns = t->events[i].event.at_ns;
        if (differ(t, states))
            sum_ns += at_ns - since_ns;
        since_ns = at_ns;
        tally_apply(states, &t->events[i]);
    }
    return differ(t, states) ? sum_ns + end_ns - since_ns : sum_ns;
}

int64_t tally_last_closed(const tally *t)
{
    int64_t last_ns = t->healed_ns;
    for (int i = 0; i < t->event_count; i++) {
        const swg_event *e = &t->events[i].event;
        if (e->to == SWG_CLOSED && e->at_ns > last_ns)
            last_ns = e->at_ns;
    }
    return last_ns;
}

static void count_events(const tally *t, tally_summary *s)
{
    for (int i = 0; i < t->event_count; i++) {
        const swg_event *e = &t->events[i].event;
        if (e->from != SWG_HALF_OPEN)
            continue;
        s->periods++;
        s->probes += e->calls;
    }
}

static void sum_latencies(const tally *t, tally_summary *s)
{
    histogram all = {0};
    for (int i = 0; i < LOAD_CLASSES; i++) {
        s->counts[i] = t->classes[i].count;
        histogram_merge(&all, &t->classes[i]);
    }
    s->p50_ns = histogram_at(&all, 50);
    s->p99_ns = histogram_at(&all, 99);
    s->rejected_p50_ns = histogram_at(&t->classes[LOAD_REJECTED], 50);
    s->rejected_p99_ns = histogram_at(&t->classes[LOAD_REJECTED], 99);
    s->waited_s = (double)all.sum_us / 1e6;
}

void tally_summarize(tally *t, bool together, int64_t now_ns, tally_summary *s)
{
    int64_t end_ns = t->closed_ns ? t->closed_ns : now_ns;
    *s = (tally_summary){.sent = t->sent, .reached = t->reached, .waiting_max = t->waiting_max};
    qsort(t->events, (size_t)t->event_count, sizeof *t->events, by_time);
    sum_latencies(t, s);
    count_events(t, s);
    tally_count_tries(t, together, end_ns, &s->tries);
    s->reached_pct = t->sent ? (double)t->reached * 100 / (double)t->sent : 0;
    s->disagreed_ns = disagreement(t, end_ns);
    s->closed_after_ns = t->closed_ns ? t->closed_ns - t->healed_ns : -1;
}
