/* Hosts with a panel and a client each, one dependency, and a Redis in memory. Time is a number,
 * the network a row of bytes with a time of arrival, trouble is on demand; nothing sleeps. */
#ifndef CLIENT_WORLD_H
#define CLIENT_WORLD_H

#include "memory_server.h"

#include <switchgear/fleet.h>
#include <switchgear/gate.h>
#include <switchgear/switchgear.h>

#define HOSTS_MAX 5
#define MS INT64_C(1000000)
#define STEP_MS 5
#define FLIGHT_MAX 64
#define EPOCHS_MAX 4096

struct flight { /* one call under way */
    swg_permit permit;
    int64_t ends_ns, epoch;
    bool probe, fails;
};

struct parcel { /* bytes on their way */
    int64_t at_ns;
    size_t used;
    char *bytes;
    struct parcel *next;
};

struct host {
    swg_panel *panel;
    swg_circuit *circuit;
    swg_fleet *fleet;
    bool up, cut, broken; /* connected; nothing arrives; its own network fails every call */
    int64_t connect_ns;
    struct parcel *there, *back;
    redisReader *reader; /* the server's end */
    struct flight flight[FLIGHT_MAX];
    int flying;
    bool at_home; /* and says that its failures are of local origin */
    int every_ms; /* a call so often */
    int64_t next_call_ns;
    uint64_t permitted, rejected, probes;
    swg_fleet_event limits; /* the last that said they are others, */
    int told;               /* of so many */
};

struct ghost { /* what truly happened in one half-open period */
    int64_t epoch, passed, failed;
};

struct client_world {
    uint64_t random;
    int64_t now_ns;
    int hosts;
    struct host host[HOSTS_MAX];
    struct memory_server server, old; /* old: what a replica holds */
    bool healthy, lossy;
    int delay_ms, call_ms;
    redisReply *again; /* a request that arrives twice */
    struct ghost ghost[EPOCHS_MAX];
    int ghosts;
    int most_probes; /* in flight at once */
    int periods;     /* half-open ones that closed */
};

void client_world_start(struct client_world *w, int hosts, uint64_t seed,
                        const swg_fleet_config *config);
void client_world_stop(struct client_world *w);

/* Lets so much time go by. */
void client_world_run(struct client_world *w, int64_t ms);

/* A host's client dies, and another takes over on its panel. */
void client_world_succeed(struct client_world *w, int host, const swg_fleet_config *config);

/* Breaks a host's connection; what is under way is lost. */
void client_world_break(struct client_world *w, int host);

/* Another master takes over with what the replica holds, which may be old. */
void client_world_replicate(struct client_world *w);
void client_world_failover(struct client_world *w, char kind);

uint64_t client_world_below(struct client_world *w, uint64_t limit);
swg_fleet_mode client_world_mode(const struct client_world *w, int host);
swg_fleet_circuit_snapshot client_world_view(const struct client_world *w, int host);
struct swg_step_circuit *client_world_truth(struct client_world *w);

#endif
