/* A fleet seen from outside, for operators: is this Redis fit for it, what does it hold, and orders
 * to all hosts. None of these functions joins the fleet. Each connects, does its work and hangs up,
 * all within one deadline; it blocks the calling thread meanwhile.
 *
 * Only swg_fleet_command() changes anything. swg_fleet_doctor() writes to keys of its own under the
 * namespace, swg1:{<space>:doctor-...}, deletes them, and they expire if it cannot.
 *
 * Errors, the same for all:
 *   SWG_EINVAL   the configuration or an argument; SWG_ENEWER, SWG_ENOMEM as usual
 *   SWG_ENOENT   nothing to talk to: nobody listens there, or what answers is no Redis
 *   SWG_EACCESS  refused: certificate, password, rights
 *   SWG_EPROTO   it answered what no server of ours answers, or holds data that is not ours
 *   SWG_ESYS     did not finish: the deadline passed or the connection broke
 * `trouble` of the configuration says more.  Threads: any; each call stands by itself. */
#ifndef SWITCHGEAR_FLEET_DOCTOR_H
#define SWITCHGEAR_FLEET_DOCTOR_H

#include <switchgear/fleet.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SWG_FLEET_TROUBLE_MAX 512

/* Which Redis, as whom, and which fleet in it. 0 or NULL = default; only ever appended to. */
typedef struct swg_fleet_redis {
    uint32_t size;
    uint32_t deadline_ms;  /* 5 000; 10 to 600 000: for all of it */
    const char *url;       /* required; see fleet_run.h */
    const char *user;      /* instead of the URL's */
    const char *password;  /* instead of the URL's */
    const char *ca_file;   /* TLS: PEM file of who may sign; NULL: the system's */
    const char *cert_file; /* TLS: ours, PEM; NULL: none */
    const char *key_file;
    const char *sentinel_user;     /* NULL: none */
    const char *sentinel_password; /* NULL: no AUTH is sent to sentinels */
    const char *space;             /* "default" */
    uint32_t shards; /* of the namespace, to 256; 0: as many as its hosts use. Where there are none
                        yet and little is stored, 16 */
    uint32_t reserved;
    char *trouble; /* NULL, or room for SWG_FLEET_TROUBLE_MAX bytes: why it failed, in words. After
                      SWG_OK "", or why less may have been seen than there is: a namespace with
                      nothing in it, other shards than hosts use, a circuit in two shards */
} swg_fleet_redis;
#define SWG_FLEET_REDIS(...) (&(swg_fleet_redis){.size = sizeof(swg_fleet_redis), __VA_ARGS__})

/* ---- is this Redis fit for a fleet? -------------------------------------------------------- */

typedef enum swg_fleet_severity {
    SWG_FLEET_FINE = 0,
    SWG_FLEET_NOTE = 1,    /* good to know */
    SWG_FLEET_WARNING = 2, /* it works, until something else goes wrong */
    SWG_FLEET_PROBLEM = 3  /* the fleet does not work, or loses what it must not lose */
} swg_fleet_severity;

/* What is looked at, in this order: sentinels, then each server there is, then what they store. A
 * check that cannot be made says so in a note. */
#define SWG_FLEET_CHECKS(X)                                                                        \
    X(SWG_FLEET_CHECK_REACH, 0, "reach")     /* it listens and speaks Redis */                     \
    X(SWG_FLEET_CHECK_TLS, 1, "tls")         /* the certificate is good for the host of the URL */ \
    X(SWG_FLEET_CHECK_AUTH, 2, "auth")       /* user and password */                               \
    X(SWG_FLEET_CHECK_VERSION, 3, "version") /* 6.2 or later */                                    \
    X(SWG_FLEET_CHECK_ROLE, 4, "role")       /* a master */                                        \
    X(SWG_FLEET_CHECK_CLUSTER, 5, "cluster") /* what the URL says it is */                         \
    X(SWG_FLEET_CHECK_RIGHTS, 6, "rights")   /* each command the fleet needs is tried */           \
    X(SWG_FLEET_CHECK_SCRIPTS, 7, "scripts") /* they load under the names we know */               \
    X(SWG_FLEET_CHECK_EXCHANGE, 8, "exchange") /* how long one takes */                            \
    X(SWG_FLEET_CHECK_EVICTION, 9, "eviction")                                                     \
    X(SWG_FLEET_CHECK_MEMORY, 10, "memory")                                                        \
    X(SWG_FLEET_CHECK_REPLICAS, 11, "replicas") /* and what it takes to write without them */      \
    X(SWG_FLEET_CHECK_PERSISTENCE, 12, "persistence")                                              \
    X(SWG_FLEET_CHECK_CLOCK, 13, "clock") /* informative: only durations cross the wire */         \
    X(SWG_FLEET_CHECK_SCRIPT_LIMIT, 14, "script-limit") /* when others are told BUSY */            \
    X(SWG_FLEET_CHECK_IDLE, 15, "idle")                 /* are idle connections cut? */            \
    X(SWG_FLEET_CHECK_SLOWLOG, 16, "slowlog")                                                      \
    X(SWG_FLEET_CHECK_SHARDS, 17, "shards")     /* what is stored, and who reports there */        \
    X(SWG_FLEET_CHECK_SCHEMA, 18, "schema")     /* not newer than ours */                          \
    X(SWG_FLEET_CHECK_DATA, 19, "data")         /* stored values are the fleet's */                \
    X(SWG_FLEET_CHECK_SENTINEL, 20, "sentinel") /* asked first */
#define SWG_FLEET_CHECK_COUNT 21

typedef enum swg_fleet_check {
#define SWG_X(name, value, text) name = value,
    SWG_FLEET_CHECKS(SWG_X)
#undef SWG_X
} swg_fleet_check;

/* One finding. The texts are good until the callback returns. */
typedef struct swg_fleet_finding {
    uint32_t check;    /* enum swg_fleet_check */
    uint32_t severity; /* enum swg_fleet_severity */
    const char *id;    /* of the check, static: "eviction" */
    const char *node;  /* which server, where there may be several: "10.0.0.5:6379"; else "" */
    const char *seen;  /* what was seen, one line */
    const char *fix;   /* what to do, line of redis.conf or command; "" if nothing need be done */
} swg_fleet_finding;

/* Looks, and tells of each check as it is made. Finding problems is no error, a certificate or
 * password that is refused included; SWG_ENOENT and SWG_ESYS come after a finding that says so. */
int swg_fleet_doctor(const swg_fleet_redis *redis,
                     void (*finding)(void *arg, const swg_fleet_finding *finding), void *arg);

/* Stable words: "fine", "note", "warning", "problem"; "unknown" out of range. */
const char *swg_fleet_severity_name(swg_fleet_severity severity);

/* ---- what does it hold? -------------------------------------------------------------------- */

/* What a circuit was judged by when it last opened by itself, as the sums of that moment: those of
 * all hosts, capped for each. Kept while it probes and opens again, and after it closed. */
typedef struct swg_fleet_trip {
    uint32_t cause; /* enum swg_cause: FAILURE_RATE, SLOW_RATE or VOTES. NONE: it never opened so,
                       or an order came since, or it opened where these data were not (CLAIM) */
    uint32_t bad;   /* reporters over a limit by themselves */
    uint32_t open;  /* reporters whose own breaker was open */
    uint32_t reporters; /* with calls in their window, or an open breaker */
    uint64_t calls, failures, slow;
} swg_fleet_trip;

/* A circuit as Redis holds it. Read with several commands, a moment apart. Times are milliseconds
 * since 1970 of the server's clock. */
typedef struct swg_fleet_status {
    uint32_t size;
    uint32_t known; /* 0: Redis knows nothing of this name; the rest is 0 */
    char name[SWG_NAME_MAX + 1];
    uint32_t shard;
    uint32_t state;     /* enum swg_fleet_state */
    uint64_t epoch;     /* 0: no transition ever */
    int64_t now_ms;     /* when it was read */
    int64_t since_ms;   /* of the last transition; 0: none */
    int64_t until_ms;   /* OPEN, FORCED_OPEN, DISABLED, else 0. Passed: the next exchange that has a
                           use for it moves on */
    uint32_t backoff;   /* OPEN: how often the wait was doubled, so the next */
    uint32_t revision;  /* of the limits; SWG_NONE: none stored, the defaults hold */
    uint32_t window_ms; /* limits in force */
    uint32_t calls_min;
    uint32_t failure_pct, slow_pct; /* 0: off */
    uint32_t quorum;
    uint32_t reporters; /* with calls in their window, or an open breaker */
    uint32_t bad;       /* of those: over a limit by themselves */
    uint32_t open;      /* of those: whose own breaker is open */
    uint64_t calls, failures, slow, local_failures; /* in the window, capped for each reporter */
    uint32_t leases;                                /* HALF_OPEN: probes out */
    uint32_t probes[3];                             /* HALF_OPEN: failed, passed, lost */
    uint32_t quarantined;                           /* reporters */
    uint32_t cause; /* enum swg_cause: why it came to its state; 0: no transition ever. Above what
                       we know: a newer library's */
    int64_t holdoff_until_ms; /* OPEN, HALF_OPEN: until then no probe is granted, since leases of
                           before a restart or failover may live; 0: no hold-off */
    int64_t
        ramp_until_ms; /* CLOSED: until then only a share of the calls is admitted; 0: no ramp */
    uint32_t reserved[2];
    swg_fleet_trip trip;
} swg_fleet_status;

/* Reads the circuits of these names, in this order, or with `count` 0 all of them, by name.
 * Circuits that never opened and have no limits stored are found by their evidence alone (SCAN). */
int swg_fleet_inspect(const swg_fleet_redis *redis, const char *const *names, size_t count,
                      void (*circuit)(void *arg, const swg_fleet_status *circuit), void *arg);

/* An operator's action. */
typedef struct swg_fleet_action {
    uint32_t size;
    uint32_t shard;
    int64_t at_ms; /* since 1970, the server's clock */
    uint64_t epoch;
    char circuit[SWG_NAME_MAX + 1];
    uint32_t from, to; /* enum swg_fleet_state */
    int64_t ttl_ms;
    char who[121], reason[121];
    char reserved[62];
} swg_fleet_action;

/* Reads the actions kept, the last 256 of each shard, oldest first. */
int swg_fleet_audit(const swg_fleet_redis *redis,
                    void (*action)(void *arg, const swg_fleet_action *action), void *arg);

/* ---- orders -------------------------------------------------------------------------------- */

/* As swg_fleet_order(), without a client: `*epoch` (may be NULL) is the circuit's new one. A
 * circuit Redis knows nothing of is made: look first. SWG_ESYS: it may have run. SWG_EPROTO from a
 * replica: `trouble` names its master. */
int swg_fleet_command(const swg_fleet_redis *redis, const char *circuit, swg_fleet_state state,
                      int64_t ttl_ms, const char *who, const char *reason, uint64_t *epoch);

#ifdef __cplusplus
}
#endif
#endif
