#include "terminal.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool changed;

void terminal_restore(void)
{
    if (changed)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    changed = false;
}

void terminal_raw(bool wanted)
{
    if (!wanted || (!changed && tcgetattr(STDIN_FILENO, &before) != 0))
        return;
    if (!changed)
        atexit(terminal_restore);
    struct termios keys = before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    changed = tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
}

int terminal_columns(FILE *file)
{
    enum { USUAL = 80 };
    struct winsize size = {0};
    if (ioctl(fileno(file), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return USUAL;
    return size.ws_col;
}
