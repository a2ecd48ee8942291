/* Programs for the explorer of interleavings: a few public operations a thread. */
#ifndef SWG_TESTS_INTERLEAVE_H
#define SWG_TESTS_INTERLEAVE_H

#include <switchgear/gate.h>
#include <switchgear/switchgear.h>

#include "explore.h"

#define MS INT64_C(1000000)
#define BASE (INT64_C(1000000) * MS)
#define OPS_MAX 4

typedef enum op_kind {
    NOTHING,
    GET,
    PUT,
    RESET,
    CONFIGURE,
    READ,
    GRANT,    /* the gate: so many permits of round `outcome` */
    WITHDRAW, /* takes back what nobody took of round 1 */
    COLLECT,  /* results of probes */
    CLOSE     /* with the fleet */
} op_kind;

typedef struct op {
    op_kind kind;
    int permit; /* which one; 0 to 3 are acquired by the setup */
    swg_outcome outcome;
    double at_ms;
} op;

typedef struct program {
    const char *name;
    const swg_circuit_config *config;
    void (*setup)(swg_circuit *circuit, swg_permit *permits);
    op ops[EXPLORE_THREADS_MAX][OPS_MAX];
    int state;       /* expected at the end; -1: any */
    int permitted;   /* expected number of GETs permitted; -1: any */
    int held_max;    /* permits out at any instant; 0: any */
    int preemptions; /* bound for the short form */
    bool any_order;  /* what must hold is all said above */
} program;

static inline int64_t at(double ms)
{
    return BASE + (int64_t)(ms * (double)MS);
}

#define EXACT .size = sizeof(swg_circuit_config), .recovery_jitter_pct = SWG_NONE

#define OK(p, ms)                                                                                  \
    {                                                                                              \
        PUT, p, SWG_SUCCESS, ms                                                                    \
    }
#define BAD(p, ms)                                                                                 \
    {                                                                                              \
        PUT, p, SWG_FAILURE, ms                                                                    \
    }
#define TAKE(p, ms)                                                                                \
    {                                                                                              \
        GET, p, SWG_SUCCESS, ms                                                                    \
    }

/* interleave_programs.c: the circuit; interleave_gate.c: the fleet's gate. Each ends without name.
 */
extern const program circuit_programs[], gate_programs[];

#endif
