/* What a sentinel says of the master, and what line 0 does about it.
 *
 * Keeps: a master is connected to only where a sentinel said it is since the last connection was
 * lost, or, if no sentinel can be asked, where it was last. */
#include "net.h"
#include "net_place.h"

#include <stdio.h>
#include <string.h>

#define POLL_NS (1000 * MS)

static void refuse(struct net_run *r, const redisReply *reply, int64_t now)
{
    char why[NET_TROUBLE_MAX];
    if (reply->type == REDIS_REPLY_NIL)
        snprintf(why, sizeof why, "knows no master named '%s'", r->url.master);
    else
        snprintf(why, sizeof why, "asked for master '%s': %.200s", r->url.master,
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "a reply of another shape");
    swg__scout_failed(r, why, now);
}

bool swg__sentinel_says(struct net_run *r, const redisReply *reply, int64_t now)
{
    struct net_line *l = &r->lines[0];
    swg_fleet_address a = {0};
    if (!swg__place_of_master(&a, reply)) {
        refuse(r, reply, now);
        return false;
    }
    if (!swg__line_is_at(l, &a)) {
        swg__ear_leave(r, &l->link.to, now);
        swg__line_aim(r, l, &a, now);
    }
    l->waits = false;
    const int64_t next = POLL_NS / 2 + (int64_t)swg__client_random(r->fleet, POLL_NS);
    r->scout.ask_ns = swg__client_min(r->scout.ask_ns, now + next);
    return true;
}

void swg__sentinel_lost(struct net_run *r)
{
    r->lines[0].waits = false;
}
