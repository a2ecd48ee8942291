#include "report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void report_add(struct report *r, enum finding_kind kind, const char *rule,
                const struct exchange *x, const char *circuit, const char *format, ...)
{
    struct finding *f;
    va_list ap;

    if (!r->kept[kind])
        r->kept[kind] = calloc(REPORT_KEPT, sizeof *r->kept[kind]);
    if (r->count[kind]++ >= REPORT_KEPT)
        return;
    f = &r->kept[kind][r->count[kind] - 1];
    f->rule = rule;
    snprintf(f->file, sizeof f->file, "%s", x->file);
    f->line = x->line;
    snprintf(f->shard, sizeof f->shard, "%s", x->shard ? x->shard : "");
    snprintf(f->circuit, sizeof f->circuit, "%s", circuit ? circuit : "");
    va_start(ap, format);
    vsnprintf(f->text, sizeof f->text, format, ap);
    va_end(ap);
}

bool report_has(const struct report *r, enum finding_kind kind, const char *rule)
{
    for (long i = 0; i < r->count[kind] && i < REPORT_KEPT; i++) {
        if (strcmp(r->kept[kind][i].rule, rule) == 0)
            return true;
    }
    return false;
}

void report_took(struct report *r, int64_t ns)
{
    if (r->took == r->took_room) {
        r->took_room = r->took_room ? 2 * r->took_room : 1024;
        r->took_ns = realloc(r->took_ns, r->took_room * sizeof *r->took_ns);
    }
    r->took_ns[r->took++] = ns;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Microseconds under which `percent` of the answers arrived. */
static int64_t took_us(struct report *r, unsigned percent)
{
    if (r->took == 0)
        return 0;
    qsort(r->took_ns, r->took, sizeof *r->took_ns, by_value);
    return r->took_ns[(r->took - 1) * percent / 100] / 1000;
}

static void print_finding(const struct finding *f, FILE *to)
{
    static const char sync_tag[] = "swg1:";
    const char *shard = f->shard;

    if (strncmp(shard, sync_tag, sizeof sync_tag - 1) == 0)
        shard += sizeof sync_tag - 1;
    fprintf(to, "  %s:%ld: %s: %s%s%s: %s\n", f->file, f->line, f->rule, shard,
            *f->circuit ? " " : "", f->circuit, f->text);
}

static void print_findings(const struct report *r, enum finding_kind kind, const char *title,
                           FILE *to)
{
    if (r->count[kind] == 0)
        return;
    fprintf(to, "%s: %ld\n", title, r->count[kind]);
    for (long i = 0; i < r->count[kind] && i < REPORT_KEPT; i++)
        print_finding(&r->kept[kind][i], to);
    if (r->count[kind] > REPORT_KEPT)
        fprintf(to, "  ... and %ld more\n", r->count[kind] - REPORT_KEPT);
}

void report_print(struct report *r, FILE *to)
{
    fprintf(to,
            "exchanges %ld (refused %ld, without a reply %ld, of these %ld must have run)\n"
            "shards %ld, servers %ld, reporters %ld, entries a request at most %d\n"
            "transitions %ld, half-open periods %ld, live leases at most %ld\n"
            "probes granted %ld, passed %ld, failed %ld, unused %ld, expired or lost %ld\n"
            "answered in %" PRId64 " us (half), %" PRId64 " us (99 %%), %" PRId64 " us (all)\n",
            r->exchanges, r->refused, r->silent, r->inserted, r->shards, r->servers, r->reporters,
            r->entries_most, r->transitions, r->periods, r->live_most, r->granted, r->passed,
            r->failed, r->unused, r->expired, took_us(r, 50), took_us(r, 99), took_us(r, 100));
    if (r->unchecked > 0)
        fprintf(to, "not checked, behind a reply that nothing explains: %ld exchanges\n",
                r->unchecked);
    if (r->went_fresh + r->went_back > 0)
        fprintf(to, "assumed: %ld times a fresh shard, %ld times an earlier state\n", r->went_fresh,
                r->went_back);
    print_findings(r, NOTE, "notes", to);
    print_findings(r, WARNING, "warnings", to);
    print_findings(r, VIOLATION, "violations", to);
    if (r->count[VIOLATION] == 0)
        fprintf(to, "no violation\n");
}

static json_t *findings_json(const struct report *r, enum finding_kind kind)
{
    json_t *list = json_array();

    for (long i = 0; i < r->count[kind] && i < REPORT_KEPT; i++) {
        const struct finding *f = &r->kept[kind][i];

        json_array_append_new(list, json_pack("{ss ss sI ss ss ss}", "rule", f->rule, "file",
                                              f->file, "line", (json_int_t)f->line, "shard",
                                              f->shard, "circuit", f->circuit, "text", f->text));
    }
    return list;
}

void report_print_json(struct report *r, FILE *to)
{
    const struct {
        const char *name;
        int64_t value;
    } figures[] = {
        {"exchanges", r->exchanges},
        {"refused", r->refused},
        {"silent", r->silent},
        {"silent_that_ran", r->inserted},
        {"unchecked", r->unchecked},
        {"shards", r->shards},
        {"servers", r->servers},
        {"reporters", r->reporters},
        {"entries_max", r->entries_most},
        {"transitions", r->transitions},
        {"half_open_periods", r->periods},
        {"live_leases_max", r->live_most},
        {"probes_granted", r->granted},
        {"probes_passed", r->passed},
        {"probes_failed", r->failed},
        {"probes_unused", r->unused},
        {"probes_expired", r->expired},
        {"answered_us_p50", took_us(r, 50)},
        {"answered_us_p99", took_us(r, 99)},
        {"answered_us_max", took_us(r, 100)},
        {"assumed_fresh", r->went_fresh},
        {"assumed_rollback", r->went_back},
        {"violation_count", r->count[VIOLATION]},
        {"note_count", r->count[NOTE]},
        {"warning_count", r->count[WARNING]},
    };
    json_t *all = json_object();

    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        json_object_set_new(all, figures[i].name, json_integer(figures[i].value));
    json_object_set_new(all, "violations", findings_json(r, VIOLATION));
    json_object_set_new(all, "notes", findings_json(r, NOTE));
    json_object_set_new(all, "warnings", findings_json(r, WARNING));
    json_dumpf(all, to, JSON_INDENT(2));
    fputc('\n', to);
    json_decref(all);
}

void report_free(struct report *r)
{
    for (int kind = 0; kind < FINDING_KINDS; kind++)
        free(r->kept[kind]);
    free(r->took_ns);
    memset(r, 0, sizeof *r);
}
