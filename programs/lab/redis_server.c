#include "redis_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/types.h>
#include <unistd.h>

enum { READY_MS = 5000, STEP_MS = 5, ANSWER_MS = 100, MS = 1000000 };

bool redis_server_find(redis_server *s)
{
    const char *path = getenv("PATH");
    char folders[4096], *rest = folders;
    s->child = (child){.input = -1, .output.fd = -1, .errors.fd = -1};
    snprintf(folders, sizeof folders, "%s", path && *path ? path : "/usr/bin:/bin");
    for (char *folder; (folder = strsep(&rest, ":"));) {
        snprintf(s->program, sizeof s->program, "%s/redis-server", *folder ? folder : ".");
        if (access(s->program, X_OK) == 0)
            return true;
    }
    fputs("this needs redis-server, which is not on PATH: apt-get install redis-server\n", stderr);
    return false;
}

/* ---- questions ----------------------------------------------------------------------------- */

static void hang_up(redis_server *s)
{
    if (s->questions)
        redisFree(s->questions);
    s->questions = NULL;
}

static bool dial(redis_server *s)
{
    const struct timeval limit = {.tv_usec = ANSWER_MS * 1000};
    if (s->questions)
        return true;
    s->questions = redisConnectUnixWithTimeout(s->path, limit);
    if (s->questions && s->questions->err == 0 && redisSetTimeout(s->questions, limit) == REDIS_OK)
        return true;
    hang_up(s);
    return false;
}

/* NULL: it does not answer. */
static redisReply *ask(redis_server *s, const char *question)
{
    redisReply *reply = dial(s) ? redisCommand(s->questions, question) : NULL;
    if (reply)
        s->asked++;
    else
        hang_up(s);
    return reply;
}

static uint64_t figure(const char *info, const char *name)
{
    const char *at = strstr(info, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

redis_counts redis_server_count(redis_server *s)
{
    redisReply *reply = s->child.pid && !s->frozen ? ask(s, "INFO everything") : NULL;
    if (reply && reply->type == REDIS_REPLY_STRING) {
        uint64_t all = figure(reply->str, "total_commands_processed:") + 1; /* this question too */
        s->now.commands = all > s->asked ? all - s->asked : 0;
        s->now.scripts = figure(reply->str, "cmdstat_evalsha:calls=");
        s->now.increments = figure(reply->str, "cmdstat_incr:calls=");
    }
    freeReplyObject(reply);
    return (redis_counts){.commands = s->before.commands + s->now.commands,
                          .scripts = s->before.scripts + s->now.scripts,
                          .increments = s->before.increments + s->now.increments};
}

/* ---- living and dying ---------------------------------------------------------------------- */

static void print_line(void *context, char *line)
{
    (void)context;
    fprintf(stderr, "redis-server: %s\n", line);
}

static bool answers(redis_server *s)
{
    redisReply *reply = ask(s, "PING");
    bool fine = reply && reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
    return fine;
}

bool redis_server_start(redis_server *s)
{
    /* A frozen server must keep callers waiting, as one on another host would, and not turn them
     * away once a few hundred wait: hence the long backlog. */
    char *argv[] = {s->program, "--port", "0", "--unixsocket",  s->path, "--unixsocketperm",
                    "700",      "--save", "",  "--appendonly",  "no",    "--loglevel",
                    "warning",  "--dir",  "/", "--tcp-backlog", "4096",  NULL};
    s->frozen = false;
    if (!child_start(&s->child, argv)) {
        fprintf(stderr, "cannot start %s: %s\n", s->program, strerror(errno));
        return false;
    }
    for (int waited = 0; waited < READY_MS && !child_reap(&s->child); waited += STEP_MS) {
        if (answers(s))
            return true;
        poll(NULL, 0, STEP_MS);
    }
    fprintf(stderr, "%s does not answer on %s\n", s->program, s->path);
    line_reader_drain(&s->child.output, print_line, NULL);
    redis_server_kill(s);
    return false;
}

void redis_server_kill(redis_server *s)
{
    child *children[] = {&s->child};
    s->before = redis_server_count(s);
    s->now = (redis_counts){0};
    s->asked = 0;
    hang_up(s);
    if (s->child.pid)
        kill(s->child.pid, SIGKILL);
    child_stop(children, 1, 0);
    unlink(s->path);
    s->frozen = false;
}

void redis_server_freeze(redis_server *s)
{
    s->frozen = s->child.pid && kill(s->child.pid, SIGSTOP) == 0;
}

void redis_server_thaw(redis_server *s)
{
    if (s->child.pid)
        kill(s->child.pid, SIGCONT);
    s->frozen = false;
}

const char *redis_server_state(const redis_server *s)
{
    return s->child.pid == 0 ? "gone" : s->frozen ? "frozen" : "up";
}

void redis_folder_remove(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(path);
}
