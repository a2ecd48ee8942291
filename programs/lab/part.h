/* What the lab's parts (service, instance, load) have in common as programs: they end on a signal,
 * say what they do on a terminal of their own, and speak JSON lines to the lab that started them.
 */
#ifndef SWG_LAB_PART_H
#define SWG_LAB_PART_H

#include "../common/cli.h"
#include "../common/output.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct part {
    out out;
    bool json;
    bool supervised; /* started by the lab: ends when stdin does */
    const char *name;
} part;

#define PART_OPTIONS                                                                               \
    {"json", CLI_FLAG, NULL, "one JSON object a line instead of text", 0, 0, NULL},                \
    {                                                                                              \
        "supervised", CLI_FLAG, NULL, "end when stdin ends", 0, 0, NULL                            \
    }

/* Blocks the signals that end a program; call it before any thread is started. */
void part_begin(part *p, const char *name, const cli_args *args);

/* Waits; false once the program is to end. */
bool part_wait(int64_t ms);

/* Prints one JSON object as a line and drops the reference. */
void part_json(const part *p, json_t *object);

/* Explains on stderr why a port cannot be had: who holds it, and what to do. Returns CLI_FAILED. */
int part_port_busy(const part *p, uint16_t port);

/* Ends the program when stdin does. */
void part_end_with_stdin(void);

/* "14:02:11", local time. */
const char *part_clock(char text[16]);

#endif
