/* Sentinels: do they answer, do they agree, could they agree on a successor? */
#include "fleet/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FINE SWG_FLEET_FINE
#define NOTE SWG_FLEET_NOTE
#define WARNING SWG_FLEET_WARNING
#define PROBLEM SWG_FLEET_PROBLEM

typedef struct word {
    int answered;
    swg_fleet_address master; /* as the first one said */
} word;

static void say(doctor *d, swg_fleet_severity severity, const char *what)
{
    swg__doctor_say(d, SWG_FLEET_CHECK_SENTINEL, severity, "%s", what);
}

static bool agrees(const word *w, const swg_fleet_address *a)
{
    return strcmp(w->master.host, a->host) == 0 && strcmp(w->master.port, a->port) == 0;
}

/* "OK 3 usable Sentinels. Quorum and failover authorization can be reached" */
static void say_quorum(doctor *d, const swg_fleet_address *a, const redisReply *reply)
{
    const char *text = swg__text(reply);
    const int usable = text && strncmp(text, "OK ", 3) == 0 ? atoi(text + 3) : 0;
    char seen[DOCTOR_TEXT];

    snprintf(seen, sizeof seen, "%.100s is at %.200s:%s, %d sentinels could choose another",
             d->v.url.master, a->host, a->port, usable);
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        swg__doctor_fix(d, "bring sentinels back; redis-cli -p 26379 SENTINEL CKQUORUM %s",
                        d->v.url.master);
        snprintf(seen, sizeof seen, "no failover could be agreed on: %.300s", reply->str);
        say(d, PROBLEM, seen);
    } else if (usable > 0 && usable < 3) {
        swg__doctor_fix(d, "three sentinels on three hosts, so that one may be lost");
        say(d, WARNING, seen);
    } else if (usable > 0 && d->v.url.seeds == 1) {
        swg__doctor_fix(d, "list more of them in the URL: if this one is away, nobody is asked");
        say(d, NOTE, seen);
    } else if (usable > 0) {
        say(d, FINE, seen);
    }
}

static void take(doctor *d, word *w, const swg_fleet_address *a)
{
    char seen[DOCTOR_TEXT];

    if (w->answered++ == 0)
        w->master = *a;
    if (!agrees(w, a)) {
        swg__doctor_fix(d, "a failover is under way, or they do not see each other: look again");
        snprintf(seen, sizeof seen, "says %.120s:%s, another said %.120s:%s", a->host, a->port,
                 w->master.host, w->master.port);
        say(d, PROBLEM, seen);
        return;
    }
    redisReply *quorum = swg__talk_ask(&d->node->talk, "SENTINEL CKQUORUM %s", d->v.url.master);
    say_quorum(d, a, quorum);
    swg__free(quorum);
}

/* One that is away harms nothing while others answer. */
static int ask(doctor *d, word *w, uint32_t seed)
{
    const int64_t now = swg_clock_ns();
    const int64_t until = now + (d->v.deadline_ns - now) / (d->v.url.seeds - seed + 1);
    swg_fleet_address a = {0};

    swg__visit_greet_sentinel(&d->v, d->node, until);
    int result = swg__visit_greeted(&d->v, d->node);
    if (result == SWG_OK)
        result = swg__visit_ask_sentinel(&d->v, d->node, &a);
    if (result == SWG_OK) {
        take(d, w, &a);
        return SWG_OK;
    }
    swg__doctor_fix(d,
                    result == SWG_EACCESS  ? "the sentinels' own user and password, or certificate"
                    : result == SWG_EPROTO ? "is it a sentinel's port, and this the master's name?"
                                           : "is this sentinel running?");
    say(d, d->v.url.seeds > 1 ? WARNING : PROBLEM, d->v.why);
    return result;
}

int swg__doctor_sentinels(doctor *d)
{
    word w = {0};
    int result = SWG_ENOENT;

    for (uint32_t i = 0; i < d->v.url.seeds; i++) {
        d->node = swg__visit_add(&d->v, &d->v.url.seed[i]);
        if (!d->node)
            return SWG_ENOMEM;
        const int one = ask(d, &w, i);
        result = result == SWG_ENOENT || one == SWG_OK ? one : result;
        swg__visit_drop(&d->v);
    }
    d->node = NULL;
    if (w.answered > 0)
        return swg__visit_add(&d->v, &w.master) ? SWG_OK : SWG_ENOMEM;
    if (d->v.url.seeds > 1) {
        swg__doctor_fix(d, "is any of them running, and do they know this master?");
        say(d, PROBLEM, "none of them says where the master is");
    }
    return result == SWG_ENOENT || result == SWG_ESYS ? result : SWG_OK;
}
