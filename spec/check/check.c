/* Shards apart, each through both passes; figures of the whole. */
#include "checker.h"

#include <stdlib.h>
#include <string.h>

/* Across shards nothing is ordered; within one, as the replies came. */
static int by_shard(const void *a, const void *b)
{
    const struct exchange *x = *(struct exchange *const *)a, *y = *(struct exchange *const *)b;
    int64_t s = x->answered_ns < 0 ? x->sent_ns : x->answered_ns;
    int64_t t = y->answered_ns < 0 ? y->sent_ns : y->answered_ns;
    int order = strcmp(x->shard, y->shard);

    if (order == 0)
        order = (s > t) - (s < t);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static long distinct(const char **text, size_t count)
{
    long different = 0;

    qsort(text, count, sizeof *text, compare_text);
    for (size_t i = 0; i < count; i++)
        different += i == 0 || strcmp(text[i], text[i - 1]) != 0;
    return different;
}

static void count_names(const struct recording *r, struct report *report)
{
    const char **names = calloc(r->count + 1, sizeof *names);
    size_t n = 0;

    for (size_t i = 0; i < r->count; i++) {
        if (r->x[i]->kind == EXCHANGE_SYNC)
            names[n++] = r->x[i]->reporter;
    }
    report->reporters = distinct(names, n);
    n = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (r->x[i]->answer)
            names[n++] = r->x[i]->answer->server;
    }
    report->servers = distinct(names, n);
    free(names);
}

static void count_exchanges(const struct recording *r, struct report *report)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct exchange *x = r->x[i];

        report->exchanges += x->outcome == EXCHANGE_ANSWERED;
        report->silent += x->outcome == EXCHANGE_SILENT;
        if (x->outcome == EXCHANGE_ANSWERED)
            report_took(report, x->answered_ns - x->sent_ns);
        if (x->entries > report->entries_most)
            report->entries_most = x->entries;
    }
    count_names(r, report);
}

static bool check_shard(struct exchange **x, long count, struct model *model, unsigned allow,
                        struct report *report, char why[2 * WHY_MAX])
{
    struct shard_run run = {.model = model, .report = report, .allow = allow};

    run.item = calloc((size_t)count + 1, sizeof(struct exchange *));
    run.silent = calloc((size_t)count + 1, sizeof(struct exchange *));
    for (long i = 0; i < count; i++) {
        if (x[i]->outcome == EXCHANGE_ANSWERED)
            run.item[run.items++] = x[i];
        else if (x[i]->outcome == EXCHANGE_SILENT)
            run.silent[run.silents++] = x[i];
    }
    history_open(&run.history, model);
    order_items(&run);
    explain(&run);
    if (!run.beyond)
        assert_invariants(&run);
    else
        snprintf(why, 2 * WHY_MAX,
                 "%s:%ld: %s has more than the %d circuits and %d reporters this program holds",
                 run.item[run.stuck]->file, run.item[run.stuck]->line, x[0]->shard,
                 SWG_STEP_CIRCUITS, SWG_STEP_REPORTERS);
    history_close(&run.history);
    free(run.item);
    free(run.silent);
    return !run.beyond;
}

bool check_recording(struct recording *recording, unsigned allow, struct report *report,
                     char why[2 * WHY_MAX])
{
    struct exchange **x = recording->x;
    struct model *model = calloc(1, sizeof *model);
    long count = (long)recording->count, end;
    bool good = true;

    count_exchanges(recording, report);
    assert_clients(recording, report);
    if (count > 0)
        qsort(x, (size_t)count, sizeof(struct exchange *), by_shard);
    for (long i = 0; good && i < count; i = end) {
        for (end = i; end < count && strcmp(x[end]->shard, x[i]->shard) == 0;)
            end++;
        report->shards++;
        good = check_shard(x + i, end - i, model, allow, report, why);
    }
    report->expired = report->granted - report->passed - report->failed - report->unused;
    free(model);
    return good;
}
