/* A proxy for byte streams with faults that are switched while it runs: TCP and UNIX sockets on
 * both sides, one thread, poll. For tests and the lab, on loopback.
 *
 * What passes is cut into messages where it is RESP, the protocol of Redis, and into whatever
 * arrived at once where it is not. A message is passed on whole, once all of it is there.
 *
 * A route is one listening address, its upstream and its faults: of several instances each with a
 * route of its own, one can be cut off. Commands, as chaos_command() and the control socket take
 * them (ROUTE is a name, D one of up, down, both; up is from the client; durations are 5s, 20ms,
 * 100us):
 *
 *     route ROUTE heal                     all faults off; what was held goes on, connections that
 *                                          lost bytes are reset
 *     route ROUTE latency T [JITTER [D]]   each message is held so long, order kept; D: both
 *     route ROUTE stall [D]                accepts, and holds everything until healed; D: both
 *     route ROUTE cut                      resets all connections, refuses new ones until healed
 *     route ROUTE half-open [D]            swallows one direction, silently; D: down
 *     route ROUTE mute                     connections that have subscribed hear nothing any more
 *     route ROUTE bytes                    one byte at a time
 *     route ROUTE truncate N               the next reply ends after N bytes, and so does its
 *                                          connection
 *     route ROUTE duplicate [T]            the next request is sent upstream twice, the second time
 *                                          T later; the second reply is kept from the client
 *     route ROUTE drop request|reply       the next one is lost, and with it all that follows it on
 *                                          that connection in that direction: a stream has no holes
 *     route ROUTE to ADDRESS               another upstream; connections to the old one are reset
 *     route ROUTE status                   one line of key=value
 *     routes                               the names
 *
 * Answers are one line, "ok" or "ok ..." or "error: ...".
 *
 * A record is a file with one JSON object a line, for every request that was sent upstream and
 * answered, in the order of the answers' arrival:
 *
 *     {"route":"A","conn":3,"sent_ns":N,"answered_ns":N,"request":["EVALSHA",...],
 *      "reply":"text" | integer | null | [...] | {"error":"..."},"delivered":true}
 *
 * Times are CLOCK_MONOTONIC: just before the first byte went upstream, just after the last byte
 * came back. delivered: passed on to the client, at once or after a delay. A request whose answer
 * never came has answered_ns and reply null, delivered false, and is written when its connection
 * ends; whether it ran is not known. Requests that were not sent upstream are not in the record.
 * Bytes that are not UTF-8 are written as \u0080 to \u00ff. From SUBSCRIBE on nothing of a
 * connection is recorded.
 *
 * Threads: one thread at a time for each proxy. */
#ifndef SWG_PROGRAMS_CHAOS_H
#define SWG_PROGRAMS_CHAOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHAOS_LINE_MAX = 512, CHAOS_NAME_MAX = 31 };

typedef struct chaos chaos;

typedef struct chaos_config {
    const char *record;  /* a file, written anew; NULL: none */
    const char *control; /* path of a UNIX socket for commands; NULL: none */
    uint64_t seed;       /* of the jitter */
} chaos_config;

/* Makes a proxy without routes. NULL: `answer` (CHAOS_LINE_MAX bytes) says why. */
chaos *chaos_open(const chaos_config *config, char *answer);

/* Adds a route, which accepts connections from here on and serves them when run:
 * "NAME=ADDRESS>ADDRESS", an address being unix:PATH or tcp:HOST:PORT. Port 0 to listen on is any
 * free one; `route NAME status` tells which. False: `answer` says why. */
bool chaos_add_route(chaos *c, const char *spec, char *answer);

/* Carries out a command. False if the answer is an error. */
bool chaos_command(chaos *c, const char *line, char *answer);

/* Serves until `stop_fd` can be read (-1: never). False with errno if it cannot go on. */
bool chaos_run(chaos *c, int stop_fd);

/* Closes everything and removes the sockets it made. */
void chaos_close(chaos **c);

/* Runs the proxy in a child process, which dies with this one; `*c` is the child's from here on
 * and set to NULL. Returns its pid, or -1 with errno. End it with SIGTERM. */
pid_t chaos_start(chaos **c);

/* Sends a command to the control socket of a running proxy and waits for the answer, at most
 * `timeout_ms`. False if the answer is an error, or if there is none.  Threads: any. */
bool chaos_ask(const char *control, const char *line, char *answer, int timeout_ms);

#endif
