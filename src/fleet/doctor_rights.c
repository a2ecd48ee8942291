/* May this user do what hosts do? Every command is tried, on keys of the doctor's own: what the
 * server does is the answer, whatever its version and however its rules are written down.
 *
 * Nothing is left: the first commands change nothing where there is no key; those that make one
 * come after we know that it can be taken away again, and it is. */
#include "fleet/doctor.h"

#include <stdio.h>
#include <string.h>

#define FINE SWG_FLEET_FINE
#define PROBLEM SWG_FLEET_PROBLEM

typedef struct attempt {
    const char *right;  /* as ACL SETUSER calls it */
    const char *format; /* %s: the doctor's shard */
} attempt;

static const attempt harmless[] = {
    {"evalsha", "EVALSHA 0000000000000000000000000000000000000000 1 %s:m"},
    {"publish", "PUBLISH %s:chg 0"},
    {"ping", "PING"},
    {"info", "INFO server"},
    {"time", "TIME"},
    {"exists", "EXISTS %s:x"},
    {"hget", "HGET %s:st x"},
    {"hmget", "HMGET %s:st x"},
    {"hdel", "HDEL %s:st x"},
    {"zcard", "ZCARD %s:r"},
    {"zscore", "ZSCORE %s:r x"},
    {"zrange", "ZRANGE %s:r 0 -1"},
    {"zrangebyscore", "ZRANGEBYSCORE %s:chg 0 1"},
    {"zrem", "ZREM %s:chg x"},
    {"zremrangebyscore", "ZREMRANGEBYSCORE %s:chg 0 1"},
    {"ltrim", "LTRIM %s:a 0 255"},
    {"pexpire", "PEXPIRE %s:m 60000"},
    {"unlink", "UNLINK %s:m"},
};

static const attempt with_sentinels[] = {{"role", "ROLE"}};
static const attempt in_a_cluster[] = {{"asking", "ASKING"}, {"cluster|slots", "CLUSTER SLOTS"}};

static const attempt writing[] = {
    {"hset", "HSET %s:st x 0"},
    {"zadd", "ZADD %s:chg 1 x"},
    {"lpush", "LPUSH %s:a x"},
    {"unlink", "UNLINK %s:st %s:chg %s:a"},
};

typedef struct lacks {
    char commands[DOCTOR_TEXT / 2];
    bool keys, channels, renamed;
} lacks;

static void lack(lacks *l, const char *right)
{
    const size_t used = strlen(l->commands);

    snprintf(l->commands + used, sizeof l->commands - used, " +%s", right);
}

/* True: it may. Other errors than these come after the rights were looked at. */
static bool judge(lacks *l, const char *right, const redisReply *reply)
{
    const bool unknown = swg__is_error(reply, "ERR unknown command");

    if (!unknown && !swg__is_error(reply, "NOPERM"))
        return reply != NULL;
    l->renamed = l->renamed || unknown;
    if (unknown || strstr(reply->str, "to run the"))
        lack(l, right);
    else if (strstr(reply->str, "channel"))
        l->channels = true;
    else
        l->keys = true;
    return false;
}

/* All at once; true: the last of them may be done. */
static bool attempt_all(doctor *d, lacks *l, const attempt *attempts, size_t count)
{
    bool may = false;

    for (size_t i = 0; i < count; i++)
        swg__talk_say(&d->node->talk, attempts[i].format, d->scratch, d->scratch, d->scratch);
    for (size_t i = 0; i < count; i++) {
        redisReply *reply = swg__talk_hear(&d->node->talk);

        may = judge(l, attempts[i].right, reply);
        swg__free(reply);
    }
    return may;
}

static void load(doctor *d, lacks *l)
{
    redisReply *reply = swg__talk_ask(&d->node->talk, "SCRIPT LOAD %s", swg_fleet_sync_lua);

    judge(l, "script|load", reply);
    swg__free(reply);
}

/* On a connection of its own, as hosts do: who subscribes can say nothing else on it. */
static void subscribe(doctor *d, lacks *l)
{
    node ear = {.to = d->node->to};

    if (swg__visit_greet(&d->v, &ear) == GREETED) {
        redisReply *reply = swg__talk_ask(&ear.talk, "SUBSCRIBE %s:chg", d->scratch);
        judge(l, "subscribe", reply);
        swg__free(reply);
    }
    swg__talk_close(&ear.talk);
}

void swg__doctor_rights(doctor *d)
{
    lacks l = {0};

    d->may_unlink = attempt_all(d, &l, harmless, sizeof harmless / sizeof *harmless);
    if (d->may_unlink)
        attempt_all(d, &l, writing, sizeof writing / sizeof *writing);
    if (d->v.url.kind == SWG_FLEET_SENTINEL)
        attempt_all(d, &l, with_sentinels, sizeof with_sentinels / sizeof *with_sentinels);
    if (d->v.url.kind == SWG_FLEET_CLUSTER)
        attempt_all(d, &l, in_a_cluster, sizeof in_a_cluster / sizeof *in_a_cluster);
    load(d, &l);
    subscribe(d, &l);
    if (d->node->talk.end != TALK_GOES_ON)
        return;
    if (!l.commands[0] && !l.keys && !l.channels) {
        swg__doctor_say(d, SWG_FLEET_CHECK_RIGHTS, FINE, "%s may do all that hosts do", d->user);
        return;
    }
    d->lacks_rights = true;
    if (l.renamed)
        swg__doctor_fix(d, "redis.conf: no rename-command for them");
    else
        swg__doctor_fix(d, "ACL SETUSER %s%s%s%s", d->user, l.keys ? " ~swg1:*" : "",
                        l.channels ? " &swg1:*" : "", l.commands);
    swg__doctor_say(d, SWG_FLEET_CHECK_RIGHTS, PROBLEM, "%s may not do all that hosts do:%s%s%s",
                    d->user, l.commands, l.keys ? " (keys swg1:*)" : "",
                    l.channels ? " (channels swg1:*)" : "");
}
