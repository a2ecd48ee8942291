#define FFI_SCOPE "switchgear"
#define FFI_LIB "libswitchgear.so.0"
/* Made by header.sh from the C headers. */
int *__errno_location(void);
typedef struct swg_panel swg_panel;
typedef struct swg_circuit swg_circuit;
typedef enum swg_result {
    SWG_OK = 0, SWG_DIFFERS = 1, SWG_EINVAL = -1, SWG_ENOMEM = -2, SWG_ESYS = -3, SWG_EMAGIC = -4, SWG_ELAYOUT = -5, SWG_EFULL = -6, SWG_ENEWER = -7, SWG_EPROTO = -8, SWG_ENOENT = -9, SWG_EACCESS = -10, SWG_EBUSY = -11,
} swg_result;
typedef enum swg_verdict {
    SWG_PERMITTED = 0, SWG_REJECTED_OPEN = 1, SWG_REJECTED_PROBING = 2, SWG_REJECTED_RAMP = 3, SWG_REJECTED_RATE = 4, SWG_REJECTED_BULKHEAD = 5, SWG_REJECTED_FORCED = 6, SWG_REJECTED_SHED = 7,
} swg_verdict;
typedef enum swg_outcome {
    SWG_SUCCESS = 0, SWG_FAILURE = 1, SWG_TIMEOUT = 2, SWG_IGNORED = 3, SWG_CANCELLED = 4, SWG_FAILURE_LOCAL = 5,
} swg_outcome;
typedef enum swg_state { SWG_CLOSED = 0, SWG_OPEN = 1, SWG_HALF_OPEN = 2 } swg_state;
typedef enum swg_override {
    SWG_OVERRIDE_NONE = 0,
    SWG_FORCED_OPEN = 1,
    SWG_FORCED_CLOSED = 2,
    SWG_DRY_RUN = 3
} swg_override;
typedef enum swg_cause {
    SWG_CAUSE_NONE = 0, SWG_CAUSE_FAILURE_RATE = 1, SWG_CAUSE_SLOW_RATE = 2, SWG_CAUSE_CONSECUTIVE = 3, SWG_CAUSE_STALL = 4, SWG_CAUSE_WAIT_OVER = 5, SWG_CAUSE_PROBES_PASSED = 6, SWG_CAUSE_PROBES_FAILED = 7, SWG_CAUSE_PROBES_SLOW = 8, SWG_CAUSE_RESET = 9, SWG_CAUSE_OVERRIDE = 10, SWG_CAUSE_FLEET = 11, SWG_CAUSE_VOTES = 12, SWG_CAUSE_CLAIM = 13, SWG_CAUSE_PROBES_LOST = 14, SWG_CAUSE_OVERRIDE_ENDED = 15,
} swg_cause;
typedef enum swg_retry_end {
    SWG_RETRY_GOING = 0, SWG_RETRY_DONE = 1, SWG_RETRY_FINAL = 2, SWG_RETRY_ATTEMPTS = 3, SWG_RETRY_DEADLINE = 4, SWG_RETRY_CIRCUIT = 5, SWG_RETRY_BUDGET = 6,
} swg_retry_end;
typedef struct swg_permit {
    int64_t acquired_ns;
    int64_t
        retry_ns;
    uint64_t epoch;
    uint32_t circuit;
    uint16_t owner;
    uint8_t held;
    uint8_t verdict;
} swg_permit;
typedef struct swg_event {
    uint64_t sequence;
    int64_t at_ns;
    int64_t wall_ms;
    int64_t until_ns;
    uint64_t epoch;
    uint32_t calls;
    uint32_t failures;
    uint32_t slow;
    uint32_t limit;
    uint32_t circuit;
    int32_t pid;
    uint8_t cause;
    uint8_t from;
    uint8_t to;
    uint8_t override;
    uint8_t scope;
    uint8_t reserved[3];
    char name[63 + 1];
} swg_event;
uint32_t swg_version(void);
const char *swg_error_text(int error);
const char *swg_verdict_name(swg_verdict verdict);
const char *swg_outcome_name(swg_outcome outcome);
const char *swg_state_name(swg_state state);
const char *swg_override_name(swg_override kind);
const char *swg_cause_name(swg_cause cause);
const char *swg_retry_end_name(swg_retry_end end);
int64_t swg_clock_ns(void);
typedef struct swg_panel_config {
    uint32_t size;
    uint32_t circuits;
    uint32_t processes;
    uint32_t journal;
    uint32_t access;
} swg_panel_config;
size_t swg_panel_bytes(const swg_panel_config *config);
int swg_panel_format(void *memory, size_t bytes, const swg_panel_config *config);
int swg_panel_attach(swg_panel **panel, void *memory, size_t bytes);
int swg_panel_open(swg_panel **panel, const char *name, const swg_panel_config *config);
void swg_panel_close(swg_panel **panel);
int swg_panel_unlink(const char *name);
int swg_panel_reap(swg_panel *panel, int64_t now_ns);
typedef struct swg_circuit_config {
    uint32_t size;
    uint32_t window_ms;
    uint32_t window_calls;
    uint32_t calls_min;
    uint32_t failure_pct;
    uint32_t slow_pct;
    uint32_t slow_ms;
    uint32_t failure_threshold;
    uint32_t recovery_ms;
    uint32_t recovery_ms_max;
    uint32_t recovery_jitter_pct;
    uint32_t probes;
    uint32_t probe_ms;
    uint32_t ramp_ms;
    uint32_t stall_ms;
    uint32_t inflight_max;
    uint32_t rate_per_s;
    uint32_t rate_burst;
    uint32_t inflight_ms;
    uint32_t inflight_min;
    uint32_t shed_factor_pct;
} swg_circuit_config;
extern const swg_circuit_config swg_profile_http;
extern const swg_circuit_config swg_profile_database;
extern const swg_circuit_config swg_profile_classic;
typedef struct swg_snapshot {
    char name[63 + 1];
    uint32_t circuit;
    uint32_t state;
    uint32_t override;
    uint32_t ramp_pct;
    uint64_t epoch;
    int64_t since_ns;
    int64_t retry_ns;
    int64_t override_until_ns;
    char override_reason[63 + 1];
    uint64_t window_calls;
    uint64_t window_failures;
    uint64_t window_slow;
    uint32_t consecutive_failures;
    uint32_t probes_out;
    uint32_t probes_in;
    uint32_t inflight;
    uint64_t outcomes[6];
    uint64_t slow;
    uint64_t stale;
    uint64_t rejected[8];
    uint64_t would_reject[8];
    uint64_t transitions[12];
    int64_t state_ns[3];
    int64_t last_outcome_ns;
    uint64_t config_conflicts;
    swg_circuit_config config;
    uint32_t config_room[43];
    uint32_t inflight_limit;
    uint32_t shed_pct;
    uint64_t retries;
    uint64_t retries_recovered;
    uint64_t retries_denied[7];
    uint32_t gate;
    uint32_t gate_permits;
    int64_t gate_until_ns;
    uint64_t reserved[10];
} swg_snapshot;
int swg_circuit_open(swg_circuit **circuit, swg_panel *panel, const char *name,
                     const swg_circuit_config *config);
int swg_circuit_find(swg_circuit **circuit, swg_panel *panel, const char *name);
int swg_circuit_configure(swg_circuit *circuit, const swg_circuit_config *config);
int swg_circuit_override(swg_circuit *circuit, swg_override kind, int64_t until_ns,
                         const char *reason);
void swg_circuit_reset(swg_circuit *circuit, int64_t now_ns);
swg_circuit *swg_circuit_next(swg_panel *panel, const swg_circuit *previous);
const char *swg_circuit_name(const swg_circuit *circuit);
int swg_circuit_read(const swg_circuit *circuit, int64_t now_ns, swg_snapshot *snapshot);
int swg_config_check(const swg_circuit_config *config, const char **field, const char **reason);
int swg_config_set(swg_circuit_config *config, const char *key, const char *value);
swg_verdict swg_acquire(swg_circuit *circuit, swg_permit *permit, int64_t now_ns);
void swg_release(swg_circuit *circuit, swg_permit *permit, swg_outcome outcome, int64_t now_ns);
