/* Exchanges somebody waits for, and what the client says of itself as metrics. */
#include "client_world.h"
#include "fleet/client.h"

#include <check.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

/* Linked in place of the codec's: no memory for a command, when the test says so. */
int __real_redisFormatCommandArgv(char **target, int argc, const char **argv, const size_t *length);
int __wrap_redisFormatCommandArgv(char **target, int argc, const char **argv, const size_t *length);
static bool no_memory;

int __wrap_redisFormatCommandArgv(char **target, int argc, const char **argv, const size_t *length)
{
    return no_memory ? -1 : __real_redisFormatCommandArgv(target, argc, argv, length);
}

static struct client_world world;
static struct client_world *const w = &world;
static const swg_fleet_config config = {
    .size = sizeof config, .interval_ms = 2000, .stale_ms = 20000, .lease_ms = 1000, .revision = 1};

static swg_fleet *fleet(void)
{
    return w->host[0].fleet;
}

static void start(int hosts)
{
    client_world_start(w, hosts, 11, &config);
    client_world_run(w, 5000);
    ck_assert_int_eq(client_world_mode(w, 0), SWG_FLEET_FLEET);
}

static int answer(uint64_t ticket)
{
    return swg_fleet_answered(fleet(), "db", ticket);
}

START_TEST(a_ticket_is_answered_at_once)
{
    uint64_t ticket;

    start(1);
    for (int i = 0; i < 50; i++) {
        ticket = swg_fleet_ask(fleet(), "db", w->now_ns);
        ck_assert_uint_gt(ticket, 0);
        ck_assert_int_eq(answer(ticket), 0);
        client_world_run(w, 20);
        ck_assert_int_eq(answer(ticket), 1);
    }
    client_world_stop(w);
}
END_TEST

/* One asked while an exchange is under way needs the next. */
START_TEST(an_exchange_begun_before_is_no_answer)
{
    uint64_t first, second;
    int now = 0;

    start(1);
    w->delay_ms = 40;
    first = swg_fleet_ask(fleet(), "db", w->now_ns);
    for (; answer(first) == 0 && now < 1000; now += 5) /* nothing is under way after it */
        client_world_run(w, 5);
    first = swg_fleet_ask(fleet(), "db", w->now_ns);
    client_world_run(w, 10);
    second = swg_fleet_ask(fleet(), "db", w->now_ns);
    for (; answer(first) == 0 && now < 1000; now += 5)
        client_world_run(w, 5);
    ck_assert_int_eq(answer(first), 1);
    ck_assert_int_eq(answer(second), 0);
    for (; answer(second) == 0 && now < 1000; now += 5)
        client_world_run(w, 5);
    ck_assert_int_eq(answer(second), 1);
    client_world_stop(w);
}
END_TEST

START_TEST(trouble_is_told_and_not_waited_for)
{
    uint64_t ticket;

    start(1);
    ck_assert_uint_eq(swg_fleet_ask(fleet(), "nobody", w->now_ns), 0);
    ck_assert_int_eq(swg_fleet_answered(fleet(), "nobody", 1), -1);
    w->server.refuse = "BUSY Redis is busy running a script.";
    ticket = swg_fleet_ask(fleet(), "db", w->now_ns);
    client_world_run(w, 50);
    ck_assert_int_eq(answer(ticket), -1);
    w->server.refuse = NULL;
    client_world_run(w, 5000);
    client_world_break(w, 0);
    ck_assert_int_eq(answer(swg_fleet_ask(fleet(), "db", w->now_ns)), -1);
    client_world_stop(w);
}
END_TEST

/* Until its time comes to try again nothing is sent, and nobody waits for that. */
START_TEST(the_wait_after_an_error_is_not_waited_for)
{
    uint64_t ticket;

    start(1);
    w->server.refuse = "BUSY Redis is busy running a script.";
    ticket = swg_fleet_ask(fleet(), "db", w->now_ns);
    client_world_run(w, 50);
    ck_assert_int_eq(answer(ticket), -1);
    w->server.refuse = NULL;
    for (int i = 0; i < 10; i++) {
        ticket = swg_fleet_ask(fleet(), "db", w->now_ns);
        ck_assert_int_eq(answer(ticket), -1);
        client_world_run(w, 20);
    }
    client_world_run(w, 3000);
    ticket = swg_fleet_ask(fleet(), "db", w->now_ns);
    client_world_run(w, 20);
    ck_assert_int_eq(answer(ticket), 1);
    client_world_stop(w);
}
END_TEST

/* Nothing is on its way: the next exchange is one that nobody asked for, seconds later. */
START_TEST(a_question_there_is_no_memory_for_has_failed)
{
    uint64_t ticket;

    start(1);
    no_memory = true;
    ticket = swg_fleet_ask(fleet(), "db", w->now_ns);
    client_world_run(w, STEP_MS);
    no_memory = false;
    ck_assert_int_eq(answer(ticket), -1);
    ticket = swg_fleet_ask(fleet(), "db", w->now_ns);
    client_world_run(w, 20);
    ck_assert_int_eq(answer(ticket), 1);
    client_world_stop(w);
}
END_TEST

/* Open in the fleet, its time over, and the first host, which has not had a call turned away, is
 * the only one left. */
static void start_due(void)
{
    start(3);
    w->host[0].every_ms = 1000000;
    client_world_run(w, 20);
    w->healthy = false;
    for (int i = 0; i < 1000 && client_world_view(w, 0).state != SWG_FLEET_OPEN; i++)
        client_world_run(w, 10);
    ck_assert_uint_eq(client_world_view(w, 0).state, SWG_FLEET_OPEN);
    ck_assert_uint_eq(w->host[0].rejected, 0);
    w->healthy = true;
    for (int i = 1; i < 3; i++) {
        w->host[i].cut = true;
        w->host[i].every_ms = 1000000;
    }
    client_world_run(w, 8000);
    ck_assert_uint_eq(client_world_view(w, 0).state, SWG_FLEET_OPEN);
}

static swg_gate_reading gate(void)
{
    swg_gate_reading reading;

    ck_assert_int_eq(swg_gate_read(w->host[0].circuit, w->now_ns, &reading), SWG_OK);
    return reading;
}

static void ask_and_get(void)
{
    swg_fleet_ask(fleet(), "db", w->now_ns);
    client_world_run(w, 20);
    ck_assert_uint_eq(client_world_view(w, 0).state, SWG_FLEET_HALF_OPEN);
    ck_assert_uint_eq(gate().mode, SWG_GATE_PROBING);
    ck_assert_uint_eq(gate().permits, 1);
}

/* Whoever asks of a half-open circuit wishes for a permit, whether or not calls were turned away.
 */
START_TEST(asking_brings_a_permit)
{
    start_due();
    ask_and_get();
    client_world_stop(w);
}
END_TEST

/* Who only tells how a call ended makes none: a permit would be kept from those who do. */
START_TEST(telling_brings_none)
{
    swg_permit permit;
    uint64_t ticket;

    start_due();
    ask_and_get();
    ck_assert_int_eq(swg_acquire(w->host[0].circuit, &permit, w->now_ns), SWG_PERMITTED);
    swg_release(w->host[0].circuit, &permit, SWG_IGNORED, w->now_ns);
    for (int i = 0; i < 3; i++) {
        ticket = swg__client_tell(fleet(), "db", w->now_ns);
        client_world_run(w, 20);
        ck_assert_int_eq(answer(ticket), 1);
        ck_assert_uint_eq(client_world_view(w, 0).state, SWG_FLEET_HALF_OPEN);
        ck_assert_uint_eq(gate().permits, 0);
    }
    client_world_stop(w);
}
END_TEST

static char *page(void)
{
    const size_t bytes = swg_fleet_metrics_write(fleet(), w->now_ns, 1790000000000, NULL, 0);
    char *text = malloc(bytes + 1);

    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(swg_fleet_metrics_write(fleet(), w->now_ns, 1790000000000, text, bytes + 1),
                      bytes);
    ck_assert_uint_eq(strlen(text), bytes);
    return text;
}

static void has(const char *text, const char *line)
{
    const char *at = strstr(text, line);

    ck_assert_msg(at && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n',
                  "no line %s in\n%s", line, text);
}

/* Whatever the locale, if this machine has one with a comma (LOCPATH, LC_ALL). */
static void has_number(const char *text, const char *begin)
{
    const char *at = strstr(text, begin);

    ck_assert_msg(at != NULL, "no line %s", begin);
    at += strlen(begin);
    ck_assert_msg(at[strspn(at, ".0123456789")] == '\n', "no number after %s", begin);
}

START_TEST(metrics_say_how_the_client_stands)
{
    char *text, small[100];

    start(2);
    text = page();
    has(text, "switchgear_fleet_up{space=\"default\"} 1");
    has(text, "switchgear_fleet_shards{space=\"default\",mode=\"fleet\"} 2");
    has(text, "switchgear_fleet_reporters{space=\"default\"} 2");
    has(text,
        "switchgear_fleet_circuit_state{space=\"default\",circuit=\"db\",state=\"closed\"} 1");
    has(text, "switchgear_fleet_circuit_state{space=\"default\",circuit=\"db\",state=\"open\"} 0");
    has(text, "# TYPE switchgear_fleet_sync_duration_seconds histogram");
    has_number(text,
               "switchgear_fleet_sync_duration_seconds_bucket{space=\"default\",le=\"0.0005\"} ");
    has_number(text, "switchgear_fleet_sync_duration_seconds_sum{space=\"default\"} 0.");
    has_number(text, "switchgear_fleet_last_sync_timestamp_seconds{space=\"default\"} 178999999");
    free(text);
    ck_assert_uint_gt(swg_fleet_metrics_write(fleet(), w->now_ns, 0, small, sizeof small), 1000);
    ck_assert_uint_eq(strlen(small), sizeof small - 1);
    w->host[0].cut = true;
    client_world_run(w, 60000);
    text = page();
    has(text, "switchgear_fleet_up{space=\"default\"} 0");
    has(text, "switchgear_fleet_shards{space=\"default\",mode=\"local\"} 2");
    free(text);
    client_world_stop(w);
}
END_TEST

/* Every family is there once, with help, type and at least one series of its own. */
START_TEST(every_family_appears)
{
    static const char *const families[] = {
#define FAMILY(name, type, help) "switchgear_fleet_" #name,
#include "fleet/metrics.def"
#undef FAMILY
    };
    char *text, line[200];

    start(1);
    text = page();
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const char *at;

        snprintf(line, sizeof line, "# TYPE %s ", families[i]);
        at = strstr(text, line);
        ck_assert_msg(at != NULL, "%s", line);
        ck_assert_ptr_null(strstr(at + 1, line));
        at = strchr(at, '\n') + 1;
        ck_assert_msg(strncmp(at, families[i], strlen(families[i])) == 0, "%s has no series",
                      families[i]);
    }
    free(text);
    client_world_stop(w);
}
END_TEST

int main(void)
{
    setlocale(LC_ALL, "");
    Suite *suite = suite_create("fleet ask");
    TCase *ask = tcase_create("ask");
    SRunner *runner = srunner_create(suite);

    tcase_add_test(ask, a_ticket_is_answered_at_once);
    tcase_add_test(ask, an_exchange_begun_before_is_no_answer);
    tcase_add_test(ask, trouble_is_told_and_not_waited_for);
    tcase_add_test(ask, the_wait_after_an_error_is_not_waited_for);
    tcase_add_test(ask, a_question_there_is_no_memory_for_has_failed);
    tcase_add_test(ask, asking_brings_a_permit);
    tcase_add_test(ask, telling_brings_none);
    tcase_add_test(ask, metrics_say_how_the_client_stands);
    tcase_add_test(ask, every_family_appears);
    suite_add_tcase(suite, ask);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
