/* One outage of one world, in numbers. Everything here was measured: by the load generator, by the
 * service, or by the circuits' own journals (whose clock all processes share). */
#ifndef SWG_LAB_TALLY_H
#define SWG_LAB_TALLY_H

#include "histogram.h"
#include "load_report.h"
#include "stage.h"

#include <switchgear/types.h>

enum { TALLY_EVENTS_MAX = 1024, TALLY_ARRIVALS_MAX = 16384, TALLY_ALL = -1 };

typedef struct tally_event {
    int instance; /* TALLY_ALL: one circuit that all of them share */
    swg_event event;
} tally_event;

/* A call as the service saw it come. */
typedef struct tally_arrival {
    int64_t at_ns;
    int instance;
} tally_arrival;

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
    tally_arrival arrivals[TALLY_ARRIVALS_MAX];
    int arrival_count;
    uint64_t arrivals_lost;
} tally;

/* What the service got, sorted by the state of the caller's circuit at that moment. A try is a
 * half-open period: of each circuit, or of all instances together where they have one. */
typedef struct tally_tries {
    uint64_t tries;
    uint64_t probes;       /* calls of instances that were half-open */
    uint64_t fewest, most; /* probes in one try */
    uint64_t flaps;        /* tries that ended in an open circuit */
    uint64_t closed_sick;  /* that ended in a closed one before the service was well */
    uint64_t wasted;       /* while sick, after the first circuit opened, and no probes */
    int64_t opened_ns;     /* when the first one opened; 0: none did */
    int64_t stopped_ns[STAGE_INSTANCES]; /* from then until this one was open; -1: it never was */
} tally_tries;

typedef struct tally_summary {
    uint64_t sent, counts[LOAD_CLASSES], reached, waiting_max;
    int64_t p50_ns, p99_ns;
    int64_t rejected_p50_ns, rejected_p99_ns;
    double waited_s; /* by all callers together */
    double reached_pct;
    uint64_t probes;  /* by the journals */
    uint64_t periods; /* half-open periods that came to a verdict */
    tally_tries tries;
    int64_t disagreed_ns;
    int64_t closed_after_ns; /* from healing until the last circuit closed; -1: not all did */
} tally_summary;

void tally_begin(tally *t, int phase, int64_t now_ns, const swg_state *states);
void tally_add(tally *t, int instance, const swg_event *event);

void tally_arrive(tally *t, int instance, int64_t at_ns);

/* How long its calls took, whatever became of them. */
void span_latency(const span *s, histogram *all);

/* When the last circuit closed since healing; the moment of healing if none had to. */
int64_t tally_last_closed(const tally *t);

/* `together`: the instances have one circuit. */
void tally_summarize(tally *t, bool together, int64_t now_ns, tally_summary *summary);

/* tries.c. Needs the events in order of their time, and the states at `began_ns`. */
void tally_count_tries(const tally *t, bool together, int64_t end_ns, tally_tries *tries);
void tally_apply(swg_state *states, const tally_event *event);

#endif
