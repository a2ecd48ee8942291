/* Memory runs out at the n-th request, for every n: a clean error, nothing left behind. The
 * interposed functions are the only ones the library asks. */
#include <check.h>
#include <stdlib.h>
#include <switchgear/switchgear.h>
#include <sys/mman.h>
#include <sys/types.h>

static int until_failure = -1; /* -1: never */
static int outstanding;
static bool watching; /* only while the library runs: the test framework allocates too */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void __real_free(void *memory);
void *__real_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
int __real_munmap(void *memory, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void __wrap_free(void *memory);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
int __wrap_munmap(void *memory, size_t bytes);

static bool refuses(void)
{
    return watching && until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t bytes)
{
    void *memory = refuses() ? NULL : __real_malloc(bytes);
    outstanding += watching && memory != NULL;
    return memory;
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    void *memory = refuses() ? NULL : __real_calloc(count, bytes);
    outstanding += watching && memory != NULL;
    return memory;
}

void __wrap_free(void *memory)
{
    outstanding -= watching && memory != NULL;
    __real_free(memory);
}

void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset)
{
    void *memory = refuses() ? MAP_FAILED : __real_mmap(at, bytes, protection, flags, file, offset);
    outstanding += watching && memory != MAP_FAILED;
    return memory;
}

int __wrap_munmap(void *memory, size_t bytes)
{
    outstanding -= watching;
    return __real_munmap(memory, bytes);
}

static int open_and_close(const char *name, swg_panel **left)
{
    swg_panel *panel = (swg_panel *)&until_failure; /* must be overwritten */
    swg_circuit *circuit;
    watching = true;
    int result = swg_panel_open(&panel, name, SWG_PANEL(.circuits = 4, .processes = 2));
    if (result == SWG_OK) {
        result = swg_circuit_open(&circuit, panel, "c", NULL);
        swg_panel_close(&panel);
    }
    watching = false;
    *left = panel;
    return result;
}

START_TEST(running_out_of_memory_is_an_error_and_no_leak)
{
    const char *name = _i == 0 ? NULL : "/swg-allocation-test";
    for (int n = 0;; n++) {
        swg_panel *panel;
        until_failure = n;
        const int result = open_and_close(name, &panel);
        until_failure = -1;
        ck_assert_ptr_null(panel);
        ck_assert_int_eq(outstanding, 0);
        if (result == SWG_OK) {
            ck_assert_int_ge(n, 3);
            break;
        }
        ck_assert_msg(result == SWG_ENOMEM || result == SWG_ESYS, "%s", swg_error_text(result));
        ck_assert_int_lt(n, 20);
    }
    if (name != NULL) {
        ck_assert_int_eq(swg_panel_unlink(name), SWG_OK);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("allocation");
    TCase *all = tcase_create("n-th failure");
    tcase_add_loop_test(all, running_out_of_memory_is_an_error_and_no_leak, 0, 2);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
