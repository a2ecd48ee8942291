#include "core/probe.h"

enum { FREE, OUT, PASSED, FAILED, PASSED_SLOWLY, FAILED_SLOWLY };

#define LEASE_MS_BITS 25
#define LEASE_MS_MASK ((UINT64_C(1) << LEASE_MS_BITS) - 1)

/* A lease may look as if granted so much later than now: to a caller that took the time and was
 * then held up. */
#define AHEAD_MS 60000

static unsigned lease_state(uint64_t lease, uint64_t epoch)
{
    return (lease >> 4 & SWG__EPOCH_MASK) == epoch ? (unsigned)(lease & 15) : FREE;
}

static uint16_t lease_owner(uint64_t lease)
{
    return (uint16_t)(lease >> 27 & 0xfff);
}

/* Rounded up: a lease never ends early. */
static uint64_t lease_ms(int64_t now_ns)
{
    return (uint64_t)((now_ns + SWG__NS_PER_MS - 1) / SWG__NS_PER_MS) & LEASE_MS_MASK;
}

static uint64_t lease_make(unsigned state, uint64_t epoch, uint16_t owner, uint64_t ms)
{
    return ms << 39 | (uint64_t)owner << 27 | epoch << 4 | state;
}

static bool lease_expired(uint64_t lease, uint32_t probe_ms, int64_t now_ns)
{
    const uint64_t age = ((uint64_t)(now_ns / SWG__NS_PER_MS) - (lease >> 39)) & LEASE_MS_MASK;
    return age >= probe_ms && age < LEASE_MS_MASK - AHEAD_MS;
}

static uint32_t taken_all(const swg_window *window, uint64_t epoch)
{
    uint32_t taken = 0;
    for (unsigned i = 0; i < SWG__PROBES_MAX; i++) {
        taken += lease_state(swg__load_seq_u64(&window->lease[i]), epoch) != FREE;
    }
    return taken;
}

int swg__probe_take(swg_window *window, uint64_t epoch, uint32_t probes, uint16_t owner,
                    int64_t now_ns)
{
    const uint64_t taken = lease_make(OUT, epoch, owner, lease_ms(now_ns));
    if (taken_all(window, epoch) >= probes) { /* some may be left from when there were more */
        return -1;
    }
    for (uint32_t i = 0; i < probes && i < SWG__PROBES_MAX; i++) {
        uint64_t lease = swg__load_seq_u64(&window->lease[i]);
        while (lease_state(lease, epoch) == FREE) {
            if (swg__cas_seq_u64(&window->lease[i], &lease, taken)) {
                return (int)i;
            }
        }
    }
    return -1;
}

static unsigned ended_state(swg_outcome outcome, bool slow)
{
    if (swg__is_failure(outcome)) {
        return slow ? FAILED_SLOWLY : FAILED;
    }
    if (outcome == SWG_SUCCESS) {
        return slow ? PASSED_SLOWLY : PASSED;
    }
    return FREE;
}

bool swg__probe_end(swg_window *window, unsigned lease, const swg_permit *permit,
                    swg_outcome outcome, bool slow)
{
    uint64_t taken = lease_make(OUT, permit->epoch, permit->owner, lease_ms(permit->acquired_ns));
    const uint64_t ended = (taken & ~UINT64_C(15)) | ended_state(outcome, slow);
    return swg__cas_seq_u64(&window->lease[lease], &taken, ended);
}

unsigned swg__probe_expire(swg_window *window, uint64_t epoch, uint32_t probe_ms, int64_t now_ns)
{
    unsigned expired = 0;
    for (unsigned i = 0; i < SWG__PROBES_MAX; i++) {
        uint64_t lease = swg__load_seq_u64(&window->lease[i]);
        if (lease_state(lease, epoch) != OUT || !lease_expired(lease, probe_ms, now_ns)) {
            continue;
        }
        expired += swg__cas_seq_u64(&window->lease[i], &lease, (lease & ~UINT64_C(15)) | FAILED);
    }
    return expired;
}

unsigned swg__probe_reap(swg_window *window, uint16_t owner, const swg_au64 *id, uint64_t dead_id)
{
    unsigned reaped = 0;
    for (unsigned i = 0; i < SWG__PROBES_MAX; i++) {
        uint64_t lease = swg__load_seq_u64(&window->lease[i]);
        if ((lease & 15) != OUT || lease_owner(lease) != owner) {
            continue;
        }
        if (swg__load_seq_u64(id) != dead_id) { /* reaped by another, maybe taken anew */
            return reaped;
        }
        reaped += swg__cas_seq_u64(&window->lease[i], &lease, lease & ~UINT64_C(15));
    }
    return reaped;
}

swg__probes swg__probe_count(const swg_window *window, uint64_t epoch, uint32_t probe_ms,
                             int64_t now_ns)
{
    swg__probes probes = {0};
    for (unsigned i = 0; i < SWG__PROBES_MAX; i++) {
        const uint64_t lease = swg__load_seq_u64(&window->lease[i]);
        unsigned state = lease_state(lease, epoch);
        if (state == FREE) {
            continue;
        }
        if (state == OUT && lease_expired(lease, probe_ms, now_ns)) {
            state = FAILED;
        }
        probes.out += state == OUT;
        probes.in += state != OUT;
        probes.failures += state == FAILED || state == FAILED_SLOWLY;
        probes.slow += state == PASSED_SLOWLY || state == FAILED_SLOWLY;
    }
    return probes;
}

swg__evidence swg__probe_judge(swg__limits limits, swg__probes probes)
{
    const uint32_t total = probes.in > limits.probes ? probes.in : limits.probes;
    const uint32_t missing = total - probes.in;
    const bool slow_off = limits.slow_pct == 0;

    swg__evidence evidence = {.calls = probes.in, .failures = probes.failures, .slow = probes.slow};
    if (limits.failure_pct == 0) {
        limits.failure_pct = 1; /* at most 16 probes: one failure is over one percent */
    }
    if (probes.failures * 100 >= limits.failure_pct * total) {
        evidence.cause = SWG_CAUSE_PROBES_FAILED;
        evidence.limit = limits.failure_pct;
    } else if (!slow_off && probes.slow * 100 >= limits.slow_pct * total) {
        evidence.cause = SWG_CAUSE_PROBES_SLOW;
        evidence.limit = limits.slow_pct;
    } else if ((probes.failures + missing) * 100 < limits.failure_pct * total &&
               (slow_off || (probes.slow + missing) * 100 < limits.slow_pct * total)) {
        evidence.cause = SWG_CAUSE_PROBES_PASSED;
    }
    return evidence;
}
