/* The proxy with faults, each fault seen from the client's side: over UNIX sockets and over TCP. */
#include "peer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <switchgear/types.h>
#include <sys/socket.h>
#include <unistd.h>

START_TEST(everything_passes)
{
    static char big[200000], head[64];
    peer_go(_i);
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
    peer_go(_i);
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
    peer_go(_i);
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
    await_count('A', "requests", 3);
    say(b, PING);
    expect(b, ":5\r\n"); /* the fourth was answered, and the peer.answer is held */
    ck_assert(is_silent(a));
    tell("route A heal");
    expect(a, ":4\r\n");
}
END_TEST

START_TEST(a_cut_resets_and_refuses)
{
    peer_go(_i);
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
    peer_go(_i);
    const int a = dial('A'), b = dial('B');
    tell("route A half-open");
    say(a, PING);
    await_count('A', "swallowed", 1);
    say(b, PING);
    expect(b, ":2\r\n"); /* it ran */
    ck_assert(is_silent(a));
    tell("route A heal");
    expect_end(a);
    const int other = dial('A');
    tell("route A half-open up");
    say(other, PING);
    await_count('A', "swallowed", 2);
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
    peer_go(_i);
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
    peer_go(_i);
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
    peer_go(_i);
    const int a = dial('A');
    tell("route A duplicate");
    say(a, PING PING);
    expect(a, ":1\r\n:3\r\n");
    tell("route A duplicate 50ms");
    say(a, PING PING);
    expect(a, ":4\r\n:5\r\n");
    await_count('A', "replies", 6);
    say(a, PING);
    expect(a, ":7\r\n");
}
END_TEST

START_TEST(a_message_is_dropped)
{
    peer_go(_i);
    const int a = dial('A'), b = dial('B');
    tell("route A drop request");
    ck_assert_uint_eq(status_of('A', "waiting"), 1);
    say(a, PING PING);
    await_count('A', "swallowed", 2);
    say(b, PING);
    expect(b, ":1\r\n");
    ck_assert_uint_eq(status_of('A', "waiting"), 0);
    close(a);
    const int again = dial('A');
    tell("route A drop reply");
    say(again, PING);
    await_count('A', "replies", 1);
    ck_assert(is_silent(again));
    const int third = dial('A'); /* only the one connection is hit */
    say(third, PING);
    expect(third, ":3\r\n");
}
END_TEST

START_TEST(what_is_published_is_muted)
{
    peer_go(_i);
    const int a = dial('A');
    say(a, PING);
    expect(a, ":1\r\n");
    say(a, "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nx\r\n");
    expect(a, ":2\r\n");
    tell("route A mute");
    say(a, PING);
    await_count('A', "swallowed", 1);
    ck_assert(is_silent(a));
    const int other = dial('A');
    say(other, PING);
    expect(other, ":4\r\n");
}
END_TEST

START_TEST(a_route_leads_elsewhere)
{
    char command[CHAOS_LINE_MAX];
    const pid_t first = peer.server;
    peer_go(_i);
    const int a = dial('A');
    say(a, PING);
    expect(a, ":1\r\n");
    peer_serve("other");
    snprintf(command, sizeof command, "route A to unix:%s/other", peer.folder);
    tell(command);
    expect_end(a);
    const int again = dial('A');
    say(again, PING);
    expect(again, ":1\r\n");
    pid_t pid = peer.server;
    peer_stop(&pid);
    expect_end(again);
    const int refused = try_connect('A'); /* nobody is behind it */
    if (refused >= 0)
        expect_end(refused);
    peer.server = first;
}
END_TEST

static void read_record(char *text, size_t size)
{
    FILE *file = fopen(peer.record, "r");
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
    peer_go(_i);
    const int a = dial('A');
    say(a, "*3\r\n$3\r\nSET\r\n$3\r\nq\"\\\r\n$5\r\n\x01\xff\xc3\xc3\xa4\r\n");
    expect(a, ":1\r\n");
    tell("route A duplicate");
    say(a, PING);
    expect(a, ":2\r\n");
    await_count('A', "replies", 3);
    const int b = dial('A');
    tell("route A drop reply");
    say(b, PING);
    await_count('A', "replies", 4);
    const int c = dial('A');
    tell("route A drop request"); /* never sent, so not in the record */
    say(c, PING);
    await_count('A', "swallowed", 2);
    kill(peer.server, SIGSTOP);
    close(c);
    tell("route A heal");
    expect_end(b);
    const int d = dial('A');
    say(d, PING);
    await_count('A', "requests", 4);
    tell("route A cut");
    expect_end(d);
    status_of('A', "open"); /* a turn later it is written */
    read_record(text, sizeof text);
    blank_numbers(text);
    ck_assert_str_eq(text, expected);
    kill(peer.server, SIGCONT);
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
    peer_go(_i);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        ck_assert(!chaos_ask(peer.control, mistakes[i].command, peer.answer, PATIENCE_MS));
        ck_assert_msg(strncmp(peer.answer, "error: ", 7) == 0 &&
                          strstr(peer.answer, mistakes[i].words),
                      "'%s': %s", mistakes[i].command, peer.answer);
    }
    tell("routes");
    ck_assert_str_eq(peer.answer, "ok B A");
    ck_assert(!chaos_ask("/nowhere", "routes", peer.answer, PATIENCE_MS));
    ck_assert_ptr_nonnull(strstr(peer.answer, "/nowhere: No such file"));
}
END_TEST

START_TEST(routes_that_cannot_be)
{
    const char *const wrong[][2] = {{"A", "NAME=ADDRESS>ADDRESS"},
                                    {"=unix:/a>unix:/b", "a name is"},
                                    {"A b=unix:/a>unix:/b", "a name is"},
                                    {"A=unix:/a", "NAME=ADDRESS>ADDRESS"},
                                    {"A=unix:/no/such/peer.folder>unix:/b", "No such file"},
                                    {"A=tcp:127.0.0.1:x>unix:/b", "tcp:127.0.0.1:x"}};
    chaos *c = chaos_open(&(chaos_config){0}, peer.answer);
    ck_assert_ptr_nonnull(c);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert(!chaos_add_route(c, wrong[i][0], peer.answer));
        ck_assert_msg(strstr(peer.answer, wrong[i][1]) != NULL, "%s: %s", wrong[i][0], peer.answer);
    }
    ck_assert(chaos_add_route(c, "A=tcp:127.0.0.1:0>unix:/b", peer.answer));
    ck_assert(!chaos_add_route(c, "A=tcp:127.0.0.1:0>unix:/b", peer.answer));
    ck_assert_ptr_nonnull(strstr(peer.answer, "already"));
    chaos_close(&c);
    ck_assert_ptr_null(chaos_open(&(chaos_config){.record = "/no/such/file"}, peer.answer));
    ck_assert_ptr_nonnull(strstr(peer.answer, "/no/such/file: No such file"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proxy");
    TCase *tests = tcase_create("faults");
    tcase_add_checked_fixture(tests, peer_begin, peer_end);
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
