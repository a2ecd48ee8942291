#include "scenario.h"
#include "verdict.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct crowd crowd;
struct report report;
int64_t seqs, epoch;
int state;

void open_crowd(void)
{
    crowd_open(&crowd, 7);
    crowd.config.v[SWG_CFG_NEED] = 2;
    seqs = epoch = 0;
    state = SWG_STEP_CLOSED;
}

void close_crowd(void)
{
    crowd_close(&crowd);
    report_free(&report);
}

int run_tests(const char *name, void (*add)(TCase *t))
{
    Suite *s = suite_create(name);
    TCase *t = tcase_create(name);
    SRunner *runner;
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, open_crowd, close_crowd);
    add(t);
    suite_add_tcase(s, t);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

struct swg_step_entry *entry(void)
{
    struct swg_step_request *q = &crowd.request;
    struct swg_step_entry *e = &q->entry[0];

    q->schema = SWG_STEP_SCHEMA;
    q->cursor = 0;
    q->entries = 1;
    memset(e, 0, sizeof *e);
    strcpy(e->circuit, "payments");
    e->seq = ++seqs;
    e->epoch = epoch;
    e->state = state;
    e->rev = 1;
    e->has_config = true;
    e->config = crowd.config;
    return e;
}

int64_t number(const json_t *row, size_t i)
{
    return strtoll(json_string_value(json_array_get(row, i)), NULL, 10);
}

json_t *rows(json_t *reply, size_t list)
{
    return json_array_get(reply, list);
}

/* Sends what entry() began; all clients here know what any of them was told. */
json_t *send_as(const char *who)
{
    json_t *reply = crowd_say(&crowd, who, who[0], &crowd.request);
    json_t *view = json_array_get(rows(reply, 7), 0);

    if (view) {
        epoch = number(view, 1);
        state = (int)number(view, 2);
    }
    return reply;
}

json_t *fail_calls(const char *who, int64_t failures)
{
    struct swg_step_entry *e = entry();

    e->n = 20;
    e->f = failures;
    return send_as(who);
}

json_t *want(const char *who, int permits)
{
    entry()->want = permits;
    return send_as(who);
}

json_t *result(const char *who, int64_t of_epoch, int64_t of_seq, int index, int outcome)
{
    struct swg_step_entry *e = entry();

    e->results = 1;
    e->result[0] = (struct swg_step_result){of_epoch, of_seq, index, outcome};
    return send_as(who);
}

/* A first epoch from an operator, so that evidence has one to go with. */
void begin(void)
{
    fail_calls("ann", 0);
    fail_calls("bob", 0);
}

void trip(void)
{
    begin();
    fail_calls("ann", 20);
    fail_calls("bob", 20);
    ck_assert_int_eq(state, SWG_STEP_OPEN);
}

/* Half-open; ann was granted two permits in the request numbered by the result. */
int64_t probe(void)
{
    trip();
    crowd.clock += 400000;
    want("ann", 2);
    ck_assert_int_eq(state, SWG_STEP_HALF);
    return seqs;
}

json_t *last_line(void)
{
    return json_array_get(crowd.lines, json_array_size(crowd.lines) - 1);
}

void set_number(json_t *row, size_t i, int64_t value)
{
    json_array_set_new(row, i, json_sprintf("%" PRId64, value));
}

/* The server says that the circuit is in a new epoch. */
void pretend(json_t *reply, int64_t of_epoch, int of_state)
{
    char text[6][24];
    int64_t n[6] = {of_epoch, of_state, of_state == SWG_STEP_OPEN ? 300000 : 0, -1, 0, 0};
    json_t *row = json_array();

    json_array_append_new(row, json_string("payments"));
    if (of_state == SWG_STEP_CLOSED)
        n[3] = 0;
    for (int i = 0; i < 6; i++) {
        snprintf(text[i], sizeof text[i], "%" PRId64, n[i]);
        json_array_append_new(row, json_string(text[i]));
    }
    json_array_append_new(row, json_string("0|0|0|0|0|0|0"));
    json_array_clear(rows(reply, 7));
    json_array_append_new(rows(reply, 7), row);
    set_number(reply, 4, of_epoch);
}

void expect(const char *rule, unsigned allow)
{
    judge(crowd.lines, allow, &report);
    if (!report_has(&report, VIOLATION, rule)) {
        report_print(&report, stderr);
        ck_abort_msg("no violation of %s", rule);
    }
}

void expect_fine(unsigned allow)
{
    judge(crowd.lines, allow, &report);
    if (report.count[VIOLATION] > 0)
        report_print(&report, stderr);
    ck_assert_int_eq(report.count[VIOLATION], 0);
}
