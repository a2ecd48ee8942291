#include "standing.h"

#include <switchgear/gate.h>

void standing_take(standing *s, const swg_event *event)
{
    switch (event->scope) {
    case SWG_SCOPE_FLEET_MODE:
        s->mode = (swg_fleet_mode)event->to;
        break;
    case SWG_SCOPE_FLEET:
        s->fleet = (swg_state)event->to;
        s->fleet_until_ns = event->until_ns;
        break;
    default:
        s->own = (swg_state)event->to;
        s->own_since_ns = event->at_ns;
        s->own_until_ns = event->until_ns;
    }
}

/* Cut off, what the fleet opened stays shut to its time; else the fleet has no say any more. */
static bool fleet_decides(const standing *s, int64_t now_ns)
{
    if (s->mode == SWG_FLEET_LOCAL || s->mode == SWG_FLEET_JOINING)
        return s->fleet == SWG_OPEN && now_ns < s->fleet_until_ns;
    return s->fleet != SWG_CLOSED;
}

swg_state standing_state(const standing *s, int64_t now_ns, int64_t *until_ns)
{
    bool fleet = fleet_decides(s, now_ns);
    *until_ns = fleet ? s->fleet_until_ns : s->own_until_ns;
    return fleet ? s->fleet : s->own;
}
