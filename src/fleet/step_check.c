/* Everything a request may get wrong, found before anything is written. */
#include "fleet/step.h"

#include <string.h>

static bool in(int64_t value, int64_t min, int64_t max)
{
    return value >= min && value <= max;
}

static size_t length_of(const char *text, size_t size)
{
    const char *end = memchr(text, 0, size);

    return end ? (size_t)(end - text) : size;
}

static bool text_ok(const char *text, size_t size, char lowest)
{
    size_t length = length_of(text, size);

    if (length == 0 || length == size)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < lowest || text[i] > '~')
            return false;
    }
    return true;
}

static bool reporter_ok(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-";
    size_t length = length_of(name, SWG_STEP_NAME);

    return length > 0 && length < SWG_STEP_NAME && strspn(name, allowed) == length;
}

static bool results_ok(const struct swg_step_entry *e)
{
    if (!in(e->results, 0, SWG_STEP_RESULTS))
        return false;
    for (int i = 0; i < e->results; i++) {
        const struct swg_step_result *r = &e->result[i];

        if (!in(r->epoch, 0, SWG_STEP_NUMBER) || !in(r->seq, 1, SWG_STEP_NUMBER) ||
            !in(r->index, 0, SWG_STEP_WANT - 1) ||
            !in(r->outcome, SWG_STEP_FAILED, SWG_STEP_UNUSED))
            return false;
    }
    return true;
}

static bool counts_ok(const struct swg_step_entry *e)
{
    return in(e->n, 0, SWG_STEP_CALLS) && in(e->f, 0, e->n) && in(e->s, 0, e->n) &&
           in(e->l, 0, e->n - e->f);
}

static bool entry_ok(const struct swg_step_entry *e)
{
    return text_ok(e->circuit, sizeof e->circuit, '!') && in(e->seq, 1, SWG_STEP_NUMBER) &&
           in(e->epoch, 0, SWG_STEP_NUMBER) && in(e->state, 0, SWG_STEP_STATES - 1) &&
           in(e->remaining, 0, swg_step_config_ranges[SWG_CFG_OPEN_MAX].max) && counts_ok(e) &&
           in(e->want, 0, SWG_STEP_WANT) && in(e->rev, 0, INT32_MAX) &&
           (!e->has_config || swg_step_config_ok(&e->config)) && results_ok(e);
}

static bool all_different(const struct swg_step_request *q)
{
    for (int i = 0; i < q->entries; i++) {
        for (int j = 0; j < i; j++) {
            if (strcmp(q->entry[i].circuit, q->entry[j].circuit) == 0)
                return false;
        }
    }
    return true;
}

int swg_step_check(const struct swg_step_request *q)
{
    if (q->schema != SWG_STEP_SCHEMA || !reporter_ok(q->reporter) ||
        !in(q->cursor, 0, SWG_STEP_NUMBER) || !in(q->entries, 0, SWG_STEP_ENTRIES))
        return SWG_STEP_ARG;
    for (int i = 0; i < q->entries; i++) {
        if (!entry_ok(&q->entry[i]))
            return SWG_STEP_ARG;
    }
    return all_different(q) ? SWG_STEP_DONE : SWG_STEP_ARG;
}

int swg_step_check_order(const struct swg_step_order *o)
{
    bool timed = o->state == SWG_STEP_FORCED || o->state == SWG_STEP_DISABLED;

    if (o->schema != SWG_STEP_SCHEMA || !text_ok(o->circuit, sizeof o->circuit, '!') ||
        !text_ok(o->who, sizeof o->who, ' ') || !text_ok(o->reason, sizeof o->reason, ' '))
        return SWG_STEP_ARG;
    if (timed)
        return in(o->ttl, 1000000, INT64_C(2592000000000)) ? SWG_STEP_DONE : SWG_STEP_ARG;
    return o->state == SWG_STEP_CLOSED && o->ttl == 0 ? SWG_STEP_DONE : SWG_STEP_ARG;
}
