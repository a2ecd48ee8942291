/* Where the link that listens goes: to the one Redis there is, to the master the sentinels name, or
 * to any node of a cluster, for what is published at one is told at all.
 *
 * Keeps: nothing depends on it; it goes only where a line of exchanges is up. */
#include "net.h"

#include <string.h>

static const struct net_line *host_of(struct net_run *r)
{
    for (uint32_t i = 0; i < r->links; i++) {
        const struct net_line *l = &r->lines[(r->turn + i) % r->links];
        if (!l->up)
            continue;
        r->turn = (uint32_t)(l - r->lines) + 1; /* another one next time */
        return l;
    }
    return NULL;
}

void swg__ear_step(struct net_run *r, int64_t now)
{
    struct net_line *ear = &r->lines[r->links];
    if (r->config.no_hints)
        return;
    if (ear->link.state == NET_DOWN && now >= ear->link.due_ns) {
        const struct net_line *host = host_of(r);
        ear->aimed = host != NULL;
        if (host)
            swg__link_aim(&ear->link, &host->link.to);
    }
    swg__line_step(r, ear, now);
}

void swg__ear_leave(struct net_run *r, const swg_fleet_address *place, int64_t now)
{
    struct net_line *ear = &r->lines[r->links];
    if (swg__line_is_at(ear, place))
        swg__line_aim(r, ear, NULL, now);
}
