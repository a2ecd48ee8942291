#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include <stdbool.h>

/* Prints what the fleet costs a call, with Redis well and frozen, and how quickly a trip reaches
 * the others. 0, or 1 after saying what went wrong. */
int bench_fleet(bool quick);

#endif
