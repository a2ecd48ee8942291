#include "naive.h"

#include "histogram.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { IDLE_MAX = 256, EVENTS_MAX = 256 };

struct naive {
    naive_config config;
    char socket[108];
    pthread_mutex_t lock; /* guards everything below */
    redisContext *idle[IDLE_MAX];
    int idle_count;
    swg_event events[EVENTS_MAX];
    unsigned event_head, event_tail;
    uint64_t calls, trips, errors; /* round trips, and those without an answer */
    uint64_t failures, counted;    /* that happened; that Redis said it had counted */
    uint64_t overwritten;          /* states another call had set since this one looked */
    histogram redis;               /* time a call spent waiting for Redis */
};

bool naive_fits(const swg_circuit_config *config)
{
    return config->failure_threshold != 0 && config->failure_threshold != SWG_NONE;
}

naive *naive_open(const naive_config *config)
{
    naive *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->config = *config;
    snprintf(n->socket, sizeof n->socket, "%s", config->socket);
    pthread_mutex_init(&n->lock, NULL);
    return n;
}

void naive_close(naive *n)
{
    if (!n)
        return;
    while (n->idle_count)
        redisFree(n->idle[--n->idle_count]);
    pthread_mutex_destroy(&n->lock);
    free(n);
}

/* ---- connections --------------------------------------------------------------------------- */

static redisContext *take(naive *n)
{
    const struct timeval limit = {.tv_sec = n->config.timeout_ms / 1000,
                                  .tv_usec = n->config.timeout_ms % 1000 * 1000};
    pthread_mutex_lock(&n->lock);
    redisContext *c = n->idle_count ? n->idle[--n->idle_count] : NULL;
    pthread_mutex_unlock(&n->lock);
    if (c)
        return c;
    c = redisConnectUnixWithTimeout(n->socket, limit);
    if (c && c->err == 0 && redisSetTimeout(c, limit) == REDIS_OK)
        return c;
    if (c)
        redisFree(c);
    return NULL;
}

static void give_back(naive *n, redisContext *c, bool usable)
{
    pthread_mutex_lock(&n->lock);
    bool kept = usable && n->idle_count < IDLE_MAX;
    if (kept)
        n->idle[n->idle_count++] = c;
    pthread_mutex_unlock(&n->lock);
    if (!kept)
        redisFree(c);
}

static void count_trip(naive *n, bool answered)
{
    pthread_mutex_lock(&n->lock);
    n->trips++;
    n->errors += !answered;
    pthread_mutex_unlock(&n->lock);
}

/* One command, one round trip. NULL: no answer. */
static redisReply *ask(naive *n, naive_call *call, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static redisReply *ask(naive *n, naive_call *call, const char *format, ...)
{
    va_list list;
    int64_t from_ns = swg_clock_ns();
    redisContext *c = take(n);
    va_start(list, format);
    redisReply *reply = c ? redisvCommand(c, format, list) : NULL;
    va_end(list);
    if (c)
        give_back(n, c, reply != NULL);
    count_trip(n, reply != NULL);
    call->redis_ns += swg_clock_ns() - from_ns;
    return reply;
}

/* ---- the breaker --------------------------------------------------------------------------- */

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *const words[] = {"CLOSED", "OPEN", "HALF_OPEN"};

static swg_state state_of(const redisReply *reply)
{
    for (int i = 0; reply && reply->type == REDIS_REPLY_STRING && i < SWG_STATE_COUNT; i++)
        if (strcmp(reply->str, words[i]) == 0)
            return (swg_state)i;
    return SWG_CLOSED;
}

static void note(naive *n, const swg_event *event, swg_state old)
{
    pthread_mutex_lock(&n->lock);
    n->overwritten += old != (swg_state)event->from && old != (swg_state)event->to;
    if (n->event_head - n->event_tail < EVENTS_MAX)
        n->events[n->event_head++ % EVENTS_MAX] = *event;
    pthread_mutex_unlock(&n->lock);
}

static void set_state(naive *n, naive_call *call, swg_state to, swg_cause cause, uint32_t failures)
{
    swg_event event = {.at_ns = swg_clock_ns(),
                       .wall_ms = wall_ms(),
                       .from = (uint8_t)call->seen,
                       .to = (uint8_t)to,
                       .cause = (uint8_t)cause,
                       .failures = failures,
                       .calls = cause == SWG_CAUSE_CONSECUTIVE ? failures : 1,
                       .limit = cause == SWG_CAUSE_CONSECUTIVE ? n->config.failure_threshold : 0,
                       .pid = getpid(),
                       .name = "service"};
    /* the old value is for the lab to count: this breaker does not look at it */
    redisReply *reply = ask(n, call, "SET circuit:service:state %s GET", words[to]);
    if (to == SWG_OPEN)
        event.until_ns = event.at_ns + n->config.recovery_ms * INT64_C(1000000);
    if (reply)
        note(n, &event, state_of(reply));
    freeReplyObject(reply);
}

static bool is_over(naive *n, naive_call *call)
{
    redisReply *reply = ask(n, call, "GET circuit:service:opened_at");
    bool over = !reply || reply->type != REDIS_REPLY_STRING ||
                wall_ms() - atoll(reply->str) >= n->config.recovery_ms;
    freeReplyObject(reply);
    return over;
}

static bool asks(naive *n, naive_call *call)
{
    redisReply *reply = ask(n, call, "GET circuit:service:state");
    call->seen = state_of(reply);
    freeReplyObject(reply);
    if (call->seen != SWG_OPEN)
        return true;
    if (!is_over(n, call))
        return false;
    set_state(n, call, SWG_HALF_OPEN, SWG_CAUSE_WAIT_OVER, 0);
    call->seen = SWG_HALF_OPEN;
    return true;
}

static void succeed(naive *n, naive_call *call)
{
    freeReplyObject(ask(n, call, "SET circuit:service:failures 0"));
    if (call->seen == SWG_HALF_OPEN)
        set_state(n, call, SWG_CLOSED, SWG_CAUSE_PROBES_PASSED, 0);
}

static uint32_t count_failure(naive *n, naive_call *call)
{
    redisReply *reply = ask(n, call, "INCR circuit:service:failures");
    uint32_t failures = reply && reply->type == REDIS_REPLY_INTEGER ? (uint32_t)reply->integer : 0;
    freeReplyObject(reply);
    pthread_mutex_lock(&n->lock);
    n->failures++;
    n->counted += failures > 0;
    pthread_mutex_unlock(&n->lock);
    return failures;
}

static void fail(naive *n, naive_call *call)
{
    bool probe = call->seen == SWG_HALF_OPEN;
    uint32_t failures = count_failure(n, call);
    if (!probe && failures < n->config.failure_threshold)
        return;
    freeReplyObject(ask(n, call, "SET circuit:service:opened_at %lld", (long long)wall_ms()));
    set_state(n, call, SWG_OPEN, probe ? SWG_CAUSE_PROBES_FAILED : SWG_CAUSE_CONSECUTIVE,
              probe ? 1 : failures);
}

/* ---- a call -------------------------------------------------------------------------------- */

static void end(naive *n, const naive_call *call)
{
    pthread_mutex_lock(&n->lock);
    n->calls++;
    histogram_add(&n->redis, call->redis_ns);
    pthread_mutex_unlock(&n->lock);
}

bool naive_allow(naive *n, naive_call *call)
{
    *call = (naive_call){.seen = SWG_CLOSED};
    bool may = asks(n, call);
    if (!may)
        end(n, call);
    return may;
}

void naive_done(naive *n, naive_call *call, bool success)
{
    if (success)
        succeed(n, call);
    else
        fail(n, call);
    end(n, call);
}

/* ---- looking ------------------------------------------------------------------------------- */

bool naive_take_event(naive *n, swg_event *event)
{
    pthread_mutex_lock(&n->lock);
    bool any = n->event_head != n->event_tail;
    if (any)
        *event = n->events[n->event_tail++ % EVENTS_MAX];
    pthread_mutex_unlock(&n->lock);
    return any;
}

json_t *naive_json(naive *n)
{
    pthread_mutex_lock(&n->lock);
    json_t *object =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "calls", (json_int_t)n->calls, "trips",
                  (json_int_t)n->trips, "errors", (json_int_t)n->errors, "failures",
                  (json_int_t)n->failures, "counted", (json_int_t)n->counted, "overwritten",
                  (json_int_t)n->overwritten, "redis", histogram_json(&n->redis));
    pthread_mutex_unlock(&n->lock);
    return object;
}
