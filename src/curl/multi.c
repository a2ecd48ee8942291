/* Many calls on a multi handle. A transfer is one call: it waits (for its turn, its next attempt, a
 * slot), or runs one leg, or two when it hedges. Whatever it holds is in its legs' permits. */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"
#include "timers.h"

#define POLL_NS INT64_C(1000000) /* asking again for a slot */

typedef struct leg {
    CURL *easy; /* NULL: not running */
    swg_permit permit;
    swg_curl_body body;
} leg;

typedef struct transfer {
    swg__timer timer; /* first: a timer is its transfer */
    swg_circuit *circuit;
    swg_curl_config config;
    swg_curl_result result;
    swg_curl_done done;
    void *arg;
    CURL *easy;  /* the caller's */
    leg legs[2]; /* the caller's handle, and its copy */
    swg_retry retry;
    int64_t slot_until; /* waits for a slot so long; 0: does not */
    int64_t began_ns;   /* the attempt */
    struct transfer *next, *previous;
} transfer;

struct swg_curl {
    CURLM *multi;
    bool own;
    bool closing;
    swg__timers timers;
    transfer *all;
    size_t count;
};

/* ---- attempts ------------------------------------------------------------------------------ */

static bool running(const transfer *t)
{
    return t->legs[0].easy != NULL || t->legs[1].easy != NULL;
}

/* Takes the leg off the network; its handle lives on if it is the caller's. */
static void stop_leg(swg_curl *curl, transfer *t, leg *l)
{
    curl_multi_remove_handle(curl->multi, l->easy);
    curl_easy_setopt(l->easy, CURLOPT_PRIVATE, NULL);
    if (l->easy != t->easy) {
        curl_easy_cleanup(l->easy);
    }
    l->easy = NULL;
}

static void cancel_leg(swg_curl *curl, transfer *t, leg *l, int64_t now_ns)
{
    if (l->easy != NULL) {
        stop_leg(curl, t, l);
        swg_release(t->circuit, &l->permit, SWG_CANCELLED, now_ns);
    }
    swg_curl_body_free(&l->body);
}

static void finish(swg_curl *curl, transfer *t, int64_t now_ns)
{
    cancel_leg(curl, t, &t->legs[0], now_ns);
    cancel_leg(curl, t, &t->legs[1], now_ns);
    swg__timer_clear(&curl->timers, &t->timer);
    *(t->previous != NULL ? &t->previous->next : &curl->all) = t->next;
    if (t->next != NULL) {
        t->next->previous = t->previous;
    }
    curl->count--;
    t->result.end = (swg_retry_end)t->retry.end;
    if (t->result.easy == NULL) {
        t->result.easy = t->easy;
    }
    swg__curl_fall_back(&t->config, &t->result);
    if (t->done != NULL) {
        t->done(t->arg, &t->result);
    }
    free(t);
}

/* Again, or over; true: it is over, and the transfer gone. */
static bool after_attempt(swg_curl *curl, transfer *t, const swg_permit *permit, int64_t now_ns)
{
    int64_t wait_ns;
    swg__timer_clear(&curl->timers, &t->timer);
    if (swg_retry_again(&t->retry, t->circuit, permit, t->result.outcome, now_ns, &wait_ns)) {
        t->slot_until = 0;
        swg__timer_set(&curl->timers, &t->timer, now_ns + wait_ns);
        return false;
    }
    finish(curl, t, now_ns);
    return true;
}

/* Puts a leg with a permit on the network. */
static bool start_leg(swg_curl *curl, transfer *t, leg *l, CURL *easy, int64_t now_ns)
{
    const int64_t left_ns =
        t->retry.deadline_ns == INT64_MAX ? INT64_MAX : t->retry.deadline_ns - now_ns;
    swg_curl_body *body = t->config.body != NULL ? &l->body : NULL;
    l->body.most = t->config.body != NULL ? t->config.body->most : 0;
    if (swg__curl_prepare(&t->config, easy, body, left_ns < 0 ? 0 : left_ns) != SWG_OK ||
        curl_easy_setopt(easy, CURLOPT_PRIVATE, t) != CURLE_OK ||
        curl_multi_add_handle(curl->multi, easy) != CURLM_OK) {
        return false;
    }
    l->easy = easy;
    return true;
}

static bool waits_for_slot(transfer *t, swg_verdict verdict, int64_t now_ns)
{
    if (t->retry.wait_ms == 0 ||
        (verdict != SWG_REJECTED_RATE && verdict != SWG_REJECTED_BULKHEAD)) {
        return false;
    }
    if (t->slot_until == 0) {
        t->slot_until = now_ns + (int64_t)t->retry.wait_ms * SWG__NS_PER_MS;
    }
    const int64_t turn = t->legs[0].permit.retry_ns;
    return now_ns < t->slot_until && turn <= t->slot_until && now_ns < t->retry.deadline_ns;
}

static void start_attempt(swg_curl *curl, transfer *t, int64_t now_ns)
{
    leg *l = &t->legs[0];
    const swg_verdict verdict = swg_acquire(t->circuit, &l->permit, now_ns);
    t->result.verdict = verdict;
    t->result.retry_ns = l->permit.retry_ns;
    if (verdict != SWG_PERMITTED) {
        if (waits_for_slot(t, verdict, now_ns)) {
            const int64_t turn = l->permit.retry_ns;
            const int64_t due = turn > now_ns ? turn : now_ns + POLL_NS;
            swg__timer_set(&curl->timers, &t->timer, due < t->slot_until ? due : t->slot_until);
        } else {
            after_attempt(curl, t, &l->permit, now_ns);
        }
        return;
    }
    t->result.attempts++;
    t->began_ns = now_ns;
    if (t->config.begin != NULL) {
        t->config.begin(t->config.arg, t->easy, t->result.attempts);
    }
    if (!start_leg(curl, t, l, t->easy, now_ns)) {
        swg_release(t->circuit, &l->permit, SWG_CANCELLED, now_ns);
        t->result.outcome = SWG_CANCELLED;
        t->result.code = CURLE_OUT_OF_MEMORY;
        after_attempt(curl, t, &l->permit, now_ns);
        return;
    }
    const int64_t hedge_ns = swg_hedge_wait_ns(&t->retry, t->circuit);
    if (hedge_ns >= 0) {
        swg__timer_set(&curl->timers, &t->timer, now_ns + hedge_ns);
    }
}

/* A second leg, if it may be: the budget and the circuit decide. */
static void start_hedge(swg_curl *curl, transfer *t, int64_t now_ns)
{
    leg *l = &t->legs[1];
    if (!swg__curl_idempotent(&t->config, t->easy) ||
        !swg_hedge_begin(&t->retry, t->circuit, now_ns) ||
        swg_acquire(t->circuit, &l->permit, now_ns) != SWG_PERMITTED) {
        return;
    }
    CURL *copy = curl_easy_duphandle(t->easy);
    if (copy != NULL) {
        curl_easy_setopt(copy, CURLOPT_ERRORBUFFER, NULL);
    }
    if (copy == NULL || !start_leg(curl, t, l, copy, now_ns)) {
        swg_release(t->circuit, &l->permit, SWG_CANCELLED, now_ns);
        curl_easy_cleanup(copy);
        return;
    }
    t->result.hedges++;
}

static void on_timer(swg_curl *curl, transfer *t, int64_t now_ns)
{
    swg__timer_clear(&curl->timers, &t->timer);
    if (running(t)) {
        start_hedge(curl, t, now_ns);
    } else {
        start_attempt(curl, t, now_ns);
    }
}

/* ---- answers ------------------------------------------------------------------------------- */

static void take_answer(swg_curl *curl, transfer *t, leg *l)
{
    if (t->config.body != NULL) {
        swg_curl_body_free(t->config.body);
        t->config.body->data = l->body.data;
        t->config.body->length = l->body.length;
        l->body.data = NULL;
        l->body.length = 0;
    }
    t->result.hedge_won = l == &t->legs[1];
    if (t->result.hedge_won == 0) {
        stop_leg(curl, t, l);
        return;
    }
    curl_multi_remove_handle(curl->multi, l->easy); /* lives until `done` has looked at it */
    t->result.easy = l->easy;
    l->easy = NULL;
}

/* One leg is over. The other may still succeed; only a success, or the end of both, ends it. */
static void on_end(swg_curl *curl, transfer *t, CURL *easy, CURLcode code, int64_t now_ns)
{
    leg *l = easy == t->legs[1].easy ? &t->legs[1] : &t->legs[0];
    leg *other = l == &t->legs[0] ? &t->legs[1] : &t->legs[0];
    const swg__judgement j = swg__curl_judge(&t->config, easy, code);
    const bool failed = swg__curl_failed(j.outcome);
    swg_release(t->circuit, &l->permit, j.outcome, now_ns);
    if (failed && other->easy != NULL) {
        stop_leg(curl, t, l);
        swg_curl_body_free(&l->body);
        return;
    }
    t->result.outcome = j.outcome;
    t->result.code = j.code;
    t->result.status = j.status;
    t->retry.final = !j.repeatable;
    swg_retry_after(&t->retry, j.after_ns);
    swg_hedge_learn(&t->retry, t->circuit, now_ns - t->began_ns);
    const swg_permit permit = l->permit;
    take_answer(curl, t, l);
    cancel_leg(curl, t, other, now_ns);
    CURL *winner = t->result.easy;
    if (!after_attempt(curl, t, &permit, now_ns)) {
        t->result.easy = NULL;
    }
    curl_easy_cleanup(winner);
}

/* ---- the public face ----------------------------------------------------------------------- */

int swg_curl_open(swg_curl **curl, CURLM *multi)
{
    if (curl == NULL) {
        return SWG_EINVAL;
    }
    *curl = calloc(1, sizeof(**curl));
    if (*curl == NULL) {
        return SWG_ENOMEM;
    }
    (*curl)->own = multi == NULL;
    (*curl)->multi = multi != NULL ? multi : curl_multi_init();
    if ((*curl)->multi == NULL) {
        free(*curl);
        *curl = NULL;
        return SWG_ENOMEM;
    }
    return SWG_OK;
}

static void cancel(swg_curl *curl, transfer *t, int64_t now_ns)
{
    t->result.outcome = SWG_CANCELLED;
    t->result.code = CURLE_ABORTED_BY_CALLBACK;
    finish(curl, t, now_ns);
}

void swg_curl_close(swg_curl **curl)
{
    if (curl == NULL || *curl == NULL) {
        return;
    }
    (*curl)->closing = true;
    while ((*curl)->all != NULL) {
        cancel(*curl, (*curl)->all, swg_clock_ns());
    }
    swg__timers_free(&(*curl)->timers);
    if ((*curl)->own) {
        curl_multi_cleanup((*curl)->multi);
    }
    free(*curl);
    *curl = NULL;
}

CURLM *swg_curl_multi(swg_curl *curl)
{
    return curl->multi;
}

size_t swg_curl_pending(const swg_curl *curl)
{
    return curl->count;
}

int swg_curl_start(swg_curl *curl, swg_circuit *circuit, CURL *easy, const swg_curl_config *config,
                   swg_curl_done done, void *arg, int64_t now_ns)
{
    swg_curl_config full;
    if (curl == NULL || curl->closing || circuit == NULL || easy == NULL) {
        return SWG_EINVAL;
    }
    const int error = swg__curl_take(&full, config);
    if (error != SWG_OK) {
        return error;
    }
    transfer *t = calloc(1, sizeof(*t));
    if (t == NULL || !swg__timers_reserve(&curl->timers, curl->count + 1)) {
        free(t);
        return SWG_ENOMEM;
    }
    t->circuit = circuit;
    t->config = full;
    t->easy = easy;
    t->done = done;
    t->arg = arg;
    t->result.outcome = SWG_CANCELLED;
    swg_retry_begin(&t->retry, full.retry, (uint64_t)now_ns ^ (uint64_t)(uintptr_t)t, now_ns);
    if (full.retry == NULL) {
        t->retry.attempts_max = 1;
    }
    t->next = curl->all;
    if (t->next != NULL) {
        t->next->previous = t;
    }
    curl->all = t;
    curl->count++;
    swg__timer_set(&curl->timers, &t->timer, now_ns);
    return SWG_OK;
}

int swg_curl_cancel(swg_curl *curl, CURL *easy, int64_t now_ns)
{
    for (transfer *t = curl->all; t != NULL; t = t->next) {
        if (t->easy == easy) {
            cancel(curl, t, now_ns);
            return SWG_OK;
        }
    }
    return SWG_ENOENT;
}

int64_t swg_curl_step(swg_curl *curl, int64_t now_ns)
{
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(curl->multi, &left)) != NULL) {
        transfer *t = NULL;
        CURL *easy = message->easy_handle;
        const CURLcode code = message->data.result;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
        if (message->msg == CURLMSG_DONE && t != NULL) {
            on_end(curl, t, easy, code, now_ns);
        }
    }
    swg__timer *first;
    while ((first = swg__timers_first(&curl->timers)) != NULL && first->due_ns <= now_ns) {
        on_timer(curl, (transfer *)first, now_ns);
    }
    return first != NULL ? first->due_ns - now_ns : -1;
}

int swg_curl_run(swg_curl *curl, uint32_t timeout_ms)
{
    int active;
    const int64_t next_ns = swg_curl_step(curl, swg_clock_ns());
    int wait_ms = timeout_ms < 60000 ? (int)timeout_ms : 60000;
    if (next_ns >= 0 && next_ns < wait_ms * SWG__NS_PER_MS) {
        wait_ms = (int)((next_ns + SWG__NS_PER_MS - 1) / SWG__NS_PER_MS);
    }
    if (curl_multi_perform(curl->multi, &active) != CURLM_OK ||
        (curl->count > 0 && curl_multi_poll(curl->multi, NULL, 0, wait_ms, NULL) != CURLM_OK) ||
        curl_multi_perform(curl->multi, &active) != CURLM_OK) {
        return SWG_ESYS;
    }
    swg_curl_step(curl, swg_clock_ns());
    return (int)curl->count;
}
