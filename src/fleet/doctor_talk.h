/* A conversation with one Redis: commands out, replies in, blocking, all before one deadline.
 *
 * Keeps: nothing here waits beyond the deadline; once it failed, everything fails at once with the
 * first reason, so callers need look only at what they were given. */
#ifndef SWG_FLEET_DOCTOR_TALK_H
#define SWG_FLEET_DOCTOR_TALK_H

#include "fleet/net_link.h"
#include "fleet/wire.h"

#include <hiredis/hiredis.h>

typedef enum talk_end {
    TALK_GOES_ON,
    TALK_NOBODY,   /* never came up */
    TALK_REFUSED,  /* TLS: the certificate, or no TLS at all */
    TALK_LATE,     /* the deadline passed */
    TALK_LOST,     /* it was up, and broke */
    TALK_NONSENSE, /* what came is no Redis reply */
    TALK_NO_MEMORY
} talk_end;

typedef struct talk {
    net_link link;
    redisReader *reader;
    redisReplyObjectFunctions functions, usual;
    int64_t deadline_ns;
    char *out;
    size_t out_used, out_sent, out_room;
    talk_end end;
    char why[NET_TROUBLE_MAX];
} talk;

/* Connects. False: talk->end and talk->why say why not. Close it in either case. */
bool swg__talk_open(talk *t, const swg_fleet_url *url, const swg_fleet_run_config *config,
                    int64_t deadline_ns);
void swg__talk_close(talk *t);

/* Says one command, as redisCommand() formats it; it goes out with the next swg__talk_hear(). */
void swg__talk_say(talk *t, const char *format, ...);
void swg__talk_say_wire(talk *t, const struct swg_wire *wire);

/* The reply to the oldest command not answered yet; the caller frees it. NULL: talk->end. */
redisReply *swg__talk_hear(talk *t);

/* Both. */
redisReply *swg__talk_ask(talk *t, const char *format, ...);

/* ---- replies, all of which take NULL ---- */

bool swg__is_error(const redisReply *reply, const char *begin);
/* The text of a string or status; NULL: anything else. */
const char *swg__text(const redisReply *reply);
/* An element of an array; NULL: there is none. */
const redisReply *swg__at(const redisReply *reply, size_t index);
/* A whole number of at most 2^53 - 1, as integer or text. */
bool swg__whole(const redisReply *reply, int64_t *value);
size_t swg__length(const redisReply *reply); /* of an array */
/* A field of what INFO said, cut to the room there is; false, and "": it is not there. */
bool swg__field(const redisReply *info, const char *field, char *text, size_t room);
/* Whatever a server said, as one line without control characters. */
void swg__one_line(char *text);
void swg__free(redisReply *reply);

#endif
