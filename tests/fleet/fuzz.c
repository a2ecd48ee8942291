/* The script on a real server against the step function: the same requests, the same replies, over
 * failovers that lose writes and clocks that step; a request refused leaves no trace.
 * usage: fleet_fuzz [steps [seed]] */
#include "redis_lab.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fuzz {
    struct redis_lab lab;
    struct world world;
    struct swg_step_shard shard, replica;
    struct redis_dump dump;
    struct swg_step_request request;
    struct swg_step_reply real, model;
    long step, done, refused, raw, failovers, trips, halves, closes, grants;
    long cause[SWG_CAUSE_COUNT];
};

static void count(struct fuzz *f)
{
    for (int i = 0; i < f->model.views; i++) {
        f->trips += f->model.view[i].state == SWG_STEP_OPEN;
        f->halves += f->model.view[i].state == SWG_STEP_HALF;
        f->closes += f->model.view[i].age >= 0;
        f->cause[f->model.view[i].cause]++;
    }
    for (int i = 0; i < f->model.grants; i++)
        f->grants += f->model.grant[i].count;
}

static int exchange(struct fuzz *f)
{
    char before[41], after[41];
    int client = world_request(&f->world, &f->request), real, model;
    bool spoiled = world_chance(&f->world, 12);

    if (spoiled) {
        world_spoil(&f->world, &f->request);
        redis_lab_digest(&f->lab, before);
    }
    model = swg_step_sync(&f->shard, f->world.now, f->world.server, &f->request, &f->model);
    real = redis_lab_sync(&f->lab, f->world.now, f->world.server, &f->request, &f->real);
    if (real != model) {
        fprintf(stderr, "the script says %d, the step function %d\n", real, model);
        return 1;
    }
    if (model != SWG_STEP_DONE) {
        redis_lab_digest(&f->lab, after);
        f->refused++;
        return !spoiled || strcmp(before, after) != 0;
    }
    f->done++;
    count(f);
    world_learn(&f->world, client, &f->model);
    return replies_differ(&f->real, &f->model);
}

/* A well-formed command with one argument or key replaced by something no place accepts. */
static int hostile(struct fuzz *f)
{
    static const char *const junk[] = {"\x01 x", "-1", "1e3", " 7", "0x10", "12345678901234567890"};
    struct swg_wire_clock clock = {f->world.now, f->world.server};
    const char *bad = junk[world_below(&f->world, 6)];
    char before[41], after[41];
    int at, error;
    redisReply *r;

    world_request(&f->world, &f->request);
    swg_wire_sync(&f->lab.wire, swg_fleet_sync_sha1, LAB_TAG, clock, &f->request);
    at = 3 + (int)world_below(&f->world, (uint64_t)f->lab.wire.count - 3);
    if (at == 3 + 5 + 4 * f->request.entries + 3)
        bad = junk[0]; /* the reporter: a free text, the others would do */
    f->lab.wire.argv[at] = bad;
    f->lab.wire.lengths[at] = strlen(bad);
    if (world_chance(&f->world, 8))
        f->lab.wire.count = at;
    redis_lab_digest(&f->lab, before);
    r = redis_lab_run(&f->lab);
    error = r->type == REDIS_REPLY_ERROR;
    if (!error)
        fprintf(stderr, "argument %d accepted: '%s'\n", at, bad);
    freeReplyObject(r);
    redis_lab_digest(&f->lab, after);
    f->raw++;
    return !error || strcmp(before, after) != 0;
}

static int order(struct fuzz *f)
{
    struct swg_step_order o;
    int64_t real_epoch = 0, model_epoch = 0;
    int real, model;

    world_order(&f->world, &o);
    model = swg_step_admin(&f->shard, f->world.now, f->world.server, &o, &model_epoch);
    real = redis_lab_admin(&f->lab, f->world.now, f->world.server, &o, &real_epoch);
    if (real == model && real_epoch == model_epoch)
        return 0;
    fprintf(stderr, "admin: %d %" PRId64 " and %d %" PRId64 "\n", real, real_epoch, model,
            model_epoch);
    return 1;
}

static void replicate(struct fuzz *f)
{
    redis_dump_free(&f->dump);
    redis_lab_save(&f->lab, &f->dump);
    f->replica = f->shard;
}

/* The replica takes over with what it last got. */
static void fail_over(struct fuzz *f)
{
    redis_lab_restore(&f->lab, &f->dump);
    f->shard = f->replica;
    world_new_server(&f->world);
    f->failovers++;
}

static int step(struct fuzz *f)
{
    world_tick(&f->world);
    if (world_chance(&f->world, 120))
        replicate(f);
    if (world_chance(&f->world, 300))
        fail_over(f);
    if (world_chance(&f->world, 15))
        return hostile(f);
    if (world_chance(&f->world, 60))
        return order(f);
    return exchange(f);
}

static int causes_missed(const struct fuzz *f)
{
    static const int all[] = {SWG_CAUSE_FAILURE_RATE,  SWG_CAUSE_SLOW_RATE,
                              SWG_CAUSE_VOTES,         SWG_CAUSE_WAIT_OVER,
                              SWG_CAUSE_PROBES_PASSED, SWG_CAUSE_PROBES_FAILED,
                              SWG_CAUSE_PROBES_LOST,   SWG_CAUSE_CLAIM,
                              SWG_CAUSE_OVERRIDE,      SWG_CAUSE_OVERRIDE_ENDED};
    int missed = 0;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        printf("%s%s %ld", i > 0 ? ", " : "causes: ", swg_cause_name((swg_cause)all[i]),
               f->cause[all[i]]);
        missed += f->cause[all[i]] == 0;
    }
    printf("\n");
    return missed;
}

int main(int argc, char **argv)
{
    long steps = argc > 1 ? atol(argv[1]) : 12000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    struct fuzz *f = calloc(1, sizeof *f);
    int bad = 0;

    printf("seed %" PRIu64 ", %ld steps\n", seed, steps);
    fflush(stdout);
    world_start(&f->world, seed);
    redis_lab_start(&f->lab);
    replicate(f);
    for (f->step = 0; !bad && f->step < steps; f->step++)
        bad = step(f);
    redis_dump_free(&f->dump);
    redis_lab_stop(&f->lab);
    if (bad) {
        fprintf(stderr, "differs at step %ld: fleet_fuzz %ld %" PRIu64 "\n", f->step, steps, seed);
        return 1;
    }
    printf("%ld exchanges agreed (%ld views open, %ld half-open, %ld closed again, %ld permits, "
           "%ld failovers), %ld requests and %ld raw commands refused without a trace\n",
           f->done, f->trips, f->halves, f->closes, f->grants, f->failovers, f->refused, f->raw);
    /* A fuzz that never gets anywhere proves nothing. */
    bad = (!f->trips || !f->halves || !f->closes || !f->grants || !f->failovers);
    bad = (causes_missed(f) || bad) && steps >= 10000;
    free(f);
    return bad;
}
