#ifndef BENCH_EMPTY_H
#define BENCH_EMPTY_H

#include <stdint.h>

int empty_acquire(void *circuit, void *permit, int64_t now_ns);
void empty_release(void *circuit, void *permit, int outcome, int64_t now_ns);

#endif
