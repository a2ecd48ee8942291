#include "store/block.h"

#include <string.h>
#include <time.h>

#define LINE 64

typedef struct places {
    size_t processes, directory, journal, cells, windows, stripes, holdings, end;
} places;

/* At least twice as many as circuits, so that probing ends soon. */
static uint32_t directory_count(uint32_t circuits)
{
    uint32_t count = 16;
    while (count < 2 * circuits) {
        count *= 2;
    }
    return count;
}

static size_t after(size_t place, size_t count, size_t size)
{
    return (place + count * size + LINE - 1) / LINE * LINE;
}

/* Counts are bounded by swg__panel_settle, so nothing overflows. */
static places places_of(uint32_t circuits, uint32_t processes, uint32_t journal)
{
    places p;
    p.processes = after(0, 1, sizeof(swg_header));
    p.directory = after(p.processes, processes, sizeof(swg_process));
    p.journal = after(p.directory, directory_count(circuits), sizeof(swg_au32));
    p.cells = after(p.journal, journal, sizeof(swg_entry));
    p.windows = after(p.cells, circuits, sizeof(swg_cell));
    p.stripes = after(p.windows, circuits, sizeof(swg_window));
    p.holdings = after(p.stripes, (size_t)circuits * SWG__STRIPES, sizeof(swg_stripe));
    p.end = after(p.holdings, (size_t)circuits * processes, sizeof(swg_au64));
    return p;
}

static uint64_t signature(void)
{
    const uint64_t facts[] = {
        SWG__LAYOUT_VERSION, sizeof(swg_header), sizeof(swg_process), sizeof(swg_entry),
        sizeof(swg_cell),    sizeof(swg_window), sizeof(swg_stripe),  SWG__STRIPES,
        SWG__SLOTS,          SWG__PROBES_MAX,    SWG__RING_WORDS,     0x0102030405060708 & 0xff,
    };
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        hash = (hash ^ facts[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static bool in_range(uint32_t value, uint32_t low, uint32_t high)
{
    return value >= low && value <= high;
}

int swg__panel_settle(swg_panel_config *settled, const swg_panel_config *config)
{
    swg_panel_config full = {0};
    if (config != NULL) {
        if (config->size < sizeof(config->size)) {
            return SWG_EINVAL;
        }
        const size_t known = config->size < sizeof(full) ? config->size : sizeof(full);
        const unsigned char *tail = (const unsigned char *)config;
        for (size_t i = known; i < config->size; i++) {
            if (tail[i] != 0) {
                return SWG_ENEWER;
            }
        }
        memcpy(&full, config, known);
    }
    full.size = sizeof(full);
    full.circuits = full.circuits != 0 ? full.circuits : 256;
    full.processes = full.processes != 0 ? full.processes : 256;
    full.journal = full.journal != 0 ? full.journal : 1024;
    full.access = full.access != 0 ? full.access : SWG_ACCESS_OWNER;
    if (!in_range(full.circuits, 1, 1000000) || !in_range(full.processes, 1, SWG__PROCESSES_MAX) ||
        !in_range(full.journal, 16, 1000000) ||
        !in_range(full.access, SWG_ACCESS_OWNER, SWG_ACCESS_GROUP)) {
        return SWG_EINVAL;
    }
    uint32_t journal = 16;
    while (journal < full.journal) {
        journal *= 2;
    }
    full.journal = journal;
    full.processes += 1; /* row 0 is nobody's */
    *settled = full;
    return SWG_OK;
}

size_t swg__block_bytes(const swg_panel_config *settled)
{
    return places_of(settled->circuits, settled->processes, settled->journal).end;
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int swg__block_format(void *memory, size_t bytes, const swg_panel_config *settled, bool zeroed)
{
    const size_t needed = swg__block_bytes(settled);
    if (bytes < needed || (uintptr_t)memory % LINE != 0) {
        return SWG_EINVAL;
    }
    if (!zeroed) {
        memset(memory, 0, needed);
    }
    swg_header *header = memory;
    header->signature = signature();
    header->bytes = needed;
    header->circuits = settled->circuits;
    header->processes = settled->processes;
    header->journal = settled->journal;
    header->access = settled->access;
    header->formatted_ms = wall_ms();
    /* release: pairs with the load in swg__block_map */
    swg__store_release_u64(&header->magic, SWG__MAGIC);
    return SWG_OK;
}

static bool counts_ok(const swg_header *header)
{
    return in_range(header->circuits, 1, 1000000) &&
           in_range(header->processes, 2, SWG__PROCESSES_MAX + 1) &&
           in_range(header->journal, 16, 1 << 20) && (header->journal & (header->journal - 1)) == 0;
}

int swg__block_map(swg__block *block, void *memory, size_t bytes)
{
    swg_header *header = memory;
    if (bytes < sizeof(*header) || swg__load_acquire_u64(&header->magic) != SWG__MAGIC) {
        return SWG_EMAGIC;
    }
    if (header->signature != signature()) {
        return SWG_ELAYOUT;
    }
    /* Copies: a hostile writer may change them after they were checked. */
    const swg_header counts = {.circuits = header->circuits,
                               .processes = header->processes,
                               .journal = header->journal,
                               .bytes = header->bytes};
    if (!counts_ok(&counts)) {
        return SWG_EMAGIC;
    }
    const places p = places_of(counts.circuits, counts.processes, counts.journal);
    if (p.end != counts.bytes || p.end > bytes) {
        return SWG_EMAGIC;
    }
    char *base = memory;
    *block = (swg__block){
        .header = header,
        .processes = (swg_process *)(base + p.processes),
        .directory = (swg_au32 *)(base + p.directory),
        .journal = (swg_entry *)(base + p.journal),
        .cells = (swg_cell *)(base + p.cells),
        .windows = (swg_window *)(base + p.windows),
        .stripes = (swg_stripe *)(base + p.stripes),
        .holdings = (swg_au64 *)(base + p.holdings),
        .circuit_count = counts.circuits,
        .process_count = counts.processes,
        .journal_count = counts.journal,
        .directory_count = directory_count(counts.circuits),
    };
    return SWG_OK;
}
