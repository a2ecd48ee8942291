/* What a check found: violations, what was assumed, warnings, and figures. */
#ifndef SWG_SPEC_REPORT_H
#define SWG_SPEC_REPORT_H

#include "exchange.h"

#include <stdio.h>

enum { REPORT_KEPT = 20 }; /* of each kind; all are counted */

enum finding_kind { VIOLATION, NOTE, WARNING, FINDING_KINDS };

struct finding {
    const char *rule; /* "I1" ... "I14", "reply", "request", "epoch", "seq"; of a note its kind */
    char file[128];
    long line;
    char shard[128], circuit[SWG_STEP_NAME];
    char text[2 * WHY_MAX];
};

struct report {
    struct finding *kept[FINDING_KINDS];
    long count[FINDING_KINDS];
    /* exchanges: answered, not run, without a reply; of the last, those that must have run */
    long exchanges, refused, silent, inserted, unchecked;
    long shards, servers, reporters, transitions, went_fresh, went_back;
    long granted, passed, failed, unused, expired, periods, live_most;
    int entries_most;
    int64_t *took_ns; /* answered - sent, of each answered exchange */
    size_t took, took_room;
};

void report_add(struct report *r, enum finding_kind kind, const char *rule,
                const struct exchange *x, const char *circuit, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void report_took(struct report *r, int64_t ns);
bool report_has(const struct report *r, enum finding_kind kind, const char *rule);

void report_print(struct report *r, FILE *to);
void report_print_json(struct report *r, FILE *to);
void report_free(struct report *r);

#endif
