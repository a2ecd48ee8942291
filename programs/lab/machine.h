/* How busy the machine was: worlds that run at the same time are only comparable while it has time
 * to spare. */
#ifndef SWG_LAB_MACHINE_H
#define SWG_LAB_MACHINE_H

#include <stdint.h>

typedef struct machine_time {
    uint64_t idle, all; /* of all processors, in the kernel's ticks */
} machine_time;

/* All 0 where /proc/stat cannot be read. */
machine_time machine_now(void);

/* Percent of the time since then that its processors were not idle; -1: not known. */
double machine_busy_pct(const machine_time *since);

int machine_processors(void);

#endif
