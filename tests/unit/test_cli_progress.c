/*
 * Shows what is said of a long task: nothing before three looks, the rate of the last looks, the
 * time that is left, and "stalled" instead of a number that grows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/cli/progress.h"

#define SECOND 1000000LL

static void nothing_is_said_before_three_looks(void **state)
{
    (void)state;
    struct progress progress = {.count = 0};
    char text[PROGRESS_TEXT];
    for (int i = 0; i < 2; i++) {
        progress_note(&progress, i * SECOND, i * 100);
        assert_true(progress_rate(&progress) < 0);
        progress_format_left(&progress, i * SECOND, 100, text);
        assert_string_equal(text, "");
    }
    progress_note(&progress, 2 * SECOND, 200);
    assert_true(progress_rate(&progress) > 99 && progress_rate(&progress) < 101);
}

static void the_rate_is_that_of_the_last_looks(void **state)
{
    (void)state;
    struct progress progress = {.count = 0};
    int64_t done = 0;
    for (int i = 0; i < 100; i++) {
        done += i < 50 ? 1000 : 10;
        progress_note(&progress, i * SECOND, done);
    }
    assert_true(progress_rate(&progress) > 9.9 && progress_rate(&progress) < 10.1);
    char text[PROGRESS_TEXT];
    progress_format_left(&progress, 99 * SECOND, 36000, text);
    assert_string_equal(text, "1 h 00 min");
    progress_format_left(&progress, 99 * SECOND, 0, text);
    assert_string_equal(text, "");
}

static void a_task_that_does_not_move_is_stalled(void **state)
{
    (void)state;
    struct progress progress = {.count = 0};
    char text[PROGRESS_TEXT];
    for (int i = 0; i < 30; i++) {
        progress_note(&progress, i * SECOND, i < 5 ? i * 10 : 40);
    }
    progress_format_left(&progress, 29 * SECOND, 100, text);
    assert_string_equal(text, "stalled");
    progress_note(&progress, 30 * SECOND, 50);
    assert_false(progress_is_stalled(&progress, 30 * SECOND));
}

static void a_clock_that_stands_still_gives_no_rate(void **state)
{
    (void)state;
    struct progress progress = {.count = 0};
    for (int i = 0; i < 5; i++) {
        progress_note(&progress, SECOND, i * 100);
    }
    assert_true(progress_rate(&progress) < 0);
}

static void numbers_and_times_are_written_for_people(void **state)
{
    (void)state;
    static const struct {
        int64_t number;
        const char *text;
    } numbers[] = {{0, "0"},
                   {999, "999"},
                   {1000, "1,000"},
                   {1234567, "1,234,567"},
                   {100000, "100,000"},
                   {INT64_MAX, "9,223,372,036,854,775,807"}};
    static const struct {
        int64_t seconds;
        const char *text;
    } times[] = {{0, "0 s"},           {59, "59 s"},
                 {60, "1 min 00 s"},   {3599, "59 min 59 s"},
                 {3600, "1 h 00 min"}, {360000, "100 h 00 min"}};
    char text[PROGRESS_TEXT];
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        progress_format_number(numbers[i].number, text);
        assert_string_equal(text, numbers[i].text);
    }
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        progress_format_time(times[i].seconds, text);
        assert_string_equal(text, times[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_before_three_looks),
        cmocka_unit_test(the_rate_is_that_of_the_last_looks),
        cmocka_unit_test(a_task_that_does_not_move_is_stalled),
        cmocka_unit_test(a_clock_that_stands_still_gives_no_rate),
        cmocka_unit_test(numbers_and_times_are_written_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
