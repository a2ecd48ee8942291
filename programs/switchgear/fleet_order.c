/* switchgear fleet force-open, disable, release: orders to all hosts, each with a name and a reason
 * under it. A circuit nobody has heard of is most likely a typing mistake, so it is not made. */
#include "fleet.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WHO_MAX = 121, REASON_MAX = 120, SECOND_MS = 1000, HOUR_MS = 3600 * SECOND_MS };

typedef struct order {
    fleet f;
    const char *circuit, *reason;
    char who[WHO_MAX];
    swg_fleet_state to;
    int64_t for_ms;
    swg_fleet_status before;
} order;

static bool is_plain(const char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            return false;
    }
    return true;
}

static void name_us(char who[WHO_MAX])
{
    const struct passwd *user = getpwuid(geteuid());
    char host[48] = "";
    if (gethostname(host, sizeof host - 1) != 0 || !host[0])
        strcpy(host, "?");
    if (user && is_plain(user->pw_name))
        snprintf(who, WHO_MAX, "%.60s@%s", user->pw_name, host);
    else
        snprintf(who, WHO_MAX, "uid %u@%s", (unsigned)geteuid(), host);
}

static int begin(order *o, const cli_args *args, swg_fleet_state to)
{
    *o = (order){.circuit = args->words[1], .reason = cli_text(args, "reason", NULL), .to = to};
    const int code = fleet_begin(&o->f, args);
    if (code != CLI_FINE)
        return code;
    o->for_ms = to == SWG_FLEET_CLOSED ? 0 : cli_number(args, "for", HOUR_MS);
    name_us(o->who);
    if (!o->reason)
        return cli_usage(args, "wants --reason TEXT: it is kept in the audit");
    const size_t length = strlen(o->reason);
    if (length == 0 || length > REASON_MAX || !is_plain(o->reason))
        return cli_usage(args, "--reason is 1 to %d printable ASCII characters", REASON_MAX);
    return fleet_check_name(args, o->circuit);
}

static void take_before(void *arg, const swg_fleet_status *circuit)
{
    *(swg_fleet_status *)arg = *circuit;
}

/* Is it there, and does the order make sense? */
static int look(order *o)
{
    const int result =
        swg_fleet_inspect(fleet_redis(&o->f), &o->circuit, 1, take_before, &o->before);
    const uint32_t state = o->before.state;
    if (result != SWG_OK)
        return fleet_failed(&o->f, result);
    fleet_doubt(&o->f);
    if (!o->before.known && !cli_flag(o->f.args, "create")) {
        const int code = fleet_no_circuit(&o->f, o->circuit);
        if (o->to != SWG_FLEET_CLOSED)
            fputs("If the hosts will call it that: --create\n", stderr);
        return code;
    }
    if (o->to == SWG_FLEET_CLOSED && state != SWG_FLEET_FORCED_OPEN &&
        state != SWG_FLEET_DISABLED) {
        fprintf(stderr, "switchgear: nobody holds %s: the fleet has it %s by itself\n", o->circuit,
                fleet_state_word(state));
        return CLI_FALSE;
    }
    return CLI_FINE;
}

/* ---- what was done ------------------------------------------------------------------------- */

/* What was before: held as it was, for what was left of it; or as the fleet wants. */
static fleet_next undo_of(const order *o, char reason[REASON_MAX + 1])
{
    const uint32_t state = o->before.state;
    const int64_t left_ms = o->before.until_ms - o->before.now_ms;
    const bool held = state == SWG_FLEET_FORCED_OPEN || state == SWG_FLEET_DISABLED;
    fleet_next undo = {.verb = "release", .circuit = o->circuit, .reason = reason};
    if (held && (left_ms > 0 || o->to == SWG_FLEET_CLOSED)) {
        undo.verb = state == SWG_FLEET_DISABLED ? "disable" : "force-open";
        undo.for_ms = left_ms > 0 ? (left_ms + SECOND_MS - 1) / SECOND_MS * SECOND_MS : SECOND_MS;
    }
    snprintf(reason, REASON_MAX + 1, "undo: %.*s", REASON_MAX - 6, o->reason);
    return undo;
}

static void tell_json(const order *o, uint64_t epoch, int64_t until_ms, const fleet_next *undo)
{
    char *line = fleet_command_line(&o->f, undo);
    fleet_print_json(json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:I, s:s, s:s, s:o}", "schema", "switchgear.fleet.order/1",
        "circuit", o->circuit, "from", swg_fleet_state_name((swg_fleet_state)o->before.state), "to",
        swg_fleet_state_name(o->to), "until", fleet_time_json(until_ms), "epoch", (json_int_t)epoch,
        "who", o->who, "reason", o->reason, "undo", fleet_text_json(line ? line : "")));
    free(line);
}

static void tell_table(order *o, uint64_t epoch, int64_t until_ms, const fleet_next *undo)
{
    char until[FLEET_TIME_MAX];
    out_line(&o->f.out, "%s %s: %s → %s%s%s, epoch %llu, by %s: %s", fleet_state_sign(o->to),
             o->circuit, fleet_state_word(o->before.state), fleet_state_word(o->to),
             until_ms > 0 ? " until " : "", until_ms > 0 ? fleet_time(until, until_ms) : "",
             (unsigned long long)epoch, o->who, o->reason);
    fleet_say_next(stdout, &o->f, "  undo", undo);
}

static void tell_values(const order *o, uint64_t epoch, int64_t until_ms, const fleet_next *undo)
{
    char until[FLEET_TIME_MAX];
    printf("%s\t%s\t%s\t%llu\n", o->circuit, swg_fleet_state_name(o->to),
           fleet_time(until, until_ms), (unsigned long long)epoch);
    fleet_say_next(stderr, &o->f, "undo", undo);
}

static void tell(order *o, uint64_t epoch)
{
    char reason[REASON_MAX + 1];
    const int64_t until_ms = o->for_ms > 0 ? o->before.now_ms + o->for_ms : 0;
    const fleet_next undo = undo_of(o, reason);
    if (o->f.form == FLEET_JSON)
        tell_json(o, epoch, until_ms, &undo);
    if (o->f.form == FLEET_TABLE)
        tell_table(o, epoch, until_ms, &undo);
    if (o->f.form == FLEET_TSV)
        tell_values(o, epoch, until_ms, &undo);
}

static int run(const cli_args *args, swg_fleet_state to)
{
    order o;
    uint64_t epoch = 0;
    int code = begin(&o, args, to);
    if (code == CLI_FINE)
        code = look(&o);
    if (code != CLI_FINE)
        return code;
    const int result =
        swg_fleet_command(fleet_redis(&o.f), o.circuit, to, o.for_ms, o.who, o.reason, &epoch);
    if (result != SWG_OK)
        code = fleet_failed(&o.f, result);
    if (result == SWG_ESYS) /* sent, and not answered */
        fleet_say_next(stderr, &o.f, "It may have been carried out all the same",
                       &(fleet_next){.verb = "status", .circuit = o.circuit});
    if (result != SWG_OK)
        return code;
    tell(&o, epoch);
    return fleet_end(&o.f, CLI_FINE);
}

int fleet_force_open_run(const cli_args *args)
{
    return run(args, SWG_FLEET_FORCED_OPEN);
}

int fleet_disable_run(const cli_args *args)
{
    return run(args, SWG_FLEET_DISABLED);
}

int fleet_release_run(const cli_args *args)
{
    return run(args, SWG_FLEET_CLOSED);
}
