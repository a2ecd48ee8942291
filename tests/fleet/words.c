/* A client in trouble that may say little: what it still finds the words for. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <switchgear/fleet.h>
#include <switchgear/switchgear.h>

#define MS INT64_C(1000000)

enum { SICK = 100, WINDOW_MS = 10000 };

/* Ten thousand report: there are twenty entries a second for each. */
static const char reply[] =
    "*9\r\n$16\r\n1790000000000000\r\n$40\r\nabc4567890123456789012345678901234567890\r\n"
    "$5\r\n50000\r\n$5\r\n10000\r\n$1\r\n0\r\n$1\r\n0\r\n*0\r\n*0\r\n*0\r\n";

static swg_panel *panel;
static swg_circuit *sick[SICK], *well;
static swg_fleet *fleet;
static int64_t now = 1000000 * MS;

static void begin(void)
{
    char name[16];

    ck_assert_int_eq(swg_panel_open(&panel, NULL, SWG_PANEL(.circuits = SICK + 1)), SWG_OK);
    for (int i = 0; i <= SICK; i++) {
        snprintf(name, sizeof name, i < SICK ? "sick%d" : "well", i);
        ck_assert_int_eq(swg_circuit_open(i < SICK ? &sick[i] : &well, panel, name,
                                          SWG_CIRCUIT(.window_ms = WINDOW_MS, .failure_pct = 90)),
                         SWG_OK);
    }
    ck_assert_int_eq(swg_fleet_open(&fleet, panel, SWG_FLEET(.reporter = 1, .shards = 1), 5, now),
                     SWG_OK);
    ck_assert_int_eq(swg_fleet_connected(fleet, 0, now), SWG_OK);
}

static void end(void)
{
    swg_fleet_close(&fleet);
    swg_panel_close(&panel);
}

static void call(swg_circuit *circuit, swg_outcome outcome)
{
    swg_permit permit;

    ck_assert_int_eq(swg_acquire(circuit, &permit, now), SWG_PERMITTED);
    swg_release(circuit, &permit, outcome, now);
}

/* True: the word was in an exchange. */
static bool exchange(const char *word)
{
    const char *bytes;
    size_t count;
    bool found;

    swg_fleet_tick(fleet, now);
    swg_fleet_output(fleet, 0, &bytes, &count);
    found = count > 0 && memmem(bytes, count, word, strlen(word));
    swg_fleet_sent(fleet, 0, count);
    if (count > 0)
        ck_assert_int_eq(swg_fleet_feed(fleet, 0, reply, sizeof reply - 1, now), SWG_OK);
    return found;
}

/* Half of its calls fail in each of a hundred circuits, and each time that is news. A record lives
 * for a window: without that of the host that is well, the few that are not would be all there are.
 */
START_TEST(what_is_well_is_said_before_it_lapses)
{
    int64_t told = now;

    for (int turn = 0; turn < 6 * WINDOW_MS / 50; turn++, now += 50 * MS) {
        for (int i = 0; i < SICK; i++)
            call(sick[i], (turn + i) % 2 ? SWG_FAILURE : SWG_SUCCESS);
        call(well, SWG_SUCCESS);
        if (exchange(":b:well\r\n"))
            told = now;
        ck_assert_msg(now - told < WINDOW_MS * MS, "not within a window, turn %d", turn);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet words");
    TCase *words = tcase_create("words");

    tcase_add_checked_fixture(words, begin, end);
    tcase_add_test(words, what_is_well_is_said_before_it_lapses);
    suite_add_tcase(suite, words);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
