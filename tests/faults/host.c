#include "host.h"

#include "quiet.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/fleet_run.h>
#include <switchgear/gate.h>
#include <switchgear/switchgear.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define MS INT64_C(1000000)

typedef struct life {
    host *host;
    dependency *dependency;
    const host_config *config;
    swg_panel *panel;
    swg_circuit *circuits[CIRCUITS_MAX];
    swg_fleet *fleet;
    uint8_t modes[SWG_FLEET_SHARDS_MAX];
    uint8_t views[CIRCUITS_MAX];
    uint64_t cursor;
    int stop_fd, result;
} life;

static void sleep_ns(int64_t ns)
{
    const struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

/* ---- calling ------------------------------------------------------------------------------- */

static void raise_to(_Atomic int *most, int value)
{
    for (int seen = *most; seen < value && !atomic_compare_exchange_weak(most, &seen, value);)
        ;
}

/* A probe of the fleet takes its time, so that two at once are seen to be two. */
static void probe(life *l, int circuit)
{
    dependency *d = l->dependency;
    l->host->report.at_probe = true;
    d->last_probe_ns = swg_clock_ns();
    raise_to(&d->most, ++d->probing[circuit]);
    d->probes++;
    sleep_ns(d->probe_ms * MS);
    l->host->report.holding = l->host->orders.hold;
    while (l->host->orders.hold)
        sleep_ns(MS);
    l->host->report.holding = false;
    d->probing[circuit]--;
    l->host->report.at_probe = false;
}

static swg_outcome call(life *l, int circuit, bool is_probe)
{
    dependency *d = l->dependency;
    if (is_probe)
        probe(l, circuit);
    const bool failed = d->broken || l->host->orders.egress;
    if (is_probe) {
        d->passed += !failed;
    } else {
        d->last_plain_ns = swg_clock_ns();
        d->plain++;
        d->plain_failed += failed;
    }
    return failed ? SWG_FAILURE : SWG_SUCCESS;
}

/* Of a permit that was granted retry_ns is 0, but with a probe of the fleet. */
static void one_call(life *l, int circuit)
{
    host_report *r = &l->host->report;
    swg_permit permit;
    const swg_verdict verdict = swg_acquire(l->circuits[circuit], &permit, swg_clock_ns());
    r->calls++;
    r->permitted += verdict == SWG_PERMITTED;
    r->ramped += verdict == SWG_REJECTED_RAMP;
    if (verdict != SWG_PERMITTED)
        return;
    const swg_outcome outcome = call(l, circuit, permit.retry_ns != 0);
    swg_release(l->circuits[circuit], &permit, outcome, swg_clock_ns());
}

static void *call_on(void *arg)
{
    life *l = arg;
    host_orders *o = &l->host->orders;
    uint64_t made = 0;
    quiet_from_here();
    for (int circuit = 0;; circuit = (circuit + 1) % l->config->circuits) {
        const int period = o->period_us;
        if (made < o->calls) {
            one_call(l, circuit);
            l->host->report.made = ++made;
        } else if (period > 0) {
            one_call(l, circuit);
            sleep_ns(period * INT64_C(1000));
        } else {
            sleep_ns(MS);
        }
    }
    return NULL;
}

/* ---- the fleet's client -------------------------------------------------------------------- */

static void on_event(void *arg, const swg_fleet_event *event)
{
    life *l = arg;
    if (event->kind == SWG_FLEET_EVENT_ERROR && event->value < SWG_FLEET_ERROR_COUNT)
        l->host->report.errors[event->value]++;
}

static void *carry(void *arg)
{
    life *l = arg;
    l->result =
        swg_fleet_run(l->fleet, SWG_FLEET_RUN(.url = l->config->url, .stop_fd = l->stop_fd,
                                              .connect_ms = 300, .event = on_event, .arg = l));
    return NULL;
}

/* ---- reporting ----------------------------------------------------------------------------- */

static void note_view(life *l, const swg_event *e)
{
    host_report *r = &l->host->report;
    r->trips += e->from == SWG_CLOSED && e->to == SWG_OPEN;
    r->reopened += e->from == SWG_HALF_OPEN && e->to == SWG_OPEN;
    r->closed += e->to == SWG_CLOSED;
    r->views[l->views[e->circuit]]--;
    r->views[e->to]++;
    l->views[e->circuit] = e->to;
    if (e->circuit == 0)
        r->epoch = e->epoch;
    if (e->circuit == 0 && e->to == SWG_OPEN)
        r->open_until_ns = e->until_ns;
    if (e->circuit == 0 && e->to == SWG_CLOSED)
        r->closed_ns = e->at_ns;
}

static void note_mode(life *l, const swg_event *e)
{
    host_report *r = &l->host->report;
    const char *colon = strrchr(e->name, ':');
    const int shard = colon ? atoi(colon + 1) : 0;
    r->in_mode[l->modes[shard]]--;
    r->in_mode[e->to]++;
    r->went[e->to]++;
    l->modes[shard] = e->to;
}

static void read_journal(life *l)
{
    swg_event events[64];
    size_t count;
    while ((count = swg_journal_read(l->panel, &l->cursor, events, 64)) > 0) {
        for (size_t i = 0; i < count; i++) {
            if (events[i].scope == SWG_SCOPE_FLEET)
                note_view(l, &events[i]);
            else if (events[i].scope == SWG_SCOPE_FLEET_MODE)
                note_mode(l, &events[i]);
        }
    }
}

static void read_circuits(life *l)
{
    host_report *r = &l->host->report;
    const int64_t now = swg_clock_ns();
    int closed = 0, gates = 0;
    swg_gate_reading reading;
    for (int i = l->config->circuits - 1; i >= 0; i--) {
        swg_gate_read(l->circuits[i], now, &reading);
        closed += reading.state == SWG_CLOSED;
        gates += reading.mode != SWG_GATE_NONE;
    }
    r->own_closed = closed;
    r->gates = gates;
    r->gate_until_ns = reading.until_ns;
    r->gate = (int)reading.mode;
}

static void report(life *l)
{
    read_journal(l);
    read_circuits(l);
    l->host->report.turn++;
}

/* ---- its life ------------------------------------------------------------------------------ */

static void need(int result, const char *what)
{
    if (result == SWG_OK)
        return;
    fprintf(stderr, "host: %s: %s\n", what, swg_error_text(result));
    _exit(2);
}

static void open_circuits(life *l)
{
    const host_config *c = l->config;
    const swg_circuit_config circuit = {.size = sizeof circuit,
                                        .window_ms = (uint32_t)c->window_ms,
                                        .calls_min = (uint32_t)c->calls_min,
                                        .recovery_ms = (uint32_t)c->recovery_ms,
                                        .recovery_ms_max = 2 * (uint32_t)c->recovery_ms,
                                        .probes = (uint32_t)c->probes};
    need(swg_panel_open(&l->panel, NULL,
                        SWG_PANEL(.circuits = (uint32_t)c->circuits, .journal = 16384)),
         "panel");
    for (int i = 0; i < c->circuits; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        need(swg_circuit_open(&l->circuits[i], l->panel, name, &circuit), name);
    }
}

static void open_fleet(life *l)
{
    const host_config *c = l->config;
    const uint32_t ramp = c->ramp_ms ? (uint32_t)c->ramp_ms : SWG_NONE;
    const swg_fleet_config config = {.size = sizeof config,
                                     .space = "faults",
                                     .shards = (uint32_t)c->shards,
                                     .reporter = c->reporter,
                                     .interval_ms = 40,
                                     .stale_ms = (uint32_t)c->stale_ms,
                                     .local_ms = (uint32_t)c->local_ms,
                                     .timeout_ms = (uint32_t)c->timeout_ms,
                                     .revision = 1,
                                     .fail_limit = (uint32_t)c->fail_limit,
                                     .expiry_limit = (uint32_t)c->expiry_limit,
                                     .lease_ms = (uint32_t)c->lease_ms,
                                     .ramp_ms = ramp,
                                     .quarantine_ms = (uint32_t)c->quarantine_ms};
    need(swg_fleet_open(&l->fleet, l->panel, &config, c->reporter, swg_clock_ns()), "fleet");
}

static void start_thread(pthread_t *thread, void *(*run)(void *), life *l)
{
    if (pthread_create(thread, NULL, run, l) != 0)
        need(SWG_ESYS, "thread");
}

void host_run(host *h, dependency *d, const host_config *config)
{
    static life l;
    pthread_t client, caller;
    l = (life){.host = h, .dependency = d, .config = config, .stop_fd = eventfd(0, EFD_CLOEXEC)};
    open_circuits(&l);
    open_fleet(&l);
    h->report.in_mode[SWG_FLEET_JOINING] = config->shards;
    h->report.views[SWG_CLOSED] = config->circuits;
    start_thread(&client, carry, &l);
    start_thread(&caller, call_on, &l);
    while (!h->orders.quit) {
        report(&l);
        sleep_ns(config->circuits > 16 ? 10 * MS : 2 * MS);
    }
    eventfd_write(l.stop_fd, 1);
    pthread_join(client, NULL);
    need(l.result, "swg_fleet_run");
    swg_fleet_close(&l.fleet);
    _exit(0);
}
