#ifndef BENCH_CURL_H
#define BENCH_CURL_H

#include <stdbool.h>

/* Prints what a circuit costs an HTTP request. 0, or 1 after saying what went wrong. */
int bench_curl(bool quick);

#endif
