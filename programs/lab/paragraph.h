/* Text that fits the terminal: broken at spaces, never inside a word. */
#ifndef SWG_LAB_PARAGRAPH_H
#define SWG_LAB_PARAGRAPH_H

#include "../common/output.h"

/* Shown as a space at which a line is broken only if nothing else helps. */
#define GLUE "\x1f"

/* Prints `text`, which brings the indentation of its first line; further lines are indented by
 * `indent` columns. The terminal's width counts, or 80 columns where there is none. */
void paragraph(out *o, int indent, const char *text);

/* Is the space at `space` one between a number and its unit? There no line is broken either. */
bool paragraph_is_unit(const char *text, size_t space);

/* Columns that a text takes: escapes take none, a character one. */
int paragraph_columns(const char *text);

#endif
