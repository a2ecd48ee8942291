/* The control socket: a line in, a line out. */
#include "chaos_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

bool chaos_control_open(chaos *c, const char *path, char *answer)
{
    char text[CHAOS_LINE_MAX];
    chaos_address a;
    snprintf(text, sizeof text, "unix:%s", path);
    if (!chaos_address_parse(&a, text, answer))
        return false;
    c->control = chaos_listen(&a);
    if (c->control < 0)
        return chaos_fail(answer, "%s: %s", path, strerror(errno));
    snprintf(c->control_path, sizeof c->control_path, "%s", path);
    return true;
}

void chaos_control_close(chaos *c)
{
    for (int i = 0; i < CHAOS_CONTROLS; i++)
        if (c->talks[i].fd >= 0)
            close(c->talks[i].fd);
    if (c->control >= 0)
        close(c->control);
    if (c->control_path[0])
        unlink(c->control_path);
}

static void refuse(int fd)
{
    static const char full[] = "error: too many are giving commands already\n";
    send(fd, full, sizeof full - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

void chaos_control_accept(chaos *c)
{
    const int fd = accept4(c->control, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    for (int i = 0; fd >= 0 && i < CHAOS_CONTROLS; i++) {
        if (c->talks[i].fd < 0) {
            c->talks[i] = (chaos_talk){.fd = fd};
            return;
        }
    }
    if (fd >= 0)
        refuse(fd);
}

static void hang_up(chaos_talk *t)
{
    close(t->fd);
    t->fd = -1;
}

/* An answer fits into any socket's buffer; who does not read is not waited for. */
static void obey(chaos *c, chaos_talk *t, const char *line)
{
    char answer[CHAOS_LINE_MAX + 1];
    chaos_command(c, line, answer);
    strcat(answer, "\n");
    if (send(t->fd, answer, strlen(answer), MSG_NOSIGNAL) < 0)
        hang_up(t);
}

static void take_lines(chaos *c, chaos_talk *t)
{
    for (char *end; t->fd >= 0 && (end = memchr(t->line, '\n', t->used));) {
        char line[CHAOS_LINE_MAX];
        const size_t length = (size_t)(end - t->line);
        memcpy(line, t->line, length);
        line[length] = '\0';
        t->used -= length + 1;
        memmove(t->line, end + 1, t->used);
        obey(c, t, line);
    }
    if (t->fd >= 0 && t->used == sizeof t->line)
        hang_up(t); /* no command is that long */
}

void chaos_control_read(chaos *c, chaos_talk *t)
{
    const ssize_t count = read(t->fd, t->line + t->used, sizeof t->line - t->used);
    if (count > 0) {
        t->used += (size_t)count;
        take_lines(c, t);
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        hang_up(t);
    }
}

/* ---- the other end ------------------------------------------------------------------------- */

static bool await(int fd, short events, int64_t until_ns)
{
    struct pollfd p = {.fd = fd, .events = events};
    const int64_t left = until_ns - chaos_now_ns();
    return left > 0 && poll(&p, 1, (int)(left / 1000000) + 1) > 0;
}

static bool read_answer(int fd, char *answer, int64_t until_ns)
{
    size_t used = 0;
    while (used < CHAOS_LINE_MAX - 1 && await(fd, POLLIN, until_ns)) {
        const ssize_t count = read(fd, answer + used, CHAOS_LINE_MAX - 1 - used);
        if (count <= 0)
            return chaos_fail(answer, "the proxy hung up");
        used += (size_t)count;
        char *end = memchr(answer, '\n', used);
        if (end) {
            *end = '\0';
            return strncmp(answer, "ok", 2) == 0;
        }
    }
    return chaos_fail(answer, "the proxy does not answer");
}

bool chaos_ask(const char *control, const char *line, char *answer, int timeout_ms)
{
    const int64_t until = chaos_now_ns() + (int64_t)timeout_ms * 1000000;
    char text[CHAOS_LINE_MAX];
    chaos_address a;
    snprintf(text, sizeof text, "unix:%s", control);
    if (!chaos_address_parse(&a, text, answer))
        return false;
    const int fd = chaos_connect(&a);
    if (fd < 0)
        return chaos_fail(answer, "%s: %s", control, strerror(errno));
    const int length = snprintf(text, sizeof text, "%s\n", line);
    bool fine = length < CHAOS_LINE_MAX && send(fd, text, (size_t)length, MSG_NOSIGNAL) == length;
    if (!fine)
        chaos_fail(answer, "the command could not be sent");
    fine = fine && read_answer(fd, answer, until);
    close(fd);
    return fine;
}
