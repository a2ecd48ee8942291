/* The record: requests and replies as JSON, one a line. The format is described in chaos.h; others
 * read it. */
#include "chaos_internal.h"

#include <inttypes.h>
#include <stdlib.h>

/* Bytes of one UTF-8 character, 0 if it is none (overlong, surrogate, beyond Unicode, cut off). */
static size_t utf8_length(const unsigned char *s, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t n = s[0] < 0x80   ? 1
                     : s[0] < 0xc2 ? 0
                     : s[0] < 0xe0 ? 2
                     : s[0] < 0xf0 ? 3
                     : s[0] < 0xf5 ? 4
                                   : 0;
    if (n < 2 || n > left)
        return n > left ? 0 : n;
    uint32_t c = s[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

static void put_string(FILE *file, const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    putc('"', file);
    for (size_t i = 0; i < length;) {
        const size_t n = utf8_length(s + i, length - i);
        if (n == 0 || s[i] < 0x20 || s[i] == 0x7f)
            fprintf(file, "\\u%04x", s[i]);
        else if (s[i] == '"' || s[i] == '\\')
            fprintf(file, "\\%c", s[i]);
        else
            fwrite(s + i, 1, n, file);
        i += n > 0 ? n : 1;
    }
    putc('"', file);
}

/* The codec goes no deeper than nine arrays. */
static void put_object(FILE *file, const redisReply *r)
{
    switch (r->type) {
    case REDIS_REPLY_INTEGER:
        fprintf(file, "%lld", r->integer);
        return;
    case REDIS_REPLY_NIL:
        fputs("null", file);
        return;
    case REDIS_REPLY_ERROR:
        fputs("{\"error\":", file);
        put_string(file, r->str, r->len);
        putc('}', file);
        return;
    case REDIS_REPLY_ARRAY:
        putc('[', file);
        for (size_t i = 0; i < r->elements; i++) {
            fputs(i > 0 ? "," : "", file);
            put_object(file, r->element[i]);
        }
        putc(']', file);
        return;
    default:
        put_string(file, r->str, r->len);
    }
}

char *chaos_json(const redisReply *object)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    if (!file)
        return NULL;
    put_object(file, object);
    if (fclose(file) == 0)
        return text;
    free(text);
    return NULL;
}

void chaos_record(const chaos_connection *k, const chaos_pending *p, int64_t answered_ns,
                  const redisReply *reply, bool delivered)
{
    FILE *file = k->route->proxy->record;
    if (!file || !p->json)
        return;
    fprintf(file, "{\"route\":\"%s\",\"conn\":%" PRIu64 ",\"sent_ns\":%" PRId64 ",\"answered_ns\":",
            k->route->name, k->number, p->sent_ns);
    if (reply)
        fprintf(file, "%" PRId64, answered_ns);
    else
        fputs("null", file);
    fprintf(file, ",\"request\":%s,\"reply\":", p->json);
    if (reply)
        put_object(file, reply);
    else
        fputs("null", file);
    fprintf(file, ",\"delivered\":%s}\n", delivered ? "true" : "false");
}
