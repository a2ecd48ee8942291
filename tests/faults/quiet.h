/* A thread that may not wait for anybody. */
#ifndef FAULTS_QUIET_H
#define FAULTS_QUIET_H

/* From here on the calling thread may sleep, read clocks and ask for its pid; any other system call
 * kills its process with SIGSYS. Does nothing under a sanitizer, which makes calls of its own. */
void quiet_from_here(void);

#endif
