/* Blocking on a link that does not: poll it, feed the reader, stop at the deadline. */
#include "fleet/doctor_talk.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/types.h>

#define MS INT64_C(1000000)
#define PENDING_MAX (64u << 20) /* bytes of a reply still incomplete */
#define ELEMENTS_MAX (1u << 20) /* of an array: three for each reporter of a circuit */
enum { ROOM = 65536 };

static void finish(talk *t, talk_end end, const char *why)
{
    if (t->end != TALK_GOES_ON)
        return;
    t->end = end;
    snprintf(t->why, sizeof t->why, "%s", why);
}

/* ---- waiting ------------------------------------------------------------------------------- */

static void wait_link(talk *t, int64_t now)
{
    int64_t until = swg__link_due(&t->link, now);
    struct pollfd fd = {.fd = t->link.fd,
                        .events = swg__link_wants(&t->link, t->out_sent < t->out_used)};

    if (until > t->deadline_ns)
        until = t->deadline_ns;
    if (fd.events == 0)
        fd.fd = -1;
    poll(&fd, 1, until > now ? (int)((until - now + MS - 1) / MS) : 0);
}

static void not_up(talk *t)
{
    const char *why = t->link.trouble;

    if (strncmp(why, "TLS", 3) != 0)
        finish(t, TALK_NOBODY, why);
    else
        finish(t, strstr(why, "no answer in time") ? TALK_LATE : TALK_REFUSED, why);
}

static void come_up(talk *t)
{
    int64_t now = swg_clock_ns();

    while (!swg__link_step(&t->link, now)) {
        if (t->link.state == NET_DOWN) {
            not_up(t);
            return;
        }
        wait_link(t, now);
        now = swg_clock_ns();
    }
}

/* Memory for a longer array than any of ours is not asked for. */
#if HIREDIS_MAJOR < 1
static void *short_array(const redisReadTask *task, int elements)
#else
static void *short_array(const redisReadTask *task, size_t elements)
#endif
{
    const talk *t = task->privdata;

    return (size_t)elements > ELEMENTS_MAX ? NULL : t->usual.createArray(task, elements);
}

static bool open_reader(talk *t)
{
    t->reader = redisReaderCreate();
    if (!t->reader)
        return false;
    t->usual = t->functions = *t->reader->fn;
    t->functions.createArray = short_array;
    t->reader->fn = &t->functions;
    t->reader->privdata = t;
    return true;
}

bool swg__talk_open(talk *t, const swg_fleet_url *url, const swg_fleet_run_config *config,
                    int64_t deadline_ns)
{
    *t = (talk){.deadline_ns = deadline_ns};
    if (!swg__link_open(&t->link, url, config)) {
        finish(t, t->link.trouble[0] ? TALK_REFUSED : TALK_NO_MEMORY, t->link.trouble);
        return false;
    }
    if (!open_reader(t))
        finish(t, TALK_NO_MEMORY, "out of memory");
    else
        come_up(t);
    return t->end == TALK_GOES_ON;
}

void swg__talk_close(talk *t)
{
    swg__link_close(&t->link);
    if (t->reader)
        redisReaderFree(t->reader);
    free(t->out);
    t->reader = NULL;
    t->out = NULL;
}

/* ---- saying -------------------------------------------------------------------------------- */

static void append(talk *t, const char *bytes, int count)
{
    const size_t length = (size_t)count;

    if (count < 0 || t->end != TALK_GOES_ON) {
        finish(t, TALK_NO_MEMORY, "out of memory");
        return;
    }
    if (t->out_room - t->out_used < length) {
        const size_t room = 2 * t->out_room + length;
        char *grown = realloc(t->out, room);

        if (!grown) {
            finish(t, TALK_NO_MEMORY, "out of memory");
            return;
        }
        t->out = grown;
        t->out_room = room;
    }
    memcpy(t->out + t->out_used, bytes, length);
    t->out_used += length;
}

static void say(talk *t, const char *format, va_list list)
{
    char *command = NULL;
    const int length = redisvFormatCommand(&command, format, list);

    append(t, command, length);
    free(command);
}

void swg__talk_say(talk *t, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    say(t, format, list);
    va_end(list);
}

void swg__talk_say_wire(talk *t, const struct swg_wire *wire)
{
    char *command = NULL;
    const int length = redisFormatCommandArgv(&command, wire->count, wire->argv, wire->lengths);

    append(t, command, wire->full ? -1 : length);
    free(command);
}

/* ---- hearing ------------------------------------------------------------------------------- */

static void write_some(talk *t)
{
    while (t->out_sent < t->out_used) {
        const ssize_t sent =
            swg__link_write(&t->link, t->out + t->out_sent, t->out_used - t->out_sent);

        if (sent < 0)
            finish(t, TALK_LOST, t->link.trouble);
        if (sent <= 0)
            return;
        t->out_sent += (size_t)sent;
    }
    t->out_used = t->out_sent = 0;
}

/* True: something came. */
static bool read_some(talk *t)
{
    char bytes[ROOM];
    const ssize_t count = swg__link_read(&t->link, bytes, sizeof bytes);

    if (count < 0)
        finish(t, TALK_LOST, t->link.trouble);
    if (count > 0 && redisReaderFeed(t->reader, bytes, (size_t)count) != REDIS_OK)
        finish(t, TALK_NO_MEMORY, "out of memory");
    return count > 0;
}

static void nonsense(talk *t)
{
    char why[NET_TROUBLE_MAX];

    snprintf(why, sizeof why, "what answers is no Redis: %s", t->reader->errstr);
    finish(t, TALK_NONSENSE, why);
}

redisReply *swg__talk_hear(talk *t)
{
    void *reply = NULL;

    while (t->end == TALK_GOES_ON) {
        if (redisReaderGetReply(t->reader, &reply) != REDIS_OK)
            nonsense(t);
        else if (reply)
            return reply;
        else if (t->reader->len - t->reader->pos > PENDING_MAX)
            finish(t, TALK_NONSENSE, "a reply without end");
        if (t->end != TALK_GOES_ON)
            return NULL;
        write_some(t);
        const bool came = t->end == TALK_GOES_ON && read_some(t);
        const int64_t now = swg_clock_ns();
        if (now >= t->deadline_ns)
            finish(t, TALK_LATE, "no answer in time");
        else if (t->end == TALK_GOES_ON && !came)
            wait_link(t, now);
    }
    return NULL;
}

redisReply *swg__talk_ask(talk *t, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    say(t, format, list);
    va_end(list);
    return swg__talk_hear(t);
}

/* ---- replies ------------------------------------------------------------------------------- */

bool swg__is_error(const redisReply *r, const char *begin)
{
    return r && r->type == REDIS_REPLY_ERROR && strncmp(r->str, begin, strlen(begin)) == 0;
}

const char *swg__text(const redisReply *r)
{
    return r && (r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS) ? r->str : NULL;
}

size_t swg__length(const redisReply *r)
{
    return r && r->type == REDIS_REPLY_ARRAY ? r->elements : 0;
}

const redisReply *swg__at(const redisReply *r, size_t index)
{
    return index < swg__length(r) ? r->element[index] : NULL;
}

bool swg__whole(const redisReply *r, int64_t *value)
{
    const char *text = swg__text(r);
    char *end;

    if (r && r->type == REDIS_REPLY_INTEGER) {
        *value = r->integer;
        return r->integer >= 0 && r->integer <= SWG_STEP_NUMBER;
    }
    if (!text || *text < '0' || *text > '9' || strlen(text) > 16)
        return false;
    *value = strtoll(text, &end, 10);
    return *end == '\0' && *value <= SWG_STEP_NUMBER;
}

bool swg__field(const redisReply *info, const char *field, char *text, size_t room)
{
    const char *line = swg__text(info);
    const size_t length = strlen(field);

    text[0] = '\0';
    while (line && (strncmp(line, field, length) != 0 || line[length] != ':')) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (!line)
        return false;
    line += length + 1;
    snprintf(text, room, "%.*s", (int)strcspn(line, "\r\n"), line);
    return true;
}

void swg__one_line(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 127)
            *text = ' ';
    }
}

void swg__free(redisReply *r)
{
    if (r)
        freeReplyObject(r);
}
