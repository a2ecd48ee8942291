#include "servers.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOWEST_PORT = 10000, HIGHEST_PORT = 32000, START_MS = 10000 };

/* Sentinels cut all connections of a server they give another role. */
enum { QUESTION_TRIES = 3 };

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static int64_t monotonic_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool is_free(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool fine = bind(fd, (struct sockaddr *)&at, sizeof at) == 0;

    close(fd);
    return fine;
}

int server_free_port(void)
{
    for (int i = 0; i < 1000; i++) {
        unsigned number;

        if (getrandom(&number, sizeof number, 0) != sizeof number)
            die("getrandom", strerror(errno));
        int port = LOWEST_PORT + (int)(number % (HIGHEST_PORT - LOWEST_PORT));
        if (is_free(port))
            return port;
    }
    die("ports", "none is free");
    return 0;
}

void server_add(struct server *s, const char *arg, const char *value)
{
    for (int i = 0; i < SERVER_ARGS - 2; i++) {
        if (s->args[i])
            continue;
        s->args[i] = arg;
        s->args[i + 1] = value;
        return;
    }
    die(arg, "too many arguments");
}

void server_make(struct server *s, bool has_port)
{
    memset(s, 0, sizeof *s);
    scratch_make(s->dir, "fleet");
    s->port = has_port ? server_free_port() : 0;
    snprintf(s->text, sizeof s->text, "%d", s->port);
    server_add(s, "--port", s->text);
    server_add(s, "--bind", "127.0.0.1");
    server_add(s, "--unixsocket", "redis.sock");
    server_add(s, "--save", "");
    server_add(s, "--appendonly", "no");
}

void server_protect(struct server *s, const char *password)
{
    s->password = password;
    server_add(s, "--requirepass", password);
}

void server_secure(struct server *s, const char *dir)
{
    static const char *const args[] = {"--tls-cert-file", "--tls-key-file", "--tls-ca-cert-file"};
    static const char *const files[] = {"cert.pem", "key.pem", "ca.pem"};

    for (int i = 0; i < SERVER_ARGS && s->args[i]; i++) {
        if (strcmp(s->args[i], "--port") == 0)
            s->args[i] = "--tls-port";
    }
    server_add(s, "--port", "0");
    for (int i = 0; i < 3; i++) {
        snprintf(s->files[i], sizeof s->files[i], "%s/%s", dir, files[i]);
        server_add(s, args[i], s->files[i]);
    }
    server_add(s, "--tls-auth-clients", "no");
    server_add(s, "--tls-replication", "yes");
    server_add(s, "--tls-cluster", "yes");
}

static void exec_server(struct server *s, pid_t parent)
{
    char *argv[SERVER_ARGS + 2] = {"redis-server"};
    int log;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || chdir(s->dir) != 0)
        _exit(127);
    log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, 1);
    dup2(log, 2);
    for (int i = 0; s->args[i]; i++)
        argv[i + 1] = (char *)s->args[i];
    execvp(argv[0], argv);
    _exit(127);
}

redisContext *server_connect(const struct server *s)
{
    char path[96];

    snprintf(path, sizeof path, "%s/redis.sock", s->dir);
    return redisConnectUnix(path);
}

void server_start(struct server *s)
{
    const int64_t deadline = monotonic_ms() + START_MS;
    const pid_t parent = getpid();

    s->pid = fork();
    if (s->pid == 0)
        exec_server(s, parent);
    for (;;) {
        redisContext *c = server_connect(s);
        const bool fine = c && !c->err;

        if (c)
            redisFree(c);
        if (fine)
            return;
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid || monotonic_ms() > deadline)
            die(s->dir, "redis-server did not start (apt-get install redis-server): see its log");
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

void server_signal(const struct server *s, int signal)
{
    if (kill(s->pid, signal) != 0)
        die("kill", strerror(errno));
}

void server_kill(struct server *s)
{
    char path[96];

    if (s->pid <= 0)
        return;
    server_signal(s, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
    snprintf(path, sizeof path, "%s/redis.sock", s->dir);
    unlink(path);
}

void server_end(struct server *s)
{
    server_kill(s);
    scratch_remove(s->dir);
}

static redisReply *ask(const struct server *s, int tries, const char *format, va_list args)
{
    redisContext *c = server_connect(s);
    redisReply *reply = NULL;
    va_list again;

    va_copy(again, args);
    if (c && !c->err && s->password)
        freeReplyObject(redisCommand(c, "AUTH %s", s->password));
    if (c && !c->err)
        reply = redisvCommand(c, format, args);
    if (!reply && tries > 1)
        reply = ask(s, tries - 1, format, again);
    if (!reply)
        die(format, c ? c->errstr : "no memory");
    va_end(again);
    if (c)
        redisFree(c);
    return reply;
}

redisReply *server_ask(const struct server *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisReply *reply = ask(s, QUESTION_TRIES, format, args);
    va_end(args);
    return reply;
}

void server_tell(const struct server *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisReply *reply = ask(s, 1, format, args);
    va_end(args);
    if (reply->type == REDIS_REPLY_ERROR)
        die(format, reply->str);
    freeReplyObject(reply);
}

bool server_says(const struct server *s, const char *words, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisReply *reply = ask(s, QUESTION_TRIES, format, args);
    va_end(args);
    const bool found = reply->str && strstr(reply->str, words);
    freeReplyObject(reply);
    return found;
}

uint64_t server_listeners(const struct server *s, uint32_t shard)
{
    redisReply *reply = server_ask(s, "PUBSUB NUMSUB swg1:{default:%u}:chg", shard);
    uint64_t count = 0;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
        count = (uint64_t)reply->element[1]->integer;
    freeReplyObject(reply);
    return count;
}

static void shell(const char *dir, const char *command)
{
    char text[1024];

    snprintf(text, sizeof text, "cd %s && { %s; } >>certificates.log 2>&1", dir, command);
    if (system(text) != 0)
        die(command, dir);
}

void server_certificates(const char *dir, const char *names)
{
    char command[256];

    snprintf(command, sizeof command, "printf 'subjectAltName=%s' >san", names);
    shell(dir, command);
    shell(dir, "for ca in ca other; do openssl req -x509 -newkey rsa:2048 -nodes -days 1"
               " -subj /CN=$ca -keyout $ca.key -out $ca.pem; done");
    shell(dir, "openssl req -newkey rsa:2048 -nodes -subj /CN=x -keyout key.pem -out request.pem");
    shell(dir, "openssl x509 -req -days 1 -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial"
               " -extfile san -out cert.pem");
}
