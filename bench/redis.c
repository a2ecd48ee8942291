#include "redis.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 10000, TURN_MS = 5 };

static void become_server(const char *path)
{
    const int null = open("/dev/null", O_WRONLY);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(null, STDOUT_FILENO);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--save", "",
           "--appendonly", "no", "--maxclients", "1000", (char *)NULL);
    _exit(127);
}

static bool reach(bench_redis *redis)
{
    for (int waited = 0; waited < START_MS; waited += TURN_MS) {
        redis->link = redisConnectUnix(redis->path);
        if (redis->link != NULL && !redis->link->err) {
            return true;
        }
        if (redis->link != NULL) {
            redisFree(redis->link);
            redis->link = NULL;
        }
        if (waitpid(redis->pid, NULL, WNOHANG) == redis->pid) {
            redis->pid = 0;
            return false;
        }
        poll(NULL, 0, TURN_MS);
    }
    return false;
}

bool bench_redis_start(bench_redis *redis)
{
    *redis = (bench_redis){.folder = "/tmp/swg-bench-XXXXXX"};
    if (mkdtemp(redis->folder) == NULL) {
        perror("swg_bench: /tmp/swg-bench-XXXXXX");
        redis->folder[0] = '\0';
        return false;
    }
    snprintf(redis->path, sizeof(redis->path), "%s/sock", redis->folder);
    redis->pid = fork();
    if (redis->pid == 0) {
        become_server(redis->path);
    }
    if (redis->pid < 0 || !reach(redis) || clock_getcpuclockid(redis->pid, &redis->clock) != 0) {
        fprintf(stderr, "swg_bench: redis-server does not start on %s; run it by hand to see why\n",
                redis->path);
        return false;
    }
    return true;
}

void bench_redis_stop(bench_redis *redis)
{
    if (redis->link != NULL) {
        redisFree(redis->link);
    }
    if (redis->pid > 0) {
        kill(redis->pid, SIGKILL);
        waitpid(redis->pid, NULL, 0);
    }
    if (redis->folder[0] != '\0') {
        unlink(redis->path);
        rmdir(redis->folder);
    }
    *redis = (bench_redis){0};
}

int64_t bench_redis_cpu_ns(const bench_redis *redis)
{
    struct timespec used = {0};
    clock_gettime(redis->clock, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static double key_bytes(const bench_redis *redis, const redisReply *key)
{
    redisReply *reply = redisCommand(redis->link, "MEMORY USAGE %b SAMPLES 0", key->str, key->len);
    const double bytes =
        reply != NULL && reply->type == REDIS_REPLY_INTEGER ? (double)reply->integer : 0;
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return bytes;
}

double bench_redis_keys_bytes(const bench_redis *redis)
{
    redisReply *keys = redisCommand(redis->link, "KEYS *");
    double bytes = 0;
    if (keys == NULL || keys->type != REDIS_REPLY_ARRAY) {
        return -1;
    }
    for (size_t i = 0; i < keys->elements; i++) {
        bytes += key_bytes(redis, keys->element[i]);
    }
    freeReplyObject(keys);
    return bytes;
}
