/* Who speaks for the panel: one word, row:12 turn:12 id:40, the process row of the holder's handle,
 * how often the panel was claimed, and the low bits of the row's id; row 0: nobody.
 *
 * Keeps: of any number that claim at once one gets it, and only when the one before has given it
 * back, has died, or has not kept it for SWG__CLAIM_NS. One compare-and-swap claims and one gives
 * back, so a death in between leaves it with one of the two. A row that was reaped, or is another
 * process's now, holds nothing; a child after fork has a row of its own. */
#ifndef SWG_STORE_CLAIM_H
#define SWG_STORE_CLAIM_H

#include "store/panel.h"

#define SWG__CLAIM_NS (10000 * SWG__NS_PER_MS)

/* The word claimed for this handle, which has entered; 0: somebody else has it. */
uint64_t swg__claim_take(swg_panel *panel, int64_t now_ns);

/* False: it is not this handle's. */
bool swg__claim_keep(swg_panel *panel, uint64_t claim, int64_t now_ns);
bool swg__claim_give(swg_panel *panel, uint64_t claim);

/* The holder's pid; 0: nobody who lives and keeps it. */
int32_t swg__claim_owner(const swg_panel *panel, int64_t now_ns, int64_t *kept_ns);

#endif
