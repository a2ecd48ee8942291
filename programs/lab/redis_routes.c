#include "redis_routes.h"

#include "../common/chaos.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { ANSWER_MS = 1000 };

static bool add(chaos *c, const char *folder, int instance, char *answer)
{
    char spec[4 * REDIS_FOLDER_MAX];
    char name = (char)('A' + instance);
    snprintf(spec, sizeof spec, "%c=unix:%s/%c.sock>unix:%s/redis.sock", name, folder, name,
             folder);
    return chaos_add_route(c, spec, answer);
}

bool redis_routes_open(redis_routes *r, const char *folder, const char *record)
{
    char answer[CHAOS_LINE_MAX];
    *r = (redis_routes){0};
    snprintf(r->control, sizeof r->control, "%s/routes.sock", folder);
    chaos *c = chaos_open(&(chaos_config){.record = record, .control = r->control}, answer);
    bool fine = c != NULL;
    for (int i = 0; i < STAGE_INSTANCES && fine; i++)
        fine = add(c, folder, i, answer);
    if (!fine)
        fprintf(stderr, "redis: the instances' ways to it: %s\n", answer);
    else if ((r->pid = chaos_start(&c)) < 0)
        perror("redis: the instances' ways to it");
    if (c)
        chaos_close(&c);
    return r->pid > 0;
}

void redis_routes_close(redis_routes *r)
{
    if (r->pid <= 0)
        return;
    kill(r->pid, SIGKILL); /* it was started with the signals that end a program blocked */
    waitpid(r->pid, NULL, 0);
    r->pid = 0;
}

static bool command(const redis_routes *r, int instance, const char *what)
{
    char line[64], answer[CHAOS_LINE_MAX];
    snprintf(line, sizeof line, "route %c %s", 'A' + instance, what);
    return chaos_ask(r->control, line, answer, ANSWER_MS);
}

bool redis_routes_cut(redis_routes *r, int instance)
{
    const char letter[] = {(char)('A' + instance), '\0'};
    if (!command(r, instance, "cut"))
        return false;
    if (!strchr(r->cut, letter[0]))
        strcat(r->cut, letter);
    return true;
}

bool redis_routes_heal(redis_routes *r)
{
    bool fine = true;
    for (int i = 0; i < STAGE_INSTANCES; i++)
        fine &= command(r, i, "heal");
    r->cut[0] = '\0';
    return fine;
}
