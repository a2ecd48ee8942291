/* Probes, counted where they arrive: the service's arrivals laid beside the circuits' transitions.
 */
#include "tally.h"

#include <string.h>

typedef struct walk {
    const tally *of;
    tally_tries *tries;
    bool together;
    swg_state states[STAGE_INSTANCES];
    bool trying[STAGE_INSTANCES];
    uint64_t probes[STAGE_INSTANCES]; /* of the present try; of the first place if together */
} walk;

static bool is_any(const walk *w, int place, swg_state state)
{
    bool any = false;
    for (int i = 0; i < STAGE_INSTANCES; i++)
        any |= (w->together || i == place) && w->states[i] == state && !w->of->gone[i];
    return any;
}

static void end_try(const walk *w, int place, int64_t at_ns)
{
    tally_tries *t = w->tries;
    uint64_t probes = w->probes[place];
    bool sick = w->of->healed_ns == 0 || at_ns < w->of->healed_ns;
    t->flaps += is_any(w, place, SWG_OPEN);
    t->closed_sick += sick && !is_any(w, place, SWG_OPEN);
    if (t->tries == 0 || probes < t->fewest)
        t->fewest = probes;
    if (probes > t->most)
        t->most = probes;
    t->tries++;
}

static void step_tries(walk *w, int64_t at_ns)
{
    for (int place = 0; place < (w->together ? 1 : STAGE_INSTANCES); place++) {
        bool trying = is_any(w, place, SWG_HALF_OPEN);
        if (w->trying[place] && !trying)
            end_try(w, place, at_ns);
        if (!w->trying[place])
            w->probes[place] = 0;
        w->trying[place] = trying;
    }
}

static void step_event(walk *w, const tally_event *e)
{
    tally_apply(w->states, e);
    if (e->event.to == SWG_OPEN && w->tries->opened_ns == 0)
        w->tries->opened_ns = e->event.at_ns;
    for (int i = 0; i < STAGE_INSTANCES; i++)
        if (w->states[i] == SWG_OPEN && w->tries->stopped_ns[i] < 0)
            w->tries->stopped_ns[i] = e->event.at_ns - w->tries->opened_ns;
}

/* What happens in one moment is one change: when the fleet closes, a host's own breaker, still
 * open, closes with it, and no call met it. Returns the first event after it. */
static int step_moment(walk *w, int at)
{
    const tally *t = w->of;
    int64_t at_ns = t->events[at].event.at_ns;
    while (at < t->event_count && t->events[at].event.at_ns == at_ns)
        step_event(w, &t->events[at++]);
    step_tries(w, at_ns);
    return at;
}

static void step_arrival(walk *w, const tally_arrival *a)
{
    const tally *t = w->of;
    bool sick = t->healed_ns == 0 || a->at_ns < t->healed_ns;
    if (a->instance < 0 || a->instance >= STAGE_INSTANCES)
        return;
    if (w->states[a->instance] == SWG_HALF_OPEN) {
        w->tries->probes++;
        w->probes[w->together ? 0 : a->instance]++;
    } else if (sick && w->tries->opened_ns) {
        w->tries->wasted++;
    }
}

void tally_count_tries(const tally *t, bool together, int64_t end_ns, tally_tries *tries)
{
    walk w = {.of = t, .tries = tries, .together = together};
    int event = 0;
    *tries = (tally_tries){.stopped_ns = {-1, -1, -1}};
    memcpy(w.states, t->at_start, sizeof w.states);
    for (int i = 0; i < t->arrival_count && t->arrivals[i].at_ns <= end_ns; i++) {
        while (event < t->event_count && t->events[event].event.at_ns <= t->arrivals[i].at_ns)
            event = step_moment(&w, event);
        step_arrival(&w, &t->arrivals[i]);
    }
    while (event < t->event_count && t->events[event].event.at_ns <= end_ns)
        event = step_moment(&w, event);
}
