/* A Redis of the fleet in memory: the scripts' part is played by the step function. Bytes in, bytes
 * out, at a time the test says; trouble on demand. */
#ifndef MEMORY_SERVER_H
#define MEMORY_SERVER_H

#include "fleet/step.h"

#include <hiredis/hiredis.h>

#define MEMORY_SHARDS 2
#define MEMORY_REPLY (256 * 1024)

struct memory_server {
    int64_t now_us;
    char run_id[41];
    bool loaded[2];     /* sync, admin: else NOSCRIPT */
    const char *refuse; /* every script call is refused with these words; NULL: none */
    int calls, commands;
    struct swg_step_shard shard[MEMORY_SHARDS];
    struct swg_step_request request; /* the last one run */
    struct swg_step_reply reply;
};

void memory_server_start(struct memory_server *server, int64_t now_us, char kind);

/* Another master with what it holds: `kind` is the first digit of its run id. */
void memory_server_become(struct memory_server *server, char kind);

struct swg_step_circuit *memory_circuit(struct memory_server *server, const char *name);

/* Runs one command and writes its reply; returns the reply's length. */
size_t memory_server_run(struct memory_server *server, const redisReply *command, char *out);

#endif
