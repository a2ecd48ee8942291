#include "upstream.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { IDLE_MAX = 256 };

struct upstream {
    char url[256];
    long timeout_ms;
    pthread_mutex_t lock;
    CURL *idle[IDLE_MAX]; /* the one used last on top: its connection is the warmest */
    int idle_count;
};

upstream *upstream_open(const char *url, long timeout_ms)
{
    upstream *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    snprintf(u->url, sizeof u->url, "%s", url);
    u->timeout_ms = timeout_ms;
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
    return curl ? curl : curl_easy_init();
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

/* What an answer says about the service. A 4xx is the caller's fault and says nothing. */
static swg_outcome judge(CURLcode result, long status)
{
    if (result == CURLE_OPERATION_TIMEDOUT)
        return SWG_TIMEOUT;
    if (result != CURLE_OK || status >= 500)
        return SWG_FAILURE;
    return status >= 400 ? SWG_IGNORED : SWG_SUCCESS;
}

void upstream_call(upstream *u, upstream_answer *answer)
{
    CURL *curl = take(u);
    *answer = (upstream_answer){.outcome = SWG_CANCELLED};
    if (!curl) {
        snprintf(answer->problem, sizeof answer->problem, "out of memory");
        return;
    }
    http_client_prepare(curl, u->url, u->timeout_ms, &answer->body);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, answer->problem);
    CURLcode result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    answer->outcome = judge(result, answer->status);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    if (result != CURLE_OK)
        answer->status = 0;
    give_back(u, curl);
}
