#include "core/limiter.h"

static int64_t interval_ns(uint32_t rate_per_s)
{
    return (INT64_C(1000000000) + rate_per_s - 1) / rate_per_s;
}

int64_t swg__limiter_take(swg_ai64 *tat, uint32_t rate_per_s, uint32_t burst, int64_t now_ns,
                          int64_t *token)
{
    const int64_t interval = interval_ns(rate_per_s);
    const int64_t tolerance = interval * ((int64_t)burst - 1);
    int64_t arrival = swg__load_relaxed_i64(tat);
    for (;;) {
        const int64_t wait = arrival - tolerance - now_ns;
        if (wait > 0) {
            return wait;
        }
        const int64_t next = (arrival > now_ns ? arrival : now_ns) + interval;
        if (swg__cas_seq_i64(tat, &arrival, next)) {
            *token = next;
            return 0;
        }
    }
}

void swg__limiter_give(swg_ai64 *tat, uint32_t rate_per_s, int64_t token)
{
    swg__cas_seq_i64(tat, &token, token - interval_ns(rate_per_s));
}
