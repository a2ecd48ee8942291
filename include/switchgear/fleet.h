/* The fleet: circuits of the same name on many hosts decide together, through Redis.
 *
 * A client is bytes in, bytes out, next deadline: no socket, no clock, no thread. A transport (an
 * event loop, a thread, a test) carries its bytes over one or more links:
 *
 *     swg_fleet_connected(fleet, link, now)             the link is up, TLS included
 *     swg_fleet_tick(fleet, now)                        -> when to call it again
 *     swg_fleet_output(fleet, link, &bytes, &n)         -> what to send
 *     swg_fleet_sent(fleet, link, n)                    so much of it has gone
 *     swg_fleet_feed(fleet, link, bytes, n, now)        this came back
 *     swg_fleet_disconnected(fleet, link, now)          -> when to connect again
 *     swg_fleet_poll(fleet, &event)                     -> what the transport or operator must know
 *
 * Output may grow in any of these calls: ask swg_fleet_output() after each. On plain Redis all
 * shards travel on link 0. One more link, SWG_FLEET_EAR, only listens: it subscribes to what the
 * shards publish, so that news is fetched at once and not with the next exchange. Nothing depends
 * on it; in a Redis Cluster it may lead to any node. With Redis Cluster the transport keeps a link
 * a node and says which link leads to a shard's slot.
 *
 * The client's only effect on calls is each circuit's gate (gate.h). Whatever happens to Redis or
 * to the client, calls never wait for it. One client a panel, which swg_fleet_open() sees to; it
 * must be ticked in time.
 *
 * With no event loop to lend it, swg_fleet_run() (fleet_run.h) is the transport.
 *
 * All times are nanoseconds of the panel's clock, CLOCK_MONOTONIC. Except where another is named,
 * Threads: one thread at a time. */
#ifndef SWITCHGEAR_FLEET_H
#define SWITCHGEAR_FLEET_H

#include <switchgear/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct swg_fleet swg_fleet;

#define SWG_FLEET_SHARDS_MAX 256
#define SWG_FLEET_LINKS_MAX 64
#define SWG_FLEET_EAR SWG_FLEET_LINKS_MAX /* the number of the link that listens */
#define SWG_FLEET_SLOTS 16384             /* of a Redis Cluster */

/* 0 = default, SWG_NONE = off where that makes sense; only ever appended to. */
typedef struct swg_fleet_config {
    uint32_t size;
    uint32_t shards;      /* 16; 1 to 256. The same for every client of a namespace */
    const char *space;    /* "default"; the namespace, [A-Za-z0-9_.-]{1,32} */
    const char *host;     /* ""; first part of the reporter's name, for people. Of a longer one the
                             first 40 bytes; what is not in [A-Za-z0-9_.@-] becomes _ */
    uint64_t reporter;    /* the panel's own (gate.h): a client that follows another on the panel
                             counts as the same host. Else random, and never used before */
    uint32_t interval_ms; /* 50; 10 to 10 000: exchange so often, or seldomer if Redis says so */
    uint32_t stale_ms;    /* 300; at least 3 intervals: a reply owed for so long, no new probe */
    uint32_t local_ms;    /* 1 000; more than stale_ms: a reply owed for so long, on our own */
    uint32_t timeout_ms;  /* 500; 10 to 60 000: no reply to a request, the link is given up */
    uint32_t margin_ms;   /* 10 % of a lease, at least 1; 1 to half of lease_ms: leases end so much
                             earlier here, and never more than half of what was granted */
    uint32_t links;       /* shards, at most 64; 1 to 64: masters of a Redis Cluster at a time */
    uint32_t revision;    /* 1; to 2 147 483 647; SWG_NONE: offers none of its own. See below */
    const char *user;     /* NULL. What these three leave open swg_fleet_run() takes of its URL */
    const char *password; /* NULL: no AUTH is sent */
    uint32_t database;    /* 0; to 1 048 575: SELECT. A Redis Cluster has only 0 */

    /* The fleet's limits for each circuit. Window, rates, calls_min, probes and wait come from the
     * circuit's own configuration (a count window is one of 10 s here); times are kept to
     * lease <= wait, the window to 100 ms to 10 min, the wait to 10 ms to 1 h.
     *
     * They are one for all hosts and live in Redis: each host offers its own as `revision`, the
     * highest stays, of one revision the first. So hosts that are configured alike need none. A
     * change of limits takes hold with a higher revision than before, be it of a field here or of
     * swg_circuit_configure(), and wins as soon as the first host is opened with it. A host whose
     * limits are not those in force is told: SWG_FLEET_EVENT_LIMITS. */
    uint32_t quorum;        /* 2; 1 to 1 000: reporters that must see it bad. With 2, one host alone
                               never opens the fleet: its own breaker does what is needed */
    uint32_t cap;           /* 1 000; 1 to 1 000 000: calls of one reporter that count; at least
                               the circuit's calls_min, whatever is set */
    uint32_t fail_limit;    /* 2; 1 to 64: failed probes that open again */
    uint32_t expiry_limit;  /* 12; 1 to 1 000: probes lost that open again */
    uint32_t lease_ms;      /* 5 000; 10 to 60 000: a probe must be back by then */
    uint32_t ramp_ms;       /* 10 000; SWG_NONE; to 600 000 */
    uint32_t quarantine_ms; /* 10 000; SWG_NONE; to 3 600 000: who failed where the fleet passed */

    uint32_t entries_per_s; /* 12 000; 100 to 1 000 000: circuits reported a second by all clients
                               together, each of which takes its share (20 to 1 000). More for
                               shards that are spread over several masters */
    uint32_t reserved;
} swg_fleet_config;
#define SWG_FLEET(...) (&(swg_fleet_config){.size = sizeof(swg_fleet_config), __VA_ARGS__})

/* How a shard stands with Redis. */
#define SWG_FLEET_MODES(X)                                                                         \
    X(SWG_FLEET_JOINING, 0, "joining") /* no reply yet: circuits decide on their own */            \
    X(SWG_FLEET_FLEET, 1, "fleet")                                                                 \
    X(SWG_FLEET_STALE, 2, "stale")   /* a reply is owed for stale_ms: views hold, no new probes */ \
    X(SWG_FLEET_LOCAL, 3, "local")   /* for local_ms: open ones to their time, then on our own */  \
    X(SWG_FLEET_REJOIN, 4, "rejoin") /* back, or Redis is another, or emptied: saying all we know  \
                                      */
#define SWG_FLEET_MODE_COUNT 5

typedef enum swg_fleet_mode {
#define SWG_X(name, value, text) name = value,
    SWG_FLEET_MODES(SWG_X)
#undef SWG_X
} swg_fleet_mode;

/* What a circuit is in the fleet. */
typedef enum swg_fleet_state {
    SWG_FLEET_CLOSED = 0,
    SWG_FLEET_OPEN = 1,
    SWG_FLEET_HALF_OPEN = 2,
    SWG_FLEET_FORCED_OPEN = 3,
    SWG_FLEET_DISABLED = 4 /* the fleet has no say: each host's own breaker decides */
} swg_fleet_state;

/* What went wrong with an exchange. None of the first group ran on the server. */
#define SWG_FLEET_ERRORS(X)                                                                        \
    X(SWG_FLEET_NOSCRIPT, 0, "NOSCRIPT") /* loaded and sent again by itself */                     \
    X(SWG_FLEET_BUSY, 1, "BUSY")         /* another script runs too long */                        \
    X(SWG_FLEET_OOM, 2, "OOM")           /* maxmemory */                                           \
    X(SWG_FLEET_READONLY, 3, "READONLY") /* a replica: find the master */                          \
    X(SWG_FLEET_LOADING, 4, "LOADING")                                                             \
    X(SWG_FLEET_CLUSTERDOWN, 5, "CLUSTERDOWN")                                                     \
    X(SWG_FLEET_MASTERDOWN, 6, "MASTERDOWN")                                                       \
    X(SWG_FLEET_NOREPLICAS, 7, "NOREPLICAS") /* min-replicas-to-write */                           \
    X(SWG_FLEET_TRYAGAIN, 8, "TRYAGAIN")     /* the slot is moving */                              \
    X(SWG_FLEET_MOVED, 9, "MOVED")                                                                 \
    X(SWG_FLEET_ASK, 10, "ASK")                                                                    \
    X(SWG_FLEET_AUTH, 11, "AUTH")       /* NOAUTH, WRONGPASS, NOPERM */                            \
    X(SWG_FLEET_ARGUMENT, 12, "SWGARG") /* the script found an argument out of range */            \
    X(SWG_FLEET_VERSION, 13, "SWGVER")  /* the shard is of a newer schema */                       \
    X(SWG_FLEET_DATA, 14, "SWGDATA")    /* the shard holds values that are not ours */             \
    X(SWG_FLEET_OTHER, 15, "OTHER")                                                                \
    X(SWG_FLEET_NONSENSE, 16, "NONSENSE") /* a reply that no server of ours sends */               \
    X(SWG_FLEET_TIMEOUT, 17, "TIMEOUT")   /* no reply in timeout_ms */                             \
    X(SWG_FLEET_LOST, 18, "LOST")         /* the link broke: it may have run or not */
#define SWG_FLEET_ERROR_COUNT 19

typedef enum swg_fleet_error {
#define SWG_X(name, value, text) name = value,
    SWG_FLEET_ERRORS(SWG_X)
#undef SWG_X
} swg_fleet_error;

/* Stable words for logs and metrics; "unknown" out of range.  Threads: any. */
const char *swg_fleet_mode_name(swg_fleet_mode mode);
const char *swg_fleet_state_name(swg_fleet_state state);
const char *swg_fleet_error_name(swg_fleet_error error);

/* Is every field in its range, and do they go together? On SWG_EINVAL and SWG_ENEWER `*field` and
 * `*reason` (either may be NULL) name what is wrong; the strings are static.
 * Errors: SWG_EINVAL, SWG_ENEWER.  Threads: any. */
int swg_fleet_config_check(const swg_fleet_config *config, const char **field, const char **reason);

/* Opens a client on a panel, which must stay open longer. `seed` feeds jitter only. Circuits are
 * those of the panel, found as they appear. Strings of the configuration are copied.
 *
 * One client a panel: SWG_EBUSY if there is one already, whose process swg_gate_owner() tells. So
 * each worker of a prefork server may try, and again every few seconds: exactly one succeeds, and
 * after its death, or when it has not been ticked for SWG_GATE_CLAIM_MS, the next one who tries.
 * Open it in the process that runs it: after a fork it is still the parent's alone.
 * Errors: SWG_EINVAL, SWG_ENEWER (swg_fleet_config_check() says of what), SWG_ENOMEM, SWG_EBUSY,
 * SWG_EFULL (no process row). */
int swg_fleet_open(swg_fleet **fleet, swg_panel *panel, const swg_fleet_config *config,
                   uint64_t seed, int64_t now_ns);

/* Before closing: permits nobody took go back, no more are asked for, and shards with results have
 * an exchange at once. True: all that can be told has been; until then go on as ever, but no longer
 * than is worth it (200 ms, say). What is not told counts in the fleet as lost (expiry_limit) once
 * the leases run out: probes whose calls are under way, permits while there is no connection, and
 * everything if this is left out. What was reported of calls stays for its window, and the host is
 * counted as a reporter for some seconds more. swg_fleet_run() does this when it is told to stop.
 */
bool swg_fleet_leave(swg_fleet *fleet, int64_t now_ns);

/* Closes, and gives the panel back. Permits still in a gate go, and that gate with them; gates that
 * are open keep to their time. By who is not the panel's client, a child after a fork or one that
 * was replaced: only the memory is freed. */
void swg_fleet_close(swg_fleet **fleet);

/* ---- the transport's side ------------------------------------------------------------------ */

/* The link is up: the next bytes sent and fed are those of a new connection. AUTH and SELECT, where
 * they are needed, go first, and nothing else before they were answered.
 * Errors: SWG_EINVAL (no such link, or it is up); SWG_ENOMEM: it is not the client's, close it and
 * say so with swg_fleet_disconnected(). */
int swg_fleet_connected(swg_fleet *fleet, uint32_t link, int64_t now_ns);

/* The link is down; what was under way on it is lost. Returns the time to connect again: within a
 * second, spread over it; after a link that was given up, after a wait that doubles from 200 ms to
 * 5 s. */
int64_t swg_fleet_disconnected(swg_fleet *fleet, uint32_t link, int64_t now_ns);

/* Bytes that came in; any cut is fine. SWG_EPROTO: they make no sense; close the link, and say so
 * with swg_fleet_disconnected(). Errors: SWG_EINVAL, SWG_EPROTO, SWG_ENOMEM. */
int swg_fleet_feed(swg_fleet *fleet, uint32_t link, const void *bytes, size_t count,
                   int64_t now_ns);

/* What waits to be sent; 0 bytes: nothing. Valid until the next call of any function here. */
void swg_fleet_output(const swg_fleet *fleet, uint32_t link, const char **bytes, size_t *count);

/* The first `count` bytes of it were sent. */
void swg_fleet_sent(swg_fleet *fleet, uint32_t link, size_t count);

/* Does what is due; returns when to call again. Calling earlier does no harm. */
int64_t swg_fleet_tick(swg_fleet *fleet, int64_t now_ns);

/* The slot of a shard in a Redis Cluster, and the shard of a circuit. */
uint32_t swg_fleet_slot(const swg_fleet *fleet, uint32_t shard);
uint32_t swg_fleet_shard(const swg_fleet *fleet, const char *circuit);

/* From here on a shard's exchanges travel on `link` (all on link 0 until told otherwise).
 * Errors: SWG_EINVAL. */
int swg_fleet_route(swg_fleet *fleet, uint32_t shard, uint32_t link);

/* The next exchange of a shard travels on `link`, once, with ASKING before it: the answer to
 * SWG_FLEET_EVENT_ASK.  Errors: SWG_EINVAL. */
int swg_fleet_route_once(swg_fleet *fleet, uint32_t shard, uint32_t link);

/* ---- events -------------------------------------------------------------------------------- */

typedef enum swg_fleet_event_kind {
    SWG_FLEET_EVENT_GIVE_UP = 1,  /* close `link`, then swg_fleet_disconnected(): it is too slow
                                     (`value` SWG_FLEET_TIMEOUT), or AUTH or SELECT was refused:
                                     `value` and `text` as in the error that is told too */
    SWG_FLEET_EVENT_MOVED = 2,    /* `shard` (slot) lives at `text` "host:port": route it */
    SWG_FLEET_EVENT_ASK = 3,      /* the same for one exchange: route it once */
    SWG_FLEET_EVENT_READONLY = 4, /* `link` leads to a replica: find the master */
    SWG_FLEET_EVENT_MODE = 5,     /* `shard` went to mode `value` */
    SWG_FLEET_EVENT_ERROR = 6,    /* an exchange of `shard` failed: `value` is enum swg_fleet_error,
                                     `text` the server's words. First of its kind in a row only.
                                     `shard` SWG_NONE: a command of the link's own was refused,
                                     once a connection: "SELECT: ERR DB index is out of range",
                                     AUTH, ASKING, SCRIPT LOAD; on SWG_FLEET_EAR SUBSCRIBE, which
                                     is said again every second */
    SWG_FLEET_EVENT_ORDER = 7,    /* order `value` was carried out (`epoch`), or not: `error` */
    SWG_FLEET_EVENT_LIMITS = 8,   /* limits of a circuit of `shard` are others here than those in
                                     force in the fleet: `text` names it, the first field that
                                     differs and both values. `value` is our revision, `epoch` that
                                     of the fleet's. Once, until either changes */
    SWG_FLEET_EVENT_REPLACED = 9  /* it was not ticked for so long that another client has the
                                     panel, or it is the copy of a parent's: this one does
                                     nothing any more, close it */
} swg_fleet_event_kind;

typedef struct swg_fleet_event {
    uint32_t kind;
    uint32_t shard;
    uint32_t link;
    uint32_t slot;
    uint32_t value;
    int32_t error; /* SWG_OK, SWG_EPROTO: refused, `text` says why, or lost on its way; SWG_ESYS:
                      not sent */
    uint64_t epoch;
    char text[128];
} swg_fleet_event;

/* The next event not polled yet; false: none. First those that something must be done about, which
 * are never lost: REPLACED; GIVE_UP and READONLY until the link is down, the last MOVED or ASK of
 * each shard, the answer to each order. Then MODE, ERROR and LIMITS, the oldest first; of these 64
 * are kept, then the oldest are dropped. */
bool swg_fleet_poll(swg_fleet *fleet, swg_fleet_event *event);

/* ---- asking Redis first -------------------------------------------------------------------- */

/* Wants the next exchange of this circuit's shard at once, whatever the pace, with word of this
 * circuit in it and a wish for a permit unless it is closed. Returns a ticket; 0: there is no such
 * circuit here. What callers use is fleet_strict.h. */
uint64_t swg_fleet_ask(swg_fleet *fleet, const char *circuit, int64_t now_ns);

/* Has an exchange that began after the ticket was given come back? 1: yes, and the circuit's gate
 * says so. 0: not yet. -1: it failed, or none will be sent soon: no connection, no memory, or the
 * wait after an error. */
int swg_fleet_answered(const swg_fleet *fleet, const char *circuit, uint64_t ticket);

/* ---- operators ----------------------------------------------------------------------------- */

/* Orders a circuit of the whole fleet SWG_FLEET_FORCED_OPEN or SWG_FLEET_DISABLED for `ttl_ms`
 * (1 000 to 30 days), or SWG_FLEET_CLOSED (ttl 0). `who` and `reason` are printable, 1 to 120
 * bytes, and kept in Redis. The answer is an event with the number this returns (1 and up); without
 * a connection it comes after 10 s and is SWG_ESYS.
 * Errors: SWG_EINVAL, SWG_EFULL (8 orders are under way, or their answers not polled yet),
 * SWG_EBUSY (another client has the panel). */
int swg_fleet_order(swg_fleet *fleet, const char *circuit, swg_fleet_state state, int64_t ttl_ms,
                    const char *who, const char *reason);

/* ---- looking ------------------------------------------------------------------------------- */

/* A histogram: up to 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500 ms, and longer. */
#define SWG_FLEET_BUCKETS 11

/* Snapshots are written whole and grow only into their `reserved`, so their size stays. */
typedef struct swg_fleet_snapshot {
    uint32_t size; /* written: sizeof(swg_fleet_snapshot) */
    uint32_t shards;
    uint32_t modes[SWG_FLEET_MODE_COUNT]; /* shards in each */
    uint32_t circuits;                    /* known to the client */
    uint64_t reporters;   /* clients alive, as the fullest shard says; 0: not known */
    int64_t last_sync_ns; /* of the shard that waits longest; 0: one never had any */
    uint64_t exchanges;   /* answered */
    uint64_t entries;     /* circuits reported in them */
    uint64_t bytes_in, bytes_out;
    uint64_t granted;     /* permits for probes */
    uint64_t probes[3];   /* results reported: failed, passed, unused */
    uint64_t transitions; /* of views */
    uint64_t claims;      /* views told to a server that may not have them */
    uint64_t errors[SWG_FLEET_ERROR_COUNT];
    uint64_t dropped_events;
    uint64_t hints;   /* heard on the ear, of changes not known yet */
    uint64_t hurried; /* exchanges made before their time: for a hint, a breaker that opened, what a
                         probe brought */
    uint64_t took_ns; /* all answered exchanges together */
    uint64_t buckets[SWG_FLEET_BUCKETS]; /* answered exchanges by how long they took */
    uint64_t limits_differ;              /* circuits whose limits here are not those in force */
    uint64_t reserved[17];
} swg_fleet_snapshot;

typedef struct swg_fleet_shard_snapshot {
    uint32_t shard, slot, link;
    uint32_t mode; /* enum swg_fleet_mode */
    uint64_t reporters;
    int64_t since_ns;      /* in this mode */
    int64_t last_sync_ns;  /* 0: never */
    int64_t round_trip_ns; /* of the last exchange */
    int64_t pace_ns;       /* as the server says */
    char server[41];       /* run id */
    char reserved[39];
} swg_fleet_shard_snapshot;

typedef struct swg_fleet_circuit_snapshot {
    uint32_t shard;
    uint32_t state;   /* enum swg_fleet_state */
    uint64_t epoch;   /* 0: no history in the fleet */
    int64_t since_ns; /* when this view was taken */
    int64_t until_ns; /* OPEN, FORCED_OPEN, DISABLED; CLOSED: end of the ramp. 0: none */
    uint32_t leases;  /* permits granted and not yet accounted for */
    uint32_t results; /* not yet acknowledged */
    uint64_t calls, failures, slow; /* what we last said of it */
    int64_t wait_ns;                /* no permits before (hold-off, quarantine); 0: none */
    int64_t quarantine_ns;
    uint32_t revision;      /* of the limits in force, as far as we know; 0: the defaults */
    uint32_t limits_differ; /* 1: ours are others */
    uint32_t cause; /* enum swg_cause: why it came to this state; of no history 0. One that a newer
                       client told Redis is "unknown" to swg_cause_name() */
    uint32_t reserved_cause;
    uint64_t reserved[2];
} swg_fleet_circuit_snapshot;

#ifndef __cplusplus
_Static_assert(sizeof(swg_fleet_snapshot) == 544 && sizeof(swg_fleet_shard_snapshot) == 136 &&
                   sizeof(swg_fleet_circuit_snapshot) == 112,
               "snapshots grow into what is reserved");
#endif

/* Errors: SWG_EINVAL; SWG_ENOENT (no such circuit here). */
int swg_fleet_read(const swg_fleet *fleet, swg_fleet_snapshot *snapshot);
int swg_fleet_read_shard(const swg_fleet *fleet, uint32_t shard,
                         swg_fleet_shard_snapshot *snapshot);
int swg_fleet_read_circuit(const swg_fleet *fleet, const char *circuit,
                           swg_fleet_circuit_snapshot *snapshot);

/* The client and what it knows of the fleet as Prometheus text, as snprintf writes: returns the
 * bytes it takes, without the final NUL, however many of them fit. `wall_ms` is CLOCK_REALTIME in
 * milliseconds, for timestamps. The families are listed in docs/design/fleet-metrics.md. */
size_t swg_fleet_metrics_write(const swg_fleet *fleet, int64_t now_ns, int64_t wall_ms,
                               char *buffer, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
