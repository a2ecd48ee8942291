/* How an instance of a fleet stands: its own breaker, the fleet's view of it, and whether it hears
 * from Redis. What its calls meet is made of all three. */
#ifndef SWG_LAB_STANDING_H
#define SWG_LAB_STANDING_H

#include <switchgear/fleet.h>

typedef struct standing {
    swg_state own;
    int64_t own_since_ns, own_until_ns;
    swg_state fleet;
    int64_t fleet_until_ns;
    swg_fleet_mode mode;
} standing;

/* Takes an event of the instance's journal in. */
void standing_take(standing *s, const swg_event *event);

/* What a call meets, and, if it is open, until when. */
swg_state standing_state(const standing *s, int64_t now_ns, int64_t *until_ns);

#endif
