/* The Redis of a lab, as a part of its own: it starts a redis-server in a private folder and kills,
 * freezes, thaws and restarts it when asked on /control, as the service's faults are switched.
 *
 * Its folder is gone when it ends, and the server with it. Whoever started it may be killed: then
 * the kernel tells this process to end, not to die, so that it can still clean up. */
#include "redis.h"

#include "../common/http_server.h"
#include "part.h"
#include "parts.h"
#include "redis_server.h"

#include <dirent.h>
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

const char *const redis_actions[] = {"kill", "freeze", "thaw", "restart", NULL};

typedef struct keeper {
    part part;
    uint16_t port;
    char folder[REDIS_FOLDER_MAX];
    redis_server server;  /* the main thread's alone */
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t done;
    int order; /* what is to be done, an index of redis_actions; -1: nothing */
    bool failed;
    uint64_t changes;
    const char *state;
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

static void remove_folder(const keeper *k)
{
    DIR *folder = opendir(k->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(k->folder);
}

/* ---- orders -------------------------------------------------------------------------------- */

static void carry_out(keeper *k, int order)
{
    bool fine = true;
    switch (order) {
    case REDIS_KILL:
        redis_server_kill(&k->server);
        break;
    case REDIS_FREEZE:
        redis_server_freeze(&k->server);
        break;
    case REDIS_THAW:
        redis_server_thaw(&k->server);
        break;
    case REDIS_RESTART:
        redis_server_kill(&k->server);
        fine = redis_server_start(&k->server);
        break;
    }
    pthread_mutex_lock(&k->lock);
    k->state = redis_server_state(&k->server);
    k->changes++;
    k->failed = !fine;
    k->order = -1;
    pthread_cond_broadcast(&k->done);
    pthread_mutex_unlock(&k->lock);
}

static bool take_order(keeper *k)
{
    pthread_mutex_lock(&k->lock);
    int order = k->order;
    pthread_mutex_unlock(&k->lock);
    if (order >= 0)
        carry_out(k, order);
    return order >= 0;
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
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:I, s:i, s:s, s:s, s:I, s:I, s:I, s:I}", "schema",
        "switchgear.lab.redis/1", "type", "redis", "text", state_text(k->state), "at_ns",
        (json_int_t)swg_clock_ns(), "port", k->port, "state", k->state, "socket", k->server.path,
        "changes", (json_int_t)k->changes, "commands", (json_int_t)k->counts.commands, "scripts",
        (json_int_t)k->counts.scripts, "increments", (json_int_t)k->counts.increments);
    pthread_mutex_unlock(&k->lock);
    return object;
}

static int find_action(const char *name)
{
    for (int i = 0; name && redis_actions[i]; i++)
        if (strcmp(redis_actions[i], name) == 0)
            return i;
    return -1;
}

/* Waits until it was carried out. */
static bool give_order(keeper *k, int order)
{
    struct timespec deadline;
    int late = 0;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += ANSWER_S;
    pthread_mutex_lock(&k->lock);
    k->order = order;
    while (k->order >= 0 && !late)
        late = pthread_cond_timedwait(&k->done, &k->lock, &deadline);
    bool fine = !late && !k->failed;
    pthread_mutex_unlock(&k->lock);
    return fine;
}

static enum MHD_Result handle(void *context, http_exchange *exchange)
{
    keeper *k = context;
    if (strcmp(exchange->path, "/control") != 0)
        return http_reply_error(exchange, MHD_HTTP_NOT_FOUND, "there is /control");
    if (strcmp(exchange->method, "POST") == 0) {
        int order = find_action(http_query(exchange, "do"));
        if (order < 0)
            return http_reply_error(exchange, MHD_HTTP_BAD_REQUEST,
                                    "do is kill, freeze, thaw or restart");
        if (!give_order(k, order))
            return http_reply_error(exchange, MHD_HTTP_INTERNAL_SERVER_ERROR, "it did not start");
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
        out_line(&k->part.out, "Redis on unix://%s (control: port %u)", k->server.path, k->port);
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

int lab_redis_run(const cli_args *args)
{
    keeper k = {.port = (uint16_t)cli_number(args, "port", REDIS_PORT),
                .folder = "/tmp/switchgear-redis-XXXXXX",
                .order = -1,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .done = PTHREAD_COND_INITIALIZER};
    part_begin(&k.part, "redis", args);
    if (k.part.supervised)
        end_with_parent();
    if (!redis_server_find(&k.server) || !make_folder(&k, cli_text(args, "folder", NULL)))
        return CLI_FAILED;
    snprintf(k.server.path, sizeof k.server.path, "%s/redis.sock", k.folder);
    int result = CLI_FAILED;
    if (redis_server_start(&k.server)) {
        k.state = redis_server_state(&k.server);
        result = serve(&k);
        redis_server_kill(&k.server);
    }
    remove_folder(&k);
    return result;
}
