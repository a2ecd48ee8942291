/* A redis-server of the test's own, and questions to it. */
#include "stage.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_free(int port)
{
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const bool free = bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return free;
}

/* Below those the kernel gives to outgoing connections. */
static int free_port(void)
{
    for (int i = 0; i < 200; i++) {
        const int port = 15000 + rand() % 17000;
        if (is_free(port))
            return port;
    }
    ck_abort_msg("no free port");
    return 0;
}

static void exec_redis(int which)
{
    char port[16], socket_path[128], clock[128], log[128];
    snprintf(port, sizeof port, "%d", s.port[which]);
    snprintf(socket_path, sizeof socket_path, "%s/redis%d.sock", s.folder, which);
    snprintf(clock, sizeof clock, "%s/clock", s.folder);
    snprintf(log, sizeof log, "%s/redis%d.log", s.folder, which);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (s.config.clock) {
        setenv("LD_PRELOAD", CLOCK_SHIM, 1);
        setenv("SWG_CLOCK_FILE", clock, 1);
    }
    execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--unixsocket",
           socket_path, "--save", "", "--logfile", log, "--dir", s.folder, "--repl-diskless-sync",
           "yes", "--repl-diskless-sync-delay", "0", "--repl-timeout", "60",
           "--busy-reply-threshold", "50", "--enable-debug-command", "yes", (char *)NULL);
    _exit(127);
}

static bool answers(int which)
{
    char path[128];
    snprintf(path, sizeof path, "%s/redis%d.sock", s.folder, which);
    redisContext *c = redisConnectUnix(path);
    redisReply *r = c && c->err == 0 ? redisCommand(c, "PING") : NULL;
    const bool fine = r && r->type == REDIS_REPLY_STATUS;
    if (r)
        freeReplyObject(r);
    if (c)
        redisFree(c);
    return fine;
}

void redis_start(int which)
{
    if (s.config.replica && s.port[which] == 0)
        s.port[which] = free_port();
    s.redis_pid[which] = fork();
    if (s.redis_pid[which] == 0)
        exec_redis(which);
    for (int i = 0; i < PATIENCE_MS / 5; i++) {
        if (answers(which))
            return;
        stage_rest(5);
    }
    ck_abort_msg("redis-server does not start: see %s/redis%d.log", s.folder, which);
}

void redis_signal(int which, int signal)
{
    if (signal == SIGKILL)
        stage_end_process(&s.redis_pid[which], SIGKILL);
    else
        kill(s.redis_pid[which], signal);
}

static redisReply *ask(const char *socket_name, const char *format, va_list args)
{
    char path[128];
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    snprintf(path, sizeof path, "%s/%s.sock", s.folder, socket_name);
    redisContext *c = redisConnectUnix(path);
    ck_assert_msg(c && c->err == 0, "%s: %s", path, c ? c->errstr : "out of memory");
    redisSetTimeout(c, patience);
    redisReply *r = redisvCommand(c, format, args);
    ck_assert_msg(r != NULL, "%s: %s", format, c->errstr);
    redisFree(c);
    return r;
}

redisReply *redis_ask(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *r = ask("admin", format, args);
    va_end(args);
    return r;
}

redisReply *redis_tell(int which, const char *format, ...)
{
    char name[16];
    va_list args;
    snprintf(name, sizeof name, "redis%d", which);
    va_start(args, format);
    redisReply *r = ask(name, format, args);
    va_end(args);
    return r;
}

void redis_do(const char *command)
{
    redisReply *r = redis_ask(command, NULL);
    ck_assert_msg(r->type != REDIS_REPLY_ERROR, "%s: %s", command, r->str);
    freeReplyObject(r);
}

long long redis_number(const char *command)
{
    redisReply *r = redis_ask(command, NULL);
    ck_assert_msg(r->type != REDIS_REPLY_ERROR, "%s: %s", command, r->str);
    const long long number = r->type == REDIS_REPLY_INTEGER  ? r->integer
                             : r->type == REDIS_REPLY_STRING ? atoll(r->str)
                                                             : -1;
    freeReplyObject(r);
    return number;
}

long long redis_time_us(void)
{
    redisReply *r = redis_ask("TIME");
    const long long us = atoll(r->element[0]->str) * 1000000 + atoll(r->element[1]->str);
    freeReplyObject(r);
    return us;
}

long long redis_total(int place)
{
    redisReply *r = redis_ask("HGET " T ":b:c0 t");
    long long v[2] = {-1, -1};
    if (r->type == REDIS_REPLY_STRING)
        ck_assert_int_eq(sscanf(r->str, "%lld|%lld", &v[0], &v[1]), 2);
    freeReplyObject(r);
    return v[place];
}

long long redis_view(int field)
{
    redisReply *r = redis_ask("HGET " T ":st c0");
    long long v[4] = {-1, -1, -1, -1};
    if (r->type == REDIS_REPLY_STRING)
        sscanf(r->str, "%lld|%lld|%lld|%lld", &v[0], &v[1], &v[2], &v[3]);
    freeReplyObject(r);
    return v[field];
}
