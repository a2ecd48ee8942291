/* The client's bytes carried over as many connections as it takes, on a thread of the caller's
 * choosing.
 *
 * Keeps: nothing in the loop waits but its one poll, which stop_fd ends at once. */
#include "net.h"
#include "strict.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEAVE_NS (200 * MS)

enum { STOP, BELL, SCOUT, LINES }; /* places in what is polled */

/* What the server said of it, and what may be the matter. */
static const char *words_of(const swg_fleet_event *event, char words[NET_TROUBLE_MAX])
{
    const bool knows_us_not = event->shard != SWG_NONE || strncmp(event->text, "AUTH:", 5) == 0;
    if (event->kind == SWG_FLEET_EVENT_READONLY)
        return "it is a replica: READONLY";
    snprintf(words, NET_TROUBLE_MAX, "%s%s",
             event->value == SWG_FLEET_AUTH && knows_us_not
                 ? "refused, is it the right user and password? "
                 : "",
             event->text);
    return words;
}

static void heed(struct net_run *r, const swg_fleet_event *event, int64_t now)
{
    const uint32_t n = event->link == SWG_FLEET_EAR ? r->links : event->link;
    struct net_line *l = n <= r->links ? &r->lines[n] : NULL;
    char words[NET_TROUBLE_MAX];
    if (!l)
        return;
    if (event->kind == SWG_FLEET_EVENT_GIVE_UP || event->kind == SWG_FLEET_EVENT_READONLY) {
        if (l->up)
            swg__line_drop(r, l, words_of(event, words), now);
    } else if (event->kind == SWG_FLEET_EVENT_ERROR &&
               (event->shard == SWG_NONE || event->value == SWG_FLEET_AUTH)) {
        swg__line_tell(r, l, words_of(event, words));
    }
}

/* The client says it once, until it changes. */
static void tell_limits(const struct net_run *r, const swg_fleet_event *event)
{
    char text[sizeof event->text + 16];
    snprintf(text, sizeof text, "limits: %s", event->text);
    if (r->config.trouble)
        r->config.trouble(r->config.arg, text);
}

/* True: there were some, after which the client may have something to do. */
static bool take_events(struct net_run *r, int64_t now)
{
    swg_fleet_event event;
    bool any = false;
    for (; swg_fleet_poll(r->fleet, &event); any = true) {
        heed(r, &event, now);
        if (event.kind == SWG_FLEET_EVENT_REPLACED)
            r->result = SWG_EBUSY;
        if (event.kind == SWG_FLEET_EVENT_LIMITS)
            tell_limits(r, &event);
        if (r->url.kind == SWG_FLEET_CLUSTER)
            swg__cluster_event(r, &event, now);
        if (r->config.event)
            r->config.event(r->config.arg, &event);
    }
    return any;
}

/* Returns when to look again. */
static int64_t let_look(struct net_run *r, int64_t now)
{
    if (!r->config.look)
        return NEVER;
    if (now >= r->look_ns) {
        r->config.look(r->config.arg, r->fleet);
        r->look_ns = now + (r->config.look_ms ? r->config.look_ms : 1000) * MS;
    }
    return r->look_ns;
}

/* Everything that can be done now; returns when there is more. */
static int64_t turn(struct net_run *r, int64_t now)
{
    swg__scout_step(r, now);
    for (uint32_t i = 0; i < r->links; i++)
        swg__line_step(r, &r->lines[i], now);
    swg__ear_step(r, now);
    for (uint32_t i = 0; i <= r->links; i++)
        swg__line_input(r, &r->lines[i], now);
    if (r->config.strict)
        swg__strict_turn(r->config.strict, r->fleet, now);
    int64_t due = let_look(r, now);
    due = swg__client_min(due, swg_fleet_tick(r->fleet, now));
    if (take_events(r, now))
        due = now;
    for (uint32_t i = 0; i <= r->links; i++) {
        swg__line_output(r, &r->lines[i], now);
        due = swg__client_min(due, swg__line_due(&r->lines[i], now));
    }
    return swg__client_min(due, swg__scout_due(&r->scout, now));
}

static void mark(struct net_run *r, const struct pollfd *fds)
{
    for (uint32_t i = 0; i <= r->links; i++)
        r->lines[i].readable = fds[LINES + i].revents != 0;
}

/* True: stop. */
static bool wait_until(struct net_run *r, int64_t due)
{
    struct pollfd fds[LINES + SWG_FLEET_LINKS_MAX + 1] = {
        [STOP] = {.fd = r->config.stop_fd > 0 ? r->config.stop_fd : -1, .events = POLLIN},
        [BELL] = {.fd = r->config.strict ? swg__strict_fd(r->config.strict) : -1, .events = POLLIN},
        [SCOUT] = {.fd = r->scout.link.fd, .events = swg__scout_wants(&r->scout)}};
    const int64_t left = due - swg_clock_ns();
    struct timespec wait = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    for (uint32_t i = 0; i <= r->links; i++)
        fds[LINES + i] =
            (struct pollfd){.fd = r->lines[i].link.fd, .events = swg__line_wants(r, &r->lines[i])};
    if (left <= 0)
        wait = (struct timespec){0};
    if (ppoll(fds, LINES + r->links + 1, due == NEVER ? NULL : &wait, NULL) <= 0)
        return false;
    mark(r, fds);
    return fds[STOP].revents != 0;
}

/* ---- opening and closing ------------------------------------------------------------------- */

static void open_lines(struct net_run *r, const net_link *first)
{
    for (uint32_t i = 0; i <= r->links; i++) {
        struct net_line *l = &r->lines[i];
        swg__link_share(&l->link, first);
        l->number = i < r->links ? i : SWG_FLEET_EAR;
        l->aimed = i < r->links && r->url.kind == SWG_FLEET_SINGLE;
        l->greets = i < r->links && r->url.kind == SWG_FLEET_SENTINEL;
    }
}

static void open_scout(struct net_run *r, const net_link *first)
{
    swg__link_share(&r->scout.link, first);
    r->scout.runs = r->url.kind != SWG_FLEET_SINGLE;
    if (r->scout.runs) /* not all hosts the first one */
        r->scout.place = (uint32_t)swg__client_random(r->fleet, r->url.seeds);
}

/* Permits that nobody took, and results, are told if there is a connection: a last exchange, for
 * which nothing is waited for longer than a moment. */
static void leave(struct net_run *r)
{
    int64_t now = swg_clock_ns();
    const int64_t limit = now + LEAVE_NS;
    r->config.stop_fd = 0; /* heard */
    while (!swg_fleet_leave(r->fleet, now) && now < limit) {
        wait_until(r, swg__client_min(turn(r, now), limit));
        now = swg_clock_ns();
    }
}

static int carry(struct net_run *r)
{
    net_link first;
    if (!swg__link_open(&first, &r->url, &r->config)) {
        const int result = errno == EINVAL   ? SWG_EINVAL
                           : errno == EACCES ? SWG_EACCESS
                                             : SWG_ENOMEM;
        swg__net_tell_opening(r, first.trouble);
        swg__link_close(&first);
        return result;
    }
    open_lines(r, &first);
    open_scout(r, &first);
    swg__link_close(&first);
    if (r->config.strict && !swg__strict_attach(r->config.strict, true)) {
        swg__net_tell_opening(r, "strict was opened in another process");
        r->result = SWG_EINVAL;
    }
    while (r->result == SWG_OK && !wait_until(r, turn(r, swg_clock_ns())))
        ;
    leave(r);
    if (r->config.strict)
        swg__strict_attach(r->config.strict, false);
    for (uint32_t i = 0; i <= r->links; i++)
        swg__line_close(r, &r->lines[i]);
    swg__scout_close(r);
    return r->result;
}

int swg_fleet_run(swg_fleet *fleet, const swg_fleet_run_config *config)
{
    struct net_run *r = fleet && config ? calloc(1, sizeof *r) : NULL;
    if (!r)
        return fleet && config ? SWG_ENOMEM : SWG_EINVAL;
    r->fleet = fleet;
    int result = swg__net_take(r, config);
    r->links = r->url.kind == SWG_FLEET_CLUSTER ? fleet->config.links : 1;
    r->lines = calloc(r->links + 1, sizeof *r->lines);
    if (result == SWG_OK)
        result = r->lines ? carry(r) : SWG_ENOMEM;
    swg__net_give_back(r);
    free(r->lines);
    free(r);
    return result;
}
