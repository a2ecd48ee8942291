#include "fleet.h"

#include <stdlib.h>
#include <string.h>
#include <switchgear/fleet_run.h>
#include <time.h>

/* ---- beginning ----------------------------------------------------------------------------- */

/* The URL as it may be shown: all between the user and the last @, wherever that is, since a URL
 * that is wrong is shown too. "redis://user:@host" asks for the password in the environment. */
static void hide_password(char shown[FLEET_URL_MAX], const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *from = scheme ? scheme + 3 : url;
    const char *at = strncmp(url, "unix:", 5) == 0 ? NULL : strrchr(from, '@');
    const char *colon = at ? memchr(from, ':', (size_t)(at - from)) : NULL;
    snprintf(shown, FLEET_URL_MAX, "%.*s%s", at ? (int)((colon ? colon + 1 : from) - url) : 0, url,
             at ? at : url);
}

/* The environment's password is for URLs without one. */
static const char *secret(const char *url)
{
    swg_fleet_url parsed;
    const char *password = getenv("SWITCHGEAR_REDIS_PASSWORD");
    const bool has_one = swg_fleet_url_parse(&parsed, url, NULL) == SWG_OK && parsed.password[0];
    return password && *password && !has_one ? password : NULL;
}

int fleet_begin(fleet *f, const cli_args *args)
{
    const char *url = args->words[0], *reason;
    swg_fleet_url parsed;
    *f = (fleet){.args = args};
    f->redis = *SWG_FLEET_REDIS(.url = url, .password = secret(url),
                                .space = cli_text(args, "space", NULL),
                                .shards = (uint32_t)cli_number(args, "shards", 0),
                                .deadline_ms = (uint32_t)cli_number(args, "timeout", 0),
                                .ca_file = cli_text(args, "ca", NULL),
                                .cert_file = cli_text(args, "cert", NULL),
                                .key_file = cli_text(args, "key", NULL),
                                .sentinel_user = cli_text(args, "sentinel-user", NULL),
                                .sentinel_password = getenv("SWITCHGEAR_SENTINEL_PASSWORD"),
                                .trouble = f->trouble);
    hide_password(f->url, url);
    if (swg_fleet_url_parse(&parsed, url, &reason) != SWG_OK)
        return cli_usage(args, "the URL '%s' %s", f->url, reason);
    if (strchr(parsed.host, '@'))
        return cli_usage(args,
                         "the URL '%s' has more than one @: write %%40 for those within the "
                         "password",
                         f->url);
    out_open(&f->out, stdout, cli_text(args, "color", NULL));
    f->form = cli_flag(args, "json") ? FLEET_JSON : f->out.tty ? FLEET_TABLE : FLEET_TSV;
    return CLI_FINE;
}

int fleet_failed(const fleet *f, int error)
{
    static const struct {
        int error, code;
    } codes[] = {{SWG_EINVAL, CLI_USAGE}, {SWG_ENOENT, CLI_NOBODY}, {SWG_EACCESS, CLI_FORBIDDEN}};
    fprintf(stderr, "switchgear: %s\n", f->trouble[0] ? f->trouble : swg_error_text(error));
    if (!f->redis.password && strstr(f->trouble, "NOAUTH"))
        fprintf(stderr, "Give a password: SWITCHGEAR_REDIS_PASSWORD in the environment, or "
                        "redis://USER:PASSWORD@HOST\n");
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].error == error)
            return codes[i].code;
    }
    return CLI_FAILED;
}

int fleet_end(fleet *f, int code)
{
    if (fflush(f->out.file) == 0 && !ferror(f->out.file))
        return code;
    perror("switchgear: stdout");
    return CLI_FAILED;
}

/* ---- circuits ------------------------------------------------------------------------------ */

static void keep(void *arg, const swg_fleet_status *circuit)
{
    fleet_circuits *c = arg;
    if (c->count == c->room) {
        const size_t room = c->room ? 2 * c->room : 64;
        swg_fleet_status *grown = realloc(c->all, room * sizeof *grown);
        c->no_memory = c->no_memory || !grown;
        if (!grown)
            return;
        c->all = grown;
        c->room = room;
    }
    c->all[c->count++] = *circuit;
}

int fleet_read(fleet *f, fleet_circuits *circuits, const char *const *names, size_t count)
{
    const int result = swg_fleet_inspect(&f->redis, names, count, keep, circuits);
    return result == SWG_OK && circuits->no_memory ? SWG_ENOMEM : result;
}

static const char *nearest(const fleet_circuits *c, const char *name)
{
    const char **names = calloc(c->count + 1, sizeof *names);
    const char *near = NULL;
    for (size_t i = 0; names && i < c->count; i++)
        names[i] = c->all[i].name;
    if (names)
        near = cli_nearest(name, names);
    free(names);
    return near;
}

int fleet_no_circuit(fleet *f, const char *name)
{
    fleet_circuits circuits = {0};
    const char *near = NULL;
    if (fleet_read(f, &circuits, NULL, 0) == SWG_OK)
        near = nearest(&circuits, name);
    if (near)
        fprintf(stderr, "switchgear: the fleet knows no circuit '%s'. Did you mean '%s'?\n", name,
                near);
    else
        fprintf(stderr,
                "switchgear: the fleet knows no circuit '%s'. To see those it knows: switchgear "
                "fleet status %s\n",
                name, f->url);
    free(circuits.all);
    return CLI_NO_CIRCUIT;
}

/* ---- showing ------------------------------------------------------------------------------- */

const char *fleet_time(char text[FLEET_TIME_MAX], int64_t wall_ms)
{
    struct tm tm;
    const time_t seconds = (time_t)(wall_ms / 1000);
    if (wall_ms <= 0 || !gmtime_r(&seconds, &tm))
        return strcpy(text, "-");
    const size_t used = strftime(text, FLEET_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + used, FLEET_TIME_MAX - used, ".%03dZ", (int)(wall_ms % 1000));
    return text;
}

json_t *fleet_time_json(int64_t wall_ms)
{
    char text[FLEET_TIME_MAX];
    return wall_ms > 0 ? json_string(fleet_time(text, wall_ms)) : json_null();
}

static const struct {
    const char *sign, *word;
    out_style style;
} looks[] = {{"●", "CLOSED", OUT_GOOD},
             {"■", "OPEN", OUT_BAD},
             {"▲", "HALF-OPEN", OUT_WAIT},
             {"◆", "FORCED", OUT_FORCED},
             {"·", "DISABLED", OUT_FORCED}};

const char *fleet_state_sign(uint32_t state)
{
    return state < sizeof looks / sizeof *looks ? looks[state].sign : "?";
}

const char *fleet_state_word(uint32_t state)
{
    return state < sizeof looks / sizeof *looks ? looks[state].word : "?";
}

out_style fleet_state_style(uint32_t state)
{
    return state < sizeof looks / sizeof *looks ? looks[state].style : OUT_PLAIN;
}

void fleet_print_json(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(object);
}

/* ---- the table ----------------------------------------------------------------------------- */

enum { HOUR_MS = 3600 * 1000 };

#define WHERE                                                                                        \
    {"space", CLI_TEXT, "NAME", "the fleet's namespace (default)", 0, 0, NULL},                      \
        {"shards", CLI_COUNT, "N", "its shards (as many as its hosts use)", 1, SWG_FLEET_SHARDS_MAX, \
         NULL},                                                                                      \
        {"timeout", CLI_DURATION, "TIME", "for all of it (5s)", 10, 600000, NULL},                   \
        {"ca", CLI_TEXT, "FILE", "TLS: who may sign (the system's)", 0, 0, NULL},                    \
        {"cert", CLI_TEXT, "FILE", "TLS: our certificate, PEM", 0, 0, NULL},                         \
        {"sentinel-user",                                                                            \
         CLI_TEXT,                                                                                   \
         "NAME",                                                                                     \
         "as whom to sentinels, with "                                                               \
         "SWITCHGEAR_SENTINEL_PASSWORD (nobody)",                                                    \
         0,                                                                                          \
         0,                                                                                          \
         NULL},                                                                                      \
        {"key", CLI_TEXT, "FILE", "TLS: its key (in the same file)", 0, 0, NULL},                    \
    {                                                                                                \
        "json", CLI_FLAG, NULL, "one JSON object", 0, 0, NULL                                        \
    }
#define REASON                                                                                     \
    {                                                                                              \
        "reason", CLI_TEXT, "TEXT", "why: kept in the audit; required", 0, 0, NULL                 \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, CLI_FLAG, NULL, NULL, 0, 0, NULL                                                     \
    }

static const cli_option look_options[] = {WHERE, END};
static const cli_option hold_options[] = {
    {"for", CLI_DURATION, "TIME", "how long (1h); at most 720h", 1000, 720 * (int64_t)HOUR_MS,
     NULL},
    REASON,
    {"create", CLI_FLAG, NULL, "also if the fleet does not know the circuit yet", 0, 0, NULL},
    WHERE,
    END,
};
static const cli_option release_options[] = {REASON, WHERE, END};

#define PASSWORD                                                                                   \
    "A password need not stand on the command line: the one in the environment's "                 \
    "SWITCHGEAR_REDIS_PASSWORD is used if the URL has none (redis://USER:@HOST)."

static const cli_command commands[] = {
    {
        .name = "doctor",
        .summary = "Is this Redis fit for a fleet? What was seen, and what to do about it.",
        .details =
            "Exit code 0: fit (notes and warnings allowed), 3: a problem was found, 4: "
            "nothing to talk to, 1: could not finish. Through a pipe, tab-separated: severity, "
            "check, node, what was seen, what to do. " PASSWORD,
        .example = "switchgear fleet doctor redis://10.0.0.5:6379",
        .arguments = "URL",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = look_options,
        .run = fleet_doctor_run,
    },
    {
        .name = "status",
        .summary = "The circuits of the fleet as Redis holds them.",
        .details =
            "Reads only. Exit code 5: a circuit that was named is not known. Through a pipe, "
            "tab-separated: name, state, since, until, backoff; reporters that have calls, "
            "that see it bad, whose own breaker is open; calls, failures, slow ones, local "
            "failures; probes out, passed, failed, lost; quarantined, revision, epoch, "
            "shard. " PASSWORD,
        .example = "switchgear fleet status redis://10.0.0.5:6379 payments",
        .arguments = "URL [NAME]...",
        .arguments_min = 1,
        .arguments_max = CLI_WORDS_MAX,
        .options = look_options,
        .run = fleet_status_run,
    },
    {
        .name = "force-open",
        .summary = "Hold a circuit open on all hosts, for a time.",
        .details = "When the time is over, probes decide. Prints the command that undoes it. Exit "
                   "code 5: no such circuit, 6: refused by Redis. " PASSWORD,
        .example = "switchgear fleet force-open redis://10.0.0.5 payments --for 1h --reason "
                   "\"bank's maintenance\"",
        .arguments = "URL NAME",
        .arguments_min = 2,
        .arguments_max = 2,
        .options = hold_options,
        .run = fleet_force_open_run,
    },
    {
        .name = "disable",
        .summary = "Take the fleet's say over a circuit away, for a time.",
        .details = "Each host's own breaker decides meanwhile. Prints the command that undoes it. "
                   "Exit code 5: no such circuit, 6: refused by Redis. " PASSWORD,
        .example =
            "switchgear fleet disable redis://10.0.0.5 payments --for 2h --reason \"load test\"",
        .arguments = "URL NAME",
        .arguments_min = 2,
        .arguments_max = 2,
        .options = hold_options,
        .run = fleet_disable_run,
    },
    {
        .name = "release",
        .summary = "End force-open or disable: the circuit is closed, and the fleet decides again.",
        .details =
            "Exit code 3: nobody holds it, 5: no such circuit, 6: refused by Redis. " PASSWORD,
        .example = "switchgear fleet release redis://10.0.0.5 payments --reason \"bank is back\"",
        .arguments = "URL NAME",
        .arguments_min = 2,
        .arguments_max = 2,
        .options = release_options,
        .run = fleet_release_run,
    },
    {
        .name = "audit",
        .summary = "Who ordered what and why, oldest first.",
        .details = "Redis keeps the last 256 orders of each shard. Through a pipe, tab-separated: "
                   "time, circuit, from, to, for how many ms, who, why, epoch. " PASSWORD,
        .example = "switchgear fleet audit redis://10.0.0.5:6379",
        .arguments = "URL",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = look_options,
        .run = fleet_audit_run,
    },
    {.name = NULL},
};

const cli_command fleet_command = {
    .name = "fleet",
    .summary = "Look after a fleet: its Redis, its circuits on all hosts.",
    .details =
        "URL is redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], or the same with "
        "redis+cluster://, or redis+sentinel://HOST[:PORT][,HOST...]/MASTER; rediss for TLS; "
        "or unix:///PATH.",
    .example = "switchgear fleet status redis://10.0.0.5:6379",
    .commands = commands,
};
