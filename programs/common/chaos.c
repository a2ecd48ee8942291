#include "chaos_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

int64_t chaos_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

bool chaos_fail(char *answer, const char *format, ...)
{
    va_list args;
    const int used = snprintf(answer, CHAOS_LINE_MAX, "error: ");
    va_start(args, format);
    vsnprintf(answer + used, CHAOS_LINE_MAX - (size_t)used, format, args);
    va_end(args);
    return false;
}

chaos_route *chaos_find(const chaos *c, const char *name)
{
    for (chaos_route *r = c->routes; r; r = r->next)
        if (strcmp(r->name, name) == 0)
            return r;
    return NULL;
}

/* ---- opening and closing ------------------------------------------------------------------- */

chaos *chaos_open(const chaos_config *config, char *answer)
{
    chaos *c = calloc(1, sizeof *c);
    if (!c) {
        chaos_fail(answer, "out of memory");
        return NULL;
    }
    c->random = config->seed;
    c->control = -1;
    for (int i = 0; i < CHAOS_CONTROLS; i++)
        c->talks[i].fd = -1;
    if (config->record && !(c->record = fopen(config->record, "we")))
        chaos_fail(answer, "%s: %s", config->record, strerror(errno));
    else if (!config->control || chaos_control_open(c, config->control, answer))
        return c;
    chaos_close(&c);
    return NULL;
}

static bool parse_route(chaos_route *r, const char *spec, char *answer)
{
    char text[2 * CHAOS_LINE_MAX];
    snprintf(text, sizeof text, "%s", spec);
    char *equals = strchr(text, '='), *arrow = strchr(text, '>');
    if (!equals || !arrow || arrow < equals || strlen(spec) >= CHAOS_LINE_MAX)
        return chaos_fail(answer, "'%s': a route is NAME=ADDRESS>ADDRESS", spec);
    *equals = *arrow = '\0';
    if (equals == text || strlen(text) > CHAOS_NAME_MAX ||
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
            strlen(text))
        return chaos_fail(answer, "'%s': a name is 1 to %d of A-Z a-z 0-9 _ . -", text,
                          CHAOS_NAME_MAX);
    strcpy(r->name, text);
    return chaos_address_parse(&r->here, equals + 1, answer) &&
           chaos_address_parse(&r->upstream, arrow + 1, answer);
}

bool chaos_add_route(chaos *c, const char *spec, char *answer)
{
    chaos_route *r = calloc(1, sizeof *r);
    if (!r)
        return chaos_fail(answer, "out of memory");
    r->proxy = c;
    r->listener = -1;
    bool fine = parse_route(r, spec, answer);
    if (fine && chaos_find(c, r->name))
        fine = chaos_fail(answer, "there is a route '%s' already", r->name);
    if (fine && (r->listener = chaos_listen(&r->here)) < 0)
        fine = chaos_fail(answer, "%s: %s", r->here.text, strerror(errno));
    if (!fine) {
        free(r);
        return false;
    }
    r->next = c->routes;
    c->routes = r;
    return true;
}

void chaos_close(chaos **pointer)
{
    chaos *c = *pointer;
    *pointer = NULL;
    for (chaos_connection *k; (k = c->connections);) {
        c->connections = k->next;
        chaos_free(k);
    }
    for (chaos_route *r; (r = c->routes);) {
        c->routes = r->next;
        chaos_unlisten(r->listener, &r->here);
        free(r);
    }
    chaos_control_close(c);
    if (c->record)
        fclose(c->record);
    free(c);
}

/* ---- the loop ------------------------------------------------------------------------------ */

typedef struct turn {
    struct pollfd *fds;
    size_t count, room;
    int64_t due_ns;
} turn;

/* A descriptor nothing is wanted of is left out: poll() would report its end again and again. */
static size_t watch(turn *t, int fd, short events)
{
    t->fds[t->count] = (struct pollfd){.fd = events ? fd : -1, .events = events};
    return t->count++;
}

static bool make_room(turn *t, const chaos *c)
{
    size_t need = 2 + CHAOS_CONTROLS + 2 * c->count;
    for (const chaos_route *r = c->routes; r; r = r->next)
        need++;
    if (need <= t->room)
        return true;
    struct pollfd *grown = realloc(t->fds, 2 * need * sizeof *grown);
    if (!grown)
        return false;
    t->fds = grown;
    t->room = 2 * need;
    return true;
}

static void watch_all(turn *t, const chaos *c, int stop_fd)
{
    t->count = 0;
    t->due_ns = INT64_MAX;
    watch(t, stop_fd, POLLIN);
    watch(t, c->control, POLLIN);
    for (int i = 0; i < CHAOS_CONTROLS; i++)
        watch(t, c->talks[i].fd, POLLIN);
    for (const chaos_route *r = c->routes; r; r = r->next)
        watch(t, r->faults.cut ? -1 : r->listener, c->count < CHAOS_CONNECTIONS_MAX ? POLLIN : 0);
    for (const chaos_connection *k = c->connections; k; k = k->next) {
        short client, upstream;
        const int64_t due = chaos_wants(k, &client, &upstream);
        watch(t, k->client, client);
        watch(t, k->upstream, upstream);
        t->due_ns = due < t->due_ns ? due : t->due_ns;
    }
}

static int wait_turn(const turn *t)
{
    const int64_t left = t->due_ns - chaos_now_ns();
    const struct timespec wait = {.tv_sec = left > 0 ? left / 1000000000 : 0,
                                  .tv_nsec = left > 0 ? left % 1000000000 : 0};
    return ppoll(t->fds, t->count, t->due_ns == INT64_MAX ? NULL : &wait, NULL);
}

/* In the order of watch_all(). Commands come last, for they change the lists. */
static void serve_connections(chaos *c, const struct pollfd *at)
{
    for (chaos_connection *k = c->connections; k; k = k->next, at += 2)
        chaos_carry(k, at[0].revents, at[1].revents);
}

static void bury(chaos *c)
{
    for (chaos_connection **at = &c->connections; *at;) {
        chaos_connection *k = *at;
        if (k->dead) {
            *at = k->next;
            chaos_free(k);
        } else {
            at = &k->next;
        }
    }
}

static void serve(chaos *c, const turn *t)
{
    const struct pollfd *talks = t->fds + 2, *listeners = talks + CHAOS_CONTROLS;
    size_t routes = 0;
    for (const chaos_route *r = c->routes; r; r = r->next)
        routes++;
    serve_connections(c, listeners + routes);
    for (chaos_route *r = c->routes; r; r = r->next, listeners++)
        if (listeners->revents != 0)
            chaos_accept(r);
    for (int i = 0; i < CHAOS_CONTROLS; i++)
        if (talks[i].revents != 0)
            chaos_control_read(c, &c->talks[i]);
    if (t->fds[1].revents != 0)
        chaos_control_accept(c);
    bury(c);
    if (c->record)
        fflush(c->record);
}

bool chaos_run(chaos *c, int stop_fd)
{
    turn t = {0};
    bool fine;
    while ((fine = make_room(&t, c))) {
        watch_all(&t, c, stop_fd);
        if (wait_turn(&t) < 0) {
            if (errno == EINTR)
                continue;
            fine = false;
            break;
        }
        if (t.fds[0].revents != 0)
            break;
        serve(c, &t);
    }
    free(t.fds);
    return fine;
}

/* ---- in a process of its own --------------------------------------------------------------- */

static void let_go(chaos *c)
{
    for (chaos_route *r; (r = c->routes);) {
        c->routes = r->next;
        close(r->listener);
        free(r);
    }
    c->control_path[0] = '\0';
    chaos_control_close(c);
    if (c->record)
        fclose(c->record);
    free(c);
}

pid_t chaos_start(chaos **c)
{
    const pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGTERM, SIG_DFL);
        if (getppid() != parent)
            _exit(1);
        _exit(chaos_run(*c, -1) ? 0 : 1);
    }
    if (pid > 0) {
        let_go(*c);
        *c = NULL;
    }
    return pid;
}
