#include "http_client.h"

#include <stdlib.h>
#include <string.h>

size_t http_body_write(char *data, size_t size, size_t count, void *closure)
{
    http_body *body = closure;
    size_t bytes = size * count;
    if (body->length + bytes > HTTP_BODY_MAX)
        return bytes;
    char *longer = realloc(body->data, body->length + bytes + 1);
    if (!longer)
        return 0;
    memcpy(longer + body->length, data, bytes);
    body->data = longer;
    body->length += bytes;
    body->data[body->length] = '\0';
    return bytes;
}

void http_body_free(http_body *body)
{
    free(body->data);
    *body = (http_body){0};
}

void http_client_prepare(CURL *curl, const char *url, long timeout_ms, http_body *body)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, http_body_write);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
}

CURLcode http_call(const char *method, const char *url, long timeout_ms, long *status,
                   http_body *body)
{
    CURL *curl = curl_easy_init();
    *body = (http_body){0};
    *status = 0;
    if (!curl)
        return CURLE_FAILED_INIT;
    http_client_prepare(curl, url, timeout_ms, body);
    if (strcmp(method, "POST") == 0)
        curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, "");
    CURLcode result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    curl_easy_cleanup(curl);
    return result;
}
