/*
 * Shows that JSON is read strictly and within bounds, that reads of the wrong type are harmless,
 * and that what the writer writes reads back: by parsing texts and comparing codes, values and
 * bytes.
 */
#include "core/limits.h"
#include "runtime/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static enum sync_code code_of(struct sync_bytes text)
{
    struct sync_json *json = NULL;
    struct sync_error err = {0};
    sync_status status = sync_json_parse(text, &json, &err);
    sync_json_free(&json);
    if (!sync_is_ok(status)) {
        assert_int_equal(status.class, SYNC_CLASS_PARK);
        assert_true(err.text[0] != '\0');
    }
    return err.code;
}

static void hostile_texts_are_refused_with_their_code(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sync_code code;
    } cases[] = {
        {"", SYNC_CODE_SYNTAX},
        {" ", SYNC_CODE_SYNTAX},
        {"{", SYNC_CODE_SYNTAX},
        {"[1,]", SYNC_CODE_SYNTAX},
        {"{\"a\":1,}", SYNC_CODE_SYNTAX},
        {"{'a':1}", SYNC_CODE_SYNTAX},
        {"{a:1}", SYNC_CODE_SYNTAX},
        {"1 2", SYNC_CODE_SYNTAX},
        {"{} x", SYNC_CODE_SYNTAX},
        {"// c\n1", SYNC_CODE_SYNTAX},
        {"NaN", SYNC_CODE_SYNTAX},
        {"01", SYNC_CODE_SYNTAX},
        {"9223372036854775808", SYNC_CODE_SYNTAX},
        {"1e999", SYNC_CODE_SYNTAX},
        {"\"\xC0\x80\"", SYNC_CODE_SYNTAX},
        {"\"\xED\xA0\x80\"", SYNC_CODE_SYNTAX},
        {"\"\\ud800\"", SYNC_CODE_SYNTAX},
        {"\"\\u0000\"", SYNC_CODE_SYNTAX},
        {"\"a\nb\"", SYNC_CODE_SYNTAX},
        {"{\"a\":1,\"a\":2}", SYNC_CODE_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(code_of(sync_bytes_text(cases[i].text)), cases[i].code);
    }
    assert_int_equal(code_of((struct sync_bytes){NULL, 0}), SYNC_CODE_SYNTAX);
}

static void bounds_hold_before_jansson_sees_the_text(void **state)
{
    (void)state;
    size_t size = SYNC_JSON_BYTES_MAX + 1;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '[', size);
    assert_int_equal(code_of((struct sync_bytes){(uint8_t *)text, size}), SYNC_CODE_OVERSIZE);
    assert_int_equal(code_of((struct sync_bytes){(uint8_t *)text, size - 1}), SYNC_CODE_DEPTH);
    memset(text, ',', size);
    assert_int_equal(code_of((struct sync_bytes){(uint8_t *)text, size - 1}), SYNC_CODE_OVERSIZE);
    /* Depth at the bound is taken, one more is not; brackets in texts do not count. */
    memset(text, '[', SYNC_JSON_DEPTH_MAX + 1);
    memset(text + SYNC_JSON_DEPTH_MAX + 1, ']', SYNC_JSON_DEPTH_MAX + 1);
    assert_int_equal(code_of((struct sync_bytes){(uint8_t *)text, 2 * SYNC_JSON_DEPTH_MAX + 2}),
                     SYNC_CODE_DEPTH);
    assert_int_equal(code_of((struct sync_bytes){(uint8_t *)text + 1, 2 * SYNC_JSON_DEPTH_MAX}),
                     SYNC_CODE_NONE);
    memset(text, '[', 1000);
    text[0] = '"';
    text[999] = '"';
    assert_int_equal(code_of((struct sync_bytes){(uint8_t *)text, 1000}), SYNC_CODE_NONE);
    free(text);
}

static void an_error_names_line_and_column_but_never_the_text(void **state)
{
    (void)state;
    struct sync_json *json = NULL;
    struct sync_error err;
    sync_status status =
        sync_json_parse(sync_bytes_text("{\n  \"ssn\": 12345secret}"), &json, &err);
    assert_int_equal(status.class, SYNC_CLASS_PARK);
    assert_null(json);
    assert_non_null(strstr(err.text, "line 2 column"));
    assert_null(strstr(err.text, "secret"));
    assert_null(strstr(err.text, "12345"));
}

static void collect_names(const char *name, const struct sync_json *value, void *context)
{
    (void)value;
    strcat(context, name);
}

static void values_are_read_by_type_and_order(void **state)
{
    (void)state;
    struct sync_json *json = NULL;
    struct sync_error err;
    sync_status status = sync_json_parse(
        sync_bytes_text("{\"z\":-9223372036854775808,\"a\":1.5,\"t\":\"\\u00e5\",\"b\":true,"
                        "\"n\":null,\"l\":[1,2,3],\"o\":{}}"),
        &json, &err);
    assert_true(sync_is_ok(status));
    char names[16] = "";
    sync_json_each(json, collect_names, names);
    assert_string_equal(names, "zatbnlo");
    assert_true(sync_json_integer(sync_json_get(json, "z")) == INT64_MIN);
    assert_true(sync_json_real(sync_json_get(json, "a")) == 1.5);
    assert_string_equal((const char *)sync_json_text(sync_json_get(json, "t")).data, "å");
    assert_true(sync_json_bool(sync_json_get(json, "b")));
    assert_int_equal(sync_json_type_of(sync_json_get(json, "n")), SYNC_JSON_NULL);
    const struct sync_json *list = sync_json_get(json, "l");
    assert_int_equal(sync_json_count(list), 3);
    assert_int_equal(sync_json_integer(sync_json_at(list, 2)), 3);
    assert_null(sync_json_at(list, 3));
    assert_null(sync_json_get(json, "Z"));
    assert_int_equal(sync_json_type_of(sync_json_get(json, "o")), SYNC_JSON_OBJECT);
    sync_json_free(&json);
    assert_null(json);
    sync_json_free(&json);
}

static void reads_of_the_wrong_type_are_harmless(void **state)
{
    (void)state;
    struct sync_json *json = NULL;
    struct sync_error err;
    assert_true(sync_is_ok(sync_json_parse(sync_bytes_text("\"7\""), &json, &err)));
    assert_int_equal(sync_json_integer(json), 0);
    assert_true(sync_json_real(json) == 0.0);
    assert_false(sync_json_bool(json));
    assert_int_equal(sync_json_count(json), 0);
    assert_null(sync_json_at(json, 0));
    assert_null(sync_json_get(json, "a"));
    sync_json_each(json, collect_names, NULL);
    sync_json_free(&json);
    assert_int_equal(sync_json_type_of(NULL), SYNC_JSON_NULL);
    assert_int_equal(sync_json_text(NULL).size, 0);
    assert_string_equal((const char *)sync_json_text(NULL).data, "");
    assert_int_equal(sync_json_integer(NULL), 0);
}

static void written_text_reads_back(void **state)
{
    (void)state;
    struct sync_json_writer w;
    sync_json_writer_init(&w);
    sync_json_open(&w, NULL, '{');
    sync_json_put_text(&w, "t\"", "å\"\\\n\t\x01\x7F");
    sync_json_put_text(&w, "bad", "a\xFFz");
    sync_json_put_text(&w, "null", NULL);
    sync_json_put_integer(&w, "i", INT64_MIN);
    sync_json_put_bool(&w, "b", false);
    sync_json_open(&w, "l", '[');
    sync_json_put_real(&w, NULL, 0.1);
    sync_json_put_real(&w, NULL, 1.0 / 3);
    sync_json_put_real(&w, NULL, 1.0 / 0.0);
    sync_json_open(&w, NULL, '{');
    sync_json_close(&w, '}');
    sync_json_close(&w, ']');
    sync_json_close(&w, '}');
    char *text = sync_json_writer_take(&w);
    assert_string_equal(text, "{\"t\\\"\":\"å\\\"\\\\\\n\\t\\u0001\\u007f\",\"bad\":\"a\\ufffdz\","
                              "\"null\":null,\"i\":-9223372036854775808,\"b\":false,"
                              "\"l\":[0.1,0.33333333333333331,null,{}]}");
    assert_int_equal(code_of(sync_bytes_text(text)), SYNC_CODE_NONE);
    free(text);
}

static void a_runaway_writer_fails_and_gives_no_text(void **state)
{
    (void)state;
    size_t size = 1024 * 1024;
    char *block = malloc(size + 1);
    assert_non_null(block);
    memset(block, 'x', size);
    block[size] = '\0';
    struct sync_json_writer w;
    sync_json_writer_init(&w);
    sync_json_open(&w, NULL, '[');
    for (int i = 0; i < 17; i++) {
        sync_json_put_text(&w, NULL, block);
    }
    assert_null(sync_json_writer_take(&w));
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_texts_are_refused_with_their_code),
        cmocka_unit_test(bounds_hold_before_jansson_sees_the_text),
        cmocka_unit_test(an_error_names_line_and_column_but_never_the_text),
        cmocka_unit_test(values_are_read_by_type_and_order),
        cmocka_unit_test(reads_of_the_wrong_type_are_harmless),
        cmocka_unit_test(written_text_reads_back),
        cmocka_unit_test(a_runaway_writer_fails_and_gives_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
