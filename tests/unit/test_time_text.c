/* Shows that times and durations are read strictly and written back: tables of good and of bad
 * texts, and a walk over random times whose seed is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/time_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void good_times_give_their_microseconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2000-01-01T00:00:00Z", 946684800000000},
        {"2025-03-04T09:00:00.1234567+01:00", 1741075200123456},
        {"2025-03-04T09:00:00.9999999Z", 1741078800999999}, /* cut, not rounded */
        {"2025-03-04T09:00:00.2Z", 1741078800200000},
        {"2024-02-29T23:59:59.123456789-00:00", 1709251199123456},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"1970-01-01T00:30:00+01:00", -1800000000},
        {"0001-01-01T00:00:00Z", -62135596800000000},
        {"9999-12-31T23:59:59.999999Z", 253402300799999999},
        {"2000-02-29T12:00:00-23:59", 951911940000000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t us = 0;
        assert_true(sync_time_parse(sync_bytes_text(rows[i].text), &us));
        assert_int_equal(us, rows[i].us);
    }
}

static void bad_times_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "2025",
        "2025-03-04",
        "2025-03-04T09:00:00",  /* no offset */
        "2025-03-04T09:00Z",    /* no seconds */
        "2025-03-04 09:00:00Z", /* no T */
        "2025-03-04t09:00:00Z",
        "2025-03-04T09:00:00z",
        "2025-3-04T09:00:00Z",
        "2025-03-04T9:00:00Z",
        "25-03-04T09:00:00Z",
        "12025-03-04T09:00:00Z",
        "0000-01-01T00:00:00Z",
        "2025-00-04T09:00:00Z",
        "2025-13-04T09:00:00Z",
        "2025-03-00T09:00:00Z",
        "2025-03-32T09:00:00Z",
        "2025-04-31T09:00:00Z",
        "2025-02-29T09:00:00Z",
        "1900-02-29T09:00:00Z",
        "2025-03-04T24:00:00Z",
        "2025-03-04T09:60:00Z",
        "2025-03-04T09:00:60Z", /* leap seconds do not exist for us */
        "2025-03-04T09:00:00.Z",
        "2025-03-04T09:00:00.1234567890Z",
        "2025-03-04T09:00:00,5Z",
        "2025-03-04T09:00:00+01",
        "2025-03-04T09:00:00+0100",
        "2025-03-04T09:00:00+24:00",
        "2025-03-04T09:00:00+01:60",
        "2025-03-04T09:00:00 +01:00",
        "2025-03-04T09:00:00Z ",
        " 2025-03-04T09:00:00Z",
        "2025-03-04T09:00:00ZZ",
        "-025-03-04T09:00:00Z",
        "2025-03-04T09:00:00.-1Z",
        "20\xd9\xa2\xd9\xa5-03-04T09:00:00Z",
        "infinity",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t us = 42;
        if (sync_time_parse(sync_bytes_text(rows[i]), &us)) {
            fail_msg("read: %s", rows[i]);
        }
        assert_int_equal(us, 42);
    }
}

static void every_beginning_of_a_time_is_refused(void **state)
{
    (void)state;
    const char *text = "2025-03-04T09:00:00.1234567+01:00";
    for (size_t size = 0; size < strlen(text); size++) {
        int64_t us;
        assert_false(sync_time_parse((struct sync_bytes){(const uint8_t *)text, size}, &us));
    }
}

static void times_are_written_with_the_digits_asked_for(void **state)
{
    (void)state;
    char text[SYNC_TIME_BUFFER];
    sync_time_format(1741078800200999, 6, text);
    assert_string_equal(text, "2025-03-04T09:00:00.200999Z");
    sync_time_format(1741078800200999, 3, text);
    assert_string_equal(text, "2025-03-04T09:00:00.200Z");
    sync_time_format(1741078800200999, 0, text);
    assert_string_equal(text, "2025-03-04T09:00:00Z");
    sync_time_format(-1, 6, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
}

static void infinities_and_far_years_fit_the_buffer(void **state)
{
    (void)state;
    char text[SYNC_TIME_BUFFER];
    sync_time_format(INT64_MIN, 6, text);
    assert_string_equal(text, "-infinity");
    sync_time_format(INT64_MAX, 6, text);
    assert_string_equal(text, "infinity");
    sync_time_format(INT64_MIN + 1, 6, text);
    assert_string_equal(text, "-290308-12-21T19:59:05.224193Z");
    sync_time_format(INT64_MAX - 1, 6, text);
    assert_string_equal(text, "294247-01-10T04:00:54.775806Z");
}

static void what_is_written_is_read_back_and_agrees_with_the_c_library(void **state)
{
    (void)state;
    const char *given = getenv("SYNC_TEST_SEED");
    unsigned seed = given == NULL ? 20250304 : (unsigned)strtoul(given, NULL, 10);
    print_message("seed %u\n", seed);
    for (int i = 0; i < 20000; i++) {
        int64_t seconds = (int64_t)rand_r(&seed) * 120 - 62135596800 + rand_r(&seed) % 86400;
        int64_t wanted = seconds * 1000000 + rand_r(&seed) % 1000000, us;
        char text[SYNC_TIME_BUFFER], libc[SYNC_TIME_BUFFER];
        sync_time_format(wanted, 6, text);
        assert_true(sync_time_parse(sync_bytes_text(text), &us));
        assert_int_equal(us, wanted);
        time_t at = (time_t)seconds;
        struct tm parts;
        assert_non_null(gmtime_r(&at, &parts));
        (void)snprintf(libc, sizeof libc, "%04u", ((unsigned)parts.tm_year + 1900U) % 10000U);
        (void)strftime(libc + 4, sizeof libc - 4, "-%m-%dT%H:%M:%S", &parts);
        assert_memory_equal(text, libc, strlen(libc));
    }
}

static void good_durations_give_their_milliseconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"P14D", 1209600000},
        {"PT1H30M", 5400000},
        {"P1DT12H", 129600000},
        {"P2W", 1209600000},
        {"PT0S", 0},
        {"PT0.5S", 500},
        {"PT1.250S", 1250},
        {"P1W2DT3H4M5S", 788645000},
        {"PT90M", 5400000},
        {"P0D", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -1;
        assert_true(sync_duration_parse(sync_bytes_text(rows[i].text), &ms));
        assert_int_equal(ms, rows[i].ms);
    }
}

static void bad_durations_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "P",
        "PT",
        "P1",
        "1D",
        "P1DT",
        "PT1D",
        "P1H",
        "P1Y",
        "P1M",
        "P1S",
        "PT1M1H",
        "PT1H1H",
        "P1D1W",
        "-P1D",
        "P-1D",
        "P1.5D",
        "PT1.5H",
        "PT1.S",
        "PT.5S",
        "PT1.2345S",
        "P1D ",
        " P1D",
        "p1d",
        "PT1HT1M",
        "P 1D",
        "PT1H30",
        "PD",
        "PTS",
        "P1D2",
        "P9223372036854775808D",
        "P106751991168D",
        "PT9223372036854775807S",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = 42;
        if (sync_duration_parse(sync_bytes_text(rows[i]), &ms)) {
            fail_msg("read: %s", rows[i]);
        }
        assert_int_equal(ms, 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_times_give_their_microseconds),
        cmocka_unit_test(bad_times_are_refused),
        cmocka_unit_test(every_beginning_of_a_time_is_refused),
        cmocka_unit_test(times_are_written_with_the_digits_asked_for),
        cmocka_unit_test(infinities_and_far_years_fit_the_buffer),
        cmocka_unit_test(what_is_written_is_read_back_and_agrees_with_the_c_library),
        cmocka_unit_test(good_durations_give_their_milliseconds),
        cmocka_unit_test(bad_durations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
