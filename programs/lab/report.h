/* The report of a stage: one HTML file that needs nothing else, with the table and, for each world,
 * plots of what became of calls and how many reached the service. */
#ifndef SWG_LAB_REPORT_H
#define SWG_LAB_REPORT_H

#include "lab.h"

/* Could it be written? Says on stderr why not. */
bool report_possible(const char *path);

/* Writes it, from the summaries of the first outage. False after saying why not on stderr. */
bool report_write(lab *l, const char *path);

#endif
