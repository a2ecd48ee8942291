/* --help, from the same table that parses. */
#include "cli.h"

#include <string.h>

enum { COLUMN = 22, WIDTH = 79 };

/* Words from column `indent` on, broken before WIDTH. */
static void print_wrapped(FILE *file, const char *text, int indent)
{
    int column = indent;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > WIDTH) {
            fprintf(file, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', file);
            column++;
        }
        fwrite(text, 1, (size_t)length, file);
        column += length;
        text += length;
        text += *text == ' ';
    }
    fputc('\n', file);
}

static void print_entry(FILE *file, const char *head, const char *text)
{
    int column = fprintf(file, "  %s", head);
    if (column >= COLUMN) {
        fputc('\n', file);
        column = 0;
    }
    fprintf(file, "%*s", COLUMN - column, "");
    print_wrapped(file, text, COLUMN);
}

static void print_option(FILE *file, const cli_option *option)
{
    char head[64];
    snprintf(head, sizeof head, "--%s%s%s", option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    print_entry(file, head, option->help);
}

static void print_synopsis(FILE *file, const cli_args *args)
{
    const cli_command *command = args->path[args->depth - 1];
    fputs("Usage:", file);
    for (int i = 0; i < args->depth; i++)
        fprintf(file, " %s", args->path[i]->name);
    if (command->commands)
        fputs(command->run ? " [COMMAND]" : " COMMAND", file);
    if (command->arguments)
        fprintf(file, command->arguments_min ? " %s" : " [%s]", command->arguments);
    fputs(" [OPTION]...\n", file);
}

static void print_commands(FILE *file, const cli_command *commands)
{
    fputs("\nCommands:\n", file);
    for (; commands->name; commands++)
        print_entry(file, commands->name, commands->summary);
}

static void print_options(FILE *file, const cli_args *args)
{
    fputs("\nOptions:\n", file);
    for (const cli_option *o = args->path[args->depth - 1]->options; o && o->name; o++)
        print_option(file, o);
    for (const cli_option *o = args->path[0]->options; args->depth > 1 && o && o->name; o++)
        print_option(file, o);
    print_entry(file, "--help", "this text");
}

static bool has_exits(const cli_command *command)
{
    for (int code = 0; code < CLI_EXIT_COUNT; code++)
        if (command->exits[code])
            return true;
    return false;
}

static void print_exits(FILE *file, const cli_command *command)
{
    char head[8];
    fputs("\nExit codes:\n", file);
    for (int code = 0; code < CLI_EXIT_COUNT; code++) {
        snprintf(head, sizeof head, "%d", code);
        if (command->exits[code])
            print_entry(file, head, command->exits[code]);
    }
}

void cli_help(FILE *file, const cli_args *args)
{
    const cli_command *command = args->path[args->depth - 1];
    print_synopsis(file, args);
    fputc('\n', file);
    print_wrapped(file, command->summary, 0);
    if (command->details) {
        fputc('\n', file);
        print_wrapped(file, command->details, 0);
    }
    if (command->commands)
        print_commands(file, command->commands);
    print_options(file, args);
    if (has_exits(command))
        print_exits(file, command);
    if (command->example)
        fprintf(file, "\nExample:\n  %s\n", command->example);
}
