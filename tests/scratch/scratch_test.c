/* What killed tests leave goes, an hour later; what living ones own stays. */
#include "scratch.h"

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(const char *folder, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static bool is_there(const char *path)
{
    struct stat s;
    return lstat(path, &s) == 0;
}

/* Made by a process that is killed at once. */
static void make_and_die(char path[SCRATCH_PATH])
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        scratch_make(path, "scratch");
        put(path, "log");
        _exit(write(ends[1], path, SCRATCH_PATH) == SCRATCH_PATH && raise(SIGKILL));
    }
    ck_assert_int_eq(read(ends[0], path, SCRATCH_PATH), SCRATCH_PATH);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    close(ends[0]);
    close(ends[1]);
}

static void make_old(const char *path)
{
    struct stat s;
    ck_assert_int_eq(stat(path, &s), 0);
    const struct timespec times[2] = {{.tv_sec = s.st_mtime - 3601}, {.tv_sec = s.st_mtime - 3601}};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

START_TEST(folders_are_made_and_removed)
{
    char path[SCRATCH_PATH], inner[PATH_MAX];
    scratch_make(path, "scratch");
    snprintf(inner, sizeof inner, "%s/inner", path);
    ck_assert_int_eq(mkdir(inner, 0700), 0);
    put(inner, "file");
    scratch_remove(path);
    ck_assert(!is_there(path));
    scratch_remove(path); /* twice is fine */
}
END_TEST

START_TEST(what_a_killed_test_left_is_swept_when_it_is_old)
{
    char dead[SCRATCH_PATH], ours[SCRATCH_PATH], next[SCRATCH_PATH];
    make_and_die(dead);
    scratch_make(ours, "scratch");
    ck_assert(is_there(dead)); /* its logs may be of use */
    make_old(dead);
    make_old(ours);
    scratch_make(next, "scratch");
    ck_assert(!is_there(dead));
    ck_assert(is_there(ours));
    scratch_remove(ours);
    scratch_remove(next);
}
END_TEST

START_TEST(what_is_not_ours_by_its_name_stays)
{
    char path[SCRATCH_PATH] = "/tmp/swg-scratch-XXXXXX", ours[SCRATCH_PATH];
    ck_assert_ptr_nonnull(mkdtemp(path));
    make_old(path);
    scratch_make(ours, "scratch");
    ck_assert(is_there(path));
    scratch_remove(ours);
    scratch_remove(path);
}
END_TEST

START_TEST(a_test_dies_with_its_runner)
{
    char path[SCRATCH_PATH];
    int status = -1, signal = 0;
    const pid_t child = fork();
    if (child == 0) {
        scratch_make(path, "scratch");
        scratch_remove(path);
        _exit(prctl(PR_GET_PDEATHSIG, &signal) == 0 && signal == SIGKILL ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scratch");
    TCase *tests = tcase_create("scratch");
    SRunner *runner = srunner_create(suite);
    tcase_add_test(tests, folders_are_made_and_removed);
    tcase_add_test(tests, what_a_killed_test_left_is_swept_when_it_is_old);
    tcase_add_test(tests, what_is_not_ours_by_its_name_stays);
    tcase_add_test(tests, a_test_dies_with_its_runner);
    suite_add_tcase(suite, tests);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
