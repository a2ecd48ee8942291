#include "paragraph.h"

#include "terminal.h"

#include <ctype.h>
#include <string.h>

enum { TEXT_MAX = 2 * OUT_LINE_MAX, ROOM_MIN = 20 };

/* The next character or escape, and the columns it takes. */
static size_t step(const char *at, int *columns)
{
    size_t length = 1;
    *columns = 0;
    if (*at == '\033') {
        while (at[length - 1] && at[length - 1] != 'm')
            length++;
        return at[length - 1] ? length : length - 1;
    }
    while ((at[length] & 0xc0) == 0x80)
        length++;
    *columns = 1;
    return length;
}

int paragraph_columns(const char *text)
{
    int sum = 0, columns;
    for (; *text; sum += columns)
        text += step(text, &columns);
    return sum;
}

bool paragraph_is_unit(const char *text, size_t space)
{
    static const char *const units[] = {" s", " ms", " %"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t length = strlen(units[i]);
        if (space > 0 && isdigit((unsigned char)text[space - 1]) &&
            strncmp(text + space, units[i], length) == 0 &&
            !isalpha((unsigned char)text[space + length]))
            return true;
    }
    return false;
}

/* Where the line that begins at `text` ends: at its last space that fits, or glue, or, if there is
 * neither, behind a word that is too long. */
static size_t line_end(const char *text, int room)
{
    size_t at = strspn(text, " "), space = 0, glue = 0;
    int used = (int)at, columns;
    while (text[at]) {
        size_t length = step(text + at, &columns);
        bool glued = text[at] == *GLUE || paragraph_is_unit(text, at);
        if (text[at] == ' ' && !glued && (used <= room || !glue))
            space = at;
        if (glued && (used <= room || !space))
            glue = at;
        if (used + columns > room && (space || glue))
            return space ? space : glue;
        used += columns;
        at += length;
    }
    return at;
}

static void print(out *o, int indent, const char *text, size_t length)
{
    char line[TEXT_MAX];
    snprintf(line, sizeof line, "%*s%.*s", indent, "", (int)length, text);
    for (char *at = line; (at = strchr(at, *GLUE)); at++)
        *at = ' ';
    out_line(o, "%s", line);
}

void paragraph(out *o, int indent, const char *text)
{
    char ascii[TEXT_MAX];
    int width = terminal_columns(o->file), first = 0;
    if (!o->utf8) { /* some signs are wider there */
        out_to_ascii(ascii, sizeof ascii, text);
        text = ascii;
    }
    if (width < indent + ROOM_MIN)
        width = indent + ROOM_MIN;
    do {
        size_t length = line_end(text, width - first);
        print(o, first, text, length);
        text += length + strspn(text + length, " " GLUE);
        first = indent;
    } while (*text);
}
