/* The switchgear program: its command table, from which everything else follows. */
#include "../common/cli.h"
#include "../common/output.h"
#include "../lab/parts.h"
#include "fleet.h"

#include <fcntl.h>
#include <stddef.h>
#include <switchgear/types.h>
#include <unistd.h>

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static int run_version(const cli_args *args)
{
    uint32_t version = swg_version();
    (void)args;
    printf("switchgear %u.%u.%u\n", version >> 16, version >> 8 & 0xff, version & 0xff);
    return CLI_FINE;
}

static int run_completion(const cli_args *args)
{
    return cli_completion(stdout, args->path[0], args->words[0]);
}

static const cli_option options[] = {
    {"color", CLI_CHOICE, "WHEN", "auto, always or never (auto)", 0, 0, out_color_choices},
    {NULL, CLI_FLAG, NULL, NULL, 0, 0, NULL},
};

/* A socket must not become what stdout was: what is printed would go to the server. */
static bool hold_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (!hold_standard_files())
        return CLI_FAILED;
    const cli_command commands[] = {
        lab_command,
        fleet_command,
        {
            .name = "completion",
            .summary = "Print the completion script of a shell.",
            .example = "eval \"$(switchgear completion bash)\"",
            .arguments = "bash|zsh|fish",
            .choices = shells,
            .arguments_min = 1,
            .arguments_max = 1,
            .run = run_completion,
        },
        {.name = "version", .summary = "Print the version.", .run = run_version},
        {.name = NULL},
    };
    const cli_command program = {
        .name = "switchgear",
        .summary = "Circuit breakers that threads, processes and hosts share.",
        .example = "switchgear lab",
        .options = options,
        .commands = commands,
    };
    return cli_main(&program, argc, argv);
}
