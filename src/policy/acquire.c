/* May this call go? Breaker, rate, bulkhead, in that order; a later no gives back what earlier ones
 * gave. Branches here; the machines answer. */
#include <sched.h>
#include <switchgear/circuit.h>

#include "core/adapt.h"
#include "core/bulkhead.h"
#include "core/limiter.h"
#include "core/probe.h"
#include "core/shed.h"
#include "core/window.h"
#include "policy/gate.h"
#include "policy/transition.h"
#include "store/settings.h"

/* Each time around somebody else has moved the circuit: more often than this it is a spoilt block.
 */
#define ATTEMPTS 1000

static swg_verdict reject(swg_permit *permit, swg_verdict verdict, int64_t retry_ns)
{
    permit->verdict = (uint8_t)verdict;
    permit->retry_ns = retry_ns;
    permit->held = 0;
    return verdict;
}

static swg_verdict permit_call(swg_permit *permit, uint64_t word)
{
    permit->epoch = swg__word_epoch(word);
    permit->held = SWG__HELD_CALL;
    return SWG_PERMITTED;
}

static void hold_lease(swg_permit *permit, int lease, uint64_t epoch, int64_t now_ns)
{
    permit->acquired_ns = now_ns;
    permit->epoch = epoch;
    permit->held =
        (uint8_t)(SWG__HELD_CALL | SWG__HELD_PROBE | (unsigned)lease << SWG__HELD_LEASE_SHIFT);
}

static void give_lease(swg_circuit *circuit, const swg_permit *permit)
{
    swg__probe_end(circuit->parts.window, permit->held >> SWG__HELD_LEASE_SHIFT, permit,
                   SWG_CANCELLED, false);
}

/* Is the word, after a lease was taken, still of the epoch it was taken for? */
static bool lease_holds(swg_circuit *circuit, uint64_t epoch)
{
    const uint64_t word = swg__load_seq_u64(&circuit->parts.cell->word);
    return swg__word_epoch(word) == epoch && swg__word_state(word) == SWG_HALF_OPEN;
}

/* Takes a probe of `epoch`, which may be about to begin: whoever begins it holds a probe already,
 * and one who dies in between holds a lease that ends. False: look at the word again. */
static bool take_probe(swg_circuit *circuit, swg_permit *permit, uint64_t word, int64_t now_ns,
                       bool *all_out)
{
    const bool begins = swg__word_state(word) == SWG_OPEN;
    const uint64_t epoch = begins ? swg__epoch_after(swg__word_epoch(word)) : swg__word_epoch(word);
    permit->owner = swg__panel_owner(circuit->panel);
    const int lease =
        swg__probe_take(circuit->parts.window, epoch, swg__limits_read(circuit->parts.cell).probes,
                        permit->owner, now_ns);
    if (begins) {
        swg__move_half_open(circuit, word, now_ns);
    }
    *all_out = lease < 0;
    if (lease < 0) {
        return false;
    }
    swg__raise(&circuit->parts.cell->seen,
               now_ns); /* no later caller judges it by an earlier time */
    hold_lease(permit, lease, epoch, now_ns);
    if (lease_holds(circuit, epoch)) {
        return true;
    }
    give_lease(circuit, permit);
    permit->held = 0;
    return false;
}

static swg_verdict ask_half_open(swg_circuit *circuit, swg_permit *permit, uint64_t word,
                                 int64_t now_ns, bool *again)
{
    swg__expire_probes(circuit, swg__word_epoch(word), now_ns);
    *again = swg__settle_probes(circuit, word, now_ns);
    if (*again) {
        return SWG_PERMITTED;
    }
    bool all_out;
    if (take_probe(circuit, permit, word, now_ns, &all_out)) {
        return SWG_PERMITTED;
    }
    *again = !all_out;
    return SWG_REJECTED_PROBING;
}

static bool ramp_over(swg_circuit *circuit, uint64_t word, int64_t now_ns)
{
    swg_cell *cell = circuit->parts.cell;
    const uint32_t ramp_ms = swg__ramp_ms(cell);
    if (ramp_ms != 0 && swg__word_age_ms(word, now_ns) < (int64_t)ramp_ms) {
        return false;
    }
    swg__cas_seq_u64(&cell->word, &word, word & ~UINT64_C(3)); /* the same epoch, plainly closed */
    return true;
}

static swg_verdict ask_ramp(swg_circuit *circuit, swg_permit *permit, uint64_t word, int64_t now_ns)
{
    const swg_cell *cell = circuit->parts.cell;
    const uint64_t turn = swg__add_relaxed_u64(&circuit->parts.window->turn, 1);
    return swg__ramp_admits(turn, swg__word_age_ms(word, now_ns), swg__ramp_ms(cell))
               ? permit_call(permit, word)
               : SWG_REJECTED_RAMP;
}

/* Calls in flight, enough of them, and none ended for stall_ms? */
static bool stalled(const swg_circuit *circuit, int64_t now_ns, swg__evidence *evidence)
{
    const swg_cell *cell = circuit->parts.cell;
    const uint32_t stall_ms = swg__stall_ms(cell);
    if (stall_ms == 0) {
        return false;
    }
    const uint32_t count = swg__bulkhead_count(&cell->inflight);
    if (swg__load_seq_i64(&cell->progress) == 0) { /* switched on with calls under way */
        swg__raise(&circuit->parts.cell->progress, now_ns);
    }
    const int64_t still = now_ns - swg__load_seq_i64(&cell->progress);
    *evidence = (swg__evidence){.calls = count, .limit = stall_ms, .cause = SWG_CAUSE_STALL};
    return count >= swg__limits_read(cell).calls_min && still >= stall_ms * SWG__NS_PER_MS;
}

static swg_verdict ask_closed(swg_circuit *circuit, swg_permit *permit, uint64_t word,
                              int64_t now_ns, bool *again)
{
    swg__evidence evidence;
    if (stalled(circuit, now_ns, &evidence)) {
        swg__panel_reap_lazily(circuit->panel, now_ns); /* the dead do not stall */
    }
    if (stalled(circuit, now_ns, &evidence)) {
        swg__move_open(circuit, word, &evidence, now_ns);
        *again = true;
        return SWG_PERMITTED;
    }
    if (swg__word_state(word) == SWG_CLOSED) {
        return permit_call(permit, word);
    }
    *again = ramp_over(circuit, word, now_ns);
    return *again ? SWG_PERMITTED : ask_ramp(circuit, permit, word, now_ns);
}

static swg_verdict ask_open(swg_circuit *circuit, swg_permit *permit, uint64_t word, int64_t now_ns,
                            bool *again)
{
    const int64_t wait_ns = swg__word_wait_ns(word, now_ns);
    if (wait_ns > 0) {
        permit->retry_ns = now_ns + wait_ns;
        return SWG_REJECTED_OPEN;
    }
    bool all_out;
    *again = !take_probe(circuit, permit, word, now_ns, &all_out);
    return SWG_PERMITTED;
}

/* Has anybody but the breaker a say: an operator, the fleet? Both words lie on the hot line. */
static inline bool overruled(const swg_cell *cell)
{
    return (swg__load_relaxed_u64(&cell->override) | swg__load_relaxed_u64(&cell->advice)) != 0;
}

/* Open and nothing else to ask: the answer a dead dependency gives all the time. */
static bool plainly_open(const swg_circuit *circuit, uint64_t word, int64_t now_ns,
                         int64_t *retry_ns)
{
    if (swg__word_state(word) != SWG_OPEN || overruled(circuit->parts.cell)) {
        return false;
    }
    const int64_t now = swg__no_earlier(circuit, now_ns);
    const int64_t wait_ns = swg__word_wait_ns(word, now);
    *retry_ns = now + wait_ns;
    return wait_ns > 0;
}

/* The breaker's answer. A permit it grants is filled; of a no, retry_ns. */
static swg_verdict ask_breaker(swg_circuit *circuit, swg_permit *permit, int64_t now_ns)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        const uint64_t word = swg__load_seq_u64(&circuit->parts.cell->word);
        const int64_t now = swg__no_earlier(circuit, now_ns);
        bool again = false;
        swg_verdict verdict;
        permit->retry_ns = now;
        permit->epoch = swg__word_epoch(word);
        switch (swg__word_state(word)) {
        case SWG_OPEN:
            verdict = ask_open(circuit, permit, word, now, &again);
            break;
        case SWG_HALF_OPEN:
            verdict = ask_half_open(circuit, permit, word, now, &again);
            break;
        default:
            verdict = ask_closed(circuit, permit, word, now, &again);
            break;
        }
        if (!again) {
            return verdict;
        }
    }
    return SWG_REJECTED_OPEN;
}

/* Is this call among those to shed? `bound`: it will be. */
static bool sheds(const swg_circuit *circuit, int64_t now_ns, bool bound)
{
    const swg__parts *parts = &circuit->parts;
    const uint32_t share = swg__shed_known(parts, swg__shed_factor_pct(parts->cell), now_ns);
    if (share == 0 || swg__spread(swg__add_relaxed_u64(&parts->window->turn, 1)) >> 16 >= share) {
        return false;
    }
    if (bound) {
        swg__shed_count(parts, now_ns);
    }
    return true;
}

/* The in-flight limit in force; 0: none. */
static uint32_t inflight_limit(const swg_cell *cell)
{
    const uint32_t max = swg__inflight_max(cell);
    uint32_t least;
    const bool adapts = max != 0 && swg__inflight_ms(cell, &least) != 0;
    return adapts ? swg__adapt_limit(&cell->adapted, least, max) : max;
}

static bool take_slot(swg_circuit *circuit, swg_permit *permit, uint32_t limit, uint32_t *count)
{
    swg_au64 *word = &circuit->parts.cell->inflight;
    const swg__holdings holdings = swg__panel_holdings(circuit);
    if (holdings.rows == NULL) {
        const uint32_t generation = swg__panel_generation(circuit->panel);
        if ((permit->held & SWG__HELD_PROBE) == 0) {
            permit->owner = (uint16_t)generation; /* a forked child is not to give it back */
        }
        return swg__bulkhead_take_alone(word, generation, limit, count);
    }
    permit->owner = swg__panel_owner(circuit->panel);
    if (permit->owner == 0) { /* no row is free: nobody could give the slot back if we died */
        *count = limit;
        return false;
    }
    return swg__bulkhead_take(word, holdings, permit->owner, limit, count);
}

/* `bound`: may it say no? Under an override all go, but those in flight are still counted. */
static swg_verdict ask_limits(swg_circuit *circuit, swg_permit *permit, int64_t now_ns, bool bound)
{
    swg_cell *cell = circuit->parts.cell;
    const uint32_t features = swg__load_relaxed_u32(&cell->features);
    swg_verdict verdict = SWG_PERMITTED;
    int64_t token = 0;
    uint32_t burst;
    uint32_t count;
    if ((features & SWG__FEATURE_SHED) != 0 &&
        (permit->held & (SWG__HELD_PROBE | SWG__HELD_FLEET)) == 0 &&
        sheds(circuit, now_ns, bound)) {
        verdict = SWG_REJECTED_SHED;
        permit->retry_ns = now_ns;
    }
    const uint32_t rate = bound && verdict != SWG_PERMITTED ? 0 : swg__rate(cell, &burst);
    if (rate != 0) {
        const int64_t wait_ns = swg__limiter_take(&cell->rate_tat, rate, burst, now_ns, &token);
        if (wait_ns > 0 && verdict == SWG_PERMITTED) {
            verdict = SWG_REJECTED_RATE;
            permit->retry_ns = now_ns + wait_ns;
        }
    }
    if ((features & SWG__FEATURE_INFLIGHT) == 0 || (bound && verdict != SWG_PERMITTED)) {
        return verdict;
    }
    const uint32_t max = inflight_limit(cell);
    if (swg__stall_ms(cell) != 0 &&
        swg__bulkhead_count(&cell->inflight) < swg__limits_read(cell).calls_min) {
        swg__raise(&cell->progress, now_ns); /* before the count that could make it a stall */
    }
    if (take_slot(circuit, permit, bound && max != 0 ? max : UINT32_MAX, &count)) {
        permit->held |= SWG__HELD_SLOT;
    }
    const bool full = max != 0 && count >= max;
    if (full && verdict == SWG_PERMITTED) {
        verdict = SWG_REJECTED_BULKHEAD;
        permit->retry_ns = now_ns;
        if (bound && rate != 0) {
            swg__limiter_give(&cell->rate_tat, rate, token);
        }
    }
    return verdict;
}

static void count_rejection(swg_circuit *circuit, swg_verdict verdict)
{
    if (verdict == SWG_REJECTED_OPEN) {
        swg__add_relaxed_u64(&swg__stripe(&circuit->parts, (unsigned)sched_getcpu())->rejected, 1);
    } else {
        swg__add_relaxed_u64(&circuit->parts.cell->rejected[verdict], 1);
    }
}

/* A no to a caller without an override. */
static swg_verdict refuse(swg_circuit *circuit, swg_permit *permit, swg_verdict verdict,
                          int64_t now_ns)
{
    count_rejection(circuit, verdict);
    if (verdict == SWG_REJECTED_PROBING || verdict == SWG_REJECTED_BULKHEAD) {
        swg__panel_reap_lazily(circuit->panel, now_ns);
    }
    return reject(permit, verdict, permit->retry_ns);
}

/* Closed, no override, but a rate limit or bulkhead. */
static swg_verdict acquire_limited(swg_circuit *circuit, swg_permit *permit, int64_t now_ns)
{
    const swg_verdict verdict = ask_limits(circuit, permit, now_ns, true);
    return verdict == SWG_PERMITTED ? verdict : refuse(circuit, permit, verdict, now_ns);
}

/* Of a yes retry_ns is 0, but the end of a fleet probe's lease. */
static void settle_retry(swg_permit *permit)
{
    if ((permit->held & SWG__HELD_FLEET) == 0) {
        permit->retry_ns = 0;
    }
}

/* The gate's answer, then the breaker's; a probe of the fleet goes past the breaker. */
static swg_verdict ask_both(swg_circuit *circuit, swg_permit *permit, int64_t now_ns)
{
    if (swg__load_relaxed_u64(&circuit->parts.cell->advice) != 0) {
        const int64_t now = swg__no_earlier(circuit, now_ns);
        const swg_verdict verdict = swg__gate_ask(circuit, permit, now);
        if (verdict != SWG_PERMITTED || (permit->held & SWG__HELD_FLEET) != 0) {
            return verdict;
        }
    }
    return ask_breaker(circuit, permit, now_ns);
}

/* A later no: what the breaker or the gate gave goes back. */
static void give_probe(swg_circuit *circuit, const swg_permit *permit)
{
    if ((permit->held & SWG__HELD_PROBE) != 0) {
        give_lease(circuit, permit);
    } else if ((permit->held & SWG__HELD_FLEET) != 0) {
        swg__gate_give(circuit, permit);
    }
}

static swg_verdict acquire_bound(swg_circuit *circuit, swg_permit *permit, int64_t now_ns)
{
    swg_verdict verdict = ask_both(circuit, permit, now_ns);
    if (verdict == SWG_PERMITTED && swg__load_relaxed_u32(&circuit->parts.cell->features) != 0) {
        verdict = ask_limits(circuit, permit, now_ns, true);
        if (verdict != SWG_PERMITTED) {
            give_probe(circuit, permit);
        }
    }
    if (verdict == SWG_PERMITTED) {
        settle_retry(permit);
        return verdict;
    }
    return refuse(circuit, permit, verdict, now_ns);
}

/* Forced closed, or a dry run: all go, whatever the machine says. */
static swg_verdict acquire_free(swg_circuit *circuit, swg_permit *permit, int64_t now_ns,
                                bool dry_run)
{
    swg_verdict verdict =
        dry_run ? ask_both(circuit, permit, now_ns) : ask_breaker(circuit, permit, now_ns);
    const bool breaker_says_yes = verdict == SWG_PERMITTED;
    permit->held |= SWG__HELD_CALL;
    if (verdict == SWG_REJECTED_RAMP) { /* against the machine's will: it decides nothing */
        permit->epoch = (permit->epoch - 1) & SWG__EPOCH_MASK;
    }
    if (swg__load_relaxed_u32(&circuit->parts.cell->features) != 0) {
        const int64_t lease_ns = permit->retry_ns;
        const swg_verdict limits = ask_limits(circuit, permit, now_ns, false);
        verdict = breaker_says_yes ? limits : verdict;
        permit->retry_ns = lease_ns; /* of use to a probe of the fleet alone */
    }
    if (dry_run && verdict != SWG_PERMITTED) {
        swg__add_relaxed_u64(&circuit->parts.cell->would_reject[verdict], 1);
    }
    settle_retry(permit);
    return SWG_PERMITTED;
}

/* Clears an override whose time is over, so that calls are quick again. */
static void forget_expired(swg_cell *cell, int64_t now_ns)
{
    int64_t until_ns;
    uint64_t word = swg__load_relaxed_u64(&cell->override);
    if (word != 0 && swg__override_now(cell, now_ns, &until_ns) == SWG_OVERRIDE_NONE &&
        now_ns >= (int64_t)(word & ((UINT64_C(1) << 62) - 1))) {
        swg__cas_seq_u64(&cell->override, &word, 0);
    }
}

/* Everything but a closed circuit with nothing else on. */
__attribute__((noinline)) static swg_verdict acquire_checked(swg_circuit *circuit,
                                                             swg_permit *permit, int64_t now_ns)
{
    int64_t until_ns;
    switch (swg__override_now(circuit->parts.cell, now_ns, &until_ns)) {
    case SWG_FORCED_OPEN:
        count_rejection(circuit, SWG_REJECTED_FORCED);
        return reject(permit, SWG_REJECTED_FORCED, until_ns);
    case SWG_FORCED_CLOSED:
        return acquire_free(circuit, permit, now_ns, false);
    case SWG_DRY_RUN:
        return acquire_free(circuit, permit, now_ns, true);
    default:
        forget_expired(circuit->parts.cell, now_ns);
        return acquire_bound(circuit, permit, now_ns);
    }
}

swg_verdict swg_acquire(swg_circuit *circuit, swg_permit *permit, int64_t now_ns)
{
    const swg_cell *cell = circuit->parts.cell;
    /* acquire: pairs with the swap in transition.c */
    const uint64_t word = swg__load_acquire_u64(&cell->word);
    *permit = (swg_permit){.acquired_ns = now_ns,
                           .epoch = swg__word_epoch(word),
                           .circuit = circuit->number,
                           .held = SWG__HELD_CALL};
    if (swg__word_state(word) == SWG_CLOSED && !overruled(cell)) {
        const uint32_t features = swg__load_relaxed_u32(&cell->features);
        if (features == 0) {
            return SWG_PERMITTED;
        }
        if (swg__stall_ms(cell) == 0) {
            return acquire_limited(circuit, permit, now_ns < 0 ? 0 : now_ns);
        }
    }
    permit->held = 0;
    if (plainly_open(circuit, word, now_ns, &permit->retry_ns)) {
        count_rejection(circuit, SWG_REJECTED_OPEN);
        permit->verdict = SWG_REJECTED_OPEN;
        return SWG_REJECTED_OPEN;
    }
    return acquire_checked(circuit, permit, now_ns < 0 ? 0 : now_ns);
}
