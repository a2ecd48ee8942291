/* Writes the seeds of the block target into a folder: small valid blocks in several states. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>

#define MS INT64_C(1000000)

static void call(swg_circuit *c, int n, swg_outcome outcome, int64_t ms)
{
    for (int i = 0; i < n; i++) {
        swg_permit p;
        swg_acquire(c, &p, ms * MS);
        swg_release(c, &p, outcome, ms * MS);
    }
}

static void closed(swg_circuit *c)
{
    call(c, 30, SWG_SUCCESS, 1000);
    call(c, 3, SWG_FAILURE, 2000);
}

static void opened(swg_circuit *c)
{
    call(c, 30, SWG_FAILURE, 1000);
}

static void probing(swg_circuit *c)
{
    swg_permit p;
    call(c, 30, SWG_FAILURE, 1000);
    swg_acquire(c, &p, 60000 * MS);
}

static int write_seed(const char *folder, const char *name, const swg_circuit_config *config,
                      void (*play)(swg_circuit *))
{
    const swg_panel_config small = {
        .size = sizeof(small), .circuits = 2, .processes = 3, .journal = 16};
    const size_t bytes = swg_panel_bytes(&small);
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    swg_panel *panel;
    swg_circuit *circuit;
    char path[512];
    swg_panel_format(memory, bytes, &small);
    swg_panel_attach(&panel, memory, bytes);
    swg_circuit_open(&circuit, panel, "payments", config);
    play(circuit);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    fputc(7, file);
    fwrite(memory, 1, bytes, file);
    fclose(file);
    swg_panel_close(&panel);
    free(memory);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
        return 2;
    }
    return write_seed(argv[1], "closed", NULL, closed) |
           write_seed(argv[1], "ring", SWG_CIRCUIT(.window_calls = 50), closed) |
           write_seed(argv[1], "open", NULL, opened) |
           write_seed(argv[1], "probing", SWG_CIRCUIT(.recovery_ms = 1000), probing) |
           write_seed(argv[1], "limits",
                      SWG_CIRCUIT(.inflight_max = 3, .rate_per_s = 10, .failure_threshold = 4,
                                  .ramp_ms = 100, .stall_ms = 50),
                      probing);
}
