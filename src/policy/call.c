/* The blocking convenience: acquire, work, release, and again. */
#include "policy/call.h"

#include <errno.h>
#include <time.h>

#include "core/backoff.h"
#include "core/layout.h"

#define POLL_NS INT64_C(50000)
#define POLL_MAX_NS INT64_C(2000000)

static bool waits(swg_verdict verdict)
{
    return verdict == SWG_REJECTED_RATE || verdict == SWG_REJECTED_BULKHEAD;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Acquires; if rate or bulkhead say no, asks again until `until_ns`. For rate that is when it was
 * told to. For a slot nobody tells: half to all of a time that doubles, so that those who wait do
 * not ask together. */
static swg_verdict acquire(swg_circuit *circuit, swg_permit *permit, int64_t until_ns,
                           uint64_t seed, const swg__time *time, int64_t *now_ns)
{
    int64_t poll = POLL_NS;
    for (uint64_t turn = 0;; turn++) {
        const swg_verdict verdict = swg_acquire(circuit, permit, *now_ns);
        if (!waits(verdict) || *now_ns >= until_ns) {
            return verdict;
        }
        int64_t wait = permit->retry_ns - *now_ns;
        if (verdict == SWG_REJECTED_BULKHEAD) {
            wait = poll / 2 + (int64_t)(swg__mix(seed, turn) % (uint64_t)(poll / 2));
            poll = earlier(poll * 2, POLL_MAX_NS);
        } else if (wait > until_ns - *now_ns) {
            return verdict; /* its turn comes too late */
        }
        time->sleep(time->arg, earlier(wait, until_ns - *now_ns));
        *now_ns = time->now_ns(time->arg);
    }
}

swg_verdict swg__call(swg_circuit *circuit, const swg_retry_config *config, swg_work work,
                      void *arg, swg_call_report *report, const swg__time *time)
{
    int64_t now = time->now_ns(time->arg);
    const uint64_t seed = swg__mix((uint64_t)now, (uint64_t)(uintptr_t)&now);
    swg_outcome last = SWG_CANCELLED;
    int64_t wait_ns = 0;
    swg_permit permit;
    swg_retry retry;
    swg_retry_begin(&retry, config, seed, now);
    if (config == NULL) {
        retry.attempts_max = 1;
    }
    do {
        if (wait_ns > 0) {
            time->sleep(time->arg, wait_ns);
            now = time->now_ns(time->arg);
        }
        const int64_t until =
            earlier(now + (int64_t)retry.wait_ms * SWG__NS_PER_MS, retry.deadline_ns);
        if (acquire(circuit, &permit, until, seed, time, &now) == SWG_PERMITTED) {
            swg_attempt attempt = {.number = retry.attempts + 1, .deadline_ns = retry.deadline_ns};
            last = work(arg, &attempt);
            now = time->now_ns(time->arg);
            swg_release(circuit, &permit, last, now);
            swg_retry_after(&retry, attempt.after_ns);
            retry.final = attempt.final != 0;
        }
    } while (swg_retry_again(&retry, circuit, &permit, last, now, &wait_ns));
    *report = (swg_call_report){.outcome = last,
                                .end = (swg_retry_end)retry.end,
                                .attempts = retry.attempts,
                                .retry_ns = permit.retry_ns};
    return (swg_verdict)permit.verdict;
}

static int64_t real_now(void *arg)
{
    (void)arg;
    return swg_clock_ns();
}

static void real_sleep(void *arg, int64_t ns)
{
    (void)arg;
    struct timespec left = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
}

swg_verdict swg_call_reported(swg_circuit *circuit, const swg_retry_config *retry, swg_work work,
                              void *arg, swg_call_report *report)
{
    const swg__time time = {real_now, real_sleep, NULL};
    return swg__call(circuit, retry, work, arg, report, &time);
}

swg_verdict swg_call(swg_circuit *circuit, const swg_retry_config *retry, swg_work work, void *arg,
                     swg_outcome *outcome)
{
    swg_call_report report;
    const swg_verdict verdict = swg_call_reported(circuit, retry, work, arg, &report);
    if (outcome != NULL) {
        *outcome = report.outcome;
    }
    return verdict;
}
