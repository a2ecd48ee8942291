/* A latency's quantile in one word, without keeping latencies: frugal streaming (Ma, Muthukrishnan,
 * Sandler, Frugal Streaming for Estimating Quantiles, 2013) with steps in proportion. Each
 * observation moves the estimate up by step * pct when it is above, down by step * (100 - pct) when
 * it is below, so it rests where pct percent are below. Keeps: estimate >= 1 us, whatever comes. */
#ifndef SWG_CORE_QUANTILE_H
#define SWG_CORE_QUANTILE_H

#include "core/layout.h"

/* The estimate in nanoseconds; 0: nothing known yet. */
int64_t swg__quantile_ns(const swg_au64 *word);

void swg__quantile_learn(swg_au64 *word, uint32_t pct, int64_t took_ns);

#endif
