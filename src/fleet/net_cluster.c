/* What a Redis Cluster says: which node holds which slot, and that one moved or is moving.
 *
 * Keeps: a line for each master that holds a shard, and none for others; a shard's exchanges go to
 * who is said to hold its slot, latest word first. */
#include "net.h"
#include "net_place.h"

#include <stdio.h>
#include <string.h>

#define CALM_NS (10000 * MS)
#define TROUBLED_NS (1000 * MS)
#define KEEP_NS (10000 * MS) /* a line for a slot that moves */

/* ---- lines --------------------------------------------------------------------------------- */

static void no_line(struct net_run *r, const swg_fleet_address *a)
{
    char peer[NET_PEER_MAX], why[128];
    net_link there = {.to = *a};
    swg__net_peer(peer, "", &there);
    snprintf(why, sizeof why, "no link is left for it: swg_fleet_config.links is %u", r->links);
    swg__net_tell(r, peer, why);
}

/* The line that leads there, or a free one that does from here on; NULL: there is none. */
static struct net_line *line_to(struct net_run *r, const swg_fleet_address *a, int64_t now)
{
    struct net_line *unused = NULL;
    for (uint32_t i = 0; i < r->links; i++) {
        if (swg__line_is_at(&r->lines[i], a))
            return &r->lines[i];
        if (!r->lines[i].aimed && !unused)
            unused = &r->lines[i];
    }
    if (unused)
        swg__line_aim(r, unused, a, now);
    else
        no_line(r, a);
    return unused;
}

/* ---- slots --------------------------------------------------------------------------------- */

static bool take_range(struct net_run *r, struct net_map *map, const redisReply *range)
{
    swg_fleet_address master = {0};
    int64_t first, last;
    if (!swg__whole(swg__at(range, 0), &first) || !swg__whole(swg__at(range, 1), &last) ||
        !swg__place_of_node(&master, swg__at(range, 2), r->scout.link.to.host))
        return false;
    for (uint32_t i = 0; i < map->shards; i++) {
        const uint32_t slot = swg_fleet_slot(r->fleet, i);
        if (slot < first || slot > last)
            continue;
        map->held += map->at[i].host[0] == '\0';
        map->at[i] = master;
    }
    return true;
}

static bool is_on(const struct net_map *map, const struct net_line *l)
{
    for (uint32_t i = 0; i < map->shards; i++) {
        if (swg__line_is_at(l, &map->at[i]))
            return true;
    }
    return false;
}

static void sweep(struct net_run *r, const struct net_map *map, int64_t now)
{
    for (uint32_t i = 0; i < r->links; i++) {
        struct net_line *l = &r->lines[i];
        if (!l->aimed || is_on(map, l) || now < l->keep_until)
            continue;
        swg__ear_leave(r, &l->link.to, now);
        swg__line_aim(r, l, NULL, now);
    }
}

static void route(struct net_run *r, const struct net_map *map, int64_t now)
{
    for (uint32_t i = 0; i < map->shards; i++) {
        const struct net_line *l = map->at[i].host[0] ? line_to(r, &map->at[i], now) : NULL;
        if (l)
            swg_fleet_route(r->fleet, i, l->number);
    }
}

static bool is_well(const struct net_run *r, const struct net_map *map)
{
    bool well = map->held == map->shards;
    for (uint32_t i = 0; i < r->links; i++)
        well = well && (!r->lines[i].aimed || r->lines[i].up);
    return well;
}

static const char *read_map(struct net_run *r, struct net_map *map, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return reply->str;
    bool fine = reply->type == REDIS_REPLY_ARRAY;
    for (size_t i = 0; fine && i < reply->elements; i++)
        fine = take_range(r, map, reply->element[i]);
    if (!fine)
        return "CLUSTER SLOTS: a reply of another shape";
    return map->held == 0 ? "CLUSTER SLOTS: it knows no master for our slots" : NULL;
}

bool swg__cluster_says(struct net_run *r, const redisReply *reply, int64_t now)
{
    struct net_map *map = &r->map;
    *map = (struct net_map){.shards = r->fleet->config.shards};
    const char *why = read_map(r, map, reply);
    if (why) {
        swg__scout_failed(r, why, now);
        return false;
    }
    sweep(r, map, now);
    route(r, map, now);
    const int64_t pace = is_well(r, map) ? CALM_NS : TROUBLED_NS;
    const int64_t next = pace / 2 + (int64_t)swg__client_random(r->fleet, (uint64_t)pace);
    r->scout.ask_ns = swg__client_min(r->scout.ask_ns, now + next);
    return true;
}

/* ---- redirections -------------------------------------------------------------------------- */

/* HOST:PORT as Redis writes it, IPv6 without brackets; no host or "?": that of who said so. */
static bool take_address(struct net_run *r, swg_fleet_address *a, const swg_fleet_event *event)
{
    const char *colon = strrchr(event->text, ':');
    const size_t length = colon ? (size_t)(colon - event->text) : 0;
    if (!colon || event->link >= r->links || strlen(colon + 1) >= sizeof a->port)
        return false;
    *a = r->lines[event->link].link.to;
    if (length > 0 && strncmp(event->text, "?:", 2) != 0)
        snprintf(a->host, sizeof a->host, "%.*s", (int)length, event->text);
    snprintf(a->port, sizeof a->port, "%s", colon + 1);
    return true;
}

static void moved(struct net_run *r, const swg_fleet_event *event, int64_t now)
{
    swg_fleet_address a;
    struct net_line *l = take_address(r, &a, event) ? line_to(r, &a, now) : NULL;
    if (!l) {
        swg__scout_hurry(r, now);
        return;
    }
    swg_fleet_route(r->fleet, event->shard, l->number);
    swg__scout_ask_line(r, l->number, now);
}

static void ask(struct net_run *r, const swg_fleet_event *event, int64_t now)
{
    swg_fleet_address a;
    struct net_line *l = take_address(r, &a, event) ? line_to(r, &a, now) : NULL;
    if (!l)
        return;
    l->keep_until = now + KEEP_NS;
    r->asks[event->shard] = l->up ? 0 : l->number + 1;
    if (l->up)
        swg_fleet_route_once(r->fleet, event->shard, l->number);
}

void swg__cluster_up(struct net_run *r, const struct net_line *l)
{
    for (uint32_t i = 0; i < r->fleet->config.shards; i++) {
        if (r->asks[i] != l->number + 1)
            continue;
        r->asks[i] = 0;
        swg_fleet_route_once(r->fleet, i, l->number);
    }
}

void swg__cluster_event(struct net_run *r, const swg_fleet_event *event, int64_t now)
{
    if (event->kind == SWG_FLEET_EVENT_MOVED)
        moved(r, event, now);
    else if (event->kind == SWG_FLEET_EVENT_ASK)
        ask(r, event, now);
    else if (event->kind == SWG_FLEET_EVENT_ERROR && event->value == SWG_FLEET_CLUSTERDOWN)
        swg__scout_hurry(r, now);
}
