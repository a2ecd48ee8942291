/* Carries the bytes of fleet clients over UNIX sockets, many of them on one thread, with or without
 * their ears: what swg_fleet_run() does for one, so that a hundred hosts fit on this machine. */
#ifndef BENCH_CARRIER_H
#define BENCH_CARRIER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <switchgear/fleet.h>

enum { CARRIER_HOSTS = 64, CARRIER_TRIPS = 1 << 18 };

/* Sums over all hosts, as they were at `at_ns`. */
typedef struct carrier_sums {
    int64_t at_ns;
    int64_t cpu_ns; /* of this thread */
    uint64_t exchanges, hurried, entries, transitions, errors, bytes;
    uint32_t together; /* shards in mode FLEET */
} carrier_sums;

typedef struct carrier_link {
    int fd; /* -1: down */
    uint32_t number;
    int64_t due_ns; /* when to connect */
    bool blocked;   /* the socket takes no more for now */
} carrier_link;

typedef struct carrier {
    const char *path; /* of the socket */
    bool ears;
    int hosts;
    swg_fleet *fleet[CARRIER_HOSTS];
    carrier_link link[CARRIER_HOSTS][2]; /* exchanges, ear */
    int64_t tick_ns[CARRIER_HOSTS];
    int epoll, stop_fd;
    pthread_t thread;
    bool runs;
    int64_t look_ns;       /* when to look at the clients again */
    pthread_mutex_t mutex; /* what follows */
    carrier_sums sums;
    float *round_trip_ms; /* of the shards' last exchanges, looked at again and again */
    int round_trips;
} carrier;

/* `path`, `ears`, `hosts` and `fleet` are the caller's to fill; false: it does not start. */
bool carrier_start(carrier *c);

/* The clients are the caller's again. */
void carrier_stop(carrier *c);

/* The latest sums; the round trips sampled begin anew with `anew`. At most a tenth of a second old.
 */
carrier_sums carrier_read(carrier *c, bool anew);

/* Takes the round trips sampled so far; `values` has room for CARRIER_TRIPS. Returns how many. */
int carrier_round_trips(carrier *c, double *values);

#endif
