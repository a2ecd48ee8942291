/* Child processes that cannot outlive their parent: the kernel kills them when it dies
 * (PR_SET_PDEATHSIG), and they end by themselves when the pipe on their stdin does. */
#ifndef SWG_PROGRAMS_CHILD_H
#define SWG_PROGRAMS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { CHILD_LINE_MAX = 16384 };

/* Lines from a descriptor; a line longer than the buffer is dropped. */
typedef struct line_reader {
    int fd; /* -1: ended */
    size_t length;
    bool overlong;
    char buffer[CHILD_LINE_MAX];
} line_reader;

/* Called for each whole line, without its end. */
typedef void (*line_taker)(void *context, char *line);

/* Reads what is there without blocking. False at the end of the stream (the descriptor is closed).
 */
bool line_reader_drain(line_reader *reader, line_taker take, void *context);

typedef struct child {
    pid_t pid;  /* 0: not running */
    int status; /* as waitpid gave it, once it ended */
    int input;  /* its stdin */
    line_reader output;
    line_reader errors;
} child;

/* Starts argv[0] in a process group of its own, with pipes. False with errno. */
bool child_start(child *c, char *const argv[]);

/* Did it end? Takes its status if so. */
bool child_reap(child *c);

/* Ends all of them: closes their stdin and asks with SIGTERM, then kills what is left after
 * `grace_ms`. Returns when none is left. */
void child_stop(child **children, size_t count, int grace_ms);

/* "killed by signal 9 (Killed)", "ended with exit code 1". */
const char *child_fate(char *text, size_t size, int status);

/* For the child's side: ends this process when stdin ends, whatever its threads are doing. */
void child_die_with_parent(void);

#endif
