/* What happens to Redis, and what it means to calls. */
#include "story.h"

#include <switchgear/types.h>

static const char *const done[] = {
    "killed Redis (SIGKILL): nobody answers the fleet's clients",
    "froze Redis (SIGSTOP): connections stay, nobody answers",
    "thawed Redis: it answers again",
    "restarted Redis, empty: it knows nothing",
};

void story_redis(lab *l, redis_action action)
{
    const out *o = &l->out;
    story_flush(l, INT64_MAX);
    if (l->json)
        story_emit(l, "redis", json_pack("{s:s}", "done", redis_actions[action]));
    else
        story_tell(l, "%s✱ %s%s", out_paint(o, OUT_BOLD), done[action], out_paint(o, OUT_PLAIN));
}

static json_t *gone_json(const world *w)
{
    const span *s = &w->gone;
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "world", w->plan->name, "ms",
                     (json_int_t)(s->ended_ns - s->began_ns) / 1000000, "sent", (json_int_t)s->sent,
                     "answered", (json_int_t)s->classes[LOAD_ANSWERED].count, "rejected",
                     (json_int_t)s->classes[LOAD_REJECTED].count, "failed",
                     (json_int_t)s->classes[LOAD_FAILED].count, "lost",
                     (json_int_t)s->classes[LOAD_LOST].count);
}

static void print_gone(lab *l, const world *w)
{
    char sent[OUT_NUMBER_MAX], answered[OUT_NUMBER_MAX], took[OUT_NUMBER_MAX];
    const span *s = &w->gone;
    uint64_t not = s->classes[LOAD_REJECTED].count + s->classes[LOAD_FAILED].count +
                   s->classes[LOAD_LOST].count;
    out_line(&l->out, "            %s: without Redis for %s, %s calls: %s answered, %llu not",
             w->plan->name, out_seconds(took, s->ended_ns - s->began_ns), out_count(sent, s->sent),
             out_count(answered, s->classes[LOAD_ANSWERED].count), (unsigned long long)not );
}

void story_gone(lab *l)
{
    json_t *list = json_array();
    for (int i = 0; i < l->world_count; i++) {
        const world *w = &l->worlds[i];
        if (!w->plan->redis || w->gone.began_ns == 0)
            continue;
        if (l->json)
            json_array_append_new(list, gone_json(w));
        else
            print_gone(l, w);
    }
    if (l->json)
        story_emit(l, "without_redis", json_pack("{s:O}", "worlds", list));
    json_decref(list);
}
