#include "recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct line {
    const char *file;
    long number;
    char *why; /* 2 * WHY_MAX */
};

static bool refuse(const struct line *l, const char *field, const char *what)
{
    snprintf(l->why, 2 * WHY_MAX, "%s:%ld: %s: %s", l->file, l->number, field, what);
    return false;
}

static bool integer(const struct line *l, const json_t *o, const char *field, int64_t *value)
{
    const json_t *v = json_object_get(o, field);

    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return refuse(l, field, "expected a whole number from 0");
    *value = json_integer_value(v);
    return true;
}

/* Did the server say it did not run? Everything a client takes so, and nothing else. */
static bool did_not_run(const char *error)
{
    static const char *const words[] = {
        "NOSCRIPT", "BUSY",     "OOM",       "READONLY",   "LOADING",    "MOVED",
        "ASK",      "TRYAGAIN", "CROSSSLOT", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN",
        "MISCONF",  "NOAUTH",   "WRONGPASS", "NOPERM",     "UNBLOCKED",  "SWGVER"};
    static const char unread[] = "ERR Protocol error: unauthenticated";
    size_t length = strcspn(error, " ");

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i]) == length && memcmp(words[i], error, length) == 0)
            return true;
    }
    return strncmp(error, unread, sizeof unread - 1) == 0;
}

static void take_error(struct exchange *x, const char *error, struct report *report)
{
    snprintf(x->error, sizeof x->error, "%s", error);
    x->outcome = EXCHANGE_REFUSED;
    if (strncmp(error, "SWGARG ", 7) == 0)
        x->outcome = EXCHANGE_ARGUMENT;
    else if (!did_not_run(error))
        report_add(report, VIOLATION, "reply", x, NULL, "an error no server of ours gives: %.200s",
                   error);
}

static void take_reply(struct exchange *x, const json_t *reply, struct report *report)
{
    const char *error = json_string_value(json_object_get(reply, "error"));
    char why[WHY_MAX];

    if (x->answered_ns < 0)
        return;
    if (error) {
        take_error(x, error, report);
        return;
    }
    if (exchange_read_reply(x, reply, why))
        x->outcome = EXCHANGE_ANSWERED; /* else what it did is anybody's guess */
    else
        report_add(report, VIOLATION, "reply", x, NULL, "%s", why);
}

static void keep(struct recording *r, struct exchange *x)
{
    if (r->count == r->room) {
        r->room = r->room ? 2 * r->room : 1024;
        r->x = realloc(r->x, r->room * sizeof(struct exchange *));
    }
    r->x[r->count++] = x;
}

/* A request that breaks the format is to be refused, and then is of no more interest. */
static void take(struct recording *r, struct exchange *x, size_t words, const char *const *word,
                 const size_t *length, const json_t *reply, struct report *report)
{
    char why[WHY_MAX];
    bool good = exchange_read_request(x, words, word, length, why);

    take_reply(x, reply, report);
    if (x->outcome == EXCHANGE_ANSWERED && !good)
        report_add(report, VIOLATION, "request", x, NULL, "%s, and the server took it", why);
    if (x->outcome == EXCHANGE_ARGUMENT && good)
        report_add(report, VIOLATION, "reply", x, NULL, "%s, to a request that is right", x->error);
    report->refused += x->outcome == EXCHANGE_ARGUMENT || x->outcome == EXCHANGE_REFUSED;
    if (good) {
        keep(r, x);
        return;
    }
    exchange_free(x);
    free(x);
}

static bool times(const struct line *l, const json_t *o, struct exchange *x)
{
    const json_t *answered = json_object_get(o, "answered_ns");
    const char *route = json_string_value(json_object_get(o, "route"));

    if (!route)
        return refuse(l, "route", "expected a string");
    if (!integer(l, o, "conn", &x->conn) || !integer(l, o, "sent_ns", &x->sent_ns))
        return false;
    x->answered_ns = -1;
    if (!answered)
        return refuse(l, "answered_ns", "missing (null: no reply)");
    if (!json_is_null(answered) && !integer(l, o, "answered_ns", &x->answered_ns))
        return false;
    if (x->answered_ns >= 0 && x->answered_ns < x->sent_ns)
        return refuse(l, "answered_ns", "before sent_ns");
    if (!json_is_boolean(json_object_get(o, "delivered")))
        return refuse(l, "delivered", "expected true or false");
    x->delivered = json_is_true(json_object_get(o, "delivered"));
    x->route = strdup(route);
    return true;
}

static bool command(struct recording *r, const struct line *l, const json_t *o, size_t words,
                    const char **word, size_t *length, struct report *report)
{
    const json_t *request = json_object_get(o, "request"), *part;
    struct exchange *x;
    size_t i;
    int kind;

    json_array_foreach(request, i, part)
    {
        if (!json_is_string(part))
            return refuse(l, "request", "expected an array of strings");
        word[i] = json_string_value(part);
        length[i] = json_string_length(part);
    }
    kind = exchange_kind_of(words, word);
    if (kind == -2)
        return refuse(l, "request", "EVALSHA on a shard of a script this build does not know");
    if (kind < 0)
        return true;
    x = calloc(1, sizeof *x);
    x->file = l->file;
    x->line = l->number;
    x->kind = (enum exchange_kind)kind;
    if (times(l, o, x)) {
        take(r, x, words, word, length, json_object_get(o, "reply"), report);
        return true;
    }
    exchange_free(x);
    free(x);
    return false;
}

static bool one(struct recording *r, const struct line *l, const char *text, struct report *report)
{
    json_error_t error;
    json_t *o = json_loads(text, JSON_ALLOW_NUL, &error);
    const json_t *request = json_object_get(o, "request");
    size_t words = json_array_size(request);
    const char **word = calloc(words + 1, sizeof *word);
    size_t *length = calloc(words + 1, sizeof *length);
    bool good = true;

    if (!json_is_object(o))
        good = refuse(l, "the line", *error.text ? error.text : "expected an object");
    else if (!request || (!json_is_array(request) && !json_is_null(request)))
        good = refuse(l, "request", "expected an array of strings");
    else if (words > 0)
        good = command(r, l, o, words, word, length, report);
    free(word);
    free(length);
    json_decref(o);
    return good;
}

bool recording_read(struct recording *r, const char *file, struct report *report,
                    char why[2 * WHY_MAX])
{
    struct line l = {.file = file, .why = why};
    FILE *from = fopen(file, "r");
    char *text = NULL;
    size_t room = 0;
    bool good = true;

    if (!from) {
        snprintf(why, 2 * WHY_MAX, "%s: %s", file, strerror(errno));
        return false;
    }
    while (good && getline(&text, &room, from) >= 0) {
        l.number++;
        if (strspn(text, " \t\r\n") != strlen(text))
            good = one(r, &l, text, report);
    }
    if (good && ferror(from)) {
        snprintf(why, 2 * WHY_MAX, "%s: %s", file, strerror(errno));
        good = false;
    }
    free(text);
    fclose(from);
    return good;
}

void recording_free(struct recording *r)
{
    for (size_t i = 0; i < r->count; i++) {
        exchange_free(r->x[i]);
        free(r->x[i]);
    }
    free(r->x);
    memset(r, 0, sizeof *r);
}
