/* One table describes a program's commands; parsing, help, suggestions and shell completion are all
 * read from it, so they cannot disagree. */
#ifndef SWG_PROGRAMS_CLI_H
#define SWG_PROGRAMS_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes of every switchgear program. */
typedef enum cli_exit {
    CLI_FINE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_FALSE = 3,  /* a condition that was asked for does not hold */
    CLI_NOBODY = 4, /* nothing to talk to */
    CLI_NO_CIRCUIT = 5,
    CLI_FORBIDDEN = 6
} cli_exit;
#define CLI_EXIT_COUNT 7

typedef enum cli_kind {
    CLI_FLAG,
    CLI_TEXT,
    CLI_COUNT,    /* a whole number in min..max */
    CLI_PERCENT,  /* the same; a % may follow */
    CLI_DURATION, /* 250ms, 5s, 2m, 1h; min..max and the value are milliseconds */
    CLI_CHOICE    /* one of `choices` */
} cli_kind;

typedef struct cli_option {
    const char *name; /* without the dashes; a table ends with a NULL name */
    cli_kind kind;
    const char *argument; /* how help shows the value; NULL for a flag */
    const char *help;
    int64_t min, max;
    const char *const *choices; /* ends with NULL */
} cli_option;

typedef struct cli_args cli_args;

typedef struct cli_command {
    const char *name; /* a table ends with a NULL name */
    const char *summary;
    const char *details;        /* a paragraph for --help; may be NULL */
    const char *example;        /* one line for --help */
    const char *arguments;      /* how help shows the words it takes; NULL: takes none */
    const char *const *choices; /* what the first word must be; NULL: anything */
    int arguments_min, arguments_max;
    const char *exits[CLI_EXIT_COUNT]; /* what the codes mean, for --help; NULL: never */
    const cli_option *options;
    const struct cli_command *commands;
    int (*run)(const cli_args *args); /* may be NULL if there are sub-commands */
} cli_command;

enum { CLI_DEPTH_MAX = 6, CLI_GIVEN_MAX = 64, CLI_WORDS_MAX = 64 };

typedef struct cli_given {
    const cli_option *option;
    const char *text;
    int64_t number;
} cli_given;

struct cli_args {
    const cli_command *path[CLI_DEPTH_MAX]; /* from the program to the command */
    int depth;
    cli_given given[CLI_GIVEN_MAX];
    int given_count;
    const char *words[CLI_WORDS_MAX];
    int word_count;
};

/* Parses and runs: the whole of a main(). Mistakes are explained on stderr, with the nearest thing
 * that would have been right; returns the process's exit code. */
int cli_main(const cli_command *program, int argc, char **argv);

/* The last value given for an option, or the fallback. */
bool cli_flag(const cli_args *args, const char *name);
const char *cli_text(const cli_args *args, const char *name, const char *fallback);
int64_t cli_number(const cli_args *args, const char *name, int64_t fallback);

/* Every value of an option that may be repeated: start with *at = 0; NULL ends. */
const char *cli_next(const cli_args *args, const char *name, int *at);

/* Says what is wrong on stderr, points at --help and returns CLI_USAGE. */
int cli_usage(const cli_args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The word nearest to `word` in a list that ends with NULL; NULL if none is near. */
const char *cli_nearest(const char *word, const char *const *candidates);

/* Reads a duration as the table's kinds do; false if it is none. And writes one so that it is read
 * as the same again: in the largest unit that divides it. */
bool cli_parse_duration(const char *text, int64_t *ms);
enum { CLI_DURATION_MAX = 32 };
const char *cli_show_duration(char text[CLI_DURATION_MAX], int64_t ms);

void cli_help(FILE *file, const cli_args *args);
int cli_completion(FILE *file, const cli_command *program, const char *shell);

#endif
