/* Why less may be seen than there is: a namespace with nothing in it, other shards than hosts use,
 * a circuit where hosts would not look for it. Most often a typing mistake, so no error, and worth
 * a word: visit->doubt, the first reason found. Nothing here fails a visit that would have worked.
 */
#include "fleet/doctor_visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES = 50, PAGE_KEYS = 1000, OTHERS = 3, SPACE = 33 };

void swg__visit_doubt(visit *v, const char *why)
{
    if (!v->doubt[0])
        snprintf(v->doubt, sizeof v->doubt, "%s", why);
}

/* ---- namespaces ---------------------------------------------------------------------------- */

typedef struct others {
    char names[OTHERS][SPACE];
    int count;
} others;

/* "swg1:{shop:3}:m" */
static void take_key(others *o, const char *key)
{
    const char *from = strchr(key, '{');
    const size_t length = from ? strcspn(++from, ":}") : 0;

    if (length == 0 || length >= SPACE || from[length] != ':' || o->count == OTHERS)
        return;
    char *name = o->names[o->count];
    memcpy(name, from, length);
    name[length] = '\0';
    for (int i = 0; i < o->count; i++) {
        if (strcmp(o->names[i], name) == 0)
            return;
    }
    o->count++;
}

static void scan(node *n, others *o)
{
    char cursor[32] = "0";

    for (int page = 0; page < PAGES && o->count < OTHERS; page++) {
        redisReply *reply =
            swg__talk_ask(&n->talk, "SCAN %s MATCH swg1:{*}:m COUNT %d", cursor, PAGE_KEYS);
        const char *next = swg__text(swg__at(reply, 0));
        const redisReply *keys = swg__at(reply, 1);

        for (size_t i = 0; next && i < swg__length(keys); i++) {
            const char *key = swg__text(keys->element[i]);
            if (key)
                take_key(o, key);
        }
        snprintf(cursor, sizeof cursor, "%s", next ? next : "0");
        swg__free(reply);
        if (strcmp(cursor, "0") == 0)
            return;
    }
}

static void doubt_space(visit *v)
{
    char why[sizeof v->doubt];
    others o = {.count = 0};

    for (uint32_t i = 0; i < v->count; i++)
        scan(v->nodes[i], &o);
    int used = snprintf(why, sizeof why,
                        "nothing is stored in namespace %s: no host has been there", v->space);
    for (int i = 0; i < o.count; i++)
        used += snprintf(why + used, sizeof why - (size_t)used, "%s%s",
                         i > 0 ? ", " : "; there is (.space, --space) ", o.names[i]);
    swg__visit_doubt(v, why);
}

/* ---- shards -------------------------------------------------------------------------------- */

void swg__visit_doubt_shards(visit *v, const visit_shard shards[SWG_FLEET_SHARDS_MAX])
{
    const uint32_t given = v->config.shards;
    uint32_t alive = 0, stored = 0;
    char why[sizeof v->doubt];

    for (uint32_t i = 0; i < SWG_FLEET_SHARDS_MAX; i++) {
        alive = shards[i].alive ? i + 1 : alive;
        stored = shards[i].schema[0] ? i + 1 : stored;
    }
    if (alive == 0 && stored == 0) {
        doubt_space(v);
    } else if (given > 0 && alive > 0 && alive != given) {
        snprintf(
            why, sizeof why,
            "hosts use %u shards, not %u: circuits are looked for in others than theirs; leave "
            ".shards (--shards) out, or say %u",
            alive, given, alive);
        swg__visit_doubt(v, why);
    } else if (given > 0 && stored > given) {
        snprintf(why, sizeof why,
                 "something is stored in shards up to number %u, and only %u shards are looked at; "
                 "leave .shards (--shards) out",
                 stored - 1, given);
        swg__visit_doubt(v, why);
    }
}

void swg__visit_doubt_place(visit *v, const char *circuit, uint32_t shard)
{
    const uint32_t place = swg__visit_shard_of(v, circuit);
    char why[sizeof v->doubt];

    if (shard == place)
        return;
    snprintf(
        why, sizeof why,
        "%s is in shard %u, where hosts that use %u shards do not look: theirs is %u; some hosts "
        "have another .shards, or had",
        circuit, shard, v->shards, place);
    swg__visit_doubt(v, why);
}
