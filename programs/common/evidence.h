/* Why a circuit changed its state, in words: the evidence a journal event carries. */
#ifndef SWG_PROGRAMS_EVIDENCE_H
#define SWG_PROGRAMS_EVIDENCE_H

#include <jansson.h>
#include <switchgear/types.h>

enum { EVIDENCE_MAX = 160 };

/* "33 of 42 failed (79 % ≥ 50 %)", "5 failures in a row (limit 5)", ... */
const char *evidence_text(char *text, const swg_event *event);

/* The event as an object: circuit, from, to, cause, counts, limit, times (wall clock in RFC 3339
 * UTC, at_ns and until_ns monotonic). The caller owns the reference; NULL without memory. */
json_t *evidence_json(const swg_event *event);

/* What evidence_json() wrote, read back. False if it is not such an object. */
bool evidence_from_json(swg_event *event, const json_t *object);

#endif
