/* Single keys from the terminal, without echo (Ctrl-C and Ctrl-Z keep their meaning), and its
 * width. */
#ifndef SWG_LAB_TERMINAL_H
#define SWG_LAB_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* Does nothing if not wanted; again after Ctrl-Z, it sets what the shell undid. The terminal is
 * restored at exit in any case but SIGKILL. */
void terminal_raw(bool wanted);
void terminal_restore(void);

/* The width of the terminal that `file` is; 80 if it is none. */
int terminal_columns(FILE *file);

#endif
