/* The client's bytes carried over one connection, on a thread of the caller's choosing. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net_link.h"
#include "strict.h"

enum { ROOM = 65536, TURNS = 16 };

typedef struct runner {
    swg_fleet *fleet;
    swg_fleet_run_config config;
    swg_fleet_url url;
    net_link link;
    char told[NET_TROUBLE_MAX]; /* the trouble said last */
    int64_t look_due;
    char bytes[ROOM];
} runner;

static void tell_trouble(runner *r)
{
    if (r->link.trouble[0] == '\0' || strcmp(r->told, r->link.trouble) == 0)
        return;
    strcpy(r->told, r->link.trouble);
    if (r->config.trouble)
        r->config.trouble(r->config.arg, r->told);
}

static void hang_up(runner *r, int64_t now)
{
    net_link_drop(&r->link);
    r->link.due_ns = swg_fleet_disconnected(r->fleet, 0, now);
    tell_trouble(r);
}

static bool give_output(runner *r, int64_t now)
{
    const char *out;
    size_t count;
    for (int i = 0; i < TURNS; i++) {
        swg_fleet_output(r->fleet, 0, &out, &count);
        const ssize_t sent = count > 0 ? net_link_write(&r->link, out, count) : 0;
        if (sent < 0) {
            hang_up(r, now);
            return false;
        }
        if (sent == 0)
            return count > 0;
        swg_fleet_sent(r->fleet, 0, (size_t)sent);
    }
    return true;
}

static void take_input(runner *r, int64_t now)
{
    for (int i = 0; i < TURNS && r->link.state == NET_UP; i++) {
        const ssize_t count = net_link_read(&r->link, r->bytes, ROOM);
        if (count == 0)
            return;
        if (count < 0 || swg_fleet_feed(r->fleet, 0, r->bytes, (size_t)count, now) != SWG_OK)
            hang_up(r, now);
    }
}

static void take_events(runner *r, int64_t now)
{
    swg_fleet_event event;
    while (swg_fleet_poll(r->fleet, &event)) {
        if ((event.kind == SWG_FLEET_EVENT_GIVE_UP || event.kind == SWG_FLEET_EVENT_READONLY) &&
            r->link.state == NET_UP)
            hang_up(r, now);
        if (r->config.event)
            r->config.event(r->config.arg, &event);
    }
}

/* Connects when it is time to; a failure counts as a connection that was lost at once. */
static void connect_step(runner *r, int64_t now)
{
    const bool was_trying = r->link.state != NET_DOWN || now >= r->link.due_ns;
    if (net_link_step(&r->link, now)) {
        r->told[0] = '\0';
        if (swg_fleet_connected(r->fleet, 0, now) != SWG_OK)
            hang_up(r, now);
    } else if (was_trying && r->link.state == NET_DOWN) {
        hang_up(r, now);
    }
}

/* Returns when to look again. */
static int64_t look(runner *r, int64_t now)
{
    if (!r->config.look)
        return INT64_MAX;
    if (now >= r->look_due) {
        r->config.look(r->config.arg, r->fleet);
        r->look_due = now + (r->config.look_ms ? r->config.look_ms : 1000) * INT64_C(1000000);
    }
    return r->look_due;
}

/* True: stop. */
static bool wait_until(const runner *r, bool output, int64_t due)
{
    const int64_t left = due - swg_clock_ns();
    struct timespec wait = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    struct pollfd fds[] = {
        {.fd = r->config.stop_fd > 0 ? r->config.stop_fd : -1, .events = POLLIN},
        {.fd = r->config.strict ? swg__strict_fd(r->config.strict) : -1, .events = POLLIN},
        {.fd = r->link.fd, .events = net_link_wants(&r->link, output)}};
    if (left <= 0)
        wait = (struct timespec){0};
    return ppoll(fds, 3, due == INT64_MAX ? NULL : &wait, NULL) > 0 && fds[0].revents != 0;
}

static void run(runner *r)
{
    bool stop = false;
    if (r->config.strict)
        swg__strict_attach(r->config.strict, true);
    while (!stop) {
        bool output = false;
        int64_t now = swg_clock_ns();
        connect_step(r, now);
        take_input(r, now);
        if (r->config.strict)
            swg__strict_turn(r->config.strict, r->fleet, now);
        int64_t due = look(r, now);
        const int64_t tick = swg_fleet_tick(r->fleet, now);
        if (r->link.state == NET_UP)
            output = give_output(r, now);
        take_events(r, now);
        due = tick < due ? tick : due;
        const int64_t step = net_link_due(&r->link, now);
        stop = wait_until(r, output, step < due ? step : due);
    }
    if (r->config.strict)
        swg__strict_attach(r->config.strict, false);
}

static int take(runner *r, const swg_fleet_run_config *config)
{
    if (config->size < sizeof config->size)
        return SWG_EINVAL;
    for (size_t i = sizeof r->config; i < config->size; i++)
        if (((const unsigned char *)config)[i] != 0)
            return SWG_ENEWER;
    memcpy(&r->config, config, config->size < sizeof r->config ? config->size : sizeof r->config);
    const uint32_t ms = r->config.connect_ms;
    const uint32_t look_ms = r->config.look_ms;
    if ((ms != 0 && (ms < 10 || ms > 60000)) || (look_ms != 0 && (look_ms < 10 || look_ms > 60000)))
        return SWG_EINVAL;
    return swg_fleet_url_parse(&r->url, r->config.url, NULL);
}

int swg_fleet_run(swg_fleet *fleet, const swg_fleet_run_config *config)
{
    if (!fleet || !config)
        return SWG_EINVAL;
    runner *r = calloc(1, sizeof *r);
    if (!r)
        return SWG_ENOMEM;
    r->fleet = fleet;
    int result = take(r, config);
    if (result == SWG_OK) {
        if (net_link_open(&r->link, &r->url, &r->config))
            run(r);
        else
            result = errno == EACCES ? SWG_EACCESS : SWG_ENOMEM;
        tell_trouble(r);
        if (r->link.state == NET_UP)
            swg_fleet_disconnected(fleet, 0, swg_clock_ns());
        net_link_close(&r->link);
    }
    free(r);
    return result;
}
