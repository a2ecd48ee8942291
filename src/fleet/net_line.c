/* A link of the client over one connection.
 *
 * Keeps: the client's link is up exactly while its connection is, and, where it has to greet, only
 * once the other end has said that it is a master. */
#include "net.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { TURNS = 16 };

static void name(const struct net_line *l, char peer[NET_PEER_MAX])
{
    swg__net_peer(peer, l->number == SWG_FLEET_EAR ? "hints from " : "", &l->link);
}

void swg__line_tell(struct net_run *r, const struct net_line *l, const char *what)
{
    char peer[NET_PEER_MAX];
    name(l, peer);
    swg__net_tell(r, peer, what);
}

void swg__line_close(struct net_run *r, struct net_line *l)
{
    if (l->up)
        swg_fleet_disconnected(r->fleet, l->number, swg_clock_ns());
    swg__ask_end(&l->greeting);
    swg__link_close(&l->link);
}

void swg__line_drop(struct net_run *r, struct net_line *l, const char *why, int64_t now)
{
    swg__link_drop(&l->link);
    swg__ask_end(&l->greeting);
    l->up = false;
    l->link.due_ns = swg_fleet_disconnected(r->fleet, l->number, now);
    swg__line_tell(r, l, why ? why : l->link.trouble);
    l->link.trouble[0] = '\0';
    l->waits = l->greets;
    if (l->number != SWG_FLEET_EAR)
        swg__scout_hurry(r, now);
}

bool swg__line_is_at(const struct net_line *l, const swg_fleet_address *a)
{
    return l->aimed && strcmp(l->link.to.host, a->host) == 0 &&
           strcmp(l->link.to.port, a->port) == 0;
}

/* A new line goes at once. One that was elsewhere goes within a second, however long it had to wait
 * before: all hosts of a fleet learn of a new place at the same time. */
void swg__line_aim(struct net_run *r, struct net_line *l, const swg_fleet_address *to, int64_t now)
{
    if (l->link.state != NET_DOWN)
        swg__line_drop(r, l, "", now);
    l->aimed = to != NULL;
    if (!to)
        return;
    swg__link_aim(&l->link, to);
    const int64_t soon = now + (int64_t)swg__client_random(r->fleet, 1000 * MS);
    l->link.due_ns = swg__client_min(l->link.due_ns, soon);
}

/* ---- coming up ----------------------------------------------------------------------------- */

static void hand_over(struct net_run *r, struct net_line *l, int64_t now)
{
    swg__ask_end(&l->greeting);
    if (swg_fleet_connected(r->fleet, l->number, now) != SWG_OK) {
        swg__line_drop(r, l, "no memory", now);
        return;
    }
    l->up = true;
    l->proven = false;
    l->since = now;
    l->readable = false;
    if (r->url.kind == SWG_FLEET_CLUSTER)
        swg__cluster_up(r, l);
}

static bool greet(struct net_run *r, struct net_line *l)
{
    return swg__ask_begin(&l->greeting) &&
           swg__ask_auth(&l->greeting, r->fleet->user, r->fleet->password) &&
           swg__ask_say(&l->greeting, (const char *const[]){"ROLE", NULL});
}

/* "master", another role, or why it is not told. */
static const char *role_of(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return reply->str;
    const bool fits = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
                      reply->element[0]->type == REDIS_REPLY_STRING;
    return fits ? reply->element[0]->str : "a reply of another shape";
}

static void greeted(struct net_run *r, struct net_line *l, int64_t now)
{
    char why[NET_TROUBLE_MAX];
    redisReply *reply = NULL;
    const int result = swg__ask_turn(&l->greeting, &l->link, &reply);
    if (result < 0) {
        swg__line_drop(r, l, NULL, now);
    } else if (result > 0 && strcmp(role_of(reply), "master") == 0) {
        hand_over(r, l, now);
    } else if (result > 0) {
        snprintf(why, sizeof why, "said to be the master, it answers to ROLE: %.200s",
                 role_of(reply));
        swg__line_drop(r, l, why, now);
    } else if (now >= l->link.due_ns) {
        swg__line_drop(r, l, "ROLE: no answer in time", now);
    }
    if (result > 0)
        freeReplyObject(reply);
}

static bool is_greeting(const struct net_line *l)
{
    return l->link.state == NET_UP && !l->up;
}

/* A failure counts as a connection that was lost at once. */
void swg__line_step(struct net_run *r, struct net_line *l, int64_t now)
{
    const bool tries = l->link.state != NET_DOWN || now >= l->link.due_ns;
    if (!l->aimed || l->waits || !tries || l->up)
        return;
    if (is_greeting(l)) {
        greeted(r, l, now);
    } else if (swg__link_step(&l->link, now)) {
        if (!l->greets)
            hand_over(r, l, now);
        else if (!greet(r, l))
            swg__line_drop(r, l, "no memory", now);
        else
            greeted(r, l, now);
    } else if (l->link.state == NET_DOWN) {
        swg__line_drop(r, l, NULL, now);
    }
}

/* ---- up ------------------------------------------------------------------------------------ */

static void prove(struct net_run *r, struct net_line *l, int64_t now)
{
    char peer[NET_PEER_MAX];
    if (l->proven || now - l->since < 1000 * MS)
        return;
    l->proven = true;
    name(l, peer);
    swg__net_forget(r, peer);
}

void swg__line_input(struct net_run *r, struct net_line *l, int64_t now)
{
    for (int i = 0; i < TURNS && l->up && l->readable; i++) {
        const ssize_t count = swg__link_read(&l->link, r->bytes, NET_BYTES);
        if (count == 0)
            break;
        if (count < 0)
            swg__line_drop(r, l, NULL, now);
        else if (swg__client_link(r->fleet, l->number)->gave_up)
            break; /* which is an event, and says why */
        else if (swg_fleet_feed(r->fleet, l->number, r->bytes, (size_t)count, now) != SWG_OK)
            swg__line_drop(r, l, "read: what it says makes no sense", now);
        else
            prove(r, l, now);
    }
    l->readable = false;
}

void swg__line_output(struct net_run *r, struct net_line *l, int64_t now)
{
    const char *out;
    size_t count;
    for (int i = 0; i < TURNS && l->up; i++) {
        swg_fleet_output(r->fleet, l->number, &out, &count);
        if (count == 0)
            return;
        const ssize_t sent = swg__link_write(&l->link, out, count);
        if (sent < 0)
            swg__line_drop(r, l, NULL, now);
        if (sent <= 0)
            return;
        swg_fleet_sent(r->fleet, l->number, (size_t)sent);
    }
}

short swg__line_wants(const struct net_run *r, const struct net_line *l)
{
    const char *out;
    size_t count = l->greeting.used - l->greeting.sent;
    if (l->up)
        swg_fleet_output(r->fleet, l->number, &out, &count);
    return swg__link_wants(&l->link, count > 0);
}

int64_t swg__line_due(const struct net_line *l, int64_t now)
{
    if (!l->aimed || l->waits || l->up)
        return NEVER;
    return is_greeting(l) ? l->link.due_ns : swg__link_due(&l->link, now);
}
