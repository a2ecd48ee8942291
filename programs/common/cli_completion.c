/* Completion scripts for bash, zsh and fish. Each is a table of "command path -> words that may
 * follow", written out as a case statement, and a few lines that find the path typed so far. */
#include "cli.h"

#include <string.h>

typedef void (*emit_words)(FILE *file, const char *path, const char *words);

enum { PATH_MAX_BYTES = 128, WORDS_MAX_BYTES = 2048 };

static void append(char *words, const char *prefix, const char *word)
{
    size_t used = strlen(words);
    snprintf(words + used, WORDS_MAX_BYTES - used, "%s%s%s", used ? " " : "", prefix, word);
}

static void list_words(char *words, const cli_command *command)
{
    for (const cli_command *c = command->commands; c && c->name; c++)
        append(words, "", c->name);
    for (const char *const *c = command->choices; c && *c; c++)
        append(words, "", *c);
    for (const cli_option *o = command->options; o && o->name; o++)
        append(words, "--", o->name);
    append(words, "--", "help");
}

static void walk(FILE *file, const cli_command *command, const char *path, emit_words emit)
{
    char words[WORDS_MAX_BYTES] = "";
    list_words(words, command);
    emit(file, path, words);
    for (const cli_command *c = command->commands; c && c->name; c++) {
        char below[PATH_MAX_BYTES];
        snprintf(below, sizeof below, "%s%s%s", path, *path ? " " : "", c->name);
        walk(file, c, below, emit);
    }
}

static void list_paths(char *paths, const cli_command *command, const char *path)
{
    for (const cli_command *c = command->commands; c && c->name; c++) {
        char below[PATH_MAX_BYTES];
        snprintf(below, sizeof below, "%s%s%s", path, *path ? " " : "", c->name);
        size_t used = strlen(paths);
        snprintf(paths + used, WORDS_MAX_BYTES - used, "%s'%s'", used ? "|" : "", below);
        list_paths(paths, c, below);
    }
}

static void emit_sh(FILE *file, const char *path, const char *words)
{
    fprintf(file, "    '%s') follows='%s' ;;\n", path, words);
}

static void emit_fish(FILE *file, const char *path, const char *words)
{
    fprintf(file, "        case '%s'\n            string split ' ' -- '%s'\n", path, words);
}

static void print_bash(FILE *file, const cli_command *program, const char *paths)
{
    const char *name = program->name;
    fprintf(file,
            "# %s completion for bash: eval \"$(%s completion bash)\"\n"
            "_%s() {\n"
            "    local path='' word follows=''\n"
            "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
            "        case \"${path:+$path }$word\" in\n"
            "        %s) path=\"${path:+$path }$word\" ;;\n"
            "        esac\n"
            "    done\n"
            "    case \"$path\" in\n",
            name, name, name, paths);
    walk(file, program, "", emit_sh);
    fprintf(
        file,
        "    esac\n"
        "    mapfile -t COMPREPLY < <(compgen -W \"$follows\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
        "}\n"
        "complete -o default -F _%s %s\n",
        name, name);
}

static void print_zsh(FILE *file, const cli_command *program, const char *paths)
{
    const char *name = program->name;
    fprintf(file,
            "#compdef %s\n"
            "_%s() {\n"
            "    local path_so_far='' word follows=''\n"
            "    for word in \"${(@)words_typed}\"; do\n"
            "        case \"${path_so_far:+$path_so_far }$word\" in\n"
            "        %s) path_so_far=\"${path_so_far:+$path_so_far }$word\" ;;\n"
            "        esac\n"
            "    done\n"
            "    case \"$path_so_far\" in\n",
            name, name, paths);
    walk(file, program, "", emit_sh);
    fprintf(file,
            "    esac\n"
            "    compadd -- ${=follows}\n"
            "}\n"
            "_%s_entry() { local -a words_typed=(\"${(@)words[2,CURRENT-1]}\"); _%s; }\n"
            "compdef _%s_entry %s\n",
            name, name, name, name);
}

/* fish spells the alternatives of a case with spaces. */
static void print_fish_paths(FILE *file, const char *paths)
{
    for (; *paths; paths++)
        fputc(*paths == '|' ? ' ' : *paths, file);
}

static void print_fish(FILE *file, const cli_command *program, const char *paths)
{
    const char *name = program->name;
    fprintf(file,
            "# %s completion for fish: %s completion fish | source\n"
            "function __%s_words\n"
            "    set -l path ''\n"
            "    for word in (commandline -opc)[2..-1]\n"
            "        set -l longer (string trim -- \"$path $word\")\n"
            "        switch $longer\n"
            "            case ",
            name, name, name);
    print_fish_paths(file, paths);
    fputs("\n                set path $longer\n        end\n    end\n    switch \"$path\"\n", file);
    walk(file, program, "", emit_fish);
    fprintf(file, "    end\nend\ncomplete -c %s -f -a '(__%s_words)'\n", name, name);
}

int cli_completion(FILE *file, const cli_command *program, const char *shell)
{
    char paths[WORDS_MAX_BYTES] = "";
    list_paths(paths, program, "");
    if (strcmp(shell, "bash") == 0)
        print_bash(file, program, paths);
    else if (strcmp(shell, "zsh") == 0)
        print_zsh(file, program, paths);
    else if (strcmp(shell, "fish") == 0)
        print_fish(file, program, paths);
    else
        return CLI_USAGE;
    return fflush(file) == 0 ? CLI_FINE : CLI_FAILED;
}
