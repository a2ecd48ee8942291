/* Addresses: unix:PATH, tcp:HOST:PORT. */
#include "chaos_internal.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

static bool parse_unix(chaos_address *a, const char *path, char *answer)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&a->to;
    if (path[0] != '/' || strlen(path) >= sizeof un->sun_path)
        return chaos_fail(answer, "'%s': a UNIX socket has an absolute path of at most %zu bytes",
                          a->text, sizeof un->sun_path - 1);
    un->sun_family = AF_UNIX;
    strcpy(un->sun_path, path);
    a->length = sizeof *un;
    return true;
}

static bool parse_tcp(chaos_address *a, const char *rest, char *answer)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char host[CHAOS_LINE_MAX];
    const char *colon = strrchr(rest, ':');
    if (!colon || colon == rest || colon[1] == '\0')
        return chaos_fail(answer, "'%s': say tcp:HOST:PORT", a->text);
    const bool bracketed = rest[0] == '[' && colon[-1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(colon - rest) - 2 * bracketed, rest + bracketed);
    const int error = getaddrinfo(host, colon + 1, &hints, &found);
    if (error != 0)
        return chaos_fail(answer, "'%s': %s", a->text, gai_strerror(error));
    memcpy(&a->to, found->ai_addr, found->ai_addrlen);
    a->length = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

bool chaos_address_parse(chaos_address *a, const char *text, char *answer)
{
    *a = (chaos_address){0};
    snprintf(a->text, sizeof a->text, "%s", text);
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(a, text + 5, answer);
    if (strncmp(text, "tcp:", 4) == 0)
        return parse_tcp(a, text + 4, answer);
    return chaos_fail(answer, "'%s' is no address: say unix:/PATH or tcp:HOST:PORT", text);
}

static bool is_unix(const chaos_address *a)
{
    return a->to.ss_family == AF_UNIX;
}

static const char *path_of(const chaos_address *a)
{
    return ((const struct sockaddr_un *)&a->to)->sun_path;
}

/* The port the system chose, for those who asked for any. */
static void note_port(int fd, chaos_address *a)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    a->length = sizeof a->to;
    getsockname(fd, (struct sockaddr *)&a->to, &a->length);
    if (getnameinfo((struct sockaddr *)&a->to, a->length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(a->text, sizeof a->text, strchr(host, ':') ? "tcp:[%.200s]:%s" : "tcp:%.200s:%s",
                 host, port);
}

/* What an earlier run left there would be in the way; a socket somebody listens on is not ours. */
static void clear_path(const chaos_address *a)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a->to, a->length) != 0 &&
        errno == ECONNREFUSED)
        unlink(path_of(a));
    if (fd >= 0)
        close(fd);
}

static int open_socket(const chaos_address *a)
{
    const int on = 1;
    const int fd = socket(a->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !is_unix(a))
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return fd;
}

static int fail(int fd)
{
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool is_any_port(const chaos_address *a)
{
    return a->to.ss_family == AF_INET    ? ((const struct sockaddr_in *)&a->to)->sin_port == 0
           : a->to.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&a->to)->sin6_port == 0
                                         : false;
}

/* Binds to a free port that it notes. A port the system chose is the system's again as soon as the
 * socket does not listen; one that was asked for stays. So the chosen one is asked for. */
static int bind_any(chaos_address *a)
{
    const int first = open_socket(a), fd = open_socket(a);
    bool fine = first >= 0 && fd >= 0 && bind(first, (struct sockaddr *)&a->to, a->length) == 0;
    if (fine)
        note_port(first, a);
    fine = fine && bind(fd, (struct sockaddr *)&a->to, a->length) == 0;
    if (first >= 0)
        fail(first);
    return fine ? fd : fail(fd);
}

static int bind_to(chaos_address *a)
{
    if (is_any_port(a))
        return bind_any(a);
    const int fd = open_socket(a);
    if (fd >= 0 && is_unix(a))
        clear_path(a);
    return fd < 0 || bind(fd, (struct sockaddr *)&a->to, a->length) == 0 ? fd : fail(fd);
}

int chaos_listen(chaos_address *a)
{
    const int fd = bind_to(a);
    return fd < 0 || listen(fd, BACKLOG) == 0 ? fd : fail(fd);
}

/* A TCP socket keeps its port while it does not listen, so nobody can take it meanwhile. Of a UNIX
 * socket the path stays. */
void chaos_deafen(int *fd, const chaos_address *a)
{
    if (!is_unix(a)) {
        shutdown(*fd, SHUT_RDWR);
        return;
    }
    close(*fd);
    *fd = -1;
}

bool chaos_relisten(int *fd, chaos_address *a)
{
    if (!is_unix(a))
        return listen(*fd, BACKLOG) == 0;
    *fd = chaos_listen(a);
    return *fd >= 0;
}

void chaos_settle(int fd, const chaos_address *a)
{
    const int on = 1;
    if (!is_unix(a))
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int chaos_connect(const chaos_address *a)
{
    const int fd = socket(a->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    chaos_settle(fd, a);
    if (connect(fd, (const struct sockaddr *)&a->to, a->length) == 0 || errno == EINPROGRESS)
        return fd;
    return fail(fd);
}

void chaos_unlisten(int fd, const chaos_address *a)
{
    if (fd >= 0)
        close(fd);
    if (is_unix(a))
        unlink(path_of(a));
}
