/* Coming to one server: connection, user, database, PONG. */
#include "fleet/doctor_visit.h"
#include "fleet/client.h"

#include <stdio.h>
#include <string.h>

static visit_greeting no_talk(visit *v, node *n)
{
    swg__visit_why(v, n->address, n->talk.why);
    return GREET_NO_TALK;
}

static visit_greeting connect_to(visit *v, node *n, int64_t deadline_ns)
{
    const int64_t left = (deadline_ns - swg_clock_ns()) / MS;
    const swg_fleet_run_config run = {.connect_ms = left < 10      ? 10
                                                    : left > 60000 ? 60000
                                                                   : (uint32_t)left,
                                      .ca_file = v->config.ca_file,
                                      .cert_file = v->config.cert_file,
                                      .key_file = v->config.key_file};
    swg_fleet_url url = v->url;

    memcpy(url.host, n->to.host, sizeof url.host);
    memcpy(url.port, n->to.port, sizeof url.port);
    return swg__talk_open(&n->talk, &url, &run, deadline_ns) ? GREETED : no_talk(v, n);
}

static redisReply *authenticate(talk *t, const char *user, const char *password)
{
    return user ? swg__talk_ask(t, "AUTH %s %s", user, password)
                : swg__talk_ask(t, "AUTH %s", password);
}

/* Who is greeted by the default user after all, though his own password was refused, is not let in:
 * clients would work with other rights than was meant. */
static visit_greeting introduce(visit *v, node *n, const char *user, const char *password)
{
    visit_greeting greeting = GREETED;

    if (!password)
        return GREETED;
    redisReply *reply = authenticate(&n->talk, user, password);
    n->needless = swg__needs_no_password(reply);
    if (!reply)
        greeting = no_talk(v, n);
    else if (reply->type == REDIS_REPLY_ERROR && !n->needless)
        greeting = swg__is_error(reply, "WRONGPASS") || swg__is_error(reply, "NOPERM")
                       ? GREET_AUTH
                       : GREET_NOT_NOW;
    if (reply && greeting != GREETED)
        swg__visit_why(v, n->address, reply->str);
    swg__free(reply);
    return greeting;
}

static visit_greeting select_database(visit *v, node *n)
{
    visit_greeting greeting = GREETED;

    if (v->url.database == 0)
        return GREETED;
    redisReply *reply = swg__talk_ask(&n->talk, "SELECT %u", v->url.database);
    if (!reply)
        greeting = no_talk(v, n);
    else if (reply->type == REDIS_REPLY_ERROR)
        greeting = swg__is_error(reply, "NOAUTH") ? GREET_AUTH : GREET_NOT_NOW;
    if (reply && greeting != GREETED)
        swg__visit_why(v, n->address, reply->str);
    swg__free(reply);
    return greeting;
}

/* A server that may not write says so even to a PING; what it holds can be read all the same. */
static visit_greeting ping(visit *v, node *n)
{
    visit_greeting greeting = GREETED;
    redisReply *reply = swg__talk_ask(&n->talk, "PING");

    if (!reply)
        return no_talk(v, n);
    if (swg__is_error(reply, "NOAUTH"))
        greeting = GREET_AUTH;
    else if (reply->type == REDIS_REPLY_ERROR && !swg__is_error(reply, "NOPERM") &&
             !swg__is_error(reply, "MISCONF"))
        greeting = GREET_NOT_NOW;
    if (greeting != GREETED)
        swg__visit_why(v, n->address, reply->str);
    swg__free(reply);
    return greeting;
}

visit_greeting swg__visit_greet(visit *v, node *n)
{
    n->greeting = connect_to(v, n, v->deadline_ns);
    if (n->greeting == GREETED)
        n->greeting = introduce(v, n, v->user, v->password);
    if (n->greeting == GREETED)
        n->greeting = select_database(v, n);
    if (n->greeting == GREETED)
        n->greeting = ping(v, n);
    return n->greeting;
}

visit_greeting swg__visit_greet_sentinel(visit *v, node *n, int64_t deadline_ns)
{
    n->greeting = connect_to(v, n, deadline_ns);
    if (n->greeting == GREETED)
        n->greeting = introduce(v, n, v->config.sentinel_user, v->config.sentinel_password);
    if (n->greeting == GREETED)
        n->greeting = ping(v, n);
    return n->greeting;
}

/* What hangs up at the first word, or answers it with another protocol's, is nobody to talk to. */
int swg__visit_greeted(visit *v, const node *n)
{
    if (n->greeting == GREETED)
        return SWG_OK;
    if (n->greeting == GREET_AUTH)
        return SWG_EACCESS;
    if (n->greeting == GREET_NOT_NOW)
        return SWG_EPROTO;
    return n->talk.end == TALK_LOST || n->talk.end == TALK_NONSENSE ? SWG_ENOENT
                                                                    : swg__visit_end_of(v, n);
}
