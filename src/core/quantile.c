#include "core/quantile.h"

#define LEAST_NS 1000u

int64_t swg__quantile_ns(const swg_au64 *word)
{
    return (int64_t)(swg__load_relaxed_u64(word) & INT64_MAX);
}

void swg__quantile_learn(swg_au64 *word, uint32_t pct, int64_t took_ns)
{
    const uint64_t took = took_ns > (int64_t)LEAST_NS ? (uint64_t)took_ns : LEAST_NS;
    uint64_t old = swg__load_relaxed_u64(word);
    uint64_t next;
    do {
        const uint64_t step = old / 1600 + 1; /* a sixteenth in all, shared out by percent */
        if (old == 0) {
            next = took;
        } else if (took > old) {
            next = old + step * pct;
        } else {
            next = old - step * (100 - pct);
        }
        next = next > LEAST_NS ? next : LEAST_NS;
    } while (!swg__cas_seq_u64(word, &old, next));
}
