#include "script.h"

#include <stdlib.h>
#include <string.h>

int64_t at_ms(double ms)
{
    return (int64_t)((START_MS + ms) * (double)MS + 0.5);
}

bench *bench_open(const swg_circuit_config *config)
{
    bench *b = calloc(1, sizeof(*b));
    ck_assert_ptr_nonnull(b);
    ck_assert_int_eq(swg_panel_open(&b->panel, NULL, SWG_PANEL(.circuits = 8, .processes = 4)),
                     SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&b->circuit, b->panel, "dependency", config), SWG_OK);
    return b;
}

void bench_close(bench *b)
{
    swg_panel_close(&b->panel);
    free(b);
}

swg_snapshot snapshot_at(bench *b, double ms)
{
    swg_snapshot snapshot;
    ck_assert_int_eq(swg_circuit_read(b->circuit, at_ms(ms), &snapshot), SWG_OK);
    return snapshot;
}

static const char *get(bench *b, int64_t now_ns)
{
    swg_permit permit;
    const swg_verdict verdict = swg_acquire(b->circuit, &permit, now_ns);
    ck_assert_int_eq(permit.verdict, verdict);
    if (verdict == SWG_PERMITTED) {
        ck_assert_int_lt(b->end, 4096);
        b->kept[b->end++] = permit;
        return "yes";
    }
    ck_assert_int_eq(permit.held, 0);
    return swg_verdict_name(verdict);
}

static swg_outcome outcome_of(const char *word)
{
    if (strcmp(word, "ok") == 0) {
        return SWG_SUCCESS;
    }
    for (int i = 1; i < SWG_OUTCOME_COUNT; i++) {
        if (strncmp(word, swg_outcome_name((swg_outcome)i), strlen(word)) == 0) {
            return (swg_outcome)i;
        }
    }
    ck_abort_msg("no such action: %s", word);
    return SWG_CANCELLED;
}

static void give(bench *b, const char *action, int64_t now_ns)
{
    ck_assert_msg(b->first < b->end, "nothing is kept to release");
    const bool newest = strncmp(action, "late ", 5) == 0;
    swg_permit *permit = newest ? &b->kept[--b->end] : &b->kept[b->first++];
    swg_release(b->circuit, permit, outcome_of(newest ? action + 5 : action), now_ns);
    ck_assert_int_eq(permit->held, 0);
}

void play(bench *b, const row *rows, int count)
{
    for (int i = 0; i < count; i++) {
        const row *r = &rows[i];
        const int64_t now_ns = at_ms(r->at_ms);
        for (int n = 0; n < (r->times > 0 ? r->times : 1); n++) {
            const char *found;
            if (strcmp(r->action, "get") == 0) {
                found = get(b, now_ns);
            } else {
                if (strcmp(r->action, "read") != 0) {
                    give(b, r->action, now_ns);
                }
                found = swg_state_name((swg_state)snapshot_at(b, r->at_ms).state);
            }
            ck_assert_msg(strcmp(found, r->expected) == 0,
                          "row %d (%g ms, %s, time %d): %s, not %s", i, r->at_ms, r->action, n + 1,
                          found, r->expected);
        }
    }
}
