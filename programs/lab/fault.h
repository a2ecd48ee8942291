/* The ways the lab's service can be sick. One table feeds its control path, the CLI's choices, the
 * keys of the lab and what the story says. */
#ifndef SWG_LAB_FAULT_H
#define SWG_LAB_FAULT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum fault_kind {
    FAULT_NONE,
    FAULT_ERRORS,
    FAULT_SLOW,
    FAULT_HANG,
    FAULT_RESET,
    FAULT_FLAP,
    FAULT_COUNT
} fault_kind;

/* Their names but "none", and NULL. */
extern const char *const fault_choices[];

const char *fault_name(fault_kind kind);
bool fault_parse(fault_kind *kind, const char *name);

enum { FAULT_TEXT_MAX = 96 };

typedef struct fault_times {
    int64_t slow_ms, hang_ms, flap_ms;
} fault_times;

/* "80 % of answers now hang for 2 s" */
const char *fault_text(char *text, fault_kind kind, int rate_pct, const fault_times *times);

/* A seeded draw: the n-th number of a sequence, 0 to bound - 1. */
uint64_t seeded(uint64_t seed, uint64_t n, uint64_t bound);

#endif
