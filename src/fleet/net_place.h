/* Where servers say that servers are. */
#ifndef SWG_FLEET_NET_PLACE_H
#define SWG_FLEET_NET_PLACE_H

#include "reader.h"

#include <switchgear/fleet_run.h>

/* A sentinel, of its master: host and port. */
bool swg__place_of_master(swg_fleet_address *a, const redisReply *reply);

/* A node, in an answer to CLUSTER SLOTS; one without an address is where it was asked. */
bool swg__place_of_node(swg_fleet_address *a, const redisReply *node, const char *asked);

#endif
