/* The script on a real redis-server as a store of replay.h. */
#ifndef SPEC_REPLAY_REDIS_H
#define SPEC_REPLAY_REDIS_H

#include "redis_lab.h"
#include "replay.h"

struct replay_redis {
    struct redis_lab lab;
    struct redis_dump replica;
    char sha1[41]; /* of the script that runs */
};

/* Starts a server with the library's script. Exits the program if there is none. */
void replay_redis_start(struct replay_redis *r);
void replay_redis_stop(struct replay_redis *r);

/* Another script takes its place; NULL: the library's again. */
void replay_redis_script(struct replay_redis *r, const char *script);

struct replay_store replay_redis_store(struct replay_redis *r);

#endif
