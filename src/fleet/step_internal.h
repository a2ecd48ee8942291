/* What the files of the step function share. */
#ifndef SWG_FLEET_STEP_INTERNAL_H
#define SWG_FLEET_STEP_INTERNAL_H

#include "fleet/step.h"

#define SWG_STEP_MS_2024 INT64_C(1704067200000)
#define SWG_STEP_CLOCK_SLACK INT64_C(60000000) /* steps back up to this are held still */
#define SWG_STEP_LEASE_MAX INT64_C(60000000)
#define SWG_STEP_ALIVE INT64_C(10000000)
#define SWG_STEP_IDLE_MS INT64_C(86400000)
#define SWG_STEP_SWEEP 8
#define SWG_STEP_SWEEP_ALL 64
#define SWG_STEP_GC 4
#define SWG_STEP_BACKOFF_MAX 16
#define SWG_STEP_QUOTA_US 4000 /* of each reporter: 250 exchanges a second and shard */
#define SWG_STEP_NEXT_MIN INT64_C(50000)
#define SWG_STEP_NEXT_MAX INT64_C(2000000)

/* One call under way. */
struct swg_step_call {
    struct swg_step_shard *shard;
    int64_t now;
    int64_t tag; /* 12 bits of the server, the low bits of every epoch it mints */
    int reporter;
    int swept; /* records */
};

static inline int64_t swg__step_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t swg__step_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* step_shard.c: time, epochs, transitions */
int64_t swg__step_clock(const struct swg_step_shard *shard, int64_t now);
void swg__step_begin(struct swg_step_call *call, struct swg_step_shard *shard, int64_t now,
                     const char *server);
int swg__step_reporter(const struct swg_step_shard *shard, const char *name);
int swg__step_slot(const struct swg_step_shard *shard, const char *name);
int64_t swg__step_epoch_limit(int64_t now);
void swg__step_go(struct swg_step_call *call, struct swg_step_circuit *c, int state, int cause);
void swg__step_open(struct swg_step_call *call, struct swg_step_circuit *c, int cause);
void swg__step_gc(struct swg_step_call *call, const struct swg_step_request *request);
void swg__step_roster(struct swg_step_call *call);

/* step_closed.c: evidence */
void swg__step_evidence(struct swg_step_call *call, struct swg_step_circuit *c,
                        const struct swg_step_entry *e);

/* step_half.c: probes */
int64_t swg__step_quarantine(const struct swg_step_call *call, const struct swg_step_circuit *c);
void swg__step_probes(struct swg_step_call *call, struct swg_step_circuit *c,
                      const struct swg_step_entry *e, bool knows, struct swg_step_grant *grant);

#endif
