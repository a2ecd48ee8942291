#include "stage.h"

#include "closing.h"
#include "naive_table.h"

#include <stddef.h>
#include <string.h>

static const stage stages[] = {
    {
        .name = "independent",
        .title = "every instance has a breaker of its own",
        .story = "Two worlds live through the same outage at the same time. In each a load "
                 "generator calls instances A, B and C, and they call one service: in one "
                 "world through a circuit breaker each, in the other without.",
        .world_count = 2,
        .worlds = {{.name = "without breakers", .port_row = 1},
                   {.name = "with breakers", .breakers = true, .port_row = 0}},
        .script = {.fault = FAULT_HANG,
                   .rate_pct = 90,
                   .calls_per_s = 200,
                   .timeout_ms = 250,
                   .healthy_ms = 4000,
                   .outage_ms = 15000},
    },
    {
        .name = "host",
        .title = "one breaker for all processes of the host",
        .story = "Two worlds live through the same outage at the same time. In one, instances "
                 "A, B and C have a circuit each and find out for themselves; in the other "
                 "they share one in shared memory, and what one learns all know.",
        .world_count = 2,
        .worlds =
            {{.name = "a breaker each", .breakers = true, .port_row = 1},
             {.name = "one for all", .breakers = true, .panel = "/switchgear-lab", .port_row = 0}},
        .script = {.fault = FAULT_HANG,
                   .rate_pct = 90,
                   .calls_per_s = 200,
                   .timeout_ms = 250,
                   .healthy_ms = 4000,
                   .outage_ms = 15000},
    },
    {
        .name = "fleet",
        .title = "one circuit for many hosts, through a Redis that may die",
        .story = "Two worlds live through the same outage at the same time. In one, instances "
                 "A, B and C have a circuit each, as on three hosts; in the other theirs are "
                 "one circuit of a fleet, through a redis-server that no call waits for. A gets "
                 "six calls in ten, B three, C one. Later Redis is killed, and comes back empty.",
        /* A wait of 2 s, for several tries in a short outage; one probe, for the fleet's word is
         * exact then: one for all, where a breaker each sends three. Every call is struck, or a
         * lucky probe would close circuits while the service is sick. */
        .circuit = {"recovery=2s", "recovery_max=2s", NULL},
        .shares = {6, 3, 1}, /* those with few calls gain most from what others learn */
        .world_count = 2,
        .worlds = {{.name = "a breaker each", .breakers = true, .port_row = 1},
                   {.name = "a fleet", .breakers = true, .redis = REDIS_FOR_FLEET, .port_row = 0}},
        .script = {.fault = FAULT_HANG,
                   .rate_pct = 100,
                   .calls_per_s = 100,
                   .timeout_ms = 250,
                   .healthy_ms = 3000,
                   .outage_ms = 10000},
        .encore = {{1000, ACT_REDIS, {REDIS_KILL, 0}},
                   {3000, ACT_REST, {0}},
                   {500, ACT_BREAK, {0}},
                   {3000, ACT_REDIS, {REDIS_RESTART, 0}},
                   {5500, ACT_HEAL, {0}}},
        .closing = fleet_closing,
    },
    {
        .name = "naive",
        .title = "the obvious breaker over Redis beside the fleet's",
        .story =
            "Two worlds live through the same outage at the same time, each with a Redis of "
            "its own. In one every call asks Redis, GET and SET, and waits for the answer: "
            "the breaker of a single process, with its variables in Redis. The other is a fleet. "
            "Later Redis is frozen while all is well, and killed before an outage.",
        .circuit = {"recovery=2s", "recovery_max=2s", NULL},
        .world_count = 2,
        .worlds = {{.name = "naive", .breakers = true, .redis = REDIS_FOR_NAIVE, .port_row = 1},
                   {.name = "a fleet", .breakers = true, .redis = REDIS_FOR_FLEET, .port_row = 0}},
        .script = {.fault = FAULT_HANG,
                   .rate_pct = 90,
                   .calls_per_s = 200,
                   .timeout_ms = 250,
                   .healthy_ms = 4000,
                   .outage_ms = 8000},
        .encore = {{500, ACT_REDIS, {REDIS_FREEZE, 0}},
                   {3000, ACT_REST, {0}},
                   {500, ACT_REDIS, {REDIS_THAW, 0}},
                   {2000, ACT_REDIS, {REDIS_KILL, 0}},
                   {1500, ACT_REST, {0}},
                   {500, ACT_BREAK, {0}},
                   {4000, ACT_HEAL, {0}}},
        .closing = naive_table,
    },
    {
        .name = "compare",
        .title = "one outage, five ways to meet it",
        .story =
            "Five worlds live through the same outage at the same time, on this machine: what "
            "disturbs one disturbs all. In each, instances A, B and C call one service: "
            "without breakers; with one each; with one in shared memory; with the obvious one "
            "over Redis; with one circuit of a fleet. A gets six calls in ten, B three, C one.",
        /* Every call is struck: with one probe in ten lucky, luck would decide who does well. */
        .circuit = {"recovery=2s", "recovery_max=2s", NULL},
        .shares = {6, 3, 1},
        .quiet = true,
        .report = "switchgear-compare.html",
        .world_count = 5,
        .worlds =
            {{.name = "no breaker", .port_row = 1},
             {.name = "one each", .breakers = true, .port_row = 2},
             {.name = "one per host", .breakers = true, .panel = "/switchgear-lab", .port_row = 3},
             {.name = "naive, Redis", .breakers = true, .redis = REDIS_FOR_NAIVE, .port_row = 4},
             {.name = "a fleet", .breakers = true, .redis = REDIS_FOR_FLEET, .port_row = 0}},
        .script = {.fault = FAULT_HANG,
                   .rate_pct = 100,
                   .calls_per_s = 100,
                   .timeout_ms = 250,
                   .healthy_ms = 4000,
                   .outage_ms = 12000},
        .closing = compare_closing,
    },
};

bool stage_is_together(const stage_world *plan)
{
    return plan->panel || plan->redis;
}

const stage *stage_find(const char *name)
{
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (strcmp(stages[i].name, name) == 0)
            return &stages[i];
    return NULL;
}
