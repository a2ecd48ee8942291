/* Replies of a Redis as all who talk to one read them: client, transport, doctor.
 *
 * Keeps: whatever comes, memory stays bounded; what has another shape than is looked for is not
 * there. */
#ifndef SWG_FLEET_READER_H
#define SWG_FLEET_READER_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct swg_reader {
    redisReader *hiredis; /* NULL: not open */
    redisReplyObjectFunctions usual, functions;
    size_t elements_max, bytes_max;
    size_t pending; /* bytes of a reply still incomplete, at least */
} swg_reader;

/* Of arrays no longer, and of replies that take no more bytes. The reader stays where it is. False:
 * no memory. */
bool swg__reader_open(swg_reader *r, size_t elements_max, size_t bytes_max);
void swg__reader_close(swg_reader *r);

/* False: no memory. */
bool swg__reader_feed(swg_reader *r, const void *bytes, size_t count);

/* 1: `*reply` is the next, and the caller's; 0: not yet; -1: no reply, or one without end. */
int swg__reader_next(swg_reader *r, redisReply **reply);

/* ---- replies, all of which take NULL ---- */

bool swg__is_error(const redisReply *reply, const char *begin);
/* The text of a string or status; NULL: anything else. */
const char *swg__text(const redisReply *reply);
/* An element of an array; NULL: there is none. */
const redisReply *swg__at(const redisReply *reply, size_t index);
/* A whole number of at most 2^53 - 1, as integer or text. */
bool swg__whole(const redisReply *reply, int64_t *value);
size_t swg__length(const redisReply *reply); /* of an array */
/* AUTH was refused, and all is well: the server asks for no password. */
bool swg__needs_no_password(const redisReply *reply);

#endif
