/* What every operator's function begins with: configuration, servers, greetings, shards.
 *
 *     doctor_visit.c   configuration, what errors mean, shards
 *     doctor_greet.c   one server: connection, user, database, PONG
 *     doctor_find.c    which servers: by URL, by sentinels, by a cluster's nodes
 *     doctor_doubt.c   what was meant may be another namespace, or other shards */
#ifndef SWG_FLEET_DOCTOR_VISIT_H
#define SWG_FLEET_DOCTOR_VISIT_H

#include "fleet/doctor_talk.h"

#include <switchgear/fleet_doctor.h>

enum { VISIT_TAG = 80, VISIT_ADDRESS = 280, VISIT_NODES = 64 };

typedef enum visit_greeting {
    GREETED,
    GREET_NO_TALK, /* talk.end says why */
    GREET_AUTH,    /* a password is wanted, or another */
    GREET_NOT_NOW  /* it speaks Redis, but refuses to work */
} visit_greeting;

/* A server that shards live on. */
typedef struct node {
    swg_fleet_address to;
    char address[VISIT_ADDRESS]; /* for people */
    talk talk;
    visit_greeting greeting;
    bool needless; /* a password was given to a server that wants none */
} node;

typedef struct visit {
    swg_fleet_redis config;
    swg_fleet_url url;
    const char *user, *password; /* NULL: none */
    const char *space;
    uint32_t shards;
    int64_t deadline_ns;
    node *nodes[VISIT_NODES];
    uint32_t count;
    uint8_t at[SWG_FLEET_SLOTS]; /* cluster: the node + 1 that has the slot; 0: nobody */
    int looked; /* SWG_EACCESS: what swg__visit_look() says of who is alive is not known */
    char why[SWG_FLEET_TROUBLE_MAX];
    char doubt[SWG_FLEET_TROUBLE_MAX];
} visit;

/* ---- doctor_visit.c ---- */

/* Takes the configuration over. SWG_EINVAL, SWG_ENEWER; visit->why says what is wrong with it. */
int swg__visit_begin(visit *v, const swg_fleet_redis *config);

/* All of it, for those who only want to know whether it worked: begins, finds and greets the
 * servers, counts the shards. */
int swg__visit_open(visit *v, const swg_fleet_redis *config);

/* Hangs up, and copies `why`, or `doubt` if it worked, to where the caller wants it. Returns
 * `result`. */
int swg__visit_close(visit *v, int result);

void swg__visit_why(visit *v, const char *what, const char *words);

/* What the end of a talk means to the caller; and of the first talk that ended. SWG_OK: none did.
 */
int swg__visit_end_of(visit *v, const node *n);
int swg__visit_ended(visit *v);

/* A reply that is not what was asked for, or none at all: the error, and visit->why. */
int swg__visit_refused(visit *v, const redisReply *reply, const char *what);

/* "swg1:{shop:3}", and the slot of what stands in its braces */
void swg__visit_tag(const visit *v, uint32_t shard, char tag[VISIT_TAG]);
uint32_t swg__visit_slot(const char tag[VISIT_TAG]);

uint32_t swg__visit_shard_of(const visit *v, const char *circuit);

/* Where a shard lives; NULL: nobody has its slot. */
node *swg__visit_node(const visit *v, uint32_t shard);

/* What is there of a shard: its schema, "" if there is none; and do hosts report to it? */
typedef struct visit_shard {
    char schema[20];
    bool alive;
} visit_shard;

/* Looks at all shards there can be; false: a talk ended. */
bool swg__visit_look(visit *v, visit_shard shards[SWG_FLEET_SHARDS_MAX]);

/* How many the hosts use: those that are alive tell. With none alive, what is stored does, unless
 * it has gaps, as where operators came before hosts; then `fallback` at least. */
uint32_t swg__visit_count(const visit_shard shards[SWG_FLEET_SHARDS_MAX], uint32_t fallback);

/* 1 to SWG_NAME_MAX printable characters without a space */
bool swg__is_name(const char *name);

/* ---- doctor_doubt.c ---- */

/* Keeps the first doubt there is. */
void swg__visit_doubt(visit *v, const char *why);

/* Is this what hosts use? */
void swg__visit_doubt_shards(visit *v, const visit_shard shards[SWG_FLEET_SHARDS_MAX]);

/* Is a circuit that is there in the shard where hosts look for it? */
void swg__visit_doubt_place(visit *v, const char *circuit, uint32_t shard);

/* ---- doctor_state.c ---- */

/* Numbers separated by bars, nothing else: how many there were; 0: more than `room`, or no such
 * text. */
int swg__read_numbers(const char *text, int64_t *values, int room);

/* A circuit's value in `<tag>:st`; false: it is not the fleet's. */
typedef struct visit_state {
    int64_t epoch, until_us;
    uint32_t state, backoff, cause;
    swg_fleet_trip trip;
} visit_state;
bool swg__read_state(visit_state *s, const char *text);

/* ---- doctor_audit.c ---- */

/* A row of the audit; false: it is not the fleet's. */
bool swg__read_action(swg_fleet_action *action, const char *row);

/* ---- doctor_greet.c ---- */

/* Connects, says who we are, asks for a PONG. visit->why says what came instead. */
visit_greeting swg__visit_greet(visit *v, node *n);
int swg__visit_greeted(visit *v, const node *n); /* what that means to the caller */

/* Only connects, to a sentinel: with its own password, and for a share of the time. */
visit_greeting swg__visit_greet_sentinel(visit *v, node *n, int64_t deadline_ns);

/* ---- doctor_find.c ---- */

/* One more server to visit; NULL: no memory, or too many. */
node *swg__visit_add(visit *v, const swg_fleet_address *to);

/* Hangs up on all of them, and forgets them. */
void swg__visit_drop(visit *v);

/* Puts the servers into nodes[], not greeted yet. SWG_OK, or visit->why. */
int swg__visit_find(visit *v);

/* Asks one sentinel where the master is. */
int swg__visit_ask_sentinel(visit *v, node *sentinel, swg_fleet_address *master);

#endif
