/* Exchanges somebody waits for: tickets, and whether they were answered.
 *
 * Keeps: a ticket is answered by an exchange that began after it was given, and failed as soon as
 * it is known that there will be none for a while. */
#include "fleet/client.h"

/* Between an error and the next try nothing is sent, whoever asks. */
static bool is_backing_off(const struct client_shard *shard, int64_t now)
{
    return !shard->inflight && shard->errors > 0 && shard->due > now;
}

static uint64_t ask(swg_fleet *fleet, const char *circuit, bool wish, int64_t now)
{
    struct client_circuit *c = fleet && circuit ? swg__client_find(fleet, circuit) : NULL;
    struct client_shard *shard;

    if (!c) {
        if (fleet)
            fleet->rescan = 0; /* it may be new */
        return 0;
    }
    shard = &fleet->shards[c->shard];
    if (is_backing_off(shard, now))
        return shard->failed = ++shard->asked;
    c->asked = true;
    c->wish = c->wish || wish;
    if (shard->inflight)
        shard->again = true;
    else
        shard->due = swg__client_min(shard->due, now);
    return ++shard->asked;
}

uint64_t swg_fleet_ask(swg_fleet *fleet, const char *circuit, int64_t now)
{
    return ask(fleet, circuit, true, now);
}

uint64_t swg__client_tell(swg_fleet *fleet, const char *circuit, int64_t now)
{
    return ask(fleet, circuit, false, now);
}

int swg_fleet_answered(const swg_fleet *fleet, const char *circuit, uint64_t ticket)
{
    const struct client_circuit *c = fleet && circuit ? swg__client_find(fleet, circuit) : NULL;
    const struct client_shard *shard = c ? &fleet->shards[c->shard] : NULL;
    const struct client_link *link = c ? swg__client_link(fleet, shard->link) : NULL;

    if (!c)
        return -1;
    if (ticket <= shard->answered)
        return 1;
    return ticket <= shard->failed || !link->up || link->gave_up ? -1 : 0;
}

/* Where there were more circuits than fit, those asked for may have to wait for their turn. */
void swg__client_ask_sent(const swg_fleet *fleet, struct client_shard *shard)
{
    bool all = true;

    for (uint32_t i = 0; i < shard->count; i++)
        all = all && !fleet->circuits[shard->circuits[i]]->asked;
    if (all)
        shard->sent_ask = shard->asked;
    shard->again = !all;
}

/* With an error all who wait are told: the next exchange is a while away. */
void swg__client_ask_done(struct client_shard *shard, bool answered, int64_t now)
{
    if (answered)
        shard->answered = shard->sent_ask;
    else
        shard->failed = shard->asked;
    if (shard->again && answered)
        shard->due = now;
}
