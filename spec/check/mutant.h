/* A protocol with one rule broken, in the step function and so in the server and the judge alike:
 * only the books of the checker can tell. Included before everything else of the step function. */
#ifndef SWG_SPEC_MUTANT_H
#define SWG_SPEC_MUTANT_H

#include "fleet/rules.h"

enum { MUTANT_QUORUM = 1, MUTANT_GRANTS, MUTANT_NEED, MUTANT_LATE, MUTANT_DUE, MUTANT_HOLD_OFF };

#if MUTANT == 1 /* one reporter trips the fleet */
#define swg_rule_trip(bad, n, least, reporters, quorum) ((bad) && (n) >= (least))
#elif MUTANT == 2 /* each gets what it wants */
#define swg_rule_grants(want, live, own, probes, missing)                                          \
    ((void)(own), (void)(probes), (want) < 64 - (live) ? (want) : 64 - (live))
#elif MUTANT == 3 /* a probe less than needed closes */
#define swg_rule_verdict(ok, failed, expired, need, fail_limit, expiry_limit)                      \
    (swg_rule_verdict)((ok) > 0 ? (ok) + 1 : 0, failed, expired, need, fail_limit, expiry_limit)
#elif MUTANT == 4 /* old requests are as good as new ones */
#define swg_rule_late(seq, seen) ((void)(seq), (void)(seen), false)
#elif MUTANT == 5 /* open ends when somebody wants it to */
#define swg_rule_due(state, waited, wants, knows)                                                  \
    ((void)(waited), (state) == SWG_STEP_OPEN && (wants) && (knows))
#elif MUTANT == 6 /* a new server grants at once */
#define swg_rule_may_grant(late, held_off, knows) ((void)(held_off), !(late) && (knows))
#endif

#endif
