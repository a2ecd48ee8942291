/* Two replies, field by field. */
#include "redis_lab.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int differs(const char *row, int i, const char *field, int64_t a, int64_t b)
{
    if (a == b)
        return 0;
    fprintf(stderr, "%s %d %s: %" PRId64 " and %" PRId64 "\n", row, i, field, a, b);
    return 1;
}

static int named(const char *row, int i, const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return 0;
    fprintf(stderr, "%s %d: %s and %s\n", row, i, a, b);
    return 1;
}

#define FIELD(row, i, f) differs(row, i, #f, a->f, b->f)

static int grant(int i, const struct swg_step_grant *a, const struct swg_step_grant *b)
{
    return named("grant", i, a->circuit, b->circuit) + FIELD("grant", i, epoch) +
           FIELD("grant", i, seq) + FIELD("grant", i, count) + FIELD("grant", i, ttl) +
           FIELD("grant", i, wait) + FIELD("grant", i, quarantine);
}

static int view(int i, const struct swg_step_view *a, const struct swg_step_view *b)
{
    return named("view", i, a->circuit, b->circuit) + FIELD("view", i, epoch) +
           FIELD("view", i, state) + FIELD("view", i, remaining) + FIELD("view", i, age) +
           FIELD("view", i, backoff) + FIELD("view", i, cause) + FIELD("view", i, trip.cause) +
           FIELD("view", i, trip.n) + FIELD("view", i, trip.f) + FIELD("view", i, trip.s) +
           FIELD("view", i, trip.bad) + FIELD("view", i, trip.votes) +
           FIELD("view", i, trip.reporters);
}

static int offer(int i, const struct swg_step_offer *a, const struct swg_step_offer *b)
{
    int bad = named("offer", i, a->circuit, b->circuit) + FIELD("offer", i, rev) +
              FIELD("offer", i, stored);

    for (int k = 0; k < SWG_CFG_COUNT; k++)
        bad += differs("offer", i, swg_step_config_ranges[k].name, a->config.v[k], b->config.v[k]);
    return bad;
}

int replies_differ(const struct swg_step_reply *a, const struct swg_step_reply *b)
{
    int bad = FIELD("reply", 0, now) + FIELD("reply", 0, next) + FIELD("reply", 0, reporters) +
              FIELD("reply", 0, cursor) + FIELD("reply", 0, more) + FIELD("reply", 0, grants) +
              FIELD("reply", 0, views) + FIELD("reply", 0, offers) +
              named("server", 0, a->server, b->server);

    for (int i = 0; !bad && i < a->grants; i++)
        bad += grant(i, &a->grant[i], &b->grant[i]);
    for (int i = 0; !bad && i < a->views; i++)
        bad += view(i, &a->view[i], &b->view[i]);
    for (int i = 0; !bad && i < a->offers; i++)
        bad += offer(i, &a->offer[i], &b->offer[i]);
    return bad;
}
