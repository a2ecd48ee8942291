/* Prints what other languages must know of the headers: sizes, offsets, values. The bindings print
 * the same from their own declarations, and the test compares. */
#include <stdio.h>
#include <switchgear/switchgear.h>

#define SIZE(type) printf("size %s %zu\n", #type, sizeof(type))
#define FIELD(type, name)                                                                          \
    printf("field %s.%s %zu %zu\n", #type, #name, offsetof(type, name), sizeof(((type *)0)->name))

static void print_panel_config(void)
{
    SIZE(swg_panel_config);
    FIELD(swg_panel_config, size);
    FIELD(swg_panel_config, circuits);
    FIELD(swg_panel_config, processes);
    FIELD(swg_panel_config, journal);
    FIELD(swg_panel_config, access);
}

static void print_circuit_config(void)
{
    SIZE(swg_circuit_config);
    FIELD(swg_circuit_config, size);
    FIELD(swg_circuit_config, window_ms);
    FIELD(swg_circuit_config, window_calls);
    FIELD(swg_circuit_config, calls_min);
    FIELD(swg_circuit_config, failure_pct);
    FIELD(swg_circuit_config, slow_pct);
    FIELD(swg_circuit_config, slow_ms);
    FIELD(swg_circuit_config, failure_threshold);
    FIELD(swg_circuit_config, recovery_ms);
    FIELD(swg_circuit_config, recovery_ms_max);
    FIELD(swg_circuit_config, recovery_jitter_pct);
    FIELD(swg_circuit_config, probes);
    FIELD(swg_circuit_config, probe_ms);
    FIELD(swg_circuit_config, ramp_ms);
    FIELD(swg_circuit_config, stall_ms);
    FIELD(swg_circuit_config, inflight_max);
    FIELD(swg_circuit_config, rate_per_s);
    FIELD(swg_circuit_config, rate_burst);
    FIELD(swg_circuit_config, inflight_ms);
    FIELD(swg_circuit_config, inflight_min);
    FIELD(swg_circuit_config, shed_factor_pct);
}

static void print_permit(void)
{
    SIZE(swg_permit);
    FIELD(swg_permit, acquired_ns);
    FIELD(swg_permit, retry_ns);
    FIELD(swg_permit, epoch);
    FIELD(swg_permit, circuit);
    FIELD(swg_permit, owner);
    FIELD(swg_permit, held);
    FIELD(swg_permit, verdict);
}

static void print_event(void)
{
    SIZE(swg_event);
    FIELD(swg_event, sequence);
    FIELD(swg_event, at_ns);
    FIELD(swg_event, wall_ms);
    FIELD(swg_event, until_ns);
    FIELD(swg_event, epoch);
    FIELD(swg_event, calls);
    FIELD(swg_event, failures);
    FIELD(swg_event, slow);
    FIELD(swg_event, limit);
    FIELD(swg_event, circuit);
    FIELD(swg_event, pid);
    FIELD(swg_event, cause);
    FIELD(swg_event, from);
    FIELD(swg_event, to);
    FIELD(swg_event, override);
    FIELD(swg_event, scope);
    FIELD(swg_event, reserved);
    FIELD(swg_event, name);
}

static void print_snapshot(void)
{
    SIZE(swg_snapshot);
    FIELD(swg_snapshot, name);
    FIELD(swg_snapshot, circuit);
    FIELD(swg_snapshot, state);
    FIELD(swg_snapshot, override);
    FIELD(swg_snapshot, ramp_pct);
    FIELD(swg_snapshot, epoch);
    FIELD(swg_snapshot, since_ns);
    FIELD(swg_snapshot, retry_ns);
    FIELD(swg_snapshot, override_until_ns);
    FIELD(swg_snapshot, override_reason);
    FIELD(swg_snapshot, window_calls);
    FIELD(swg_snapshot, window_failures);
    FIELD(swg_snapshot, window_slow);
    FIELD(swg_snapshot, consecutive_failures);
    FIELD(swg_snapshot, probes_out);
    FIELD(swg_snapshot, probes_in);
    FIELD(swg_snapshot, inflight);
    FIELD(swg_snapshot, outcomes);
    FIELD(swg_snapshot, slow);
    FIELD(swg_snapshot, stale);
    FIELD(swg_snapshot, rejected);
    FIELD(swg_snapshot, would_reject);
    FIELD(swg_snapshot, transitions);
    FIELD(swg_snapshot, state_ns);
    FIELD(swg_snapshot, last_outcome_ns);
    FIELD(swg_snapshot, config_conflicts);
    FIELD(swg_snapshot, config);
    FIELD(swg_snapshot, config_room);
    FIELD(swg_snapshot, inflight_limit);
    FIELD(swg_snapshot, shed_pct);
    FIELD(swg_snapshot, retries);
    FIELD(swg_snapshot, retries_recovered);
    FIELD(swg_snapshot, retries_denied);
    FIELD(swg_snapshot, gate);
    FIELD(swg_snapshot, gate_permits);
    FIELD(swg_snapshot, gate_until_ns);
    FIELD(swg_snapshot, reserved);
}

#define WORDS(kind, count)                                                                         \
    for (int i = 0; i < (count); i++) {                                                            \
        printf("enum " #kind " %s %d\n", swg_##kind##_name((swg_##kind)i), i);                     \
    }

static void print_words(void)
{
    WORDS(verdict, SWG_VERDICT_COUNT)
    WORDS(outcome, SWG_OUTCOME_COUNT)
    WORDS(state, SWG_STATE_COUNT)
    WORDS(override, SWG_OVERRIDE_COUNT)
    WORDS(cause, SWG_CAUSE_COUNT)
    printf("const DIFFERS %d\nconst EINVAL %d\nconst ESYS %d\n", SWG_DIFFERS, SWG_EINVAL, SWG_ESYS);
    printf("const ENOENT %d\nconst NONE %u\n", SWG_ENOENT, SWG_NONE);
}

int main(void)
{
    print_panel_config();
    print_circuit_config();
    print_permit();
    print_event();
    print_snapshot();
    print_words();
    return 0;
}
