/* One instance of an application: answers GET / by calling the service through a circuit, or says
 * 503 at once when the circuit does not let it. GET /state shows the circuit, GET /events its
 * journal. */
#include "parts.h"

#include "../common/evidence.h"
#include "../common/http_server.h"
#include "fleet_event.h"
#include "histogram.h"
#include "instance_fleet.h"
#include "naive.h"
#include "part.h"
#include "profile.h"
#include "upstream.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>

/* People give Redis seconds, or no limit at all; a tenth is a kind one. */
enum { NAIVE_TIMEOUT_MS = 100 };
enum { JOURNAL_MS = 20, STATE_MS = 200, EVENTS_MAX = 64, NS_PER_MS = 1000000 };

typedef struct instance {
    part part;
    const char *name;
    uint16_t port;
    upstream *upstream;
    swg_panel *panel;
    swg_circuit *circuit;
    instance_fleet *fleet; /* NULL: on its own */
    naive *naive;          /* NULL: none */
    bool breaker;          /* false: the circuit is held closed, and not shown */
    swg_retry_config retry;
    bool retries;
    atomic_ullong answered, failed, rejected;
    atomic_int waiting;   /* callers waiting for the service now */
    pthread_mutex_t lock; /* guards `fast_fail` */
    histogram fast_fail;  /* from the request's arrival to its 503 */
} instance;

/* ---- answering ----------------------------------------------------------------------------- */

static unsigned retry_after_s(int64_t retry_ns, int64_t now_ns)
{
    int64_t wait_ns = retry_ns - now_ns;
    return wait_ns > 0 ? (unsigned)((wait_ns + 999999999) / 1000000000) : 1;
}

static enum MHD_Result reject(instance *in, http_exchange *exchange, const swg_curl_result *result,
                              int64_t now_ns)
{
    char seconds[16], body[160];
    const char *verdict = swg_verdict_name(result->verdict);
    unsigned after = retry_after_s(result->retry_ns, now_ns);
    snprintf(seconds, sizeof seconds, "%u", after);
    snprintf(body, sizeof body, "rejected: the circuit to the service is %s, try again in %u s\n",
             verdict, after);
    const http_header headers[] = {
        {"Retry-After", seconds}, {"X-Switchgear", verdict}, {NULL, NULL}};
    enum MHD_Result sent =
        http_reply(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain", body, headers);
    in->rejected++;
    pthread_mutex_lock(&in->lock);
    histogram_add(&in->fast_fail, swg_clock_ns() - now_ns);
    pthread_mutex_unlock(&in->lock);
    return sent;
}

static bool is_good(const upstream_answer *answer)
{
    return answer->result.outcome == SWG_SUCCESS || answer->result.outcome == SWG_IGNORED;
}

static enum MHD_Result pass_on(instance *in, http_exchange *exchange, const upstream_answer *answer)
{
    if (is_good(answer)) {
        in->answered++;
        return http_reply(exchange, (unsigned)answer->result.status, "text/plain",
                          answer->body.data ? answer->body.data : "", NULL);
    }
    char text[CURL_ERROR_SIZE + 64];
    in->failed++;
    if (answer->result.status)
        snprintf(text, sizeof text, "the service answered %ld\n", answer->result.status);
    else
        snprintf(text, sizeof text, "the service did not answer: %s\n", answer->problem);
    bool late = answer->result.outcome == SWG_TIMEOUT;
    unsigned status = late ? MHD_HTTP_GATEWAY_TIMEOUT : MHD_HTTP_BAD_GATEWAY;
    return http_reply(exchange, status, "text/plain", text, NULL);
}

static enum MHD_Result naive_call_of(instance *in, http_exchange *exchange)
{
    upstream_answer answer;
    naive_call call;
    int64_t now_ns = swg_clock_ns();
    const swg_curl_result no = {.verdict = SWG_REJECTED_OPEN, .retry_ns = now_ns};
    in->waiting++;
    bool may = naive_allow(in->naive, &call);
    if (may) {
        upstream_call(in->upstream, &answer);
        naive_done(in->naive, &call, is_good(&answer));
    }
    in->waiting--;
    if (!may)
        return reject(in, exchange, &no, now_ns);
    enum MHD_Result sent = pass_on(in, exchange, &answer);
    swg_curl_body_free(&answer.body);
    return sent;
}

static enum MHD_Result guarded_call(instance *in, http_exchange *exchange)
{
    upstream_answer answer;
    int64_t now_ns = swg_clock_ns();
    in->waiting++;
    upstream_call(in->upstream, &answer);
    in->waiting--;
    enum MHD_Result sent = answer.result.attempts == 0 && answer.result.verdict != SWG_PERMITTED
                               ? reject(in, exchange, &answer.result, now_ns)
                               : pass_on(in, exchange, &answer);
    swg_curl_body_free(&answer.body);
    return sent;
}

/* ---- showing ------------------------------------------------------------------------------- */

static json_t *circuit_json(const instance *in)
{
    swg_snapshot s;
    int64_t now_ns = swg_clock_ns();
    if (!in->breaker || swg_circuit_read(in->circuit, now_ns, &s) != SWG_OK)
        return json_null();
    int64_t retry_ms = s.retry_ns > now_ns ? (s.retry_ns - now_ns) / NS_PER_MS : 0;
    return json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:I, s:I}", "name", s.name, "state",
        swg_state_name((swg_state)s.state), "override", swg_override_name((swg_override)s.override),
        "epoch", (json_int_t)s.epoch, "retry_in_ms", (json_int_t)retry_ms, "window_calls",
        (json_int_t)s.window_calls, "window_failures", (json_int_t)s.window_failures, "window_slow",
        (json_int_t)s.window_slow, "consecutive_failures", s.consecutive_failures, "rejected_open",
        (json_int_t)s.rejected[SWG_REJECTED_OPEN], "rejected_probing",
        (json_int_t)s.rejected[SWG_REJECTED_PROBING]);
}

static json_t *fast_fail_json(instance *in)
{
    pthread_mutex_lock(&in->lock);
    json_t *object = json_pack("{s:I, s:I, s:I, s:I}", "count", (json_int_t)in->fast_fail.count,
                               "p50", (json_int_t)histogram_at(&in->fast_fail, 50) / 1000, "p99",
                               (json_int_t)histogram_at(&in->fast_fail, 99) / 1000, "max",
                               (json_int_t)histogram_at(&in->fast_fail, 100) / 1000);
    pthread_mutex_unlock(&in->lock);
    return object;
}

static json_t *state_json(instance *in)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:i, s:o, s:I, s:I, s:I, s:i, s:o}", "schema", "switchgear.lab.instance/1",
        "type", "instance", "instance", in->name, "port", in->port, "circuit", circuit_json(in),
        "answered", (json_int_t)in->answered, "failed", (json_int_t)in->failed, "rejected",
        (json_int_t)in->rejected, "waiting", (int)in->waiting, "fast_fail_us", fast_fail_json(in));
    if (in->naive)
        json_object_set_new(object, "naive", naive_json(in->naive));
    return object;
}

static json_t *events_json(const instance *in)
{
    swg_event events[EVENTS_MAX];
    uint64_t cursor = 0;
    size_t count;
    json_t *list = json_array();
    while (in->breaker && (count = swg_journal_read(in->panel, &cursor, events, EVENTS_MAX)) > 0)
        for (size_t i = 0; i < count; i++)
            json_array_append_new(list, fleet_event_json(&events[i]));
    return json_pack("{s:s, s:s, s:o}", "schema", "switchgear.events/1", "instance", in->name,
                     "events", list);
}

static enum MHD_Result handle(void *context, http_exchange *exchange)
{
    instance *in = context;
    if (strcmp(exchange->method, "GET") != 0)
        return http_reply_error(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, "use GET");
    if (strcmp(exchange->path, "/") == 0)
        return in->naive ? naive_call_of(in, exchange) : guarded_call(in, exchange);
    if (strcmp(exchange->path, "/state") == 0)
        return http_reply_json(exchange, MHD_HTTP_OK, state_json(in), NULL);
    if (strcmp(exchange->path, "/events") == 0)
        return http_reply_json(exchange, MHD_HTTP_OK, events_json(in), NULL);
    return http_reply_error(exchange, MHD_HTTP_NOT_FOUND, "there are /, /state and /events");
}

/* ---- reporting ----------------------------------------------------------------------------- */

static void report_event(instance *in, const swg_event *event)
{
    char why[EVIDENCE_MAX], clock[16];
    if (in->part.json) {
        part_json(&in->part, fleet_event_json(event));
        return;
    }
    out *o = &in->part.out;
    if (event->scope == SWG_SCOPE_FLEET_MODE) {
        out_line(o, "%s  Instance-%s: %s", part_clock(clock), in->name,
                 fleet_event_text(why, event));
        return;
    }
    swg_state to = (swg_state)event->to;
    out_line(o, "%s  %s%s Instance-%s%s → %s%s  %s", part_clock(clock),
             out_paint(o, out_state_style(to, SWG_OVERRIDE_NONE)),
             out_state_sign(to, SWG_OVERRIDE_NONE), in->name,
             event->scope == SWG_SCOPE_FLEET ? ", the fleet" : "",
             out_state_word(to, SWG_OVERRIDE_NONE), out_paint(o, OUT_PLAIN),
             fleet_event_text(why, event));
}

static void report_events(instance *in, uint64_t *cursor)
{
    swg_event events[EVENTS_MAX];
    size_t count;
    while (in->breaker && (count = swg_journal_read(in->panel, cursor, events, EVENTS_MAX)) > 0)
        for (size_t i = 0; i < count; i++)
            report_event(in, &events[i]);
    while (in->naive && naive_take_event(in->naive, &events[0]))
        report_event(in, &events[0]);
}

static void report_until_signal(instance *in)
{
    uint64_t cursor = 0;
    int64_t state_due_ns = 0;
    while (part_wait(JOURNAL_MS)) {
        report_events(in, &cursor);
        if (in->part.json && swg_clock_ns() >= state_due_ns) {
            part_json(&in->part, state_json(in));
            state_due_ns = swg_clock_ns() + STATE_MS * (int64_t)NS_PER_MS;
        }
    }
    report_events(in, &cursor);
}

/* ---- the program --------------------------------------------------------------------------- */

static int use_naive(instance *in, const cli_args *args, const char *socket)
{
    swg_snapshot s;
    swg_circuit_read(in->circuit, swg_clock_ns(), &s);
    if (!naive_fits(&s.config))
        return cli_usage(args, "--naive counts failures in a row: --set failure_threshold=5, say");
    in->naive = naive_open(&(naive_config){.socket = socket,
                                           .failure_threshold = s.config.failure_threshold,
                                           .recovery_ms = s.config.recovery_ms,
                                           .timeout_ms = NAIVE_TIMEOUT_MS});
    return in->naive ? CLI_FINE : CLI_FAILED;
}

static int use_redis(instance *in, const cli_args *args)
{
    const char *url = cli_text(args, "fleet", NULL), *socket = cli_text(args, "naive", NULL);
    if (url && socket)
        return cli_usage(args, "--fleet and --naive do not go together");
    if (socket)
        return use_naive(in, args, socket);
    if (url)
        in->fleet = instance_fleet_open(in->panel, in->name, url, !in->part.json);
    return url && !in->fleet ? CLI_FAILED : CLI_FINE;
}

static int open_circuit(instance *in, const cli_args *args)
{
    swg_circuit_config config;
    in->breaker = !cli_flag(args, "no-breaker") && !cli_text(args, "naive", NULL);
    int usage = profile_from_args(&config, args);
    if (usage == CLI_FINE)
        usage = retry_from_args(&in->retry, &in->retries, args);
    if (usage != CLI_FINE)
        return usage;
    int result = swg_panel_open(&in->panel, cli_text(args, "panel", NULL), NULL);
    if (result >= SWG_OK)
        result = swg_circuit_open(&in->circuit, in->panel, "service", &config);
    if (result >= SWG_OK && !in->breaker)
        result = swg_circuit_override(in->circuit, SWG_FORCED_CLOSED, INT64_MAX, "--no-breaker");
    if (result >= SWG_OK)
        return use_redis(in, args);
    fprintf(stderr, "instance: cannot open the circuit: %s\n", swg_error_text(result));
    return CLI_FAILED;
}

static int serve(instance *in)
{
    http_server *server = http_server_open(
        &(http_server_config){.port = in->port, .threads = true, .handler = handle, .context = in});
    if (!server)
        return part_port_busy(&in->part, in->port);
    in->port = http_server_port(server);
    if (in->part.json)
        part_json(&in->part, state_json(in));
    else
        out_line(&in->part.out, "Instance-%s on http://127.0.0.1:%u/ (its circuit: /state, %s)",
                 in->name, in->port, in->breaker ? "/events" : "none");
    report_until_signal(in);
    http_server_close(server);
    return CLI_FINE;
}

int lab_instance_run(const cli_args *args)
{
    char url[64];
    instance in = {.name = cli_text(args, "name", "A"),
                   .port = (uint16_t)cli_number(args, "port", 8001)};
    part_begin(&in.part, "instance", args);
    int result = open_circuit(&in, args);
    if (result != CLI_FINE)
        return result;
    if (in.part.supervised)
        part_end_with_stdin();
    snprintf(url, sizeof url, "http://127.0.0.1:%d/?from=%c",
             (int)cli_number(args, "service", 9000),
             isalnum((unsigned char)in.name[0]) ? in.name[0] : '-');
    curl_global_init(CURL_GLOBAL_DEFAULT);
    pthread_mutex_init(&in.lock, NULL);
    in.upstream = upstream_open(url, (uint32_t)cli_number(args, "timeout", 1000), in.circuit,
                                in.retries ? &in.retry : NULL);
    result = in.upstream ? serve(&in) : CLI_FAILED;
    upstream_close(in.upstream);
    instance_fleet_close(in.fleet);
    naive_close(in.naive);
    swg_panel_close(&in.panel);
    curl_global_cleanup();
    return result;
}
