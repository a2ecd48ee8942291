#include "live_host.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <switchgear/gate.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define MS INT64_C(1000000)

static void on_event(void *arg, const swg_fleet_event *event)
{
    live_host *h = arg;

    pthread_mutex_lock(&h->lock);
    h->events[event->kind % 16]++;
    if (event->kind == SWG_FLEET_EVENT_MODE) {
        h->modes[event->shard] = (swg_fleet_mode)event->value;
        h->seen[event->shard][event->value]++;
    }
    if (event->kind == SWG_FLEET_EVENT_ERROR)
        h->errors[event->value]++;
    pthread_mutex_unlock(&h->lock);
}

static void on_trouble(void *arg, const char *what)
{
    live_host *h = arg;

    pthread_mutex_lock(&h->lock);
    const size_t used = strlen(h->troubles);
    snprintf(h->troubles + used, sizeof h->troubles - used, "%s\n", what);
    pthread_mutex_unlock(&h->lock);
}

static void on_look(void *arg, swg_fleet *fleet)
{
    live_host *h = arg;

    pthread_mutex_lock(&h->lock);
    swg_fleet_read(fleet, &h->last);
    pthread_mutex_unlock(&h->lock);
}

static void *run(void *arg)
{
    live_host *h = arg;

    h->result = swg_fleet_run(h->fleet, &h->config);
    return NULL;
}

static void open_client(live_host *h, const swg_fleet_url *u, const swg_fleet_config *given)
{
    swg_fleet_config config = *given;
    uint64_t number;

    ck_assert_int_eq((int)getrandom(&number, sizeof number, 0), (int)sizeof number);
    config.reporter = number | 1;
    if (config.local_ms == 0) { /* so that a busy machine is no trouble */
        config.stale_ms = 1000;
        config.local_ms = 1500;
    }
    config.timeout_ms = 500;
    config.quorum = 1;
    config.revision = 1;
    config.user = u->user[0] ? u->user : NULL;
    config.password = u->password[0] ? u->password : NULL;
    config.database = u->database;
    ck_assert_int_eq(swg_fleet_open(&h->fleet, h->panel, &config, number, swg_clock_ns()), SWG_OK);
}

void host_start(live_host *h, const swg_fleet_run_config *run_config,
                const swg_fleet_config *config)
{
    static const swg_circuit_config circuit = {
        .size = sizeof circuit, .calls_min = 10, .recovery_ms = 60000};
    swg_fleet_url u;
    const char *reason;

    *h = (live_host){.config = *run_config, .shards = config->shards};
    pthread_mutex_init(&h->lock, NULL);
    ck_assert_msg(swg_fleet_url_parse(&u, run_config->url, &reason) == SWG_OK, "%s %s",
                  run_config->url, reason);
    ck_assert_int_eq(swg_panel_open(&h->panel, NULL, SWG_PANEL(.circuits = 4)), SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&h->circuit, h->panel, "db", &circuit), SWG_OK);
    open_client(h, &u, config);
    h->shard = swg_fleet_shard(h->fleet, "db");
    h->config.stop_fd = eventfd(0, EFD_CLOEXEC);
    h->config.event = on_event;
    h->config.trouble = on_trouble;
    h->config.look = on_look;
    h->config.look_ms = 10;
    h->config.arg = h;
    ck_assert_int_eq(pthread_create(&h->thread, NULL, run, h), 0);
}

void host_stop(live_host *h)
{
    const int64_t before = swg_clock_ns();

    ck_assert_int_eq(eventfd_write(h->config.stop_fd, 1), 0);
    pthread_join(h->thread, NULL);
    /* At once, on a busy machine: what it might have waited for takes a minute. */
    ck_assert_int_lt(swg_clock_ns() - before, 10000 * MS);
    ck_assert_int_eq(h->result, SWG_OK);
    close(h->config.stop_fd);
    swg_fleet_close(&h->fleet);
    swg_panel_close(&h->panel);
    pthread_mutex_destroy(&h->lock);
}

/* ---- waiting ---- */

static void try_call(live_host *h)
{
    swg_permit permit;

    if (h->held_open)
        ck_assert_int_ne(swg_acquire(h->circuit, &permit, swg_clock_ns()), SWG_PERMITTED);
}

void host_until(live_host *h, bool (*right)(live_host *h, const void *arg), const void *arg,
                const char *what)
{
    const int64_t end = swg_clock_ns() + 20000 * MS;

    for (;;) {
        try_call(h);
        pthread_mutex_lock(&h->lock);
        const bool fine = right(h, arg);
        pthread_mutex_unlock(&h->lock);
        if (fine)
            return;
        ck_assert_msg(swg_clock_ns() < end, "not in twenty seconds: %s; shard %u is %s\n%s", what,
                      h->shard, swg_fleet_mode_name(h->modes[h->shard]), h->troubles);
        nanosleep(&(struct timespec){.tv_nsec = 2 * MS}, NULL);
    }
}

static bool is_mode(live_host *h, const void *mode)
{
    return h->modes[h->shard] == *(const swg_fleet_mode *)mode;
}

void host_until_mode(live_host *h, swg_fleet_mode mode)
{
    host_until(h, is_mode, &mode, swg_fleet_mode_name(mode));
}

static bool are_all(live_host *h, const void *mode)
{
    for (uint32_t i = 0; i < h->shards; i++) {
        if (h->modes[i] != *(const swg_fleet_mode *)mode)
            return false;
    }
    return true;
}

void host_until_all(live_host *h, swg_fleet_mode mode)
{
    host_until(h, are_all, &mode, swg_fleet_mode_name(mode));
}

static bool is_said(live_host *h, const void *words)
{
    return strstr(h->troubles, words) != NULL;
}

void host_until_trouble(live_host *h, const char *words)
{
    host_until(h, is_said, words, words);
}

static bool has_error(live_host *h, const void *error)
{
    return h->errors[*(const swg_fleet_error *)error] > 0;
}

void host_until_error(live_host *h, swg_fleet_error error)
{
    host_until(h, has_error, &error, swg_fleet_error_name(error));
}

static bool has_event(live_host *h, const void *kind)
{
    return h->events[*(const swg_fleet_event_kind *)kind] > 0;
}

void host_until_event(live_host *h, swg_fleet_event_kind kind)
{
    host_until(h, has_event, &kind, "an event");
}

void host_forget(live_host *h)
{
    pthread_mutex_lock(&h->lock);
    memset(h->events, 0, sizeof h->events);
    memset(h->errors, 0, sizeof h->errors);
    memset(h->seen, 0, sizeof h->seen);
    h->troubles[0] = '\0';
    pthread_mutex_unlock(&h->lock);
}

uint32_t host_troubles(live_host *h, const char *words)
{
    uint32_t count = 0;

    pthread_mutex_lock(&h->lock);
    for (const char *at = h->troubles; (at = strstr(at, words)); at++)
        count++;
    pthread_mutex_unlock(&h->lock);
    return count;
}

static bool is_open(live_host *h, const void *arg)
{
    swg_gate_reading reading;
    swg_permit permit;

    (void)arg;
    if (swg_acquire(h->circuit, &permit, swg_clock_ns()) == SWG_PERMITTED)
        swg_release(h->circuit, &permit, SWG_FAILURE, swg_clock_ns());
    ck_assert_int_eq(swg_gate_read(h->circuit, swg_clock_ns(), &reading), SWG_OK);
    return reading.mode == SWG_GATE_OPEN;
}

void host_trip(live_host *h)
{
    host_until(h, is_open, NULL, "the fleet is open");
    h->held_open = true;
}
