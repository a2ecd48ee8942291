#include "fleet/step.h"

#define SECOND INT64_C(1000000)

const struct swg_step_range swg_step_config_ranges[SWG_CFG_COUNT] = {
    [SWG_CFG_WINDOW] = {"window", SECOND / 10, 600 * SECOND, 10 * SECOND},
    [SWG_CFG_CALLS_MIN] = {"calls_min", 1, 1000000, 20},
    [SWG_CFG_FAIL_PCT] = {"failure_pct", 0, 100, 50},
    [SWG_CFG_SLOW_PCT] = {"slow_pct", 0, 100, 0},
    [SWG_CFG_QUORUM] = {"quorum", 1, 1000, 2},
    [SWG_CFG_CAP] = {"cap", 1, 1000000, 1000},
    [SWG_CFG_PROBES] = {"probes", 1, SWG_STEP_LEASES, 3},
    [SWG_CFG_NEED] = {"need", 1, 64, 3},
    [SWG_CFG_FAIL_LIMIT] = {"fail_limit", 1, 64, 2},
    [SWG_CFG_EXPIRY_LIMIT] = {"expiry_limit", 1, 1000, 12},
    [SWG_CFG_OPEN] = {"open", SECOND / 100, 3600 * SECOND, 5 * SECOND},
    [SWG_CFG_OPEN_MAX] = {"open_max", SECOND / 100, 86400 * SECOND, 60 * SECOND},
    [SWG_CFG_LEASE] = {"lease", SECOND / 100, 60 * SECOND, 5 * SECOND},
    [SWG_CFG_RAMP] = {"ramp", 0, 600 * SECOND, 10 * SECOND},
    [SWG_CFG_QUARANTINE] = {"quarantine", 0, 3600 * SECOND, 10 * SECOND},
};

/* open >= lease keeps the bound on probes for the whole fleet: no lease of one half-open period can
 * still be alive in the next. */
bool swg_step_config_ok(const struct swg_step_config *config)
{
    for (int i = 0; i < SWG_CFG_COUNT; i++) {
        if (config->v[i] < swg_step_config_ranges[i].min ||
            config->v[i] > swg_step_config_ranges[i].max)
            return false;
    }
    return config->v[SWG_CFG_OPEN_MAX] >= config->v[SWG_CFG_OPEN] &&
           config->v[SWG_CFG_OPEN] >= config->v[SWG_CFG_LEASE];
}

void swg_step_config_default(struct swg_step_config *config)
{
    for (int i = 0; i < SWG_CFG_COUNT; i++)
        config->v[i] = swg_step_config_ranges[i].fallback;
}
