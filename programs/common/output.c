#include "output.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const out_color_choices[] = {"auto", "always", "never", NULL};

static const struct {
    const char *utf8, *ascii;
} signs[] = {
    {"●", "o"},  {"■", "X"}, {"▲", "~"},  {"◆", "!"},   {"✱", "*"}, {"✗", "x"},
    {"→", "->"}, {"·", "-"}, {"≥", ">="}, {"…", "..."}, {"—", "-"}, {"─", "-"},
};

static bool wants_color(const out *o, const char *color)
{
    if (color && strcmp(color, "auto") != 0)
        return strcmp(color, "always") == 0;
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return o->tty && !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0;
}

void out_open(out *o, FILE *file, const char *color)
{
    setlocale(LC_CTYPE, "");
    *o = (out){.file = file, .tty = isatty(fileno(file))};
    o->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    o->color = wants_color(o, color);
}

static size_t sign_at(const char *text, const char **ascii)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        size_t length = strlen(signs[i].utf8);
        if (strncmp(text, signs[i].utf8, length) == 0) {
            *ascii = signs[i].ascii;
            return length;
        }
    }
    return 0;
}

void out_to_ascii(char *ascii, size_t size, const char *utf8)
{
    size_t used = 0;
    while (*utf8 && used + 4 < size) {
        const char *sign;
        size_t length = sign_at(utf8, &sign);
        if (length == 0) {
            ascii[used++] = *utf8++;
            continue;
        }
        used += (size_t)snprintf(ascii + used, size - used, "%s", sign);
        utf8 += length;
    }
    ascii[used] = '\0';
}

static void put(out *o, const char *text)
{
    char ascii[OUT_LINE_MAX];
    if (!o->utf8) {
        out_to_ascii(ascii, sizeof ascii, text);
        text = ascii;
    }
    fputs(text, o->file);
}

static void clear_status(out *o)
{
    if (o->status_shown)
        fputs("\r\033[K", o->file);
    o->status_shown = false;
}

void out_line(out *o, const char *format, ...)
{
    char line[OUT_LINE_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    clear_status(o);
    put(o, line);
    fputc('\n', o->file);
    fflush(o->file);
}

void out_status(out *o, const char *text)
{
    const char *term = getenv("TERM");
    if (!o->tty || !term || strcmp(term, "dumb") == 0)
        return;
    clear_status(o);
    if (text) {
        /* not wrapped: of two rows only the last could be taken away again */
        fputs("\033[?7l", o->file);
        put(o, text);
        fputs("\033[?7h", o->file);
        o->status_shown = true;
    }
    fflush(o->file);
}

const char *out_paint(const out *o, out_style style)
{
    static const char *const escapes[] = {"\033[0m",  "\033[2m",  "\033[1m", "\033[32m",
                                          "\033[31m", "\033[33m", "\033[35m"};
    return o->color ? escapes[style] : "";
}

const char *out_state_sign(swg_state state, swg_override override)
{
    if (override != SWG_OVERRIDE_NONE)
        return "◆";
    return state == SWG_CLOSED ? "●" : state == SWG_OPEN ? "■" : "▲";
}

const char *out_state_word(swg_state state, swg_override override)
{
    if (override != SWG_OVERRIDE_NONE)
        return override == SWG_DRY_RUN ? "DRY-RUN" : "FORCED";
    return state == SWG_CLOSED ? "CLOSED" : state == SWG_OPEN ? "OPEN" : "HALF-OPEN";
}

out_style out_state_style(swg_state state, swg_override override)
{
    if (override != SWG_OVERRIDE_NONE)
        return OUT_FORCED;
    return state == SWG_CLOSED ? OUT_GOOD : state == SWG_OPEN ? OUT_BAD : OUT_WAIT;
}

const char *out_count(char *text, uint64_t count)
{
    char digits[OUT_NUMBER_MAX];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    char *to = text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

/* Whole milliseconds, with one decimal where that is worth reading. */
const char *out_latency(char *text, int64_t ns)
{
    char whole[OUT_NUMBER_MAX];
    if (ns < 9950 * 1000)
        snprintf(text, OUT_NUMBER_MAX, "%.1f ms", (double)ns / 1e6);
    else
        snprintf(text, OUT_NUMBER_MAX, "%.26s ms",
                 out_count(whole, (uint64_t)(ns + 500000) / 1000000));
    return text;
}

const char *out_seconds(char *text, int64_t ns)
{
    snprintf(text, OUT_NUMBER_MAX, "%.1f s", (double)ns / 1e9);
    return text;
}

const char *out_rate(char *text, double per_second)
{
    char whole[OUT_NUMBER_MAX];
    if (per_second > 0 && per_second < 9.95)
        snprintf(text, OUT_NUMBER_MAX, "%.1f/s", per_second);
    else
        snprintf(text, OUT_NUMBER_MAX, "%.26s/s", out_count(whole, (uint64_t)(per_second + 0.5)));
    return text;
}
