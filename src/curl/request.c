/* Configurations, bodies, time-outs. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define BODY_MOST ((size_t)16 << 20)

int swg__curl_take(swg_curl_config *full, const swg_curl_config *config)
{
    *full = (swg_curl_config){.size = sizeof(*full)};
    if (config == NULL) {
        return SWG_OK;
    }
    if (config->size < sizeof(config->size)) {
        return SWG_EINVAL;
    }
    const size_t known = config->size < sizeof(*full) ? config->size : sizeof(*full);
    for (size_t i = known; i < config->size; i++) {
        if (((const unsigned char *)config)[i] != 0) {
            return SWG_ENEWER;
        }
    }
    memcpy(full, config, known);
    if (full->rule_count != 0 && full->rules == NULL) {
        return SWG_EINVAL;
    }
    if (full->retry == NULL) {
        return SWG_OK;
    }
    swg_retry retry;
    const int error = swg_retry_begin(&retry, full->retry, 0, 0);
    const bool repeats = retry.attempts_max > 1 && full->body == NULL && full->begin == NULL;
    const bool hedges = (retry.hedge_ms != 0 || retry.hedge_pct != 0) && full->body == NULL;
    return error != SWG_OK ? error : repeats || hedges ? SWG_EINVAL : SWG_OK;
}

static size_t body_write(char *data, size_t size, size_t count, void *closure)
{
    swg_curl_body *body = closure;
    const size_t bytes = size * count;
    if (bytes > (body->most != 0 ? body->most : BODY_MOST) - body->length) {
        return 0;
    }
    char *longer = realloc(body->data, body->length + bytes + 1);
    if (longer == NULL) {
        return 0;
    }
    memcpy(longer + body->length, data, bytes);
    body->data = longer;
    body->length += bytes;
    body->data[body->length] = '\0';
    return bytes;
}

void swg_curl_body_free(swg_curl_body *body)
{
    free(body->data);
    body->data = NULL;
    body->length = 0;
}

int swg__curl_prepare(const swg_curl_config *config, CURL *easy, swg_curl_body *body,
                      int64_t left_ns)
{
    CURLcode code = CURLE_OK;
    long limit_ms = (long)config->timeout_ms;
    if (left_ns != INT64_MAX) {
        const long left_ms = (long)(left_ns / SWG__NS_PER_MS) + 1;
        limit_ms = limit_ms == 0 || left_ms < limit_ms ? left_ms : limit_ms;
    }
    if (limit_ms > 0) {
        code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, limit_ms);
    }
    if (body != NULL) {
        swg_curl_body_free(body);
        code = code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_write) : code;
        code = code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_WRITEDATA, body) : code;
    }
    return code == CURLE_OK ? SWG_OK : SWG_ENOMEM;
}

void swg__curl_fall_back(const swg_curl_config *config, swg_curl_result *result)
{
    const bool came_to_nothing =
        result->verdict != SWG_PERMITTED || swg__curl_failed((swg_outcome)result->outcome);
    if (came_to_nothing && config->fallback != NULL && config->fallback(config->arg, result)) {
        result->fell_back = 1;
    }
}
