/* Troubles, told once: a peer's is forgotten when the peer works again.
 *
 * Keeps: what is told twice in a row about the same peer is told once, whatever others say in
 * between, for as many as there is room for. */
#include "net.h"

#include <stdio.h>
#include <string.h>

static uint64_t hash(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return h | 1; /* 0: none */
}

void swg__net_peer(char peer[NET_PEER_MAX], const char *role, const net_link *link)
{
    const char *host = link->to.host;
    if (link->path[0])
        snprintf(peer, NET_PEER_MAX, "%s%s", role, link->path);
    else
        snprintf(peer, NET_PEER_MAX, strchr(host, ':') ? "%s[%s]:%s" : "%s%s:%s", role, host,
                 link->to.port);
}

void swg__net_tell(struct net_run *r, const char *peer, const char *what)
{
    char text[NET_PEER_MAX + NET_TROUBLE_MAX + 4];
    const uint64_t who = hash(peer), words = hash(what);
    if (what[0] == '\0')
        return;
    for (unsigned i = 0; i < NET_TOLD_MAX; i++) {
        if (r->told.row[i].peer == who && r->told.row[i].text == words)
            return;
    }
    r->told.row[r->told.next].peer = who;
    r->told.row[r->told.next].text = words;
    r->told.next = (r->told.next + 1) % NET_TOLD_MAX;
    snprintf(text, sizeof text, "%s: %s", peer, what);
    if (r->config.trouble)
        r->config.trouble(r->config.arg, text);
}

void swg__net_forget(struct net_run *r, const char *peer)
{
    const uint64_t who = hash(peer);
    for (unsigned i = 0; i < NET_TOLD_MAX; i++) {
        if (r->told.row[i].peer == who)
            r->told.row[i].text = 0;
    }
}
