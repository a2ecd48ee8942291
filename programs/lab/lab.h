/* A stage at work: its child processes, what they reported, and where its story stands. */
#ifndef SWG_LAB_LAB_H
#define SWG_LAB_LAB_H

#include "../common/child.h"
#include "../common/cli.h"
#include "../common/output.h"
#include "machine.h"
#include "series.h"
#include "stage.h"
#include "standing.h"
#include "tally.h"

#include <switchgear/circuit.h>
#include <sys/types.h>

enum { PENDING_MAX = 64, LIVE_SLOTS = 6, MEMBERS_MAX = STAGE_INSTANCES + 3 };

typedef struct lab lab;
typedef struct world world;

typedef enum role { ROLE_SERVICE, ROLE_INSTANCE, ROLE_LOAD, ROLE_REDIS } role;

/* One child process. */
typedef struct member {
    child child;
    world *world;
    role role;
    int index; /* of an instance */
    uint16_t port;
    bool started, ready, dead;
    char label[32];
    swg_state state;  /* of an instance's circuit, by the last event: what its calls meet */
    int64_t until_ns; /* open: when it will be tried */
    standing standing;
    int64_t missed_ns, joined_ns; /* of a fleet: when it last went without Redis, and with it */
} member;

/* What the load generator said in one of its last few reports, and how many calls the service had
 * counted in one of its own. */
typedef struct live_slot {
    int64_t at_ns;
    uint64_t counts[LOAD_CLASSES];
    uint64_t waiting_max;
    histogram latency;
} live_slot;

typedef struct live_arrivals {
    int64_t at_ns;
    uint64_t calls;
} live_arrivals;

/* Stretches of the story whose calls are counted apart, while the service is well. */
typedef enum lab_span { SPAN_HEALTHY, SPAN_FROZEN, SPAN_GONE, SPAN_COUNT, SPAN_NONE } lab_span;

/* What the instances of a naive world have asked of it. */
typedef struct naive_counts {
    uint64_t calls, trips, errors, failures, counted, overwritten;
    histogram redis;
} naive_counts;

struct world {
    lab *lab;
    const stage_world *plan;
    member service, load, redis;
    member instances[STAGE_INSTANCES];
    char folder[REDIS_FOLDER_MAX]; /* of its Redis */
    live_slot live[LIVE_SLOTS];
    live_arrivals arrivals[LIVE_SLOTS];
    int live_at, arrivals_at;
    uint64_t service_changes, redis_changes, outage_calls;
    fault_kind fault;
    int rate_pct;
    tally tally;
    int64_t away_ns, back_ns; /* Redis could not be reached any more; it could again */
    int64_t together_ns;      /* all were in the fleet again */
    bool anew;                /* it came back empty: all have to tell it */
    bool flap_told;
    uint64_t told_epoch;  /* the fleet's last decision that was */
    swg_state told_state; /* of a naive breaker */
    span spans[SPAN_COUNT];
    series series;
    redis_counts redis_counts; /* so far; when the story began; when the first outage did */
    redis_counts redis_begun, redis_broken;
    naive_counts naive_counts, naive_broken;
    naive_counts by_instance[STAGE_INSTANCES];
};

/* A transition that is not told yet: others that came before it may still be on their way. */
typedef struct pending {
    member *member;
    swg_event event;
    bool told; /* together with one before it */
} pending;

typedef enum lab_phase {
    LAB_STARTING,
    LAB_HEALTHY,
    LAB_OUTAGE,
    LAB_RECOVERING,
    LAB_SETTLING, /* all closed; a moment for the last numbers */
    LAB_FREE,     /* after the script: whatever the keys say */
    LAB_OVER
} lab_phase;

struct lab {
    const cli_args *args;
    const stage *stage;
    stage_script script;
    fault_times times;
    swg_circuit_config config; /* of every circuit, defaults resolved */
    out out;
    bool json, once, keys;
    const char *report; /* its file; NULL: none, or it is written */
    uint64_t seed;
    int ports; /* base; 0: the usual ones */
    char program[512];
    world worlds[STAGE_WORLDS_MAX];
    int world_count;
    tally_summary summaries[2][STAGE_WORLDS_MAX]; /* of the outage, and of the encore's */

    int64_t start_ns;     /* of the story */
    int64_t end_ns;       /* of its last outage, all circuits closed again and a moment later */
    machine_time machine; /* when it began */
    lab_phase phase;
    int64_t next_ns;     /* when the script goes on */
    int act;             /* the next of the encore */
    bool encore;         /* it has begun */
    lab_span span;       /* calls that leave now belong to */
    lab_span span_ended; /* to be told at span_told_ns; 0: it was */
    int64_t span_told_ns;
    int64_t compare_ns;           /* when the worlds are compared next; INT64_MAX: not */
    int64_t states_ns;            /* when the states are shown, if they differ; INT64_MAX: not */
    int64_t shown_ns;             /* when they were shown last */
    pending pending[PENDING_MAX]; /* in order of their time */
    int pending_count;
    int load_phase;          /* what the load generators mark their calls with */
    bool by_hand;            /* somebody took the controls: the script is off */
    fault_kind chosen;       /* the kind of fault the next break is */
    int fault_now, rate_now; /* what the service was last told, or told by somebody else */
    bool trouble;            /* something died or did not recover: exit 1 */
    int ended_by;            /* signal, or 0 */
};

/* members.c: the processes */
uint16_t lab_service_port(const lab *l, const stage_world *plan);
uint16_t lab_redis_port(const lab *l, const stage_world *plan);
uint16_t lab_instance_port(const lab *l, const stage_world *plan, int index);
bool lab_ports_free(lab *l);
bool lab_has_redis(const lab *l);
bool lab_start_redis(lab *l); /* before the members that use it */
bool lab_start_members(lab *l);
bool lab_start_loads(lab *l);

/* Removes the names of shared panels; those who have them open keep them. */
void lab_forget_panels(lab *l);
size_t lab_members(lab *l, member **members); /* all that were started; room for every one */
void lab_stop_members(lab *l);
void lab_mark_phase(lab *l);
bool lab_all_ready(lab *l);

/* intake.c: what they report */
void lab_take_output(member *m);
void lab_notice_deaths(lab *l);

/* control.c: switching a part over its control path. False if it did not answer. */
bool control_post(uint16_t port, fault_kind fault, int rate_pct, json_t **answer);
bool control_redis(uint16_t port, const redis_order *order, json_t **answer);

/* script.c: the story's progress */
void lab_script_begin(lab *l, int64_t now_ns);
void lab_script_step(lab *l, int64_t now_ns);
void lab_break(lab *l, int64_t now_ns, fault_kind fault, int rate_pct);
void lab_heal(lab *l, int64_t now_ns);
/* Somebody else switched the service of one world: the others follow. */
void lab_follow(lab *l, world *from);
void lab_key(lab *l, int key, int64_t now_ns);

/* acts.c. Calls that leave in a span are counted apart; while none is on, they are not. */
void lab_next_phase(lab *l);
void lab_span_begin(lab *l, lab_span which, int64_t now_ns);
void lab_span_end(lab *l, int64_t now_ns);
void lab_span_step(lab *l, int64_t now_ns);
/* Tells every Redis there is, but the one that knows already, and the story. */
void lab_redis(lab *l, int64_t now_ns, const redis_order *order, const world *but);
void lab_redis_follow(lab *l, world *from, const redis_order *order);
/* Redis came back: tells when all hear from it, and whether anybody had missed it. */
void lab_notice_together(world *w, int64_t now_ns);
/* False: there is none. */
bool lab_encore_begin(lab *l, int64_t now_ns);
void lab_encore_step(lab *l, int64_t now_ns);

/* numbers of the last second */
typedef struct live_view {
    uint64_t counts[LOAD_CLASSES];
    uint64_t waiting_max;
    double service_per_s;
    int64_t p50_ns, p99_ns;
} live_view;
void lab_live_view(const world *w, int64_t now_ns, live_view *view);

#endif
