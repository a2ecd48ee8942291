/* The gate's part in a call. */
#ifndef SWG_POLICY_GATE_H
#define SWG_POLICY_GATE_H

#include <switchgear/circuit.h>

#include "core/gate.h"
#include "store/panel.h"

/* permit->epoch of a probe of the fleet: its round above the circuit's own epoch. */
#define SWG__ROUND_SHIFT 32

/* May the call pass? A permit of the gate is held in `permit`; of a no, retry_ns is set. */
swg_verdict swg__gate_ask(swg_circuit *circuit, swg_permit *permit, int64_t now_ns);

/* A permit taken this very moment goes back: a later check said no. */
void swg__gate_give(swg_circuit *circuit, const swg_permit *permit);

/* The probe's result; whatever comes after its lease is over says nothing. */
void swg__gate_end(swg_circuit *circuit, const swg_permit *permit, swg__gate_result result,
                   int64_t now_ns);

/* An outcome of a call begun before the fleet's present view: counted apart. */
void swg__gate_note(swg_circuit *circuit, const swg_permit *permit, swg_outcome outcome, bool slow);

#endif
