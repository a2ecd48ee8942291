/* How clients and leases end: what is given back, what counts, who may speak for a panel next. */
#include "client_world.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAY_NS (INT64_C(86400000) * MS)
#define HELD_FLEET 8 /* permit->held of a probe of the fleet */

static struct client_world world;
static struct client_world *const w = &world;
static const swg_fleet_config limits = {
    .size = sizeof limits, .revision = 1, .lease_ms = 900, .ramp_ms = 1000, .quarantine_ms = 500};

/* Two hosts that have opened, at a time of the clock, and then make no calls but the test's. */
static void start_open(int64_t now_ns, uint32_t probes)
{
    const swg_circuit_config circuit = {.size = sizeof circuit,
                                        .window_ms = 2000,
                                        .calls_min = 10,
                                        .recovery_ms = 1000,
                                        .recovery_ms_max = 4000,
                                        .probes = probes};

    client_world_start(w, 2, 7, &limits);
    for (int i = 0; i < 2; i++) {
        swg_circuit_configure(w->host[i].circuit, &circuit);
        w->host[i].next_call_ns = now_ns;
    }
    w->now_ns = now_ns;
    client_world_run(w, 500);
    w->healthy = false;
    for (int i = 0; i < 300 && client_world_view(w, 0).state != SWG_FLEET_OPEN; i++)
        client_world_run(w, 10);
    ck_assert_uint_eq(client_world_view(w, 0).state, SWG_FLEET_OPEN);
    for (int i = 0; i < 2; i++)
        w->host[i].next_call_ns = INT64_MAX;
    client_world_run(w, 200);
}

static swg_gate_reading gate_of(int host)
{
    swg_gate_reading reading;

    ck_assert_int_eq(swg_gate_read(w->host[host].circuit, w->now_ns, &reading), SWG_OK);
    return reading;
}

/* Calls on host 0 until its gate has permits: calls that were turned away ask for them. */
static void until_permits(void)
{
    swg_permit permit;

    for (int i = 0; i < 4000 && gate_of(0).permits == 0; i++) {
        ck_assert_int_ne(swg_acquire(w->host[0].circuit, &permit, w->now_ns), SWG_PERMITTED);
        client_world_run(w, STEP_MS);
    }
    ck_assert_uint_gt(gate_of(0).permits, 0);
}

static swg_permit probe(void)
{
    swg_permit permit;

    until_permits();
    ck_assert_int_eq(swg_acquire(w->host[0].circuit, &permit, w->now_ns), SWG_PERMITTED);
    ck_assert_uint_ne(permit.held & HELD_FLEET, 0);
    return permit;
}

static int leases(void)
{
    const struct swg_step_circuit *c = client_world_truth(w);
    int used = 0;

    for (int i = 0; i < SWG_STEP_LEASES; i++)
        used += c->lease[i].used;
    return used;
}

/* Without its client, host 0 takes no part in the world. */
static void stop_without_0(void)
{
    w->host[0].up = false;
    redisReaderFree(w->host[0].reader);
    swg_panel_close(&w->host[0].panel);
    w->host[0] = w->host[1];
    w->hosts = 1;
    client_world_stop(w);
}

/* At any uptime. */
START_TEST(a_client_that_closes_with_permits_locks_nobody_out)
{
    static const int days[] = {1, 100, 170, 180, 198, 400};
    swg_permit permit;

    start_open(days[_i] * DAY_NS, 3);
    until_permits();
    swg_fleet_close(&w->host[0].fleet);
    ck_assert_uint_eq(gate_of(0).mode, SWG_GATE_NONE);
    for (int day = 0; day < 60; day++) {
        const int64_t at = w->now_ns + 5000 * MS + day * DAY_NS;

        ck_assert_int_eq(swg_acquire(w->host[0].circuit, &permit, at), SWG_PERMITTED);
        swg_release(w->host[0].circuit, &permit, SWG_SUCCESS, at);
    }
    stop_without_0();
}
END_TEST

/* Probes that host 0's calls get until then. */
static int probes_until(int64_t until_ns)
{
    int probes = 0;

    for (; w->now_ns + STEP_MS * MS < until_ns; client_world_run(w, STEP_MS)) {
        swg_permit permit;

        if (swg_acquire(w->host[0].circuit, &permit, w->now_ns) == SWG_PERMITTED) {
            ck_assert_uint_ne(permit.held & HELD_FLEET, 0);
            probes++;
        }
    }
    return probes;
}

/* I1: its lease had ended, and another was granted in its place. */
START_TEST(a_probe_cancelled_too_late_is_not_taken_for_the_next)
{
    swg_permit late, next;

    start_open(DAY_NS, 1);
    late = probe();
    ck_assert_int_eq(probes_until(late.retry_ns), 0);
    next = probe();
    ck_assert_int_gt(w->now_ns, late.retry_ns);
    client_world_run(w, 60);
    swg_release(w->host[0].circuit, &late, SWG_CANCELLED, w->now_ns);
    ck_assert_int_eq(probes_until(next.retry_ns), 0);
    client_world_stop(w);
}
END_TEST

/* It comes in the last moment of its lease, and is looked at when that is over. */
START_TEST(a_result_at_the_end_of_its_lease_is_not_taken_for_anothers)
{
    swg_permit first, second;

    start_open(DAY_NS, 4); /* two at once for each host */
    first = probe();
    client_world_run(w, 400);
    second = probe();
    ck_assert_int_gt(second.retry_ns, first.retry_ns + 300 * MS);
    client_world_run(w, 200); /* what came with it goes back */
    ck_assert_int_eq(probes_until(first.retry_ns), 0);
    swg_release(w->host[0].circuit, &first, SWG_IGNORED, first.retry_ns - 1);
    ck_assert_int_eq(probes_until(second.retry_ns), 1); /* in place of the first */
    client_world_stop(w);
}
END_TEST

/* Told to stop in a half-open period: nothing is left for the fleet to count as lost. */
START_TEST(a_client_that_leaves_gives_back_and_tells)
{
    swg_permit permit;

    start_open(DAY_NS, 3);
    permit = probe();
    ck_assert_int_gt(leases(), 0);
    swg_release(w->host[0].circuit, &permit, SWG_IGNORED, w->now_ns);
    ck_assert(!swg_fleet_leave(w->host[0].fleet, w->now_ns));
    ck_assert_uint_eq(gate_of(0).permits, 0);
    for (int i = 0; i < 10 && !swg_fleet_leave(w->host[0].fleet, w->now_ns); i++) {
        swg_acquire(w->host[0].circuit, &permit, w->now_ns); /* turned away, and asks in vain */
        client_world_run(w, STEP_MS);
    }
    ck_assert(swg_fleet_leave(w->host[0].fleet, w->now_ns));
    ck_assert_int_eq(leases(), 0);
    ck_assert_int_eq(client_world_truth(w)->px, 0);
    client_world_run(w, 400);
    ck_assert_int_eq(client_world_truth(w)->px, 0);
    swg_fleet_close(&w->host[0].fleet);
    stop_without_0();
}
END_TEST

/* At any moment, also with a wish for permits on its way. */
START_TEST(a_client_that_leaves_has_no_wish_under_way)
{
    swg_permit permit;

    start_open(DAY_NS, 3);
    w->host[1].cut = true; /* or it would ask as well */
    client_world_break(w, 1);
    for (int i = 0; i < 150 + _i; i++) { /* the wait is over after a second and a bit */
        if (swg_acquire(w->host[0].circuit, &permit, w->now_ns) == SWG_PERMITTED)
            swg_release(w->host[0].circuit, &permit, SWG_CANCELLED, w->now_ns);
        client_world_run(w, STEP_MS);
    }
    for (int i = 0; i < 20 && !swg_fleet_leave(w->host[0].fleet, w->now_ns); i++)
        client_world_run(w, STEP_MS);
    client_world_run(w, 300);
    ck_assert_int_eq(leases(), 0);
    client_world_stop(w);
}
END_TEST

/* It was run to its end, and is run again. */
START_TEST(a_client_that_left_and_stays_asks_again)
{
    start_open(DAY_NS, 3);
    swg_fleet_leave(w->host[0].fleet, w->now_ns);
    w->healthy = true;
    w->host[0].next_call_ns = w->now_ns;
    client_world_run(w, 10000);
    ck_assert_uint_eq(client_world_view(w, 0).state, SWG_FLEET_CLOSED);
    client_world_stop(w);
}
END_TEST

/* Nobody listens: no wait is worth it. */
START_TEST(a_client_without_a_connection_leaves_at_once)
{
    start_open(DAY_NS, 3);
    until_permits();
    client_world_break(w, 0);
    ck_assert(swg_fleet_leave(w->host[0].fleet, w->now_ns));
    ck_assert(swg_fleet_leave(NULL, w->now_ns));
    client_world_stop(w);
}
END_TEST

/* ---- who speaks for the panel -------------------------------------------------------------- */

static swg_panel *panel;
static swg_circuit *circuit;
static int64_t now;

static void open_panel(void)
{
    char name[64];

    snprintf(name, sizeof name, "/swg-client-end-%d", (int)getpid());
    now = 1000000 * MS;
    ck_assert_int_eq(swg_panel_open(&panel, name, SWG_PANEL(.circuits = 4)), SWG_OK);
    ck_assert_int_eq(swg_panel_unlink(name), SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&circuit, panel, "db", NULL), SWG_OK);
}

static int try_open(swg_fleet **fleet)
{
    return swg_fleet_open(fleet, panel, SWG_FLEET(.shards = 1), 5, now);
}

START_TEST(a_panel_has_one_client)
{
    swg_fleet *one, *two;

    open_panel();
    ck_assert_int_eq(try_open(&one), SWG_OK);
    ck_assert_int_eq(try_open(&two), SWG_EBUSY);
    ck_assert_ptr_null(two);
    ck_assert_int_eq(swg_gate_owner(panel, now, NULL), getpid());
    swg_fleet_tick(one, now);
    now += 9000 * MS; /* ticked every second and more, it stays */
    swg_fleet_tick(one, now);
    now += 9000 * MS;
    ck_assert_int_eq(try_open(&two), SWG_EBUSY);
    swg_fleet_close(&one);
    ck_assert_int_eq(swg_gate_owner(panel, now, NULL), 0);
    ck_assert_int_eq(try_open(&two), SWG_OK);
    swg_fleet_close(&two);
    swg_panel_close(&panel);
}
END_TEST

/* One that hung and comes again does nothing: neither to the gates nor to the claim. */
START_TEST(a_client_that_was_replaced_is_done)
{
    swg_fleet_event event;
    swg_fleet *one, *two;
    const char *bytes;
    size_t count;

    open_panel();
    ck_assert_int_eq(try_open(&one), SWG_OK);
    now += (SWG_GATE_CLAIM_MS + 1) * MS;
    ck_assert_int_eq(try_open(&two), SWG_OK);
    ck_assert_int_eq(swg_fleet_connected(one, 0, now), SWG_OK);
    swg_fleet_output(one, 0, &bytes, &count);
    swg_fleet_sent(one, 0, count);
    ck_assert_int_eq(swg_fleet_tick(one, now), INT64_MAX);
    swg_fleet_output(one, 0, &bytes, &count);
    ck_assert_uint_eq(count, 0);
    ck_assert(swg_fleet_poll(one, &event));
    ck_assert_uint_eq(event.kind, SWG_FLEET_EVENT_REPLACED);
    ck_assert(!swg_fleet_poll(one, &event));
    ck_assert_int_eq(swg_fleet_feed(one, 0, "nonsense", 8, now), SWG_OK); /* heeds nothing */
    ck_assert_int_eq(swg_fleet_order(one, "db", SWG_FLEET_CLOSED, 0, "ann", "drill"), SWG_EBUSY);
    ck_assert(swg_fleet_leave(one, now));
    swg_fleet_close(&one);
    ck_assert_int_lt(swg_fleet_tick(two, now), INT64_MAX);
    ck_assert_int_eq(try_open(&one), SWG_EBUSY);
    swg_fleet_close(&two);
    swg_panel_close(&panel);
}
END_TEST

static int add(char *to, const char *text)
{
    return sprintf(to, "$%zu\r\n%s\r\n", strlen(text), text);
}

static int add_number(char *to, int64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, number);
    return add(to, text);
}

/* Redis says: "db" is half-open, and grants two permits. */
static void grant_two(swg_fleet *fleet, int64_t seq)
{
    static const char run_id[] = "abc4567890123456789012345678901234567890";
    const int64_t header[] = {50000, 1, 0, 0}, grant[] = {4096, seq, 2, 900000, 0, 0};
    const int64_t view[] = {4096, SWG_FLEET_HALF_OPEN, 0, -1, 0, SWG_CAUSE_WAIT_OVER};
    char reply[1024], *at = reply;

    at += sprintf(at, "*9\r\n");
    at += add_number(at, INT64_C(1790000000000000));
    at += add(at, run_id);
    for (int i = 0; i < 4; i++)
        at += add_number(at, header[i]);
    at += sprintf(at, "*1\r\n*7\r\n");
    at += add(at, "db");
    for (int i = 0; i < 6; i++)
        at += add_number(at, grant[i]);
    at += sprintf(at, "*1\r\n*8\r\n");
    at += add(at, "db");
    for (int i = 0; i < 6; i++)
        at += add_number(at, view[i]);
    at += add(at, "1|9|8|0|2|0|2");
    at += sprintf(at, "*0\r\n");
    ck_assert_int_eq(swg_fleet_feed(fleet, 0, reply, (size_t)(at - reply), now), SWG_OK);
}

/* A child that closes what it inherited frees its memory and harms nobody. */
START_TEST(after_a_fork_the_client_is_the_parents)
{
    swg_gate_reading reading;
    swg_fleet *fleet;
    int status;
    pid_t child;

    open_panel();
    ck_assert_int_eq(try_open(&fleet), SWG_OK);
    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
    now += 100 * MS;
    swg_fleet_tick(fleet, now);
    grant_two(fleet, (now - 100 * MS) / 1000 + 1);
    child = fork();
    if (child == 0) {
        swg_fleet *another;
        const bool refused = try_open(&another) == SWG_EBUSY;

        swg_fleet_close(&fleet);
        _exit(!refused);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(swg_gate_owner(panel, now, NULL), getpid());
    ck_assert_int_lt(swg_fleet_tick(fleet, now), INT64_MAX);
    swg_gate_read(circuit, now, &reading);
    ck_assert_uint_eq(reading.permits, 2);
    swg_fleet_close(&fleet);
    swg_gate_read(circuit, now, &reading);
    ck_assert_uint_eq(reading.mode, SWG_GATE_NONE);
    swg_panel_close(&panel);
}
END_TEST

START_TEST(a_client_that_died_is_followed_at_once)
{
    swg_fleet *fleet;
    int status;
    pid_t child;

    open_panel();
    child = fork();
    if (child == 0)
        _exit(try_open(&fleet) != SWG_OK);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(try_open(&fleet), SWG_OK);
    swg_fleet_close(&fleet);
    swg_panel_close(&panel);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fleet client, endings");
    TCase *t = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, a_client_that_closes_with_permits_locks_nobody_out, 0, 6);
    tcase_add_test(t, a_probe_cancelled_too_late_is_not_taken_for_the_next);
    tcase_add_test(t, a_result_at_the_end_of_its_lease_is_not_taken_for_anothers);
    tcase_add_test(t, a_client_that_leaves_gives_back_and_tells);
    tcase_add_loop_test(t, a_client_that_leaves_has_no_wish_under_way, 0, 60);
    tcase_add_test(t, a_client_that_left_and_stays_asks_again);
    tcase_add_test(t, a_client_without_a_connection_leaves_at_once);
    tcase_add_test(t, a_panel_has_one_client);
    tcase_add_test(t, a_client_that_was_replaced_is_done);
    tcase_add_test(t, after_a_fork_the_client_is_the_parents);
    tcase_add_test(t, a_client_that_died_is_followed_at_once);
    suite_add_tcase(s, t);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
