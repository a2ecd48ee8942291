/* Shedding: a share of the calls is turned away, so that a dependency that half works gets what it
 * can do and a little more. Client-side throttling as in Beyer et al., Site Reliability Engineering
 * (O'Reilly 2016), chapter 21, "Handling Overload":
 *
 *     share = max(0, (requests - K * accepts) / (requests + 1))
 *
 * Requests are the outcomes in the window and the calls shed meanwhile, accepts the outcomes that
 * were no failures. Keeps: with K = 2 and no accepts, share -> 1; with all accepted it is 0.
 *
 * Calls shed are counted in one word, serial:12 tick:12 before:20 present:20: those of the present
 * stretch of one window's length and of the one before, of which as much counts as the window still
 * covers. Like the window's words it carries the serial it counts for, so it ends with the epoch.
 */
#ifndef SWG_CORE_SHED_H
#define SWG_CORE_SHED_H

#include "core/window.h"

#define SWG__SHED_ALL UINT32_C(65536)

/* The share to shed, of SWG__SHED_ALL. factor_pct is K in percent. */
uint32_t swg__shed_share(uint64_t requests, uint64_t accepts, uint32_t factor_pct);

/* Calls shed within the last window's length, of this epoch. */
uint64_t swg__shed_recent(const swg__parts *parts, int64_t now_ns);

/* What a circuit should shed now: nothing unless it is closed, and calls_min were asked for. */
uint32_t swg__shed_now(const swg__parts *parts, uint32_t factor_pct, int64_t now_ns);

/* The same, found anew only when the window has moved on by a hundredth. */
uint32_t swg__shed_known(const swg__parts *parts, uint32_t factor_pct, int64_t now_ns);

void swg__shed_count(const swg__parts *parts, int64_t now_ns);

#endif
