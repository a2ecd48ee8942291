/* Walks of the model on the C step function and on the script: spec_walks FOLDER [first] */
#include "mutants.h"
#include "replay.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef SPEC_REDIS
#include "replay_redis.h"
#endif

struct totals {
    const char *name;
    int walks, cut, requests, after, wrong;
};

static bool ends_in_txt(const char *name)
{
    size_t length = strlen(name);

    return length > 4 && strcmp(name + length - 4, ".txt") == 0;
}

static void walk(const char *path, const struct replay_store *store, struct totals *t)
{
    char *text = mutants_read(path);
    struct replay_result r = replay(text, store);

    t->walks++;
    t->cut += r.end == REPLAY_CUT;
    t->requests += r.requests;
    t->after += r.after;
    if (r.end == REPLAY_DIVERGES || r.end == REPLAY_BROKEN) {
        t->wrong++;
        fprintf(stderr, "%s:%d: %s: %s\n", path, r.line, t->name, r.why);
    }
    free(text);
}

static void walk_all(const char *folder, const struct replay_store *store, struct totals *t)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    char path[512];

    while (dir && (entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (ends_in_txt(entry->d_name))
            walk(path, store, t);
    }
    if (dir)
        closedir(dir);
    printf("%s: %d requests of %d walks agree, %d after a failover; %d walks cut short, %d wrong\n",
           t->name, t->requests, t->walks, t->after, t->cut, t->wrong);
}

int main(int argc, char **argv)
{
    static struct replay_shard shard = {.sync = swg_step_sync};
    struct replay_store store = replay_shard_store(&shard);
    struct totals c = {.name = "C"}, lua = {.name = "Redis"};

    if (argc != 2) {
        fprintf(stderr, "usage: spec_walks FOLDER (of walks, by spec/run --walks)\n");
        return 2;
    }
    walk_all(argv[1], &store, &c);
#ifdef SPEC_REDIS
    static struct replay_redis redis;

    replay_redis_start(&redis);
    store = replay_redis_store(&redis);
    walk_all(argv[1], &store, &lua);
    replay_redis_stop(&redis);
#endif
    return c.wrong + lua.wrong > 0 || c.requests == 0;
}
