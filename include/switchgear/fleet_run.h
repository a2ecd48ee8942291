/* The transport of a fleet's client (fleet.h), for those who have no event loop to lend it: one
 * blocking function for a thread of the caller's choosing. One Redis, Redis Sentinel or Redis
 * Cluster, over TCP, UNIX sockets or TLS, each step under a deadline. Link with
 * pkg-config switchgear-fleet; a whole program: examples/fleet.c. */
#ifndef SWITCHGEAR_FLEET_RUN_H
#define SWITCHGEAR_FLEET_RUN_H

#include <switchgear/fleet.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SWG_FLEET_SEEDS_MAX 16

typedef enum swg_fleet_kind {
    SWG_FLEET_SINGLE = 0,
    SWG_FLEET_SENTINEL = 1, /* the seeds are sentinels, which know where the master is */
    SWG_FLEET_CLUSTER = 2   /* the seeds are nodes, which know the others */
} swg_fleet_kind;

typedef struct swg_fleet_address {
    char host[256]; /* a name or an address; IPv6 without brackets */
    char port[8];
} swg_fleet_address;

/* A URL in its parts. %XX stands for a byte, IPv6 is in brackets, and the scheme begins with
 * rediss for TLS:
 *
 *     redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]
 *     redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/MASTER[/DATABASE]
 *     redis+cluster://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]
 *     unix:///PATH[?db=DATABASE]
 *
 * USER, PASSWORD and DATABASE are those of Redis, never of the sentinels. */
typedef struct swg_fleet_url {
    char host[256]; /* the first; empty: a UNIX socket */
    char port[8];   /* "6379", of a sentinel "26379" */
    char path[108];
    char user[64]; /* empty: none */
    char password[256];
    uint32_t database;
    uint32_t tls;
    uint32_t kind;    /* enum swg_fleet_kind */
    uint32_t seeds;   /* hosts listed; 0: a UNIX socket */
    char master[128]; /* what the sentinels call it */
    uint32_t reserved[6];
    swg_fleet_address seed[SWG_FLEET_SEEDS_MAX];
} swg_fleet_url;

/* Takes a URL apart. On SWG_EINVAL `*reason` (may be NULL) says what is wrong; the text is static.
 * Errors: SWG_EINVAL.  Threads: any. */
int swg_fleet_url_parse(swg_fleet_url *parsed, const char *url, const char **reason);

/* 0 or NULL = default. Set `size`, or use SWG_FLEET_RUN(). */
typedef struct swg_fleet_run_config {
    uint32_t size;
    uint32_t connect_ms; /* 1 000; 10 to 60 000: for name, connection and TLS together */
    const char *url; /* required. Its user, password and database are used where swg_fleet_config
                        has none (a database of 0 is none); what both say must be the same */
    const char *ca_file;   /* TLS only: PEM file of who may sign; NULL: the system's */
    const char *cert_file; /* TLS only: ours, PEM; NULL: none */
    const char *key_file;  /* of cert_file; NULL: it is in there too */
    int stop_fd; /* swg_fleet_run() returns when this can be read; an eventfd or pipe. 0: never.
                    At once, or up to 200 ms later if probes' results and permits have to be told */
    uint32_t no_hints; /* 1: no further connection to hear of changes at once */
    /* Each event of swg_fleet_poll(), from the running thread. May be NULL. */
    void (*event)(void *arg, const swg_fleet_event *event);
    /* What stands in the way, and where: "127.0.0.1:6379: connect: Connection refused", "sentinel
     * 10.0.0.7:26379: knows no master named 'cache'". Once, until its connection works again. Also,
     * as "limits: payments: failure_pct is 30 here and ...", SWG_FLEET_EVENT_LIMITS; and what is
     * wrong with the configuration, before SWG_EINVAL is returned. May be NULL. */
    void (*trouble)(void *arg, const char *what);
    void *arg;
    /* Called every look_ms (1 000; 10 to 60 000) from the running thread, to read the client or
     * give it orders. May be NULL. */
    void (*look)(void *arg, swg_fleet *fleet);
    uint32_t look_ms;
    uint32_t reserved;
    struct swg_strict *strict;     /* see fleet_strict.h; NULL: none */
    const char *sentinel_user;     /* NULL: none */
    const char *sentinel_password; /* NULL: no AUTH is sent to sentinels */
} swg_fleet_run_config;
#define SWG_FLEET_RUN(...)                                                                         \
    (&(swg_fleet_run_config){.size = sizeof(swg_fleet_run_config), __VA_ARGS__})

/* Carries the client's bytes until stop_fd says stop, connecting again as often as it takes. With
 * TLS the certificate and its host name are always checked. The client must not be used by others
 * meanwhile, but from within the callbacks (`look` is made for that).
 *
 * A Redis Cluster takes a link for each master that holds a shard: min(shards, masters) of them,
 * and one more while slots move. Shards of masters beyond swg_fleet_config.links stay on their own,
 * which `trouble` says.
 *
 * Errors, of which `trouble` tells the first two in words: SWG_EINVAL (configuration or URL; they
 * contradict each other, or the client's; TLS files and a URL without TLS; a database other than 0
 * in a cluster), SWG_EACCESS (a TLS file cannot be read); SWG_ENEWER, SWG_ENOMEM; SWG_EBUSY
 * (another client has taken over the panel, see SWG_FLEET_EVENT_REPLACED: close this one). */
int swg_fleet_run(swg_fleet *fleet, const swg_fleet_run_config *config);

#ifdef __cplusplus
}
#endif
#endif
