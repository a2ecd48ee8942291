#include "store/claim.h"

#include "store/process.h"

#define ROW_SHIFT 52
#define TURN_SHIFT 40
#define TURN_MASK ((UINT64_C(1) << (ROW_SHIFT - TURN_SHIFT)) - 1)
#define ID_MASK ((UINT64_C(1) << TURN_SHIFT) - 1)

static uint16_t row_of(uint64_t claim)
{
    return (uint16_t)(claim >> ROW_SHIFT);
}

static uint64_t id_of(const swg__block *block, uint16_t row)
{
    return swg__load_seq_u64(&block->processes[row].id) & ID_MASK;
}

/* Is there somebody at the other end? On the heap nobody but this process: what others hold there,
 * they hold in their copy. */
static bool holds(const swg_panel *panel, uint64_t claim, int64_t now_ns)
{
    const swg__block *block = &panel->block;
    const uint16_t row = row_of(claim);
    if (row == 0 || row >= block->process_count || id_of(block, row) != (claim & ID_MASK) ||
        now_ns - swg__load_seq_i64(&block->header->kept) > SWG__CLAIM_NS) {
        return false;
    }
    return panel->home == SWG__HOME_HEAP ? row == swg__load_acquire_u32(&panel->self->row)
                                         : swg__process_alive(block, row);
}

uint64_t swg__claim_take(swg_panel *panel, int64_t now_ns)
{
    swg_header *header = panel->block.header;
    const uint16_t row = swg__panel_owner(panel);
    uint64_t found = swg__load_seq_u64(&header->claim);
    if (holds(panel, found, now_ns)) {
        return 0;
    }
    /* Before the swap: whoever sees the new claim sees it kept. */
    swg__raise(&header->kept, now_ns);
    const uint64_t turn = ((found >> TURN_SHIFT) + 1) & TURN_MASK;
    const uint64_t mine =
        (uint64_t)row << ROW_SHIFT | turn << TURN_SHIFT | id_of(&panel->block, row);
    return swg__cas_seq_u64(&header->claim, &found, mine) ? mine : 0;
}

static bool is_ours(swg_panel *panel, uint64_t claim)
{
    return row_of(claim) != 0 && row_of(claim) == swg__panel_owner(panel) &&
           swg__load_seq_u64(&panel->block.header->claim) == claim;
}

bool swg__claim_keep(swg_panel *panel, uint64_t claim, int64_t now_ns)
{
    if (!is_ours(panel, claim)) {
        return false;
    }
    swg__raise(&panel->block.header->kept, now_ns);
    return true;
}

bool swg__claim_give(swg_panel *panel, uint64_t claim)
{
    /* the turn stays, so that no two claims are the same word */
    return is_ours(panel, claim) &&
           swg__cas_seq_u64(&panel->block.header->claim, &claim, claim & TURN_MASK << TURN_SHIFT);
}

int32_t swg__claim_owner(const swg_panel *panel, int64_t now_ns, int64_t *kept_ns)
{
    const swg__block *block = &panel->block;
    const uint64_t claim = swg__load_seq_u64(&block->header->claim);
    *kept_ns = swg__load_seq_i64(&block->header->kept);
    return holds(panel, claim, now_ns) ? swg__process_pid(block, row_of(claim)) : 0;
}
