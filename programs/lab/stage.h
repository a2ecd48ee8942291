/* A stage of the lab is a row of a table: worlds that live through the same outage side by side,
 * each with its way of laying out panels, and the script of the outage. */
#ifndef SWG_LAB_STAGE_H
#define SWG_LAB_STAGE_H

#include "fault.h"
#include "redis.h"

#include <stdbool.h>
#include <stdint.h>

enum { STAGE_WORLDS_MAX = 6, STAGE_INSTANCES = 3, ACTS_MAX = 12 };

/* What the instances of a world have Redis for. A world that has it has one of its own. */
typedef enum stage_redis { REDIS_NOT, REDIS_FOR_FLEET, REDIS_FOR_NAIVE } stage_redis;

typedef struct stage_world {
    const char *name; /* "with breakers" */
    bool breakers;
    const char *panel; /* the one its instances share, its name begun; NULL: each has its own */
    stage_redis redis;
    int port_row; /* 0: 9000 and 8001 to 8003; each further row ten higher */
} stage_world;

typedef enum stage_act_kind {
    ACT_NONE, /* ends the list */
    ACT_BREAK,
    ACT_HEAL,
    ACT_REDIS, /* `redis` to every Redis there is */
    ACT_REST   /* calls that leave from here on belong to no span */
} stage_act_kind;

typedef struct stage_act {
    int64_t after_ms; /* the act before it */
    stage_act_kind kind;
    redis_order redis;
} stage_act;

typedef struct stage_script {
    fault_kind fault;
    int rate_pct;
    int64_t calls_per_s; /* in each world */
    int64_t timeout_ms;  /* how long an instance waits for the service */
    int64_t healthy_ms, outage_ms;
} stage_script;

struct lab;

typedef struct stage {
    const char *name;
    const char *title;
    const char *story;           /* said first */
    const char *circuit[6];      /* changes of the profile, KEY=VALUE; ends with NULL */
    int shares[STAGE_INSTANCES]; /* of the calls, for A, B, C; all 0: the same for each */
    int world_count;
    stage_world worlds[STAGE_WORLDS_MAX];
    stage_script script;
    stage_act encore[ACTS_MAX];     /* what follows when the outage is over and told */
    bool quiet;                     /* transitions are not told one by one */
    const char *report;             /* the file the report is written to; NULL: there is none */
    void (*closing)(struct lab *l); /* says what one has seen; may be NULL */
} stage;

/* Do its instances have one circuit? */
bool stage_is_together(const stage_world *plan);

/* NULL if there is none of that name. */
const stage *stage_find(const char *name);

#endif
