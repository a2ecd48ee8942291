/* Programs of one circuit: evidence, probes, limits, operators. */
#include "interleave.h"

/* Setups: outcomes counted at once, then permits 0 to 2 acquired. */
static void call(swg_circuit *c, int n, swg_outcome outcome, double ms)
{
    for (int i = 0; i < n; i++) {
        swg_permit p;
        swg_acquire(c, &p, at(ms));
        swg_release(c, &p, outcome, at(ms));
    }
}

static void get_three(swg_circuit *c, swg_permit *permits, double ms)
{
    for (int i = 0; i < 3; i++) {
        swg_acquire(c, &permits[i], at(ms));
    }
}

static void fresh(swg_circuit *c, swg_permit *p)
{
    get_three(c, p, 0);
}

static void one_each(swg_circuit *c, swg_permit *p)
{
    call(c, 1, SWG_SUCCESS, 0);
    call(c, 1, SWG_FAILURE, 0);
    get_three(c, p, 0);
}

static void two_failures(swg_circuit *c, swg_permit *p)
{
    call(c, 2, SWG_FAILURE, 0);
    get_three(c, p, 0);
}

static void six_and_four(swg_circuit *c, swg_permit *p)
{
    call(c, 6, SWG_SUCCESS, 0);
    call(c, 4, SWG_FAILURE, 1000);
    get_three(c, p, 1000);
}

static void full_of_successes(swg_circuit *c, swg_permit *p)
{
    call(c, 4, SWG_SUCCESS, 0);
    get_three(c, p, 0);
}

static void opened(swg_circuit *c, swg_permit *p)
{
    get_three(c, p, 0);
    call(c, 2, SWG_FAILURE, 0);
}

static void probing(swg_circuit *c, swg_permit *p)
{
    call(c, 2, SWG_FAILURE, 0);
    get_three(c, p, 5000);
}

static void nothing(swg_circuit *c, swg_permit *p)
{
    (void)c;
    (void)p;
}

static const swg_circuit_config min4 = {EXACT, .calls_min = 4};
static const swg_circuit_config min3_60 = {EXACT, .calls_min = 3, .failure_pct = 60};
static const swg_circuit_config min2 = {EXACT, .calls_min = 2, .probes = 2};
static const swg_circuit_config min2_one = {EXACT, .calls_min = 2, .probes = 1};
static const swg_circuit_config row3 = {EXACT, .failure_pct = SWG_NONE, .failure_threshold = 3};
static const swg_circuit_config slots = {EXACT, .window_ms = 10000, .calls_min = 5,
                                         .failure_pct = 65};
static const swg_circuit_config ring = {EXACT, .window_calls = 4, .calls_min = 4,
                                        .failure_pct = 50};
static const swg_circuit_config one_slot = {EXACT, .inflight_max = 1};
static const swg_circuit_config two_slots = {EXACT, .inflight_max = 2, .rate_per_s = 3};
static const swg_circuit_config two_tokens = {EXACT, .rate_per_s = 2};

const program circuit_programs[] = {
    {"the last two outcomes fill the window",
     &min4,
     one_each,
     {{OK(0, 1)}, {BAD(1, 1)}},
     SWG_OPEN,
     -1,
     0,
     2},
    {"two successes reach calls_min",
     &min3_60,
     two_failures,
     {{OK(0, 1)}, {OK(1, 1)}},
     SWG_OPEN,
     -1,
     0,
     2},
    {"three outcomes, one transition",
     &min2,
     fresh,
     {{BAD(0, 1)}, {BAD(1, 1)}, {BAD(2, 1)}},
     SWG_OPEN,
     -1,
     0,
     1},
    {"the first outcomes of a window",
     &min4,
     fresh,
     {{OK(0, 1)}, {OK(1, 1)}, {BAD(2, 1)}},
     SWG_CLOSED,
     -1,
     0,
     1},
    {"a new slot begins and old successes leave",
     &slots,
     six_and_four,
     {{OK(0, 10000)}, {OK(1, 10000)}},
     SWG_OPEN,
     -1,
     0,
     2},
    {"a new slot and a failure",
     &slots,
     six_and_four,
     {{OK(0, 10000)}, {BAD(1, 10000)}},
     -1,
     -1,
     0,
     2},
    {"one is late by a slot",
     &slots,
     six_and_four,
     {{OK(0, 10000)}, {OK(1, 1500)}, {BAD(2, 11000)}},
     -1,
     -1,
     0,
     1},
    {"one is late by more than the window",
     &slots,
     six_and_four,
     {{OK(0, 40000)}, {BAD(1, 1500)}},
     -1,
     -1,
     0,
     2},
    {"failures in a row and a success",
     &row3,
     two_failures,
     {{BAD(0, 1)}, {OK(1, 1)}},
     -1,
     -1,
     0,
     2},
    {"a clean ring gets a failure",
     &ring,
     full_of_successes,
     {{BAD(0, 1)}, {OK(1, 1)}, {OK(2, 1)}},
     SWG_CLOSED,
     -1,
     0,
     1},
    {"a clean ring gets two failures",
     &ring,
     full_of_successes,
     {{BAD(0, 1)}, {BAD(1, 1)}},
     SWG_OPEN,
     -1,
     0,
     2},
    {"a ring fills", &ring, one_each, {{OK(0, 1)}, {OK(1, 1)}, {BAD(2, 1)}}, -1, -1, 0, 1},
    {"three callers, the wait is over, two probes",
     &min2,
     opened,
     {{TAKE(4, 5000)}, {TAKE(5, 5000)}, {TAKE(6, 5000)}},
     SWG_HALF_OPEN,
     2,
     2,
     1},
    {"two callers, one probe, one of them done with it",
     &min2_one,
     opened,
     {{TAKE(4, 5000), OK(4, 5001)}, {TAKE(5, 5000)}},
     -1,
     -1,
     0,
     2},
    {"two probes come back",
     &min2,
     probing,
     {{OK(0, 5001)}, {OK(1, 5001)}, {TAKE(4, 5001)}},
     SWG_CLOSED,
     -1,
     0,
     1},
    {"two probes come back, one failed",
     &min2,
     probing,
     {{OK(0, 5001)}, {BAD(1, 5001)}},
     SWG_OPEN,
     -1,
     0,
     2},
    {"a probe is given back and taken again",
     &min2,
     probing,
     {{{PUT, 0, SWG_IGNORED, 5001}}, {TAKE(4, 5001)}, {TAKE(5, 5001)}},
     SWG_HALF_OPEN,
     -1,
     0,
     1},
    {"a probe too late meets the next caller",
     &min2_one,
     probing,
     {{OK(0, 15000)}, {TAKE(4, 15000)}},
     SWG_OPEN,
     0,
     0,
     2},
    {"an old outcome and a reset",
     &min2,
     opened,
     {{OK(0, 1)}, {{RESET, 0, SWG_SUCCESS, 1}}, {BAD(1, 1)}},
     SWG_CLOSED,
     -1,
     0,
     1},
    {"new limits and an outcome",
     &min4,
     two_failures,
     {{OK(0, 1)}, {{CONFIGURE, 0, SWG_SUCCESS, 1}}},
     -1,
     -1,
     0,
     2},
    {"a bulkhead of one",
     &one_slot,
     nothing,
     {{TAKE(4, 0), OK(4, 1)}, {TAKE(5, 0), OK(5, 1)}, {TAKE(6, 0), OK(6, 1)}},
     -1,
     -1,
     1,
     1},
    {"a bulkhead of two behind a rate of three",
     &two_slots,
     nothing,
     {{TAKE(4, 0)}, {TAKE(5, 0)}, {TAKE(6, 0)}},
     -1,
     2,
     2,
     1},
    {"two tokens for three",
     &two_tokens,
     nothing,
     {{TAKE(4, 0)}, {TAKE(5, 0)}, {TAKE(6, 0)}},
     -1,
     2,
     2,
     1},
    {"a reader changes nothing",
     &min2,
     opened,
     {{TAKE(4, 5000)}, {{READ, 0, SWG_SUCCESS, 5000}}},
     SWG_HALF_OPEN,
     1,
     0,
     2},
    {.name = NULL},
};
