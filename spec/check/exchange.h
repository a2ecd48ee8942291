/* One recorded exchange with a shard, read back from what went over the wire.
 *
 * Keeps: what is in here was spelled exactly as docs/design/fleet-wire.md says; ranges are judged
 * by the step function's own checks, none of which is repeated. */
#ifndef SWG_SPEC_EXCHANGE_H
#define SWG_SPEC_EXCHANGE_H

#include "fleet/step.h"

#include <jansson.h>

#define WHY_MAX 240

enum exchange_kind { EXCHANGE_SYNC, EXCHANGE_ADMIN };

enum exchange_outcome {
    EXCHANGE_SILENT,   /* no reply: it may have run or not */
    EXCHANGE_ANSWERED, /* it ran */
    EXCHANGE_ARGUMENT, /* SWGARG: it did not run */
    EXCHANGE_REFUSED   /* the server did not run it (BUSY, MOVED, NOSCRIPT ...) */
};

/* A reply of sync; the rows are in allocated memory, so that a long recording fits. */
struct answer {
    int64_t now;
    char server[41];
    int64_t next, reporters, cursor;
    bool more;
    int grants, views, offers;
    struct swg_step_grant *grant;
    struct swg_step_view *view;
    struct swg_step_offer *offer;
};

struct exchange {
    const char *file;
    long line;
    char *shard; /* the tag, as "swg1:{shop:3}" */
    char *route;
    int64_t conn, sent_ns, answered_ns; /* answered_ns: -1 without a reply */
    bool delivered;
    uint64_t digest; /* of all words of the request: the same bytes, the same digest */
    enum exchange_kind kind;
    enum exchange_outcome outcome;
    char error[WHY_MAX]; /* of a refusal */

    int schema;
    char reporter[SWG_STEP_NAME];
    int64_t cursor;
    int entries;
    struct swg_step_entry *entry;
    struct swg_step_order *order; /* admin only */
    char asked_server[41];        /* the server a test named in the request, or "" */

    int64_t now; /* the server's, of the reply */
    struct answer *answer;
    int64_t epoch; /* admin's answer */

    bool settled; /* has its place in the history */
};

/* Is this a command of ours: EVALSHA of sync or admin on a shard's keys? -1: no; -2: of our keys,
 * but of a script this build does not know; else the kind. */
int exchange_kind_of(size_t words, const char *const *word);

/* From the words of the command. False: `why` names the word and what is wrong with it. */
bool exchange_read_request(struct exchange *x, size_t words, const char *const *word,
                           const size_t *length, char why[WHY_MAX]);

/* From the reply, which is no error. False: `why` names the field. */
bool exchange_read_reply(struct exchange *x, const json_t *reply, char why[WHY_MAX]);

void exchange_free(struct exchange *x);

#endif
