/* What the runner does for those who wait. */
#ifndef SWG_FLEET_STRICT_INTERNAL_H
#define SWG_FLEET_STRICT_INTERNAL_H

#include <switchgear/fleet.h>
#include <switchgear/fleet_strict.h>

/* Readable when somebody has a question. */
int swg__strict_fd(const swg_strict *strict);

/* The runner comes and goes; when it goes, whoever waits is let go. */
bool swg__strict_attach(swg_strict *strict, bool runs);

/* Puts new questions to the client, and lets go whose are answered: once before each tick. */
void swg__strict_turn(swg_strict *strict, swg_fleet *fleet, int64_t now_ns);

#endif
