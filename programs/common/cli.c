#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { CLI_HELP_WANTED = -1 };

static const cli_command *leaf(const cli_args *args)
{
    return args->path[args->depth - 1];
}

static void print_path(FILE *file, const cli_args *args)
{
    for (int i = 0; i < args->depth; i++)
        fprintf(file, "%s%s", i ? " " : "", args->path[i]->name);
}

static int usage_end(const cli_args *args)
{
    fputs("Try: ", stderr);
    print_path(stderr, args);
    fputs(" --help\n", stderr);
    return CLI_USAGE;
}

int cli_usage(const cli_args *args, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    print_path(stderr, args);
    fputs(": ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    return usage_end(args);
}

static int usage_unknown(const cli_args *args, const char *what, const char *word,
                         const char *prefix, const char *const *candidates)
{
    const char *near = cli_nearest(word, candidates);
    if (near)
        return cli_usage(args, "unknown %s '%s%s'. Did you mean '%s%s'?", what, prefix, word,
                         prefix, near);
    return cli_usage(args, "unknown %s '%s%s'", what, prefix, word);
}

/* `what` is an option with its dashes, or "argument". */
static int usage_choice(const cli_args *args, const char *what, const char *word,
                        const char *const *choices)
{
    const char *near = cli_nearest(word, choices);
    if (near)
        return cli_usage(args, "%s '%s' is unknown. Did you mean '%s'?", what, word, near);
    char list[256] = "";
    for (size_t used = 0; *choices && used < sizeof list; choices++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", *choices);
    return cli_usage(args, "%s '%s' is unknown; it is one of: %s", what, word, list);
}

/* ---- values ------------------------------------------------------------------------------- */

static bool parse_whole(const char *text, int64_t *value, const char **end)
{
    char *stop;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *value = strtoll(text, &stop, 10);
    *end = stop;
    return errno == 0;
}

bool cli_parse_duration(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}};
    int64_t value;
    const char *end;
    if (!parse_whole(text, &value, &end))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].unit) == 0)
            return !__builtin_mul_overflow(value, units[i].ms, ms);
    }
    return false;
}

static bool parse_percent(const char *text, int64_t *value)
{
    const char *end;
    return parse_whole(text, value, &end) && (*end == '\0' || strcmp(end, "%") == 0);
}

static bool parse_count(const char *text, int64_t *value)
{
    const char *end;
    return parse_whole(text, value, &end) && *end == '\0';
}

static bool is_choice(const char *word, const char *const *choices)
{
    for (; *choices; choices++)
        if (strcmp(word, *choices) == 0)
            return true;
    return false;
}

const char *cli_show_duration(char text[CLI_DURATION_MAX], int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t unit = ms == 0 ? 3 : 0;
    while (ms % units[unit].ms != 0)
        unit++;
    snprintf(text, CLI_DURATION_MAX, "%lld%s", (long long)(ms / units[unit].ms), units[unit].name);
    return text;
}

/* As one would type it. */
static void show_limit(char to[CLI_DURATION_MAX], const cli_option *o, int64_t value)
{
    if (o->kind == CLI_DURATION)
        cli_show_duration(to, value);
    else
        snprintf(to, CLI_DURATION_MAX, "%lld%s", (long long)value,
                 o->kind == CLI_PERCENT ? "%" : "");
}

static int check_number(const cli_args *args, const cli_given *given, bool parsed, const char *kind)
{
    const cli_option *o = given->option;
    char min[CLI_DURATION_MAX], max[CLI_DURATION_MAX];
    if (!parsed)
        return cli_usage(args, "--%s wants %s, not '%s'", o->name, kind, given->text);
    show_limit(min, o, o->min);
    show_limit(max, o, o->max);
    if (given->number < o->min || given->number > o->max)
        return cli_usage(args, "--%s is %s to %s, not '%s'", o->name, min, max, given->text);
    return CLI_FINE;
}

static int parse_value(const cli_args *args, cli_given *given)
{
    char what[64];
    switch (given->option->kind) {
    case CLI_COUNT:
        return check_number(args, given, parse_count(given->text, &given->number),
                            "a whole number");
    case CLI_PERCENT:
        return check_number(args, given, parse_percent(given->text, &given->number),
                            "a percentage such as 80%");
    case CLI_DURATION:
        return check_number(args, given, cli_parse_duration(given->text, &given->number),
                            "a time with its unit, such as 250ms, 5s or 1h");
    case CLI_CHOICE:
        snprintf(what, sizeof what, "--%s", given->option->name);
        if (!is_choice(given->text, given->option->choices))
            return usage_choice(args, what, given->text, given->option->choices);
        return CLI_FINE;
    default:
        return CLI_FINE;
    }
}

/* ---- words -------------------------------------------------------------------------------- */

static const cli_option *find_in(const cli_option *options, const char *name, size_t length)
{
    for (; options && options->name; options++)
        if (strlen(options->name) == length && strncmp(options->name, name, length) == 0)
            return options;
    return NULL;
}

/* A command understands its own options and those of the whole program. */
static const cli_option *find_option(const cli_args *args, const char *name, size_t length)
{
    const cli_option *own = find_in(leaf(args)->options, name, length);
    return own ? own : find_in(args->path[0]->options, name, length);
}

static int list_options(const char **candidates, int count, const cli_option *options)
{
    for (; options && options->name && count < CLI_GIVEN_MAX; options++)
        candidates[count++] = options->name;
    return count;
}

static int unknown_option(const cli_args *args, const char *name, size_t length)
{
    const char *candidates[CLI_GIVEN_MAX + 1] = {"help"};
    char word[64];
    int count = list_options(candidates, 1, leaf(args)->options);
    if (args->depth > 1)
        list_options(candidates, count, args->path[0]->options);
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    return usage_unknown(args, "option", word, "--", candidates);
}

static int take_option(cli_args *args, char **argv, int *at)
{
    const char *name = argv[*at] + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] ? name + length + 1 : NULL;
    if (length == 4 && strncmp(name, "help", 4) == 0)
        return CLI_HELP_WANTED;
    const cli_option *option = find_option(args, name, length);
    if (!option)
        return unknown_option(args, name, length);
    if (args->given_count == CLI_GIVEN_MAX)
        return cli_usage(args, "too many options");
    if (option->kind == CLI_FLAG && value)
        return cli_usage(args, "--%s takes no value", option->name);
    if (option->kind != CLI_FLAG && !value && !(value = argv[++*at]))
        return cli_usage(args, "--%s wants a value: --%s %s", option->name, option->name,
                         option->argument);
    cli_given *given = &args->given[args->given_count++];
    *given = (cli_given){.option = option, .text = value ? value : ""};
    return parse_value(args, given);
}

static const cli_command *find_command(const cli_command *commands, const char *name)
{
    for (; commands && commands->name; commands++)
        if (strcmp(commands->name, name) == 0)
            return commands;
    return NULL;
}

static int unknown_command(const cli_args *args, const char *word)
{
    const char *candidates[CLI_WORDS_MAX + 1] = {0};
    int count = 0;
    for (const cli_command *c = leaf(args)->commands; c->name && count < CLI_WORDS_MAX; c++)
        candidates[count++] = c->name;
    return usage_unknown(args, args->depth == 1 ? "command" : "sub-command", word, "", candidates);
}

/* Options of the command above have been given already: does the one below know them too? */
static int descend(cli_args *args, const cli_command *sub)
{
    args->path[args->depth++] = sub;
    for (int i = 0; i < args->given_count; i++) {
        const char *name = args->given[i].option->name;
        if (!find_option(args, name, strlen(name)))
            return cli_usage(args, "has no option --%s", name);
    }
    return CLI_FINE;
}

static int take_word(cli_args *args, const char *word)
{
    const cli_command *command = leaf(args);
    if (command->commands && args->word_count == 0) {
        const cli_command *sub = find_command(command->commands, word);
        return sub ? descend(args, sub) : unknown_command(args, word);
    }
    if (args->word_count >= command->arguments_max)
        return cli_usage(args, "does not know what to do with '%s'", word);
    if (command->choices && args->word_count == 0 && !is_choice(word, command->choices))
        return usage_choice(args, "argument", word, command->choices);
    args->words[args->word_count++] = word;
    return CLI_FINE;
}

static int take(cli_args *args, char **argv, int *at, bool *only_words)
{
    const char *word = argv[*at];
    if (*only_words || word[0] != '-' || word[1] == '\0')
        return take_word(args, word);
    if (strcmp(word, "--") == 0)
        return *only_words = true, CLI_FINE;
    if (strcmp(word, "-h") == 0)
        return CLI_HELP_WANTED;
    if (strcmp(word, "--version") == 0 && find_command(leaf(args)->commands, "version"))
        return take_word(args, "version");
    if (strncmp(word, "--", 2) == 0)
        return take_option(args, argv, at);
    return cli_usage(args, "unknown option '%s'; options begin with two dashes", word);
}

static int run(const cli_args *args)
{
    const cli_command *command = leaf(args);
    if (!command->run) {
        cli_help(stderr, args);
        return CLI_USAGE;
    }
    if (args->word_count < command->arguments_min)
        return cli_usage(args, "wants %s", command->arguments);
    return command->run(args);
}

int cli_main(const cli_command *program, int argc, char **argv)
{
    cli_args args = {.path = {program}, .depth = 1};
    bool only_words = false;
    for (int at = 1; at < argc; at++) {
        int result = take(&args, argv, &at, &only_words);
        if (result == CLI_HELP_WANTED) {
            cli_help(stdout, &args);
            return fflush(stdout) == 0 ? CLI_FINE : CLI_FAILED;
        }
        if (result != CLI_FINE)
            return result;
    }
    return run(&args);
}

/* ---- reading what was given ---------------------------------------------------------------- */

static const cli_given *last_given(const cli_args *args, const char *name)
{
    for (int i = args->given_count; i-- > 0;)
        if (strcmp(args->given[i].option->name, name) == 0)
            return &args->given[i];
    return NULL;
}

bool cli_flag(const cli_args *args, const char *name)
{
    return last_given(args, name) != NULL;
}

const char *cli_text(const cli_args *args, const char *name, const char *fallback)
{
    const cli_given *given = last_given(args, name);
    return given ? given->text : fallback;
}

int64_t cli_number(const cli_args *args, const char *name, int64_t fallback)
{
    const cli_given *given = last_given(args, name);
    return given ? given->number : fallback;
}

const char *cli_next(const cli_args *args, const char *name, int *at)
{
    while (*at < args->given_count) {
        const cli_given *given = &args->given[(*at)++];
        if (strcmp(given->option->name, name) == 0)
            return given->text;
    }
    return NULL;
}
