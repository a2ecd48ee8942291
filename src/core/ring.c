#include "core/view.h"

static unsigned bits_set(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(x * UINT64_C(0x0101010101010101) >> 56);
}

static uint32_t head_position(uint64_t head, uint32_t serial)
{
    return head >> 32 == serial ? (uint32_t)(head & (SWG__HEAD_CLEAN - 1)) : 0;
}

void swg__ring_sum(const swg__view *v, swg__evidence *sum, bool mark)
{
    swg_window *w = v->parts->window;
    const uint32_t size = swg__window_calls(v->window);
    uint64_t head = swg__load_seq_u64(&w->head);
    const uint32_t position = head_position(head, v->serial);

    *sum = (swg__evidence){.calls = position < size ? position : size};
    for (uint32_t i = 0; i * SWG__RING_PER_WORD < size; i++) {
        const uint64_t word = swg__load_seq_u64(&w->ring[i]);
        if (word >> 48 == (v->serial & 0xffff)) {
            sum->failures += bits_set(word & UINT64_C(0x555555555555));
            sum->slow += bits_set(word & UINT64_C(0xaaaaaaaaaaaa));
        }
    }
    if (mark && sum->calls == size && sum->failures + sum->slow == 0) {
        swg__cas_seq_u64(&w->head, &head, head | SWG__HEAD_CLEAN);
    }
}

static bool ring_write(const swg__view *v, uint32_t position, unsigned bits)
{
    const uint32_t place = position % swg__window_calls(v->window);
    swg_au64 *ring = &v->parts->window->ring[place / SWG__RING_PER_WORD];
    const unsigned shift = place % SWG__RING_PER_WORD * 2;
    const uint64_t tag = (uint64_t)(v->serial & 0xffff) << 48;
    uint64_t word = swg__load_seq_u64(ring);
    for (;;) {
        const uint64_t kept =
            (word & ~SWG__COUNT_MASK) == tag ? word & ~(UINT64_C(3) << shift) : tag;
        if (!swg__view_current(v)) {
            return false;
        }
        if (swg__cas_seq_u64(ring, &word, kept | (uint64_t)bits << shift)) {
            return true;
        }
    }
}

bool swg__ring_count(const swg__view *v, bool failed, bool slow, uint64_t *own)
{
    swg_window *w = v->parts->window;
    const uint32_t size = swg__window_calls(v->window);
    uint64_t head = swg__load_seq_u64(&w->head);
    uint32_t position;
    do {
        if (!swg__view_current(v)) {
            return false;
        }
        position = head_position(head, v->serial);
    } while (!swg__cas_seq_u64(&w->head, &head,
                               (uint64_t)v->serial << 32 |
                                   (position + 1 < 2 * size ? position + 1 : size)));
    /* A failure judges all there is when its bits are in: until then nobody else knew of it. */
    *own = failed || slow ? SWG__ALL : position + 1;
    if (!ring_write(v, position, (failed ? 1u : 0u) | (slow ? 2u : 0u))) {
        return false;
    }
    /* Somebody may have found the ring clean between our claim and our bits. */
    head = swg__load_seq_u64(&w->head);
    while ((failed || slow) && head >> 32 == v->serial && (head & SWG__HEAD_CLEAN) != 0 &&
           !swg__cas_seq_u64(&w->head, &head, head & ~SWG__HEAD_CLEAN)) {
    }
    return true;
}
