/* The progress of a stage's story: healthy, outage, recovery, table; and the keys that take over.
 */
#include "lab.h"

#include "report.h"
#include "story.h"

#include <string.h>

enum { MS = 1000000 };
static const int64_t SECOND = 1000 * (int64_t)MS;

/* ---- recovery ------------------------------------------------------------------------------ */

/* A circuit whose service is gone has nothing to recover to, and one whose instance is gone is too.
 */
static bool recovers(const member *m)
{
    return m->world->plan->breakers && !m->dead && !m->world->service.dead;
}

static bool all_closed(const lab *l)
{
    for (int w = 0; w < l->world_count; w++)
        for (int i = 0; i < STAGE_INSTANCES; i++) {
            const member *m = &l->worlds[w].instances[i];
            if (recovers(m) && m->state != SWG_CLOSED)
                return false;
        }
    return true;
}

/* Circuits try again when their wait is over; some time after the last of them all must be closed.
 */
static int64_t recovery_deadline(const lab *l)
{
    int64_t last_ns = l->worlds[0].tally.healed_ns;
    for (int w = 0; w < l->world_count; w++)
        for (int i = 0; i < STAGE_INSTANCES; i++) {
            const member *m = &l->worlds[w].instances[i];
            if (recovers(m) && m->until_ns > last_ns)
                last_ns = m->until_ns;
        }
    return last_ns + 5 * SECOND + (l->script.timeout_ms + l->config.probe_ms) * MS;
}

static void settle(lab *l, int64_t now_ns)
{
    l->phase = LAB_SETTLING;
    l->next_ns = now_ns + SECOND + l->script.timeout_ms * MS;
    for (int w = 0; w < l->world_count; w++)
        if (all_closed(l) && !l->worlds[w].service.dead)
            l->worlds[w].tally.closed_ns = tally_last_closed(&l->worlds[w].tally);
}

static void step_recovering(lab *l, int64_t now_ns)
{
    if (all_closed(l) && l->pending_count == 0) {
        story_all_closed(l);
        settle(l, now_ns);
    } else if (now_ns >= recovery_deadline(l)) {
        story_not_closed(l);
        l->trouble = true;
        settle(l, now_ns);
    }
}

static void step_settling(lab *l, int64_t now_ns)
{
    if (!l->trouble && !all_closed(l)) { /* a call of the outage came back late and opened one */
        l->phase = LAB_RECOVERING;
        return;
    }
    if (now_ns < l->next_ns)
        return;
    story_compare(l);
    story_table(l);
    l->end_ns = now_ns;
    if (l->report)
        l->trouble |= !report_write(l, l->report);
    l->report = NULL;
    if (lab_encore_begin(l, now_ns))
        return;
    if (l->stage->closing && (l->encore || l->stage->encore[0].kind == ACT_NONE))
        l->stage->closing(l);
    if (l->trouble)
        story_care(l);
    l->phase = l->once ? LAB_OVER : LAB_FREE;
    if (l->phase == LAB_FREE && l->keys) {
        out_line(&l->out, "%s", "");
        story_note(l, "the lab goes on, the controls are yours:");
        story_keys(l);
    }
}

/* ---- breaking and healing ------------------------------------------------------------------ */

static void begin_tallies(lab *l, int64_t now_ns)
{
    lab_span_end(l, now_ns);
    for (int w = 0; w < l->world_count; w++) {
        swg_state states[STAGE_INSTANCES];
        for (int i = 0; i < STAGE_INSTANCES; i++)
            states[i] = l->worlds[w].instances[i].state;
        tally_begin(&l->worlds[w].tally, l->load_phase, now_ns, states);
    }
}

static void note_answer(world *w, const json_t *answer)
{
    json_t *outage = json_object_get(answer, "outage");
    w->service_changes = (uint64_t)json_integer_value(json_object_get(answer, "changes"));
    w->outage_calls = (uint64_t)json_integer_value(json_object_get(outage, "calls"));
}

/* Tells every service but the one that knows already. */
static void switch_services(lab *l, const world *but)
{
    for (int w = 0; w < l->world_count; w++) {
        world *one = &l->worlds[w];
        json_t *answer;
        if (one == but || one->service.dead)
            continue;
        if (control_post(one->service.port, (fault_kind)l->fault_now, l->rate_now, &answer)) {
            note_answer(one, answer);
            json_decref(answer);
        } else if (!one->service.dead) {
            story_note(l, "a service did not answer on its control path");
            l->trouble = true;
        }
    }
}

static void begin_outage(lab *l, int64_t now_ns, fault_kind fault, int rate_pct, const world *by)
{
    bool already = l->phase == LAB_OUTAGE;
    l->fault_now = (int)fault;
    l->rate_now = rate_pct;
    if (!already)
        begin_tallies(l, now_ns);
    switch_services(l, by);
    story_broken(l, by != NULL);
    if (already)
        return;
    l->phase = LAB_OUTAGE;
    l->next_ns = now_ns + l->script.outage_ms * MS;
    l->compare_ns = now_ns + 2 * SECOND;
}

static void end_outage(lab *l, int64_t now_ns, const world *by)
{
    if (l->phase != LAB_OUTAGE)
        return;
    l->fault_now = FAULT_NONE;
    l->rate_now = 100;
    switch_services(l, by);
    lab_next_phase(l);
    for (int w = 0; w < l->world_count; w++) {
        tally *t = &l->worlds[w].tally;
        t->healed_ns = now_ns;
        t->reached = l->worlds[w].outage_calls;
    }
    story_healed(l, by != NULL);
    l->phase = LAB_RECOVERING;
    l->compare_ns = INT64_MAX;
}

void lab_break(lab *l, int64_t now_ns, fault_kind fault, int rate_pct)
{
    begin_outage(l, now_ns, fault, rate_pct, NULL);
}

void lab_heal(lab *l, int64_t now_ns)
{
    end_outage(l, now_ns, NULL);
}

void lab_follow(lab *l, world *from)
{
    int64_t now_ns = swg_clock_ns();
    if (l->start_ns == 0)
        return;
    l->by_hand = !l->once;
    if (from->fault == FAULT_NONE)
        end_outage(l, now_ns, from);
    else
        begin_outage(l, now_ns, from->fault, from->rate_pct, from);
}

/* ---- the script ---------------------------------------------------------------------------- */

void lab_script_begin(lab *l, int64_t now_ns)
{
    l->start_ns = now_ns;
    l->phase = LAB_HEALTHY;
    l->next_ns = now_ns + l->script.healthy_ms * MS;
    l->machine = machine_now();
    lab_span_begin(l, SPAN_HEALTHY, now_ns);
    story_healthy(l);
}

static void step_due(lab *l, int64_t now_ns)
{
    if (l->encore) {
        lab_encore_step(l, now_ns);
    } else if (l->phase == LAB_HEALTHY) {
        story_compare(l);
        lab_break(l, now_ns, l->script.fault, l->script.rate_pct);
    } else {
        lab_heal(l, now_ns);
    }
}

static void step_compare(lab *l, int64_t now_ns)
{
    enum { EVERY_S = 5 };
    if (now_ns < l->compare_ns)
        return;
    story_compare(l);
    l->compare_ns = now_ns + EVERY_S * SECOND;
}

/* Circuits that open one after the other differ for a moment each time; once is enough to see it.
 */
static void step_states(lab *l, int64_t now_ns)
{
    enum { SHOWN_EVERY_S = 2 };
    if (now_ns < l->states_ns)
        return;
    l->states_ns = INT64_MAX;
    if (now_ns - l->shown_ns < SHOWN_EVERY_S * SECOND)
        return;
    if (story_states(l))
        l->shown_ns = now_ns;
}

void lab_script_step(lab *l, int64_t now_ns)
{
    enum { REPORTED_AFTER_MS = 150 }; /* and the fleet has heard of it */
    bool due = !l->by_hand && now_ns >= l->next_ns;
    story_flush(l, now_ns - REPORTED_AFTER_MS * (int64_t)MS);
    lab_span_step(l, now_ns);
    for (int w = 0; w < l->world_count; w++)
        lab_notice_together(&l->worlds[w], now_ns);
    step_states(l, now_ns);
    step_compare(l, now_ns);
    switch (l->phase) {
    case LAB_HEALTHY:
    case LAB_OUTAGE:
        if (due)
            step_due(l, now_ns);
        break;
    case LAB_RECOVERING:
        step_recovering(l, now_ns);
        break;
    case LAB_SETTLING:
        step_settling(l, now_ns);
        break;
    default:
        break;
    }
}

/* ---- keys ---------------------------------------------------------------------------------- */

static void choose(lab *l, int digit, int64_t now_ns)
{
    char text[FAULT_TEXT_MAX], note[FAULT_TEXT_MAX + 32];
    l->chosen = (fault_kind)(FAULT_ERRORS + digit - '1');
    if (l->phase == LAB_OUTAGE) {
        lab_break(l, now_ns, l->chosen, l->script.rate_pct);
        return;
    }
    fault_text(text, l->chosen, l->script.rate_pct, &l->times);
    snprintf(note, sizeof note, "b will break it so: %s", text);
    story_note(l, note);
}

/* Keys for Redis, where there is one. */
static bool redis_key(lab *l, int key, int64_t now_ns)
{
    static const char keys[] = "kftrcm";
    const char *at = key ? strchr(keys, key) : NULL;
    if (!at || !lab_has_redis(l))
        return false;
    l->by_hand = true;
    lab_redis(l, now_ns, &(redis_order){.action = (redis_action)(at - keys)}, NULL);
    return true;
}

void lab_key(lab *l, int key, int64_t now_ns)
{
    if (key == 'q' || key == 'Q') {
        l->phase = LAB_OVER;
    } else if (key == '?') {
        story_keys(l);
    } else if (l->start_ns == 0 || redis_key(l, key, now_ns)) {
        return;
    } else if (key == 'b' || key == 'h' || (key >= '1' && key <= '5')) {
        l->by_hand = true;
        if (key == 'b' && l->phase != LAB_OUTAGE)
            lab_break(l, now_ns, l->chosen, l->script.rate_pct);
        else if (key == 'h')
            lab_heal(l, now_ns);
        else if (key != 'b')
            choose(l, key, now_ns);
    }
}
