/* The claim on a panel. Three handles that all want to follow an owner who has died, who is about
 * to give it back, or who has fallen silent and comes again: under every interleaving one of them
 * has it in the end, and nobody else believes to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/gate.h>
#include <switchgear/switchgear.h>
#include <sys/wait.h>
#include <unistd.h>

#include "explore.h"

#define MS INT64_C(1000000)
#define NOW (INT64_C(1000000) * MS)
#define LATER (NOW + (SWG_GATE_CLAIM_MS + 1) * MS)

typedef struct scene {
    const char *name;
    bool owner_lives; /* handle 0 has it, and is silent till LATER */
    bool gives;       /* and gives it back, else keeps it */
    int preemptions;
} scene;

static struct {
    const scene *s;
    void *memory, *image;
    size_t bytes;
    swg_panel *panel[EXPLORE_THREADS_MAX];
    uint64_t first, claim[EXPLORE_THREADS_MAX];
} w;

static void restore(void *state)
{
    (void)state;
    memcpy(w.memory, w.image, w.bytes);
    memset(w.claim, 0, sizeof(w.claim));
}

static void body(void *state, int thread)
{
    (void)state;
    if (thread > 0 || !w.s->owner_lives) {
        swg_gate_claim(w.panel[thread], LATER, &w.claim[thread]);
    } else if (w.s->gives) {
        swg_gate_release(w.panel[0], w.first);
    } else if (swg_gate_keep(w.panel[0], w.first, LATER) == SWG_OK) {
        w.claim[0] = w.first; /* for now: it may be lost the moment after */
    }
}

static bool check(void *state)
{
    int believe = 0, have = 0;
    (void)state;
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++) {
        believe += w.claim[i] != 0 && (i > 0 || !w.s->owner_lives);
        have += w.claim[i] != 0 && swg_gate_keep(w.panel[i], w.claim[i], LATER) == SWG_OK;
    }
    return have <= 1 && believe <= 1 && (have == 1 || w.s->gives) &&
           (have == 1) == (swg_gate_owner(w.panel[0], LATER, NULL) == getpid());
}

static void set_up(const scene *s)
{
    static const swg_panel_config small = {
        .size = sizeof(small), .circuits = 1, .processes = 8, .journal = 16};
    w.s = s;
    w.bytes = swg_panel_bytes(&small);
    w.memory = aligned_alloc(64, w.bytes);
    w.image = malloc(w.bytes);
    swg_panel_format(w.memory, w.bytes, &small);
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++) {
        swg_panel_attach(&w.panel[i], w.memory, w.bytes);
    }
    if (s->owner_lives) {
        swg_gate_claim(w.panel[0], NOW, &w.first);
    } else { /* one that has left its row: what reaping makes of the dead */
        swg_panel *gone;
        swg_panel_attach(&gone, w.memory, w.bytes);
        swg_gate_claim(gone, LATER, &w.first);
        swg_panel_close(&gone);
    }
    memcpy(w.image, w.memory, w.bytes);
}

static void tear_down(void)
{
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++) {
        swg_panel_close(&w.panel[i]);
    }
    free(w.memory);
    free(w.image);
}

int main(void)
{
    static const scene scenes[] = {
        {"three follow one who is gone", false, false, 3},
        {"two follow one who gives it back", true, true, 3},
        {"two follow one who comes again", true, false, 3},
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        exploration e = {.threads = EXPLORE_THREADS_MAX,
                         .preemptions = scenes[i].preemptions,
                         .reset = restore,
                         .body = body,
                         .check = check,
                         .schedules_max = 100000};
        set_up(&scenes[i]);
        const bool fine = explore(&e);
        printf("%-40s %8llu schedules of up to %llu steps, %d preemptions%s: %s\n", scenes[i].name,
               (unsigned long long)e.schedules, (unsigned long long)e.longest,
               scenes[i].preemptions, e.complete ? "" : ", not all", fine ? "ok" : e.failing);
        failed += !fine;
        tear_down();
    }
    return failed != 0;
}
