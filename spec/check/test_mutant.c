/* The invariants do not rest on the step function: built with one rule of it broken, recordings
 * made by it agree with it, and are refused all the same. MUTANT says which rule. */
#include "checker.h"
#include "mutant.h"
#include "crowd.h"
#include "verdict.h"

#include <check.h>
#include <stdlib.h>

static const char *const broken[] = {
    [MUTANT_QUORUM] = "I10", [MUTANT_GRANTS] = "I1", [MUTANT_NEED] = "I4",
    [MUTANT_LATE] = "I13",   [MUTANT_DUE] = "I12",   [MUTANT_HOLD_OFF] = "I1"};

static bool found(uint64_t seed)
{
    struct crowd crowd;
    struct report report = {0};
    bool named;

    crowd_open(&crowd, seed);
    crowd.clients = 6;
    for (int i = 0; i < 12; i++) {
        crowd_run(&crowd, 250);
        if (MUTANT == MUTANT_HOLD_OFF)
            crowd_fail_over(&crowd, 1 + (long)crowd_below(&crowd, 30));
    }
    crowd_sort(&crowd);
    judge(crowd.lines, MUTANT == MUTANT_HOLD_OFF ? ALLOW_ROLLBACK : 0, &report);
    named = report_has(&report, VIOLATION, broken[MUTANT]);
    ck_assert(!report_has(&report, VIOLATION, "reply"));
    report_free(&report);
    crowd_close(&crowd);
    return named;
}

/* Not every run leads to where the rule matters. */
START_TEST(a_broken_rule_is_named)
{
    uint64_t seed = 1;

    while (seed < 40 && !found(seed))
        seed++;
    ck_assert_msg(seed < 40, "no violation of %s", broken[MUTANT]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fleet_check_mutant");
    TCase *t = tcase_create("mutant");
    SRunner *runner;
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_broken_rule_is_named);
    suite_add_tcase(s, t);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
