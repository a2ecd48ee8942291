/* Plays a way through the model on a real store: the C step function, or the script on a Redis.
 *
 * A way is text, one event a line, as the model prints it (fleet.pml). The model's time, epochs,
 * lease ids and rows become microseconds, epochs, sequence numbers and reporters; after every
 * request the store must be where the model is. A failover is a copy taken earlier, under another
 * run id.
 *
 * Lines:
 *   set <name> <value>     probes, need, quorum, expiry_limit; before the first event
 *   mutant <name>          of mutants.txt: who is to follow to the end
 *   wrong                  the right store must not do what the next line says
 *   serve ... => ...       a request, and the server after it
 *   twice <i> row=<r>, late <i> row=<r>   a request of instance i comes once more, or only later
 *   due, expire <r>, release         the time of OPEN, of a lease, of the hold-off is over
 *   replicate, failover, crash <i>, forget; # a remark
 *
 * Threads: one replay is used by one thread. */
#ifndef SPEC_REPLAY_H
#define SPEC_REPLAY_H

#include "fleet/step.h"

#define REPLAY_ROWS 4
#define REPLAY_IDS 256
#define REPLAY_LEASE INT64_C(10000) /* and the length of OPEN */
#define REPLAY_START INT64_C(1790000000000000)

struct replay_state {
    int state;
    int64_t epoch, until, ps, px, since;
    int64_t lease[REPLAY_ROWS], expiry[REPLAY_ROWS]; /* sequence number of the row's lease, or 0 */
    bool bad[REPLAY_ROWS];
};

/* A store under test. `reset` leaves nothing but the highest epoch and the last server; `sync`
 * gives the permits granted, or -1 if it was refused. */
struct replay_store {
    void *self;
    void (*reset)(void *self, int64_t epoch, const char *server);
    int (*sync)(void *self, int64_t now, const char *server,
                const struct swg_step_request *request);
    void (*look)(void *self, struct replay_state *state);
    void (*replicate)(void *self);
    void (*failover)(void *self);
};

enum replay_end {
    REPLAY_AGREES,
    REPLAY_DIVERGES, /* at `line` */
    REPLAY_CUT,      /* at `line` real time forces an order that the model leaves open */
    REPLAY_BROKEN    /* the text is not one */
};

struct replay_result {
    enum replay_end end;
    int line, wrong; /* numbers of lines, from 1; wrong: the line marked so, or 0 */
    int requests;    /* that agreed */
    int after;       /* of these after a failover */
    char mutant[32];
    char why[160];
};

struct replay_result replay(const char *text, const struct replay_store *store);

/* The reporter of a row, and the epoch of one of the model. */
void replay_reporter(char name[SWG_STEP_NAME], int row);
int64_t replay_epoch(int ep);

/* The C step function as a store. The shard may be inspected; sync must be a swg_step_sync. */
struct replay_shard {
    int (*sync)(struct swg_step_shard *shard, int64_t now, const char *server,
                const struct swg_step_request *request, struct swg_step_reply *reply);
    struct swg_step_shard shard, replica;
};

struct replay_store replay_shard_store(struct replay_shard *shard);

#endif
