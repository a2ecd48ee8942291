/* Folders of tests: /tmp/swg-KIND-PID-RANDOM, PID their owner. Python's are called the same.
 *
 * Keeps: what a test left that was killed, or that failed and has something to show in its logs, is
 * removed by a later one an hour on; what a living process owns is not. */
#ifndef SCRATCH_H
#define SCRATCH_H

enum { SCRATCH_PATH = 64 };

/* Makes one, owned by this process, and removes what others left. Ends the program with a message
 * if there can be none. A test that the runner forked dies with its runner from here on. */
void scratch_make(char path[SCRATCH_PATH], const char *kind);

/* With all that is in it. */
void scratch_remove(const char *path);

#endif
