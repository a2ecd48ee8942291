/* A way of its own to Redis for each instance, through a proxy in a process of its own, so that one
 * can be cut off while the others are not. */
#ifndef SWG_LAB_REDIS_ROUTES_H
#define SWG_LAB_REDIS_ROUTES_H

#include "stage.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct redis_routes {
    pid_t pid; /* of the proxy; 0: none */
    char control[REDIS_FOLDER_MAX + 16];
    char cut[STAGE_INSTANCES + 1]; /* who is cut off, by letter */
} redis_routes;

/* Sockets A.sock, B.sock, C.sock in `folder`, each leading to redis.sock there. `record`, if not
 * NULL, is a file for every exchange with Redis. False after saying why on stderr. The proxy dies
 * with the calling thread. */
bool redis_routes_open(redis_routes *r, const char *folder, const char *record);
void redis_routes_close(redis_routes *r);

bool redis_routes_cut(redis_routes *r, int instance);
bool redis_routes_heal(redis_routes *r); /* nobody is cut off */

#endif
