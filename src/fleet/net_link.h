/* One connection: resolving, connecting, shaking hands, up. Never blocks; its owner polls. */
#ifndef SWG_FLEET_NET_LINK_H
#define SWG_FLEET_NET_LINK_H

#include <netdb.h>
#include <openssl/ssl.h>
#include <switchgear/fleet_run.h>

enum { NET_TROUBLE_MAX = 400 };

typedef enum net_state { NET_DOWN, NET_RESOLVING, NET_CONNECTING, NET_SHAKING, NET_UP } net_state;

typedef struct net_query net_query;

typedef struct net_link {
    swg_fleet_address to;
    char path[108]; /* of a UNIX socket; empty: none */
    SSL_CTX *tls;   /* NULL: plain */
    int64_t connect_ns, silence_ns;
    net_state state;
    int64_t due_ns; /* down: when to try; not up: when to give up */
    int fd;
    short wants; /* poll events a handshake or a write waits for */
    SSL *ssl;
    net_query *query; /* a look-up under way, or one that could not be cancelled */
    struct addrinfo *found, *next;
    char trouble[NET_TROUBLE_MAX];
} net_link;

/* False with errno EINVAL/EACCES/ENOMEM; link->trouble says what is wrong. */
bool swg__link_open(net_link *link, const swg_fleet_url *url, const swg_fleet_run_config *config);
/* net_tls.c: its part of that */
bool swg__tls_open(net_link *link, const swg_fleet_url *url, const swg_fleet_run_config *config);
void swg__link_close(net_link *link); /* and all it holds */

/* Another connection to the same place, with the same certificates. */
void swg__link_share(net_link *link, const net_link *with);

/* Where it goes the next time. It must be down. */
void swg__link_aim(net_link *link, const swg_fleet_address *to);

/* Goes on with what it is at. True: it has just come up. When it fails it is down, with due_ns 0:
 * the owner says when to try again. */
bool swg__link_step(net_link *link, int64_t now_ns);

void swg__link_drop(net_link *link);

/* Bytes moved; 0: not now; -1: the connection is over, link->trouble says how. */
ssize_t swg__link_read(net_link *link, void *bytes, size_t room);
ssize_t swg__link_write(net_link *link, const void *bytes, size_t count);

/* What to poll for, and until when at the latest. */
short swg__link_wants(const net_link *link, bool output);
int64_t swg__link_due(const net_link *link, int64_t now_ns);

#endif
