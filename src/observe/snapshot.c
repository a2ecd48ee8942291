/* Reading one circuit. Nothing here writes to the block. */
#include <switchgear/circuit.h>
#include <string.h>

#include "core/adapt.h"
#include "core/bulkhead.h"
#include "core/gate.h"
#include "core/probe.h"
#include "core/shed.h"
#include "core/window.h"
#include "store/panel.h"
#include "store/settings.h"

static void read_override(swg_snapshot *s, const swg__parts *parts, int64_t now_ns)
{
    const uint64_t word = swg__load_acquire_u64(&parts->cell->override);
    const int64_t until_ns = (int64_t)(word & ((UINT64_C(1) << 62) - 1));
    if (word == 0 || now_ns >= until_ns) {
        return;
    }
    s->override = (uint32_t)(word >> 62);
    s->override_until_ns = until_ns == (INT64_C(1) << 62) - 1 ? INT64_MAX : until_ns;
    for (size_t i = 0; i < sizeof(s->override_reason) / 8; i++) {
        const uint64_t text = swg__load_relaxed_u64(&parts->window->reason[i]);
        memcpy(s->override_reason + i * 8, &text, sizeof(text));
    }
    s->override_reason[SWG_REASON_MAX] = '\0';
}

static void read_evidence(swg_snapshot *s, const swg__parts *parts, uint64_t word, int64_t now_ns)
{
    if (swg__word_state(word) == SWG_HALF_OPEN) {
        const swg__probes probes = swg__probe_count(parts->window, swg__word_epoch(word),
                                                    swg__probe_ms(parts->cell), now_ns);
        s->probes_out = probes.out;
        s->probes_in = probes.in;
        s->window_calls = probes.in;
        s->window_failures = probes.failures;
        s->window_slow = probes.slow;
        return;
    }
    const swg__evidence sum = swg__window_read(parts, word, now_ns);
    s->window_calls = sum.calls;
    s->window_failures = sum.failures;
    s->window_slow = sum.slow;
}

static void read_state(swg_snapshot *s, const swg__parts *parts, int64_t now_ns)
{
    const swg_cell *cell = parts->cell;
    const uint64_t word = swg__load_seq_u64(&cell->word);
    s->state = swg__word_public(word);
    s->epoch = swg__word_epoch(word);
    s->since_ns = swg__load_relaxed_i64(&cell->since);
    s->ramp_pct = 100;
    if (s->state == SWG_OPEN) {
        const int64_t wait_ns = swg__word_wait_ns(word, now_ns);
        s->retry_ns = wait_ns > 0 ? now_ns + wait_ns : 0;
        s->state = wait_ns > 0 ? SWG_OPEN : SWG_HALF_OPEN;
    } else if (swg__word_state(word) == SWG__RAMPING) {
        s->ramp_pct = swg__ramp_pct(swg__word_age_ms(word, now_ns), swg__ramp_ms(cell));
    }
    const uint32_t row = swg__load_relaxed_u32(&cell->row);
    if (((row ^ (uint32_t)s->epoch << 21) & ~SWG__ROW_COUNT_MASK) == 0 &&
        swg__limits_read(cell).failure_threshold != 0) {
        s->consecutive_failures = row & SWG__ROW_COUNT_MASK;
    }
    read_evidence(s, parts, word, now_ns);
}

static void read_counters(swg_snapshot *s, const swg__parts *parts)
{
    const swg_cell *cell = parts->cell;
    for (int i = 0; i < SWG_OUTCOME_COUNT; i++) {
        s->outcomes[i] = swg__load_relaxed_u64(&cell->outcomes[i]);
    }
    s->outcomes[SWG_SUCCESS] += swg__successes(parts);
    s->slow = swg__load_relaxed_u64(&cell->slow_calls);
    s->stale = swg__load_relaxed_u64(&parts->window->stale);
    for (int i = 0; i < SWG_VERDICT_COUNT; i++) {
        s->rejected[i] = swg__load_relaxed_u64(&cell->rejected[i]);
        s->would_reject[i] = swg__load_relaxed_u64(&cell->would_reject[i]);
    }
    for (unsigned i = 0; i < SWG__STRIPES; i++) {
        s->rejected[SWG_REJECTED_OPEN] += swg__load_relaxed_u64(&swg__stripe(parts, i)->rejected);
    }
    for (int i = 0; i < SWG_CAUSE_HOST_COUNT; i++) {
        s->transitions[i] = swg__load_relaxed_u32(&cell->transitions[i]);
    }
    s->config_conflicts = swg__load_relaxed_u32(&cell->config_conflicts);
}

/* Time in the present state, up to now, is added to what is on record; `word` is the record's
 * state. */
static void read_times(swg_snapshot *s, const swg__parts *parts, int64_t now_ns)
{
    const swg_cell *cell = parts->cell;
    for (int i = 0; i < SWG_STATE_COUNT; i++) {
        s->state_ns[i] = swg__load_relaxed_i64(&cell->state_ns[i]);
    }
    const swg_state recorded = swg__word_public(swg__load_relaxed_u64(&cell->word));
    if (s->since_ns != 0 && now_ns > s->since_ns) {
        s->state_ns[recorded] += now_ns - s->since_ns;
    }
    s->last_outcome_ns = swg__load_relaxed_i64(&parts->cell->last_outcome);
    for (unsigned i = 0; i < SWG__STRIPES; i++) {
        const int64_t seen = swg__load_relaxed_i64(&swg__stripe(parts, i)->seen);
        s->last_outcome_ns = seen > s->last_outcome_ns ? seen : s->last_outcome_ns;
    }
}

/* What limits and retries have come to. */
static void read_limits(swg_snapshot *s, const swg__parts *parts, int64_t now_ns)
{
    const swg_cell *cell = parts->cell;
    uint32_t least;
    s->inflight = swg__bulkhead_count(&cell->inflight);
    s->inflight_limit = swg__inflight_max(cell);
    if (swg__inflight_ms(cell, &least) != 0) {
        s->inflight_limit = swg__adapt_limit(&cell->adapted, least, s->inflight_limit);
    }
    const uint32_t share = swg__shed_now(parts, swg__shed_factor_pct(cell), now_ns);
    s->shed_pct = (share * 100 + SWG__SHED_ALL - 1) / SWG__SHED_ALL;
    s->retries = swg__load_relaxed_u64(&parts->window->retries);
    s->retries_recovered = swg__load_relaxed_u64(&parts->window->recovered);
    for (int i = 0; i < SWG_RETRY_END_COUNT; i++) {
        s->retries_denied[i] = swg__load_relaxed_u64(&parts->window->denied[i]);
    }
}

/* What an authority outside, the fleet, has to say. */
static void read_gate(swg_snapshot *s, const swg__parts *parts, int64_t now_ns)
{
    const uint64_t word = swg__load_seq_u64(&parts->cell->advice);
    s->gate = swg__gate_mode_now(word, now_ns);
    if (s->gate != SWG__GATE_NONE) {
        s->gate_permits = s->gate == SWG__GATE_PROBING ? swg__gate_argument(word) : 0;
        s->gate_until_ns = now_ns + swg__gate_wait_ns(word, now_ns);
    }
}

int swg_circuit_read(const swg_circuit *circuit, int64_t now_ns, swg_snapshot *snapshot)
{
    if (circuit == NULL || snapshot == NULL) {
        return SWG_EINVAL;
    }
    const swg__parts *parts = &circuit->parts;
    const int64_t seen = swg__load_seq_i64(&parts->cell->seen);
    const int64_t now = seen > now_ns ? seen : now_ns;
    *snapshot = (swg_snapshot){.circuit = circuit->number};
    memcpy(snapshot->name, parts->cell->name, sizeof(snapshot->name));
    snapshot->name[SWG_NAME_MAX] = '\0';
    read_state(snapshot, parts, now);
    read_override(snapshot, parts, now_ns);
    read_counters(snapshot, parts);
    read_times(snapshot, parts, now);
    read_limits(snapshot, parts, now);
    read_gate(snapshot, parts, now_ns);
    swg__settings_load(parts->cell, &snapshot->config);
    return SWG_OK;
}
