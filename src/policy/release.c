/* How did it go? Gives back what the permit holds, counts the outcome, and moves the circuit if
 * that outcome was the one. */
#include <sched.h>
#include <switchgear/circuit.h>

#include "core/adapt.h"
#include "core/bulkhead.h"
#include "core/probe.h"
#include "core/window.h"
#include "policy/gate.h"
#include "policy/transition.h"
#include "store/settings.h"

static bool is_counted(swg_outcome outcome)
{
    return outcome == SWG_SUCCESS || swg__is_failure(outcome);
}

/* Strictly longer than slow_ms; never, with slow calls off. */
static bool is_slow(const swg_cell *cell, int64_t took_ns)
{
    const uint32_t slow_ms = swg__slow_ms(cell);
    return slow_ms != 0 && took_ns > slow_ms * SWG__NS_PER_MS;
}

/* A call that came to no end, or failed quickly, says nothing about how many are too many. */
static void adapt(swg_cell *cell, const swg_permit *permit, swg_outcome outcome, int64_t now_ns)
{
    uint32_t least;
    const uint32_t limit_ms = swg__inflight_ms(cell, &least);
    if (limit_ms == 0 || !is_counted(outcome)) {
        return;
    }
    const bool late =
        outcome == SWG_TIMEOUT || now_ns - permit->acquired_ns > (int64_t)limit_ms * SWG__NS_PER_MS;
    if (late || outcome == SWG_SUCCESS) {
        swg__adapt_learn(&cell->adapted, least, swg__inflight_max(cell),
                         swg__bulkhead_count(&cell->inflight), late, permit->acquired_ns, now_ns);
    }
}

static void give_slot(swg_circuit *circuit, const swg_permit *permit, swg_outcome outcome,
                      int64_t now_ns)
{
    swg_cell *cell = circuit->parts.cell;
    if ((permit->held & SWG__HELD_SLOT) != 0) {
        adapt(cell, permit, outcome, now_ns);
        const swg__holdings holdings = swg__panel_holdings(circuit);
        const uint32_t generation =
            holdings.rows == NULL ? swg__panel_generation(circuit->panel) : 0;
        if (holdings.rows != NULL) {
            swg__bulkhead_give(&cell->inflight, holdings, permit->owner);
        } else if (permit->owner == (uint16_t)generation || (permit->held & SWG__HELD_PROBE) != 0) {
            swg__bulkhead_give_alone(&cell->inflight, generation);
        }
        if (swg__stall_ms(cell) != 0) {
            swg__raise(&cell->progress, now_ns);
        }
    }
}

/* Successes the window counts are in the stripes; all others are counted here. */
static void count_outcome(swg_cell *cell, swg_outcome outcome, bool slow, bool in_stripe)
{
    if (!in_stripe) {
        swg__add_relaxed_u64(&cell->outcomes[outcome], 1);
    }
    if (slow) {
        swg__add_relaxed_u64(&cell->slow_calls, 1);
    }
}

/* Opens on evidence, if there is any. The end of a ramp may change the word without ending the
 * epoch, so a lost swap is tried again within it. */
static void act_on(swg_circuit *circuit, uint64_t word, const swg__evidence *evidence,
                   int64_t now_ns)
{
    const uint64_t epoch = swg__word_epoch(word);
    while (evidence->cause != SWG_CAUSE_NONE && swg__word_epoch(word) == epoch &&
           !swg__move_open(circuit, word, evidence, now_ns)) {
        word = swg__load_seq_u64(&circuit->parts.cell->word);
    }
}

/* The quick way for a success; false: nothing was counted. */
static inline bool count_quickly(swg_circuit *circuit, uint64_t word, int64_t now_ns)
{
    const swg__counted counted =
        swg__window_success(&circuit->parts, word, (unsigned)sched_getcpu(), now_ns);
    if (counted == SWG__UNJUDGED) {
        const swg__evidence evidence = swg__window_judge(&circuit->parts, word, now_ns);
        act_on(circuit, word, &evidence, now_ns);
    }
    return counted != SWG__UNCOUNTED;
}

/* Counts into the window. False: the epoch is over. */
static bool count_in_window(swg_circuit *circuit, uint64_t word, swg_outcome outcome, bool slow,
                            int64_t now_ns)
{
    swg__evidence evidence = {0};
    if (outcome == SWG_SUCCESS && !slow && count_quickly(circuit, word, now_ns)) {
        return true;
    }
    if (!swg__window_count(&circuit->parts, word, swg__is_failure(outcome), slow, now_ns,
                           &evidence)) {
        return false;
    }
    act_on(circuit, word, &evidence, now_ns);
    return true;
}

/* A probe's outcome is its lease's; false: the lease was lost, or is of an earlier epoch. One that
 * comes after probe_ms is too late, whether or not anybody noticed before. */
static bool count_probe(swg_circuit *circuit, const swg_permit *permit, swg_outcome outcome,
                        bool slow, int64_t now_ns)
{
    const swg__parts *parts = &circuit->parts;
    const uint64_t word = swg__load_seq_u64(&parts->cell->word);
    if (swg__word_epoch(word) != permit->epoch) {
        return false;
    }
    swg__expire_probes(circuit, permit->epoch, now_ns);
    const bool ended =
        swg__probe_end(parts->window, permit->held >> SWG__HELD_LEASE_SHIFT, permit, outcome, slow);
    swg__settle_probes(circuit, word, now_ns);
    return ended;
}

/* Lets the outcome decide what it may. False: it is of an earlier epoch, or its lease was lost. */
static bool decide(swg_circuit *circuit, const swg_permit *permit, swg_outcome outcome, bool slow,
                   int64_t now_ns, bool *in_stripe)
{
    const uint64_t word = swg__load_seq_u64(&circuit->parts.cell->word);
    const bool current = swg__word_epoch(word) == permit->epoch;
    if ((permit->held & SWG__HELD_PROBE) != 0) {
        return count_probe(circuit, permit, outcome, slow, now_ns);
    }
    if (!current || !is_counted(outcome) || swg__word_public(word) != SWG_CLOSED) {
        return current;
    }
    *in_stripe = outcome == SWG_SUCCESS;
    const bool counted = count_in_window(circuit, word, outcome, slow, now_ns);
    *in_stripe = *in_stripe && counted;
    return counted;
}

/* What the fleet is to know of it: a probe's result, or that it is no evidence of the present. A
 * slow probe passed nothing. */
static void tell_fleet(swg_circuit *circuit, swg_permit *permit, swg_outcome outcome, bool slow,
                       int64_t now_ns)
{
    const bool failed = swg__is_failure(outcome);
    if ((permit->held & SWG__HELD_FLEET) != 0) {
        swg__gate_end(circuit, permit,
                      !is_counted(outcome) ? SWG__GATE_UNUSED
                      : failed || slow     ? SWG__GATE_FAILED
                                           : SWG__GATE_PASSED,
                      now_ns);
        permit->epoch &= SWG__EPOCH_MASK;
    } else if (is_counted(outcome)) {
        swg__gate_note(circuit, permit, outcome, slow);
    }
}

__attribute__((noinline)) static void release_checked(swg_circuit *circuit, swg_permit *permit,
                                                      swg_outcome outcome, int64_t now_ns)
{
    swg_cell *cell = circuit->parts.cell;
    const int64_t now = now_ns > permit->acquired_ns ? now_ns : permit->acquired_ns;
    const bool slow = is_counted(outcome) && is_slow(cell, now - permit->acquired_ns);
    swg_permit spent = *permit;
    bool in_stripe = false;

    permit->held = 0;
    tell_fleet(circuit, &spent, outcome, slow, now);
    give_slot(circuit, &spent, outcome, now);
    if (!decide(circuit, &spent, outcome, slow, swg__no_earlier(circuit, now), &in_stripe)) {
        swg__add_relaxed_u64(&circuit->parts.window->stale, 1);
    }
    count_outcome(cell, outcome, slow, in_stripe);
    if (!in_stripe) {
        swg__raise(&cell->last_outcome, now);
    }
}

void swg_release(swg_circuit *circuit, swg_permit *permit, swg_outcome outcome, int64_t now_ns)
{
    const bool plain =
        permit->held != 0 && (permit->held & (SWG__HELD_PROBE | SWG__HELD_FLEET)) == 0;
    if (plain && outcome == SWG_SUCCESS) {
        const swg_cell *cell = circuit->parts.cell;
        /* acquire: pairs with the swap in transition.c */
        const uint64_t word = swg__load_acquire_u64(&cell->word);
        if (swg__word_state(word) == SWG_CLOSED && swg__word_epoch(word) == permit->epoch &&
            !is_slow(cell, now_ns - permit->acquired_ns) && now_ns >= permit->acquired_ns) {
            if (count_quickly(circuit, word, now_ns)) {
                give_slot(circuit, permit, outcome, now_ns);
                permit->held = 0;
                return;
            }
        }
    }
    if (permit->held != 0) {
        release_checked(circuit, permit,
                        (unsigned)outcome < SWG_OUTCOME_COUNT ? outcome : SWG_CANCELLED, now_ns);
    }
}
