/* What a world did in the course of time: how its calls ended and how many reached the service,
 * sampled as the load generator and the service report. */
#ifndef SWG_LAB_SERIES_H
#define SWG_LAB_SERIES_H

#include "load_report.h"

enum { SERIES_MAX = 2048 }; /* about seven minutes; what comes later is left out */

typedef struct series_sample {
    int64_t at_ns; /* when it was reported */
    uint64_t counts[LOAD_CLASSES];
} series_sample;

typedef struct series_arrivals {
    int64_t at_ns;
    uint64_t calls; /* since the last one */
} series_arrivals;

typedef struct series {
    series_sample samples[SERIES_MAX];
    int sample_count;
    series_arrivals arrivals[SERIES_MAX];
    int arrivals_count;
    uint64_t arrived; /* in all, when last reported */
} series;

void series_ended(series *s, int64_t at_ns, const uint64_t counts[LOAD_CLASSES]);
void series_arrived(series *s, int64_t at_ns, uint64_t total);

/* Calls a second in the second around `at_ns`. */
double series_rate(const series *s, load_class class, int64_t at_ns);
double series_arrival_rate(const series *s, int64_t at_ns);

#endif
