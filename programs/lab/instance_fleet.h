/* An instance as a member of a fleet: the client of its panel, carried by a thread of its own. No
 * call of the instance ever waits for it. */
#ifndef SWG_LAB_INSTANCE_FLEET_H
#define SWG_LAB_INSTANCE_FLEET_H

#include <stdbool.h>
#include <switchgear/fleet_run.h>

typedef struct instance_fleet instance_fleet;

/* Joins at `url`, in the background; if it `talks`, troubles with Redis are told on stderr. NULL
 * after saying why there. */
instance_fleet *instance_fleet_open(swg_panel *panel, const char *name, const char *url,
                                    bool talks);

/* Ends the thread and closes the client. NULL is fine. */
void instance_fleet_close(instance_fleet *f);

#endif
