/* Reading a panel: the journal of transitions. Observers read the block; they never change it. */
#ifndef SWITCHGEAR_OBSERVE_H
#define SWITCHGEAR_OBSERVE_H

#include <switchgear/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Copies events from `*cursor` (0: the oldest kept) into `events`, oldest first, at most `count`,
 * and moves the cursor behind them. Returns how many; 0 when there are none yet. Events that were
 * overwritten before they were read show as a gap in swg_event.sequence.
 * Threads: any thread, any process; each reader keeps its own cursor. */
size_t swg_journal_read(const swg_panel *panel, uint64_t *cursor, swg_event *events, size_t count);

#ifdef __cplusplus
}
#endif
#endif
