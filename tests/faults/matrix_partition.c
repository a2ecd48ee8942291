/* Rows in which real packets get lost: Redis in a network namespace of its own, a packet filter in
 * there, a cable that is pulled. Needs root, ip and nft; without them it says so. */
#include "stage.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static pid_t owner; /* the main process: names are made of it */

static bool shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool shell(const char *format, ...)
{
    char command[512], quiet[600];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    snprintf(quiet, sizeof quiet, "{ %s; } >/dev/null 2>&1", command);
    return system(quiet) == 0;
}

/* What a run that was killed left goes. */
void partition_prepare(void)
{
    owner = getpid();
    if (geteuid() == 0)
        shell("for n in $(ip netns list | sed -n 's/^swgf\\([0-9]*\\).*/\\1/p'); do "
              "kill -0 $n || ip netns del swgf$n; done");
}

void partition_clean(void)
{
    if (geteuid() == 0)
        shell("ip netns del swgf%d", owner);
}

static int net; /* 10.203.net.0/30 */

static bool make_namespace(void)
{
    net = owner % 250;
    for (int i = 1; i < 250 && shell("ip -o addr | grep -F ' 10.203.%d.'", net); i++)
        net = (owner + i) % 250; /* another run has that one */
    return shell("set -e; ip netns add swgf%d; "
                 "ip link add swgf%da type veth peer name swgf%db netns swgf%d; "
                 "ip addr add 10.203.%d.1/30 dev swgf%da; ip link set swgf%da up",
                 owner, owner, owner, owner, net, owner, owner) &&
           shell("set -e; ip -n swgf%d addr add 10.203.%d.2/30 dev swgf%db; "
                 "ip -n swgf%d link set swgf%db up; ip -n swgf%d link set lo up",
                 owner, net, owner, owner, owner, owner) &&
           shell("ip netns exec swgf%d nft 'add table inet f; "
                 "add chain inet f in { type filter hook input priority 0; }'",
                 owner);
}

static void start_redis_inside(void)
{
    char space[32], address[32];
    snprintf(space, sizeof space, "swgf%d", owner);
    snprintf(address, sizeof address, "10.203.%d.2", net);
    s.redis_pid[0] = fork();
    if (s.redis_pid[0] == 0) {
        const int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("ip", "ip", "netns", "exec", space, "redis-server", "--port", "6379", "--bind",
               address, "--protected-mode", "no", "--save", "", (char *)NULL);
        _exit(127);
    }
}

static void break_network(int how)
{
    static const char *const ways[] = {
        "ip netns exec swgf%d nft add rule inet f in tcp dport 6379 drop",
        "ip link set swgf%da down",
    };
    char command[128];
    snprintf(command, sizeof command, ways[how], owner);
    ck_assert_msg(shell("%s", command), "%s", command);
}

static void heal_network(void)
{
    ck_assert(shell("ip netns exec swgf%d nft flush chain inet f in; ip link set swgf%da up", owner,
                    owner));
}

static uint64_t permitted_then[HOSTS_MAX];

static bool calls_go_on(void)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.permitted < permitted_then[i] + 50)
            return false;
    }
    return true;
}

/* Nobody refuses, nothing is reset: packets are just gone. */
static void partition(void)
{
    static char url[64];
    const bool able = geteuid() == 0 && shell("command -v ip nft redis-server");
    if (!able || !make_namespace()) {
        printf("partition: skipped: it needs root, ip, nft and network namespaces\n");
        fflush(stdout);
        return;
    }
    start_redis_inside();
    const pid_t redis = s.redis_pid[0];
    snprintf(url, sizeof url, "redis://10.203.%d.2", net);
    stage_begin("partition", &(stage_config){.url = url});
    s.redis_pid[0] = redis;
    traffic(4000);
    for (int how = 0; how < 2; how++) {
        break_network(how);
        UNTIL(all_local);
        EACH_HOST(i)
        {
            permitted_then[i] = s.hosts[i].report.permitted;
        }
        UNTIL(calls_go_on);
        heal_network();
        UNTIL(all_well);
    }
    trip();
    stage_end();
    partition_clean();
}

const fault_row partition_rows[] = {
    {"partition", "partition", partition},
    {0},
};
