/* The lab's arithmetic: what its table says must follow from what was reported. */
#include <check.h>
#include <stdlib.h>

#include "../../programs/common/cli.h"
#include "../../programs/common/evidence.h"
#include "../../programs/common/output.h"
#include "../../programs/lab/fault.h"
#include "../../programs/lab/paragraph.h"
#include "../../programs/lab/tally.h"

static const int64_t SECOND = 1000000000;
static const swg_state all_closed[STAGE_INSTANCES] = {SWG_CLOSED, SWG_CLOSED, SWG_CLOSED};

/* ---- histogram ----------------------------------------------------------------------------- */

START_TEST(percentiles_are_within_a_bucket)
{
    histogram h = {0};
    for (int64_t us = 1; us <= 100000; us++)
        histogram_add(&h, us * 1000);
    for (int percent = 1; percent <= 100; percent++) {
        int64_t exact = percent * INT64_C(1000000);
        int64_t shown = histogram_at(&h, percent);
        ck_assert_int_ge(shown, exact);
        ck_assert_int_le(shown, exact + exact / 31 + 1000);
    }
}
END_TEST

START_TEST(extremes_do_not_leave_the_histogram)
{
    histogram h = {0};
    histogram_add(&h, -5);
    histogram_add(&h, 0);
    histogram_add(&h, INT64_MAX);
    ck_assert_uint_eq(h.count, 3);
    ck_assert_uint_eq(h.buckets[0], 2);
    ck_assert_uint_eq(h.buckets[HISTOGRAM_BUCKETS - 1], 1);
    histogram none = {0};
    ck_assert_int_eq(histogram_at(&none, 99), 0);
}
END_TEST

START_TEST(json_brings_back_the_same_histogram)
{
    histogram h = {0}, back = {0};
    for (uint64_t i = 0; i < 1000; i++)
        histogram_add(&h, (int64_t)seeded(3, i, 3000000000));
    json_t *object = histogram_json(&h);
    ck_assert(histogram_merge_json(&back, object));
    json_decref(object);
    ck_assert_mem_eq(&h, &back, sizeof h);
}
END_TEST

START_TEST(a_foreign_histogram_is_refused)
{
    static const char *const wrong[] = {"{}", "{\"buckets\": 3}", "{\"buckets\": [768, 1]}",
                                        "{\"buckets\": [-1, 1]}", "{\"buckets\": [1, -1]}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        histogram h = {0};
        json_t *object = json_loads(wrong[i], 0, NULL);
        ck_assert_msg(!histogram_merge_json(&h, object), "%s", wrong[i]);
        json_decref(object);
    }
}
END_TEST

/* ---- tally --------------------------------------------------------------------------------- */

static void add(tally *t, int instance, double at_s, swg_state from, swg_state to, uint32_t calls)
{
    swg_event event = {
        .at_ns = (int64_t)(at_s * 1e9), .from = (uint8_t)from, .to = (uint8_t)to, .calls = calls};
    tally_add(t, instance, &event);
}

static tally_summary summarize(tally *t)
{
    tally_summary s;
    tally_summarize(t, false, 100 * SECOND, &s);
    return s;
}

START_TEST(disagreement_is_the_time_between_first_and_last)
{
    static tally t;
    tally_begin(&t, 1, 10 * SECOND, all_closed);
    add(&t, 1, 12.5, SWG_CLOSED, SWG_OPEN, 0); /* reports may come in any order */
    add(&t, 0, 12, SWG_CLOSED, SWG_OPEN, 0);
    add(&t, 2, 14, SWG_CLOSED, SWG_OPEN, 0);
    t.healed_ns = t.closed_ns = 20 * SECOND;
    ck_assert_int_eq(summarize(&t).disagreed_ns, 2 * SECOND);
}
END_TEST

START_TEST(disagreement_goes_on_until_the_end)
{
    static tally t;
    tally_begin(&t, 1, 10 * SECOND, all_closed);
    add(&t, 0, 12, SWG_CLOSED, SWG_OPEN, 0);
    t.closed_ns = 15 * SECOND;
    ck_assert_int_eq(summarize(&t).disagreed_ns, 3 * SECOND);
}
END_TEST

START_TEST(a_shared_circuit_cannot_disagree)
{
    static tally t;
    tally_begin(&t, 1, 10 * SECOND, all_closed);
    add(&t, TALLY_ALL, 12, SWG_CLOSED, SWG_OPEN, 0);
    ck_assert_int_eq(summarize(&t).disagreed_ns, 0);
}
END_TEST

START_TEST(a_dead_instance_is_not_compared)
{
    static tally t;
    tally_begin(&t, 1, 10 * SECOND, all_closed);
    t.gone[2] = true;
    add(&t, 0, 12, SWG_CLOSED, SWG_OPEN, 0);
    add(&t, 1, 13, SWG_CLOSED, SWG_OPEN, 0);
    ck_assert_int_eq(summarize(&t).disagreed_ns, SECOND);
    tally_begin(&t, 2, 20 * SECOND, all_closed);
    ck_assert(t.gone[2]);
}
END_TEST

START_TEST(probes_and_flaps_are_counted)
{
    static tally t;
    tally_begin(&t, 1, 10 * SECOND, all_closed);
    add(&t, 0, 11, SWG_CLOSED, SWG_OPEN, 5);
    add(&t, 0, 12, SWG_OPEN, SWG_HALF_OPEN, 0);
    add(&t, 0, 13, SWG_HALF_OPEN, SWG_OPEN, 3);
    add(&t, 0, 14, SWG_OPEN, SWG_HALF_OPEN, 0);
    t.healed_ns = 14 * SECOND;
    add(&t, 0, 15, SWG_HALF_OPEN, SWG_CLOSED, 3);
    t.closed_ns = tally_last_closed(&t);
    tally_summary s = summarize(&t);
    ck_assert_uint_eq(s.probes, 6);
    ck_assert_uint_eq(s.tries.flaps, 1);
    ck_assert_int_eq(s.closed_after_ns, SECOND);
}
END_TEST

START_TEST(nothing_closed_says_so)
{
    static tally t;
    tally_begin(&t, 1, 10 * SECOND, all_closed);
    t.healed_ns = 14 * SECOND;
    ck_assert_int_eq(summarize(&t).closed_after_ns, -1);
    ck_assert_int_eq(tally_last_closed(&t), 14 * SECOND);
}
END_TEST

START_TEST(events_before_the_outage_or_beyond_the_list_do_no_harm)
{
    static tally t;
    tally_begin(&t, 1, 10 * SECOND, all_closed);
    add(&t, 0, 9, SWG_CLOSED, SWG_OPEN, 0);
    ck_assert_int_eq(t.event_count, 0);
    for (int i = 0; i < TALLY_EVENTS_MAX + 3; i++)
        add(&t, 0, 11, SWG_CLOSED, SWG_OPEN, 0);
    ck_assert_int_eq(t.event_count, TALLY_EVENTS_MAX);
    ck_assert_uint_eq(t.events_lost, 3);
}
END_TEST

/* ---- words --------------------------------------------------------------------------------- */

START_TEST(events_come_back_from_json)
{
    swg_event event = {.sequence = 7,
                       .at_ns = 123456789012345,
                       .wall_ms = 1700000000123,
                       .until_ns = 5,
                       .epoch = 3,
                       .calls = 42,
                       .failures = 33,
                       .slow = 2,
                       .limit = 50,
                       .pid = 99,
                       .cause = SWG_CAUSE_FAILURE_RATE,
                       .from = SWG_CLOSED,
                       .to = SWG_OPEN,
                       .name = "service"};
    swg_event back;
    char text[EVIDENCE_MAX];
    json_t *object = evidence_json(&event);
    ck_assert_str_eq(json_string_value(json_object_get(object, "time")),
                     "2023-11-14T22:13:20.123Z");
    ck_assert(evidence_from_json(&back, object));
    ck_assert_str_eq(evidence_text(text, &back), "33 of 42 failed (78 % ≥ 50 %)");
    ck_assert_int_eq(back.at_ns, event.at_ns);
    ck_assert_uint_eq(back.epoch, event.epoch);
    json_object_set_new(object, "cause", json_string("whim"));
    ck_assert(!evidence_from_json(&back, object));
    json_decref(object);
    ck_assert(!evidence_from_json(&back, NULL));
}
END_TEST

START_TEST(near_words_are_found_and_far_ones_are_not)
{
    const char *const words[] = {"simple", "independent", "heal", NULL};
    ck_assert_str_eq(cli_nearest("simpel", words), "simple");
    ck_assert_str_eq(cli_nearest("indep", words), "independent");
    ck_assert_str_eq(cli_nearest("hael", words), "heal");
    ck_assert_ptr_null(cli_nearest("xyzzy", words));
    ck_assert_ptr_null(cli_nearest("", words));
    ck_assert_ptr_null(cli_nearest("force-close", (const char *[]){"force-open", NULL}));
}
END_TEST

START_TEST(durations_need_their_unit)
{
    int64_t ms;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"250ms", 250}, {"5s", 5000}, {"2m", 120000}, {"1h", 3600000}, {"0s", 0}};
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "-5s",
                                      "5 s",
                                      "5sec",
                                      "1.5s",
                                      "+1s",
                                      "9223372036854775807h",
                                      "99999999999999999999s"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert(cli_parse_duration(good[i].text, &ms));
        ck_assert_int_eq(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!cli_parse_duration(bad[i], &ms), "%s", bad[i]);
}
END_TEST

START_TEST(numbers_read_well)
{
    char text[OUT_NUMBER_MAX];
    ck_assert_str_eq(out_count(text, 0), "0");
    ck_assert_str_eq(out_count(text, 999), "999");
    ck_assert_str_eq(out_count(text, 1234567), "1,234,567");
    ck_assert_str_eq(out_count(text, UINT64_MAX), "18,446,744,073,709,551,615");
    ck_assert_str_eq(out_latency(text, 340000), "0.3 ms");
    ck_assert_str_eq(out_latency(text, 9960000), "10 ms");
    ck_assert_str_eq(out_latency(text, 2004 * INT64_C(1000000)), "2,004 ms");
    ck_assert_str_eq(out_rate(text, 0), "0/s");
    ck_assert_str_eq(out_rate(text, 0.6), "0.6/s");
    ck_assert_str_eq(out_rate(text, 1234.4), "1,234/s");
}
END_TEST

START_TEST(signs_have_an_ascii_form)
{
    char text[64], little[6];
    out_to_ascii(text, sizeof text, "■ OPEN → ● ≥ 50 %");
    ck_assert_str_eq(text, "X OPEN -> o >= 50 %");
    out_to_ascii(little, sizeof little, "→→→→→→");
    ck_assert_uint_lt(strlen(little), sizeof little);
}
END_TEST

static const char *laid_out(const char *text)
{
    static char bytes[1024];
    FILE *file = tmpfile();
    out o = {.file = file, .utf8 = true};
    ck_assert_ptr_nonnull(file);
    paragraph(&o, 4, text);
    rewind(file);
    bytes[fread(bytes, 1, sizeof bytes - 1, file)] = '\0';
    fclose(file);
    return bytes;
}

#define TEN "123456789 "
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

START_TEST(text_is_broken_between_words)
{
    ck_assert_str_eq(laid_out(""), "\n");
    ck_assert_str_eq(laid_out("  as it is"), "  as it is\n");
    ck_assert_str_eq(laid_out(SEVENTY "1234567890"), SEVENTY "1234567890\n");
    ck_assert_str_eq(laid_out(SEVENTY "12345678901"),
                     TEN TEN TEN TEN TEN TEN "123456789\n    12345678901\n");
    /* a sign is one column, an escape none */
    ck_assert_str_eq(laid_out(SEVENTY "\033[1m●→23456789\033[0m"),
                     SEVENTY "\033[1m●→23456789\033[0m\n");
    ck_assert_str_eq(laid_out(SEVENTY "(A" GLUE "first, B 4 ms)"),
                     SEVENTY "(A first,\n    B 4 ms)\n");
    ck_assert_str_eq(laid_out(SEVENTY "took 100 ms"), SEVENTY "took\n    100 ms\n");
    ck_assert_int_eq(paragraph_columns("\033[1m●→ 2\033[0m"), 4);
}
END_TEST

/* A word that is too long stays whole. */
START_TEST(words_are_never_broken)
{
    const char *long_word =
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/a/b/c/d/e/f/g/h/i/j"
        "/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z";
    char text[256], expected[256];
    snprintf(text, sizeof text, "at %s or so", long_word);
    snprintf(expected, sizeof expected, "at\n    %s\n    or so\n", long_word);
    ck_assert_str_eq(laid_out(text), expected);
}
END_TEST

START_TEST(draws_are_even_and_repeatable)
{
    int hits = 0;
    for (uint64_t n = 0; n < 10000; n++) {
        ck_assert_uint_eq(seeded(1, n, 100), seeded(1, n, 100));
        hits += seeded(1, n, 100) < 80;
    }
    ck_assert_int_gt(hits, 7800);
    ck_assert_int_lt(hits, 8200);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {percentiles_are_within_a_bucket,
                                  extremes_do_not_leave_the_histogram,
                                  json_brings_back_the_same_histogram,
                                  a_foreign_histogram_is_refused,
                                  disagreement_is_the_time_between_first_and_last,
                                  disagreement_goes_on_until_the_end,
                                  a_shared_circuit_cannot_disagree,
                                  a_dead_instance_is_not_compared,
                                  probes_and_flaps_are_counted,
                                  nothing_closed_says_so,
                                  events_before_the_outage_or_beyond_the_list_do_no_harm,
                                  events_come_back_from_json,
                                  near_words_are_found_and_far_ones_are_not,
                                  durations_need_their_unit,
                                  numbers_read_well,
                                  signs_have_an_ascii_form,
                                  text_is_broken_between_words,
                                  words_are_never_broken,
                                  draws_are_even_and_repeatable};
    TCase *tcase = tcase_create("numbers");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, tests[i]);
    Suite *suite = suite_create("lab_numbers");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
