/* The command table of `switchgear lab`. */
#include "fault.h"
#include "part.h"
#include "parts.h"
#include "profile.h"
#include "redis.h"

#include <stddef.h>

enum { HOUR_MS = 3600 * 1000 };

#define SEED                                                                                       \
    {                                                                                              \
        "seed", CLI_COUNT, "N", "what chance begins with (1)", 0, INT64_MAX, NULL                  \
    }
#define PORT(usual)                                                                                \
    {                                                                                              \
        "port", CLI_COUNT, "N", "the port it listens on (" usual ")", 0, 65535, NULL               \
    }
#define TIMEOUT(text)                                                                              \
    {                                                                                              \
        "timeout", CLI_DURATION, "TIME", text, 1, HOUR_MS, NULL                                    \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, CLI_FLAG, NULL, NULL, 0, 0, NULL                                                     \
    }

#define RECORD                                                                                     \
    {                                                                                              \
        "record", CLI_TEXT, "FILE", "write down every exchange of the fleet with Redis", 0, 0,     \
            NULL                                                                                   \
    }

static const cli_option simple_options[] = {
    {"once", CLI_FLAG, NULL, "as fast as it goes, for pipes", 0, 0, NULL},
    SEED,
    PROFILE_OPTIONS,
    END,
};

#define STAGE_OPTIONS(rate_text, calls_text, healthy_text, outage_text)                            \
    {"once", CLI_FLAG, NULL, "play the script and end; no keys", 0, 0, NULL}, SEED,                \
        {"ports",                                                                                  \
         CLI_COUNT,                                                                                \
         "BASE",                                                                                   \
         "service on BASE, instances on BASE+1 to +3, the world beside them ten higher, each "     \
         "further one ten more (9000, 8001 to 8003; 9010, 8011 to 8013)",                          \
         1024,                                                                                     \
         65000,                                                                                    \
         NULL},                                                                                    \
        {"fault", CLI_CHOICE, "KIND",       "how the script breaks the service (hang)",            \
         0,       0,          fault_choices},                                                      \
        {"rate", CLI_PERCENT, "N%", "how many answers the fault strikes (" rate_text ")",          \
         1,      100,         NULL},                                                               \
        {"calls", CLI_COUNT, "N", "calls a second in each world (" calls_text ")", 1, 2000, NULL}, \
        TIMEOUT("how long instances wait for the service (250ms)"),                                \
        {"healthy", CLI_DURATION, "TIME", "how long all is well at first (" healthy_text ")",      \
         0,         HOUR_MS,      NULL},                                                           \
        {"outage", CLI_DURATION, "TIME", "how long the outage lasts (" outage_text ")",            \
         100,      HOUR_MS,      NULL},                                                            \
        PROFILE_OPTIONS,                                                                           \
    {                                                                                              \
        "json", CLI_FLAG, NULL, "one JSON object a line instead of text", 0, 0, NULL               \
    }

static const cli_option stage_options[] = {STAGE_OPTIONS("90%", "200", "4s", "15s"), END};
static const cli_option fleet_options[] = {STAGE_OPTIONS("100%", "100", "3s", "10s"), RECORD, END};
static const cli_option naive_options[] = {STAGE_OPTIONS("90%", "200", "4s", "8s"), RECORD, END};

static const cli_option compare_options[] = {
    STAGE_OPTIONS("100%", "100", "4s", "12s"),
    RECORD,
    {"report", CLI_TEXT, "FILE", "where the report goes (switchgear-compare.html)", 0, 0, NULL},
    END,
};

static const cli_option storm_options[] = {
    {"once", CLI_FLAG, NULL, "play it and end, as it does anyway", 0, 0, NULL},
    SEED,
    {"ports", CLI_COUNT, "BASE",
     "service on BASE, instances on BASE+1 to +3, the other worlds ten and twenty higher (9100)",
     1024, 65000, NULL},
    {"calls", CLI_COUNT, "N", "calls a second in each world; the service can do 160 (100)", 1, 2000,
     NULL},
    {"brownout", CLI_DURATION, "TIME", "how long the service is slow (4s)", 100, HOUR_MS, NULL},
    {"after", CLI_DURATION, "TIME", "how long to look on when it no longer is (15s)", 100, HOUR_MS,
     NULL},
    {"json", CLI_FLAG, NULL, "one JSON object a line instead of text", 0, 0, NULL},
    END,
};

static const cli_option service_options[] = {
    PORT("9000; 0: any"),
    SEED,
    {"slow", CLI_DURATION, "TIME", "what a slow answer takes (500ms)", 1, HOUR_MS, NULL},
    {"hang", CLI_DURATION, "TIME", "what a hanging answer takes (2s)", 1, HOUR_MS, NULL},
    {"flap", CLI_DURATION, "TIME", "how long it is sick, and then well (2s)", 1, HOUR_MS, NULL},
    {"workers", CLI_COUNT, "N", "calls it works on at once, others queue (no limit)", 1, 100000,
     NULL},
    {"work", CLI_DURATION, "TIME", "what an answer takes when well (4 to 20ms)", 1, HOUR_MS, NULL},
    PART_OPTIONS,
    END,
};

static const cli_option instance_options[] = {
    {"name", CLI_TEXT, "NAME", "what it is called (A)", 0, 0, NULL},
    PORT("8001; 0: any"),
    {"service", CLI_COUNT, "PORT", "where the service listens (9000)", 1, 65535, NULL},
    TIMEOUT("how long it waits for the service (1s)"),
    PROFILE_OPTIONS,
    {"panel", CLI_TEXT, "/NAME", "a panel in shared memory instead of one of its own", 0, 0, NULL},
    {"fleet", CLI_TEXT, "URL",
     "join the fleet at this Redis: unix:///PATH, redis://HOST:PORT, rediss://HOST:PORT", 0, 0,
     NULL},
    {"naive", CLI_TEXT, "/PATH",
     "instead of a circuit, the naive breaker of `lab naive`, over Redis at this socket", 0, 0,
     NULL},
    {"retry", CLI_TEXT, "KEY=VALUE", "retry, with this field set, e.g. attempts=3; repeatable", 0,
     0, NULL},
    {"no-breaker", CLI_FLAG, NULL, "call the service without a circuit", 0, 0, NULL},
    PART_OPTIONS,
    END,
};

static const cli_option load_options[] = {
    {"targets", CLI_TEXT, "PORT,...", "the instances' ports (8001,8002,8003)", 0, 0, NULL},
    {"rate", CLI_COUNT, "N", "calls a second (100)", 1, 100000, NULL},
    {"for", CLI_DURATION, "TIME", "end after so long (until Ctrl-C)", 1, 24 * HOUR_MS, NULL},
    SEED,
    PART_OPTIONS,
    END,
};

#define SERVICE_AT                                                                                 \
    {                                                                                              \
        "ports", CLI_COUNT, "BASE", "the port of the service (9000)", 1, 65535, NULL               \
    }

static const cli_option break_options[] = {
    {"rate", CLI_PERCENT, "N%", "how many answers it strikes (80%)", 1, 100, NULL},
    SERVICE_AT,
    END,
};

static const cli_option heal_options[] = {SERVICE_AT, END};

static const cli_option redis_options[] = {
    PORT("9004; 0: any"),
    {"folder", CLI_TEXT, "PATH", "a new folder for its sockets (one in /tmp)", 0, 0, NULL},
    RECORD,
    SERVICE_AT,
    PART_OPTIONS,
    END,
};

static const cli_command lab_commands[] = {
    {
        .name = "simple",
        .summary = "One breaker in one process: failures add up, it opens, blocks, recovers.",
        .details =
            "No network and no waiting: the times are those of a clock the lab turns itself. "
            "Every transition comes with the evidence the circuit wrote into its journal.",
        .example = "switchgear lab simple --once",
        .options = simple_options,
        .run = lab_simple_run,
    },
    {
        .name = "independent",
        .summary = "Three instances, each with its own breaker, call one service that gets sick.",
        .details = "Real processes and real HTTP on the loopback address. The same outage runs at "
                   "the same time through a second world without breakers; every number is "
                   "measured. On a terminal, keys break and heal the service; press ? there.",
        .example = "switchgear lab independent --once",
        .options = stage_options,
        .run = lab_stage_run,
    },
    {
        .name = "host",
        .summary = "The same with one breaker in shared memory for all three, beside one each.",
        .details = "Both worlds have breakers and live through the same outage at the same time: "
                   "in one every instance has its own, in the other all share one circuit of a "
                   "panel in shared memory. The table tells what sharing saves.",
        .example = "switchgear lab host --once",
        .options = stage_options,
        .run = lab_stage_run,
    },
    {
        .name = "fleet",
        .summary = "One circuit for instances with panels of their own, through Redis.",
        .details = "As on three hosts: every instance has its own panel and a fleet client on a "
                   "thread, which no call waits for. The same outage runs at the same time through "
                   "a world with a breaker each. Then Redis is killed while all is well, an outage "
                   "begins without it, and it comes back empty.",
        .example = "switchgear lab fleet --once",
        .options = fleet_options,
        .run = lab_stage_run,
    },
    {
        .name = "naive",
        .summary = "The obvious breaker over Redis, GET and SET in every call, beside the fleet.",
        .details =
            "Both worlds share one circuit through a Redis of their own and live through the "
            "same outage at the same time. In one every call asks Redis and waits for it, "
            "as it is usually written first. Then Redis is frozen, and then killed in an "
            "outage. See what sharing costs a call, how many probes go, and what is lost.",
        .example = "switchgear lab naive --once",
        .options = naive_options,
        .run = lab_stage_run,
    },
    {
        .name = "compare",
        .summary = "The same outage five ways: no breaker, one each, one per host, naive, a fleet.",
        .details =
            "Five worlds at the same time, told by one table and a report: one HTML file with "
            "plots, which needs nothing else.",
        .example = "switchgear lab compare --once --report outage.html",
        .options = compare_options,
        .run = lab_stage_run,
    },
    {
        .name = "storm",
        .summary = "Retries turn a short brown-out into a lasting outage; a budget ends it.",
        .details = "Three worlds with the same service, which can do so much and no more, live "
                   "through the same brown-out: with plain retries, with retries on a budget, and "
                   "with a budget and a breaker. The cause lasts seconds; see how long the outage "
                   "does.",
        .example = "switchgear lab storm --once",
        .options = storm_options,
        .run = lab_storm_run,
    },
    {
        .name = "break",
        .summary = "Make the service of a running lab sick.",
        .example = "switchgear lab break hang --rate 80%",
        .arguments = "errors|slow|hang|reset|flap",
        .choices = fault_choices,
        .arguments_min = 1,
        .arguments_max = 1,
        .options = break_options,
        .run = lab_break_run,
    },
    {
        .name = "heal",
        .summary = "Make the service of a running lab well again.",
        .example = "switchgear lab heal",
        .options = heal_options,
        .run = lab_heal_run,
    },
    {
        .name = "service",
        .summary = "The unreliable service alone, for a terminal of its own.",
        .details = "GET / is work. /control reads (GET) or switches the fault: "
                   "POST /control?fault=hang&rate=80, fault=none heals.",
        .example = "switchgear lab service --port 9000",
        .options = service_options,
        .run = lab_service_run,
    },
    {
        .name = "instance",
        .summary = "One instance alone, for a terminal of its own.",
        .details = "GET / answers with the service's answer, or at once with 503 and Retry-After. "
                   "GET /state shows its circuit, /events its journal.",
        .example = "switchgear lab instance --name A --port 8001",
        .options = instance_options,
        .run = lab_instance_run,
    },
    {
        .name = "redis",
        .summary =
            "Kill, freeze or restart the Redis of a running lab, or cut one instance off it.",
        .details =
            "kill, then restart, which starts an empty one; freeze, then thaw; cut A, then "
            "heal. Without a word: a redis-server in a private folder, alone, for a terminal "
            "of its own; instances join it with --fleet.",
        .example = "switchgear lab redis cut B",
        .arguments = "kill|freeze|thaw|restart|cut A|heal",
        .choices = redis_actions,
        .arguments_max = 2,
        .options = redis_options,
        .run = lab_redis_run,
    },
    {
        .name = "load",
        .summary = "The load generator alone, for a terminal of its own.",
        .details = "Open-loop: calls leave on schedule, whether or not earlier ones came back.",
        .example = "switchgear lab load --rate 100",
        .options = load_options,
        .run = lab_load_run,
    },
    {.name = NULL},
};

const cli_command lab_command = {
    .name = "lab",
    .summary = "See what a circuit breaker does: outages, played with real processes.",
    .details = "Without a command: the stage `independent`. Five terminals instead of one: run "
               "service, three times instance (names A, B, C, ports 8001 to 8003), then load; "
               "break and heal it from a sixth.",
    .example = "switchgear lab",
    .options = stage_options,
    .commands = lab_commands,
    .run = lab_stage_run,
};
