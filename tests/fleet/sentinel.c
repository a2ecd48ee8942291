/* A master, a replica and three sentinels, all real: the client follows the master wherever the
 * sentinels move it, and what was open stays open on the way. */
#include "live_host.h"
#include "servers.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SENTINELS = 3, SHARDS = 4 };

static struct server redis[2], sentinel[SENTINELS];
static live_host host = {.lock = PTHREAD_MUTEX_INITIALIZER};
static char url[256];

/* ---- servers ---- */

static const char *number(const struct server *s)
{
    return s->text;
}

/* `more` is the rest of its configuration. */
static void make_sentinel(struct server *s, int port, const char *more)
{
    char path[sizeof s->dir + 16];

    server_make(s, true);
    snprintf(path, sizeof path, "%.*s/sentinel.conf", (int)sizeof s->dir - 1, s->dir);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file,
            "sentinel monitor cache 127.0.0.1 %d 2\n"
            "sentinel down-after-milliseconds cache 300\nsentinel failover-timeout cache 2000\n%s",
            port, more);
    fclose(file);
    memset(s->args, 0, sizeof s->args);
    server_add(s, "sentinel.conf", "--sentinel");
    server_add(s, "--port", s->text);
    server_add(s, "--bind", "127.0.0.1");
    server_add(s, "--unixsocket", "redis.sock");
}

static bool is_replicated(live_host *h, const void *arg)
{
    (void)h;
    (void)arg;
    return server_says(&redis[0], "state=online", "INFO replication");
}

static bool know_each_other(live_host *h, const void *arg)
{
    (void)h;
    (void)arg;
    for (int i = 0; i < SENTINELS; i++) {
        if (!server_says(&sentinel[i], "status=ok,address=127.0.0.1:", "INFO sentinel") ||
            !server_says(&sentinel[i], "slaves=1,sentinels=3", "INFO sentinel"))
            return false;
    }
    return true;
}

static void begin(void)
{
    static char of[32];

    for (int i = 0; i < 2; i++) {
        server_make(&redis[i], true);
        server_add(&redis[i], "--repl-diskless-sync-delay", "0");
    }
    server_start(&redis[0]);
    snprintf(of, sizeof of, "127.0.0.1 %d", redis[0].port);
    server_add(&redis[1], "--replicaof", of);
    server_start(&redis[1]);
    host_until(&host, is_replicated, NULL, "the replica is in step");
    for (int i = 0; i < SENTINELS; i++) {
        make_sentinel(&sentinel[i], redis[0].port, "");
        server_start(&sentinel[i]);
    }
    host_until(&host, know_each_other, NULL, "the sentinels know each other");
}

static void end(void)
{
    for (int i = 0; i < SENTINELS; i++)
        server_end(&sentinel[i]);
    for (int i = 0; i < 2; i++)
        server_end(&redis[i]);
}

/* ---- what is so ---- */

/* The master runs the client's exchanges: it stands in the shard's own record. */
static bool is_fleet_on(live_host *h, const void *arg)
{
    const struct server *master = arg;
    bool there = false;

    if (h->modes[h->shard] != SWG_FLEET_FLEET || !server_says(master, "role:master", "INFO"))
        return false;
    redisReply *server = server_ask(master, "HGET swg1:{default:%u}:m srv", h->shard);
    there = server->str && server_says(master, server->str, "INFO server");
    freeReplyObject(server);
    return there;
}

static bool is_slave(live_host *h, const void *arg)
{
    (void)h;
    return server_says(arg, "role:slave", "INFO replication") &&
           server_says(arg, "master_link_status:up", "INFO replication");
}

/* The epoch, state and end of the circuit as the master has them. */
static void stored(const struct server *master, char text[128])
{
    redisReply *state = server_ask(master, "HGET swg1:{default:%u}:st db", host.shard);

    ck_assert_ptr_nonnull(state->str);
    snprintf(text, 128, "%s", state->str);
    freeReplyObject(state);
}

static bool is_copied(live_host *h, const void *arg)
{
    (void)h;
    (void)arg;
    redisReply *state = server_ask(&redis[1], "HGET swg1:{default:%u}:st db", host.shard);
    const bool there = state->str != NULL;
    freeReplyObject(state);
    return there;
}

static bool is_listened_to(live_host *h, const void *master)
{
    return server_listeners(master, h->shard) == 1;
}

static bool asks(const struct server *s)
{
    return s->pid > 0 && server_says(s, "cmd=sentinel|get-master-addr-by-name", "CLIENT LIST");
}

static bool asks_somebody(live_host *h, const void *arg)
{
    (void)h;
    (void)arg;
    for (int i = 0; i < SENTINELS; i++) {
        if (asks(&sentinel[i]))
            return true;
    }
    return false;
}

/* ---- the story ---- */

static void kill_master(char before[128])
{
    char after[128];

    host_trip(&host);
    host_until(&host, is_copied, NULL, "the replica knows");
    stored(&redis[0], before);
    host_forget(&host);
    server_kill(&redis[0]);
    host_until(&host, is_fleet_on, &redis[1], "in the fleet of the new master");
    host_until(&host, is_listened_to, &redis[1], "hints are heard from the new master");
    ck_assert_uint_ge(host_troubles(&host, "127.0.0.1"), 1);
    stored(&redis[1], after);
    ck_assert_str_eq(before, after);
}

static void old_master_returns(void)
{
    static char of[32];

    host_forget(&host);
    snprintf(of, sizeof of, "127.0.0.1 %d", redis[1].port);
    server_add(&redis[0], "--replicaof", of);
    server_start(&redis[0]);
    host_until(&host, is_slave, &redis[0], "the old master is a replica");
    ck_assert_uint_eq(host.seen[host.shard][SWG_FLEET_STALE], 0);
    ck_assert_str_eq(host.troubles, "");
}

static void kill_sentinel(void)
{
    char words[64];

    host_until(&host, asks_somebody, NULL, "a sentinel is asked");
    for (int i = 0; i < SENTINELS; i++) {
        if (!asks(&sentinel[i]))
            continue;
        snprintf(words, sizeof words, ":%d: read: ", sentinel[i].port);
        server_kill(&sentinel[i]);
        break;
    }
    host_until_trouble(&host, words);
    host_until(&host, asks_somebody, NULL, "another sentinel is asked");
    ck_assert_uint_eq(host.seen[host.shard][SWG_FLEET_STALE], 0);
}

static void freeze_master(const char *before)
{
    char after[128];

    host_forget(&host);
    server_signal(&redis[1], SIGSTOP);
    host_until(&host, is_fleet_on, &redis[0], "in the fleet of the first master again");
    stored(&redis[0], after);
    ck_assert_str_eq(before, after);
    host_forget(&host);
    server_signal(&redis[1], SIGCONT);
    ck_assert(server_says(&redis[1], "role:", "INFO replication")); /* it is awake again */
    freeReplyObject(/* as the sentinels do later, or at this moment */
                    server_ask(&redis[1], "REPLICAOF 127.0.0.1 %d", redis[0].port));
    host_until(&host, is_slave, &redis[1], "the frozen master is a replica");
    host_until(&host, is_fleet_on, &redis[0], "in the fleet of the first master still");
    ck_assert_uint_eq(host.seen[host.shard][SWG_FLEET_STALE], 0);
}

START_TEST(the_client_follows_the_master)
{
    char before[128];

    snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%s,127.0.0.1:%s,127.0.0.1:%s/cache",
             number(&sentinel[0]), number(&sentinel[1]), number(&sentinel[2]));
    host_start(&host, SWG_FLEET_RUN(.url = url), SWG_FLEET(.shards = SHARDS));
    host_until(&host, is_fleet_on, &redis[0], "in the fleet");
    host_until(&host, is_listened_to, &redis[0], "hints are heard");
    kill_master(before);
    old_master_returns();
    kill_sentinel();
    freeze_master(before);
    host_stop(&host);
}
END_TEST

/* ---- who is believed, and over TLS --------------------------------------------------------- */

/* One sentinel and one master, both behind passwords and TLS. */
static void begin_secure(void)
{
    server_make(&redis[0], true);
    server_certificates(redis[0].dir, "IP:127.0.0.1");
    server_secure(&redis[0], redis[0].dir);
    server_protect(&redis[0], "secret");
    server_start(&redis[0]);
    make_sentinel(&sentinel[0], redis[0].port, "sentinel auth-pass cache secret\n");
    server_secure(&sentinel[0], redis[0].dir);
    server_protect(&sentinel[0], "hush");
    server_start(&sentinel[0]);
}

static void end_secure(void)
{
    server_end(&sentinel[0]);
    server_end(&redis[0]);
}

static const struct {
    const char *password, *sentinel_password, *name, *ca, *trouble; /* NULL: there is none */
} secrets[] = {
    {"secret", "hush", "cache", "ca.pem", NULL},
    {"secret", "hush", "cash", "ca.pem", "sentinel 127.0.0.1:%d: knows no master named 'cash'"},
    {"secret", NULL, "cache", "ca.pem", "sentinel 127.0.0.1:%d: asked for master 'cache': NOAUTH"},
    {"secret", "x", "cache", "ca.pem", "sentinel 127.0.0.1:%d: AUTH: WRONGPASS"},
    {"x", "hush", "cache", "ca.pem", "127.0.0.1:%d: AUTH: WRONGPASS"},
    {"secret", "hush", "cache", "other.pem", "sentinel 127.0.0.1:%d: TLS: certificate refused"},
};

START_TEST(who_is_not_let_in_says_so)
{
    char ca[96], words[128];
    const bool by_sentinel = secrets[_i].trouble && strncmp(secrets[_i].trouble, "sent", 4) == 0;

    snprintf(url, sizeof url, "rediss+sentinel://:%s@127.0.0.1:%d/%s", secrets[_i].password,
             sentinel[0].port, secrets[_i].name);
    snprintf(ca, sizeof ca, "%s/%s", redis[0].dir, secrets[_i].ca);
    host_start(&host,
               SWG_FLEET_RUN(.url = url, .ca_file = ca,
                             .sentinel_password = secrets[_i].sentinel_password),
               SWG_FLEET(.shards = SHARDS));
    if (secrets[_i].trouble) {
        snprintf(words, sizeof words, secrets[_i].trouble,
                 by_sentinel ? sentinel[0].port : redis[0].port);
        host_until_trouble(&host, words);
        ck_assert_int_eq(host.modes[host.shard], SWG_FLEET_JOINING);
    } else {
        host_until_mode(&host, SWG_FLEET_FLEET);
        ck_assert_str_eq(host.troubles, "");
    }
    host_stop(&host);
}
END_TEST

/* A sentinel that takes a replica for a master is not believed: the replica is asked. */
START_TEST(a_replica_is_never_used)
{
    char words[128], of[32];

    server_make(&redis[1], true);
    snprintf(of, sizeof of, "127.0.0.1 %d", redis[0].port); /* TLS: they never come together */
    server_add(&redis[1], "--replicaof", of);
    server_start(&redis[1]);
    make_sentinel(&sentinel[1], redis[1].port, "");
    server_start(&sentinel[1]);
    snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%d/cache", sentinel[1].port);
    snprintf(words, sizeof words, "127.0.0.1:%d: said to be the master, it answers to ROLE: slave",
             redis[1].port);
    host_start(&host, SWG_FLEET_RUN(.url = url), SWG_FLEET(.shards = SHARDS));
    host_until_trouble(&host, words);
    ck_assert_int_eq(host.modes[host.shard], SWG_FLEET_JOINING);
    server_tell(&redis[1], "REPLICAOF NO ONE");
    host_until_mode(&host, SWG_FLEET_FLEET);
    ck_assert_uint_eq(host_troubles(&host, words), 1); /* told once */
    host_stop(&host);
    server_end(&sentinel[1]);
    server_end(&redis[1]);
}
END_TEST

static void start_plain(struct server *s)
{
    server_make(s, true);
    server_start(s);
}

/* What the sentinels say is heeded, though the old master answers as well as ever. */
START_TEST(a_master_is_left_that_the_sentinels_left)
{
    struct server old, new;

    start_plain(&old);
    start_plain(&new);
    make_sentinel(&sentinel[1], old.port, "");
    server_start(&sentinel[1]);
    snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%d/cache", sentinel[1].port);
    host_start(&host, SWG_FLEET_RUN(.url = url), SWG_FLEET(.shards = SHARDS));
    host_until(&host, is_fleet_on, &old, "in the fleet");
    host_until(&host, is_listened_to, &old, "hints are heard");
    server_tell(&sentinel[1], "SENTINEL REMOVE cache");
    server_tell(&sentinel[1], "SENTINEL MONITOR cache 127.0.0.1 %d 1", new.port);
    host_until(&host, is_fleet_on, &new, "in the fleet of the other master");
    host_until(&host, is_listened_to, &new, "hints are heard from the other master");
    host_stop(&host);
    server_end(&sentinel[1]);
    server_end(&new);
    server_end(&old);
}
END_TEST

/* With all sentinels gone the last master known will do: it is asked for its role as ever. */
START_TEST(without_sentinels_the_master_is_where_it_was)
{
    char words[64];
    struct server master;

    start_plain(&master);
    make_sentinel(&sentinel[1], master.port, "");
    server_start(&sentinel[1]);
    snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%d/cache", sentinel[1].port);
    snprintf(words, sizeof words, "sentinel 127.0.0.1:%d: connect: ", sentinel[1].port);
    host_start(&host, SWG_FLEET_RUN(.url = url), SWG_FLEET(.shards = SHARDS));
    host_until(&host, is_fleet_on, &master, "in the fleet");
    server_kill(&sentinel[1]);
    host_until_trouble(&host, words);
    server_kill(&master);
    host_until_mode(&host, SWG_FLEET_LOCAL);
    server_start(&master);
    host_until(&host, is_fleet_on, &master, "in the fleet again");
    ck_assert_uint_eq(host_troubles(&host, words), 1); /* told once */
    host_stop(&host);
    server_end(&sentinel[1]);
    server_end(&master);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet sentinel");
    TCase *story = tcase_create("story");

    tcase_add_checked_fixture(story, begin, end);
    tcase_set_timeout(story, 90);
    tcase_add_test(story, the_client_follows_the_master);
    suite_add_tcase(suite, story);
    TCase *trust = tcase_create("trust");
    tcase_add_unchecked_fixture(trust, begin_secure, end_secure);
    tcase_set_timeout(trust, 60);
    tcase_add_loop_test(trust, who_is_not_let_in_says_so, 0, sizeof secrets / sizeof *secrets);
    tcase_add_test(trust, a_replica_is_never_used);
    suite_add_tcase(suite, trust);
    TCase *word = tcase_create("word");
    tcase_set_timeout(word, 60);
    tcase_add_test(word, a_master_is_left_that_the_sentinels_left);
    tcase_add_test(word, without_sentinels_the_master_is_where_it_was);
    suite_add_tcase(suite, word);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
