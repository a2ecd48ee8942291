#include "reference.h"

#include <string.h>

#define MS INT64_C(1000000)

static bool on(uint32_t value)
{
    return value != SWG_NONE;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void ref_init(ref *r, const swg_circuit_config *settled)
{
    memset(r, 0, sizeof(*r));
    r->config = *settled;
    r->epoch = 1;
}

static void move(ref *r, swg_state to, int64_t now_ns)
{
    r->state = to;
    r->epoch++;
    r->seen_ns = later(r->seen_ns, now_ns);
    r->outcome_count = 0;
    r->in_a_row = 0;
    r->ramping = false;
    for (int i = 0; i < r->permit_count; i++) {
        if (r->permits[i].lease != REF_NOT_PROBE) {
            r->permits[i].lease = REF_BACK;
        }
    }
}

static void open(ref *r, int64_t now_ns, bool again)
{
    const int64_t at_ns = later(now_ns, r->seen_ns);
    uint64_t wait_ms = r->config.recovery_ms;
    r->tries = again ? r->tries + 1 : 0;
    for (unsigned i = 0; i < r->tries && wait_ms < r->config.recovery_ms_max; i++) {
        wait_ms *= 2;
    }
    wait_ms = wait_ms < r->config.recovery_ms_max ? wait_ms : r->config.recovery_ms_max;
    move(r, SWG_OPEN, at_ns);
    r->until_ns = (at_ns + (int64_t)wait_ms * MS + MS - 1) / MS * MS;
}

static void close(ref *r, int64_t now_ns, bool ramp)
{
    move(r, SWG_CLOSED, now_ns);
    r->tries = 0;
    r->closed_ns = r->seen_ns;
    r->ramping = ramp && on(r->config.ramp_ms);
}

/* Which outcomes are in the window at a time: the last N, or those in this tenth of the window and
 * the nine before. */
static bool in_window(const ref *r, int i, int64_t now_ns)
{
    if (on(r->config.window_calls)) {
        return i >= r->outcome_count - (int)r->config.window_calls;
    }
    const int64_t slot_ns = (int64_t)r->config.window_ms * MS / 10;
    return r->outcomes[i].at_ns / slot_ns > later(now_ns, r->seen_ns) / slot_ns - 10;
}

void ref_window(const ref *r, int64_t now_ns, unsigned *calls, unsigned *failures, unsigned *slow)
{
    *calls = *failures = *slow = 0;
    for (int i = 0; r->state == SWG_CLOSED && i < r->outcome_count; i++) {
        if (in_window(r, i, now_ns)) {
            ++*calls;
            *failures += r->outcomes[i].failed;
            *slow += r->outcomes[i].slow;
        }
    }
}

static bool over(unsigned part, unsigned whole, uint32_t pct)
{
    return on(pct) && part * 100 >= pct * whole;
}

static unsigned probes(const ref *r, bool back, bool failed, bool slow)
{
    unsigned count = 0;
    for (int i = 0; i < r->permit_count; i++) {
        const ref_permit *p = &r->permits[i];
        count += p->epoch == r->epoch && p->lease == (back ? REF_BACK : REF_OUT) &&
                 (!failed || p->failed) && (!slow || p->slow);
    }
    return count;
}

static void judge_probes(ref *r, int64_t now_ns)
{
    const uint32_t failure_pct = on(r->config.failure_pct) ? r->config.failure_pct : 1;
    const unsigned in = probes(r, true, false, false);
    const unsigned failed = probes(r, true, true, false);
    const unsigned slow = probes(r, true, false, true);
    const unsigned total = in > r->config.probes ? in : r->config.probes;
    const unsigned missing = total - in;
    if (over(failed, total, failure_pct) || over(slow, total, r->config.slow_pct)) {
        open(r, now_ns, true);
    } else if (!over(failed + missing, total, failure_pct) &&
               !over(slow + missing, total, r->config.slow_pct)) {
        close(r, now_ns, true);
    }
}

static void expire_probes(ref *r, int64_t now_ns)
{
    for (int i = 0; i < r->permit_count; i++) {
        ref_permit *p = &r->permits[i];
        const int64_t granted_ms = (p->acquired_ns + MS - 1) / MS;
        if (p->epoch == r->epoch && p->lease == REF_OUT &&
            now_ns / MS - granted_ms >= (int64_t)r->config.probe_ms) {
            p->lease = REF_BACK;
            p->failed = true;
            r->seen_ns = later(r->seen_ns, now_ns);
        }
    }
}

static swg_override override_now(const ref *r, int64_t now_ns)
{
    return now_ns < r->override_until_ns ? r->override : SWG_OVERRIDE_NONE;
}

static int grant(ref *r, int64_t now_ns, ref_lease lease)
{
    r->permits[r->permit_count] =
        (ref_permit){.acquired_ns = now_ns, .epoch = r->epoch, .lease = lease, .live = true};
    return r->permit_count++;
}

static swg_verdict ask_breaker(ref *r, int64_t now_ns, ref_lease *lease)
{
    now_ns = later(now_ns, r->seen_ns);
    *lease = REF_NOT_PROBE;
    if (r->state == SWG_OPEN && now_ns < r->until_ns) {
        return SWG_REJECTED_OPEN;
    }
    if (r->state == SWG_OPEN) {
        move(r, SWG_HALF_OPEN, now_ns);
    }
    if (r->state == SWG_HALF_OPEN) {
        expire_probes(r, now_ns);
        judge_probes(r, now_ns);
        if (r->state == SWG_OPEN) {
            return SWG_REJECTED_OPEN;
        }
    }
    if (r->state == SWG_CLOSED) {
        return SWG_PERMITTED;
    }
    if (probes(r, true, false, false) + probes(r, false, false, false) >= r->config.probes) {
        return SWG_REJECTED_PROBING;
    }
    *lease = REF_OUT;
    r->seen_ns = now_ns;
    return SWG_PERMITTED;
}

static swg_verdict ask_rate(ref *r, int64_t now_ns)
{
    if (!on(r->config.rate_per_s)) {
        return SWG_PERMITTED;
    }
    const int64_t interval = (1000 * MS + r->config.rate_per_s - 1) / r->config.rate_per_s;
    if (r->tat_ns - interval * ((int64_t)r->config.rate_burst - 1) > now_ns) {
        return SWG_REJECTED_RATE;
    }
    r->tat_ns = later(r->tat_ns, now_ns) + interval;
    return SWG_PERMITTED;
}

swg_verdict ref_acquire(ref *r, int64_t now_ns, int *permit)
{
    const swg_override override = override_now(r, now_ns);
    r->override = override; /* one found expired stays so, whatever the clock does */
    ref_lease lease = REF_NOT_PROBE;
    *permit = -1;
    if (override == SWG_FORCED_OPEN) {
        return SWG_REJECTED_FORCED;
    }
    const bool bound = override == SWG_OVERRIDE_NONE;
    swg_verdict verdict = ask_breaker(r, now_ns, &lease);
    if (verdict == SWG_PERMITTED || !bound) {
        const swg_verdict rate = ask_rate(r, now_ns);
        verdict = verdict == SWG_PERMITTED ? rate : verdict;
    }
    const bool full = on(r->config.inflight_max) && r->inflight >= r->config.inflight_max;
    if (verdict == SWG_PERMITTED && full) {
        verdict = SWG_REJECTED_BULKHEAD;
        if (bound && on(r->config.rate_per_s)) {
            r->tat_ns -= (1000 * MS + r->config.rate_per_s - 1) / r->config.rate_per_s;
        }
    }
    if (verdict != SWG_PERMITTED && bound) {
        return verdict;
    }
    const int64_t acquired_ns = lease == REF_OUT ? later(now_ns, r->seen_ns) : now_ns;
    *permit = grant(r, acquired_ns, lease);
    r->permits[*permit].slot = on(r->config.inflight_max);
    r->inflight += r->permits[*permit].slot;
    return SWG_PERMITTED;
}

static void count(ref *r, bool failed, bool slow, int64_t now_ns)
{
    unsigned calls, failures, slows;
    r->outcomes[r->outcome_count++] = (ref_outcome){now_ns, failed, slow};
    r->in_a_row = !on(r->config.failure_threshold) ? 0 : failed ? r->in_a_row + 1 : 0;
    ref_window(r, now_ns, &calls, &failures, &slows);
    const bool enough = calls >= r->config.calls_min;
    if ((on(r->config.failure_threshold) && r->in_a_row >= r->config.failure_threshold) ||
        (enough && (over(failures, calls, r->config.failure_pct) ||
                    over(slows, calls, r->config.slow_pct)))) {
        open(r, now_ns, false);
    }
}

void ref_release(ref *r, int permit, swg_outcome outcome, int64_t now_ns)
{
    ref_permit *p = &r->permits[permit];
    if (!p->live) {
        return;
    }
    p->live = false;
    r->inflight -= p->slot;
    const int64_t ended_ns = later(now_ns, p->acquired_ns);
    const int64_t took_ns = ended_ns - p->acquired_ns;
    const bool counted = outcome <= SWG_TIMEOUT;
    const bool failed = outcome == SWG_FAILURE || outcome == SWG_TIMEOUT;
    const bool slow =
        counted && on(r->config.slow_pct) && took_ns > (int64_t)r->config.slow_ms * MS;
    const int64_t at_ns = later(ended_ns, r->seen_ns);
    if (p->epoch == r->epoch && p->lease != REF_NOT_PROBE) {
        expire_probes(r, at_ns);
        if (p->lease == REF_OUT) {
            p->lease = counted ? REF_BACK : REF_NOT_PROBE;
            p->failed = failed;
            p->slow = slow;
        }
        judge_probes(r, at_ns);
    } else if (p->epoch == r->epoch && p->lease == REF_NOT_PROBE && counted &&
               r->state == SWG_CLOSED) {
        r->seen_ns = later(r->seen_ns, at_ns);
        count(r, failed, slow, at_ns);
    }
}

void ref_reset(ref *r, int64_t now_ns)
{
    close(r, now_ns, false);
}

void ref_override(ref *r, swg_override kind, int64_t until_ns)
{
    r->override = kind;
    r->override_until_ns = kind == SWG_OVERRIDE_NONE ? 0 : until_ns;
}

void ref_configure(ref *r, const swg_circuit_config *settled)
{
    if (settled->window_calls != r->config.window_calls ||
        (settled->window_calls == SWG_NONE && settled->window_ms != r->config.window_ms)) {
        r->outcome_count = 0;
    }
    r->config = *settled;
    r->in_a_row = on(settled->failure_threshold) ? r->in_a_row : 0;
}

swg_state ref_state(const ref *r, int64_t now_ns)
{
    const bool over_now = r->state == SWG_OPEN && later(now_ns, r->seen_ns) >= r->until_ns;
    return over_now ? SWG_HALF_OPEN : r->state;
}
