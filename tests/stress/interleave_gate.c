/* Programs of the fleet's gate: permits taken while they are given and withdrawn, results as the
 * round changes, and the fleet's closing beside the breaker's own moves. */
#include "interleave.h"

#define GIVE(count, round, ms)                                                                     \
    {                                                                                              \
        GRANT, count, (swg_outcome)(round), ms                                                     \
    }

static const swg_circuit_config plain = {EXACT, .calls_min = 2, .probes = 2};
static const swg_circuit_config one_slot = {EXACT, .calls_min = 2, .inflight_max = 1};

static void gate(swg_circuit *c, uint32_t permits, uint32_t round)
{
    swg_gate_set(c,
                 &(swg_gate){.size = sizeof(swg_gate),
                             .mode = SWG_GATE_PROBING,
                             .permits = permits,
                             .round = round,
                             .until_ns = at(1000)},
                 NULL);
}

static void two_granted(swg_circuit *c, swg_permit *p)
{
    (void)p;
    gate(c, 2, 1);
}

static void one_granted(swg_circuit *c, swg_permit *p)
{
    (void)p;
    gate(c, 1, 1);
}

static void three_taken(swg_circuit *c, swg_permit *p)
{
    gate(c, 3, 1);
    for (int i = 0; i < 3; i++) {
        swg_acquire(c, &p[i], at(1));
    }
}

static void open_it(swg_circuit *c, swg_permit *p)
{
    for (int i = 0; i < 3; i++) {
        swg_acquire(c, &p[i], at(0));
    }
    swg_release(c, &p[1], SWG_FAILURE, at(0));
    swg_release(c, &p[2], SWG_FAILURE, at(0));
}

static void half_open(swg_circuit *c, swg_permit *p)
{
    open_it(c, p);
    swg_acquire(c, &p[0], at(5000));
    swg_acquire(c, &p[1], at(5000));
}

static void nearly_open(swg_circuit *c, swg_permit *p)
{
    for (int i = 0; i < 2; i++) {
        swg_acquire(c, &p[i], at(0));
    }
    swg_release(c, &p[0], SWG_FAILURE, at(0));
}

const program gate_programs[] = {
    {"two permits of the gate for three callers",
     &plain,
     two_granted,
     {{TAKE(4, 1)}, {TAKE(5, 1)}, {TAKE(6, 1)}},
     SWG_CLOSED,
     2,
     2,
     1},
    {"permits given as they are asked for",
     &plain,
     one_granted,
     {{TAKE(4, 1), TAKE(5, 1)}, {GIVE(1, 2, 1000)}},
     SWG_CLOSED,
     -1,
     2,
     2},
    {"a permit withdrawn as it is taken",
     &plain,
     one_granted,
     {{TAKE(4, 1), OK(4, 2)}, {{WITHDRAW, 0, SWG_SUCCESS, 0}}},
     SWG_CLOSED,
     -1,
     1,
     2},
    {"two withdrawn as three come",
     &plain,
     two_granted,
     {{TAKE(4, 1)}, {TAKE(5, 1)}, {{WITHDRAW, 0, SWG_SUCCESS, 0}}},
     SWG_CLOSED,
     -1,
     2,
     1},
    {"results collected as they come",
     &plain,
     three_taken,
     {{OK(0, 2)}, {BAD(1, 2)}, {{COLLECT, 0, SWG_SUCCESS, 2}}},
     -1,
     -1,
     0,
     1},
    {"a result as its round ends",
     &plain,
     three_taken,
     {{OK(0, 2), OK(1, 2)}, {GIVE(1, 2, 1000)}},
     -1,
     -1,
     0,
     2},
    {"a permit of the gate before a bulkhead of one",
     &one_slot,
     two_granted,
     {{TAKE(4, 1), OK(4, 2)}, {TAKE(5, 1), OK(5, 2)}},
     SWG_CLOSED,
     -1,
     1,
     1},
    {"the fleet closes as a probe of our own fails",
     &plain,
     half_open,
     {{BAD(0, 5001)}, {{CLOSE, 0, SWG_SUCCESS, 5001}}, {OK(1, 5001)}},
     -1,
     -1,
     0,
     1},
    /* The caller that began a half-open period may find it closed when it looks again: then it is a
     * call of the closed circuit, and the period was one without a probe. */
    {"the fleet closes as our wait is over",
     &plain,
     open_it,
     {{TAKE(4, 5000), BAD(4, 5000)}, {{CLOSE, 0, SWG_SUCCESS, 5000}}},
     SWG_CLOSED,
     1,
     0,
     2,
     true},
    {"the fleet closes as a failure opens",
     &plain,
     nearly_open,
     {{BAD(1, 1)}, {{CLOSE, 0, SWG_SUCCESS, 1}}},
     -1,
     -1,
     0,
     2},
    {"the fleet closes twice, beside a reset",
     &plain,
     open_it,
     {{{CLOSE, 0, SWG_SUCCESS, 1}}, {{CLOSE, 0, SWG_SUCCESS, 1}}, {{RESET, 0, SWG_SUCCESS, 1}}},
     SWG_CLOSED,
     -1,
     0,
     1},
    {.name = NULL},
};
