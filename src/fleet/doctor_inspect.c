/* Circuits as Redis holds them, each of them, read in batches. */
#include "fleet/doctor_inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS_2024 INT64_C(1704067200000) /* where epochs count from */

enum { BATCH = 64 };

static int64_t later(int64_t until_ms, int64_t now_ms)
{
    return until_ms > now_ms ? until_ms : 0;
}

static bool take_state(inspection *in, swg_fleet_status *s, int64_t *closed_us,
                       const redisReply *reply)
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
    *closed_us = s->state == SWG_FLEET_CLOSED ? v.until_us : 0;
    return true;
}

static void take_limits(swg_fleet_status *s, struct swg_step_config *config,
                        const redisReply *reply)
{
    int64_t v[1 + SWG_CFG_COUNT];
    const bool stored =
        swg__read_numbers(swg__text(reply), v, 1 + SWG_CFG_COUNT) == 1 + SWG_CFG_COUNT;

    swg_step_config_default(config);
    if (stored) {
        s->known = 1;
        memcpy(config->v, v + 1, sizeof config->v);
    }
    s->revision = stored ? (uint32_t)v[0] : SWG_NONE;
    s->window_ms = (uint32_t)(config->v[SWG_CFG_WINDOW] / 1000);
    s->calls_min = (uint32_t)config->v[SWG_CFG_CALLS_MIN];
    s->failure_pct = (uint32_t)config->v[SWG_CFG_FAIL_PCT];
    s->slow_pct = (uint32_t)config->v[SWG_CFG_SLOW_PCT];
    s->quorum = (uint32_t)config->v[SWG_CFG_QUORUM];
}

/* What delays the fleet's return, and is not in the state: probes wait for leases that a server new
 * to the fleet may have forgotten, and after closing the share of calls grows. */
static void take_delays(swg_fleet_status *s, const struct swg_step_config *config,
                        int64_t closed_us, const redisReply *since)
{
    const int64_t *v = config->v;
    int64_t since_us;

    if ((s->state == SWG_FLEET_OPEN || s->state == SWG_FLEET_HALF_OPEN) &&
        swg__read_numbers(swg__text(since), &since_us, 1) == 1 && since_us > 0)
        s->holdoff_until_ms = later((since_us + v[SWG_CFG_LEASE]) / 1000, s->now_ms);
    if (s->state == SWG_FLEET_CLOSED && closed_us > 0)
        s->ramp_until_ms = later((closed_us + v[SWG_CFG_RAMP]) / 1000, s->now_ms);
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
    swg__talk_say(t, "HGET %s:m since", tag);
}

static int hear_circuit(inspection *in, const entry *e)
{
    enum { STATE, LIMITS, EVIDENCE, LEASES, QUARANTINE, SINCE, ALL };
    talk *t = &swg__visit_node(&in->v, e->shard)->talk;
    const int64_t now_us = now_of(in, e);
    swg_fleet_status s = {.size = sizeof s, .now_ms = now_us / 1000};
    redisReply *reply[ALL];
    struct swg_step_config config;
    int result = SWG_OK;
    int64_t leases, closed_us = 0;

    snprintf(s.name, sizeof s.name, "%s", e->name);
    s.shard = e->shard;
    for (int i = 0; i < ALL; i++) {
        reply[i] = swg__talk_hear(t);
        if (result == SWG_OK && (!reply[i] || reply[i]->type == REDIS_REPLY_ERROR))
            result = swg__visit_refused(&in->v, reply[i], e->name);
    }
    if (result == SWG_OK && !take_state(in, &s, &closed_us, reply[STATE]))
        result = SWG_EPROTO;
    if (result == SWG_OK) {
        take_limits(&s, &config, reply[LIMITS]);
        take_evidence(&s, now_us, reply[EVIDENCE]);
        take_quarantine(&s, now_us, reply[QUARANTINE]);
        take_delays(&s, &config, closed_us, reply[SINCE]);
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
        result = swg__inspect_list(&in, names, count);
    if (result == SWG_OK)
        result = read_all(&in);
    free(in.roll.entries);
    return swg__visit_close(&in.v, result);
}
