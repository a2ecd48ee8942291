/* A circuit of many hosts, through Redis. The dependency is a file, so that it can be broken and
 * healed by hand; two panels on one host are two hosts to the fleet:
 *
 *     cc fleet.c $(pkg-config --cflags --libs switchgear-fleet) -pthread -o fleet
 *     touch up
 *     ./fleet redis://127.0.0.1:6379 /shop-a up &
 *     ./fleet redis://127.0.0.1:6379 /shop-b up &
 *     rm up; sleep 10; touch up
 *
 * Any number of processes may share a panel, as workers do; the first of them is its client, and
 * another takes over when that one is gone:
 *
 *     ./fleet redis://127.0.0.1:6379 /shop-a up &
 *
 * Each prints a line when what it sees changes, until Ctrl-C. Kill Redis meanwhile: calls go on.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <switchgear/fleet_run.h>
#include <switchgear/gate.h>
#include <switchgear/switchgear.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

typedef struct carrier {
    swg_panel *panel;
    swg_fleet *fleet;
    const char *url;
    swg_fleet_url parts;
    int stop_fd;
    int error;
} carrier;

/* For a scrape by a web server of one's own; here once, at the end. */
static void print_metrics(const swg_fleet *fleet)
{
    if (fleet == NULL) {
        return;
    }
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    const int64_t wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
    const size_t bytes = swg_fleet_metrics_write(fleet, swg_clock_ns(), wall_ms, NULL, 0) + 1;
    char *text = malloc(bytes);
    if (text != NULL) {
        swg_fleet_metrics_write(fleet, swg_clock_ns(), wall_ms, text, bytes);
        fputs(text, stdout);
        free(text);
    }
}

/* Each shard has a mode and errors of its own; those of our circuit's will do. A server that has
 * not seen the script yet is given it: no news. */
static void event(void *arg, const swg_fleet_event *event)
{
    const carrier *c = arg;
    if (event->shard != swg_fleet_shard(c->fleet, "payments")) {
        return;
    }
    if (event->kind == SWG_FLEET_EVENT_MODE) {
        fprintf(stderr, "mode %s\n", swg_fleet_mode_name((swg_fleet_mode)event->value));
    } else if (event->kind == SWG_FLEET_EVENT_ERROR && event->value != SWG_FLEET_NOSCRIPT) {
        fprintf(stderr, "%s: %s\n", swg_fleet_error_name((swg_fleet_error)event->value),
                event->text);
    }
}

/* What stands in the way, and where: once, until it works again. */
static void trouble(void *arg, const char *what)
{
    (void)arg;
    fprintf(stderr, "%s\n", what);
}

/* Whose the URL's user, password and database are: the client's, not the transport's. */
static int join(carrier *c)
{
    uint64_t seed;
    char host[256]; /* a long name is cut by the fleet's client */
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed ||
        gethostname(host, sizeof host) != 0) {
        return SWG_ESYS;
    }
    const swg_fleet_config *config =
        SWG_FLEET(.host = host, .user = c->parts.user[0] != '\0' ? c->parts.user : NULL,
                  .password = c->parts.password[0] != '\0' ? c->parts.password : NULL,
                  .database = c->parts.database);
    const char *field, *reason;
    if (swg_fleet_config_check(config, &field, &reason) != SWG_OK) {
        fprintf(stderr, "the fleet's %s %s\n", field, reason);
        return SWG_EINVAL;
    }
    return swg_fleet_open(&c->fleet, c->panel, config, seed, swg_clock_ns());
}

/* The panel's client, whenever there is no other. */
static void *carry(void *arg)
{
    carrier *c = arg;
    struct pollfd stop = {.fd = c->stop_fd, .events = POLLIN};
    do {
        swg_fleet_close(&c->fleet);
        c->error = join(c);
        if (c->error == SWG_OK) {
            fprintf(stderr, "this process is the panel's client\n");
            c->error = swg_fleet_run(c->fleet,
                                     SWG_FLEET_RUN(.url = c->url, .stop_fd = c->stop_fd,
                                                   .event = event, .trouble = trouble, .arg = c));
        }
    } while (c->error == SWG_EBUSY && poll(&stop, 1, 1000) == 0);
    if (c->error != SWG_OK && c->error != SWG_EBUSY) {
        fprintf(stderr, "no client: %s\n", swg_error_text(c->error));
    }
    return NULL;
}

static swg_verdict call(swg_circuit *circuit, const char *file)
{
    swg_permit permit;
    const swg_verdict verdict = swg_acquire(circuit, &permit, swg_clock_ns());
    if (verdict == SWG_PERMITTED) {
        const bool ok = access(file, F_OK) == 0;
        swg_release(circuit, &permit, ok ? SWG_SUCCESS : SWG_FAILURE, swg_clock_ns());
    }
    return verdict;
}

/* Twenty calls a second until the signal comes. Printed are the breaker of this host, what the
 * fleet says over it (its gate), and what became of the calls so far. */
static void work(swg_circuit *circuit, const char *file, int stop_fd)
{
    unsigned permitted = 0, rejected = 0;
    uint32_t state = SWG_STATE_COUNT, gate = 0;
    struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
    while (poll(&stop, 1, 50) == 0) {
        swg_snapshot now;
        *(call(circuit, file) == SWG_PERMITTED ? &permitted : &rejected) += 1;
        swg_circuit_read(circuit, swg_clock_ns(), &now);
        if (now.state != state || now.gate != gate) {
            printf("breaker %-9s gate %-7s permitted %u, rejected %u\n",
                   swg_state_name((swg_state)now.state),
                   swg_gate_mode_name((swg_gate_mode)now.gate), permitted, rejected);
            fflush(stdout);
            state = now.state;
            gate = now.gate;
        }
    }
}

/* Blocked in every thread, and read as a descriptor by both: SIGINT and SIGTERM. */
static int stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s URL /PANEL FILE\n", argv[0]);
        return 2;
    }
    swg_circuit *payments = NULL;
    const char *reason = NULL;
    carrier c = {.url = argv[1], .stop_fd = stop_signals()};
    if (swg_fleet_url_parse(&c.parts, c.url, &reason) != SWG_OK) {
        fprintf(stderr, "the URL %s\n", reason);
        return 2;
    }
    int error = c.stop_fd < 0 ? SWG_ESYS : swg_panel_open(&c.panel, argv[2], NULL);
    if (error >= SWG_OK) {
        error = swg_circuit_open(&payments, c.panel, "payments",
                                 SWG_CIRCUIT(.failure_threshold = 5, .recovery_ms = 2000));
    }
    pthread_t thread;
    if (error >= SWG_OK && pthread_create(&thread, NULL, carry, &c) != 0) {
        error = SWG_ESYS;
    }
    if (error >= SWG_OK) {
        work(payments, argv[3], c.stop_fd);
        pthread_join(thread, NULL);
        error = c.error == SWG_EBUSY ? SWG_OK : c.error;
        print_metrics(c.fleet);
    }
    if (error < SWG_OK) {
        fprintf(stderr, "%s\n", swg_error_text(error));
    }
    swg_fleet_close(&c.fleet);
    swg_panel_close(&c.panel);
    return error < SWG_OK;
}
