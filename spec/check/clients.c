/* What each client says next after what it was told: I8, I14, and its sequence numbers. */
#include "checker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A client reads its clock a little before or after the bytes pass the proxy. */
#define SLACK_NS INT64_C(100000000)

/* What one client knows of one circuit. */
struct told {
    char circuit[SWG_STEP_NAME];
    int64_t epoch, until_ns; /* 0: not timed */
    int state;
    const struct exchange *by; /* NULL: nothing yet */
    int64_t seq;
    const struct exchange *seq_of;
};

enum { RECALL = 512 }; /* requests a late one may be behind */

struct client {
    struct report *report;
    struct told *told;
    long count, room;
    uint64_t digest[RECALL]; /* of its last requests */
    long requests;
};

static struct told *told_of(struct client *c, const char *circuit)
{
    for (long i = 0; i < c->count; i++) {
        if (strcmp(c->told[i].circuit, circuit) == 0)
            return &c->told[i];
    }
    if (c->count == c->room) {
        c->room = c->room ? 2 * c->room : 8;
        c->told = realloc(c->told, (size_t)c->room * sizeof *c->told);
    }
    memset(&c->told[c->count], 0, sizeof *c->told);
    memcpy(c->told[c->count].circuit, circuit, SWG_STEP_NAME);
    return &c->told[c->count++];
}

static bool same_connection(const struct exchange *a, const struct exchange *b)
{
    return a->conn == b->conn && strcmp(a->route, b->route) == 0;
}

/* Did the client have all of `a` when it said `b`? A reply on a connection it has given up may
 * never have been read. */
static bool knew(const struct exchange *a, const struct exchange *b)
{
    return a->delivered && a->answered_ns >= 0 && a->answered_ns < b->sent_ns &&
           same_connection(a, b);
}

/* The network may bring the same bytes twice, the second time late. A client never says the same
 * twice: the numbers rise. */
static bool said_before(struct client *c, const struct exchange *x)
{
    for (long i = c->requests; i > 0 && i > c->requests - RECALL; i--) {
        if (c->digest[(i - 1) % RECALL] == x->digest)
            return true;
    }
    c->digest[c->requests++ % RECALL] = x->digest;
    return false;
}

/* Bytes the network held may pass after those of a later connection: within one they keep their
 * order. */
static void check_seq(struct client *c, struct told *t, const struct exchange *x, int64_t seq)
{
    const struct exchange *last = t->seq_of;

    if (last && same_connection(last, x) && seq <= t->seq)
        report_add(c->report, VIOLATION, "seq", x, t->circuit,
                   "%s says seq %" PRId64 " after %" PRId64 " (line %ld)", x->reporter, seq, t->seq,
                   last->line);
    if (!last || seq > t->seq) {
        t->seq = seq;
        t->seq_of = x;
    }
}

static void check_view(struct client *c, const struct told *t, const struct exchange *x,
                       const struct swg_step_entry *e)
{
    int64_t left = t->until_ns - x->sent_ns - SLACK_NS;

    if (e->epoch < t->epoch)
        report_add(c->report, VIOLATION, "I8", x, t->circuit,
                   "%s speaks of epoch %" PRId64 ", and was told %" PRId64 " (line %ld)",
                   x->reporter, e->epoch, t->epoch, t->by->line);
    if (e->epoch != t->epoch)
        return;
    if (e->state != t->state)
        report_add(c->report, VIOLATION, "I8", x, t->circuit,
                   "%s says state %d under epoch %" PRId64 ", and was told %d (line %ld)",
                   x->reporter, e->state, e->epoch, t->state, t->by->line);
    else if (t->until_ns > 0 && e->remaining * 1000 < left)
        report_add(c->report, VIOLATION, "I14", x, t->circuit,
                   "%s has %" PRId64 " us left of what was to stay open for %" PRId64
                   " us more (line %ld)",
                   x->reporter, e->remaining, (t->until_ns - x->sent_ns) / 1000, t->by->line);
}

/* Told twice of one opening, the shorter time may hold. */
static void learn_view(struct client *c, const struct swg_step_view *v, const struct exchange *x)
{
    struct told *t = told_of(c, v->circuit);
    bool timed = v->state == SWG_STEP_OPEN || v->state == SWG_STEP_FORCED;
    int64_t until = timed ? x->answered_ns + v->remaining * 1000 : 0;

    if (t->by && t->epoch == v->epoch && t->until_ns < until)
        until = t->until_ns;
    t->epoch = v->epoch;
    t->state = v->state;
    t->until_ns = until;
    t->by = x;
}

static void hear(struct client *c, const struct exchange *x)
{
    if (said_before(c, x))
        return;
    for (int i = 0; i < x->entries; i++) {
        const struct swg_step_entry *e = &x->entry[i];
        struct told *t = told_of(c, e->circuit);

        check_seq(c, t, x, e->seq);
        if (t->by && knew(t->by, x))
            check_view(c, t, x, e);
    }
    for (int i = 0; x->outcome == EXCHANGE_ANSWERED && x->delivered && i < x->answer->views; i++)
        learn_view(c, &x->answer->view[i], x);
}

static int by_client(const void *a, const void *b)
{
    const struct exchange *x = *(struct exchange *const *)a, *y = *(struct exchange *const *)b;
    int order = strcmp(x->shard, y->shard);

    if (order == 0)
        order = strcmp(x->reporter, y->reporter);
    if (order == 0)
        order = (x->sent_ns > y->sent_ns) - (x->sent_ns < y->sent_ns);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

void assert_clients(const struct recording *recording, struct report *report)
{
    struct exchange **x = calloc(recording->count + 1, sizeof(struct exchange *));
    struct client c = {.report = report};

    for (size_t i = 0; i < recording->count; i++)
        x[i] = recording->x[i];
    qsort(x, recording->count, sizeof(struct exchange *), by_client);
    for (size_t i = 0; i < recording->count; i++) {
        if (i == 0 || strcmp(x[i]->shard, x[i - 1]->shard) != 0 ||
            strcmp(x[i]->reporter, x[i - 1]->reporter) != 0)
            c.count = c.requests = 0;
        if (x[i]->kind == EXCHANGE_SYNC)
            hear(&c, x[i]);
    }
    free(c.told);
    free(x);
}
