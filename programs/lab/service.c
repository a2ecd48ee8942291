/* The unreliable service. GET on any path is work and takes a few milliseconds, unless a fault
 * strikes it. /control, on the same port and never faulty, reads (GET) or switches (POST
 * ?fault=&rate=) the fault at run time.
 *
 * Delayed answers wait suspended in one list, so that a thousand hanging calls cost no thread. */
#include "parts.h"

#include "../common/http_server.h"
#include "fault.h"
#include "part.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/types.h>

enum {
    WORK_MS_MIN = 4,
    WORK_MS_SPREAD = 17,
    REPORT_MS = 200,
    ARRIVALS_MAX = 1024,
    NS_PER_MS = 1000000
};

typedef struct work {
    http_exchange *exchange;
    int64_t due_ns;
    fault_kind fault;
    struct work *next;
} work;

typedef struct arrival {
    int64_t at_ns;
    char from; /* the instance's name, as ?from= says; '-' if it does not */
} arrival;

typedef struct outage {
    int64_t began_ns, ended_ns; /* 0: not yet */
    uint64_t calls;             /* that arrived while it lasted */
    uint64_t struck;            /* of those, answered badly */
} outage;

typedef struct service {
    part part;
    uint16_t port;
    uint64_t seed;
    fault_times times;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t changed;
    work *waiting; /* worked on, soonest first */
    uint64_t waiting_count;
    work *queue, **queue_end; /* waiting for a worker, first come first */
    uint64_t queue_count;
    uint64_t workers; /* calls worked on at once; 0: no limit */
    int64_t work_ms;  /* 0: some */
    bool stopping;
    fault_kind fault;
    int rate_pct;
    uint64_t changes; /* times the fault was switched */
    uint64_t calls;
    outage outage;                  /* the present one, or the last */
    arrival arrivals[ARRIVALS_MAX]; /* since the last report */
    int arrival_count;
    uint64_t arrivals_lost;
} service;

/* ---- faults -------------------------------------------------------------------------------- */

static bool strikes(const service *s, int64_t now_ns)
{
    if (s->fault == FAULT_NONE)
        return false;
    if (s->fault == FAULT_FLAP &&
        (now_ns - s->outage.began_ns) / (s->times.flap_ms * NS_PER_MS) % 2 == 1)
        return false;
    return seeded(s->seed, s->calls * 2, 100) < (uint64_t)s->rate_pct;
}

static int64_t delay_ms(const service *s, fault_kind fault)
{
    if (fault == FAULT_SLOW)
        return s->times.slow_ms;
    if (fault == FAULT_HANG)
        return s->times.hang_ms;
    if (s->work_ms)
        return s->work_ms;
    return WORK_MS_MIN + (int64_t)seeded(s->seed, s->calls * 2 + 1, WORK_MS_SPREAD);
}

static void count_arrival(service *s, const http_exchange *exchange, int64_t now_ns)
{
    const char *from = http_query(exchange, "from");
    s->calls++;
    if (s->fault != FAULT_NONE)
        s->outage.calls++;
    if (s->arrival_count < ARRIVALS_MAX)
        s->arrivals[s->arrival_count++] = (arrival){now_ns, from && *from ? *from : '-'};
    else
        s->arrivals_lost++;
}

static void switch_fault(service *s, fault_kind fault, int rate_pct)
{
    int64_t now_ns = swg_clock_ns();
    pthread_mutex_lock(&s->lock);
    if (s->fault == FAULT_NONE && fault != FAULT_NONE)
        s->outage = (outage){.began_ns = now_ns};
    if (s->fault != FAULT_NONE && fault == FAULT_NONE)
        s->outage.ended_ns = now_ns;
    s->fault = fault;
    s->rate_pct = fault == FAULT_NONE ? 0 : rate_pct;
    s->changes++;
    pthread_mutex_unlock(&s->lock);
}

/* ---- waiting answers ----------------------------------------------------------------------- */

static void insert_waiting(service *s, work *w)
{
    work **at = &s->waiting;
    while (*at && (*at)->due_ns <= w->due_ns)
        at = &(*at)->next;
    w->next = *at;
    *at = w;
    s->waiting_count++;
    if (s->waiting == w)
        pthread_cond_signal(&s->changed);
}

/* A worker has it in hand. */
static void begin_answer(service *s, work *w, int64_t now_ns)
{
    w->fault = strikes(s, now_ns) ? s->fault : FAULT_NONE;
    w->due_ns = now_ns + delay_ms(s, w->fault) * NS_PER_MS;
    if (w->fault != FAULT_NONE)
        s->outage.struck++;
    insert_waiting(s, w);
}

/* A call whose caller has given up is worked on like any other: nobody told the service. */
static void begin_or_queue(service *s, work *w, int64_t now_ns)
{
    count_arrival(s, w->exchange, now_ns);
    if (s->workers == 0 || s->waiting_count < s->workers) {
        begin_answer(s, w, now_ns);
        return;
    }
    *s->queue_end = w;
    s->queue_end = &w->next;
    s->queue_count++;
}

static void begin_next(service *s, int64_t now_ns)
{
    work *w = s->queue;
    if (!w)
        return;
    s->queue = w->next;
    if (!s->queue)
        s->queue_end = &s->queue;
    s->queue_count--;
    begin_answer(s, w, now_ns);
}

static void resume_due(service *s, int64_t now_ns)
{
    while (s->waiting && (s->stopping || s->waiting->due_ns <= now_ns)) {
        work *w = s->waiting;
        s->waiting = w->next;
        s->waiting_count--;
        begin_next(s, now_ns);
        MHD_resume_connection(w->exchange->connection);
    }
}

static void *run_timer(void *closure)
{
    service *s = closure;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping || s->waiting) {
        resume_due(s, swg_clock_ns());
        if (s->stopping)
            continue;
        int64_t due_ns = s->waiting ? s->waiting->due_ns : swg_clock_ns() + 1000000000;
        struct timespec due = {.tv_sec = due_ns / 1000000000, .tv_nsec = due_ns % 1000000000};
        pthread_cond_timedwait(&s->changed, &s->lock, &due);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- answering ----------------------------------------------------------------------------- */

static json_t *describe(service *s)
{
    char text[FAULT_TEXT_MAX];
    pthread_mutex_lock(&s->lock);
    int64_t until_ns = s->outage.ended_ns ? s->outage.ended_ns : swg_clock_ns();
    int64_t outage_ns = s->outage.began_ns ? until_ns - s->outage.began_ns : 0;
    fault_text(text, s->fault, s->rate_pct, &s->times);
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:I, s:i, s:s, s:i, s:I, s:I, s:I, s:{s:I, s:I, s:I}}", "schema",
                  "switchgear.lab.service/1", "type", "service", "text", text, "at_ns",
                  (json_int_t)swg_clock_ns(), "port", s->port, "fault", fault_name(s->fault),
                  "rate_pct", s->rate_pct, "changes", (json_int_t)s->changes, "calls",
                  (json_int_t)s->calls, "waiting", (json_int_t)(s->waiting_count + s->queue_count),
                  "outage", "calls", (json_int_t)s->outage.calls, "struck",
                  (json_int_t)s->outage.struck, "ms", (json_int_t)(outage_ns / NS_PER_MS));
    pthread_mutex_unlock(&s->lock);
    return object;
}

static void announce(service *s)
{
    char text[FAULT_TEXT_MAX], clock[16];
    if (s->part.json)
        part_json(&s->part, describe(s));
    else
        out_line(&s->part.out, "%s  %s", part_clock(clock),
                 fault_text(text, s->fault, s->rate_pct, &s->times));
}

static enum MHD_Result control(service *s, http_exchange *exchange)
{
    if (strcmp(exchange->method, "GET") == 0)
        return http_reply_json(exchange, MHD_HTTP_OK, describe(s), NULL);
    if (strcmp(exchange->method, "POST") != 0)
        return http_reply_error(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, "use GET or POST");
    const char *name = http_query(exchange, "fault"), *rate = http_query(exchange, "rate");
    fault_kind fault;
    char *end = "";
    long rate_pct = rate ? strtol(rate, &end, 10) : 100;
    if (!name || !fault_parse(&fault, name))
        return http_reply_error(exchange, MHD_HTTP_BAD_REQUEST,
                                "fault is none, errors, slow, hang, reset or flap");
    if (*end || rate_pct < 1 || rate_pct > 100)
        return http_reply_error(exchange, MHD_HTTP_BAD_REQUEST, "rate is 1 to 100 (percent)");
    switch_fault(s, fault, (int)rate_pct);
    announce(s);
    return http_reply_json(exchange, MHD_HTTP_OK, describe(s), NULL);
}

static enum MHD_Result answer(http_exchange *exchange, fault_kind fault)
{
    if (fault == FAULT_RESET)
        return http_reset(exchange);
    if (fault == FAULT_ERRORS || fault == FAULT_FLAP)
        return http_reply_error(exchange, MHD_HTTP_INTERNAL_SERVER_ERROR, "the service is sick");
    return http_reply(exchange, MHD_HTTP_OK, "text/plain", "an answer from the service\n", NULL);
}

/* Suspended first: the timer may resume it the moment it is on the list. */
static enum MHD_Result begin_work(service *s, http_exchange *exchange)
{
    work *w = calloc(1, sizeof *w);
    if (!w)
        return MHD_NO;
    exchange->user = w;
    w->exchange = exchange;
    MHD_suspend_connection(exchange->connection);
    pthread_mutex_lock(&s->lock);
    begin_or_queue(s, w, swg_clock_ns());
    pthread_mutex_unlock(&s->lock);
    return MHD_YES;
}

static enum MHD_Result handle(void *context, http_exchange *exchange)
{
    service *s = context;
    const work *w = exchange->user;
    if (strcmp(exchange->path, "/control") == 0)
        return control(s, exchange);
    return w ? answer(exchange, w->fault) : begin_work(s, exchange);
}

static void ended(void *context, http_exchange *exchange)
{
    (void)context;
    free(exchange->user);
}

/* ---- the program --------------------------------------------------------------------------- */

static void report_second(service *s, uint64_t *calls_before)
{
    char text[FAULT_TEXT_MAX], clock[16];
    pthread_mutex_lock(&s->lock);
    uint64_t calls = s->calls, waiting = s->waiting_count + s->queue_count;
    fault_text(text, s->fault, s->rate_pct, &s->times);
    pthread_mutex_unlock(&s->lock);
    if (calls != *calls_before)
        out_line(&s->part.out, "%s  %llu calls/s  %llu waiting  %s", part_clock(clock),
                 (unsigned long long)(calls - *calls_before), (unsigned long long)waiting, text);
    *calls_before = calls;
}

/* Who called, and how many microseconds after `arrivals_ns`. */
static void add_arrivals(service *s, json_t *report)
{
    char from[ARRIVALS_MAX + 1];
    json_t *offsets = json_array();
    pthread_mutex_lock(&s->lock);
    int count = s->arrival_count;
    int64_t first_ns = count ? s->arrivals[0].at_ns : 0;
    for (int i = 0; i < count; i++) {
        from[i] = s->arrivals[i].from;
        json_array_append_new(offsets, json_integer((s->arrivals[i].at_ns - first_ns) / 1000));
    }
    from[count] = '\0';
    s->arrival_count = 0;
    json_object_set_new(report, "arrivals_lost", json_integer((json_int_t)s->arrivals_lost));
    pthread_mutex_unlock(&s->lock);
    json_object_set_new(report, "arrivals_ns", json_integer(first_ns));
    json_object_set_new(report, "arrivals_us", offsets);
    json_object_set_new(report, "arrivals_from", json_string(from));
}

static void report_json(service *s)
{
    json_t *report = describe(s);
    add_arrivals(s, report);
    part_json(&s->part, report);
}

static void report_until_signal(service *s)
{
    uint64_t calls = 0;
    while (part_wait(s->part.json ? REPORT_MS : 1000)) {
        if (s->part.json)
            report_json(s);
        else
            report_second(s, &calls);
    }
}

static void stop_timer(service *s, pthread_t timer)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(timer, NULL);
}

static void init_lock(service *s)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static int serve(service *s)
{
    pthread_t timer;
    http_server *server = http_server_open(
        &(http_server_config){.port = s->port, .handler = handle, .ended = ended, .context = s});
    if (!server)
        return part_port_busy(&s->part, s->port);
    s->port = http_server_port(server);
    if (pthread_create(&timer, NULL, run_timer, s) != 0)
        return CLI_FAILED;
    if (!s->part.json)
        out_line(&s->part.out, "service on http://127.0.0.1:%u/ (control: /control)", s->port);
    announce(s);
    report_until_signal(s);
    stop_timer(s, timer);
    http_server_close(server);
    return CLI_FINE;
}

int lab_service_run(const cli_args *args)
{
    service s = {.port = (uint16_t)cli_number(args, "port", 9000),
                 .seed = (uint64_t)cli_number(args, "seed", 1),
                 .workers = (uint64_t)cli_number(args, "workers", 0),
                 .work_ms = cli_number(args, "work", 0),
                 .times = {.slow_ms = cli_number(args, "slow", 500),
                           .hang_ms = cli_number(args, "hang", 2000),
                           .flap_ms = cli_number(args, "flap", 2000)}};
    s.queue_end = &s.queue;
    part_begin(&s.part, "service", args);
    if (s.part.supervised)
        part_end_with_stdin();
    init_lock(&s);
    return serve(&s);
}
