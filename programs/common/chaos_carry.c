/* A connection and its counterpart upstream: bytes in, messages through the faults, bytes out.
 *
 * Keeps: an end in one direction is passed on once all before it has been, the other direction
 * goes on; an error of either side resets both. Reading stops while too much is queued. */
#include "chaos_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 65536 };

/* ---- beginning and end --------------------------------------------------------------------- */

static bool equip(chaos_connection *k)
{
    for (int way = 0; way < CHAOS_WAYS; way++)
        if (!(k->way[way].reader = redisReaderCreate()))
            return false;
    return true;
}

static void drop_socket(int fd)
{
    const struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(fd);
}

void chaos_accept(chaos_route *r)
{
    chaos *c = r->proxy;
    const int fd = accept4(r->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    chaos_connection *k = calloc(1, sizeof *k);
    const int upstream = k ? chaos_connect(&r->upstream) : -1;
    r->accepted++;
    if (upstream < 0) {
        r->resets++;
        free(k);
        drop_socket(fd);
        return;
    }
    *k = (chaos_connection){.next = c->connections,
                            .route = r,
                            .number = ++c->numbers,
                            .client = fd,
                            .upstream = upstream,
                            .connecting = true};
    k->pending_end = &k->pending;
    chaos_settle(fd, &r->here);
    c->connections = k;
    c->count++;
    r->open++;
    if (!equip(k))
        chaos_reset(k);
}

void chaos_reset(chaos_connection *k)
{
    if (!k->dead)
        k->route->resets++;
    k->dead = true;
}

static void end_pending(chaos_connection *k)
{
    while (k->pending) {
        chaos_pending *p = k->pending;
        k->pending = p->next;
        chaos_record(k, p, 0, NULL, false);
        free(p->json);
        free(p);
    }
}

static void free_way(chaos_way *w)
{
    for (chaos_message *m; (m = w->queue);) {
        w->queue = m->next;
        chaos_message_free(m);
    }
    if (w->reader)
        redisReaderFree(w->reader);
    free(w->in.data);
    free(w->out.data);
}

void chaos_free(chaos_connection *k)
{
    const bool regular = k->way[CHAOS_UP].shut && k->way[CHAOS_DOWN].shut;
    end_pending(k);
    for (int way = 0; way < CHAOS_WAYS; way++)
        free_way(&k->way[way]);
    if (regular || k->way[CHAOS_DOWN].last) { /* a reset might overtake what was sent last */
        close(k->client);
        close(k->upstream);
    } else {
        drop_socket(k->client);
        drop_socket(k->upstream);
    }
    k->route->open--;
    k->route->proxy->count--;
    free(k);
}

/* ---- bytes in ------------------------------------------------------------------------------ */

static void take(chaos_connection *k, int way, const redisReply *object, const char *bytes,
                 size_t count)
{
    if (way == CHAOS_UP)
        chaos_request(k, object, bytes, count);
    else
        chaos_reply(k, object, bytes, count);
}

/* The beginning of a message whose rest will never come passes too. */
static void end_way(chaos_connection *k, int way)
{
    chaos_way *w = &k->way[way];
    w->ended = true;
    if (w->in.used > 0)
        take(k, way, NULL, w->in.data, w->in.used);
    w->in.used = 0;
    if (way == CHAOS_UP && w->lost) /* nobody is left to be deceived */
        chaos_reset(k);
}

static void read_way(chaos_connection *k, int way)
{
    static char chunk[CHUNK];
    const ssize_t count = read(chaos_from(k, way), chunk, sizeof chunk);
    if (count > 0)
        chaos_cut(k, way, chunk, (size_t)count, take);
    else if (count == 0)
        end_way(k, way);
    else if (errno != EAGAIN && errno != EINTR)
        chaos_reset(k);
}

/* ---- bytes out ----------------------------------------------------------------------------- */

static bool await_answer(chaos_connection *k, chaos_message *m)
{
    chaos_pending *p = malloc(sizeof *p);
    if (!p)
        return false;
    *p = (chaos_pending){.sent_ns = chaos_now_ns(), .json = m->json, .secret = m->secret};
    m->json = NULL;
    *k->pending_end = p;
    k->pending_end = &p->next;
    return true;
}

static void release_due(chaos_connection *k, int way)
{
    chaos_way *w = &k->way[way];
    const int64_t now = chaos_now_ns();
    for (chaos_message *m; !k->dead && (m = chaos_dequeue(w, now));) {
        if ((m->answer && !await_answer(k, m)) || !chaos_append(&w->out, m->bytes, m->length))
            chaos_reset(k);
        chaos_message_free(m);
    }
}

static void write_way(chaos_connection *k, int way)
{
    chaos_way *w = &k->way[way];
    const size_t left = w->out.used - w->out_sent;
    const ssize_t sent = send(chaos_to(k, way), w->out.data + w->out_sent,
                              k->route->faults.bytes ? 1 : left, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        chaos_reset(k);
    w->out_sent += sent > 0 ? (size_t)sent : 0;
    if (w->out_sent == w->out.used)
        w->out_sent = w->out.used = 0;
}

static bool is_drained(const chaos_way *w)
{
    return !w->queue && w->out.used == 0;
}

static void pass_end(chaos_connection *k, int way)
{
    chaos_way *w = &k->way[way];
    if (!is_drained(w) || w->shut)
        return;
    if (w->last)
        k->dead = true;
    if (!w->ended || w->lost)
        return;
    shutdown(chaos_to(k, way), SHUT_WR);
    w->shut = true;
    k->dead = k->dead || k->way[!way].shut || (k->way[!way].ended && k->way[!way].lost);
}

static void finish_connect(chaos_connection *k, short events)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (events == 0)
        return;
    getsockopt(k->upstream, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0)
        chaos_reset(k);
    k->connecting = false;
}

/* ---- a turn of the loop -------------------------------------------------------------------- */

static bool reads(const chaos_connection *k, int way)
{
    const chaos_way *w = &k->way[way];
    return !w->ended && !w->last && !k->route->faults.stall[way] &&
           w->queued + w->out.used < CHAOS_QUEUE_MAX && !(way == CHAOS_DOWN && k->connecting);
}

static bool writes(const chaos_connection *k, int way)
{
    return k->way[way].out.used > 0 && !k->route->faults.stall[way] &&
           !(way == CHAOS_UP && k->connecting);
}

int64_t chaos_wants(const chaos_connection *k, short *client, short *upstream)
{
    int64_t due = INT64_MAX;
    *client = (short)((reads(k, CHAOS_UP) ? POLLIN : 0) | (writes(k, CHAOS_DOWN) ? POLLOUT : 0));
    *upstream = (short)((reads(k, CHAOS_DOWN) ? POLLIN : 0) |
                        (writes(k, CHAOS_UP) || k->connecting ? POLLOUT : 0));
    for (int way = 0; way < CHAOS_WAYS; way++) {
        const chaos_message *m = k->way[way].queue;
        if (m && !k->route->faults.stall[way] && m->due_ns < due)
            due = m->due_ns;
    }
    return due;
}

void chaos_carry(chaos_connection *k, short client, short upstream)
{
    const short ready[] = {client, upstream};
    if (k->connecting)
        finish_connect(k, upstream);
    for (int way = 0; way < CHAOS_WAYS && !k->dead; way++) {
        if (ready[way] && reads(k, way))
            read_way(k, way);
        if (k->route->faults.stall[way] || k->dead)
            continue;
        release_due(k, way);
        if (!k->dead && writes(k, way))
            write_way(k, way);
        if (!k->dead)
            pass_end(k, way);
    }
}
