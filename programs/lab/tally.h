/* One outage of one world, in numbers. Everything here was measured: by the load generator, by the
 * service, or by the circuits' own journals (whose clock all processes share). */
#ifndef SWG_LAB_TALLY_H
#define SWG_LAB_TALLY_H

#include "histogram.h"
#include "load_report.h"
#include "stage.h"

#include <switchgear/types.h>

enum { TALLY_EVENTS_MAX = 1024, TALLY_ALL = -1 };

typedef struct tally_event {
    int instance; /* TALLY_ALL: one circuit that all of them share */
    swg_event event;
} tally_event;

/* The calls that left in one stretch of the story, and what became of them. */
typedef struct span {
    int phase; /* the load generator's mark of them */
    int64_t began_ns, ended_ns;
    uint64_t sent;
    histogram classes[LOAD_CLASSES];
} span;

typedef struct tally {
    int phase; /* the load generator's mark of calls that left during the outage */
    int64_t began_ns, healed_ns, closed_ns; /* 0: not yet */
    swg_state at_start[STAGE_INSTANCES];
    bool gone[STAGE_INSTANCES]; /* died: its state is no longer compared */
    uint64_t sent;
    histogram classes[LOAD_CLASSES];
    uint64_t waiting_max;
    uint64_t reached; /* calls that arrived at the sick service, by its own count */
    tally_event events[TALLY_EVENTS_MAX];
    int event_count;
    uint64_t events_lost;
} tally;

typedef struct tally_summary {
    uint64_t sent, counts[LOAD_CLASSES], reached, waiting_max;
    int64_t p50_ns, p99_ns;
    int64_t rejected_p50_ns, rejected_p99_ns;
    double waited_s; /* by all callers together */
    double reached_pct;
    uint64_t probes, flaps; /* flap: HALF-OPEN and back to OPEN */
    uint64_t periods;       /* half-open periods that came to a verdict */
    int64_t disagreed_ns;
    int64_t closed_after_ns; /* from healing until the last circuit closed; -1: not all did */
} tally_summary;

void tally_begin(tally *t, int phase, int64_t now_ns, const swg_state *states);
void tally_add(tally *t, int instance, const swg_event *event);

/* When the last circuit closed since healing; the moment of healing if none had to. */
int64_t tally_last_closed(const tally *t);

void tally_summarize(tally *t, int64_t now_ns, tally_summary *summary);

#endif
