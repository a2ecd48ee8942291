/* The fleet's failure matrix on real processes: docs/design/faults.md has a line for each row here.
 *
 *     faults_matrix [GROUP|WORDS]...    rows of a group, or with these words; all
 *     SWG_FAULTS_RECORD=DIR             keeps the records
 *     SWG_FLEET_CHECK=PROGRAM           is run on each; a row fails if it finds fault */
#include "stage.h"

#include <stdlib.h>
#include <string.h>

static const fault_row *const groups[] = {host_rows,     network_rows,   redis_rows,
                                          failover_rows, partition_rows, campaign_rows};

enum { GROUPS = sizeof groups / sizeof *groups, ROWS_MAX = 64 };

static const fault_row *row_of(int number)
{
    return &groups[number / ROWS_MAX][number % ROWS_MAX];
}

START_TEST(row)
{
    row_of(_i)->run();
}
END_TEST

static bool is_wanted(const fault_row *r, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], r->group) == 0 || strstr(r->row, argv[i]))
            return true;
    return argc == 1;
}

static int add_rows(Suite *suite, int argc, char **argv)
{
    int count = 0;
    for (int i = 0; i < GROUPS * ROWS_MAX; i++) {
        const fault_row *r = row_of(i);
        if (!r->row) {
            i = (i / ROWS_MAX + 1) * ROWS_MAX - 1;
            continue;
        }
        if (!is_wanted(r, argc, argv))
            continue;
        count++;
        if (r->elsewhere) {
            printf("%s: see %s\n", r->row, r->elsewhere);
            continue;
        }
        TCase *test = tcase_create(r->row);
        tcase_set_timeout(test, getenv("SWG_LONG") ? 600 : 120);
        tcase_add_loop_test(test, row, i, i + 1);
        suite_add_tcase(suite, test);
    }
    return count;
}

int main(int argc, char **argv)
{
    Suite *suite = suite_create("faults");
    if (add_rows(suite, argc, argv) == 0) {
        fprintf(stderr, "no such row or group; groups: hosts, network, redis, failover, "
                        "partition, campaign\n");
        return 2;
    }
    SRunner *runner = srunner_create(suite);
    partition_prepare();
    srunner_run_all(runner, CK_VERBOSE);
    const int failed = srunner_ntests_failed(runner);
    partition_clean();
    srunner_free(runner);
    return failed != 0;
}
