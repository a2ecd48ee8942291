/* The protocol of the fleet as one function: (shard, request) -> (shard, reply).
 *
 * Pure: no clock, no allocation, no I/O, fixed limits; the shard is a plain value that can be
 * copied, compared and thrown away. It is the reference the Lua script is held against, the store
 * of tests without Redis, and the judge of recorded exchanges. What each field means on the wire:
 * docs/design/fleet-wire.md. Times are microseconds since 1970, durations microseconds.
 *
 * Threads: none of these functions keeps anything; one shard is used by one thread at a time. */
#ifndef SWG_FLEET_STEP_H
#define SWG_FLEET_STEP_H

#include "fleet/rules.h"

#include <switchgear/types.h>

/* What the protocol allows. */
#define SWG_STEP_SCHEMA 1
#define SWG_STEP_NAME 64 /* with the final zero */
#define SWG_STEP_ENTRIES 256
#define SWG_STEP_RESULTS 16
#define SWG_STEP_WANT 64
#define SWG_STEP_PAGE 256
#define SWG_STEP_TEXT 121
#define SWG_STEP_CALLS INT64_C(10000000)
#define SWG_STEP_NUMBER INT64_C(9007199254740991) /* 2^53 - 1: what Lua counts exactly */

/* What this store holds: enough for tests, more is SWG_STEP_FULL. */
#ifndef SWG_STEP_CIRCUITS
#define SWG_STEP_CIRCUITS 12
#endif
#ifndef SWG_STEP_REPORTERS
#define SWG_STEP_REPORTERS 24
#endif

#define SWG_STEP_LEASES 64 /* the highest `probes` */

enum {
    SWG_STEP_DONE = 0,
    SWG_STEP_ARG = -1,     /* an argument out of range: nothing was written */
    SWG_STEP_VERSION = -2, /* the shard is of another schema: nothing was written */
    SWG_STEP_FULL = -3     /* beyond this store's limits: nothing was written */
};

enum { SWG_STEP_FAILED, SWG_STEP_OK, SWG_STEP_UNUSED };

/* One order for struct, wire and range table. */
enum {
    SWG_CFG_WINDOW,
    SWG_CFG_CALLS_MIN,
    SWG_CFG_FAIL_PCT,
    SWG_CFG_SLOW_PCT,
    SWG_CFG_QUORUM,
    SWG_CFG_CAP,
    SWG_CFG_PROBES,
    SWG_CFG_NEED,
    SWG_CFG_FAIL_LIMIT,
    SWG_CFG_EXPIRY_LIMIT,
    SWG_CFG_OPEN,
    SWG_CFG_OPEN_MAX,
    SWG_CFG_LEASE,
    SWG_CFG_RAMP,
    SWG_CFG_QUARANTINE,
    SWG_CFG_COUNT
};

struct swg_step_config {
    int64_t v[SWG_CFG_COUNT];
};

struct swg_step_range {
    const char *name;
    int64_t min, max, fallback;
};

extern const struct swg_step_range swg_step_config_ranges[SWG_CFG_COUNT];

/* ---- request ---- */

struct swg_step_result {
    int64_t epoch, seq;
    int index, outcome;
};

struct swg_step_entry {
    char circuit[SWG_STEP_NAME];
    int64_t seq, epoch;
    int state;
    int64_t remaining, n, f, s, l;
    bool local_open;
    int want;
    int64_t rev;
    bool has_config;
    struct swg_step_config config;
    int results;
    struct swg_step_result result[SWG_STEP_RESULTS];
};

struct swg_step_request {
    int schema;
    char reporter[SWG_STEP_NAME];
    int64_t cursor;
    int entries;
    struct swg_step_entry entry[SWG_STEP_ENTRIES];
};

/* An operator's action on one circuit, for the whole fleet. */
struct swg_step_order {
    int schema;
    char circuit[SWG_STEP_NAME];
    int state; /* CLOSED, FORCED or DISABLED */
    int64_t ttl;
    char who[SWG_STEP_TEXT], reason[SWG_STEP_TEXT];
};

/* What a trip was judged by: the sums and hosts of that moment. All 0: no trip, or one this server
 * knows by a claim only. */
struct swg_step_trip {
    int cause; /* enum swg_cause: FAILURE_RATE, SLOW_RATE, VOTES */
    int64_t n, f, s, bad, votes, reporters;
};

/* ---- reply ---- */

struct swg_step_grant {
    char circuit[SWG_STEP_NAME];
    int64_t epoch, seq;
    int count;
    int64_t ttl, wait, quarantine;
};

struct swg_step_view {
    char circuit[SWG_STEP_NAME];
    int64_t epoch;
    int state;
    int64_t remaining, age;
    int backoff, cause;
    struct swg_step_trip trip;
};

struct swg_step_offer {
    char circuit[SWG_STEP_NAME];
    int64_t rev;
    bool stored;
    struct swg_step_config config;
};

struct swg_step_reply {
    int64_t now;
    char server[41];
    int64_t next;
    int64_t reporters;
    int64_t cursor;
    bool more;
    int grants, views, offers;
    struct swg_step_grant grant[SWG_STEP_ENTRIES];
    struct swg_step_view view[SWG_STEP_ENTRIES + SWG_STEP_PAGE];
    struct swg_step_offer offer[SWG_STEP_ENTRIES];
};

/* ---- the shard ---- */

struct swg_step_record { /* what one reporter says of one circuit */
    bool used;
    int64_t seq, n, f, s, l;
    bool bad, bad2, open;
    int64_t expiry;
};

struct swg_step_lease {
    bool used;
    int64_t epoch, seq, expiry;
    int reporter, index;
};

struct swg_step_half { /* one reporter in one half-open period */
    bool used, failed;
    int64_t seq, wait;
};

struct swg_step_ban {
    bool used;
    int64_t until;
    int level;
};

struct swg_step_circuit {
    char name[SWG_STEP_NAME];
    bool used, known; /* known: has a history, so it is in the state table and the changelog */
    int64_t epoch;
    int state;
    int64_t until;
    int backoff;
    int cause; /* enum swg_cause: of the last change of state */
    struct swg_step_trip trip;
    bool has_config;
    int64_t rev;
    struct swg_step_config config;
    int64_t n, f, s, l, bad, bad2, lrep, vote, vote2, rep; /* totals of rec[] */
    struct swg_step_record rec[SWG_STEP_REPORTERS];
    int64_t ps, pf, px;
    struct swg_step_half half[SWG_STEP_REPORTERS];
    struct swg_step_lease lease[SWG_STEP_LEASES];
    struct swg_step_ban ban[SWG_STEP_REPORTERS];
};

struct swg_step_shard {
    int schema; /* 0: fresh */
    char server[41];
    int64_t since, t, ep, gc;
    int64_t born; /* when it was empty */
    char reporter[SWG_STEP_REPORTERS][SWG_STEP_NAME];
    int64_t alive[SWG_STEP_REPORTERS]; /* until when; 0: not in the roster */
    struct swg_step_circuit circuit[SWG_STEP_CIRCUITS];
};

/* Runs one exchange at `now` on the server with run id `server`. `reply` is whole on SWG_STEP_DONE
 * and untouched otherwise. */
int swg_step_sync(struct swg_step_shard *shard, int64_t now, const char *server,
                  const struct swg_step_request *request, struct swg_step_reply *reply);

/* Carries out an operator's order; its epoch goes to *epoch. */
int swg_step_admin(struct swg_step_shard *shard, int64_t now, const char *server,
                   const struct swg_step_order *order, int64_t *epoch);

/* The checks alone: SWG_STEP_DONE or SWG_STEP_ARG. */
int swg_step_check(const struct swg_step_request *request);
int swg_step_check_order(const struct swg_step_order *order);
bool swg_step_config_ok(const struct swg_step_config *config);
void swg_step_config_default(struct swg_step_config *config);

#endif
