/* Names to cells: open addressing with linear probing over a table of cell numbers. Entries are
 * only ever added.
 *
 * A cell's claim is turn:18 owner:12 state:2; each claim is another turn, so that who settles the
 * claim of a dead owner cannot mistake a later one for it. A cell is claimed, filled, then entered
 * in the table by one compare-and-swap; two openers of one name meet at the same place, and the
 * later gives its cell back. */
#ifndef SWG_STORE_DIRECTORY_H
#define SWG_STORE_DIRECTORY_H

#include "store/block.h"

#define SWG__CLAIM_FREE 0u
#define SWG__CLAIM_TAKEN 1u
#define SWG__CLAIM_READY 2u

/* [A-Za-z0-9_.:/-]{1,63} */
bool swg__name_ok(const char *name);

/* The cell of a name, or -1. */
int64_t swg__directory_find(const swg__block *block, const char *name);

/* Claims a free cell for `owner` and gives it the name, or -1: full. Then fill it, and enter it. */
int64_t swg__directory_claim(const swg__block *block, const char *name, uint16_t owner);

/* Makes a claimed cell findable. Returns the cell that has the name: this one, or another's that
 * came first, and then this one is free again. */
uint32_t swg__directory_enter(const swg__block *block, uint32_t cell);

/* Settles a claim left by a dead owner. */
void swg__directory_reap(const swg__block *block, uint32_t cell, uint16_t owner, uint64_t dead_id);

/* Is a cell claimed and not yet entered? */
bool swg__directory_busy(const swg__block *block);

/* May the cell be used? */
bool swg__directory_ready(const swg__block *block, uint32_t cell);

#endif
