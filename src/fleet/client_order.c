/* What operators order for the whole fleet. */
#include "fleet/client.h"

#include <stdio.h>
#include <string.h>

#define RETRY_NS (100 * MS)
#define PATIENCE_NS (10000 * MS)

static void answer(swg_fleet *fleet, struct client_order *o, int error, int64_t epoch,
                   const char *text)
{
    swg_fleet_event event = {.kind = SWG_FLEET_EVENT_ORDER,
                             .shard = o->shard,
                             .link = fleet->shards[o->shard].link,
                             .slot = fleet->shards[o->shard].slot,
                             .value = o->number,
                             .error = error,
                             .epoch = (uint64_t)epoch};

    snprintf(event.text, sizeof event.text, "%s", text);
    o->state = ORDER_ANSWERED;
    swg__client_press(fleet, &o->answer, &event);
}

static bool copy(char to[SWG_STEP_TEXT], const char *from)
{
    return from && snprintf(to, SWG_STEP_TEXT, "%s", from) < SWG_STEP_TEXT;
}

static bool fill(struct swg_step_order *o, const char *circuit, swg_fleet_state state,
                 int64_t ttl_ms, const char *who, const char *reason)
{
    *o = (struct swg_step_order){.schema = SWG_STEP_SCHEMA, .state = (int)state};
    if (!circuit || strlen(circuit) >= sizeof o->circuit || ttl_ms < 0 ||
        ttl_ms > INT64_C(2592000000))
        return false;
    snprintf(o->circuit, sizeof o->circuit, "%s", circuit);
    o->ttl = ttl_ms * 1000;
    return copy(o->who, who) && copy(o->reason, reason) && swg_step_check_order(o) == SWG_STEP_DONE;
}

int swg_fleet_order(swg_fleet *fleet, const char *circuit, swg_fleet_state state, int64_t ttl_ms,
                    const char *who, const char *reason)
{
    struct swg_step_order order;

    if (!fleet || !fill(&order, circuit, state, ttl_ms, who, reason))
        return SWG_EINVAL;
    if (fleet->replaced)
        return SWG_EBUSY;
    for (int i = 0; i < CLIENT_ORDERS; i++) {
        struct client_order *o = &fleet->orders[i];

        if (o->state != ORDER_FREE)
            continue;
        fleet->order_number = fleet->order_number % INT32_MAX + 1;
        *o = (struct client_order){.state = ORDER_WAITS,
                                   .number = fleet->order_number,
                                   .shard = swg_fleet_shard(fleet, circuit),
                                   .order = order};
        return (int)o->number;
    }
    return SWG_EFULL;
}

/* Where its shard's exchanges go; while the slot is moving, with the exchange that was sent on. */
static bool is_sent_on(const swg_fleet *fleet, const struct client_order *o)
{
    return o->asks && fleet->shards[o->shard].sent_once;
}

static uint32_t link_of(const swg_fleet *fleet, const struct client_order *o)
{
    const struct client_shard *shard = &fleet->shards[o->shard];

    return is_sent_on(fleet, o) ? shard->sent_link : shard->link;
}

static void send(swg_fleet *fleet, struct client_order *o, int64_t now)
{
    const struct swg_wire_clock clock = {0, ""};
    const uint32_t link = link_of(fleet, o);

    o->due = now + RETRY_NS;
    if (is_sent_on(fleet, o) && !swg__client_put_words(fleet, link, EXPECT_ASKING,
                                                       (const char *const[]){"ASKING", NULL}, now))
        return;
    swg_wire_admin(&fleet->wire, swg_fleet_admin_sha1, fleet->shards[o->shard].tag, clock,
                   &o->order);
    if (swg__client_put(fleet, link, EXPECT_ORDER, (uint32_t)(o - fleet->orders), now))
        o->state = ORDER_SENT;
}

/* Returns when to look at it again. An order that could not be sent for so long is given up, lest
 * it be carried out when nobody thinks of it any more. */
static int64_t tick(swg_fleet *fleet, struct client_order *o, int64_t now)
{
    bool up = swg__client_ready(&fleet->links[link_of(fleet, o)]);

    o->first = o->first == 0 ? now : o->first;
    if (up && now >= o->due)
        send(fleet, o, now);
    if (o->state != ORDER_WAITS)
        return NEVER;
    if (now - o->first >= PATIENCE_NS) {
        answer(fleet, o, SWG_ESYS, 0, "no connection: it was not sent");
        return NEVER;
    }
    return swg__client_min(up ? o->due : NEVER, o->first + PATIENCE_NS);
}

int64_t swg__client_order_tick(swg_fleet *fleet, int64_t now)
{
    int64_t next = NEVER;

    for (uint32_t i = 0; i < CLIENT_ORDERS; i++) {
        if (fleet->orders[i].state == ORDER_WAITS)
            next = swg__client_min(next, tick(fleet, &fleet->orders[i], now));
    }
    return next;
}

/* What did not run may be tried again for a while; of all else the operator is told. A shard that
 * has moved is found by its next exchange. */
static bool again(swg_fleet_error error)
{
    switch (error) {
    case SWG_FLEET_NOSCRIPT:
    case SWG_FLEET_BUSY:
    case SWG_FLEET_LOADING:
    case SWG_FLEET_TRYAGAIN:
    case SWG_FLEET_MOVED:
    case SWG_FLEET_ASK:
    case SWG_FLEET_CLUSTERDOWN:
        return true;
    default:
        return false;
    }
}

void swg__client_order_reply(swg_fleet *fleet, uint32_t which, uint32_t link,
                             const redisReply *reply, int64_t now)
{
    struct client_order *o = &fleet->orders[which];
    int64_t epoch;

    if (reply->type == REDIS_REPLY_ERROR) {
        swg_fleet_error error = swg__client_error_of(reply->str);

        fleet->stats.errors[error]++;
        if (error == SWG_FLEET_NOSCRIPT)
            swg__client_load_scripts(fleet, link, now);
        if (!again(error) || now - o->first > PATIENCE_NS) {
            answer(fleet, o, SWG_EPROTO, 0, reply->str);
            return;
        }
        o->state = ORDER_WAITS;
        o->asks = error == SWG_FLEET_ASK;
        o->due = error == SWG_FLEET_NOSCRIPT ? now : now + RETRY_NS;
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !swg__client_number(reply->element[0], 1, SWG_STEP_NUMBER, &epoch)) {
        answer(fleet, o, SWG_EPROTO, 0, "a reply of another shape");
        return;
    }
    answer(fleet, o, SWG_OK, epoch, "");
}

void swg__client_order_lost(swg_fleet *fleet, uint32_t which)
{
    answer(fleet, &fleet->orders[which], SWG_EPROTO, 0, "lost on its way: it may have run");
}
