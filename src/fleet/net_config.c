/* What a run is told to do: checked, and brought together with what the client was told.
 *
 * Keeps: nothing that was said is dropped in silence; a mistake is named. */
#include "net.h"

#include <stdio.h>
#include <string.h>

static bool is_time(uint32_t ms)
{
    return ms == 0 || (ms >= 10 && ms <= 60000);
}

static const char *mistake(const swg_fleet_run_config *c)
{
    if (!c->url)
        return "url is missing";
    if (!is_time(c->connect_ms))
        return "connect_ms is not 10 to 60000";
    if (!is_time(c->look_ms))
        return "look_ms is not 10 to 60000";
    if (c->no_hints > 1)
        return "no_hints is neither 0 nor 1";
    if (c->sentinel_user && !c->sentinel_password)
        return "sentinel_user is there without sentinel_password";
    return NULL;
}

static bool is_other(const char *url, const char *config)
{
    return url[0] && config && strcmp(url, config) != 0;
}

static const char *contradiction(const swg_fleet_url *u, const swg_fleet *f)
{
    if (is_other(u->user, f->user))
        return "the URL has another user than swg_fleet_config.user";
    if (is_other(u->password, f->password))
        return "the URL has another password than swg_fleet_config.password";
    if (u->database && f->config.database && u->database != f->config.database)
        return "the URL has another database than swg_fleet_config.database";
    if (f->user && !f->password && !u->password[0])
        return "swg_fleet_config.user needs a password, there or in the URL";
    if (u->kind == SWG_FLEET_CLUSTER && f->config.database)
        return "a Redis Cluster has only database 0: see swg_fleet_config.database";
    return NULL;
}

/* Until the run ends. A user of the URL without a password has an empty one. */
static void lend(struct net_run *r)
{
    swg_fleet *f = r->fleet;
    r->lent_user = !f->user && r->url.user[0];
    r->lent_password = !f->password && (r->url.user[0] || r->url.password[0]);
    r->lent_database = f->config.database == 0;
    if (r->lent_user)
        f->user = r->url.user;
    if (r->lent_password)
        f->password = r->url.password;
    if (r->lent_database)
        f->config.database = r->url.database;
}

void swg__net_give_back(struct net_run *r)
{
    swg_fleet *f = r->fleet;
    if (r->lent_user)
        f->user = NULL;
    if (r->lent_password)
        f->password = NULL;
    if (r->lent_database)
        f->config.database = 0;
}

void swg__net_tell_opening(struct net_run *r, const char *what)
{
    if (what[0] && r->config.trouble)
        r->config.trouble(r->config.arg, what);
}

static int refuse(struct net_run *r, const char *what, const char *why)
{
    char text[NET_TROUBLE_MAX];
    snprintf(text, sizeof text, "%s%s", what, why);
    swg__net_tell_opening(r, text);
    return SWG_EINVAL;
}

int swg__net_take(struct net_run *r, const swg_fleet_run_config *config)
{
    const char *why;
    if (config->size < sizeof config->size)
        return SWG_EINVAL;
    for (size_t i = sizeof r->config; i < config->size; i++) {
        if (((const unsigned char *)config)[i] != 0)
            return SWG_ENEWER;
    }
    memcpy(&r->config, config, config->size < sizeof r->config ? config->size : sizeof r->config);
    if ((why = mistake(&r->config)))
        return refuse(r, "", why);
    if (swg_fleet_url_parse(&r->url, r->config.url, &why) != SWG_OK)
        return refuse(r, "the URL ", why);
    if ((why = contradiction(&r->url, r->fleet)))
        return refuse(r, "", why);
    lend(r);
    return SWG_OK;
}
