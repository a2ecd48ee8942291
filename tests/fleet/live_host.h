/* A host: a panel with a circuit "db", and a client that swg_fleet_run() carries on a thread. */
#ifndef LIVE_HOST_H
#define LIVE_HOST_H

#include <pthread.h>
#include <stdbool.h>
#include <switchgear/fleet_run.h>
#include <switchgear/switchgear.h>

enum { HOST_SHARDS = 12, HOST_TROUBLE = 16384 };

typedef struct live_host {
    swg_panel *panel;
    swg_circuit *circuit;
    swg_fleet *fleet;
    swg_fleet_run_config config;
    uint32_t shard, shards;
    pthread_t thread;
    bool held_open;       /* each wait tries calls, and none may go */
    pthread_mutex_t lock; /* guards what follows */
    swg_fleet_mode modes[HOST_SHARDS];
    uint32_t seen[HOST_SHARDS][SWG_FLEET_MODE_COUNT]; /* times each came to a mode */
    uint32_t errors[SWG_FLEET_ERROR_COUNT], events[16];
    char troubles[HOST_TROUBLE]; /* all, a line each */
    swg_fleet_snapshot last;     /* milliseconds old */
    int result;
} live_host;

/* `run` has no stop_fd and no callbacks, `config` at least a number of shards. A quorum of one:
 * this host alone can trip the fleet. */
void host_start(live_host *h, const swg_fleet_run_config *run, const swg_fleet_config *config);
void host_stop(live_host *h); /* and swg_fleet_run() returned SWG_OK, at once */

/* Waits until it is so, at most twenty seconds. */
void host_until(live_host *h, bool (*right)(live_host *h, const void *arg), const void *arg,
                const char *what);
void host_until_mode(live_host *h, swg_fleet_mode mode); /* of db's shard */
void host_until_all(live_host *h, swg_fleet_mode mode);
void host_until_trouble(live_host *h, const char *words);
void host_until_error(live_host *h, swg_fleet_error error);
void host_until_event(live_host *h, swg_fleet_event_kind kind);
void host_forget(live_host *h);                          /* counts and troubles so far */
uint32_t host_troubles(live_host *h, const char *words); /* how often they are said */

/* Calls fail until the fleet is open, for a minute; from then on none may go. */
void host_trip(live_host *h);

#endif
