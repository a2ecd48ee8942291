/* What the faults of a route do to a message that came in whole.
 *
 * Keeps: what passes in one direction of one connection is a prefix of what was sent (but for a
 * request that was sent twice); faults of the next message hit one message, then are off. */
#include "chaos_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static uint64_t next_random(chaos *c)
{
    uint64_t x = c->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Never before the one that came before it: a stream keeps its order. */
static int64_t due(chaos_connection *k, int way)
{
    const chaos_faults *f = &k->route->faults;
    chaos_way *w = &k->way[way];
    int64_t at = chaos_now_ns() + f->latency_ns[way];
    if (f->jitter_ns[way] > 0)
        at += (int64_t)(next_random(k->route->proxy) % (uint64_t)(f->jitter_ns[way] + 1));
    if (at < w->last_due_ns)
        at = w->last_due_ns;
    return w->last_due_ns = at;
}

/* True: this message and all after it are lost. */
static bool is_lost(chaos_connection *k, int way)
{
    chaos_faults *f = &k->route->faults;
    chaos_way *w = &k->way[way];
    if (!w->lost && (f->swallow[way] || f->drop[way])) {
        w->lost = true;
        f->drop[way] = false;
    }
    if (way == CHAOS_DOWN && k->subscribed && f->mute)
        w->lost = true;
    k->route->swallowed += w->lost;
    return w->lost;
}

static bool is_subscribe(const redisReply *object)
{
    static const char *const words[] = {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"};
    if (!object || object->type != REDIS_REPLY_ARRAY || object->elements == 0)
        return false;
    const redisReply *word = object->element[0];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (word->type == REDIS_REPLY_STRING && strcasecmp(word->str, words[i]) == 0)
            return true;
    return false;
}

static bool send_up(chaos_connection *k, const redisReply *object, const char *bytes, size_t count,
                    int64_t due_ns, bool secret)
{
    chaos_message *m = chaos_message_new(bytes, count, due_ns);
    if (!m)
        return false;
    m->answer = object && !k->subscribed;
    m->secret = secret;
    if (m->answer && k->route->proxy->record && !(m->json = chaos_json(object))) {
        chaos_message_free(m);
        return false;
    }
    chaos_enqueue(&k->way[CHAOS_UP], m);
    return true;
}

void chaos_request(chaos_connection *k, const redisReply *object, const char *bytes, size_t count)
{
    chaos_faults *f = &k->route->faults;
    if (is_lost(k, CHAOS_UP))
        return;
    const int64_t at = due(k, CHAOS_UP);
    const bool twice = f->duplicate && object;
    k->route->requests++;
    k->subscribed = k->subscribed || is_subscribe(object);
    f->duplicate = f->duplicate && !twice;
    if (!send_up(k, object, bytes, count, at, false) ||
        (twice && !send_up(k, object, bytes, count, at + f->duplicate_ns, true)))
        chaos_reset(k);
}

/* An answer goes with the oldest request; what comes without one was published. */
static chaos_pending *asked(chaos_connection *k, const redisReply *object)
{
    chaos_pending *p = object ? k->pending : NULL;
    if (!p)
        return NULL;
    k->pending = p->next;
    if (!k->pending)
        k->pending_end = &k->pending;
    return p;
}

static void send_down(chaos_connection *k, const char *bytes, size_t count)
{
    chaos_faults *f = &k->route->faults;
    chaos_way *w = &k->way[CHAOS_DOWN];
    if (f->truncate) {
        f->truncate = false;
        w->last = true;
        count = count < f->truncate_at ? count : f->truncate_at;
    }
    chaos_message *m = chaos_message_new(bytes, count, due(k, CHAOS_DOWN));
    if (m)
        chaos_enqueue(w, m);
    else
        chaos_reset(k);
}

void chaos_reply(chaos_connection *k, const redisReply *object, const char *bytes, size_t count)
{
    const int64_t now = chaos_now_ns();
    chaos_way *w = &k->way[CHAOS_DOWN];
    chaos_pending *p = asked(k, object);
    const bool kept = w->last || (p && p->secret) || is_lost(k, CHAOS_DOWN);
    k->route->replies++;
    if (!kept)
        send_down(k, bytes, count);
    if (p) {
        chaos_record(k, p, now, object, !kept && !w->last);
        free(p->json);
        free(p);
    }
}
