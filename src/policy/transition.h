/* Moving from state to state: one compare-and-swap, and what its winner alone does afterwards. */
#ifndef SWG_POLICY_TRANSITION_H
#define SWG_POLICY_TRANSITION_H

#include <switchgear/circuit.h>

#include "core/breaker.h"
#include "store/panel.h"

/* Each starts from the word the caller judged by; false: somebody else moved first. */
bool swg__move_open(swg_circuit *circuit, uint64_t word, const swg__evidence *evidence,
                    int64_t now_ns);
bool swg__move_half_open(swg_circuit *circuit, uint64_t word, int64_t now_ns);
bool swg__move_closed(swg_circuit *circuit, uint64_t word, const swg__evidence *evidence,
                      int64_t now_ns);

/* Counts probes out for longer than probe_ms as failed. */
void swg__expire_probes(swg_circuit *circuit, uint64_t epoch, int64_t now_ns);

/* Decides a half-open circuit if its probes allow; true: the word has moved. */
bool swg__settle_probes(swg_circuit *circuit, uint64_t word, int64_t now_ns);

/* Journals an event, filling in when and by whom. */
void swg__record(swg_panel *panel, swg_event *event);

/* Writes an event that is no transition: an override. */
void swg__record_override(swg_circuit *circuit, swg_override kind, int64_t until_ns,
                          int64_t now_ns);

/* The override in force; an expired one is none. */
static inline swg_override swg__override_now(const swg_cell *cell, int64_t now_ns,
                                             int64_t *until_ns)
{
    const uint64_t word = swg__load_acquire_u64(&cell->override);
    *until_ns = (int64_t)(word & ((UINT64_C(1) << 62) - 1));
    return now_ns < *until_ns ? (swg_override)(word >> 62) : SWG_OVERRIDE_NONE;
}

/* The latest of now and what the circuit has seen: a clock's step back is none. */
static inline int64_t swg__no_earlier(const swg_circuit *circuit, int64_t now_ns)
{
    const int64_t seen = swg__load_seq_i64(&circuit->parts.cell->seen);
    return seen > now_ns ? seen : now_ns;
}

#endif
