#include "evidence.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static unsigned percent(uint32_t part, uint32_t whole)
{
    return whole ? (unsigned)((uint64_t)part * 100 / whole) : 0;
}

static void rate_text(char *text, const swg_event *event, uint32_t count, const char *what)
{
    snprintf(text, EVIDENCE_MAX, "%u of %u %s (%u %% ≥ %u %%)", count, event->calls, what,
             percent(count, event->calls), event->limit);
}

static void probes_text(char *text, const swg_event *event, uint32_t count, const char *what)
{
    if (event->calls == 1)
        snprintf(text, EVIDENCE_MAX, "the probe %s", what);
    else
        snprintf(text, EVIDENCE_MAX, "%u of %u probes %s", count, event->calls, what);
}

const char *evidence_text(char *text, const swg_event *event)
{
    switch ((swg_cause)event->cause) {
    case SWG_CAUSE_FAILURE_RATE:
        rate_text(text, event, event->failures, "failed");
        break;
    case SWG_CAUSE_SLOW_RATE:
        rate_text(text, event, event->slow, "were slow");
        break;
    case SWG_CAUSE_CONSECUTIVE:
        snprintf(text, EVIDENCE_MAX, "%u failures in a row (limit %u)", event->failures,
                 event->limit);
        break;
    case SWG_CAUSE_STALL:
        snprintf(text, EVIDENCE_MAX, "no call ended for %u ms", event->limit);
        break;
    case SWG_CAUSE_WAIT_OVER:
        snprintf(text, EVIDENCE_MAX, "the wait is over, probing");
        break;
    case SWG_CAUSE_PROBES_PASSED:
        probes_text(text, event, event->calls - event->failures, "passed");
        break;
    case SWG_CAUSE_PROBES_FAILED:
        probes_text(text, event, event->failures, "failed");
        break;
    case SWG_CAUSE_PROBES_SLOW:
        probes_text(text, event, event->slow, "were slow");
        break;
    case SWG_CAUSE_VOTES:
        snprintf(text, EVIDENCE_MAX, "%u of %u own breakers open", event->failures, event->calls);
        break;
    case SWG_CAUSE_CLAIM:
        snprintf(text, EVIDENCE_MAX, "its hosts knew, Redis did not");
        break;
    case SWG_CAUSE_PROBES_LOST:
        snprintf(text, EVIDENCE_MAX, "probes were lost (limit %u)", event->limit);
        break;
    default:
        snprintf(text, EVIDENCE_MAX, "%s", swg_cause_name((swg_cause)event->cause));
    }
    return text;
}

static void wall_text(char *text, size_t size, int64_t wall_ms)
{
    struct tm tm;
    time_t seconds = (time_t)(wall_ms / 1000);
    gmtime_r(&seconds, &tm);
    size_t used = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + used, size - used, ".%03dZ", (int)(wall_ms % 1000));
}

json_t *evidence_json(const swg_event *event)
{
    char wall[40];
    wall_text(wall, sizeof wall, event->wall_ms);
    return json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:i, s:s}",
                     "circuit", event->name, "sequence", (json_int_t)event->sequence, "from",
                     swg_state_name((swg_state)event->from), "to",
                     swg_state_name((swg_state)event->to), "cause",
                     swg_cause_name((swg_cause)event->cause), "override",
                     swg_override_name((swg_override)event->override), "calls", event->calls,
                     "failures", event->failures, "slow", event->slow, "limit", event->limit,
                     "epoch", (json_int_t)event->epoch, "at_ns", (json_int_t)event->at_ns,
                     "until_ns", (json_int_t)event->until_ns, "pid", event->pid, "time", wall);
}

typedef const char *(*name_of)(int value);

static const char *state_name(int value)
{
    return swg_state_name((swg_state)value);
}

static const char *cause_name(int value)
{
    return swg_cause_name((swg_cause)value);
}

static const char *override_name(int value)
{
    return swg_override_name((swg_override)value);
}

static bool value_of(uint8_t *value, const char *name, name_of names, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(name, names(i)) == 0) {
            *value = (uint8_t)i;
            return true;
        }
    }
    return false;
}

bool evidence_from_json(swg_event *event, const json_t *object)
{
    const char *name, *from, *to, *cause, *override;
    json_int_t sequence, epoch, at_ns, until_ns;
    int calls, failures, slow, limit, pid;
    *event = (swg_event){0};
    if (json_unpack((json_t *)object,
                    "{s:s, s:I, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:i}",
                    "circuit", &name, "sequence", &sequence, "from", &from, "to", &to, "cause",
                    &cause, "override", &override, "calls", &calls, "failures", &failures, "slow",
                    &slow, "limit", &limit, "epoch", &epoch, "at_ns", &at_ns, "until_ns", &until_ns,
                    "pid", &pid) != 0)
        return false;
    snprintf(event->name, sizeof event->name, "%s", name);
    event->sequence = (uint64_t)sequence;
    event->epoch = (uint64_t)epoch;
    event->at_ns = at_ns;
    event->until_ns = until_ns;
    event->calls = (uint32_t)calls;
    event->failures = (uint32_t)failures;
    event->slow = (uint32_t)slow;
    event->limit = (uint32_t)limit;
    event->pid = pid;
    return value_of(&event->from, from, state_name, SWG_STATE_COUNT) &&
           value_of(&event->to, to, state_name, SWG_STATE_COUNT) &&
           value_of(&event->cause, cause, cause_name, SWG_CAUSE_COUNT) &&
           value_of(&event->override, override, override_name, SWG_OVERRIDE_COUNT);
}
