/* Exchanges made up by hand, in the wire's own words, with one shard of a real Redis. */
#ifndef BENCH_DESK_H
#define BENCH_DESK_H

#include "fleet/wire.h"
#include "redis.h"

enum { DESK_CIRCUITS = 64 }; /* as many as a client sends at once */

typedef struct desk {
    bench_redis redis;
    struct swg_wire wire;
    struct swg_step_request request;
    int64_t seq;
    int64_t now_us; /* 0: the server's own clock */
    int64_t epoch[DESK_CIRCUITS];
    int state[DESK_CIRCUITS];
    int64_t said[DESK_CIRCUITS]; /* the request that named it last */
    int grants;                  /* rows of the last reply */
} desk;

/* What an exchange says of circuit `i`; its name, number, epoch and state are filled in. */
typedef void (*desk_words)(const desk *d, int i, struct swg_step_entry *e);

/* False after saying what went wrong, as all of these; close it in either case. */
bool desk_open(desk *d);
void desk_close(desk *d);

bool desk_command(desk *d, const char *text);

/* Nothing in Redis, nothing known here. */
bool desk_clear(desk *d);

/* From here to the next desk_clear() time stands still, but for what is added to now_us. */
bool desk_hold_clock(desk *d);

/* As `reporter`, of the first `entries` circuits called `name`-0 and so on. Views are taken of
 * those called circuit. */
bool desk_exchange(desk *d, const char *reporter, const char *name, int entries, desk_words words);

/* True: an answer and no error; else says which. */
bool desk_fine(const redisReply *reply, const char *what);

#endif
