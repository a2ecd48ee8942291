/* A panel as one process sees it: the block, where it is mapped, and this process's row in it. */
#ifndef SWG_STORE_PANEL_H
#define SWG_STORE_PANEL_H

#include "store/block.h"

struct swg_circuit {
    swg__parts parts;
    swg_panel *panel;
    uint32_t number;
};

/* In a page of its own that the kernel zeroes in a forked child, so a child knows itself new. */
typedef struct swg__self {
    swg_au32 row;        /* 0: not entered yet */
    swg_au32 generation; /* of counts on the heap; 0: not known yet */
} swg__self;

typedef enum swg__home { SWG__HOME_CALLER, SWG__HOME_HEAP, SWG__HOME_SHARED } swg__home;

struct swg_panel {
    swg__block block;
    swg_circuit *circuits; /* one a cell, filled when the panel is opened */
    swg__self *self;
    void *memory;
    size_t bytes;
    swg__home home;
    int32_t pid; /* where the kernel cannot zero pages on fork: who entered; else 0 */
};

/* This process's row; entered on first use, and anew after a fork. 0: all rows are taken. */
uint16_t swg__panel_owner(swg_panel *panel);

/* This process's generation, anew after a fork. */
uint32_t swg__panel_begin_generation(swg_panel *panel);

static inline uint32_t swg__panel_generation(swg_panel *panel)
{
    const uint32_t known = swg__load_relaxed_u32(&panel->self->generation);
    return known != 0 && panel->pid == 0 ? known : swg__panel_begin_generation(panel);
}

/* Who holds slots of a circuit. On the heap nobody but us can, and nobody can die and leave some,
 * so no rows are kept. */
static inline swg__holdings swg__panel_holdings(const swg_circuit *circuit)
{
    swg__holdings holdings = swg__block_holdings(&circuit->panel->block, circuit->number);
    if (circuit->panel->home == SWG__HOME_HEAP) {
        holdings.rows = NULL;
    }
    return holdings;
}

/* What no other panel is called; on the heap, where a forked child has a copy, no other process's
 * either. Not 0. */
uint64_t swg__panel_identity(swg_panel *panel);

/* Reaps the dead, at most once a second: for those who meet a limit that the dead may hold. */
void swg__panel_reap_lazily(swg_panel *panel, int64_t now_ns);

/* Makes the handle; takes over `memory` when it succeeds. */
int swg__panel_make(swg_panel **panel, void *memory, size_t bytes, swg__home home);

/* POSIX shared memory: see shared.c. SWG_OK or SWG_DIFFERS, or an error. */
int swg__shared_open(void **memory, size_t *bytes, const char *name,
                     const swg_panel_config *config);

#endif
