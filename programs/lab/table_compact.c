/* Many worlds in 80 columns: a line for each, and what matters most. */
#include "table.h"

#include <stdio.h>

enum { NUMBERS = 8 };

static const int widths[NUMBERS] = {9, 7, 9, 8, 8, 7, 10, 8};

static const char *const heads[2][NUMBERS] = {
    {"", "failed", "rejected", "reached", "callers", "", "time they", "time to"},
    {"answered", "late", "at once", "service", "waited", "probes", "disagreed", "recover"},
};

static void print_line(lab *l, const char *name, const char *const *cells, out_style style)
{
    char line[256];
    size_t used = (size_t)snprintf(line, sizeof line, "  %-12s", name);
    for (int i = 0; i < NUMBERS; i++)
        used += (size_t)snprintf(line + used, sizeof line - used, " %*s", widths[i] - 1, cells[i]);
    out_line(&l->out, "%s%s%s", out_paint(&l->out, style), line, out_paint(&l->out, OUT_PLAIN));
}

static void print_world(lab *l, const world *w, const tally_summary *s)
{
    char text[NUMBERS][OUT_NUMBER_MAX];
    const char *cells[NUMBERS];
    bool breakers = w->plan->breakers;
    out_count(text[0], s->counts[LOAD_ANSWERED]);
    out_count(text[1], s->counts[LOAD_FAILED] + s->counts[LOAD_LOST]);
    out_count(text[2], s->counts[LOAD_REJECTED]);
    out_count(text[3], s->reached);
    snprintf(text[4], OUT_NUMBER_MAX, "%.0f s", s->waited_s);
    out_count(text[5], s->tries.probes);
    out_seconds(text[6], s->disagreed_ns);
    if (!s->tries.opened_ns)
        snprintf(text[7], OUT_NUMBER_MAX, "-");
    else if (s->closed_after_ns < 0)
        snprintf(text[7], OUT_NUMBER_MAX, "never");
    else
        out_seconds(text[7], s->closed_after_ns);
    for (int i = 0; i < NUMBERS; i++)
        cells[i] = breakers || i < 2 || i == 3 || i == 4 ? text[i] : "-";
    print_line(l, w->plan->name, cells, OUT_PLAIN);
}

void table_compact(lab *l, const tally_summary *summaries)
{
    char took[OUT_NUMBER_MAX], sent[OUT_NUMBER_MAX];
    const tally *t = &l->worlds[0].tally;
    out_line(&l->out, "%s", "");
    out_line(&l->out,
             "  Of %s calls in each world, in an outage of %s:", out_count(sent, summaries[0].sent),
             out_seconds(took, t->healed_ns - t->began_ns));
    print_line(l, "", heads[0], OUT_BOLD);
    print_line(l, "", heads[1], OUT_BOLD);
    for (int w = 0; w < l->world_count; w++)
        print_world(l, &l->worlds[w], &summaries[w]);
}
