/* Settings that cut connections or exchanges short, and the server's clock. */
#include "fleet/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FINE SWG_FLEET_FINE
#define NOTE SWG_FLEET_NOTE
#define WARNING SWG_FLEET_WARNING
#define PROBLEM SWG_FLEET_PROBLEM

enum { PACE_MAX_S = 2, SLOWLOG_ROWS = 128 };

static void not_told(doctor *d, swg_fleet_check check, const char *settings)
{
    swg__doctor_fix(d, "look yourself: redis-cli CONFIG GET %s", settings);
    swg__doctor_say(d, check, NOTE, "not looked at: CONFIG GET is refused");
}

/* ---- scripts ------------------------------------------------------------------------------- */

/* The longest exchange, 256 circuits, takes a few milliseconds. */
void swg__doctor_script_limit(doctor *d)
{
    const char *name = "busy-reply-threshold"; /* of 7.0; before: */
    int64_t ms = swg__doctor_setting_number(d, name);

    if (ms < 0)
        ms = swg__doctor_setting_number(d, name = "lua-time-limit");
    if (ms < 0) {
        not_told(d, SWG_FLEET_CHECK_SCRIPT_LIMIT, "busy-reply-threshold");
        return;
    }
    if (ms > 0 && ms < 100)
        swg__doctor_fix(d, "CONFIG SET %s 5000, and the same in redis.conf", name);
    swg__doctor_say(d, SWG_FLEET_CHECK_SCRIPT_LIMIT, ms > 0 && ms < 100 ? WARNING : FINE,
                    ms == 0 ? "%s %" PRId64 ": others wait, however long a script runs"
                            : "%s %" PRId64 " ms",
                    name, ms);
}

static bool is_ours(const redisReply *command)
{
    const char *verb = swg__text(swg__at(command, 0)), *sha1 = swg__text(swg__at(command, 1));

    return verb && sha1 && strcasecmp(verb, "EVALSHA") == 0 &&
           (strcmp(sha1, swg_fleet_sync_sha1) == 0 || strcmp(sha1, swg_fleet_admin_sha1) == 0);
}

void swg__doctor_slowlog(doctor *d)
{
    redisReply *log = swg__talk_ask(&d->node->talk, "SLOWLOG GET %d", SLOWLOG_ROWS);
    const size_t rows = swg__length(log);
    int64_t count = 0, worst = 0, us;

    for (size_t i = 0; i < rows; i++) {
        const redisReply *row = swg__at(log, i);

        if (!is_ours(swg__at(row, 3)) || !swg__whole(swg__at(row, 2), &us))
            continue;
        count++;
        worst = us > worst ? us : worst;
    }
    if (log && log->type == REDIS_REPLY_ERROR) {
        swg__doctor_say(d, SWG_FLEET_CHECK_SLOWLOG, NOTE, "not looked at: SLOWLOG is refused");
    } else if (log && count == 0) {
        swg__doctor_say(d, SWG_FLEET_CHECK_SLOWLOG, FINE, "no exchange among the %zu entries",
                        rows);
    } else if (log) {
        swg__doctor_fix(d,
                        "redis-cli SLOWLOG GET; is the host short of CPU? More shards make shorter "
                        "exchanges");
        swg__doctor_say(d, SWG_FLEET_CHECK_SLOWLOG, worst >= 20000 ? WARNING : NOTE,
                        "%" PRId64 " of %zu entries are exchanges, the longest took %.1f ms", count,
                        rows, (double)worst / 1000);
    }
    swg__free(log);
}

/* ---- connections --------------------------------------------------------------------------- */

/* Hosts exchange at least every two seconds; subscribers are not subject to `timeout`. */
void swg__doctor_idle(doctor *d)
{
    const int64_t timeout = swg__doctor_setting_number(d, "timeout");
    const int64_t keepalive = swg__doctor_setting_number(d, "tcp-keepalive");

    if (timeout < 0) {
        not_told(d, SWG_FLEET_CHECK_IDLE, "timeout");
    } else if (timeout > 0 && timeout <= 2 * PACE_MAX_S) {
        swg__doctor_fix(d, "CONFIG SET timeout 0, or at least 30, and the same in redis.conf");
        swg__doctor_say(d, SWG_FLEET_CHECK_IDLE, WARNING,
                        "timeout %" PRId64
                        " s: a large fleet exchanges every %d s and would be cut",
                        timeout, PACE_MAX_S);
    } else if (keepalive == 0) {
        swg__doctor_fix(d, "CONFIG SET tcp-keepalive 300, and the same in redis.conf");
        swg__doctor_say(d, SWG_FLEET_CHECK_IDLE, NOTE,
                        "tcp-keepalive 0: subscribers whose host died are kept");
    } else {
        swg__doctor_say(d, SWG_FLEET_CHECK_IDLE, FINE,
                        "timeout %" PRId64 " s, tcp-keepalive %" PRId64 " s", timeout, keepalive);
    }
}

/* ---- clock --------------------------------------------------------------------------------- */

int64_t swg__wall_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

bool swg__doctor_clock(doctor *d, int64_t *offset_us, int64_t *error_us)
{
    const int64_t before = swg__wall_us();
    redisReply *reply = swg__talk_ask(&d->node->talk, "TIME");
    const int64_t after = swg__wall_us();
    int64_t seconds, us;
    const bool told = swg__whole(swg__at(reply, 0), &seconds) && swg__whole(swg__at(reply, 1), &us);

    swg__free(reply);
    if (!told)
        return false;
    *offset_us = seconds * 1000000 + us - (before + (after - before) / 2);
    *error_us = (after - before) / 2;
    return true;
}

void swg__doctor_clock_check(doctor *d)
{
    int64_t offset, error;

    if (!swg__doctor_clock(d, &offset, &error)) {
        swg__doctor_say(d, SWG_FLEET_CHECK_CLOCK, NOTE, "not looked at: TIME is refused");
        return;
    }
    const int64_t moved = llabs(offset - d->clock_offset_us);
    const double seconds = (double)offset / 1e6;
    if (moved > d->clock_error_us + error + 10000) {
        swg__doctor_fix(d, "see to the time service of both hosts: chronyc tracking");
        swg__doctor_say(
            d, SWG_FLEET_CHECK_CLOCK, WARNING,
            "stepped by %.3f s against ours meanwhile: a step forward ends openings early",
            (double)(offset - d->clock_offset_us) / 1e6);
    } else if (llabs(offset) > 1000000 + error) {
        swg__doctor_say(d, SWG_FLEET_CHECK_CLOCK, NOTE,
                        "%.1f s %s ours; only times shown to people are off by it",
                        seconds < 0 ? -seconds : seconds, seconds < 0 ? "behind" : "ahead of");
    } else {
        const int64_t tenths = (offset + (offset < 0 ? -50 : 50)) / 100; /* no "-0.0" */
        swg__doctor_say(d, SWG_FLEET_CHECK_CLOCK, FINE, "%+.1f ms from ours (+- %.1f ms), steady",
                        (double)tenths / 10, (double)error / 1e3);
    }
}
