/* Retries that all callers of a circuit share: a token bucket filled by first attempts, so that
 * retries are a share of the traffic and not a multiple of it (as Finagle's RetryBudget).
 *
 * Keeps: over any stretch of time, taken <= least + share * first attempts ended in it. One word,
 * owed:24 (hundredths of a retry missing from a full bucket) mark:40 (attempts accounted for).
 *
 * First attempts need no counting of their own: they are the circuit's outcomes less the retries.
 * Each retry moves the mark by the outcome it will bring; one that brings none errs to the strict
 * side. */
#ifndef SWG_CORE_BUDGET_H
#define SWG_CORE_BUDGET_H

#include "core/layout.h"

/* Takes one retry. `ended`: outcomes of the circuit so far. */
bool swg__budget_take(swg_au64 *word, uint32_t share_pct, uint32_t least, uint64_t ended);

#endif
