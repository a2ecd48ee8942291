#include "upstream.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { IDLE_MAX = 256, BODY_MAX = 65536 };

struct upstream {
    char url[256];
    swg_circuit *circuit;
    swg_retry_config retry;
    bool retries;
    uint32_t timeout_ms;
    pthread_mutex_t lock;
    CURL *idle[IDLE_MAX]; /* the one used last on top: its connection is the warmest */
    int idle_count;
};

upstream *upstream_open(const char *url, uint32_t timeout_ms, swg_circuit *circuit,
                        const swg_retry_config *retry)
{
    upstream *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    snprintf(u->url, sizeof u->url, "%s", url);
    u->timeout_ms = timeout_ms;
    u->circuit = circuit;
    u->retries = retry != NULL;
    if (retry)
        u->retry = *retry;
    pthread_mutex_init(&u->lock, NULL);
    return u;
}

void upstream_close(upstream *u)
{
    if (!u)
        return;
    for (int i = 0; i < u->idle_count; i++)
        curl_easy_cleanup(u->idle[i]);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

static CURL *take(upstream *u)
{
    pthread_mutex_lock(&u->lock);
    CURL *curl = u->idle_count ? u->idle[--u->idle_count] : NULL;
    pthread_mutex_unlock(&u->lock);
    if (curl || !(curl = curl_easy_init()))
        return curl;
    curl_easy_setopt(curl, CURLOPT_URL, u->url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    return curl;
}

static void give_back(upstream *u, CURL *curl)
{
    pthread_mutex_lock(&u->lock);
    bool kept = u->idle_count < IDLE_MAX;
    if (kept)
        u->idle[u->idle_count++] = curl;
    pthread_mutex_unlock(&u->lock);
    if (!kept)
        curl_easy_cleanup(curl);
}

void upstream_call(upstream *u, upstream_answer *answer)
{
    CURL *curl = take(u);
    *answer = (upstream_answer){.result = {.outcome = SWG_CANCELLED, .code = CURLE_OUT_OF_MEMORY},
                                .body = {.most = BODY_MAX}};
    snprintf(answer->problem, sizeof answer->problem, "out of memory");
    if (!curl)
        return;
    const swg_curl_config config = {.size = sizeof config,
                                    .timeout_ms = u->timeout_ms,
                                    .retry = u->retries ? &u->retry : NULL,
                                    .body = &answer->body};
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, answer->problem);
    swg_curl_perform(u->circuit, curl, &config, &answer->result);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    give_back(u, curl);
}
