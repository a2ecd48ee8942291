/* What the transport's files share. The public side: switchgear/fleet_run.h; what it does and why:
 * docs/design/fleet-transport.md.
 *
 *     net_run.c       the loop: who waits for what, and until when
 *     net_url.c       URLs taken apart
 *     net_link.c      one connection, from name look-up to bytes
 *     net_socket.c    the socket under TLS
 *     net_ask.c       questions of the transport's own over one
 *     net_line.c      a link of the client over one
 *     net_ear.c       where the link that listens goes
 *     net_scout.c     sentinels or nodes asked in turn for where to go
 *     net_sentinel.c  what a sentinel says
 *     net_cluster.c   what a Redis Cluster says: slots, MOVED, ASK
 *     net_trouble.c   troubles, told once
 *
 * All of it runs on one thread; times are nanoseconds of CLOCK_MONOTONIC. */
#ifndef SWG_FLEET_NET_H
#define SWG_FLEET_NET_H

#include "fleet/client.h"
#include "net_ask.h"
#include "net_link.h"

enum { NET_PEER_MAX = 320, NET_TOLD_MAX = 64, NET_BYTES = 65536 };

/* Who had which trouble last, as hashes. */
struct net_told {
    struct {
        uint64_t peer, text;
    } row[NET_TOLD_MAX];
    unsigned next;
};

/* A link of the client. Line n is link n; the last is the ear. */
struct net_line {
    net_link link;
    net_ask greeting;   /* ROLE, before the client may have it */
    uint32_t number;    /* the client's */
    bool aimed;         /* it has somewhere to go */
    bool greets;        /* must say it is a master first */
    bool waits;         /* for a sentinel to say where to go */
    bool up;            /* it is the client's */
    bool readable;      /* as poll said */
    bool proven;        /* up for a second, and something came */
    int64_t since;      /* up */
    int64_t keep_until; /* cluster: needed for slots that move */
};

/* One connection to ask where to go, kept, and moved on to the next place when it fails. */
struct net_scout {
    net_link link;
    net_ask ask;
    bool runs, asked;
    uint32_t place;          /* where it is or goes */
    uint32_t failures;       /* places that failed in a row */
    uint32_t rounds;         /* of all places, that failed in a row */
    int64_t ask_ns, last_ns; /* the next question; the last */
    int64_t due_ns;          /* its reply must be here */
};

/* Cluster: where each shard's slot is. */
struct net_map {
    swg_fleet_address at[SWG_FLEET_SHARDS_MAX]; /* no host: nobody has it */
    uint32_t shards, held;
};

struct net_run {
    swg_fleet *fleet;
    swg_fleet_run_config config;
    swg_fleet_url url;
    int result; /* not SWG_OK: it has to end */
    int64_t look_ns;
    struct net_told told;
    struct net_line *lines;
    uint32_t links; /* lines but for the ear */
    struct net_scout scout;
    struct net_map map;
    uint32_t turn;                       /* cluster: the line the ear looks at next */
    uint32_t asks[SWG_FLEET_SHARDS_MAX]; /* cluster: line + 1 a shard's next exchange goes to */
    char bytes[NET_BYTES];
};

/* net_trouble.c */
void swg__net_tell(struct net_run *r, const char *peer, const char *what);
void swg__net_forget(struct net_run *r, const char *peer);
void swg__net_peer(char peer[NET_PEER_MAX], const char *role, const net_link *link);

/* net_line.c */
/* The connection is over: `why`, or what the link says. When to try again is the client's say. */
void swg__line_drop(struct net_run *r, struct net_line *l, const char *why, int64_t now);
void swg__line_refused(struct net_run *r, const struct net_line *l, const char *words);
/* Goes to another place; NULL: to none. */
void swg__line_aim(struct net_run *r, struct net_line *l, const swg_fleet_address *to, int64_t now);
bool swg__line_is_at(const struct net_line *l, const swg_fleet_address *a);
void swg__line_step(struct net_run *r, struct net_line *l, int64_t now);
void swg__line_input(struct net_run *r, struct net_line *l, int64_t now);
void swg__line_output(struct net_run *r, struct net_line *l, int64_t now);
short swg__line_wants(const struct net_run *r, const struct net_line *l);
int64_t swg__line_due(const struct net_line *l, int64_t now);
void swg__line_close(struct net_run *r, struct net_line *l);

/* net_ear.c */
void swg__ear_step(struct net_run *r, int64_t now);
/* The place it may be at is no good any more. */
void swg__ear_leave(struct net_run *r, const swg_fleet_address *place, int64_t now);

/* net_scout.c */
void swg__scout_step(struct net_run *r, int64_t now);
/* A question soon, if none is under way: something changed. */
void swg__scout_hurry(struct net_run *r, int64_t now);
/* The same, asked of this line's node. */
void swg__scout_ask_line(struct net_run *r, uint32_t line, int64_t now);
void swg__scout_failed(struct net_run *r, const char *why, int64_t now);
short swg__scout_wants(const struct net_scout *s);
int64_t swg__scout_due(const struct net_scout *s, int64_t now);
void swg__scout_close(struct net_run *r);

/* net_sentinel.c: true if it helped; else it has called swg__scout_failed() */
bool swg__sentinel_says(struct net_run *r, const redisReply *reply, int64_t now);
/* No sentinel can be asked. */
void swg__sentinel_lost(struct net_run *r);

/* net_cluster.c: likewise */
bool swg__cluster_says(struct net_run *r, const redisReply *reply, int64_t now);
void swg__cluster_event(struct net_run *r, const swg_fleet_event *event, int64_t now);
/* Exchanges that wait for this line may go. */
void swg__cluster_up(struct net_run *r, const struct net_line *l);

#endif
