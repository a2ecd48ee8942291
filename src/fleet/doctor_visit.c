/* A visit to a fleet's Redis: as whom, for how long, and what errors mean. */
#include "fleet/doctor_visit.h"
#include "fleet/client.h"

#include <stdio.h>
#include <string.h>

enum { SHARDS = 16 }; /* what clients take by default */

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

static int bad(visit *v, const char *what, const char *why)
{
    snprintf(v->why, sizeof v->why, "%s %s", what, why);
    return SWG_EINVAL;
}

static int copy(swg_fleet_redis *to, const swg_fleet_redis *from)
{
    const unsigned char *bytes = (const unsigned char *)from;

    if (!from || from->size < sizeof from->size)
        return SWG_EINVAL;
    for (size_t i = sizeof *to; i < from->size; i++) {
        if (bytes[i])
            return SWG_ENEWER;
    }
    memcpy(to, from, from->size < sizeof *to ? from->size : sizeof *to);
    return SWG_OK;
}

static int settle(visit *v)
{
    swg_fleet_redis *c = &v->config;
    const char *reason;

    if (!c->url)
        return bad(v, "url", "is missing");
    if (swg_fleet_url_parse(&v->url, c->url, &reason) != SWG_OK)
        return bad(v, "the URL", reason);
    if (c->deadline_ms == 0)
        c->deadline_ms = 5000;
    if (c->deadline_ms < 10 || c->deadline_ms > 600000)
        return bad(v, "deadline_ms", "is not 10 to 600000");
    v->space = c->space ? c->space : "default";
    if (strlen(v->space) - 1 >= CLIENT_SPACE || v->space[strspn(v->space, letters)])
        return bad(v, "space", "is not 1 to 32 of A-Z a-z 0-9 _ . -");
    if (c->shards > SWG_FLEET_SHARDS_MAX)
        return bad(v, "shards", "is more than 256");
    v->user = c->user ? c->user : v->url.user[0] ? v->url.user : NULL;
    v->password = c->password ? c->password : v->url.password[0] ? v->url.password : NULL;
    if (v->user && !v->password)
        return bad(v, "user", "is there without a password");
    if (c->sentinel_user && !c->sentinel_password)
        return bad(v, "sentinel_user", "is there without sentinel_password");
    return SWG_OK;
}

int swg__visit_begin(visit *v, const swg_fleet_redis *config)
{
    memset(v, 0, sizeof *v);
    int result = copy(&v->config, config);
    if (result == SWG_OK)
        result = settle(v);
    if (result == SWG_OK)
        v->deadline_ns = swg_clock_ns() + v->config.deadline_ms * MS;
    return result;
}

/* ---- opening and closing ------------------------------------------------------------------- */

static int greet_all(visit *v)
{
    int result = SWG_OK;

    for (uint32_t i = 0; i < v->count && result == SWG_OK; i++) {
        swg__visit_greet(v, v->nodes[i]);
        result = swg__visit_greeted(v, v->nodes[i]);
    }
    return result;
}

static int count_shards(visit *v)
{
    visit_shard shards[SWG_FLEET_SHARDS_MAX];

    if (!swg__visit_look(v, shards))
        return swg__visit_ended(v);
    if (v->looked != SWG_OK)
        return v->looked;
    v->shards = v->config.shards ? v->config.shards : swg__visit_count(shards, SHARDS);
    if (v->shards == 0)
        v->shards = SHARDS;
    for (uint32_t i = 0; i < v->shards; i++) {
        if (swg__visit_node(v, i))
            continue;
        snprintf(v->why, sizeof v->why, "shard %u: nobody has its slot", i);
        return SWG_EPROTO;
    }
    swg__visit_doubt_shards(v, shards);
    return swg__visit_ended(v);
}

int swg__visit_open(visit *v, const swg_fleet_redis *config)
{
    int result = swg__visit_begin(v, config);

    if (result == SWG_OK)
        result = swg__visit_find(v);
    if (result == SWG_OK)
        result = greet_all(v);
    return result == SWG_OK ? count_shards(v) : result;
}

int swg__visit_close(visit *v, int result)
{
    swg__visit_drop(v);
    char *told = result == SWG_OK ? v->doubt : v->why;
    swg__one_line(told);
    if (v->config.trouble)
        snprintf(v->config.trouble, SWG_FLEET_TROUBLE_MAX, "%s", told);
    return result;
}

/* ---- errors -------------------------------------------------------------------------------- */

void swg__visit_why(visit *v, const char *what, const char *words)
{
    snprintf(v->why, sizeof v->why, "%.100s: %.400s", what,
             words ? words : "a reply of another shape");
}

int swg__visit_end_of(visit *v, const node *n)
{
    static const int results[] = {
        [TALK_GOES_ON] = SWG_OK,      [TALK_NOBODY] = SWG_ENOENT, [TALK_REFUSED] = SWG_EACCESS,
        [TALK_LATE] = SWG_ESYS,       [TALK_LOST] = SWG_ESYS,     [TALK_NONSENSE] = SWG_EPROTO,
        [TALK_NO_MEMORY] = SWG_ENOMEM};

    if (n->talk.end != TALK_GOES_ON)
        swg__visit_why(v, n->address, n->talk.why);
    return results[n->talk.end];
}

int swg__visit_ended(visit *v)
{
    int result = SWG_OK;

    for (uint32_t i = 0; i < v->count && result == SWG_OK; i++)
        result = swg__visit_end_of(v, v->nodes[i]);
    return result;
}

/* NOPERM, NOAUTH, and what Redis and Valkey say of a command inside a script. */
static bool is_forbidden(const redisReply *reply)
{
    return swg__is_error(reply, "NOPERM") || swg__is_error(reply, "NOAUTH") ||
           (reply->type == REDIS_REPLY_ERROR &&
            (strstr(reply->str, "The user executing the script") ||
             strstr(reply->str, "ACL failure in script")));
}

int swg__visit_refused(visit *v, const redisReply *reply, const char *what)
{
    if (!reply) {
        const int result = swg__visit_ended(v);
        return result == SWG_OK ? SWG_EPROTO : result;
    }
    if (swg__is_error(reply, "MOVED") && v->url.kind == SWG_FLEET_SINGLE)
        swg__visit_why(v, v->nodes[0]->address,
                       "one node of a Redis Cluster: redis+cluster:// in the URL finds the others");
    else
        swg__visit_why(v, what, reply->type == REDIS_REPLY_ERROR ? reply->str : NULL);
    return is_forbidden(reply) ? SWG_EACCESS : SWG_EPROTO;
}

/* ---- shards -------------------------------------------------------------------------------- */

void swg__visit_tag(const visit *v, uint32_t shard, char tag[VISIT_TAG])
{
    snprintf(tag, VISIT_TAG, "swg1:{%s:%u}", v->space, shard);
}

uint32_t swg__visit_slot(const char tag[VISIT_TAG])
{
    const char *inner = strchr(tag, '{') + 1;

    return swg__client_crc16(inner, strcspn(inner, "}")) % SWG_FLEET_SLOTS;
}

uint32_t swg__visit_shard_of(const visit *v, const char *circuit)
{
    return swg__client_crc16(circuit, strlen(circuit)) % v->shards;
}

node *swg__visit_node(const visit *v, uint32_t shard)
{
    char tag[VISIT_TAG];

    if (v->url.kind != SWG_FLEET_CLUSTER)
        return v->nodes[0];
    swg__visit_tag(v, shard, tag);
    const uint8_t number = v->at[swg__visit_slot(tag)];
    return number > 0 ? v->nodes[number - 1] : NULL;
}

static void look_at(visit *v, node *n, visit_shard *shard)
{
    redisReply *schema = swg__talk_hear(&n->talk), *alive = swg__talk_hear(&n->talk);
    const char *text = swg__text(schema);

    snprintf(shard->schema, sizeof shard->schema, "%s", text ? text : "");
    shard->alive = alive && alive->type == REDIS_REPLY_INTEGER && alive->integer == 1;
    if (swg__is_error(schema, "NOPERM") || swg__is_error(alive, "NOPERM"))
        v->looked =
            swg__visit_refused(v, swg__is_error(alive, "NOPERM") ? alive : schema, n->address);
    swg__free(schema);
    swg__free(alive);
}

bool swg__visit_look(visit *v, visit_shard shards[SWG_FLEET_SHARDS_MAX])
{
    char tag[VISIT_TAG];

    for (uint32_t i = 0; i < SWG_FLEET_SHARDS_MAX; i++) {
        node *n = swg__visit_node(v, i);

        if (!n)
            continue;
        swg__visit_tag(v, i, tag);
        swg__talk_say(&n->talk, "HGET %s:m v", tag);
        swg__talk_say(&n->talk, "EXISTS %s:r", tag);
    }
    for (uint32_t i = 0; i < SWG_FLEET_SHARDS_MAX; i++) {
        node *n = swg__visit_node(v, i);

        shards[i] = (visit_shard){0};
        if (n)
            look_at(v, n, &shards[i]);
    }
    return swg__visit_ended(v) == SWG_OK;
}

uint32_t swg__visit_count(const visit_shard shards[SWG_FLEET_SHARDS_MAX], uint32_t fallback)
{
    uint32_t alive = 0, stored = 0, last = 0;

    for (uint32_t i = 0; i < SWG_FLEET_SHARDS_MAX; i++) {
        alive = shards[i].alive ? i + 1 : alive;
        last = shards[i].schema[0] ? i + 1 : last;
        stored += shards[i].schema[0] != '\0';
    }
    if (alive > 0)
        return alive;
    return stored == last && stored != 1 ? stored : last > fallback ? last : fallback;
}

bool swg__is_name(const char *name)
{
    const size_t length = strlen(name);

    for (size_t i = 0; i < length; i++) {
        if (name[i] <= ' ' || name[i] > '~')
            return false;
    }
    return length > 0 && length <= SWG_NAME_MAX;
}
