#include "history.h"

#include <stdlib.h>
#include <string.h>

enum { SAVE_EVERY = 64 };

void history_open(struct history *h, struct model *model)
{
    memset(h, 0, sizeof *h);
    h->model = model;
}

void history_close(struct history *h)
{
    history_cut(h, 0);
    free(h->step);
    free(h->saved);
    memset(h, 0, sizeof *h);
}

static void save(struct history *h, const struct swg_step_shard *shard)
{
    if (h->saves == h->saves_room) {
        h->saves_room = h->saves_room ? 2 * h->saves_room : 64;
        h->saved = realloc(h->saved, (size_t)h->saves_room * sizeof *h->saved);
    }
    h->saved[h->saves].at = h->count;
    h->saved[h->saves++].shard = shard_save(shard);
}

void history_add(struct history *h, const struct step *step, const struct swg_step_shard *after)
{
    if (h->count == h->room) {
        h->room = h->room ? 2 * h->room : 1024;
        h->step = realloc(h->step, (size_t)h->room * sizeof *h->step);
    }
    h->step[h->count++] = *step;
    if (step->kind != STEP_RUN || h->count % SAVE_EVERY == 0)
        save(h, after);
}

void history_cut(struct history *h, long count)
{
    h->count = count;
    while (h->saves > 0 && h->saved[h->saves - 1].at > count)
        free(h->saved[--h->saves].shard);
}

/* Behind every jump there is a saved state, so none of the steps made again here is one. */
void history_state(struct history *h, long count, struct swg_step_shard *shard)
{
    long i = h->saves, from = 0;

    while (i > 0 && h->saved[i - 1].at > count)
        i--;
    if (i > 0) {
        from = h->saved[i - 1].at;
        shard_restore(shard, h->saved[i - 1].shard);
    } else {
        memset(shard, 0, sizeof *shard);
    }
    for (; from < count; from++)
        history_run(h, &h->step[from], shard);
}

int history_run(struct history *h, const struct step *step, struct swg_step_shard *shard)
{
    if (step->kind == STEP_BACK) {
        history_state(h, step->target, shard);
        return SWG_STEP_DONE;
    }
    if (step->kind == STEP_FRESH) {
        memset(shard, 0, sizeof *shard);
        return SWG_STEP_DONE;
    }
    return model_run(h->model, shard, step->x, step->now, step->server);
}
