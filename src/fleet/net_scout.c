/* Sentinels, or nodes of a cluster, asked in turn for where to go.
 *
 * Keeps: one connection, one question on it at a time, each with a deadline; whoever does not
 * answer is left for the next; after a round in which nobody did there is a wait that doubles. */
#include "net.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define PAUSE_NS (200 * MS) /* between two questions, at the least */
#define ROUND_NS (100 * MS)
#define ROUND_MAX_NS (5000 * MS)

static bool is_cluster(const struct net_run *r)
{
    return r->url.kind == SWG_FLEET_CLUSTER;
}

/* The seeds, and in a cluster the nodes learned of since. NULL: nobody there. */
static const swg_fleet_address *place(const struct net_run *r, uint32_t i)
{
    if (i < r->url.seeds)
        return &r->url.seed[i];
    const struct net_line *l = &r->lines[i - r->url.seeds];
    return l->aimed ? &l->link.to : NULL;
}

static uint32_t places(const struct net_run *r)
{
    return r->url.seeds + (is_cluster(r) ? r->links : 0);
}

static void name(const struct net_run *r, char peer[NET_PEER_MAX])
{
    swg__net_peer(peer, is_cluster(r) ? "slots from " : "sentinel ", &r->scout.link);
}

static void leave(struct net_scout *s)
{
    swg__link_drop(&s->link);
    swg__ask_end(&s->ask);
    s->asked = false;
}

/* While nobody answers, the wait between two rounds is not cut short. */
void swg__scout_hurry(struct net_run *r, int64_t now)
{
    struct net_scout *s = &r->scout;
    if (s->rounds == 0)
        s->ask_ns = swg__client_min(s->ask_ns, swg__client_max(now, s->last_ns + PAUSE_NS));
}

void swg__scout_ask_line(struct net_run *r, uint32_t line, int64_t now)
{
    struct net_scout *s = &r->scout;
    const uint32_t to = r->url.seeds + line;
    if (s->place != to && !s->asked) {
        leave(s);
        s->place = to;
    }
    swg__scout_hurry(r, now);
}

static void next_place(struct net_run *r)
{
    struct net_scout *s = &r->scout;
    for (uint32_t i = 1; i <= places(r); i++) {
        const uint32_t at = (s->place + i) % places(r);
        if (!place(r, at))
            continue;
        s->place = at;
        return;
    }
}

static uint32_t inhabited(const struct net_run *r)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < places(r); i++)
        count += place(r, i) != NULL;
    return count;
}

void swg__scout_failed(struct net_run *r, const char *why, int64_t now)
{
    struct net_scout *s = &r->scout;
    char peer[NET_PEER_MAX];
    name(r, peer);
    swg__net_tell(r, peer, why ? why : s->link.trouble);
    leave(s);
    next_place(r);
    s->ask_ns = now;
    if (++s->failures < inhabited(r))
        return;
    s->failures = 0;
    s->rounds += s->rounds < 6;
    const int64_t wait = swg__client_min(ROUND_NS << s->rounds, ROUND_MAX_NS);
    s->ask_ns = now + wait / 2 + (int64_t)swg__client_random(r->fleet, (uint64_t)wait / 2);
    if (!is_cluster(r))
        swg__sentinel_lost(r);
}

/* ---- asking -------------------------------------------------------------------------------- */

static bool say(struct net_run *r)
{
    struct net_scout *s = &r->scout;
    if (is_cluster(r))
        return swg__ask_say(&s->ask, (const char *const[]){"CLUSTER", "SLOTS", NULL});
    return swg__ask_say(
        &s->ask, (const char *const[]){"SENTINEL", "get-master-addr-by-name", r->url.master, NULL});
}

static bool greet(struct net_run *r)
{
    struct net_scout *s = &r->scout;
    const bool nodes = is_cluster(r);
    return swg__ask_begin(&s->ask) &&
           swg__ask_auth(&s->ask, nodes ? r->fleet->user : r->config.sentinel_user,
                         nodes ? r->fleet->password : r->config.sentinel_password);
}

static void put_question(struct net_run *r, int64_t now)
{
    struct net_scout *s = &r->scout;
    s->asked = true;
    s->last_ns = now;
    s->due_ns = now + s->link.connect_ns;
    s->ask_ns = NEVER;
    if (!say(r))
        swg__scout_failed(r, "no memory", now);
}

static void answered(struct net_run *r, const redisReply *reply, int64_t now)
{
    struct net_scout *s = &r->scout;
    s->asked = false;
    if (is_cluster(r) ? swg__cluster_says(r, reply, now) : swg__sentinel_says(r, reply, now)) {
        char peer[NET_PEER_MAX];
        name(r, peer);
        swg__net_forget(r, peer);
        s->failures = s->rounds = 0;
    }
}

static void talk(struct net_run *r, int64_t now)
{
    struct net_scout *s = &r->scout;
    redisReply *reply = NULL;
    const int result = swg__ask_turn(&s->ask, &s->link, &reply);
    if (result > 0 && s->asked)
        answered(r, reply, now);
    else if (result > 0)
        swg__scout_failed(r, "read: it answers what nobody asked", now);
    else if (result < 0)
        swg__scout_failed(r, NULL, now);
    else if (s->asked && now >= s->due_ns)
        swg__scout_failed(r, "no answer in time", now);
    if (result > 0)
        freeReplyObject(reply);
}

static void connect_step(struct net_run *r, int64_t now)
{
    struct net_scout *s = &r->scout;
    if (s->link.state == NET_DOWN) {
        if (!place(r, s->place))
            next_place(r);
        swg__link_aim(&s->link, place(r, s->place));
    }
    if (swg__link_step(&s->link, now)) {
        if (!greet(r))
            swg__scout_failed(r, "no memory", now);
    } else if (s->link.state == NET_DOWN) {
        swg__scout_failed(r, NULL, now);
    }
}

void swg__scout_step(struct net_run *r, int64_t now)
{
    struct net_scout *s = &r->scout;
    if (!s->runs)
        return;
    if (s->link.state != NET_UP && (s->link.state != NET_DOWN || now >= s->ask_ns))
        connect_step(r, now);
    if (s->link.state == NET_UP && !s->asked && now >= s->ask_ns)
        put_question(r, now);
    if (s->link.state == NET_UP)
        talk(r, now);
}

short swg__scout_wants(const struct net_scout *s)
{
    return swg__link_wants(&s->link, s->ask.sent < s->ask.used);
}

int64_t swg__scout_due(const struct net_scout *s, int64_t now)
{
    if (!s->runs)
        return NEVER;
    if (s->link.state == NET_UP)
        return s->asked ? s->due_ns : s->ask_ns;
    return s->link.state == NET_DOWN ? s->ask_ns : swg__link_due(&s->link, now);
}

void swg__scout_close(struct net_run *r)
{
    leave(&r->scout);
    swg__link_close(&r->scout.link);
}
