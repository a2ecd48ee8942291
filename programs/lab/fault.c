#include "fault.h"

#include <stdio.h>
#include <string.h>

static const char *const names[FAULT_COUNT] = {"none", "errors", "slow", "hang", "reset", "flap"};
const char *const fault_choices[] = {"errors", "slow", "hang", "reset", "flap", NULL};

const char *fault_name(fault_kind kind)
{
    return names[kind];
}

bool fault_parse(fault_kind *kind, const char *name)
{
    for (int i = 0; i < FAULT_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *kind = (fault_kind)i;
            return true;
        }
    }
    return false;
}

const char *fault_text(char *text, fault_kind kind, int rate_pct, const fault_times *times)
{
    bool all = rate_pct >= 100;
    const char *s = all ? "s" : "";
    char answers[32] = "every answer";
    if (!all)
        snprintf(answers, sizeof answers, "%d %% of answers", rate_pct);
    switch (kind) {
    case FAULT_ERRORS:
        snprintf(text, FAULT_TEXT_MAX, "%s %s (500)", answers,
                 all ? "is now an error" : "are now errors");
        break;
    case FAULT_SLOW:
        snprintf(text, FAULT_TEXT_MAX, "%s now take%s %lld ms", answers, s,
                 (long long)times->slow_ms);
        break;
    case FAULT_HANG:
        snprintf(text, FAULT_TEXT_MAX, "%s now hang%s for %.3g s", answers, s,
                 (double)times->hang_ms / 1000);
        break;
    case FAULT_RESET:
        snprintf(text, FAULT_TEXT_MAX, "%s %s", answers,
                 all ? "is now a connection reset" : "are now connection resets");
        break;
    case FAULT_FLAP:
        snprintf(text, FAULT_TEXT_MAX, "it flaps: %.3g s of errors (%d %%), %.3g s healthy",
                 (double)times->flap_ms / 1000, rate_pct, (double)times->flap_ms / 1000);
        break;
    default:
        snprintf(text, FAULT_TEXT_MAX, "it is healthy");
    }
    return text;
}

/* splitmix64: good enough bits from any seed, and any place of the sequence without the others. */
uint64_t seeded(uint64_t seed, uint64_t n, uint64_t bound)
{
    uint64_t z = seed + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % bound;
}
