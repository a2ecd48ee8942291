/* Machines of one word under every interleaving of three threads, all preemptions: what each keeps,
 * at every instant. */
#include <stdio.h>

#include "core/budget.h"
#include "core/bulkhead.h"
#include "core/limiter.h"
#include "explore.h"

enum { THREADS = 3, GENERATION = 7 };

typedef struct machine {
    const char *name;
    void (*body)(void *state, int thread);
    bool (*check)(void *state);
    int preemptions;
} machine;

static swg_au64 word;
static swg_ai64 tat;
static int held, held_most, taken;

static void reset(void *state)
{
    (void)state;
    word = (swg_au64){0};
    tat = (swg_ai64){0};
    held = held_most = taken = 0;
}

/* A bulkhead of two on the heap: each takes, and gives back what it got, twice. */
static void bulkhead_body(void *state, int thread)
{
    (void)state;
    (void)thread;
    for (int i = 0; i < 2; i++) {
        uint32_t count;
        if (!swg__bulkhead_take_alone(&word, GENERATION, 2, &count)) {
            continue;
        }
        held++;
        held_most = held > held_most ? held : held_most;
        swg__yield(); /* the call */
        held--;
        swg__bulkhead_give_alone(&word, GENERATION);
    }
}

static bool bulkhead_check(void *state)
{
    (void)state;
    return held_most <= 2 && held_most > 0 && swg__bulkhead_count(&word) == 0;
}

/* A slot kept: of three, two get one. */
static void keep_body(void *state, int thread)
{
    uint32_t count;
    (void)state;
    (void)thread;
    taken += swg__bulkhead_take_alone(&word, GENERATION, 2, &count);
}

static bool keep_check(void *state)
{
    (void)state;
    return taken == 2 && swg__bulkhead_count(&word) == 2;
}

/* A floor of two, full when two attempts ended, so that they add nothing: two retries, whoever asks
 * how often. */
static void budget_body(void *state, int thread)
{
    (void)state;
    (void)thread;
    for (int i = 0; i < 2; i++) {
        taken += swg__budget_take(&word, 50, 2, 2);
    }
}

static bool budget_check(void *state)
{
    (void)state;
    return taken == 2;
}

/* A rate with a burst of two, at one instant. */
static void rate_body(void *state, int thread)
{
    int64_t token;
    (void)state;
    (void)thread;
    if (swg__limiter_take(&tat, 10, 2, 1000000000, &token) == 0) {
        taken++;
        swg__limiter_give(&tat, 10, token); /* at most one comes free again for another */
        taken--;
        if (swg__limiter_take(&tat, 10, 2, 1000000000, &token) == 0) {
            taken++;
        }
    }
}

static bool rate_check(void *state)
{
    (void)state;
    return taken <= 2;
}

static const machine machines[] = {
    {"a bulkhead of two on the heap, taken and given", bulkhead_body, bulkhead_check, 3},
    {"a bulkhead of two on the heap, kept", keep_body, keep_check, 8},
    {"a retry budget", budget_body, budget_check, 4},
    {"a rate limit, with tokens given back", rate_body, rate_check, 4},
};

int main(void)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        const machine *m = &machines[i];
        exploration e = {.threads = THREADS,
                         .preemptions = m->preemptions,
                         .reset = reset,
                         .body = m->body,
                         .check = m->check,
                         .schedules_max = 2000000};
        const bool fine = explore(&e);
        printf("%-50s %8llu schedules of up to %llu steps, %d preemptions%s: %s\n", m->name,
               (unsigned long long)e.schedules, (unsigned long long)e.longest, m->preemptions,
               e.complete ? "" : ", not all", fine ? "ok" : e.failing);
        failed += !fine;
    }
    return failed != 0;
}
