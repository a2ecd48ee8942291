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

bool swg__ask_begin(net_ask *ask)
{
    swg__ask_end(ask);
    return swg__reader_open(&ask->reader, ELEMENTS_MAX, PENDING_MAX);
}

void swg__ask_end(net_ask *ask)
{
    swg__reader_close(&ask->reader);
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
    const int there = swg__reader_next(&ask->reader, reply);
    return there < 0 ? nonsense(link) : there;
}

static int receive(net_ask *ask, net_link *link, redisReply **reply)
{
    char bytes[ROOM];
    int result = next(ask, link, reply);
    for (int i = 0; i < TURNS && result == 0; i++) {
        const ssize_t count = swg__link_read(link, bytes, sizeof bytes);
        if (count <= 0)
            return (int)count;
        result = swg__reader_feed(&ask->reader, bytes, (size_t)count) ? next(ask, link, reply)
                                                                      : nonsense(link);
    }
    return result;
}

static bool is_let_in(const redisReply *reply, net_link *link)
{
    if (reply->type != REDIS_REPLY_ERROR || swg__needs_no_password(reply))
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
