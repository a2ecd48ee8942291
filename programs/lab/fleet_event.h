/* Journal events of any scope, in words and in JSON: an instance's own breaker, the fleet's view of
 * it, and how the instance stands with Redis. */
#ifndef SWG_LAB_FLEET_EVENT_H
#define SWG_LAB_FLEET_EVENT_H

#include "../common/evidence.h"

#include <stdbool.h>
#include <switchgear/gate.h>

/* "type" is "transition", with its "scope" ("host" or "fleet"), or "mode". The caller owns it. */
json_t *fleet_event_json(const swg_event *event);

/* What fleet_event_json() wrote, read back. False if it is not such an object. */
bool fleet_event_from_json(swg_event *event, const json_t *object);

/* Why; for a mode what it means: "no word from Redis". */
const char *fleet_event_text(char text[EVIDENCE_MAX], const swg_event *event);

#endif
