/* May this user do what hosts do, and what operators do? Every command is tried, on keys of the
 * doctor's own: what the server does is the answer, whatever its version and however its rules are
 * written down. The least rights that are told elsewhere (swg__doctor_rule) are this list.
 *
 * Nothing is left: the first commands change nothing where there is no key; those that make one
 * come after we know that it can be taken away again, and it is. */
#include "fleet/doctor.h"

#include <stdio.h>
#include <string.h>

#define FINE SWG_FLEET_FINE
#define NOTE SWG_FLEET_NOTE
#define PROBLEM SWG_FLEET_PROBLEM

/* Whose work takes it. An operator's is to look (status, audit) and to give orders. */
enum { HOSTS = 1, OPERATORS = 2, BOTH = HOSTS | OPERATORS };

typedef struct attempt {
    const char *right;  /* as ACL SETUSER calls it */
    const char *format; /* %s: the doctor's shard */
    int whose;
} attempt;

static const attempt harmless[] = {
    {"evalsha", "EVALSHA 0000000000000000000000000000000000000000 1 %s:m", BOTH},
    {"publish", "PUBLISH %s:chg 0", BOTH},
    {"ping", "PING", HOSTS},
    {"info", "INFO server", BOTH},
    {"time", "TIME", BOTH},
    {"exists", "EXISTS %s:x", BOTH},
    {"hget", "HGET %s:st x", BOTH},
    {"hmget", "HMGET %s:st x", BOTH},
    {"hdel", "HDEL %s:st x", HOSTS},
    {"zcard", "ZCARD %s:r", HOSTS},
    {"zscore", "ZSCORE %s:r x", HOSTS},
    {"zrange", "ZRANGE %s:r 0 -1", HOSTS},
    {"zrangebyscore", "ZRANGEBYSCORE %s:chg 0 1", HOSTS},
    {"zrem", "ZREM %s:chg x", HOSTS},
    {"zremrangebyscore", "ZREMRANGEBYSCORE %s:chg 0 1", HOSTS},
    {"ltrim", "LTRIM %s:a 0 255", BOTH},
    {"pexpire", "PEXPIRE %s:m 60000", HOSTS},
    {"hgetall", "HGETALL %s:b:x", OPERATORS},
    {"hkeys", "HKEYS %s:st", OPERATORS},
    {"hvals", "HVALS %s:q:x", OPERATORS},
    {"zcount", "ZCOUNT %s:r 0 1", OPERATORS},
    {"lrange", "LRANGE %s:a 0 255", OPERATORS},
    {"scan", "SCAN 0 MATCH %s:x:* COUNT 1", OPERATORS},
    {"unlink", "UNLINK %s:m", BOTH},
};

static const attempt with_sentinels[] = {{"role", "ROLE", HOSTS}};
static const attempt in_a_cluster[] = {{"asking", "ASKING", HOSTS},
                                       {"cluster|slots", "CLUSTER SLOTS", BOTH}};

static const attempt writing[] = {
    {"hset", "HSET %s:st x 0", BOTH},
    {"zadd", "ZADD %s:chg 1 x", BOTH},
    {"lpush", "LPUSH %s:a x", BOTH},
    {"unlink", "UNLINK %s:st %s:chg %s:a", BOTH},
};

/* Tried in ways of their own. */
static const attempt loading = {"script|load", NULL, BOTH};
static const attempt hearing = {"subscribe", NULL, HOSTS};
static const attempt choosing = {"select", NULL, BOTH}; /* by the greeting, where it is needed */

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* ---- what is lacking ----------------------------------------------------------------------- */

typedef struct lacks {
    char hosts[DOCTOR_TEXT / 2], operators[DOCTOR_TEXT / 2];
    bool keys, channels, renamed;
} lacks;

static void lack(char rights[DOCTOR_TEXT / 2], const char *right)
{
    const size_t used = strlen(rights);

    snprintf(rights + used, DOCTOR_TEXT / 2 - used, " +%s", right);
}

/* True: it may. Other errors than these come after the rights were looked at. */
static bool judge(lacks *l, const attempt *a, const redisReply *reply)
{
    const bool unknown = swg__is_error(reply, "ERR unknown command");

    if (!unknown && !swg__is_error(reply, "NOPERM"))
        return reply != NULL;
    l->renamed = l->renamed || unknown;
    if (unknown || strstr(reply->str, "to run the")) {
        if (a->whose & HOSTS)
            lack(l->hosts, a->right);
        if (a->whose & OPERATORS)
            lack(l->operators, a->right);
    } else if (strstr(reply->str, "channel")) {
        l->channels = true;
    } else {
        l->keys = true;
    }
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

        may = judge(l, &attempts[i], reply);
        swg__free(reply);
    }
    return may;
}

static void load(doctor *d, lacks *l)
{
    redisReply *reply = swg__talk_ask(&d->node->talk, "SCRIPT LOAD %s", swg_fleet_sync_lua);

    judge(l, &loading, reply);
    swg__free(reply);
}

/* On a connection of its own, as hosts do: who subscribes can say nothing else on it. */
static void subscribe(doctor *d, lacks *l)
{
    node ear = {.to = d->node->to};

    if (swg__visit_greet(&d->v, &ear) == GREETED) {
        redisReply *reply = swg__talk_ask(&ear.talk, "SUBSCRIBE %s:chg", d->scratch);
        judge(l, &hearing, reply);
        swg__free(reply);
    }
    swg__talk_close(&ear.talk);
}

/* ---- the least rights ---------------------------------------------------------------------- */

static void list(const attempt *attempts, size_t count, int whose, char rule[DOCTOR_TEXT])
{
    for (size_t i = 0; i < count; i++) {
        const size_t used = strlen(rule);

        if (attempts[i].whose & whose)
            snprintf(rule + used, DOCTOR_TEXT - used, " +%s", attempts[i].right);
    }
}

static const char *rule_of(const doctor *d, int whose, char rule[DOCTOR_TEXT])
{
    snprintf(rule, DOCTOR_TEXT, "~swg1:{%s:* &swg1:{%s:*", d->v.space, d->v.space);
    list(harmless, COUNT(harmless), whose, rule);
    list(writing, COUNT(writing) - 1, whose, rule); /* the last is there */
    list(&loading, 1, whose, rule);
    list(&hearing, 1, whose, rule);
    list(&choosing, 1, whose, rule);
    if (d->v.url.kind == SWG_FLEET_SENTINEL)
        list(with_sentinels, COUNT(with_sentinels), whose, rule);
    if (d->v.url.kind == SWG_FLEET_CLUSTER)
        list(in_a_cluster, COUNT(in_a_cluster), whose, rule);
    return rule;
}

const char *swg__doctor_rule(const doctor *d, char rule[DOCTOR_TEXT])
{
    return rule_of(d, HOSTS, rule);
}

/* ---- the finding --------------------------------------------------------------------------- */

static void say_problem(doctor *d, const lacks *l)
{
    const bool operators = !l->operators[0] && !l->keys;

    if (l->renamed)
        swg__doctor_fix(d, "redis.conf: no rename-command for them");
    else
        swg__doctor_fix(d, "ACL SETUSER %s%s%s%s", d->user, l->keys ? " ~swg1:*" : "",
                        l->channels ? " &swg1:*" : "", l->hosts);
    swg__doctor_say(d, SWG_FLEET_CHECK_RIGHTS, PROBLEM, "%s may not do all that hosts do:%s%s%s%s",
                    d->user, l->hosts, l->keys ? " (keys swg1:*)" : "",
                    l->channels ? " (channels swg1:*)" : "",
                    operators ? "; what operators do it may" : "");
}

/* A host's user need not be an operator's: no problem, and good to know before the bad night. */
static void say_operators(doctor *d, const lacks *l)
{
    char rule[DOCTOR_TEXT];

    if (l->renamed)
        swg__doctor_fix(d, "redis.conf: no rename-command for them");
    else
        swg__doctor_fix(d, "for operators: ACL SETUSER NAME on >PASSWORD %s",
                        rule_of(d, OPERATORS, rule));
    swg__doctor_say(d, SWG_FLEET_CHECK_RIGHTS, NOTE,
                    "%s may do all that hosts do; not what operators do:%s", d->user, l->operators);
}

void swg__doctor_rights(doctor *d)
{
    lacks l = {0};

    d->may_unlink = attempt_all(d, &l, harmless, COUNT(harmless));
    if (d->may_unlink)
        attempt_all(d, &l, writing, COUNT(writing));
    if (d->v.url.kind == SWG_FLEET_SENTINEL)
        attempt_all(d, &l, with_sentinels, COUNT(with_sentinels));
    if (d->v.url.kind == SWG_FLEET_CLUSTER)
        attempt_all(d, &l, in_a_cluster, COUNT(in_a_cluster));
    load(d, &l);
    subscribe(d, &l);
    if (d->node->talk.end != TALK_GOES_ON)
        return;
    d->lacks_rights = l.hosts[0] || l.keys || l.channels;
    if (d->lacks_rights)
        say_problem(d, &l);
    else if (l.operators[0])
        say_operators(d, &l);
    else
        swg__doctor_say(d, SWG_FLEET_CHECK_RIGHTS, FINE,
                        "%s may do all that hosts and operators do", d->user);
}
