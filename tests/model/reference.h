/* A circuit, slow and obvious: every outcome ever is kept in a list, and each question is answered
 * by going through it. Written from the promises, not from the library. */
#ifndef TESTS_REFERENCE_H
#define TESTS_REFERENCE_H

#include <switchgear/switchgear.h>

#define REF_OUTCOMES_MAX 4096
#define REF_PERMITS_MAX 4096

typedef struct ref_outcome {
    int64_t at_ns;
    bool failed;
    bool slow;
} ref_outcome;

typedef enum ref_lease { REF_NOT_PROBE, REF_OUT, REF_BACK } ref_lease;

typedef struct ref_permit {
    int64_t acquired_ns;
    uint64_t epoch;
    ref_lease lease;
    bool slot;
    bool live;
    bool failed, slow; /* of a probe that came back */
} ref_permit;

typedef struct ref {
    swg_circuit_config config; /* settled */
    swg_state state;
    uint64_t epoch;
    int64_t seen_ns;
    int64_t until_ns;
    int64_t closed_ns;
    bool ramping;
    unsigned tries;
    unsigned in_a_row;
    int64_t override_until_ns;
    swg_override override;
    ref_outcome outcomes[REF_OUTCOMES_MAX]; /* of this epoch's window */
    int outcome_count;
    ref_permit permits[REF_PERMITS_MAX];
    int permit_count;
    unsigned inflight;
    int64_t tat_ns;
} ref;

void ref_init(ref *r, const swg_circuit_config *settled);

/* May the call go? `open_until_ns` is what the library drew with its jitter off, so none is needed.
 */
swg_verdict ref_acquire(ref *r, int64_t now_ns, int *permit);
void ref_release(ref *r, int permit, swg_outcome outcome, int64_t now_ns);
void ref_reset(ref *r, int64_t now_ns);
void ref_override(ref *r, swg_override kind, int64_t until_ns);
void ref_configure(ref *r, const swg_circuit_config *settled);

swg_state ref_state(const ref *r, int64_t now_ns);
void ref_window(const ref *r, int64_t now_ns, unsigned *calls, unsigned *failures, unsigned *slow);

#endif
