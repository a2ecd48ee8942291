/* What is said in an exchange: of each circuit only what is news, but always an exchange. A silent
 * fleet and one in trouble cost Redis the same number of calls. */
#include "fleet/client.h"

#include <string.h>

#define OPEN_MAX_US INT64_C(86400000000)

/* What trouble may add, whatever its size: a fleet in which everything fails at once must still
 * have its exchanges answered in time. Of entries_per_s each client takes its share. */
#define WORDS_S_MIN 20
#define WORDS_S_MAX 1000
#define WORDS_MAX 128

enum { NOTHING, SOON, NOW, LATE, FIRST, DUE };

static bool same(const struct client_sums *a, const struct client_sums *b)
{
    return a->n == b->n && a->f == b->f && a->s == b->s && a->l == b->l;
}

/* Its record would lapse, or there is none, and the fleet would be judged without it. */
static bool is_late(const struct client_circuit *c, int64_t now)
{
    int64_t quarter = c->config.v[SWG_CFG_WINDOW] * US / 4;

    return now >= swg__client_max(c->told_at, c->since + quarter) + quarter;
}

/* Trouble is told at once; mere traffic, or an open breaker, a few times in a window, which also
 * keeps its record alive in Redis. A window that emptied is told once. */
static int evidence_need(const struct client_circuit *c, int64_t now)
{
    bool trouble = c->sums.f + c->sums.s + c->sums.l > 0 || c->told.f + c->told.s + c->told.l > 0;
    bool turned = c->is_open != c->told_open;

    if (same(&c->sums, &c->told) && !turned &&
        ((c->sums.n == 0 && !c->is_open) || now < c->told_at))
        return NOTHING;
    if (turned)
        return FIRST;
    if ((!trouble || c->told.n > 0) && is_late(c, now))
        return LATE;
    if (trouble && !same(&c->sums, &c->told))
        return NOW;
    return now >= c->told_at ? SOON : NOTHING;
}

/* What somebody waits for is due: results, of which there are no more than permits were granted,
 * and questions. What the fleet waits for goes first: wishes for permits, a breaker that turned,
 * what a server may have lost; then what it is about to lose. */
static int need_of(const struct client_circuit *c, int64_t now)
{
    bool timed = c->state == SWG_STEP_FORCED || c->state == SWG_STEP_DISABLED;

    if (c->asked || swg__client_has_results(c))
        return DUE;
    if (swg__client_wants(c, now) > 0 || (c->claim && c->state != SWG_STEP_CLOSED))
        return FIRST;
    if (c->claim || c->offer)
        return NOW;
    if (timed)
        return now >= c->until ? NOW : NOTHING;
    return c->state == SWG_STEP_CLOSED ? evidence_need(c, now) : NOTHING;
}

static void look(struct client_circuit *c, int64_t now)
{
    swg_gate_reading reading;

    swg__client_collect(c, now, &reading);
    swg__client_window_add(c, &reading, now);
    c->is_open = reading.state != SWG_CLOSED;
    c->need = need_of(c, now);
}

static void fill_view(const struct client_circuit *c, int64_t now, struct swg_step_entry *e)
{
    bool waits = c->state == SWG_STEP_OPEN || c->state == SWG_STEP_FORCED;

    e->epoch = c->epoch;
    e->state = c->state;
    if (waits && c->until > now)
        e->remaining = swg__client_min((c->until - now) / US, OPEN_MAX_US);
}

static void fill(struct client_circuit *c, int64_t seq, int64_t now, struct swg_step_entry *e)
{
    memset(e, 0, offsetof(struct swg_step_entry, result));
    memcpy(e->circuit, c->name, sizeof e->circuit);
    e->seq = seq;
    fill_view(c, now, e);
    if (c->state == SWG_STEP_CLOSED) {
        e->n = c->sums.n;
        e->f = c->sums.f;
        e->s = c->sums.s;
        e->l = c->sums.l;
        e->local_open = c->is_open;
    }
    e->want = swg__client_wants(c, now);
    e->rev = c->rev;
    e->has_config = c->sent_offer = c->offer;
    e->config = c->config;
    swg__client_results(c, seq, e);
    c->asked = c->wish = false;
    c->sent_seq = seq;
    c->sent_epoch = c->epoch;
    c->sent_want = e->want;
    c->sent_sums = c->sums;
    c->sent_open = c->is_open;
    c->sent_refused = c->refused;
}

static void gather_words(swg_fleet *fleet, const struct client_shard *shard, int64_t now)
{
    int64_t most = WORDS_MAX * INT64_C(1000);
    int64_t share = (int64_t)fleet->config.entries_per_s / swg__client_max(shard->reporters, 1);
    int64_t rate = swg__client_max(swg__client_min(share, WORDS_S_MAX), WORDS_S_MIN);
    int64_t grown = (now - fleet->words_at) / US * rate / 1000;

    fleet->words = swg__client_min(fleet->words + grown, most);
    fleet->words_at = now;
}

/* What the fleet waits for may be said on credit: the shards of a round share what there is, and
 * the ordinary trouble of one must not silence what another has to say first. */
static bool has_leave(const swg_fleet *fleet, int need)
{
    return need == DUE || fleet->words >= 1000 ||
           (need == FIRST && fleet->words > -WORDS_MAX * INT64_C(1000));
}

/* Circuits take turns where there are more than fit. */
static void add_entries(swg_fleet *fleet, struct client_shard *shard, int need, int64_t now)
{
    struct swg_step_request *q = &fleet->request;
    uint32_t turn = shard->turn;

    for (uint32_t i = 0; i < shard->count && q->entries < CLIENT_ENTRIES; i++) {
        uint32_t place = (turn + i) % shard->count;
        struct client_circuit *c = fleet->circuits[shard->circuits[place]];

        if (c->need != need)
            continue;
        if (!has_leave(fleet, need))
            return;
        fleet->words -= need < DUE ? 1000 : 0;
        c->need = NOTHING;
        fleet->stats.claims += c->claim && c->epoch > 0;
        fill(c, shard->seq, now, &q->entry[q->entries++]);
        shard->turn = (place + 1) % shard->count;
    }
}

static void build(swg_fleet *fleet, struct client_shard *shard, int64_t now)
{
    struct swg_step_request *q = &fleet->request;

    q->schema = SWG_STEP_SCHEMA;
    memcpy(q->reporter, fleet->reporter, sizeof q->reporter);
    q->cursor = shard->cursor;
    q->entries = 0;
    for (uint32_t i = 0; i < shard->count; i++)
        look(fleet->circuits[shard->circuits[i]], now);
    gather_words(fleet, shard, now);
    for (int need = DUE; need > NOTHING; need--)
        add_entries(fleet, shard, need, now);
}

static bool ask_once(swg_fleet *fleet, uint32_t link, int64_t now)
{
    swg_wire_start(&fleet->wire);
    swg_wire_text(&fleet->wire, "ASKING");
    return swg__client_put(fleet, link, EXPECT_ASKING, 0, now);
}

static bool put(swg_fleet *fleet, const struct client_shard *shard, int64_t now)
{
    struct swg_wire_clock clock = {0, ""};

    if (shard->sent_once && !ask_once(fleet, shard->sent_link, now))
        return false;
    swg_wire_sync(&fleet->wire, swg_fleet_sync_sha1, shard->tag, clock, &fleet->request);
    return swg__client_put(fleet, shard->sent_link, EXPECT_SYNC, shard->number, now);
}

/* One request under way a shard; a new number for each, said again or not. */
void swg__client_exchange(swg_fleet *fleet, struct client_shard *shard, int64_t now)
{
    bool once = shard->once != SWG_NONE;

    shard->sent_once = once;
    shard->sent_link = once ? shard->once : shard->link;
    shard->once = SWG_NONE;
    shard->seq = ++fleet->seq;
    build(fleet, shard, now);
    if (!put(fleet, shard, now)) { /* no memory: nothing is on its way, so nobody waits for it */
        swg__client_ask_done(shard, false, now);
        shard->due = now + shard->pace;
        return;
    }
    shard->inflight = true;
    shard->heard = 0;
    swg__client_ask_sent(fleet, shard);
    shard->sent_at = now;
    shard->sent_cursor = shard->cursor;
    shard->entries = fleet->request.entries;
}
