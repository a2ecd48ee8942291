/* A recording: JSON lines as a proxy between clients and Redis wrote them. */
#ifndef SWG_SPEC_RECORDING_H
#define SWG_SPEC_RECORDING_H

#include "report.h"

struct recording {
    struct exchange **x; /* of all shards, in the order of the lines */
    size_t count, room;
};

/* Adds a file's exchanges; other commands are skipped. Requests and replies that break the format
 * are violations in `report`. False: the file cannot be read or is no recording; `why` says where
 * and what. */
bool recording_read(struct recording *r, const char *file, struct report *report,
                    char why[2 * WHY_MAX]);
void recording_free(struct recording *r);

#endif
