/* switchgear fleet status: circuits as Redis holds them. */
#include "fleet.h"

#include <stdlib.h>
#include <string.h>

enum { NOTE_MAX = 240 };

/* ---- table --------------------------------------------------------------------------------- */

static size_t add(char *note, size_t used, const char *text)
{
    if (used >= NOTE_MAX)
        return used;
    return used + (size_t)snprintf(note + used, NOTE_MAX - used, "%s%s", used ? ", " : "", text);
}

static int64_t whole_seconds(int64_t ms)
{
    return (ms + 999) / 1000 * 1000;
}

/* Why a circuit that is half-open or closed does not admit calls as one would think. */
static size_t add_delays(char *note, size_t used, const swg_fleet_status *s)
{
    char text[120], span[FLEET_SPAN_MAX], time[FLEET_TIME_MAX];
    if (s->holdoff_until_ms > s->until_ms) {
        snprintf(text, sizeof text, "hold-off until %s: no probe before",
                 fleet_time(time, s->holdoff_until_ms));
        used = add(note, used, text);
    }
    if (s->ramp_until_ms > 0) {
        snprintf(text, sizeof text, "ramp: a growing share of the calls, all of them in %s",
                 fleet_span(span, whole_seconds(s->ramp_until_ms - s->now_ms)));
        used = add(note, used, text);
    }
    return used;
}

/* What deserves a word beyond the numbers. */
static const char *note_of(char note[NOTE_MAX], const swg_fleet_status *s)
{
    char text[80], span[FLEET_SPAN_MAX];
    size_t used = 0;
    note[0] = '\0';
    if (s->until_ms > s->now_ms) {
        snprintf(text, sizeof text, "%s left",
                 fleet_span(span, whole_seconds(s->until_ms - s->now_ms)));
        used = add(note, used, text);
    }
    if (s->until_ms > 0 && s->until_ms <= s->now_ms)
        used = add(note, used, "its time is over: the next call that asks moves it on");
    used = add_delays(note, used, s);
    if (s->state == SWG_FLEET_HALF_OPEN) {
        snprintf(text, sizeof text, "%u probes out, %u passed, %u failed, %u lost", s->leases,
                 s->probes[1], s->probes[0], s->probes[2]);
        used = add(note, used, text);
    }
    if (s->state == SWG_FLEET_CLOSED && s->bad + s->open > 0) {
        snprintf(text, sizeof text, "bad at %u, own breaker open at %u (quorum %u)", s->bad,
                 s->open, s->quorum);
        used = add(note, used, text);
    }
    if (s->quarantined > 0) {
        snprintf(text, sizeof text, "%u in quarantine", s->quarantined);
        add(note, used, text);
    }
    return note;
}

static void show_head(out *o, int width)
{
    out_line(o, "%s  %-*s  %-9s  %-24s  %-24s  %9s  %7s  %6s  %5s%s", out_paint(o, OUT_DIM), width,
             "CIRCUIT", "STATE", "SINCE", "UNTIL", "REPORTING", "CALLS", "FAILED", "SLOW",
             out_paint(o, OUT_PLAIN));
}

static void show(out *o, int width, const swg_fleet_status *s, const swg_fleet_action *order)
{
    char since[FLEET_TIME_MAX], until[FLEET_TIME_MAX], note[NOTE_MAX], why[FLEET_WHY_MAX];
    out_line(o, "%s%s%s %-*s  %-9s  %-24s  %-24s  %9u  %7llu  %6llu  %5llu",
             out_paint(o, fleet_state_style(s->state)), fleet_state_sign(s->state),
             out_paint(o, OUT_PLAIN), width, s->name, fleet_state_word(s->state),
             fleet_time(since, s->since_ms), fleet_time(until, s->until_ms), s->reporters,
             (unsigned long long)s->calls, (unsigned long long)s->failures,
             (unsigned long long)s->slow);
    if (fleet_why(why, s, order)[0])
        out_line(o, "%*swhy: %s", width + 4, "", why);
    if (note_of(note, s)[0])
        out_line(o, "%*s%s", width + 4, "", note);
}

static void show_all(fleet *f, const fleet_circuits *c, const swg_fleet_action *orders)
{
    int width = 7;
    for (size_t i = 0; i < c->count; i++) {
        const int length = (int)strlen(c->all[i].name);
        width = length > width ? length : width;
    }
    if (c->count == 0) {
        out_line(&f->out, "no circuits in namespace %s%s",
                 f->redis.space ? f->redis.space : "default",
                 f->redis.space ? "" : "; another one: --space NAME");
        return;
    }
    show_head(&f->out, width);
    for (size_t i = 0; i < c->count; i++)
        show(&f->out, width, &c->all[i], orders ? &orders[i] : NULL);
}

/* ---- values -------------------------------------------------------------------------------- */

static const char *revision_of(char text[16], const swg_fleet_status *s)
{
    snprintf(text, 16, s->revision == SWG_NONE ? "-" : "%u", s->revision);
    return text;
}

static void print(const swg_fleet_status *s)
{
    char since[FLEET_TIME_MAX], until[FLEET_TIME_MAX], revision[16];
    char holdoff[FLEET_TIME_MAX], ramp[FLEET_TIME_MAX];
    printf("%s\t%s\t%s\t%s\t%u\t%u\t%u\t%u\t%llu\t%llu\t%llu\t%llu\t%u\t%u\t%u\t%u\t%u\t%s\t%llu\t%"
           "u\t%s\t%s",
           s->name, swg_fleet_state_name((swg_fleet_state)s->state), fleet_time(since, s->since_ms),
           fleet_time(until, s->until_ms), s->backoff, s->reporters, s->bad, s->open,
           (unsigned long long)s->calls, (unsigned long long)s->failures,
           (unsigned long long)s->slow, (unsigned long long)s->local_failures, s->leases,
           s->probes[1], s->probes[0], s->probes[2], s->quarantined, revision_of(revision, s),
           (unsigned long long)s->epoch, s->shard, fleet_time(holdoff, s->holdoff_until_ms),
           fleet_time(ramp, s->ramp_until_ms));
    fleet_print_why(s);
    putchar('\n');
}

static json_t *limits(const swg_fleet_status *s)
{
    return json_pack("{s:o, s:i, s:i, s:i, s:i, s:i}", "revision",
                     s->revision == SWG_NONE ? json_null() : json_integer(s->revision), "window_ms",
                     s->window_ms, "calls_min", s->calls_min, "failure_pct", s->failure_pct,
                     "slow_pct", s->slow_pct, "quorum", s->quorum);
}

static json_t *object(const swg_fleet_status *s, const swg_fleet_action *order)
{
    return json_pack(
        "{s:s, s:s, s:i, s:I, s:o, s:o, s:i, s:{s:i, s:i, s:i}, s:{s:I, s:I, s:I, s:I}, "
        "s:{s:i, s:i, s:i, s:i}, s:i, s:o, s:o, s:o, s:s, s:o, s:o}",
        "circuit", s->name, "state", swg_fleet_state_name((swg_fleet_state)s->state), "shard",
        s->shard, "epoch", (json_int_t)s->epoch, "since", fleet_time_json(s->since_ms), "until",
        fleet_time_json(s->until_ms), "backoff", s->backoff, "reporters", "reporting", s->reporters,
        "bad", s->bad, "open", s->open, "window", "calls", (json_int_t)s->calls, "failures",
        (json_int_t)s->failures, "slow", (json_int_t)s->slow, "local_failures",
        (json_int_t)s->local_failures, "probes", "out", s->leases, "passed", s->probes[1], "failed",
        s->probes[0], "lost", s->probes[2], "quarantined", s->quarantined, "limits", limits(s),
        "holdoff_until", fleet_time_json(s->holdoff_until_ms), "ramp_until",
        fleet_time_json(s->ramp_until_ms), "cause", swg_cause_name((swg_cause)s->cause), "trip",
        fleet_trip_json(&s->trip), "order", fleet_order_json(order));
}

static void print_all_json(const fleet *f, const fleet_circuits *c, const swg_fleet_action *orders)
{
    json_t *circuits = json_array();
    for (size_t i = 0; i < c->count; i++)
        json_array_append_new(circuits, object(&c->all[i], orders ? &orders[i] : NULL));
    fleet_print_json(json_pack(
        "{s:s, s:o, s:s, s:o, s:o}", "schema", "switchgear.fleet.status/1", "url",
        fleet_text_json(f->url), "space", f->redis.space ? f->redis.space : "default", "time",
        fleet_time_json(c->count > 0 ? c->all[0].now_ms : 0), "circuits", circuits));
}

/* ---- run ----------------------------------------------------------------------------------- */

static const char *unknown_of(const fleet_circuits *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (!c->all[i].known)
            return c->all[i].name;
    }
    return NULL;
}

static void show_form(fleet *f, const fleet_circuits *c)
{
    swg_fleet_action *orders = f->form == FLEET_TSV ? NULL : fleet_read_orders(f, c);
    if (f->form == FLEET_TABLE)
        show_all(f, c, orders);
    for (size_t i = 0; f->form == FLEET_TSV && i < c->count; i++)
        print(&c->all[i]);
    if (f->form == FLEET_JSON)
        print_all_json(f, c, orders);
    free(orders);
}

int fleet_status_run(const cli_args *args)
{
    fleet f;
    fleet_circuits circuits = {0};
    int code = fleet_begin(&f, args);
    for (int i = 1; i < args->word_count && code == CLI_FINE; i++)
        code = fleet_check_name(args, args->words[i]);
    if (code != CLI_FINE)
        return code;
    const int result = fleet_read(&f, &circuits, args->words + 1, (size_t)args->word_count - 1);
    const char *unknown = unknown_of(&circuits);
    if (result != SWG_OK)
        code = fleet_failed(&f, result);
    else if (unknown)
        code = fleet_no_circuit(&f, unknown);
    else
        show_form(&f, &circuits);
    free(circuits.all);
    return code == CLI_FINE ? fleet_end(&f, code) : code;
}
