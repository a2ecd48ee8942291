/* A Redis or two, the proxy, hosts behind a route each, and patience with a limit. All of it lives
 * in a folder of its own and dies with the test. */
#ifndef FAULTS_STAGE_H
#define FAULTS_STAGE_H

#include "chaos.h"
#include "host.h"
#include "scratch.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <switchgear/gate.h>
#include <switchgear/switchgear.h>
#include <unistd.h>

#define MS INT64_C(1000000)

enum { REDIS_MAX = 2, PATIENCE_MS = 20000 };

/* 0: the default, which is in brackets. */
typedef struct stage_config {
    int hosts;         /* 3 */
    int circuits;      /* 1, named c0, c1, ... */
    int shards;        /* 1 */
    int probes;        /* 2, all of which must pass */
    int calls_min;     /* 10 */
    int window_ms;     /* 2 000 */
    int recovery_ms;   /* 500 */
    int lease_ms;      /* 300 */
    int ramp_ms;       /* none */
    int quarantine_ms; /* 200 */
    int expiry_limit;  /* 20 */
    int fail_limit;    /* 2 */
    int stale_ms;      /* 300; hosts are LOCAL after twice that */
    int most;          /* `probes`: fleet probes of one circuit ever seen at once */
    bool replica;      /* there will be one, so Redis has a port */
    bool clock;        /* Redis on a clock the test sets */
    const char *allow; /* what the checker may assume: "fresh", a shard was lost; "rollback", a
                          shard is an earlier one. NULL: neither */
    const char *url;   /* instead of a route of the proxy: no proxy, no Redis are started */
} stage_config;

typedef struct stage {
    stage_config config;
    char folder[SCRATCH_PATH], control[112], record[256];
    dependency *dependency;
    host *hosts; /* HOSTS_MAX */
    pid_t host_pid[HOSTS_MAX], redis_pid[REDIS_MAX], proxy;
    void (*meanwhile)(void); /* called again and again while the test waits; NULL: nothing */
    int64_t *clock_ns;       /* shift of Redis' clock, mapped */
    int port[REDIS_MAX];
} stage;

extern stage s;

/* Starts all of it; hosts make no calls yet, and are in FLEET when this returns. `name` is the
 * record's. */
void stage_begin(const char *name, const stage_config *config);

/* Heals everything and waits until all living hosts are in FLEET and closed, their own breakers
 * too. Then the books: no more probes at once than granted, all hosts end well, the checker agrees.
 */
void stage_end(void);

/* Ends everything, without that. */
void stage_stop(void);

void redis_start(int which);
void redis_signal(int which, int signal); /* SIGKILL is waited for */

/* A command by way of the route "admin", so that the record has it too. The caller frees. */
redisReply *redis_ask(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same to one of them, not by way of the proxy. */
redisReply *redis_tell(int which, const char *format, ...) __attribute__((format(printf, 2, 3)));
void redis_do(const char *command); /* fails the test on an error reply */
long long redis_number(const char *command);
/* A field of `HGET T:st c0`: 0 epoch, 1 state, 2 until, 3 backoff; -1: not there. */
long long redis_view(int field);
/* Its clock, in microseconds. */
long long redis_time_us(void);
/* The totals of what hosts say of c0: 0 calls, 1 failures; -1: nobody says anything. */
long long redis_total(int place);
#define T "swg1:{faults:0}"

void host_start(int i);
void host_kill(int i);
void host_signal(int i, int signal);

/* Commands for the proxy: "route <h...> " and this. */
void fault(int host, const char *command);
void fault_all(const char *command);
void fault_admin(const char *command);
const char *route_status(int host);
uint64_t route_count(int host, const char *key);

/* Ends a process and waits for it; 0 stays 0. */
void stage_end_process(pid_t *pid, int signal);
void stage_rest(int ms);

/* ---- conditions ---- */

/* Waits until condition() holds, at most PATIENCE_MS; meanwhile every host must live. */
#define UNTIL(...) stage_until(__VA_ARGS__, #__VA_ARGS__, __LINE__)
void stage_until(bool (*condition)(void), const char *words, int line);
/* What holds now has to hold for so long. */
void stage_hold(bool (*condition)(void), int ms, const char *words, int line);
#define HOLDS(condition, ms) stage_hold(condition, ms, #condition, __LINE__)

bool all_fleet(void);  /* hosts that live: every shard in FLEET */
bool all_local(void);  /* in LOCAL */
bool all_open(void);   /* the view of every circuit on every host */
bool all_closed(void); /* the same, their own breakers closed, no gate left */
bool all_views_closed(void);
bool all_well(void); /* in FLEET and closed */

void traffic(int period_us); /* for all hosts; 0: none */
void make_calls(int host, unsigned count);
bool calls_made(void);

/* The dependency breaks, and the fleet opens. */
void trip(void);

#define EACH_HOST(i)                                                                               \
    for (int i = 0; i < HOSTS_MAX; i++)                                                            \
        if (s.host_pid[i] > 0)

/* One row of docs/design/faults.md. */
typedef struct fault_row {
    const char *group, *row;
    void (*run)(void);
    const char *elsewhere; /* no run: the test that has it */
} fault_row;

/* Each ends with a row without a name. */
extern const fault_row host_rows[], network_rows[], redis_rows[], failover_rows[], partition_rows[],
    campaign_rows[];

/* In the main process, before and after all rows. */
void partition_prepare(void);
void partition_clean(void);

#endif
