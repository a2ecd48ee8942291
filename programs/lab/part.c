#include "part.h"

#include "../common/child.h"
#include "../common/port.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

static void ending_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

void part_begin(part *p, const char *name, const cli_args *args)
{
    sigset_t set;
    ending_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    *p = (part){
        .json = cli_flag(args, "json"), .supervised = cli_flag(args, "supervised"), .name = name};
    out_open(&p->out, stdout, cli_text(args, "color", NULL));
}

bool part_wait(int64_t ms)
{
    sigset_t set;
    ending_signals(&set);
    struct timespec timeout = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    return sigtimedwait(&set, NULL, &timeout) < 0;
}

void part_json(const part *p, json_t *object)
{
    if (object && json_dumpf(object, p->out.file, JSON_COMPACT) == 0) {
        fputc('\n', p->out.file);
        fflush(p->out.file);
    }
    json_decref(object);
}

int part_port_busy(const part *p, uint16_t port)
{
    char holder[128];
    if (errno == EADDRINUSE)
        fprintf(stderr, "%s: port %u is taken by %s; choose another with --port\n", p->name, port,
                port_holder(holder, sizeof holder, port));
    else
        fprintf(stderr, "%s: cannot listen on port %u: %s\n", p->name, port, strerror(errno));
    return CLI_FAILED;
}

const char *part_clock(char text[16])
{
    struct tm tm;
    time_t now = time(NULL);
    localtime_r(&now, &tm);
    strftime(text, 16, "%H:%M:%S", &tm);
    return text;
}

void part_end_with_stdin(void)
{
    child_die_with_parent();
}
