/* Lines for people: colour only on a terminal that wants it, signs only where the locale has them.
 *
 * Text is written in UTF-8 throughout the programs; where the locale is not UTF-8 the few signs
 * they use are replaced by ASCII as a line is printed. */
#ifndef SWG_PROGRAMS_OUTPUT_H
#define SWG_PROGRAMS_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <switchgear/types.h>

enum { OUT_LINE_MAX = 1024 };

typedef enum out_style {
    OUT_PLAIN,
    OUT_DIM,
    OUT_BOLD,
    OUT_GOOD,
    OUT_BAD,
    OUT_WAIT,
    OUT_FORCED
} out_style;

typedef struct out {
    FILE *file;
    bool tty;
    bool color;
    bool utf8;
    bool status_shown; /* a status line without its end stands on the terminal */
} out;

extern const char *const out_color_choices[]; /* auto, always, never */

/* Looks at the terminal, the locale (setlocale is called here), NO_COLOR and TERM.
 * `color` is one of the choices; NULL is auto. */
void out_open(out *o, FILE *file, const char *color);

/* Prints one line and flushes it. */
void out_line(out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* On a terminal, shows a line at the bottom that the next line or status replaces. Elsewhere
 * nothing. NULL takes it away. What the terminal is too narrow for is not shown. */
void out_status(out *o, const char *text);

/* The escape that begins a style, or ends all (OUT_PLAIN); "" without colour. */
const char *out_paint(const out *o, out_style style);

/* A state as people see it: its sign, its name, its colour. An override wins over the state. */
const char *out_state_sign(swg_state state, swg_override override);
const char *out_state_word(swg_state state, swg_override override);
out_style out_state_style(swg_state state, swg_override override);

/* Replaces the signs the programs use by ASCII. */
void out_to_ascii(char *ascii, size_t size, const char *utf8);

/* Numbers for people, each into a buffer of OUT_NUMBER_MAX: 12,345 · 0.3 ms, 302 ms · 5.2 s. */
enum { OUT_NUMBER_MAX = 32 };
const char *out_count(char *text, uint64_t count);
const char *out_latency(char *text, int64_t ns);
const char *out_seconds(char *text, int64_t ns);
const char *out_rate(char *text, double per_second);

#endif
