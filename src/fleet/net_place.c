/* Where servers say that servers are: sentinels of their master, nodes of one another. */
#include "net_place.h"

#include <stdio.h>
#include <string.h>

static bool copy(char *to, size_t room, const char *from)
{
    return from && from[0] && snprintf(to, room, "%s", from) < (int)room;
}

bool swg__place_of_master(swg_fleet_address *a, const redisReply *reply)
{
    return swg__length(reply) == 2 && copy(a->host, sizeof a->host, swg__text(swg__at(reply, 0))) &&
           copy(a->port, sizeof a->port, swg__text(swg__at(reply, 1)));
}

/* A node that is to be called by its name and has none says so with a "?", and its address behind
 * the rest, among words in pairs. */
static const char *host_of(const redisReply *node)
{
    const char *host = swg__text(swg__at(node, 0));
    const redisReply *more = swg__at(node, 3);

    if (!host || strcmp(host, "?") != 0)
        return host;
    for (size_t i = 0; i + 1 < swg__length(more); i += 2) {
        const char *word = swg__text(swg__at(more, i));

        if (word && strcmp(word, "ip") == 0)
            return swg__text(swg__at(more, i + 1));
    }
    return NULL;
}

bool swg__place_of_node(swg_fleet_address *a, const redisReply *node, const char *asked)
{
    const char *host = host_of(node);
    int64_t port;

    if (!swg__whole(swg__at(node, 1), &port) || port < 1 || port > 65535)
        return false;
    snprintf(a->port, sizeof a->port, "%d", (int)port);
    return copy(a->host, sizeof a->host, host && host[0] ? host : asked);
}
