/* HTTP through a circuit, over libcurl: libswitchgear-curl (pkg-config: switchgear-curl).
 *
 * swg_curl_perform() is one blocking call; a swg_curl runs any number of them on a curl multi
 * handle. Either acquires, transfers, judges the answer, releases, retries and hedges. A call the
 * circuit rejects never touches the network.
 *
 *     swg_curl_body body = {0};
 *     swg_curl_result result;
 *     swg_curl_perform(circuit, easy, SWG_CURL(.body = &body, .retry = SWG_RETRY(0)), &result);
 *     if (result.verdict == SWG_PERMITTED && result.outcome == SWG_SUCCESS) { ... body.data ... }
 */
#ifndef SWITCHGEAR_CURL_H
#define SWITCHGEAR_CURL_H

#include <curl/curl.h>
#include <switchgear/retry.h>

#ifdef __cplusplus
extern "C" {
#endif

/* May a failed request be sent again? Idempotent requests are GET, HEAD, PUT, DELETE, OPTIONS and
 * TRACE (RFC 9110, 9.2.2). One of which nothing was sent may be repeated whatever it is. */
typedef enum swg_curl_repeat {
    SWG_CURL_REPEAT_NEVER = 0,
    SWG_CURL_REPEAT_IDEMPOTENT = 1,
    SWG_CURL_REPEAT_ALWAYS = 2
} swg_curl_repeat;

typedef enum swg_curl_kind { SWG_CURL_STATUS = 0, SWG_CURL_CODE = 1 } swg_curl_kind;

/* What an answer says about the dependency: the first row that fits decides. Yours are asked before
 * the built-in ones, which are:
 *
 *   status  100-399                           success
 *           408                               timeout, repeated if idempotent
 *           429, 500, 502, 503                failure, repeated if idempotent
 *           504                               timeout, repeated if idempotent
 *           400-499, 501, 505                 ignored: the request is to blame
 *           other 500-599                     failure
 *   code    OPERATION_TIMEDOUT                timeout, repeated if idempotent
 *           COULDNT_RESOLVE_HOST, _PROXY   failure of local origin, always repeated
 *           COULDNT_CONNECT                failure, always repeated; of local origin if no route,
 *                                          address or descriptor was to be had
 *           PEER_FAILED_VERIFICATION, SSL_* of a certificate or its setup   failure, never repeated
 *           WRITE_ERROR, READ_ERROR, ABORTED_BY_CALLBACK, OUT_OF_MEMORY, URL_MALFORMAT,
 *           UNSUPPORTED_PROTOCOL, FAILED_INIT, BAD_FUNCTION_ARGUMENT, FILESIZE_EXCEEDED and others
 *           of this side                      cancelled: says nothing about the dependency
 *           TOO_MANY_REDIRECTS                ignored
 *           all others (short body, reset, nothing came, ...)   failure, repeated if idempotent */
typedef struct swg_curl_rule {
    uint32_t kind;    /* enum swg_curl_kind */
    int32_t first;    /* status or CURLcode, from */
    int32_t last;     /* to */
    uint32_t outcome; /* enum swg_outcome */
    uint32_t repeat;  /* enum swg_curl_repeat */
} swg_curl_rule;

/* An answer's body, ended by a NUL that `length` does not count. */
typedef struct swg_curl_body {
    char *data; /* NULL: nothing came */
    size_t length;
    size_t most; /* bytes it may grow to; 0: 16 MiB. More ends the transfer: CURLE_WRITE_ERROR */
} swg_curl_body;

void swg_curl_body_free(swg_curl_body *body);

/* What came of a call. */
typedef struct swg_curl_result {
    swg_verdict verdict; /* not SWG_PERMITTED: the last attempt was not made */
    swg_outcome outcome; /* of the last attempt made; SWG_CANCELLED if none was */
    CURLcode code;       /* of the last attempt made */
    long status;         /* its HTTP status; 0: none came */
    uint32_t attempts;   /* made, hedges not counted */
    uint32_t hedges;     /* second attempts made */
    uint32_t hedge_won;  /* 1: the answer is a second attempt's */
    uint32_t fell_back;  /* 1: the fallback answered */
    swg_retry_end end;   /* why it was not tried again */
    int64_t retry_ns;    /* rejected: trying before this is of no use */
    CURL *easy;          /* the handle that answered, for curl_easy_getinfo(); during `done` only */
} swg_curl_result;

/* How to make a call. Set `size`, or use SWG_CURL(). It must live until the call is over. */
typedef struct swg_curl_config {
    uint32_t size;
    uint32_t timeout_ms; /* 0: as the handle is set; else for each attempt, set on the handle */
    uint32_t idempotent; /* 1: a POST or PATCH may be repeated too */
    uint32_t rule_count;
    const swg_curl_rule *rules;
    const swg_retry_config *retry; /* NULL: one attempt */
    /* Collects the body, of the attempt that counts only. Takes over CURLOPT_WRITEFUNCTION and
     * CURLOPT_WRITEDATA. NULL: they are yours, and retrying needs `begin`. */
    swg_curl_body *body;
    /* Before each attempt, numbered from 1: forget what the one before has written. */
    void (*begin)(void *arg, CURL *easy, uint32_t attempt);
    /* The call was rejected, or failed for good: true if you answer it otherwise. */
    bool (*fallback)(void *arg, const swg_curl_result *result);
    void *arg;
} swg_curl_config;
#define SWG_CURL(...) (&(swg_curl_config){.size = sizeof(swg_curl_config), __VA_ARGS__})

/* Makes the call, and returns when it is over; sleeps between attempts. With a deadline in
 * config->retry, CURLOPT_TIMEOUT_MS is set so that no attempt outlives it. With hedging it runs on
 * a multi handle of its own, and so on new connections; a swg_curl keeps them.
 * NULL config: one attempt, all defaults. Errors: SWG_EINVAL (a retry that swg_retry_check()
 * refuses; retrying without body or begin; hedging without body), SWG_ENEWER, SWG_ENOMEM; then
 * nothing was done.  Threads: any, one easy handle by one thread at a time. */
int swg_curl_perform(swg_circuit *circuit, CURL *easy, const swg_curl_config *config,
                     swg_curl_result *result);

/* ---- many at once, on a multi handle -------------------------------------------------------- */

typedef struct swg_curl swg_curl;

/* The call is over; the handle is out of the multi handle and yours again. Called by
 * swg_curl_step() and swg_curl_close() only; it may start and cancel calls. */
typedef void (*swg_curl_done)(void *arg, const swg_curl_result *result);

/* NULL multi: one of its own. All transfers of a multi handle given must go through the adapter,
 * which reads its messages and uses CURLOPT_PRIVATE while a call runs.
 * Errors: SWG_EINVAL, SWG_ENOMEM.  Threads: a swg_curl is used by one thread at a time. */
int swg_curl_open(swg_curl **curl, CURLM *multi);

/* Cancels all calls, then frees; a multi handle that was given stays. */
void swg_curl_close(swg_curl **curl);

CURLM *swg_curl_multi(swg_curl *curl);

/* Calls started and not over. */
size_t swg_curl_pending(const swg_curl *curl);

/* Starts a call at the next swg_curl_step(). `done` may be NULL. Errors: as swg_curl_perform(). */
int swg_curl_start(swg_curl *curl, swg_circuit *circuit, CURL *easy, const swg_curl_config *config,
                   swg_curl_done done, void *arg, int64_t now_ns);

/* Ends the call of this handle: it gives back all it holds and counts as cancelled; `done` is
 * called. Errors: SWG_ENOENT. */
int swg_curl_cancel(swg_curl *curl, CURL *easy, int64_t now_ns);

/* Does what is due: starts attempts, ends those that are over, calls `done`. To be called whenever
 * the multi handle has been driven (curl_multi_perform(), curl_multi_socket_action()), after
 * swg_curl_start(), and when the time it answers is over: nanoseconds until it has something to do,
 * -1: nothing. Never blocks. */
int64_t swg_curl_step(swg_curl *curl, int64_t now_ns);

/* For programs without a loop of their own: drives everything once, waiting at most timeout_ms
 * (0 to 60 000) for something to happen. The number of calls not over, or an error: SWG_ESYS. */
int swg_curl_run(swg_curl *curl, uint32_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
