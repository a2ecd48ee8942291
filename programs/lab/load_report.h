/* What became of the load generator's calls, by the phase of the story in which they left. */
#ifndef SWG_LAB_LOAD_REPORT_H
#define SWG_LAB_LOAD_REPORT_H

#include "histogram.h"
#include "part.h"

typedef enum load_class {
    LOAD_ANSWERED, /* an answer of the service */
    LOAD_REJECTED, /* 503 by a circuit, at once */
    LOAD_FAILED,   /* an error, after waiting for the service */
    LOAD_LOST,     /* the instance itself did not answer */
    LOAD_CLASSES
} load_class;

extern const char *const load_class_names[LOAD_CLASSES];

enum { LOAD_PHASES = 8 }; /* calls of a phase so many before the present one are long over */

typedef struct load_phase {
    int phase;
    uint64_t sent;
    histogram classes[LOAD_CLASSES];
} load_phase;

typedef struct load_report {
    int64_t period_ns, next_ns;
    uint64_t waiting, waiting_max; /* calls under way; the most since the last line */
    uint64_t skipped;              /* not sent: too many under way */
    load_phase phases[LOAD_PHASES];
} load_report;

void load_report_begin(load_report *r, const part *p, int64_t now_ns);
void load_report_sent(load_report *r, int phase);
void load_report_came(load_report *r, int phase, load_class class, int64_t latency_ns);

/* Prints what there is when it is time to, and starts anew. */
void load_report_tick(load_report *r, const part *p, int64_t now_ns);
void load_report_end(load_report *r, const part *p, int64_t now_ns);

#endif
