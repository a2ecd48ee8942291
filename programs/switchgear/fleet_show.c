/* What the commands of `switchgear fleet` say: times, states, JSON, and the command to type next.
 */
#include "fleet.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- values -------------------------------------------------------------------------------- */

const char *fleet_time(char text[FLEET_TIME_MAX], int64_t wall_ms)
{
    struct tm tm;
    const time_t seconds = (time_t)(wall_ms / 1000);
    if (wall_ms <= 0 || !gmtime_r(&seconds, &tm))
        return strcpy(text, "-");
    const size_t used = strftime(text, FLEET_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + used, FLEET_TIME_MAX - used, ".%03dZ", (int)(wall_ms % 1000));
    return text;
}

json_t *fleet_time_json(int64_t wall_ms)
{
    char text[FLEET_TIME_MAX];
    return wall_ms > 0 ? json_string(fleet_time(text, wall_ms)) : json_null();
}

const char *fleet_span(char text[FLEET_SPAN_MAX], int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t used = 0;
    strcpy(text, "0s");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (ms >= units[i].ms)
            used += (size_t)snprintf(text + used, FLEET_SPAN_MAX - used, "%lld%s",
                                     (long long)(ms / units[i].ms), units[i].name);
        ms %= units[i].ms;
    }
    return text;
}

static const struct {
    const char *sign, *word;
    out_style style;
} looks[] = {{"●", "CLOSED", OUT_GOOD},
             {"■", "OPEN", OUT_BAD},
             {"▲", "HALF-OPEN", OUT_WAIT},
             {"◆", "FORCED", OUT_FORCED},
             {"·", "DISABLED", OUT_FORCED}};

const char *fleet_state_sign(uint32_t state)
{
    return state < sizeof looks / sizeof *looks ? looks[state].sign : "?";
}

const char *fleet_state_word(uint32_t state)
{
    return state < sizeof looks / sizeof *looks ? looks[state].word : "?";
}

out_style fleet_state_style(uint32_t state)
{
    return state < sizeof looks / sizeof *looks ? looks[state].style : OUT_PLAIN;
}

json_t *fleet_text_json(const char *text)
{
    json_t *whole = json_string(text);
    char *copy = whole ? NULL : strdup(text);
    for (char *c = copy; c && *c; c++)
        *c = (unsigned char)*c < 0x80 ? *c : '?';
    if (copy)
        whole = json_string(copy);
    free(copy);
    return whole;
}

void fleet_print_json(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(object);
}

/* ---- the command to type next -------------------------------------------------------------- */

/* In quotes for a shell, where it needs them. */
static void quote(FILE *to, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "@%+=:,./_-";
    if (*text && text[strspn(text, plain)] == '\0') {
        fputs(text, to);
        return;
    }
    fputc('\'', to);
    for (; *text; text++)
        fputs(*text == '\'' ? "'\\''" : (char[]){*text, '\0'}, to);
    fputc('\'', to);
}

static void say(FILE *to, const char *option, const char *value)
{
    fprintf(to, " --%s ", option);
    quote(to, value);
}

/* Files by their whole path: it may be pasted elsewhere. */
static void say_where(FILE *to, const cli_args *args)
{
    static const struct {
        const char *name;
        bool file;
    } where[] = {{"space", false}, {"shards", false}, {"timeout", false},      {"ca", true},
                 {"cert", true},   {"key", true},     {"sentinel-user", false}};
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        const char *given = cli_text(args, where[i].name, NULL);
        char *path = given && where[i].file ? realpath(given, NULL) : NULL;
        if (given)
            say(to, where[i].name, path ? path : given);
        free(path);
    }
}

char *fleet_command_line(const fleet *f, const fleet_next *next)
{
    char *line = NULL, span[CLI_DURATION_MAX];
    size_t size;
    FILE *to = open_memstream(&line, &size);
    if (!to)
        return NULL;
    const bool dash = next->circuit && next->circuit[0] == '-';
    fprintf(to, "switchgear fleet %s ", next->verb);
    quote(to, f->url);
    if (next->circuit && !dash) {
        fputc(' ', to);
        quote(to, next->circuit);
    }
    say_where(to, f->args);
    if (next->for_ms > 0)
        say(to, "for", cli_show_duration(span, next->for_ms));
    if (next->reason)
        say(to, "reason", next->reason);
    if (dash) {
        fputs(" -- ", to);
        quote(to, next->circuit);
    }
    if (fclose(to) == 0)
        return line;
    free(line);
    return NULL;
}

void fleet_say_next(FILE *file, const fleet *f, const char *words, const fleet_next *next)
{
    char *line = fleet_command_line(f, next);
    if (line)
        fprintf(file, "%s: %s\n", words, line);
    if (line && f->url_has_password)
        fputs("  (with its password in the environment: SWITCHGEAR_REDIS_PASSWORD)\n", file);
    free(line);
}
