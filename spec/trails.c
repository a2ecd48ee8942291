/* The ways in which the protocol without one of its rules goes wrong, found by the model: the right
 * code must leave each where it turns bad, a mutant without the rule must follow it to the end. */
#include "mutants.h"
#include "replay.h"

#include <check.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef SPEC_REDIS
#include "replay_redis.h"
#endif

static const char *const trails[] = {"A3", "A4", "A5", "A6", "A9"};
#define TRAILS ((int)(sizeof trails / sizeof *trails))

static char *read_trail(int i)
{
    char path[512];

    snprintf(path, sizeof path, "%s/trails/%s.txt", SPEC_DIR, trails[i]);
    return mutants_read(path);
}

static void must_leave(const char *text, const struct replay_store *store)
{
    struct replay_result r = replay(text, store);

    ck_assert_msg(r.wrong > 0, "no line of the trail is marked wrong");
    ck_assert_msg(r.end == REPLAY_DIVERGES,
                  "the right code goes wrong, or cannot play it: line %d %s", r.line, r.why);
    ck_assert_msg(r.line == r.wrong, "left at line %d (%s), not at %d", r.line, r.why, r.wrong);
}

static void must_follow(const char *text, const struct replay_store *store)
{
    struct replay_result r = replay(text, store);

    ck_assert_msg(r.end == REPLAY_AGREES, "the mutant leaves it at line %d: %s", r.line, r.why);
}

static const char *mutant_of(const char *text)
{
    static struct replay_shard shard = {.sync = swg_step_sync};
    static struct replay_result r;
    struct replay_store store = replay_shard_store(&shard);

    r = replay(text, &store);
    return r.mutant;
}

START_TEST(the_step_function_leaves_it)
{
    static struct replay_shard shard = {.sync = swg_step_sync};
    struct replay_store store = replay_shard_store(&shard);
    char *text = read_trail(_i);

    must_leave(text, &store);
    free(text);
}
END_TEST

START_TEST(the_step_function_without_the_rule_follows)
{
    static struct replay_shard shard;
    struct replay_store store = replay_shard_store(&shard);
    char *text = read_trail(_i), path[512];
    void *library, *symbol;

    snprintf(path, sizeof path, "%s/libspec_%s.so", SPEC_MUTANTS, mutant_of(text));
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(library != NULL, "%s", dlerror());
    symbol = dlsym(library, "swg_step_sync");
    *(void **)&shard.sync = symbol;
    ck_assert_ptr_nonnull(symbol);
    must_follow(text, &store);
    dlclose(library);
    free(text);
}
END_TEST

#ifdef SPEC_REDIS
START_TEST(the_script_leaves_it)
{
    struct replay_redis redis;
    struct replay_store store = replay_redis_store(&redis);
    char *text = read_trail(_i);

    replay_redis_start(&redis);
    must_leave(text, &store);
    replay_redis_stop(&redis);
    free(text);
}
END_TEST

START_TEST(the_script_without_the_rule_follows)
{
    struct replay_redis redis;
    struct replay_store store = replay_redis_store(&redis);
    char *text = read_trail(_i);
    char *script = mutants_script(SPEC_DIR "/mutants.txt", mutant_of(text), swg_fleet_sync_lua);

    replay_redis_start(&redis);
    replay_redis_script(&redis, script);
    must_follow(text, &store);
    replay_redis_stop(&redis);
    free(script);
    free(text);
}
END_TEST
#endif

static Suite *suite(void)
{
    Suite *s = suite_create("trails of the model");
    TCase *t = tcase_create("trails");

    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, the_step_function_leaves_it, 0, TRAILS);
    tcase_add_loop_test(t, the_step_function_without_the_rule_follows, 0, TRAILS);
#ifdef SPEC_REDIS
    tcase_add_loop_test(t, the_script_leaves_it, 0, TRAILS);
    tcase_add_loop_test(t, the_script_without_the_rule_follows, 0, TRAILS);
#endif
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
