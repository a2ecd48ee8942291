/* A redis-server of the lab's own: on a UNIX socket in a folder of its own, no TCP port, nothing on
 * disk, and gone with the process that started it, however that one ends. */
#ifndef SWG_LAB_REDIS_SERVER_H
#define SWG_LAB_REDIS_SERVER_H

#include "../common/child.h"

#include <hiredis/hiredis.h>
#include <stdint.h>

enum { REDIS_PATH_MAX = 96 };

typedef struct redis_server {
    child child;
    char program[256];
    char path[REDIS_PATH_MAX]; /* of its socket */
    bool frozen;
    redisContext *questions; /* our own connection, for counters */
    uint64_t commands;       /* of those before the present one, our own questions left out */
    uint64_t increments;
    uint64_t last_commands, last_increments; /* as the present one counted them last */
    uint64_t asked;                          /* our questions to the present one */
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

/* Commands it has carried out, and INCRs among them, those of servers before it included. A server
 * that does not answer keeps its last count. */
void redis_server_count(redis_server *s, uint64_t *commands, uint64_t *increments);

#endif
