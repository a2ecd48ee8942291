#include "net_link.h"

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

static bool load(net_link *l, const swg_fleet_run_config *c)
{
    ERR_clear_error();
    l->tls = SSL_CTX_new(TLS_client_method());
    if (!l->tls || SSL_CTX_set_min_proto_version(l->tls, TLS1_2_VERSION) != 1) {
        errno = ENOMEM;
        return false;
    }
    SSL_CTX_set_verify(l->tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(l->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (c->ca_file ? SSL_CTX_load_verify_locations(l->tls, c->ca_file, NULL) != 1
                   : SSL_CTX_set_default_verify_paths(l->tls) != 1) {
        say_tls(l, c->ca_file ? c->ca_file : "the system's certificates");
        errno = EACCES;
        return false;
    }
    if (c->cert_file && SSL_CTX_use_certificate_chain_file(l->tls, c->cert_file) != 1) {
        say_tls(l, c->cert_file);
        errno = EACCES;
        return false;
    }
    const char *key = c->key_file ? c->key_file : c->cert_file;
    if (c->cert_file && SSL_CTX_use_PrivateKey_file(l->tls, key, SSL_FILETYPE_PEM) != 1) {
        say_tls(l, key);
        errno = EACCES;
        return false;
    }
    return true;
}

bool net_link_open(net_link *l, const swg_fleet_url *url, const swg_fleet_run_config *c)
{
    *l = (net_link){.url = url,
                    .fd = -1,
                    .connect_ns = (c->connect_ms ? c->connect_ms : 1000) * MS,
                    .silence_ns = (c->connect_ms ? c->connect_ms : 1000) * MS};
    return !url->tls || load(l, c);
}

static void forget_addresses(net_link *l)
{
    if (l->found)
        freeaddrinfo(l->found);
    l->found = l->next = NULL;
}

/* True: the query is gone. One the resolver is at cannot be, yet. */
static bool forget_query(net_link *l)
{
    if (!l->query)
        return true;
    if (gai_error(l->query) == EAI_INPROGRESS && gai_cancel(l->query) == EAI_NOTCANCELED)
        return false;
    if (gai_error(l->query) == 0 && l->query->ar_result)
        freeaddrinfo(l->query->ar_result);
    free((char *)l->query->ar_request);
    free(l->query);
    l->query = NULL;
    return true;
}

static void close_socket(net_link *l)
{
    SSL_free(l->ssl);
    l->ssl = NULL;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

void net_link_drop(net_link *l)
{
    close_socket(l);
    forget_addresses(l);
    forget_query(l);
    l->state = NET_DOWN;
    l->due_ns = 0;
}

void net_link_close(net_link *l)
{
    net_link_drop(l);
    while (!forget_query(l)) { /* ours until the resolver is done with it */
        const struct gaicb *all[] = {l->query};
        gai_suspend(all, 1, NULL);
    }
    SSL_CTX_free(l->tls);
    l->tls = NULL;
}

/* ---- coming up ----------------------------------------------------------------------------- */

static bool start_query(net_link *l)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *request;
    if (!forget_query(l))
        return true; /* the old one will do: it asks for the same */
    l->query = calloc(1, sizeof *l->query);
    request = malloc(sizeof *request);
    if (!l->query || !request) {
        free(l->query);
        free(request);
        l->query = NULL;
        return false;
    }
    *request = hints;
    l->query->ar_name = l->url->host;
    l->query->ar_service = l->url->port;
    l->query->ar_request = request;
    return getaddrinfo_a(GAI_NOWAIT, (struct gaicb *[]){l->query}, 1, NULL) == 0;
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

static void start(net_link *l, int64_t now)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    l->due_ns = now + l->connect_ns;
    if (l->url->path[0]) {
        snprintf(at.sun_path, sizeof at.sun_path, "%s", l->url->path);
        start_socket(l, AF_UNIX, (struct sockaddr *)&at, sizeof at);
        l->state = l->fd >= 0 ? NET_CONNECTING : NET_DOWN;
        return;
    }
    l->state = start_query(l) ? NET_RESOLVING : NET_DOWN;
    if (l->state == NET_DOWN)
        say(l, l->url->host, "the name cannot be looked up");
}

static void resolving(net_link *l)
{
    const int result = gai_error(l->query);
    if (result == EAI_INPROGRESS)
        return;
    if (result != 0) {
        say(l, l->url->host, gai_strerror(result));
        l->state = NET_DOWN;
        return;
    }
    forget_addresses(l);
    l->found = l->next = l->query->ar_result;
    l->query->ar_result = NULL;
    forget_query(l);
    next_address(l);
}

static bool begin_handshake(net_link *l)
{
    unsigned char numeric[16];
    const char *host = l->url->host;
    const bool is_address =
        inet_pton(AF_INET, host, numeric) == 1 || inet_pton(AF_INET6, host, numeric) == 1;
    l->ssl = SSL_new(l->tls);
    if (!l->ssl || SSL_set_fd(l->ssl, l->fd) != 1)
        return false;
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

bool net_link_step(net_link *l, int64_t now)
{
    static const char *const doing[] = {"", "looking up the name", "connect", "TLS", ""};
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
        net_link_drop(l);
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

ssize_t net_link_read(net_link *l, void *bytes, size_t room)
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

ssize_t net_link_write(net_link *l, const void *bytes, size_t count)
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

short net_link_wants(const net_link *l, bool output)
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

int64_t net_link_due(const net_link *l, int64_t now)
{
    if (l->state == NET_RESOLVING)
        return now + RESOLVE_POLL_NS < l->due_ns ? now + RESOLVE_POLL_NS : l->due_ns;
    return l->state == NET_UP ? INT64_MAX : l->due_ns;
}
