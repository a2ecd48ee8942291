/* A worker in C: reads one command a line, answers with one line. See mixed_test.py. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>

typedef struct worker {
    swg_panel *panel;
    swg_circuit *circuit;
    swg_permit permit;
} worker;

static void open_panel(worker *w, const char *name)
{
    int result = swg_panel_open(&w->panel, name, NULL);
    if (result >= 0) {
        result = swg_circuit_open(&w->circuit, w->panel, "payments",
                                  SWG_CIRCUIT(.failure_threshold = 5, .recovery_ms = 5000,
                                              .recovery_jitter_pct = SWG_NONE, .probes = 3,
                                              .inflight_max = 8));
    }
    printf("%s\n", result == SWG_OK ? "same" : swg_error_text(result));
}

static void acquire(worker *w, int64_t now_ns)
{
    const swg_verdict verdict = swg_acquire(w->circuit, &w->permit, now_ns);
    const int64_t wait_ns = verdict == SWG_PERMITTED ? 0 : w->permit.retry_ns - now_ns;
    printf("%s %" PRId64 "\n", swg_verdict_name(verdict), wait_ns > 0 ? wait_ns / 1000000 : 0);
}

static void release(worker *w, const char *word, int64_t now_ns)
{
    for (int i = 0; i < SWG_OUTCOME_COUNT; i++) {
        if (strcmp(word, swg_outcome_name((swg_outcome)i)) == 0) {
            swg_release(w->circuit, &w->permit, (swg_outcome)i, now_ns);
            printf("ok\n");
            return;
        }
    }
    printf("no such outcome\n");
}

static void read_circuit(worker *w, int64_t now_ns)
{
    swg_snapshot s;
    swg_circuit_read(w->circuit, now_ns, &s);
    printf("%s %u %u\n", swg_state_name((swg_state)s.state), s.inflight, s.probes_out);
}

int main(void)
{
    worker w = {0};
    char line[256];
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char verb[16] = "", word[128] = "";
        sscanf(line, "%15s %127s", verb, word);
        const int64_t number = strtoll(word, NULL, 10);
        int64_t now_ns = 0;
        if (strcmp(verb, "open") == 0) {
            open_panel(&w, word);
        } else if (strcmp(verb, "acquire") == 0) {
            acquire(&w, number);
        } else if (strcmp(verb, "release") == 0 && sscanf(line, "%*s %*s %" SCNd64, &now_ns) == 1) {
            release(&w, word, now_ns);
        } else if (strcmp(verb, "read") == 0) {
            read_circuit(&w, number);
        } else {
            printf("%d\n", swg_panel_reap(w.panel, number));
        }
    }
    swg_panel_close(&w.panel);
    return 0;
}
