#include "books.h"

#include "fleet/step_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more; grows by doubling. */
static void *grow(void *rows, long count, size_t size)
{
    if (count > 0 && (count & (count - 1)) != 0)
        return rows;
    return realloc(rows, (size_t)(count > 0 ? 2 * count : 1) * size);
}

struct book *books_of(struct books *b, const char *circuit)
{
    for (long i = 0; i < b->count; i++) {
        if (strcmp(b->book[i].circuit, circuit) == 0)
            return &b->book[i];
    }
    b->book = grow(b->book, b->count, sizeof *b->book);
    memset(&b->book[b->count], 0, sizeof *b->book);
    snprintf(b->book[b->count].circuit, SWG_STEP_NAME, "%s", circuit);
    return &b->book[b->count++];
}

int books_reporter(struct books *b, const char *name)
{
    for (long i = 0; i < b->reporters; i++) {
        if (strcmp(b->reporter[i], name) == 0)
            return (int)i;
    }
    b->reporter = grow(b->reporter, b->reporters, sizeof *b->reporter);
    snprintf(b->reporter[b->reporters], SWG_STEP_NAME, "%s", name);
    return (int)b->reporters++;
}

void books_free(struct books *b)
{
    for (long i = 0; i < b->count; i++) {
        free(b->book[i].lease);
        free(b->book[i].said);
        free(b->book[i].known);
        free(b->book[i].period);
    }
    free(b->book);
    free(b->reporter);
    memset(b, 0, sizeof *b);
}

struct lease_note *book_lease(struct book *b, const struct swg_step_result *r, int reporter)
{
    for (long i = b->leases - 1; i >= 0; i--) {
        struct lease_note *l = &b->lease[i];

        if (l->epoch == r->epoch && l->seq == r->seq && l->index == r->index &&
            l->reporter == reporter)
            return l;
    }
    return NULL;
}

void book_grant(struct book *b, const struct swg_step_grant *g, int reporter, int64_t now,
                int64_t rev)
{
    for (int i = 0; i < g->count; i++) {
        b->lease = grow(b->lease, b->leases, sizeof *b->lease);
        b->lease[b->leases++] = (struct lease_note){.epoch = g->epoch,
                                                    .seq = g->seq,
                                                    .granted = now,
                                                    .expiry = now + g->ttl,
                                                    .rev = rev,
                                                    .index = i,
                                                    .reporter = reporter};
    }
}

/* Granted later than now: the server's clock was set back so far that times cannot be compared. */
bool lease_live(const struct lease_note *l, int64_t now)
{
    return !l->settled && l->granted <= now && l->expiry > now;
}

void book_say(struct book *b, const struct swg_step_entry *e, int reporter)
{
    bool trouble = e->f > 0 || e->s > 0 || e->l > 0 || e->local_open;

    for (long i = b->saids - 1; i >= 0; i--) {
        struct said *s = &b->said[i];

        if (s->reporter != reporter || s->epoch != e->epoch)
            continue;
        if (!swg_rule_late(e->seq, s->seq)) {
            s->seq = e->seq;
            s->trouble = trouble;
        }
        s->ever = s->ever || trouble;
        s->since = true;
        return;
    }
    b->said = grow(b->said, b->saids, sizeof *b->said);
    b->said[b->saids++] = (struct said){e->epoch, e->seq, reporter, trouble, trouble, true};
}

long book_troubled(const struct book *b, int64_t epoch)
{
    long count = 0;

    for (long i = 0; i < b->saids; i++)
        count += b->said[i].trouble && b->said[i].epoch == epoch;
    return count;
}

long book_misled(const struct book *b, int64_t epoch)
{
    long count = 0;

    for (long i = 0; i < b->saids; i++)
        count += b->said[i].trouble && b->said[i].since && b->said[i].epoch != epoch;
    return count;
}

void book_turn(struct book *b)
{
    for (long i = 0; i < b->saids; i++)
        b->said[i].since = false;
}

void book_went_back(struct book *b)
{
    for (long i = 0; i < b->saids; i++)
        b->said[i].trouble = b->said[i].ever;
    b->latest = 0;
}

struct period *book_period(struct book *b, int64_t epoch)
{
    for (long i = b->periods - 1; i >= 0; i--) {
        if (b->period[i].epoch == epoch)
            return &b->period[i];
    }
    b->period = grow(b->period, b->periods, sizeof *b->period);
    b->period[b->periods] = (struct period){.epoch = epoch};
    return &b->period[b->periods++];
}

int book_epoch(struct book *b, int64_t epoch, int state)
{
    for (long i = b->knowns - 1; i >= 0; i--) {
        if (b->known[i].epoch == epoch)
            return b->known[i].state;
    }
    b->known = grow(b->known, b->knowns, sizeof *b->known);
    b->known[b->knowns++] = (struct known_epoch){epoch, state};
    return -1;
}
