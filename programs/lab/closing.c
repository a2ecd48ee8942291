#include "closing.h"

#include "paragraph.h"
#include "story.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CLOSING_INDENT = 2 };

static void say(lab *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(lab *l, const char *format, ...)
{
    char text[OUT_LINE_MAX];
    va_list list;
    va_start(list, format);
    int used = snprintf(text, sizeof text, "%*s", CLOSING_INDENT, "");
    vsnprintf(text + used, sizeof text - (size_t)used, format, list);
    va_end(list);
    paragraph(&l->out, CLOSING_INDENT, text);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- a fleet ------------------------------------------------------------------------------- */

/* Probes in one half-open period: "1", "1 to 3" */
static const char *each_text(char text[OUT_NUMBER_MAX], const tally_tries *t)
{
    if (t->fewest == t->most)
        snprintf(text, OUT_NUMBER_MAX, "%llu", (unsigned long long)t->most);
    else
        snprintf(text, OUT_NUMBER_MAX, "%llu to %llu", (unsigned long long)t->fewest,
                 (unsigned long long)t->most);
    return text;
}

static void say_outage(lab *l, const tally_summary *each, const tally_summary *fleet)
{
    char text[OUT_NUMBER_MAX];
    const tally_tries *t = &fleet->tries;
    say(l,
        "What you have seen: to find out whether the service was well, the fleet asked it in %llu "
        "half-open period%s with %llu probe%s, %s in each; a breaker each asked with %llu. What "
        "one of the "
        "fleet had learned the others knew: %.1f s in which they differed, against %.1f s.",
        (unsigned long long)t->tries, plural(t->tries), (unsigned long long)t->probes,
        plural(t->probes), each_text(text, t), (unsigned long long)each->tries.probes,
        (double)fleet->disagreed_ns / 1e9, (double)each->disagreed_ns / 1e9);
}

/* "all of 300 calls", or, if some were not, how many, and in the other world. */
static void answered_text(char *text, size_t size, const span *fleet, const span *each)
{
    const uint64_t answered = fleet->classes[LOAD_ANSWERED].count;
    char sent[OUT_NUMBER_MAX], others[OUT_NUMBER_MAX];
    if (answered == fleet->sent)
        snprintf(text, size, "all of %s calls were answered", out_count(sent, fleet->sent));
    else
        snprintf(text, size, "%llu of %s calls were answered (of those of a breaker each %s)",
                 (unsigned long long)answered, out_count(sent, fleet->sent),
                 out_count(others, each->classes[LOAD_ANSWERED].count));
}

static void say_gone(lab *l, const world *each, const world *fleet)
{
    char answered[160];
    answered_text(answered, sizeof answered, &fleet->spans[SPAN_GONE], &each->spans[SPAN_GONE]);
    say(l,
        "Without Redis %s, and when the service fell sick too, each instance's own breaker kept "
        "%.0f %% of the calls away from it.",
        answered, 100 - l->summaries[1][fleet - l->worlds].reached_pct);
}

static void say_back(lab *l, const world *w)
{
    if (w->together_ns)
        say(l, "Redis came back empty; %.1f s later all of the fleet were together again.",
            (double)(w->together_ns - w->back_ns) / 1e9);
    else
        say(l, "Redis came back empty, but the fleet had not come together again.");
}

void fleet_closing(lab *l)
{
    const world *fleet = &l->worlds[1];
    if (l->json || l->trouble)
        return;
    out_line(&l->out, "%s", "");
    say_outage(l, &l->summaries[0][0], &l->summaries[0][1]);
    say_gone(l, &l->worlds[0], fleet);
    say_back(l, fleet);
}

/* ---- the naive breaker --------------------------------------------------------------------- */

static const char *frozen_text(char text[OUT_NUMBER_MAX], const world *w)
{
    histogram all;
    span_latency(&w->spans[SPAN_FROZEN], &all);
    return out_latency(text, histogram_at(&all, 50));
}

void naive_closing(lab *l)
{
    const world *naive = &l->worlds[0], *fleet = &l->worlds[1];
    char probes[2][OUT_NUMBER_MAX], frozen[2][OUT_NUMBER_MAX];
    if (l->trouble)
        return;
    out_line(&l->out, "%s", "");
    say(l,
        "What you have seen: the naive breaker made every call wait for Redis, and let %s calls "
        "through in each half-open period, where the fleet let %s. Frozen, Redis made its calls "
        "take %s, those of the fleet %s. With Redis gone %.0f %% of its calls reached the sick "
        "service, of those of the fleet %.0f %%.",
        each_text(probes[0], &l->summaries[0][0].tries),
        each_text(probes[1], &l->summaries[0][1].tries), frozen_text(frozen[0], naive),
        frozen_text(frozen[1], fleet), l->summaries[1][0].reached_pct,
        l->summaries[1][1].reached_pct);
}

/* ---- five worlds --------------------------------------------------------------------------- */

/* "one each 17; a fleet 6" */
static void probes_text(char *text, size_t size, const lab *l)
{
    size_t used = 0;
    for (int i = 0; i < l->world_count && used < size; i++) {
        const stage_world *plan = l->worlds[i].plan;
        if (plan->breakers)
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s %llu", used ? "; " : "",
                                 plan->name, (unsigned long long)l->summaries[0][i].tries.probes);
    }
}

const char *compare_text(char text[CLOSING_MAX], const lab *l)
{
    char probes[256], bare[OUT_NUMBER_MAX], fleet[OUT_NUMBER_MAX];
    const tally_summary *first = l->summaries[0], *last = &first[l->world_count - 1];
    probes_text(probes, sizeof probes, l);
    snprintf(text, CLOSING_MAX,
             "What you have seen: without a breaker %s calls went to the sick service, and callers "
             "waited %.0f s altogether; with a fleet it was %s calls and %.0f s. To learn when the "
             "service was well, probes were sent: %s.",
             out_count(bare, first->reached), first->waited_s, out_count(fleet, last->reached),
             last->waited_s, probes);
    return text;
}

void compare_closing(lab *l)
{
    char text[CLOSING_MAX];
    if (l->json || l->trouble)
        return;
    out_line(&l->out, "%s", "");
    say(l, "%s", compare_text(text, l));
}
