/*
 * Shows that exactly the well-formed sequences of UTF-8 are taken, and no NUL: every text of up to
 * three bytes and the edges of four are compared with a decoder written from the definition, at
 * every place in a longer text.
 */
#include "core/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* The definition: a code point, its shortest form, no surrogate. */
static size_t reference(const uint8_t *data, size_t size)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = data[0] < 0x80             ? 1
                    : (data[0] & 0xE0) == 0xC0 ? 2
                    : (data[0] & 0xF0) == 0xE0 ? 3
                    : (data[0] & 0xF8) == 0xF0 ? 4
                                               : 0;
    if (length == 0 || length > size) {
        return 0;
    }
    uint32_t point = length == 1 ? data[0] : data[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((data[i] & 0xC0) != 0x80) {
            return 0;
        }
        point = point << 6 | (data[i] & 0x3F);
    }
    bool good = point >= least[length] && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
    return good ? length : 0;
}

static void every_sequence_of_three_bytes_is_judged_as_the_definition_says(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 1u << 24; bits++) {
        const uint8_t data[] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
        if (sync_utf8_sequence((struct sync_bytes){data, 3}) != reference(data, 3)) {
            fail_msg("%06x", bits);
        }
    }
}

static void the_edges_of_four_bytes_are_judged_as_the_definition_says(void **state)
{
    (void)state;
    for (uint32_t first = 0xEF; first < 0x100; first++) {
        for (uint32_t second = 0; second < 0x100; second++) {
            for (uint32_t third = 0x7F; third < 0xC1; third++) {
                for (uint32_t fourth = 0x7F; fourth < 0xC1; fourth++) {
                    const uint8_t data[] = {(uint8_t)first, (uint8_t)second, (uint8_t)third,
                                            (uint8_t)fourth};
                    assert_int_equal(sync_utf8_sequence((struct sync_bytes){data, 4}),
                                     reference(data, 4));
                }
            }
        }
    }
}

static void a_bad_byte_is_found_at_every_place(void **state)
{
    (void)state;
    static const uint8_t bad[] = {0x00, 0x80, 0xC0, 0xF5, 0xFF};
    uint8_t text[33];
    for (size_t size = 1; size <= sizeof text; size++) {
        memset(text, 'x', sizeof text);
        assert_true(sync_utf8_is_text((struct sync_bytes){text, size}));
        for (size_t at = 0; at < size; at++) {
            for (size_t i = 0; i < sizeof bad; i++) {
                memset(text, 'x', sizeof text);
                text[at] = bad[i];
                assert_false(sync_utf8_is_text((struct sync_bytes){text, size}));
            }
        }
    }
    assert_true(sync_utf8_is_text((struct sync_bytes){NULL, 0}));
    assert_true(sync_utf8_is_text(sync_bytes_text("0123456å€😀0123456789")));
}

static void a_sequence_that_the_text_ends_in_is_ill_formed(void **state)
{
    (void)state;
    const char *face = "😀";
    for (size_t size = 0; size < 4; size++) {
        assert_int_equal(sync_utf8_sequence((struct sync_bytes){(const uint8_t *)face, size}), 0);
    }
    assert_int_equal(sync_utf8_sequence(sync_bytes_text(face)), 4);
}

static void mending_replaces_bad_bytes_and_nothing_else(void **state)
{
    (void)state;
    char text[] = "a\xC3\xA6\xE2\x82\xAC\xFFz\xE2\x82";
    sync_utf8_mend(text);
    assert_string_equal(text, "a\xC3\xA6\xE2\x82\xAC?z??");
    char good[] = "0123456å€😀";
    sync_utf8_mend(good);
    assert_string_equal(good, "0123456å€😀");
    char empty[] = "";
    sync_utf8_mend(empty);
    assert_string_equal(empty, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_three_bytes_is_judged_as_the_definition_says),
        cmocka_unit_test(the_edges_of_four_bytes_are_judged_as_the_definition_says),
        cmocka_unit_test(a_bad_byte_is_found_at_every_place),
        cmocka_unit_test(a_sequence_that_the_text_ends_in_is_ill_formed),
        cmocka_unit_test(mending_replaces_bad_bytes_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
