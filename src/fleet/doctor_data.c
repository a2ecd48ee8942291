/* What the namespace holds: whose schema, whose values, and who reports. */
#include "fleet/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FINE SWG_FLEET_FINE
#define NOTE SWG_FLEET_NOTE
#define WARNING SWG_FLEET_WARNING
#define PROBLEM SWG_FLEET_PROBLEM

static bool is_there(const doctor *d, uint32_t shard)
{
    return d->shards[shard].schema[0] != '\0';
}

/* ---- shards -------------------------------------------------------------------------------- */

/* Reporters alive in the least and the most visited shard. */
static bool count_reporters(doctor *d, uint32_t shards, int64_t *least, int64_t *most)
{
    char tag[VISIT_TAG];
    int64_t count;
    bool whole = true;

    for (uint32_t i = 0; i < shards; i++) {
        swg__visit_tag(&d->v, i, tag);
        swg__talk_say(&swg__visit_node(&d->v, i)->talk, "ZCOUNT %s:r %lld +inf", tag,
                      swg__wall_us() + (long long)d->clock_offset_us);
    }
    *least = INT64_MAX;
    *most = 0;
    for (uint32_t i = 0; i < shards; i++) {
        redisReply *reply = swg__talk_hear(&swg__visit_node(&d->v, i)->talk);

        if (swg__whole(reply, &count)) {
            *least = count < *least ? count : *least;
            *most = count > *most ? count : *most;
        }
        whole = whole && reply && reply->type != REDIS_REPLY_ERROR;
        swg__free(reply);
    }
    return whole;
}

static void say_shards(doctor *d, uint32_t shards)
{
    int64_t least, most;

    if (!count_reporters(d, shards, &least, &most)) {
        if (swg__visit_ended(&d->v) == SWG_OK)
            swg__doctor_say(d, SWG_FLEET_CHECK_SHARDS, NOTE, "%u; who reports is not told", shards);
    } else if (d->v.config.shards > 0 && d->v.config.shards != shards) {
        swg__doctor_fix(d, "the same .shards (--shards) everywhere");
        swg__doctor_say(d, SWG_FLEET_CHECK_SHARDS, PROBLEM, "%u are used, not %u", shards,
                        d->v.config.shards);
    } else if (least != most) {
        swg__doctor_fix(d,
                        "the same .shards in every client; if hosts have just come or gone, look "
                        "again in 10 s");
        swg__doctor_say(d, SWG_FLEET_CHECK_SHARDS, WARNING,
                        "%u, and not all have the same reporters: %" PRId64 " to %" PRId64, shards,
                        least, most);
    } else if (most == 0) {
        swg__doctor_say(d, SWG_FLEET_CHECK_SHARDS, NOTE,
                        "something is stored, and no host reports");
    } else {
        swg__doctor_say(d, SWG_FLEET_CHECK_SHARDS, FINE, "%u, %" PRId64 " reporter%s alive", shards,
                        most, most == 1 ? "" : "s");
    }
}

/* Every shard lives somewhere. */
static bool has_homes(doctor *d)
{
    const uint32_t shards = d->v.shards          ? d->v.shards
                            : d->v.config.shards ? d->v.config.shards
                                                 : 16;

    for (uint32_t i = 0; i < shards; i++) {
        if (swg__visit_node(&d->v, i))
            continue;
        swg__doctor_fix(d, "redis-cli --cluster check");
        swg__doctor_say(d, SWG_FLEET_CHECK_SHARDS, PROBLEM, "nobody has the slot of shard %u", i);
        d->v.shards = 0;
        return false;
    }
    return true;
}

void swg__doctor_shards(doctor *d)
{
    if (!swg__visit_look(&d->v, d->shards))
        return;
    d->v.shards = swg__visit_count(d->shards, 0);
    if (!has_homes(d))
        return;
    if (d->v.shards > 0)
        say_shards(d, d->v.shards);
    else
        swg__doctor_say(d, SWG_FLEET_CHECK_SHARDS, NOTE,
                        "none: no client has been here yet under the name %s", d->v.space);
}

void swg__doctor_schema(doctor *d)
{
    uint32_t newer = 0, first = 0;

    for (uint32_t i = d->v.shards; i-- > 0;) {
        if (is_there(d, i) && strtol(d->shards[i].schema, NULL, 10) != SWG_STEP_SCHEMA) {
            newer++;
            first = i;
        }
    }
    if (newer > 0) {
        swg__doctor_fix(d, "upgrade this host; or another namespace (.space, --space)");
        swg__doctor_say(d, SWG_FLEET_CHECK_SCHEMA, PROBLEM,
                        "%u shard%s of schema %s, from shard %u on; this library speaks %d", newer,
                        newer == 1 ? " is" : "s are", d->shards[first].schema, first,
                        SWG_STEP_SCHEMA);
    } else if (d->v.shards > 0) {
        swg__doctor_say(d, SWG_FLEET_CHECK_SCHEMA, FINE, "%d", SWG_STEP_SCHEMA);
    }
}

/* ---- data ---------------------------------------------------------------------------------- */

static const struct {
    const char *key, *type;
} kinds[] = {{"m", "hash"}, {"st", "hash"}, {"chg", "zset"},
             {"c", "hash"}, {"a", "list"},  {"r", "zset"}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void bad(char first[DOCTOR_WORD], uint32_t *count, const char *tag, const char *key)
{
    if ((*count)++ == 0)
        snprintf(first, DOCTOR_WORD, "%s:%s", tag, key);
}

/* A shard's keys are of their types, and its clock is no test's. */
static void check_shard(talk *t, const char *tag, char first[DOCTOR_WORD], uint32_t *count)
{
    for (int k = 0; k < KINDS; k++)
        swg__talk_say(t, "TYPE %s:%s", tag, kinds[k].key);
    swg__talk_say(t, "HEXISTS %s:m clock", tag);
    for (int k = 0; k < KINDS; k++) {
        redisReply *reply = swg__talk_hear(t);
        const char *type = swg__text(reply);

        if (type && strcmp(type, "none") != 0 && strcmp(type, kinds[k].type) != 0)
            bad(first, count, tag, kinds[k].key);
        swg__free(reply);
    }
    redisReply *reply = swg__talk_hear(t);
    if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1)
        bad(first, count, tag, "m (a test's clock)");
    swg__free(reply);
}

static void check_states(talk *t, const char *tag, char first[DOCTOR_WORD], uint32_t *count,
                         uint32_t *circuits)
{
    redisReply *states = swg__talk_ask(t, "HGETALL %s:st", tag);

    for (size_t i = 0; i + 1 < swg__length(states); i += 2) {
        const char *name = swg__text(swg__at(states, i));
        visit_state state;

        (*circuits)++;
        if (!name || !swg__is_name(name) ||
            !swg__read_state(&state, swg__text(swg__at(states, i + 1))))
            bad(first, count, tag, "st");
    }
    swg__free(states);
}

static void check_audit(talk *t, const char *tag, char first[DOCTOR_WORD], uint32_t *count)
{
    redisReply *rows = swg__talk_ask(t, "LRANGE %s:a 0 255", tag);
    swg_fleet_action action;

    for (size_t i = 0; i < swg__length(rows); i++) {
        const char *row = swg__text(swg__at(rows, i));

        if (!row || !swg__read_action(&action, row))
            bad(first, count, tag, "a");
    }
    swg__free(rows);
}

void swg__doctor_data(doctor *d)
{
    char first[DOCTOR_WORD] = "", tag[VISIT_TAG];
    uint32_t count = 0, circuits = 0;

    for (uint32_t i = 0; i < d->v.shards; i++) {
        swg__visit_tag(&d->v, i, tag);
        talk *t = &swg__visit_node(&d->v, i)->talk;
        check_shard(t, tag, first, &count);
        check_states(t, tag, first, &count, &circuits);
        check_audit(t, tag, first, &count);
    }
    if (swg__visit_ended(&d->v) != SWG_OK || d->v.shards == 0)
        return;
    if (count > 0) {
        swg__doctor_fix(d, "nobody else may write to swg1:*; UNLINK what is not the fleet's, hosts "
                           "tell what they know again");
        swg__doctor_say(d, SWG_FLEET_CHECK_DATA, PROBLEM, "%u value%s not the fleet's, first %s",
                        count, count == 1 ? " is" : "s are", first);
    } else {
        swg__doctor_say(d, SWG_FLEET_CHECK_DATA, FINE, "%u circuit%s with a history", circuits,
                        circuits == 1 ? "" : "s");
    }
}
