/* Opening, ticking, and the circuits of the panel as they appear. */
#include "fleet/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESCAN_NS (1000 * MS)
#define TEXT_BYTES (1u << 20) /* the longest request there can be is 560 kB */

uint64_t swg__client_random(swg_fleet *fleet, uint64_t below)
{
    uint64_t x = fleet->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return below > 0 ? x % below : 0;
}

uint32_t swg_fleet_shard(const swg_fleet *fleet, const char *circuit)
{
    return fleet && circuit ? swg__client_crc16(circuit, strlen(circuit)) % fleet->config.shards
                            : 0;
}

uint32_t swg_fleet_slot(const swg_fleet *fleet, uint32_t shard)
{
    return fleet && shard < fleet->config.shards ? fleet->shards[shard].slot : 0;
}

/* ---- circuits ---- */

static uint32_t place_of(const swg_fleet *fleet, const char *name)
{
    uint32_t at = swg__client_crc16(name, strlen(name)) * 2654435761u & (fleet->table_size - 1);

    while (fleet->table[at] && strcmp(fleet->circuits[fleet->table[at] - 1]->name, name) != 0)
        at = (at + 1) & (fleet->table_size - 1);
    return at;
}

struct client_circuit *swg__client_find(const swg_fleet *fleet, const char *name)
{
    uint32_t found = fleet->table_size > 0 ? fleet->table[place_of(fleet, name)] : 0;

    return found > 0 ? fleet->circuits[found - 1] : NULL;
}

static bool grow(swg_fleet *fleet)
{
    uint32_t room = fleet->room > 0 ? 2 * fleet->room : 32;
    uint32_t *table = calloc((size_t)room * 2, sizeof *table);
    struct client_circuit **circuits =
        realloc(fleet->circuits, room * sizeof(struct client_circuit *));

    if (circuits)
        fleet->circuits = circuits;
    if (!circuits || !table) {
        free(table);
        return false;
    }
    free(fleet->table);
    fleet->table = table;
    fleet->table_size = room * 2;
    fleet->room = room;
    for (uint32_t i = 0; i < fleet->count; i++)
        table[place_of(fleet, circuits[i]->name)] = i + 1;
    return true;
}

static bool list(struct client_shard *shard, uint32_t number)
{
    if (shard->count == shard->room) {
        uint32_t room = shard->room > 0 ? 2 * shard->room : 8;
        uint32_t *grown = realloc(shard->circuits, room * sizeof *grown);

        if (!grown)
            return false;
        shard->circuits = grown;
        shard->room = room;
    }
    shard->circuits[shard->count++] = number;
    return true;
}

static void begin(struct client_circuit *c, int64_t now)
{
    swg_gate_reading reading;

    swg_gate_read(c->circuit, now, &reading);
    c->round = reading.round;
    c->refused = c->told_refused = reading.refused;
    c->refused_at = now;
    c->claim = true;
    swg_step_config_default(&c->config);
}

static bool add_circuit(swg_fleet *fleet, swg_circuit *circuit, int64_t now)
{
    struct client_circuit *c;

    if (fleet->count == fleet->room && !grow(fleet))
        return false;
    c = calloc(1, sizeof *c);
    if (!c)
        return false;
    c->circuit = circuit;
    snprintf(c->name, sizeof c->name, "%s", swg_circuit_name(circuit));
    c->shard = swg_fleet_shard(fleet, c->name);
    if (!list(&fleet->shards[c->shard], fleet->count)) {
        free(c);
        return false;
    }
    fleet->table[place_of(fleet, c->name)] = fleet->count + 1;
    fleet->circuits[fleet->count++] = c;
    begin(c, now);
    return true;
}

/* New circuits, and what changed of the old ones. Out of memory: tried again a second later. */
static void scan(swg_fleet *fleet, int64_t now)
{
    swg_circuit *circuit = NULL;
    swg_snapshot s;

    while ((circuit = swg_circuit_next(fleet->panel, circuit))) {
        struct client_circuit *c = swg__client_find(fleet, swg_circuit_name(circuit));

        if (!c && !add_circuit(fleet, circuit, now))
            break;
        c = swg__client_find(fleet, swg_circuit_name(circuit));
        swg_circuit_read(circuit, now, &s);
        c->slow = s.config.slow_pct == SWG_NONE ? 0 : (int64_t)s.config.slow_ms * MS;
        swg__client_limits_look(fleet, c, &s.config);
    }
    swg__client_limits_tell(fleet);
    fleet->rescan = now + RESCAN_NS;
}

/* ---- opening and closing ---- */

static char *keep(const char *text)
{
    return text ? strdup(text) : NULL;
}

static int open_shards(swg_fleet *fleet, int64_t now)
{
    fleet->phase =
        now + (int64_t)swg__client_random(fleet, (uint64_t)fleet->config.interval_ms * MS);
    fleet->salt = swg__client_random(fleet, UINT64_MAX);
    fleet->shards = calloc(fleet->config.shards, sizeof *fleet->shards);
    if (!fleet->shards)
        return SWG_ENOMEM;
    for (uint32_t i = 0; i < fleet->config.shards; i++) {
        struct client_shard *shard = &fleet->shards[i];
        char tag[48];
        int length = snprintf(tag, sizeof tag, "%s:%u", fleet->space, i);

        snprintf(shard->tag, sizeof shard->tag, "swg1:{%s}", tag);
        shard->number = i;
        shard->slot = swg__client_crc16(tag, (size_t)length) % SWG_FLEET_SLOTS;
        shard->once = SWG_NONE;
        shard->pace = (int64_t)fleet->config.interval_ms * MS;
        shard->due = fleet->phase;
        shard->mode_since = now;
        shard->last_error = -1;
    }
    return SWG_OK;
}

static int open_wire(swg_fleet *fleet)
{
    struct swg_wire *wire = &fleet->wire;

    wire->size = TEXT_BYTES;
    wire->room = SWG_WIRE_ARGS;
    wire->text = malloc(wire->size);
    wire->argv = calloc(SWG_WIRE_ARGS, sizeof *wire->argv);
    wire->lengths = calloc(SWG_WIRE_ARGS, sizeof *wire->lengths);
    return wire->text && wire->argv && wire->lengths ? SWG_OK : SWG_ENOMEM;
}

static int equip(swg_fleet *fleet, int64_t now)
{
    fleet->user = keep(fleet->config.user);
    fleet->password = keep(fleet->config.password);
    if ((fleet->config.user && !fleet->user) || (fleet->config.password && !fleet->password))
        return SWG_ENOMEM;
    if (open_shards(fleet, now) != SWG_OK || swg__client_links_open(fleet) != SWG_OK)
        return SWG_ENOMEM;
    return open_wire(fleet);
}

int swg_fleet_open(swg_fleet **fleet, swg_panel *panel, const swg_fleet_config *config,
                   uint64_t seed, int64_t now)
{
    swg_fleet *made;
    int error;

    if (!fleet)
        return SWG_EINVAL;
    *fleet = NULL;
    if (!panel || !config)
        return SWG_EINVAL;
    made = calloc(1, sizeof *made);
    if (!made)
        return SWG_ENOMEM;
    made->panel = panel;
    made->random = seed;
    made->opened = now;
    /* Rising from one client of a panel to the next, who is the same reporter: what the first still
     * has under way comes late. */
    made->seq = swg__client_max(now / US, 0);
    made->words_at = now - 1000 * MS; /* to begin with, as many as there may be */
    error = swg__client_settle(made, config);
    if (error == SWG_OK)
        error = equip(made, now);
    if (error == SWG_OK)
        error = swg_gate_claim(panel, now, &made->claim);
    if (error != SWG_OK) {
        swg_fleet_close(&made);
        return error;
    }
    *fleet = made;
    return SWG_OK;
}

/* After a fork the panel may be the parent's, and so may its gates. */
static void take_back(swg_fleet *fleet)
{
    if (swg_gate_keep(fleet->panel, fleet->claim, 0) != SWG_OK)
        return;
    for (uint32_t i = 0; i < fleet->count; i++)
        swg__client_retire(fleet->circuits[i]);
    swg_gate_release(fleet->panel, fleet->claim);
}

void swg_fleet_close(swg_fleet **fleet)
{
    swg_fleet *f = fleet ? *fleet : NULL;

    if (!f)
        return;
    *fleet = NULL;
    take_back(f);
    for (uint32_t i = 0; i < f->count; i++)
        free(f->circuits[i]);
    for (uint32_t i = 0; f->shards && i < f->config.shards; i++)
        free(f->shards[i].circuits);
    swg__client_links_close(f);
    free(f->circuits);
    free(f->table);
    free(f->shards);
    free(f->wire.text);
    free((void *)f->wire.argv);
    free(f->wire.lengths);
    free(f->user);
    free(f->password);
    free(f);
}

/* ---- time ---- */

bool swg__client_rules(swg_fleet *fleet, int64_t now)
{
    static const swg_fleet_event event = {
        .kind = SWG_FLEET_EVENT_REPLACED, .shard = SWG_NONE, .link = SWG_NONE};

    if (!fleet->replaced && swg_gate_keep(fleet->panel, fleet->claim, now) != SWG_OK) {
        fleet->replaced = true;
        swg__client_press(fleet, &fleet->end, &event);
    }
    return !fleet->replaced;
}

/* Has the shard something to tell, or to be told, and somebody who listens? A wish under way may
 * bring permits. */
static bool has_to_tell(const swg_fleet *fleet, const struct client_shard *shard)
{
    bool some = false;

    for (uint32_t i = 0; i < shard->count; i++) {
        const struct client_circuit *c = fleet->circuits[shard->circuits[i]];

        some |= swg__client_has_results(c) ||
                (shard->inflight && c->sent_seq == shard->seq && c->sent_want > 0);
    }
    return some && swg__client_ready(&fleet->links[shard->link]) && shard->errors == 0;
}

bool swg_fleet_leave(swg_fleet *fleet, int64_t now)
{
    bool told = true;

    if (!fleet || !swg__client_rules(fleet, now))
        return true;
    for (uint32_t i = 0; i < fleet->count; i++)
        swg__client_leave(fleet->circuits[i], now);
    for (uint32_t i = 0; i < fleet->config.shards; i++) {
        struct client_shard *shard = &fleet->shards[i];

        if (!has_to_tell(fleet, shard))
            continue;
        shard->due = swg__client_min(shard->due, now);
        told = false;
    }
    return told;
}

static int64_t tick_shard(swg_fleet *fleet, struct client_shard *shard, int64_t now)
{
    uint32_t number = shard->once != SWG_NONE ? shard->once : shard->link;
    const struct client_link *link = &fleet->links[number];
    bool can = swg__client_ready(link) && !shard->inflight;

    swg__client_mode_tick(fleet, shard, now);
    if (can && now >= shard->due) {
        swg__client_exchange(fleet, shard, now);
        can = !shard->inflight;
    }
    return swg__client_min(can ? shard->due : NEVER, swg__client_mode_deadline(fleet, shard));
}

/* Shards share what may be said in a second: each round another one begins. */
static int64_t tick_shards(swg_fleet *fleet, int64_t now)
{
    const int64_t shards = fleet->config.shards, pace = fleet->shards[0].pace;
    const int64_t round = (now - fleet->phase + pace / 2) / pace, begin = round % shards + shards;
    int64_t next = NEVER;

    for (int64_t i = 0; i < shards; i++)
        next = swg__client_min(next, tick_shard(fleet, &fleet->shards[(begin + i) % shards], now));
    return next;
}

int64_t swg_fleet_tick(swg_fleet *fleet, int64_t now)
{
    int64_t next;

    if (!fleet || !swg__client_rules(fleet, now))
        return NEVER;
    if (now >= fleet->rescan)
        scan(fleet, now);
    next = swg__client_min(fleet->rescan, swg__client_watch(fleet, now));
    next = swg__client_min(next, swg__client_order_tick(fleet, now));
    next = swg__client_min(next, swg__client_ear_tick(fleet, now));
    next = swg__client_min(next, tick_shards(fleet, now));
    for (uint32_t i = 0; i < fleet->config.links; i++)
        next = swg__client_min(next, swg__client_link_tick(fleet, i, now));
    return next;
}
