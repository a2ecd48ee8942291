/* The first pass: an order of exchanges in which the step function gives every recorded reply. */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

struct step step_of(const struct explainer *e, const struct exchange *x)
{
    struct step s = {.kind = STEP_RUN, .x = x, .now = x->now};

    s.server = x->answer ? x->answer->server : x->asked_server;
    if (!*s.server)
        s.server = e->now->server;
    return s;
}

/* Runs the next item; on another answer than the recorded one the shard stays as it was. */
static bool forward(struct explainer *e)
{
    struct shard_run *run = e->run;
    struct exchange *x = run->item[e->next];
    struct step s = step_of(e, x);
    int code;

    shard_copy(e->scratch, e->now);
    code = history_run(&run->history, &s, e->scratch);
    if (code == SWG_STEP_FULL)
        run->beyond = code;
    if (code != SWG_STEP_DONE || !model_agrees(run->model, x, run->why))
        return false;
    x->settled = true;
    shard_copy(e->now, e->scratch);
    history_add(&run->history, &s, e->now);
    return true;
}

/* The reason kept is that of the likeliest order, not of the last one tried. */
static bool go_on(struct explainer *e)
{
    char why[WHY_MAX];

    if (e->run->item[e->next]->settled || forward(e))
        return true;
    if (e->run->beyond)
        return false;
    memcpy(why, e->run->why, sizeof why);
    if (repair(e))
        return true;
    memcpy(e->run->why, why, sizeof why);
    return false;
}

void explain(struct shard_run *run)
{
    struct explainer e = {.run = run};

    e.now = calloc(1, sizeof *e.now);
    e.scratch = calloc(1, sizeof *e.scratch);
    run->stuck = -1;
    for (e.next = 0; e.next < run->items; e.next++) {
        if (!go_on(&e)) {
            run->stuck = e.next;
            break;
        }
    }
    free(e.now);
    free(e.scratch);
}
