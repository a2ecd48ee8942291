#include "carrier.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS INT64_C(100000000)

enum { ROOM = 65536, EVENTS = 64, STOP = 2 * CARRIER_HOSTS };

static int connect_to(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void watch(carrier *c, int host, int which, int change)
{
    const carrier_link *l = &c->link[host][which];
    struct epoll_event event = {.events = EPOLLIN | (l->blocked ? EPOLLOUT : 0),
                                .data.u32 = (uint32_t)(2 * host + which)};
    epoll_ctl(c->epoll, change, l->fd, &event);
}

static void hang_up(carrier *c, int host, int which)
{
    carrier_link *l = &c->link[host][which];
    close(l->fd);
    l->fd = -1;
    l->due_ns = swg_fleet_disconnected(c->fleet[host], l->number, swg_clock_ns());
}

static void dial(carrier *c, int host, int which, int64_t now)
{
    carrier_link *l = &c->link[host][which];
    l->fd = connect_to(c->path);
    l->blocked = false;
    if (l->fd < 0) {
        l->due_ns = swg_fleet_disconnected(c->fleet[host], l->number, now);
        return;
    }
    watch(c, host, which, EPOLL_CTL_ADD);
    if (swg_fleet_connected(c->fleet[host], l->number, now) != SWG_OK) {
        hang_up(c, host, which);
    }
}

static void give(carrier *c, int host, int which)
{
    carrier_link *l = &c->link[host][which];
    const char *bytes;
    size_t count;
    bool blocked = false;
    swg_fleet_output(c->fleet[host], l->number, &bytes, &count);
    if (count > 0) {
        const ssize_t sent = send(l->fd, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            hang_up(c, host, which);
            return;
        }
        swg_fleet_sent(c->fleet[host], l->number, sent > 0 ? (size_t)sent : 0);
        blocked = sent < (ssize_t)count;
    }
    if (blocked != l->blocked) {
        l->blocked = blocked;
        watch(c, host, which, EPOLL_CTL_MOD);
    }
}

static void take(carrier *c, int host, int which)
{
    static _Thread_local char bytes[ROOM];
    carrier_link *l = &c->link[host][which];
    const ssize_t count = l->fd >= 0 ? recv(l->fd, bytes, ROOM, 0) : -1;
    if (l->fd < 0 || (count < 0 && errno == EAGAIN)) {
        return;
    }
    if (count <= 0 ||
        swg_fleet_feed(c->fleet[host], l->number, bytes, (size_t)count, swg_clock_ns()) != SWG_OK) {
        hang_up(c, host, which);
    }
}

static void take_events(carrier *c, int host)
{
    swg_fleet_event event;
    while (swg_fleet_poll(c->fleet[host], &event)) {
        const int which = event.link == SWG_FLEET_EAR;
        if (event.kind == SWG_FLEET_EVENT_GIVE_UP && c->link[host][which].fd >= 0) {
            hang_up(c, host, which);
        }
    }
}

/* What is due at one host, or may have become so by what it was fed. */
static void serve(carrier *c, int host)
{
    const int64_t now = swg_clock_ns();
    int64_t next = INT64_MAX;
    for (int which = 0; which <= (int)c->ears; which++) {
        if (c->link[host][which].fd < 0 && now >= c->link[host][which].due_ns) {
            dial(c, host, which, now);
        }
    }
    c->tick_ns[host] = swg_fleet_tick(c->fleet[host], now);
    take_events(c, host);
    for (int which = 0; which <= (int)c->ears; which++) {
        if (c->link[host][which].fd >= 0) {
            give(c, host, which);
        }
        if (c->link[host][which].fd < 0 && c->link[host][which].due_ns < next) {
            next = c->link[host][which].due_ns;
        }
    }
    c->tick_ns[host] = next < c->tick_ns[host] ? next : c->tick_ns[host];
}

/* False: stop. */
static bool wait_and_take(carrier *c, bool touched[])
{
    struct epoll_event events[EVENTS];
    int64_t due = INT64_MAX;
    for (int i = 0; i < c->hosts; i++) {
        due = c->tick_ns[i] < due ? c->tick_ns[i] : due;
    }
    const int64_t left = due - swg_clock_ns();
    const struct timespec wait = {.tv_sec = left > 0 ? left / 1000000000 : 0,
                                  .tv_nsec = left > 0 ? left % 1000000000 : 0};
    const int count = epoll_pwait2(c->epoll, events, EVENTS, &wait, NULL);
    for (int i = 0; i < count; i++) {
        const uint32_t at = events[i].data.u32;
        if (at == STOP) {
            return false;
        }
        take(c, (int)at / 2, at % 2);
        touched[at / 2] = true;
    }
    return true;
}

static void add(carrier_sums *sums, const swg_fleet *fleet)
{
    swg_fleet_snapshot s = {.size = sizeof(s)};
    swg_fleet_read(fleet, &s);
    sums->exchanges += s.exchanges;
    sums->hurried += s.hurried;
    sums->entries += s.entries;
    sums->transitions += s.transitions;
    sums->bytes += s.bytes_in + s.bytes_out;
    sums->together += s.modes[SWG_FLEET_FLEET];
    for (int i = 0; i < SWG_FLEET_ERROR_COUNT; i++) {
        sums->errors += i == SWG_FLEET_NOSCRIPT ? 0 : s.errors[i];
    }
}

static void sample_round_trips(carrier *c, const swg_fleet *fleet)
{
    swg_fleet_shard_snapshot s = {.shard = 0};
    for (uint32_t i = 0; swg_fleet_read_shard(fleet, i, &s) == SWG_OK; i++) {
        if (c->round_trips < CARRIER_TRIPS && s.round_trip_ns > 0) {
            c->round_trip_ms[c->round_trips++] = (float)s.round_trip_ns / 1e6F;
        }
    }
}

static void look(carrier *c, int64_t now)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    carrier_sums sums = {.at_ns = now, .cpu_ns = (int64_t)used.tv_sec * 1000000000 + used.tv_nsec};
    pthread_mutex_lock(&c->mutex);
    for (int i = 0; i < c->hosts; i++) {
        add(&sums, c->fleet[i]);
        sample_round_trips(c, c->fleet[i]);
    }
    c->sums = sums;
    pthread_mutex_unlock(&c->mutex);
    c->look_ns = now + LOOK_NS;
}

static void *run(void *arg)
{
    carrier *c = arg;
    bool go_on = true;
    while (go_on) {
        bool touched[CARRIER_HOSTS] = {false};
        go_on = wait_and_take(c, touched);
        const int64_t now = swg_clock_ns();
        for (int i = 0; i < c->hosts; i++) {
            if (touched[i] || now >= c->tick_ns[i]) {
                serve(c, i);
            }
        }
        if (now >= c->look_ns) {
            look(c, now);
        }
    }
    for (int i = 0; i < 2 * c->hosts; i++) {
        if (c->link[i / 2][i % 2].fd >= 0) {
            hang_up(c, i / 2, i % 2);
        }
    }
    return NULL;
}

bool carrier_start(carrier *c)
{
    struct epoll_event stop = {.events = EPOLLIN, .data.u32 = STOP};
    for (int i = 0; i < c->hosts; i++) {
        c->link[i][0] = (carrier_link){.fd = -1, .number = 0};
        c->link[i][1] = (carrier_link){.fd = -1, .number = SWG_FLEET_EAR};
        c->tick_ns[i] = 0;
    }
    pthread_mutex_init(&c->mutex, NULL);
    c->round_trip_ms = malloc(CARRIER_TRIPS * sizeof(*c->round_trip_ms));
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    c->stop_fd = eventfd(0, EFD_CLOEXEC);
    c->runs = c->round_trip_ms != NULL && c->epoll >= 0 && c->stop_fd >= 0 &&
              epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->stop_fd, &stop) == 0 &&
              pthread_create(&c->thread, NULL, run, c) == 0;
    return c->runs;
}

void carrier_stop(carrier *c)
{
    if (!c->runs) {
        return;
    }
    eventfd_write(c->stop_fd, 1);
    pthread_join(c->thread, NULL);
    close(c->epoll);
    close(c->stop_fd);
    free(c->round_trip_ms);
    pthread_mutex_destroy(&c->mutex);
    c->runs = false;
}

carrier_sums carrier_read(carrier *c, bool anew)
{
    pthread_mutex_lock(&c->mutex);
    const carrier_sums sums = c->sums;
    c->round_trips = anew ? 0 : c->round_trips;
    pthread_mutex_unlock(&c->mutex);
    return sums;
}

int carrier_round_trips(carrier *c, double *values)
{
    pthread_mutex_lock(&c->mutex);
    const int count = c->round_trips;
    for (int i = 0; i < count; i++) {
        values[i] = (double)c->round_trip_ms[i];
    }
    pthread_mutex_unlock(&c->mutex);
    return count;
}
