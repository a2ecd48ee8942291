/* Order statistics of what was measured. */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include <stdbool.h>

/* Both sort `values`; `count` is at least 1. */
double bench_median(double *values, int count);
double bench_at_share(double *values, int count, double share);

/* "yes" or "no": beside every budget. */
const char *bench_holds(bool holds);

#endif
