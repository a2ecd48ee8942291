/* The client on its own thread and a real redis-server: UNIX socket, TCP, TLS; killed, frozen,
 * brought back; certificates of others. */
#include <check.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/fleet_run.h>
#include <switchgear/switchgear.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/swg-run-XXXXXX";
static pid_t redis;
static int port, tls_port;

static struct {
    swg_panel *panel;
    swg_circuit *circuit;
    swg_fleet *fleet;
    swg_fleet_run_config config;
    uint32_t shard;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    swg_fleet_mode mode;
    uint32_t errors[SWG_FLEET_ERROR_COUNT];
    char trouble[512];
    int result;
} host = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, length), 0);
    getsockname(fd, (struct sockaddr *)&at, &length);
    close(fd);
    return ntohs(at.sin_port);
}

static void shell(const char *command)
{
    char text[1024];
    snprintf(text, sizeof text, "cd %s && { %s; } >>log 2>&1", folder, command);
    ck_assert_msg(system(text) == 0, "%s: see %s/log", command, folder);
}

/* A certificate for localhost by an authority of the test's own, and an authority nobody asked. */
static void make_certificates(void)
{
    shell("printf 'subjectAltName=DNS:localhost' >san");
    shell("for ca in ca other; do openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=$ca"
          " -keyout $ca.key -out $ca.pem; done");
    shell("openssl req -newkey rsa:2048 -nodes -subj /CN=x -keyout key.pem -out request.pem");
    shell("openssl x509 -req -days 1 -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial"
          " -extfile san -out cert.pem");
}

static void start_redis(void)
{
    char at[2][16];
    snprintf(at[0], sizeof at[0], "%d", port);
    snprintf(at[1], sizeof at[1], "%d", tls_port);
    redis = fork();
    if (redis == 0) {
        if (chdir(folder) != 0 || !freopen("redis.log", "a", stdout))
            _exit(127);
        execlp("redis-server", "redis-server", "--port", at[0], "--tls-port", at[1], "--bind",
               "127.0.0.1", "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem",
               "--tls-ca-cert-file", "ca.pem", "--tls-auth-clients", "no", "--unixsocket", "sock",
               "--requirepass", "secret", "--save", "", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500; i++) {
        redisContext *c = redisConnect("127.0.0.1", port);
        const bool fine = c && c->err == 0;
        if (c)
            redisFree(c);
        if (fine)
            return;
        usleep(20000);
    }
    ck_abort_msg("redis-server does not start: see %s/redis.log", folder);
}

static void stop_redis(void)
{
    kill(redis, SIGKILL);
    waitpid(redis, NULL, 0);
}

static void begin(void)
{
    strcpy(folder, "/tmp/swg-run-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    port = free_port();
    tls_port = free_port();
    make_certificates();
    start_redis();
}

static void end(void)
{
    char text[64];
    stop_redis();
    snprintf(text, sizeof text, "rm -rf %s", folder);
    ck_assert_int_eq(system(text), 0);
}

/* ---- the host ------------------------------------------------------------------------------ */

static void on_event(void *arg, const swg_fleet_event *event)
{
    (void)arg;
    pthread_mutex_lock(&host.lock);
    if (event->kind == SWG_FLEET_EVENT_MODE && event->shard == host.shard)
        host.mode = (swg_fleet_mode)event->value;
    if (event->kind == SWG_FLEET_EVENT_ERROR && event->value < SWG_FLEET_ERROR_COUNT)
        host.errors[event->value]++;
    pthread_cond_broadcast(&host.changed);
    pthread_mutex_unlock(&host.lock);
}

static void on_trouble(void *arg, const char *what)
{
    (void)arg;
    pthread_mutex_lock(&host.lock);
    snprintf(host.trouble, sizeof host.trouble, "%s", what);
    pthread_cond_broadcast(&host.changed);
    pthread_mutex_unlock(&host.lock);
}

static void *run(void *arg)
{
    (void)arg;
    host.result = swg_fleet_run(host.fleet, &host.config);
    return NULL;
}

/* Opens a client for the URL, with its password, and lets it run. "%s" is the test's folder. */
static void go(const char *format, const char *ca)
{
    static char url[256], ca_file[128];
    static swg_fleet_url u;
    const char *reason;
    snprintf(url, sizeof url, format, folder);
    snprintf(ca_file, sizeof ca_file, "%s/%s", folder, ca ? ca : "");
    ck_assert_msg(swg_fleet_url_parse(&u, url, &reason) == SWG_OK, "%s %s", url, reason);
    ck_assert_int_eq(swg_panel_open(&host.panel, NULL, SWG_PANEL(.circuits = 4)), SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&host.circuit, host.panel, "db", NULL), SWG_OK);
    ck_assert_int_eq(
        swg_fleet_open(&host.fleet, host.panel,
                       SWG_FLEET(.reporter = (uint64_t)getpid(), .shards = 2, .timeout_ms = 200,
                                 .password = u.password[0] ? u.password : NULL,
                                 .database = u.database),
                       1, swg_clock_ns()),
        SWG_OK);
    host.shard = swg_fleet_shard(host.fleet, "db");
    host.mode = SWG_FLEET_JOINING;
    host.config = *SWG_FLEET_RUN(.url = url, .stop_fd = eventfd(0, EFD_CLOEXEC), .event = on_event,
                                 .trouble = on_trouble, .ca_file = ca ? ca_file : NULL);
    ck_assert_int_eq(pthread_create(&host.thread, NULL, run, NULL), 0);
}

static void halt(void)
{
    ck_assert_int_eq(eventfd_write(host.config.stop_fd, 1), 0);
    pthread_join(host.thread, NULL);
    ck_assert_int_eq(host.result, SWG_OK);
    close(host.config.stop_fd);
    swg_fleet_close(&host.fleet);
    swg_panel_close(&host.panel);
}

static struct timespec in_twenty_seconds(void)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += 20;
    return at;
}

static void until_mode(swg_fleet_mode mode)
{
    const struct timespec limit = in_twenty_seconds();
    int late = 0;
    pthread_mutex_lock(&host.lock);
    while (host.mode != mode && late == 0)
        late = pthread_cond_timedwait(&host.changed, &host.lock, &limit);
    ck_assert_msg(host.mode == mode, "still %s, not %s: %s", swg_fleet_mode_name(host.mode),
                  swg_fleet_mode_name(mode), host.trouble);
    pthread_mutex_unlock(&host.lock);
}

static void until_trouble(const char *words)
{
    const struct timespec limit = in_twenty_seconds();
    int late = 0;
    pthread_mutex_lock(&host.lock);
    while (!strstr(host.trouble, words) && late == 0)
        late = pthread_cond_timedwait(&host.changed, &host.lock, &limit);
    ck_assert_msg(strstr(host.trouble, words) != NULL, "'%s', not '%s'", host.trouble, words);
    pthread_mutex_unlock(&host.lock);
}

/* ---- tests --------------------------------------------------------------------------------- */

static const char *address(const char *format, int at)
{
    static char text[128];
    snprintf(text, sizeof text, format, at);
    return text;
}

START_TEST(every_road_leads_to_redis)
{
    switch (_i) {
    case 0:
        go("unix://%s/sock", NULL);
        break;
    case 1:
        go(address("redis://:secret@127.0.0.1:%d", port), NULL);
        break;
    case 2:
        go(address("redis://:secret@localhost:%d/3", port), NULL);
        break;
    default:
        go(address("rediss://:secret@localhost:%d", tls_port), "ca.pem");
        break;
    }
    if (_i == 0) { /* no password in this URL: told so, again and again, and never wedged */
        const struct timespec limit = in_twenty_seconds();
        pthread_mutex_lock(&host.lock);
        while (host.errors[SWG_FLEET_AUTH] == 0 &&
               pthread_cond_timedwait(&host.changed, &host.lock, &limit) == 0)
            ;
        ck_assert_uint_gt(host.errors[SWG_FLEET_AUTH], 0);
        pthread_mutex_unlock(&host.lock);
    } else {
        until_mode(SWG_FLEET_FLEET);
    }
    halt();
    redisContext *c = redisConnect("127.0.0.1", port);
    freeReplyObject(redisCommand(c, "AUTH secret"));
    freeReplyObject(redisCommand(c, "SELECT %d", _i == 2 ? 3 : 0));
    redisReply *size = redisCommand(c, "DBSIZE");
    ck_assert_int_eq(size->integer > 0, _i != 0);
    freeReplyObject(size);
    freeReplyObject(redisCommand(c, "FLUSHALL"));
    redisFree(c);
}
END_TEST

typedef struct trouble_row {
    const char *url;
    bool secure;
    const char *ca;
    const char *words;
} trouble_row;

static const trouble_row trouble_rows[] = {
    {"rediss://:secret@localhost:%d", true, "other.pem", "TLS: certificate refused"},
    {"rediss://:secret@localhost:%d", true, NULL, "TLS: certificate refused"},
    {"rediss://:secret@127.0.0.1:%d", true, "ca.pem", "IP address mismatch"},
    {"rediss://:secret@localhost:%d", false, "ca.pem", "TLS"}, /* it speaks plainly */
    {"redis://:secret@localhost:%d", true, NULL, "read"},      /* it does not */
    {"redis://127.0.0.1:1", false, NULL, "connect: Connection refused"},
    {"unix:///nowhere/at/all", false, NULL, "connect: No such file"},
    {"redis://no-such-host.invalid:%d", false, NULL, "no-such-host.invalid:"},
};

START_TEST(trouble_is_named)
{
    const trouble_row *row = &trouble_rows[_i];
    go(address(row->url, row->secure ? tls_port : port), row->ca);
    until_trouble(row->words);
    ck_assert_int_eq(host.mode, SWG_FLEET_JOINING);
    halt();
}
END_TEST

/* Frozen, killed, back: the circuits go on alone, then together again. Calls never wait. */
START_TEST(redis_frozen_killed_and_back)
{
    swg_permit permit;
    go(address("redis://:secret@127.0.0.1:%d", port), NULL);
    until_mode(SWG_FLEET_FLEET);
    kill(redis, SIGSTOP);
    until_mode(SWG_FLEET_LOCAL);
    ck_assert_int_eq(swg_acquire(host.circuit, &permit, swg_clock_ns()), SWG_PERMITTED);
    swg_release(host.circuit, &permit, SWG_SUCCESS, swg_clock_ns());
    kill(redis, SIGCONT);
    until_mode(SWG_FLEET_FLEET);
    stop_redis();
    until_mode(SWG_FLEET_LOCAL);
    start_redis();
    until_mode(SWG_FLEET_FLEET);
    halt();
}
END_TEST

START_TEST(mistakes_are_errors)
{
    swg_fleet_url u;
    const char *reason;
    const char *const wrong[] = {"http://x",        "redis://",         "redis://h:0",
                                 "redis://h:70000", "redis://h/x",      "redis://user@h",
                                 "redis://:%zz@h",  "redis://[::1",     "unix://relative",
                                 "unix:///a?x=1",   "redis://h:12/3/4", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(swg_fleet_url_parse(&u, wrong[i], &reason) == SWG_EINVAL, "%s", wrong[i]);
        ck_assert_int_gt((int)strlen(reason), 10);
    }
    ck_assert_int_eq(swg_fleet_url_parse(&u, "rediss://me:p%40ss@[::1]:7000/12", NULL), SWG_OK);
    ck_assert_str_eq(u.user, "me");
    ck_assert_str_eq(u.password, "p@ss");
    ck_assert_str_eq(u.host, "::1");
    ck_assert_str_eq(u.port, "7000");
    ck_assert_uint_eq(u.database, 12);
    ck_assert_uint_eq(u.tls, 1);

    ck_assert_int_eq(swg_panel_open(&host.panel, NULL, NULL), SWG_OK);
    ck_assert_int_eq(swg_fleet_open(&host.fleet, host.panel, SWG_FLEET(.reporter = 1), 1, 1),
                     SWG_OK);
    ck_assert_int_eq(swg_fleet_run(host.fleet, SWG_FLEET_RUN(.url = "ftp://x")), SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_run(host.fleet, SWG_FLEET_RUN(.url = "redis://x", .connect_ms = 1)),
                     SWG_EINVAL);
    ck_assert_int_eq(swg_fleet_run(host.fleet, SWG_FLEET_RUN(.url = "rediss://x", .ca_file = "/no",
                                                             .trouble = on_trouble)),
                     SWG_EACCESS);
    ck_assert_ptr_nonnull(strstr(host.trouble, "/no"));
    swg_fleet_close(&host.fleet);
    swg_panel_close(&host.panel);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet run");
    TCase *tests = tcase_create("all");
    tcase_add_unchecked_fixture(tests, begin, end);
    tcase_set_timeout(tests, 90);
    tcase_add_loop_test(tests, every_road_leads_to_redis, 0, 4);
    tcase_add_loop_test(tests, trouble_is_named, 0, sizeof trouble_rows / sizeof *trouble_rows);
    tcase_add_test(tests, mistakes_are_errors);
    suite_add_tcase(suite, tests);
    TCase *dying = tcase_create("dying");
    tcase_add_checked_fixture(dying, begin, end);
    tcase_set_timeout(dying, 120);
    tcase_add_test(dying, redis_frozen_killed_and_back);
    suite_add_tcase(suite, dying);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
