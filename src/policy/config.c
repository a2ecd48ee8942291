#include "policy/config.h"

#include "policy/fields.h"

#define FIELD(name, fallback, low, high, optional, unit, range)                                    \
    {                                                                                              \
#name, offsetof(swg_circuit_config, name), fallback, low, high, optional, unit, range      \
    }

static const swg__field fields[] = {
    FIELD(window_ms, 10000, 10, SWG__HOUR_MS, true, SWG__TIME, "must be 10 ms to 1 h (3600000 ms)"),
    FIELD(window_calls, SWG_NONE, 1, 1000, true, SWG__COUNT, "must be 1 to 1000 calls, or none"),
    FIELD(calls_min, 20, 1, 1000000, false, SWG__COUNT, "must be 1 to 1000000 calls"),
    FIELD(failure_pct, 50, 1, 100, true, SWG__PERCENT, "must be 1 to 100 %, or none"),
    FIELD(slow_pct, SWG_NONE, 1, 100, true, SWG__PERCENT, "must be 1 to 100 %, or none"),
    FIELD(slow_ms, 1000, 1, SWG__HOUR_MS, false, SWG__TIME, "must be 1 ms to 1 h (3600000 ms)"),
    FIELD(failure_threshold, SWG_NONE, 1, 1000000, true, SWG__COUNT,
          "must be 1 to 1000000 failures, or none"),
    FIELD(recovery_ms, 5000, 1, SWG__DAY_MS, false, SWG__TIME,
          "must be 1 ms to 24 h (86400000 ms)"),
    FIELD(recovery_ms_max, 60000, 1, SWG__DAY_MS, false, SWG__TIME,
          "must be 1 ms to 24 h (86400000 ms)"),
    FIELD(recovery_jitter_pct, 10, 1, 100, true, SWG__PERCENT, "must be 1 to 100 %, or none"),
    FIELD(probes, 3, 1, 16, false, SWG__COUNT, "must be 1 to 16 probes"),
    FIELD(probe_ms, 10000, 1, SWG__HOUR_MS, false, SWG__TIME, "must be 1 ms to 1 h (3600000 ms)"),
    FIELD(ramp_ms, SWG_NONE, 1, SWG__HOUR_MS, true, SWG__TIME,
          "must be 1 ms to 1 h (3600000 ms), or none"),
    FIELD(stall_ms, SWG_NONE, 1, SWG__HOUR_MS, true, SWG__TIME,
          "must be 1 ms to 1 h (3600000 ms), or none"),
    FIELD(inflight_max, SWG_NONE, 1, 1000000, true, SWG__COUNT,
          "must be 1 to 1000000 calls, or none"),
    FIELD(rate_per_s, SWG_NONE, 1, 1000000, true, SWG__COUNT,
          "must be 1 to 1000000 calls a second, or none"),
    FIELD(rate_burst, SWG_NONE, 1, 1000000, true, SWG__COUNT,
          "must be 1 to 1000000 calls, or none"),
    FIELD(inflight_ms, SWG_NONE, 1, SWG__HOUR_MS, true, SWG__TIME,
          "must be 1 ms to 1 h (3600000 ms), or none"),
    FIELD(inflight_min, 1, 1, 1000000, false, SWG__COUNT, "must be 1 to 1000000 calls"),
    FIELD(shed_factor_pct, SWG_NONE, 100, 1000, true, SWG__PERCENT,
          "must be 100 to 1000 %, or none"),
};

static const swg__fields table = {fields, sizeof(fields) / sizeof(fields[0]),
                                  sizeof(swg_circuit_config),
                                  "must be set to sizeof(swg_circuit_config)"};

/* Defaults that depend on other fields. */
static void relate(swg_circuit_config *full, const swg_circuit_config *asked)
{
    if (asked->calls_min == 0 && full->window_calls < full->calls_min) {
        full->calls_min = full->window_calls;
    }
    if (asked->recovery_ms_max == 0 && full->recovery_ms > full->recovery_ms_max) {
        full->recovery_ms_max = full->recovery_ms;
    }
    if (asked->window_ms == 0 || asked->window_ms == SWG_NONE) {
        full->window_ms = fields[0].fallback;
    }
    if (full->rate_per_s == SWG_NONE) {
        full->rate_burst = SWG_NONE;
    } else if (asked->rate_burst == 0 || asked->rate_burst == SWG_NONE) {
        full->rate_burst = full->rate_per_s;
    }
}

static int check_together(const swg_circuit_config *full, const swg_circuit_config *asked,
                          const char **name, const char **reason)
{
    const bool timed = asked->window_ms != 0 && asked->window_ms != SWG_NONE;
    if (timed && full->window_calls != SWG_NONE) {
        *name = "window_calls";
        *reason = "excludes window_ms: the window counts time or calls";
    } else if (asked->window_ms == SWG_NONE && full->window_calls == SWG_NONE) {
        *name = "window_ms";
        *reason = "cannot be none unless window_calls is set";
    } else if (full->calls_min > full->window_calls) {
        *name = "calls_min";
        *reason = "is more than window_calls, so it would never be reached";
    } else if (full->recovery_ms_max < full->recovery_ms) {
        *name = "recovery_ms_max";
        *reason = "is less than recovery_ms";
    } else if (asked->rate_burst != 0 && asked->rate_burst != SWG_NONE &&
               full->rate_per_s == SWG_NONE) {
        *name = "rate_burst";
        *reason = "needs rate_per_s";
    } else if (full->inflight_ms != SWG_NONE && full->inflight_max == SWG_NONE) {
        *name = "inflight_ms";
        *reason = "needs inflight_max, the most the limit may adapt to";
    } else if (full->inflight_min > full->inflight_max) {
        *name = "inflight_min";
        *reason = "is more than inflight_max";
    } else if (full->shed_factor_pct != SWG_NONE && full->window_calls != SWG_NONE) {
        *name = "shed_factor_pct";
        *reason = "needs a time window: it compares calls made and shed in the same time";
    } else {
        return SWG_OK;
    }
    return SWG_EINVAL;
}

int swg__config_settle(swg_circuit_config *settled, const swg_circuit_config *config,
                       const char **name, const char **reason)
{
    swg_circuit_config asked;
    swg_circuit_config full = {.size = sizeof(full)};
    const int taken = swg__fields_take(&table, &asked, config, name, reason);
    if (taken != SWG_OK) {
        return taken;
    }
    if (swg__fields_settle(&table, &full, &asked, name, reason) != SWG_OK) {
        return SWG_EINVAL;
    }
    relate(&full, &asked);
    if (check_together(&full, &asked, name, reason) != SWG_OK) {
        return SWG_EINVAL;
    }
    *settled = full;
    return SWG_OK;
}

static int settle(void *settled, const void *config, const char **name, const char **reason)
{
    return swg__config_settle(settled, config, name, reason);
}

int swg_config_check(const swg_circuit_config *config, const char **field, const char **reason)
{
    swg_circuit_config settled;
    return swg__fields_check(settle, &settled, config, field, reason);
}

int swg_config_set(swg_circuit_config *config, const char *key, const char *value)
{
    return swg__fields_set(&table, config, key, value);
}
