/* Shows that errors carry class, code, field and text, are cut at their bound and survive a wrap.
 */
#include "core/utf8.h"

#include <altinn_sync/status.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_failure_returns_its_class_and_fills_the_error(void **context)
{
    (void)context;
    struct sync_error err;
    sync_status status =
        sync_fail(&err, SYNC_CLASS_RETRY, SYNC_CODE_TIMEOUT, "ask %s: no answer in %d ms", "x", 5);
    assert_int_equal(status.class, SYNC_CLASS_RETRY);
    assert_int_equal(err.class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_TIMEOUT);
    assert_string_equal(err.field, "");
    assert_string_equal(err.text, "ask x: no answer in 5 ms");
    assert_false(sync_is_ok(status));
    assert_true(sync_is_ok(SYNC_OK));
}

static void a_failure_without_an_error_to_fill_still_returns_its_class(void **context)
{
    (void)context;
    assert_int_equal(sync_fail(NULL, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "x").class,
                     SYNC_CLASS_FATAL);
    assert_int_equal(sync_fail_field(NULL, SYNC_CLASS_PARK, SYNC_CODE_UUID, "a.b", "x").class,
                     SYNC_CLASS_PARK);
}

static void a_failure_of_a_field_names_its_path(void **context)
{
    (void)context;
    struct sync_error err;
    (void)sync_fail_field(&err, SYNC_CLASS_PARK, SYNC_CODE_UUID, "origin.stream", "read it");
    assert_string_equal(err.field, "origin.stream");
    assert_int_equal(err.code, SYNC_CODE_UUID);
}

static void text_and_field_are_cut_at_their_bound(void **context)
{
    (void)context;
    char big[1000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    struct sync_error err;
    (void)sync_fail_field(&err, SYNC_CLASS_PARK, SYNC_CODE_UTF8, big, "%s", big);
    assert_int_equal(strlen(err.field), sizeof err.field - 1);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void a_wrap_puts_context_first_and_keeps_class_and_code(void **context)
{
    (void)context;
    struct sync_error err;
    (void)sync_fail_field(&err, SYNC_CLASS_PARK, SYNC_CODE_VARINT, "kind",
                          "the varint does not end");
    sync_status status = sync_wrap(&err, "decode record %d", 7);
    assert_int_equal(status.class, SYNC_CLASS_PARK);
    assert_int_equal(err.code, SYNC_CODE_VARINT);
    assert_string_equal(err.field, "kind");
    assert_string_equal(err.text, "decode record 7: the varint does not end");
}

static void a_wrap_that_leaves_no_room_keeps_the_context(void **context)
{
    (void)context;
    char big[400];
    memset(big, 'y', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    struct sync_error err;
    (void)sync_fail(&err, SYNC_CLASS_PARK, SYNC_CODE_VARINT, "inner");
    (void)sync_wrap(&err, "%s", big);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_null(strstr(err.text, "inner"));
    (void)sync_fail(&err, SYNC_CLASS_PARK, SYNC_CODE_VARINT, "%s", big);
    (void)sync_wrap(&err, "outer");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_memory_equal(err.text, "outer: yyy", 10);
}

/* PostgreSQL takes no half character, and some errors are stored. */
static void a_text_that_is_cut_inside_a_character_stays_well_formed(void **context)
{
    (void)context;
    struct sync_error err = {0};
    char many[512];
    for (size_t i = 0; i + 2 < sizeof many; i += 2) {
        memcpy(many + i, "\xC3\xA6", 3);
    }
    for (int shift = 0; shift < 2; shift++) {
        (void)sync_fail(&err, SYNC_CLASS_PARK, SYNC_CODE_DATA_REFUSED, "%.*s%s", shift, "x", many);
        assert_true(sync_utf8_is_text(sync_bytes_text(err.text)));
        (void)sync_wrap(&err, "o%.*s", shift, "x");
        assert_true(sync_utf8_is_text(sync_bytes_text(err.text)));
    }
}

static void every_code_has_one_word_of_its_own(void **context)
{
    (void)context;
    for (int i = 0; i < SYNC_CODE_COUNT; i++) {
        const char *word = sync_code_word((enum sync_code)i);
        assert_true(strlen(word) > 0);
        assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(word));
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(word, sync_code_word((enum sync_code)j));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_returns_its_class_and_fills_the_error),
        cmocka_unit_test(a_failure_without_an_error_to_fill_still_returns_its_class),
        cmocka_unit_test(a_failure_of_a_field_names_its_path),
        cmocka_unit_test(text_and_field_are_cut_at_their_bound),
        cmocka_unit_test(a_wrap_puts_context_first_and_keeps_class_and_code),
        cmocka_unit_test(a_wrap_that_leaves_no_room_keeps_the_context),
        cmocka_unit_test(a_text_that_is_cut_inside_a_character_stays_well_formed),
        cmocka_unit_test(every_code_has_one_word_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
