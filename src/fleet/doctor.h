/* What the doctor's files share.
 *
 *     doctor_talk.c     one conversation, one deadline
 *     doctor_visit.c    and what is below it (doctor_visit.h): servers, greetings, shards
 *     doctor.c          the round: which checks, in which order
 *     doctor_sentinel.c sentinels
 *     doctor_reach.c    reach, tls, auth
 *     doctor_server.c   version, role, cluster, memory, replicas, persistence
 *     doctor_config.c   script-limit, idle, clock, slowlog
 *     doctor_rights.c   each command that hosts and operators use, tried
 *     doctor_scripts.c  loading, and an exchange in a shard of the doctor's own
 *     doctor_data.c     what is stored
 *     doctor_list.c     which circuits there are
 *     doctor_inspect.c  each of them, for swg_fleet_inspect()
 *     doctor_audit.c    operators' actions, and orders */
#ifndef SWG_FLEET_DOCTOR_H
#define SWG_FLEET_DOCTOR_H

#include "fleet/doctor_visit.h"

enum { DOCTOR_TEXT = 640, DOCTOR_WORD = 120 };

typedef struct doctor {
    visit v;
    void (*finding)(void *arg, const swg_fleet_finding *finding);
    void *arg;
    char fix[DOCTOR_TEXT]; /* of the next finding */
    visit_shard shards[SWG_FLEET_SHARDS_MAX];
    node *node; /* the server looked at; NULL: all of them */

    /* What was found out about that server. */
    redisReply *info;    /* INFO, or what came instead */
    bool sentinel;       /* that was taken for a server: it stores nothing */
    bool replica;        /* nothing can be written there */
    bool config_refused; /* CONFIG GET: it does not say, or not to us */
    bool local;          /* the same host */
    bool lacks_rights;
    bool may_unlink;         /* what the doctor writes, it can take away */
    char scratch[VISIT_TAG]; /* a shard of the doctor's own, there */
    char user[DOCTOR_WORD];  /* as it names us */
    int64_t clock_offset_us; /* its clock less ours, at the first look */
    int64_t clock_error_us;  /* give or take */
} doctor;

/* What to do about the next finding; and that finding. */
void swg__doctor_fix(doctor *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void swg__doctor_say(doctor *d, swg_fleet_check check, swg_fleet_severity severity,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A field of INFO; false: it is not there. */
bool swg__doctor_info(const doctor *d, const char *field, char text[DOCTOR_WORD]);
int64_t swg__doctor_info_number(const doctor *d, const char *field); /* -1: not there */

/* A setting; false: it is not there, or we may not ask (config_refused). */
bool swg__doctor_setting(doctor *d, const char *name, char text[DOCTOR_WORD]);
int64_t swg__doctor_setting_number(doctor *d, const char *name);

int64_t swg__wall_us(void); /* CLOCK_REALTIME */

/* The server's clock less ours, in us, and how far that may be off. False: the talk ended. */
bool swg__doctor_clock(doctor *d, int64_t *offset_us, int64_t *error_us);

const char *swg__doctor_bytes(char text[DOCTOR_WORD], int64_t bytes); /* "1.5 GB" */

/* Asks all sentinels, and puts the master they name into the visit's nodes. */
int swg__doctor_sentinels(doctor *d);

/* Reach, tls, auth. What the doctor returns if *goes_on is not set. */
int swg__doctor_reach(doctor *d, bool *goes_on);

void swg__doctor_version(doctor *d);
void swg__doctor_role(doctor *d);
void swg__doctor_cluster(doctor *d);
void swg__doctor_rights(doctor *d);

/* The least rights of a host's user, as ACL SETUSER and redis.conf have them. */
const char *swg__doctor_rule(const doctor *d, char rule[DOCTOR_TEXT]);

void swg__doctor_scripts(doctor *d);
void swg__doctor_exchange(doctor *d);
void swg__doctor_eviction(doctor *d);
void swg__doctor_memory(doctor *d);
void swg__doctor_replicas(doctor *d);
void swg__doctor_persistence(doctor *d);
void swg__doctor_clock_check(doctor *d);
void swg__doctor_script_limit(doctor *d);
void swg__doctor_idle(doctor *d);
void swg__doctor_slowlog(doctor *d);
void swg__doctor_shards(doctor *d);
void swg__doctor_schema(doctor *d);
void swg__doctor_data(doctor *d);

#endif
