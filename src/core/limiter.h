/* Rate limit: the generic cell rate algorithm in one word (ITU-T I.371, virtual scheduling).
 *
 * Keeps: in any interval of length t no more than rate * t + burst calls are admitted. The emission
 * interval is rounded up to whole nanoseconds, so the limit errs to the strict side, by less than
 * 0.1 % at a million a second. */
#ifndef SWG_CORE_LIMITER_H
#define SWG_CORE_LIMITER_H

#include "core/layout.h"

/* Takes a token, whose number it leaves in *token; 0 if there was one, else the nanoseconds until
 * there will be. */
int64_t swg__limiter_take(swg_ai64 *tat, uint32_t rate_per_s, uint32_t burst, int64_t now_ns,
                          int64_t *token);

/* Gives back a token taken for a call that did not go. If others have taken some since, it is lost:
 * giving it back could fill a bucket twice. */
void swg__limiter_give(swg_ai64 *tat, uint32_t rate_per_s, int64_t token);

#endif
