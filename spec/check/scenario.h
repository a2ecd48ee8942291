/* One circuit's history, told line by line and recorded; then one thing is spoiled. Fresh for each
 * test. */
#ifndef SWG_SPEC_SCENARIO_H
#define SWG_SPEC_SCENARIO_H

#include "checker.h"
#include "crowd.h"

#include <check.h>

extern struct crowd crowd;
extern struct report report;
extern int64_t seqs;  /* of the last request */
extern int64_t epoch; /* the circuit's, as last told; all clients know what any was told */
extern int state;

void open_crowd(void);
void close_crowd(void);
/* The whole of a main(). */
int run_tests(const char *name, void (*add)(TCase *t));

/* An entry that says nothing yet; send_as sends it, or it again. The reply is the recorded one. */
struct swg_step_entry *entry(void);
json_t *send_as(const char *who);

json_t *fail_calls(const char *who, int64_t failures);
json_t *want(const char *who, int permits);
json_t *result(const char *who, int64_t of_epoch, int64_t of_seq, int index, int outcome);

void begin(void); /* closed, with two reporters */
void trip(void);
/* Half-open, with two permits granted to ann: the seq they were granted under. */
int64_t probe(void);

json_t *last_line(void);
json_t *rows(json_t *reply, size_t list); /* 6 grants, 7 views, 8 configurations */
int64_t number(const json_t *row, size_t i);
void set_number(json_t *row, size_t i, int64_t value);
/* Makes the reply say that the circuit is in this state, and nothing of any other. */
void pretend(json_t *reply, int64_t of_epoch, int of_state);

/* The recording breaks this rule, or none. */
void expect(const char *rule, unsigned allow);
void expect_fine(unsigned allow);

#endif
