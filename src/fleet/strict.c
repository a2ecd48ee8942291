/* Callers that wait for the fleet, and the runner that asks it for them.
 *
 * Keeps: nobody waits longer than the budget; a question is on the list only while its caller is
 * in here, for it lives on the caller's stack. The lock is held for a few instructions by either
 * side, never across a call that waits. A forked child does not touch it: whoever held it at the
 * fork is not there. */
#include "strict.h"

#include "client.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <switchgear/circuit.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { NEW, ASKED, ANSWERED, FAILED };

struct question {
    struct question *next;
    const char *circuit;
    bool wish; /* for a permit */
    uint64_t ticket;
    int state;
};

struct swg_strict {
    _Atomic pid_t process; /* whose lock and runner these are */
    pthread_mutex_t lock;  /* guards all below */
    pthread_cond_t changed;
    struct question *first;
    swg_strict_counts counts;
    bool runs;
    int bell;
    int64_t budget_ns;
};

static int equip(swg_strict *s)
{
    pthread_condattr_t monotonic;

    s->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->bell < 0)
        return SWG_ESYS;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return SWG_OK;
}

int swg_strict_open(swg_strict **strict, uint32_t budget_us)
{
    uint32_t us = budget_us ? budget_us : 5000;
    swg_strict *s;

    if (!strict || us < 100 || us > 1000000)
        return SWG_EINVAL;
    *strict = NULL;
    s = calloc(1, sizeof *s);
    if (!s)
        return SWG_ENOMEM;
    s->budget_ns = us * INT64_C(1000);
    s->process = getpid();
    int error = equip(s);
    if (error != SWG_OK)
        free(s);
    else
        *strict = s;
    return error;
}

void swg_strict_close(swg_strict **strict)
{
    swg_strict *s = strict ? *strict : NULL;

    if (!s)
        return;
    *strict = NULL;
    close(s->bell);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- who waits ---- */

static void enlist(swg_strict *s, struct question *q)
{
    q->next = s->first;
    s->first = q;
}

static void strike(swg_strict *s, const struct question *q)
{
    struct question **at = &s->first;

    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
}

static void wait_for(swg_strict *s, const struct question *q)
{
    const int64_t until = swg_clock_ns() + s->budget_ns;
    const struct timespec at = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};

    while (q->state < ANSWERED && pthread_cond_timedwait(&s->changed, &s->lock, &at) != ETIMEDOUT)
        ;
}

static void ask(swg_strict *s, const swg_circuit *circuit, bool wish)
{
    struct question q = {.circuit = swg_circuit_name(circuit), .wish = wish};

    if (s->process != getpid())
        return;
    pthread_mutex_lock(&s->lock);
    s->counts.asked++;
    if (s->runs) {
        enlist(s, &q);
        eventfd_write(s->bell, 1);
        wait_for(s, &q);
        strike(s, &q);
    }
    s->counts.answered += q.state == ANSWERED;
    s->counts.failed += q.state == FAILED || !s->runs;
    s->counts.late += q.state < ANSWERED && s->runs;
    pthread_mutex_unlock(&s->lock);
}

swg_verdict swg_strict_acquire(swg_strict *strict, swg_circuit *circuit, swg_permit *permit)
{
    ask(strict, circuit, true);
    return swg_acquire(circuit, permit, swg_clock_ns());
}

void swg_strict_release(swg_strict *strict, swg_circuit *circuit, swg_permit *permit,
                        swg_outcome outcome)
{
    const bool held = permit->held != 0;

    swg_release(circuit, permit, outcome, swg_clock_ns());
    if (held)
        ask(strict, circuit, false);
}

int swg_strict_read(swg_strict *strict, swg_strict_counts *counts)
{
    if (!strict || !counts)
        return SWG_EINVAL;
    *counts = (swg_strict_counts){0};
    if (strict->process != getpid())
        return SWG_OK;
    pthread_mutex_lock(&strict->lock);
    *counts = strict->counts;
    pthread_mutex_unlock(&strict->lock);
    return SWG_OK;
}

/* ---- who asks ---- */

int swg__strict_fd(const swg_strict *strict)
{
    return strict->bell;
}

bool swg__strict_attach(swg_strict *strict, bool runs)
{
    if (strict->process != getpid())
        return false;
    pthread_mutex_lock(&strict->lock);
    strict->runs = runs;
    for (struct question *q = strict->first; q && !runs; q = q->next)
        q->state = FAILED;
    pthread_cond_broadcast(&strict->changed);
    pthread_mutex_unlock(&strict->lock);
    return true;
}

static bool settle(swg_fleet *fleet, struct question *q, int64_t now)
{
    int answer;

    if (q->state == NEW) {
        q->ticket = q->wish ? swg_fleet_ask(fleet, q->circuit, now)
                            : swg__client_tell(fleet, q->circuit, now);
        q->state = q->ticket == 0 ? FAILED : ASKED;
    }
    if (q->state != ASKED)
        return false;
    answer = swg_fleet_answered(fleet, q->circuit, q->ticket);
    if (answer != 0)
        q->state = answer > 0 ? ANSWERED : FAILED;
    return answer != 0;
}

void swg__strict_turn(swg_strict *strict, swg_fleet *fleet, int64_t now)
{
    eventfd_t rung;
    bool news = false;

    eventfd_read(strict->bell, &rung);
    pthread_mutex_lock(&strict->lock);
    for (struct question *q = strict->first; q; q = q->next)
        news |= q->state < ANSWERED && (settle(fleet, q, now) || q->state == FAILED);
    if (news)
        pthread_cond_broadcast(&strict->changed);
    pthread_mutex_unlock(&strict->lock);
}
