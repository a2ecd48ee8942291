/* The doctor's round: one check after the other, each told as it is made. */
#include "fleet/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char *const ids[] = {
#define SWG_X(name, value, text) [value] = text,
    SWG_FLEET_CHECKS(SWG_X)
#undef SWG_X
};

const char *swg_fleet_severity_name(swg_fleet_severity severity)
{
    static const char *const names[] = {"fine", "note", "warning", "problem"};

    return (unsigned)severity < sizeof names / sizeof *names ? names[severity] : "unknown";
}

/* ---- telling ------------------------------------------------------------------------------- */

void swg__doctor_fix(doctor *d, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(d->fix, sizeof d->fix, format, list);
    va_end(list);
}

/* A reason begins with the server, which has a place of its own. */
static const char *without(const char *address, const char *seen)
{
    const size_t length = strlen(address);

    return length > 0 && strncmp(seen, address, length) == 0 && strncmp(seen + length, ": ", 2) == 0
               ? seen + length + 2
               : seen;
}

void swg__doctor_say(doctor *d, swg_fleet_check check, swg_fleet_severity severity,
                     const char *format, ...)
{
    char seen[DOCTOR_TEXT];
    va_list list;

    va_start(list, format);
    vsnprintf(seen, sizeof seen, format, list);
    va_end(list);
    swg__one_line(seen);
    swg__one_line(d->fix);
    const char *address = d->node && d->v.url.kind != SWG_FLEET_SINGLE ? d->node->address : "";
    d->finding(d->arg, &(swg_fleet_finding){.check = check,
                                            .severity = severity,
                                            .id = ids[check],
                                            .node = address,
                                            .seen = without(address, seen),
                                            .fix = d->fix});
    d->fix[0] = '\0';
}

const char *swg__doctor_bytes(char text[DOCTOR_WORD], int64_t bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double amount = (double)bytes;
    int unit = 0;

    for (; amount >= 1024 && unit < 4; unit++)
        amount /= 1024;
    snprintf(text, DOCTOR_WORD, unit == 0 || amount >= 100 ? "%.0f %s" : "%.1f %s", amount,
             units[unit]);
    return text;
}

/* ---- asking -------------------------------------------------------------------------------- */

bool swg__doctor_info(const doctor *d, const char *field, char text[DOCTOR_WORD])
{
    return swg__field(d->info, field, text, DOCTOR_WORD);
}

static int64_t whole(const char *text)
{
    char *end;
    const int64_t value = strtoll(text, &end, 10);

    return end == text || value < 0 ? -1 : value;
}

int64_t swg__doctor_info_number(const doctor *d, const char *field)
{
    char text[DOCTOR_WORD];

    return swg__doctor_info(d, field, text) ? whole(text) : -1;
}

bool swg__doctor_setting(doctor *d, const char *name, char text[DOCTOR_WORD])
{
    redisReply *reply = swg__talk_ask(&d->node->talk, "CONFIG GET %s", name);
    const char *value = swg__text(swg__at(reply, 1));

    d->config_refused = d->config_refused || (reply && reply->type == REDIS_REPLY_ERROR);
    snprintf(text, DOCTOR_WORD, "%s", value ? value : "");
    swg__free(reply);
    return value != NULL;
}

int64_t swg__doctor_setting_number(doctor *d, const char *name)
{
    char text[DOCTOR_WORD];

    return swg__doctor_setting(d, name, text) ? whole(text) : -1;
}

/* ---- one server ---------------------------------------------------------------------------- */

typedef struct look {
    swg_fleet_check check;
    bool writes;
    void (*look)(doctor *d);
} look;

static const look at_each[] = {
    {SWG_FLEET_CHECK_VERSION, false, swg__doctor_version},
    {SWG_FLEET_CHECK_ROLE, false, swg__doctor_role},
    {SWG_FLEET_CHECK_CLUSTER, false, swg__doctor_cluster},
    {SWG_FLEET_CHECK_RIGHTS, true, swg__doctor_rights},
    {SWG_FLEET_CHECK_SCRIPTS, true, swg__doctor_scripts},
    {SWG_FLEET_CHECK_EXCHANGE, true, swg__doctor_exchange},
    {SWG_FLEET_CHECK_EVICTION, false, swg__doctor_eviction},
    {SWG_FLEET_CHECK_MEMORY, false, swg__doctor_memory},
    {SWG_FLEET_CHECK_REPLICAS, false, swg__doctor_replicas},
    {SWG_FLEET_CHECK_PERSISTENCE, false, swg__doctor_persistence},
    {SWG_FLEET_CHECK_CLOCK, false, swg__doctor_clock_check},
    {SWG_FLEET_CHECK_SCRIPT_LIMIT, false, swg__doctor_script_limit},
    {SWG_FLEET_CHECK_IDLE, false, swg__doctor_idle},
    {SWG_FLEET_CHECK_SLOWLOG, false, swg__doctor_slowlog},
};

static bool goes_on(const doctor *d)
{
    return d->node->talk.end == TALK_GOES_ON;
}

/* Its own shard in the fleet's namespace: the same rights hold, and no client ever goes there. In a
 * cluster a name is sought that belongs to this node. */
static void find_scratch(doctor *d, uint32_t number)
{
    uint32_t random = 0;

    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (uint32_t)swg_clock_ns();
    for (int i = 0; i < 1000 * VISIT_NODES; i++) {
        snprintf(d->scratch, sizeof d->scratch, "swg1:{%s:doctor-%08x}", d->v.space, random++);
        if (d->v.url.kind != SWG_FLEET_CLUSTER ||
            d->v.at[swg__visit_slot(d->scratch)] == number + 1)
            return;
    }
}

static void forget(doctor *d)
{
    swg__free(d->info);
    d->info = NULL;
    d->replica = d->config_refused = d->local = d->lacks_rights = d->may_unlink = false;
}

static void tidy(doctor *d)
{
    const char *s = d->scratch;

    if (goes_on(d) && d->may_unlink)
        swg__free(
            swg__talk_ask(&d->node->talk, "UNLINK %s:m %s:st %s:chg %s:r %s:a", s, s, s, s, s));
}

static int told_end(doctor *d)
{
    const int result = swg__visit_ended(&d->v);

    if (result == SWG_OK)
        return SWG_OK;
    swg__doctor_fix(d, result == SWG_ESYS
                           ? "again; if it stays: longer (deadline_ms, --timeout), or "
                             "who cuts connections?"
                           : "is it another service's port?");
    swg__doctor_say(d, SWG_FLEET_CHECK_REACH, SWG_FLEET_PROBLEM,
                    "the rest could not be looked at: %s", d->v.why);
    return result;
}

/* A sentinel talks like a server and holds nothing: whatever else is asked of it only confuses. */
static bool is_sentinel(doctor *d)
{
    char mode[DOCTOR_WORD];

    d->sentinel = swg__doctor_info(d, "redis_mode", mode) && strcmp(mode, "sentinel") == 0;
    if (!d->sentinel)
        return false;
    swg__doctor_fix(d,
                    "redis%s+sentinel://%s/MASTER; its masters: redis-cli SENTINEL MASTERS there",
                    d->v.url.tls ? "s" : "", d->node->address);
    swg__doctor_say(d, SWG_FLEET_CHECK_ROLE, SWG_FLEET_PROBLEM, "a sentinel, not a server");
    return true;
}

static int look_at(doctor *d, uint32_t number)
{
    bool greeted = false;

    d->node = d->v.nodes[number];
    const int result = swg__doctor_reach(d, &greeted);
    if (!greeted)
        return result;
    find_scratch(d, number);
    d->info = swg__talk_ask(&d->node->talk, "INFO");
    if (is_sentinel(d))
        return SWG_OK;
    swg__doctor_clock(d, &d->clock_offset_us, &d->clock_error_us);
    for (size_t i = 0; i < sizeof at_each / sizeof *at_each && goes_on(d); i++) {
        if (at_each[i].writes && d->replica)
            swg__doctor_say(d, at_each[i].check, SWG_FLEET_NOTE, "not tried on a replica");
        else
            at_each[i].look(d);
    }
    tidy(d);
    return goes_on(d) ? SWG_OK : told_end(d);
}

/* ---- the round ----------------------------------------------------------------------------- */

static bool all_greeted(const doctor *d)
{
    bool all = d->v.count > 0;

    for (uint32_t i = 0; i < d->v.count; i++)
        all = all && d->v.nodes[i]->greeting == GREETED;
    return all;
}

static int go_round(doctor *d)
{
    int result = SWG_OK;

    for (uint32_t i = 0; i < d->v.count; i++) {
        const int one = look_at(d, i);

        forget(d);
        result = result == SWG_OK ? one : result;
    }
    d->node = NULL;
    if (result != SWG_OK || d->sentinel || !all_greeted(d))
        return result;
    swg__doctor_shards(d);
    swg__doctor_schema(d);
    swg__doctor_data(d);
    return told_end(d);
}

/* The cluster's masters are not known: what do the nodes of the URL say for themselves? */
static int look_at_seeds(doctor *d, int error)
{
    bool greeted = false;
    char why[SWG_FLEET_TROUBLE_MAX];

    memcpy(why, d->v.why, sizeof why);
    swg__visit_drop(&d->v);
    for (uint32_t i = 0; i < d->v.url.seeds && !greeted; i++) {
        d->node = swg__visit_add(&d->v, &d->v.url.seed[i]);
        if (!d->node)
            return SWG_ENOMEM;
        swg__doctor_reach(d, &greeted);
    }
    if (greeted) {
        if (strstr(why, "NOPERM"))
            swg__doctor_fix(d, "ACL SETUSER %s +cluster|slots", d->user);
        else
            swg__doctor_fix(d, "redis:// if it is none; redis-cli CLUSTER INFO if it is");
        swg__doctor_say(d, SWG_FLEET_CHECK_CLUSTER, SWG_FLEET_PROBLEM, "%s", why);
    }
    return error == SWG_ENOENT || error == SWG_ESYS ? error : SWG_OK;
}

static int look_around(doctor *d)
{
    int result;

    if (d->v.url.kind == SWG_FLEET_SENTINEL)
        result = swg__doctor_sentinels(d);
    else
        result = swg__visit_find(&d->v);
    if (result != SWG_OK && d->v.url.kind == SWG_FLEET_CLUSTER)
        return look_at_seeds(d, result);
    return result == SWG_OK ? go_round(d) : result;
}

int swg_fleet_doctor(const swg_fleet_redis *redis,
                     void (*finding)(void *arg, const swg_fleet_finding *finding), void *arg)
{
    doctor *d = finding ? calloc(1, sizeof *d) : NULL;

    if (!d)
        return finding ? SWG_ENOMEM : SWG_EINVAL;
    d->finding = finding;
    d->arg = arg;
    int result = swg__visit_begin(&d->v, redis);
    if (result == SWG_OK)
        result = look_around(d);
    result = swg__visit_close(&d->v, result);
    free(d);
    return result;
}
