/* A redis-server of the lab's own: on a UNIX socket in a folder of its own, no TCP port, nothing on
 * disk, and gone with the process that started it, however that one ends. */
#ifndef SWG_LAB_REDIS_SERVER_H
#define SWG_LAB_REDIS_SERVER_H

#include "../common/child.h"

#include "redis.h"

#include <hiredis/hiredis.h>

enum { REDIS_PATH_MAX = 96 };

typedef struct redis_server {
    child child;
    char program[256];
    char path[REDIS_PATH_MAX]; /* of its socket */
    bool frozen;
    redisContext *questions; /* our own connection, for counters */
    redis_counts before;     /* of servers before the present one */
    redis_counts now;        /* of the present one, as it said last */
    uint64_t asked;          /* our questions to it, which do not count */
} redis_server;

/* Finds redis-server on PATH. False if there is none, after saying on stderr how to get it. */
bool redis_server_find(redis_server *s);

/* Starts it, empty, on `s->path`; returns when it answers. False after saying why on stderr. Call
 * it from the thread that lives longest: the server ends with it. */
bool redis_server_start(redis_server *s);

void redis_server_kill(redis_server *s);
void redis_server_freeze(redis_server *s); /* SIGSTOP: connections stay, nobody answers */
void redis_server_thaw(redis_server *s);

/* "up", "frozen", "gone" */
const char *redis_server_state(const redis_server *s);

/* What it has carried out, servers before it included. One that does not answer keeps its last
 * count. */
redis_counts redis_server_count(redis_server *s);

/* Removes the folder of a lab's Redis with the sockets in it, if it is there. */
void redis_folder_remove(const char *path);

#endif
