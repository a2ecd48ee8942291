/* The journal: the last transitions of a panel, oldest overwritten.
 *
 * Keeps: an event that was written is read whole or not at all. A writer claims an entry with its
 * own row in the claim, then anyone may move the head past it; so an entry left half-written by a
 * process that died is known to be one, and readers pass it. */
#ifndef SWG_STORE_JOURNAL_H
#define SWG_STORE_JOURNAL_H

#include "store/block.h"

/* Writes an event; fills in its sequence. */
void swg__journal_write(const swg__block *block, uint16_t owner, swg_event *event);

/* Marks what a dead owner left half-written, so that readers pass it whoever has the row next. */
void swg__journal_reap(const swg__block *block, uint16_t owner, uint64_t dead_id);

size_t swg__journal_read(const swg__block *block, uint64_t *cursor, swg_event *events,
                         size_t count);

#endif
