/* A process killed at every point. The library yields before each atomic access; a child runs a
 * small program on a shared block and kills itself with SIGKILL at access number k, for every k
 * until it gets through. After each death the survivors must find a block in which everything goes
 * on. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/gate.h>
#include <switchgear/switchgear.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define NOW (INT64_C(1000000) * MS)
#define POINTS_MAX 100000

static long points_left = -1; /* -1: do not die */

void swg__yield(void);
void swg__yield(void)
{
    if (points_left >= 0 && points_left-- == 0) {
        kill(getpid(), SIGKILL);
    }
}

typedef struct scene {
    const char *name;
    const swg_circuit_config *config;
    void (*before)(swg_circuit *circuit);                   /* by the survivor */
    void (*victim)(swg_panel *panel, swg_circuit *circuit); /* dies somewhere in here */
    void (*after)(swg_panel *panel, swg_circuit *circuit);  /* must hold after reaping */
} scene;

#define EXACT .size = sizeof(swg_circuit_config), .recovery_jitter_pct = SWG_NONE

static const swg_panel_config small = {
    .size = sizeof(small), .circuits = 3, .processes = 4, .journal = 16};

static void call(swg_circuit *circuit, int n, swg_outcome outcome, int64_t ms)
{
    for (int i = 0; i < n; i++) {
        swg_permit permit;
        swg_acquire(circuit, &permit, NOW + ms * MS);
        swg_release(circuit, &permit, outcome, NOW + ms * MS);
    }
}

static swg_snapshot look(swg_circuit *circuit, int64_t ms)
{
    swg_snapshot s;
    ck_assert_int_eq(swg_circuit_read(circuit, NOW + ms * MS, &s), SWG_OK);
    return s;
}

static void nothing(swg_circuit *circuit)
{
    (void)circuit;
}

/* Whatever happened, the circuit still opens on failures, recovers, and counts. */
static void still_works(swg_panel *panel, swg_circuit *circuit)
{
    (void)panel;
    swg_circuit_reset(circuit, NOW + 200000 * MS);
    call(circuit, 4, SWG_FAILURE, 200001);
    ck_assert_int_eq(look(circuit, 200001).state, SWG_OPEN);
    call(circuit, 2, SWG_SUCCESS, 270000); /* the probes */
    const swg_snapshot s = look(circuit, 270000);
    ck_assert_int_eq(s.state, SWG_CLOSED);
    ck_assert_uint_eq(s.inflight, 0);
    call(circuit, 3, SWG_SUCCESS, 270001);
    ck_assert_uint_eq(look(circuit, 270001).window_calls, 3);
}

static void journal_reads(swg_panel *panel)
{
    swg_event events[16];
    uint64_t cursor = 0;
    uint64_t last = 0;
    const size_t count = swg_journal_read(panel, &cursor, events, 16);
    for (size_t i = 0; i < count; i++) {
        ck_assert(events[i].sequence >= last);
        ck_assert_str_eq(events[i].name, "c");
        last = events[i].sequence;
    }
}

/* --- outcomes in a closed circuit: first of a window, trip, new slot */
static void outcomes(swg_panel *panel, swg_circuit *circuit)
{
    (void)panel;
    call(circuit, 2, SWG_SUCCESS, 0);
    call(circuit, 1, SWG_FAILURE, 0);
    call(circuit, 1, SWG_SUCCESS, 1500);
    call(circuit, 2, SWG_FAILURE, 1501);
}

static void outcomes_after(swg_panel *panel, swg_circuit *circuit)
{
    const swg_snapshot s = look(circuit, 1501);
    ck_assert_uint_le(s.outcomes[SWG_SUCCESS], 3);
    ck_assert_uint_le(s.outcomes[SWG_FAILURE], 3);
    ck_assert_uint_le(s.window_failures, 3);
    ck_assert_uint_le(s.window_calls, 6);
    journal_reads(panel);
    still_works(panel, circuit);
}

/* --- a half-open circuit of two probes: begun, taken, given back */
static void open_it(swg_circuit *circuit)
{
    call(circuit, 4, SWG_FAILURE, 0);
    ck_assert_int_eq(look(circuit, 0).state, SWG_OPEN);
}

static void probe(swg_panel *panel, swg_circuit *circuit)
{
    swg_permit permits[2];
    (void)panel;
    swg_acquire(circuit, &permits[0], NOW + 5000 * MS);
    swg_acquire(circuit, &permits[1], NOW + 5000 * MS);
    swg_release(circuit, &permits[0], SWG_IGNORED, NOW + 5001 * MS);
}

static void probe_after(swg_panel *panel, swg_circuit *circuit)
{
    swg_permit permits[4];
    int granted = 0;
    for (int i = 0; i < 4; i++) {
        granted += swg_acquire(circuit, &permits[i], NOW + 5002 * MS) == SWG_PERMITTED;
    }
    ck_assert_int_eq(granted, 2); /* all that the dead held has come back, and no more */
    for (int i = 0; i < 4; i++) {
        swg_release(circuit, &permits[i], SWG_SUCCESS, NOW + 5003 * MS);
    }
    ck_assert_int_eq(look(circuit, 5003).state, SWG_CLOSED);
    journal_reads(panel);
    still_works(panel, circuit);
}

/* --- a bulkhead of two */
static void slots(swg_panel *panel, swg_circuit *circuit)
{
    swg_permit permits[2];
    (void)panel;
    for (int round = 0; round < 2; round++) {
        swg_acquire(circuit, &permits[0], NOW);
        swg_acquire(circuit, &permits[1], NOW);
        swg_release(circuit, &permits[0], SWG_SUCCESS, NOW);
        swg_release(circuit, &permits[1], SWG_SUCCESS, NOW);
    }
    swg_acquire(circuit, &permits[0], NOW);
}

static void slots_after(swg_panel *panel, swg_circuit *circuit)
{
    swg_permit permits[3];
    ck_assert_uint_eq(look(circuit, 0).inflight, 0);
    ck_assert_int_eq(swg_acquire(circuit, &permits[0], NOW), SWG_PERMITTED);
    ck_assert_int_eq(swg_acquire(circuit, &permits[1], NOW), SWG_PERMITTED);
    ck_assert_int_eq(swg_acquire(circuit, &permits[2], NOW), SWG_REJECTED_BULKHEAD);
    swg_release(circuit, &permits[0], SWG_CANCELLED, NOW);
    swg_release(circuit, &permits[1], SWG_CANCELLED, NOW);
    ck_assert_uint_eq(look(circuit, 0).inflight, 0);
    still_works(panel, circuit);
}

/* --- a newcomer that makes circuits, overrides and configures */
static void manage(swg_panel *panel, swg_circuit *circuit)
{
    swg_circuit *other;
    swg_circuit_open(&other, panel, "other", SWG_CIRCUIT(.calls_min = 2));
    swg_circuit_override(circuit, SWG_FORCED_OPEN, NOW + 1000 * MS, "drill");
    swg_circuit_configure(
        circuit, SWG_CIRCUIT(.calls_min = 3, .probes = 2, .recovery_jitter_pct = SWG_NONE));
    swg_circuit_override(circuit, SWG_OVERRIDE_NONE, 0, NULL);
    swg_circuit_reset(circuit, NOW);
}

static void manage_after(swg_panel *panel, swg_circuit *circuit)
{
    swg_circuit *made;
    const char *const names[] = {"other", "third"};
    for (int i = 0; i < 2; i++) { /* no row is lost to a half-made circuit */
        const int result = swg_circuit_open(&made, panel, names[i], NULL);
        ck_assert_msg(result == SWG_OK, "%s: %s", names[i], swg_error_text(result));
    }
    ck_assert_int_eq(swg_circuit_open(&made, panel, "fourth", NULL), SWG_EFULL);
    journal_reads(panel);
    still_works(panel, circuit);
}

/* --- the fleet's gate: a caller that takes its permits, the client that gives and collects them */
static void give(swg_circuit *circuit, uint32_t permits, uint32_t round)
{
    ck_assert_int_eq(swg_gate_set(circuit,
                                  &(swg_gate){.size = sizeof(swg_gate),
                                              .mode = SWG_GATE_PROBING,
                                              .permits = permits,
                                              .round = round,
                                              .until_ns = NOW + 1000 * MS},
                                  NULL),
                     SWG_OK);
}

static void two_permits(swg_circuit *circuit)
{
    open_it(circuit);
    give(circuit, 2, 1);
}

static void take_permits(swg_panel *panel, swg_circuit *circuit)
{
    swg_permit permits[2];
    (void)panel;
    swg_acquire(circuit, &permits[0], NOW);
    swg_release(circuit, &permits[0], SWG_SUCCESS, NOW);
    swg_acquire(circuit, &permits[1], NOW);
    swg_release(circuit, &permits[1], SWG_FAILURE, NOW);
}

/* A result that never came costs its lease in the fleet; none is told twice, no permit comes back.
 */
static void permits_after(swg_panel *panel, swg_circuit *circuit)
{
    swg_gate_reading reading;
    swg_permit permit;
    uint32_t taken = 0;
    swg_gate_collect(circuit, NOW, &reading);
    ck_assert_uint_eq(reading.mode, SWG_GATE_PROBING);
    ck_assert_uint_le(reading.passed, 1);
    ck_assert_uint_le(reading.failed, 1);
    ck_assert_uint_eq(reading.unused, 0);
    ck_assert_uint_le(reading.passed + reading.failed, 2 - reading.permits);
    while (swg_acquire(circuit, &permit, NOW) == SWG_PERMITTED) {
        swg_release(circuit, &permit, SWG_SUCCESS, NOW);
        taken++;
    }
    ck_assert_uint_eq(taken, reading.permits);
    swg_gate_collect(circuit, NOW, &reading);
    ck_assert_uint_eq(reading.passed, taken);
    swg_gate_set(circuit, &(swg_gate){.size = sizeof(swg_gate)}, NULL);
    journal_reads(panel);
    still_works(panel, circuit);
}

static void rule(swg_panel *panel, swg_circuit *circuit)
{
    swg_gate_reading reading;
    (void)panel;
    give(circuit, 2, 2);
    swg_gate_collect(circuit, NOW, &reading);
    give(circuit, 1, 3);
    swg_gate_close(circuit, NOW);
}

/* Whatever was left there loses its hold by itself, and the next client takes over. */
static void rule_after(swg_panel *panel, swg_circuit *circuit)
{
    swg_gate_reading reading;
    swg_permit permit;
    swg_gate_read(circuit, NOW + 4000 * MS, &reading);
    ck_assert_uint_eq(reading.mode, SWG_GATE_NONE);
    give(circuit, 1, 4);
    ck_assert_int_eq(swg_acquire(circuit, &permit, NOW), SWG_PERMITTED);
    swg_release(circuit, &permit, SWG_SUCCESS, NOW);
    swg_gate_collect(circuit, NOW, &reading);
    ck_assert_uint_eq(reading.round, 4);
    ck_assert_uint_eq(reading.passed, 1);
    swg_gate_set(circuit, &(swg_gate){.size = sizeof(swg_gate)}, NULL);
    journal_reads(panel);
    still_works(panel, circuit);
}

/* --- the reaper itself dies */
static void reap(swg_panel *panel, swg_circuit *circuit)
{
    (void)circuit;
    swg_panel_reap(panel, NOW);
}

static const swg_circuit_config plain = {EXACT, .calls_min = 4, .window_ms = 10000, .probes = 2};
static const swg_circuit_config ring = {EXACT, .calls_min = 4, .window_calls = 4, .probes = 2};
static const swg_circuit_config row = {EXACT, .calls_min = 4, .failure_threshold = 3, .probes = 2};
static const swg_circuit_config two = {EXACT, .calls_min = 4, .inflight_max = 2, .probes = 2};

static const scene scenes[] = {
    {"outcomes, time window", &plain, nothing, outcomes, outcomes_after},
    {"outcomes, count window", &ring, nothing, outcomes, outcomes_after},
    {"outcomes, in a row", &row, nothing, outcomes, outcomes_after},
    {"probes", &plain, open_it, probe, probe_after},
    {"bulkhead", &two, nothing, slots, slots_after},
    {"management", &plain, nothing, manage, manage_after},
    {"permits of the gate", &plain, two_permits, take_permits, permits_after},
    {"the gate's authority", &plain, two_permits, rule, rule_after},
    {"reaping", &two, nothing, reap, slots_after},
};

typedef struct stage {
    void *memory;
    size_t bytes;
    swg_panel *panel;
    swg_circuit *circuit;
} stage;

static stage set_up(const scene *s)
{
    stage g = {.bytes = swg_panel_bytes(&small)};
    g.memory = mmap(NULL, g.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(g.memory, MAP_FAILED);
    ck_assert_int_eq(swg_panel_format(g.memory, g.bytes, &small), SWG_OK);
    ck_assert_int_eq(swg_panel_attach(&g.panel, g.memory, g.bytes), SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&g.circuit, g.panel, "c", s->config), SWG_OK);
    s->before(g.circuit);
    return g;
}

/* In a child: a handle of its own, then the scene, to die at `point`. */
static void die_at(const stage *g, const scene *s, long point)
{
    swg_panel *panel;
    swg_circuit *circuit;
    points_left = point;
    if (swg_panel_attach(&panel, g->memory, g->bytes) != SWG_OK ||
        swg_circuit_find(&circuit, panel, "c") != SWG_OK) {
        _exit(2);
    }
    s->victim(panel, circuit);
    points_left = -1;
    _exit(0);
}

/* For the reaper's scene: somebody dead, who held both slots. */
static void leave_a_corpse(const stage *g)
{
    const pid_t pid = fork();
    if (pid == 0) {
        swg_permit permits[2];
        swg_acquire(g->circuit, &permits[0], NOW);
        swg_acquire(g->circuit, &permits[1], NOW);
        kill(getpid(), SIGKILL);
    }
    waitpid(pid, NULL, 0);
}

static bool survived(const scene *s, long point)
{
    int status;
    const stage g = set_up(s);
    if (s->victim == reap) {
        leave_a_corpse(&g);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        die_at(&g, s, point);
    }
    waitpid(pid, &status, 0);
    ck_assert_msg(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "%s, point %ld: exit %d",
                  s->name, point, WEXITSTATUS(status));
    ck_assert_int_ge(swg_panel_reap(g.panel, NOW), 0);
    swg_panel *panel = g.panel;
    s->after(panel, g.circuit);
    swg_panel_close(&panel);
    munmap(g.memory, g.bytes);
    return WIFSIGNALED(status);
}

START_TEST(nobody_is_harmed_by_a_death_at_any_point)
{
    const scene *s = &scenes[_i];
    long point = 0;
    while (survived(s, point)) {
        ck_assert_int_lt(++point, POINTS_MAX);
    }
    printf("%-24s %4ld deaths survived\n", s->name, point);
    fflush(stdout);
    ck_assert_int_gt(point, 5);
}
END_TEST

/* Killed while it claims the panel, keeps it, gives it back, and takes it over: whoever comes next
 * has it at once, whether or not the dead was reaped, and one who lives is not driven out. */
static void claim_over_and_over(const stage *g)
{
    swg_panel *panel;
    uint64_t claim;
    swg_panel_attach(&panel, g->memory, g->bytes);
    for (int i = 0; i < 2; i++) {
        swg_gate_claim(panel, NOW, &claim);
        swg_gate_keep(panel, claim, NOW + MS);
        swg_gate_release(panel, claim);
    }
    swg_gate_claim(panel, NOW, &claim);
    _exit(0);
}

START_TEST(a_claim_does_not_outlive_its_holder)
{
    static const scene quiet = {"claims", &plain, nothing, NULL, NULL};
    bool killed = true;
    for (long point = 0; killed; point++) {
        int status;
        uint64_t claim, other;
        const stage g = set_up(&quiet);
        swg_panel *panel = g.panel;
        const pid_t pid = fork();
        if (pid == 0) {
            points_left = point;
            claim_over_and_over(&g);
        }
        waitpid(pid, &status, 0);
        killed = WIFSIGNALED(status);
        if (_i == 1) {
            swg_panel_reap(panel, NOW);
        }
        ck_assert_int_eq(swg_gate_owner(panel, NOW, NULL), 0);
        ck_assert_int_eq(swg_gate_claim(panel, NOW, &claim), SWG_OK);
        ck_assert_int_eq(swg_gate_claim(panel, NOW, &other), SWG_EBUSY);
        ck_assert_int_ge(swg_panel_reap(panel, NOW), 0);
        ck_assert_int_eq(swg_gate_keep(panel, claim, NOW), SWG_OK);
        ck_assert_int_eq(swg_gate_owner(panel, NOW, NULL), getpid());
        swg_panel_close(&panel);
        munmap(g.memory, g.bytes);
    }
}
END_TEST

/* POSIX shared memory: killed while creating or joining, the next one must get in. */
START_TEST(a_panel_opens_after_a_death_while_opening)
{
    char name[64];
    long point = 0;
    bool killed = true;
    snprintf(name, sizeof(name), "/swg-kill-%d", (int)getpid());
    for (; killed; point++) {
        int status;
        swg_panel *panel;
        swg_panel_unlink(name);
        const pid_t pid = fork();
        if (pid == 0) {
            points_left = point;
            swg_panel_open(&panel, name, &small);
            swg_panel_close(&panel);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        killed = WIFSIGNALED(status);
        ck_assert_int_eq(swg_panel_open(&panel, name, &small), SWG_OK);
        ck_assert_int_ge(swg_panel_reap(panel, NOW), 0);
        ck_assert_int_eq(swg_panel_reap(panel, NOW), 0); /* nobody dead is left */
        swg_panel_close(&panel);
    }
    swg_panel_unlink(name);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kill");
    TCase *all = tcase_create("every point");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, nobody_is_harmed_by_a_death_at_any_point, 0,
                        (int)(sizeof(scenes) / sizeof(scenes[0])));
    tcase_add_loop_test(all, a_claim_does_not_outlive_its_holder, 0, 2);
    tcase_add_test(all, a_panel_opens_after_a_death_while_opening);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
