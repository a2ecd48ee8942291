/* Calls to the service through a circuit, each on a connection taken from a pool that grows as it
 * must. */
#ifndef SWG_LAB_UPSTREAM_H
#define SWG_LAB_UPSTREAM_H

#include <switchgear/curl.h>

typedef struct upstream upstream;

typedef struct upstream_answer {
    swg_curl_result result; /* its `easy` is another call's by now */
    char problem[CURL_ERROR_SIZE];
    swg_curl_body body;
} upstream_answer;

/* NULL retry: one attempt. */
upstream *upstream_open(const char *url, uint32_t timeout_ms, swg_circuit *circuit,
                        const swg_retry_config *retry);
void upstream_close(upstream *u);

/* Threads: any. Free the body. */
void upstream_call(upstream *u, upstream_answer *answer);

#endif
