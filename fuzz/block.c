/* Blocks nobody should have written: attached, read, and used for calls. Never a crash, never a
 * read past the end, never a hang.
 *
 * Input: one byte of choices, then the block. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CIRCUITS_MAX 8
#define MS INT64_C(1000000)

static void use(swg_circuit *circuit, unsigned choices)
{
    swg_permit permits[6];
    int64_t now = (int64_t)(choices + 1) * 1000 * MS;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 6; i++) {
            swg_acquire(circuit, &permits[i], now);
        }
        for (int i = 0; i < 6; i++) {
            swg_release(circuit, &permits[i], (swg_outcome)((choices + (unsigned)i) % 5), now + MS);
        }
        now += (int64_t)1 << (20 + choices % 24);
    }
    if (choices & 1) {
        swg_circuit_override(circuit, SWG_DRY_RUN, now + MS, "fuzz");
        swg_acquire(circuit, &permits[0], now);
        swg_release(circuit, &permits[0], SWG_FAILURE, now);
    }
    if (choices & 2) {
        swg_circuit_configure(circuit, SWG_CIRCUIT(.window_calls = 7));
        swg_acquire(circuit, &permits[0], now);
        swg_release(circuit, &permits[0], SWG_SUCCESS, now);
    }
    if (choices & 4) {
        swg_circuit_reset(circuit, now);
    }
}

static void explore(swg_panel *panel, unsigned choices)
{
    swg_event events[4];
    swg_snapshot snapshot;
    swg_circuit *circuit = NULL;
    uint64_t cursor = choices & 8 ? UINT64_MAX : 0;
    int count = 0;
    while ((circuit = swg_circuit_next(panel, circuit)) != NULL && count++ < CIRCUITS_MAX) {
        swg_circuit_read(circuit, (int64_t)choices * MS, &snapshot);
        (void)strlen(swg_circuit_name(circuit));
        use(circuit, choices);
        swg_circuit_read(circuit, INT64_MAX, &snapshot);
    }
    for (int i = 0; i < 1000 && swg_journal_read(panel, &cursor, events, 4) > 0; i++) {
    }
    if (swg_circuit_open(&circuit, panel, "payments", NULL) >= 0) {
        use(circuit, choices);
    }
    if (swg_circuit_open(&circuit, panel, "new", SWG_CIRCUIT(.inflight_max = 2)) >= 0) {
        use(circuit, choices);
    }
    swg_panel_reap(panel, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    swg_panel *panel;
    if (size < 1) {
        return 0;
    }
    const size_t bytes = size - 1;
    char *memory = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    /* against the end of the allocation, so that a byte too far is one too far for the sanitizer */
    char *block = memory + ((bytes + 63) / 64 * 64 == bytes ? 64 : 0);
    memcpy(block, data + 1, bytes);
    if (swg_panel_attach(&panel, block, bytes) == SWG_OK) {
        explore(panel, data[0]);
        swg_panel_close(&panel);
    }
    free(memory);
    return 0;
}
