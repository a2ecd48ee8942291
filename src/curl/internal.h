/* What blocking and multi calls share: how a request is prepared, and what its end says. */
#ifndef SWG_CURL_INTERNAL_H
#define SWG_CURL_INTERNAL_H

#include <switchgear/curl.h>

/* Longer than any HTTP time-out; curl counts milliseconds in a long. */
#define SWG__NS_PER_MS INT64_C(1000000)

typedef struct swg__judgement {
    swg_outcome outcome;
    CURLcode code;
    long status;
    int64_t after_ns; /* the server asked to wait so long; 0: it did not */
    bool repeatable;
} swg__judgement;

static inline bool swg__curl_failed(swg_outcome outcome)
{
    return outcome == SWG_FAILURE || outcome == SWG_TIMEOUT || outcome == SWG_FAILURE_LOCAL;
}

/* A copy in full of what the caller gave (NULL: all zero). SWG_EINVAL, SWG_ENEWER. */
int swg__curl_take(swg_curl_config *full, const swg_curl_config *config);

/* What the end of a transfer says. */
swg__judgement swg__curl_judge(const swg_curl_config *config, CURL *easy, CURLcode code);

/* May this request be sent twice? */
bool swg__curl_idempotent(const swg_curl_config *config, CURL *easy);

/* Time-outs and the body's writer. SWG_ENOMEM. */
int swg__curl_prepare(const swg_curl_config *config, CURL *easy, swg_curl_body *body,
                      int64_t left_ns);

/* The last word: the fallback's, if the call came to nothing. */
void swg__curl_fall_back(const swg_curl_config *config, swg_curl_result *result);

#endif
