/* Processes and threads on one circuit in shared memory, a killer among them, newcomers joining all
 * the while. After each round everybody is killed, the dead are reaped, and the block must add up.
 *
 *   stress_campaign [--seconds N | --minutes N] [--seed N] [--processes N] [--threads N] */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 16
#define THREADS_MAX 8
#define INFLIGHT 6
#define PROBES 2
#define HELD_PROBE 4 /* the flag of swg_permit.held */

/* What each thread says of itself; a thread that dies leaves `begun` ahead of `done` by one. */
typedef struct tally {
    _Atomic uint64_t begun, done, operations, probes;
} tally;

typedef struct options {
    double seconds;
    unsigned seed;
    int processes, threads;
} options;

static struct {
    char name[64];
    tally (*tallies)[THREADS_MAX];
    options o;
} g = {.o = {.seconds = 4, .seed = 1, .processes = 4, .threads = 2}};

static const swg_circuit_config config = {
    .size = sizeof(config),
    .window_ms = 100,
    .calls_min = 10,
    .failure_pct = 30,
    .recovery_ms = 3,
    .recovery_ms_max = 12,
    .probes = PROBES,
    .probe_ms = 1000,
    .inflight_max = INFLIGHT,
};

static int fail(const char *what, uint64_t got, uint64_t low, uint64_t high)
{
    printf("FAILED with --seed %u: %s is %llu, not %llu to %llu\n", g.o.seed, what,
           (unsigned long long)got, (unsigned long long)low, (unsigned long long)high);
    return 1;
}

typedef struct worker {
    swg_circuit *circuit;
    tally *t;
    unsigned seed;
} worker;

static void one_call(worker *w)
{
    swg_permit permit;
    if (swg_acquire(w->circuit, &permit, swg_clock_ns()) == SWG_PERMITTED) {
        const bool bad = rand_r(&w->seed) % 4 == 0;
        atomic_fetch_add(&w->t->probes, (permit.held & HELD_PROBE) != 0);
        atomic_fetch_add(&w->t->begun, 1);
        swg_release(w->circuit, &permit, bad ? SWG_FAILURE : SWG_SUCCESS, swg_clock_ns());
        atomic_fetch_add(&w->t->done, 1);
    }
    atomic_fetch_add(&w->t->operations, 1);
}

static void *work(void *arg)
{
    worker *w = arg;
    for (;;) {
        one_call(w);
    }
    return NULL;
}

static pid_t join_in(int place, unsigned seed)
{
    const pid_t pid = fork();
    if (pid != 0) {
        return pid;
    }
    static worker workers[THREADS_MAX];
    swg_panel *panel;
    swg_circuit *circuit;
    if (swg_panel_open(&panel, g.name, NULL) < 0 ||
        swg_circuit_open(&circuit, panel, "c", &config) < 0) {
        _exit(2);
    }
    for (int i = 0; i < g.o.threads; i++) {
        pthread_t thread;
        workers[i] = (worker){circuit, &g.tallies[place][i], seed * 31 + (unsigned)i};
        pthread_create(&thread, NULL, work, &workers[i]);
    }
    for (;;) {
        pause();
    }
}

static void sums(tally *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (int p = 0; p < PROCESSES_MAX; p++) {
        for (int t = 0; t < THREADS_MAX; t++) {
            sum->begun += g.tallies[p][t].begun;
            sum->done += g.tallies[p][t].done;
            sum->operations += g.tallies[p][t].operations;
            sum->probes += g.tallies[p][t].probes;
        }
    }
}

/* All are dead: does the block add up? */
static int inspect(swg_panel *panel, uint64_t kills)
{
    swg_circuit *circuit;
    swg_snapshot s;
    tally sum;
    const int64_t now = swg_clock_ns();
    sums(&sum);
    if (swg_panel_reap(panel, now) < 0 || swg_circuit_find(&circuit, panel, "c") != SWG_OK ||
        swg_circuit_read(circuit, now, &s) != SWG_OK) {
        return fail("reading the circuit", 1, 0, 0);
    }
    if (s.inflight != 0) {
        return fail("calls in flight after reaping", s.inflight, 0, 0);
    }
    if (s.probes_out != 0) {
        return fail("probes out after reaping", s.probes_out, 0, 0);
    }
    const uint64_t outcomes = s.outcomes[SWG_SUCCESS] + s.outcomes[SWG_FAILURE];
    if (outcomes < sum.done || outcomes > sum.begun) {
        return fail("outcomes counted", outcomes, sum.done, sum.begun);
    }
    const uint64_t periods = s.transitions[SWG_CAUSE_WAIT_OVER];
    const uint64_t granted_again = kills * (uint64_t)g.o.threads;
    if (sum.probes > periods * PROBES + granted_again) {
        return fail("probes granted", sum.probes, 0, periods * PROBES + granted_again);
    }
    /* and it still does its work */
    swg_circuit_reset(circuit, now);
    for (int i = 0; i < 10; i++) {
        swg_permit permit;
        swg_acquire(circuit, &permit, now);
        swg_release(circuit, &permit, SWG_FAILURE, now);
    }
    swg_circuit_read(circuit, now, &s);
    atomic_fetch_add(&g.tallies[0][0].begun, 10);
    atomic_fetch_add(&g.tallies[0][0].done, 10);
    return s.state == SWG_OPEN ? 0 : fail("the state after ten failures", s.state, 1, 1);
}

static void kill_one(pid_t *pids, int place)
{
    kill(pids[place], SIGKILL);
    waitpid(pids[place], NULL, 0);
}

/* One round: kills at random moments, each followed by a newcomer. */
static uint64_t round_of(pid_t *pids, unsigned *seed, int64_t until_ns)
{
    uint64_t kills = 0;
    for (int i = 0; i < g.o.processes; i++) {
        pids[i] = join_in(i, (unsigned)rand_r(seed));
    }
    while (swg_clock_ns() < until_ns) {
        const struct timespec pause = {.tv_nsec = 200000 + rand_r(seed) % 6000000};
        nanosleep(&pause, NULL); /* the moment of the kill: nothing waits for a result here */
        const int place = rand_r(seed) % g.o.processes;
        kill_one(pids, place);
        pids[place] = join_in(place, (unsigned)rand_r(seed));
        kills++;
    }
    for (int i = 0; i < g.o.processes; i++) {
        kill_one(pids, i);
        kills++;
    }
    return kills;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: stress_campaign [--seconds N | --minutes N] [--seed N] [--processes 1-%d] "
            "[--threads 1-%d]\n",
            PROCESSES_MAX, THREADS_MAX);
    return 2;
}

static bool parse(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const double value = atof(argv[i + 1]);
        if (strcmp(argv[i], "--seconds") == 0) {
            g.o.seconds = value;
        } else if (strcmp(argv[i], "--minutes") == 0) {
            g.o.seconds = value * 60;
        } else if (strcmp(argv[i], "--seed") == 0) {
            g.o.seed = (unsigned)value;
        } else if (strcmp(argv[i], "--processes") == 0) {
            g.o.processes = (int)value;
        } else if (strcmp(argv[i], "--threads") == 0) {
            g.o.threads = (int)value;
        } else {
            return false;
        }
    }
    return argc % 2 == 1 && g.o.seconds > 0 && g.o.processes >= 1 &&
           g.o.processes <= PROCESSES_MAX && g.o.threads >= 1 && g.o.threads <= THREADS_MAX;
}

int main(int argc, char **argv)
{
    pid_t pids[PROCESSES_MAX];
    swg_panel *panel;
    tally sum;
    uint64_t kills = 0;
    int rounds = 0;
    int failed = 0;
    if (!parse(argc, argv)) {
        return usage();
    }
    unsigned seed = g.o.seed;
    snprintf(g.name, sizeof(g.name), "/swg-campaign-%d", (int)getpid());
    g.tallies = mmap(NULL, PROCESSES_MAX * sizeof(*g.tallies), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (g.tallies == MAP_FAILED ||
        swg_panel_open(&panel, g.name, SWG_PANEL(.circuits = 4, .processes = 64)) != SWG_OK) {
        perror("stress_campaign");
        return 1;
    }
    const int64_t end_ns = swg_clock_ns() + (int64_t)(g.o.seconds * 1e9);
    while (!failed && swg_clock_ns() < end_ns) {
        kills += round_of(pids, &seed, swg_clock_ns() + INT64_C(500000000));
        rounds++;
        failed = inspect(panel, kills);
    }
    sums(&sum);
    printf("%d rounds, %llu kills survived, %llu operations, %llu calls, %llu probes; seed %u\n",
           rounds, (unsigned long long)kills, (unsigned long long)sum.operations,
           (unsigned long long)sum.done, (unsigned long long)sum.probes, g.o.seed);
    swg_panel_close(&panel);
    swg_panel_unlink(g.name);
    return failed;
}
