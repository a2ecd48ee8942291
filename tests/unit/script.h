/* A circuit played from a script of lines: "TIME_MS ACTION -> EXPECTED".
 *
 * Actions: get (acquire, and keep the permit), ok / fail / time / ign / can (release the oldest
 * kept permit), late OUTCOME (release the newest kept), read (look only), tick (reap nothing,
 * read). Expected: a verdict for get ("yes", "open", "probing", "ramp", "rate", "bulkhead",
 * "forced"), else the state seen afterwards ("closed", "open", "half_open"). A repeat count may
 * stand before an action. Time is injected, from START_MS. */
#ifndef TESTS_SCRIPT_H
#define TESTS_SCRIPT_H

#include <check.h>
#include <switchgear/switchgear.h>

#define MS INT64_C(1000000)
#define START_MS INT64_C(1000000)

typedef struct row {
    double at_ms;
    const char *action;
    const char *expected;
    int times; /* 0 is once */
} row;

typedef struct bench {
    swg_panel *panel;
    swg_circuit *circuit;
    swg_permit kept[4096];
    int first, end;
} bench;

bench *bench_open(const swg_circuit_config *config);
void bench_close(bench *b);
int64_t at_ms(double ms);

void play(bench *b, const row *rows, int count);
#define PLAY(b, ...)                                                                               \
    do {                                                                                           \
        const row rows_[] = {__VA_ARGS__};                                                         \
        play(b, rows_, (int)(sizeof(rows_) / sizeof(rows_[0])));                                   \
    } while (0)

swg_snapshot snapshot_at(bench *b, double ms);

#endif
