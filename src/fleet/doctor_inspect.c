/* Circuits as Redis holds them: which there are, then each of them, read in batches. */
#include "fleet/doctor_visit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS_2024 INT64_C(1704067200000) /* where epochs count from */

enum { BATCH = 64, SCAN_COUNT = 1000, PATTERN = 96 };

typedef struct entry {
    char name[SWG_NAME_MAX + 1];
    uint32_t shard;
} entry;

typedef struct roll {
    entry *entries;
    size_t count, room;
} roll;

typedef struct inspection {
    visit v;
    roll roll;
    int64_t now_us[VISIT_NODES]; /* by the clock of each server */
    void (*circuit)(void *arg, const swg_fleet_status *circuit);
    void *arg;
} inspection;

/* ---- which there are ----------------------------------------------------------------------- */

static bool add(roll *r, const char *name, uint32_t shard)
{
    if (!swg__is_name(name))
        return true; /* not one of ours: no client could have said it */
    if (r->count == r->room) {
        const size_t room = r->room ? 2 * r->room : 64;
        entry *grown = realloc(r->entries, room * sizeof *grown);

        if (!grown)
            return false;
        r->entries = grown;
        r->room = room;
    }
    entry *e = &r->entries[r->count++];
    snprintf(e->name, sizeof e->name, "%s", name);
    e->shard = shard;
    return true;
}

static int compare(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    const int by_name = strcmp(x->name, y->name);

    return by_name ? by_name : (x->shard > y->shard) - (x->shard < y->shard);
}

static void sort(roll *r)
{
    size_t kept = 0;

    if (r->count == 0)
        return;
    qsort(r->entries, r->count, sizeof *r->entries, compare);
    for (size_t i = 1; i < r->count; i++) {
        if (compare(&r->entries[kept], &r->entries[i]) != 0)
            r->entries[++kept] = r->entries[i];
    }
    r->count = kept + 1;
}

static int add_all(inspection *in, const redisReply *names, uint32_t shard, const char *what)
{
    char key[VISIT_TAG + 4];

    if (!names || names->type != REDIS_REPLY_ARRAY) {
        swg__visit_tag(&in->v, shard, key);
        strcat(key, what);
        return swg__visit_refused(&in->v, names, key);
    }
    for (size_t i = 0; i < names->elements; i++) {
        const char *name = swg__text(names->element[i]);

        if (name && !add(&in->roll, name, shard))
            return SWG_ENOMEM;
    }
    return SWG_OK;
}

/* Those with a history, and those with limits. */
static int list_stored(inspection *in)
{
    char tag[VISIT_TAG];
    int result = SWG_OK;

    for (uint32_t i = 0; i < in->v.shards; i++) {
        talk *t = &swg__visit_node(&in->v, i)->talk;

        swg__visit_tag(&in->v, i, tag);
        swg__talk_say(t, "HKEYS %s:st", tag);
        swg__talk_say(t, "HKEYS %s:c", tag);
    }
    for (uint32_t i = 0; i < 2 * in->v.shards && result == SWG_OK; i++) {
        redisReply *reply = swg__talk_hear(&swg__visit_node(&in->v, i / 2)->talk);

        result = add_all(in, reply, i / 2, i % 2 == 0 ? ":st" : ":c");
        swg__free(reply);
    }
    return result;
}

/* "swg1:{shop:3}:x:payments": is it of a shard there is, and of which circuit? */
static const char *circuit_of(const inspection *in, const char *key, uint32_t *shard)
{
    char *end;
    const char *at = strchr(key, '{');

    if (!at || strlen(at) < strlen(in->v.space) + 2)
        return NULL;
    *shard = (uint32_t)strtoul(at + strlen(in->v.space) + 2, &end, 10);
    return *shard < in->v.shards && strncmp(end, "}:x:", 4) == 0 ? end + 4 : NULL;
}

/* Those that were only ever reported on: nothing but their evidence tells of them. */
static int scan(inspection *in, node *n)
{
    char cursor[32] = "0", pattern[PATTERN];
    int result = SWG_OK;

    snprintf(pattern, sizeof pattern, "swg1:{%s:*}:x:*", in->v.space);
    do {
        redisReply *page =
            swg__talk_ask(&n->talk, "SCAN %s MATCH %s COUNT %d", cursor, pattern, SCAN_COUNT);
        const char *next = swg__text(swg__at(page, 0));
        const redisReply *keys = swg__at(page, 1);

        if (!next || !keys)
            result = swg__visit_refused(&in->v, page, "SCAN");
        for (size_t i = 0; result == SWG_OK && i < swg__length(keys); i++) {
            uint32_t shard;
            const char *key = swg__text(keys->element[i]);
            const char *name = key ? circuit_of(in, key, &shard) : NULL;

            if (name && !add(&in->roll, name, shard))
                result = SWG_ENOMEM;
        }
        snprintf(cursor, sizeof cursor, "%s", next ? next : "0");
        swg__free(page);
    } while (result == SWG_OK && strcmp(cursor, "0") != 0);
    if (n->talk.end == TALK_LATE)
        snprintf(in->v.why, sizeof in->v.why,
                 "%s: more keys than can be scanned in time: name the circuits, or take longer",
                 n->address);
    return result;
}

static int scan_all(inspection *in)
{
    int result = SWG_OK;

    for (uint32_t i = 0; i < in->v.count && result == SWG_OK; i++)
        result = scan(in, in->v.nodes[i]);
    return result;
}

static int list(inspection *in, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!names[i] || !swg__is_name(names[i])) {
            snprintf(in->v.why, sizeof in->v.why,
                     "name %zu is not 1 to %d printable characters without a space", i + 1,
                     SWG_NAME_MAX);
            return SWG_EINVAL;
        }
        if (!add(&in->roll, names[i], swg__visit_shard_of(&in->v, names[i])))
            return SWG_ENOMEM;
    }
    if (count > 0)
        return SWG_OK;
    int result = list_stored(in);
    if (result == SWG_OK)
        result = scan_all(in);
    sort(&in->roll);
    return result;
}

/* ---- each of them -------------------------------------------------------------------------- */

static bool take_state(inspection *in, swg_fleet_status *s, const redisReply *reply)
{
    visit_state v;

    if (reply && reply->type == REDIS_REPLY_NIL)
        return true;
    if (!swg__read_state(&v, swg__text(reply))) {
        snprintf(in->v.why, sizeof in->v.why, "circuit %s: its state is not the fleet's", s->name);
        return false;
    }
    s->known = 1;
    s->epoch = (uint64_t)v.epoch;
    s->state = v.state;
    s->since_ms = v.epoch > 0 ? (v.epoch >> 12) + MS_2024 : 0;
    s->until_ms =
        s->state == SWG_FLEET_CLOSED || s->state == SWG_FLEET_HALF_OPEN ? 0 : v.until_us / 1000;
    s->backoff = v.backoff;
    s->cause = v.cause;
    s->trip = v.trip;
    return true;
}

static void take_limits(swg_fleet_status *s, const redisReply *reply)
{
    struct swg_step_config config;
    int64_t v[1 + SWG_CFG_COUNT];
    const bool stored =
        swg__read_numbers(swg__text(reply), v, 1 + SWG_CFG_COUNT) == 1 + SWG_CFG_COUNT;

    swg_step_config_default(&config);
    if (stored) {
        s->known = 1;
        memcpy(config.v, v + 1, sizeof config.v);
    }
    s->revision = stored ? (uint32_t)v[0] : SWG_NONE;
    s->window_ms = (uint32_t)(config.v[SWG_CFG_WINDOW] / 1000);
    s->calls_min = (uint32_t)config.v[SWG_CFG_CALLS_MIN];
    s->failure_pct = (uint32_t)config.v[SWG_CFG_FAIL_PCT];
    s->slow_pct = (uint32_t)config.v[SWG_CFG_SLOW_PCT];
    s->quorum = (uint32_t)config.v[SWG_CFG_QUORUM];
}

/* seq n f s l bad bad2 open expiry */
static void take_record(swg_fleet_status *s, int64_t now_us, const char *text)
{
    int64_t v[9];

    if (swg__read_numbers(text, v, 9) != 9 || v[8] <= now_us || (v[1] == 0 && v[7] == 0))
        return;
    s->reporters++;
    s->calls += (uint64_t)v[1];
    s->failures += (uint64_t)v[2];
    s->slow += (uint64_t)v[3];
    s->local_failures += (uint64_t)v[4];
    s->bad += v[5] != 0;
    s->open += v[7] != 0;
}

static void take_evidence(swg_fleet_status *s, int64_t now_us, const redisReply *reply)
{
    static const char *const probes[] = {"pf", "ps", "px"};

    for (size_t i = 0; i + 1 < swg__length(reply); i += 2) {
        const char *field = swg__text(swg__at(reply, i));
        const char *value = swg__text(swg__at(reply, i + 1));

        s->known = 1;
        if (!field || !value)
            continue;
        if (s->state == SWG_FLEET_CLOSED && strncmp(field, "r:", 2) == 0)
            take_record(s, now_us, value);
        for (int p = 0; s->state == SWG_FLEET_HALF_OPEN && p < 3; p++) {
            if (strcmp(field, probes[p]) == 0)
                s->probes[p] = (uint32_t)strtoul(value, NULL, 10);
        }
    }
}

static void take_quarantine(swg_fleet_status *s, int64_t now_us, const redisReply *reply)
{
    int64_t v[2];

    for (size_t i = 0; i < swg__length(reply); i++) {
        if (swg__read_numbers(swg__text(swg__at(reply, i)), v, 2) == 2 && v[0] > now_us)
            s->quarantined++;
    }
}

static int64_t now_of(const inspection *in, const entry *e)
{
    const node *n = swg__visit_node(&in->v, e->shard);
    uint32_t number = 0;

    while (in->v.nodes[number] != n)
        number++;
    return in->now_us[number];
}

static void say_circuit(inspection *in, const entry *e)
{
    char tag[VISIT_TAG];
    talk *t = &swg__visit_node(&in->v, e->shard)->talk;
    const char *name = e->name;

    swg__visit_tag(&in->v, e->shard, tag);
    swg__talk_say(t, "HGET %s:st %s", tag, name);
    swg__talk_say(t, "HGET %s:c %s", tag, name);
    swg__talk_say(t, "HGETALL %s:b:%s", tag, name);
    swg__talk_say(t, "ZCOUNT %s:l:%s %lld +inf", tag, name, (long long)now_of(in, e));
    swg__talk_say(t, "HVALS %s:q:%s", tag, name);
}

static int hear_circuit(inspection *in, const entry *e)
{
    enum { STATE, LIMITS, EVIDENCE, LEASES, QUARANTINE, ALL };
    talk *t = &swg__visit_node(&in->v, e->shard)->talk;
    const int64_t now_us = now_of(in, e);
    swg_fleet_status s = {.size = sizeof s, .now_ms = now_us / 1000};
    redisReply *reply[ALL];
    int result = SWG_OK;
    int64_t leases;

    snprintf(s.name, sizeof s.name, "%s", e->name);
    s.shard = e->shard;
    for (int i = 0; i < ALL; i++) {
        reply[i] = swg__talk_hear(t);
        if (result == SWG_OK && (!reply[i] || reply[i]->type == REDIS_REPLY_ERROR))
            result = swg__visit_refused(&in->v, reply[i], e->name);
    }
    if (result == SWG_OK && !take_state(in, &s, reply[STATE]))
        result = SWG_EPROTO;
    if (result == SWG_OK) {
        take_limits(&s, reply[LIMITS]);
        take_evidence(&s, now_us, reply[EVIDENCE]);
        take_quarantine(&s, now_us, reply[QUARANTINE]);
        s.leases = swg__whole(reply[LEASES], &leases) ? (uint32_t)leases : 0;
        in->circuit(in->arg, &s);
    }
    for (int i = 0; i < ALL; i++)
        swg__free(reply[i]);
    return result;
}

static int read_all(inspection *in)
{
    const roll *r = &in->roll;
    int result = SWG_OK;

    for (size_t from = 0; from < r->count && result == SWG_OK; from += BATCH) {
        const size_t to = from + BATCH < r->count ? from + BATCH : r->count;

        for (size_t i = from; i < to; i++)
            say_circuit(in, &r->entries[i]);
        for (size_t i = from; i < to && result == SWG_OK; i++)
            result = hear_circuit(in, &r->entries[i]);
    }
    return result;
}

static int read_clock(inspection *in, uint32_t number)
{
    redisReply *reply = swg__talk_ask(&in->v.nodes[number]->talk, "TIME");
    int64_t seconds, us;
    int result = SWG_OK;

    if (swg__whole(swg__at(reply, 0), &seconds) && swg__whole(swg__at(reply, 1), &us))
        in->now_us[number] = seconds * 1000000 + us;
    else
        result = swg__visit_refused(&in->v, reply, "TIME");
    swg__free(reply);
    return result;
}

int swg_fleet_inspect(const swg_fleet_redis *redis, const char *const *names, size_t count,
                      void (*circuit)(void *arg, const swg_fleet_status *circuit), void *arg)
{
    if (!circuit || (count > 0 && !names))
        return SWG_EINVAL;
    inspection in = {.circuit = circuit, .arg = arg};
    int result = swg__visit_open(&in.v, redis);
    for (uint32_t i = 0; i < in.v.count && result == SWG_OK; i++)
        result = read_clock(&in, i);
    if (result == SWG_OK)
        result = list(&in, names, count);
    if (result == SWG_OK)
        result = read_all(&in);
    free(in.roll.entries);
    return swg__visit_close(&in.v, result);
}
