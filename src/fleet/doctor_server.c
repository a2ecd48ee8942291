/* What INFO tells of a server: what it is, what it may forget, and when. */
#include "fleet/doctor.h"

#include <stdio.h>
#include <string.h>

#define FINE SWG_FLEET_FINE
#define NOTE SWG_FLEET_NOTE
#define WARNING SWG_FLEET_WARNING
#define PROBLEM SWG_FLEET_PROBLEM

/* False, and a note: INFO does not tell. (That the scripts need it too is a matter of rights.) */
static bool knows(doctor *d, swg_fleet_check check, const char *field)
{
    char text[DOCTOR_WORD];

    if (swg__doctor_info(d, field, text))
        return true;
    swg__doctor_say(d, check, NOTE, "not looked at: INFO %s",
                    swg__text(d->info) ? "does not tell" : "is refused");
    return false;
}

/* ---- what it is ---------------------------------------------------------------------------- */

void swg__doctor_version(doctor *d)
{
    char redis[DOCTOR_WORD], own[DOCTOR_WORD];
    unsigned major = 0, minor = 0;

    if (!knows(d, SWG_FLEET_CHECK_VERSION, "redis_version"))
        return;
    swg__doctor_info(d, "redis_version", redis);
    sscanf(redis, "%u.%u", &major, &minor);
    if (major < 6 || (major == 6 && minor < 2)) {
        swg__doctor_fix(d, "upgrade to Redis 7 or Valkey: the scripts need 6.2 or later");
        swg__doctor_say(d, SWG_FLEET_CHECK_VERSION, PROBLEM, "Redis %.100s is too old", redis);
    } else if (swg__doctor_info(d, "valkey_version", own)) {
        swg__doctor_say(d, SWG_FLEET_CHECK_VERSION, FINE, "Valkey %.100s", own);
    } else {
        const bool tested = major == 6 || (major == 7 && minor == 0);
        swg__doctor_say(d, SWG_FLEET_CHECK_VERSION, tested ? FINE : NOTE, "Redis %.100s%s", redis,
                        tested ? "" : "; the tests were run with 6.2 and 7.0");
    }
}

void swg__doctor_role(doctor *d)
{
    char role[DOCTOR_WORD], host[DOCTOR_WORD], port[DOCTOR_WORD], link[DOCTOR_WORD];

    if (!knows(d, SWG_FLEET_CHECK_ROLE, "role"))
        return;
    swg__doctor_info(d, "role", role);
    if (strcmp(role, "master") == 0) {
        swg__doctor_say(d, SWG_FLEET_CHECK_ROLE, FINE, "a master");
        return;
    }
    d->replica = true;
    swg__doctor_info(d, "master_host", host);
    swg__doctor_info(d, "master_port", port);
    swg__doctor_info(d, "master_link_status", link);
    swg__doctor_fix(d, "use its master: redis%s://%s:%s", d->v.url.tls ? "s" : "", host, port);
    swg__doctor_say(d, SWG_FLEET_CHECK_ROLE, PROBLEM,
                    "a replica of %s:%s (link %s): it takes no exchange", host, port, link);
}

static void say_state(doctor *d)
{
    redisReply *reply = swg__talk_ask(&d->node->talk, "CLUSTER INFO");
    const char *text = swg__text(reply);

    if (text && strstr(text, "cluster_state:ok")) {
        swg__doctor_say(d, SWG_FLEET_CHECK_CLUSTER, FINE, "one of %u masters, the cluster is well",
                        d->v.count);
    } else if (text) {
        swg__doctor_fix(d, "redis-cli --cluster check %s", d->node->address);
        swg__doctor_say(d, SWG_FLEET_CHECK_CLUSTER, PROBLEM, "the cluster is not well: %.*s",
                        (int)strcspn(text, "\r\n"), text);
    } else if (reply) {
        swg__doctor_say(d, SWG_FLEET_CHECK_CLUSTER, NOTE, "CLUSTER INFO is refused");
    }
    swg__free(reply);
}

void swg__doctor_cluster(doctor *d)
{
    if (d->v.url.kind == SWG_FLEET_CLUSTER) {
        say_state(d);
        return;
    }
    if (!knows(d, SWG_FLEET_CHECK_CLUSTER, "cluster_enabled"))
        return;
    if (swg__doctor_info_number(d, "cluster_enabled") == 1) {
        swg__doctor_fix(d, "redis+cluster:// in the URL");
        swg__doctor_say(d, SWG_FLEET_CHECK_CLUSTER, PROBLEM,
                        "one node of a Redis Cluster: shards that live on others are not served");
    } else {
        swg__doctor_say(d, SWG_FLEET_CHECK_CLUSTER, FINE, "one server, not a cluster");
    }
}

/* ---- memory -------------------------------------------------------------------------------- */

/* What has an expiry is evidence and leases; state has none, but "allkeys" takes that too. */
void swg__doctor_eviction(doctor *d)
{
    char policy[DOCTOR_WORD], limit[DOCTOR_WORD];

    if (!knows(d, SWG_FLEET_CHECK_EVICTION, "maxmemory_policy"))
        return;
    const int64_t most = swg__doctor_info_number(d, "maxmemory");
    const int64_t evicted = swg__doctor_info_number(d, "evicted_keys");
    swg__doctor_info(d, "maxmemory_policy", policy);
    if (strcmp(policy, "noeviction") == 0) {
        swg__doctor_say(d, SWG_FLEET_CHECK_EVICTION, FINE, "noeviction");
        return;
    }
    swg__doctor_fix(d, "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf; other "
                       "data that must be evicted belongs on another server");
    if (most <= 0)
        swg__doctor_say(d, SWG_FLEET_CHECK_EVICTION, NOTE,
                        "%s, but no maxmemory: nothing is evicted yet", policy);
    else
        swg__doctor_say(
            d, SWG_FLEET_CHECK_EVICTION, PROBLEM,
            "%s at maxmemory %s (%lld keys evicted so far): %s would be forgotten", policy,
            swg__doctor_bytes(limit, most), (long long)(evicted > 0 ? evicted : 0),
            strncmp(policy, "allkeys", 7) == 0 ? "open circuits" : "evidence and leases");
}

void swg__doctor_memory(doctor *d)
{
    char have[DOCTOR_WORD], used[DOCTOR_WORD];

    if (!knows(d, SWG_FLEET_CHECK_MEMORY, "used_memory"))
        return;
    const int64_t now = swg__doctor_info_number(d, "used_memory");
    const int64_t limit = swg__doctor_info_number(d, "maxmemory");
    const int64_t most = limit > 0 ? limit : swg__doctor_info_number(d, "total_system_memory");
    const char *what = limit > 0 ? "maxmemory" : "the host's memory, without maxmemory";
    if (most <= 0) {
        swg__doctor_say(d, SWG_FLEET_CHECK_MEMORY, FINE, "%s used", swg__doctor_bytes(used, now));
        return;
    }
    const int percent = (int)((double)now * 100 / (double)most);
    swg__doctor_bytes(used, now);
    swg__doctor_bytes(have, most);
    if (percent >= 90)
        swg__doctor_fix(d, limit > 0 ? "CONFIG SET maxmemory to more, or less other data here"
                                     : "more memory, or less other data here");
    swg__doctor_say(d, SWG_FLEET_CHECK_MEMORY,
                    limit > 0 && percent >= 100 ? PROBLEM
                    : percent >= 90             ? WARNING
                                                : FINE,
                    "%s of %s (%s), %d %%%s", used, have, what, percent,
                    limit > 0 && percent >= 100 ? ": exchanges are refused (OOM)" : "");
}

/* ---- what outlives it ---------------------------------------------------------------------- */

static bool is_quorate(doctor *d, int64_t needed)
{
    const int64_t good = swg__doctor_info_number(d, "min_slaves_good_slaves");

    if (needed <= 0 || good < 0 || good >= needed)
        return true;
    swg__doctor_fix(d, "bring a replica back; until then each host decides on its own");
    swg__doctor_say(d, SWG_FLEET_CHECK_REPLICAS, PROBLEM,
                    "%lld of the %lld replicas it must have are there: writes are refused "
                    "(NOREPLICAS)",
                    (long long)good, (long long)needed);
    return false;
}

/* An old master cut off from its replicas must stop, or it goes on granting probes beside the new
 * one until somebody tells it. */
void swg__doctor_replicas(doctor *d)
{
    if (!knows(d, SWG_FLEET_CHECK_REPLICAS, "connected_slaves"))
        return;
    const long long count = swg__doctor_info_number(d, "connected_slaves");
    const int64_t needed = swg__doctor_setting_number(d, "min-replicas-to-write");
    const int64_t lag = swg__doctor_setting_number(d, "min-replicas-max-lag");
    if (!is_quorate(d, needed))
        return;
    if (count <= 0) {
        swg__doctor_say(d, SWG_FLEET_CHECK_REPLICAS, NOTE,
                        "none: while this server is away each host decides on its own");
    } else if (needed < 0) {
        swg__doctor_fix(d,
                        "see to min-replicas-to-write 1 and min-replicas-max-lag 2 in redis.conf");
        swg__doctor_say(
            d, SWG_FLEET_CHECK_REPLICAS, NOTE,
            "%lld; CONFIG GET is refused, so whether it stops without them is not known", count);
    } else if (needed == 0 || lag == 0) {
        swg__doctor_fix(d, "CONFIG SET min-replicas-to-write 1, CONFIG SET min-replicas-max-lag 2, "
                           "and the same in redis.conf, of the replicas too");
        swg__doctor_say(d, SWG_FLEET_CHECK_REPLICAS, WARNING,
                        "%lld, and it goes on without them: cut off, it grants probes beside its "
                        "successor",
                        count);
    } else {
        if (lag > 2)
            swg__doctor_fix(d, "CONFIG SET min-replicas-max-lag 2, and the same in redis.conf");
        swg__doctor_say(d, SWG_FLEET_CHECK_REPLICAS, lag > 2 ? NOTE : FINE,
                        "%lld; cut off from them it stops after %lld s", count, (long long)lag);
    }
}

/* A snapshot that failed makes the server refuse writes, unless it was told not to. */
static bool is_writable(doctor *d)
{
    char last[DOCTOR_WORD], stop[DOCTOR_WORD];

    if (swg__doctor_info(d, "aof_last_write_status", last) && strcmp(last, "ok") != 0) {
        swg__doctor_fix(d, "see the server's log; is its disk full?");
        swg__doctor_say(d, SWG_FLEET_CHECK_PERSISTENCE, PROBLEM,
                        "the append-only file cannot be written: writes are refused (MISCONF)");
        return false;
    }
    if (!swg__doctor_info(d, "rdb_last_bgsave_status", last) || strcmp(last, "ok") == 0)
        return true;
    if ((swg__doctor_setting(d, "stop-writes-on-bgsave-error", stop) && strcmp(stop, "no") == 0) ||
        (swg__doctor_setting(d, "save", stop) && stop[0] == '\0'))
        return true;
    swg__doctor_fix(d, "see the server's log; the fleet needs no snapshots: CONFIG SET "
                       "stop-writes-on-bgsave-error no, or CONFIG SET save \"\"");
    swg__doctor_say(d, SWG_FLEET_CHECK_PERSISTENCE, PROBLEM,
                    "the last snapshot failed: writes may be refused (MISCONF)");
    return false;
}

void swg__doctor_persistence(doctor *d)
{
    char save[DOCTOR_WORD];

    if (!knows(d, SWG_FLEET_CHECK_PERSISTENCE, "aof_enabled") || !is_writable(d))
        return;
    const bool log = swg__doctor_info_number(d, "aof_enabled") == 1;
    const bool snapshots = swg__doctor_setting(d, "save", save) && save[0];
    const char *how = log && snapshots ? "append-only file and snapshots"
                      : log            ? "append-only file"
                      : snapshots      ? "snapshots"
                                       : "none";
    swg__doctor_say(d, SWG_FLEET_CHECK_PERSISTENCE, FINE,
                    "%s, and none is needed: hosts tell a restarted server what is open",
                    d->config_refused && !log ? "no append-only file" : how);
}
