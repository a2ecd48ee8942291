/* Words of the server as replies, and what is in them. */
#include "fleet/reader.h"

#include "fleet/wire.h"

#include <stdlib.h>
#include <string.h>

/* The memory of an array that is longer is not asked for. */
#if HIREDIS_MAJOR < 1
static void *short_array(const redisReadTask *task, int elements)
#else
static void *short_array(const redisReadTask *task, size_t elements)
#endif
{
    const swg_reader *r = task->privdata;

    return (size_t)elements > r->elements_max ? NULL : r->usual.createArray(task, elements);
}

bool swg__reader_open(swg_reader *r, size_t elements_max, size_t bytes_max)
{
    *r = (swg_reader){
        .hiredis = redisReaderCreate(), .elements_max = elements_max, .bytes_max = bytes_max};
    if (!r->hiredis)
        return false;
    r->usual = r->functions = *r->hiredis->fn;
    r->functions.createArray = short_array;
    r->hiredis->fn = &r->functions;
    r->hiredis->privdata = r;
    return true;
}

void swg__reader_close(swg_reader *r)
{
    if (r->hiredis)
        redisReaderFree(r->hiredis);
    r->hiredis = NULL;
}

bool swg__reader_feed(swg_reader *r, const void *bytes, size_t count)
{
    r->pending += count;
    return count == 0 || redisReaderFeed(r->hiredis, bytes, count) == REDIS_OK;
}

int swg__reader_next(swg_reader *r, redisReply **reply)
{
    void *whole = NULL;

    if (redisReaderGetReply(r->hiredis, &whole) != REDIS_OK)
        return -1;
    *reply = whole;
    if (!whole)
        return r->pending > r->bytes_max ? -1 : 0;
    r->pending = r->hiredis->len - r->hiredis->pos;
    return 1;
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

bool swg__needs_no_password(const redisReply *r)
{
    return swg__is_error(r, "ERR AUTH") || swg__is_error(r, "ERR Client sent AUTH");
}
