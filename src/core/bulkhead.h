/* Calls in flight, over all processes, exact whoever dies when.
 *
 * Keeps: count <= limit at every instant, and count == sum of what the process rows hold, counting
 * the last operation as done. The word carries its last operation (count:20 owner:12 op:2 seq:30);
 * each row holds (count:34 seq:30). An operation is one compare-and-swap of the word, which takes
 * effect there, and one of the owner's row, which whoever comes next does if the owner no longer
 * can: the sequence number tells whether it has been done. */
#ifndef SWG_CORE_BULKHEAD_H
#define SWG_CORE_BULKHEAD_H

#include "core/layout.h"

/* One circuit's column in the matrix of holdings: rows[owner * stride]. */
typedef struct swg__holdings {
    swg_au64 *rows; /* NULL: a block of one process, which keeps none and calls .._alone() */
    size_t stride;
    uint32_t processes;
} swg__holdings;

/* Calls in flight now. */
uint32_t swg__bulkhead_count(const swg_au64 *word);

/* The word is count:20, then the last operation. */
#define SWG__BULKHEAD_ONE (UINT64_C(1) << 44)
#define SWG__BULKHEAD_MAX ((UINT32_C(1) << 20) - 1)

/* The same two for a block of one process, which keeps no rows. In place of an operation the word
 * carries whose count it is (generation:30): in a forked child the parent's counts for nothing. */
static inline uint32_t swg__bulkhead_count_alone(uint64_t word, uint32_t generation)
{
    return (uint32_t)(word & 0x3fffffff) == generation ? (uint32_t)(word >> 44) : 0;
}

static inline bool swg__bulkhead_take_alone(swg_au64 *word, uint32_t generation, uint32_t limit,
                                            uint32_t *count)
{
    uint64_t old = swg__load_relaxed_u64(word);
    const uint32_t most = limit < SWG__BULKHEAD_MAX ? limit : SWG__BULKHEAD_MAX;
    do {
        *count = swg__bulkhead_count_alone(old, generation);
        if (*count >= most) {
            return false;
        }
    } while (!swg__cas_seq_u64(word, &old, (uint64_t)(*count + 1) << 44 | generation));
    return true;
}

static inline void swg__bulkhead_give_alone(swg_au64 *word, uint32_t generation)
{
    uint64_t old = swg__load_relaxed_u64(word);
    while (swg__bulkhead_count_alone(old, generation) != 0 &&
           !swg__cas_seq_u64(word, &old, old - SWG__BULKHEAD_ONE)) {
    }
}

/* Takes a slot for `owner` unless `limit` are in flight. `*count` is how many were before. */
bool swg__bulkhead_take(swg_au64 *word, swg__holdings holdings, uint16_t owner, uint32_t limit,
                        uint32_t *count);

/* Gives one slot back; false if the owner's row holds none (it was reaped). */
bool swg__bulkhead_give(swg_au64 *word, swg__holdings holdings, uint16_t owner);

/* Gives back all that `owner` holds, as long as *id is dead_id. Returns how many. */
uint32_t swg__bulkhead_reap(swg_au64 *word, swg__holdings holdings, uint16_t owner,
                            const swg_au64 *id, uint64_t dead_id);

#endif
