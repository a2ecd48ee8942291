/* A small HTTP server on the loopback address, over libmicrohttpd. */
#ifndef SWG_PROGRAMS_HTTP_SERVER_H
#define SWG_PROGRAMS_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <microhttpd.h>

typedef struct http_server http_server;

/* One request, from its first line to its answer. */
typedef struct http_exchange {
    struct MHD_Connection *connection;
    const char *method;
    const char *path;
    void *user; /* the handler's own, kept between two calls for the same request */
    bool begun;
} http_exchange;

/* Answers the request with http_reply_...(), or leaves it unanswered after http_server_suspend():
 * then it is called again when the request is resumed. MHD_NO closes the connection without an
 * answer. Threads: as the server was opened. */
typedef enum MHD_Result (*http_handler)(void *context, http_exchange *exchange);

/* Called once for every exchange that ends, however it ends. May be NULL. */
typedef void (*http_ended)(void *context, http_exchange *exchange);

typedef struct http_server_config {
    uint16_t port; /* 0: any free one */
    bool threads;  /* a thread for each connection; else one for all, with suspend and resume */
    http_handler handler;
    http_ended ended;
    void *context;
} http_server_config;

/* NULL with errno if the port cannot be had. Lifts the process's limit on open files as far as it
 * may. */
http_server *http_server_open(const http_server_config *config);
void http_server_close(http_server *server);
uint16_t http_server_port(const http_server *server);

typedef struct http_header {
    const char *name, *value; /* a list ends with a NULL name */
} http_header;

enum MHD_Result http_reply(http_exchange *exchange, unsigned status, const char *type,
                           const char *body, const http_header *headers);

/* Takes the reference to `body`. */
enum MHD_Result http_reply_json(http_exchange *exchange, unsigned status, json_t *body,
                                const http_header *headers);

/* {"schema": "switchgear.error/1", "error": text} */
enum MHD_Result http_reply_error(http_exchange *exchange, unsigned status, const char *text);

/* The value of ?name=...; NULL if it is not there. */
const char *http_query(const http_exchange *exchange, const char *name);

/* Ends the connection with a TCP reset. The handler returns what this returns. */
enum MHD_Result http_reset(http_exchange *exchange);

#endif
