/* A retry storm: three worlds with the same service, which can do so much and no more, live through
 * the same brown-out. What keeps one of them down when the cause is gone is its own retries: the
 * service works on calls whose callers have given up and asked again (Bronson et al., Metastable
 * Failures in Distributed Systems, HotOS 2021). */
#include "lab.h"

#include "../common/port.h"
#include "part.h"
#include "parts.h"

#include <curl/curl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>
#include <unistd.h>

enum {
    WORLDS = 3,
    INSTANCES = 3,
    PARTS = INSTANCES + 2,
    SLOT_MS = 200,
    SLOTS_MAX = 2000,
    SECOND_SLOTS = 1000 / SLOT_MS,
    HEALTHY_MS = 3000,
    READY_MS = 10000,
    RETRIES_MAX = 8,
    PORTS = 9100,
    WORKERS = 4,
    WORK_MS = 25,
    SLOW_MS = 125,
    PATIENCE_MS = 250,
    NS_PER_MS = 1000000
};

typedef struct storm_plan {
    const char *name;
    const char *about;
    const char *retry[RETRIES_MAX]; /* ends with NULL, as does the next */
    const char *circuit[RETRIES_MAX];
} storm_plan;

#define NO_BREAKER "failure_threshold=none", "failure_pct=none"

static const storm_plan plans[WORLDS] = {
    {"plain retries",
     "3 attempts, at once",
     {"attempts=3", "delay=1ms", "jitter=none", "budget_pct=none", NULL},
     {NO_BREAKER, NULL}},
    {"on a budget",
     "3 attempts, backoff, 20 % more at most",
     {"attempts=3", "delay=20ms", "budget_pct=20%", NULL},
     {NO_BREAKER, NULL}},
    {"and a breaker",
     "the same, through a breaker",
     {"attempts=3", "delay=20ms", "budget_pct=20%", NULL},
     {"failure_threshold=none", "failure_pct=50%", "window=2s", "recovery=500ms", "recovery_max=2s",
      "probes=3", "ramp=1s", NULL}},
};

typedef struct storm_part {
    struct storm_world *world;
    child child;
    bool ready, is_load;
    uint16_t port;
} storm_part;

typedef struct storm_world {
    struct storm *storm;
    const storm_plan *plan;
    storm_part parts[PARTS]; /* service, instances, load */
    uint32_t good[SLOTS_MAX];
    uint32_t asked[SLOTS_MAX]; /* calls that arrived at the service */
    uint64_t calls;            /* so far */
} storm_world;

typedef struct storm {
    out out;
    bool json, trouble;
    char program[512];
    int ports;
    int64_t calls_per_s, brownout_ms, after_ms, seed;
    int64_t start_ns;
    storm_world worlds[WORLDS];
} storm;

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
    stopped = signal_number;
}

/* ---- processes ----------------------------------------------------------------------------- */

typedef struct words {
    char *argv[40];
    int count;
    char text[2048];
    size_t used;
} words;

static void add(words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(words *w, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    char *at = w->text + w->used;
    w->used += (size_t)vsnprintf(at, sizeof w->text - w->used, format, list) + 1;
    va_end(list);
    w->argv[w->count++] = at;
}

static void begin(words *w, const storm *s, const char *name)
{
    *w = (words){0};
    add(w, "%s", s->program);
    add(w, "lab");
    add(w, "%s", name);
    add(w, "--json");
    add(w, "--supervised");
}

static bool start_service(storm_world *of)
{
    words w;
    begin(&w, of->storm, "service");
    add(&w, "--port=%u", of->parts[0].port);
    add(&w, "--seed=%lld", (long long)of->storm->seed);
    add(&w, "--workers=%d", WORKERS);
    add(&w, "--work=%dms", WORK_MS);
    add(&w, "--slow=%dms", SLOW_MS);
    return child_start(&of->parts[0].child, w.argv);
}

static bool start_instance(storm_world *of, int index)
{
    words w;
    begin(&w, of->storm, "instance");
    add(&w, "--name=%c", 'A' + index);
    add(&w, "--port=%u", of->parts[1 + index].port);
    add(&w, "--service=%u", of->parts[0].port);
    add(&w, "--timeout=%dms", PATIENCE_MS);
    add(&w, "--panel=/switchgear-storm-%d-%d", (int)getpid(), (int)(of - of->storm->worlds));
    add(&w, "--profile=default");
    for (int i = 0; of->plan->circuit[i]; i++)
        add(&w, "--set=%s", of->plan->circuit[i]);
    for (int i = 0; of->plan->retry[i]; i++)
        add(&w, "--retry=%s", of->plan->retry[i]);
    return child_start(&of->parts[1 + index].child, w.argv);
}

static bool start_load(storm_world *of)
{
    const storm_part *p = of->parts;
    words w;
    begin(&w, of->storm, "load");
    add(&w, "--targets=%u,%u,%u", p[1].port, p[2].port, p[3].port);
    add(&w, "--rate=%lld", (long long)of->storm->calls_per_s);
    add(&w, "--seed=%lld", (long long)of->storm->seed);
    return child_start(&of->parts[PARTS - 1].child, w.argv);
}

static void forget_panels(void)
{
    char name[64];
    for (int i = 0; i < WORLDS; i++) {
        snprintf(name, sizeof name, "/switchgear-storm-%d-%d", (int)getpid(), i);
        swg_panel_unlink(name);
    }
}

static void stop_all(storm *s)
{
    child *children[WORLDS * PARTS];
    size_t count = 0;
    for (int i = 0; i < WORLDS; i++)
        for (int p = PARTS - 1; p >= 0; p--)
            if (s->worlds[i].parts[p].child.pid)
                children[count++] = &s->worlds[i].parts[p].child;
    child_stop(children, count, 500);
}

/* ---- what they report ---------------------------------------------------------------------- */

static int slot_at(const storm *s, int64_t at_ns)
{
    int64_t slot = (at_ns - s->start_ns) / (SLOT_MS * (int64_t)NS_PER_MS);
    return s->start_ns == 0 || slot < 0 || slot >= SLOTS_MAX ? -1 : (int)slot;
}

static void take_line(void *context, char *text)
{
    storm_part *p = context;
    storm_world *w = p->world;
    json_t *line = json_loads(text, 0, NULL);
    int64_t at_ns = json_integer_value(json_object_get(line, "at_ns"));
    int slot = slot_at(w->storm, at_ns);
    p->ready |= line != NULL;
    if (p == &w->parts[0] && line) {
        uint64_t calls = (uint64_t)json_integer_value(json_object_get(line, "calls"));
        if (slot >= 0)
            w->asked[slot] += (uint32_t)(calls - w->calls);
        w->calls = calls;
    }
    size_t i;
    json_t *phase;
    json_array_foreach(json_object_get(line, "phases"), i, phase)
    {
        histogram answered = {0};
        const json_t *class = json_object_get(phase, load_class_names[LOAD_ANSWERED]);
        if (slot >= 0 && class && histogram_merge_json(&answered, class))
            w->good[slot] += (uint32_t)answered.count;
    }
    json_decref(line);
}

static void take_complaint(void *context, char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

static void take_reports(storm *s, int timeout_ms)
{
    struct pollfd fds[WORLDS * PARTS * 2];
    nfds_t count = 0;
    for (int i = 0; i < WORLDS * PARTS; i++) {
        const child *c = &s->worlds[i / PARTS].parts[i % PARTS].child;
        fds[count++] = (struct pollfd){.fd = c->pid ? c->output.fd : -1, .events = POLLIN};
        fds[count++] = (struct pollfd){.fd = c->pid ? c->errors.fd : -1, .events = POLLIN};
    }
    poll(fds, count, timeout_ms);
    for (int i = 0; i < WORLDS * PARTS; i++) {
        storm_part *p = &s->worlds[i / PARTS].parts[i % PARTS];
        if (fds[2 * i].revents)
            line_reader_drain(&p->child.output, take_line, p);
        if (fds[2 * i + 1].revents)
            line_reader_drain(&p->child.errors, take_complaint, p);
        if (p->child.pid && child_reap(&p->child)) {
            char fate[80];
            fprintf(stderr, "a part of the lab (port %u) ended: %s\n", p->port,
                    child_fate(fate, sizeof fate, p->child.status));
            s->trouble = true;
        }
    }
}

static void wait_until(storm *s, int64_t until_ns)
{
    int64_t left_ns;
    while (!stopped && !s->trouble && (left_ns = until_ns - swg_clock_ns()) > 0)
        take_reports(s, (int)(left_ns / NS_PER_MS) + 1);
}

/* ---- numbers ------------------------------------------------------------------------------- */

static double per_s(const uint32_t *slots, int from_ms, int to_ms)
{
    uint64_t sum = 0;
    for (int i = from_ms / SLOT_MS; i < to_ms / SLOT_MS && i < SLOTS_MAX; i++)
        sum += slots[i];
    return to_ms > from_ms ? (double)sum * 1000 / (to_ms - from_ms) : 0;
}

/* From the end of the brown-out until a second in which 95 % were answered begins; -1: none did. */
static int recovered_ms(const storm *s, const storm_world *w)
{
    int healed_ms = HEALTHY_MS + (int)s->brownout_ms;
    for (int at = healed_ms; at + 1000 <= healed_ms + s->after_ms; at += SLOT_MS)
        if (per_s(w->good, at, at + 1000) >= 0.95 * (double)s->calls_per_s)
            return at - healed_ms;
    return -1;
}

/* ---- the story ----------------------------------------------------------------------------- */

static void say_mark(storm *s, const char *text)
{
    if (!s->json && !stopped && !s->trouble)
        out_line(&s->out, "        %s✱ %s%s", out_paint(&s->out, OUT_BOLD), text,
                 out_paint(&s->out, OUT_PLAIN));
}

static void say_second(storm *s, int second)
{
    char line[OUT_LINE_MAX];
    int from = second * 1000;
    size_t used = 0;
    if (s->json) {
        json_t *worlds = json_array();
        for (int i = 0; i < WORLDS; i++)
            json_array_append_new(
                worlds, json_pack("{s:s, s:f, s:f}", "world", s->worlds[i].plan->name,
                                  "answered_per_s", per_s(s->worlds[i].good, from, from + 1000),
                                  "service_per_s", per_s(s->worlds[i].asked, from, from + 1000)));
        part_json(&(part){.out = s->out, .json = true},
                  json_pack("{s:s, s:s, s:i, s:o}", "schema", "switchgear.lab.storm/1", "type",
                            "second", "second", second + 1, "worlds", worlds));
        return;
    }
    for (int i = 0; i < WORLDS; i++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%12.0f %12.0f",
                                 per_s(s->worlds[i].good, from, from + 1000),
                                 per_s(s->worlds[i].asked, from, from + 1000));
    out_line(&s->out, "%5d s %s", second + 1, line);
}

static void say_head(storm *s)
{
    if (s->json)
        return;
    out *o = &s->out;
    out_line(o,
             "%sA retry storm%s: a service that can do %d calls a second is asked for %lld. For "
             "%.3g s",
             out_paint(o, OUT_BOLD), out_paint(o, OUT_PLAIN), WORKERS * 1000 / WORK_MS,
             (long long)s->calls_per_s, (double)s->brownout_ms / 1000);
    out_line(o, "it is %d times slower. Callers wait %d ms, then try again:", SLOW_MS / WORK_MS,
             PATIENCE_MS);
    for (int i = 0; i < WORLDS; i++)
        out_line(o, "    %-14s %s", plans[i].name, plans[i].about);
    out_line(o, "%s", "");
    out_line(o, "        %25s%25s%25s", plans[0].name, plans[1].name, plans[2].name);
    out_line(o, "        %12s %12s%12s %12s%12s %12s", "answered/s", "service/s", "answered/s",
             "service/s", "answered/s", "service/s");
}

static void seconds_until(storm *s, int *told, int64_t until_ms)
{
    while (!stopped && !s->trouble && (*told + 1) * 1000 <= until_ms) {
        wait_until(s, s->start_ns + ((*told + 1) * (int64_t)1000 + SLOT_MS) * NS_PER_MS);
        if (!stopped && !s->trouble)
            say_second(s, (*told)++);
    }
}

static void switch_all(storm *s, fault_kind fault)
{
    for (int i = 0; i < WORLDS && !stopped; i++) {
        json_t *answer = NULL;
        if (!control_post(s->worlds[i].parts[0].port, fault, 100, &answer))
            s->trouble = true;
        json_decref(answer);
    }
}

static void say_result(storm *s, const storm_world *w)
{
    int healed = HEALTHY_MS + (int)s->brownout_ms, end = healed + (int)s->after_ms;
    int recovered = recovered_ms(s, w);
    double during = per_s(w->good, HEALTHY_MS, healed), last = per_s(w->good, end - 3000, end);
    double asked = per_s(w->asked, healed, end) / (double)s->calls_per_s;
    char text[32] = "not in this time";
    if (s->json) {
        part_json(&(part){.out = s->out, .json = true},
                  json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:f, s:i}", "schema",
                            "switchgear.lab.storm/1", "type", "result", "world", w->plan->name,
                            "calls_per_s", (json_int_t)s->calls_per_s, "answered_per_s_brownout",
                            during, "answered_per_s_last", last, "service_per_call_after", asked,
                            "recovered_ms", recovered));
        return;
    }
    if (recovered >= 0)
        snprintf(text, sizeof text, "after %.1f s", recovered / 1000.0);
    out_line(&s->out, "  %-16s%12.0f %%%18.0f %%%15.2f   %s", w->plan->name,
             100 * during / (double)s->calls_per_s, 100 * last / (double)s->calls_per_s, asked,
             text);
}

static void tell(storm *s)
{
    int told = 0;
    int healed_ms = HEALTHY_MS + (int)s->brownout_ms;
    say_head(s);
    s->start_ns = swg_clock_ns();
    for (int i = 0; i < WORLDS; i++)
        if (!start_load(&s->worlds[i]))
            s->trouble = true;
    seconds_until(s, &told, HEALTHY_MS);
    say_mark(s, "the brown-out begins");
    switch_all(s, FAULT_SLOW);
    seconds_until(s, &told, healed_ms);
    say_mark(s, "and is over: the service is as quick as before");
    switch_all(s, FAULT_NONE);
    seconds_until(s, &told, healed_ms + s->after_ms);
    if (stopped || s->trouble)
        return;
    if (!s->json) {
        out_line(&s->out, "%s", "");
        out_line(&s->out, "  %-16s%14s%20s%15s   %s", "answered", "in the brown-out",
                 "in the last 3 s", "calls a call*", "well again");
    }
    for (int i = 0; i < WORLDS; i++)
        say_result(s, &s->worlds[i]);
    if (!s->json)
        out_line(&s->out, "  * what the service was asked for each call, after the brown-out");
}

static bool prepare(storm *s)
{
    bool free = true;
    ssize_t length = readlink("/proc/self/exe", s->program, sizeof s->program - 1);
    if (length <= 0 || access(s->program, X_OK) != 0)
        strcpy(s->program, "/proc/self/exe");
    for (int i = 0; i < WORLDS; i++) {
        storm_world *w = &s->worlds[i];
        w->storm = s;
        w->plan = &plans[i];
        for (int p = 0; p < PARTS; p++) {
            char holder[128];
            w->parts[p].world = w;
            w->parts[p].port = (uint16_t)(s->ports + i * 10 + p);
            if (p == PARTS - 1 || port_is_free(w->parts[p].port))
                continue;
            fprintf(stderr, "port %u is taken by %s\n", w->parts[p].port,
                    port_holder(holder, sizeof holder, w->parts[p].port));
            free = false;
        }
    }
    if (!free)
        fprintf(stderr,
                "The lab needs it: end that program, or use other ports, such as "
                "--ports %d\n",
                s->ports == 20000 ? 21000 : 20000);
    return free;
}

static bool start_parts(storm *s)
{
    bool fine = true, ready = false;
    for (int i = 0; i < WORLDS && fine; i++) {
        fine = start_service(&s->worlds[i]);
        for (int k = 0; k < INSTANCES && fine; k++)
            fine = start_instance(&s->worlds[i], k);
    }
    if (!fine)
        perror("cannot start the lab's processes");
    int64_t deadline_ns = swg_clock_ns() + READY_MS * (int64_t)NS_PER_MS;
    while (fine && !ready && !stopped && !s->trouble && swg_clock_ns() < deadline_ns) {
        take_reports(s, 50);
        ready = true;
        for (int i = 0; i < WORLDS * (PARTS - 1); i++)
            ready &= s->worlds[i / (PARTS - 1)].parts[i % (PARTS - 1)].ready;
    }
    if (fine && !ready && !stopped)
        fputs("the lab's processes did not start in time\n", stderr);
    return ready;
}

int lab_storm_run(const cli_args *args)
{
    storm *s = calloc(1, sizeof *s);
    if (!s)
        return CLI_FAILED;
    out_open(&s->out, stdout, cli_text(args, "color", NULL));
    s->json = cli_flag(args, "json");
    s->seed = cli_number(args, "seed", 1);
    s->ports = (int)cli_number(args, "ports", PORTS);
    s->calls_per_s = cli_number(args, "calls", 100);
    s->brownout_ms = cli_number(args, "brownout", 4000);
    s->after_ms = cli_number(args, "after", 15000);
    signal(SIGPIPE, SIG_IGN);
    const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (int i = 0; i < 3; i++)
        sigaction(signals[i], &(struct sigaction){.sa_handler = stop}, NULL);
    bool fine = prepare(s);
    if (fine) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        fine = start_parts(s);
        forget_panels(); /* all have theirs open: nothing is left, whoever dies */
        if (fine)
            tell(s);
        stop_all(s);
        curl_global_cleanup();
    }
    fine = fine && !s->trouble && !ferror(s->out.file);
    free(s);
    if (stopped) {
        signal(stopped, SIG_DFL);
        raise(stopped);
    }
    return fine ? CLI_FINE : CLI_FAILED;
}
