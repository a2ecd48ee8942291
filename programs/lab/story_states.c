/* Who is in which state, and the bottom line of a terminal. */
#include "story.h"

#include "paragraph.h"
#include "terminal.h"

#include <stdio.h>

static void state_words(const world *w, const out *o, bool words, char *text, size_t size)
{
    size_t used = 0;
    *text = '\0';
    for (int i = 0; i < STAGE_INSTANCES && used < size; i++) {
        const member *m = &w->instances[i];
        const char *sign = m->dead ? "✗" : out_state_sign(m->state, 0);
        const char *word = m->dead ? "GONE" : out_state_word(m->state, 0);
        out_style style = m->dead ? OUT_BAD : out_state_style(m->state, 0);
        used += (size_t)snprintf(text + used, size - used, "%s%c %s%s%s%s%s", i ? "  " : "",
                                 'A' + i, out_paint(o, style), sign, words ? " " : "",
                                 words ? word : "", out_paint(o, OUT_PLAIN));
    }
}

/* Those that are gone have no say. */
static bool disagree(const world *w)
{
    const member *first = NULL;
    for (int i = 0; i < STAGE_INSTANCES; i++) {
        const member *m = &w->instances[i];
        if (m->dead)
            continue;
        if (first && m->state != first->state)
            return true;
        first = m;
    }
    return false;
}

/* While one hears of it before the other, they have not yet had the time to agree. */
static bool is_settled(const lab *l, const world *w)
{
    for (int i = 0; i < l->pending_count; i++)
        if (l->pending[i].member->world == w)
            return false;
    return true;
}

bool story_states(lab *l)
{
    char states[256], text[512];
    bool any = false;
    for (int i = 0; i < l->world_count && !l->json && !l->stage->quiet; i++) {
        const world *w = &l->worlds[i];
        if (!w->plan->breakers || !disagree(w) || !is_settled(l, w))
            continue;
        any = true;
        state_words(w, &l->out, true, states, sizeof states);
        snprintf(text, sizeof text, "%*sthey differ%s%s%s: %s", STORY_INDENT, "",
                 story_breaker_worlds(l) > 1 ? " (" : "",
                 story_breaker_worlds(l) > 1 ? w->plan->name : "",
                 story_breaker_worlds(l) > 1 ? ")" : "", states);
        paragraph(&l->out, STORY_INDENT, text);
    }
    return any;
}

/* ---- a terminal ---------------------------------------------------------------------------- */

void story_keys(lab *l)
{
    static const char *const lines[] = {
        "  b  break the service     1  errors     4  reset connections",
        "  h  heal it               2  slow       5  flap",
        "  q  end the lab           3  hang       ?  this",
        "  From another terminal: switchgear lab break hang --rate 80%, lab heal",
    };
    static const char *const redis_lines[] = {
        "  k  kill Redis            f  freeze it    c  cut off instance A",
        "  r  restart it, empty     t  thaw it      m  mend its way",
        "  The same from there: switchgear lab redis kill, restart, freeze, thaw, cut B",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        out_line(&l->out, "%s", lines[i]);
    for (size_t i = 0; i < sizeof redis_lines / sizeof *redis_lines && lab_has_redis(l); i++)
        out_line(&l->out, "%s", redis_lines[i]);
    if (l->ports)
        out_line(&l->out, "  Each of these there with --ports %d", l->ports);
}

/* Of the last world with breakers. */
static const world *shown_world(const lab *l)
{
    const world *shown = NULL;
    for (int i = 0; i < l->world_count; i++)
        if (l->worlds[i].plan->breakers)
            shown = &l->worlds[i];
    return shown;
}

/* The longest form that fits; the shortest does so on any terminal. */
void story_status(lab *l)
{
    enum { FORMS = 4 };
    static const bool with_name[FORMS] = {true, true}, with_words[FORMS] = {true};
    static const char *const hints[FORMS] = {"? keys  q quit", "? keys  q quit", "? keys  q quit",
                                             "?"};
    char states[256], line[512];
    const out *o = &l->out;
    const world *w = shown_world(l);
    if (!l->keys || l->start_ns == 0 || !w)
        return;
    for (int i = 0; i < FORMS; i++) {
        bool named = with_name[i] && story_breaker_worlds(l) > 1;
        state_words(w, o, with_words[i], states, sizeof states);
        snprintf(line, sizeof line, "%6.1f s  %s%s%s   %s%s%s", story_seconds(l),
                 named ? w->plan->name : "", named ? ": " : "", states, out_paint(o, OUT_DIM),
                 hints[i], out_paint(o, OUT_PLAIN));
        if (paragraph_columns(line) <= terminal_columns(o->file))
            break;
    }
    out_status(&l->out, line);
}
