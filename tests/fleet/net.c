/* The transport without a Redis: URLs, and peers that never answer. Whatever it waits for, it stops
 * at once when told to, and says who kept it waiting when the time is up. */
#include "live_host.h"

#include <arpa/inet.h>
#include <check.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/fleet_doctor.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- URLs ---- */

typedef struct good_url {
    const char *url;
    swg_fleet_kind kind;
    uint32_t tls, seeds, database;
    const char *host, *port, *last_host, *last_port, *user, *password, *master, *path;
} good_url;

static const good_url good_urls[] = {
    {"redis://h", SWG_FLEET_SINGLE, 0, 1, 0, "h", "6379", "h", "6379", "", "", "", ""},
    {"redis://h/", SWG_FLEET_SINGLE, 0, 1, 0, "h", "6379", "h", "6379", "", "", "", ""},
    {"rediss://me:p%40ss@[::1]:7000/12", SWG_FLEET_SINGLE, 1, 1, 12, "::1", "7000", "::1", "7000",
     "me", "p@ss", "", ""},
    {"redis://:x@[fe80::1]", SWG_FLEET_SINGLE, 0, 1, 0, "fe80::1", "6379", "fe80::1", "6379", "",
     "x", "", ""},
    {"unix:///run/r%20s?db=3", SWG_FLEET_SINGLE, 0, 0, 3, "", "", "", "", "", "", "", "/run/r s"},
    {"redis+sentinel://a,b:1,[::1],[::2]:3/cache", SWG_FLEET_SENTINEL, 0, 4, 0, "a", "26379", "::2",
     "3", "", "", "cache", ""},
    {"rediss+sentinel://me:pw@a/my%20cache/5", SWG_FLEET_SENTINEL, 1, 1, 5, "a", "26379", "a",
     "26379", "me", "pw", "my cache", ""},
    {"redis+sentinel://a/cache/", SWG_FLEET_SENTINEL, 0, 1, 0, "a", "26379", "a", "26379", "", "",
     "cache", ""},
    {"redis+cluster://:pw@a:7000,b", SWG_FLEET_CLUSTER, 0, 2, 0, "a", "7000", "b", "6379", "", "pw",
     "", ""},
    {"rediss+cluster://a/0", SWG_FLEET_CLUSTER, 1, 1, 0, "a", "6379", "a", "6379", "", "", "", ""},
};

START_TEST(a_url_is_taken_apart)
{
    const good_url *row = &good_urls[_i];
    const char *reason;
    swg_fleet_url u;

    ck_assert_msg(swg_fleet_url_parse(&u, row->url, &reason) == SWG_OK, "%s %s", row->url, reason);
    ck_assert_str_eq(reason, "");
    ck_assert_uint_eq(u.kind, row->kind);
    ck_assert_uint_eq(u.tls, row->tls);
    ck_assert_uint_eq(u.database, row->database);
    ck_assert_str_eq(u.host, row->host);
    ck_assert_str_eq(u.port, row->port);
    ck_assert_str_eq(u.user, row->user);
    ck_assert_str_eq(u.password, row->password);
    ck_assert_str_eq(u.master, row->master);
    ck_assert_str_eq(u.path, row->path);
    ck_assert_uint_eq(u.seeds, row->seeds);
    if (row->seeds == 0)
        return;
    ck_assert_str_eq(u.seed[0].host, row->host);
    ck_assert_str_eq(u.seed[0].port, row->port);
    ck_assert_str_eq(u.seed[row->seeds - 1].host, row->last_host);
    ck_assert_str_eq(u.seed[row->seeds - 1].port, row->last_port);
}
END_TEST

static const struct {
    const char *url, *reason;
} bad_urls[] = {
    {"", "begins with none of"},
    {"http://x", "begins with none of"},
    {"redis+ring://x", "begins with none of"},
    {"redis://", "no host"},
    {"redis://h:0", "port"},
    {"redis://h:70000", "port"},
    {"redis://h:12x", "port"},
    {"redis://h:", "port"},
    {"redis://h/x", "database"},
    {"redis://h:12/3/4", "database"},
    {"redis://h/1048576", "database"},
    {"redis://user@h", "user without a password"},
    {"redis://:%zz@h", "user or password"},
    {"redis://[::1", "'['"},
    {"redis://[::1]x", "'['"},
    {"redis://::1", "in brackets"},
    {"redis://a,b", "several hosts"},
    {"redis://%00", "no host"},
    {"unix://relative", "absolute path"},
    {"unix:///a?x=1", "?db="},
    {"redis+sentinel://a", "name the master"},
    {"redis+sentinel://a/", "name the master"},
    {"redis+sentinel://a//1", "name the master"},
    {"redis+sentinel://a/m/x", "database"},
    {"redis+sentinel://a,/m", "no host"},
    {"redis+sentinel://a,b:0/m", "port"},
    {"redis+sentinel://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17/m", "more than 16"},
    {"redis+cluster://a,,b", "no host"},
    {"redis+cluster://a/1", "only 0"},
    {"redis+cluster://a/m", "database"},
};

START_TEST(what_is_wrong_with_a_url_is_named)
{
    const char *reason = NULL;
    swg_fleet_url u;

    ck_assert_int_eq(swg_fleet_url_parse(&u, bad_urls[_i].url, &reason), SWG_EINVAL);
    ck_assert_msg(strstr(reason, bad_urls[_i].reason) != NULL, "%s %s", bad_urls[_i].url, reason);
    ck_assert_int_eq(swg_fleet_url_parse(&u, bad_urls[_i].url, NULL), SWG_EINVAL);
}
END_TEST

static char said[512];

static void keep(void *arg, const char *what)
{
    (void)arg;
    snprintf(said, sizeof said, "%s", what);
}

static int run_with(const swg_fleet_run_config *config, const swg_fleet_config *client)
{
    swg_panel *panel;
    swg_fleet *fleet;

    said[0] = '\0';
    ck_assert_int_eq(swg_panel_open(&panel, NULL, NULL), SWG_OK);
    ck_assert_int_eq(swg_fleet_open(&fleet, panel, client, 1, 1), SWG_OK);
    const int result = swg_fleet_run(fleet, config);
    swg_fleet_close(&fleet);
    swg_panel_close(&panel);
    return result;
}

static const struct {
    swg_fleet_run_config run;
    swg_fleet_config client;
    int error;
    const char *said;
} mistakes[] = {
    {{.url = "ftp://x"}, {0}, SWG_EINVAL, "the URL begins with none of redis://"},
    {{.url = "redis://h/x"}, {0}, SWG_EINVAL, "the URL has a database that is not a number"},
    {{.url = NULL}, {0}, SWG_EINVAL, "url is missing"},
    {{.url = "redis://x", .connect_ms = 1}, {0}, SWG_EINVAL, "connect_ms is not 10 to 60000"},
    {{.url = "redis://x", .look_ms = 60001}, {0}, SWG_EINVAL, "look_ms is not 10 to 60000"},
    {{.url = "redis://x", .no_hints = 2}, {0}, SWG_EINVAL, "no_hints is neither 0 nor 1"},
    {{.url = "redis://x", .sentinel_user = "x"}, {0}, SWG_EINVAL, "without sentinel_password"},
    {{.url = "rediss://x", .ca_file = "/no"}, {0}, SWG_EACCESS, "/no: No such file"},
    {{.url = "redis://:x@h", .ca_file = "/no"}, {0}, SWG_EINVAL, "the URL is without TLS"},
    {{.url = "unix:///x", .cert_file = "/no"}, {0}, SWG_EINVAL, "the URL is without TLS"},
    {{.url = "redis+cluster://x", .key_file = "/no"}, {0}, SWG_EINVAL, "the URL is without TLS"},
    {{.url = "rediss://x", .key_file = "/no"}, {0}, SWG_EINVAL, "key_file: it is there without"},
    {{.url = "redis+cluster://x"}, {.database = 1}, SWG_EINVAL, "only database 0"},
    {{.url = "redis://:a@x"}, {.password = "b"}, SWG_EINVAL, "swg_fleet_config.password"},
    {{.url = "redis://u:a@x"}, {.user = "v", .password = "a"}, SWG_EINVAL, "config.user"},
    {{.url = "redis://x"}, {.user = "v"}, SWG_EINVAL, "config.user needs a password"},
    {{.url = "redis://x/3"}, {.database = 4}, SWG_EINVAL, "swg_fleet_config.database"},
};

START_TEST(mistakes_are_errors_that_name_them)
{
    swg_fleet_run_config run = mistakes[_i].run;
    swg_fleet_config client = mistakes[_i].client;

    run.size = sizeof run;
    client.size = sizeof client;
    client.reporter = 1;
    ck_assert_int_eq(run_with(&run, &client), mistakes[_i].error);
    ck_assert_str_eq(said, "");
    run.trouble = keep;
    ck_assert_int_eq(run_with(&run, &client), mistakes[_i].error);
    ck_assert_msg(strstr(said, mistakes[_i].said) != NULL, "%s", said);
}
END_TEST

START_TEST(configurations_of_another_size)
{
    swg_fleet_run_config other = *SWG_FLEET_RUN(.url = "redis://x");
    const swg_fleet_config *client = SWG_FLEET(.reporter = 1);

    ck_assert_int_eq(run_with(NULL, client), SWG_EINVAL);
    other.size = 2;
    ck_assert_int_eq(run_with(&other, client), SWG_EINVAL);
}
END_TEST

/* ---- peers that never answer ---- */

/* The name of a host whose look-up never ends, whoever asks the C library for it. */
static const char stuck[] = "stuck.invalid";
static atomic_int look_ups;
static struct gaicb *held; /* as the C library does */

int getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *event)
{
    (void)mode;
    (void)count;
    (void)event;
    ck_assert_str_eq(list[0]->ar_name, stuck);
    held = list[0];
    atomic_fetch_add(&look_ups, 1);
    return 0;
}

int gai_error(struct gaicb *request)
{
    (void)request;
    return EAI_INPROGRESS;
}

int gai_cancel(struct gaicb *request)
{
    (void)request;
    return EAI_NOTCANCELED;
}

static live_host host;
static char url[256];
static int listener;

/* Takes connections and says nothing. */
static int listen_somewhere(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;

    listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    getsockname(listener, (struct sockaddr *)&at, &length);
    return ntohs(at.sin_port);
}

static bool is_waited_for(live_host *h, const void *arg)
{
    struct pollfd fd = {.fd = listener, .events = POLLIN};

    (void)h;
    (void)arg;
    return atomic_load(&look_ups) > 0 || poll(&fd, 1, 0) == 1;
}

static const struct {
    const char *url; /* %d: a port where nobody speaks */
    const char *trouble;
} silent[] = {
    {"redis://stuck.invalid:%d", "stuck.invalid:%d: name look-up: no answer in time"},
    {"redis://127.0.0.1:%d", "127.0.0.1:%d: no reply in time"},
    {"rediss://127.0.0.1:%d", "127.0.0.1:%d: TLS: no answer in time"},
    {"redis+sentinel://127.0.0.1:%d/m", "sentinel 127.0.0.1:%d: no answer in time"},
    {"rediss+sentinel://127.0.0.1:%d/m", "sentinel 127.0.0.1:%d: TLS: no answer in time"},
    {"redis+sentinel://stuck.invalid:%d/m",
     "sentinel stuck.invalid:%d: name look-up: no answer in time"},
    {"redis+cluster://127.0.0.1:%d", "slots from 127.0.0.1:%d: no answer in time"},
};

START_TEST(silence_is_given_up_and_told)
{
    char words[256];
    const int port = listen_somewhere();

    snprintf(url, sizeof url, silent[_i].url, port);
    snprintf(words, sizeof words, silent[_i].trouble, port);
    host_start(&host, SWG_FLEET_RUN(.url = url, .connect_ms = 100), SWG_FLEET(.shards = 2));
    host_until_trouble(&host, words);
    ck_assert_int_eq(host.modes[host.shard], SWG_FLEET_JOINING);
    host_stop(&host);
    close(listener);
}
END_TEST

/* host_stop() wants it to end at once. */
START_TEST(it_stops_at_once_whatever_it_waits_for)
{
    snprintf(url, sizeof url, silent[_i].url, listen_somewhere());
    host_start(&host, SWG_FLEET_RUN(.url = url, .connect_ms = 60000), SWG_FLEET(.shards = 2));
    host_until(&host, is_waited_for, NULL, "it waits");
    host_stop(&host);
    close(listener);
}
END_TEST

/* Says a long word as fast as it is heard, and hangs up in the middle of it. */
static void *babble(void *arg)
{
    static const char head[] = "$60000000\r\n";
    static char part[65536];
    const int fd = accept(listener, NULL, NULL);

    (void)arg;
    send(fd, head, sizeof head - 1, MSG_NOSIGNAL);
    for (int i = 0; i < 900 && send(fd, part, sizeof part, MSG_NOSIGNAL) > 0; i++)
        ;
    close(fd);
    return NULL;
}

static void ignore(void *arg, const swg_fleet_action *action)
{
    (void)arg;
    (void)action;
}

/* There is always something to be read until the other end is gone, long after the deadline. */
START_TEST(a_visit_ends_in_time_whatever_comes)
{
    char trouble[SWG_FLEET_TROUBLE_MAX];
    pthread_t thread;

    snprintf(url, sizeof url, "redis://127.0.0.1:%d", listen_somewhere());
    ck_assert_int_eq(pthread_create(&thread, NULL, babble, NULL), 0);
    ck_assert_int_lt(
        swg_fleet_audit(SWG_FLEET_REDIS(.url = url, .deadline_ms = 10, .trouble = trouble), ignore,
                        NULL),
        0);
    ck_assert_msg(strstr(trouble, "no answer in time") != NULL, "%s", trouble);
    shutdown(listener, SHUT_RD); /* the time was up before it had called */
    pthread_join(thread, NULL);
    close(listener);
}
END_TEST

int main(void)
{
    enum { SILENT = sizeof silent / sizeof *silent };
    Suite *suite = suite_create("fleet net");
    TCase *urls = tcase_create("urls");
    TCase *peers = tcase_create("peers");

    tcase_add_loop_test(urls, a_url_is_taken_apart, 0, sizeof good_urls / sizeof *good_urls);
    tcase_add_loop_test(urls, what_is_wrong_with_a_url_is_named, 0,
                        sizeof bad_urls / sizeof *bad_urls);
    tcase_add_loop_test(urls, mistakes_are_errors_that_name_them, 0,
                        sizeof mistakes / sizeof *mistakes);
    tcase_add_test(urls, configurations_of_another_size);
    suite_add_tcase(suite, urls);
    tcase_set_timeout(peers, 30);
    tcase_add_loop_test(peers, silence_is_given_up_and_told, 0, SILENT);
    tcase_add_loop_test(peers, it_stops_at_once_whatever_it_waits_for, 0, SILENT);
    tcase_add_test(peers, a_visit_ends_in_time_whatever_comes);
    suite_add_tcase(suite, peers);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
