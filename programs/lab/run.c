/* A stage from its first process to its last: one thread, one poll loop. */
#include "lab.h"

#include "naive.h"
#include "parts.h"
#include "profile.h"
#include "redis_server.h"
#include "report.h"
#include "story.h"
#include "terminal.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <switchgear/switchgear.h>
#include <unistd.h>

enum { TICK_MS = 50, STATUS_MS = 250, READY_MS = 10000, MS = 1000000 };
enum { POLL_MAX = 2 + 2 * STAGE_WORLDS_MAX * MEMBERS_MAX };

/* ---- setting up ---------------------------------------------------------------------------- */

/* The children are this same program. */
static void find_program(lab *l)
{
    ssize_t length = readlink("/proc/self/exe", l->program, sizeof l->program - 1);
    if (length <= 0 || access(l->program, X_OK) != 0)
        strcpy(l->program, "/proc/self/exe");
}

static void read_script(lab *l, const cli_args *args)
{
    stage_script *s = &l->script;
    *s = l->stage->script;
    fault_parse(&s->fault, cli_text(args, "fault", fault_name(s->fault)));
    s->rate_pct = (int)cli_number(args, "rate", s->rate_pct);
    s->calls_per_s = cli_number(args, "calls", s->calls_per_s);
    s->timeout_ms = cli_number(args, "timeout", s->timeout_ms);
    s->healthy_ms = cli_number(args, "healthy", s->healthy_ms);
    s->outage_ms = cli_number(args, "outage", s->outage_ms);
    l->chosen = s->fault;
}

static bool resolve_config(swg_circuit_config *config)
{
    swg_panel *panel = NULL;
    swg_circuit *circuit;
    swg_snapshot snapshot;
    bool fine = swg_panel_open(&panel, NULL, NULL) == SWG_OK &&
                swg_circuit_open(&circuit, panel, "service", config) == SWG_OK &&
                swg_circuit_read(circuit, swg_clock_ns(), &snapshot) == SWG_OK;
    if (fine)
        *config = snapshot.config;
    swg_panel_close(&panel);
    return fine;
}

static bool has_naive(const lab *l)
{
    bool any = false;
    for (int w = 0; w < l->world_count; w++)
        any |= l->worlds[w].plan->redis == REDIS_FOR_NAIVE;
    return any;
}

/* Whatever would stop the story halfway is said before it begins. */
static int check(lab *l)
{
    redis_server found;
    if (lab_has_redis(l) && !redis_server_find(&found))
        return CLI_FAILED;
    if (l->report && !report_possible(l->report))
        return CLI_FAILED;
    if (!resolve_config(&l->config))
        return CLI_FAILED;
    if (has_naive(l) && !naive_fits(&l->config))
        return cli_usage(l->args, "compares with a breaker that counts failures in a row: "
                                  "--set failure_threshold=5, say");
    return lab_ports_free(l) ? CLI_FINE : CLI_FAILED;
}

static int prepare(lab *l, const cli_args *args)
{
    const cli_command *command = args->path[args->depth - 1];
    l->args = args;
    l->stage = stage_find(command->name);
    if (!l->stage) /* plain `switchgear lab` */
        l->stage = stage_find("independent");
    int usage = profile_with(&l->config, args, l->stage->circuit);
    if (usage != CLI_FINE)
        return usage;
    read_script(l, args);
    out_open(&l->out, stdout, cli_text(args, "color", NULL));
    l->json = cli_flag(args, "json");
    l->once = cli_flag(args, "once") || !l->out.tty;
    l->keys = !l->once && !l->json && isatty(STDIN_FILENO);
    l->seed = (uint64_t)cli_number(args, "seed", 1);
    l->ports = (int)cli_number(args, "ports", 0);
    l->times = (fault_times){.slow_ms = 500, .hang_ms = 2000, .flap_ms = 2000};
    l->report = l->stage->report ? cli_text(args, "report", l->stage->report) : NULL;
    l->compare_ns = l->states_ns = INT64_MAX;
    l->world_count = l->stage->world_count;
    for (int i = 0; i < l->world_count; i++) {
        l->worlds[i].lab = l;
        l->worlds[i].plan = &l->stage->worlds[i];
    }
    find_program(l);
    return check(l);
}

static int open_signals(void)
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGCONT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        sigaddset(&set, wanted[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void take_signals(lab *l, int fd)
{
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;                    /* deaths are looked for in every turn */
        if (info.ssi_signo == SIGCONT) { /* after Ctrl-Z the shell has set the terminal its way */
            terminal_raw(l->keys);
            continue;
        }
        l->ended_by = (int)info.ssi_signo;
        l->phase = LAB_OVER;
    }
}

static void take_keys(lab *l)
{
    char keys[16];
    ssize_t bytes = read(STDIN_FILENO, keys, sizeof keys);
    if (bytes == 0)
        l->keys = false;
    for (ssize_t i = 0; i < bytes; i++)
        lab_key(l, keys[i], swg_clock_ns());
}

static void wait_for_something(lab *l, int signals)
{
    struct pollfd fds[POLL_MAX];
    member *members[STAGE_WORLDS_MAX * MEMBERS_MAX];
    size_t count = lab_members(l, members);
    nfds_t used = 2;
    fds[0] = (struct pollfd){.fd = signals, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = l->keys ? STDIN_FILENO : -1, .events = POLLIN};
    for (size_t i = 0; i < count; i++) {
        fds[used++] = (struct pollfd){.fd = members[i]->child.output.fd, .events = POLLIN};
        fds[used++] = (struct pollfd){.fd = members[i]->child.errors.fd, .events = POLLIN};
    }
    if (poll(fds, used, TICK_MS) <= 0)
        return;
    take_signals(l, signals);
    if (fds[1].revents)
        take_keys(l);
    for (size_t i = 0; i < count; i++)
        if (fds[2 + 2 * i].revents || fds[3 + 2 * i].revents)
            lab_take_output(members[i]);
}

/* Every service and instance listens before the load begins; a part that cannot start ends the lab.
 */
static bool wait_ready(lab *l, int signals)
{
    int64_t deadline_ns = swg_clock_ns() + READY_MS * (int64_t)MS;
    while (!lab_all_ready(l) && l->phase != LAB_OVER) {
        wait_for_something(l, signals);
        lab_notice_deaths(l);
        if (l->trouble)
            return false;
        if (swg_clock_ns() >= deadline_ns) {
            fputs("the lab's processes did not start in time\n", stderr);
            return false;
        }
    }
    return l->phase != LAB_OVER;
}

static void tell_story(lab *l, int signals)
{
    int64_t status_ns = 0;
    lab_script_begin(l, swg_clock_ns());
    while (l->phase != LAB_OVER) {
        wait_for_something(l, signals);
        lab_notice_deaths(l);
        int64_t now_ns = swg_clock_ns();
        if (l->phase != LAB_OVER)
            lab_script_step(l, now_ns);
        if (now_ns >= status_ns) {
            story_status(l);
            status_ns = now_ns + STATUS_MS * (int64_t)MS;
        }
        if (ferror(l->out.file)) /* nobody reads any more */
            l->phase = LAB_OVER;
    }
}

static void run(lab *l, int signals)
{
    story_begin(l);
    bool ready = lab_start_redis(l) && wait_ready(l, signals) && lab_start_members(l) &&
                 wait_ready(l, signals);
    lab_forget_panels(l); /* all have it open by now: nothing is left, whoever dies */
    if (ready && lab_start_loads(l))
        tell_story(l, signals);
    else if (!l->ended_by && l->phase != LAB_OVER)
        l->trouble = true;
}

/* As if the signal had not been caught, now that all is cleaned up. */
static void die_by(int signal_number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int lab_stage_run(const cli_args *args)
{
    lab *l = calloc(1, sizeof *l);
    if (!l)
        return CLI_FAILED;
    int result = prepare(l, args);
    if (result == CLI_FINE) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        int signals = open_signals();
        terminal_raw(l->keys);
        run(l, signals);
        out_status(&l->out, NULL);
        lab_stop_members(l);
        terminal_restore();
        close(signals);
        curl_global_cleanup();
        result = l->trouble || ferror(l->out.file) ? CLI_FAILED : CLI_FINE;
        if (l->ended_by)
            die_by(l->ended_by);
    }
    free(l);
    return result;
}
