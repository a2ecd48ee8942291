#include "policy/transition.h"

#include <string.h>
#include <time.h>

#include "core/backoff.h"
#include "core/probe.h"
#include "core/window.h"
#include "store/journal.h"
#include "store/process.h"
#include "store/settings.h"

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void swg__record(swg_panel *panel, swg_event *event)
{
    const uint16_t owner = swg__panel_owner(panel);
    event->wall_ms = wall_ms();
    event->pid = swg__process_pid(&panel->block, owner);
    swg__journal_write(&panel->block, owner, event);
}

static void record(swg_circuit *circuit, swg_event *event)
{
    event->circuit = circuit->number;
    memcpy(event->name, circuit->parts.cell->name, sizeof(event->name));
    event->name[SWG_NAME_MAX] = '\0';
    swg__record(circuit->panel, event);
}

static uint32_t clip(uint64_t value)
{
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static void account(swg_cell *cell, swg_state left, swg_cause cause, int64_t now_ns)
{
    const int64_t since = swg__load_relaxed_i64(&cell->since);
    if (since != 0 && now_ns > since) {
        swg__add_relaxed_i64(&cell->state_ns[left], now_ns - since);
    }
    swg__store_relaxed_i64(&cell->since, now_ns);
    swg__add_relaxed_u32(&cell->transitions[cause], 1);
}

/* The time is raised before the swap, so that nobody judges the new state by an older one. */
static bool move(swg_circuit *circuit, uint64_t word, uint64_t next, const swg__evidence *evidence,
                 int64_t now_ns)
{
    swg_cell *cell = circuit->parts.cell;
    swg__raise(&cell->seen, now_ns);
    uint64_t expected = word;
    if (!swg__cas_seq_u64(&cell->word, &expected, next)) {
        return false;
    }
    int64_t until_ns;
    swg_event event = {
        .at_ns = now_ns,
        .epoch = swg__word_epoch(next),
        .calls = clip(evidence->calls),
        .failures = clip(evidence->failures),
        .slow = clip(evidence->slow),
        .limit = evidence->limit,
        .cause = (uint8_t)evidence->cause,
        .from = (uint8_t)swg__word_public(word),
        .to = (uint8_t)swg__word_public(next),
        .override = (uint8_t)swg__override_now(cell, now_ns, &until_ns),
    };
    if (event.to == SWG_OPEN) {
        event.until_ns = now_ns + swg__word_wait_ns(next, now_ns);
    }
    account(cell, swg__word_public(word), evidence->cause, now_ns);
    record(circuit, &event);
    return true;
}

bool swg__move_open(swg_circuit *circuit, uint64_t word, const swg__evidence *evidence,
                    int64_t now_ns)
{
    const swg_cell *cell = circuit->parts.cell;
    const int64_t seen = swg__seen(&circuit->parts);
    const int64_t at = seen > now_ns ? seen : now_ns;

    unsigned tries = 0;
    if (swg__word_state(word) == SWG_HALF_OPEN) {
        tries = swg__word_tries(word);
        tries += tries < SWG__TRIES_MAX;
    }
    const uint64_t epoch = swg__epoch_after(swg__word_epoch(word));
    uint32_t max_ms;
    const uint32_t base_ms = swg__recovery_ms(cell, &max_ms);
    const uint64_t random = swg__mix(swg__load_relaxed_u64(&cell->jitter_seed), epoch);
    const int64_t wait_ns = swg__backoff_jittered_ns(swg__backoff_ms(base_ms, max_ms, tries),
                                                     swg__jitter_pct(cell), random);
    const int64_t until_ms = (at + wait_ns + SWG__NS_PER_MS - 1) / SWG__NS_PER_MS;
    return move(circuit, word, swg__word_make(SWG_OPEN, epoch, tries, until_ms), evidence, at);
}

bool swg__move_half_open(swg_circuit *circuit, uint64_t word, int64_t now_ns)
{
    const swg__evidence evidence = {.cause = SWG_CAUSE_WAIT_OVER};
    const uint64_t next = swg__word_make(SWG_HALF_OPEN, swg__epoch_after(swg__word_epoch(word)),
                                         swg__word_tries(word), now_ns / SWG__NS_PER_MS);
    return move(circuit, word, next, &evidence, now_ns);
}

bool swg__move_closed(swg_circuit *circuit, uint64_t word, const swg__evidence *evidence,
                      int64_t now_ns)
{
    const bool ramps = evidence->cause != SWG_CAUSE_RESET && swg__ramp_ms(circuit->parts.cell) != 0;
    const uint64_t next =
        swg__word_make(ramps ? SWG__RAMPING : SWG_CLOSED, swg__epoch_after(swg__word_epoch(word)),
                       0, now_ns / SWG__NS_PER_MS);
    return move(circuit, word, next, evidence, now_ns);
}

void swg__expire_probes(swg_circuit *circuit, uint64_t epoch, int64_t now_ns)
{
    const swg__parts *parts = &circuit->parts;
    if (swg__probe_expire(parts->window, epoch, swg__probe_ms(parts->cell), now_ns) > 0) {
        swg__raise(&parts->cell->seen, now_ns);
    }
}

bool swg__settle_probes(swg_circuit *circuit, uint64_t word, int64_t now_ns)
{
    const swg__parts *parts = &circuit->parts;
    const swg__probes probes =
        swg__probe_count(parts->window, swg__word_epoch(word), swg__probe_ms(parts->cell), now_ns);
    const swg__evidence evidence = swg__probe_judge(swg__limits_read(parts->cell), probes);
    switch (evidence.cause) {
    case SWG_CAUSE_NONE:
        return false;
    case SWG_CAUSE_PROBES_PASSED:
        swg__move_closed(circuit, word, &evidence, now_ns);
        return true;
    default:
        swg__move_open(circuit, word, &evidence, now_ns);
        return true;
    }
}

void swg__record_override(swg_circuit *circuit, swg_override kind, int64_t until_ns, int64_t now_ns)
{
    swg_cell *cell = circuit->parts.cell;
    const uint64_t word = swg__load_seq_u64(&cell->word);
    swg_event event = {
        .at_ns = now_ns,
        .until_ns = kind == SWG_OVERRIDE_NONE ? 0 : until_ns,
        .epoch = swg__word_epoch(word),
        .cause = SWG_CAUSE_OVERRIDE,
        .from = (uint8_t)swg__word_public(word),
        .to = (uint8_t)swg__word_public(word),
        .override = (uint8_t)kind,
    };
    swg__add_relaxed_u32(&cell->transitions[SWG_CAUSE_OVERRIDE], 1);
    record(circuit, &event);
}
