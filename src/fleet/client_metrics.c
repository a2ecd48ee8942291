/* The client as Prometheus text (exposition format 0.0.4). Names of circuits and namespaces are
 * safe as labels by their own rules. */
#include "fleet/client.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
    int64_t us;
    const char *seconds;
} bounds[SWG_FLEET_BUCKETS - 1] = {
    {500, "0.0005"}, {1000, "0.001"}, {2000, "0.002"}, {5000, "0.005"}, {10000, "0.01"},
    {20000, "0.02"}, {50000, "0.05"}, {100000, "0.1"}, {200000, "0.2"}, {500000, "0.5"}};

enum family {
#define FAMILY(name, type, help) FAMILY_##name,
#include "fleet/metrics.def"
#undef FAMILY
};

static const struct {
    const char *name, *type, *help;
} families[] = {
#define FAMILY(name, type, help) {#name, type, help},
#include "fleet/metrics.def"
#undef FAMILY
};

struct page {
    char *buffer;
    size_t room, used; /* used goes on counting when the room is over */
    const char *space;
};

static void put(struct page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct page *p, const char *format, ...)
{
    va_list list;
    size_t left = p->used < p->room ? p->room - p->used : 0;

    va_start(list, format);
    int length = vsnprintf(left > 0 ? p->buffer + p->used : NULL, left, format, list);
    va_end(list);
    p->used += length > 0 ? (size_t)length : 0;
}

static void begin(struct page *p, enum family f)
{
    put(p, "# HELP switchgear_fleet_%s %s\n# TYPE switchgear_fleet_%s %s\n", families[f].name,
        families[f].help, families[f].name, families[f].type);
}

static void series(struct page *p, enum family f, const char *label, const char *value)
{
    put(p, "switchgear_fleet_%s{space=\"%s\"", families[f].name, p->space);
    if (label)
        put(p, ",%s=\"%s\"", label, value);
    put(p, "} ");
}

static void count(struct page *p, enum family f, const char *label, const char *value, uint64_t n)
{
    series(p, f, label, value);
    put(p, "%" PRIu64 "\n", n);
}

static void one(struct page *p, enum family f, uint64_t n)
{
    begin(p, f);
    count(p, f, NULL, NULL, n);
}

void swg__client_metrics_took(swg_fleet *fleet, int64_t took)
{
    int i = 0;

    while (i < SWG_FLEET_BUCKETS - 1 && took > bounds[i].us * US)
        i++;
    fleet->stats.buckets[i]++;
    fleet->stats.took_ns += took > 0 ? (uint64_t)took : 0;
}

/* With a point, whatever the program's locale puts there. */
static const char *seconds(char text[32], uint64_t us)
{
    snprintf(text, 32, "%" PRIu64 ".%06u", us / 1000000, (unsigned)(us % 1000000));
    return text;
}

static void histogram(struct page *p, const swg_fleet_snapshot *s)
{
    const char *name = families[FAMILY_sync_duration_seconds].name;
    uint64_t sum = 0;
    char text[32];

    begin(p, FAMILY_sync_duration_seconds);
    for (int i = 0; i < SWG_FLEET_BUCKETS; i++) {
        const char *bound = i < SWG_FLEET_BUCKETS - 1 ? bounds[i].seconds : "+Inf";

        sum += s->buckets[i];
        put(p, "switchgear_fleet_%s_bucket{space=\"%s\",le=\"%s\"} %" PRIu64 "\n", name, p->space,
            bound, sum);
    }
    put(p, "switchgear_fleet_%s_sum{space=\"%s\"} %s\n", name, p->space,
        seconds(text, s->took_ns / 1000));
    put(p, "switchgear_fleet_%s_count{space=\"%s\"} %" PRIu64 "\n", name, p->space, sum);
}

static void standing(struct page *p, const swg_fleet_snapshot *s, int64_t now, int64_t wall_ms)
{
    int64_t sync = 0;
    char text[32];

    if (s->last_sync_ns != 0)
        sync = swg__client_max(wall_ms - (now - s->last_sync_ns) / MS, 0);
    one(p, FAMILY_up, s->modes[SWG_FLEET_FLEET] + s->modes[SWG_FLEET_REJOIN] == s->shards);
    begin(p, FAMILY_shards);
    for (int i = 0; i < SWG_FLEET_MODE_COUNT; i++)
        count(p, FAMILY_shards, "mode", swg_fleet_mode_name((swg_fleet_mode)i), s->modes[i]);
    one(p, FAMILY_reporters, s->reporters);
    one(p, FAMILY_circuits, s->circuits);
    one(p, FAMILY_circuits_limits_differ, s->limits_differ);
    begin(p, FAMILY_last_sync_timestamp_seconds);
    series(p, FAMILY_last_sync_timestamp_seconds, NULL, NULL);
    put(p, "%s\n", seconds(text, (uint64_t)sync * 1000));
}

static void states(struct page *p, const swg_fleet *fleet)
{
    begin(p, FAMILY_circuit_state);
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct client_circuit *c = fleet->circuits[i];

        for (int state = 0; state <= SWG_FLEET_DISABLED; state++) {
            put(p, "switchgear_fleet_circuit_state{space=\"%s\",circuit=\"%s\",state=\"%s\"} %d\n",
                p->space, c->name, swg_fleet_state_name((swg_fleet_state)state),
                c->known && c->state == state);
        }
    }
}

static void counters(struct page *p, const swg_fleet *fleet, const swg_fleet_snapshot *s)
{
    static const char *const results[] = {"failed", "passed", "unused"};

    one(p, FAMILY_exchanges_total, s->exchanges);
    one(p, FAMILY_exchanges_hurried_total, s->hurried);
    one(p, FAMILY_entries_total, s->entries);
    one(p, FAMILY_hints_total, s->hints);
    begin(p, FAMILY_errors_total);
    for (int i = 0; i < SWG_FLEET_ERROR_COUNT; i++)
        count(p, FAMILY_errors_total, "kind", swg_fleet_error_name((swg_fleet_error)i),
              s->errors[i]);
    begin(p, FAMILY_bytes_total);
    count(p, FAMILY_bytes_total, "direction", "in", s->bytes_in);
    count(p, FAMILY_bytes_total, "direction", "out", s->bytes_out);
    one(p, FAMILY_permits_total, s->granted);
    begin(p, FAMILY_probes_total);
    for (int i = 0; i < 3; i++)
        count(p, FAMILY_probes_total, "result", results[i], s->probes[i]);
    begin(p, FAMILY_transitions_total);
    for (int i = 0; i <= SWG_CAUSE_COUNT; i++)
        count(p, FAMILY_transitions_total, "cause", swg_cause_name((swg_cause)i), fleet->causes[i]);
    one(p, FAMILY_claims_total, s->claims);
    one(p, FAMILY_events_dropped_total, s->dropped_events);
}

size_t swg_fleet_metrics_write(const swg_fleet *fleet, int64_t now, int64_t wall_ms, char *buffer,
                               size_t bytes)
{
    struct page p = {.buffer = buffer, .room = buffer ? bytes : 0};
    swg_fleet_snapshot s;

    if (!fleet || swg_fleet_read(fleet, &s) != SWG_OK)
        return 0;
    if (p.room > 0)
        buffer[0] = '\0';
    p.space = fleet->space;
    standing(&p, &s, now, wall_ms);
    states(&p, fleet);
    histogram(&p, &s);
    counters(&p, fleet, &s);
    return p.used;
}
