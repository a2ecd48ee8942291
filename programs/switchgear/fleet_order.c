/* switchgear fleet force-open, disable, release: orders to all hosts, each with a name and a reason
 * under it. A circuit nobody has heard of is most likely a typing mistake, so it is not made. */
#include "fleet.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WHO_MAX = 121, REASON_MAX = 120, HOUR_MS = 3600 * 1000, UNDO_MAX = 1024 };

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
    if (strlen(o->circuit) > SWG_NAME_MAX || !o->circuit[0] || strchr(o->circuit, ' ') ||
        !is_plain(o->circuit))
        return cli_usage(args,
                         "'%s' cannot be a circuit's name: 1 to %d printable characters, no "
                         "space",
                         o->circuit, SWG_NAME_MAX);
    return CLI_FINE;
}

static void take_before(void *arg, const swg_fleet_status *circuit)
{
    *(swg_fleet_status *)arg = *circuit;
}

/* Is it there, and does the order make sense? */
static int look(order *o)
{
    const int result = swg_fleet_inspect(&o->f.redis, &o->circuit, 1, take_before, &o->before);
    const uint32_t state = o->before.state;
    if (result != SWG_OK)
        return fleet_failed(&o->f, result);
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

/* In quotes for a shell, where it needs them. */
static void quote(char *to, size_t room, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "@%+=:,./_-";
    size_t used = 0;
    if (*text && text[strspn(text, plain)] == '\0') {
        snprintf(to, room, "%s", text);
        return;
    }
    to[used++] = '\'';
    for (; *text && used + 6 < room; text++)
        used += (size_t)snprintf(to + used, room - used, "%s",
                                 *text == '\'' ? "'\\''" : (char[]){*text, '\0'});
    snprintf(to + used, room - used, "'");
}

static void undo_of(const order *o, char undo[UNDO_MAX])
{
    char url[2 * FLEET_URL_MAX / 2], circuit[2 * SWG_NAME_MAX], space[80] = "";
    quote(url, sizeof url, o->f.url);
    quote(circuit, sizeof circuit, o->circuit);
    if (o->f.redis.space)
        snprintf(space, sizeof space, " --space %.40s", o->f.redis.space);
    if (o->to == SWG_FLEET_CLOSED)
        snprintf(undo, UNDO_MAX, "switchgear fleet %s %s %s%s --for 1h --reason TEXT",
                 o->before.state == SWG_FLEET_DISABLED ? "disable" : "force-open", url, circuit,
                 space);
    else
        snprintf(undo, UNDO_MAX, "switchgear fleet release %s %s%s --reason TEXT", url, circuit,
                 space);
}

static void tell(order *o, uint64_t epoch)
{
    char until[FLEET_TIME_MAX], undo[UNDO_MAX];
    const int64_t until_ms = o->for_ms > 0 ? o->before.now_ms + o->for_ms : 0;
    const char *state = swg_fleet_state_name(o->to);
    fleet_time(until, until_ms);
    undo_of(o, undo);
    if (o->f.form == FLEET_JSON) {
        fleet_print_json(json_pack(
            "{s:s, s:s, s:s, s:s, s:o, s:I, s:s, s:s, s:s}", "schema", "switchgear.fleet.order/1",
            "circuit", o->circuit, "from", swg_fleet_state_name((swg_fleet_state)o->before.state),
            "to", state, "until", fleet_time_json(until_ms), "epoch", (json_int_t)epoch, "who",
            o->who, "reason", o->reason, "undo", undo));
    } else if (o->f.form == FLEET_TSV) {
        printf("%s\t%s\t%s\t%llu\n", o->circuit, state, until, (unsigned long long)epoch);
        fprintf(stderr, "undo: %s\n", undo);
    } else {
        out_line(&o->f.out, "%s %s: %s → %s%s%s, epoch %llu, by %s: %s", fleet_state_sign(o->to),
                 o->circuit, fleet_state_word(o->before.state), fleet_state_word(o->to),
                 until_ms > 0 ? " until " : "", until_ms > 0 ? until : "",
                 (unsigned long long)epoch, o->who, o->reason);
        out_line(&o->f.out, "  undo: %s", undo);
    }
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
        swg_fleet_command(&o.f.redis, o.circuit, to, o.for_ms, o.who, o.reason, &epoch);
    if (result != SWG_OK)
        return fleet_failed(&o.f, result);
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
