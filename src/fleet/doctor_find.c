/* Which servers hold a fleet: the one of the URL, the one the sentinels name, the masters of a
 * cluster. */
#include "fleet/doctor_visit.h"
#include "fleet/client.h"
#include "fleet/net_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

node *swg__visit_add(visit *v, const swg_fleet_address *to)
{
    node *n = v->count < VISIT_NODES ? calloc(1, sizeof *n) : NULL;

    if (!n)
        return NULL;
    n->to = *to;
    n->talk.link.fd = -1;
    if (v->url.path[0])
        snprintf(n->address, sizeof n->address, "%s", v->url.path);
    else
        snprintf(n->address, sizeof n->address, strchr(to->host, ':') ? "[%s]:%s" : "%s:%s",
                 to->host, to->port);
    v->nodes[v->count++] = n;
    return n;
}

static int add_or_fail(visit *v, const swg_fleet_address *to)
{
    if (swg__visit_add(v, to))
        return SWG_OK;
    swg__visit_why(v, to->host, v->count == VISIT_NODES ? "more than 64 masters" : "out of memory");
    return v->count == VISIT_NODES ? SWG_EINVAL : SWG_ENOMEM;
}

void swg__visit_drop(visit *v)
{
    while (v->count > 0) {
        swg__talk_close(&v->nodes[--v->count]->talk);
        free(v->nodes[v->count]);
    }
}

/* Of what is left, so much that the seeds after this one have their share. */
static int64_t share(const visit *v, uint32_t seed)
{
    const int64_t now = swg_clock_ns();

    return now + (v->deadline_ns - now) / (v->url.seeds - seed + 1);
}

/* ---- sentinels ----------------------------------------------------------------------------- */

int swg__visit_ask_sentinel(visit *v, node *sentinel, swg_fleet_address *master)
{
    redisReply *reply =
        swg__talk_ask(&sentinel->talk, "SENTINEL GET-MASTER-ADDR-BY-NAME %s", v->url.master);
    int result = SWG_OK;

    if (!swg__place_of_master(master, reply)) {
        result = SWG_EPROTO;
        if (!reply)
            result = swg__visit_end_of(v, sentinel);
        else if (reply->type == REDIS_REPLY_NIL)
            swg__visit_why(v, sentinel->address, "it knows no master of that name");
        else
            result = swg__visit_refused(v, reply, sentinel->address);
    }
    swg__free(reply);
    return result;
}

static int ask_sentinels(visit *v, swg_fleet_address *master)
{
    int result = SWG_ENOENT;

    for (uint32_t i = 0; i < v->url.seeds && result != SWG_OK; i++) {
        node *n = swg__visit_add(v, &v->url.seed[i]);

        if (!n)
            return SWG_ENOMEM;
        swg__visit_greet_sentinel(v, n, share(v, i));
        result = swg__visit_greeted(v, n);
        if (result == SWG_OK)
            result = swg__visit_ask_sentinel(v, n, master);
    }
    swg__visit_drop(v);
    return result;
}

static int find_master(visit *v)
{
    swg_fleet_address master = {0};
    const int result = ask_sentinels(v, &master);

    return result == SWG_OK ? add_or_fail(v, &master) : result;
}

/* ---- clusters ------------------------------------------------------------------------------ */

static int number_of(visit *v, const swg_fleet_address *a)
{
    for (uint32_t i = 0; i < v->count; i++) {
        const swg_fleet_address *b = &v->nodes[i]->to;

        if (strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0)
            return (int)i + 1;
    }
    return swg__visit_add(v, a) ? (int)v->count : 0;
}

/* Only masters that a shard lives on are visited. */
static bool is_wanted(const visit *v, int64_t first, int64_t last)
{
    const uint32_t most = v->config.shards ? v->config.shards : SWG_FLEET_SHARDS_MAX;
    char tag[VISIT_TAG];

    for (uint32_t i = 0; i < most; i++) {
        swg__visit_tag(v, i, tag);
        const uint32_t slot = swg__visit_slot(tag);
        if (slot >= first && slot <= last)
            return true;
    }
    return false;
}

static bool take_range(visit *v, const redisReply *range, const char *asked)
{
    swg_fleet_address master = {0};
    int64_t first, last;

    if (!swg__whole(swg__at(range, 0), &first) || !swg__whole(swg__at(range, 1), &last) ||
        first > last || last >= SWG_FLEET_SLOTS ||
        !swg__place_of_node(&master, swg__at(range, 2), asked))
        return false;
    if (!is_wanted(v, first, last))
        return true;
    const int number = number_of(v, &master);
    for (int64_t slot = first; number > 0 && slot <= last; slot++)
        v->at[slot] = (uint8_t)number;
    return number > 0;
}

static int take_slots(visit *v, const redisReply *reply, const node *asked)
{
    if (!reply || reply->type != REDIS_REPLY_ARRAY)
        return swg__visit_refused(v, reply, "CLUSTER SLOTS");
    for (size_t i = 0; i < reply->elements; i++) {
        if (take_range(v, reply->element[i], asked->to.host))
            continue;
        swg__visit_why(v, "CLUSTER SLOTS", v->count == VISIT_NODES ? "more than 64 masters" : NULL);
        return SWG_EPROTO;
    }
    return SWG_OK;
}

static int ask_seed(visit *v, uint32_t seed)
{
    visit *there = calloc(1, sizeof *there);
    int result = SWG_ENOMEM;

    if (!there)
        return result;
    *there = *v; /* as whom, and how long */
    there->count = 0;
    there->deadline_ns = share(v, seed);
    node *n = swg__visit_add(there, &v->url.seed[seed]);
    if (n) {
        swg__visit_greet(there, n);
        result = swg__visit_greeted(there, n);
    }
    if (result == SWG_OK) {
        redisReply *reply = swg__talk_ask(&n->talk, "CLUSTER SLOTS");
        result = reply ? take_slots(v, reply, n) : swg__visit_end_of(v, n);
        swg__free(reply);
    } else {
        memcpy(v->why, there->why, sizeof v->why);
    }
    swg__visit_drop(there);
    free(there);
    return result;
}

static int find_masters(visit *v)
{
    int result = SWG_ENOENT;

    for (uint32_t i = 0; i < v->url.seeds && result != SWG_OK; i++) {
        swg__visit_drop(v);
        memset(v->at, 0, sizeof v->at);
        result = ask_seed(v, i);
    }
    if (result == SWG_OK && v->count == 0) {
        swg__visit_why(v, "CLUSTER SLOTS", "nobody has the slots of our shards");
        return SWG_EPROTO;
    }
    return result;
}

int swg__visit_find(visit *v)
{
    swg_fleet_address here = {0};

    if (v->url.kind == SWG_FLEET_SENTINEL)
        return find_master(v);
    if (v->url.kind == SWG_FLEET_CLUSTER)
        return find_masters(v);
    memcpy(here.host, v->url.host, sizeof here.host);
    memcpy(here.port, v->url.port, sizeof here.port);
    return add_or_fail(v, &here);
}
