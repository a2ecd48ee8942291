/* The decisions of the fleet, each one function of plain numbers.
 *
 * step.c composes them, and the Lua script is compared with step.c. A change here is a change of
 * the protocol. */
#ifndef SWG_FLEET_RULES_H
#define SWG_FLEET_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SWG_STEP_CLOSED,
    SWG_STEP_OPEN,
    SWG_STEP_HALF,
    SWG_STEP_FORCED,
    SWG_STEP_DISABLED,
    SWG_STEP_STATES
};

/* Is a rate at or over one of its limits? Integers only; a limit of 0 is off. */
static inline bool swg_rule_bad(int64_t n, int64_t f, int64_t s, int64_t fail_pct, int64_t slow_pct)
{
    return (fail_pct > 0 && f > 0 && f * 100 >= fail_pct * n) ||
           (slow_pct > 0 && s > 0 && s * 100 >= slow_pct * n);
}

/* Closed to open: enough calls, a bad rate, and an absolute number of reporters that say so. */
static inline bool swg_rule_trip(bool bad, int64_t n, int64_t calls_min, int64_t bad_reporters,
                                 int64_t quorum)
{
    return bad && n >= calls_min && bad_reporters >= quorum;
}

/* The other way from closed to open: the hosts' own breakers have judged, by failures in a row,
 * stalls or whatever else shows in no rate. Enough of them, and a share of those that report. */
static inline bool swg_rule_votes(int64_t votes, int64_t reporters, int64_t quorum,
                                  int64_t fail_pct)
{
    return votes >= quorum && votes * 100 >= (fail_pct > 0 ? fail_pct : 50) * reporters;
}

/* A client knows a later history than this server: where does the server go? Pessimistically: a
 * trip that was lost comes back, a half-open period whose leases may be lost starts again. */
static inline int swg_rule_repair(int state, int claimed)
{
    if (state == SWG_STEP_HALF)
        return SWG_STEP_OPEN;
    if (state == SWG_STEP_CLOSED && claimed >= SWG_STEP_OPEN && claimed <= SWG_STEP_FORCED)
        return SWG_STEP_OPEN;
    return state;
}

/* Open to half-open: the wait is over, and somebody who knows of this very opening has work. */
static inline bool swg_rule_due(int state, bool waited, bool wants, bool knows)
{
    return state == SWG_STEP_OPEN && waited && wants && knows;
}

/* A request no newer than one already seen of the same reporter is void altogether. */
static inline bool swg_rule_late(int64_t seq, int64_t seen)
{
    return seq <= seen;
}

/* Does the result of a probe count? Once (the lease is consumed), and only in the period that
 * granted it. */
static inline bool swg_rule_counts(bool late, bool lease_live, bool same_epoch)
{
    return !late && lease_live && same_epoch;
}

/* Where a half-open period goes from here; HALF means it goes on. Expired leases are bounded too,
 * or a dependency that hangs would keep the circuit half-open for ever. */
static inline int swg_rule_verdict(int64_t ok, int64_t failed, int64_t expired, int64_t need,
                                   int64_t fail_limit, int64_t expiry_limit)
{
    if (failed >= fail_limit || expired >= expiry_limit)
        return SWG_STEP_OPEN;
    return ok >= need ? SWG_STEP_CLOSED : SWG_STEP_HALF;
}

/* May this request be granted permits at all? */
static inline bool swg_rule_may_grant(bool late, bool held_off, bool knows)
{
    return !late && !held_off && knows;
}

/* How many: no more than `probes` in flight in the fleet, nor than passes are still missing, so
 * that a dependency that is well again meets exactly as many as it takes; and half of them, rounded
 * up, at one reporter, so that one with a broken network cannot fail a period alone at once. */
static inline int64_t swg_rule_grants(int64_t want, int64_t live, int64_t own, int64_t probes,
                                      int64_t missing)
{
    int64_t room = probes - live, share = (probes + 1) / 2 - own;

    if (room > missing - live)
        room = missing - live;
    if (room > share)
        room = share;
    if (want < room)
        room = want;
    return room > 0 ? room : 0;
}

#endif
