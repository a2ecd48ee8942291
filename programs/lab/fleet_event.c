#include "fleet_event.h"

#include <stdio.h>
#include <string.h>
#include <switchgear/fleet.h>

/* ---- JSON ---------------------------------------------------------------------------------- */

static json_t *mode_json(const swg_event *event)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:i}", "type", "mode", "shard", event->name, "from",
                     swg_fleet_mode_name((swg_fleet_mode)event->from), "to",
                     swg_fleet_mode_name((swg_fleet_mode)event->to), "at_ns",
                     (json_int_t)event->at_ns, "pid", event->pid);
}

json_t *fleet_event_json(const swg_event *event)
{
    if (event->scope == SWG_SCOPE_FLEET_MODE)
        return mode_json(event);
    json_t *object = evidence_json(event);
    json_object_set_new(object, "type", json_string("transition"));
    json_object_set_new(object, "scope",
                        json_string(event->scope == SWG_SCOPE_FLEET ? "fleet" : "host"));
    return object;
}

static int mode_of(const char *name)
{
    for (int i = 0; name && i < SWG_FLEET_MODE_COUNT; i++)
        if (strcmp(name, swg_fleet_mode_name((swg_fleet_mode)i)) == 0)
            return i;
    return -1;
}

static bool mode_from_json(swg_event *event, const json_t *object)
{
    int from = mode_of(json_string_value(json_object_get(object, "from")));
    int to = mode_of(json_string_value(json_object_get(object, "to")));
    *event = (swg_event){.scope = SWG_SCOPE_FLEET_MODE,
                         .from = (uint8_t)from,
                         .to = (uint8_t)to,
                         .at_ns = json_integer_value(json_object_get(object, "at_ns"))};
    return from >= 0 && to >= 0;
}

bool fleet_event_from_json(swg_event *event, const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    const char *scope = json_string_value(json_object_get(object, "scope"));
    if (type && strcmp(type, "mode") == 0)
        return mode_from_json(event, object);
    if (!evidence_from_json(event, object))
        return false;
    event->scope = scope && strcmp(scope, "fleet") == 0 ? SWG_SCOPE_FLEET : SWG_SCOPE_HOST;
    return true;
}

/* ---- words --------------------------------------------------------------------------------- */

static const char *mode_text(swg_fleet_mode from, swg_fleet_mode to)
{
    if (to == SWG_FLEET_STALE)
        return "no word from Redis; all stays as it is, no probes";
    if (to == SWG_FLEET_LOCAL)
        return "without Redis from here on; own breakers decide";
    if (to == SWG_FLEET_REJOIN)
        return "heard from Redis again, which is told what is known here";
    if (to == SWG_FLEET_FLEET)
        return from == SWG_FLEET_JOINING ? "in the fleet" : "in the fleet again";
    return "looking for the fleet";
}

/* Of its probes an instance knows its own share; what the fleet was judged by is everybody's. */
static void fleet_text(char text[EVIDENCE_MAX], const swg_event *event)
{
    char why[EVIDENCE_MAX];
    if (event->cause == SWG_CAUSE_PROBES_PASSED || event->cause == SWG_CAUSE_PROBES_FAILED)
        snprintf(text, EVIDENCE_MAX, "the fleet's probes %s; its own share: %u of %u passed",
                 event->cause == SWG_CAUSE_PROBES_PASSED ? "passed" : "failed",
                 event->calls - event->failures, event->calls);
    else if (event->cause == SWG_CAUSE_WAIT_OVER)
        snprintf(text, EVIDENCE_MAX, "the wait is over, the fleet probes");
    else
        snprintf(text, EVIDENCE_MAX, "the fleet's: %.140s", evidence_text(why, event));
}

const char *fleet_event_text(char text[EVIDENCE_MAX], const swg_event *event)
{
    if (event->scope == SWG_SCOPE_FLEET_MODE)
        snprintf(text, EVIDENCE_MAX, "%s",
                 mode_text((swg_fleet_mode)event->from, (swg_fleet_mode)event->to));
    else if (event->scope == SWG_SCOPE_FLEET)
        fleet_text(text, event);
    else if (event->cause == SWG_CAUSE_CONSECUTIVE && event->failures == event->limit)
        snprintf(text, EVIDENCE_MAX, "%u failures in a row", event->failures);
    else if (event->cause == SWG_CAUSE_FLEET)
        snprintf(text, EVIDENCE_MAX, "the fleet's probes passed");
    else
        evidence_text(text, event);
    return text;
}
