/* Three masters of a Redis Cluster, all real: shards spread over them, a slot that moves with its
 * shard's state, a node that dies and comes back, or whose replica takes its place; and the ways in
 * which nodes call themselves. */
#include "live_host.h"
#include "servers.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NODES = 3, REPLICA = NODES, SLOTS = 16384, SHARDS = HOST_SHARDS };

static struct server node[NODES + 1];
static live_host host = {.lock = PTHREAD_MUTEX_INITIALIZER};
static char url[256];

/* ---- servers ---- */

static int first_slot(int of)
{
    return of * SLOTS / NODES;
}

static int owner(uint32_t shard)
{
    int of = 0;

    while (of < NODES - 1 && (int)swg_fleet_slot(host.fleet, shard) >= first_slot(of + 1))
        of++;
    return of;
}

static bool are_together(live_host *h, const void *arg)
{
    (void)h;
    (void)arg;
    for (int i = 0; i < NODES; i++) {
        if (!server_says(&node[i], "cluster_state:ok", "CLUSTER INFO") ||
            !server_says(&node[i], "cluster_slots_assigned:16384", "CLUSTER INFO"))
            return false;
    }
    return true;
}

static void make_node(int i)
{
    server_make_node(&node[i]);
    server_add(&node[i], "--cluster-node-timeout", "1000");
    server_add(&node[i], "--cluster-require-full-coverage", "no");
    server_add(&node[i], "--repl-diskless-sync-delay", "0");
}

/* By one: by ranges only from Redis 7 on. */
static void take_slots(int i, int first, int end)
{
    static char text[SLOTS * 6 + 32];
    int used = snprintf(text, sizeof text, "CLUSTER ADDSLOTS");

    for (int slot = first; slot < end; slot++)
        used += snprintf(text + used, sizeof text - (size_t)used, " %d", slot);
    server_tell(&node[i], text);
}

static void join(int i)
{
    server_tell(&node[0], "CLUSTER MEET 127.0.0.1 %d", node[i].port);
}

static void begin(void)
{
    for (int i = 0; i < NODES; i++) {
        make_node(i);
        server_start(&node[i]);
        take_slots(i, first_slot(i), first_slot(i + 1));
        if (i > 0)
            join(i);
    }
    host_until(&host, are_together, NULL, "the cluster is one");
}

static void end(void)
{
    for (int i = 0; i < NODES; i++)
        server_end(&node[i]);
}

/* ---- tests ---- */

/* One seed is all it knows at first. */
static void start(const swg_fleet_config *config)
{
    snprintf(url, sizeof url, "redis+cluster://127.0.0.1:%d", node[1].port);
    host_start(&host, SWG_FLEET_RUN(.url = url), config);
}

static bool some_are_in(live_host *h, const void *arg)
{
    uint32_t in = 0;

    (void)arg;
    for (uint32_t i = 0; i < SHARDS; i++)
        in += h->modes[i] == SWG_FLEET_FLEET;
    return in > 0;
}

START_TEST(every_shard_finds_its_node)
{
    start(SWG_FLEET(.shards = SHARDS));
    host_until_all(&host, SWG_FLEET_FLEET);
    ck_assert_str_eq(host.troubles, "");
    for (uint32_t i = 0; i < SHARDS; i++) {
        redisReply *there = server_ask(&node[owner(i)], "EXISTS swg1:{default:%u}:m", i);
        ck_assert_int_eq(there->integer, 1);
        freeReplyObject(there);
    }
    host_stop(&host);
    start(SWG_FLEET(.shards = SHARDS, .links = 2)); /* a master too many */
    host_until_trouble(&host, "no link is left for it: swg_fleet_config.links is 2");
    host_until(&host, some_are_in, NULL, "others are in the fleet");
    ck_assert_uint_eq(host_troubles(&host, "no link is left"), 1);
    host_stop(&host);
}
END_TEST

/* ---- a slot that moves ---- */

typedef struct move {
    int from, to;
    uint32_t slot;
    char ids[NODES][48];
} move;

static void take_id(int of, char id[48])
{
    redisReply *reply = server_ask(&node[of], "CLUSTER MYID");

    snprintf(id, 48, "%s", reply->str);
    freeReplyObject(reply);
}

static void move_keys(const move *m, int most)
{
    redisReply *keys = server_ask(&node[m->from], "CLUSTER GETKEYSINSLOT %u %d", m->slot, most);

    for (size_t i = 0; i < keys->elements; i++)
        server_tell(&node[m->from], "MIGRATE 127.0.0.1 %d %s 0 5000", node[m->to].port,
                    keys->element[i]->str);
    freeReplyObject(keys);
}

static void stored(int of, char text[128])
{
    redisReply *state = server_ask(&node[of], "HGET swg1:{default:%u}:st db", host.shard);

    ck_assert_ptr_nonnull(state->str);
    snprintf(text, 128, "%s", state->str);
    freeReplyObject(state);
}

static void begin_move(move *m)
{
    *m = (move){.from = owner(host.shard), .slot = swg_fleet_slot(host.fleet, host.shard)};
    m->to = (m->from + 1) % NODES;
    for (int i = 0; i < NODES; i++)
        take_id(i, m->ids[i]);
    server_tell(&node[m->to], "CLUSTER SETSLOT %u IMPORTING %s", m->slot, m->ids[m->from]);
    server_tell(&node[m->from], "CLUSTER SETSLOT %u MIGRATING %s", m->slot, m->ids[m->to]);
}

static void finish_move(const move *m)
{
    server_tell(&node[m->to], "CLUSTER SETSLOT %u NODE %s", m->slot, m->ids[m->to]);
    server_tell(&node[m->from], "CLUSTER SETSLOT %u NODE %s", m->slot, m->ids[m->to]);
}

/* From here on a client learns where slots are from its errors alone. */
static void hide_slots(void)
{
    for (int i = 0; i < NODES; i++)
        server_tell(&node[i], "ACL SETUSER default -cluster +cluster|myid +cluster|setslot"
                              " +cluster|getkeysinslot");
}

static const swg_fleet_config patient = {
    .size = sizeof patient, .shards = SHARDS, .stale_ms = 30000, .local_ms = 40000};
static const swg_fleet_config usual = {.size = sizeof usual, .shards = SHARDS};

/* A client that has more to say than there are keys in the slot waits for the end of the move. */
START_TEST(a_slot_moves_with_what_is_in_it)
{
    char before[128], after[128];
    move m;

    start(_i == 0 ? &patient : &usual);
    host_until_all(&host, SWG_FLEET_FLEET);
    host_trip(&host);
    stored(owner(host.shard), before);
    host_forget(&host);
    if (_i == 0)
        hide_slots();
    begin_move(&m);
    move_keys(&m, 1);
    host_until_error(&host, SWG_FLEET_TRYAGAIN); /* some of its keys are here, some there */
    if (_i == 1)
        host_until_mode(&host, SWG_FLEET_LOCAL);
    move_keys(&m, 1000);
    host_until_event(&host, SWG_FLEET_EVENT_ASK); /* all are there, and the slot is here */
    if (_i == 0)
        host_until_mode(&host, SWG_FLEET_REJOIN); /* another server answered */
    finish_move(&m);
    if (_i == 0)
        host_until_event(&host, SWG_FLEET_EVENT_MOVED);
    host_until_mode(&host, SWG_FLEET_FLEET);
    stored(m.to, after);
    ck_assert_str_eq(before, after);
    for (uint32_t i = 0; i < SHARDS; i++) /* the others never noticed */
        ck_assert(i == host.shard || host.seen[i][SWG_FLEET_STALE] == 0);
    host_stop(&host);
}
END_TEST

/* ---- a node that dies ---- */

static bool are_apart(live_host *h, const void *dead)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        if ((h->modes[i] == SWG_FLEET_LOCAL) != (owner(i) == *(const int *)dead))
            return false;
    }
    return true;
}

START_TEST(a_node_dies_and_comes_back)
{
    const int dead = 2;

    start(SWG_FLEET(.shards = SHARDS));
    host_until_all(&host, SWG_FLEET_FLEET);
    host_forget(&host);
    server_kill(&node[dead]);
    host_until(&host, are_apart, &dead, "its shards are on their own, the others are not");
    server_start(&node[dead]);
    host_until_all(&host, SWG_FLEET_FLEET);
    for (uint32_t i = 0; i < SHARDS; i++)
        ck_assert(owner(i) == dead || host.seen[i][SWG_FLEET_STALE] == 0);
    host_stop(&host);
}
END_TEST

/* ---- a replica that takes over ---- */

static bool is_known(live_host *h, const void *id)
{
    (void)h;
    return server_says(&node[REPLICA], id, "CLUSTER NODES");
}

static bool is_replica(live_host *h, const void *master)
{
    (void)h;
    return server_says(&node[REPLICA], "master_link_status:up", "INFO replication") &&
           server_says(master, "state=online", "INFO replication") &&
           server_says(&node[0], "slave", "CLUSTER NODES");
}

static void add_replica(int of)
{
    char id[48];

    make_node(REPLICA);
    server_start(&node[REPLICA]);
    join(REPLICA);
    take_id(of, id);
    host_until(&host, is_known, id, "the new node knows the others");
    server_tell(&node[REPLICA], "CLUSTER REPLICATE %s", id);
    host_until(&host, is_replica, &node[of], "it is a replica");
}

static bool is_copied(live_host *h, const void *state)
{
    redisContext *c = server_connect(&node[REPLICA]);

    freeReplyObject(redisCommand(c, "READONLY"));
    redisReply *copy = redisCommand(c, "HGET swg1:{default:%u}:st db", h->shard);
    const bool same = copy && copy->str && strcmp(copy->str, state) == 0;
    freeReplyObject(copy);
    redisFree(c);
    return same;
}

static bool is_listened_to(live_host *h, const void *dead)
{
    uint64_t listeners = 0;

    for (int i = 0; i <= NODES; i++) {
        if (i != *(const int *)dead)
            listeners += server_listeners(&node[i], h->shard);
    }
    return listeners == 1;
}

START_TEST(a_replica_takes_the_place_of_its_master)
{
    char before[128], after[128];
    const int nobody = -1;
    int dead;

    start(SWG_FLEET(.shards = SHARDS));
    dead = owner(host.shard);
    add_replica(dead);
    host_until_all(&host, SWG_FLEET_FLEET);
    host_until(&host, is_listened_to, &nobody, "hints are heard");
    host_trip(&host);
    stored(dead, before);
    host_until(&host, is_copied, before, "the replica knows");
    host_forget(&host);
    server_kill(&node[dead]);
    host_until_mode(&host, SWG_FLEET_LOCAL);
    host_until_all(&host, SWG_FLEET_FLEET);
    stored(REPLICA, after);
    ck_assert_str_eq(before, after);
    host_until(&host, is_listened_to, &dead, "hints are heard, wherever from");
    host_stop(&host);
    server_end(&node[REPLICA]);
}
END_TEST

/* ---- what nodes call themselves ---- */

static void begin_alone(void)
{
    make_node(0);
    server_certificates(node[0].dir, "DNS:localhost,IP:127.0.0.1,IP:::1");
    server_secure(&node[0], node[0].dir);
    server_protect(&node[0], "secret");
    server_add(&node[0], "--bind", "127.0.0.1");
    server_add(&node[0], "-::1", NULL);
    server_start(&node[0]);
    take_slots(0, 0, SLOTS);
}

static void end_alone(void)
{
    server_end(&node[0]);
}

static const struct {
    const char *type, *ip, *hostname, *seed;
    const char *there; /* where the client goes */
} names[] = {
    {"ip", "127.0.0.1", "", "::1", "laddr=127.0.0.1:"},
    {"ip", "", "", "127.0.0.1", "laddr=127.0.0.1:"}, /* it does not know its own */
    {"ip", "::1", "", "127.0.0.1", "laddr=[::1]:"},
    {"hostname", "127.0.0.1", "localhost", "127.0.0.1", "laddr="},
    {"hostname", "::1", "", "127.0.0.1", "laddr=[::1]:"}, /* "?", and its address beside it */
    {"unknown-endpoint", "::1", "", "127.0.0.1", "laddr=127.0.0.1:"},
};

static bool is_there(live_host *h, const void *arg)
{
    (void)h;
    redisReply *list = server_ask(&node[0], "CLIENT LIST TYPE pubsub");
    const bool found = list->str && strstr(list->str, arg);
    freeReplyObject(list);
    return found;
}

static bool has_names(void)
{
    redisReply *reply = server_ask(&node[0], "CONFIG GET cluster-announce-hostname");
    const bool fine = reply->elements > 0;

    freeReplyObject(reply);
    return fine;
}

/* Valkey keeps its answer to CLUSTER SLOTS, and makes it up anew for another type, not for another
 * address. Before Redis 7 there are only addresses. */
static void call_itself(const char *ip, const char *hostname, const char *type)
{
    server_tell(&node[0], "CONFIG SET cluster-announce-ip %s", ip);
    if (!has_names())
        return;
    server_tell(&node[0], "CONFIG SET cluster-announce-hostname %s", hostname);
    server_tell(&node[0], "CONFIG SET cluster-preferred-endpoint-type %s",
                strcmp(type, "ip") == 0 ? "hostname" : "ip");
    server_tell(&node[0], "CONFIG SET cluster-preferred-endpoint-type %s", type);
}

static bool has_ipv6(void)
{
    redisContext *c = redisConnect("::1", node[0].port);
    const bool fine = c && !c->err;

    redisFree(c);
    return fine;
}

START_TEST(nodes_are_called_by_many_names)
{
    char ca[96];

    if (!has_ipv6() && (strchr(names[_i].ip, ':') || strchr(names[_i].seed, ':')))
        return;
    if (!has_names() && strcmp(names[_i].type, "ip") != 0)
        return;
    call_itself(names[_i].ip, names[_i].hostname, names[_i].type);
    snprintf(url, sizeof url,
             strchr(names[_i].seed, ':') ? "rediss+cluster://:secret@[%s]:%d"
                                         : "rediss+cluster://:secret@%s:%d",
             names[_i].seed, node[0].port);
    snprintf(ca, sizeof ca, "%s/ca.pem", node[0].dir);
    host_start(&host, SWG_FLEET_RUN(.url = url, .ca_file = ca), SWG_FLEET(.shards = SHARDS));
    host_until_all(&host, SWG_FLEET_FLEET);
    host_until(&host, is_there, names[_i].there, "it goes where it was told");
    host_stop(&host);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet cluster");
    TCase *tests = tcase_create("cluster");

    tcase_add_checked_fixture(tests, begin, end);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, every_shard_finds_its_node);
    tcase_add_loop_test(tests, a_slot_moves_with_what_is_in_it, 0, 2);
    tcase_add_test(tests, a_node_dies_and_comes_back);
    tcase_add_test(tests, a_replica_takes_the_place_of_its_master);
    suite_add_tcase(suite, tests);
    TCase *alone = tcase_create("alone");
    tcase_add_unchecked_fixture(alone, begin_alone, end_alone);
    tcase_set_timeout(alone, 60);
    tcase_add_loop_test(alone, nodes_are_called_by_many_names, 0, sizeof names / sizeof *names);
    suite_add_tcase(suite, alone);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
