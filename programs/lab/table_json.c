/* An outage in numbers, as one JSON object. */
#include "part.h"
#include "table.h"

static void add_tries(json_t *object, const tally_tries *t)
{
    json_t *stopped = json_array();
    for (int i = 0; i < STAGE_INSTANCES; i++)
        json_array_append_new(stopped,
                              json_integer(t->stopped_ns[i] < 0 ? -1 : t->stopped_ns[i] / 1000000));
    json_object_set_new(object, "tries", json_integer((json_int_t)t->tries));
    json_object_set_new(object, "probes_arrived", json_integer((json_int_t)t->probes));
    json_object_set_new(object, "probes_fewest", json_integer((json_int_t)t->fewest));
    json_object_set_new(object, "probes_most", json_integer((json_int_t)t->most));
    json_object_set_new(object, "wasted", json_integer((json_int_t)t->wasted));
    json_object_set_new(object, "closed_while_sick", json_integer((json_int_t)t->closed_sick));
    json_object_set_new(object, "open_after_first_ms", stopped);
}

static json_t *summary_json(const world *w, const tally_summary *s)
{
    json_t *object = json_pack(
        "{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:f}", "world", w->plan->name,
        "breakers", w->plan->breakers, "sent", (json_int_t)s->sent, "answered",
        (json_int_t)s->counts[LOAD_ANSWERED], "rejected", (json_int_t)s->counts[LOAD_REJECTED],
        "failed", (json_int_t)s->counts[LOAD_FAILED], "lost", (json_int_t)s->counts[LOAD_LOST],
        "reached", (json_int_t)s->reached, "reached_pct", s->reached_pct, "waiting_max",
        (json_int_t)s->waiting_max, "waited_s", s->waited_s);
    json_t *more =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "p50_us",
                  (json_int_t)s->p50_ns / 1000, "p99_us", (json_int_t)s->p99_ns / 1000,
                  "rejected_p50_us", (json_int_t)s->rejected_p50_ns / 1000, "rejected_p99_us",
                  (json_int_t)s->rejected_p99_ns / 1000, "probes", (json_int_t)s->probes, "periods",
                  (json_int_t)s->periods, "flaps", (json_int_t)s->tries.flaps, "disagreed_ms",
                  (json_int_t)s->disagreed_ns / 1000000, "closed_after_ms",
                  (json_int_t)(s->closed_after_ns < 0 ? -1 : s->closed_after_ns / 1000000));
    json_object_update(object, more);
    json_decref(more);
    add_tries(object, &s->tries);
    return object;
}

void table_json(lab *l, const tally_summary *summaries)
{
    part p = {.out = l->out, .json = true};
    json_t *list = json_array();
    for (int w = 0; w < l->world_count; w++)
        json_array_append_new(list, summary_json(&l->worlds[w], &summaries[w]));
    part_json(&p, json_pack("{s:s, s:s, s:s, s:I, s:o}", "schema", "switchgear.lab/1", "type",
                            "summary", "stage", l->stage->name, "seed", (json_int_t)l->seed,
                            "worlds", list));
}
