/* Commands: parsed, checked, carried out at once. What they mean: chaos.h. */
#include "chaos_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 6 };

typedef struct order {
    chaos_route *route;
    char *words[WORDS_MAX + 1]; /* what follows the verb; NULL ends */
    int count;
    char *answer;
} order;

static bool parse_duration(const char *text, int64_t *ns)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    char *end;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (end == text || errno != 0 || number < 0 || number > 3600000000)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].unit) == 0) {
            *ns = number * units[i].ns;
            return *ns <= INT64_C(3600000000000);
        }
    }
    return false;
}

static bool duration(order *o, int word, int64_t *ns)
{
    if (o->count <= word)
        return true;
    return parse_duration(o->words[word], ns) ||
           chaos_fail(o->answer, "'%s' is no duration: say 100us, 20ms or 5s, at most an hour",
                      o->words[word]);
}

/* Which ways a word names. */
static bool ways(order *o, int word, const char *fallback, bool chosen[CHAOS_WAYS])
{
    const char *text = o->count > word ? o->words[word] : fallback;
    const bool both = strcmp(text, "both") == 0;
    chosen[CHAOS_UP] = both || strcmp(text, "up") == 0;
    chosen[CHAOS_DOWN] = both || strcmp(text, "down") == 0;
    return chosen[CHAOS_UP] || chosen[CHAOS_DOWN] ||
           chaos_fail(o->answer, "'%s' is no direction: say up, down or both", text);
}

typedef bool (*which)(const chaos_connection *k);

static bool any(const chaos_connection *k)
{
    (void)k;
    return true;
}

static bool lost_bytes(const chaos_connection *k)
{
    return k->way[CHAOS_UP].lost || k->way[CHAOS_DOWN].lost;
}

static void reset_those(chaos_route *r, which those)
{
    for (chaos_connection *k = r->proxy->connections; k; k = k->next)
        if (k->route == r && those(k))
            chaos_reset(k);
}

static bool do_heal(order *o)
{
    chaos_route *r = o->route;
    const bool was_cut = r->faults.cut;
    if (was_cut && !chaos_relisten(&r->listener, &r->here))
        return chaos_fail(o->answer, "%s: %s", r->here.text, strerror(errno));
    r->faults = (chaos_faults){0};
    reset_those(r, lost_bytes);
    return true;
}

static bool do_latency(order *o)
{
    int64_t fixed = 0, jitter = 0;
    bool chosen[CHAOS_WAYS];
    if (!duration(o, 0, &fixed) || !duration(o, 1, &jitter) || !ways(o, 2, "both", chosen))
        return false;
    for (int way = 0; way < CHAOS_WAYS; way++) {
        if (chosen[way]) {
            o->route->faults.latency_ns[way] = fixed;
            o->route->faults.jitter_ns[way] = jitter;
        }
    }
    return true;
}

static bool do_stall(order *o)
{
    bool chosen[CHAOS_WAYS];
    if (!ways(o, 0, "both", chosen))
        return false;
    for (int way = 0; way < CHAOS_WAYS; way++)
        o->route->faults.stall[way] |= chosen[way];
    return true;
}

static bool do_half_open(order *o)
{
    bool chosen[CHAOS_WAYS];
    if (!ways(o, 0, "down", chosen))
        return false;
    for (int way = 0; way < CHAOS_WAYS; way++)
        o->route->faults.swallow[way] |= chosen[way];
    return true;
}

static bool do_cut(order *o)
{
    chaos_route *r = o->route;
    if (!r->faults.cut)
        chaos_deafen(&r->listener, &r->here);
    r->faults.cut = true;
    reset_those(r, any);
    return true;
}

static bool do_mute(order *o)
{
    o->route->faults.mute = true;
    return true;
}

static bool do_bytes(order *o)
{
    o->route->faults.bytes = true;
    return true;
}

static bool do_truncate(order *o)
{
    char *end;
    const unsigned long at = strtoul(o->words[0], &end, 10);
    if (*end != '\0' || o->words[0][0] < '0' || o->words[0][0] > '9' || at > CHAOS_QUEUE_MAX)
        return chaos_fail(o->answer, "'%s' is no number of bytes", o->words[0]);
    o->route->faults.truncate = true;
    o->route->faults.truncate_at = at;
    return true;
}

static bool do_duplicate(order *o)
{
    int64_t later = 0;
    if (!duration(o, 0, &later))
        return false;
    o->route->faults.duplicate = true;
    o->route->faults.duplicate_ns = later;
    return true;
}

static bool do_drop(order *o)
{
    const bool request = strcmp(o->words[0], "request") == 0;
    if (!request && strcmp(o->words[0], "reply") != 0)
        return chaos_fail(o->answer, "drop what? say request or reply, not '%s'", o->words[0]);
    o->route->faults.drop[request ? CHAOS_UP : CHAOS_DOWN] = true;
    return true;
}

static bool do_to(order *o)
{
    chaos_address a;
    if (!chaos_address_parse(&a, o->words[0], o->answer))
        return false;
    o->route->upstream = a;
    reset_those(o->route, any);
    return true;
}

static bool do_status(order *o)
{
    const chaos_route *r = o->route;
    const chaos_faults *f = &r->faults;
    const int used =
        snprintf(o->answer, CHAOS_LINE_MAX,
                 "ok name=%s open=%" PRIu64 " accepted=%" PRIu64 " requests=%" PRIu64
                 " replies=%" PRIu64 " swallowed=%" PRIu64 " resets=%" PRIu64 " waiting=%d",
                 r->name, r->open, r->accepted, r->requests, r->replies, r->swallowed, r->resets,
                 f->duplicate + f->truncate + f->drop[CHAOS_UP] + f->drop[CHAOS_DOWN]);
    snprintf(o->answer + used, CHAOS_LINE_MAX - (size_t)used, " here=%.120s upstream=%.120s",
             r->here.text, r->upstream.text);
    return true;
}

static const struct verb {
    const char *name, *usage;
    int least, most;
    bool (*run)(order *o);
} verbs[] = {
    {"heal", "", 0, 0, do_heal},
    {"latency", " T [JITTER [up|down|both]]", 1, 3, do_latency},
    {"stall", " [up|down|both]", 0, 1, do_stall},
    {"cut", "", 0, 0, do_cut},
    {"half-open", " [up|down|both]", 0, 1, do_half_open},
    {"mute", "", 0, 0, do_mute},
    {"bytes", "", 0, 0, do_bytes},
    {"truncate", " N", 1, 1, do_truncate},
    {"duplicate", " [T]", 0, 1, do_duplicate},
    {"drop", " request|reply", 1, 1, do_drop},
    {"to", " ADDRESS", 1, 1, do_to},
    {"status", "", 0, 0, do_status},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static const char *names(const chaos *c, char text[CHAOS_LINE_MAX])
{
    size_t used = 0;
    text[0] = '\0';
    for (const chaos_route *r = c->routes; r && used < CHAOS_LINE_MAX / 2; r = r->next)
        used += (size_t)snprintf(text + used, CHAOS_LINE_MAX - used, " %s", r->name);
    return text;
}

static bool run_verb(order *o, const char *name)
{
    char known[CHAOS_LINE_MAX] = "";
    for (int i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            strcpy(o->answer, "ok");
            if (o->count >= verbs[i].least && o->count <= verbs[i].most)
                return verbs[i].run(o);
            return chaos_fail(o->answer, "say: route %s %s%s", o->route->name, name,
                              verbs[i].usage);
        }
        strcat(strcat(known, " "), verbs[i].name);
    }
    return chaos_fail(o->answer, "'%.40s' is no command for a route; there are:%s", name, known);
}

bool chaos_command(chaos *c, const char *line, char *answer)
{
    char text[CHAOS_LINE_MAX], list[CHAOS_LINE_MAX], *rest = text;
    char *words[WORDS_MAX + 3] = {0};
    int count = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *word; count < WORDS_MAX + 2 && (word = strtok_r(rest, " \t\r", &rest));)
        words[count++] = word;
    if (count == 1 && strcmp(words[0], "routes") == 0) {
        snprintf(answer, CHAOS_LINE_MAX, "ok%.*s", CHAOS_LINE_MAX - 3, names(c, list));
        return true;
    }
    if (count < 3 || strcmp(words[0], "route") != 0)
        return chaos_fail(answer, "say: route NAME COMMAND, or: routes");
    order o = {.route = chaos_find(c, words[1]), .count = count - 3, .answer = answer};
    for (int i = 0; i < o.count && i < WORDS_MAX; i++)
        o.words[i] = words[3 + i];
    if (!o.route)
        return chaos_fail(answer, "no route '%.*s'; there are:%.*s", CHAOS_NAME_MAX, words[1], 256,
                          names(c, list));
    return run_verb(&o, words[2]);
}
