/* A small fleet for tests: honest clients, seeded, of one shard, whose exchanges are recorded as a
 * proxy would. The server is the step function, or whatever else takes a request.
 *
 * Time is the crowd's own, so a minute of it takes milliseconds. */
#ifndef SWG_SPEC_CROWD_H
#define SWG_SPEC_CROWD_H

#include "exchange.h"

#include "fleet/wire.h"

struct saved_shard;

#define CROWD_TAG "swg1:{crowd:0}"

enum { CROWD_CIRCUITS = 3, CROWD_CLIENTS = 8, CROWD_LEASES = 8, CROWD_PAST = 512 };

struct crowd_lease {
    struct swg_step_result result;
    int64_t deadline;
    bool used, done;
};

struct crowd_view {
    int64_t epoch, until, rev;
    int state;
    bool claim, offer;
    struct crowd_lease lease[CROWD_LEASES];
};

struct crowd_client {
    char name[SWG_STEP_NAME], server[41];
    int64_t seq, cursor, free_at;
    int connection;
    bool lame; /* its own network is broken */
    struct crowd_view view[CROWD_CIRCUITS];
};

struct crowd {
    uint64_t random;
    int64_t clock; /* us */
    char server[41];
    int clients;
    bool sick[CROWD_CIRCUITS];
    struct crowd_client client[CROWD_CLIENTS];
    struct swg_step_config config;
    int64_t rev;

    /* one in so many; 0: never */
    unsigned lose_request, lose_reply, silent, refuse, order;
    unsigned spread_us; /* between sending, running and answering */

    /* Runs a request at `now` on `server`: the reply, as recorded. */
    json_t *(*serve)(struct crowd *c, const struct swg_step_request *q,
                     const struct swg_step_order *o, int64_t now);
    void *context;
    struct swg_step_shard *shard; /* of the step function */
    struct saved_shard *past[CROWD_PAST];
    long ran;

    struct swg_wire wire;
    struct swg_step_request request;
    json_t *lines; /* in the order of their replies, once crowd_sort was called */
};

void crowd_open(struct crowd *c, uint64_t seed);
void crowd_close(struct crowd *c);
uint64_t crowd_below(struct crowd *c, uint64_t limit);
bool crowd_chance(struct crowd *c, unsigned one_in);

/* So many exchanges of random clients; dependencies fall sick and recover. */
void crowd_run(struct crowd *c, int exchanges);
void crowd_new_server(struct crowd *c);
/* Another server takes over, without the last `lost` exchanges. */
void crowd_fail_over(struct crowd *c, long lost);
void crowd_lose_all(struct crowd *c, bool other_server);
void crowd_sort(struct crowd *c);

/* The server it begins with. */
json_t *crowd_serve_step(struct crowd *c, const struct swg_step_request *q,
                         const struct swg_step_order *o, int64_t now);

/* One exchange as given, with the reply in *reply; `who` may be any name. Recorded. */
json_t *crowd_say(struct crowd *c, const char *who, int connection,
                  const struct swg_step_request *q);

#endif
