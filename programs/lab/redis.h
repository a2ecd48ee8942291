/* What can be done to the lab's Redis, by keys, commands and scripts. */
#ifndef SWG_LAB_REDIS_H
#define SWG_LAB_REDIS_H

#include <stdbool.h>
#include <stdint.h>

enum { REDIS_FOLDER_MAX = 80, REDIS_PORT = 9004 };

typedef enum redis_action {
    REDIS_KILL,
    REDIS_FREEZE,
    REDIS_THAW,
    REDIS_RESTART,
    REDIS_CUT, /* one instance's way to it */
    REDIS_HEAL /* nobody is cut off any more */
} redis_action;

typedef struct redis_order {
    redis_action action;
    int instance; /* CUT: 0 is A */
} redis_order;

extern const char *const redis_actions[]; /* their names; ends with NULL */

/* "kill", or "cut" and "A". False if it is none. */
bool redis_order_parse(redis_order *order, const char *action, const char *instance);

/* Commands a Redis has carried out; of these, runs of a script and INCRs. What a script does counts
 * as commands too. */
typedef struct redis_counts {
    uint64_t commands, scripts, increments;
} redis_counts;

#endif
