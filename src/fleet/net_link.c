/* One connection: resolving, connecting, shaking hands, up.
 *
 * Keeps: nothing in here waits, and one deadline holds for all the way up. A look-up the C library
 * can be stopped in no more holds up nobody: what it writes to is left to it. */
#include "net_link.h"
#include "net_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define RESOLVE_POLL_NS (10 * MS)

/* Its own copies: the C library's resolver reads them on a thread of its own. */
struct net_query {
    struct gaicb gai;
    struct addrinfo hints;
    swg_fleet_address what;
};

static void say(net_link *l, const char *what, const char *why)
{
    snprintf(l->trouble, sizeof l->trouble, "%s: %s", what, why);
}

/* Why the last TLS call failed; a certificate that was refused says so itself. */
static void say_tls(net_link *l, const char *what)
{
    const long verify = l->ssl ? SSL_get_verify_result(l->ssl) : X509_V_OK;
    const unsigned long code = ERR_peek_last_error();
    if (verify != X509_V_OK)
        say(l, "TLS: certificate refused", X509_verify_cert_error_string(verify));
    else
        say(l, what, code ? ERR_reason_error_string(code) : "the server hung up");
    ERR_clear_error();
}

bool swg__link_open(net_link *l, const swg_fleet_url *url, const swg_fleet_run_config *c)
{
    *l = (net_link){.fd = -1,
                    .connect_ns = (c->connect_ms ? c->connect_ms : 1000) * MS,
                    .silence_ns = (c->connect_ms ? c->connect_ms : 1000) * MS};
    memcpy(l->path, url->path, sizeof l->path);
    memcpy(l->to.host, url->host, sizeof l->to.host);
    memcpy(l->to.port, url->port, sizeof l->to.port);
    return swg__tls_open(l, url, c);
}

void swg__link_share(net_link *l, const net_link *with)
{
    *l = (net_link){.to = with->to,
                    .tls = with->tls,
                    .fd = -1,
                    .connect_ns = with->connect_ns,
                    .silence_ns = with->silence_ns};
    memcpy(l->path, with->path, sizeof l->path);
    if (l->tls)
        SSL_CTX_up_ref(l->tls);
}

void swg__link_aim(net_link *l, const swg_fleet_address *to)
{
    l->to = *to;
}

static void forget_addresses(net_link *l)
{
    if (l->found)
        freeaddrinfo(l->found);
    l->found = l->next = NULL;
}

static bool is_over(const net_query *q)
{
    return gai_error((struct gaicb *)&q->gai) != EAI_INPROGRESS;
}

static void free_query(net_link *l)
{
    if (l->query && l->query->gai.ar_result)
        freeaddrinfo(l->query->gai.ar_result);
    free(l->query);
    l->query = NULL;
}

/* One the resolver is at cannot be cancelled: it stays until it is over. */
static void forget_query(net_link *l)
{
    if (l->query && (is_over(l->query) || gai_cancel(&l->query->gai) != EAI_NOTCANCELED))
        free_query(l);
}

static void close_socket(net_link *l)
{
    SSL_free(l->ssl);
    l->ssl = NULL;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

void swg__link_drop(net_link *l)
{
    close_socket(l);
    forget_addresses(l);
    forget_query(l);
    l->state = NET_DOWN;
    l->due_ns = 0;
}

void swg__link_close(net_link *l)
{
    swg__link_drop(l);
    l->query = NULL; /* if there is one still, it is the resolver's */
    SSL_CTX_free(l->tls);
    l->tls = NULL;
}

/* ---- coming up ----------------------------------------------------------------------------- */

/* A numeric address is there at once. */
static bool is_numeric(net_link *l)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                          .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    forget_addresses(l);
    return getaddrinfo(l->to.host, l->to.port, &hints, &l->found) == 0;
}

static bool start_query(net_link *l)
{
    net_query *q = l->query;
    if (q) /* of an attempt before: looked at when it is over */
        return true;
    q = calloc(1, sizeof *q);
    if (!q)
        return false;
    q->what = l->to;
    q->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    q->gai = (struct gaicb){
        .ar_name = q->what.host, .ar_service = q->what.port, .ar_request = &q->hints};
    l->query = q;
    if (getaddrinfo_a(GAI_NOWAIT, (struct gaicb *[]){&q->gai}, 1, NULL) == 0)
        return true;
    free_query(l);
    return false;
}

static void start_socket(net_link *l, int family, const struct sockaddr *to, socklen_t length)
{
    const int on = 1;
    const unsigned silence_ms = (unsigned)(l->silence_ns / MS);
    close_socket(l);
    l->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd >= 0 && family != AF_UNIX) {
        setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(l->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(l->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
    }
    if (l->fd < 0 || (connect(l->fd, to, length) != 0 && errno != EINPROGRESS)) {
        say(l, "connect", strerror(errno));
        close_socket(l);
    }
}

static void next_address(net_link *l)
{
    while (l->fd < 0 && l->next) {
        start_socket(l, l->next->ai_family, l->next->ai_addr, l->next->ai_addrlen);
        l->next = l->next->ai_next;
    }
    l->state = l->fd >= 0 ? NET_CONNECTING : NET_DOWN;
}

static void look_up(net_link *l)
{
    l->state = start_query(l) ? NET_RESOLVING : NET_DOWN;
    if (l->state == NET_DOWN)
        say(l, "name look-up", "it cannot be started");
}

static void start(net_link *l, int64_t now)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    l->due_ns = now + l->connect_ns;
    if (l->path[0]) {
        snprintf(at.sun_path, sizeof at.sun_path, "%s", l->path);
        start_socket(l, AF_UNIX, (struct sockaddr *)&at, sizeof at);
        l->state = l->fd >= 0 ? NET_CONNECTING : NET_DOWN;
    } else if (is_numeric(l)) {
        l->next = l->found;
        next_address(l);
    } else {
        look_up(l);
    }
}

static void resolving(net_link *l)
{
    net_query *q = l->query;
    if (!is_over(q))
        return;
    const int result = gai_error(&q->gai);
    const bool ours = strcmp(q->what.host, l->to.host) == 0 && !strcmp(q->what.port, l->to.port);
    forget_addresses(l);
    if (ours && result == 0) {
        l->found = l->next = q->gai.ar_result;
        q->gai.ar_result = NULL;
    }
    free_query(l);
    if (!ours) {
        look_up(l);
    } else if (result != 0) {
        say(l, "name look-up", gai_strerror(result));
        l->state = NET_DOWN;
    } else {
        next_address(l);
    }
}

static bool begin_handshake(net_link *l)
{
    unsigned char numeric[16];
    const char *host = l->to.host;
    const bool is_address =
        inet_pton(AF_INET, host, numeric) == 1 || inet_pton(AF_INET6, host, numeric) == 1;
    BIO *socket = swg__net_socket(l->fd);
    l->ssl = socket ? SSL_new(l->tls) : NULL;
    if (!l->ssl) {
        BIO_free(socket);
        return false;
    }
    SSL_set_bio(l->ssl, socket, socket);
    if (is_address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(l->ssl), host) == 1;
    SSL_set_hostflags(l->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(l->ssl, host) == 1 && SSL_set_tlsext_host_name(l->ssl, host) == 1;
}

static void connecting(net_link *l)
{
    struct pollfd fd = {.fd = l->fd, .events = POLLOUT};
    int error = 0;
    socklen_t length = sizeof error;
    if (poll(&fd, 1, 0) == 0)
        return;
    getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
        say(l, "connect", strerror(error));
        close_socket(l);
        next_address(l);
        return;
    }
    l->state = l->tls ? NET_SHAKING : NET_UP;
    l->wants = POLLOUT;
    if (l->tls && !begin_handshake(l)) {
        say_tls(l, "TLS");
        l->state = NET_DOWN;
    }
}

static short tls_wants(int error)
{
    return error == SSL_ERROR_WANT_READ ? POLLIN : error == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
}

static void shaking(net_link *l)
{
    ERR_clear_error();
    const int result = SSL_connect(l->ssl);
    if (result == 1) {
        l->state = NET_UP;
        return;
    }
    l->wants = tls_wants(SSL_get_error(l->ssl, result));
    if (l->wants == 0) {
        say_tls(l, "TLS");
        l->state = NET_DOWN;
    }
}

bool swg__link_step(net_link *l, int64_t now)
{
    static const char *const doing[] = {"", "name look-up", "connect", "TLS", ""};
    if (l->state == NET_UP || (l->state == NET_DOWN && now < l->due_ns))
        return false;
    if (l->state == NET_DOWN)
        start(l, now);
    if (l->state == NET_RESOLVING)
        resolving(l);
    if (l->state == NET_CONNECTING)
        connecting(l);
    if (l->state == NET_SHAKING)
        shaking(l);
    if (l->state == NET_UP) {
        l->wants = 0;
        forget_addresses(l);
        l->trouble[0] = '\0';
        return true;
    }
    if (l->state != NET_DOWN && now >= l->due_ns) {
        say(l, doing[l->state], "no answer in time");
        l->state = NET_DOWN;
    }
    if (l->state == NET_DOWN)
        swg__link_drop(l);
    return false;
}

/* ---- up ------------------------------------------------------------------------------------ */

static ssize_t over(net_link *l, const char *what, const char *why)
{
    say(l, what, why);
    return -1;
}

static ssize_t tls_moved(net_link *l, int result, short wanted)
{
    if (result > 0)
        return result;
    const short wants = tls_wants(SSL_get_error(l->ssl, result));
    if (wants == 0) {
        say_tls(l, "TLS");
        return -1;
    }
    l->wants |= wants != wanted ? wants : 0;
    return 0;
}

ssize_t swg__link_read(net_link *l, void *bytes, size_t room)
{
    if (l->ssl) {
        ERR_clear_error();
        l->wants = 0;
        return tls_moved(l, SSL_read(l->ssl, bytes, (int)room), POLLIN);
    }
    const ssize_t count = read(l->fd, bytes, room);
    if (count == 0)
        return over(l, "read", "the server hung up");
    if (count < 0 && errno != EAGAIN && errno != EINTR)
        return over(l, "read", strerror(errno));
    return count < 0 ? 0 : count;
}

ssize_t swg__link_write(net_link *l, const void *bytes, size_t count)
{
    if (l->ssl) {
        ERR_clear_error();
        return tls_moved(l, SSL_write(l->ssl, bytes, (int)count), POLLOUT);
    }
    const ssize_t sent = send(l->fd, bytes, count, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return over(l, "write", strerror(errno));
    return sent < 0 ? 0 : sent;
}

short swg__link_wants(const net_link *l, bool output)
{
    switch (l->state) {
    case NET_CONNECTING:
        return POLLOUT;
    case NET_SHAKING:
        return l->wants;
    case NET_UP:
        return (short)(POLLIN | l->wants | (output ? POLLOUT : 0));
    default:
        return 0;
    }
}

int64_t swg__link_due(const net_link *l, int64_t now)
{
    if (l->state == NET_RESOLVING)
        return now + RESOLVE_POLL_NS < l->due_ns ? now + RESOLVE_POLL_NS : l->due_ns;
    return l->state == NET_UP ? INT64_MAX : l->due_ns;
}
