/* Shows that only the 36-character form of a UUID is read, in either case, and lower case is
 * written. */
#include <altinn_sync/types.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char text[] = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

static void a_uuid_is_read_in_either_case_and_written_in_lower_case(void **context)
{
    (void)context;
    static const char *const forms[] = {text, "7C9E6679-7425-40DE-944B-E07FC1F90AE7",
                                        "7c9E6679-7425-40dE-944B-e07fc1f90AE7"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct sync_uuid id;
        char written[SYNC_UUID_BUFFER];
        assert_true(sync_uuid_parse(sync_bytes_text(forms[i]), &id));
        sync_uuid_format(&id, written);
        assert_string_equal(written, text);
        assert_int_equal(id.bytes[0], 0x7c);
        assert_int_equal(id.bytes[15], 0xe7);
    }
}

static void every_other_form_is_refused_and_changes_nothing(void **context)
{
    (void)context;
    static const char *const forms[] = {
        "",
        "7c9e6679742540de944be07fc1f90ae7",
        "{7c9e6679-7425-40de-944b-e07fc1f90ae7}",
        "7c9e6679-7425-40de-944b-e07fc1f90ae",
        "7c9e6679-7425-40de-944b-e07fc1f90ae77",
        "7c9e6679-7425-40de-944b-e07fc1f90aeg",
        "7c9e6679_7425-40de-944b-e07fc1f90ae7",
        "7c9e667-97425-40de-944b-e07fc1f90ae7",
        " c9e6679-7425-40de-944b-e07fc1f90ae7",
        "7c9e6679-7425-40de-944b-e07fc1f90ae\xc3",
        "------------------------------------",
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct sync_uuid id = {{9}};
        assert_false(sync_uuid_parse(sync_bytes_text(forms[i]), &id));
        assert_int_equal(id.bytes[0], 9);
    }
}

static void every_single_wrong_character_is_refused(void **context)
{
    (void)context;
    for (size_t at = 0; at < SYNC_UUID_TEXT; at++) {
        for (int character = 0; character < 256; character++) {
            char form[SYNC_UUID_BUFFER];
            memcpy(form, text, sizeof form);
            form[at] = (char)character;
            bool dash = at == 8 || at == 13 || at == 18 || at == 23;
            bool hex = (character >= '0' && character <= '9') ||
                       (character >= 'a' && character <= 'f') ||
                       (character >= 'A' && character <= 'F');
            struct sync_uuid id;
            struct sync_bytes bytes = {(const uint8_t *)form, SYNC_UUID_TEXT};
            assert_int_equal(sync_uuid_parse(bytes, &id), dash ? character == '-' : hex);
        }
    }
}

static void the_zero_uuid_is_a_value_like_any_other(void **context)
{
    (void)context;
    struct sync_uuid id = {{1}};
    assert_false(sync_uuid_is_zero(&id));
    assert_true(sync_uuid_parse(sync_bytes_text("00000000-0000-0000-0000-000000000000"), &id));
    assert_true(sync_uuid_is_zero(&id));
}

static void seconds_are_floored_also_before_1970(void **context)
{
    (void)context;
    assert_int_equal(sync_second_of(0), 0);
    assert_int_equal(sync_second_of(999999), 0);
    assert_int_equal(sync_second_of(1000000), 1);
    assert_int_equal(sync_second_of(-1), -1);
    assert_int_equal(sync_second_of(-1000000), -1);
    assert_int_equal(sync_second_of(-1000001), -2);
    assert_true(sync_second_of(INT64_MIN) == INT64_MIN / 1000000 - 1);
    assert_true(sync_second_of(INT64_MAX) == INT64_MAX / 1000000);
}

static void bytes_are_equal_only_by_size_and_content(void **context)
{
    (void)context;
    assert_true(sync_bytes_equal((struct sync_bytes){NULL, 0}, sync_bytes_text("")));
    assert_true(sync_bytes_equal(sync_bytes_text("ab"), sync_bytes_text("ab")));
    assert_false(sync_bytes_equal(sync_bytes_text("ab"), sync_bytes_text("abc")));
    assert_false(sync_bytes_equal(sync_bytes_text("ab"), sync_bytes_text("aB")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uuid_is_read_in_either_case_and_written_in_lower_case),
        cmocka_unit_test(every_other_form_is_refused_and_changes_nothing),
        cmocka_unit_test(every_single_wrong_character_is_refused),
        cmocka_unit_test(the_zero_uuid_is_a_value_like_any_other),
        cmocka_unit_test(seconds_are_floored_also_before_1970),
        cmocka_unit_test(bytes_are_equal_only_by_size_and_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
