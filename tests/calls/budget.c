/* The retry budget: on any stretch of time retries are at most budget_min + budget_pct % of the
 * first attempts that ended in it, whoever retries: one thread by random traces, then threads and
 * processes. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <switchgear/switchgear.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define T0 (INT64_C(1000000) * MS)

enum { OPERATIONS = 3000, LEAST = 5, SHARE_PCT = 20, WORKERS = 4, CALLS = 20000 };

static swg_circuit *make(swg_panel **panel, const char *name)
{
    swg_circuit *circuit;
    const swg_circuit_config *config = SWG_CIRCUIT(.failure_pct = SWG_NONE);
    ck_assert_int_eq(swg_panel_open(panel, name, SWG_PANEL(.circuits = 4, .processes = 8)), 0);
    ck_assert_int_eq(swg_circuit_open(&circuit, *panel, "dependency", config), SWG_OK);
    return circuit;
}

static const swg_retry_config *budgeted(void)
{
    static const swg_retry_config config = {.size = sizeof(config),
                                            .attempts = 5,
                                            .delay_ms = 1,
                                            .budget_pct = SHARE_PCT,
                                            .budget_min = LEAST};
    return &config;
}

/* Every event of a trace, in order: +1 a first attempt ended, -1 a retry granted. Excess over the
 * share, in hundredths, must never rise by more than the floor from any point to a later one. */
static void check_trace(const signed char *trace, int length, unsigned seed)
{
    long level = 0, lowest = 0;
    for (int i = 0; i < length; i++) {
        level += trace[i] < 0 ? 100 : -SHARE_PCT;
        ck_assert_msg(level - lowest <= LEAST * 100, "seed %u: event %d is over the budget", seed,
                      i);
        lowest = level < lowest ? level : lowest;
    }
}

START_TEST(random_traces_never_exceed_it)
{
    static signed char trace[OPERATIONS * 5];
    swg_panel *panel;
    swg_circuit *circuit = make(&panel, NULL);
    const unsigned seed = (unsigned)_i + 1;
    int length = 0, granted = 0;
    srandom(seed);
    for (int i = 0; i < OPERATIONS; i++) {
        const long failing = random() % 3 == 0 ? 100 : random() % 30; /* percent, now */
        swg_retry retry;
        swg_permit permit;
        int64_t wait;
        swg_outcome outcome;
        swg_retry_begin(&retry, budgeted(), (uint64_t)i, T0);
        do {
            ck_assert_int_eq(swg_acquire(circuit, &permit, T0), SWG_PERMITTED);
            outcome = random() % 100 < failing ? SWG_FAILURE : SWG_SUCCESS;
            swg_release(circuit, &permit, outcome, T0);
            if (retry.attempts == 0) {
                trace[length++] = 1;
            } else {
                trace[length++] = -1;
                granted++;
            }
        } while (swg_retry_again(&retry, circuit, &permit, outcome, T0, &wait));
    }
    check_trace(trace, length, seed);
    ck_assert_msg(granted * 100 > OPERATIONS * SHARE_PCT / 2, "seed %u: hardly any retry, %d", seed,
                  granted); /* it is a budget, not a ban */
    swg_panel_close(&panel);
}
END_TEST

/* Everything fails; every call wants four retries. */
static void storm(swg_circuit *circuit, uint64_t seed)
{
    for (int i = 0; i < CALLS; i++) {
        swg_retry retry;
        swg_permit permit;
        int64_t wait;
        swg_retry_begin(&retry, budgeted(), seed + (uint64_t)i, T0);
        do {
            swg_acquire(circuit, &permit, T0);
            swg_release(circuit, &permit, SWG_FAILURE, T0);
        } while (swg_retry_again(&retry, circuit, &permit, SWG_FAILURE, T0, &wait));
    }
}

static void check_total(swg_circuit *circuit)
{
    swg_snapshot s;
    swg_circuit_read(circuit, T0, &s);
    const uint64_t firsts = (uint64_t)WORKERS * CALLS;
    ck_assert_uint_eq(s.outcomes[SWG_FAILURE], firsts + s.retries);
    ck_assert_uint_le(s.retries, LEAST + firsts * SHARE_PCT / 100);
    ck_assert_uint_ge(s.retries, firsts * SHARE_PCT / 100 * 9 / 10);
}

static void *storm_thread(void *circuit)
{
    storm(circuit, (uint64_t)(uintptr_t)&circuit);
    return NULL;
}

START_TEST(threads_share_one_budget)
{
    swg_panel *panel;
    swg_circuit *circuit = make(&panel, NULL);
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, storm_thread, circuit), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    check_total(circuit);
    swg_panel_close(&panel);
}
END_TEST

START_TEST(processes_share_one_budget)
{
    char name[64];
    swg_panel *panel;
    snprintf(name, sizeof(name), "/swg-budget-%d", getpid());
    swg_circuit *circuit = make(&panel, name);
    for (int i = 0; i < WORKERS; i++) {
        if (fork() == 0) {
            swg_panel *own;
            swg_circuit *same = make(&own, name);
            storm(same, (uint64_t)i << 32);
            _exit(0);
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        int status;
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    check_total(circuit);
    swg_panel_close(&panel);
    swg_panel_unlink(name);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("budget");
    TCase *tests = tcase_create("all");
    tcase_add_loop_test(tests, random_traces_never_exceed_it, 0, 50);
    tcase_add_test(tests, threads_share_one_budget);
    tcase_add_test(tests, processes_share_one_budget);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
