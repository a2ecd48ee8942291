/* A host of the fleet in a process of its own: a panel, circuits with probes, the client on a
 * thread (swg_fleet_run), and a thread that calls a dependency which exists only in memory.
 *
 * The test and its hosts share one block of memory: it writes orders, they write reports, and the
 * dependency counts who calls it. The calling thread may make no system call but sleep, read the
 * clock and ask for its pid (seccomp): a call that waited for Redis, for a lock or for anything
 * else would be the end of its host. */
#ifndef FAULTS_HOST_H
#define FAULTS_HOST_H

#include <stdatomic.h>
#include <stdint.h>
#include <switchgear/fleet.h>

enum { HOSTS_MAX = 6, CIRCUITS_MAX = 1024 };

typedef struct dependency {
    _Atomic bool broken;
    _Atomic int probe_ms;                 /* how long a probe of the fleet takes */
    _Atomic uint64_t plain, plain_failed; /* calls that were no probes of the fleet */
    _Atomic int64_t last_plain_ns;
    _Atomic uint64_t probes, passed;   /* begun; and ended well */
    _Atomic int64_t last_probe_ns;     /* when the latest began */
    _Atomic int probing[CIRCUITS_MAX]; /* probes under way */
    _Atomic int most;                  /* the most there ever were of one circuit */
} dependency;

typedef struct host_orders {
    _Atomic bool quit;
    _Atomic int period_us;  /* between calls; 0: none */
    _Atomic uint64_t calls; /* to be made at once, whatever the period */
    _Atomic bool egress;    /* broken: whatever it calls fails */
    _Atomic bool hold;      /* its next probe does not end until this is false again */
} host_orders;

typedef struct host_report {
    _Atomic uint64_t turn;                       /* grows as it lives */
    _Atomic int in_mode[SWG_FLEET_MODE_COUNT];   /* shards */
    _Atomic uint64_t went[SWG_FLEET_MODE_COUNT]; /* changes into each */
    _Atomic int views[3];   /* circuits: closed, open, half-open in the fleet */
    _Atomic int own_closed; /* circuits whose own breaker is */
    _Atomic int gates;      /* circuits with a gate */
    _Atomic int gate;       /* of the first circuit: enum swg_gate_mode */
    _Atomic int64_t gate_until_ns;
    _Atomic int64_t open_until_ns;            /* of its view, when it last opened */
    _Atomic uint64_t epoch;                   /* of its view */
    _Atomic uint64_t trips, reopened, closed; /* views: closed to open, half-open to open, closed */
    _Atomic int64_t closed_ns;                /* the last closing of the first circuit */
    _Atomic uint64_t errors[SWG_FLEET_ERROR_COUNT];
    _Atomic bool at_probe;                     /* of the fleet */
    _Atomic bool holding;                      /* and does not end it */
    _Atomic uint64_t calls, permitted, ramped; /* made; let through; turned away by the ramp */
    _Atomic uint64_t made;                     /* of the calls ordered */
} host_report;

typedef struct host {
    host_orders orders;
    host_report report;
} host;

typedef struct host_config {
    char url[128];
    uint64_t reporter;
    int circuits, shards, probes, calls_min, window_ms, recovery_ms;
    int lease_ms, ramp_ms, quarantine_ms, expiry_limit, fail_limit, stale_ms, local_ms, timeout_ms;
} host_config;

/* The whole life of a host; does not return. Exit code 0: all in order. */
void host_run(host *h, dependency *d, const host_config *config) __attribute__((noreturn));

#endif
