/* Stored values back into numbers, or the word that they are not the fleet's. */
#include "fleet/doctor_visit.h"

#include <stdlib.h>

enum { DIGITS = 16, CAUSE_MAX = 99 };

int swg__read_numbers(const char *text, int64_t *values, int room)
{
    int count = 0;

    while (text && count < room) {
        const char *const begin = text;

        while (*text >= '0' && *text <= '9')
            text++;
        if (text == begin || text - begin > DIGITS)
            return 0;
        values[count++] = strtoll(begin, NULL, 10);
        if (*text == '\0')
            return count;
        if (*text++ != '|')
            return 0;
    }
    return 0;
}

bool swg__read_state(visit_state *s, const char *text)
{
    enum { ALL = 12 };
    int64_t v[ALL];

    if (swg__read_numbers(text, v, ALL) != ALL || v[1] > SWG_FLEET_DISABLED || v[3] > UINT32_MAX ||
        v[4] > CAUSE_MAX || v[5] > CAUSE_MAX || v[9] > UINT32_MAX || v[10] > UINT32_MAX ||
        v[11] > UINT32_MAX)
        return false;
    *s = (visit_state){.epoch = v[0],
                       .until_us = v[2],
                       .state = (uint32_t)v[1],
                       .backoff = (uint32_t)v[3],
                       .cause = (uint32_t)v[4]};
    s->trip = (swg_fleet_trip){.cause = (uint32_t)v[5],
                               .calls = (uint64_t)v[6],
                               .failures = (uint64_t)v[7],
                               .slow = (uint64_t)v[8],
                               .bad = (uint32_t)v[9],
                               .open = (uint32_t)v[10],
                               .reporters = (uint32_t)v[11]};
    return true;
}
