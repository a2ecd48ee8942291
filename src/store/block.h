/* A block: header, then arrays whose places follow from the header's counts alone.
 *
 *     header | process rows | directory | journal | cells | windows | stripes | holdings
 *
 * Keeps: a block is used only after its signature, counts and length have been checked, and places
 * are computed, never read from it, so a hostile block cannot send anyone outside. */
#ifndef SWG_STORE_BLOCK_H
#define SWG_STORE_BLOCK_H

#include <switchgear/panel.h>

#include "core/bulkhead.h"
#include "core/layout.h"

#define SWG__MAGIC UINT64_C(0x726165672d677773) /* "swg-gear", little-endian */
#define SWG__LAYOUT_VERSION 2u

typedef struct swg_header {
    _Alignas(64) swg_au64 magic; /* stored last when formatting */
    uint64_t signature;          /* layout version and the sizes of everything, folded */
    uint64_t bytes;
    uint32_t circuits;
    uint32_t processes;
    uint32_t journal;
    uint32_t access;
    int64_t formatted_ms; /* wall clock, for people */
    swg_au64 journal_head;
    swg_au64 reaped;
    swg_ai64 reap_due;   /* lazy reaping: not before this */
    swg_au32 cells_hint; /* where to look for a free cell */
    swg_au32 config_conflicts;
    swg_au64 identity; /* random; 0: nobody has asked yet */
    swg_au64 claim;    /* see claim.h */
    swg_ai64 kept;     /* when its holder last said so */
    uint64_t spare[3];
} swg_header;

/* id: namespace:8 start time:34 pid:22, so that a pid used again is another process; 0: free. */
typedef struct swg_process {
    _Alignas(64) swg_au64 id;
    swg_au64 space; /* inode of the pid namespace, stored right after the id */
    uint64_t spare[6];
} swg_process;

/* One journal entry: see journal.h. */
typedef struct swg_entry {
    swg_au64 claim; /* sequence:48 (+1) owner:12 state:4 */
    swg_au64 body[sizeof(swg_event) / 8];
    swg_au64 check;
} swg_entry;

/* Where everything is, in this process. */
typedef struct swg__block {
    swg_header *header;
    swg_process *processes;
    swg_au32 *directory; /* cell number + 1, by hash of its name; 0: free */
    swg_entry *journal;
    swg_cell *cells;
    swg_window *windows;
    swg_stripe *stripes;
    swg_au64 *holdings; /* [process][circuit] */
    uint32_t circuit_count;
    uint32_t process_count;
    uint32_t journal_count;
    uint32_t directory_count;
} swg__block;

/* Defaults and ranges. SWG_EINVAL, SWG_ENEWER. */
int swg__panel_settle(swg_panel_config *settled, const swg_panel_config *config);

size_t swg__block_bytes(const swg_panel_config *settled);

/* Writes an empty block. `zeroed`: the memory is known to be all zero. */
int swg__block_format(void *memory, size_t bytes, const swg_panel_config *settled, bool zeroed);

/* Checks, then fills `block`. SWG_EMAGIC, SWG_ELAYOUT. */
int swg__block_map(swg__block *block, void *memory, size_t bytes);

static inline swg__parts swg__block_parts(const swg__block *block, uint32_t circuit)
{
    const swg__parts parts = {
        .cell = &block->cells[circuit],
        .window = &block->windows[circuit],
        .stripes = &block->stripes[circuit],
        .stride = block->circuit_count,
    };
    return parts;
}

static inline swg__holdings swg__block_holdings(const swg__block *block, uint32_t circuit)
{
    const swg__holdings holdings = {
        .rows = &block->holdings[circuit],
        .stride = block->circuit_count,
        .processes = block->process_count,
    };
    return holdings;
}

#endif
