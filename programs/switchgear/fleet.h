/* What the commands of `switchgear fleet` share. */
#ifndef SWG_PROGRAMS_FLEET_H
#define SWG_PROGRAMS_FLEET_H

#include "../common/cli.h"
#include "../common/output.h"

#include <jansson.h>
#include <switchgear/fleet_doctor.h>

enum { FLEET_TIME_MAX = 32, FLEET_URL_MAX = 8192 };

/* How results are shown: as a table, as tab-separated values where stdout is no terminal, or JSON.
 */
typedef enum fleet_form { FLEET_TABLE, FLEET_TSV, FLEET_JSON } fleet_form;

typedef struct fleet {
    const cli_args *args;
    swg_fleet_redis redis;
    char trouble[SWG_FLEET_TROUBLE_MAX];
    char url[FLEET_URL_MAX]; /* without the password */
    bool url_has_password, doubted;
    int64_t until_ns; /* when --timeout is over */
    fleet_form form;
    out out;
} fleet;

/* Reads URL, environment and options. CLI_FINE, or what to exit with: it was said why. */
int fleet_begin(fleet *f, const cli_args *args);

/* Which Redis, with the time that is left; for one call of the library. */
const swg_fleet_redis *fleet_redis(fleet *f);

/* Says on stderr what went wrong and what to do next; the exit code for it. */
int fleet_failed(const fleet *f, int error);

/* Says on stderr, once, why what worked may have shown less than there is. */
void fleet_doubt(fleet *f);

/* CLI_FINE if a circuit could be called that, else it was said why not. */
int fleet_check_name(const cli_args *args, const char *name);

/* Circuits as they are in Redis, kept for use at leisure. */
typedef struct fleet_circuits {
    swg_fleet_status *all;
    size_t count, room;
    bool no_memory;
} fleet_circuits;
int fleet_read(fleet *f, fleet_circuits *circuits, const char *const *names, size_t count);

/* For each circuit that is as it is by an order, or by its end, that order, by index; who is ""
 * where the audit has no such order any more. NULL: there is none, or the audit cannot be read. */
swg_fleet_action *fleet_read_orders(fleet *f, const fleet_circuits *circuits);

/* Why a circuit is not closed, one line; "" for one that is. `order` may be NULL. */
enum { FLEET_WHY_MAX = 320 };
const char *fleet_why(char text[FLEET_WHY_MAX], const swg_fleet_status *s,
                      const swg_fleet_action *order);

/* The same as values, each after a tab: cause; cause, calls, failures, slow, bad, open and
 * reporting of the trip. */
void fleet_print_why(const swg_fleet_status *s);
json_t *fleet_trip_json(const swg_fleet_trip *trip);
json_t *fleet_order_json(const swg_fleet_action *order);

/* Says that there is no such circuit, and which is like it; CLI_NO_CIRCUIT. */
int fleet_no_circuit(fleet *f, const char *name);

/* A command for the same fleet, to be pasted into a shell: "switchgear fleet VERB URL CIRCUIT",
 * what was given of where and how, but no password, then --for (0: none) and --reason (NULL: none).
 * `circuit` may be NULL. The caller frees it; NULL: no memory. */
typedef struct fleet_next {
    const char *verb, *circuit, *reason;
    int64_t for_ms;
} fleet_next;
char *fleet_command_line(const fleet *f, const fleet_next *next);

/* A line of `words` and that command, and where the password goes if the URL had one. */
void fleet_say_next(FILE *file, const fleet *f, const char *words, const fleet_next *next);

/* A span as people say it, exactly: "1h", "2h14m", "1m30s". */
enum { FLEET_SPAN_MAX = 48 };
const char *fleet_span(char text[FLEET_SPAN_MAX], int64_t ms);

/* RFC 3339, UTC, milliseconds; "-" for 0. */
const char *fleet_time(char text[FLEET_TIME_MAX], int64_t wall_ms);
json_t *fleet_time_json(int64_t wall_ms); /* null for 0 */

/* A text from outside, with a ? for each byte of what is no UTF-8. */
json_t *fleet_text_json(const char *text);

/* Sign, word and color of a state. */
const char *fleet_state_sign(uint32_t state);
const char *fleet_state_word(uint32_t state);
out_style fleet_state_style(uint32_t state);

/* Prints the object on one line, and lets it go. */
void fleet_print_json(json_t *object);

/* Everything printed has arrived? Then `code`. */
int fleet_end(fleet *f, int code);

int fleet_doctor_run(const cli_args *args);
int fleet_status_run(const cli_args *args);
int fleet_force_open_run(const cli_args *args);
int fleet_disable_run(const cli_args *args);
int fleet_release_run(const cli_args *args);
int fleet_audit_run(const cli_args *args);

/* `switchgear fleet` and everything below it. */
extern const cli_command fleet_command;

#endif
