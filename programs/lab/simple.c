/* The first stage: one breaker in one process. The dependency is a seeded draw, the clock is turned
 * by hand, and what is printed about the circuit is read back from its snapshot and its journal. */
#include "parts.h"

#include "../common/evidence.h"
#include "../common/output.h"
#include "fault.h"
#include "profile.h"

#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>
#include <time.h>

enum {
    MS = 1000000,
    STEP_MS = 100,    /* a call every so often */
    SICK_AT = 8,      /* the call before which the dependency breaks */
    HEAL_AT = 150,    /* and heals */
    CALLS_MAX = 3000, /* more than any profile's recovery takes */
    CALLS_AFTER = 5,  /* that end the story, once closed again */
    SICK_PCT = 90,
    SHOWN_BLOCKED = 3,
    PACE_MS = 150
};

typedef struct simple {
    out out;
    bool paced;
    uint64_t seed;
    swg_panel *panel;
    swg_circuit *circuit;
    uint64_t cursor;
    int64_t start_ns, now_ns;
    int call;
    bool sick;
    int blocked; /* in a row */
    uint64_t sick_calls, sick_allowed;
} simple;

/* ---- printing ------------------------------------------------------------------------------ */

static void pace(const simple *s)
{
    if (s->paced)
        nanosleep(&(struct timespec){.tv_nsec = PACE_MS * MS}, NULL);
}

/* A line: the time, the state the circuit is in, and what happened. */
static void say(simple *s, swg_state state, const char *text)
{
    out *o = &s->out;
    char word[32];
    snprintf(word, sizeof word, "%-9s", out_state_word(state, SWG_OVERRIDE_NONE));
    out_line(o, "%6.1f s  %s%s %s%s  %s", (double)(s->now_ns - s->start_ns) / 1e9,
             out_paint(o, out_state_style(state, SWG_OVERRIDE_NONE)),
             out_state_sign(state, SWG_OVERRIDE_NONE), word, out_paint(o, OUT_PLAIN), text);
    pace(s);
}

static void say_dependency(simple *s, const char *text)
{
    out *o = &s->out;
    out_line(o, "%6.1f s  %s✱ %s%s", (double)(s->now_ns - s->start_ns) / 1e9,
             out_paint(o, OUT_BOLD), text, out_paint(o, OUT_PLAIN));
    pace(s);
}

static void say_event(simple *s, const swg_event *event)
{
    char why[EVIDENCE_MAX], text[EVIDENCE_MAX + 64], wait[OUT_NUMBER_MAX];
    evidence_text(why, event);
    if (event->to == SWG_OPEN)
        snprintf(text, sizeof text, "→ %s: %s, retry in %s", out_state_word(event->to, 0), why,
                 out_seconds(wait, event->until_ns - event->at_ns));
    else
        snprintf(text, sizeof text, "→ %s: %s", out_state_word(event->to, 0), why);
    say(s, (swg_state)event->to, text);
}

static void say_events(simple *s)
{
    swg_event event;
    while (swg_journal_read(s->panel, &s->cursor, &event, 1) == 1)
        say_event(s, &event);
}

static swg_snapshot snapshot(const simple *s)
{
    swg_snapshot snap = {0};
    swg_circuit_read(s->circuit, s->now_ns, &snap);
    return snap;
}

/* One call that was let through, and how close to its limit it brings the circuit. */
static void say_call(simple *s, bool failed, const swg_snapshot *before)
{
    char text[160];
    size_t used =
        (size_t)snprintf(text, sizeof text, "call %d %s", s->call, failed ? "failed" : "ok");
    uint32_t limit = before->config.failure_threshold;
    bool counts = failed && before->state == SWG_CLOSED;
    if (counts && limit != SWG_NONE)
        snprintf(text + used, sizeof text - used, ", %u of %u in a row",
                 before->consecutive_failures + 1, limit);
    else if (counts)
        snprintf(text + used, sizeof text - used, ", %llu of %llu in the window",
                 (unsigned long long)before->window_failures + 1,
                 (unsigned long long)before->window_calls + 1);
    say(s, (swg_state)before->state, text);
}

static void say_blocked(simple *s, const swg_permit *permit)
{
    char text[160], wait[OUT_NUMBER_MAX];
    if (++s->blocked > SHOWN_BLOCKED)
        return;
    snprintf(text, sizeof text, "call %d blocked (%s), try again in %s", s->call,
             swg_verdict_name((swg_verdict)permit->verdict),
             out_seconds(wait, permit->retry_ns - s->now_ns));
    say(s, (swg_state)snapshot(s).state, text);
}

static void say_end_of_blocking(simple *s)
{
    char text[160];
    if (s->blocked > SHOWN_BLOCKED) {
        snprintf(text, sizeof text, "%d more calls blocked; the dependency saw none of them",
                 s->blocked - SHOWN_BLOCKED);
        say(s, SWG_OPEN, text);
    }
    s->blocked = 0;
}

/* ---- the story ----------------------------------------------------------------------------- */

static bool dependency_fails(const simple *s)
{
    return s->sick && seeded(s->seed, (uint64_t)s->call, 100) < SICK_PCT;
}

static void make_call(simple *s)
{
    swg_permit permit;
    s->call++;
    s->sick_calls += s->sick;
    if (swg_acquire(s->circuit, &permit, s->now_ns) != SWG_PERMITTED) {
        say_blocked(s, &permit);
        return;
    }
    bool failed = dependency_fails(s);
    s->sick_allowed += s->sick;
    say_end_of_blocking(s);
    say_events(s);
    swg_snapshot before = snapshot(s);
    swg_release(s->circuit, &permit, failed ? SWG_FAILURE : SWG_SUCCESS, s->now_ns);
    say_call(s, failed, &before);
    say_events(s);
}

static void turn_dependency(simple *s)
{
    char text[96];
    if (s->call == SICK_AT && !s->sick) {
        snprintf(text, sizeof text, "the dependency breaks: %d %% of its answers are errors",
                 SICK_PCT);
        s->sick = true;
        say_dependency(s, text);
    } else if (s->call == HEAL_AT && s->sick) {
        say_end_of_blocking(s);
        s->sick = false;
        say_dependency(s, "the dependency is well again; the circuit does not know yet");
    }
}

static bool tell(simple *s)
{
    int after = 0;
    while (s->call < CALLS_MAX && after < CALLS_AFTER) {
        turn_dependency(s);
        make_call(s);
        if (s->call > HEAL_AT && snapshot(s).state == SWG_CLOSED)
            after++;
        s->now_ns += STEP_MS * (int64_t)MS;
    }
    return after == CALLS_AFTER;
}

/* ---- beginning and end --------------------------------------------------------------------- */

static void introduce(simple *s)
{
    char circuit[PROFILE_TEXT_MAX];
    swg_snapshot snap = snapshot(s);
    out *o = &s->out;
    out_line(o, "%sswitchgear lab simple: one breaker in one process%s", out_paint(o, OUT_BOLD),
             out_paint(o, OUT_PLAIN));
    out_line(o, "  A client calls a dependency ten times a second through a circuit:");
    out_line(o, "  %s.", profile_text(circuit, &snap.config));
    out_line(o, "  The clock is virtual, so nobody has to wait. Seed %llu.",
             (unsigned long long)s->seed);
    out_line(o, "%s", "");
}

static void print_count(simple *s, const char *label, uint64_t count)
{
    char text[OUT_NUMBER_MAX];
    out_line(&s->out, "  %-52s %6s", label, out_count(text, count));
}

static void conclude(simple *s)
{
    out *o = &s->out;
    swg_snapshot snap = snapshot(s);
    uint64_t opened = 0;
    for (int cause = 0; cause < SWG_CAUSE_HOST_COUNT; cause++)
        opened += snap.transitions[cause];
    out_line(o, "%s", "");
    out_line(o, "%s%s%s", out_paint(o, OUT_BOLD), "  In numbers, as the circuit counted them",
             out_paint(o, OUT_PLAIN));
    print_count(s, "calls made", (uint64_t)s->call);
    print_count(s, "let through", snap.outcomes[SWG_SUCCESS] + snap.outcomes[SWG_FAILURE]);
    print_count(s, "  of those failed", snap.outcomes[SWG_FAILURE]);
    print_count(s, "blocked at once",
                snap.rejected[SWG_REJECTED_OPEN] + snap.rejected[SWG_REJECTED_PROBING] +
                    snap.rejected[SWG_REJECTED_RAMP]);
    print_count(s, "transitions", opened);
    print_count(s, "calls while the dependency was sick", s->sick_calls);
    print_count(s, "  of those it had to bear", s->sick_allowed);
}

static int open_circuit(simple *s, const cli_args *args)
{
    swg_circuit_config config;
    int result = profile_from_args(&config, args);
    if (result != CLI_FINE)
        return result;
    int error = swg_panel_open(&s->panel, NULL, NULL);
    if (error == SWG_OK)
        error = swg_circuit_open(&s->circuit, s->panel, "dependency", &config);
    if (error == SWG_OK)
        return CLI_FINE;
    fprintf(stderr, "switchgear lab simple: %s\n", swg_error_text(error));
    return CLI_FAILED;
}

int lab_simple_run(const cli_args *args)
{
    simple s = {.seed = (uint64_t)cli_number(args, "seed", 1)};
    s.start_ns = s.now_ns = 1000 * (int64_t)MS;
    out_open(&s.out, stdout, cli_text(args, "color", NULL));
    s.paced = s.out.tty && !cli_flag(args, "once");
    int result = open_circuit(&s, args);
    if (result == CLI_FINE) {
        introduce(&s);
        bool recovered = tell(&s);
        conclude(&s);
        result = recovered && !ferror(stdout) ? CLI_FINE : CLI_FAILED;
    }
    swg_panel_close(&s.panel);
    return result;
}
