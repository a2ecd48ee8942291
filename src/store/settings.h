/* How a circuit's configuration is kept in the block, and read back. Each word is stored at once,
 * so fields that must change together share one; between two words a reader may meet old and new,
 * each of which is valid. */
#ifndef SWG_STORE_SETTINGS_H
#define SWG_STORE_SETTINGS_H

#include <switchgear/circuit.h>

#include "core/window.h"

/* A settled configuration: defaults resolved, SWG_NONE where off. */
void swg__settings_store(swg_cell *cell, const swg_circuit_config *settled);
void swg__settings_load(const swg_cell *cell, swg_circuit_config *settled);

/* Single fields the machines need, 0 when off. */
static inline uint32_t swg__recovery_ms(const swg_cell *cell, uint32_t *max_ms)
{
    const uint64_t word = swg__load_relaxed_u64(&cell->config[1]);
    *max_ms = (uint32_t)(word >> 32);
    return (uint32_t)word;
}

static inline uint32_t swg__probe_ms(const swg_cell *cell)
{
    return (uint32_t)swg__load_relaxed_u64(&cell->config[2]);
}

static inline uint32_t swg__jitter_pct(const swg_cell *cell)
{
    return (uint32_t)(swg__load_relaxed_u64(&cell->config[2]) >> 32);
}

static inline uint32_t swg__ramp_ms(const swg_cell *cell)
{
    return (uint32_t)swg__load_relaxed_u64(&cell->config[3]);
}

static inline uint32_t swg__inflight_max(const swg_cell *cell)
{
    return (uint32_t)(swg__load_relaxed_u64(&cell->config[3]) >> 32);
}

static inline uint32_t swg__rate(const swg_cell *cell, uint32_t *burst)
{
    const uint64_t word = swg__load_relaxed_u64(&cell->config[4]);
    *burst = (uint32_t)(word >> 32);
    return (uint32_t)word;
}

static inline uint32_t swg__inflight_ms(const swg_cell *cell, uint32_t *least)
{
    const uint64_t word = swg__load_relaxed_u64(&cell->config[6]);
    *least = swg__between(word >> 32, 1, 1000000);
    return (uint32_t)(word & 0x3fffff);
}

static inline uint32_t swg__shed_factor_pct(const swg_cell *cell)
{
    return (uint32_t)(swg__load_relaxed_u64(&cell->config[6]) >> 22 & 0x3ff);
}

static inline uint32_t swg__slow_ms(const swg_cell *cell)
{
    return (uint32_t)swg__load_relaxed_u64(&cell->slow);
}

static inline uint32_t swg__stall_ms(const swg_cell *cell)
{
    return (uint32_t)(swg__load_relaxed_u64(&cell->slow) >> 32);
}

#endif
