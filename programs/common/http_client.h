/* One HTTP call at a time, over libcurl, for the short questions programs ask each other. */
#ifndef SWG_PROGRAMS_HTTP_CLIENT_H
#define SWG_PROGRAMS_HTTP_CLIENT_H

#include <curl/curl.h>

#include <stdbool.h>
#include <stddef.h>

/* A body that grows up to a limit; what is beyond it is dropped. */
enum { HTTP_BODY_MAX = 65536 };

typedef struct http_body {
    char *data; /* ends with a NUL; NULL if nothing came */
    size_t length;
} http_body;

size_t http_body_write(char *data, size_t size, size_t count, void *body);
void http_body_free(http_body *body);

/* Options every call of the programs shares: no signals, no proxy, plain HTTP only. */
void http_client_prepare(CURL *curl, const char *url, long timeout_ms, http_body *body);

/* Makes the call. `method` is "GET" or "POST" (with an empty body). Free the body either way. */
CURLcode http_call(const char *method, const char *url, long timeout_ms, long *status,
                   http_body *body);

#endif
