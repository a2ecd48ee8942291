/* Links: bytes out, replies expected in the order of what went out, bytes in.
 *
 * Keeps: a reply is believed only in its place in the row; a link whose row cannot be trusted any
 * more (nonsense, too slow) is given up whole. */
#include "fleet/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_MAX (8u << 20) /* bytes of a reply still incomplete */
#define ELEMENTS_MAX 1024      /* of an array: a page of views is 512 rows */
#define SPREAD_NS (1000 * MS)
#define SILENT_NS (100 * MS)
#define SILENT_MAX_NS (5000 * MS)

int swg__client_links_open(swg_fleet *fleet)
{
    fleet->expect_room = 4 * fleet->config.shards + 2 * CLIENT_ORDERS + 16;
    fleet->links = calloc(fleet->config.links + 1, sizeof *fleet->links);
    return fleet->links ? SWG_OK : SWG_ENOMEM;
}

struct client_link *swg__client_link(const swg_fleet *fleet, uint32_t number)
{
    if (!fleet || (number >= fleet->config.links && number != SWG_FLEET_EAR))
        return NULL;
    return &fleet->links[number == SWG_FLEET_EAR ? fleet->config.links : number];
}

static void empty(struct client_link *link)
{
    swg__reader_close(&link->reader);
    free(link->out);
    free(link->expect);
    *link = (struct client_link){.failures = link->failures};
}

void swg__client_links_close(swg_fleet *fleet)
{
    for (uint32_t i = 0; fleet->links && i <= fleet->config.links; i++)
        empty(&fleet->links[i]);
    free(fleet->links);
}

static bool append(struct client_link *link, const char *bytes, size_t count)
{
    if (link->out_room - link->out_used < count) {
        size_t room = 2 * link->out_room + count;
        char *grown = realloc(link->out, room);

        if (!grown)
            return false;
        link->out = grown;
        link->out_room = room;
    }
    memcpy(link->out + link->out_used, bytes, count);
    link->out_used += count;
    return true;
}

bool swg__client_put(swg_fleet *fleet, uint32_t number, int kind, uint32_t which, int64_t now)
{
    struct client_link *link = swg__client_link(fleet, number);
    char *command = NULL;
    int length;
    bool done;

    if (!link->up || link->gave_up || fleet->wire.full || link->count == fleet->expect_room)
        return false;
    length =
        redisFormatCommandArgv(&command, fleet->wire.count, fleet->wire.argv, fleet->wire.lengths);
    if (length <= 0)
        return false;
    done = append(link, command, (size_t)length);
    free(command);
    if (!done)
        return false;
    link->expect[(link->first + link->count++) % fleet->expect_room] =
        (struct client_expect){.kind = kind, .which = which, .at = now};
    return true;
}

bool swg__client_put_words(swg_fleet *fleet, uint32_t link, int kind, const char *const *words,
                           int64_t now)
{
    swg_wire_start(&fleet->wire);
    for (int i = 0; words[i]; i++)
        swg_wire_text(&fleet->wire, words[i]);
    return swg__client_put(fleet, link, kind, 0, now);
}

void swg__client_load_scripts(swg_fleet *fleet, uint32_t number, int64_t now)
{
    struct client_link *link = swg__client_link(fleet, number);
    const char *const scripts[] = {swg_fleet_sync_lua, swg_fleet_admin_lua};

    if (link->loads > 0)
        return;
    for (int i = 0; i < 2; i++)
        link->loads +=
            swg__client_put_words(fleet, number, EXPECT_LOAD,
                                  (const char *const[]){"SCRIPT", "LOAD", scripts[i], NULL}, now);
}

static bool authenticate(swg_fleet *fleet, uint32_t link, int64_t now)
{
    const char *const named[] = {"AUTH", fleet->user, fleet->password, NULL};
    const char *const unnamed[] = {"AUTH", fleet->password, NULL};

    return !fleet->password ||
           swg__client_put_words(fleet, link, EXPECT_AUTH, fleet->user ? named : unnamed, now);
}

static bool select_database(swg_fleet *fleet, uint32_t link, int64_t now)
{
    char text[16];

    snprintf(text, sizeof text, "%u", fleet->config.database);
    return fleet->config.database == 0 ||
           swg__client_put_words(fleet, link, EXPECT_SELECT,
                                 (const char *const[]){"SELECT", text, NULL}, now);
}

/* An exchange sent along with a SELECT that is refused would run elsewhere: it waits for all
 * answers. */
static bool greet(swg_fleet *fleet, uint32_t number, int64_t now)
{
    struct client_link *link = swg__client_link(fleet, number);

    if (!authenticate(fleet, number, now))
        return false;
    if (number == SWG_FLEET_EAR)
        return swg__client_subscribe(fleet, now);
    if (!select_database(fleet, number, now))
        return false;
    link->greets = link->count;
    return true;
}

int swg_fleet_connected(swg_fleet *fleet, uint32_t number, int64_t now)
{
    struct client_link *link = swg__client_link(fleet, number);

    if (!link || link->up)
        return SWG_EINVAL;
    empty(link);
    link->expect = calloc(fleet->expect_room, sizeof *link->expect);
    link->up = link->expect && swg__reader_open(&link->reader, ELEMENTS_MAX, PENDING_MAX);
    if (link->up && greet(fleet, number, now))
        return SWG_OK;
    empty(link);
    return SWG_ENOMEM;
}

/* The link's own wait is wait enough for those who need it. */
static void lose(swg_fleet *fleet, const struct client_expect *expect, bool late, int64_t now)
{
    if (expect->kind == EXPECT_SYNC) {
        swg__client_failed(fleet, &fleet->shards[expect->which],
                           late ? SWG_FLEET_TIMEOUT : SWG_FLEET_LOST,
                           late ? "no reply in time" : "the link broke", now);
        fleet->shards[expect->which].due = now;
    }
    if (expect->kind == EXPECT_ORDER)
        swg__client_order_lost(fleet, expect->which);
}

/* Where nobody takes connections, or they are hung up on, asking again costs next to nothing. Who
 * takes one and does not answer is in trouble, and each is more of it: a server that hangs finds
 * them all in its queue when it goes on. */
static int64_t connect_again(swg_fleet *fleet, struct client_link *link, int64_t now)
{
    int64_t wait;

    if (!link->gave_up)
        return now + (int64_t)swg__client_random(fleet, SPREAD_NS);
    link->failures += link->failures < 8;
    wait = swg__client_min(SILENT_NS << link->failures, SILENT_MAX_NS);
    return now + wait / 2 + (int64_t)swg__client_random(fleet, (uint64_t)wait / 2 + 1);
}

int64_t swg_fleet_disconnected(swg_fleet *fleet, uint32_t number, int64_t now)
{
    struct client_link *link = swg__client_link(fleet, number);
    int64_t again;

    if (!link)
        return NEVER;
    for (; link->count > 0; link->count--) {
        lose(fleet, &link->expect[link->first], link->late, now);
        link->first = (link->first + 1) % fleet->expect_room;
    }
    for (uint32_t i = 0; i < fleet->config.shards; i++) { /* what waits for it need not */
        if (fleet->shards[i].once == number)
            fleet->shards[i].once = SWG_NONE;
    }
    again = connect_again(fleet, link, now);
    empty(link);
    return again;
}

void swg_fleet_output(const swg_fleet *fleet, uint32_t number, const char **bytes, size_t *count)
{
    const struct client_link *link = swg__client_link(fleet, number);

    *bytes = NULL;
    *count = 0;
    if (!link || !link->up || link->gave_up)
        return;
    *bytes = link->out + link->out_sent;
    *count = link->out_used - link->out_sent;
}

void swg_fleet_sent(swg_fleet *fleet, uint32_t number, size_t count)
{
    struct client_link *link = swg__client_link(fleet, number);

    if (!link)
        return;
    if (count > link->out_used - link->out_sent)
        count = link->out_used - link->out_sent;
    fleet->stats.bytes_out += count;
    link->out_sent += count;
    if (link->out_sent == link->out_used)
        link->out_sent = link->out_used = 0;
}

static bool exchange_reply(swg_fleet *fleet, uint32_t number, struct client_shard *shard,
                           const redisReply *reply, int64_t now)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        swg__client_refused(fleet, shard, number, reply->str, now);
        return true;
    }
    if (!swg__client_parse(reply, &fleet->reply)) {
        swg__client_failed(fleet, shard, SWG_FLEET_NONSENSE, "a reply of another shape", now);
        return false;
    }
    fleet->links[number].failures = 0; /* of what comes, not of what is long past */
    fleet->links[number].readonly = false;
    swg__client_apply(fleet, shard, now);
    return true;
}

static void give_up(swg_fleet *fleet, uint32_t number, const swg_fleet_event *why)
{
    struct client_link *link = swg__client_link(fleet, number);
    swg_fleet_event event = *why;

    event.kind = SWG_FLEET_EVENT_GIVE_UP;
    link->gave_up = true;
    swg__client_press(fleet, &link->give_up, &event);
}

/* A command of the link's own, told once a connection. One that may not work where it is meant to
 * is given up. */
static void refused(swg_fleet *fleet, uint32_t number, int kind, const char *words)
{
    static const char *const names[] = {
        [EXPECT_AUTH] = "AUTH",        [EXPECT_SELECT] = "SELECT",      [EXPECT_ASKING] = "ASKING",
        [EXPECT_LOAD] = "SCRIPT LOAD", [EXPECT_CHANNELS] = "SUBSCRIBE", [EXPECT_PONG] = "PING"};
    struct client_link *link = swg__client_link(fleet, number);
    swg_fleet_event event = {.kind = SWG_FLEET_EVENT_ERROR,
                             .shard = SWG_NONE,
                             .link = number,
                             .value = swg__client_error_of(words),
                             .error = SWG_EPROTO};

    fleet->stats.errors[event.value]++;
    if (link->told & 1u << kind)
        return;
    link->told |= 1u << kind;
    snprintf(event.text, sizeof event.text, "%s: %s", names[kind], words);
    swg__client_event(fleet, &event);
    if (kind == EXPECT_AUTH || kind == EXPECT_SELECT)
        give_up(fleet, number, &event);
}

static bool take(swg_fleet *fleet, uint32_t number, const struct client_expect *expect,
                 const redisReply *reply, int64_t now)
{
    struct client_link *link = swg__client_link(fleet, number);

    switch (expect->kind) {
    case EXPECT_SYNC:
        return exchange_reply(fleet, number, &fleet->shards[expect->which], reply, now);
    case EXPECT_ORDER:
        swg__client_order_reply(fleet, expect->which, number, reply, now);
        return true;
    case EXPECT_AUTH:
    case EXPECT_SELECT:
        link->greets -= link->greets > 0;
        if (swg__needs_no_password(reply))
            return true;
        break;
    case EXPECT_LOAD:
        link->loads--;
        break;
    case EXPECT_CHANNELS:
        if (reply->type == REDIS_REPLY_ARRAY)
            link->failures = 0;
        fleet->deaf = reply->type == REDIS_REPLY_ERROR;
        break;
    default:
        break;
    }
    if (reply->type == REDIS_REPLY_ERROR)
        refused(fleet, number, expect->kind, reply->str);
    return true;
}

static int nonsense(swg_fleet *fleet)
{
    fleet->stats.errors[SWG_FLEET_NONSENSE]++;
    return SWG_EPROTO;
}

static int next_reply(swg_fleet *fleet, uint32_t number, int64_t now)
{
    struct client_link *link = swg__client_link(fleet, number);
    struct client_expect expect;
    redisReply *reply = NULL;
    int there = swg__reader_next(&link->reader, &reply);
    bool ours;

    if (there <= 0)
        return there < 0 ? nonsense(fleet) : SWG_OK;
    if (number == SWG_FLEET_EAR && swg__client_hint(fleet, reply, now)) {
        freeReplyObject(reply);
        return 1;
    }
    if (link->count == 0) {
        freeReplyObject(reply);
        return nonsense(fleet);
    }
    expect = link->expect[link->first];
    link->first = (link->first + 1) % fleet->expect_room;
    link->count--;
    link->heard = now;
    ours = take(fleet, number, &expect, reply, now);
    freeReplyObject(reply);
    return ours ? 1 : SWG_EPROTO;
}

int swg_fleet_feed(swg_fleet *fleet, uint32_t number, const void *bytes, size_t count, int64_t now)
{
    struct client_link *link = swg__client_link(fleet, number);
    int result = SWG_OK;

    if (!link || !link->up || (!bytes && count > 0))
        return SWG_EINVAL;
    if (link->gave_up)
        return SWG_EPROTO;
    if (!swg__client_rules(fleet, now))
        return SWG_OK;
    fleet->stats.bytes_in += count;
    if (!swg__reader_feed(&link->reader, bytes, count))
        result = SWG_ENOMEM;
    else
        while (!link->gave_up && (result = next_reply(fleet, number, now)) > 0)
            ;
    link->gave_up = link->gave_up || result < 0;
    return result < 0 ? result : SWG_OK;
}

int64_t swg__client_link_tick(swg_fleet *fleet, uint32_t number, int64_t now)
{
    struct client_link *link = swg__client_link(fleet, number);
    int64_t deadline;

    if (!link->up || link->gave_up || link->count == 0)
        return NEVER;
    /* One that answers, late as it is, is not asked for the same once more. */
    deadline = swg__client_max(link->expect[link->first].at, link->heard) +
               (int64_t)fleet->config.timeout_ms * MS;
    if (now < deadline)
        return deadline;
    link->late = true;
    if (link->expect[link->first].kind != EXPECT_SYNC) /* those count when they are lost */
        fleet->stats.errors[SWG_FLEET_TIMEOUT]++;
    give_up(fleet, number,
            &(swg_fleet_event){.shard = SWG_NONE,
                               .link = number,
                               .value = SWG_FLEET_TIMEOUT,
                               .error = SWG_EPROTO,
                               .text = "no reply in time"});
    return NEVER;
}

int swg_fleet_route(swg_fleet *fleet, uint32_t shard, uint32_t link)
{
    if (!fleet || shard >= fleet->config.shards || link >= fleet->config.links)
        return SWG_EINVAL;
    fleet->shards[shard].link = link;
    return SWG_OK;
}

int swg_fleet_route_once(swg_fleet *fleet, uint32_t shard, uint32_t link)
{
    if (!fleet || shard >= fleet->config.shards || link >= fleet->config.links)
        return SWG_EINVAL;
    fleet->shards[shard].once = link;
    if (!fleet->shards[shard].sent_once) /* sent on a second time, it waits like any refused */
        fleet->shards[shard].due = 0;
    return SWG_OK;
}
