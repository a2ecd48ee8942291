/* What every operator's function begins with: configuration, connection, greeting, shards. */
#ifndef SWG_FLEET_DOCTOR_VISIT_H
#define SWG_FLEET_DOCTOR_VISIT_H

#include "fleet/doctor_talk.h"

#include <switchgear/fleet_doctor.h>

enum { VISIT_TAG = 80, VISIT_ADDRESS = 280 };

typedef enum visit_greeting {
    GREETED,
    GREET_NO_TALK, /* talk.end says why */
    GREET_AUTH,    /* a password is wanted, or another */
    GREET_NOT_NOW  /* it speaks Redis, but refuses to work */
} visit_greeting;

typedef struct visit {
    swg_fleet_redis config;
    swg_fleet_url url;
    const char *user, *password; /* NULL: none */
    const char *space;
    uint32_t shards;
    int64_t deadline_ns;
    talk talk;
    char address[VISIT_ADDRESS]; /* for people */
    bool needless;               /* a password was given to a server that wants none */
    char why[SWG_FLEET_TROUBLE_MAX];
} visit;

/* Takes the configuration over. SWG_EINVAL, SWG_ENEWER; visit->why says what is wrong with it. */
int swg__visit_begin(visit *v, const swg_fleet_redis *config);

/* Connects, says who we are, asks for a PONG. visit->why says what came instead. */
visit_greeting swg__visit_greet(visit *v);

/* Both, for those who only want to know whether it worked; then the number of shards. */
int swg__visit_open(visit *v, const swg_fleet_redis *config);

/* Hangs up, and copies `why` to where the caller wants it. Returns `result`. */
int swg__visit_close(visit *v, int result);

/* What the end of the talk means to the caller. */
int swg__visit_ended(visit *v);

/* A reply that is not what was asked for, or none at all: the error, and visit->why. */
int swg__visit_refused(visit *v, const redisReply *reply, const char *what);

/* "swg1:{shop:3}" */
void swg__visit_tag(const visit *v, uint32_t shard, char tag[VISIT_TAG]);

uint32_t swg__visit_shard_of(const visit *v, const char *circuit);

/* What is there of a shard: its schema, "" if there is none; and do hosts report to it? */
typedef struct visit_shard {
    char schema[20];
    bool alive;
} visit_shard;

/* Looks at all shards there can be; false: the talk ended. */
bool swg__visit_look(visit *v, visit_shard shards[SWG_FLEET_SHARDS_MAX]);

/* How many the hosts use: those that are alive tell. With none alive, what is stored does, unless
 * it has gaps, as where operators came before hosts; then `fallback` at least. */
uint32_t swg__visit_count(const visit_shard shards[SWG_FLEET_SHARDS_MAX], uint32_t fallback);

#endif
