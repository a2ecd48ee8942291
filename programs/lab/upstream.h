/* Calls to the service, each on a connection taken from a pool that grows as it must. */
#ifndef SWG_LAB_UPSTREAM_H
#define SWG_LAB_UPSTREAM_H

#include "../common/http_client.h"

#include <switchgear/types.h>

typedef struct upstream upstream;

typedef struct upstream_answer {
    swg_outcome outcome;
    long status; /* 0: no answer came */
    char problem[CURL_ERROR_SIZE];
    http_body body;
} upstream_answer;

upstream *upstream_open(const char *url, long timeout_ms);
void upstream_close(upstream *u);

/* Threads: any. Free the body. */
void upstream_call(upstream *u, upstream_answer *answer);

#endif
