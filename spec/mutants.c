#include "mutants.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

char *mutants_read(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    if (!file)
        die(path, strerror(errno));
    if (getdelim(&text, &size, EOF, file) < 0)
        die(path, "is empty");
    fclose(file);
    return text;
}

static char *replace_once(char *text, const char *from, const char *to, const char *name)
{
    char *at = strstr(text, from), *out;
    size_t size = strlen(text) + strlen(to) + 1;

    if (!at || strstr(at + 1, from))
        die(name, "its text is not there exactly once");
    out = malloc(size);
    if (!out)
        die(name, strerror(ENOMEM));
    snprintf(out, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    free(text);
    return out;
}

/* A hunk in Lua is a line `name lua/...`, a line `- ` and a line `+ `. */
char *mutants_script(const char *file, const char *name, const char *script)
{
    char *text = mutants_read(file), *out = strdup(script), *save = NULL;
    const char *from = NULL;
    bool ours = false, any = false;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        size_t length = strlen(name);

        if (line[0] == '-') {
            from = line + 2;
        } else if (line[0] != '+') {
            ours = strncmp(line, name, length) == 0 && strncmp(line + length, " lua/", 5) == 0;
        } else if (ours) {
            out = replace_once(out, from, line + 2, name);
            any = true;
        }
    }
    free(text);
    if (!any)
        die(name, "has no hunk in Lua");
    return out;
}
