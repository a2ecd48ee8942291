/* What a transfer's end says about the dependency. */
#include <errno.h>
#include <string.h>

#include "internal.h"

#define STATUS(first, last, outcome, repeat)                                                       \
    {                                                                                              \
        SWG_CURL_STATUS, first, last, outcome, SWG_CURL_REPEAT_##repeat                            \
    }
#define CODE(name, outcome, repeat)                                                                \
    {                                                                                              \
        SWG_CURL_CODE, CURLE_##name, CURLE_##name, outcome, SWG_CURL_REPEAT_##repeat               \
    }

/* In the order of the comment in curl.h. */
static const swg_curl_rule rules[] = {
    STATUS(100, 399, SWG_SUCCESS, NEVER),
    STATUS(408, 408, SWG_TIMEOUT, IDEMPOTENT),
    STATUS(429, 429, SWG_FAILURE, IDEMPOTENT),
    STATUS(500, 500, SWG_FAILURE, IDEMPOTENT),
    STATUS(502, 503, SWG_FAILURE, IDEMPOTENT),
    STATUS(504, 504, SWG_TIMEOUT, IDEMPOTENT),
    STATUS(400, 499, SWG_IGNORED, NEVER),
    STATUS(501, 501, SWG_IGNORED, NEVER),
    STATUS(505, 505, SWG_IGNORED, NEVER),
    STATUS(506, 599, SWG_FAILURE, NEVER),
    CODE(OPERATION_TIMEDOUT, SWG_TIMEOUT, IDEMPOTENT),
    CODE(COULDNT_RESOLVE_HOST, SWG_FAILURE_LOCAL, ALWAYS),
    CODE(COULDNT_RESOLVE_PROXY, SWG_FAILURE_LOCAL, ALWAYS),
    CODE(COULDNT_CONNECT, SWG_FAILURE, ALWAYS),
    CODE(PEER_FAILED_VERIFICATION, SWG_FAILURE, NEVER),
    CODE(SSL_CACERT_BADFILE, SWG_CANCELLED, NEVER),
    CODE(SSL_CERTPROBLEM, SWG_CANCELLED, NEVER),
    CODE(SSL_CIPHER, SWG_FAILURE, NEVER),
    CODE(SSL_CRL_BADFILE, SWG_CANCELLED, NEVER),
    CODE(SSL_ENGINE_INITFAILED, SWG_CANCELLED, NEVER),
    CODE(SSL_ENGINE_NOTFOUND, SWG_CANCELLED, NEVER),
    CODE(SSL_ENGINE_SETFAILED, SWG_CANCELLED, NEVER),
    CODE(SSL_ISSUER_ERROR, SWG_FAILURE, NEVER),
    CODE(SSL_PINNEDPUBKEYNOTMATCH, SWG_FAILURE, NEVER),
    CODE(SSL_INVALIDCERTSTATUS, SWG_FAILURE, NEVER),
    CODE(WRITE_ERROR, SWG_CANCELLED, NEVER),
    CODE(READ_ERROR, SWG_CANCELLED, NEVER),
    CODE(ABORTED_BY_CALLBACK, SWG_CANCELLED, NEVER),
    CODE(OUT_OF_MEMORY, SWG_CANCELLED, NEVER),
    CODE(URL_MALFORMAT, SWG_CANCELLED, NEVER),
    CODE(UNSUPPORTED_PROTOCOL, SWG_CANCELLED, NEVER),
    CODE(NOT_BUILT_IN, SWG_CANCELLED, NEVER),
    CODE(FAILED_INIT, SWG_CANCELLED, NEVER),
    CODE(BAD_FUNCTION_ARGUMENT, SWG_CANCELLED, NEVER),
    CODE(UNKNOWN_OPTION, SWG_CANCELLED, NEVER),
    CODE(INTERFACE_FAILED, SWG_CANCELLED, NEVER),
    CODE(FILESIZE_EXCEEDED, SWG_CANCELLED, NEVER),
    CODE(SEND_FAIL_REWIND, SWG_CANCELLED, NEVER),
    CODE(NO_CONNECTION_AVAILABLE, SWG_CANCELLED, NEVER),
    CODE(TOO_MANY_REDIRECTS, SWG_IGNORED, NEVER),
    CODE(OK, SWG_SUCCESS, NEVER), /* not HTTP */
    {SWG_CURL_CODE, 0, INT32_MAX, SWG_FAILURE, SWG_CURL_REPEAT_IDEMPOTENT},
};

static const swg_curl_rule *find(const swg_curl_rule *table, size_t count, swg_curl_kind kind,
                                 long value)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].kind == kind && value >= table[i].first && value <= table[i].last) {
            return &table[i];
        }
    }
    return NULL;
}

/* The caller's rows first, then ours. A transfer that went wrong is judged by its code, even if a
 * status came before. */
static const swg_curl_rule *rule_for(const swg_curl_config *config, CURLcode code, long status)
{
    const bool answered = code == CURLE_OK && status != 0;
    const swg_curl_kind kind = answered ? SWG_CURL_STATUS : SWG_CURL_CODE;
    const long value = answered ? status : (long)code;
    const swg_curl_rule *rule = find(config->rules, config->rule_count, kind, value);
    if (rule == NULL) {
        rule = find(rules, sizeof(rules) / sizeof(rules[0]), kind, value);
    }
    return rule != NULL ? rule : &rules[sizeof(rules) / sizeof(rules[0]) - 1];
}

bool swg__curl_idempotent(const swg_curl_config *config, CURL *easy)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    char *method = NULL;
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_METHOD, &method);
    for (size_t i = 0; method != NULL && i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(method, methods[i]) == 0) {
            return true;
        }
    }
    return config->idempotent != 0;
}

/* Did the attempt to connect end on this host? Nobody at the port, or silence, is the other's. */
static bool is_local(CURL *easy)
{
    long error = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
    switch (error) {
    case EACCES:
    case EADDRNOTAVAIL:
    case EHOSTUNREACH:
    case EMFILE:
    case ENETDOWN:
    case ENETUNREACH:
    case ENFILE:
    case EPERM:
        return true;
    default:
        return false;
    }
}

static bool is_ours(const swg_curl_rule *rule)
{
    return rule >= rules && rule < rules + sizeof(rules) / sizeof(rules[0]);
}

swg__judgement swg__curl_judge(const swg_curl_config *config, CURL *easy, CURLcode code)
{
    swg__judgement j = {.code = code};
    curl_off_t after_s = 0;
    long sent = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &j.status);
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
    const swg_curl_rule *rule = rule_for(config, code, j.status);
    j.outcome = (swg_outcome)(rule->outcome < SWG_OUTCOME_COUNT ? rule->outcome : SWG_FAILURE);
    if (code == CURLE_COULDNT_CONNECT && is_ours(rule) && is_local(easy)) {
        j.outcome = SWG_FAILURE_LOCAL;
    }
    j.repeatable = rule->repeat == SWG_CURL_REPEAT_ALWAYS ||
                   (rule->repeat == SWG_CURL_REPEAT_IDEMPOTENT &&
                    (sent == 0 || swg__curl_idempotent(config, easy)));
    if (code == CURLE_OK && curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &after_s) == CURLE_OK &&
        after_s > 0) {
        j.after_ns = (after_s < 86400 * 365 ? after_s : 86400 * 365) * INT64_C(1000000000);
    }
    if (code != CURLE_OK) {
        j.status = 0;
    }
    return j;
}
