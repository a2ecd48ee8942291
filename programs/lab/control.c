/* The control path of the lab's service, and the two commands that use it. */
#include "lab.h"

#include "../common/http_client.h"
#include "parts.h"

#include <stdio.h>
#include <string.h>

enum { CONTROL_MS = 1000, START_MS = 6000, RATE_PCT = 80, SERVICE_PORT = 9000 };

static bool post(uint16_t port, const char *query, long limit_ms, json_t **answer)
{
    char url[128];
    long status;
    http_body body;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/control?%s", port, query);
    CURLcode result = http_call("POST", url, limit_ms, &status, &body);
    *answer = result == CURLE_OK && status == 200 ? json_loads(body.data ? body.data : "", 0, NULL)
                                                  : NULL;
    http_body_free(&body);
    return *answer != NULL;
}

bool control_post(uint16_t port, fault_kind fault, int rate_pct, json_t **answer)
{
    char query[64];
    snprintf(query, sizeof query, "fault=%s&rate=%d", fault_name(fault), rate_pct);
    return post(port, query, CONTROL_MS, answer);
}

bool control_redis(uint16_t port, const redis_order *order, json_t **answer)
{
    char query[64];
    snprintf(query, sizeof query, "do=%s&who=%c", redis_actions[order->action],
             'A' + order->instance);
    return post(port, query, START_MS, answer);
}

static uint16_t service_port(const cli_args *args)
{
    return (uint16_t)cli_number(args, "ports", SERVICE_PORT);
}

static int switch_fault(const cli_args *args, fault_kind fault, int rate_pct)
{
    json_t *answer;
    out o;
    uint16_t port = service_port(args);
    out_open(&o, stdout, cli_text(args, "color", NULL));
    if (!control_post(port, fault, rate_pct, &answer)) {
        fprintf(stderr,
                "no lab service answers on port %u\nStart one: switchgear lab independent, or "
                "switchgear lab service; or name its port with --ports\n",
                port);
        return CLI_NOBODY;
    }
    const char *text = json_string_value(json_object_get(answer, "text"));
    out_line(&o, "service on port %u: %s", port, text ? text : fault_name(fault));
    json_decref(answer);
    return CLI_FINE;
}

int lab_redis_tell(const cli_args *args, const redis_order *order)
{
    json_t *answer;
    out o;
    const uint16_t usual = (uint16_t)(service_port(args) + REDIS_PORT - SERVICE_PORT);
    const uint16_t port = (uint16_t)cli_number(args, "port", usual);
    out_open(&o, stdout, cli_text(args, "color", NULL));
    if (!control_redis(port, order, &answer)) {
        fprintf(stderr,
                "no Redis of a lab answers on port %u\nStart one: switchgear lab fleet, or "
                "switchgear lab redis; or name its port with --port, or that of the service with "
                "--ports\n",
                port);
        return CLI_NOBODY;
    }
    const char *text = json_string_value(json_object_get(answer, "text"));
    const char *cut = json_string_value(json_object_get(answer, "cut"));
    out_line(&o, "%s%s%s", text ? text : "", cut && *cut ? "; cut off: " : "", cut ? cut : "");
    json_decref(answer);
    return CLI_FINE;
}

int lab_break_run(const cli_args *args)
{
    fault_kind fault = FAULT_NONE;
    fault_parse(&fault, args->words[0]);
    return switch_fault(args, fault, (int)cli_number(args, "rate", RATE_PCT));
}

int lab_heal_run(const cli_args *args)
{
    return switch_fault(args, FAULT_NONE, 100);
}
