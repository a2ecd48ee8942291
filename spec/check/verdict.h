/* The checker on recordings that tests made: written to a file of its own, read back, judged. With
 * SWG_KEEP in the environment the files stay in /tmp. */
#ifndef SWG_SPEC_VERDICT_H
#define SWG_SPEC_VERDICT_H

#include "checker.h"

/* Exits the test if the recording cannot be read: see judge_why for those that should not be. */
void judge(const json_t *lines, unsigned allow, struct report *report);

/* The complaint about lines that are no recording, or "". */
const char *judge_why(const json_t *lines);

#endif
