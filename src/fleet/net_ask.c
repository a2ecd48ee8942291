/* Words out, replies in.
 *
 * Keeps: whatever comes, memory stays bounded, and no turn takes long. */
#include "net_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_MAX (32u << 20)  /* bytes of a reply still incomplete */
#define ELEMENTS_MAX (16384 + 1) /* of an array: a slot each, at the worst */
enum { WORDS_MAX = 8, ROOM = 16384, TURNS = 16 };

/* An array longer than there ever is: its memory is not asked for. */
#if HIREDIS_MAJOR < 1
static void *short_array(const redisReadTask *task, int elements)
#else
static void *short_array(const redisReadTask *task, size_t elements)
#endif
{
    const net_ask *ask = task->privdata;
    return elements > ELEMENTS_MAX ? NULL : ask->usual.createArray(task, elements);
}

bool swg__ask_begin(net_ask *ask)
{
    swg__ask_end(ask);
    ask->reader = redisReaderCreate();
    if (!ask->reader)
        return false;
    ask->usual = ask->functions = *ask->reader->fn;
    ask->functions.createArray = short_array;
    ask->reader->fn = &ask->functions;
    ask->reader->privdata = ask;
    return true;
}

void swg__ask_end(net_ask *ask)
{
    if (ask->reader)
        redisReaderFree(ask->reader);
    free(ask->out);
    *ask = (net_ask){0};
}

bool swg__ask_say(net_ask *ask, const char *const *words)
{
    const char *argv[WORDS_MAX];
    char *command = NULL, *grown = NULL;
    int count = 0;
    for (; count < WORDS_MAX && words[count]; count++)
        argv[count] = words[count];
    const int length = redisFormatCommandArgv(&command, count, argv, NULL);
    if (length > 0)
        grown = realloc(ask->out, ask->used + (size_t)length);
    if (grown) {
        memcpy(grown + ask->used, command, (size_t)length);
        ask->out = grown;
        ask->used += (size_t)length;
    }
    free(command);
    return grown != NULL;
}

bool swg__ask_auth(net_ask *ask, const char *user, const char *password)
{
    if (!password)
        return true;
    ask->auth = true;
    return user ? swg__ask_say(ask, (const char *const[]){"AUTH", user, password, NULL})
                : swg__ask_say(ask, (const char *const[]){"AUTH", password, NULL});
}

static bool send_all(net_ask *ask, net_link *link)
{
    while (ask->sent < ask->used) {
        const ssize_t sent = swg__link_write(link, ask->out + ask->sent, ask->used - ask->sent);
        if (sent <= 0)
            return sent == 0;
        ask->sent += (size_t)sent;
    }
    ask->used = ask->sent = 0;
    return true;
}

static int nonsense(net_link *link)
{
    snprintf(link->trouble, sizeof link->trouble, "read: its reply makes no sense");
    return -1;
}

/* What is in the reader already; 0: no whole reply. */
static int next(net_ask *ask, net_link *link, redisReply **reply)
{
    void *whole = NULL;
    if (redisReaderGetReply(ask->reader, &whole) != REDIS_OK)
        return nonsense(link);
    *reply = whole;
    if (!whole)
        return ask->pending > PENDING_MAX ? nonsense(link) : 0;
    ask->pending = ask->reader->len - ask->reader->pos;
    return 1;
}

static int receive(net_ask *ask, net_link *link, redisReply **reply)
{
    char bytes[ROOM];
    int result = next(ask, link, reply);
    for (int i = 0; i < TURNS && result == 0; i++) {
        const ssize_t count = swg__link_read(link, bytes, sizeof bytes);
        if (count <= 0)
            return (int)count;
        ask->pending += (size_t)count;
        result = redisReaderFeed(ask->reader, bytes, (size_t)count) == REDIS_OK
                     ? next(ask, link, reply)
                     : nonsense(link);
    }
    return result;
}

/* A server without passwords says so in either of two ways, and all is well. */
static bool is_let_in(const redisReply *reply, net_link *link)
{
    if (reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "ERR AUTH", 8) == 0 ||
        strncmp(reply->str, "ERR Client sent AUTH", 20) == 0)
        return true;
    snprintf(link->trouble, sizeof link->trouble, "AUTH: %.300s", reply->str);
    return false;
}

int swg__ask_turn(net_ask *ask, net_link *link, redisReply **reply)
{
    int result = send_all(ask, link) ? receive(ask, link, reply) : -1;
    if (result <= 0 || !ask->auth)
        return result;
    const bool fine = is_let_in(*reply, link);
    ask->auth = false;
    freeReplyObject(*reply);
    return fine ? receive(ask, link, reply) : -1;
}
