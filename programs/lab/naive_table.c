/* What the naive breaker costs and keeps, beside the fleet's. */
#include "naive_table.h"

#include "closing.h"
#include "paragraph.h"
#include "story.h"
#include "table.h"

typedef void (*cell_writer)(char *text, const lab *l, const world *w);

static bool is_naive(const world *w)
{
    return w->plan->redis == REDIS_FOR_NAIVE;
}

static const tally_summary *outage(const lab *l, const world *w, int which)
{
    return &l->summaries[which][w - l->worlds];
}

static void put_latency(char *text, const histogram *h)
{
    char p50[OUT_NUMBER_MAX], p99[OUT_NUMBER_MAX];
    snprintf(text, TABLE_CELL, "%s, %s", out_latency(p50, histogram_at(h, 50)),
             out_latency(p99, histogram_at(h, 99)));
}

static void put_span(char *text, const span *s)
{
    histogram all;
    span_latency(s, &all);
    put_latency(text, &all);
}

/* ---- while all is well --------------------------------------------------------------------- */

static void cell_call(char *text, const lab *l, const world *w)
{
    (void)l;
    put_span(text, &w->spans[SPAN_HEALTHY]);
}

static void cell_waits(char *text, const lab *l, const world *w)
{
    (void)l;
    if (is_naive(w))
        put_latency(text, &w->naive_broken.redis);
    else
        snprintf(text, TABLE_CELL, "nothing");
}

static double trips_per_call(const world *w)
{
    const naive_counts *n = &w->naive_broken;
    return n->calls ? (double)n->trips / (double)n->calls : 0;
}

static void cell_trips(char *text, const lab *l, const world *w)
{
    (void)l;
    if (is_naive(w))
        snprintf(text, TABLE_CELL, "%.1f", trips_per_call(w));
    else
        snprintf(text, TABLE_CELL, "none");
}

/* A fleet's exchange is one run of a script, whatever that does inside. */
static double requests_per_s(const world *w)
{
    const redis_counts *from = &w->redis_begun, *to = &w->redis_broken;
    const span *s = &w->spans[SPAN_HEALTHY];
    uint64_t count = is_naive(w) ? to->commands - from->commands : to->scripts - from->scripts;
    return (double)count * 1e9 / (double)(s->ended_ns - s->began_ns);
}

static void cell_requests(char *text, const lab *l, const world *w)
{
    (void)l;
    snprintf(text, TABLE_CELL, "%.0f/s", requests_per_s(w));
}

/* ---- in the outage ------------------------------------------------------------------------- */

static void cell_probes(char *text, const lab *l, const world *w)
{
    const tally_tries *t = &outage(l, w, 0)->tries;
    if (t->tries && t->fewest == t->most)
        snprintf(text, TABLE_CELL, "%llu", (unsigned long long)t->most);
    else if (t->tries)
        snprintf(text, TABLE_CELL, "%llu to %llu", (unsigned long long)t->fewest,
                 (unsigned long long)t->most);
}

static void cell_closed_sick(char *text, const lab *l, const world *w)
{
    const tally_tries *t = &outage(l, w, 0)->tries;
    snprintf(text, TABLE_CELL, "%llu of %llu", (unsigned long long)t->closed_sick,
             (unsigned long long)t->tries);
}

static void cell_reached(char *text, const lab *l, const world *w)
{
    out_count(text, outage(l, w, 0)->reached);
}

/* ---- without Redis ------------------------------------------------------------------------- */

static void cell_frozen(char *text, const lab *l, const world *w)
{
    (void)l;
    put_span(text, &w->spans[SPAN_FROZEN]);
}

static void cell_unguarded(char *text, const lab *l, const world *w)
{
    char count[OUT_NUMBER_MAX];
    const tally_summary *s = outage(l, w, 1);
    snprintf(text, TABLE_CELL, "%s (%.0f %%)", out_count(count, s->reached), s->reached_pct);
}

static void cell_failures(char *text, const lab *l, const world *w)
{
    (void)l;
    if (is_naive(w))
        out_count(text, w->naive_counts.failures);
}

static void cell_counted(char *text, const lab *l, const world *w)
{
    (void)l;
    if (is_naive(w))
        out_count(text, w->redis_counts.increments);
}

static void cell_overwritten(char *text, const lab *l, const world *w)
{
    (void)l;
    if (is_naive(w))
        out_count(text, w->naive_counts.overwritten);
}

static const struct {
    const char *label;
    cell_writer write;
} rows[] = {
    {"all well: a call took (p50, p99)", cell_call},
    {"  of that, it waited for Redis (p50, p99)", cell_waits},
    {"  round trips to Redis it waited for", cell_trips},
    {"  requests to Redis, of all instances", cell_requests},
    {"sick: probes in one half-open period", cell_probes},
    {"  closed again while still sick", cell_closed_sick},
    {"  calls that reached the sick service", cell_reached},
    {"Redis frozen, well: a call took (p50, p99)", cell_frozen},
    {"Redis gone, sick: calls that reached it", cell_unguarded},
    {"altogether: failures that happened", cell_failures},
    {"  that Redis counted", cell_counted},
    {"  states of others overwritten unread", cell_overwritten},
};

static json_t *world_json(const lab *l, const world *w)
{
    const tally_tries *t = &outage(l, w, 0)->tries;
    histogram frozen;
    span_latency(&w->spans[SPAN_FROZEN], &frozen);
    return json_pack("{s:s, s:b, s:f, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I}",
                     "world", w->plan->name, "naive", is_naive(w), "trips_per_call",
                     trips_per_call(w), "redis_p50_us",
                     (json_int_t)histogram_at(&w->naive_broken.redis, 50) / 1000, "redis_p99_us",
                     (json_int_t)histogram_at(&w->naive_broken.redis, 99) / 1000, "requests_per_s",
                     requests_per_s(w), "probes_fewest", (json_int_t)t->fewest, "probes_most",
                     (json_int_t)t->most, "closed_while_sick", (json_int_t)t->closed_sick,
                     "frozen_p50_us", (json_int_t)histogram_at(&frozen, 50) / 1000, "frozen_p99_us",
                     (json_int_t)histogram_at(&frozen, 99) / 1000, "reached_without_redis_pct",
                     outage(l, w, 1)->reached_pct, "failures", (json_int_t)w->naive_counts.failures,
                     "failures_counted", (json_int_t)w->redis_counts.increments, "overwritten",
                     (json_int_t)w->naive_counts.overwritten);
}

void naive_table(lab *l)
{
    json_t *list = json_array();
    if (l->json) {
        for (int w = 0; w < l->world_count; w++)
            json_array_append_new(list, world_json(l, &l->worlds[w]));
        story_emit(l, "naive", json_pack("{s:O}", "worlds", list));
    } else {
        table_head(l, "What sharing costs, and what is left of it");
        for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
            char cells[STAGE_WORLDS_MAX][TABLE_CELL];
            for (int w = 0; w < l->world_count; w++) {
                snprintf(cells[w], TABLE_CELL, "-");
                rows[row].write(cells[w], l, &l->worlds[w]);
            }
            table_row(l, rows[row].label, cells);
        }
        paragraph(&l->out, 2,
                  "  Redis is on this very host: over a network each round trip takes longer.");
        naive_closing(l);
    }
    json_decref(list);
}
