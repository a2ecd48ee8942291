/* Exchanges before their time: for what the ear hears of other hosts, and for a breaker of ours
 * that opened.
 *
 * Keeps: at most one exchange for news before its time an interval and shard, spread over a fifth
 * of it, so that news costs Redis twice the calls of peace at the most, and one for what each
 * permit brought; nothing depends on the ear. */
#include "fleet/client.h"

#include <stdio.h>
#include <string.h>

#define PING_NS (1000 * MS)
#define WATCH_MIN_NS (2 * MS)

enum { EVENTS = 32, ROUNDS = 8 };

void swg__client_hurry(swg_fleet *fleet, struct client_shard *shard, int64_t now)
{
    int64_t at = now + (int64_t)swg__client_random(fleet, (uint64_t)shard->pace / 5 + 1);

    if (shard->errors > 0 || shard->last_sync == 0)
        return; /* it is waiting for a reason of its own */
    if (shard->inflight) {
        shard->rush = true;
        return;
    }
    at = swg__client_max(at, shard->hurried + shard->pace);
    if (at >= shard->due)
        return;
    shard->due = shard->hurried = at;
    fleet->stats.hurried++;
}

/* A reply is in: what was heard meanwhile may be news still. */
void swg__client_heard(swg_fleet *fleet, struct client_shard *shard, int64_t now)
{
    bool rush = shard->rush || shard->heard > shard->cursor;

    shard->rush = false;
    if (rush)
        swg__client_hurry(fleet, shard, now);
}

/* ---- the ear ---- */

bool swg__client_subscribe(swg_fleet *fleet, int64_t now)
{
    char channel[80];

    fleet->channels = 0;
    fleet->ping = now + PING_NS;

    swg_wire_start(&fleet->wire);
    swg_wire_text(&fleet->wire, "SUBSCRIBE");
    for (uint32_t i = 0; i < fleet->config.shards; i++) {
        snprintf(channel, sizeof channel, "%s:chg", fleet->shards[i].tag);
        swg_wire_text(&fleet->wire, channel);
    }
    fleet->deaf = !swg__client_put(fleet, SWG_FLEET_EAR, EXPECT_CHANNELS, 0, now);
    return !fleet->deaf;
}

static struct client_shard *shard_of(swg_fleet *fleet, const redisReply *channel)
{
    for (uint32_t i = 0; i < fleet->config.shards; i++) {
        struct client_shard *shard = &fleet->shards[i];
        size_t length = strlen(shard->tag);

        if (strncmp(channel->str, shard->tag, length) == 0 &&
            strcmp(channel->str + length, ":chg") == 0)
            return shard;
    }
    return NULL;
}

static void hear(swg_fleet *fleet, const redisReply *message, int64_t now)
{
    struct client_shard *shard = shard_of(fleet, message->element[1]);
    int64_t epoch;

    if (!shard || !swg__client_number(message->element[2], 1, SWG_STEP_NUMBER, &epoch) ||
        epoch <= shard->cursor)
        return; /* our own doing, mostly */
    fleet->stats.hints++;
    shard->heard = swg__client_max(shard->heard, epoch);
    if (!shard->inflight)
        swg__client_hurry(fleet, shard, now);
}

static bool is_push(const redisReply *r, const char *kind)
{
    return r->type == REDIS_REPLY_ARRAY && r->elements == 3 &&
           r->element[0]->type == REDIS_REPLY_STRING && strcmp(r->element[0]->str, kind) == 0 &&
           r->element[1]->type == REDIS_REPLY_STRING;
}

/* True: it answers nothing we asked. A channel each is confirmed; the last answers SUBSCRIBE. */
bool swg__client_hint(swg_fleet *fleet, const redisReply *reply, int64_t now)
{
    if (is_push(reply, "message")) {
        hear(fleet, reply, now);
        return true;
    }
    return is_push(reply, "subscribe") && ++fleet->channels < fleet->config.shards;
}

/* A listener sends nothing, so that only an answer it asked for shows that the other end lives. One
 * that may not listen asks whether it may by now. */
static void ask_for_life(swg_fleet *fleet, int64_t now)
{
    if (fleet->deaf) {
        swg__client_subscribe(fleet, now);
        return;
    }
    fleet->ping = now + PING_NS;
    swg__client_put_words(fleet, SWG_FLEET_EAR, EXPECT_PONG, (const char *const[]){"PING", NULL},
                          now);
}

int64_t swg__client_ear_tick(swg_fleet *fleet, int64_t now)
{
    const struct client_link *ear = swg__client_link(fleet, SWG_FLEET_EAR);

    if (!ear->up || ear->gave_up)
        return NEVER;
    if (now >= fleet->ping)
        ask_for_life(fleet, now);
    return swg__client_min(fleet->ping, swg__client_link_tick(fleet, SWG_FLEET_EAR, now));
}

/* ---- our own breakers ---- */

static void opened(swg_fleet *fleet, const swg_event *event, int64_t now)
{
    struct client_circuit *c;

    if (event->scope != SWG_SCOPE_HOST || event->to != SWG_OPEN || event->from == SWG_OPEN ||
        event->at_ns < fleet->opened)
        return;
    c = swg__client_find(fleet, event->name);
    if (c)
        swg__client_hurry(fleet, &fleet->shards[c->shard], now);
}

/* Looks through the journal for openings, and for what probes brought; returns when to look again.
 */
int64_t swg__client_watch(swg_fleet *fleet, int64_t now)
{
    swg_event events[EVENTS];
    size_t count = EVENTS;

    if (now < fleet->watch)
        return fleet->watch;
    for (int i = 0; i < ROUNDS && count == EVENTS; i++) {
        count = swg_journal_read(fleet->panel, &fleet->journal, events, EVENTS);
        for (size_t k = 0; k < count; k++)
            opened(fleet, &events[k], now);
    }
    swg__client_results_due(fleet, now);
    fleet->watch = now + swg__client_max((int64_t)fleet->config.interval_ms * MS / 5, WATCH_MIN_NS);
    if (fleet->probing)
        fleet->watch = swg__client_min(fleet->watch, now + CLIENT_PROBE_WATCH_NS);
    return fleet->watch;
}
