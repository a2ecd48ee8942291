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

/* An array longer than ours ever are is not ours: its memory is not asked for. */
#if HIREDIS_MAJOR < 1
static void *short_array(const redisReadTask *task, int elements)
#else
static void *short_array(const redisReadTask *task, size_t elements)
#endif
{
    const swg_fleet *fleet = task->privdata;

    return elements > ELEMENTS_MAX ? NULL : fleet->usual.createArray(task, elements);
}

static redisReader *new_reader(swg_fleet *fleet)
{
    redisReader *reader = redisReaderCreate();

    if (!reader)
        return NULL;
    fleet->usual = fleet->functions = *reader->fn;
    fleet->functions.createArray = short_array;
    reader->fn = &fleet->functions;
    reader->privdata = fleet;
    return reader;
}

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
    if (link->reader)
        redisReaderFree(link->reader);
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

void swg__client_put_words(swg_fleet *fleet, uint32_t link, int kind, const char *const *words,
                           int64_t now)
{
    swg_wire_start(&fleet->wire);
    for (int i = 0; words[i]; i++)
        swg_wire_text(&fleet->wire, words[i]);
    swg__client_put(fleet, link, kind, 0, now);
}

void swg__client_load_scripts(swg_fleet *fleet, uint32_t number, int64_t now)
{
    struct client_link *link = swg__client_link(fleet, number);
    const char *const scripts[] = {swg_fleet_sync_lua, swg_fleet_admin_lua};

    if (link->loads > 0)
        return;
    for (int i = 0; i < 2; i++) {
        uint32_t before = link->count;

        swg__client_put_words(fleet, number, EXPECT_LOAD,
                              (const char *const[]){"SCRIPT", "LOAD", scripts[i], NULL}, now);
        link->loads += link->count - before;
    }
}

static void authenticate(swg_fleet *fleet, uint32_t link, int64_t now)
{
    if (fleet->user && fleet->password)
        swg__client_put_words(fleet, link, EXPECT_OK,
                              (const char *const[]){"AUTH", fleet->user, fleet->password, NULL},
                              now);
    else if (fleet->password)
        swg__client_put_words(fleet, link, EXPECT_OK,
                              (const char *const[]){"AUTH", fleet->password, NULL}, now);
}

static void select_database(swg_fleet *fleet, uint32_t link, int64_t now)
{
    char text[16];

    if (fleet->config.database == 0)
        return;
    snprintf(text, sizeof text, "%u", fleet->config.database);
    swg__client_put_words(fleet, link, EXPECT_OK, (const char *const[]){"SELECT", text, NULL}, now);
}

int swg_fleet_connected(swg_fleet *fleet, uint32_t number, int64_t now)
{
    struct client_link *link = swg__client_link(fleet, number);

    if (!link || link->up)
        return SWG_EINVAL;
    empty(link);
    link->reader = new_reader(fleet);
    link->expect = calloc(fleet->expect_room, sizeof *link->expect);
    if (!link->reader || !link->expect) {
        empty(link);
        return SWG_ENOMEM;
    }
    link->up = true;
    authenticate(fleet, number, now);
    if (number == SWG_FLEET_EAR)
        swg__client_subscribe(fleet, now);
    else
        select_database(fleet, number, now);
    return SWG_OK;
}

/* The link's own wait is wait enough for those who need it. */
static void lose(swg_fleet *fleet, const struct client_expect *expect, int64_t now)
{
    if (expect->kind == EXPECT_SYNC) {
        swg__client_failed(fleet, &fleet->shards[expect->which], SWG_FLEET_LOST, "the link broke",
                           now);
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
        lose(fleet, &link->expect[link->first], now);
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

/* AUTH or SELECT: what comes after it fails too, but says less. */
static void greeting_refused(swg_fleet *fleet, uint32_t number, const char *text)
{
    swg_fleet_event event = {.kind = SWG_FLEET_EVENT_ERROR,
                             .shard = SWG_NONE,
                             .link = number,
                             .value = swg__client_error_of(text),
                             .error = SWG_EPROTO};

    snprintf(event.text, sizeof event.text, "%s", text);
    swg__client_event(fleet, &event);
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
    case EXPECT_LOAD:
        link->loads--;
        break;
    case EXPECT_CHANNELS:
        if (reply->type == REDIS_REPLY_ARRAY)
            link->failures = 0;
        break;
    default:
        break;
    }
    if (reply->type != REDIS_REPLY_ERROR)
        return true;
    fleet->stats.errors[swg__client_error_of(reply->str)]++;
    if (expect->kind == EXPECT_OK)
        greeting_refused(fleet, number, reply->str);
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
    void *reply = NULL;
    bool ours;

    if (redisReaderGetReply(link->reader, &reply) != REDIS_OK)
        return nonsense(fleet);
    if (!reply)
        return link->pending > PENDING_MAX ? nonsense(fleet) : SWG_OK;
    link->pending = link->reader->len - link->reader->pos;
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
    link->pending += count;
    if (count > 0 && redisReaderFeed(link->reader, bytes, count) != REDIS_OK)
        result = SWG_ENOMEM;
    else
        while ((result = next_reply(fleet, number, now)) > 0)
            ;
    link->gave_up = result < 0;
    return result;
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
    link->gave_up = true;
    fleet->stats.errors[SWG_FLEET_TIMEOUT]++;
    swg__client_event(fleet, &(swg_fleet_event){.kind = SWG_FLEET_EVENT_GIVE_UP,
                                                .link = number,
                                                .value = SWG_FLEET_TIMEOUT,
                                                .error = SWG_EPROTO});
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
