/* Processes and threads that shared wrongly: forks of a heap panel, dead workers, racing openers.
 */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <switchgear/switchgear.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define T0 (INT64_C(1000000) * MS)

enum { SLOTS = 4 };

static char name[64];

static void name_panel(void)
{
    snprintf(name, sizeof(name), "/swg-regress-%d", getpid());
}

static swg_circuit *open_on(swg_panel **panel, const char *shared, const swg_circuit_config *config)
{
    swg_circuit *circuit;
    ck_assert_int_ge(swg_panel_open(panel, shared, SWG_PANEL(.circuits = 2, .processes = 4)), 0);
    ck_assert_int_ge(swg_circuit_open(&circuit, *panel, "dependency", config), SWG_OK);
    return circuit;
}

/* In the child: all slots are free, and given back they are free again; what the parent's permits
 * hold is not given back here. */
static int child_of_a_full_house(swg_circuit *circuit, swg_permit *parents)
{
    swg_permit permits[SLOTS];
    swg_snapshot s;
    for (int i = 0; i < SLOTS; i++) {
        if (swg_acquire(circuit, &permits[i], T0) != SWG_PERMITTED) {
            return 1;
        }
    }
    swg_release(circuit, &parents[0], SWG_SUCCESS, T0);
    swg_circuit_read(circuit, T0, &s);
    if (s.inflight != SLOTS) {
        return 2;
    }
    for (int i = 0; i < SLOTS; i++) {
        swg_release(circuit, &permits[i], SWG_SUCCESS, T0);
    }
    swg_release(circuit, &parents[1], SWG_SUCCESS, T0);
    swg_circuit_read(circuit, T0, &s);
    return s.inflight != 0 ? 3 : 0;
}

START_TEST(a_forked_child_does_not_inherit_its_parents_calls)
{
    swg_panel *panel;
    swg_permit permits[SLOTS];
    int status;
    swg_circuit *circuit = open_on(&panel, NULL, SWG_CIRCUIT(.inflight_max = SLOTS));
    for (int i = 0; i < SLOTS; i++) {
        ck_assert_int_eq(swg_acquire(circuit, &permits[i], T0), SWG_PERMITTED);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(child_of_a_full_house(circuit, permits));
    }
    waitpid(pid, &status, 0);
    ck_assert_int_eq(status, 0);
    swg_permit one;
    ck_assert_int_eq(swg_acquire(circuit, &one, T0), SWG_REJECTED_BULKHEAD);
    swg_panel_close(&panel);
}
END_TEST

/* A worker killed with calls under way looked like a dependency that answers nobody. */
START_TEST(the_dead_do_not_stall_a_circuit)
{
    swg_panel *panel;
    swg_permit permit;
    int status;
    const swg_circuit_config *config = SWG_CIRCUIT(.stall_ms = 1000, .calls_min = 3);
    name_panel();
    swg_circuit *circuit = open_on(&panel, name, config);
    const pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 5; i++) {
            swg_acquire(circuit, &permit, T0);
        }
        raise(SIGKILL);
    }
    waitpid(pid, &status, 0);
    ck_assert_int_eq(swg_acquire(circuit, &permit, T0 + 60000 * MS), SWG_PERMITTED);
    swg_panel_close(&panel);
    swg_panel_unlink(name);
}
END_TEST

static void *go_on(void *arg)
{
    char byte;
    return read(*(int *)arg, &byte, 1) == 1 ? arg : NULL;
}

/* A process whose main thread has ended is shown as a zombie, and lives. */
START_TEST(a_process_without_its_main_thread_lives)
{
    swg_panel *panel;
    swg_permit permit;
    int up[2], go[2], status;
    char byte = 0;
    name_panel();
    ck_assert_int_eq(pipe(up) | pipe(go), 0);
    swg_circuit *circuit = open_on(&panel, name, SWG_CIRCUIT(.inflight_max = 1));
    const pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        swg_acquire(circuit, &permit, T0);
        pthread_create(&thread, NULL, go_on, &go[0]);
        if (write(up[1], &byte, 1) != 1) {
            _exit(1);
        }
        pthread_exit(NULL);
    }
    ck_assert_int_eq(read(up[0], &byte, 1), 1);
    for (int turn = 0; turn < 1000; turn++) { /* its main thread may be on its way out */
        ck_assert_int_eq(swg_panel_reap(panel, T0), 0);
        usleep(100);
    }
    ck_assert_int_eq(swg_acquire(circuit, &permit, T0), SWG_REJECTED_BULKHEAD);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    ck_assert_int_eq(swg_panel_reap(panel, T0), 1);
    ck_assert_int_eq(swg_acquire(circuit, &permit, T0), SWG_PERMITTED);
    swg_panel_close(&panel);
    swg_panel_unlink(name);
}
END_TEST

enum { OPENERS = 4, ROUNDS = 300 };

static swg_panel *exact;
static pthread_barrier_t together;
static int refused;

static void *open_it(void *arg)
{
    (void)arg;
    swg_circuit *circuit;
    pthread_barrier_wait(&together);
    if (swg_circuit_open(&circuit, exact, "dependency", NULL) < SWG_OK) {
        __atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* A panel with one cell, and four who open the same circuit at once: none is told it is full. */
START_TEST(racing_openers_of_one_name_all_get_it)
{
    pthread_t threads[OPENERS];
    pthread_barrier_init(&together, NULL, OPENERS);
    for (int round = 0; round < ROUNDS; round++) {
        ck_assert_int_eq(swg_panel_open(&exact, NULL, SWG_PANEL(.circuits = 1)), SWG_OK);
        for (int i = 0; i < OPENERS; i++) {
            pthread_create(&threads[i], NULL, open_it, NULL);
        }
        for (int i = 0; i < OPENERS; i++) {
            pthread_join(threads[i], NULL);
        }
        swg_circuit *other;
        ck_assert_int_eq(swg_circuit_open(&other, exact, "another", NULL), SWG_EFULL);
        swg_panel_close(&exact);
    }
    pthread_barrier_destroy(&together);
    ck_assert_int_eq(refused, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("regress sharing");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, a_forked_child_does_not_inherit_its_parents_calls);
    tcase_add_test(tests, the_dead_do_not_stall_a_circuit);
    tcase_add_test(tests, a_process_without_its_main_thread_lives);
    tcase_add_test(tests, racing_openers_of_one_name_all_get_it);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
