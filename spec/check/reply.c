/* Replies back from JSON: every field, or the name of the one that is not as it should be. */
#include "exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *part; /* "grant", "view", ... */
    size_t row;
    char *why;
    bool bad;
};

static void refuse(struct reader *r, const char *field)
{
    if (!r->bad)
        snprintf(r->why, WHY_MAX, "%s %zu, %s: not as docs/design/fleet-wire.md has it", r->part,
                 r->row, field);
    r->bad = true;
}

static const char *leaf(struct reader *r, const json_t *row, size_t i, const char *field)
{
    const json_t *value = json_array_get(row, i);

    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value)) {
        refuse(r, field);
        return "";
    }
    return json_string_value(value);
}

static int64_t number(struct reader *r, const json_t *row, size_t i, const char *field)
{
    const char *text = leaf(r, row, i, field);
    size_t length = strlen(text), sign = *text == '-';

    if (length <= sign || length > 17 || strspn(text + sign, "0123456789") != length - sign) {
        refuse(r, field);
        return 0;
    }
    return strtoll(text, NULL, 10);
}

static void name(struct reader *r, const json_t *row, char to[SWG_STEP_NAME])
{
    const char *text = leaf(r, row, 0, "circuit");

    if (strlen(text) < 1 || strlen(text) >= SWG_STEP_NAME)
        refuse(r, "circuit");
    else
        strcpy(to, text);
}

static void grant(struct reader *r, const json_t *row, struct swg_step_grant *g)
{
    name(r, row, g->circuit);
    g->epoch = number(r, row, 1, "epoch");
    g->seq = number(r, row, 2, "seq");
    g->count = (int)number(r, row, 3, "count");
    g->ttl = number(r, row, 4, "ttl");
    g->wait = number(r, row, 5, "wait");
    g->quarantine = number(r, row, 6, "quarantine");
}

/* "cause|n|f|s|bad|votes|reporters" */
static void trip(struct reader *r, const json_t *row, struct swg_step_trip *t)
{
    int64_t v[7];
    const char *at = leaf(r, row, 7, "evidence");

    for (int i = 0; i < 7; i++) {
        const size_t digits = strspn(at, "0123456789");

        if (digits < 1 || digits > 16 || at[digits] != (i < 6 ? '|' : '\0')) {
            refuse(r, "evidence");
            return;
        }
        v[i] = strtoll(at, NULL, 10);
        at += digits + 1;
    }
    *t = (struct swg_step_trip){(int)v[0], v[1], v[2], v[3], v[4], v[5], v[6]};
}

static void view(struct reader *r, const json_t *row, struct swg_step_view *v)
{
    name(r, row, v->circuit);
    v->epoch = number(r, row, 1, "epoch");
    v->state = (int)number(r, row, 2, "state");
    v->remaining = number(r, row, 3, "remaining");
    v->age = number(r, row, 4, "age");
    v->backoff = (int)number(r, row, 5, "backoff");
    v->cause = (int)number(r, row, 6, "cause");
    trip(r, row, &v->trip);
    if (v->state < 0 || v->state >= SWG_STEP_STATES)
        refuse(r, "state");
}

/* "0", or "rev|15 numbers" */
static void offer(struct reader *r, const json_t *row, struct swg_step_offer *o)
{
    const char *text = leaf(r, row, 1, "configuration");
    char *at;

    name(r, row, o->circuit);
    o->rev = strtoll(text, &at, 10);
    o->stored = *at == '|';
    for (int i = 0; o->stored && i < SWG_CFG_COUNT; i++) {
        if (*at != '|') {
            refuse(r, swg_step_config_ranges[i].name);
            return;
        }
        o->config.v[i] = strtoll(at + 1, &at, 10);
    }
    if (at == text || *at)
        refuse(r, "configuration");
}

static const json_t *rows(struct reader *r, const json_t *reply, size_t i, const char *part,
                          size_t width)
{
    const json_t *list = json_array_get(reply, i), *row;
    size_t k;

    r->part = part;
    r->row = 0;
    if (!json_is_array(list))
        refuse(r, "the list");
    json_array_foreach(list, k, row)
    {
        r->row = k;
        if (json_array_size(row) != width)
            refuse(r, "the row");
    }
    return list;
}

static void header(struct reader *r, const json_t *reply, struct answer *a)
{
    const char *server = leaf(r, reply, 1, "server");

    a->now = number(r, reply, 0, "now");
    if (strlen(server) != 40)
        refuse(r, "server");
    snprintf(a->server, sizeof a->server, "%s", server);
    a->next = number(r, reply, 2, "next");
    a->reporters = number(r, reply, 3, "reporters");
    a->cursor = number(r, reply, 4, "cursor");
    a->more = number(r, reply, 5, "more") != 0;
}

static void lists(struct reader *r, const json_t *reply, struct answer *a)
{
    const json_t *grants = rows(r, reply, 6, "grant", 7);
    const json_t *views, *offers;

    a->grant = calloc(json_array_size(grants) + 1, sizeof *a->grant);
    for (r->row = 0; r->row < json_array_size(grants); r->row++)
        grant(r, json_array_get(grants, r->row), &a->grant[a->grants++]);
    views = rows(r, reply, 7, "view", 8);
    a->view = calloc(json_array_size(views) + 1, sizeof *a->view);
    for (r->row = 0; r->row < json_array_size(views); r->row++)
        view(r, json_array_get(views, r->row), &a->view[a->views++]);
    offers = rows(r, reply, 8, "configuration", 2);
    a->offer = calloc(json_array_size(offers) + 1, sizeof *a->offer);
    for (r->row = 0; r->row < json_array_size(offers); r->row++)
        offer(r, json_array_get(offers, r->row), &a->offer[a->offers++]);
}

bool exchange_read_reply(struct exchange *x, const json_t *reply, char why[WHY_MAX])
{
    struct reader r = {.part = "reply", .why = why};

    if (json_array_size(reply) != (x->kind == EXCHANGE_SYNC ? 9 : 2)) {
        refuse(&r, "count of fields");
        return false;
    }
    if (x->kind == EXCHANGE_ADMIN) {
        x->epoch = number(&r, reply, 0, "epoch");
        x->now = number(&r, reply, 1, "now");
        return !r.bad;
    }
    x->answer = calloc(1, sizeof *x->answer);
    header(&r, reply, x->answer);
    lists(&r, reply, x->answer);
    x->now = x->answer->now;
    return !r.bad;
}

void exchange_free(struct exchange *x)
{
    if (x->answer) {
        free(x->answer->grant);
        free(x->answer->view);
        free(x->answer->offer);
    }
    free(x->answer);
    free(x->entry);
    free(x->order);
    free(x->shard);
    free(x->route);
}
