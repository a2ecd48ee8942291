/* The table at the end: one outage in measured numbers, a column for each world. */
#include "table.h"

#include "story.h"

#include <stdio.h>
#include <string.h>

enum { LABEL_COLUMNS = 43 };

/* A cell of the table; "-" where a world has no such thing. */
typedef void (*cell_writer)(char *text, const world *w, const tally_summary *s);

static void share(char *text, uint64_t some, const tally_summary *s)
{
    char count[OUT_NUMBER_MAX];
    double percent = s->sent ? (double)some * 100 / (double)s->sent : 0;
    snprintf(text, TABLE_CELL, "%s (%.1f %%)", out_count(count, some), percent);
}

static void cell_sent(char *text, const world *w, const tally_summary *s)
{
    (void)w;
    out_count(text, s->sent);
}

static void cell_answered(char *text, const world *w, const tally_summary *s)
{
    (void)w;
    share(text, s->counts[LOAD_ANSWERED], s);
}

static void cell_failed(char *text, const world *w, const tally_summary *s)
{
    (void)w;
    share(text, s->counts[LOAD_FAILED] + s->counts[LOAD_LOST], s);
}

static void cell_rejected(char *text, const world *w, const tally_summary *s)
{
    if (w->plan->breakers)
        share(text, s->counts[LOAD_REJECTED], s);
}

static void cell_fast_fail(char *text, const world *w, const tally_summary *s)
{
    char p50[OUT_NUMBER_MAX], p99[OUT_NUMBER_MAX];
    if (w->plan->breakers && s->counts[LOAD_REJECTED])
        snprintf(text, TABLE_CELL, "%s, %s", out_latency(p50, s->rejected_p50_ns),
                 out_latency(p99, s->rejected_p99_ns));
}

static void cell_all(char *text, const world *w, const tally_summary *s)
{
    char p50[OUT_NUMBER_MAX], p99[OUT_NUMBER_MAX];
    (void)w;
    snprintf(text, TABLE_CELL, "%s, %s", out_latency(p50, s->p50_ns), out_latency(p99, s->p99_ns));
}

static void cell_waiting(char *text, const world *w, const tally_summary *s)
{
    (void)w;
    out_count(text, s->waiting_max);
}

static void cell_waited(char *text, const world *w, const tally_summary *s)
{
    char count[OUT_NUMBER_MAX];
    (void)w;
    snprintf(text, TABLE_CELL, "%s s", out_count(count, (uint64_t)(s->waited_s + 0.5)));
}

static void cell_reached(char *text, const world *w, const tally_summary *s)
{
    (void)w;
    share(text, s->reached, s);
}

static void cell_tries(char *text, const world *w, const tally_summary *s)
{
    if (w->plan->breakers)
        out_count(text, s->tries.tries);
}

static void cell_probes(char *text, const world *w, const tally_summary *s)
{
    if (w->plan->breakers)
        out_count(text, s->tries.probes);
}

static void cell_probes_each(char *text, const world *w, const tally_summary *s)
{
    const tally_tries *t = &s->tries;
    if (w->plan->breakers && t->tries && t->fewest == t->most)
        snprintf(text, TABLE_CELL, "%llu", (unsigned long long)t->most);
    else if (w->plan->breakers && t->tries)
        snprintf(text, TABLE_CELL, "%llu to %llu", (unsigned long long)t->fewest,
                 (unsigned long long)t->most);
}

static void cell_wasted(char *text, const world *w, const tally_summary *s)
{
    if (w->plan->breakers && s->tries.opened_ns)
        out_count(text, s->tries.wasted);
}

/* "A 0, B 90, C 854 ms" */
static void cell_stopped(char *text, const world *w, const tally_summary *s)
{
    size_t used = 0;
    for (int i = 0; i < STAGE_INSTANCES && w->plan->breakers && s->tries.opened_ns; i++) {
        int64_t ns = s->tries.stopped_ns[i];
        char after[16] = "never";
        if (ns >= 0)
            snprintf(after, sizeof after, "%lld", (long long)(ns + 500000) / 1000000);
        used += (size_t)snprintf(text + used, TABLE_CELL - used, "%s%s", i ? "/" : "", after);
    }
    if (used)
        snprintf(text + used, TABLE_CELL - used, " ms");
}

static void cell_flaps(char *text, const world *w, const tally_summary *s)
{
    if (w->plan->breakers)
        out_count(text, s->tries.flaps);
}

static void cell_disagreed(char *text, const world *w, const tally_summary *s)
{
    if (w->plan->breakers)
        out_seconds(text, s->disagreed_ns);
}

static void cell_closed(char *text, const world *w, const tally_summary *s)
{
    if (!w->plan->breakers || !s->tries.opened_ns)
        return;
    if (s->closed_after_ns >= 0)
        out_seconds(text, s->closed_after_ns);
    else
        snprintf(text, TABLE_CELL, "never");
}

static const struct {
    const char *label;
    cell_writer write;
    bool with_redis; /* says nothing once a fleet is on its own */
} rows[] = {
    {"calls sent", cell_sent},
    {"answered by the service", cell_answered},
    {"failed after waiting for it", cell_failed},
    {"rejected at once", cell_rejected},
    {"a rejection took (p50, p99)", cell_fast_fail},
    {"any call took (p50, p99)", cell_all},
    {"callers waiting at the same time, at most", cell_waiting},
    {"time callers spent waiting, all together", cell_waited},
    {"calls that reached the sick service", cell_reached},
    {"A / B / C open after the first of them", cell_stopped},
    {"calls wasted once the first was open", cell_wasted},
    {"half-open periods", cell_tries, true},
    {"probes in one, as they arrived", cell_probes_each, true},
    {"probes in all", cell_probes},
    {"flapping (OPEN → HALF-OPEN → OPEN)", cell_flaps, true},
    {"time in which instances disagreed", cell_disagreed},
    {"from healing until all were closed", cell_closed},
};

/* Pads by signs, not bytes. */
static void put_label(char *line, size_t size, const out *o, const char *label)
{
    char ascii[256];
    int columns = 0;
    out_to_ascii(ascii, sizeof ascii, label);
    const char *shown = o->utf8 ? label : ascii;
    for (const char *at = shown; *at; at++)
        columns += (*at & 0xc0) != 0x80;
    snprintf(line, size, "  %s%*s", shown, columns < LABEL_COLUMNS ? LABEL_COLUMNS - columns : 0,
             "");
}

static void put_cell(char *line, size_t size, const char *text)
{
    size_t used = strlen(line);
    snprintf(line + used, size - used, "%17s", text);
}

void table_head(lab *l, const char *title)
{
    char line[512];
    put_label(line, sizeof line, &l->out, title);
    for (int w = 0; w < l->world_count; w++)
        put_cell(line, sizeof line, l->worlds[w].plan->name);
    out_line(&l->out, "%s", "");
    out_line(&l->out, "%s%s%s", out_paint(&l->out, OUT_BOLD), line, out_paint(&l->out, OUT_PLAIN));
}

void table_row(lab *l, const char *label, char cells[][TABLE_CELL])
{
    char line[512];
    put_label(line, sizeof line, &l->out, label);
    for (int w = 0; w < l->world_count; w++)
        put_cell(line, sizeof line, cells[w]);
    out_line(&l->out, "%s", line);
}

const char *table_label(int row)
{
    return (size_t)row < sizeof rows / sizeof *rows ? rows[row].label : NULL;
}

void table_cell(char cell[TABLE_CELL], int row, const world *w, const tally_summary *s)
{
    snprintf(cell, TABLE_CELL, "-");
    rows[row].write(cell, w, s);
}

static void print_row(lab *l, int row, const tally_summary *summaries)
{
    char cells[STAGE_WORLDS_MAX][TABLE_CELL];
    for (int w = 0; w < l->world_count; w++)
        table_cell(cells[w], row, &l->worlds[w], &summaries[w]);
    table_row(l, rows[row].label, cells);
}

static void print_head(lab *l)
{
    char title[96], took[OUT_NUMBER_MAX];
    const tally *t = &l->worlds[0].tally;
    bool gone = l->encore && l->worlds[0].spans[SPAN_GONE].began_ns;
    snprintf(title, sizeof title, "An outage of %s%s",
             out_seconds(took, t->healed_ns - t->began_ns),
             gone ? ", begun without Redis" : " in numbers");
    table_head(l, title);
}

void story_table(lab *l)
{
    tally_summary *summaries = l->summaries[l->encore];
    for (int w = 0; w < l->world_count; w++)
        tally_summarize(&l->worlds[w].tally, stage_is_together(l->worlds[w].plan), swg_clock_ns(),
                        &summaries[w]);
    if (l->json) {
        table_json(l, summaries);
        return;
    }
    if (l->world_count > TABLE_COLUMNS_MAX) {
        table_compact(l, summaries);
        return;
    }
    print_head(l);
    for (int row = 0; table_label(row); row++)
        if (!l->encore || !rows[row].with_redis)
            print_row(l, row, summaries);
}
