/* The client's configuration: defaults, ranges, and names made of it. */
#include "fleet/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

static bool spelled(const char *text, size_t least, size_t most, const char *also)
{
    size_t length = strlen(text), ok = 0;

    while (ok < length && (strchr(letters, text[ok]) || strchr(also, text[ok])))
        ok++;
    return ok == length && length >= least && length <= most;
}

static bool settle(uint32_t *field, uint32_t fallback, uint32_t min, uint32_t max)
{
    if (*field == 0)
        *field = fallback;
    return *field >= min && *field <= max;
}

static bool settle_off(uint32_t *field, uint32_t fallback, uint32_t max)
{
    return *field == SWG_NONE || settle(field, fallback, 1, max);
}

static bool settle_times(swg_fleet_config *c)
{
    return settle(&c->interval_ms, 50, 10, 10000) &&
           settle(&c->stale_ms, 3 * c->interval_ms > 300 ? 3 * c->interval_ms : 300,
                  3 * c->interval_ms, 3600000) &&
           settle(&c->local_ms, c->stale_ms < 1000 ? 1000 : c->stale_ms + c->interval_ms,
                  c->stale_ms + 1, 3600000) &&
           settle(&c->timeout_ms, 500, 10, 60000) && c->margin_ms <= 60000;
}

static bool settle_limits(swg_fleet_config *c)
{
    if (c->revision == 0)
        c->revision = SWG_NONE;
    return settle(&c->entries_per_s, 12000, 100, 1000000) && settle(&c->quorum, 2, 1, 1000) &&
           settle(&c->cap, 1000, 1, 1000000) && settle(&c->fail_limit, 2, 1, 64) &&
           settle(&c->expiry_limit, 12, 1, 1000) && settle(&c->lease_ms, 5000, 10, 60000) &&
           settle_off(&c->ramp_ms, 10000, 600000) &&
           settle_off(&c->quarantine_ms, 10000, 3600000) &&
           (c->revision == SWG_NONE || c->revision <= INT32_MAX);
}

static int copy(swg_fleet_config *full, const swg_fleet_config *from)
{
    const unsigned char *bytes = (const unsigned char *)from;

    if (from->size < sizeof from->size)
        return SWG_EINVAL;
    for (size_t i = sizeof *full; i < from->size; i++) {
        if (bytes[i])
            return SWG_ENEWER;
    }
    *full = (swg_fleet_config){0};
    memcpy(full, from, from->size < sizeof *full ? from->size : sizeof *full);
    full->size = sizeof *full;
    return SWG_OK;
}

int swg__client_settle(swg_fleet *fleet, const swg_fleet_config *config)
{
    swg_fleet_config *c = &fleet->config;
    int error = copy(c, config);

    if (error != SWG_OK)
        return error;
    if (!c->space)
        c->space = "default";
    if (!c->host)
        c->host = "";
    if (c->reporter == 0)
        c->reporter = swg_gate_identity(fleet->panel);
    if (!settle(&c->shards, 16, 1, SWG_FLEET_SHARDS_MAX) ||
        !settle(&c->links, c->shards < SWG_FLEET_LINKS_MAX ? c->shards : SWG_FLEET_LINKS_MAX, 1,
                SWG_FLEET_LINKS_MAX) ||
        !settle_times(c) || !settle_limits(c) || !spelled(c->space, 1, CLIENT_SPACE, "") ||
        !spelled(c->host, 0, 40, "@") || (c->user && !c->password))
        return SWG_EINVAL;
    snprintf(fleet->space, sizeof fleet->space, "%s", c->space);
    snprintf(fleet->reporter, sizeof fleet->reporter, "%s%s%016" PRIx64, c->host,
             c->host[0] ? ":" : "", c->reporter);
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
