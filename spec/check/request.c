/* Requests back from KEYS and ARGV: what wire.c writes, and nothing else. */
#include "exchange.h"

#include "fleet/wire.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIME_MAX INT64_C(8000000000000000)

struct words {
    const char *const *word;
    const size_t *length;
    size_t count, at;
    size_t keys; /* words before the first argument */
    const char *field;
    char *why;
    bool bad;
};

__attribute__((format(printf, 2, 3))) static void refuse(struct words *w, const char *format, ...)
{
    size_t used = w->at > w->keys ? (size_t)snprintf(w->why, WHY_MAX,
                                                     "ARGV %zu (%s): ", w->at - w->keys, w->field)
                                  : (size_t)snprintf(w->why, WHY_MAX, "word %zu: ", w->at);
    va_list ap;

    va_start(ap, format);
    vsnprintf(w->why + used, WHY_MAX - used, format, ap);
    va_end(ap);
    w->bad = true;
}

static const char *next(struct words *w, const char *field)
{
    w->field = field;
    if (w->bad)
        return "";
    if (w->at >= w->count) {
        w->at++;
        refuse(w, "missing");
        return "";
    }
    w->at++;
    if (strlen(w->word[w->at - 1]) != w->length[w->at - 1])
        refuse(w, "a zero byte in it");
    return w->word[w->at - 1];
}

/* As the script reads them: digits alone, sixteen at the most. */
static bool digits(const char *text, int64_t *value)
{
    size_t length = strlen(text);

    if (length < 1 || length > 16 || strspn(text, "0123456789") != length)
        return false;
    *value = strtoll(text, NULL, 10);
    return true;
}

static int64_t number(struct words *w, const char *field, int64_t most)
{
    const char *text = next(w, field);
    int64_t value = 0;

    if (!w->bad && !digits(text, &value))
        refuse(w, "'%.40s' is no number", text);
    if (!w->bad && value > most)
        refuse(w, "%" PRId64 " is over %" PRId64, value, most);
    return value;
}

static void text(struct words *w, const char *field, char *to, size_t room)
{
    const char *from = next(w, field);

    if (!w->bad && strlen(from) >= room)
        refuse(w, "longer than %zu bytes", room - 1);
    if (!w->bad)
        strcpy(to, from);
}

static void key(struct words *w, const char *tag, const char *kind, const char *circuit)
{
    const char *seen = next(w, "key");
    char expected[256];

    snprintf(expected, sizeof expected, "%s:%s%s%s", tag, kind, circuit ? ":" : "",
             circuit ? circuit : "");
    if (!w->bad && strcmp(seen, expected) != 0)
        refuse(w, "key '%.60s', not '%.60s'", seen, expected);
}

/* "swg1:{shop:3}" of "swg1:{shop:3}:m" */
static bool tag_of(const char *first, char tag[128])
{
    size_t length = strlen(first);

    if (length < 10 || length > 120 || strncmp(first, "swg1:{", 6) != 0 ||
        strcmp(first + length - 3, "}:m") != 0 || strcspn(first + 6, "{}") != length - 9)
        return false;
    snprintf(tag, 128, "%.*s", (int)length - 2, first);
    return true;
}

int exchange_kind_of(size_t words, const char *const *word)
{
    char tag[128];

    if (words < 4 || strcmp(word[0], "EVALSHA") != 0 || !tag_of(word[3], tag))
        return -1;
    if (strcmp(word[1], swg_fleet_sync_sha1) == 0)
        return EXCHANGE_SYNC;
    return strcmp(word[1], swg_fleet_admin_sha1) == 0 ? EXCHANGE_ADMIN : -2;
}

static void config(struct words *w, struct swg_step_entry *e)
{
    const char *at = next(w, "config");

    e->has_config = !w->bad && *at;
    for (int i = 0; e->has_config && !w->bad && i < SWG_CFG_COUNT; i++) {
        char part[20];
        size_t length = strcspn(at, "|");

        snprintf(part, sizeof part, "%.*s", (int)(length < 18 ? length : 18), at);
        at += length + (at[length] != 0);
        if (!digits(part, &e->config.v[i]))
            refuse(w, "%s '%.20s' is no number", swg_step_config_ranges[i].name, part);
    }
    if (!w->bad && e->has_config && *at)
        refuse(w, "more than %d numbers", SWG_CFG_COUNT);
}

static void result(struct words *w, struct swg_step_result *r)
{
    r->epoch = number(w, "epoch of a result", SWG_STEP_NUMBER);
    r->seq = number(w, "seq of a result", SWG_STEP_NUMBER);
    r->index = (int)number(w, "index of a result", SWG_STEP_WANT - 1);
    r->outcome = (int)number(w, "outcome of a result", SWG_STEP_UNUSED);
}

static void entry(struct words *w, struct swg_step_entry *e)
{
    text(w, "circuit", e->circuit, sizeof e->circuit);
    e->seq = number(w, "seq", SWG_STEP_NUMBER);
    e->epoch = number(w, "epoch", SWG_STEP_NUMBER);
    e->state = (int)number(w, "state", SWG_STEP_STATES - 1);
    e->remaining = number(w, "remaining", SWG_STEP_NUMBER);
    e->n = number(w, "n", SWG_STEP_CALLS);
    e->f = number(w, "f", e->n);
    e->s = number(w, "s", e->n);
    e->l = number(w, "l", e->n);
    e->local_open = number(w, "local_open", 1) == 1;
    e->want = (int)number(w, "want", SWG_STEP_WANT);
    e->rev = number(w, "rev", INT32_MAX);
    config(w, e);
    e->results = (int)number(w, "results", SWG_STEP_RESULTS);
    for (int i = 0; !w->bad && i < e->results; i++)
        result(w, &e->result[i]);
}

static void head(struct words *w, struct exchange *x)
{
    number(w, "now", TIME_MAX);
    text(w, "server", x->asked_server, sizeof x->asked_server);
    x->schema = (int)number(w, "schema", INT32_MAX);
}

static void sync_body(struct words *w, struct exchange *x)
{
    int64_t entries;

    text(w, "reporter", x->reporter, sizeof x->reporter);
    x->cursor = number(w, "cursor", SWG_STEP_NUMBER);
    entries = number(w, "entries", SWG_STEP_ENTRIES);
    if (!w->bad && (int64_t)w->keys != 3 + 5 + 4 * entries)
        refuse(w, "%" PRId64 " entries, but %zu keys", entries, w->keys - 3);
    if (w->bad)
        return;
    x->entry = calloc((size_t)entries + 1, sizeof *x->entry);
    x->entries = (int)entries;
    for (int i = 0; !w->bad && i < x->entries; i++)
        entry(w, &x->entry[i]);
}

static void sync_keys(struct words *w, const struct exchange *x, const char *tag)
{
    static const char *const fixed[] = {"m", "st", "chg", "c", "r"};
    static const char *const each[] = {"b", "x", "l", "q"};

    for (int i = 0; i < 5; i++)
        key(w, tag, fixed[i], NULL);
    for (int i = 0; i < x->entries; i++) {
        for (int k = 0; k < 4; k++)
            key(w, tag, each[k], x->entry[i].circuit);
    }
}

static void admin_body(struct words *w, struct exchange *x)
{
    struct swg_step_order *o = x->order = calloc(1, sizeof *x->order);

    o->schema = x->schema;
    text(w, "circuit", o->circuit, sizeof o->circuit);
    o->state = (int)number(w, "state", SWG_STEP_STATES - 1);
    o->ttl = number(w, "ttl", SWG_STEP_NUMBER);
    text(w, "who", o->who, sizeof o->who);
    text(w, "reason", o->reason, sizeof o->reason);
    if (!w->bad && w->keys != 3 + 8)
        refuse(w, "%zu keys, not 8", w->keys - 3);
}

static void admin_keys(struct words *w, const struct exchange *x, const char *tag)
{
    static const char *const fixed[] = {"m", "st", "chg", "c", "a"};
    static const char *const each[] = {"b", "x", "l"};

    for (int i = 0; i < 5; i++)
        key(w, tag, fixed[i], NULL);
    for (int k = 0; k < 3; k++)
        key(w, tag, each[k], x->order->circuit);
}

/* The step function says what is in range; this only finds the entry it would refuse. */
static bool in_range(const struct exchange *x, char why[WHY_MAX])
{
    static struct swg_step_request one; /* large; only ever one thread here */

    if (x->kind == EXCHANGE_ADMIN) {
        if (swg_step_check_order(x->order) != SWG_STEP_DONE)
            snprintf(why, WHY_MAX, "order on '%s': a field out of range", x->order->circuit);
        return swg_step_check_order(x->order) == SWG_STEP_DONE;
    }
    one.schema = x->schema;
    memcpy(one.reporter, x->reporter, sizeof one.reporter);
    one.cursor = x->cursor;
    one.entries = 0;
    if (swg_step_check(&one) != SWG_STEP_DONE) {
        snprintf(why, WHY_MAX, "ARGV 3 to 5 (schema, reporter, cursor): out of range");
        return false;
    }
    for (int i = 0; i < x->entries; i++) {
        one.entry[one.entries++] = x->entry[i];
        if (swg_step_check(&one) != SWG_STEP_DONE) {
            snprintf(why, WHY_MAX, "entry %d (%s): a field out of range, or the circuit twice", i,
                     x->entry[i].circuit);
            return false;
        }
    }
    return true;
}

static uint64_t digest(size_t words, const char *const *word, const size_t *length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < words; i++) {
        for (size_t k = 0; k <= length[i]; k++)
            hash = (hash ^ (unsigned char)word[i][k]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

bool exchange_read_request(struct exchange *x, size_t words, const char *const *word,
                           const size_t *length, char why[WHY_MAX])
{
    struct words w = {.word = word, .length = length, .count = words, .at = 2, .why = why};
    char tag[128];
    int64_t keys;

    x->digest = digest(words, word, length);
    tag_of(word[3], tag);
    x->shard = strdup(tag);
    w.keys = words;
    keys = number(&w, "numkeys", 3000);
    w.keys = 3 + (size_t)keys;
    w.at = w.keys;
    head(&w, x);
    if (x->kind == EXCHANGE_SYNC)
        sync_body(&w, x);
    else
        admin_body(&w, x);
    if (!w.bad && w.at != words) {
        w.at++;
        refuse(&w, "more than the format holds");
    }
    w.at = 3;
    if (!w.bad && x->kind == EXCHANGE_SYNC)
        sync_keys(&w, x, tag);
    else if (!w.bad)
        admin_keys(&w, x, tag);
    return !w.bad && in_range(x, why);
}
