/* Operators: what they did, and orders without a client. */
#include "fleet/doctor_visit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 256, ARGUMENTS = 32, ARGUMENT_BYTES = 2048 };

/* ---- audit --------------------------------------------------------------------------------- */

typedef struct book {
    swg_fleet_action *actions;
    size_t count, room;
} book;

/* The next field of "a|b|c"; *at moves behind it. False: it is missing or too long. */
static bool field(const char **at, char *text, size_t room)
{
    if (!*at)
        return false;
    const size_t length = strcspn(*at, "|");

    if (length >= room)
        return false;
    memcpy(text, *at, length);
    text[length] = '\0';
    *at = (*at)[length] == '|' ? *at + length + 1 : NULL;
    return true;
}

static bool number(const char **at, int64_t *value)
{
    char text[24], *end;

    if (!field(at, text, sizeof text) || text[0] < '0' || text[0] > '9')
        return false;
    *value = strtoll(text, &end, 10);
    return *end == '\0';
}

static bool is_plain(const char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            return false;
    }
    return true;
}

/* now|epoch|circuit|from|to|ttl|who|reason */
bool swg__read_action(swg_fleet_action *a, const char *row)
{
    int64_t at, epoch, from, to, ttl;

    if (!number(&row, &at) || !number(&row, &epoch) ||
        !field(&row, a->circuit, sizeof a->circuit) || !number(&row, &from) || !number(&row, &to) ||
        !number(&row, &ttl) || !field(&row, a->who, sizeof a->who) ||
        !field(&row, a->reason, sizeof a->reason))
        return false;
    a->at_ms = at / 1000;
    a->epoch = (uint64_t)epoch;
    a->from = (uint32_t)from;
    a->to = (uint32_t)to;
    a->ttl_ms = ttl / 1000;
    return row == NULL && is_plain(a->circuit) && is_plain(a->who) && is_plain(a->reason) &&
           from <= SWG_FLEET_DISABLED && to <= SWG_FLEET_DISABLED;
}

static int keep(book *b, const swg_fleet_action *action)
{
    if (b->count == b->room) {
        const size_t room = b->room ? 2 * b->room : 64;
        swg_fleet_action *grown = realloc(b->actions, room * sizeof *grown);

        if (!grown)
            return SWG_ENOMEM;
        b->actions = grown;
        b->room = room;
    }
    b->actions[b->count++] = *action;
    return SWG_OK;
}

static int take_rows(visit *v, book *b, const redisReply *rows, uint32_t shard)
{
    int result = SWG_OK;

    if (!rows || rows->type != REDIS_REPLY_ARRAY)
        return swg__visit_refused(v, rows, "LRANGE");
    for (size_t i = 0; i < rows->elements && result == SWG_OK; i++) {
        swg_fleet_action action = {.size = sizeof action, .shard = shard};
        const char *text = swg__text(rows->element[i]);

        if (text && swg__read_action(&action, text)) {
            result = keep(b, &action);
        } else {
            snprintf(v->why, sizeof v->why, "swg1:{%s:%u}:a: row %zu is not the fleet's", v->space,
                     shard, i);
            result = SWG_EPROTO;
        }
    }
    return result;
}

static int by_time(const void *a, const void *b)
{
    const swg_fleet_action *x = a, *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

static int read_rows(visit *v, book *b)
{
    char tag[VISIT_TAG];
    int result = SWG_OK;

    for (uint32_t i = 0; i < v->shards; i++) {
        swg__visit_tag(v, i, tag);
        swg__talk_say(&swg__visit_node(v, i)->talk, "LRANGE %s:a 0 %d", tag, KEPT - 1);
    }
    for (uint32_t i = 0; i < v->shards && result == SWG_OK; i++) {
        redisReply *rows = swg__talk_hear(&swg__visit_node(v, i)->talk);

        result = take_rows(v, b, rows, i);
        swg__free(rows);
    }
    return result;
}

int swg_fleet_audit(const swg_fleet_redis *redis,
                    void (*action)(void *arg, const swg_fleet_action *action), void *arg)
{
    book b = {0};
    visit v;

    if (!action)
        return SWG_EINVAL;
    int result = swg__visit_open(&v, redis);
    if (result == SWG_OK)
        result = read_rows(&v, &b);
    if (result == SWG_OK && b.count > 0) {
        qsort(b.actions, b.count, sizeof *b.actions, by_time);
        for (size_t i = 0; i < b.count; i++)
            action(arg, &b.actions[i]);
    }
    free(b.actions);
    return swg__visit_close(&v, result);
}

/* ---- orders -------------------------------------------------------------------------------- */

static bool copy(char *to, size_t room, const char *from)
{
    return from && snprintf(to, room, "%s", from) < (int)room;
}

static bool fill(struct swg_step_order *o, const char *circuit, swg_fleet_state state,
                 int64_t ttl_ms, const char *who, const char *reason)
{
    *o = (struct swg_step_order){.schema = SWG_STEP_SCHEMA, .state = (int)state};
    if (ttl_ms < 0 || ttl_ms > INT64_C(2592000000))
        return false;
    o->ttl = ttl_ms * 1000;
    return copy(o->circuit, sizeof o->circuit, circuit) && copy(o->who, sizeof o->who, who) &&
           copy(o->reason, sizeof o->reason, reason) && swg_step_check_order(o) == SWG_STEP_DONE;
}

static redisReply *ask_admin(visit *v, talk *t, const struct swg_step_order *order)
{
    const struct swg_wire_clock clock = {0, ""};
    char tag[VISIT_TAG], text[ARGUMENT_BYTES];
    const char *argv[ARGUMENTS];
    size_t lengths[ARGUMENTS];
    struct swg_wire wire = {
        .text = text, .size = sizeof text, .argv = argv, .lengths = lengths, .room = ARGUMENTS};

    swg__visit_tag(v, swg__visit_shard_of(v, order->circuit), tag);
    swg_wire_admin(&wire, swg_fleet_admin_sha1, tag, clock, order);
    swg__talk_say_wire(t, &wire);
    return swg__talk_hear(t);
}

/* A replica knows its master. It is not followed there: that the URL names another server than was
 * meant is worth knowing, and its password is not for every server that one names. */
static int is_replica(visit *v, node *n)
{
    redisReply *info = swg__talk_ask(&n->talk, "INFO replication");
    char host[200], port[8];
    const bool told = swg__field(info, "master_host", host, sizeof host) &&
                      swg__field(info, "master_port", port, sizeof port);

    swg__free(info);
    snprintf(v->why, sizeof v->why, "%.150s: READONLY: this is a replica; %s%s%s%s%s", n->address,
             v->url.kind == SWG_FLEET_SENTINEL ? "is a failover under way? Try again. Its master"
                                               : "give orders to its master",
             told ? ": " : "", told ? host : "", told ? ":" : "", told ? port : "");
    return SWG_EPROTO;
}

static int carry_out(visit *v, const struct swg_step_order *order, uint64_t *epoch)
{
    node *n = swg__visit_node(v, swg__visit_shard_of(v, order->circuit));
    talk *t = &n->talk;
    redisReply *reply = ask_admin(v, t, order);
    int64_t minted;
    int result = SWG_OK;

    if (swg__is_error(reply, "NOSCRIPT")) { /* it did not run */
        swg__free(reply);
        swg__free(swg__talk_ask(t, "SCRIPT LOAD %s", swg_fleet_admin_lua));
        reply = ask_admin(v, t, order);
    }
    if (swg__is_error(reply, "READONLY"))
        result = is_replica(v, n);
    else if (swg__length(reply) != 2 || !swg__whole(swg__at(reply, 0), &minted))
        result = swg__visit_refused(v, reply, order->circuit);
    else if (epoch)
        *epoch = (uint64_t)minted;
    swg__free(reply);
    return result;
}

int swg_fleet_command(const swg_fleet_redis *redis, const char *circuit, swg_fleet_state state,
                      int64_t ttl_ms, const char *who, const char *reason, uint64_t *epoch)
{
    struct swg_step_order order;
    visit v;

    if (!fill(&order, circuit, state, ttl_ms, who, reason))
        return SWG_EINVAL;
    int result = swg__visit_open(&v, redis);
    if (result == SWG_OK)
        result = carry_out(&v, &order, epoch);
    return swg__visit_close(&v, result);
}
