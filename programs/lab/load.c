/* An open-loop load generator: calls leave on schedule whether or not earlier ones came back, so a
 * slow target meets the queue it would meet in life. Latency counts from the scheduled moment. */
#include "parts.h"

#include "../common/http_client.h"
#include "fault.h"
#include "load_report.h"
#include "part.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <switchgear/types.h>
#include <unistd.h>

enum { TARGETS_MAX = 16, WAITING_MAX = 4000, ANSWER_MS = 10000, NS_PER_S = 1000000000 };

typedef struct call {
    CURL *curl;
    int64_t due_ns;
    int phase;
    bool rejected;      /* the answer carried a circuit's no */
    struct call *next;  /* idle */
    struct call *older; /* of all that were ever made */
} call;

typedef struct load {
    part part;
    uint16_t targets[TARGETS_MAX];
    int target_count;
    int64_t per_second;
    uint64_t seed;
    int64_t start_ns, end_ns; /* end 0: until told */
    uint64_t scheduled;       /* calls whose time has come */
    int phase;
    CURLM *multi;
    call *idle, *newest;
    int timer, signals;
    bool stopping;
    load_report report;
} load;

/* ---- one call ------------------------------------------------------------------------------ */

static size_t on_header(char *line, size_t size, size_t count, void *closure)
{
    call *c = closure;
    static const char name[] = "X-Switchgear:";
    if (size * count >= sizeof name - 1 && strncasecmp(line, name, sizeof name - 1) == 0)
        c->rejected = true;
    return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *closure)
{
    (void)data;
    (void)closure;
    return size * count;
}

static call *take_call(load *l)
{
    call *c = l->idle;
    if (c) {
        l->idle = c->next;
        return c;
    }
    c = calloc(1, sizeof *c);
    if (c && !(c->curl = curl_easy_init())) {
        free(c);
        return NULL;
    }
    if (c) {
        c->older = l->newest;
        l->newest = c;
    }
    return c;
}

static void give_back(load *l, call *c)
{
    c->next = l->idle;
    l->idle = c;
}

static void send_call(load *l, int64_t due_ns)
{
    char url[64];
    call *c = l->report.waiting < WAITING_MAX ? take_call(l) : NULL;
    if (!c) {
        l->report.skipped++;
        return;
    }
    uint64_t target = seeded(l->seed, l->scheduled, (uint64_t)l->target_count);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", l->targets[target]);
    c->due_ns = due_ns;
    c->phase = l->phase;
    c->rejected = false;
    http_client_prepare(c->curl, url, ANSWER_MS, NULL);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(c->curl, CURLOPT_PRIVATE, c);
    curl_multi_add_handle(l->multi, c->curl);
    load_report_sent(&l->report, c->phase);
}

static load_class classify(const call *c, CURLcode result)
{
    long status = 0;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK)
        return LOAD_LOST;
    if (c->rejected)
        return LOAD_REJECTED;
    return status < 500 ? LOAD_ANSWERED : LOAD_FAILED;
}

static void take_answers(load *l)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(l->multi, &left));) {
        call *c;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode result = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        load_report_came(&l->report, c->phase, classify(c, result), swg_clock_ns() - c->due_ns);
        curl_multi_remove_handle(l->multi, c->curl);
        give_back(l, c);
    }
}

/* ---- the schedule -------------------------------------------------------------------------- */

static int64_t due_of(const load *l, uint64_t n)
{
    uint64_t per_second = (uint64_t)l->per_second;
    return l->start_ns + (int64_t)(n / per_second * NS_PER_S) +
           (int64_t)(n % per_second * NS_PER_S / per_second);
}

static void send_due(load *l, int64_t now_ns)
{
    int64_t due_ns;
    while (!l->stopping && (due_ns = due_of(l, l->scheduled)) <= now_ns) {
        send_call(l, due_ns);
        l->scheduled++;
    }
}

/* curl waits in whole milliseconds; the timer wakes it on time. */
static void arm_timer(const load *l)
{
    int64_t due_ns = due_of(l, l->scheduled);
    struct itimerspec at = {
        .it_value = {.tv_sec = due_ns / NS_PER_S, .tv_nsec = due_ns % NS_PER_S}};
    timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

/* The lab that started it says "phase N" as the story goes on; the end of the stream ends it. */
static void take_orders(load *l)
{
    char text[256];
    ssize_t bytes = read(STDIN_FILENO, text, sizeof text - 1);
    if (bytes <= 0) {
        l->stopping = bytes == 0 || (errno != EAGAIN && errno != EINTR);
        return;
    }
    text[bytes] = '\0';
    for (const char *order = text; (order = strstr(order, "phase ")); order++)
        l->phase = atoi(order + strlen("phase "));
}

static void wait_for_something(load *l)
{
    enum { IDLE_MS = 100 };
    struct curl_waitfd extra[3] = {{.fd = l->timer, .events = CURL_WAIT_POLLIN},
                                   {.fd = l->signals, .events = CURL_WAIT_POLLIN},
                                   {.fd = STDIN_FILENO, .events = CURL_WAIT_POLLIN}};
    arm_timer(l);
    curl_multi_poll(l->multi, extra, l->part.supervised ? 3 : 2, IDLE_MS, NULL);
    if (extra[1].revents)
        l->stopping = true;
    if (l->part.supervised && extra[2].revents)
        take_orders(l);
}

static void run(load *l)
{
    int running;
    while (!l->stopping) {
        wait_for_something(l);
        int64_t now_ns = swg_clock_ns();
        l->stopping = l->stopping || (l->end_ns && now_ns >= l->end_ns);
        send_due(l, now_ns);
        curl_multi_perform(l->multi, &running);
        take_answers(l);
        load_report_tick(&l->report, &l->part, swg_clock_ns());
    }
    load_report_end(&l->report, &l->part, swg_clock_ns());
}

/* ---- the program --------------------------------------------------------------------------- */

static int parse_targets(load *l, const cli_args *args)
{
    const char *text = cli_text(args, "targets", "8001,8002,8003");
    for (const char *at = text; *at;) {
        char *end;
        long port = strtol(at, &end, 10);
        if (end == at || port < 1 || port > 65535 || (*end && *end != ','))
            return cli_usage(args, "--targets wants ports, such as 8001,8002,8003, not '%s'", text);
        if (l->target_count == TARGETS_MAX)
            return cli_usage(args, "--targets: at most %d", TARGETS_MAX);
        l->targets[l->target_count++] = (uint16_t)port;
        at = *end ? end + 1 : end;
    }
    return l->target_count ? CLI_FINE : cli_usage(args, "--targets names no port");
}

static bool open_descriptors(load *l)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    l->signals = signalfd(-1, &set, SFD_CLOEXEC);
    l->multi = curl_multi_init();
    if (l->multi)
        curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)WAITING_MAX);
    return l->timer >= 0 && l->signals >= 0 && l->multi;
}

static void close_all(load *l)
{
    for (call *c; (c = l->newest);) {
        l->newest = c->older;
        curl_multi_remove_handle(l->multi, c->curl);
        curl_easy_cleanup(c->curl);
        free(c);
    }
    curl_multi_cleanup(l->multi);
    close(l->timer);
    close(l->signals);
}

int lab_load_run(const cli_args *args)
{
    load l = {.per_second = cli_number(args, "rate", 100),
              .seed = (uint64_t)cli_number(args, "seed", 1)};
    part_begin(&l.part, "load", args);
    int result = parse_targets(&l, args);
    if (result != CLI_FINE)
        return result;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (!open_descriptors(&l)) {
        perror("load");
        return CLI_FAILED;
    }
    l.start_ns = swg_clock_ns();
    int64_t for_ms = cli_number(args, "for", 0);
    l.end_ns = for_ms ? l.start_ns + for_ms * 1000000 : 0;
    load_report_begin(&l.report, &l.part, l.start_ns);
    if (!l.part.json)
        out_line(&l.part.out, "%lld calls/s, spread at random over %d target%s",
                 (long long)l.per_second, l.target_count, l.target_count == 1 ? "" : "s");
    run(&l);
    close_all(&l);
    return CLI_FINE;
}
