#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include <stdbool.h>

/* Each: 0, or 1 after saying what went wrong. */

/* Prints what the fleet costs a call, with Redis well and frozen, and how quickly a trip reaches
 * the others, with hints and without; and what bench_fleet_strict() does. */
int bench_fleet(bool quick);

/* Prints how long a strict call waits. */
int bench_fleet_strict(bool quick);

/* Prints what an exchange costs Redis: a call, an entry of each kind, the longest script. */
int bench_fleet_redis(bool quick);

/* Prints what fifty hosts of a thousand circuits cost Redis and each host, in peace and in trouble,
 * beside what they may. */
int bench_fleet_scale(bool quick);

#endif
