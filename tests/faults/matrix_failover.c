/* Rows in which a replica takes over that does not have the last writes. By hand: a replica is
 * cut from its master by its promotion, the master goes on alone and dies, the routes lead to the
 * other. What Sentinel and Cluster do about it is tested with them. */
#include "stage.h"

#include <string.h>

static long long epoch_then;
static uint64_t plain_then;

static bool replica_has_it_all(void)
{
    redisReply *r = redis_tell(1, "HGET " T ":st c0"), *mine = redis_ask("HGET " T ":st c0");
    const bool same =
        r->type == mine->type && (r->type != REDIS_REPLY_STRING || strcmp(r->str, mine->str) == 0);
    freeReplyObject(r);
    freeReplyObject(mine);
    return same;
}

static bool replica_is_linked(void)
{
    redisReply *r = redis_tell(1, "INFO replication");
    const bool up = strstr(r->str, "master_link_status:up") != NULL;
    freeReplyObject(r);
    return up && replica_has_it_all();
}

static void attach_replica(void)
{
    char command[64];
    redis_start(1);
    snprintf(command, sizeof command, "REPLICAOF 127.0.0.1 %d", s.port[0]);
    freeReplyObject(redis_tell(1, command));
    UNTIL(replica_is_linked);
}

/* From here on its master's writes are lost. */
static void detach_replica(void)
{
    UNTIL(replica_is_linked);
    freeReplyObject(redis_tell(1, "REPLICAOF NO ONE"));
}

static void fail_over(void)
{
    char command[128];
    redis_signal(0, SIGKILL);
    snprintf(command, sizeof command, "to unix:%s/redis1.sock", s.folder);
    fault_all(command);
    fault_admin(command);
}

static bool open_beyond(void)
{
    return redis_view(1) == SWG_FLEET_OPEN && redis_view(0) > epoch_then;
}

static bool some_probe(void)
{
    return s.dependency->probes > 0;
}

/* It comes back with the first host that saw it; no call goes meanwhile but the probes. */
static void lost_trip(void)
{
    stage_begin("failover, lost trip",
                &(stage_config){.recovery_ms = 3000, .replica = true, .allow = "rollback"});
    attach_replica();
    detach_replica();
    trip();
    s.dependency->broken = false;
    plain_then = s.dependency->plain;
    epoch_then = redis_view(0);
    fail_over();
    UNTIL(open_beyond);
    UNTIL(some_probe);
    ck_assert_uint_eq(s.dependency->plain, plain_then);
    stage_end();
}

static bool closed_beyond(void)
{
    return all_views_closed() && redis_view(1) == SWG_FLEET_CLOSED && redis_view(0) > epoch_then;
}

/* Nobody can say that it closed but those who saw it: it is probed once more. */
static void lost_close(void)
{
    stage_begin("failover, lost close", &(stage_config){.replica = true, .allow = "rollback"});
    attach_replica();
    trip();
    detach_replica();
    s.dependency->broken = false;
    UNTIL(all_views_closed);
    epoch_then = redis_view(0);
    const uint64_t passed = s.dependency->passed;
    fail_over();
    UNTIL(closed_beyond);
    ck_assert_uint_ge(s.dependency->passed, passed + 2);
    stage_end();
}

static bool one_holds(void)
{
    EACH_HOST(i)
    {
        if (s.hosts[i].report.holding)
            return true;
    }
    return false;
}

static bool another_probe(void)
{
    return s.dependency->probes > 1;
}

/* A probe goes on that the new server knows nothing of: it grants none while that can be. */
static void lost_grant(void)
{
    stage_begin("failover, lost grant", &(stage_config){.probes = 1,
                                                        .lease_ms = 2000,
                                                        .recovery_ms = 2000,
                                                        .replica = true,
                                                        .allow = "rollback"});
    attach_replica();
    trip();
    detach_replica();
    EACH_HOST(i)
    {
        s.hosts[i].orders.hold = true;
    }
    s.dependency->broken = false;
    UNTIL(one_holds);
    const int64_t granted = swg_clock_ns();
    fail_over();
    UNTIL(all_fleet);
    while (swg_clock_ns() < granted + 1700 * MS) { /* it is back before its lease ends */
        ck_assert_uint_eq(s.dependency->probes, 1);
        stage_rest(2);
    }
    EACH_HOST(i)
    {
        s.hosts[i].orders.hold = false;
    }
    UNTIL(another_probe);
    stage_end();
}

const fault_row failover_rows[] = {
    {"failover", "failover, lost trip", lost_trip},
    {"failover", "failover, lost close", lost_close},
    {"failover", "failover, lost grant", lost_grant},
    {"failover", "failover, nothing lost", NULL, "fleet_sentinel"},
    {"failover", "slot migration", NULL, "fleet_cluster"},
    {"failover", "cluster master killed", NULL, "fleet_cluster"},
    {0},
};
