/* switchgear fleet: the table of its commands, and how each begins, fails and ends. */
#include "fleet.h"

#include <stdlib.h>
#include <string.h>
#include <switchgear/fleet_run.h>

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

static int check_texts(const cli_args *args)
{
    for (int i = 0; i < args->given_count; i++) {
        const cli_given *given = &args->given[i];
        if (given->option->kind == CLI_TEXT && !given->text[0])
            return cli_usage(args, "--%s is empty", given->option->name);
    }
    return CLI_FINE;
}

static int check_url(fleet *f, swg_fleet_url *parsed)
{
    const cli_args *args = f->args;
    const char *reason;
    if (strlen(args->words[0]) >= FLEET_URL_MAX)
        return cli_usage(args, "the URL is longer than %d bytes", FLEET_URL_MAX - 1);
    if (swg_fleet_url_parse(parsed, args->words[0], &reason) != SWG_OK)
        return cli_usage(args, "the URL '%s' %s%s", f->url, reason,
                         strstr(reason, "without a password")
                             ? ", or USER:@HOST and SWITCHGEAR_REDIS_PASSWORD in the environment"
                             : "");
    if (strchr(parsed->host, '@'))
        return cli_usage(args,
                         "the URL '%s' has more than one @: write %%40 for those within the "
                         "password",
                         f->url);
    return CLI_FINE;
}

/* What would be ignored was meant for something: a connection that is private, a sentinel that asks
 * for a password. */
static int check_sense(const fleet *f, const swg_fleet_url *url)
{
    static const char *const for_tls[] = {"ca", "cert", "key"};
    for (size_t i = 0; i < sizeof for_tls / sizeof *for_tls; i++) {
        if (!url->tls && cli_text(f->args, for_tls[i], NULL))
            return cli_usage(f->args, "--%s is for TLS: the URL begins with rediss then",
                             for_tls[i]);
    }
    if (f->redis.key_file && !f->redis.cert_file)
        return cli_usage(f->args, "--key wants the certificate too: --cert FILE");
    if (f->redis.sentinel_user && url->kind != SWG_FLEET_SENTINEL)
        return cli_usage(f->args, "--sentinel-user is for redis+sentinel:// URLs");
    if (f->redis.sentinel_user && !f->redis.sentinel_password)
        return cli_usage(f->args, "--sentinel-user wants SWITCHGEAR_SENTINEL_PASSWORD in the "
                                  "environment");
    return CLI_FINE;
}

enum { TIMEOUT_MS = 5000, TIMEOUT_MIN_MS = 10 };

int fleet_begin(fleet *f, const cli_args *args)
{
    const char *url = args->words[0];
    swg_fleet_url parsed;
    *f = (fleet){.args = args};
    f->until_ns = swg_clock_ns() + cli_number(args, "timeout", TIMEOUT_MS) * 1000000;
    f->redis = *SWG_FLEET_REDIS(.url = url, .password = secret(url),
                                .space = cli_text(args, "space", NULL),
                                .shards = (uint32_t)cli_number(args, "shards", 0),
                                .ca_file = cli_text(args, "ca", NULL),
                                .cert_file = cli_text(args, "cert", NULL),
                                .key_file = cli_text(args, "key", NULL),
                                .sentinel_user = cli_text(args, "sentinel-user", NULL),
                                .sentinel_password = getenv("SWITCHGEAR_SENTINEL_PASSWORD"),
                                .trouble = f->trouble);
    hide_password(f->url, url);
    int code = check_texts(args);
    if (code == CLI_FINE)
        code = check_url(f, &parsed);
    if (code == CLI_FINE)
        code = check_sense(f, &parsed);
    if (code != CLI_FINE)
        return code;
    f->url_has_password = parsed.password[0] != '\0';
    out_open(&f->out, stdout, cli_text(args, "color", NULL));
    f->form = cli_flag(args, "json") ? FLEET_JSON : f->out.tty ? FLEET_TABLE : FLEET_TSV;
    return CLI_FINE;
}

const swg_fleet_redis *fleet_redis(fleet *f)
{
    const int64_t left = (f->until_ns - swg_clock_ns()) / 1000000;
    f->redis.deadline_ms = left > TIMEOUT_MIN_MS ? (uint32_t)left : TIMEOUT_MIN_MS;
    return &f->redis;
}

static void advise(const fleet *f)
{
    if (!f->redis.password && strstr(f->trouble, "NOAUTH"))
        fputs("Give a password: SWITCHGEAR_REDIS_PASSWORD in the environment, or "
              "redis://USER:PASSWORD@HOST\n",
              stderr);
    else
        fleet_say_next(stderr, f, "What is wrong, and what to do", &(fleet_next){.verb = "doctor"});
}

int fleet_failed(const fleet *f, int error)
{
    static const struct {
        int error, code;
    } codes[] = {{SWG_ENOENT, CLI_NOBODY}, {SWG_EACCESS, CLI_FORBIDDEN}};
    const char *what = f->trouble[0] ? f->trouble : swg_error_text(error);
    if (error == SWG_EINVAL)
        return cli_usage(f->args, "%s", what);
    fprintf(stderr, "switchgear: %s\n", what);
    if (error != SWG_ENOMEM)
        advise(f);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].error == error)
            return codes[i].code;
    }
    return CLI_FAILED;
}

void fleet_doubt(fleet *f)
{
    if (f->trouble[0] && !f->doubted)
        fprintf(stderr, "switchgear: %s\n", f->trouble);
    f->doubted = f->doubted || f->trouble[0];
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
    const int result = swg_fleet_inspect(fleet_redis(f), names, count, keep, circuits);
    if (result == SWG_OK)
        fleet_doubt(f);
    return result == SWG_OK && circuits->no_memory ? SWG_ENOMEM : result;
}

int fleet_check_name(const cli_args *args, const char *name)
{
    size_t length = 0;
    while (name[length] > ' ' && name[length] <= '~')
        length++;
    if (length > 0 && length <= SWG_NAME_MAX && !name[length])
        return CLI_FINE;
    return cli_usage(args,
                     "'%s' cannot be a circuit's name: 1 to %d printable characters, no space",
                     name, SWG_NAME_MAX);
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
    fprintf(stderr, "switchgear: the fleet knows no circuit '%s'", name);
    if (near)
        fprintf(stderr, ". Did you mean '%s'?\n", near);
    else
        fleet_say_next(stderr, f, ". Those it knows", &(fleet_next){.verb = "status"});
    free(circuits.all);
    return CLI_NO_CIRCUIT;
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
        {"key", CLI_TEXT, "FILE", "TLS: its key (in the same file)", 0, 0, NULL},                    \
        {"sentinel-user",                                                                            \
         CLI_TEXT,                                                                                   \
         "NAME",                                                                                     \
         "as whom to sentinels, with "                                                               \
         "SWITCHGEAR_SENTINEL_PASSWORD (nobody)",                                                    \
         0,                                                                                          \
         0,                                                                                          \
         NULL},                                                                                      \
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

/* What all of them share. */
#define EXITS                                                                                      \
    [CLI_FINE] = "done", [CLI_USAGE] = "the command line is wrong",                                \
    [CLI_NOBODY] = "nothing to talk to: nobody listens there, or it is no Redis",                  \
    [CLI_FORBIDDEN] = "not permitted: password, rights or certificate"
#define FAILED "failed: no answer in time, the connection broke, or Redis refused"
#define UNKNOWN "the fleet does not know the circuit, and no --create"
#define FAILED_ORDER                                                                               \
    FAILED ". After a connection that broke it may have been carried out: see status"

#define PASSWORD                                                                                   \
    "A password need not stand on the command line: the one in the environment's "                 \
    "SWITCHGEAR_REDIS_PASSWORD is used if the URL has none (redis://USER:@HOST)."

static const cli_command commands[] = {
    {
        .name = "doctor",
        .summary = "Is this Redis fit for a fleet? What was seen, and what to do about it.",
        .details =
            "Through a pipe, tab-separated: severity, check, node, what was seen, what to do. "
            "Leaves nothing behind. " PASSWORD,
        .exits = {[CLI_FINE] = "fit; notes and warnings are allowed",
                  [CLI_FAILED] = "could not finish: no answer in time, or the connection broke",
                  [CLI_USAGE] = "the command line is wrong",
                  [CLI_FALSE] = "a problem was found, a refused password or certificate too",
                  [CLI_NOBODY] = "nothing to talk to: nobody listens there, or it is no Redis"},
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
        .details = "Reads only. Through a pipe, tab-separated: name, state, since, until, backoff; "
                   "reporters that have calls, "
                   "that see it bad, whose own breaker is open; calls, failures, slow ones, local "
                   "failures; probes out, passed, failed, lost; quarantined, revision, epoch, "
                   "shard; until when no probe is granted (hold-off), until when calls ramp "
                   "up; cause; cause, calls, failures, slow ones, hosts that were bad, had "
                   "their own breaker open, reported when it last opened by itself. " PASSWORD,
        .exits = {EXITS, [CLI_FAILED] = FAILED,
                  [CLI_NO_CIRCUIT] = "a circuit that was named is not known; none is shown"},
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
        .details =
            "When the time is over, probes decide. Prints the command that undoes it. " PASSWORD,
        .exits = {EXITS, [CLI_FAILED] = FAILED_ORDER, [CLI_NO_CIRCUIT] = UNKNOWN},
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
        .details = "Each host's own breaker decides meanwhile. Prints the command that undoes "
                   "it. " PASSWORD,
        .exits = {EXITS, [CLI_FAILED] = FAILED_ORDER, [CLI_NO_CIRCUIT] = UNKNOWN},
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
        .details = "Prints the command that undoes it. " PASSWORD,
        .exits = {EXITS, [CLI_FAILED] = FAILED_ORDER, [CLI_FALSE] = "nobody holds it",
                  [CLI_NO_CIRCUIT] = "the fleet does not know the circuit"},
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
        .exits = {EXITS, [CLI_FAILED] = FAILED},
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
    .exits = {EXITS, [CLI_FAILED] = FAILED,
              [CLI_FALSE] = "doctor: a problem was found; release: nobody holds the circuit",
              [CLI_NO_CIRCUIT] = "the fleet does not know the circuit"},
    .commands = commands,
};
