/* The C step function as a store of replay.h. */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reset(void *self, int64_t epoch, const char *server)
{
    struct replay_shard *s = self;

    memset(&s->shard, 0, sizeof s->shard);
    s->shard.schema = SWG_STEP_SCHEMA;
    s->shard.ep = epoch;
    snprintf(s->shard.server, sizeof s->shard.server, "%s", server);
    s->replica = s->shard;
}

static int sync(void *self, int64_t now, const char *server, const struct swg_step_request *request)
{
    static struct swg_step_reply reply;
    struct replay_shard *s = self;

    if (s->sync(&s->shard, now, server, request, &reply) != SWG_STEP_DONE)
        return -1;
    return reply.grants > 0 ? reply.grant[0].count : 0;
}

static void look(void *self, struct replay_state *state)
{
    const struct replay_shard *s = self;
    const struct swg_step_circuit *c = &s->shard.circuit[0];

    memset(state, 0, sizeof *state);
    state->since = s->shard.since;
    state->state = c->state;
    state->epoch = c->epoch;
    state->until = c->until;
    state->ps = c->ps;
    state->px = c->px;
    for (int i = 0; i < SWG_STEP_REPORTERS; i++) {
        if (s->shard.reporter[i][0])
            state->bad[atoi(s->shard.reporter[i] + 5)] = c->rec[i].bad;
    }
    for (int i = 0; i < SWG_STEP_LEASES; i++) {
        const struct swg_step_lease *lease = &c->lease[i];

        if (lease->used) {
            int row = atoi(s->shard.reporter[lease->reporter] + 5);

            state->lease[row] = lease->seq;
            state->expiry[row] = lease->expiry;
        }
    }
}

static void replicate(void *self)
{
    struct replay_shard *s = self;

    s->replica = s->shard;
}

static void failover(void *self)
{
    struct replay_shard *s = self;

    s->shard = s->replica;
}

struct replay_store replay_shard_store(struct replay_shard *shard)
{
    return (struct replay_store){shard, reset, sync, look, replicate, failover};
}
