/* What inspecting circuits is made of: which there are (doctor_list.c), then each of them
 * (doctor_inspect.c). */
#ifndef SWG_FLEET_DOCTOR_INSPECT_H
#define SWG_FLEET_DOCTOR_INSPECT_H

#include "fleet/doctor_visit.h"

typedef struct entry {
    char name[SWG_NAME_MAX + 1];
    uint32_t shard;
} entry;

typedef struct roll {
    entry *entries;
    size_t count, room;
} roll;

typedef struct inspection {
    visit v;
    roll roll;
    int64_t now_us[VISIT_NODES]; /* by the clock of each server */
    void (*circuit)(void *arg, const swg_fleet_status *circuit);
    void *arg;
} inspection;

/* Puts the circuits of these names, or with `count` 0 all of them, by name, into the roll. */
int swg__inspect_list(inspection *in, const char *const *names, size_t count);

#endif
