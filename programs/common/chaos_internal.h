/* What the proxy's files share. Commands and the record's format: chaos.h.
 *
 *     chaos.c          opening, the loop
 *     chaos_address.c  addresses: parsed, listened on, connected to
 *     chaos_carry.c    a connection: bytes in, messages, bytes out, and how it ends
 *     chaos_message.c  bytes cut into messages; queues of them
 *     chaos_fault.c    what the faults of a route do to a message
 *     chaos_command.c  commands
 *     chaos_control.c  the control socket, both ends
 *     chaos_record.c   the record */
#ifndef SWG_PROGRAMS_CHAOS_INTERNAL_H
#define SWG_PROGRAMS_CHAOS_INTERNAL_H

#include "chaos.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

enum { CHAOS_UP, CHAOS_DOWN, CHAOS_WAYS };
enum { CHAOS_CONTROLS = 8, CHAOS_CONNECTIONS_MAX = 400, CHAOS_QUEUE_MAX = 4 << 20 };

typedef struct chaos_address {
    char text[CHAOS_LINE_MAX]; /* as given; after listening, with the port found */
    struct sockaddr_storage to;
    socklen_t length;
} chaos_address;

/* Some bytes that only grow at the end. */
typedef struct chaos_bytes {
    char *data;
    size_t used, room;
} chaos_bytes;

typedef struct chaos_message {
    struct chaos_message *next;
    int64_t due_ns;
    char *json;  /* of a request that is to be recorded */
    bool answer; /* a request: an answer will come of it */
    bool secret; /* and is kept from the client */
    size_t length;
    char bytes[];
} chaos_message;

/* A request sent upstream whose answer has not come yet. */
typedef struct chaos_pending {
    struct chaos_pending *next;
    int64_t sent_ns;
    char *json;
    bool secret;
} chaos_pending;

/* One way of a connection. */
typedef struct chaos_way {
    redisReader *reader; /* NULL: not RESP */
    chaos_bytes in;      /* of a message that is not complete yet */
    chaos_message *queue;
    size_t queued;
    int64_t last_due_ns;
    chaos_bytes out;
    size_t out_sent;
    bool ended; /* nothing more will come */
    bool shut;  /* and the other side knows */
    bool lost;  /* swallows all that comes */
    bool last;  /* what is queued is the end: then the connection closes */
} chaos_way;

typedef struct chaos_connection {
    struct chaos_connection *next;
    struct chaos_route *route;
    uint64_t number;
    int client, upstream;
    bool connecting, subscribed, dead;
    chaos_way way[CHAOS_WAYS];
    chaos_pending *pending, **pending_end;
    struct pollfd *client_poll, *upstream_poll; /* of this turn of the loop */
} chaos_connection;

typedef struct chaos_faults {
    int64_t latency_ns[CHAOS_WAYS], jitter_ns[CHAOS_WAYS];
    bool stall[CHAOS_WAYS], swallow[CHAOS_WAYS];
    bool cut, bytes, mute;
    bool drop[CHAOS_WAYS], duplicate, truncate; /* of the next message; then off again */
    int64_t duplicate_ns;
    size_t truncate_at;
} chaos_faults;

typedef struct chaos_route {
    struct chaos_route *next;
    chaos *proxy;
    char name[CHAOS_NAME_MAX + 1];
    chaos_address here, upstream;
    int listener;
    chaos_faults faults;
    uint64_t accepted, open, requests, replies, swallowed, resets;
} chaos_route;

typedef struct chaos_talk {
    int fd; /* -1: free */
    size_t used;
    char line[CHAOS_LINE_MAX];
    struct pollfd *poll;
} chaos_talk;

struct chaos {
    chaos_route *routes;
    chaos_connection *connections;
    uint64_t count, numbers; /* of connections: now, ever */
    uint64_t random;
    FILE *record;
    char control_path[CHAOS_LINE_MAX]; /* empty: none */
    int control;
    chaos_talk talks[CHAOS_CONTROLS];
};

static inline int chaos_from(const chaos_connection *k, int way)
{
    return way == CHAOS_UP ? k->client : k->upstream;
}

static inline int chaos_to(const chaos_connection *k, int way)
{
    return way == CHAOS_UP ? k->upstream : k->client;
}

/* chaos.c */
int64_t chaos_now_ns(void);
chaos_route *chaos_find(const chaos *c, const char *name);
/* "error: " and the rest; returns false. */
bool chaos_fail(char *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* chaos_address.c */
bool chaos_address_parse(chaos_address *a, const char *text, char *answer);
int chaos_listen(chaos_address *a);                 /* -1 with errno */
bool chaos_relisten(int *fd, chaos_address *a);     /* after chaos_deafen() */
void chaos_deafen(int *fd, const chaos_address *a); /* connecting is refused from here on */
void chaos_unlisten(int fd, const chaos_address *a);
int chaos_connect(const chaos_address *a); /* not blocking; -1 with errno */
void chaos_settle(int fd, const chaos_address *a);

/* chaos_carry.c */
void chaos_accept(chaos_route *r);
void chaos_reset(chaos_connection *k); /* marks it dead; its peers see a reset */
void chaos_free(chaos_connection *k);
/* What it waits for: events for both sockets, and when its next message is due. */
int64_t chaos_wants(const chaos_connection *k, short *client, short *upstream);
void chaos_carry(chaos_connection *k, short client, short upstream);

/* chaos_message.c */
bool chaos_append(chaos_bytes *b, const void *data, size_t count);
/* Calls take() for each whole message in what came; raw bytes come without an object. */
typedef void (*chaos_taker)(chaos_connection *k, int way, const redisReply *object,
                            const char *bytes, size_t count);
void chaos_cut(chaos_connection *k, int way, const char *bytes, size_t count, chaos_taker take);
chaos_message *chaos_message_new(const char *bytes, size_t count, int64_t due_ns);
void chaos_message_free(chaos_message *m);
void chaos_enqueue(chaos_way *w, chaos_message *m); /* by due_ns, after those due at once with it */
chaos_message *chaos_dequeue(chaos_way *w, int64_t now_ns); /* NULL: none is due */

/* chaos_fault.c: chaos_takers */
void chaos_request(chaos_connection *k, const redisReply *object, const char *bytes, size_t count);
void chaos_reply(chaos_connection *k, const redisReply *object, const char *bytes, size_t count);

/* chaos_record.c */
char *chaos_json(const redisReply *object); /* NULL without memory; the caller frees it */
void chaos_record(const chaos_connection *k, const chaos_pending *p, int64_t answered_ns,
                  const redisReply *reply, bool delivered);

/* chaos_control.c */
bool chaos_control_open(chaos *c, const char *path, char *answer);
void chaos_control_accept(chaos *c);
void chaos_control_read(chaos *c, chaos_talk *t);
void chaos_control_close(chaos *c);

#endif
