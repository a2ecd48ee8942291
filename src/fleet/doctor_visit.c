/* Coming to a fleet's Redis, and leaving it. */
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

static void take_address(visit *v)
{
    const swg_fleet_url *u = &v->url;

    if (u->path[0])
        snprintf(v->address, sizeof v->address, "%s", u->path);
    else
        snprintf(v->address, sizeof v->address, strchr(u->host, ':') ? "[%s]:%s" : "%s:%s", u->host,
                 u->port);
}

static int settle(visit *v)
{
    swg_fleet_redis *c = &v->config;
    const char *reason;

    if (!c->url)
        return bad(v, "url", "is missing");
    if (swg_fleet_url_parse(&v->url, c->url, &reason) != SWG_OK)
        return bad(v, "the URL", reason);
    take_address(v);
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
    return v->user && !v->password ? bad(v, "user", "is there without a password") : SWG_OK;
}

int swg__visit_begin(visit *v, const swg_fleet_redis *config)
{
    memset(v, 0, sizeof *v);
    v->talk.link.fd = -1;
    const int result = copy(&v->config, config);

    if (result != SWG_OK)
        return result;
    v->deadline_ns = INT64_MAX;
    const int settled = settle(v);
    if (settled == SWG_OK)
        v->deadline_ns = swg_clock_ns() + v->config.deadline_ms * MS;
    return settled;
}

/* ---- greeting ------------------------------------------------------------------------------ */

static void why(visit *v, const char *what, const char *words)
{
    snprintf(v->why, sizeof v->why, "%.100s: %.400s", what,
             words ? words : "a reply of another shape");
}

static visit_greeting no_talk(visit *v)
{
    why(v, v->address, v->talk.why);
    return GREET_NO_TALK;
}

static redisReply *authenticate(visit *v)
{
    return v->user ? swg__talk_ask(&v->talk, "AUTH %s %s", v->user, v->password)
                   : swg__talk_ask(&v->talk, "AUTH %s", v->password);
}

/* Who is greeted by the default user after all, though his own password was refused, is not let in:
 * clients would work with other rights than was meant. */
static visit_greeting introduce(visit *v)
{
    visit_greeting greeting = GREETED;

    if (!v->password)
        return GREETED;
    redisReply *reply = authenticate(v);
    v->needless = swg__is_error(reply, "ERR AUTH") || swg__is_error(reply, "ERR Client sent AUTH");
    if (!reply)
        greeting = no_talk(v);
    else if (reply->type == REDIS_REPLY_ERROR && !v->needless)
        greeting = swg__is_error(reply, "WRONGPASS") || swg__is_error(reply, "NOPERM")
                       ? GREET_AUTH
                       : GREET_NOT_NOW;
    if (reply && greeting != GREETED)
        why(v, v->address, reply->str);
    swg__free(reply);
    return greeting;
}

static visit_greeting select_database(visit *v)
{
    visit_greeting greeting = GREETED;

    if (v->url.database == 0)
        return GREETED;
    redisReply *reply = swg__talk_ask(&v->talk, "SELECT %u", v->url.database);
    if (!reply)
        greeting = no_talk(v);
    else if (reply->type == REDIS_REPLY_ERROR)
        greeting = swg__is_error(reply, "NOAUTH") ? GREET_AUTH : GREET_NOT_NOW;
    if (reply && greeting != GREETED)
        why(v, v->address, reply->str);
    swg__free(reply);
    return greeting;
}

/* A server that may not write says so even to a PING; what it holds can be read all the same. */
static visit_greeting ping(visit *v)
{
    visit_greeting greeting = GREETED;
    redisReply *reply = swg__talk_ask(&v->talk, "PING");

    if (!reply)
        return no_talk(v);
    if (swg__is_error(reply, "NOAUTH"))
        greeting = GREET_AUTH;
    else if (reply->type == REDIS_REPLY_ERROR && !swg__is_error(reply, "NOPERM") &&
             !swg__is_error(reply, "MISCONF"))
        greeting = GREET_NOT_NOW;
    if (greeting != GREETED)
        why(v, v->address, reply->str);
    swg__free(reply);
    return greeting;
}

visit_greeting swg__visit_greet(visit *v)
{
    const uint32_t most = 60000;
    const swg_fleet_run_config run = {
        .connect_ms = v->config.deadline_ms < most ? v->config.deadline_ms : most,
        .ca_file = v->config.ca_file,
        .cert_file = v->config.cert_file,
        .key_file = v->config.key_file};

    if (!swg__talk_open(&v->talk, &v->url, &run, v->deadline_ns))
        return no_talk(v);
    visit_greeting greeting = introduce(v);
    if (greeting == GREETED)
        greeting = select_database(v);
    return greeting == GREETED ? ping(v) : greeting;
}

/* ---- errors -------------------------------------------------------------------------------- */

int swg__visit_ended(visit *v)
{
    static const int results[] = {
        [TALK_GOES_ON] = SWG_EPROTO,  [TALK_NOBODY] = SWG_ENOENT, [TALK_REFUSED] = SWG_EACCESS,
        [TALK_LATE] = SWG_ESYS,       [TALK_LOST] = SWG_ESYS,     [TALK_NONSENSE] = SWG_EPROTO,
        [TALK_NO_MEMORY] = SWG_ENOMEM};

    why(v, v->address, v->talk.why);
    return results[v->talk.end];
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
    if (!reply)
        return swg__visit_ended(v);
    why(v, what, reply->type == REDIS_REPLY_ERROR ? reply->str : NULL);
    return is_forbidden(reply) ? SWG_EACCESS : SWG_EPROTO;
}

/* What hangs up at the first word, or answers it with another protocol's, is nobody to talk to. */
static int greeting_result(visit *v, visit_greeting greeting)
{
    if (greeting == GREET_AUTH)
        return SWG_EACCESS;
    if (greeting == GREET_NOT_NOW)
        return SWG_EPROTO;
    return v->talk.end == TALK_LOST || v->talk.end == TALK_NONSENSE ? SWG_ENOENT
                                                                    : swg__visit_ended(v);
}

int swg__visit_open(visit *v, const swg_fleet_redis *config)
{
    visit_shard shards[SWG_FLEET_SHARDS_MAX];
    const int result = swg__visit_begin(v, config);

    if (result != SWG_OK)
        return result;
    const visit_greeting greeting = swg__visit_greet(v);
    if (greeting != GREETED)
        return greeting_result(v, greeting);
    v->shards = v->config.shards;
    if (v->shards > 0)
        return SWG_OK;
    if (!swg__visit_look(v, shards))
        return swg__visit_ended(v);
    v->shards = swg__visit_count(shards, SHARDS);
    v->shards = v->shards > 0 ? v->shards : SHARDS;
    return SWG_OK;
}

int swg__visit_close(visit *v, int result)
{
    swg__talk_close(&v->talk);
    if (v->config.trouble)
        snprintf(v->config.trouble, SWG_FLEET_TROUBLE_MAX, "%s", result == SWG_OK ? "" : v->why);
    return result;
}

/* ---- shards -------------------------------------------------------------------------------- */

void swg__visit_tag(const visit *v, uint32_t shard, char tag[VISIT_TAG])
{
    snprintf(tag, VISIT_TAG, "swg1:{%s:%u}", v->space, shard);
}

uint32_t swg__visit_shard_of(const visit *v, const char *circuit)
{
    return swg__client_crc16(circuit, strlen(circuit)) % v->shards;
}

bool swg__visit_look(visit *v, visit_shard shards[SWG_FLEET_SHARDS_MAX])
{
    char tag[VISIT_TAG];

    for (uint32_t i = 0; i < SWG_FLEET_SHARDS_MAX; i++) {
        swg__visit_tag(v, i, tag);
        swg__talk_say(&v->talk, "HGET %s:m v", tag);
        swg__talk_say(&v->talk, "EXISTS %s:r", tag);
    }
    for (uint32_t i = 0; i < SWG_FLEET_SHARDS_MAX; i++) {
        redisReply *schema = swg__talk_hear(&v->talk), *alive = swg__talk_hear(&v->talk);
        const char *text = swg__text(schema);

        snprintf(shards[i].schema, sizeof shards[i].schema, "%s", text ? text : "");
        shards[i].alive = alive && alive->type == REDIS_REPLY_INTEGER && alive->integer == 1;
        swg__free(schema);
        swg__free(alive);
    }
    return v->talk.end == TALK_GOES_ON;
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
