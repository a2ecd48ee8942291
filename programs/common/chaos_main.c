/* swg_chaos: the proxy as a program. */
#include "chaos.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

enum { FINE, FAILED, USAGE };

static const char help[] =
    "usage: swg_chaos --route NAME=ADDRESS>ADDRESS ... [--control PATH] [--record FILE] [--seed "
    "N]\n"
    "       swg_chaos --control PATH --ask COMMAND\n"
    "Carries bytes from each first ADDRESS to the second, with faults that are switched by "
    "commands\n"
    "on the control socket. An ADDRESS is unix:/PATH or tcp:HOST:PORT. Commands:\n"
    "  routes, route NAME heal, latency T [JITTER [D]], stall [D], cut, half-open [D], mute, "
    "bytes,\n"
    "  truncate N, duplicate [T], drop request|reply, to ADDRESS, status; D: up, down or both\n"
    "example: swg_chaos --route 'A=tcp:127.0.0.1:7001>tcp:127.0.0.1:6379' --control "
    "/tmp/chaos.sock\n";

static int usage(const char *what, const char *which)
{
    fprintf(stderr, "swg_chaos: %s%s\n%s", what, which, help);
    return USAGE;
}

static int stopped_by(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static int ask(const char *control, const char *command)
{
    char answer[CHAOS_LINE_MAX];
    const bool fine = chaos_ask(control, command, answer, 5000);
    fprintf(fine ? stdout : stderr, "%s\n", answer);
    return fine ? FINE : FAILED;
}

typedef struct options {
    chaos_config config;
    char **specs;
    int count;
    const char *ask;
} options;

static bool open_routes(chaos *c, const options *o, char *answer)
{
    for (int i = 0; i < o->count; i++)
        if (!chaos_add_route(c, o->specs[i], answer))
            return false;
    for (int i = 0; i < o->count; i++) {
        char line[CHAOS_LINE_MAX];
        snprintf(line, sizeof line, "route %.*s status", (int)strcspn(o->specs[i], "="),
                 o->specs[i]);
        chaos_command(c, line, answer);
        printf("%s\n", answer + strlen("ok "));
    }
    return fflush(stdout) == 0;
}

static int serve(const options *o)
{
    char answer[CHAOS_LINE_MAX];
    const int stop = stopped_by();
    chaos *c = chaos_open(&o->config, answer);
    bool fine = c && open_routes(c, o, answer);
    if (!fine)
        fprintf(stderr, "swg_chaos: %s\n", answer + strlen("error: "));
    fine = fine && chaos_run(c, stop);
    if (c)
        chaos_close(&c);
    return fine ? FINE : FAILED;
}

static bool take_option(options *o, const char *name, char *value)
{
    if (strcmp(name, "--route") == 0)
        o->specs[o->count++] = value;
    else if (strcmp(name, "--control") == 0)
        o->config.control = value;
    else if (strcmp(name, "--record") == 0)
        o->config.record = value;
    else if (strcmp(name, "--seed") == 0)
        o->config.seed = strtoull(value, NULL, 10);
    else if (strcmp(name, "--ask") == 0)
        o->ask = value;
    else
        return false;
    return true;
}

static int run(options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0)
            return fputs(help, stdout) >= 0 ? FINE : FAILED;
        if (i + 1 == argc)
            return usage("a value is missing after ", argv[i]);
        if (!take_option(o, argv[i], argv[i + 1]))
            return usage("no such option: ", argv[i]);
    }
    if (o->ask)
        return o->config.control ? ask(o->config.control, o->ask)
                                 : usage("--ask needs --control", "");
    return o->count > 0 ? serve(o) : usage("there is no --route", "");
}

int main(int argc, char **argv)
{
    options o = {.config.seed = 1, .specs = calloc((size_t)argc + 1, sizeof(char *))};
    const int result = o.specs ? run(&o, argc, argv) : FAILED;
    free(o.specs);
    return result;
}
