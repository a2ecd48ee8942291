/* Whole configurations as named constants; what is not written is the default. */
#include <switchgear/circuit.h>

const swg_circuit_config swg_profile_http = {
    .size = sizeof(swg_circuit_config),
    .window_ms = 10000,
    .failure_pct = 50,
    .slow_pct = 80,
    .slow_ms = 1000,
    .ramp_ms = 5000,
};

const swg_circuit_config swg_profile_database = {
    .size = sizeof(swg_circuit_config),
    .window_ms = 10000,
    .failure_pct = 30,
    .slow_pct = 60,
    .slow_ms = 500,
    .recovery_ms = 2000,
    .recovery_ms_max = 30000,
    .ramp_ms = 10000,
    .stall_ms = 2000,
    .inflight_max = 100,
};

const swg_circuit_config swg_profile_classic = {
    .size = sizeof(swg_circuit_config),
    .failure_pct = SWG_NONE,
    .failure_threshold = 5,
    .recovery_ms = 5000,
    .recovery_ms_max = 5000,
    .recovery_jitter_pct = SWG_NONE,
    .probes = 1,
};
