/* Strict calls on a real redis-server: the fleet's word before each, the decision at hand where
 * Redis does not answer in time. The background cadence is slow here, so it decides nothing. */
#include "redis_lab.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/fleet_run.h>
#include <switchgear/fleet_strict.h>
#include <switchgear/gate.h>
#include <switchgear/switchgear.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOSTS = 2 };

#define MS INT64_C(1000000)

typedef struct host {
    swg_panel *panel;
    swg_circuit *circuit;
    swg_fleet *fleet;
    swg_strict *strict;
    swg_fleet_run_config config;
    pthread_t thread;
} host;

static struct redis_lab lab;
static host hosts[HOSTS];
static char url[128];

static void *carry(void *arg)
{
    host *h = arg;
    ck_assert_int_eq(swg_fleet_run(h->fleet, &h->config), SWG_OK);
    return NULL;
}

static swg_strict_counts counts(host *h)
{
    swg_strict_counts c;
    ck_assert_int_eq(swg_strict_read(h->strict, &c), SWG_OK);
    return c;
}

/* Until its questions are answered, it has not joined yet. */
static void join(host *h)
{
    const int64_t limit = swg_clock_ns() + 20000 * MS;
    while (counts(h).answered == 0 && swg_clock_ns() < limit) {
        swg_permit permit;
        swg_strict_acquire(h->strict, h->circuit, &permit);
        swg_release(h->circuit, &permit, SWG_CANCELLED, swg_clock_ns());
    }
    ck_assert_uint_gt(counts(h).answered, 0);
}

static void start(host *h, int number, uint32_t budget_us)
{
    ck_assert_int_eq(swg_panel_open(&h->panel, NULL, SWG_PANEL(.circuits = 4)), SWG_OK);
    ck_assert_int_eq(
        swg_circuit_open(&h->circuit, h->panel, "db",
                         SWG_CIRCUIT(.calls_min = 10, .recovery_ms = 1000, .recovery_ms_max = 1000,
                                     .recovery_jitter_pct = SWG_NONE, .probes = 2)),
        SWG_OK);
    ck_assert_int_eq(
        swg_fleet_open(&h->fleet, h->panel,
                       SWG_FLEET(.reporter = (uint64_t)getpid() * 10 + (uint64_t)number,
                                 .interval_ms = 5000, .stale_ms = 20000, .shards = 2, .revision = 1,
                                 .lease_ms = 200, .ramp_ms = SWG_NONE),
                       (uint64_t)number, swg_clock_ns()),
        SWG_OK);
    ck_assert_int_eq(swg_strict_open(&h->strict, budget_us), SWG_OK);
    h->config = *SWG_FLEET_RUN(.url = url, .stop_fd = eventfd(0, EFD_CLOEXEC), .strict = h->strict);
    ck_assert_int_eq(pthread_create(&h->thread, NULL, carry, h), 0);
    join(h);
}

static void halt(host *h)
{
    eventfd_write(h->config.stop_fd, 1);
    pthread_join(h->thread, NULL);
    close(h->config.stop_fd);
    swg_strict_close(&h->strict);
    swg_fleet_close(&h->fleet);
    swg_panel_close(&h->panel);
}

static void begin(void)
{
    redis_lab_start(&lab);
    snprintf(url, sizeof url, "unix://%s/redis.sock", lab.server.dir);
    for (int i = 0; i < HOSTS; i++)
        start(&hosts[i], i + 1, 1000000);
}

static void end(void)
{
    for (int i = 0; i < HOSTS; i++)
        halt(&hosts[i]);
    redis_lab_stop(&lab);
}

static swg_verdict call(host *h, swg_outcome outcome)
{
    swg_permit permit;
    const swg_verdict verdict = swg_strict_acquire(h->strict, h->circuit, &permit);
    swg_strict_release(h->strict, h->circuit, &permit, outcome);
    return verdict;
}

static bool is_free(host *h)
{
    swg_snapshot s;
    ck_assert_int_eq(swg_circuit_read(h->circuit, swg_clock_ns(), &s), SWG_OK);
    return s.state == SWG_CLOSED && s.gate == 0;
}

static void trip(void)
{
    for (int i = 0; i < 10; i++)
        for (int k = 0; k < HOSTS; k++)
            call(&hosts[k], SWG_FAILURE);
    for (int k = 0; k < HOSTS; k++)
        ck_assert_int_eq(call(&hosts[k], SWG_SUCCESS), SWG_REJECTED_OPEN);
}

/* The second host's own breaker has seen five failures of ten: the fleet has seen fifteen. */
START_TEST(the_very_next_call_knows)
{
    for (int i = 0; i < 10; i++)
        call(&hosts[0], SWG_FAILURE);
    for (int i = 0; i < 5; i++)
        call(&hosts[1], SWG_FAILURE);
    ck_assert_int_eq(call(&hosts[1], SWG_SUCCESS), SWG_REJECTED_OPEN);
    ck_assert_uint_eq(counts(&hosts[1]).late, 0);
}
END_TEST

START_TEST(no_more_probes_than_granted_and_then_all_go)
{
    swg_permit permits[HOSTS][8];
    int out[HOSTS] = {0};
    const int64_t limit = swg_clock_ns() + 20000 * MS;
    trip();
    while (out[0] + out[1] == 0 && swg_clock_ns() < limit) {
        for (int k = 0; k < HOSTS; k++) {
            for (int i = 0; i < 4; i++) {
                out[k] += swg_strict_acquire(hosts[k].strict, hosts[k].circuit,
                                             &permits[k][out[k]]) == SWG_PERMITTED;
            }
        }
    }
    ck_assert_int_ge(out[0] + out[1], 1);
    ck_assert_int_le(out[0] + out[1], 2);
    for (int k = 0; k < HOSTS; k++)
        for (int i = 0; i < out[k]; i++)
            swg_strict_release(hosts[k].strict, hosts[k].circuit, &permits[k][i], SWG_SUCCESS);
    while (!(is_free(&hosts[0]) && is_free(&hosts[1])) && swg_clock_ns() < limit)
        for (int k = 0; k < HOSTS; k++)
            call(&hosts[k], SWG_SUCCESS);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < HOSTS; k++)
            ck_assert_int_eq(call(&hosts[k], SWG_SUCCESS), SWG_PERMITTED);
}
END_TEST

START_TEST(a_frozen_redis_costs_the_budget_and_no_call)
{
    host *h = &hosts[1];
    halt(h);
    start(h, 9, 1000);
    server_signal(&lab.server, SIGSTOP);
    const uint64_t before = counts(h).late;
    ck_assert_int_eq(call(h, SWG_SUCCESS), SWG_PERMITTED);
    ck_assert_uint_ge(counts(h).late, before + 1);
    server_signal(&lab.server, SIGCONT);
}
END_TEST

START_TEST(a_dead_redis_costs_nothing)
{
    const int64_t limit = swg_clock_ns() + 20000 * MS;
    server_signal(&lab.server, SIGKILL);
    while (counts(&hosts[0]).failed == 0 && swg_clock_ns() < limit)
        ck_assert_int_eq(call(&hosts[0], SWG_SUCCESS), SWG_PERMITTED);
    const swg_strict_counts before = counts(&hosts[0]);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(call(&hosts[0], SWG_SUCCESS), SWG_PERMITTED);
    ck_assert_uint_eq(counts(&hosts[0]).late, before.late); /* none waited for its budget */
    ck_assert_uint_eq(counts(&hosts[0]).failed, before.failed + 200);
}
END_TEST

/* It says no, and is not asked again for a while: nobody waits for that. */
START_TEST(a_redis_that_refuses_costs_nothing)
{
    server_tell(&lab.server, "CONFIG SET maxmemory 1");
    call(&hosts[0], SWG_SUCCESS);
    const swg_strict_counts before = counts(&hosts[0]);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(call(&hosts[0], SWG_SUCCESS), SWG_PERMITTED);
    ck_assert_uint_eq(counts(&hosts[0]).late, before.late);
    ck_assert_uint_eq(counts(&hosts[0]).failed, before.failed + 200);
}
END_TEST

/* It would be kept from those who have calls to make. */
START_TEST(a_release_brings_no_permit)
{
    host *h = &hosts[0];
    const int64_t limit = swg_clock_ns() + 20000 * MS;
    swg_permit permit;
    swg_gate_reading gate;
    trip();
    while (swg_strict_acquire(h->strict, h->circuit, &permit) != SWG_PERMITTED)
        ck_assert_int_lt(swg_clock_ns(), limit);
    const swg_strict_counts before = counts(h);
    swg_strict_release(h->strict, h->circuit, &permit, SWG_SUCCESS);
    ck_assert_uint_eq(counts(h).answered, before.answered + 1);
    ck_assert_int_eq(swg_gate_read(h->circuit, swg_clock_ns(), &gate), SWG_OK);
    ck_assert_uint_eq(gate.permits, 0);
}
END_TEST

/* What a parent opened is no use to a client that its child runs. */
static int run_in_a_child(swg_strict *strict)
{
    swg_panel *panel;
    swg_fleet *fleet;
    swg_strict_counts c;
    if (swg_strict_read(strict, &c) != SWG_OK || c.asked != 0 ||
        swg_panel_open(&panel, NULL, NULL) != SWG_OK ||
        swg_fleet_open(&fleet, panel, SWG_FLEET(.shards = 2), 1, swg_clock_ns()) != SWG_OK) {
        return SWG_OK;
    }
    return swg_fleet_run(fleet, SWG_FLEET_RUN(.url = url, .strict = strict));
}

/* Of twenty questions of a second each not one is waited for. */
START_TEST(a_forked_child_asks_nobody)
{
    int status = -1;
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(10);
        for (int i = 0; i < 10; i++)
            if (call(&hosts[0], SWG_SUCCESS) != SWG_PERMITTED)
                _exit(1);
        _exit(run_in_a_child(hosts[0].strict) != SWG_EINVAL);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(without_a_runner_and_with_mistakes)
{
    swg_strict *strict;
    swg_permit permit;
    ck_assert_int_eq(swg_strict_open(&strict, 99), SWG_EINVAL);
    ck_assert_int_eq(swg_strict_open(&strict, 1000001), SWG_EINVAL);
    ck_assert_int_eq(swg_strict_open(NULL, 0), SWG_EINVAL);
    ck_assert_int_eq(swg_strict_open(&strict, 0), SWG_OK);
    ck_assert_int_eq(swg_strict_acquire(strict, hosts[0].circuit, &permit), SWG_PERMITTED);
    swg_strict_release(strict, hosts[0].circuit, &permit, SWG_SUCCESS);
    swg_strict_counts c;
    ck_assert_int_eq(swg_strict_read(strict, &c), SWG_OK);
    ck_assert_uint_eq(c.failed, 2);
    ck_assert_int_eq(swg_strict_read(strict, NULL), SWG_EINVAL);
    swg_strict_close(&strict);
    ck_assert_ptr_null(strict);
    swg_strict_close(&strict);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet strict");
    TCase *tests = tcase_create("strict");
    SRunner *runner = srunner_create(suite);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_set_timeout(tests, 90);
    tcase_add_test(tests, the_very_next_call_knows);
    tcase_add_test(tests, no_more_probes_than_granted_and_then_all_go);
    tcase_add_test(tests, a_frozen_redis_costs_the_budget_and_no_call);
    tcase_add_test(tests, a_dead_redis_costs_nothing);
    tcase_add_test(tests, a_redis_that_refuses_costs_nothing);
    tcase_add_test(tests, a_release_brings_no_permit);
    tcase_add_test(tests, a_forked_child_asks_nobody);
    tcase_add_test(tests, without_a_runner_and_with_mistakes);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
