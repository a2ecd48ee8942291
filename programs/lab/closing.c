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

/* "1 in each", "1 to 3 in each" */
static const char *each_text(char text[OUT_NUMBER_MAX], const tally_tries *t)
{
    if (t->fewest == t->most)
        snprintf(text, OUT_NUMBER_MAX, "%llu in each", (unsigned long long)t->most);
    else
        snprintf(text, OUT_NUMBER_MAX, "%llu to %llu in each", (unsigned long long)t->fewest,
                 (unsigned long long)t->most);
    return text;
}

static void say_outage(lab *l, const tally_summary *each, const tally_summary *fleet)
{
    char text[OUT_NUMBER_MAX];
    const tally_tries *t = &fleet->tries;
    say(l,
        "What you have seen: to find out whether the service was well, the fleet asked it in %llu "
        "half-open period%s with %llu probe%s, %s; a breaker each asked with %llu. What one of the "
        "fleet had learned the others knew: %.1f s in which they differed, against %.1f s.",
        (unsigned long long)t->tries, plural(t->tries), (unsigned long long)t->probes,
        plural(t->probes), each_text(text, t), (unsigned long long)each->tries.probes,
        (double)fleet->disagreed_ns / 1e9, (double)each->disagreed_ns / 1e9);
}

static void say_gone(lab *l, const world *w)
{
    const span *s = &w->spans[SPAN_GONE];
    const uint64_t answered = s->classes[LOAD_ANSWERED].count;
    const tally_summary *outage = &l->summaries[1][w - l->worlds];
    char share[64] = "all", sent[OUT_NUMBER_MAX];
    if (answered != s->sent)
        snprintf(share, sizeof share, "%llu", (unsigned long long)answered);
    say(l,
        "Without Redis %s of %s calls were answered, and when the service fell sick too, each "
        "instance's own breaker kept %.0f %% of the calls away from it.",
        share, out_count(sent, s->sent), 100 - outage->reached_pct);
}

static void say_back(lab *l, const world *w)
{
    if (w->together_ns)
        say(l, "Redis came back empty; %.1f s later all of the fleet were together again.",
            (double)(w->together_ns - w->back_ns) / 1e9);
    else
        say(l, "Redis came back empty, but the fleet did not come together again.");
}

void fleet_closing(lab *l)
{
    const world *fleet = &l->worlds[1];
    if (l->json)
        return;
    out_line(&l->out, "%s", "");
    say_outage(l, &l->summaries[0][0], &l->summaries[0][1]);
    say_gone(l, fleet);
    say_back(l, fleet);
}

/* ---- five worlds --------------------------------------------------------------------------- */

void compare_closing(lab *l)
{
    char probes[256] = "", reached[OUT_NUMBER_MAX];
    const tally_summary *s = l->summaries[0], *last = &s[l->world_count - 1];
    if (l->json)
        return;
    for (int i = 1; i < l->world_count; i++)
        snprintf(probes + strlen(probes), sizeof probes - strlen(probes), "%s%s" GLUE "%llu",
                 i > 1 ? ", " : "", l->worlds[i].plan->name, (unsigned long long)s[i].tries.probes);
    out_line(&l->out, "%s", "");
    say(l,
        "What you have seen: without a breaker %s calls went to the sick service, and callers "
        "waited %.0f s altogether; of %s %s did, and callers waited %.0f s.",
        out_count(reached, s[0].reached), s[0].waited_s, l->worlds[l->world_count - 1].plan->name,
        out_count((char[OUT_NUMBER_MAX]){0}, last->reached), last->waited_s);
    say(l, "Probes sent to learn when it is well: %s.", probes);
}
