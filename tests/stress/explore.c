#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK (256 * 1024)
#define STEPS_MAX 20000

typedef struct choice {
    uint8_t taken;
    uint8_t options;
    bool preempts; /* another than the first would be a preemption */
} choice;

static struct {
    exploration *e;
    ucontext_t scheduler;
    ucontext_t thread[EXPLORE_THREADS_MAX];
    char *stack[EXPLORE_THREADS_MAX];
    bool done[EXPLORE_THREADS_MAX];
    int running; /* -1: the scheduler */
    choice choices[STEPS_MAX];
    int depth; /* of choices kept from the schedule before */
} x = {.running = -1};

void swg__yield(void);
void swg__yield(void)
{
    if (x.running >= 0) {
        const int me = x.running;
        x.running = -1;
        swapcontext(&x.thread[me], &x.scheduler);
    }
}

int explore_current(void)
{
    return x.running < 0 ? 0 : x.running;
}

static void enter(int thread)
{
    x.e->body(x.e->state, thread);
    x.done[thread] = true;
    x.running = -1;
    swapcontext(&x.thread[thread], &x.scheduler);
}

static void begin(void)
{
    for (int i = 0; i < x.e->threads; i++) {
        x.done[i] = false;
        getcontext(&x.thread[i]);
        if (x.stack[i] == NULL) {
            x.stack[i] = malloc(STACK);
        }
        x.thread[i].uc_stack.ss_sp = x.stack[i];
        x.thread[i].uc_stack.ss_size = STACK;
        x.thread[i].uc_link = &x.scheduler;
        makecontext(&x.thread[i], (void (*)(void))(void *)enter, 1, i);
    }
}

/* Who could run: the one that ran last first, so that choice 0 never preempts. */
static int options(int last, int list[EXPLORE_THREADS_MAX])
{
    int count = 0;
    if (last >= 0 && !x.done[last]) {
        list[count++] = last;
    }
    for (int i = 0; i < x.e->threads; i++) {
        if (i != last && !x.done[i]) {
            list[count++] = i;
        }
    }
    return count;
}

/* Runs one schedule: the kept choices, then always the first. Returns its steps; -1: too long. */
static int run_schedule(void)
{
    int list[EXPLORE_THREADS_MAX];
    int last = -1;
    int step = 0;
    int count;
    x.e->reset(x.e->state);
    begin();
    while ((count = options(last, list)) > 0) {
        if (step == STEPS_MAX) {
            return -1;
        }
        choice *c = &x.choices[step];
        if (step >= x.depth) {
            *c = (choice){.options = (uint8_t)count, .preempts = last >= 0 && !x.done[last]};
        }
        last = list[c->taken];
        x.running = last;
        swapcontext(&x.scheduler, &x.thread[last]);
        step++;
    }
    return step;
}

/* Moves to the next schedule within the bound; false: that was the last. */
static bool next_schedule(int steps)
{
    int preemptions = 0;
    for (int i = 0; i < steps; i++) {
        preemptions += x.choices[i].preempts && x.choices[i].taken > 0;
    }
    for (int i = steps - 1; i >= 0; i--) {
        choice *c = &x.choices[i];
        preemptions -= c->preempts && c->taken > 0;
        const bool affordable = !c->preempts || preemptions < x.e->preemptions;
        if (c->taken + 1 < c->options && affordable) {
            c->taken++;
            x.depth = i + 1;
            return true;
        }
    }
    return false;
}

static void describe(int steps)
{
    char *out = x.e->failing;
    size_t left = sizeof(x.e->failing);
    for (int i = 0; i < steps && left > 16; i++) {
        if (x.choices[i].taken > 0) {
            const int n = snprintf(out, left, "%d:%d ", i, x.choices[i].taken);
            out += n;
            left -= (size_t)n;
        }
    }
}

bool explore(exploration *e)
{
    x.e = e;
    x.depth = 0;
    e->schedules = 0;
    e->longest = 0;
    e->complete = false;
    do {
        const int steps = run_schedule();
        e->schedules++;
        e->longest = steps > (int)e->longest ? (uint64_t)steps : e->longest;
        if (steps < 0 || !e->check(e->state)) {
            describe(steps < 0 ? STEPS_MAX : steps);
            return false;
        }
        e->complete = !next_schedule(steps);
    } while (!e->complete && (e->schedules_max == 0 || e->schedules < e->schedules_max));
    return true;
}
