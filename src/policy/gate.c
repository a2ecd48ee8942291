/* The gate: what an authority outside, the fleet, has to say about a call. Callers ask; the
 * authority publishes and collects. */
#include "policy/gate.h"

#include <string.h>
#include <switchgear/gate.h>

#include "core/bulkhead.h"
#include "core/window.h"
#include "policy/transition.h"
#include "store/claim.h"

/* Each time around somebody else has taken a permit. */
#define ATTEMPTS 1000

_Static_assert((int)SWG_GATE_FORCED == (int)SWG__GATE_FORCED, "one set of modes");
_Static_assert(SWG_GATE_GRACE_MS *SWG__NS_PER_MS == SWG__GATE_GRACE_NS, "one grace");
_Static_assert(SWG_GATE_CLAIM_MS *SWG__NS_PER_MS == SWG__CLAIM_NS, "one time to keep a claim");
_Static_assert(SWG_GATE_UNTIL_MAX_NS == (int64_t)SWG__GATE_MS_MASK * SWG__NS_PER_MS,
               "every time fits");
_Static_assert(SWG_GATE_ROUND_MAX == SWG__GATE_LOW_MASK, "every round fits");
_Static_assert(SWG_GATE_RAMP_MAX_MS / SWG__GATE_RAMP_STEP_MS <= SWG__GATE_LOW_MASK, "every ramp");

const char *swg_gate_mode_name(swg_gate_mode mode)
{
#define SWG_X(name, value, text) text,
    static const char *const names[] = {SWG_GATE_MODES(SWG_X)};
#undef SWG_X
    return (size_t)mode < sizeof names / sizeof *names ? names[mode] : "unknown";
}

static swg_verdict refuse(swg_permit *permit, swg_verdict verdict, uint64_t word, int64_t now_ns)
{
    const int64_t wait_ns = swg__gate_wait_ns(word, now_ns);
    permit->retry_ns = now_ns + (wait_ns > 0 ? wait_ns : 0);
    return verdict;
}

/* Takes a permit; false: the word has moved, look again. */
static bool take(swg_circuit *circuit, swg_permit *permit, uint64_t word, int64_t now_ns)
{
    swg_cell *cell = circuit->parts.cell;
    uint64_t expected = word;
    if (!swg__cas_seq_u64(&cell->advice, &expected, word - SWG__GATE_ARGUMENT)) {
        return false;
    }
    permit->acquired_ns = now_ns;
    permit->retry_ns = now_ns + swg__gate_wait_ns(word, now_ns);
    permit->epoch = swg__word_epoch(swg__load_seq_u64(&cell->word)) | (uint64_t)swg__gate_low(word)
                                                                          << SWG__ROUND_SHIFT;
    permit->held = SWG__HELD_CALL | SWG__HELD_FLEET;
    return true;
}

static swg_verdict ask_ramp(swg_window *window, swg_permit *permit, uint64_t word, int64_t now_ns)
{
    const uint64_t turn = swg__add_relaxed_u64(&window->turn, 1);
    permit->retry_ns = now_ns;
    return swg__gate_ramp_admits(word, turn, now_ns) ? SWG_PERMITTED : SWG_REJECTED_RAMP;
}

swg_verdict swg__gate_ask(swg_circuit *circuit, swg_permit *permit, int64_t now_ns)
{
    swg_cell *cell = circuit->parts.cell;
    for (int i = 0; i < ATTEMPTS; i++) {
        uint64_t word = swg__load_seq_u64(&cell->advice);
        switch (swg__gate_mode_now(word, now_ns)) {
        case SWG__GATE_OPEN:
            return refuse(permit, SWG_REJECTED_OPEN, word, now_ns);
        case SWG__GATE_FORCED:
            return refuse(permit, SWG_REJECTED_FORCED, word, now_ns);
        case SWG__GATE_RAMP:
            return ask_ramp(circuit->parts.window, permit, word, now_ns);
        case SWG__GATE_PROBING:
            if (swg__gate_argument(word) == 0 || swg__gate_wait_ns(word, now_ns) <= 0) {
                permit->retry_ns = now_ns;
                return SWG_REJECTED_PROBING;
            }
            if (take(circuit, permit, word, now_ns)) {
                return SWG_PERMITTED;
            }
            break;
        default:
            if (word != 0) { /* it lost its hold: calls are quick again */
                swg__cas_seq_u64(&cell->advice, &word, 0);
            }
            return SWG_PERMITTED;
        }
    }
    return SWG_REJECTED_PROBING;
}

static void count(swg_circuit *circuit, const swg_permit *permit, swg__gate_result result)
{
    swg__gate_count(&circuit->parts.window->gate_results,
                    (uint32_t)(permit->epoch >> SWG__ROUND_SHIFT), result);
}

void swg__gate_give(swg_circuit *circuit, const swg_permit *permit)
{
    count(circuit, permit, SWG__GATE_UNUSED);
}

void swg__gate_end(swg_circuit *circuit, const swg_permit *permit, swg__gate_result result,
                   int64_t now_ns)
{
    if (now_ns < permit->retry_ns) {
        count(circuit, permit, result);
    }
}

void swg__gate_note(swg_circuit *circuit, const swg_permit *permit, swg_outcome outcome, bool slow)
{
    swg_window *window = circuit->parts.window;
    if (permit->acquired_ns >= swg__load_relaxed_i64(&window->gate_since)) {
        return;
    }
    swg__add_relaxed_u64(&window->gate_old[SWG__OLD_CALLS], 1);
    if (swg__is_failure(outcome)) {
        swg__add_relaxed_u64(&window->gate_old[SWG__OLD_FAILURES], 1);
    }
    if (outcome == SWG_FAILURE_LOCAL) {
        swg__add_relaxed_u64(&window->gate_old_local, 1);
    }
    if (slow) {
        swg__add_relaxed_u64(&window->gate_old[SWG__OLD_SLOW], 1);
    }
}

/* --- the authority's side */

static bool gate_ok(const swg_gate *gate)
{
    return gate != NULL && gate->size == sizeof(*gate) && gate->mode <= SWG_GATE_FORCED &&
           gate->permits <= SWG_GATE_PERMITS_MAX && gate->round <= SWG_GATE_ROUND_MAX &&
           gate->share_halved <= 31 && gate->ramp_ms <= SWG_GATE_RAMP_MAX_MS &&
           (gate->mode != SWG_GATE_RAMP || gate->ramp_ms > 0) &&
           (gate->mode == SWG_GATE_NONE ||
            (gate->until_ns >= 0 && gate->until_ns <= SWG_GATE_UNTIL_MAX_NS));
}

/* A permit ends early rather than late, everything else late rather than early. */
static uint64_t word_of(const swg_gate *gate)
{
    const int64_t down = gate->until_ns / SWG__NS_PER_MS;
    const int64_t up = (gate->until_ns + SWG__NS_PER_MS - 1) / SWG__NS_PER_MS;
    switch (gate->mode) {
    case SWG_GATE_NONE:
        return 0;
    case SWG_GATE_PROBING:
        return swg__gate_make(SWG__GATE_PROBING, gate->permits, down, gate->round);
    case SWG_GATE_RAMP:
        return swg__gate_make(SWG__GATE_RAMP, gate->share_halved, up,
                              (gate->ramp_ms + SWG__GATE_RAMP_STEP_MS - 1) /
                                  SWG__GATE_RAMP_STEP_MS);
    default:
        return swg__gate_make(gate->mode, 0, up, 0);
    }
}

int swg_gate_set(swg_circuit *circuit, const swg_gate *gate, uint32_t *left)
{
    if (circuit == NULL || !gate_ok(gate)) {
        return SWG_EINVAL;
    }
    swg_window *window = circuit->parts.window;
    swg_au64 *advice = &circuit->parts.cell->advice;
    const uint64_t next = word_of(gate);
    uint64_t old = swg__load_seq_u64(advice);
    swg__store_relaxed_i64(&window->gate_since, gate->since_ns);
    if (gate->mode == SWG_GATE_PROBING &&
        swg__load_seq_u64(&window->gate_results) >> 42 != gate->round) {
        swg__swap_seq_u64(&window->gate_results, (uint64_t)gate->round << 42);
    }
    if (old != next || gate->mode == SWG_GATE_PROBING) {
        old = swg__swap_seq_u64(advice, next);
    }
    if (left != NULL) {
        *left = old >> 61 == SWG__GATE_PROBING ? swg__gate_argument(old) : 0;
    }
    return SWG_OK;
}

static uint64_t without(uint64_t all, const swg_au64 *old)
{
    const uint64_t part = swg__load_relaxed_u64(old);
    return all > part ? all - part : 0;
}

static void read_counters(const swg__parts *parts, swg_gate_reading *r)
{
    const swg_cell *cell = parts->cell;
    const swg_window *window = parts->window;
    const uint64_t local = swg__load_relaxed_u64(&cell->outcomes[SWG_FAILURE_LOCAL]);
    const uint64_t failures = local + swg__load_relaxed_u64(&cell->outcomes[SWG_FAILURE]) +
                              swg__load_relaxed_u64(&cell->outcomes[SWG_TIMEOUT]);
    const uint64_t calls =
        failures + swg__load_relaxed_u64(&cell->outcomes[SWG_SUCCESS]) + swg__successes(parts);
    r->calls = without(calls, &window->gate_old[SWG__OLD_CALLS]);
    r->failures = without(failures, &window->gate_old[SWG__OLD_FAILURES]);
    r->local = without(local, &window->gate_old_local);
    r->slow = without(swg__load_relaxed_u64(&cell->slow_calls), &window->gate_old[SWG__OLD_SLOW]);
    r->ended = calls + swg__load_relaxed_u64(&cell->outcomes[SWG_IGNORED]) +
               swg__load_relaxed_u64(&cell->outcomes[SWG_CANCELLED]);
    r->refused = swg__load_relaxed_u64(&cell->rejected[SWG_REJECTED_OPEN]) +
                 swg__load_relaxed_u64(&cell->rejected[SWG_REJECTED_PROBING]);
    for (unsigned i = 0; i < SWG__STRIPES; i++) {
        r->refused += swg__load_relaxed_u64(&swg__stripe(parts, i)->rejected);
    }
}

static void read_gate(const swg_circuit *circuit, int64_t now_ns, swg__gate_results results,
                      swg_gate_reading *r)
{
    const swg_cell *cell = circuit->parts.cell;
    const uint64_t word = swg__load_seq_u64(&cell->advice);
    *r = (swg_gate_reading){
        .size = sizeof(*r),
        .mode = swg__gate_mode_now(word, now_ns),
        .circuit = circuit->number,
        .round = results.round,
        .passed = results.passed,
        .failed = results.failed,
        .unused = results.unused,
        .state = swg__word_public(swg__load_seq_u64(&cell->word)),
        .inflight = swg__bulkhead_count(&cell->inflight),
    };
    if (r->mode != SWG_GATE_NONE) {
        r->until_ns = now_ns + swg__gate_wait_ns(word, now_ns);
        r->permits = r->mode == SWG_GATE_PROBING ? swg__gate_argument(word) : 0;
    }
    read_counters(&circuit->parts, r);
}

int swg_gate_read(const swg_circuit *circuit, int64_t now_ns, swg_gate_reading *reading)
{
    if (circuit == NULL || reading == NULL) {
        return SWG_EINVAL;
    }
    const uint64_t results = swg__load_seq_u64(&circuit->parts.window->gate_results);
    read_gate(circuit, now_ns, swg__gate_results_of(results), reading);
    return SWG_OK;
}

int swg_gate_collect(swg_circuit *circuit, int64_t now_ns, swg_gate_reading *reading)
{
    if (circuit == NULL || reading == NULL) {
        return SWG_EINVAL;
    }
    read_gate(circuit, now_ns, swg__gate_take(&circuit->parts.window->gate_results), reading);
    return SWG_OK;
}

int swg_gate_close(swg_circuit *circuit, int64_t now_ns)
{
    const swg__evidence evidence = {.cause = SWG_CAUSE_FLEET};
    if (circuit == NULL) {
        return SWG_EINVAL;
    }
    const int64_t seen = swg__seen(&circuit->parts);
    const int64_t at = seen > now_ns ? seen : now_ns;
    uint64_t word = swg__load_seq_u64(&circuit->parts.cell->word);
    while (!swg__move_closed(circuit, word, &evidence, at)) {
        word = swg__load_seq_u64(&circuit->parts.cell->word);
    }
    return SWG_OK;
}

uint64_t swg_gate_identity(swg_panel *panel)
{
    return panel != NULL ? swg__panel_identity(panel) : 0;
}

int swg_gate_claim(swg_panel *panel, int64_t now_ns, uint64_t *claim)
{
    if (panel == NULL || claim == NULL) {
        return SWG_EINVAL;
    }
    *claim = 0;
    if (swg__panel_owner(panel) == 0) {
        return SWG_EFULL;
    }
    *claim = swg__claim_take(panel, now_ns);
    return *claim != 0 ? SWG_OK : SWG_EBUSY;
}

int swg_gate_keep(swg_panel *panel, uint64_t claim, int64_t now_ns)
{
    if (panel == NULL) {
        return SWG_EINVAL;
    }
    return swg__claim_keep(panel, claim, now_ns) ? SWG_OK : SWG_EBUSY;
}

int swg_gate_release(swg_panel *panel, uint64_t claim)
{
    if (panel == NULL) {
        return SWG_EINVAL;
    }
    return swg__claim_give(panel, claim) ? SWG_OK : SWG_EBUSY;
}

int32_t swg_gate_owner(const swg_panel *panel, int64_t now_ns, int64_t *seen_ns)
{
    int64_t ignored;
    if (panel == NULL) {
        return 0;
    }
    return swg__claim_owner(panel, now_ns, seen_ns != NULL ? seen_ns : &ignored);
}

int swg_gate_record(swg_panel *panel, const swg_circuit *circuit, swg_event *event)
{
    if (panel == NULL || event == NULL || event->scope == SWG_SCOPE_HOST) {
        return SWG_EINVAL;
    }
    event->circuit = SWG_NONE;
    if (circuit != NULL) {
        event->circuit = circuit->number;
        memcpy(event->name, circuit->parts.cell->name, sizeof(event->name));
    }
    event->name[SWG_NAME_MAX] = '\0';
    swg__record(panel, event);
    return SWG_OK;
}
