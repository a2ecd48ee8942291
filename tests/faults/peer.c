#include "peer.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/types.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SERVED_MAX = 64 };

struct peer peer;

/* ---- the server ---------------------------------------------------------------------------- */

/* The first byte of a connection says what it speaks. */
static void serve(struct pollfd *p, redisReader **reader)
{
    static unsigned number;
    char bytes[4096], text[32];
    void *request = NULL;
    const ssize_t count = read(p->fd, bytes, sizeof bytes);
    if (count <= 0) {
        close(p->fd);
        p->fd = -1;
        return;
    }
    if (!*reader && bytes[0] != '*') {
        send(p->fd, bytes, (size_t)count, MSG_NOSIGNAL);
        return;
    }
    if (!*reader)
        *reader = redisReaderCreate();
    redisReaderFeed(*reader, bytes, (size_t)count);
    while (redisReaderGetReply(*reader, &request) == REDIS_OK && request) {
        const int length = snprintf(text, sizeof text, ":%u\r\n", ++number);
        freeReplyObject(request);
        send(p->fd, text, (size_t)length, MSG_NOSIGNAL);
    }
}

static void serve_all(int listener)
{
    struct pollfd fds[SERVED_MAX] = {{.fd = listener, .events = POLLIN}};
    redisReader *readers[SERVED_MAX] = {0};
    nfds_t count = 1;
    while (poll(fds, count, -1) >= 0) {
        for (nfds_t i = 1; i < count; i++)
            if (fds[i].fd >= 0 && fds[i].revents)
                serve(&fds[i], &readers[i]);
        if (fds[0].revents && count < SERVED_MAX)
            fds[count++] = (struct pollfd){.fd = accept(listener, NULL, NULL), .events = POLLIN};
    }
}

void peer_serve(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s/%s", peer.folder, name);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    peer.server = fork();
    if (peer.server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve_all(listener);
        _exit(0);
    }
    close(listener);
}

/* ---- the proxy ----------------------------------------------------------------------------- */

void peer_begin(void)
{
    scratch_make(peer.folder, "proxy");
    snprintf(peer.control, sizeof peer.control, "%s/control", peer.folder);
    snprintf(peer.record, sizeof peer.record, "%s/record", peer.folder);
    peer_serve("server");
}

void peer_stop(pid_t *pid)
{
    if (*pid > 0) {
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

void peer_end(void)
{
    peer_stop(&peer.proxy);
    peer_stop(&peer.server);
    scratch_remove(peer.folder);
}

void peer_go(bool tcp)
{
    char spec[CHAOS_LINE_MAX];
    chaos *c = chaos_open(
        &(chaos_config){.control = peer.control, .record = peer.record, .seed = 7}, peer.answer);
    ck_assert_msg(c != NULL, "%s", peer.answer);
    for (char name = 'A'; name <= 'B'; name++) {
        if (tcp)
            snprintf(spec, sizeof spec, "%c=tcp:127.0.0.1:0>unix:%s/server", name, peer.folder);
        else
            snprintf(spec, sizeof spec, "%c=unix:%s/%c>unix:%s/server", name, peer.folder, name,
                     peer.folder);
        ck_assert_msg(chaos_add_route(c, spec, peer.answer), "%s", peer.answer);
    }
    peer.proxy = chaos_start(&c);
    ck_assert_int_gt(peer.proxy, 0);
}

void tell(const char *command)
{
    ck_assert_msg(chaos_ask(peer.control, command, peer.answer, PATIENCE_MS), "%s: %s", command,
                  peer.answer);
}

unsigned status_of(char route, const char *key)
{
    char command[32], word[32];
    snprintf(command, sizeof command, "route %c status", route);
    snprintf(word, sizeof word, " %s=", key);
    tell(command);
    const char *at = strstr(peer.answer, word);
    ck_assert_msg(at != NULL, "%s: %s", key, peer.answer);
    return (unsigned)strtoul(at + strlen(word), NULL, 10);
}

void await_count(char route, const char *key, unsigned count)
{
    const int64_t end = swg_clock_ns() + PATIENCE_MS * MS;
    while (status_of(route, key) < count)
        ck_assert_msg(swg_clock_ns() < end, "never %s %u: %s", key, count, peer.answer);
}

/* ---- the client ---------------------------------------------------------------------------- */

int try_connect(char route)
{
    char command[32], host[16], path[100];
    int port;
    redisContext *context;
    snprintf(command, sizeof command, "route %c status", route);
    tell(command);
    const char *here = strstr(peer.answer, " here=");
    if (sscanf(here, " here=tcp:%15[0-9.]:%d", host, &port) == 2) {
        context = redisConnect(host, port);
    } else {
        ck_assert_int_eq(sscanf(here, " here=unix:%99s", path), 1);
        context = redisConnectUnix(path);
    }
    const int fd = context->err ? -1 : dup(context->fd), error = errno;
    redisFree(context);
    errno = error;
    return fd;
}

int dial(char route)
{
    const int fd = try_connect(route);
    ck_assert_int_ge(fd, 0);
    return fd;
}

void say(int fd, const char *bytes)
{
    ck_assert_int_eq(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), (ssize_t)strlen(bytes));
}

ssize_t hear(int fd, char *bytes, size_t room)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ck_assert_msg(poll(&p, 1, PATIENCE_MS) == 1, "nothing came");
    return read(fd, bytes, room);
}

void expect(int fd, const char *bytes)
{
    char got[4096] = "";
    const size_t length = strlen(bytes);
    for (size_t have = 0; have < length;) {
        const ssize_t count = hear(fd, got + have, length - have);
        ck_assert_msg(count > 0, "it ended after '%s', not '%s'", got, bytes);
        have += (size_t)count;
        ck_assert_msg(memcmp(got, bytes, have) == 0, "'%s', not '%s'", got, bytes);
    }
}

void expect_end(int fd)
{
    char byte;
    ck_assert_int_le(hear(fd, &byte, 1), 0);
    close(fd);
}

bool is_silent(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 0;
}
