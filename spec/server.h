/* The server of the model: the library's own step function between two of the model's states.
 *
 * The model keeps one circuit of one shard as a handful of bytes. A call turns them into a shard,
 * runs swg_step_sync() on it and turns the result back, so whatever the C code decides is what the
 * model checker explores. What the bytes leave out is what the decisions do not depend on: absolute
 * times (only before and after matter), sequence numbers (only their order and equality do), the
 * backoff.
 *
 * Threads: one (the checker's). */
#ifndef SPEC_SERVER_H
#define SPEC_SERVER_H

#include <stdbool.h>

#ifndef SPEC_ROWS
#define SPEC_ROWS 2 /* reporters that can have a record: instances and their restarts */
#endif

/* Epochs of the model: 0 is the C code's 0, else count * SPEC_SERVERS + server. */
#define SPEC_SERVERS 2

struct spec_node {
    unsigned char st, ep, ps, px;
    unsigned char srv;                /* who wrote last: 0 nobody, else 1 + server */
    unsigned char due;                /* OPEN and its time is over */
    unsigned char hold;               /* no permits yet: the server is new */
    unsigned char lease[SPEC_ROWS];   /* 0, or the id of the row's live lease */
    unsigned char expired[SPEC_ROWS]; /* its time is over, the server has not looked yet */
    unsigned char bad[SPEC_ROWS];     /* the row's record speaks against the dependency */
    unsigned char seen[SPEC_ROWS];    /* the row's record is as new as its late request */
};

struct spec_request {
    unsigned char row, ep, st, bad, want, id, late, over;
    unsigned char result, result_id, result_ep;
    unsigned char server, clock;
};

struct spec_reply {
    unsigned char fault; /* refused, or an answer that contradicts the shard */
    unsigned char st, ep, granted, taken;
};

extern struct spec_node spec_node;
extern struct spec_request spec_request;
extern struct spec_reply spec_reply;

/* One request on spec_node, in place; `late` says whether its sequence number is no news to it. */
void spec_serve(void);

#endif
