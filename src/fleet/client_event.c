/* What the transport and operators are told.
 *
 * Keeps: what somebody must act upon (the end, a link to close, a place to go, the answer to an
 * order) waits in a place of its own until it is polled, and is handed out first; only talk,
 * changes of mode and errors, can be dropped. */
#include "fleet/client.h"

/* The oldest talk goes. */
void swg__client_event(swg_fleet *fleet, const swg_fleet_event *event)
{
    if (fleet->events_head - fleet->events_tail == CLIENT_EVENTS) {
        fleet->events_tail++;
        fleet->stats.dropped_events++;
    }
    fleet->events[fleet->events_head++ % CLIENT_EVENTS] = *event;
}

void swg__client_press(swg_fleet *fleet, swg_fleet_event *place, const swg_fleet_event *event)
{
    *place = *event;
    fleet->pressing = true;
}

static bool hand_out(swg_fleet_event *place, swg_fleet_event *event)
{
    if (place->kind == 0)
        return false;
    *event = *place;
    place->kind = 0;
    return true;
}

static bool link_presses(swg_fleet *fleet, swg_fleet_event *event)
{
    for (uint32_t i = 0; i <= fleet->config.links; i++) {
        if (hand_out(&fleet->links[i].give_up, event) || hand_out(&fleet->links[i].replica, event))
            return true;
    }
    return false;
}

static bool shard_presses(swg_fleet *fleet, swg_fleet_event *event)
{
    for (uint32_t i = 0; i < fleet->config.shards; i++) {
        if (hand_out(&fleet->shards[i].redirect, event))
            return true;
    }
    return false;
}

static bool order_presses(swg_fleet *fleet, swg_fleet_event *event)
{
    for (int i = 0; i < CLIENT_ORDERS; i++) {
        if (!hand_out(&fleet->orders[i].answer, event))
            continue;
        fleet->orders[i].state = ORDER_FREE;
        return true;
    }
    return false;
}

bool swg_fleet_poll(swg_fleet *fleet, swg_fleet_event *event)
{
    if (!fleet || !event)
        return false;
    if (fleet->pressing && (hand_out(&fleet->end, event) || link_presses(fleet, event) ||
                            shard_presses(fleet, event) || order_presses(fleet, event)))
        return true;
    fleet->pressing = false;
    if (fleet->events_head == fleet->events_tail)
        return false;
    *event = fleet->events[fleet->events_tail++ % CLIENT_EVENTS];
    return true;
}
