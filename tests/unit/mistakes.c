/* Wrong use and bad input: each gets a clear answer, the rest goes on. */
#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchgear/switchgear.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *why(const swg_circuit_config *config, const char *expected_field)
{
    const char *field = NULL;
    const char *reason = NULL;
    ck_assert_int_eq(swg_config_check(config, &field, &reason), SWG_EINVAL);
    ck_assert_str_eq(field, expected_field);
    ck_assert_int_gt((int)strlen(reason), 5);
    return reason;
}

START_TEST(a_configuration_out_of_range_names_field_and_reason)
{
    why(SWG_CIRCUIT(.failure_pct = 101), "failure_pct");
    why(SWG_CIRCUIT(.window_ms = 9), "window_ms");
    why(SWG_CIRCUIT(.window_ms = 3600001), "window_ms");
    why(SWG_CIRCUIT(.window_calls = 1001), "window_calls");
    why(SWG_CIRCUIT(.window_calls = 10, .window_ms = 1000), "window_calls");
    why(SWG_CIRCUIT(.window_calls = 10, .calls_min = 11), "calls_min");
    why(SWG_CIRCUIT(.calls_min = SWG_NONE), "calls_min");
    why(SWG_CIRCUIT(.probes = 17), "probes");
    why(SWG_CIRCUIT(.recovery_ms = 100, .recovery_ms_max = 99), "recovery_ms_max");
    why(SWG_CIRCUIT(.rate_burst = 5), "rate_burst");
    why(SWG_CIRCUIT(.rate_per_s = 1000001), "rate_per_s");
    why(&(swg_circuit_config){.size = 0}, "size");
    why(NULL, "config");
    ck_assert_int_eq(swg_config_check(SWG_CIRCUIT(.failure_pct = 50), NULL, NULL), SWG_OK);
    ck_assert_int_eq(swg_config_check(SWG_CIRCUIT(.failure_pct = 101), NULL, NULL), SWG_EINVAL);
}
END_TEST

START_TEST(profiles_are_valid)
{
    ck_assert_int_eq(swg_config_check(&swg_profile_http, NULL, NULL), SWG_OK);
    ck_assert_int_eq(swg_config_check(&swg_profile_database, NULL, NULL), SWG_OK);
    ck_assert_int_eq(swg_config_check(&swg_profile_classic, NULL, NULL), SWG_OK);
}
END_TEST

START_TEST(older_and_newer_structs)
{
    struct {
        swg_circuit_config config;
        uint32_t unknown;
    } newer = {.config = {.size = sizeof(newer)}};
    ck_assert_int_eq(swg_config_check(&newer.config, NULL, NULL), SWG_OK);
    newer.unknown = 1;
    ck_assert_int_eq(swg_config_check(&newer.config, NULL, NULL), SWG_ENEWER);
    swg_circuit_config older = {.size = 2 * sizeof(uint32_t), .window_ms = 500, .probes = 99};
    ck_assert_int_eq(swg_config_check(&older, NULL, NULL), SWG_OK); /* probes is past its end */
    older.window_ms = 1;
    ck_assert_int_eq(swg_config_check(&older, NULL, NULL), SWG_EINVAL);
}
END_TEST

START_TEST(text_to_configuration)
{
    swg_circuit_config c = {.size = sizeof(c)};
    const struct {
        const char *key, *value;
        int result;
        uint32_t *field, expected;
    } rows[] = {
        {"failure_pct", "50", SWG_OK, &c.failure_pct, 50},
        {"failure_pct", "51%", SWG_OK, &c.failure_pct, 51},
        {"failure_pct", "0", SWG_EINVAL, &c.failure_pct, 51},
        {"failure_pct", "101", SWG_EINVAL, &c.failure_pct, 51},
        {"failure_pct", "", SWG_EINVAL, &c.failure_pct, 51},
        {"failure_pct", "5x", SWG_EINVAL, &c.failure_pct, 51},
        {"failure_pct", "-5", SWG_EINVAL, &c.failure_pct, 51},
        {"failure_pct", "99999999999999999999", SWG_EINVAL, &c.failure_pct, 51},
        {"failure_pct", "none", SWG_OK, &c.failure_pct, SWG_NONE},
        {"failure_pct", "default", SWG_OK, &c.failure_pct, 0},
        {"window", "10s", SWG_OK, &c.window_ms, 10000},
        {"window", "250ms", SWG_OK, &c.window_ms, 250},
        {"window", "2m", SWG_OK, &c.window_ms, 120000},
        {"window", "10", SWG_EINVAL, &c.window_ms, 120000}, /* of what? */
        {"window_ms", "700", SWG_OK, &c.window_ms, 700},
        {"window_ms", "2h", SWG_EINVAL, &c.window_ms, 700},
        {"recovery_max", "1h", SWG_OK, &c.recovery_ms_max, 3600000},
        {"recovery", "3s", SWG_OK, &c.recovery_ms, 3000},
        {"calls_min", "none", SWG_EINVAL, &c.calls_min, 0},
        {"calls", "5", SWG_ENOENT, &c.calls_min, 0},
        {"size", "5", SWG_ENOENT, &c.size, sizeof(c)},
        {"", "5", SWG_ENOENT, &c.size, sizeof(c)},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const int result = swg_config_set(&c, rows[i].key, rows[i].value);
        ck_assert_msg(result == rows[i].result && *rows[i].field == rows[i].expected,
                      "%s = %s: %d, now %u", rows[i].key, rows[i].value, result, *rows[i].field);
    }
    ck_assert_int_eq(swg_config_set(NULL, "probes", "1"), SWG_EINVAL);
    ck_assert_int_eq(swg_config_set(&c, NULL, "1"), SWG_EINVAL);
}
END_TEST

START_TEST(names)
{
    swg_panel *panel;
    swg_circuit *circuit;
    char longest[SWG_NAME_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    longest[SWG_NAME_MAX] = '\0';
    ck_assert_int_eq(swg_panel_open(&panel, NULL, NULL), SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&circuit, panel, longest, NULL), SWG_OK);
    ck_assert_str_eq(swg_circuit_name(circuit), longest);
    longest[SWG_NAME_MAX] = 'x';
    longest[SWG_NAME_MAX + 1] = '\0';
    const char *const bad[] = {longest, "", "a b", "a\n", "caf\xc3\xa9", "a\"b", "{x}", NULL};
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(swg_circuit_open(&circuit, panel, bad[i], NULL), SWG_EINVAL);
        ck_assert_ptr_null(circuit);
    }
    ck_assert_int_eq(swg_circuit_open(&circuit, panel, "Pay_1.a:b/c-d", NULL), SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&circuit, NULL, "a", NULL), SWG_EINVAL);
    ck_assert_int_eq(swg_circuit_open(NULL, panel, "a", NULL), SWG_EINVAL);
    ck_assert_int_eq(swg_circuit_find(&circuit, panel, "nobody"), SWG_ENOENT);
    swg_panel_close(&panel);
    swg_panel_close(&panel);
    swg_panel_close(NULL);
}
END_TEST

START_TEST(a_full_panel_and_another_configuration)
{
    swg_panel *panel;
    swg_circuit *one;
    swg_circuit *two;
    swg_snapshot s;
    ck_assert_int_eq(swg_panel_open(&panel, NULL, SWG_PANEL(.circuits = 2)), SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&one, panel, "one", SWG_CIRCUIT(.probes = 5)), SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&two, panel, "two", NULL), SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&two, panel, "three", NULL), SWG_EFULL);
    ck_assert_int_eq(swg_circuit_open(&two, panel, "one", SWG_CIRCUIT(.probes = 5)), SWG_OK);
    ck_assert_ptr_eq(one, two);
    ck_assert_int_eq(swg_circuit_open(&two, panel, "one", NULL), SWG_OK);
    ck_assert_int_eq(swg_circuit_open(&two, panel, "one", SWG_CIRCUIT(.probes = 6)), SWG_DIFFERS);
    ck_assert_ptr_eq(one, two);
    swg_circuit_read(one, 0, &s);
    ck_assert_uint_eq(s.config.probes, 5);
    ck_assert_uint_eq(s.config_conflicts, 1);
    ck_assert_str_eq(swg_circuit_name(swg_circuit_next(panel, NULL)), "one");
    ck_assert_ptr_null(swg_circuit_next(panel, swg_circuit_next(panel, one)));
    swg_panel_close(&panel);
}
END_TEST

START_TEST(a_thousand_names_are_found_again)
{
    swg_panel *panel;
    swg_circuit *circuit;
    char name[16];
    ck_assert_int_eq(swg_panel_open(&panel, NULL, SWG_PANEL(.circuits = 1000)), SWG_OK);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(name, sizeof(name), "c%d", i * 7919);
            ck_assert_int_eq(swg_circuit_open(&circuit, panel, name, NULL), SWG_OK);
            ck_assert_str_eq(swg_circuit_name(circuit), name);
        }
    }
    swg_panel_close(&panel);
}
END_TEST

START_TEST(blocks_that_are_none)
{
    const swg_panel_config small = {
        .size = sizeof(small), .circuits = 2, .processes = 2, .journal = 16};
    const size_t bytes = swg_panel_bytes(&small);
    char *memory = aligned_alloc(64, (bytes + 127) / 64 * 64);
    swg_panel *panel;
    memset(memory, 0, bytes);
    ck_assert_int_eq(swg_panel_attach(&panel, memory, bytes), SWG_EMAGIC);
    ck_assert_int_eq(swg_panel_format(memory, bytes - 1, &small), SWG_EINVAL);
    ck_assert_int_eq(swg_panel_format(memory + 1, bytes, &small), SWG_EINVAL);
    ck_assert_int_eq(swg_panel_format(memory, bytes, &small), SWG_OK);
    ck_assert_int_eq(swg_panel_attach(&panel, memory, bytes - 1), SWG_EMAGIC);
    ck_assert_int_eq(swg_panel_attach(&panel, memory, 0), SWG_EMAGIC);
    ck_assert_int_eq(swg_panel_attach(&panel, memory + 8, bytes), SWG_EINVAL);
    ck_assert_int_eq(swg_panel_attach(&panel, NULL, bytes), SWG_EINVAL);
    memory[8] ^= 1; /* the signature */
    ck_assert_int_eq(swg_panel_attach(&panel, memory, bytes), SWG_ELAYOUT);
    memory[8] ^= 1;
    memory[24] ^= 1; /* the number of circuits */
    ck_assert_int_eq(swg_panel_attach(&panel, memory, bytes), SWG_EMAGIC);
    memory[24] ^= 1;
    swg_panel *handles[3];
    ck_assert_int_eq(swg_panel_attach(&handles[0], memory, bytes), SWG_OK);
    ck_assert_int_eq(swg_panel_attach(&handles[1], memory, bytes), SWG_OK);
    ck_assert_int_eq(swg_panel_attach(&handles[2], memory, bytes),
                     SWG_EFULL); /* two process rows */
    swg_panel_close(&handles[0]);
    ck_assert_int_eq(swg_panel_attach(&handles[2], memory, bytes), SWG_OK);
    swg_panel_close(&handles[1]);
    swg_panel_close(&handles[2]);
    free(memory);
    ck_assert_uint_eq(swg_panel_bytes(SWG_PANEL(.circuits = 1000001)), 0);
    ck_assert_int_eq(swg_panel_open(&panel, NULL, SWG_PANEL(.processes = 4096)), SWG_EINVAL);
    ck_assert_int_eq(swg_panel_open(NULL, NULL, NULL), SWG_EINVAL);
}
END_TEST

static void write_file(const char *path, const void *bytes, size_t count, mode_t mode)
{
    const int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, bytes, count), (ssize_t)count);
    ck_assert_int_eq(fchmod(file, mode), 0);
    close(file);
}

START_TEST(shared_panels_not_to_be_trusted)
{
    char name[64];
    char path[128];
    char junk[4096] = {0};
    swg_panel *panel;
    snprintf(name, sizeof(name), "/swg-mistakes-%d", (int)getpid());
    snprintf(path, sizeof(path), "/dev/shm%s", name);

    write_file(path, junk, sizeof(junk), 0600);
    ck_assert_int_eq(swg_panel_open(&panel, name, NULL), SWG_EMAGIC);
    write_file(path, junk, 10, 0600);
    ck_assert_int_eq(swg_panel_open(&panel, name, NULL), SWG_EMAGIC);
    write_file(path, junk, sizeof(junk), 0602);
    ck_assert_int_eq(swg_panel_open(&panel, name, NULL), SWG_EACCESS);
    unlink(path);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_eq(swg_panel_open(&panel, name, NULL), SWG_EACCESS);
    unlink(path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(swg_panel_open(&panel, name, NULL), SWG_EACCESS);
    rmdir(path);
    if (geteuid() == 0) { /* somebody else's */
        write_file(path, junk, sizeof(junk), 0600);
        ck_assert_int_eq(chown(path, 65534, 65534), 0);
        ck_assert_int_eq(swg_panel_open(&panel, name, NULL), SWG_EACCESS);
        unlink(path);
    }
    const char *const bad[] = {"name", "/", "", "/a/b", "/..", "/."};
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(swg_panel_open(&panel, bad[i], NULL), SWG_EINVAL);
        ck_assert_int_eq(swg_panel_unlink(bad[i]), SWG_EINVAL);
    }
    ck_assert_int_eq(swg_panel_unlink(name), SWG_ENOENT);
    ck_assert_int_eq(swg_panel_open(&panel, name, SWG_PANEL(.circuits = 4)), SWG_OK);
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    swg_panel *other;
    ck_assert_int_eq(swg_panel_open(&other, name, SWG_PANEL(.circuits = 5)), SWG_DIFFERS);
    swg_panel_close(&panel);
    swg_panel_close(&other);
    ck_assert_int_eq(truncate(path, 1000), 0);
    swg_panel *third;
    ck_assert_int_eq(swg_panel_open(&third, name, NULL), SWG_EMAGIC);
    ck_assert_int_eq(swg_panel_unlink(name), SWG_OK);
}
END_TEST

/* Opens a panel as another user, in a group or not; the result. */
static int open_as(const char *name, gid_t group, uint32_t access)
{
    const pid_t pid = fork();
    if (pid == 0) {
        swg_panel *panel;
        if (setgroups(0, NULL) != 0 || setgid(group) != 0 || setuid(65534) != 0) {
            _exit(100);
        }
        _exit(-swg_panel_open(&panel, name, SWG_PANEL(.circuits = 4, .access = access)));
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -100;
}

START_TEST(the_group_gets_in_where_it_was_asked_for)
{
    swg_panel *panel;
    char name[64];
    if (geteuid() != 0) {
        return; /* needs root to be somebody else */
    }
    snprintf(name, sizeof(name), "/swg-group-%d", (int)getpid());
    ck_assert_int_eq(setegid(12345), 0);
    ck_assert_int_eq(
        swg_panel_open(&panel, name, SWG_PANEL(.circuits = 4, .access = SWG_ACCESS_GROUP)), SWG_OK);
    ck_assert_int_eq(setegid(0), 0);
    ck_assert_int_eq(open_as(name, 12345, SWG_ACCESS_GROUP), SWG_OK);
    ck_assert_int_eq(open_as(name, 12345, SWG_ACCESS_OWNER), SWG_EACCESS);
    ck_assert_int_eq(open_as(name, 54321, SWG_ACCESS_GROUP), SWG_EACCESS);
    swg_panel_close(&panel);
    ck_assert_int_eq(swg_panel_unlink(name), SWG_OK);
}
END_TEST

START_TEST(a_forked_child_is_a_process_of_its_own)
{
    swg_panel *panel;
    swg_circuit *circuit;
    swg_snapshot s;
    char name[64];
    snprintf(name, sizeof(name), "/swg-fork-%d", (int)getpid());
    ck_assert_int_eq(swg_panel_open(&panel, name, SWG_PANEL(.processes = 4)), SWG_OK);
    swg_panel_unlink(name);
    ck_assert_int_eq(swg_circuit_open(&circuit, panel, "c", SWG_CIRCUIT(.inflight_max = 9)),
                     SWG_OK);
    swg_permit mine;
    swg_acquire(circuit, &mine, 1000);
    const pid_t pid = fork();
    if (pid == 0) {
        swg_permit permit;
        swg_acquire(circuit, &permit, 1000);
        _exit(permit.owner != mine.owner && permit.owner != 0 ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    swg_circuit_read(circuit, 1000, &s);
    ck_assert_uint_eq(s.inflight, 2);
    ck_assert_int_eq(swg_panel_reap(panel, 1000), 1);
    swg_circuit_read(circuit, 1000, &s);
    ck_assert_uint_eq(s.inflight, 1); /* the child's came back, ours did not */
    swg_release(circuit, &mine, SWG_SUCCESS, 1000);
    swg_circuit_read(circuit, 1000, &s);
    ck_assert_uint_eq(s.inflight, 0);
    swg_panel_close(&panel);
}
END_TEST

START_TEST(a_panel_outlives_those_who_made_it)
{
    char name[64];
    swg_panel *panel;
    swg_circuit *circuit;
    swg_snapshot s;
    snprintf(name, sizeof(name), "/swg-outlives-%d", (int)getpid());
    const pid_t pid = fork();
    if (pid == 0) {
        swg_permit permit;
        swg_panel_open(&panel, name, NULL);
        swg_circuit_open(&circuit, panel, "c", SWG_CIRCUIT(.calls_min = 1));
        swg_acquire(circuit, &permit, 1000000);
        swg_release(circuit, &permit, SWG_FAILURE, 1000000);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(swg_panel_open(&panel, name, NULL), SWG_OK);
    ck_assert_int_eq(swg_circuit_find(&circuit, panel, "c"), SWG_OK);
    swg_circuit_read(circuit, 1000000, &s);
    ck_assert_int_eq(s.state, SWG_OPEN);
    swg_panel_close(&panel);
    ck_assert_int_eq(swg_panel_unlink(name), SWG_OK);
}
END_TEST

START_TEST(words_for_people)
{
    ck_assert_str_eq(swg_error_text(SWG_EFULL), "no free row: the panel is full");
    ck_assert_str_eq(swg_error_text(-99), "unknown error");
    ck_assert_str_eq(swg_state_name(SWG_HALF_OPEN), "half_open");
    ck_assert_str_eq(swg_verdict_name((swg_verdict)99), "unknown");
    ck_assert_str_eq(swg_outcome_name(SWG_CANCELLED), "cancelled");
    ck_assert_str_eq(swg_cause_name(SWG_CAUSE_STALL), "stall");
    ck_assert_uint_eq(swg_version(), SWG_VERSION_MAJOR << 16 | SWG_VERSION_MINOR << 8);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mistakes");
    TCase *all = tcase_create("all");
    tcase_add_test(all, a_configuration_out_of_range_names_field_and_reason);
    tcase_add_test(all, profiles_are_valid);
    tcase_add_test(all, older_and_newer_structs);
    tcase_add_test(all, text_to_configuration);
    tcase_add_test(all, names);
    tcase_add_test(all, a_full_panel_and_another_configuration);
    tcase_add_test(all, a_thousand_names_are_found_again);
    tcase_add_test(all, blocks_that_are_none);
    tcase_add_test(all, shared_panels_not_to_be_trusted);
    tcase_add_test(all, the_group_gets_in_where_it_was_asked_for);
    tcase_add_test(all, a_forked_child_is_a_process_of_its_own);
    tcase_add_test(all, a_panel_outlives_those_who_made_it);
    tcase_add_test(all, words_for_people);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
