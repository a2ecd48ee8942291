/* A circuit's life: found or made, configured, overridden, reset. None of this is on a call's path.
 */
#include <sched.h>
#include <string.h>
#include <switchgear/circuit.h>

#include "core/backoff.h"
#include "policy/config.h"
#include "policy/transition.h"
#include "store/directory.h"
#include "store/settings.h"

/* Turns to let other openers finish, when all cells are taken. */
#define ATTEMPTS 1000

static swg_circuit *handle(swg_panel *panel, uint32_t number)
{
    return &panel->circuits[number];
}

/* A claimed cell is nobody else's yet, but its memory may be a dead claimant's. */
static void lay_out(const swg__block *block, uint32_t number, const swg_circuit_config *settled)
{
    swg_cell *cell = &block->cells[number];
    swg__store_relaxed_u64(&cell->word, swg__word_make(SWG_CLOSED, 1, 0, 0));
    swg__store_relaxed_u32(&cell->prepared, SWG__PREPARED_NEVER);
    swg__store_relaxed_u64(&cell->jitter_seed,
                           swg__mix((uint64_t)block->header->formatted_ms, number));
    swg__settings_store(cell, settled);
}

static bool same_config(const swg_cell *cell, const swg_circuit_config *settled)
{
    swg_circuit_config present;
    swg__settings_load(cell, &present);
    return memcmp(&present, settled, sizeof(present)) == 0;
}

static int adopt(swg_circuit **circuit, swg_panel *panel, uint32_t number,
                 const swg_circuit_config *settled, bool asked)
{
    *circuit = handle(panel, number);
    if (!asked || same_config((*circuit)->parts.cell, settled)) {
        return SWG_OK;
    }
    swg__add_relaxed_u32(&(*circuit)->parts.cell->config_conflicts, 1);
    return SWG_DIFFERS;
}

static int make(swg_circuit **circuit, swg_panel *panel, const char *name,
                const swg_circuit_config *settled, bool asked)
{
    const swg__block *block = &panel->block;
    const uint16_t owner = swg__panel_owner(panel);
    if (owner == 0 && panel->home != SWG__HOME_HEAP) {
        return SWG_EFULL; /* no row: a claim that nobody could settle if we died */
    }
    int64_t cell = swg__directory_claim(block, name, owner);
    if (cell < 0 && swg_panel_reap(panel, 0) > 0) {
        cell = swg__directory_claim(block, name, owner);
    }
    /* the last cell may be another opener's, of this very name, or on its way back */
    for (int i = 0; cell < 0 && i < ATTEMPTS; i++) {
        const bool busy =
            swg__directory_busy(block); /* before the look: whoever is done is found */
        const int64_t found = swg__directory_find(block, name);
        if (found >= 0) {
            return adopt(circuit, panel, (uint32_t)found, settled, asked);
        }
        if (!busy) {
            return SWG_EFULL;
        }
        sched_yield();
        cell = swg__directory_claim(block, name, owner);
    }
    if (cell < 0) {
        return SWG_EFULL;
    }
    lay_out(block, (uint32_t)cell, settled);
    const uint32_t winner = swg__directory_enter(block, (uint32_t)cell);
    return adopt(circuit, panel, winner, settled, asked && winner != (uint32_t)cell);
}

int swg_circuit_open(swg_circuit **circuit, swg_panel *panel, const char *name,
                     const swg_circuit_config *config)
{
    swg_circuit_config settled;
    const char *field;
    const char *reason;
    if (circuit == NULL) {
        return SWG_EINVAL;
    }
    *circuit = NULL;
    if (panel == NULL || name == NULL || !swg__name_ok(name)) {
        return SWG_EINVAL;
    }
    const int error = swg__config_settle(&settled, config, &field, &reason);
    if (error != SWG_OK) {
        return error;
    }
    const int64_t cell = swg__directory_find(&panel->block, name);
    return cell >= 0 ? adopt(circuit, panel, (uint32_t)cell, &settled, config != NULL)
                     : make(circuit, panel, name, &settled, config != NULL);
}

int swg_circuit_find(swg_circuit **circuit, swg_panel *panel, const char *name)
{
    if (circuit == NULL) {
        return SWG_EINVAL;
    }
    *circuit = NULL;
    if (panel == NULL || name == NULL || !swg__name_ok(name)) {
        return SWG_EINVAL;
    }
    const int64_t cell = swg__directory_find(&panel->block, name);
    if (cell < 0) {
        return SWG_ENOENT;
    }
    *circuit = handle(panel, (uint32_t)cell);
    return SWG_OK;
}

int swg_circuit_configure(swg_circuit *circuit, const swg_circuit_config *config)
{
    swg_circuit_config settled;
    const char *field;
    const char *reason;
    if (circuit == NULL || config == NULL) {
        return SWG_EINVAL;
    }
    const int error = swg__config_settle(&settled, config, &field, &reason);
    if (error != SWG_OK) {
        return error;
    }
    if (swg__limits_read(circuit->parts.cell).failure_threshold == 0) {
        swg__store_relaxed_u32(&circuit->parts.cell->row, 0); /* not counted so far */
    }
    uint32_t burst;
    const uint32_t rate = swg__rate(circuit->parts.cell, &burst);
    const bool new_rate = (settled.rate_per_s != SWG_NONE ? settled.rate_per_s : 0) != rate ||
                          (settled.rate_burst != SWG_NONE ? settled.rate_burst : 0) != burst;
    if (swg__stall_ms(circuit->parts.cell) == 0) {
        swg__store_relaxed_i64(&circuit->parts.cell->progress, 0); /* nor was this */
    }
    swg__settings_store(circuit->parts.cell, &settled);
    if (new_rate) { /* debts of the old rate are not the new one's */
        swg__store_relaxed_i64(&circuit->parts.cell->rate_tat, 0);
    }
    swg__window_watch(circuit->parts.cell); /* whatever comes next is judged by the new limits */
    return SWG_OK;
}

static void store_reason(swg_window *window, const char *reason)
{
    uint64_t words[(SWG_REASON_MAX + 1) / 8] = {0};
    if (reason != NULL) {
        memcpy(words, reason, strnlen(reason, SWG_REASON_MAX));
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        swg__store_relaxed_u64(&window->reason[i], words[i]);
    }
}

int swg_circuit_override(swg_circuit *circuit, swg_override kind, int64_t until_ns,
                         const char *reason)
{
    const int64_t longest = (INT64_C(1) << 62) - 1;
    if (circuit == NULL || (unsigned)kind >= SWG_OVERRIDE_COUNT ||
        (kind != SWG_OVERRIDE_NONE && until_ns <= 0)) {
        return SWG_EINVAL;
    }
    swg_cell *cell = circuit->parts.cell;
    const int64_t until = until_ns < longest ? until_ns : longest;
    if (kind == SWG_OVERRIDE_NONE) {
        if (swg__swap_seq_u64(&cell->override, 0) == 0) {
            return SWG_OK;
        }
    } else {
        store_reason(circuit->parts.window, reason);
        swg__swap_seq_u64(&cell->override, (uint64_t)kind << 62 | (uint64_t)until);
    }
    swg__record_override(circuit, kind, until, swg__seen(&circuit->parts));
    return SWG_OK;
}

void swg_circuit_reset(swg_circuit *circuit, int64_t now_ns)
{
    const swg__evidence evidence = {.cause = SWG_CAUSE_RESET};
    if (circuit == NULL) {
        return;
    }
    const int64_t seen = swg__seen(&circuit->parts);
    uint64_t word;
    do {
        word = swg__load_seq_u64(&circuit->parts.cell->word);
    } while (!swg__move_closed(circuit, word, &evidence, seen > now_ns ? seen : now_ns));
}

/* In a spoilt block a name may have no end. */
static bool has_name(const swg_cell *cell)
{
    return memchr(cell->name, '\0', sizeof(cell->name)) != NULL;
}

swg_circuit *swg_circuit_next(swg_panel *panel, const swg_circuit *previous)
{
    if (panel == NULL) {
        return NULL;
    }
    for (uint32_t i = previous == NULL ? 0 : previous->number + 1; i < panel->block.circuit_count;
         i++) {
        if (swg__directory_ready(&panel->block, i) && has_name(&panel->block.cells[i])) {
            return handle(panel, i);
        }
    }
    return NULL;
}

const char *swg_circuit_name(const swg_circuit *circuit)
{
    return circuit == NULL ? "" : circuit->parts.cell->name;
}
