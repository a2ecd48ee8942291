/* A stage of the lab is a row of a table: worlds that live through the same outage side by side,
 * each with its way of laying out panels, and the script of the outage. */
#ifndef SWG_LAB_STAGE_H
#define SWG_LAB_STAGE_H

#include "fault.h"

#include <stdbool.h>
#include <stdint.h>

enum { STAGE_WORLDS_MAX = 4, STAGE_INSTANCES = 3 };

typedef struct stage_world {
    const char *name; /* "with breakers" */
    bool breakers;
    const char *panel; /* the one its instances share, its name begun; NULL: each has its own */
    int port_row;      /* 0: 9000 and 8001 to 8003; each further row ten higher */
} stage_world;

typedef struct stage_script {
    fault_kind fault;
    int rate_pct;
    int64_t calls_per_s; /* in each world */
    int64_t timeout_ms;  /* how long an instance waits for the service */
    int64_t healthy_ms, outage_ms;
} stage_script;

typedef struct stage {
    const char *name;
    const char *title;
    const char *story[4]; /* lines said first; ends with NULL */
    int world_count;
    stage_world worlds[STAGE_WORLDS_MAX];
    stage_script script;
} stage;

/* NULL if there is none of that name. */
const stage *stage_find(const char *name);

#endif
