/* Which circuits there are: those with a history or limits are listed, those that were only ever
 * reported on are found by their evidence, those that were named are where hosts look for them. */
#include "fleet/doctor_inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCAN_COUNT = 1000, PATTERN = 96 };

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

/* A circuit that was named, in other shards than its own? */
static void seek(inspection *in, const char *name)
{
    char tag[VISIT_TAG];

    for (uint32_t i = 0; i < in->v.shards; i++) {
        talk *t = &swg__visit_node(&in->v, i)->talk;

        swg__visit_tag(&in->v, i, tag);
        swg__talk_say(t, "HGET %s:st %s", tag, name);
        swg__talk_say(t, "EXISTS %s:x:%s", tag, name);
    }
    for (uint32_t i = 0; i < in->v.shards; i++) {
        talk *t = &swg__visit_node(&in->v, i)->talk;
        redisReply *state = swg__talk_hear(t), *evidence = swg__talk_hear(t);
        int64_t there;

        if (swg__text(state) || (swg__whole(evidence, &there) && there == 1))
            swg__visit_doubt_place(&in->v, name, i);
        swg__free(state);
        swg__free(evidence);
    }
}

int swg__inspect_list(inspection *in, const char *const *names, size_t count)
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
        seek(in, names[i]);
    }
    if (count > 0)
        return SWG_OK;
    int result = list_stored(in);
    if (result == SWG_OK)
        result = scan_all(in);
    sort(&in->roll);
    for (size_t i = 0; i < in->roll.count; i++)
        swg__visit_doubt_place(&in->v, in->roll.entries[i].name, in->roll.entries[i].shard);
    return result;
}
