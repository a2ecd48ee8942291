#include "client_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_US INT64_C(1790000000000000)
#define START_NS (INT64_C(1000000) * MS)
#define HELD_PROBE 8 /* permit->held of a probe of the fleet */

uint64_t client_world_below(struct client_world *w, uint64_t limit)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return limit > 0 ? w->random % limit : 0;
}

static bool chance(struct client_world *w, unsigned one_in)
{
    return client_world_below(w, one_in) == 0;
}

void client_world_start(struct client_world *w, int hosts, uint64_t seed,
                        const swg_fleet_config *config)
{
    static const swg_circuit_config circuit = {.size = sizeof circuit,
                                               .window_ms = 2000,
                                               .calls_min = 10,
                                               .recovery_ms = 1000,
                                               .recovery_ms_max = 4000,
                                               .probes = 3};

    memset(w, 0, sizeof *w);
    w->random = seed * 2654435761u + 88172645463325252u;
    w->now_ns = START_NS;
    w->hosts = hosts;
    w->healthy = true;
    w->delay_ms = 2;
    w->call_ms = 20;
    memory_server_start(&w->server, START_US, '1');
    w->old = w->server;
    for (int i = 0; i < hosts; i++) {
        struct host *h = &w->host[i];
        swg_fleet_config mine = *config;

        mine.reporter = seed * 1000 + (uint64_t)i + 1;
        mine.host = "host";
        mine.shards = MEMORY_SHARDS;
        ck_assert_int_eq(swg_panel_open(&h->panel, NULL, SWG_PANEL(.circuits = 4)), SWG_OK);
        ck_assert_int_eq(swg_circuit_open(&h->circuit, h->panel, "db", &circuit), SWG_OK);
        ck_assert_int_eq(swg_fleet_open(&h->fleet, h->panel, &mine, seed + (uint64_t)i, w->now_ns),
                         SWG_OK);
        h->every_ms = 10;
        h->next_call_ns = w->now_ns;
    }
}

static void drop(struct parcel **row)
{
    while (*row) {
        struct parcel *p = *row;

        *row = p->next;
        free(p->bytes);
        free(p);
    }
}

void client_world_break(struct client_world *w, int host)
{
    struct host *h = &w->host[host];

    if (!h->up)
        return;
    drop(&h->there);
    drop(&h->back);
    redisReaderFree(h->reader);
    h->reader = NULL;
    h->up = false;
    h->connect_ns = swg_fleet_disconnected(h->fleet, 0, w->now_ns);
}

void client_world_succeed(struct client_world *w, int host, const swg_fleet_config *config)
{
    struct host *h = &w->host[host];

    client_world_break(w, host);
    swg_fleet_close(&h->fleet);
    ck_assert_int_eq(
        swg_fleet_open(&h->fleet, h->panel, config, client_world_below(w, 1000), w->now_ns),
        SWG_OK);
    h->connect_ns = w->now_ns;
}

void client_world_stop(struct client_world *w)
{
    for (int i = 0; i < w->hosts; i++) {
        client_world_break(w, i);
        swg_fleet_close(&w->host[i].fleet);
        swg_panel_close(&w->host[i].panel);
    }
    if (w->again)
        freeReplyObject(w->again);
}

void client_world_replicate(struct client_world *w)
{
    w->old = w->server;
}

void client_world_failover(struct client_world *w, char kind)
{
    memcpy(w->server.shard, w->old.shard, sizeof w->server.shard);
    memory_server_become(&w->server, kind);
    for (int i = 0; i < w->hosts; i++)
        client_world_break(w, i);
    w->old = w->server;
}

swg_fleet_mode client_world_mode(const struct client_world *w, int host)
{
    swg_fleet_shard_snapshot s;
    const struct host *h = &w->host[host];

    swg_fleet_read_shard(h->fleet, swg_fleet_shard(h->fleet, "db"), &s);
    return (swg_fleet_mode)s.mode;
}

swg_fleet_circuit_snapshot client_world_view(const struct client_world *w, int host)
{
    swg_fleet_circuit_snapshot s = {0};

    swg_fleet_read_circuit(w->host[host].fleet, "db", &s);
    return s;
}

struct swg_step_circuit *client_world_truth(struct client_world *w)
{
    return memory_circuit(&w->server, "db");
}

/* ---- what truly happened ---- */

static struct ghost *ghost_of(struct client_world *w, int64_t epoch)
{
    for (int i = w->ghosts - 1; i >= 0; i--) {
        if (w->ghost[i].epoch == epoch)
            return &w->ghost[i];
    }
    ck_assert_int_lt(w->ghosts, EPOCHS_MAX);
    w->ghost[w->ghosts] = (struct ghost){.epoch = epoch};
    return &w->ghost[w->ghosts++];
}

/* I1: no more probes in flight in the whole fleet than granted at once. */
static void check_probes(struct client_world *w)
{
    struct swg_step_circuit *c = client_world_truth(w);
    int flying = 0;

    for (int i = 0; i < w->hosts; i++) {
        for (int k = 0; k < w->host[i].flying; k++)
            flying += w->host[i].flight[k].probe;
    }
    if (flying > w->most_probes)
        w->most_probes = flying;
    if (c && flying > 0)
        ck_assert_int_le(flying, (int)c->config.v[SWG_CFG_PROBES]);
}

/* I2, I3: what the server counted in this period was there, and not twice. I4: closed by that. */
static void check_truth(struct client_world *w, const struct swg_step_circuit *before)
{
    struct swg_step_circuit *c = client_world_truth(w);

    if (!c)
        return;
    if (c->state == SWG_STEP_HALF) {
        struct ghost *g = ghost_of(w, c->epoch);

        ck_assert_int_le(c->ps, g->passed);
        ck_assert_int_le(c->pf, g->failed);
    }
    if (before->state != SWG_STEP_CLOSED && before->used && c->state == SWG_STEP_CLOSED) {
        ck_assert_int_eq(before->state, SWG_STEP_HALF);
        ck_assert_int_ge(ghost_of(w, before->epoch)->passed, c->config.v[SWG_CFG_NEED]);
        w->periods++;
    }
}

/* ---- calls ---- */

static void end_calls(struct client_world *w, struct host *h)
{
    for (int i = h->flying - 1; i >= 0; i--) {
        struct flight *f = &h->flight[i];

        if (f->ends_ns > w->now_ns)
            continue;
        if (f->probe && f->fails)
            ghost_of(w, f->epoch)->failed++;
        else if (f->probe)
            ghost_of(w, f->epoch)->passed++;
        swg_release(h->circuit, &f->permit,
                    !f->fails    ? SWG_SUCCESS
                    : h->at_home ? SWG_FAILURE_LOCAL
                                 : SWG_FAILURE,
                    w->now_ns);
        *f = h->flight[--h->flying];
    }
}

/* I14: what the fleet opened stays shut to its time, whatever became of Redis. */
static void check_call(const struct client_world *w, int host, const struct flight *f)
{
    swg_fleet_circuit_snapshot view = client_world_view(w, host);

    if (f->probe) {
        ck_assert_uint_eq(view.state, SWG_FLEET_HALF_OPEN);
        ck_assert(client_world_mode(w, host) == SWG_FLEET_FLEET ||
                  client_world_mode(w, host) == SWG_FLEET_REJOIN);
        return;
    }
    ck_assert(view.state != SWG_FLEET_OPEN || w->now_ns >= view.until_ns);
    if (client_world_mode(w, host) != SWG_FLEET_LOCAL)
        ck_assert(view.state != SWG_FLEET_OPEN && view.state != SWG_FLEET_HALF_OPEN);
}

static void call(struct client_world *w, int host)
{
    struct host *h = &w->host[host];
    struct flight *f = &h->flight[h->flying];

    if (w->now_ns < h->next_call_ns || h->flying == FLIGHT_MAX)
        return;
    h->next_call_ns = w->now_ns + h->every_ms * MS;
    if (swg_acquire(h->circuit, &f->permit, w->now_ns) != SWG_PERMITTED) {
        h->rejected++;
        return;
    }
    h->permitted++;
    f->probe = (f->permit.held & HELD_PROBE) != 0;
    h->probes += f->probe;
    f->fails = !w->healthy || h->broken;
    f->ends_ns = w->now_ns + (1 + (int64_t)client_world_below(w, (uint64_t)w->call_ms)) * MS;
    f->epoch = (int64_t)client_world_view(w, host).epoch;
    check_call(w, host, f);
    h->flying++;
}

/* ---- the network ---- */

static void post(struct client_world *w, struct parcel **row, const char *bytes, size_t count)
{
    struct parcel *p = calloc(1, sizeof *p);
    int64_t extra = w->lossy ? (int64_t)client_world_below(w, 40) : 0;

    p->bytes = malloc(count);
    memcpy(p->bytes, bytes, count);
    p->used = count;
    p->at_ns = w->now_ns + (w->delay_ms + extra) * MS;
    while (*row) {
        if ((*row)->at_ns > p->at_ns)
            p->at_ns = (*row)->at_ns; /* a stream keeps its order */
        row = &(*row)->next;
    }
    *row = p;
}

static struct parcel *arrived(struct client_world *w, struct parcel **row)
{
    struct parcel *p = *row;

    if (!p || p->at_ns > w->now_ns)
        return NULL;
    *row = p->next;
    return p;
}

static size_t execute(struct client_world *w, const redisReply *command, char *out)
{
    struct swg_step_circuit before = {0}, *c = client_world_truth(w);
    size_t used;

    if (c)
        before = *c;
    used = memory_server_run(&w->server, command, out);
    check_truth(w, &before);
    return used;
}

/* Late and a second time: the reply goes nowhere. */
static void run_again(struct client_world *w, char *out)
{
    if (!w->again || !chance(w, 30))
        return;
    execute(w, w->again, out);
    freeReplyObject(w->again);
    w->again = NULL;
}

static void serve(struct client_world *w, struct host *h, const struct parcel *p)
{
    static char out[MEMORY_REPLY];
    void *command;

    redisReaderFeed(h->reader, p->bytes, p->used);
    while (redisReaderGetReply(h->reader, &command) == REDIS_OK && command) {
        size_t used = execute(w, command, out);

        post(w, &h->back, out, used);
        run_again(w, out);
        if (w->lossy && !w->again && chance(w, 10))
            w->again = command;
        else
            freeReplyObject(command);
    }
}

static void connect_host(struct client_world *w, struct host *h)
{
    if (h->up || h->cut || w->now_ns < h->connect_ns)
        return;
    h->up = true;
    h->reader = redisReaderCreate();
    ck_assert_int_eq(swg_fleet_connected(h->fleet, 0, w->now_ns), SWG_OK);
}

static void carry(struct client_world *w, int host)
{
    struct host *h = &w->host[host];
    struct parcel *p;
    const char *bytes;
    size_t count;

    swg_fleet_output(h->fleet, 0, &bytes, &count);
    if (count > 0)
        post(w, &h->there, bytes, count);
    swg_fleet_sent(h->fleet, 0, count);
    if (h->cut)
        return;
    while ((p = arrived(w, &h->there))) {
        serve(w, h, p);
        free(p->bytes);
        free(p);
    }
    while ((p = arrived(w, &h->back))) {
        ck_assert_int_eq(swg_fleet_feed(h->fleet, 0, p->bytes, p->used, w->now_ns), SWG_OK);
        free(p->bytes);
        free(p);
    }
}

static void heed(struct client_world *w, int host)
{
    swg_fleet_event event;

    while (swg_fleet_poll(w->host[host].fleet, &event)) {
        if (event.kind == SWG_FLEET_EVENT_GIVE_UP)
            client_world_break(w, host);
        if (event.kind != SWG_FLEET_EVENT_LIMITS)
            continue;
        w->host[host].limits = event;
        w->host[host].told++;
    }
}

static void step(struct client_world *w)
{
    w->now_ns += STEP_MS * MS;
    w->server.now_us += STEP_MS * 1000;
    for (int i = 0; i < w->hosts; i++) {
        struct host *h = &w->host[i];

        connect_host(w, h);
        end_calls(w, h);
        ck_assert_int_gt(swg_fleet_tick(h->fleet, w->now_ns), w->now_ns);
        heed(w, i);
        if (h->up)
            carry(w, i);
        heed(w, i);
        call(w, i);
        if (w->lossy && chance(w, 400))
            client_world_break(w, i);
    }
    check_probes(w);
}

void client_world_run(struct client_world *w, int64_t ms)
{
    for (int64_t t = 0; t < ms; t += STEP_MS)
        step(w);
}
