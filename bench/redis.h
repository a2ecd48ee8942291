/* A redis-server of the benchmark's own, on a UNIX socket in a folder of its own. It dies with the
 * benchmark. */
#ifndef BENCH_REDIS_H
#define BENCH_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

typedef struct bench_redis {
    char folder[32];
    char path[48];
    pid_t pid;
    clockid_t clock;    /* what it has run, by the kernel's own account */
    redisContext *link; /* a connection to ask it things */
} bench_redis;

/* False after saying what went wrong; stop it in either case. */
bool bench_redis_start(bench_redis *redis);
void bench_redis_stop(bench_redis *redis);

/* CPU time of the server in nanoseconds. Of all measures the one to trust: it costs Redis nothing
 * to read, counts system calls and protocol too, which INFO commandstats leaves out, and does not
 * count waiting for a core on a busy machine, which commandstats takes for work. Its background
 * threads sleep. */
int64_t bench_redis_cpu_ns(const bench_redis *redis);

/* What all keys take, as MEMORY USAGE says; without what its connections do, which INFO mixes in.
 * -1: it does not answer. */
double bench_redis_keys_bytes(const bench_redis *redis);

#endif
