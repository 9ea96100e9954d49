/* Shows the lines that reach standard output: form, escapes, scrubbing, levels, repeats. Standard
 * output is a file while a test writes; every line must be JSON for the parser that the program
 * itself uses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/limits.h"
#include "runtime/clock.h"
#include "runtime/json.h"
#include "runtime/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int saved_fd = -1, file_fd = -1;
static char output[1024 * 1024];
static struct sync_json *lines[2048];
static size_t line_count;

static void drop_lines(void)
{
    for (size_t i = 0; i < line_count; i++) {
        sync_json_free(&lines[i]);
    }
    line_count = 0;
}

static int begin(void **state)
{
    (void)state;
    drop_lines();
    char path[] = "/tmp/sync_test_log_XXXXXX";
    fflush(stdout);
    file_fd = mkstemp(path);
    assert_true(file_fd >= 0);
    (void)unlink(path);
    saved_fd = dup(STDOUT_FILENO);
    assert_true(dup2(file_fd, STDOUT_FILENO) >= 0);
    sync_log_init("test", SYNC_DEBUG);
    return 0;
}

/* Gives standard output back and parses what was written. */
static void finish(void)
{
    assert_true(dup2(saved_fd, STDOUT_FILENO) >= 0);
    (void)close(saved_fd);
    ssize_t size = pread(file_fd, output, sizeof output - 1, 0);
    assert_true(size >= 0);
    (void)close(file_fd);
    output[size] = '\0';
    assert_true(size == 0 || output[size - 1] == '\n');
    for (char *at = output; *at != '\0'; at = strchr(at, '\n') + 1) {
        struct sync_error error;
        struct sync_bytes line = {(const uint8_t *)at, strcspn(at, "\n")};
        if (!sync_is_ok(sync_json_parse(line, &lines[line_count], &error))) {
            fail_msg("%s: %.*s", error.text, (int)strcspn(at, "\n"), at);
        }
        line_count++;
    }
}

static const char *text_of(size_t line, const char *name)
{
    const struct sync_json *value = sync_json_get(lines[line], name);
    return value == NULL ? "(none)" : (const char *)sync_json_text(value).data;
}

static void a_line_has_time_level_component_message_and_fields(void **state)
{
    (void)state;
    sync_log(SYNC_WARN, "fenced", SYNC_LOG_TEXT("topic", "t"), SYNC_LOG_NUMBER("partition", -3));
    finish();
    assert_int_equal(line_count, 1);
    assert_string_equal(text_of(0, "level"), "warn");
    assert_string_equal(text_of(0, "msg"), "fenced");
    assert_string_equal(text_of(0, "component"), "test");
    assert_string_equal(text_of(0, "topic"), "t");
    assert_int_equal(sync_json_integer(sync_json_get(lines[0], "partition")), -3);
    assert_int_equal(strlen(text_of(0, "ts")), 24);
    assert_int_equal(text_of(0, "ts")[23], 'Z');
}

static void a_line_below_the_level_is_not_written(void **state)
{
    (void)state;
    sync_log_set_level(SYNC_WARN);
    sync_log(SYNC_INFO, "quiet_a");
    sync_log(SYNC_DEBUG, "quiet_b");
    sync_log(SYNC_ERROR, "loud");
    finish();
    assert_int_equal(line_count, 1);
    assert_string_equal(text_of(0, "msg"), "loud");
}

static void text_is_escaped(void **state)
{
    (void)state;
    sync_log(SYNC_INFO, "escapes", SYNC_LOG_TEXT("text", "a\"b\\c\n\t\x01\x7f é €"));
    finish();
    assert_string_equal(text_of(0, "text"), "a\"b\\c\n\t\x01\x7f é €");
}

static void bytes_that_are_no_utf8_become_question_marks(void **state)
{
    (void)state;
    sync_log(SYNC_INFO, "bad_bytes", SYNC_LOG_TEXT("text", "a\xff\xc3(\xe2\x82 \xc0\xaf\xf5z\xc3"));
    finish();
    assert_string_equal(text_of(0, "text"), "a?"
                                            "?(?"
                                            "? ?"
                                            "?"
                                            "?z?");
}

static void national_ids_are_scrubbed(void **state)
{
    (void)state;
    sync_log(SYNC_INFO, "ids", SYNC_LOG_TEXT("a", "id 41019012345."),
             SYNC_LOG_TEXT("b", "410190 12345"), SYNC_LOG_TEXT("c", "x01019012345y 81019012345"),
             SYNC_LOG_TEXT("d", "410190-12345/410190.12345"));
    finish();
    assert_string_equal(text_of(0, "a"), "id ***********.");
    assert_string_equal(text_of(0, "b"), "***********");
    assert_string_equal(text_of(0, "c"), "x***********y ***********");
    assert_string_equal(text_of(0, "d"), "***********/***********");
}

static void other_numbers_stay(void **state)
{
    (void)state;
    sync_log(SYNC_INFO, "numbers",
             SYNC_LOG_TEXT("a", "1234567890 123456789012 1741078800200999 2025-03-04"),
             SYNC_LOG_NUMBER("offset", 41019012345));
    finish();
    assert_string_equal(text_of(0, "a"), "1234567890 123456789012 1741078800200999 2025-03-04");
    assert_true(sync_json_integer(sync_json_get(lines[0], "offset")) == 41019012345);
}

static void an_error_brings_its_code_and_field(void **state)
{
    (void)state;
    struct sync_error err;
    (void)sync_fail_field(&err, SYNC_CLASS_PARK, SYNC_CODE_UUID, "party_uuid", "not a UUID");
    sync_log_error(SYNC_ERROR, "parked", &err);
    (void)sync_fail(&err, SYNC_CLASS_RETRY, SYNC_CODE_TIMEOUT, "no answer");
    sync_log_error(SYNC_ERROR, "retry", &err);
    finish();
    assert_string_equal(text_of(0, "code"), "uuid");
    assert_string_equal(text_of(0, "field"), "party_uuid");
    assert_string_equal(text_of(0, "error"), "not a UUID");
    assert_string_equal(text_of(1, "code"), "timeout");
    assert_string_equal(text_of(1, "field"), "(none)");
}

/* Until its second is over; the flush then writes the count. */
static void repeats_are_counted(void **state)
{
    (void)state;
    int64_t start_us = sync_clock_monotonic_us();
    int calls = 0;
    while (sync_clock_monotonic_us() - start_us < SYNC_LOG_REPEAT_US / 2) {
        sync_log(SYNC_INFO, "same", SYNC_LOG_NUMBER("n", 1));
        calls++;
    }
    sync_log(SYNC_INFO, "same", SYNC_LOG_NUMBER("n", 2)); /* another field: another line */
    while (sync_clock_monotonic_us() - start_us < 3 * SYNC_LOG_REPEAT_US) {
        sync_log_flush();
    }
    finish();
    assert_int_equal(line_count, 3);
    assert_int_equal(sync_json_integer(sync_json_get(lines[0], "n")), 1);
    assert_null(sync_json_get(lines[0], "repeats"));
    assert_int_equal(sync_json_integer(sync_json_get(lines[1], "n")), 2);
    assert_int_equal(sync_json_integer(sync_json_get(lines[2], "n")), 1);
    assert_int_equal(sync_json_integer(sync_json_get(lines[2], "repeats")), calls - 1);
}

static void more_different_lines_than_are_watched_are_all_written(void **state)
{
    (void)state;
    for (int i = 0; i < 5 * SYNC_LOG_RECENT_LINES; i++) {
        sync_log(SYNC_INFO, "many", SYNC_LOG_NUMBER("n", i));
    }
    finish();
    assert_int_equal(line_count, 5 * SYNC_LOG_RECENT_LINES);
}

static void a_field_that_does_not_fit_is_left_out_whole(void **state)
{
    (void)state;
    static char large[2 * SYNC_LOG_LINE_BYTES_MAX];
    memset(large, 'x', sizeof large - 1);
    sync_log(SYNC_INFO, "large", SYNC_LOG_NUMBER("before", 1), SYNC_LOG_TEXT("large", large),
             SYNC_LOG_NUMBER("after", 1));
    large[SYNC_LOG_LINE_BYTES_MAX - 300] = '\0';
    sync_log(SYNC_INFO, "fits", SYNC_LOG_TEXT("large", large));
    finish();
    assert_int_equal(line_count, 2);
    assert_non_null(sync_json_get(lines[0], "before"));
    assert_null(sync_json_get(lines[0], "large"));
    assert_int_equal(strlen(text_of(1, "large")), SYNC_LOG_LINE_BYTES_MAX - 300);
}

static void *write_many(void *context)
{
    for (int i = 0; i < 200; i++) {
        sync_log(SYNC_INFO, "thread", SYNC_LOG_NUMBER("thread", *(int *)context),
                 SYNC_LOG_NUMBER("n", i));
    }
    return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
    (void)state;
    pthread_t threads[4];
    int numbers[4] = {0, 1, 2, 3};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &numbers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    finish();
    assert_int_equal(line_count, 800);
}

static void levels_are_read_by_their_words(void **state)
{
    (void)state;
    finish();
    enum sync_level level = SYNC_DEBUG;
    assert_true(sync_log_level_parse("warn", &level));
    assert_int_equal(level, SYNC_WARN);
    assert_false(sync_log_level_parse("WARN", &level));
    assert_false(sync_log_level_parse("", &level));
    assert_false(sync_log_level_parse("warning", &level));
    assert_int_equal(level, SYNC_WARN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_line_has_time_level_component_message_and_fields, begin),
        cmocka_unit_test_setup(a_line_below_the_level_is_not_written, begin),
        cmocka_unit_test_setup(text_is_escaped, begin),
        cmocka_unit_test_setup(bytes_that_are_no_utf8_become_question_marks, begin),
        cmocka_unit_test_setup(national_ids_are_scrubbed, begin),
        cmocka_unit_test_setup(other_numbers_stay, begin),
        cmocka_unit_test_setup(an_error_brings_its_code_and_field, begin),
        cmocka_unit_test_setup(repeats_are_counted, begin),
        cmocka_unit_test_setup(more_different_lines_than_are_watched_are_all_written, begin),
        cmocka_unit_test_setup(a_field_that_does_not_fit_is_left_out_whole, begin),
        cmocka_unit_test_setup(lines_of_several_threads_do_not_mix, begin),
        cmocka_unit_test_setup(levels_are_read_by_their_words, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
