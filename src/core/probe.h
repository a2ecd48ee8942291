/* Probe leases: who holds the few calls a half-open circuit permits.
 *
 * Keeps: in one epoch no more than `probes` leases are out or in, whoever dies when. The lease word
 * is the grant itself, so there is no moment at which a probe is granted but not on record.
 *
 * A lease: ms:25 owner:12 epoch:23 state:4. A word of another epoch is a free lease, so nothing is
 * cleared between periods. `ms` is the low bits of the time it was granted, rounded up; a lease
 * lasts at most an hour and the field wraps after nine, so a stale one is at worst kept one lease
 * longer. */
#ifndef SWG_CORE_PROBE_H
#define SWG_CORE_PROBE_H

#include "core/breaker.h"

typedef struct swg__probes {
    uint32_t out;
    uint32_t in;
    uint32_t failures;
    uint32_t slow;
} swg__probes;

/* Takes one of the first `probes` leases for an epoch. Returns its number, or -1: all are taken. */
int swg__probe_take(swg_window *window, uint64_t epoch, uint32_t probes, uint16_t owner,
                    int64_t now_ns);

/* Ends a lease with an outcome; false if it is no longer this permit's (expired, reaped, spent). An
 * ignored or cancelled probe becomes free again. */
bool swg__probe_end(swg_window *window, unsigned lease, const swg_permit *permit,
                    swg_outcome outcome, bool slow);

/* Counts leases older than probe_ms as failed; returns how many it found. */
unsigned swg__probe_expire(swg_window *window, uint64_t epoch, uint32_t probe_ms, int64_t now_ns);

/* Frees every lease `owner` has out, if `still_dead` says so right before each. */
unsigned swg__probe_reap(swg_window *window, uint16_t owner, const swg_au64 *id, uint64_t dead_id);

/* Counts an epoch's leases as they are now; those past probe_ms as failed. */
swg__probes swg__probe_count(const swg_window *window, uint64_t epoch, uint32_t probe_ms,
                             int64_t now_ns);

/* What the probes say. SWG_CAUSE_NONE: not decided yet. Decided as soon as the missing ones cannot
 * change it. With the failure rate off, one failed probe opens. */
swg__evidence swg__probe_judge(swg__limits limits, swg__probes probes);

#endif
