/* What was really said about the circuits of a shard, kept apart from the step function's state and
 * never undone, not even where the shard went back: promises are to hosts, not to servers. */
#ifndef SWG_SPEC_BOOKS_H
#define SWG_SPEC_BOOKS_H

#include "exchange.h"

struct lease_note {
    int64_t epoch, seq, granted, expiry, rev;
    int index, reporter;
    bool settled;
};

/* Did a reporter speak of trouble under an epoch? */
struct said {
    int64_t epoch, seq;
    int reporter;
    bool trouble, ever; /* last, and in any of its reports */
    bool since;         /* said after the circuit's last transition */
};

struct known_epoch {
    int64_t epoch;
    int state;
};

/* The successes told in one half-open period. */
struct period {
    int64_t epoch;
    long passed;   /* each with a live lease of the period, for the first time */
    long repeated; /* with one that was used before */
    long foreign;  /* with any other, or none */
};

struct book {
    char circuit[SWG_STEP_NAME];
    struct lease_note *lease;
    struct said *said;
    struct known_epoch *known;
    struct period *period;
    long leases, saids, knowns, periods;
    char server[41]; /* which gave the latest epoch */
    int64_t latest;
};

struct books {
    struct book *book;
    char (*reporter)[SWG_STEP_NAME];
    long count, reporters;
};

struct book *books_of(struct books *b, const char *circuit);
int books_reporter(struct books *b, const char *name);
void books_free(struct books *b);

struct lease_note *book_lease(struct book *b, const struct swg_step_result *r, int reporter);
void book_grant(struct book *b, const struct swg_step_grant *g, int reporter, int64_t now,
                int64_t rev);
/* Leases that a probe may be running on. */
bool lease_live(const struct lease_note *l, int64_t now);

void book_say(struct book *b, const struct swg_step_entry *e, int reporter);
/* Reporters with trouble: under this epoch, or under another and yet said after this one began. */
long book_troubled(const struct book *b, int64_t epoch);
long book_misled(const struct book *b, int64_t epoch);
/* A new epoch began. */
void book_turn(struct book *b);
/* The shard went back: what a reporter ever said may be what the server knows. */
void book_went_back(struct book *b);

struct period *book_period(struct book *b, int64_t epoch);
/* The state under this epoch so far, or -1; then it is `state`. */
int book_epoch(struct book *b, int64_t epoch, int state);

#endif
