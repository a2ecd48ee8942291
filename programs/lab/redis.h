/* What can be done to the lab's Redis, by keys, commands and scripts. */
#ifndef SWG_LAB_REDIS_H
#define SWG_LAB_REDIS_H

enum { REDIS_FOLDER_MAX = 80, REDIS_PORT = 9004 };

typedef enum redis_action { REDIS_KILL, REDIS_FREEZE, REDIS_THAW, REDIS_RESTART } redis_action;

extern const char *const redis_actions[]; /* their names; ends with NULL */

#endif
