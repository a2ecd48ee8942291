/* HTTP through a circuit, against a real server on its bad days. */
#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <switchgear/curl.h>
#include <switchgear/switchgear.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define WHOLE "an answer, whole and in one piece"

enum { MANY = 1000, ANSWERED = 200 };

typedef struct server {
    pid_t pid;
    int input; /* it lives as long as this is open */
    int port, secure_port;
} server;

static server hostile;
static swg_panel *panel;
static swg_circuit *circuit;
static swg_curl_body body;

static server start_server(int port)
{
    server s = {0};
    int in[2], out[2];
    char text[32], line[64] = "";
    ck_assert_int_eq(pipe(in) | pipe(out), 0);
    snprintf(text, sizeof(text), "%d", port);
    s.pid = fork();
    if (s.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        for (int fd = 3; fd < 64; fd++) {
            close(fd);
        }
        execlp("python3", "python3", HOSTILE, port != 0 ? text : NULL, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    s.input = in[1];
    FILE *output = fdopen(out[0], "r");
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), output));
    fclose(output);
    ck_assert_int_eq(sscanf(line, "%d %d", &s.port, &s.secure_port), 2);
    return s;
}

static void stop_server(server *s, int signal)
{
    kill(s->pid, signal);
    waitpid(s->pid, NULL, 0);
    close(s->input);
}

static void open_circuit(const swg_circuit_config *config)
{
    ck_assert_int_eq(swg_panel_open(&panel, NULL, SWG_PANEL(.circuits = 4, .processes = 4)), 0);
    ck_assert_int_eq(swg_circuit_open(&circuit, panel, "http", config), SWG_OK);
}

static void begin(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    hostile = start_server(0);
}

static void end(void)
{
    stop_server(&hostile, SIGKILL);
    curl_global_cleanup();
}

/* After every test: no permit, no slot is out. */
static void close_circuit(void)
{
    swg_snapshot s;
    ck_assert_int_eq(swg_circuit_read(circuit, swg_clock_ns(), &s), SWG_OK);
    ck_assert_int_eq(s.inflight, 0);
    ck_assert_int_eq(s.probes_out, 0);
    swg_panel_close(&panel);
    swg_curl_body_free(&body);
}

static void point(CURL *easy, const char *path)
{
    char url[128];
    const bool secure = strncmp(path, "https:", 6) == 0;
    snprintf(url, sizeof(url), "%s://127.0.0.1:%d%s", secure ? "https" : "http",
             secure ? hostile.secure_port : hostile.port, secure ? path + 6 : path);
    curl_easy_setopt(easy, CURLOPT_URL, url);
}

static CURL *handle(const char *path)
{
    CURL *easy = curl_easy_init();
    point(easy, path);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    return easy;
}

static long asked(const char *path)
{
    char count[64];
    swg_curl_result result;
    swg_curl_body text = {0};
    snprintf(count, sizeof(count), "/count?%s", path + 1);
    CURL *easy = handle(count);
    swg_circuit *counting;
    ck_assert_int_eq(swg_circuit_open(&counting, panel, "counting", NULL), SWG_OK);
    ck_assert_int_eq(swg_curl_perform(counting, easy, SWG_CURL(.body = &text), &result), SWG_OK);
    const long value = atol(text.data);
    swg_curl_body_free(&text);
    curl_easy_cleanup(easy);
    return value;
}

/* ---- judging ------------------------------------------------------------------------------- */

typedef struct judge_row {
    const char *path;
    CURLcode code;
    long status;
    swg_outcome outcome;
    uint32_t attempts; /* of two */
} judge_row;

static const judge_row judge_rows[] = {
    {"/ok", CURLE_OK, 200, SWG_SUCCESS, 1},
    {"/status?204", CURLE_OK, 204, SWG_SUCCESS, 1},
    {"/status?404", CURLE_OK, 404, SWG_IGNORED, 1},
    {"/status?408", CURLE_OK, 408, SWG_TIMEOUT, 2},
    {"/status?429", CURLE_OK, 429, SWG_FAILURE, 2},
    {"/status?500", CURLE_OK, 500, SWG_FAILURE, 2},
    {"/status?501", CURLE_OK, 501, SWG_IGNORED, 1},
    {"/status?503", CURLE_OK, 503, SWG_FAILURE, 2},
    {"/status?504", CURLE_OK, 504, SWG_TIMEOUT, 2},
    {"/status?507", CURLE_OK, 507, SWG_FAILURE, 1},
    {"/hang", CURLE_OPERATION_TIMEDOUT, 0, SWG_TIMEOUT, 2},
    {"/trickle", CURLE_OPERATION_TIMEDOUT, 0, SWG_TIMEOUT, 2},
    {"/reset", CURLE_RECV_ERROR, 0, SWG_FAILURE, 2},
    {"/half", CURLE_RECV_ERROR, 0, SWG_FAILURE, 2},
    {"/short", CURLE_PARTIAL_FILE, 0, SWG_FAILURE, 2},
    {"https:/ok", CURLE_PEER_FAILED_VERIFICATION, 0, SWG_FAILURE, 1},
};

/* Blocking and on a multi handle, the same. */
static void judge(const judge_row *row, bool multi)
{
    const swg_retry_config *retry = SWG_RETRY(.attempts = 2, .delay_ms = 1);
    swg_curl_config config = {.size = sizeof(config),
                              .timeout_ms = row->code == CURLE_OPERATION_TIMEDOUT ? 300 : 20000,
                              .body = &body,
                              .retry = retry};
    swg_curl_result result = {.attempts = 99};
    open_circuit(SWG_CIRCUIT(.inflight_max = 3));
    CURL *easy = handle(row->path);
    if (!multi) {
        ck_assert_int_eq(swg_curl_perform(circuit, easy, &config, &result), SWG_OK);
    } else {
        config.retry = SWG_RETRY(.attempts = 2, .delay_ms = 1, .hedge_ms = 10000);
        ck_assert_int_eq(swg_curl_perform(circuit, easy, &config, &result), SWG_OK);
    }
    ck_assert_int_eq(result.verdict, SWG_PERMITTED);
    ck_assert_msg(result.code == row->code ||
                      (row->code == CURLE_RECV_ERROR && result.code == CURLE_GOT_NOTHING),
                  "%s: %s", row->path, curl_easy_strerror(result.code));
    ck_assert_int_eq(result.status, row->status);
    ck_assert_int_eq(result.outcome, row->outcome);
    ck_assert_int_eq(result.attempts, row->attempts);
    swg_snapshot s;
    swg_circuit_read(circuit, swg_clock_ns(), &s);
    ck_assert_int_eq(s.outcomes[row->outcome], row->attempts);
    if (row->status == 200) {
        ck_assert_str_eq(body.data, WHOLE);
    }
    curl_easy_cleanup(easy);
    close_circuit();
}

START_TEST(answers_are_judged)
{
    judge(&judge_rows[_i], false);
}
END_TEST

START_TEST(answers_are_judged_on_a_multi_handle)
{
    judge(&judge_rows[_i], true);
}
END_TEST

START_TEST(a_refused_connection_may_always_be_repeated)
{
    swg_curl_result result;
    open_circuit(NULL);
    CURL *easy = handle("/");
    curl_easy_setopt(easy, CURLOPT_URL, "http://127.0.0.1:1/");
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, "an order");
    swg_curl_perform(circuit, easy,
                     SWG_CURL(.body = &body, .retry = SWG_RETRY(.attempts = 3, .delay_ms = 1)),
                     &result);
    ck_assert_int_eq(result.code, CURLE_COULDNT_CONNECT);
    ck_assert_int_eq(result.attempts, 3);
    curl_easy_cleanup(easy);
    close_circuit();
}
END_TEST

/* No TCP goes to the broadcast address: the kernel says so before a packet leaves. */
START_TEST(what_never_left_this_host_is_of_local_origin)
{
    swg_curl_result result;
    swg_snapshot s;
    open_circuit(NULL);
    CURL *easy = handle("/");
    curl_easy_setopt(easy, CURLOPT_URL, "http://255.255.255.255:9/");
    swg_curl_perform(circuit, easy, SWG_CURL(.body = &body), &result);
    ck_assert_int_eq(result.code, CURLE_COULDNT_CONNECT);
    ck_assert_int_eq(result.outcome, SWG_FAILURE_LOCAL);
    curl_easy_setopt(easy, CURLOPT_URL, "http://127.0.0.1:1/");
    swg_curl_perform(circuit, easy, SWG_CURL(.body = &body), &result);
    ck_assert_int_eq(result.outcome, SWG_FAILURE);
    swg_circuit_read(circuit, swg_clock_ns(), &s);
    ck_assert_uint_eq(s.window_failures, 2);
    curl_easy_cleanup(easy);
    close_circuit();
}
END_TEST

START_TEST(an_order_is_not_sent_twice)
{
    const swg_retry_config *retry = SWG_RETRY(.attempts = 3, .delay_ms = 1);
    swg_curl_result result;
    open_circuit(NULL);
    CURL *easy = handle("/status?503");
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, "an order");
    swg_curl_perform(circuit, easy, SWG_CURL(.body = &body, .retry = retry), &result);
    ck_assert_int_eq(result.attempts, 1);
    ck_assert_int_eq(result.end, SWG_RETRY_FINAL);
    swg_curl_perform(circuit, easy, SWG_CURL(.body = &body, .retry = retry, .idempotent = 1),
                     &result);
    ck_assert_int_eq(result.attempts, 3);
    curl_easy_cleanup(easy);
    close_circuit();
}
END_TEST

START_TEST(retry_after_is_honored_as_seconds_and_as_date)
{
    const char *const paths[] = {"/after?1", "/date?2"};
    open_circuit(NULL);
    for (int i = 0; i < 2; i++) {
        swg_curl_result result;
        CURL *easy = handle(paths[i]);
        const int64_t began = swg_clock_ns();
        swg_curl_perform(circuit, easy,
                         SWG_CURL(.body = &body, .retry = SWG_RETRY(.attempts = 2, .delay_ms = 1)),
                         &result);
        const int64_t took_ms = (swg_clock_ns() - began) / MS;
        ck_assert_int_eq(result.attempts, 2);
        ck_assert_msg(took_ms >= 900, "%s: %d ms", paths[i], (int)took_ms);
        curl_easy_cleanup(easy);
    }
    swg_curl_result result;
    CURL *easy = handle("/after?3600"); /* longer than anybody waits */
    swg_curl_perform(circuit, easy, SWG_CURL(.body = &body, .retry = SWG_RETRY(0)), &result);
    ck_assert_int_eq(result.attempts, 1);
    ck_assert_int_eq(result.end, SWG_RETRY_DEADLINE);
    curl_easy_cleanup(easy);
    close_circuit();
}
END_TEST

/* Half an answer, then a whole one: the body is the whole one's. */
START_TEST(the_body_is_the_last_attempts)
{
    swg_curl_result result;
    open_circuit(NULL);
    CURL *easy = handle("/turns?half,500,ok");
    swg_curl_perform(circuit, easy,
                     SWG_CURL(.body = &body, .retry = SWG_RETRY(.attempts = 3, .delay_ms = 1)),
                     &result);
    ck_assert_int_eq(result.attempts, 3);
    ck_assert_int_eq(result.outcome, SWG_SUCCESS);
    ck_assert_str_eq(body.data, WHOLE);
    body.most = 10;
    swg_curl_perform(circuit, easy, SWG_CURL(.body = &body, .retry = SWG_RETRY(0)), &result);
    ck_assert_int_eq(result.code, CURLE_WRITE_ERROR); /* ours: says nothing about the dependency */
    ck_assert_int_eq(result.outcome, SWG_CANCELLED);
    ck_assert_int_eq(result.attempts, 1);
    body.most = 0;
    curl_easy_cleanup(easy);
    close_circuit();
}
END_TEST

static bool answer_otherwise(void *arg, const swg_curl_result *result)
{
    ++*(int *)arg;
    return result->verdict == SWG_REJECTED_FORCED;
}

START_TEST(a_rejected_call_never_touches_the_network)
{
    int fallbacks = 0;
    swg_curl_result result;
    open_circuit(NULL);
    swg_circuit_override(circuit, SWG_FORCED_OPEN, INT64_MAX, "drill");
    const long before = asked("/untouched");
    CURL *easy = handle("/untouched");
    for (int i = 0; i < 5; i++) {
        swg_curl_perform(circuit, easy,
                         SWG_CURL(.body = &body, .retry = i % 2 ? SWG_RETRY(.hedge_ms = 1) : NULL,
                                  .fallback = answer_otherwise, .arg = &fallbacks),
                         &result);
        ck_assert_int_eq(result.verdict, SWG_REJECTED_FORCED);
        ck_assert_int_eq(result.fell_back, 1);
        ck_assert_int_eq(result.attempts, 0);
    }
    ck_assert_int_eq(fallbacks, 5);
    ck_assert_int_eq(asked("/untouched"), before);
    curl_easy_cleanup(easy);
    close_circuit();
}
END_TEST

static const swg_curl_rule teapot[] = {
    {SWG_CURL_STATUS, 418, 418, SWG_FAILURE, SWG_CURL_REPEAT_ALWAYS}};

START_TEST(the_table_can_be_overridden)
{
    swg_curl_result result;
    open_circuit(NULL);
    CURL *easy = handle("/status?418");
    swg_curl_perform(circuit, easy,
                     SWG_CURL(.body = &body, .rules = teapot, .rule_count = 1,
                              .retry = SWG_RETRY(.delay_ms = 1)),
                     &result);
    ck_assert_int_eq(result.outcome, SWG_FAILURE);
    ck_assert_int_eq(result.attempts, 3);
    curl_easy_cleanup(easy);
    close_circuit();
}
END_TEST

START_TEST(no_attempt_outlives_the_deadline)
{
    swg_curl_result result;
    open_circuit(NULL);
    CURL *easy = handle("/hang");
    const int64_t began = swg_clock_ns();
    swg_curl_perform(circuit, easy, SWG_CURL(.body = &body, .retry = SWG_RETRY(.deadline_ms = 200)),
                     &result);
    ck_assert_int_lt((swg_clock_ns() - began) / MS, 2000);
    ck_assert_int_eq(result.outcome, SWG_TIMEOUT);
    ck_assert_int_eq(result.end, SWG_RETRY_DEADLINE);
    curl_easy_cleanup(easy);
    close_circuit();
}
END_TEST

/* ---- hedging ------------------------------------------------------------------------------- */

/* The first attempt takes 1.5 s, the second, begun after 50 ms, answers at once. */
START_TEST(a_hedge_answers_for_a_slow_first)
{
    swg_curl_result result;
    open_circuit(SWG_CIRCUIT(.inflight_max = 2, .slow_pct = 1, .slow_ms = 1000));
    CURL *easy = handle("/turns?slow,ok");
    const int64_t began = swg_clock_ns();
    ck_assert_int_eq(swg_curl_perform(circuit, easy,
                                      SWG_CURL(.body = &body, .retry = SWG_RETRY(.hedge_ms = 50)),
                                      &result),
                     SWG_OK);
    ck_assert_int_lt((swg_clock_ns() - began) / MS, 1400);
    ck_assert_int_eq(result.outcome, SWG_SUCCESS);
    ck_assert_int_eq(result.attempts, 1);
    ck_assert_int_eq(result.hedges, 1);
    ck_assert_int_eq(result.hedge_won, 1);
    ck_assert_str_eq(body.data, WHOLE);
    swg_snapshot s;
    swg_circuit_read(circuit, swg_clock_ns(), &s);
    ck_assert_int_eq(s.outcomes[SWG_CANCELLED], 1); /* the loser */
    ck_assert_int_eq(s.window_calls, 1);            /* is no evidence */
    ck_assert_int_eq(s.retries, 1);
    ck_assert_int_eq(s.retries_recovered, 1);
    curl_easy_cleanup(easy);
    close_circuit();
}
END_TEST

/* The hedge fails first; the slow first attempt still succeeds. */
START_TEST(a_failing_hedge_does_not_win)
{
    swg_curl_result result;
    open_circuit(NULL);
    CURL *easy = handle("/turns?slow,503");
    swg_curl_perform(circuit, easy, SWG_CURL(.body = &body, .retry = SWG_RETRY(.hedge_ms = 20)),
                     &result);
    ck_assert_int_eq(result.outcome, SWG_SUCCESS);
    ck_assert_int_eq(result.hedge_won, 0);
    ck_assert_int_eq(result.attempts, 1);
    ck_assert_str_eq(body.data, WHOLE);
    swg_snapshot s;
    swg_circuit_read(circuit, swg_clock_ns(), &s);
    ck_assert_int_eq(s.outcomes[SWG_FAILURE], 1);
    ck_assert_int_eq(s.outcomes[SWG_SUCCESS], 1);
    curl_easy_cleanup(easy);
    close_circuit();
}
END_TEST

/* ---- mistakes ------------------------------------------------------------------------------ */

START_TEST(mistakes_are_errors)
{
    swg_curl_result result;
    open_circuit(NULL);
    CURL *easy = handle("/ok");
    const struct {
        swg_curl_config config;
        int error;
    } rows[] = {
        {{.size = 1}, SWG_EINVAL},
        {{.size = sizeof(swg_curl_config), .retry = SWG_RETRY(0)}, SWG_EINVAL}, /* no body */
        {{.size = sizeof(swg_curl_config), .rule_count = 1}, SWG_EINVAL},
        {{.size = sizeof(swg_curl_config), .body = &body, .retry = SWG_RETRY(.attempts = 101)},
         SWG_EINVAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_int_eq(swg_curl_perform(circuit, easy, &rows[i].config, &result), rows[i].error);
    }
    ck_assert_int_eq(swg_curl_perform(NULL, easy, NULL, &result), SWG_EINVAL);
    curl_easy_setopt(easy, CURLOPT_URL, "gopher-ish://nowhere");
    ck_assert_int_eq(swg_curl_perform(circuit, easy, NULL, &result), SWG_OK);
    ck_assert_int_eq(result.outcome, SWG_CANCELLED);
    swg_snapshot s;
    swg_circuit_read(circuit, swg_clock_ns(), &s);
    ck_assert_int_eq(s.window_calls, 0);
    curl_easy_cleanup(easy);
    close_circuit();
}
END_TEST

/* ---- a thousand at once -------------------------------------------------------------------- */

static int open_files(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

typedef struct tally {
    int over, ok, rejected, failed;
} tally;

static void count(void *arg, const swg_curl_result *result)
{
    tally *t = arg;
    t->over++;
    t->ok += result->verdict == SWG_PERMITTED && result->outcome == SWG_SUCCESS;
    t->rejected += result->verdict != SWG_PERMITTED;
    t->failed += result->verdict == SWG_PERMITTED && result->outcome != SWG_SUCCESS;
}

/* A wave of calls; the server is killed when so many are over, -1: not at all. */
static tally wave(swg_curl *curl, CURL **easy, swg_curl_body *bodies, swg_curl_config *configs,
                  int kill_after)
{
    tally t = {0};
    const int64_t limit = swg_clock_ns() + 60000 * MS;
    for (int i = 0; i < MANY; i++) {
        configs[i].body = &bodies[i];
        ck_assert_int_eq(
            swg_curl_start(curl, circuit, easy[i], &configs[i], count, &t, swg_clock_ns()), SWG_OK);
    }
    ck_assert_int_eq(swg_curl_pending(curl), MANY);
    while (swg_curl_pending(curl) > 0) {
        ck_assert_int_ge(swg_curl_run(curl, 100), 0);
        ck_assert_int_lt(swg_clock_ns(), limit);
        if (kill_after >= 0 && t.over >= kill_after) {
            stop_server(&hostile, SIGKILL);
            kill_after = -1;
        }
    }
    ck_assert_int_eq(t.over, MANY);
    return t;
}

START_TEST(a_thousand_at_once_and_the_server_killed)
{
    static CURL *easy[MANY];
    static swg_curl_body bodies[MANY];
    static swg_curl_config configs[MANY];
    static const swg_retry_config retry = {.size = sizeof(retry), .delay_ms = 5};
    swg_curl *curl;
    const int port = hostile.port;
    const int files = open_files();
    open_circuit(SWG_CIRCUIT(.failure_pct = 20, .recovery_ms = 100, .recovery_ms_max = 100,
                             .inflight_max = 100000));
    ck_assert_int_eq(swg_curl_open(&curl, NULL), SWG_OK);
    for (int i = 0; i < MANY; i++) {
        easy[i] = handle("/slow?20");
        configs[i] =
            (swg_curl_config){.size = sizeof(configs[i]), .timeout_ms = 20000, .retry = &retry};
    }
    tally t = wave(curl, easy, bodies, configs, -1);
    ck_assert_int_eq(t.ok, MANY);

    for (int i = ANSWERED; i < MANY; i++) {
        point(easy[i], "/hang");
    }
    t = wave(curl, easy, bodies, configs, ANSWERED); /* killed with 800 under way */
    ck_assert_int_eq(t.ok, ANSWERED);
    ck_assert_int_eq(t.failed + t.rejected, MANY - ANSWERED);
    for (int i = ANSWERED; i < MANY; i++) {
        point(easy[i], "/slow?20");
    }
    t = wave(curl, easy, bodies, configs, -1); /* nobody there, and the circuit knows it */
    ck_assert_int_eq(t.ok, 0);
    ck_assert_int_gt(t.rejected, MANY * 9 / 10);

    hostile = start_server(port);
    const int64_t limit = swg_clock_ns() + 30000 * MS;
    do {
        t = wave(curl, easy, bodies, configs, -1);
        ck_assert_int_lt(swg_clock_ns(), limit);
    } while (t.ok < MANY);

    for (int i = 0; i < MANY; i++) {
        curl_easy_cleanup(easy[i]);
        swg_curl_body_free(&bodies[i]);
    }
    swg_curl_close(&curl);
    close_circuit();
    ck_assert_int_eq(open_files(), files);
}
END_TEST

/* Closing in the middle gives everything back, and says so to everybody. */
START_TEST(closing_cancels_what_runs)
{
    enum { SOME = 50 };
    static CURL *easy[SOME];
    tally t = {0};
    swg_curl *curl;
    open_circuit(SWG_CIRCUIT(.inflight_max = 30));
    ck_assert_int_eq(swg_curl_open(&curl, NULL), SWG_OK);
    for (int i = 0; i < SOME; i++) {
        easy[i] = handle("/hang");
        swg_curl_start(curl, circuit, easy[i], NULL, count, &t, swg_clock_ns());
    }
    swg_curl_run(curl, 10);
    swg_snapshot s;
    swg_circuit_read(circuit, swg_clock_ns(), &s);
    ck_assert_int_eq(s.inflight, 30);
    ck_assert_int_eq(t.rejected, SOME - 30);
    int last = SOME - 1; /* the first handles were let in or the last; find one that runs */
    while (swg_curl_cancel(curl, easy[last], swg_clock_ns()) == SWG_ENOENT) {
        last--;
    }
    ck_assert_int_eq(swg_curl_pending(curl), 29);
    swg_curl_close(&curl);
    ck_assert_int_eq(t.over, SOME);
    for (int i = 0; i < SOME; i++) {
        curl_easy_cleanup(easy[i]);
    }
    close_circuit();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("curl");
    TCase *tests = tcase_create("all");
    const int rows = sizeof(judge_rows) / sizeof(judge_rows[0]);
    tcase_add_unchecked_fixture(tests, begin, end);
    tcase_add_loop_test(tests, answers_are_judged, 0, rows);
    tcase_add_loop_test(tests, answers_are_judged_on_a_multi_handle, 0, rows);
    tcase_add_test(tests, a_refused_connection_may_always_be_repeated);
    tcase_add_test(tests, what_never_left_this_host_is_of_local_origin);
    tcase_add_test(tests, an_order_is_not_sent_twice);
    tcase_add_test(tests, retry_after_is_honored_as_seconds_and_as_date);
    tcase_add_test(tests, the_body_is_the_last_attempts);
    tcase_add_test(tests, a_rejected_call_never_touches_the_network);
    tcase_add_test(tests, the_table_can_be_overridden);
    tcase_add_test(tests, no_attempt_outlives_the_deadline);
    tcase_add_test(tests, a_hedge_answers_for_a_slow_first);
    tcase_add_test(tests, a_failing_hedge_does_not_win);
    tcase_add_test(tests, mistakes_are_errors);
    tcase_add_test(tests, closing_cancels_what_runs);
    suite_add_tcase(suite, tests);
    TCase *many = tcase_create("many");
    tcase_add_checked_fixture(many, begin, end); /* its server is killed */
    tcase_add_test(many, a_thousand_at_once_and_the_server_killed);
    tcase_set_timeout(many, 300);
    suite_add_tcase(suite, many);
    tcase_set_timeout(tests, 60);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
