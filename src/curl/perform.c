/* One blocking call. */
#include "internal.h"

typedef struct call {
    const swg_curl_config *config;
    CURL *easy;
    swg_curl_result *result;
} call;

static swg_outcome work(void *arg, swg_attempt *attempt)
{
    call *c = arg;
    const int64_t left_ns =
        attempt->deadline_ns == INT64_MAX ? INT64_MAX : attempt->deadline_ns - swg_clock_ns();
    c->result->attempts++;
    if (c->config->begin != NULL) {
        c->config->begin(c->config->arg, c->easy, c->result->attempts);
    }
    const bool ready = swg__curl_prepare(c->config, c->easy, c->config->body, left_ns) == SWG_OK;
    const CURLcode code = ready ? curl_easy_perform(c->easy) : CURLE_OUT_OF_MEMORY;
    const swg__judgement j = swg__curl_judge(c->config, c->easy, code);
    c->result->code = j.code;
    c->result->status = j.status;
    attempt->after_ns = j.after_ns;
    attempt->final = !j.repeatable;
    return j.outcome;
}

static void keep(void *arg, const swg_curl_result *result)
{
    *(swg_curl_result *)arg = *result;
}

/* Two at once need a multi handle. */
static int perform_hedged(swg_circuit *circuit, CURL *easy, const swg_curl_config *config,
                          swg_curl_result *result)
{
    swg_curl *curl;
    int error = swg_curl_open(&curl, NULL);
    if (error != SWG_OK) {
        return error;
    }
    error = swg_curl_start(curl, circuit, easy, config, keep, result, swg_clock_ns());
    while (error >= SWG_OK && swg_curl_pending(curl) > 0) {
        error = swg_curl_run(curl, 1000);
    }
    swg_curl_close(&curl);
    result->easy = easy;
    return error < SWG_OK ? error : SWG_OK;
}

int swg_curl_perform(swg_circuit *circuit, CURL *easy, const swg_curl_config *config,
                     swg_curl_result *result)
{
    swg_curl_config full;
    if (circuit == NULL || easy == NULL || result == NULL) {
        return SWG_EINVAL;
    }
    *result = (swg_curl_result){.outcome = SWG_CANCELLED, .easy = easy};
    const int error = swg__curl_take(&full, config);
    if (error != SWG_OK) {
        return error;
    }
    if (full.retry != NULL && (full.retry->hedge_ms != 0 || full.retry->hedge_pct != 0)) {
        return perform_hedged(circuit, easy, config, result);
    }
    call c = {&full, easy, result};
    swg_call_report report;
    result->verdict = swg_call_reported(circuit, full.retry, work, &c, &report);
    result->outcome = report.outcome;
    result->end = report.end;
    result->retry_ns = report.retry_ns;
    swg__curl_fall_back(&full, result);
    return SWG_OK;
}
