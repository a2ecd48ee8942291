/* Again, and after how long? Every no has its reason; the budget is asked last, so that a no for
 * another reason costs nothing. */
#include <switchgear/retry.h>

#include <string.h>

#include "core/backoff.h"
#include "core/budget.h"
#include "core/gate.h"
#include "core/quantile.h"
#include "core/shed.h"
#include "policy/fields.h"
#include "policy/transition.h"
#include "store/settings.h"

#define FIELD(name, fallback, low, high, optional, unit, range)                                    \
    {                                                                                              \
#name, offsetof(swg_retry_config, name), fallback, low, high, optional, unit, range        \
    }

static const swg__field fields[] = {
    FIELD(attempts, 3, 1, 100, false, SWG__COUNT, "must be 1 to 100 attempts"),
    FIELD(delay_ms, 100, 1, SWG__HOUR_MS, false, SWG__TIME, "must be 1 ms to 1 h (3600000 ms)"),
    FIELD(delay_ms_max, 2000, 1, SWG__HOUR_MS, false, SWG__TIME,
          "must be 1 ms to 1 h (3600000 ms)"),
    FIELD(jitter, SWG_JITTER_FULL, SWG_JITTER_FULL, SWG_JITTER_NONE, false, SWG__COUNT,
          "must be full, equal, decorrelated or none"),
    FIELD(deadline_ms, SWG_NONE, 1, SWG__DAY_MS, true, SWG__TIME,
          "must be 1 ms to 24 h (86400000 ms), or none"),
    FIELD(budget_pct, 20, 1, 1000, true, SWG__PERCENT, "must be 1 to 1000 %, or none"),
    FIELD(budget_min, 10, 1, 10000, false, SWG__COUNT, "must be 1 to 10000 retries"),
    FIELD(after_ms_max, 30000, 1, SWG__DAY_MS, false, SWG__TIME,
          "must be 1 ms to 24 h (86400000 ms)"),
    FIELD(hedge_ms, SWG_NONE, 1, SWG__HOUR_MS, true, SWG__TIME,
          "must be 1 ms to 1 h (3600000 ms), or none"),
    FIELD(hedge_pct, SWG_NONE, 50, 99, true, SWG__PERCENT, "must be 50 to 99 %, or none"),
    FIELD(wait_ms, SWG_NONE, 1, SWG__HOUR_MS, true, SWG__TIME,
          "must be 1 ms to 1 h (3600000 ms), or none"),
};

static const swg__fields table = {fields, sizeof(fields) / sizeof(fields[0]),
                                  sizeof(swg_retry_config),
                                  "must be set to sizeof(swg_retry_config)"};

static int settle(void *settled, const void *config, const char **name, const char **reason)
{
    swg_retry_config asked;
    swg_retry_config full = {.size = sizeof(full)};
    const int taken = swg__fields_take(&table, &asked, config, name, reason);
    if (taken != SWG_OK) {
        return taken;
    }
    if (swg__fields_settle(&table, &full, &asked, name, reason) != SWG_OK) {
        return SWG_EINVAL;
    }
    if (asked.delay_ms_max == 0 && full.delay_ms > full.delay_ms_max) {
        full.delay_ms_max = full.delay_ms;
    }
    if (full.delay_ms_max < full.delay_ms) {
        *name = "delay_ms_max";
        *reason = "is less than delay_ms";
        return SWG_EINVAL;
    }
    memcpy(settled, &full, sizeof(full));
    return SWG_OK;
}

int swg_retry_check(const swg_retry_config *config, const char **field, const char **reason)
{
    swg_retry_config settled;
    return swg__fields_check(settle, &settled, config, field, reason);
}

int swg_retry_set(swg_retry_config *config, const char *key, const char *value)
{
    static const char *const names[] = {"full", "equal", "decorrelated", "none"};
    if (config != NULL && key != NULL && value != NULL && strcmp(key, "jitter") == 0) {
        for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (strcmp(value, names[i]) == 0 &&
                config->size >= offsetof(swg_retry_config, jitter) + sizeof(config->jitter)) {
                config->jitter = i;
                return SWG_OK;
            }
        }
    }
    return swg__fields_set(&table, config, key, value);
}

static uint32_t on(uint32_t value)
{
    return value == SWG_NONE ? 0 : value;
}

int swg_retry_begin(swg_retry *retry, const swg_retry_config *config, uint64_t seed, int64_t now_ns)
{
    swg_retry_config c;
    const char *name;
    const char *reason;
    if (retry == NULL) {
        return SWG_EINVAL;
    }
    *retry = (swg_retry){.deadline_ns = INT64_MAX, .attempts_max = 1};
    const int error = settle(&c, config, &name, &reason);
    if (error != SWG_OK) {
        return error;
    }
    *retry = (swg_retry){
        .deadline_ns =
            on(c.deadline_ms) == 0 ? INT64_MAX : now_ns + (int64_t)c.deadline_ms * SWG__NS_PER_MS,
        .seed = seed,
        .attempts_max = c.attempts,
        .delay_ms = c.delay_ms,
        .delay_ms_max = c.delay_ms_max,
        .budget_pct = on(c.budget_pct),
        .budget_min = c.budget_min,
        .after_ms_max = c.after_ms_max,
        .hedge_ms = on(c.hedge_ms),
        .hedge_pct = on(c.hedge_pct),
        .wait_ms = on(c.wait_ms),
        .jitter = (uint8_t)c.jitter,
    };
    return SWG_OK;
}

void swg_retry_stop(swg_retry *retry)
{
    retry->final = 1;
}

void swg_retry_after(swg_retry *retry, int64_t wait_ns)
{
    retry->after_ns = wait_ns > retry->after_ns ? wait_ns : retry->after_ns;
}

/* Uniform in [low, high], by the number of the attempt. */
static int64_t uniform(const swg_retry *retry, int64_t low, int64_t high)
{
    const uint64_t random = swg__mix(retry->seed, retry->attempts);
    return low + (int64_t)(random % ((uint64_t)(high - low) + 1));
}

static int64_t backoff_ns(const swg_retry *retry)
{
    const int64_t most = (int64_t)retry->delay_ms_max * SWG__NS_PER_MS;
    const int64_t least = (int64_t)retry->delay_ms * SWG__NS_PER_MS;
    const int64_t b =
        (int64_t)swg__backoff_ms(retry->delay_ms, retry->delay_ms_max, retry->attempts - 1) *
        SWG__NS_PER_MS;
    int64_t wait;
    switch (retry->jitter) {
    case SWG_JITTER_EQUAL:
        return b / 2 + uniform(retry, 0, b / 2);
    case SWG_JITTER_DECORRELATED:
        wait = retry->waited_ns > least ? retry->waited_ns : least;
        wait = uniform(retry, least, wait < most ? 3 * wait : most);
        return wait < most ? wait : most;
    case SWG_JITTER_NONE:
        return b;
    default:
        return uniform(retry, 0, b);
    }
}

/* Would a further attempt be let in by the breaker, as one of many? Probes, the first calls of a
 * ramp and what gets past shedding are for first attempts. */
static bool welcome(const swg_circuit *circuit, int64_t now_ns)
{
    const swg__parts *parts = &circuit->parts;
    int64_t until_ns;
    switch (swg__override_now(parts->cell, now_ns, &until_ns)) {
    case SWG_FORCED_OPEN:
        return false;
    case SWG_FORCED_CLOSED:
    case SWG_DRY_RUN:
        return true;
    default:
        break;
    }
    const uint32_t factor = swg__shed_factor_pct(parts->cell);
    return swg__word_state(swg__load_seq_u64(&parts->cell->word)) == SWG_CLOSED &&
           swg__gate_mode_now(swg__load_relaxed_u64(&parts->cell->advice), now_ns) ==
               SWG__GATE_NONE &&
           (factor == 0 || swg__shed_known(parts, factor, now_ns < 0 ? 0 : now_ns) == 0);
}

/* One retry or hedge from the budget all share. */
static bool spend(const swg_retry *retry, const swg_circuit *circuit)
{
    const swg__parts *parts = &circuit->parts;
    if (retry->budget_pct != 0) {
        uint64_t ended = swg__successes(parts);
        for (int i = 0; i < SWG_OUTCOME_COUNT; i++) {
            ended += swg__load_seq_u64(&parts->cell->outcomes[i]);
        }
        if (!swg__budget_take(&parts->window->budget, retry->budget_pct, retry->budget_min,
                              ended)) {
            return false;
        }
    }
    swg__add_relaxed_u64(&parts->window->retries, 1);
    return true;
}

/* Why not, or SWG_RETRY_GOING; then *wait_ns is how long to wait. */
static swg_retry_end decide(const swg_retry *retry, const swg_circuit *circuit,
                            const swg_permit *permit, swg_outcome outcome, int64_t now_ns,
                            int64_t *wait_ns)
{
    const bool made = permit->verdict == SWG_PERMITTED;
    const bool waits =
        permit->verdict == SWG_REJECTED_RATE || permit->verdict == SWG_REJECTED_BULKHEAD;
    if (made && !swg__is_failure(outcome)) {
        return SWG_RETRY_DONE;
    }
    if (retry->final != 0) {
        return SWG_RETRY_FINAL;
    }
    if (!made && !waits) {
        return SWG_RETRY_CIRCUIT;
    }
    if (retry->attempts >= retry->attempts_max) {
        return SWG_RETRY_ATTEMPTS;
    }
    *wait_ns = backoff_ns(retry);
    *wait_ns = retry->after_ns > *wait_ns ? retry->after_ns : *wait_ns;
    if (waits && permit->retry_ns - now_ns > *wait_ns) {
        *wait_ns = permit->retry_ns - now_ns;
    }
    if (retry->after_ns > (int64_t)retry->after_ms_max * SWG__NS_PER_MS ||
        (retry->deadline_ns != INT64_MAX && *wait_ns >= retry->deadline_ns - now_ns)) {
        return SWG_RETRY_DEADLINE;
    }
    if (!welcome(circuit, now_ns)) {
        return SWG_RETRY_CIRCUIT;
    }
    return made && !spend(retry, circuit) ? SWG_RETRY_BUDGET : SWG_RETRY_GOING;
}

bool swg_retry_again(swg_retry *retry, swg_circuit *circuit, const swg_permit *permit,
                     swg_outcome outcome, int64_t now_ns, int64_t *wait_ns)
{
    swg_window *window = circuit->parts.window;
    *wait_ns = 0;
    retry->attempts += retry->attempts < UINT32_MAX;
    retry->end = (uint8_t)decide(retry, circuit, permit, outcome, now_ns, wait_ns);
    if (retry->end == SWG_RETRY_GOING) {
        retry->waited_ns = *wait_ns;
        retry->after_ns = 0;
        retry->hedged = 0;
        return true;
    }
    *wait_ns = 0;
    if (retry->end > SWG_RETRY_FINAL) {
        swg__add_relaxed_u64(&window->denied[retry->end], 1);
    } else if (permit->verdict == SWG_PERMITTED && outcome == SWG_SUCCESS &&
               (retry->attempts > 1 || retry->hedged != 0)) {
        swg__add_relaxed_u64(&window->recovered, 1);
    }
    return false;
}

int64_t swg_hedge_wait_ns(const swg_retry *retry, const swg_circuit *circuit)
{
    const int64_t least = retry->hedge_ms != 0 ? (int64_t)retry->hedge_ms * SWG__NS_PER_MS : -1;
    if (retry->hedge_pct == 0) {
        return least;
    }
    const int64_t quantile = swg__quantile_ns(&circuit->parts.window->quantile);
    return quantile > least && quantile != 0 ? quantile : least;
}

bool swg_hedge_begin(swg_retry *retry, swg_circuit *circuit, int64_t now_ns)
{
    if (retry->hedged != 0 || retry->final != 0 || now_ns >= retry->deadline_ns) {
        return false;
    }
    swg_retry_end end = SWG_RETRY_GOING;
    if (!welcome(circuit, now_ns)) {
        end = SWG_RETRY_CIRCUIT;
    } else if (!spend(retry, circuit)) {
        end = SWG_RETRY_BUDGET;
    }
    if (end != SWG_RETRY_GOING) {
        swg__add_relaxed_u64(&circuit->parts.window->denied[end], 1);
        return false;
    }
    retry->hedged = 1;
    return true;
}

void swg_hedge_learn(const swg_retry *retry, swg_circuit *circuit, int64_t took_ns)
{
    if (retry->hedge_pct != 0) {
        swg__quantile_learn(&circuit->parts.window->quantile, retry->hedge_pct, took_ns);
    }
}
