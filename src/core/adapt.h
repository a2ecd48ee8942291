/* The in-flight limit that finds itself: additive increase, multiplicative decrease on measured
 * latency (Chiu and Jain, Analysis of the Increase and Decrease Algorithms for Congestion Avoidance
 * in Computer Networks, 1989).
 *
 *     in time, and at least half the limit in use:  limit += 1 / limit   (one more a round)
 *     late, and begun after the last decrease:      limit -= limit / 10
 *
 * Calls begun before a decrease were let in by the limit before it, so they do not decrease it
 * again. Keeps: least <= limit <= most. One word, limit:36 (16 of them fraction) cut_ms:28. */
#ifndef SWG_CORE_ADAPT_H
#define SWG_CORE_ADAPT_H

#include "core/layout.h"

/* The limit in force. A circuit begins with 20, or the bound next to it. */
uint32_t swg__adapt_limit(const swg_au64 *word, uint32_t least, uint32_t most);

/* What one call that took from begun_ns to now_ns teaches. */
void swg__adapt_learn(swg_au64 *word, uint32_t least, uint32_t most, uint32_t inflight, bool late,
                      int64_t begun_ns, int64_t now_ns);

#endif
