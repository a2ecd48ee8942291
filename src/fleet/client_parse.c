/* A reply of sync, checked throughout before any of it is believed. The other end may be anybody.
 */
#include "fleet/client.h"

#include <stdlib.h>
#include <string.h>

#define TIME_MAX INT64_C(8000000000000000)
#define WAIT_MAX INT64_C(2592000000000)
#define CAUSE_MAX 99 /* more than we know: a newer client may have written it */

static bool is_array(const redisReply *r, size_t least, size_t most)
{
    return r && r->type == REDIS_REPLY_ARRAY && r->elements >= least && r->elements <= most;
}

bool swg__client_number(const redisReply *r, int64_t min, int64_t max, int64_t *value)
{
    const char *text;
    char *end;
    size_t length;

    if (!r || r->type != REDIS_REPLY_STRING)
        return false;
    text = r->str;
    length = (size_t)r->len;
    if (length < 1 || length > 17 || strspn(text, "-0123456789") != length)
        return false;
    *value = strtoll(text, &end, 10);
    return end == text + length && *value >= min && *value <= max;
}

static bool small(const redisReply *r, int min, int max, int *value)
{
    int64_t wide;

    if (!swg__client_number(r, min, max, &wide))
        return false;
    *value = (int)wide;
    return true;
}

static bool text(const redisReply *r, char *to, size_t least, size_t room)
{
    if (!r || r->type != REDIS_REPLY_STRING || (size_t)r->len < least || (size_t)r->len >= room ||
        memchr(r->str, 0, (size_t)r->len))
        return false;
    memcpy(to, r->str, (size_t)r->len);
    to[r->len] = 0;
    return true;
}

static bool server(const redisReply *r, char to[41])
{
    return text(r, to, 40, 41) && strspn(to, "0123456789abcdefABCDEF") == 40;
}

static bool grant(const redisReply *r, struct swg_step_grant *g)
{
    return is_array(r, 7, 7) && text(r->element[0], g->circuit, 1, sizeof g->circuit) &&
           swg__client_number(r->element[1], 0, SWG_STEP_NUMBER, &g->epoch) &&
           swg__client_number(r->element[2], 1, SWG_STEP_NUMBER, &g->seq) &&
           small(r->element[3], 0, SWG_STEP_WANT, &g->count) &&
           swg__client_number(r->element[4], 0, WAIT_MAX, &g->ttl) &&
           swg__client_number(r->element[5], 0, WAIT_MAX, &g->wait) &&
           swg__client_number(r->element[6], 0, WAIT_MAX, &g->quarantine);
}

/* "cause|n|f|s|bad|votes|reporters" */
static bool trip(const redisReply *r, struct swg_step_trip *trip)
{
    int64_t cause, *const part[] = {&cause,     &trip->n,     &trip->f,        &trip->s,
                                    &trip->bad, &trip->votes, &trip->reporters};
    char numbers[160], *at = numbers;

    if (!text(r, numbers, 1, sizeof numbers))
        return false;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        if ((i > 0 && *at++ != '|') || *at < '0' || *at > '9')
            return false;
        *part[i] = strtoll(at, &at, 10);
        if (*part[i] > (i == 0 ? CAUSE_MAX : SWG_STEP_NUMBER))
            return false;
    }
    trip->cause = (int)cause;
    return *at == 0;
}

static bool view(const redisReply *r, struct swg_step_view *v)
{
    return is_array(r, 8, 8) && text(r->element[0], v->circuit, 1, sizeof v->circuit) &&
           swg__client_number(r->element[1], 0, SWG_STEP_NUMBER, &v->epoch) &&
           small(r->element[2], 0, SWG_STEP_STATES - 1, &v->state) &&
           swg__client_number(r->element[3], 0, WAIT_MAX, &v->remaining) &&
           swg__client_number(r->element[4], -1, TIME_MAX, &v->age) &&
           small(r->element[5], 0, 64, &v->backoff) &&
           small(r->element[6], 0, CAUSE_MAX, &v->cause) && trip(r->element[7], &v->trip);
}

/* "0", or "rev|15 numbers" */
static bool offer(const redisReply *r, struct swg_step_offer *o)
{
    char limits[400], *at = limits;

    if (!is_array(r, 2, 2) || !text(r->element[0], o->circuit, 1, sizeof o->circuit) ||
        !text(r->element[1], limits, 1, sizeof limits))
        return false;
    o->rev = strtoll(at, &at, 10);
    o->stored = *at == '|';
    for (int i = 0; o->stored && i < SWG_CFG_COUNT; i++) {
        if (*at != '|' || at[1] < '0' || at[1] > '9')
            return false;
        o->config.v[i] = strtoll(at + 1, &at, 10);
    }
    return *at == 0 && o->rev >= 0 && o->rev <= INT32_MAX &&
           (!o->stored || swg_step_config_ok(&o->config));
}

static bool header(const redisReply *r, struct swg_step_reply *to)
{
    int64_t more;

    if (!swg__client_number(r->element[0], 0, TIME_MAX, &to->now) ||
        !server(r->element[1], to->server) ||
        !swg__client_number(r->element[2], 0, INT64_C(60000000), &to->next) ||
        !swg__client_number(r->element[3], 0, INT64_C(1) << 32, &to->reporters) ||
        !swg__client_number(r->element[4], 0, SWG_STEP_NUMBER, &to->cursor) ||
        !swg__client_number(r->element[5], 0, 1, &more))
        return false;
    to->more = more != 0;
    return true;
}

bool swg__client_parse(const redisReply *r, struct swg_step_reply *to)
{
    to->grants = to->views = to->offers = 0;
    if (!is_array(r, 9, 9) || !header(r, to) || !is_array(r->element[6], 0, SWG_STEP_ENTRIES) ||
        !is_array(r->element[7], 0, SWG_STEP_ENTRIES + SWG_STEP_PAGE) ||
        !is_array(r->element[8], 0, SWG_STEP_ENTRIES))
        return false;
    for (size_t i = 0; i < r->element[6]->elements; i++) {
        if (!grant(r->element[6]->element[i], &to->grant[to->grants++]))
            return false;
    }
    for (size_t i = 0; i < r->element[7]->elements; i++) {
        if (!view(r->element[7]->element[i], &to->view[to->views++]))
            return false;
    }
    for (size_t i = 0; i < r->element[8]->elements; i++) {
        if (!offer(r->element[8]->element[i], &to->offer[to->offers++]))
            return false;
    }
    return true;
}
