/* Requests as Redis commands, in memory the caller owns. The format: docs/design/fleet-wire.md. */
#ifndef SWG_FLEET_WIRE_H
#define SWG_FLEET_WIRE_H

#include "fleet/step.h"

#include <stddef.h>

/* Room for any one command: sync with every entry and result at its longest. */
#define SWG_WIRE_ARGS (3 + 5 + 6 + SWG_STEP_ENTRIES * (4 + 14 + 4 * SWG_STEP_RESULTS))

/* A command under construction. `argv` and `lengths` hold `room` each; `text` is what they point
 * into. The whole can be handed to a RESP formatter as it is. */
struct swg_wire {
    char *text;
    size_t size, used;
    const char **argv;
    size_t *lengths;
    int room, count;
    bool full; /* something did not fit: do not send */
};

/* How the reference and tests set time and server; on a live shard zero and "". */
struct swg_wire_clock {
    int64_t now;
    const char *server;
};

void swg_wire_start(struct swg_wire *wire);
void swg_wire_text(struct swg_wire *wire, const char *text);
void swg_wire_number(struct swg_wire *wire, int64_t number);

/* EVALSHA of sync or admin for the shard with prefix `tag`, as "swg1:{shop:3}". Returns 0, or -1 if
 * it does not fit. */
int swg_wire_sync(struct swg_wire *wire, const char *sha1, const char *tag,
                  struct swg_wire_clock clock, const struct swg_step_request *request);
int swg_wire_admin(struct swg_wire *wire, const char *sha1, const char *tag,
                   struct swg_wire_clock clock, const struct swg_step_order *order);

/* The scripts and their SHA1, embedded by src/fleet/embed. */
extern const char swg_fleet_sync_lua[], swg_fleet_sync_sha1[];
extern const char swg_fleet_admin_lua[], swg_fleet_admin_sha1[];

#endif
