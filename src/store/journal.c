#include "store/journal.h"

#include <string.h>

#include "core/backoff.h"
#include "store/process.h"

enum { WRITING = 1, DONE = 2, LEFT = 3 };

#define WORDS (sizeof(swg_event) / 8)

static uint64_t claim_make(uint64_t sequence, uint16_t owner, unsigned state)
{
    return (sequence + 1) << 16 | (uint64_t)owner << 4 | state;
}

static swg_entry *entry_at(const swg__block *block, uint64_t sequence)
{
    return &block->journal[sequence & (block->journal_count - 1)];
}

static uint64_t checksum(const uint64_t *words)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < WORDS; i++) {
        sum = swg__mix(sum ^ words[i], i);
    }
    return sum;
}

/* Claims the entry at the head; the compare-and-swap that moves the head may be anybody's. */
static uint64_t claim(const swg__block *block, uint16_t owner)
{
    for (;;) {
        uint64_t head = swg__load_seq_u64(&block->header->journal_head);
        swg_entry *entry = entry_at(block, head);
        uint64_t old = swg__load_seq_u64(&entry->claim);
        const bool taken = old >> 16 == ((head + 1) & SWG__COUNT_MASK);
        const bool mine = !taken && swg__load_seq_u64(&block->header->journal_head) == head &&
                          swg__cas_seq_u64(&entry->claim, &old, claim_make(head, owner, WRITING));
        uint64_t expected = head;
        if (taken || mine) {
            swg__cas_seq_u64(&block->header->journal_head, &expected, head + 1);
        }
        if (mine) {
            return head;
        }
    }
}

void swg__journal_write(const swg__block *block, uint16_t owner, swg_event *event)
{
    uint64_t words[WORDS];
    event->sequence = claim(block, owner);
    memcpy(words, event, sizeof(words));
    swg_entry *entry = entry_at(block, event->sequence);
    for (size_t i = 0; i < WORDS; i++) {
        swg__store_relaxed_u64(&entry->body[i], words[i]);
    }
    swg__store_relaxed_u64(&entry->check, checksum(words));
    /* pairs with the loads of claim in read_entry */
    uint64_t writing = claim_make(event->sequence, owner, WRITING);
    swg__cas_seq_u64(&entry->claim, &writing, claim_make(event->sequence, owner, DONE));
}

void swg__journal_reap(const swg__block *block, uint16_t owner, uint64_t dead_id)
{
    for (uint32_t i = 0; i < block->journal_count; i++) {
        swg_au64 *place = &block->journal[i].claim;
        uint64_t claim = swg__load_seq_u64(place);
        if ((claim & 0xffff) == ((uint64_t)owner << 4 | WRITING) &&
            swg__load_seq_u64(&block->processes[owner].id) == dead_id) {
            swg__cas_seq_u64(place, &claim, (claim & ~UINT64_C(15)) | LEFT);
        }
    }
}

typedef enum found { FOUND, GONE, NOT_YET } found;

static found read_entry(const swg__block *block, uint64_t sequence, swg_event *event)
{
    swg_entry *entry = entry_at(block, sequence);
    uint64_t words[WORDS];
    const uint64_t before = swg__load_seq_u64(&entry->claim);
    if (before >> 16 != ((sequence + 1) & SWG__COUNT_MASK)) {
        return GONE;
    }
    if ((before & 15) == LEFT) {
        return GONE;
    }
    if ((before & 15) != DONE) {
        return swg__process_alive(block, before >> 4 & 0xfff) ? NOT_YET : GONE;
    }
    for (size_t i = 0; i < WORDS; i++) {
        words[i] = swg__load_acquire_u64(&entry->body[i]);
    }
    const uint64_t check = swg__load_acquire_u64(&entry->check);
    if (swg__load_seq_u64(&entry->claim) != before || check != checksum(words)) {
        return GONE;
    }
    memcpy(event, words, sizeof(words));
    event->name[SWG_NAME_MAX] = '\0';
    return event->sequence == sequence ? FOUND : GONE;
}

size_t swg__journal_read(const swg__block *block, uint64_t *cursor, swg_event *events, size_t count)
{
    const uint64_t head = swg__load_seq_u64(&block->header->journal_head);
    const uint64_t oldest = head > block->journal_count ? head - block->journal_count : 0;
    size_t read = 0;
    if (*cursor < oldest || *cursor > head) {
        *cursor = oldest;
    }
    while (read < count && *cursor < head) {
        const found result = read_entry(block, *cursor, &events[read]);
        if (result == NOT_YET) {
            break;
        }
        read += result == FOUND;
        ++*cursor;
    }
    return read;
}
