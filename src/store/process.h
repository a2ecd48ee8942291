/* Process rows: who is attached, so that what the dead held can be given back. */
#ifndef SWG_STORE_PROCESS_H
#define SWG_STORE_PROCESS_H

#include "store/block.h"

/* Takes a free row for the calling process; 0: none is free. */
uint16_t swg__process_enter(const swg__block *block);

/* Leaves a row. What it still holds is given back. */
void swg__process_leave(const swg__block *block, uint16_t owner);

/* Is the row taken by a process that lives? */
bool swg__process_alive(const swg__block *block, uint16_t owner);

/* Gives back what dead processes held, and their rows. `others`: all but this owner count as dead
 * (a private block copied by fork). Returns how many processes. */
int swg__process_reap(const swg__block *block, uint16_t others);

int32_t swg__process_pid(const swg__block *block, uint16_t owner);

#endif
