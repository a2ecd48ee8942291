#include "http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { CONNECTIONS_MAX = 8192, IDLE_S = 60 };

struct http_server {
    struct MHD_Daemon *daemon;
    http_server_config config;
};

static enum MHD_Result on_request(void *closure, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **slot)
{
    http_server *server = closure;
    http_exchange *exchange = *slot;
    (void)version;
    (void)upload;
    if (!exchange) {
        exchange = *slot = calloc(1, sizeof *exchange);
        return exchange ? MHD_YES : MHD_NO;
    }
    if (*upload_size) { /* nothing here reads bodies; they are drained */
        *upload_size = 0;
        return MHD_YES;
    }
    exchange->connection = connection;
    exchange->method = method;
    exchange->path = url;
    return server->config.handler(server->config.context, exchange);
}

static void on_ended(void *closure, struct MHD_Connection *connection, void **slot,
                     enum MHD_RequestTerminationCode why)
{
    http_server *server = closure;
    (void)connection;
    (void)why;
    if (*slot && server->config.ended)
        server->config.ended(server->config.context, *slot);
    free(*slot);
    *slot = NULL;
}

/* libmicrohttpd speaks on stderr about every caller that goes away early, which here is the point.
 */
static void on_log(void *closure, const char *format, va_list list)
{
    (void)closure;
    (void)format;
    (void)list;
}

static void lift_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static struct MHD_Daemon *start(http_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(server->config.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG;
    flags |= server->config.threads ? MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL
                                    : MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    return MHD_start_daemon(
        flags, server->config.port, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER,
        on_log, NULL, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED, on_ended, server,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
        MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024u, MHD_OPTION_THREAD_STACK_SIZE, (size_t)256 * 1024,
        MHD_OPTION_END);
}

http_server *http_server_open(const http_server_config *config)
{
    http_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    lift_file_limit();
    server->config = *config;
    server->daemon = start(server);
    if (!server->daemon) {
        int error = errno;
        free(server);
        errno = error ? error : EADDRINUSE;
        return NULL;
    }
    return server;
}

void http_server_close(http_server *server)
{
    if (!server)
        return;
    MHD_stop_daemon(server->daemon);
    free(server);
}

uint16_t http_server_port(const http_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

static enum MHD_Result send_response(http_exchange *exchange, unsigned status, const char *type,
                                     struct MHD_Response *response, const http_header *headers)
{
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    for (; headers && headers->name; headers++)
        MHD_add_response_header(response, headers->name, headers->value);
    enum MHD_Result result = MHD_queue_response(exchange->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result http_reply(http_exchange *exchange, unsigned status, const char *type,
                           const char *body, const http_header *headers)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(body), (void *)body, MHD_RESPMEM_MUST_COPY);
    return send_response(exchange, status, type, response, headers);
}

enum MHD_Result http_reply_json(http_exchange *exchange, unsigned status, json_t *body,
                                const http_header *headers)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text)
        return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    return send_response(exchange, status, "application/json", response, headers);
}

enum MHD_Result http_reply_error(http_exchange *exchange, unsigned status, const char *text)
{
    return http_reply_json(exchange, status,
                           json_pack("{s:s, s:s}", "schema", "switchgear.error/1", "error", text),
                           NULL);
}

const char *http_query(const http_exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* Closing a socket that lingers for no time at all sends RST instead of FIN. */
enum MHD_Result http_reset(http_exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (info)
        setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return MHD_NO;
}
