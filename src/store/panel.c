#include "store/panel.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/backoff.h"
#include "store/process.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define REAP_EVERY_NS INT64_C(1000000000)

size_t swg_panel_bytes(const swg_panel_config *config)
{
    swg_panel_config settled;
    return swg__panel_settle(&settled, config) == SWG_OK ? swg__block_bytes(&settled) : 0;
}

int swg_panel_format(void *memory, size_t bytes, const swg_panel_config *config)
{
    swg_panel_config settled;
    const int error = swg__panel_settle(&settled, config);
    if (error != SWG_OK) {
        return error;
    }
    return memory == NULL ? SWG_EINVAL : swg__block_format(memory, bytes, &settled, false);
}

static void *map_pages(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void fill_circuits(swg_panel *panel)
{
    for (uint32_t i = 0; i < panel->block.circuit_count; i++) {
        panel->circuits[i] =
            (swg_circuit){.parts = swg__block_parts(&panel->block, i), .panel = panel, .number = i};
    }
}

static void forget(swg_panel *panel)
{
    if (panel->self != NULL) {
        munmap(panel->self, sizeof(*panel->self));
    }
    free(panel->circuits);
    free(panel);
}

static int equip(swg_panel *panel)
{
    panel->circuits = malloc(panel->block.circuit_count * sizeof(*panel->circuits));
    panel->self = map_pages(sizeof(*panel->self));
    if (panel->circuits == NULL || panel->self == NULL) {
        return SWG_ENOMEM;
    }
    if (madvise(panel->self, sizeof(*panel->self), MADV_WIPEONFORK) != 0) {
        panel->pid = (int32_t)getpid();
    }
    fill_circuits(panel);
    return swg__panel_owner(panel) != 0 ? SWG_OK : SWG_EFULL;
}

int swg__panel_make(swg_panel **panel, void *memory, size_t bytes, swg__home home)
{
    swg_panel *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SWG_ENOMEM;
    }
    made->memory = memory;
    made->bytes = bytes;
    made->home = home;
    int error = swg__block_map(&made->block, memory, bytes);
    if (error == SWG_OK) {
        error = equip(made);
    }
    if (error != SWG_OK) {
        forget(made);
        return error;
    }
    *panel = made;
    return SWG_OK;
}

int swg_panel_attach(swg_panel **panel, void *memory, size_t bytes)
{
    if (panel == NULL || memory == NULL || (uintptr_t)memory % 64 != 0) {
        return SWG_EINVAL;
    }
    *panel = NULL;
    return swg__panel_make(panel, memory, bytes, SWG__HOME_CALLER);
}

static int open_heap(swg_panel **panel, const swg_panel_config *config)
{
    swg_panel_config settled;
    int error = swg__panel_settle(&settled, config);
    if (error != SWG_OK) {
        return error;
    }
    const size_t bytes = swg__block_bytes(&settled);
    void *memory = map_pages(bytes);
    if (memory == NULL) {
        return SWG_ENOMEM;
    }
    error = swg__block_format(memory, bytes, &settled, true);
    if (error == SWG_OK) {
        error = swg__panel_make(panel, memory, bytes, SWG__HOME_HEAP);
    }
    if (error != SWG_OK) {
        munmap(memory, bytes);
    }
    return error;
}

static int open_shared(swg_panel **panel, const char *name, const swg_panel_config *config)
{
    void *memory;
    size_t bytes;
    const int opened = swg__shared_open(&memory, &bytes, name, config);
    if (opened < 0) {
        return opened;
    }
    const int error = swg__panel_make(panel, memory, bytes, SWG__HOME_SHARED);
    if (error != SWG_OK) {
        munmap(memory, bytes);
        return error;
    }
    if (opened == SWG_DIFFERS) {
        swg__add_seq_u32(&(*panel)->block.header->config_conflicts, 1);
    }
    return opened;
}

int swg_panel_open(swg_panel **panel, const char *name, const swg_panel_config *config)
{
    if (panel == NULL) {
        return SWG_EINVAL;
    }
    *panel = NULL;
    return name == NULL ? open_heap(panel, config) : open_shared(panel, name, config);
}

void swg_panel_close(swg_panel **panel)
{
    if (panel == NULL || *panel == NULL) {
        return;
    }
    swg_panel *closed = *panel;
    *panel = NULL;
    if (closed->pid == 0 || closed->pid == (int32_t)getpid()) {
        swg__process_leave(&closed->block, (uint16_t)swg__load_seq_u32(&closed->self->row));
    }
    if (closed->home != SWG__HOME_CALLER) {
        munmap(closed->memory, closed->bytes);
    }
    forget(closed);
}

static uint16_t enter(swg_panel *panel)
{
    uint16_t row = swg__process_enter(&panel->block);
    if (row == 0 && swg__process_reap(&panel->block, 0) > 0) {
        row = swg__process_enter(&panel->block);
    }
    uint32_t none = 0;
    if (row != 0 && !swg__cas_seq_u32(&panel->self->row, &none, row)) {
        swg__process_leave(&panel->block, row); /* another thread was quicker */
        row = (uint16_t)none;
    }
    return row;
}

uint32_t swg__panel_begin_generation(swg_panel *panel)
{
    const uint32_t generation = (uint32_t)getpid() | UINT32_C(1) << 29;
    swg__store_relaxed_u32(&panel->self->generation, generation);
    return generation;
}

uint16_t swg__panel_owner(swg_panel *panel)
{
    if (panel->pid != 0 && panel->pid != (int32_t)getpid()) {
        panel->pid = (int32_t)getpid();
        swg__store_release_u32(&panel->self->row, 0);
    }
    const uint32_t row = swg__load_acquire_u32(&panel->self->row);
    if (row != 0) {
        return (uint16_t)row;
    }
    const uint16_t entered = enter(panel);
    if (panel->home == SWG__HOME_HEAP && entered != 0) {
        swg__process_reap(&panel->block, entered); /* what others hold, they hold in their copy */
    }
    return entered;
}

static uint64_t random_identity(void)
{
    uint64_t drawn = 0;
    if (getrandom(&drawn, sizeof(drawn), GRND_NONBLOCK) != (ssize_t)sizeof(drawn)) {
        drawn = swg__mix((uint64_t)swg_clock_ns(), (uint64_t)getpid()); /* early in boot */
    }
    return drawn | 1;
}

uint64_t swg__panel_identity(swg_panel *panel)
{
    swg_header *header = panel->block.header;
    uint64_t identity = swg__load_relaxed_u64(&header->identity);
    if (identity == 0) {
        const uint64_t drawn = random_identity();
        /* whoever is second gets the first one's */
        identity = swg__cas_seq_u64(&header->identity, &identity, drawn) ? drawn : identity;
    }
    return panel->home == SWG__HOME_HEAP ? swg__mix(identity, (uint64_t)getpid()) | 1 : identity;
}

int swg_panel_reap(swg_panel *panel, int64_t now_ns)
{
    if (panel == NULL) {
        return SWG_EINVAL;
    }
    swg__store_relaxed_i64(&panel->block.header->reap_due, now_ns + REAP_EVERY_NS);
    return swg__process_reap(&panel->block, 0);
}

void swg__panel_reap_lazily(swg_panel *panel, int64_t now_ns)
{
    if (panel->home == SWG__HOME_HEAP) {
        return; /* one process: no one else can have died */
    }
    swg_ai64 *due = &panel->block.header->reap_due;
    int64_t at = swg__load_relaxed_i64(due);
    /* A time far ahead is another clock's: due too. */
    const bool is_due = now_ns >= at || at - now_ns > 2 * REAP_EVERY_NS;
    if (is_due && swg__cas_seq_i64(due, &at, now_ns + REAP_EVERY_NS)) {
        swg__process_reap(&panel->block, 0);
    }
}
