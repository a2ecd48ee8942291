/* The client's configuration: defaults, ranges, and names made of it. */
#include "fleet/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HOST_MAX 40

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-@";

/* A number of the configuration. 0 asks for the fallback; one that has none is made of others, or
 * is 0. */
struct row {
    const char *name, *reason;
    size_t offset;
    uint32_t fallback, low, high;
    bool off; /* SWG_NONE is fine */
};

#define ROW(name, fallback, low, high, off, reason)                                                \
    {                                                                                              \
#name, reason, offsetof(swg_fleet_config, name), fallback, low, high, off                  \
    }

static const struct row rows[] = {
    ROW(shards, 16, 1, SWG_FLEET_SHARDS_MAX, false, "must be 1 to 256"),
    ROW(interval_ms, 50, 10, 10000, false, "must be 10 ms to 10 s (10000 ms)"),
    ROW(stale_ms, 0, 30, 3600000, false, "must be 3 times interval_ms to 1 h (3600000 ms)"),
    ROW(local_ms, 0, 31, 3600000, false, "must be more than stale_ms, to 1 h (3600000 ms)"),
    ROW(timeout_ms, 500, 10, 60000, false, "must be 10 ms to 1 min (60000 ms)"),
    ROW(margin_ms, 0, 1, 30000, false, "must be 1 ms to half of lease_ms"),
    ROW(links, 0, 1, SWG_FLEET_LINKS_MAX, false, "must be 1 to 64"),
    ROW(revision, 1, 1, INT32_MAX, true, "must be 1 to 2147483647, or none"),
    ROW(database, 0, 1, 1048575, false, "must be 0 to 1048575"),
    ROW(quorum, 2, 1, 1000, false, "must be 1 to 1000 reporters"),
    ROW(cap, 1000, 1, 1000000, false, "must be 1 to 1000000 calls"),
    ROW(fail_limit, 2, 1, 64, false, "must be 1 to 64 probes"),
    ROW(expiry_limit, 12, 1, 1000, false, "must be 1 to 1000 probes"),
    ROW(lease_ms, 5000, 10, 60000, false, "must be 10 ms to 1 min (60000 ms)"),
    ROW(ramp_ms, 10000, 1, 600000, true, "must be 1 ms to 10 min (600000 ms), or none"),
    ROW(quarantine_ms, 10000, 1, 3600000, true, "must be 1 ms to 1 h (3600000 ms), or none"),
    ROW(entries_per_s, 12000, 100, 1000000, false, "must be 100 to 1000000 entries a second"),
};

static bool settle_row(swg_fleet_config *c, const struct row *row)
{
    uint32_t value;

    memcpy(&value, (char *)c + row->offset, sizeof value);
    if (value == 0) {
        memcpy((char *)c + row->offset, &row->fallback, sizeof value);
        return true;
    }
    return (value == SWG_NONE && row->off) || (value >= row->low && value <= row->high);
}

/* Defaults made of other fields, which are settled. */
static void derive(swg_fleet_config *c)
{
    if (c->links == 0)
        c->links = c->shards < SWG_FLEET_LINKS_MAX ? c->shards : SWG_FLEET_LINKS_MAX;
    if (c->stale_ms == 0)
        c->stale_ms = 3 * c->interval_ms > 300 ? 3 * c->interval_ms : 300;
    if (c->local_ms == 0)
        c->local_ms = c->stale_ms < 1000 ? 1000 : c->stale_ms + c->interval_ms;
    if (!c->space)
        c->space = "default";
    if (!c->host)
        c->host = "";
}

bool swg__client_is_space(const char *space)
{
    size_t length = strspn(space, letters);

    return length > 0 && length <= CLIENT_SPACE && space[length] == 0 && !strchr(space, '@');
}

static int wrong(const char **field, const char **reason, const char *name, const char *what)
{
    *field = name;
    *reason = what;
    return SWG_EINVAL;
}

static int settle_together(const swg_fleet_config *c, const char **field, const char **reason)
{
    if (c->stale_ms < 3 * c->interval_ms)
        return wrong(field, reason, "stale_ms", "is less than 3 times interval_ms");
    if (c->local_ms <= c->stale_ms)
        return wrong(field, reason, "local_ms", "is not more than stale_ms");
    if (c->margin_ms > c->lease_ms / 2)
        return wrong(field, reason, "margin_ms", "is more than half of lease_ms");
    if (!swg__client_is_space(c->space))
        return wrong(field, reason, "space", "must be 1 to 32 of A-Z a-z 0-9 _ . -");
    return SWG_OK;
}

static int copy(swg_fleet_config *full, const swg_fleet_config *from, const char **field,
                const char **reason)
{
    const unsigned char *bytes = (const unsigned char *)from;

    if (from->size < sizeof from->size)
        return wrong(field, reason, "size", "must be set to sizeof(swg_fleet_config)");
    for (size_t i = sizeof *full; i < from->size; i++) {
        if (bytes[i]) {
            wrong(field, reason, "size", "sets a field this version of the library does not know");
            return SWG_ENEWER;
        }
    }
    *full = (swg_fleet_config){0};
    memcpy(full, from, from->size < sizeof *full ? from->size : sizeof *full);
    full->size = sizeof *full;
    return SWG_OK;
}

static int settle(swg_fleet_config *full, const swg_fleet_config *from, const char **field,
                  const char **reason)
{
    int error = copy(full, from, field, reason);

    if (error != SWG_OK)
        return error;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!settle_row(full, &rows[i]))
            return wrong(field, reason, rows[i].name, rows[i].reason);
    }
    derive(full);
    return settle_together(full, field, reason);
}

int swg_fleet_config_check(const swg_fleet_config *config, const char **field, const char **reason)
{
    swg_fleet_config full;
    const char *unasked;

    field = field ? field : &unasked;
    reason = reason ? reason : &unasked;
    *field = *reason = "";
    if (!config)
        return wrong(field, reason, "config", "is NULL");
    return settle(&full, config, field, reason);
}

/* Names of hosts come from elsewhere, and this one is only to be read by people. */
static void name_reporter(swg_fleet *fleet)
{
    const swg_fleet_config *c = &fleet->config;
    char host[HOST_MAX + 1];

    snprintf(host, sizeof host, "%.*s", HOST_MAX, c->host);
    for (char *at = host; *at; at++)
        *at = strchr(letters, *at) ? *at : '_';
    snprintf(fleet->reporter, sizeof fleet->reporter, "%s%s%016" PRIx64, host, host[0] ? ":" : "",
             c->reporter);
}

int swg__client_settle(swg_fleet *fleet, const swg_fleet_config *config)
{
    swg_fleet_config *c = &fleet->config;
    const char *unasked;
    int error = settle(c, config, &unasked, &unasked);

    if (error != SWG_OK)
        return error;
    if (c->reporter == 0)
        c->reporter = swg_gate_identity(fleet->panel);
    snprintf(fleet->space, sizeof fleet->space, "%s", c->space);
    name_reporter(fleet);
    return SWG_OK;
}

/* CRC16 of Redis Cluster (XMODEM). */
uint32_t swg__client_crc16(const char *text, size_t length)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < length; i++) {
        crc ^= (uint32_t)(unsigned char)text[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
    }
    return crc;
}
