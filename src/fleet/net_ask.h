/* Questions of the transport's own over a connection: words out, one reply for each in. */
#ifndef SWG_FLEET_NET_ASK_H
#define SWG_FLEET_NET_ASK_H

#include "net_link.h"
#include "reader.h"

typedef struct net_ask {
    swg_reader reader;
    char *out;
    size_t used, sent;
    bool auth; /* its answer comes first */
} net_ask;

/* A new connection: nothing said, nothing heard. False: no memory. */
bool swg__ask_begin(net_ask *ask);
void swg__ask_end(net_ask *ask);

/* A command, its words up to NULL. False: no memory. */
bool swg__ask_say(net_ask *ask, const char *const *words);

/* AUTH, to be said first; nothing if there is no password. Its answer is no reply: a refusal ends
 * the connection. */
bool swg__ask_auth(net_ask *ask, const char *user, const char *password);

/* Moves bytes. 1: `*reply` is the next, and the caller's; 0: not yet; -1: the connection is over,
 * link->trouble says how. */
int swg__ask_turn(net_ask *ask, net_link *link, redisReply **reply);

#endif
