#include "core/bulkhead.h"

enum { NOTHING, TAKE, GIVE, CLEAR };

#define SEQ_MASK ((UINT64_C(1) << 30) - 1)

static uint32_t word_count(uint64_t word)
{
    return (uint32_t)(word >> 44);
}

static uint64_t word_make(uint32_t count, uint16_t owner, unsigned op, uint64_t seq)
{
    return (uint64_t)count << 44 | (uint64_t)owner << 32 | (uint64_t)op << 30 | (seq & SEQ_MASK);
}

static uint64_t row_after(uint64_t row, unsigned op)
{
    uint64_t count = row >> 30;
    count = op == TAKE ? count + 1 : op == GIVE ? count - 1 : 0;
    return count << 30 | ((row + 1) & SEQ_MASK);
}

/* Does the row's half of the word's last operation, unless it has been done. */
static void finish(swg__holdings holdings, uint64_t word)
{
    const unsigned op = word >> 30 & 3;
    const uint32_t owner = word >> 32 & 0xfff;
    if (op == NOTHING || owner >= holdings.processes) {
        return;
    }
    swg_au64 *place = &holdings.rows[owner * holdings.stride];
    uint64_t row = swg__load_seq_u64(place);
    if (((row + 1) & SEQ_MASK) == (word & SEQ_MASK)) {
        swg__cas_seq_u64(place, &row, row_after(row, op));
    }
}

/* The owner's row as the word's last operation left it. It is stable as long as the word is: rows
 * change only through operations on the word, and no two operations of a row share a number. */
static uint64_t settled_row(swg__holdings holdings, uint64_t word, uint16_t owner)
{
    finish(holdings, word);
    return swg__load_seq_u64(&holdings.rows[owner * holdings.stride]);
}

uint32_t swg__bulkhead_count(const swg_au64 *word)
{
    return word_count(swg__load_seq_u64(word));
}

bool swg__bulkhead_take(swg_au64 *word, swg__holdings holdings, uint16_t owner, uint32_t limit,
                        uint32_t *count)
{
    uint64_t old = swg__load_seq_u64(word);
    for (;;) {
        *count = word_count(old);
        if (*count >= limit || *count >= SWG__BULKHEAD_MAX) {
            return false;
        }
        const uint64_t row = settled_row(holdings, old, owner);
        const uint64_t next = word_make(*count + 1, owner, TAKE, row + 1);
        if (swg__cas_seq_u64(word, &old, next)) {
            finish(holdings, next);
            return true;
        }
    }
}

bool swg__bulkhead_give(swg_au64 *word, swg__holdings holdings, uint16_t owner)
{
    uint64_t old = swg__load_seq_u64(word);
    for (;;) {
        const uint64_t row = settled_row(holdings, old, owner);
        const bool current = swg__load_seq_u64(word) == old;
        if (current && (row >> 30 == 0 || word_count(old) == 0)) {
            return false;
        }
        const uint64_t next = word_make(word_count(old) - 1, owner, GIVE, row + 1);
        if (swg__cas_seq_u64(word, &old, next)) {
            finish(holdings, next);
            return true;
        }
    }
}

uint32_t swg__bulkhead_reap(swg_au64 *word, swg__holdings holdings, uint16_t owner,
                            const swg_au64 *id, uint64_t dead_id)
{
    uint64_t old = swg__load_seq_u64(word);
    for (;;) {
        const uint64_t row = settled_row(holdings, old, owner);
        const uint32_t held = (uint32_t)(row >> 30);
        const uint32_t count = word_count(old);
        const bool current = swg__load_seq_u64(word) == old;
        if ((current && held == 0) || swg__load_seq_u64(id) != dead_id) {
            return 0;
        }
        const uint64_t next = word_make(count > held ? count - held : 0, owner, CLEAR, row + 1);
        if (swg__cas_seq_u64(word, &old, next)) {
            finish(holdings, next);
            return held;
        }
    }
}
