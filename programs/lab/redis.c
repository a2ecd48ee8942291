/* The Redis of a lab, as a part of its own: it starts a redis-server in a private folder and kills,
 * freezes, thaws and restarts it when asked on /control, as the service's faults are switched.
 *
 * Its folder is gone when it ends, and the server with it. Whoever started it may be killed: then
 * the kernel tells this process to end, not to die, so that it can still clean up. */
#include "redis.h"

#include "../common/http_server.h"
#include "part.h"
#include "parts.h"
#include "redis_routes.h"
#include "redis_server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <switchgear/types.h>
#include <unistd.h>

enum { TURN_MS = 10, REPORT_MS = 200, ANSWER_S = 8, MS = 1000000 };

const char *const redis_actions[] = {"kill", "freeze", "thaw", "restart", "cut", "heal", NULL};

typedef struct keeper {
    part part;
    uint16_t port;
    char folder[REDIS_FOLDER_MAX];
    redis_server server; /* the main thread's alone, as the next */
    redis_routes routes;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t done;
    redis_order order; /* the last one */
    bool ordered;      /* and not carried out yet */
    bool failed;
    uint64_t changes;
    const char *state;
    char cut[STAGE_INSTANCES + 1];
    redis_counts counts;
} keeper;

/* ---- the folder ---------------------------------------------------------------------------- */

static bool make_folder(keeper *k, const char *wanted)
{
    bool made = wanted ? mkdir(wanted, 0700) == 0 : mkdtemp(k->folder) != NULL;
    if (made && wanted)
        snprintf(k->folder, sizeof k->folder, "%s", wanted);
    if (!made)
        fprintf(stderr, "redis: cannot make the folder %s: %s\n", wanted ? wanted : k->folder,
                strerror(errno));
    return made;
}

/* ---- orders -------------------------------------------------------------------------------- */

static bool act(keeper *k, const redis_order *order)
{
    switch (order->action) {
    case REDIS_KILL:
        redis_server_kill(&k->server);
        return true;
    case REDIS_FREEZE:
        redis_server_freeze(&k->server);
        return k->server.frozen;
    case REDIS_THAW:
        redis_server_thaw(&k->server);
        return true;
    case REDIS_RESTART:
        redis_server_kill(&k->server);
        return redis_server_start(&k->server);
    case REDIS_CUT:
        return redis_routes_cut(&k->routes, order->instance);
    default:
        return redis_routes_heal(&k->routes);
    }
}

static bool take_order(keeper *k)
{
    pthread_mutex_lock(&k->lock);
    bool ordered = k->ordered;
    redis_order order = k->order;
    pthread_mutex_unlock(&k->lock);
    if (!ordered)
        return false;
    bool fine = act(k, &order);
    pthread_mutex_lock(&k->lock);
    k->state = redis_server_state(&k->server);
    memcpy(k->cut, k->routes.cut, sizeof k->cut);
    k->changes++;
    k->failed = !fine;
    k->ordered = false;
    pthread_cond_broadcast(&k->done);
    pthread_mutex_unlock(&k->lock);
    return true;
}

static void count(keeper *k)
{
    bool died = k->server.child.pid && child_reap(&k->server.child);
    redis_counts counts = redis_server_count(&k->server);
    pthread_mutex_lock(&k->lock);
    k->counts = counts;
    k->changes += died;
    k->state = redis_server_state(&k->server);
    pthread_mutex_unlock(&k->lock);
}

/* ---- answering ----------------------------------------------------------------------------- */

static const char *state_text(const char *state)
{
    return strcmp(state, "up") == 0       ? "Redis is up"
           : strcmp(state, "frozen") == 0 ? "Redis is frozen: connections stay, nobody answers"
                                          : "Redis is gone";
}

static json_t *describe(keeper *k)
{
    pthread_mutex_lock(&k->lock);
    const char letter[] = {(char)('A' + k->order.instance), '\0'};
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:I, s:i, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "schema",
        "switchgear.lab.redis/1", "type", "redis", "text", state_text(k->state), "at_ns",
        (json_int_t)swg_clock_ns(), "port", k->port, "state", k->state, "socket", k->server.path,
        "cut", k->cut, "action", redis_actions[k->order.action], "instance", letter, "changes",
        (json_int_t)k->changes, "commands", (json_int_t)k->counts.commands, "scripts",
        (json_int_t)k->counts.scripts, "increments", (json_int_t)k->counts.increments);
    pthread_mutex_unlock(&k->lock);
    return object;
}

bool redis_order_parse(redis_order *order, const char *action, const char *instance)
{
    *order = (redis_order){0};
    int found = 0;
    while (action && redis_actions[found] && strcmp(redis_actions[found], action) != 0)
        found++;
    if (!action || !redis_actions[found])
        return false;
    order->action = (redis_action)found;
    if (order->action != REDIS_CUT)
        return true;
    order->instance = instance && instance[0] && !instance[1] ? instance[0] - 'A' : -1;
    return order->instance >= 0 && order->instance < STAGE_INSTANCES;
}

/* Waits until no order is left. */
static bool settle(keeper *k, const struct timespec *deadline)
{
    int late = 0;
    while (k->ordered && !late)
        late = pthread_cond_timedwait(&k->done, &k->lock, deadline);
    return !late;
}

/* Waits until it was carried out; first for one that another gave. */
static bool give_order(keeper *k, const redis_order *order)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += ANSWER_S;
    pthread_mutex_lock(&k->lock);
    bool fine = settle(k, &deadline);
    if (fine) {
        k->order = *order;
        k->ordered = true;
        fine = settle(k, &deadline) && !k->failed;
    }
    pthread_mutex_unlock(&k->lock);
    return fine;
}

static enum MHD_Result handle(void *context, http_exchange *exchange)
{
    keeper *k = context;
    if (strcmp(exchange->path, "/control") != 0)
        return http_reply_error(exchange, MHD_HTTP_NOT_FOUND, "there is /control");
    if (strcmp(exchange->method, "POST") == 0) {
        redis_order order;
        if (!redis_order_parse(&order, http_query(exchange, "do"), http_query(exchange, "who")))
            return http_reply_error(exchange, MHD_HTTP_BAD_REQUEST,
                                    "do is kill, freeze, thaw, restart, heal, or cut with who=A");
        if (!give_order(k, &order))
            return http_reply_error(exchange, MHD_HTTP_INTERNAL_SERVER_ERROR, "it cannot be done");
    } else if (strcmp(exchange->method, "GET") != 0) {
        return http_reply_error(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, "use GET or POST");
    }
    return http_reply_json(exchange, MHD_HTTP_OK, describe(k), NULL);
}

/* ---- the program --------------------------------------------------------------------------- */

static void report(keeper *k)
{
    char clock[16];
    if (k->part.json)
        part_json(&k->part, describe(k));
    else
        out_line(&k->part.out, "%s  %s", part_clock(clock), state_text(k->state));
}

static void keep(keeper *k)
{
    int64_t due_ns = 0;
    while (part_wait(TURN_MS)) {
        bool changed = take_order(k);
        if (!changed && swg_clock_ns() < due_ns)
            continue;
        count(k);
        if (k->part.json || changed)
            report(k);
        due_ns = swg_clock_ns() + REPORT_MS * (int64_t)MS;
    }
}

static int serve(keeper *k)
{
    http_server *control = http_server_open(
        &(http_server_config){.port = k->port, .threads = true, .handler = handle, .context = k});
    if (!control)
        return part_port_busy(&k->part, k->port);
    k->port = http_server_port(control);
    if (!k->part.json)
        out_line(&k->part.out,
                 "Redis on unix://%s, for instances unix://%s/A.sock to C.sock (control: port %u)",
                 k->server.path, k->folder, k->port);
    keep(k);
    http_server_close(control);
    return CLI_FINE;
}

/* The end of stdin asks this process to end, as a signal would. */
static void *end_with_stdin(void *unused)
{
    char ignored[64];
    ssize_t bytes;
    (void)unused;
    while ((bytes = read(STDIN_FILENO, ignored, sizeof ignored)) > 0 ||
           (bytes < 0 && errno == EINTR))
        ;
    kill(getpid(), SIGTERM);
    return NULL;
}

static void end_with_parent(void)
{
    pthread_t thread;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (pthread_create(&thread, NULL, end_with_stdin, NULL) == 0)
        pthread_detach(thread);
}

static int run_part(const cli_args *args)
{
    keeper k = {.port = (uint16_t)cli_number(args, "port", REDIS_PORT),
                .folder = "/tmp/switchgear-redis-XXXXXX",
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .done = PTHREAD_COND_INITIALIZER};
    part_begin(&k.part, "redis", args);
    if (k.part.supervised)
        end_with_parent();
    if (!redis_server_find(&k.server) || !make_folder(&k, cli_text(args, "folder", NULL)))
        return CLI_FAILED;
    snprintf(k.server.path, sizeof k.server.path, "%s/redis.sock", k.folder);
    int result = CLI_FAILED;
    if (redis_routes_open(&k.routes, k.folder, cli_text(args, "record", NULL)) &&
        redis_server_start(&k.server)) {
        k.state = redis_server_state(&k.server);
        result = serve(&k);
        redis_server_kill(&k.server);
    }
    redis_routes_close(&k.routes);
    redis_folder_remove(k.folder);
    return result;
}

/* With words it tells a part that runs what to do. */
int lab_redis_run(const cli_args *args)
{
    redis_order order;
    if (args->word_count == 0)
        return run_part(args);
    if (!redis_order_parse(&order, args->words[0], args->word_count > 1 ? args->words[1] : NULL))
        return cli_usage(args, "cut wants the instance to cut off: A, B or C");
    return lab_redis_tell(args, &order);
}
