#include "server.h"

#include "fleet/step_internal.h"

#include <string.h>

#ifndef NPROBE
#define NPROBE 1
#endif
#ifndef NEED
#define NEED 1
#endif
#ifndef KQ
#define KQ 2
#endif
#ifndef PXLIM
#define PXLIM 2
#endif

#define SECOND INT64_C(1000000)
#define LEASE (5 * SECOND)
#define BASE_MS INT64_C(1000000) /* where the model's epochs start, in ms since 2024 */
#define SEQ 100                  /* of a request with id 0 */
#define CALLS 10                 /* of a reporter that says its calls fail */
#define OLD 1  /* slow calls, which decide nothing here, mark a record of before */
#define NONE 0 /* results of the model */
#define FAILR 2

struct spec_node spec_node;
struct spec_request spec_request;
struct spec_reply spec_reply;

static struct swg_step_shard shard;
static struct swg_step_request request;
static struct swg_step_reply reply;
static struct swg_step_circuit *const c = shard.circuit;

static int64_t wide(unsigned ep)
{
    return ep ? (BASE_MS + ep / SPEC_SERVERS) * 4096 + ep % SPEC_SERVERS : 0;
}

static unsigned char narrow(int64_t epoch)
{
    return epoch ? (unsigned char)((epoch / 4096 - BASE_MS) * SPEC_SERVERS + epoch % 4096) : 0;
}

/* Constant, unless epochs are to come from the clock: then a tick with every transition. Behind the
 * epochs, so that a change of server need not raise them. */
static int64_t now_us(void)
{
    return (SWG_STEP_MS_2024 + BASE_MS + 1 + spec_request.clock) * 1000;
}

/* SAMETAG: the servers share the twelve bits that their epochs carry. */
static void name_server(char text[41], unsigned server)
{
    memset(text, 0, 41);
    memset(text, '0', 40);
#ifdef SAMETAG
    text[39] = (char)('0' + server);
#else
    text[2] = (char)('0' + server);
#endif
}

static void configure(struct swg_step_config *config)
{
    int64_t *v = config->v;

    swg_step_config_default(config);
    v[SWG_CFG_CALLS_MIN] = 1;
    v[SWG_CFG_QUORUM] = KQ;
    v[SWG_CFG_PROBES] = NPROBE;
    v[SWG_CFG_NEED] = NEED;
    v[SWG_CFG_FAIL_LIMIT] = 1;
    v[SWG_CFG_EXPIRY_LIMIT] = PXLIM;
    v[SWG_CFG_OPEN] = v[SWG_CFG_OPEN_MAX] = v[SWG_CFG_LEASE] = LEASE;
    v[SWG_CFG_RAMP] = v[SWG_CFG_QUARANTINE] = 0;
}

/* Evidence is either a rate or, with VOTES, the reporter's own breaker. */
static void put_record(int row, int64_t seq)
{
    struct swg_step_record *r = &c->rec[row];

    *r = (struct swg_step_record){.used = true, .seq = seq, .expiry = now_us() + 12 * SECOND};
    r->s = OLD;
    c->s += OLD;
    if (!spec_node.bad[row])
        return;
    r->bad = r->bad2 = true;
#ifdef VOTES
    r->open = true;
    c->vote++;
    c->vote2++;
#else
    r->n = r->f = CALLS;
    c->n += CALLS;
    c->f += CALLS;
#endif
    c->bad++;
    c->bad2++;
    c->rep++;
}

static void put_lease(int row)
{
    struct swg_step_lease *lease = c->lease;

    while (lease->used)
        lease++;
    *lease = (struct swg_step_lease){.used = true, .epoch = c->epoch, .reporter = row};
    lease->seq = SEQ + spec_node.lease[row];
    lease->expiry = spec_node.expired[row] ? now_us() : now_us() + LEASE;
}

static void put_row(int row)
{
    int64_t seq = row == spec_request.row ? SEQ + spec_request.id - !spec_request.late : 1;

    shard.reporter[row][0] = (char)('a' + row);
    shard.alive[row] = now_us() + SWG_STEP_ALIVE;
    if (c->state == SWG_STEP_CLOSED && (spec_node.seen[row] || spec_node.bad[row]))
        put_record(row, seq);
    if (c->state == SWG_STEP_HALF && spec_node.seen[row])
        c->half[row] = (struct swg_step_half){.used = true, .seq = seq};
    if (spec_node.lease[row])
        put_lease(row);
}

static void put_shard(void)
{
    const struct spec_node *n = &spec_node;

    memset(&shard, 0, sizeof shard);
    shard.schema = SWG_STEP_SCHEMA;
    if (n->srv)
        name_server(shard.server, n->srv - 1u);
    shard.t = now_us();
    shard.since = n->hold ? now_us() : n->srv ? now_us() - LEASE : 0;
    shard.ep = c->epoch = wide(n->ep);
    c->name[0] = 'c';
    c->used = true;
    c->known = n->ep > 0;
    c->state = n->st;
    c->until = n->st == SWG_STEP_OPEN ? now_us() + !n->due : 0;
    c->has_config = true;
    c->rev = 1;
    configure(&c->config);
    c->ps = n->ps;
    c->px = n->px;
    for (int row = 0; row < SPEC_ROWS; row++)
        put_row(row);
}

static void put_request(void)
{
    const struct spec_request *q = &spec_request;
    struct swg_step_entry *e = request.entry;

    memset(&request, 0, sizeof request);
    request.schema = SWG_STEP_SCHEMA;
    request.reporter[0] = (char)('a' + q->row);
    request.cursor = SWG_STEP_NUMBER;
    request.entries = 1;
    e->circuit[0] = 'c';
    e->seq = SEQ + q->id;
    e->epoch = wide(q->ep);
    e->state = q->st;
    e->remaining = q->st == SWG_STEP_OPEN && !q->over ? LEASE : 0;
    e->want = q->want;
    e->rev = 1;
#ifdef VOTES
    e->local_open = q->bad;
#else
    e->n = e->f = q->bad ? CALLS : 0;
#endif
    if (q->result == NONE)
        return;
    e->results = 1;
    e->result[0].epoch = wide(q->result_ep);
    e->result[0].seq = SEQ + q->result_id;
    e->result[0].outcome = q->result == FAILR ? SWG_STEP_FAILED
                           : q->result == 1   ? SWG_STEP_OK
                                              : SWG_STEP_UNUSED;
}

static void get_row(int row)
{
    spec_node.lease[row] = spec_node.expired[row] = 0;
    spec_node.bad[row] = c->rec[row].used && c->rec[row].bad;
    if (c->state == SWG_STEP_CLOSED)
        spec_node.seen[row] = spec_node.seen[row] && c->rec[row].used;
    else
        spec_node.seen[row] = spec_node.seen[row] && c->half[row].used;
}

static void get_lease(const struct swg_step_lease *lease)
{
    if (!lease->used)
        return;
    spec_reply.fault |= spec_node.lease[lease->reporter] != 0;
    spec_node.lease[lease->reporter] = (unsigned char)(lease->seq - SEQ);
    spec_node.expired[lease->reporter] = lease->expiry <= now_us();
}

static void get_shard(void)
{
    struct spec_node *n = &spec_node;
    int row = spec_request.row;
    int64_t seq = SEQ + spec_request.id;

    n->st = (unsigned char)c->state;
    n->ep = narrow(c->epoch);
    n->ps = (unsigned char)c->ps;
    n->px = (unsigned char)swg__step_min(c->px, PXLIM + 1); /* beyond the limit all is one */
    n->srv = 1 + spec_request.server;
    n->due = c->state == SWG_STEP_OPEN && c->until <= now_us();
    n->hold = shard.since > 0 && shard.since + LEASE > now_us();
    for (int i = 0; i < SPEC_ROWS; i++)
        get_row(i);
    for (int i = 0; i < SWG_STEP_LEASES; i++)
        get_lease(&c->lease[i]);
    spec_reply.taken = c->rec[row].used && c->rec[row].s != OLD;
    n->seen[row] = (c->rec[row].used && c->rec[row].seq >= seq) ||
                   (c->half[row].used && c->half[row].seq >= seq);
    spec_reply.fault |= shard.ep != c->epoch;
}

/* What the client learns, from the reply alone. */
static void get_reply(void)
{
    struct spec_reply *p = &spec_reply;

    p->ep = spec_request.ep;
    p->st = spec_request.st;
    if (reply.views > 0) {
        p->ep = narrow(reply.view[0].epoch);
        p->st = (unsigned char)reply.view[0].state;
    }
    if (reply.grants > 0 && reply.grant[0].count > 0)
        p->granted = (unsigned char)(reply.grant[0].seq - SEQ);
}

void spec_serve(void)
{
    char server[41];

    memset(&spec_reply, 0, sizeof spec_reply);
    put_shard();
    put_request();
    name_server(server, spec_request.server);
    if (swg_step_sync(&shard, now_us(), server, &request, &reply) != SWG_STEP_DONE) {
        spec_reply.fault = 1;
        return;
    }
    get_shard();
    get_reply();
}
