#include <switchgear/types.h>

#define SWG_X(name, value, text) text,
static const char *const verdicts[] = {SWG_VERDICTS(SWG_X)};
static const char *const outcomes[] = {SWG_OUTCOMES(SWG_X)};
static const char *const causes[] = {SWG_CAUSES(SWG_X)};
static const char *const retry_ends[] = {SWG_RETRY_ENDS(SWG_X)};
#undef SWG_X
static const char *const states[] = {"closed", "open", "half_open"};
static const char *const overrides[] = {"none", "forced_open", "forced_closed", "dry_run"};

#define NAME_OF(table, value)                                                                      \
    ((size_t)(value) < sizeof(table) / sizeof((table)[0]) ? (table)[value] : "unknown")

const char *swg_verdict_name(swg_verdict verdict)
{
    return NAME_OF(verdicts, verdict);
}

const char *swg_outcome_name(swg_outcome outcome)
{
    return NAME_OF(outcomes, outcome);
}

const char *swg_cause_name(swg_cause cause)
{
    return NAME_OF(causes, cause);
}

const char *swg_retry_end_name(swg_retry_end end)
{
    return NAME_OF(retry_ends, end);
}

const char *swg_state_name(swg_state state)
{
    return NAME_OF(states, state);
}

const char *swg_override_name(swg_override kind)
{
    return NAME_OF(overrides, kind);
}

const char *swg_error_text(int error)
{
    switch (error) {
#define SWG_X(name, value, text)                                                                   \
    case value:                                                                                    \
        return text;
        SWG_RESULTS(SWG_X)
#undef SWG_X
    default:
        return "unknown error";
    }
}

uint32_t swg_version(void)
{
    return SWG_VERSION_MAJOR << 16 | SWG_VERSION_MINOR << 8 | SWG_VERSION_PATCH;
}
