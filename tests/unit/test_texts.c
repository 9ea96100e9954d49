/*
 * Shows that a list of texts comes out as it went in, in whatever blocks a writer cut it, and that
 * the decoder keeps checked lists only: with bytes written out by hand.
 */
#include "runtime/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct target {
    struct sync_texts a;
    bool has_a;
};

#define SCHEMA(type) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" type "]}"
#define STRINGS      "{\"type\":\"array\",\"items\":\"string\"}"

static const struct sync_field row = {
    "a", SYNC_FIELD_TEXTS, offsetof(struct target, a), offsetof(struct target, has_a), NULL, 0};

static struct sync_schema *schema_of(const char *text)
{
    struct sync_schema *schema = NULL;
    struct sync_error err = {.text = ""};
    assert_true(sync_is_ok(sync_schema_new(sync_bytes_text(text), &schema, &err)));
    return schema;
}

static sync_status decode(const char *writer, const char *reader, struct sync_bytes datum,
                          struct target *ret_target, struct sync_error *err)
{
    struct sync_schema *from = schema_of(writer);
    struct sync_schema *to = schema_of(reader);
    struct sync_plan *plan = NULL;
    sync_status status = sync_plan_new(from, to, &row, 1, sizeof *ret_target, &plan, err);
    if (sync_is_ok(status)) {
        status = sync_datum_decode(plan, datum, ret_target, err);
    }
    sync_plan_free(&plan);
    sync_schema_free(&from);
    sync_schema_free(&to);
    return status;
}

#define PLAIN SCHEMA("{\"name\":\"a\",\"type\":" STRINGS "}")
#define BYTES_OF(...)                                                                              \
    ((struct sync_bytes){(uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})})

static void expect(struct sync_texts list, const char *joined)
{
    char text[64] = "";
    struct sync_texts left = list;
    struct sync_bytes item;
    size_t count = 0;
    while (sync_texts_next(&left, &item)) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "%.*s,", (int)item.size,
                       item.size == 0 ? "" : (const char *)item.data);
        count++;
    }
    assert_string_equal(text, joined);
    assert_int_equal(count, list.count);
    assert_int_equal(left.count, 0);
    assert_false(sync_texts_next(&left, &item));
}

static void a_list_comes_out_as_it_was_made(void **state)
{
    (void)state;
    uint8_t room[300];
    char longer[201];
    memset(longer, 'x', 200);
    longer[200] = '\0';
    struct sync_bytes items[] = {sync_bytes_text("read"), sync_bytes_text(""),
                                 sync_bytes_text("write"), sync_bytes_text(longer)};
    struct sync_texts list = {0};
    expect(list, "");
    assert_true(sync_texts_make(items, 3, room, sizeof room, &list));
    expect(list, "read,,write,");
    assert_true(sync_texts_make(items, 4, room, sizeof room, &list));
    assert_int_equal(list.count, 4);
    assert_true(sync_texts_make(NULL, 0, room, sizeof room, &list));
    expect(list, "");
}

static void room_that_is_too_small_is_refused(void **state)
{
    (void)state;
    uint8_t room[16];
    struct sync_bytes items[] = {sync_bytes_text("read"), sync_bytes_text("write")};
    struct sync_texts list = {0};
    for (size_t size = 0; size < 13; size++) {
        assert_false(sync_texts_make(items, 2, room, size, &list));
        assert_null(list.data);
    }
    assert_true(sync_texts_make(items, 2, room, 13, &list));
}

static void a_decoded_list_is_read_in_any_blocks(void **state)
{
    (void)state;
    struct target t;
    struct sync_error err;
    assert_true(sync_is_ok(decode(PLAIN, PLAIN, BYTES_OF(0), &t, &err)));
    assert_true(t.has_a);
    expect(t.a, "");
    assert_true(sync_is_ok(decode(PLAIN, PLAIN, BYTES_OF(4, 2, 'a', 2, 'b', 0), &t, &err)));
    expect(t.a, "a,b,");
    assert_true(sync_is_ok(
        decode(PLAIN, PLAIN, BYTES_OF(2, 2, 'a', 3, 8, 2, 'b', 2, 'c', 2, 0, 0), &t, &err)));
    expect(t.a, "a,b,c,,");
}

static void null_and_a_missing_list_are_empty(void **state)
{
    (void)state;
    static const char nullable[] =
        SCHEMA("{\"name\":\"a\",\"type\":[\"null\"," STRINGS "],\"default\":null}");
    static const char fallback[] = SCHEMA("{\"name\":\"a\",\"type\":" STRINGS ",\"default\":[]}");
    static const char filled[] =
        SCHEMA("{\"name\":\"a\",\"type\":" STRINGS ",\"default\":[\"x\"]}");
    static const char older[] = SCHEMA("");
    struct target t;
    struct sync_error err;
    assert_true(sync_is_ok(decode(nullable, nullable, BYTES_OF(0), &t, &err)));
    assert_false(t.has_a);
    expect(t.a, "");
    assert_true(sync_is_ok(decode(nullable, nullable, BYTES_OF(2, 2, 2, 'a', 0), &t, &err)));
    assert_true(t.has_a);
    expect(t.a, "a,");
    assert_true(sync_is_ok(decode(older, fallback, (struct sync_bytes){NULL, 0}, &t, &err)));
    expect(t.a, "");
    assert_int_equal(decode(older, filled, (struct sync_bytes){NULL, 0}, &t, &err).class,
                     SYNC_CLASS_PARK);
}

static void bad_items_and_other_arrays_are_refused(void **state)
{
    (void)state;
    static const char bytes[] =
        SCHEMA("{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"bytes\"}}");
    static const char numbers[] =
        SCHEMA("{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"int\"}}");
    struct target t;
    struct sync_error err;
    assert_int_equal(decode(PLAIN, PLAIN, BYTES_OF(2, 2, 0, 0), &t, &err).class, SYNC_CLASS_PARK);
    assert_int_equal(err.code, SYNC_CODE_UTF8);
    (void)decode(PLAIN, PLAIN, BYTES_OF(2, 8, 'a', 0), &t, &err);
    assert_int_equal(err.code, SYNC_CODE_LENGTH);
    (void)decode(PLAIN, PLAIN, BYTES_OF(2, 2, 'a'), &t, &err);
    assert_int_equal(err.code, SYNC_CODE_TRUNCATED);
    (void)decode(bytes, PLAIN, BYTES_OF(0), &t, &err);
    assert_int_equal(err.code, SYNC_CODE_SCHEMA_MISMATCH);
    (void)decode(numbers, numbers, BYTES_OF(0), &t, &err);
    assert_int_equal(err.code, SYNC_CODE_SCHEMA_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_comes_out_as_it_was_made),
        cmocka_unit_test(room_that_is_too_small_is_refused),
        cmocka_unit_test(a_decoded_list_is_read_in_any_blocks),
        cmocka_unit_test(null_and_a_missing_list_are_empty),
        cmocka_unit_test(bad_items_and_other_arrays_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
