/* An exhibit, not a breaker to use: the shared breaker as it is usually written first, to be seen
 * beside the real one (stage `naive`).
 *
 * It is the simple breaker of one process with its variables moved into Redis. Every call asks for
 * the state, failures are counted with INCR, a success sets the count to zero, the state and the
 * time it opened are SET, and when that is long enough ago whoever notices SETs it half-open. There
 * is no script and no transaction: between a GET and the SET that follows from it, others do the
 * same. Each of these is a round trip on a blocking connection, with a timeout, that the call waits
 * for. If Redis does not answer, the call goes: a breaker that cannot ask should not be what stops
 * it.
 *
 * Nothing here is made worse than it has to be: connections are pooled and kept, the timeout is
 * short, failures are counted atomically. What goes wrong does so by design. */
#ifndef SWG_LAB_NAIVE_H
#define SWG_LAB_NAIVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <switchgear/circuit.h>

typedef struct naive naive;

typedef struct naive_config {
    const char *socket;         /* of Redis */
    uint32_t failure_threshold; /* failures in a row that open it */
    uint32_t recovery_ms;       /* open for so long */
    uint32_t timeout_ms;        /* for an answer of Redis */
} naive_config;

/* One call's way through it. */
typedef struct naive_call {
    swg_state seen;   /* when it asked */
    int64_t redis_ns; /* spent waiting for Redis so far */
} naive_call;

/* Does a circuit so set open on failures in a row? It knows nothing else. */
bool naive_fits(const swg_circuit_config *config);

/* NULL without memory. The socket's path is copied. */
naive *naive_open(const naive_config *config);
void naive_close(naive *n);

/* May it go? If not, it is over. If so, say how it went.  Threads: any. */
bool naive_allow(naive *n, naive_call *call);
void naive_done(naive *n, naive_call *call, bool success);

/* The oldest change of state this process made and nobody took yet.  Threads: any. */
bool naive_take_event(naive *n, swg_event *event);

/* {"calls", "trips", "errors", "failures", "counted", "redis": histogram}.  Threads: any. */
json_t *naive_json(naive *n);

#endif
