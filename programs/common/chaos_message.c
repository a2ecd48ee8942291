/* Bytes cut into messages, and messages in a queue.
 *
 * Keeps: every byte that came in is in exactly one message, in order, whatever it was cut into. */
#include "chaos_internal.h"

#include <stdlib.h>
#include <string.h>

bool chaos_append(chaos_bytes *b, const void *data, size_t count)
{
    if (b->room - b->used < count) {
        const size_t room = (b->used + count) * 2;
        char *grown = realloc(b->data, room);
        if (!grown)
            return false;
        b->data = grown;
        b->room = room;
    }
    if (count > 0)
        memcpy(b->data + b->used, data, count);
    b->used += count;
    return true;
}

static void forget(chaos_bytes *b, size_t count)
{
    memmove(b->data, b->data + count, b->used - count);
    b->used -= count;
}

/* What is no RESP passes as it comes from here on, beginning with what was kept back. */
static void go_raw(chaos_connection *k, int way, chaos_taker take)
{
    chaos_way *w = &k->way[way];
    redisReaderFree(w->reader);
    w->reader = NULL;
    take(k, way, NULL, w->in.data, w->in.used);
    w->in.used = 0;
}

static void cut_resp(chaos_connection *k, int way, const char *bytes, size_t count,
                     chaos_taker take)
{
    chaos_way *w = &k->way[way];
    void *object = NULL;
    if (!chaos_append(&w->in, bytes, count)) {
        chaos_reset(k);
        return;
    }
    redisReaderFeed(w->reader, bytes, count);
    while (!k->dead && redisReaderGetReply(w->reader, &object) == REDIS_OK) {
        if (!object)
            return;
        const size_t length = w->in.used - (w->reader->len - w->reader->pos);
        take(k, way, object, w->in.data, length);
        freeReplyObject(object);
        forget(&w->in, length);
    }
    if (!k->dead)
        go_raw(k, way, take);
}

void chaos_cut(chaos_connection *k, int way, const char *bytes, size_t count, chaos_taker take)
{
    if (k->way[way].reader)
        cut_resp(k, way, bytes, count, take);
    else
        take(k, way, NULL, bytes, count);
}

chaos_message *chaos_message_new(const char *bytes, size_t count, int64_t due_ns)
{
    chaos_message *m = malloc(sizeof *m + count);
    if (!m)
        return NULL;
    *m = (chaos_message){.due_ns = due_ns, .length = count};
    if (count > 0)
        memcpy(m->bytes, bytes, count);
    return m;
}

void chaos_message_free(chaos_message *m)
{
    free(m->json);
    free(m);
}

void chaos_enqueue(chaos_way *w, chaos_message *m)
{
    chaos_message **at = &w->queue;
    while (*at && (*at)->due_ns <= m->due_ns)
        at = &(*at)->next;
    m->next = *at;
    *at = m;
    w->queued += m->length;
}

chaos_message *chaos_dequeue(chaos_way *w, int64_t now_ns)
{
    chaos_message *m = w->queue;
    if (!m || m->due_ns > now_ns)
        return NULL;
    w->queue = m->next;
    w->queued -= m->length;
    return m;
}
