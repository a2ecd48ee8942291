/* What the client's files share. The public side and the rules of use: switchgear/fleet.h; what it
 * does and why: docs/design/fleet-client.md.
 *
 *     client.c          opening, ticking, circuits found
 *     client_config.c   defaults, ranges, names
 *     client_link.c     bytes, replies expected, links lost
 *     client_event.c    what is polled
 *     client_ear.c      hints: exchanges before their time
 *     client_ask.c      exchanges somebody waits for
 *     client_request.c  what is said in an exchange
 *     client_parse.c    what came back, checked before anything is believed
 *     client_apply.c    what it changes: views, grants
 *     client_limits.c   limits: offered, in force, different
 *     client_probe.c    leases: from grant to acknowledged result
 *     client_sample.c   windows out of counters that only grow
 *     client_gate.c     the view and the mode as a gate
 *     client_mode.c     the state machine of a shard
 *     client_error.c    refusals of the server
 *     client_order.c    operators
 *     client_read.c     snapshots and names
 *     client_metrics.c  all of it as Prometheus text
 *
 * Times inside are nanoseconds; on the wire microseconds. */
#ifndef SWG_FLEET_CLIENT_H
#define SWG_FLEET_CLIENT_H

#include "fleet/reader.h"
#include "fleet/wire.h"

#include <switchgear/fleet.h>
#include <switchgear/switchgear.h>
#include <switchgear/gate.h>

#define MS INT64_C(1000000)
#define US INT64_C(1000)
#define NEVER INT64_MAX
#define CLIENT_PROBE_WATCH_NS (10 * MS) /* so often is looked for results while probes are out */

enum {
    CLIENT_SLOTS = 10, /* of a window */
    CLIENT_LEASES = SWG_STEP_RESULTS,
    CLIENT_WANT = 8,
    CLIENT_ENTRIES = 64, /* of a request: a quarter of what may be, for others wait meanwhile */
    CLIENT_EVENTS = 64,
    CLIENT_ORDERS = 8,
    CLIENT_SPACE = 32,
};

/* Counters at one moment. */
struct client_sample {
    int64_t at;
    uint64_t calls, failures, local, slow, ended;
    uint32_t inflight;
};

/* The sums of one window: absolute, so that saying them twice is saying them once. */
struct client_sums {
    int64_t n, f, s, l; /* f without those of local origin */
};

struct client_window {
    struct client_sample ring[CLIENT_SLOTS + 1];
    int first, count;
};

enum { LEASE_FREE, LEASE_IDLE, LEASE_OUT, LEASE_DONE }; /* in this order */

struct client_lease {
    int64_t seq, deadline;
    int64_t sent; /* the request its result went with; 0: none yet */
    uint8_t state, index, outcome;
};

struct client_circuit {
    swg_circuit *circuit;
    char name[SWG_STEP_NAME];
    uint32_t shard;

    /* The view: what the fleet last said. */
    int64_t epoch;
    int state;
    int cause;          /* enum swg_cause, or one of a newer library's */
    bool known;         /* the fleet has said something of it */
    int64_t since;      /* when we took it */
    int64_t until;      /* end of OPEN, FORCED, DISABLED */
    int64_t ramp_until; /* CLOSED: traffic comes back until then */
    int64_t thin_from;  /* LOCAL: on our own since then; 0: not yet */

    /* Limits. */
    int64_t rev;
    bool offer, sent_offer;        /* to be told to Redis; was in the request under way */
    bool differed;                 /* that ours are not the fleet's has been said */
    struct swg_step_config own;    /* what this host offers */
    struct swg_step_config config; /* in force for the fleet, as far as we know */
    int64_t slow;                  /* of the circuit itself; 0: off */

    /* Evidence. */
    struct client_window window;
    struct client_sums sums;            /* now */
    struct client_sums told, sent_sums; /* acknowledged; in the request under way */
    bool told_open, is_open, sent_open; /* the circuit's own breaker */
    int64_t told_at;

    /* Probes. */
    struct client_lease lease[CLIENT_LEASES];
    uint32_t round, given; /* permits in the gate, as last seen */
    int64_t hold_until;    /* permits nobody took go back then */
    int unused;            /* grants given back in this period */
    bool failed;           /* a probe of ours did, in this period */
    uint64_t refused, told_refused, sent_refused;
    int64_t refused_at, turned_at; /* last call turned away; when the fleet last opened or closed */
    int64_t longest;               /* between two calls turned away since */
    int64_t wait_until, quarantine_until;

    /* The request under way. */
    bool claim; /* say what we know, whether or not there is news */
    bool asked; /* the same, and somebody waits for the answer */
    bool wish;  /* for a permit: somebody asks who will call */
    int64_t sent_seq, sent_epoch;
    int sent_want;
    int need;
};

struct client_shard {
    uint32_t number, slot, link, once; /* once: a link, or SWG_NONE */
    char tag[64];
    swg_fleet_mode mode;
    int64_t mode_since, started, last_sync, due, upkeep;
    int64_t owed; /* since when a reply is; 0: none */
    int64_t pace, round_trip;
    int64_t cursor, reporters;
    char server[41];
    bool inflight;
    bool sent_once;     /* the request under way, or the last: by a link for it alone */
    uint32_t sent_link; /* the link it went by */
    bool rush;          /* exchange again as soon as it may be */
    bool again;         /* at once: somebody asked */
    uint64_t asked, sent_ask, answered, failed; /* tickets */
    int64_t seq, sent_at, sent_cursor;          /* of the request under way */
    int64_t heard, hurried; /* latest epoch published; last exchange before its time */
    int entries;
    unsigned errors; /* in a row */
    int last_error;
    swg_fleet_event redirect; /* MOVED or ASK, the last, until it is polled */
    uint32_t *circuits, count, room, turn;
};

enum {
    EXPECT_SYNC,
    EXPECT_ORDER,
    EXPECT_AUTH,
    EXPECT_SELECT,
    EXPECT_ASKING,
    EXPECT_LOAD,
    EXPECT_CHANNELS,
    EXPECT_PONG
};

struct client_expect {
    int kind;
    uint32_t which; /* shard or order */
    int64_t at;
};

struct client_link {
    bool up, gave_up, readonly;
    bool late;         /* no reply in timeout_ms */
    unsigned greets;   /* answers to AUTH and SELECT still to come: nothing else is sent before */
    unsigned told;     /* commands refused, of which that was said: bits by EXPECT_ */
    unsigned failures; /* given up on in a row */
    int64_t heard;     /* the last reply */
    swg_fleet_event give_up, replica; /* until polled */
    swg_reader reader;
    char *out;
    size_t out_used, out_room, out_sent;
    struct client_expect *expect;
    uint32_t first, count;
    uint32_t loads; /* scripts on their way */
};

/* Is it one to send exchanges by? */
static inline bool swg__client_ready(const struct client_link *link)
{
    return link->up && !link->gave_up && link->greets == 0;
}

enum { ORDER_FREE, ORDER_WAITS, ORDER_SENT, ORDER_ANSWERED };

struct client_order {
    int state;
    uint32_t number, shard;
    int64_t due, first; /* when to send it, and when that was tried first */
    bool asks;          /* its slot is moving: to go where an exchange was sent on to */
    struct swg_step_order order;
    swg_fleet_event answer; /* until polled */
};

struct swg_fleet {
    swg_panel *panel;
    uint64_t claim; /* of the panel; 0: not claimed yet */
    bool replaced;  /* another client has it */
    swg_fleet_config config;
    char space[CLIENT_SPACE + 1], reporter[SWG_STEP_NAME];
    char *user, *password;
    uint64_t random;
    uint64_t causes[SWG_CAUSE_COUNT + 1]; /* of transitions; the last: of those we do not know */
    int64_t seq, rescan;
    int64_t phase; /* when rounds began */
    uint64_t salt;
    int64_t words, words_at; /* entries there is leave for, in thousandths, and since when */
    uint64_t journal;        /* read so far */
    bool probing;            /* there may be leases */
    int64_t opened, watch, ping;
    uint32_t channels; /* confirmed on the ear */
    bool deaf;         /* they were refused: asked for again */
    struct client_circuit **circuits;
    uint32_t count, room;
    uint32_t *table, table_size; /* number + 1 by hash of the name */
    struct client_shard *shards;
    struct client_link *links; /* and after them the ear */
    uint32_t expect_room;
    struct client_order orders[CLIENT_ORDERS];
    uint32_t order_number;
    swg_fleet_event events[CLIENT_EVENTS];
    uint64_t events_head, events_tail;
    swg_fleet_event end; /* REPLACED, until polled */
    bool pressing;       /* something is to be polled that is in none of `events` */
    swg_fleet_snapshot stats;
    struct swg_wire wire;
    struct swg_step_request request;
    struct swg_step_reply reply;
};

static inline int64_t swg__client_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t swg__client_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* A time as the gate takes it. */
static inline int64_t swg__client_until(int64_t until)
{
    return swg__client_max(swg__client_min(until, SWG_GATE_UNTIL_MAX_NS), 0);
}

/* client.c */
uint64_t swg__client_random(swg_fleet *fleet, uint64_t below);
struct client_circuit *swg__client_find(const swg_fleet *fleet, const char *name);
bool swg__client_rules(swg_fleet *fleet, int64_t now); /* false: this client is done for */

/* client_event.c */
void swg__client_event(swg_fleet *fleet, const swg_fleet_event *event);
/* Never lost: it waits in its own place, where only a later one can take its place. */
void swg__client_press(swg_fleet *fleet, swg_fleet_event *place, const swg_fleet_event *event);

/* client_config.c */
int swg__client_settle(swg_fleet *fleet, const swg_fleet_config *config);
bool swg__client_is_space(const char *text);
uint32_t swg__client_crc16(const char *text, size_t length);

/* client_link.c: all but the public part */
struct client_link *swg__client_link(const swg_fleet *fleet, uint32_t number); /* NULL: no such */
bool swg__client_put_words(swg_fleet *fleet, uint32_t link, int kind, const char *const *words,
                           int64_t now); /* false: as below */
int swg__client_links_open(swg_fleet *fleet);
void swg__client_links_close(swg_fleet *fleet);
/* The command in fleet->wire goes out; its answer is expected. False: no room, nothing was done. */
bool swg__client_put(swg_fleet *fleet, uint32_t link, int kind, uint32_t which, int64_t now);
void swg__client_load_scripts(swg_fleet *fleet, uint32_t link, int64_t now);
int64_t swg__client_link_tick(swg_fleet *fleet, uint32_t link, int64_t now);

/* client_ear.c */
void swg__client_hurry(swg_fleet *fleet, struct client_shard *shard, int64_t now);
void swg__client_heard(swg_fleet *fleet, struct client_shard *shard, int64_t now);
bool swg__client_subscribe(swg_fleet *fleet, int64_t now); /* false: no room */
bool swg__client_hint(swg_fleet *fleet, const redisReply *reply, int64_t now);
int64_t swg__client_ear_tick(swg_fleet *fleet, int64_t now);
int64_t swg__client_watch(swg_fleet *fleet, int64_t now);

/* client_ask.c: as swg_fleet_ask(), but nobody will call, so no permit is wished for */
uint64_t swg__client_tell(swg_fleet *fleet, const char *circuit, int64_t now);
void swg__client_ask_sent(const swg_fleet *fleet, struct client_shard *shard);
void swg__client_ask_done(struct client_shard *shard, bool answered, int64_t now);

/* client_request.c */
void swg__client_exchange(swg_fleet *fleet, struct client_shard *shard, int64_t now);

/* client_parse.c: false: not a reply of ours */
bool swg__client_parse(const redisReply *from, struct swg_step_reply *to);
bool swg__client_number(const redisReply *r, int64_t min, int64_t max, int64_t *value);

/* client_apply.c */
void swg__client_apply(swg_fleet *fleet, struct client_shard *shard, int64_t now);

/* client_limits.c */
void swg__client_limits_look(const swg_fleet *fleet, struct client_circuit *c,
                             const swg_circuit_config *config);
void swg__client_limits_take(struct client_circuit *c, const struct swg_step_offer *o);
bool swg__client_limits_differ(const swg_fleet *fleet, const struct client_circuit *c);
void swg__client_limits_tell(swg_fleet *fleet);

/* client_probe.c */
void swg__client_collect(struct client_circuit *c, int64_t now, swg_gate_reading *reading);
void swg__client_withdraw(struct client_circuit *c, int64_t now);
void swg__client_leave(struct client_circuit *c, int64_t now);
void swg__client_retire(const struct client_circuit *c);
void swg__client_granted(swg_fleet *fleet, struct client_circuit *c, const struct swg_step_grant *g,
                         int64_t sent_at, int64_t now);
int swg__client_results(struct client_circuit *c, int64_t seq, struct swg_step_entry *entry);
bool swg__client_has_results(const struct client_circuit *c);
void swg__client_results_due(swg_fleet *fleet, int64_t now);
void swg__client_acknowledged(swg_fleet *fleet, struct client_circuit *c, int64_t seq);
int swg__client_wants(const struct client_circuit *c, int64_t now);
int swg__client_permits(const struct client_circuit *c, int64_t now, int64_t *deadline);
void swg__client_forget_leases(struct client_circuit *c);

/* client_sample.c */
void swg__client_window_restart(struct client_circuit *c, const swg_gate_reading *reading,
                                int64_t now);
void swg__client_window_add(struct client_circuit *c, const swg_gate_reading *reading, int64_t now);

/* client_gate.c */
void swg__client_publish(swg_fleet *fleet, struct client_circuit *c, int64_t now);
void swg__client_publish_all(swg_fleet *fleet, struct client_shard *shard, int64_t now);
bool swg__client_is_out(const struct client_shard *shard); /* no word from Redis to go by */

/* client_mode.c */
void swg__client_mode_tick(swg_fleet *fleet, struct client_shard *shard, int64_t now);
int64_t swg__client_mode_deadline(const swg_fleet *fleet, const struct client_shard *shard);
void swg__client_mode_set(swg_fleet *fleet, struct client_shard *shard, swg_fleet_mode mode,
                          int64_t now);
void swg__client_mode_reply(swg_fleet *fleet, struct client_shard *shard, bool more, int64_t now);
void swg__client_claim_all(swg_fleet *fleet, struct client_shard *shard);

/* client_error.c */
void swg__client_failed(swg_fleet *fleet, struct client_shard *shard, swg_fleet_error error,
                        const char *text, int64_t now);
void swg__client_refused(swg_fleet *fleet, struct client_shard *shard, uint32_t link,
                         const char *text, int64_t now);
swg_fleet_error swg__client_error_of(const char *text);

/* client_metrics.c */
void swg__client_metrics_took(swg_fleet *fleet, int64_t took);

/* client_order.c */
int64_t swg__client_order_tick(swg_fleet *fleet, int64_t now);
void swg__client_order_reply(swg_fleet *fleet, uint32_t which, uint32_t link,
                             const redisReply *reply, int64_t now);
void swg__client_order_lost(swg_fleet *fleet, uint32_t which);

#endif
