#include "policy/config.h"

#include <string.h>

#define DAY_MS 86400000u
#define HOUR_MS 3600000u

typedef enum value_kind { COUNT, PERCENT, TIME } value_kind;

/* One row a field: default, range, may it be off. One table serves check, text and tests. */
typedef struct row {
    const char *name;
    size_t offset;
    uint32_t fallback;
    uint32_t low;
    uint32_t high;
    bool optional; /* SWG_NONE is allowed */
    value_kind kind;
    const char *reason;
} row;

#define FIELD(name, fallback, low, high, optional, unit, range)                                    \
    {                                                                                              \
#name, offsetof(swg_circuit_config, name), fallback, low, high, optional, unit, range      \
    }

static const row fields[] = {
    FIELD(window_ms, 10000, 10, HOUR_MS, true, TIME, "must be 10 ms to 1 h (3600000 ms)"),
    FIELD(window_calls, SWG_NONE, 1, 1000, true, COUNT, "must be 1 to 1000 calls, or none"),
    FIELD(calls_min, 20, 1, 1000000, false, COUNT, "must be 1 to 1000000 calls"),
    FIELD(failure_pct, 50, 1, 100, true, PERCENT, "must be 1 to 100 %, or none"),
    FIELD(slow_pct, SWG_NONE, 1, 100, true, PERCENT, "must be 1 to 100 %, or none"),
    FIELD(slow_ms, 1000, 1, HOUR_MS, false, TIME, "must be 1 ms to 1 h (3600000 ms)"),
    FIELD(failure_threshold, SWG_NONE, 1, 1000000, true, COUNT,
          "must be 1 to 1000000 failures, or none"),
    FIELD(recovery_ms, 5000, 1, DAY_MS, false, TIME, "must be 1 ms to 24 h (86400000 ms)"),
    FIELD(recovery_ms_max, 60000, 1, DAY_MS, false, TIME, "must be 1 ms to 24 h (86400000 ms)"),
    FIELD(recovery_jitter_pct, 10, 1, 100, true, PERCENT, "must be 1 to 100 %, or none"),
    FIELD(probes, 3, 1, 16, false, COUNT, "must be 1 to 16 probes"),
    FIELD(probe_ms, 10000, 1, HOUR_MS, false, TIME, "must be 1 ms to 1 h (3600000 ms)"),
    FIELD(ramp_ms, SWG_NONE, 1, HOUR_MS, true, TIME, "must be 1 ms to 1 h (3600000 ms), or none"),
    FIELD(stall_ms, SWG_NONE, 1, HOUR_MS, true, TIME, "must be 1 ms to 1 h (3600000 ms), or none"),
    FIELD(inflight_max, SWG_NONE, 1, 1000000, true, COUNT, "must be 1 to 1000000 calls, or none"),
    FIELD(rate_per_s, SWG_NONE, 1, 1000000, true, COUNT,
          "must be 1 to 1000000 calls a second, or none"),
    FIELD(rate_burst, SWG_NONE, 1, 1000000, true, COUNT, "must be 1 to 1000000 calls, or none"),
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static uint32_t get(const swg_circuit_config *config, const row *f)
{
    uint32_t value;
    memcpy(&value, (const char *)config + f->offset, sizeof(value));
    return value;
}

static void set(swg_circuit_config *config, const row *f, uint32_t value)
{
    memcpy((char *)config + f->offset, &value, sizeof(value));
}

/* A shorter struct is an older caller's: the rest is zero. A longer one may only add zeros. */
static int take(swg_circuit_config *full, const swg_circuit_config *config, const char **name,
                const char **reason)
{
    *full = (swg_circuit_config){0};
    if (config == NULL) {
        return SWG_OK;
    }
    *name = "size";
    if (config->size < sizeof(config->size)) {
        *reason = "must be set to sizeof(swg_circuit_config)";
        return SWG_EINVAL;
    }
    const size_t known = config->size < sizeof(*full) ? config->size : sizeof(*full);
    for (size_t i = known; i < config->size; i++) {
        if (((const unsigned char *)config)[i] != 0) {
            *reason = "sets a field this version of the library does not know";
            return SWG_ENEWER;
        }
    }
    memcpy(full, config, known);
    return SWG_OK;
}

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
    } else {
        return SWG_OK;
    }
    return SWG_EINVAL;
}

int swg__config_settle(swg_circuit_config *settled, const swg_circuit_config *config,
                       const char **name, const char **reason)
{
    swg_circuit_config asked;
    const int taken = take(&asked, config, name, reason);
    if (taken != SWG_OK) {
        return taken;
    }
    swg_circuit_config full = {.size = sizeof(full)};
    for (size_t i = 0; i < FIELDS; i++) {
        const row *f = &fields[i];
        const uint32_t value = get(&asked, f) != 0 ? get(&asked, f) : f->fallback;
        const bool off = value == SWG_NONE && f->optional;
        if (!off && (value < f->low || value > f->high)) {
            *name = f->name;
            *reason = f->reason;
            return SWG_EINVAL;
        }
        set(&full, f, value);
    }
    relate(&full, &asked);
    if (check_together(&full, &asked, name, reason) != SWG_OK) {
        return SWG_EINVAL;
    }
    *settled = full;
    return SWG_OK;
}

int swg_config_check(const swg_circuit_config *config, const char **field, const char **reason)
{
    swg_circuit_config settled;
    const char *unasked;
    field = field != NULL ? field : &unasked;
    reason = reason != NULL ? reason : &unasked;
    *field = "";
    *reason = "";
    if (config == NULL) {
        *field = "config";
        *reason = "is NULL";
        return SWG_EINVAL;
    }
    const int result = swg__config_settle(&settled, config, field, reason);
    if (result == SWG_OK) {
        *field = "";
        *reason = "";
    }
    return result;
}

/* "window_ms", and "window" for it, where the value brings its unit. */
static const row *find(const char *key)
{
    const size_t length = strlen(key);
    for (size_t i = 0; i < FIELDS; i++) {
        const char *name = fields[i].name;
        if (strcmp(name, key) == 0) {
            return &fields[i];
        }
        const char *ms = strstr(name, "_ms");
        if (ms != NULL && length == strlen(name) - 3 &&
            strncmp(name, key, (size_t)(ms - name)) == 0 &&
            strcmp(ms + 3, key + (ms - name)) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

/* 0: the unit is unknown for such a field. */
static uint64_t scale(const char *text, value_kind kind, bool bare_key)
{
    if (kind == TIME) {
        const struct {
            const char *name;
            uint64_t ms;
        } times[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", HOUR_MS}};
        for (size_t i = 0; i < 4; i++) {
            if (strcmp(text, times[i].name) == 0) {
                return times[i].ms;
            }
        }
        return *text == '\0' && !bare_key ? 1 : 0;
    }
    return *text == '\0' || (kind == PERCENT && strcmp(text, "%") == 0) ? 1 : 0;
}

static bool parse(const row *f, const char *key, const char *text, uint32_t *value)
{
    if (strcmp(text, "none") == 0) {
        *value = SWG_NONE;
        return f->optional;
    }
    if (strcmp(text, "default") == 0) {
        *value = 0;
        return true;
    }
    uint64_t number = 0;
    const char *c = text;
    while (*c >= '0' && *c <= '9' && number <= UINT32_MAX) {
        number = number * 10 + (uint64_t)(*c++ - '0');
    }
    if (c == text || number > UINT32_MAX) {
        return false;
    }
    while (*c == ' ') {
        c++;
    }
    number *= scale(c, f->kind, strcmp(key, f->name) != 0);
    *value = (uint32_t)number;
    return number >= f->low && number <= f->high;
}

int swg_config_set(swg_circuit_config *config, const char *key, const char *value)
{
    if (config == NULL || key == NULL || value == NULL) {
        return SWG_EINVAL;
    }
    const row *f = find(key);
    if (f == NULL) {
        return SWG_ENOENT;
    }
    if (config->size < f->offset + sizeof(uint32_t)) {
        return SWG_EINVAL;
    }
    uint32_t number;
    if (!parse(f, key, value, &number)) {
        return SWG_EINVAL;
    }
    set(config, f, number);
    return SWG_OK;
}
