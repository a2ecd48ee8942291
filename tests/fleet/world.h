/* Random clients of the fleet, seeded: sensible most of the time, hostile now and then. Shared by
 * the differential fuzz and the properties. */
#ifndef WORLD_H
#define WORLD_H

#include "fleet/step.h"

#define WORLD_CLIENTS 6
#define WORLD_CIRCUITS 4
#define WORLD_HELD 6

struct world_view {
    int64_t epoch;
    int state;
    int64_t remaining, rev;
    int held;
    struct swg_step_result lease[WORLD_HELD];
};

struct world_client {
    char name[SWG_STEP_NAME];
    int64_t seq, cursor;
    struct world_view view[WORLD_CIRCUITS];
};

struct world {
    uint64_t random;
    int64_t now;
    char server[41];
    struct world_client client[WORLD_CLIENTS];
};

void world_start(struct world *w, uint64_t seed);
uint64_t world_below(struct world *w, uint64_t limit);
bool world_chance(struct world *w, unsigned one_in);

/* Time goes on (seldom back); seldom another server takes over. */
void world_tick(struct world *w);
void world_new_server(struct world *w);

/* The next request of some client, which is returned. */
int world_request(struct world *w, struct swg_step_request *q);
/* One field of it out of its range. */
void world_spoil(struct world *w, struct swg_step_request *q);
/* What the client learns. */
void world_learn(struct world *w, int client, const struct swg_step_reply *reply);
void world_order(struct world *w, struct swg_step_order *o);

#endif
