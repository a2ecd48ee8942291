#include "store/directory.h"

#include <string.h>

#define STATE_MASK 3u
#define TURN_ONE (UINT32_C(1) << 14)
#define TURN_MASK (~(TURN_ONE - 1))

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("_.:/-", c) != NULL);
}

bool swg__name_ok(const char *name)
{
    size_t length = 0;
    while (length <= SWG_NAME_MAX && name[length] != '\0') {
        if (!name_char(name[length])) {
            return false;
        }
        length++;
    }
    return length >= 1 && length <= SWG_NAME_MAX;
}

/* FNV-1a, 32 bits. */
static uint32_t hash_of(const char *name)
{
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; i < SWG_NAME_MAX && name[i] != '\0'; i++) {
        hash = (hash ^ (unsigned char)name[i]) * UINT32_C(16777619);
    }
    return hash;
}

/* Entries of a hostile block may point anywhere: out of range is nobody. */
static bool entry_is(const swg__block *block, uint32_t entry, const char *name)
{
    return entry <= block->circuit_count &&
           strncmp(block->cells[entry - 1].name, name, SWG_NAME_MAX + 1) == 0;
}

int64_t swg__directory_find(const swg__block *block, const char *name)
{
    const uint32_t mask = block->directory_count - 1;
    const uint32_t hash = hash_of(name);
    for (uint32_t i = 0; i <= mask; i++) {
        const uint32_t entry = swg__load_acquire_u32(&block->directory[(hash + i) & mask]);
        if (entry == 0) {
            return -1;
        }
        if (entry_is(block, entry, name)) {
            return entry - 1;
        }
    }
    return -1;
}

int64_t swg__directory_claim(const swg__block *block, const char *name, uint16_t owner)
{
    const uint32_t count = block->circuit_count;
    const uint32_t hint = swg__load_relaxed_u32(&block->header->cells_hint);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t place = (hint % count + i) % count;
        swg_cell *cell = &block->cells[place];
        uint32_t free = swg__load_seq_u32(&cell->claim);
        if ((free & STATE_MASK) == SWG__CLAIM_FREE &&
            swg__cas_seq_u32(&cell->claim, &free,
                             ((free & TURN_MASK) + TURN_ONE) | (uint32_t)owner << 2 |
                                 SWG__CLAIM_TAKEN)) {
            swg__store_relaxed_u32(&block->header->cells_hint, place + 1);
            memset(cell->name, 0, sizeof(cell->name));
            strncpy(cell->name, name, SWG_NAME_MAX);
            return place;
        }
    }
    return -1;
}

/* Puts the cell at the first free place of its name's chain; answers who has the name. */
static uint32_t enter(const swg__block *block, uint32_t cell)
{
    const uint32_t mask = block->directory_count - 1;
    const uint32_t hash = hash_of(block->cells[cell].name);
    for (uint32_t i = 0; i <= mask; i++) {
        swg_au32 *place = &block->directory[(hash + i) & mask];
        uint32_t entry = 0;
        if (swg__cas_seq_u32(place, &entry, cell + 1)) {
            return cell;
        }
        if (entry == cell + 1 || entry_is(block, entry, block->cells[cell].name)) {
            return entry - 1;
        }
    }
    return cell; /* the table is twice the cells: only a hostile block gets here */
}

uint32_t swg__directory_enter(const swg__block *block, uint32_t cell)
{
    const uint32_t winner = enter(block, cell);
    swg_au32 *claim = &block->cells[cell].claim;
    const uint32_t turn = swg__load_relaxed_u32(claim) & TURN_MASK;
    /* release: the cell was filled before it may be used */
    swg__store_release_u32(claim, turn | (winner == cell ? SWG__CLAIM_READY : SWG__CLAIM_FREE));
    return winner;
}

/* The claim is read first, the row's id after it: if that is still the dead one's, so was the
 * claim. */
void swg__directory_reap(const swg__block *block, uint32_t cell, uint16_t owner, uint64_t dead_id)
{
    swg_cell *c = &block->cells[cell];
    uint32_t taken = swg__load_seq_u32(&c->claim);
    if ((taken & ~TURN_MASK) != ((uint32_t)owner << 2 | SWG__CLAIM_TAKEN) ||
        swg__load_seq_u64(&block->processes[owner].id) != dead_id) {
        return;
    }
    const bool entered = c->name[0] != '\0' && swg__directory_find(block, c->name) == (int64_t)cell;
    swg__cas_seq_u32(&c->claim, &taken,
                     (taken & TURN_MASK) | (entered ? SWG__CLAIM_READY : SWG__CLAIM_FREE));
}

bool swg__directory_busy(const swg__block *block)
{
    for (uint32_t i = 0; i < block->circuit_count; i++) {
        if ((swg__load_seq_u32(&block->cells[i].claim) & STATE_MASK) != SWG__CLAIM_READY) {
            return true;
        }
    }
    return false;
}

bool swg__directory_ready(const swg__block *block, uint32_t cell)
{
    return (swg__load_acquire_u32(&block->cells[cell].claim) & 3) == SWG__CLAIM_READY;
}
