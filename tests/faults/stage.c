#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

stage s;

void stage_end_process(pid_t *pid, int signal)
{
    if (*pid > 0) {
        kill(*pid, signal);
        waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

/* ---- the proxy ----------------------------------------------------------------------------- */

static void start_proxy(void)
{
    char answer[CHAOS_LINE_MAX], spec[CHAOS_LINE_MAX];
    chaos *c =
        chaos_open(&(chaos_config){.control = s.control, .record = s.record, .seed = 1}, answer);
    ck_assert_msg(c != NULL, "%s", answer);
    for (int i = -1; i < s.config.hosts; i++) {
        char name[16] = "admin";
        if (i >= 0)
            snprintf(name, sizeof name, "h%d", i);
        snprintf(spec, sizeof spec, "%s=unix:%s/%s.sock>unix:%s/redis0.sock", name, s.folder, name,
                 s.folder);
        ck_assert_msg(chaos_add_route(c, spec, answer), "%s", answer);
    }
    s.proxy = chaos_start(&c);
    ck_assert_int_gt(s.proxy, 0);
}

static void tell(const char *route, const char *command, char *answer)
{
    char line[CHAOS_LINE_MAX];
    snprintf(line, sizeof line, "route %s %s", route, command);
    ck_assert_msg(chaos_ask(s.control, line, answer, PATIENCE_MS), "%s: %s", line, answer);
}

void fault(int i, const char *command)
{
    char answer[CHAOS_LINE_MAX], route[16];
    snprintf(route, sizeof route, "h%d", i);
    tell(route, command, answer);
}

void fault_all(const char *command)
{
    for (int i = 0; i < s.config.hosts; i++)
        fault(i, command);
}

void fault_admin(const char *command)
{
    char answer[CHAOS_LINE_MAX];
    tell("admin", command, answer);
}

const char *route_status(int i)
{
    static char answer[CHAOS_LINE_MAX];
    char route[16];
    snprintf(route, sizeof route, "h%d", i);
    tell(route, "status", answer);
    return answer + strlen("ok ");
}

uint64_t route_count(int i, const char *key)
{
    const char *status = route_status(i);
    char word[32];
    snprintf(word, sizeof word, " %s=", key);
    const char *at = strstr(status, word);
    ck_assert_msg(at != NULL, "%s: %s", key, status);
    return strtoull(at + strlen(word), NULL, 10);
}

/* ---- hosts --------------------------------------------------------------------------------- */

void host_start(int i)
{
    const stage_config *c = &s.config;
    static host_config config;
    config = (host_config){.reporter = (uint64_t)getpid() << 16 | (uint64_t)(rand() % 4096) << 4 |
                                       (uint64_t)i,
                           .circuits = c->circuits,
                           .shards = c->shards,
                           .probes = c->probes,
                           .calls_min = c->calls_min,
                           .window_ms = c->window_ms,
                           .recovery_ms = c->recovery_ms,
                           .lease_ms = c->lease_ms,
                           .ramp_ms = c->ramp_ms,
                           .quarantine_ms = c->quarantine_ms,
                           .expiry_limit = c->expiry_limit,
                           .fail_limit = c->fail_limit,
                           .stale_ms = c->stale_ms,
                           .local_ms = 2 * c->stale_ms,
                           .timeout_ms = 250};
    if (c->url)
        snprintf(config.url, sizeof config.url, "%s", c->url);
    else
        snprintf(config.url, sizeof config.url, "unix://%s/h%d.sock", s.folder, i);
    memset((void *)&s.hosts[i], 0, sizeof s.hosts[i]);
    s.host_pid[i] = fork();
    if (s.host_pid[i] == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        host_run(&s.hosts[i], s.dependency, &config);
    }
    ck_assert_int_gt(s.host_pid[i], 0);
}

/* A probe it was at dies with it. */
static void bury_probes(int i)
{
    if (s.hosts[i].report.at_probe)
        s.dependency->probing[0]--;
}

void host_kill(int i)
{
    stage_end_process(&s.host_pid[i], SIGKILL);
    bury_probes(i);
}

void host_signal(int i, int signal)
{
    kill(s.host_pid[i], signal);
}

static void quit_hosts(void)
{
    EACH_HOST(i)
    {
        s.hosts[i].orders.quit = true;
    }
    EACH_HOST(i)
    {
        int status;
        ck_assert_int_eq(waitpid(s.host_pid[i], &status, 0), s.host_pid[i]);
        s.host_pid[i] = 0;
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "host %d ended with %x", i,
                      status);
    }
}

/* ---- beginning and end --------------------------------------------------------------------- */

static int or (int value, int fallback)
{
    return value ? value : fallback;
}

static void settle(const stage_config *c)
{
    s.config = *c;
    s.config.hosts = or (c->hosts, 3);
    s.config.circuits = or (c->circuits, 1);
    s.config.shards = or (c->shards, 1);
    s.config.probes = or (c->probes, 2);
    s.config.calls_min = or (c->calls_min, 10);
    s.config.window_ms = or (c->window_ms, 2000);
    s.config.recovery_ms = or (c->recovery_ms, 500);
    s.config.lease_ms = or (c->lease_ms, 300);
    s.config.quarantine_ms = or (c->quarantine_ms, 200);
    s.config.expiry_limit = or (c->expiry_limit, 20);
    s.config.fail_limit = or (c->fail_limit, 2);
    s.config.stale_ms = or (c->stale_ms, 300);
    s.config.most = or (c->most, s.config.probes);
}

static void *map_shared(size_t size, int fd)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
    ck_assert(at != MAP_FAILED);
    return at;
}

/* The record's name: the row's, as a file. */
static void name_record(const char *name)
{
    const char *folder = getenv("SWG_FAULTS_RECORD");
    char file[64];
    size_t i = 0;
    for (; name[i] && i < sizeof file - 1; i++)
        file[i] = strchr(" /,;>:()'", name[i]) ? '_' : name[i];
    file[i] = '\0';
    snprintf(s.record, sizeof s.record, "%s/%s.record", folder ? folder : s.folder, file);
}

static void make_clock(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/clock", s.folder);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(ftruncate(fd, sizeof *s.clock_ns), 0);
    s.clock_ns = map_shared(sizeof *s.clock_ns, fd);
    close(fd);
}

void stage_begin(const char *name, const stage_config *config)
{
    memset(&s, 0, sizeof s);
    srand((unsigned)swg_clock_ns());
    settle(config);
    scratch_make(s.folder, "faults");
    snprintf(s.control, sizeof s.control, "%s/control", s.folder);
    name_record(name);
    s.dependency = map_shared(sizeof *s.dependency, -1);
    s.hosts = map_shared(HOSTS_MAX * sizeof *s.hosts, -1);
    s.dependency->probe_ms = 10;
    make_clock();
    if (!s.config.url) {
        redis_start(0);
        start_proxy();
    }
    for (int i = 0; i < s.config.hosts; i++)
        host_start(i);
    UNTIL(all_fleet);
}

/* SWG_FLEET_CHECK names a program (swg_fleet_check) that is given the record and does not end with
 * 0 if something in it breaks the protocol. */
static void run_checker(const char *record)
{
    const char *program = getenv("SWG_FLEET_CHECK"), *allow = s.config.allow;
    char command[512];
    if (!program || s.config.url)
        return;
    snprintf(command, sizeof command, "'%s' %s%s \"%s\"", program, allow ? "--allow " : "",
             allow ? allow : "", record);
    ck_assert_msg(system(command) == 0, "%s found fault with %s", program, record);
}

void stage_stop(void)
{
    EACH_HOST(i)
    {
        stage_end_process(&s.host_pid[i], SIGKILL);
    }
    stage_end_process(&s.proxy, SIGTERM);
    for (int i = 0; i < REDIS_MAX; i++)
        stage_end_process(&s.redis_pid[i], SIGKILL);
}

void stage_end(void)
{
    s.meanwhile = NULL;
    if (s.proxy > 0)
        fault_all("heal");
    s.dependency->broken = false;
    EACH_HOST(i)
    {
        s.hosts[i].orders.egress = false;
        s.hosts[i].orders.hold = false;
    }
    traffic(s.config.circuits > 16 ? 100 : 4000);
    UNTIL(all_well);
    ck_assert_int_le(s.dependency->most, s.config.most);
    quit_hosts();
    stage_stop();
    run_checker(s.record);
    scratch_remove(s.folder); /* of one that failed the logs are of use */
}
