#include "store/settings.h"

static uint64_t on(uint32_t value)
{
    return value == SWG_NONE ? 0 : value;
}

static uint32_t off(uint64_t value)
{
    return value == 0 ? SWG_NONE : (uint32_t)value;
}

static uint64_t pair(uint64_t high, uint64_t low)
{
    return high << 32 | low;
}

static void store_window(swg_cell *cell, const swg_circuit_config *c)
{
    uint64_t old = swg__load_seq_u64(&cell->window);
    uint64_t next;
    do {
        const uint32_t calls = (uint32_t)on(c->window_calls);
        const uint32_t ms = calls == 0 ? c->window_ms : 1;
        if (swg__window_calls(old) == calls && swg__window_ms(old) == ms) {
            return;
        }
        next = swg__window_make((uint32_t)(old >> 32) + 1, calls, ms);
    } while (!swg__cas_seq_u64(&cell->window, &old, next));
}

void swg__settings_store(swg_cell *cell, const swg_circuit_config *c)
{
    const uint64_t slow_on = on(c->slow_pct) != 0 ? on(c->slow_ms) : 0;
    const bool counts = on(c->inflight_max) != 0 || on(c->stall_ms) != 0;
    const uint32_t features = (on(c->rate_per_s) != 0 ? SWG__FEATURE_RATE : 0) |
                              (counts ? SWG__FEATURE_INFLIGHT : 0) |
                              (on(c->shed_factor_pct) != 0 ? SWG__FEATURE_SHED : 0);

    swg__store_relaxed_u64(&cell->config[0],
                           (uint64_t)c->probes << 54 | on(c->failure_threshold) << 34 |
                               on(c->slow_pct) << 27 | on(c->failure_pct) << 20 | c->calls_min);
    swg__store_relaxed_u64(&cell->config[1], pair(c->recovery_ms_max, c->recovery_ms));
    swg__store_relaxed_u64(&cell->config[2], pair(on(c->recovery_jitter_pct), c->probe_ms));
    swg__store_relaxed_u64(&cell->config[3], pair(on(c->inflight_max), on(c->ramp_ms)));
    swg__store_relaxed_u64(&cell->config[4], pair(on(c->rate_burst), on(c->rate_per_s)));
    swg__store_relaxed_u64(&cell->config[5], pair(c->window_ms, c->slow_ms));
    swg__store_relaxed_u64(&cell->config[6], (uint64_t)c->inflight_min << 32 |
                                                 on(c->shed_factor_pct) << 22 | on(c->inflight_ms));
    swg__store_relaxed_u64(&cell->slow, pair(on(c->stall_ms), slow_on));
    swg__store_relaxed_u32(&cell->features, features);
    store_window(cell, c);
}

void swg__settings_load(const swg_cell *cell, swg_circuit_config *c)
{
    const swg__limits limits = swg__limits_read(cell);
    const uint64_t window = swg__load_seq_u64(&cell->window);
    const uint64_t plain = swg__load_relaxed_u64(&cell->config[5]);
    *c = (swg_circuit_config){
        .size = sizeof(*c),
        .window_ms = (uint32_t)(plain >> 32),
        .window_calls = off(swg__window_calls(window)),
        .calls_min = limits.calls_min,
        .failure_pct = off(limits.failure_pct),
        .slow_pct = off(limits.slow_pct),
        .slow_ms = (uint32_t)plain,
        .failure_threshold = off(limits.failure_threshold),
        .recovery_jitter_pct = off(swg__jitter_pct(cell)),
        .probes = limits.probes,
        .probe_ms = swg__probe_ms(cell),
        .ramp_ms = off(swg__ramp_ms(cell)),
        .stall_ms = off(swg__stall_ms(cell)),
        .inflight_max = off(swg__inflight_max(cell)),
        .shed_factor_pct = off(swg__shed_factor_pct(cell)),
    };
    c->recovery_ms = swg__recovery_ms(cell, &c->recovery_ms_max);
    c->rate_per_s = off(swg__rate(cell, &c->rate_burst));
    c->rate_burst = off(c->rate_burst);
    c->inflight_ms = off(swg__inflight_ms(cell, &c->inflight_min));
}
