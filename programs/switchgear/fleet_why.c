/* Why a circuit is in its state, as Redis holds it: in words, as values, as JSON. */
#include "fleet.h"

#include <stdlib.h>
#include <string.h>

/* ---- orders -------------------------------------------------------------------------------- */

typedef struct search {
    const fleet_circuits *circuits;
    swg_fleet_action *found;
} search;

static bool is_ordered(const swg_fleet_status *s)
{
    return s->cause == SWG_CAUSE_OVERRIDE || s->cause == SWG_CAUSE_OVERRIDE_ENDED;
}

/* Actions come oldest first: the last that fits stays. */
static void match(void *arg, const swg_fleet_action *action)
{
    search *f = arg;
    for (size_t i = 0; i < f->circuits->count; i++) {
        const swg_fleet_status *s = &f->circuits->all[i];
        if (is_ordered(s) && s->shard == action->shard && action->epoch <= s->epoch &&
            strcmp(s->name, action->circuit) == 0)
            f->found[i] = *action;
    }
}

swg_fleet_action *fleet_read_orders(fleet *f, const fleet_circuits *circuits)
{
    search s = {circuits, NULL};
    bool any = false;
    for (size_t i = 0; i < circuits->count; i++)
        any = any || is_ordered(&circuits->all[i]);
    if (any)
        s.found = calloc(circuits->count, sizeof *s.found);
    if (s.found && swg_fleet_audit(fleet_redis(f), match, &s) != SWG_OK) {
        free(s.found);
        s.found = NULL;
    }
    return s.found;
}

/* ---- words --------------------------------------------------------------------------------- */

static unsigned percent(uint64_t part, uint64_t whole)
{
    return whole ? (unsigned)(part * 100 / whole) : 0;
}

static void say_rate(char *text, const char *what, uint64_t count, const swg_fleet_trip *t)
{
    snprintf(text, FLEET_WHY_MAX, "%s %u %% of %llu calls, %u of %u hosts bad", what,
             percent(count, t->calls), (unsigned long long)t->calls, t->bad, t->reporters);
}

static bool say_trip(char text[FLEET_WHY_MAX], const swg_fleet_trip *t)
{
    switch (t->cause) {
    case SWG_CAUSE_FAILURE_RATE:
        say_rate(text, "failures", t->failures, t);
        return true;
    case SWG_CAUSE_SLOW_RATE:
        say_rate(text, "slow calls", t->slow, t);
        return true;
    case SWG_CAUSE_VOTES:
        snprintf(text, FLEET_WHY_MAX, "own breakers of %u of %u hosts open", t->open, t->reporters);
        return true;
    default:
        return false;
    }
}

/* Those that say all there is to say. */
static const char *words_of(uint32_t cause)
{
    switch (cause) {
    case SWG_CAUSE_WAIT_OVER:
        return "the wait is over, probing";
    case SWG_CAUSE_PROBES_FAILED:
        return "probes failed";
    case SWG_CAUSE_PROBES_LOST:
        return "probes were lost: no answer in time";
    case SWG_CAUSE_CLAIM:
        return "hosts say so; this Redis had lost or never had it";
    case SWG_CAUSE_OVERRIDE_ENDED:
        return "an order has ended, probes decide";
    default:
        return "unknown: a newer version's cause";
    }
}

static void say_order(char *text, const swg_fleet_status *s, const swg_fleet_action *order)
{
    const bool over = s->cause == SWG_CAUSE_OVERRIDE_ENDED;
    if (!order || order->who[0] == '\0')
        snprintf(text, FLEET_WHY_MAX, "%s", over ? words_of(s->cause) : "ordered");
    else
        snprintf(text, FLEET_WHY_MAX, "%sordered by %s: %s",
                 over ? "an order has ended, probes decide; " : "", order->who, order->reason);
}

const char *fleet_why(char text[FLEET_WHY_MAX], const swg_fleet_status *s,
                      const swg_fleet_action *order)
{
    char trip[FLEET_WHY_MAX];
    text[0] = '\0';
    if (s->state == SWG_FLEET_CLOSED || s->cause == SWG_CAUSE_NONE)
        return text;
    const bool tripped = say_trip(trip, &s->trip);
    if (is_ordered(s))
        say_order(text, s, order);
    else if (tripped && s->cause == s->trip.cause)
        snprintf(text, FLEET_WHY_MAX, "%s", trip);
    else
        snprintf(text, FLEET_WHY_MAX, "%s%s%.200s", words_of(s->cause),
                 tripped ? "; opened by: " : "", tripped ? trip : "");
    return text;
}

/* ---- values -------------------------------------------------------------------------------- */

void fleet_print_why(const swg_fleet_status *s)
{
    const swg_fleet_trip *t = &s->trip;
    printf("\t%s\t%s\t%llu\t%llu\t%llu\t%u\t%u\t%u", swg_cause_name((swg_cause)s->cause),
           swg_cause_name((swg_cause)t->cause), (unsigned long long)t->calls,
           (unsigned long long)t->failures, (unsigned long long)t->slow, t->bad, t->open,
           t->reporters);
}

json_t *fleet_trip_json(const swg_fleet_trip *t)
{
    if (t->cause == SWG_CAUSE_NONE)
        return json_null();
    return json_pack("{s:s, s:I, s:I, s:I, s:i, s:i, s:i}", "cause",
                     swg_cause_name((swg_cause)t->cause), "calls", (json_int_t)t->calls, "failures",
                     (json_int_t)t->failures, "slow", (json_int_t)t->slow, "bad", t->bad, "open",
                     t->open, "reporting", t->reporters);
}

json_t *fleet_order_json(const swg_fleet_action *order)
{
    if (!order || order->who[0] == '\0')
        return json_null();
    return json_pack("{s:s, s:s, s:o}", "who", order->who, "reason", order->reason, "time",
                     fleet_time_json(order->at_ms));
}
