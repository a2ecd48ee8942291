/* The proxy with faults, each fault seen from the client's side: over UNIX sockets and over TCP.
 *
 * Behind it is a server that answers the n-th request it gets, whoever sends it, with the number n;
 * what is no RESP it echoes. So a request that was lost, or sent twice, shows in the next answer.
 */
#include <check.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/types.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chaos.h"

#define MS INT64_C(1000000)
#define PING "*1\r\n$4\r\nPING\r\n"

enum { PATIENCE_MS = 10000, SERVED_MAX = 64 };

static char folder[64], control[96], record_path[96];
static pid_t proxy, server;
static char answer[CHAOS_LINE_MAX];

/* ---- the server ---------------------------------------------------------------------------- */

/* The first byte of a connection says what it speaks. */
static void serve(struct pollfd *p, redisReader **reader)
{
    static unsigned number;
    char bytes[4096], text[32];
    void *request = NULL;
    const ssize_t count = read(p->fd, bytes, sizeof bytes);
    if (count <= 0) {
        close(p->fd);
        p->fd = -1;
        return;
    }
    if (!*reader && bytes[0] != '*') {
        send(p->fd, bytes, (size_t)count, MSG_NOSIGNAL);
        return;
    }
    if (!*reader)
        *reader = redisReaderCreate();
    redisReaderFeed(*reader, bytes, (size_t)count);
    while (redisReaderGetReply(*reader, &request) == REDIS_OK && request) {
        const int length = snprintf(text, sizeof text, ":%u\r\n", ++number);
        freeReplyObject(request);
        send(p->fd, text, (size_t)length, MSG_NOSIGNAL);
    }
}

static void serve_all(int listener)
{
    struct pollfd fds[SERVED_MAX] = {{.fd = listener, .events = POLLIN}};
    redisReader *readers[SERVED_MAX] = {0};
    nfds_t count = 1;
    while (poll(fds, count, -1) >= 0) {
        for (nfds_t i = 1; i < count; i++)
            if (fds[i].fd >= 0 && fds[i].revents)
                serve(&fds[i], &readers[i]);
        if (fds[0].revents && count < SERVED_MAX) {
            fds[count++] = (struct pollfd){.fd = accept(listener, NULL, NULL), .events = POLLIN};
        }
    }
}

static void start_server(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s/%s", folder, name);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve_all(listener);
        _exit(0);
    }
    close(listener);
}

/* ---- the proxy ----------------------------------------------------------------------------- */

static void begin(void)
{
    strcpy(folder, "/tmp/swg-proxy-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(control, sizeof control, "%s/control", folder);
    snprintf(record_path, sizeof record_path, "%s/record", folder);
    start_server("server");
}

static void stop(pid_t *pid)
{
    if (*pid > 0) {
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

static void end(void)
{
    char text[96];
    stop(&proxy);
    stop(&server);
    snprintf(text, sizeof text, "rm -rf %s", folder);
    ck_assert_int_eq(system(text), 0);
}

static void go(bool tcp)
{
    char spec[CHAOS_LINE_MAX];
    chaos *c =
        chaos_open(&(chaos_config){.control = control, .record = record_path, .seed = 7}, answer);
    ck_assert_msg(c != NULL, "%s", answer);
    for (char name = 'A'; name <= 'B'; name++) {
        if (tcp)
            snprintf(spec, sizeof spec, "%c=tcp:127.0.0.1:0>unix:%s/server", name, folder);
        else
            snprintf(spec, sizeof spec, "%c=unix:%s/%c>unix:%s/server", name, folder, name, folder);
        ck_assert_msg(chaos_add_route(c, spec, answer), "%s", answer);
    }
    proxy = chaos_start(&c);
    ck_assert_int_gt(proxy, 0);
}

static void tell(const char *command)
{
    ck_assert_msg(chaos_ask(control, command, answer, PATIENCE_MS), "%s: %s", command, answer);
}

/* A number of `route A status`. */
static unsigned status_of(char route, const char *key)
{
    char command[32], word[32];
    snprintf(command, sizeof command, "route %c status", route);
    snprintf(word, sizeof word, " %s=", key);
    tell(command);
    const char *at = strstr(answer, word);
    ck_assert_msg(at != NULL, "%s: %s", key, answer);
    return (unsigned)strtoul(at + strlen(word), NULL, 10);
}

/* ---- the client ---------------------------------------------------------------------------- */

static int try_connect(char route)
{
    char command[32], host[16], path[100];
    int port;
    redisContext *context;
    snprintf(command, sizeof command, "route %c status", route);
    tell(command);
    const char *here = strstr(answer, " here=");
    if (sscanf(here, " here=tcp:%15[0-9.]:%d", host, &port) == 2) {
        context = redisConnect(host, port);
    } else {
        ck_assert_int_eq(sscanf(here, " here=unix:%99s", path), 1);
        context = redisConnectUnix(path);
    }
    const int fd = context->err ? -1 : dup(context->fd), error = errno;
    redisFree(context);
    errno = error;
    return fd;
}

static int dial(char route)
{
    const int fd = try_connect(route);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void say(int fd, const char *bytes)
{
    ck_assert_int_eq(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), (ssize_t)strlen(bytes));
}

/* -1: the connection was reset; 0: it ended; else so many bytes. */
static ssize_t hear(int fd, char *bytes, size_t room)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ck_assert_msg(poll(&p, 1, PATIENCE_MS) == 1, "nothing came");
    return read(fd, bytes, room);
}

static void expect(int fd, const char *bytes)
{
    char got[4096] = "";
    const size_t length = strlen(bytes);
    for (size_t have = 0; have < length;) {
        const ssize_t count = hear(fd, got + have, length - have);
        ck_assert_msg(count > 0, "it ended after '%s', not '%s'", got, bytes);
        have += (size_t)count;
        ck_assert_msg(memcmp(got, bytes, have) == 0, "'%s', not '%s'", got, bytes);
    }
}

static void expect_end(int fd)
{
    char byte;
    ck_assert_int_le(hear(fd, &byte, 1), 0);
    close(fd);
}

static bool is_silent(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 0;
}

/* ---- tests --------------------------------------------------------------------------------- */

START_TEST(everything_passes)
{
    static char big[200000], head[64];
    go(_i);
    const int a = dial('A'), b = dial('B');
    say(a, PING);
    expect(a, ":1\r\n");
    say(b, PING PING PING);
    expect(b, ":2\r\n:3\r\n:4\r\n");
    snprintf(head, sizeof head, "*1\r\n$%zu\r\n", sizeof big - 1);
    memset(big, 'x', sizeof big - 1);
    say(a, head);
    ck_assert(is_silent(a));
    say(a, big);
    say(a, "\r\n");
    expect(a, ":5\r\n");
    const int c = dial('A');
    say(c, "no RESP at all");
    expect(c, "no RESP at all");
    shutdown(c, SHUT_WR); /* an end in one direction passes too */
    expect_end(c);
    ck_assert_uint_eq(status_of('A', "requests"), 3);
    ck_assert_uint_eq(status_of('A', "accepted"), 2);
    ck_assert_uint_eq(status_of('B', "replies"), 3);
}
END_TEST

START_TEST(latency_delays_and_keeps_order)
{
    go(_i);
    const int a = dial('A'), b = dial('B');
    tell("route A latency 30ms 20ms");
    const int64_t start = swg_clock_ns();
    say(a, PING PING);
    say(b, PING);
    expect(b, ":1\r\n"); /* the others' route is as it was */
    expect(a, ":2\r\n:3\r\n");
    ck_assert_int_ge(swg_clock_ns() - start, 60 * MS);
    tell("route A latency 20ms 0ms down");
    tell("route A heal");
    say(a, PING);
    expect(a, ":4\r\n");
}
END_TEST

START_TEST(a_stall_holds_and_lets_go)
{
    go(_i);
    const int a = dial('A'), b = dial('B');
    tell("route A stall up");
    say(a, PING);
    const int late = dial('A'); /* accepted, and held */
    say(late, PING);
    say(b, PING);
    expect(b, ":1\r\n");
    ck_assert(is_silent(a) && is_silent(late));
    tell("route A heal");
    char which[2][8] = {"", ""}; /* two connections have no order among them */
    ck_assert_int_eq(hear(a, which[0], 4), 4);
    ck_assert_int_eq(hear(late, which[1], 4), 4);
    ck_assert_int_eq(which[0][1] + which[1][1], '2' + '3');
    tell("route A stall down");
    say(a, PING);
    while (status_of('A', "requests") < 3)
        ;
    say(b, PING);
    expect(b, ":5\r\n"); /* the fourth was answered, and the answer is held */
    ck_assert(is_silent(a));
    tell("route A heal");
    expect(a, ":4\r\n");
}
END_TEST

START_TEST(a_cut_resets_and_refuses)
{
    go(_i);
    const int a = dial('A'), b = dial('B');
    say(a, PING);
    expect(a, ":1\r\n");
    tell("route A cut");
    tell("route A cut");
    expect_end(a);
    ck_assert_int_eq(try_connect('A'), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    say(b, PING);
    expect(b, ":2\r\n");
    tell("route A heal");
    const int again = dial('A');
    say(again, PING);
    expect(again, ":3\r\n");
}
END_TEST

START_TEST(half_open_swallows_one_direction)
{
    go(_i);
    const int a = dial('A'), b = dial('B');
    tell("route A half-open");
    say(a, PING);
    while (status_of('A', "swallowed") < 1)
        ;
    say(b, PING);
    expect(b, ":2\r\n"); /* it ran */
    ck_assert(is_silent(a));
    tell("route A heal");
    expect_end(a);
    const int other = dial('A');
    tell("route A half-open up");
    say(other, PING);
    while (status_of('A', "swallowed") < 2)
        ;
    say(b, PING);
    expect(b, ":3\r\n"); /* it did not */
    ck_assert(is_silent(other));
    tell("route A heal");
    expect_end(other);
}
END_TEST

START_TEST(bytes_come_one_at_a_time)
{
    char byte[64];
    go(_i);
    const int a = dial('A');
    tell("route A bytes");
    say(a, PING);
    for (const char *c = ":1\r\n"; *c; c++) {
        ck_assert_int_ge(hear(a, byte, 1), 1);
        ck_assert_int_eq(byte[0], *c);
    }
    say(a, PING);
    expect(a, ":2\r\n");
}
END_TEST

START_TEST(a_reply_is_truncated)
{
    go(_i);
    const int a = dial('A');
    tell("route A truncate 2");
    say(a, PING);
    expect(a, ":1");
    expect_end(a);
    const int again = dial('A');
    say(again, PING);
    expect(again, ":2\r\n");
}
END_TEST

START_TEST(a_request_is_sent_twice)
{
    go(_i);
    const int a = dial('A');
    tell("route A duplicate");
    say(a, PING PING);
    expect(a, ":1\r\n:3\r\n");
    tell("route A duplicate 50ms");
    say(a, PING PING);
    expect(a, ":4\r\n:5\r\n");
    while (status_of('A', "replies") < 6)
        ;
    say(a, PING);
    expect(a, ":7\r\n");
}
END_TEST

START_TEST(a_message_is_dropped)
{
    go(_i);
    const int a = dial('A'), b = dial('B');
    tell("route A drop request");
    ck_assert_uint_eq(status_of('A', "waiting"), 1);
    say(a, PING PING);
    while (status_of('A', "swallowed") < 2)
        ;
    say(b, PING);
    expect(b, ":1\r\n");
    ck_assert_uint_eq(status_of('A', "waiting"), 0);
    close(a);
    const int again = dial('A');
    tell("route A drop reply");
    say(again, PING);
    while (status_of('A', "replies") < 1)
        ;
    ck_assert(is_silent(again));
    const int third = dial('A'); /* only the one connection is hit */
    say(third, PING);
    expect(third, ":3\r\n");
}
END_TEST

START_TEST(what_is_published_is_muted)
{
    go(_i);
    const int a = dial('A');
    say(a, PING);
    expect(a, ":1\r\n");
    say(a, "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nx\r\n");
    expect(a, ":2\r\n");
    tell("route A mute");
    say(a, PING);
    while (status_of('A', "swallowed") < 1)
        ;
    ck_assert(is_silent(a));
    const int other = dial('A');
    say(other, PING);
    expect(other, ":4\r\n");
}
END_TEST

START_TEST(a_route_leads_elsewhere)
{
    char command[CHAOS_LINE_MAX];
    const pid_t first = server;
    go(_i);
    const int a = dial('A');
    say(a, PING);
    expect(a, ":1\r\n");
    start_server("other");
    snprintf(command, sizeof command, "route A to unix:%s/other", folder);
    tell(command);
    expect_end(a);
    const int again = dial('A');
    say(again, PING);
    expect(again, ":1\r\n");
    pid_t pid = server;
    stop(&pid);
    expect_end(again);
    const int refused = try_connect('A'); /* nobody is behind it */
    if (refused >= 0)
        expect_end(refused);
    server = first;
}
END_TEST

static void read_record(char *text, size_t size)
{
    FILE *file = fopen(record_path, "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

/* "sent_ns":123 and the like become N, for times differ. */
static void blank_numbers(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        const bool time =
            from > text + 4 && strncmp(from - 5, "_ns\":", 5) == 0 && *from >= '0' && *from <= '9';
        if (time) {
            from += strspn(from, "0123456789");
            *to++ = 'N';
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
}

START_TEST(the_record_says_what_happened)
{
    static char text[8192];
    static const char expected[] =
        "{\"route\":\"A\",\"conn\":1,\"sent_ns\":N,\"answered_ns\":N,"
        "\"request\":[\"SET\",\"q\\\"\\\\\",\"\\u0001\\u00ff\\u00c3ä\"],\"reply\":1,"
        "\"delivered\":true}\n"
        "{\"route\":\"A\",\"conn\":1,\"sent_ns\":N,\"answered_ns\":N,\"request\":[\"PING\"],"
        "\"reply\":2,\"delivered\":true}\n"
        "{\"route\":\"A\",\"conn\":1,\"sent_ns\":N,\"answered_ns\":N,\"request\":[\"PING\"],"
        "\"reply\":3,\"delivered\":false}\n"
        "{\"route\":\"A\",\"conn\":2,\"sent_ns\":N,\"answered_ns\":N,\"request\":[\"PING\"],"
        "\"reply\":4,\"delivered\":false}\n"
        "{\"route\":\"A\",\"conn\":4,\"sent_ns\":N,\"answered_ns\":null,\"request\":[\"PING\"],"
        "\"reply\":null,\"delivered\":false}\n";
    go(_i);
    const int a = dial('A');
    say(a, "*3\r\n$3\r\nSET\r\n$3\r\nq\"\\\r\n$5\r\n\x01\xff\xc3\xc3\xa4\r\n");
    expect(a, ":1\r\n");
    tell("route A duplicate");
    say(a, PING);
    expect(a, ":2\r\n");
    while (status_of('A', "replies") < 3)
        ;
    const int b = dial('A');
    tell("route A drop reply");
    say(b, PING);
    while (status_of('A', "replies") < 4)
        ;
    const int c = dial('A');
    tell("route A drop request"); /* never sent, so not in the record */
    say(c, PING);
    while (status_of('A', "swallowed") < 2)
        ;
    kill(server, SIGSTOP);
    close(c);
    tell("route A heal");
    expect_end(b);
    const int d = dial('A');
    say(d, PING);
    while (status_of('A', "requests") < 4)
        ;
    tell("route A cut");
    expect_end(d);
    status_of('A', "open"); /* a turn later it is written */
    read_record(text, sizeof text);
    blank_numbers(text);
    ck_assert_str_eq(text, expected);
    kill(server, SIGCONT);
}
END_TEST

typedef struct mistake {
    const char *command, *words;
} mistake;

static const mistake mistakes[] = {
    {"", "say: route NAME COMMAND"},
    {"rout A cut", "say: route NAME COMMAND"},
    {"route A", "say: route NAME COMMAND"},
    {"route C cut", "no route 'C'; there are: B A"},
    {"route A explode", "'explode' is no command for a route; there are: heal latency"},
    {"route A latency", "say: route A latency T"},
    {"route A latency soon", "'soon' is no duration"},
    {"route A latency 5", "'5' is no duration"},
    {"route A latency -5ms", "'-5ms' is no duration"},
    {"route A latency 5ms 5ms sideways", "'sideways' is no direction"},
    {"route A stall sideways", "'sideways' is no direction"},
    {"route A drop it", "drop what?"},
    {"route A truncate -1", "'-1' is no number"},
    {"route A truncate 1x", "'1x' is no number"},
    {"route A to nowhere", "'nowhere' is no address"},
    {"route A to unix:here", "absolute path"},
    {"route A to tcp:127.0.0.1", "say tcp:HOST:PORT"},
    {"route A cut now", "say: route A cut"},
    {"route A status a b c d e f g h i", "say: route A status"},
};

START_TEST(mistakes_are_explained)
{
    go(_i);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        ck_assert(!chaos_ask(control, mistakes[i].command, answer, PATIENCE_MS));
        ck_assert_msg(strncmp(answer, "error: ", 7) == 0 && strstr(answer, mistakes[i].words),
                      "'%s': %s", mistakes[i].command, answer);
    }
    tell("routes");
    ck_assert_str_eq(answer, "ok B A");
    ck_assert(!chaos_ask("/nowhere", "routes", answer, PATIENCE_MS));
    ck_assert_ptr_nonnull(strstr(answer, "/nowhere: No such file"));
}
END_TEST

START_TEST(routes_that_cannot_be)
{
    const char *const wrong[][2] = {{"A", "NAME=ADDRESS>ADDRESS"},
                                    {"=unix:/a>unix:/b", "a name is"},
                                    {"A b=unix:/a>unix:/b", "a name is"},
                                    {"A=unix:/a", "NAME=ADDRESS>ADDRESS"},
                                    {"A=unix:/no/such/folder>unix:/b", "No such file"},
                                    {"A=tcp:127.0.0.1:x>unix:/b", "tcp:127.0.0.1:x"}};
    chaos *c = chaos_open(&(chaos_config){0}, answer);
    ck_assert_ptr_nonnull(c);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert(!chaos_add_route(c, wrong[i][0], answer));
        ck_assert_msg(strstr(answer, wrong[i][1]) != NULL, "%s: %s", wrong[i][0], answer);
    }
    ck_assert(chaos_add_route(c, "A=tcp:127.0.0.1:0>unix:/b", answer));
    ck_assert(!chaos_add_route(c, "A=tcp:127.0.0.1:0>unix:/b", answer));
    ck_assert_ptr_nonnull(strstr(answer, "already"));
    chaos_close(&c);
    ck_assert_ptr_null(chaos_open(&(chaos_config){.record = "/no/such/file"}, answer));
    ck_assert_ptr_nonnull(strstr(answer, "/no/such/file: No such file"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proxy");
    TCase *tests = tcase_create("faults");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, everything_passes, 0, 2);
    tcase_add_loop_test(tests, latency_delays_and_keeps_order, 0, 2);
    tcase_add_loop_test(tests, a_stall_holds_and_lets_go, 0, 2);
    tcase_add_loop_test(tests, a_cut_resets_and_refuses, 0, 2);
    tcase_add_loop_test(tests, half_open_swallows_one_direction, 0, 2);
    tcase_add_loop_test(tests, bytes_come_one_at_a_time, 0, 2);
    tcase_add_loop_test(tests, a_reply_is_truncated, 0, 2);
    tcase_add_loop_test(tests, a_request_is_sent_twice, 0, 2);
    tcase_add_loop_test(tests, a_message_is_dropped, 0, 2);
    tcase_add_loop_test(tests, what_is_published_is_muted, 0, 2);
    tcase_add_loop_test(tests, a_route_leads_elsewhere, 0, 2);
    tcase_add_loop_test(tests, the_record_says_what_happened, 0, 2);
    tcase_add_test(tests, mistakes_are_explained);
    tcase_add_test(tests, routes_that_cannot_be);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
