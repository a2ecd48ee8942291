/* A real redis-server of the test's own, on a socket in a directory of its own, and the fleet's
 * scripts on it. */
#ifndef REDIS_LAB_H
#define REDIS_LAB_H

#include "fleet/step.h"
#include "fleet/wire.h"
#include "servers.h"

#define LAB_TAG "swg1:{lab:0}"

struct redis_lab {
    struct server server;
    redisContext *redis;
    struct swg_wire wire;
};

struct redis_dump {
    size_t count;
    redisReply *keys, **values;
};

/* Exits the program with a message if there is no redis-server or it does not start. */
void redis_lab_start(struct redis_lab *lab);
void redis_lab_stop(struct redis_lab *lab);

/* Empty, and with a clock that tests set. */
void redis_lab_reset(struct redis_lab *lab);

/* Runs the command in lab->wire. The caller frees the reply. */
redisReply *redis_lab_run(struct redis_lab *lab);

/* One exchange: SWG_STEP_DONE, or the error's code. */
int redis_lab_sync(struct redis_lab *lab, int64_t now, const char *server,
                   const struct swg_step_request *request, struct swg_step_reply *reply);
int redis_lab_admin(struct redis_lab *lab, int64_t now, const char *server,
                    const struct swg_step_order *order, int64_t *epoch);

/* Everything stored, as one digest. */
void redis_lab_digest(struct redis_lab *lab, char digest[41]);

/* A replica's copy: taken, and later made the truth again. */
void redis_lab_save(struct redis_lab *lab, struct redis_dump *dump);
void redis_lab_restore(struct redis_lab *lab, const struct redis_dump *dump);
void redis_dump_free(struct redis_dump *dump);

/* 0 if equal, else says on stderr where they differ. */
int replies_differ(const struct swg_step_reply *a, const struct swg_step_reply *b);

#endif
