/* swg_call(): one line that acquires, works, releases and tries again, on injected time. */
#include <check.h>
#include <string.h>
#include <switchgear/switchgear.h>

#include "policy/call.h"

#define MS INT64_C(1000000)
#define T0 (INT64_C(1000000) * MS)

typedef struct world {
    swg_panel *panel;
    swg_circuit *circuit;
    int64_t now_ns, slept_ns;
    int sleeps;
    swg_permit other;    /* somebody else's slot */
    int64_t other_until; /* given back then */
    /* the work */
    const char *script; /* an outcome a letter: s f t i, F final failure, A failure "after 3 s" */
    uint32_t calls, calls_before;
    int64_t took_ns, deadline_ns;
} world;

static int64_t now_ns(void *arg)
{
    return ((world *)arg)->now_ns;
}

static void sleep_ns(void *arg, int64_t ns)
{
    world *w = arg;
    ck_assert_int_ge(ns, 0);
    w->now_ns += ns;
    w->slept_ns += ns;
    w->sleeps++;
    if (w->other.held != 0 && w->now_ns >= w->other_until) {
        swg_release(w->circuit, &w->other, SWG_SUCCESS, w->now_ns);
    }
}

static swg_outcome work(void *arg, swg_attempt *attempt)
{
    world *w = arg;
    const char now = w->script[w->calls++];
    ck_assert_int_eq(attempt->number, w->calls - w->calls_before);
    w->deadline_ns = attempt->deadline_ns;
    w->now_ns += w->took_ns;
    attempt->final = now == 'F';
    attempt->after_ns = now == 'A' ? 3000 * MS : 0;
    return now == 's'   ? SWG_SUCCESS
           : now == 't' ? SWG_TIMEOUT
           : now == 'i' ? SWG_IGNORED
                        : SWG_FAILURE;
}

static world *make(const swg_circuit_config *config, const char *script)
{
    static world w;
    memset(&w, 0, sizeof(w));
    w.now_ns = T0;
    w.script = script;
    ck_assert_int_eq(swg_panel_open(&w.panel, NULL, SWG_PANEL(.circuits = 4, .processes = 4)), 0);
    ck_assert_int_eq(swg_circuit_open(&w.circuit, w.panel, "dependency", config), SWG_OK);
    return &w;
}

static swg_verdict call(world *w, const swg_retry_config *retry, swg_outcome *outcome)
{
    const swg__time time = {now_ns, sleep_ns, w};
    w->calls_before = w->calls;
    swg_call_report report;
    const swg_verdict verdict = swg__call(w->circuit, retry, work, w, &report, &time);
    if (outcome != NULL) {
        *outcome = report.outcome;
    }
    swg_snapshot s;
    swg_circuit_read(w->circuit, w->now_ns, &s);
    ck_assert_int_eq(s.inflight, w->other.held != 0 ? 1 : 0); /* nothing is kept */
    return verdict;
}

typedef struct call_row {
    const char *script;
    uint32_t calls;
    swg_outcome outcome;
    int64_t slept_ms; /* no jitter, 100 ms doubling */
} call_row;

static const call_row call_rows[] = {
    {"s", 1, SWG_SUCCESS, 0},     {"fs", 2, SWG_SUCCESS, 100}, {"tfs", 3, SWG_SUCCESS, 300},
    {"fff", 3, SWG_FAILURE, 300}, {"i", 1, SWG_IGNORED, 0},    {"F", 1, SWG_FAILURE, 0},
    {"As", 2, SWG_SUCCESS, 3000},
};

START_TEST(it_works_and_tries_again)
{
    const call_row *row = &call_rows[_i];
    world *w = make(SWG_CIRCUIT(.inflight_max = 2), row->script);
    swg_outcome outcome;
    ck_assert_int_eq(call(w, SWG_RETRY(.jitter = SWG_JITTER_NONE), &outcome), SWG_PERMITTED);
    ck_assert_int_eq(outcome, row->outcome);
    ck_assert_int_eq(w->calls, row->calls);
    ck_assert_int_eq(w->slept_ns, row->slept_ms * MS);
    swg_panel_close(&w->panel);
}
END_TEST

START_TEST(without_a_retry_it_is_one_attempt)
{
    world *w = make(NULL, "f");
    swg_outcome outcome;
    ck_assert_int_eq(call(w, NULL, &outcome), SWG_PERMITTED);
    ck_assert_int_eq(outcome, SWG_FAILURE);
    w->calls = 0; /* nor with one that is refused */
    ck_assert_int_eq(call(w, SWG_RETRY(.attempts = 1000), NULL), SWG_PERMITTED);
    ck_assert_int_eq(w->calls, 1);
    ck_assert_int_eq(w->sleeps, 0);
    swg_panel_close(&w->panel);
}
END_TEST

START_TEST(the_work_is_told_its_deadline)
{
    world *w = make(NULL, "ffff");
    w->took_ns = 400 * MS;
    call(w, SWG_RETRY(.attempts = 9, .deadline_ms = 1000, .jitter = SWG_JITTER_NONE), NULL);
    ck_assert_int_eq(w->deadline_ns, T0 + 1000 * MS);
    ck_assert_int_eq(w->calls, 2); /* 400, wait 100, 900; another 200 would be too late */
    swg_panel_close(&w->panel);
}
END_TEST

START_TEST(rejected_it_does_not_work)
{
    world *w = make(NULL, "");
    swg_outcome outcome;
    swg_circuit_override(w->circuit, SWG_FORCED_OPEN, INT64_MAX, "drill");
    ck_assert_int_eq(call(w, SWG_RETRY(.wait_ms = 1000), &outcome), SWG_REJECTED_FORCED);
    ck_assert_int_eq(outcome, SWG_CANCELLED);
    ck_assert_int_eq(w->calls + w->sleeps, 0);
    swg_panel_close(&w->panel);
}
END_TEST

/* A slot comes free after 20 ms: taken within one poll of that; without wait_ms, or with too
 * little, it is a no. */
START_TEST(it_waits_for_a_slot_so_long)
{
    const struct {
        uint32_t wait_ms;
        swg_verdict verdict;
    } rows[] = {
        {50, SWG_PERMITTED}, {10, SWG_REJECTED_BULKHEAD}, {SWG_NONE, SWG_REJECTED_BULKHEAD}};
    for (int i = 0; i < 3; i++) {
        world *w = make(SWG_CIRCUIT(.inflight_max = 1), "s");
        ck_assert_int_eq(swg_acquire(w->circuit, &w->other, T0), SWG_PERMITTED);
        w->other_until = T0 + 20 * MS;
        ck_assert_int_eq(call(w, SWG_RETRY(.attempts = 1, .wait_ms = rows[i].wait_ms), NULL),
                         rows[i].verdict);
        if (rows[i].verdict == SWG_PERMITTED) {
            ck_assert_int_ge(w->now_ns, T0 + 20 * MS);
            ck_assert_int_le(w->now_ns, T0 + 22 * MS);
        } else {
            ck_assert_int_le(w->slept_ns, 10 * MS);
        }
        swg_panel_close(&w->panel);
    }
}
END_TEST

START_TEST(it_waits_for_the_rate_exactly)
{
    world *w = make(SWG_CIRCUIT(.rate_per_s = 10, .rate_burst = 1), "sss");
    const swg_retry_config *retry = SWG_RETRY(.attempts = 1, .wait_ms = 150);
    ck_assert_int_eq(call(w, retry, NULL), SWG_PERMITTED);
    ck_assert_int_eq(call(w, retry, NULL), SWG_PERMITTED);
    ck_assert_int_eq(w->now_ns, T0 + 100 * MS);
    ck_assert_int_eq(w->sleeps, 1);
    retry = SWG_RETRY(.attempts = 1, .wait_ms = 99); /* its turn comes too late: no use waiting */
    ck_assert_int_eq(call(w, retry, NULL), SWG_REJECTED_RATE);
    ck_assert_int_eq(w->sleeps, 1);
    swg_panel_close(&w->panel);
}
END_TEST

static swg_outcome succeed(void *arg, swg_attempt *attempt)
{
    (void)attempt;
    ++*(int *)arg;
    return SWG_SUCCESS;
}

START_TEST(on_the_real_clock)
{
    int calls = 0;
    world *w = make(SWG_CIRCUIT(.rate_per_s = 100, .rate_burst = 1), "");
    const int64_t began = swg_clock_ns();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(swg_call(w->circuit, SWG_RETRY(.wait_ms = 5000), succeed, &calls, NULL),
                         SWG_PERMITTED);
    }
    ck_assert_int_eq(calls, 3);
    ck_assert_int_ge(swg_clock_ns() - began, 20 * MS);
    swg_panel_close(&w->panel);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("call");
    TCase *tests = tcase_create("all");
    tcase_add_loop_test(tests, it_works_and_tries_again, 0,
                        sizeof(call_rows) / sizeof(call_rows[0]));
    tcase_add_test(tests, without_a_retry_it_is_one_attempt);
    tcase_add_test(tests, the_work_is_told_its_deadline);
    tcase_add_test(tests, rejected_it_does_not_work);
    tcase_add_test(tests, it_waits_for_a_slot_so_long);
    tcase_add_test(tests, it_waits_for_the_rate_exactly);
    tcase_add_test(tests, on_the_real_clock);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
