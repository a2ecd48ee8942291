#include "report.h"

#include "closing.h"
#include "paragraph.h"
#include "plot.h"
#include "profile.h"
#include "report_style.h"
#include "story.h"
#include "table.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- text ---------------------------------------------------------------------------------- */

static void put_text(FILE *file, const char *text)
{
    for (size_t i = 0; text[i]; i++) {
        if (text[i] == '<')
            fputs("&lt;", file);
        else if (text[i] == '>')
            fputs("&gt;", file);
        else if (text[i] == '&')
            fputs("&amp;", file);
        else if (paragraph_is_unit(text, i))
            fputs("&nbsp;", file);
        else
            fputc(text[i], file);
    }
}

static void put_head(FILE *file, const lab *l)
{
    char circuit[PROFILE_TEXT_MAX], fault[FAULT_TEXT_MAX], when[64], seen[CLOSING_MAX];
    char setup[PROFILE_TEXT_MAX + FAULT_TEXT_MAX + 256];
    struct tm tm;
    time_t now = time(NULL);
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &tm);
    fprintf(file,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<title>switchgear lab %s</title>\n<style>\n%s</style>\n</head>\n<body>\n"
            "<h1>switchgear lab %s: ",
            l->stage->name, report_style, l->stage->name);
    put_text(file, l->stage->title);
    fprintf(file, "</h1>\n<p>");
    put_text(file, l->stage->story);
    snprintf(setup, sizeof setup,
             "Each circuit: %s. The outage: %s. %lld calls a second in each world, on schedule "
             "whether or not earlier ones came back; instances give the service %lld ms. Seed "
             "%llu.",
             profile_text(circuit, &l->config),
             fault_text(fault, l->script.fault, l->script.rate_pct, &l->times),
             (long long)l->script.calls_per_s, (long long)l->script.timeout_ms,
             (unsigned long long)l->seed);
    fprintf(file, "</p>\n<p>");
    put_text(file, setup);
    fprintf(file, "</p>\n");
    fprintf(file,
            "<p>All worlds ran at the same time on one machine of %d processors, which was "
            "%.0f&nbsp;%% busy meanwhile. Every number and every curve was measured in this run, "
            "%s.</p>\n",
            machine_processors(), machine_busy_pct(&l->machine), when);
    fprintf(file, "<p class=\"seen\">");
    put_text(file, compare_text(seen, l));
    fprintf(file, "</p>\n");
}

static void put_table(FILE *file, const lab *l)
{
    fprintf(file,
            "<h2>The outage in numbers</h2>\n<div class=\"wide\"><table>\n<thead><tr><td></td>");
    for (int w = 0; w < l->world_count; w++)
        fprintf(file, "<th scope=\"col\">%s</th>", l->worlds[w].plan->name);
    fprintf(file, "</tr></thead>\n<tbody>\n");
    for (int row = 0; table_label(row); row++) {
        fprintf(file, "<tr><th scope=\"row\">");
        put_text(file, table_label(row));
        fprintf(file, "</th>");
        for (int w = 0; w < l->world_count; w++) {
            char cell[TABLE_CELL];
            table_cell(cell, row, &l->worlds[w], &l->summaries[0][w]);
            fprintf(file, "<td>");
            put_text(file, cell);
            fprintf(file, "</td>");
        }
        fprintf(file, "</tr>\n");
    }
    fprintf(file, "</tbody>\n</table></div>\n");
}

static void put_legend(FILE *file)
{
    fprintf(
        file,
        "<h2>The outage in time</h2>\n<p>Each point of a curve is about the second around it.</p>\n"
        "<ul class=\"legend\">\n"
        "<li><svg viewBox=\"0 0 24 14\"><rect class=\"answered\" width=\"24\" height=\"14\"/>"
        "</svg>answered</li>\n"
        "<li><svg viewBox=\"0 0 24 14\"><rect class=\"failed\" width=\"24\" height=\"14\"/>"
        "</svg>failed, after waiting</li>\n"
        "<li><svg viewBox=\"0 0 24 14\"><rect class=\"rejected\" width=\"24\" height=\"14\"/>"
        "</svg>rejected at once</li>\n"
        "<li><svg viewBox=\"0 0 24 14\"><rect class=\"reached\" width=\"24\" height=\"14\"/>"
        "</svg>reached the service</li>\n"
        "<li><svg viewBox=\"0 0 24 14\"><line class=\"closed\" x2=\"24\" y1=\"7\" y2=\"7\"/>"
        "</svg>circuit closed</li>\n"
        "<li><svg viewBox=\"0 0 24 14\"><line class=\"half_open\" x2=\"24\" y1=\"7\" y2=\"7\"/>"
        "</svg>half-open</li>\n"
        "<li><svg viewBox=\"0 0 24 14\"><line class=\"open\" x2=\"24\" y1=\"7\" y2=\"7\"/>"
        "</svg>open</li>\n</ul>\n");
}

/* ---- curves: each lies on the one before --------------------------------------------------- */

static double nothing(const void *of, int64_t at_ns)
{
    (void)of;
    (void)at_ns;
    return 0;
}

static double answered(const void *of, int64_t at_ns)
{
    return series_rate(of, LOAD_ANSWERED, at_ns);
}

static double and_failed(const void *of, int64_t at_ns)
{
    return answered(of, at_ns) + series_rate(of, LOAD_FAILED, at_ns) +
           series_rate(of, LOAD_LOST, at_ns);
}

static double and_rejected(const void *of, int64_t at_ns)
{
    return and_failed(of, at_ns) + series_rate(of, LOAD_REJECTED, at_ns);
}

static double reached(const void *of, int64_t at_ns)
{
    return series_arrival_rate(of, at_ns);
}

/* ---- ribbons ------------------------------------------------------------------------------- */

static void put_ribbon(const plot *p, const world *w, int row)
{
    const tally *t = &w->tally;
    swg_state states[STAGE_INSTANCES];
    int64_t since_ns = p->start_ns;
    memcpy(states, t->at_start, sizeof states);
    plot_ribbon_label(p, row, (char)('A' + row));
    for (int i = 0; i < t->event_count; i++) {
        swg_state before = states[row];
        tally_apply(states, &t->events[i]);
        if (states[row] == before)
            continue;
        plot_ribbon(p, row, swg_state_name(before), since_ns, t->events[i].event.at_ns);
        since_ns = t->events[i].event.at_ns;
    }
    plot_ribbon(p, row, swg_state_name(states[row]), since_ns, p->end_ns);
}

/* ---- worlds -------------------------------------------------------------------------------- */

static void put_world(FILE *file, const lab *l, const world *w)
{
    char title[128];
    const tally *t = &w->tally;
    plot p = {.file = file,
              .start_ns = l->start_ns,
              .end_ns = l->end_ns,
              .top = (double)l->script.calls_per_s * 3 / 2,
              .ribbons = w->plan->breakers ? STAGE_INSTANCES : 0};
    fprintf(file, "<section>\n<h3>%s</h3>\n<div class=\"pair\">\n<figure>\n", w->plan->name);
    snprintf(title, sizeof title, "How calls ended over time, world %s", w->plan->name);
    plot_begin(&p, title, "calls ended/s", t->began_ns, t->healed_ns);
    plot_area(&p, "rejected", and_failed, and_rejected, &w->series);
    plot_area(&p, "failed", answered, and_failed, &w->series);
    plot_area(&p, "answered", nothing, answered, &w->series);
    for (int i = 0; i < p.ribbons; i++)
        put_ribbon(&p, w, i);
    plot_end(&p);
    fprintf(file, "</figure>\n<figure>\n");
    p.ribbons = 0;
    snprintf(title, sizeof title, "Calls that reached the service over time, world %s",
             w->plan->name);
    plot_begin(&p, title, "reach service/s", t->began_ns, t->healed_ns);
    plot_area(&p, "reached", nothing, reached, &w->series);
    plot_end(&p);
    fprintf(file, "</figure>\n</div>\n</section>\n");
}

/* ---- the file ------------------------------------------------------------------------------ */

static bool complain(const char *path, const char *why)
{
    fprintf(stderr, "cannot write the report %s: %s\nName another file with --report\n", path, why);
    return false;
}

bool report_possible(const char *path)
{
    char folder[PATH_MAX];
    struct stat file;
    if (stat(path, &file) == 0 && S_ISDIR(file.st_mode))
        return complain(path, strerror(EISDIR));
    snprintf(folder, sizeof folder, "%s", path);
    const char *where = access(path, F_OK) == 0 ? path : dirname(folder);
    return access(where, W_OK) == 0 || complain(path, strerror(errno));
}

bool report_write(lab *l, const char *path)
{
    char whole[PATH_MAX];
    FILE *file = fopen(path, "w");
    if (!file)
        return complain(path, strerror(errno));
    put_head(file, l);
    put_table(file, l);
    put_legend(file);
    for (int w = 0; w < l->world_count; w++)
        put_world(file, l, &l->worlds[w]);
    fprintf(file, "</body>\n</html>\n");
    bool fine = !ferror(file);
    if (fclose(file) != 0 || !fine)
        return complain(path, strerror(errno));
    story_report(l, realpath(path, whole) ? whole : path);
    return true;
}
