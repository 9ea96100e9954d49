/*
 * Shows that schemas are checked before they are used, that canonical forms and fingerprints are
 * those of the Avro specification, and that a directory of schemas is read whole or refused: by
 * parsing texts and comparing codes, forms, fingerprints and file names.
 */
#include "runtime/schema_tree.h"

#include "core/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <avro.h>

static enum sync_code code_of_bytes(struct sync_bytes text)
{
    struct schema_tree tree;
    struct sync_error err = {0};
    struct timespec start;
    struct timespec end;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    sync_status status = schema_tree_parse(text, &tree, &err);
    schema_tree_done(&tree);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - start.tv_sec <= 1);
    if (!sync_is_ok(status)) {
        assert_int_equal(status.class, SYNC_CLASS_FATAL);
        assert_true(err.text[0] != '\0');
    }
    return err.code;
}

static enum sync_code code_of(const char *text)
{
    return code_of_bytes(sync_bytes_text(text));
}

#define ONE_FIELD(rest)                                                                            \
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\"," rest "}]}"
#define TYPED(type, value) ONE_FIELD("\"type\":" type ",\"default\":" value)

static const char *const wrong_texts[] = {
    "",
    "nonsense",
    "7",
    "null",
    "{}",
    "[]",
    "\"Unknown\"",
    "\"a-b\"",
    "{\"type\":7}",
    "{\"type\":\"strange\"}",
    "{\"type\":{\"type\":\"int\"}}",
    "{\"type\":\"record\",\"fields\":[]}",
    "{\"type\":\"record\",\"name\":\"R\"}",
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":{}}",
    "{\"type\":\"record\",\"name\":\"\",\"fields\":[]}",
    "{\"type\":\"record\",\"name\":\"1R\",\"fields\":[]}",
    "{\"type\":\"record\",\"name\":\"R.\",\"fields\":[]}",
    "{\"type\":\"record\",\"name\":\"a..R\",\"fields\":[]}",
    "{\"type\":\"record\",\"name\":\"int\",\"fields\":[]}",
    "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a b\",\"fields\":[]}",
    "{\"type\":\"record\",\"name\":\"R\",\"namespace\":7,\"fields\":[]}",
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[7]}",
    "{\"type\":\"record\",\"name\":\"R\",\"aliases\":\"S\",\"fields\":[]}",
    "{\"type\":\"record\",\"name\":\"R\",\"aliases\":[\"S\",\"S\"],\"fields\":[]}",
    ONE_FIELD("\"doc\":\"no type\""),
    ONE_FIELD("\"type\":\"R\""),
    ONE_FIELD("\"type\":[\"null\",\"R\"]"),
    ONE_FIELD("\"type\":{\"type\":\"array\",\"items\":\"R\"}"),
    ONE_FIELD("\"type\":{\"type\":\"array\"}"),
    ONE_FIELD("\"type\":{\"type\":\"map\",\"items\":\"int\"}"),
    ONE_FIELD("\"type\":[\"int\",\"int\"]"),
    ONE_FIELD("\"type\":[\"int\",[\"null\"]]"),
    ONE_FIELD("\"type\":\"int\",\"aliases\":[\"a\"]"),
    ONE_FIELD("\"type\":\"int\",\"aliases\":[\"b.c\"]"),
    ONE_FIELD("\"type\":\"int\"},{\"name\":\"a\",\"type\":\"int\""),
    ONE_FIELD("\"type\":\"int\"},{\"name\":\"b\",\"type\":\"int\",\"aliases\":[\"a\"]"),
    ONE_FIELD("\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}},{\"name\":\"b\",\"type\":"
              "{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}"),
    "{\"type\":\"enum\",\"name\":\"E\"}",
    "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[]}",
    "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"A\"]}",
    "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"a-b\"]}",
    "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[7]}",
    "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"B\"}",
    "{\"type\":\"fixed\",\"name\":\"F\"}",
    "{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}",
    "{\"type\":\"fixed\",\"name\":\"F\",\"size\":0}",
    "{\"type\":\"fixed\",\"name\":\"F\",\"size\":\"4\"}",
    "{\"type\":\"fixed\",\"name\":\"F\",\"size\":4.0}",
    "{\"type\":\"fixed\",\"name\":\"F\",\"size\":1099511627776}",
    "{\"type\":\"fixed\",\"name\":\"F\",\"size\":1048577}",
};

static void schemas_that_break_a_rule_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_texts / sizeof wrong_texts[0]; i++) {
        if (code_of(wrong_texts[i]) != SYNC_CODE_SCHEMA_INVALID) {
            fail_msg("taken: %s", wrong_texts[i]);
        }
    }
}

static void defaults_must_be_values_of_their_type(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {TYPED("\"null\"", "null"), true},
        {TYPED("\"null\"", "0"), false},
        {TYPED("\"boolean\"", "true"), true},
        {TYPED("\"boolean\"", "1"), false},
        {TYPED("\"int\"", "-2147483648"), true},
        {TYPED("\"int\"", "2147483648"), false},
        {TYPED("\"int\"", "1.0"), false},
        {TYPED("\"int\"", "\"1\""), false},
        {TYPED("\"long\"", "9223372036854775807"), true},
        {TYPED("\"float\"", "1"), true},
        {TYPED("\"double\"", "1.5"), true},
        {TYPED("\"double\"", "\"NaN\""), false},
        {TYPED("\"string\"", "\"å\""), true},
        {TYPED("\"string\"", "null"), false},
        {TYPED("\"bytes\"", "\"\\u00ff\""), true},
        {TYPED("\"bytes\"", "\"\\u0100\""), false},
        {TYPED("\"bytes\"", "7"), false},
        {TYPED("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "\"\\u00ff0\""), true},
        {TYPED("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "\"abc\""), false},
        {TYPED("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "\"A\""), true},
        {TYPED("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "\"B\""), false},
        {TYPED("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "0"), false},
        {TYPED("{\"type\":\"array\",\"items\":\"int\"}", "[1,2]"), true},
        {TYPED("{\"type\":\"array\",\"items\":\"int\"}", "[1,\"2\"]"), false},
        {TYPED("{\"type\":\"array\",\"items\":\"int\"}", "{}"), false},
        {TYPED("{\"type\":\"map\",\"values\":\"int\"}", "{\"k\":1}"), true},
        {TYPED("{\"type\":\"map\",\"values\":\"int\"}", "{\"k\":null}"), false},
        {TYPED("[\"null\",\"int\"]", "null"), true},
        {TYPED("[\"null\",\"int\"]", "1"), false},
        {TYPED("[\"int\",\"null\"]", "1"), true},
        {TYPED(
             "{\"type\":\"record\",\"name\":\"I\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}",
             "{\"x\":1}"),
         true},
        {TYPED(
             "{\"type\":\"record\",\"name\":\"I\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}",
             "{}"),
         false},
        {TYPED("{\"type\":\"record\",\"name\":\"I\",\"fields\":[{\"name\":\"x\",\"type\":\"int\","
               "\"default\":4}]}",
               "{}"),
         true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool taken = code_of(cases[i].text) == SYNC_CODE_NONE;
        if (taken != cases[i].good) {
            fail_msg("%s: %s", taken ? "taken" : "refused", cases[i].text);
        }
    }
}

/* depth records around one int, each the type of a field of the one outside. */
static char *nested_records(size_t depth)
{
    struct sync_json_writer w;
    char name[24];
    sync_json_writer_init(&w);
    for (size_t i = 0; i < depth; i++) {
        (void)snprintf(name, sizeof name, "R%zu", i);
        sync_json_open(&w, i == 0 ? NULL : "type", '{');
        sync_json_put_text(&w, "type", "record");
        sync_json_put_text(&w, "name", name);
        sync_json_open(&w, "fields", '[');
        sync_json_open(&w, NULL, '{');
        sync_json_put_text(&w, "name", "a");
    }
    sync_json_put_text(&w, "type", "int");
    for (size_t i = 0; i < depth; i++) {
        sync_json_close(&w, '}');
        sync_json_close(&w, ']');
        sync_json_close(&w, '}');
    }
    return sync_json_writer_take(&w);
}

static void size_and_nesting_are_bounded(void **state)
{
    (void)state;
    static char text[SYNC_SCHEMA_BYTES_MAX + 1];
    memset(text, ' ', sizeof text);
    memcpy(text, "\"int\"", 5);
    assert_int_equal(code_of_bytes((struct sync_bytes){(uint8_t *)text, sizeof text - 1}),
                     SYNC_CODE_NONE);
    assert_int_equal(code_of_bytes((struct sync_bytes){(uint8_t *)text, sizeof text}),
                     SYNC_CODE_SCHEMA_INVALID);
    /* 30 KB of nesting end avro-c's process. */
    memset(text, '[', 30000);
    assert_int_equal(code_of_bytes((struct sync_bytes){(uint8_t *)text, 30000}),
                     SYNC_CODE_SCHEMA_INVALID);
    for (size_t depth = 1; depth < 60; depth++) {
        char *nested = nested_records(depth);
        enum sync_code code = code_of(nested);
        assert_int_equal(code, depth <= 21 ? SYNC_CODE_NONE : SYNC_CODE_SCHEMA_INVALID);
        free(nested);
    }
}

/* Levels that are nested by name do not nest in the text, so they have a bound of their own. */
static void nesting_by_name_is_bounded(void **state)
{
    (void)state;
    for (int levels = 30; levels < 34; levels++) {
        struct sync_json_writer w;
        sync_json_writer_init(&w);
        sync_json_open(&w, NULL, '[');
        char name[24];
        char inner[24] = "int";
        for (int i = 1; i < levels - 1; i++) {
            (void)snprintf(name, sizeof name, "L%d", i);
            sync_json_open(&w, NULL, '{');
            sync_json_put_text(&w, "type", "record");
            sync_json_put_text(&w, "name", name);
            sync_json_open(&w, "fields", '[');
            for (int twice = 0; twice < 2; twice++) {
                sync_json_open(&w, NULL, '{');
                sync_json_put_text(&w, "name", twice == 0 ? "a" : "b");
                sync_json_put_text(&w, "type", inner);
                sync_json_close(&w, '}');
            }
            sync_json_close(&w, ']');
            sync_json_close(&w, '}');
            (void)snprintf(inner, sizeof inner, "%s", name);
        }
        sync_json_close(&w, ']');
        char *text = sync_json_writer_take(&w);
        /* The union is a level, and so is the int. */
        assert_int_equal(code_of(text), levels <= 32 ? SYNC_CODE_NONE : SYNC_CODE_SCHEMA_INVALID);
        free(text);
    }
}

static void assert_form(const char *text, const char *form, uint64_t fingerprint)
{
    struct schema_tree tree;
    struct sync_error err = {0};
    assert_true(sync_is_ok(schema_tree_parse(sync_bytes_text(text), &tree, &err)));
    char *canonical = schema_canonical(&tree);
    assert_string_equal(canonical, form);
    assert_true(schema_fingerprint(sync_bytes_text(canonical)) == fingerprint);
    free(canonical);
    schema_tree_done(&tree);
}

/* Vectors of the Avro project's own schema tests. */
static void canonical_forms_and_fingerprints_are_those_of_the_specification(void **state)
{
    (void)state;
    assert_form("\"null\"", "\"null\"", 7195948357588979594u);
    assert_form("{\"type\":\"null\"}", "\"null\"", 7195948357588979594u);
    assert_form("\"boolean\"", "\"boolean\"", (uint64_t)-6970731678124411036);
    assert_form("\"int\"", "\"int\"", 8247732601305521295u);
    assert_form("\"long\"", "\"long\"", (uint64_t)-3434872931120570953);
    assert_form("\"float\"", "\"float\"", 5583340709985441680u);
    assert_form("\"double\"", "\"double\"", (uint64_t)-8181574048448539266);
    assert_form("\"bytes\"", "\"bytes\"", 5746618253357095269u);
    assert_form("\"string\"", "\"string\"", (uint64_t)-8142146995180207161);
}

static void names_are_made_full_and_written_once(void **state)
{
    (void)state;
    const char *text =
        "{\"namespace\":\"x.y\",\"doc\":\"d\",\"fields\":[{\"type\":{\"size\":16,\"type\":"
        "\"fixed\","
        "\"name\":\"F\"},\"name\":\"a\",\"default\":\"0123456789abcdef\",\"order\":\"ignore\"},"
        "{\"name\":\"b\",\"type\":[\"null\",\"F\",{\"type\":\"map\",\"values\":\"x.y.F\"},"
        "{\"name\":\"E\",\"namespace\":\"z\",\"symbols\":[\"A\",\"B\"],\"type\":\"enum\"},"
        "{\"type\":\"array\",\"items\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}}]}]"
        ","
        "\"aliases\":[\"Old\"],\"name\":\"R\",\"type\":\"record\"}";
    const char *form =
        "{\"name\":\"x.y.R\",\"type\":\"record\",\"fields\":[{\"name\":\"a\",\"type\":{\"name\":"
        "\"x.y.F\",\"type\":\"fixed\",\"size\":16}},{\"name\":\"b\",\"type\":[\"null\",\"x.y.F\","
        "{\"type\":\"map\",\"values\":\"x.y.F\"},{\"name\":\"z.E\",\"type\":\"enum\",\"symbols\":"
        "[\"A\",\"B\"]},{\"type\":\"array\",\"items\":\"long\"}]}]}";
    struct sync_schema *schema = NULL;
    struct sync_error err = {0};
    assert_true(sync_is_ok(sync_schema_new(sync_bytes_text(text), &schema, &err)));
    assert_string_equal(sync_schema_name(schema), "x.y.R");
    assert_string_equal(schema_canonical_of(schema), form);
    assert_string_equal((const char *)sync_schema_text(schema).data, text);
    assert_string_equal(schema_tree_of(schema)->root->aliases.items[0], "x.y.Old");
    sync_schema_free(&schema);
    assert_null(schema);
    sync_schema_free(&schema);
    /* The canonical form is its own canonical form. */
    assert_form(form, form, schema_fingerprint(sync_bytes_text(form)));
}

static void a_schema_of_ours_is_a_record(void **state)
{
    (void)state;
    struct sync_schema *schema = NULL;
    struct sync_error err = {0};
    sync_status status = sync_schema_new(sync_bytes_text("\"int\""), &schema, &err);
    assert_int_equal(status.class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_SCHEMA_INVALID);
    assert_null(schema);
}

static void an_error_names_the_field(void **state)
{
    (void)state;
    struct schema_tree tree;
    struct sync_error err = {0};
    const char *text = ONE_FIELD("\"type\":{\"type\":\"record\",\"name\":\"I\",\"fields\":[{"
                                 "\"name\":\"x\",\"type\":\"wrong\"}]}");
    assert_false(sync_is_ok(schema_tree_parse(sync_bytes_text(text), &tree, &err)));
    schema_tree_done(&tree);
    assert_string_equal(err.field, "a.x");
    assert_string_equal(err.text, "check schema at a.x: a type is used before it is defined");
}

static void the_schemas_of_the_repository_are_read_and_known_to_avro(void **state)
{
    (void)state;
    struct sync_schema_set *set = NULL;
    struct sync_error err = {0};
    assert_true(sync_is_ok(sync_schema_set_new(SYNC_SOURCE_DIR "/schemas", &set, &err)));
    const struct sync_schema *schema = sync_schema_set_find(set, "no.altinn.sync.StatusChange");
    assert_non_null(schema);
    assert_true(sync_schema_fingerprint(schema) == 0x94D3E3B10444FB97u);
    assert_ptr_equal(sync_schema_set_find_fingerprint(set, 0x94D3E3B10444FB97u), schema);
    assert_null(sync_schema_set_find_fingerprint(set, 0));
    assert_null(sync_schema_set_find(set, "StatusChange"));
    struct sync_bytes text = sync_schema_text(schema);
    avro_schema_t oracle = NULL;
    assert_int_equal(avro_schema_from_json_length((const char *)text.data, text.size, &oracle), 0);
    assert_string_equal(avro_schema_name(oracle), "StatusChange");
    avro_schema_decref(oracle);
    sync_schema_set_free(&set);
    assert_null(set);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_directory_is_read_whole_or_refused(void **state)
{
    (void)state;
    char dir[] = "/tmp/test_schema.XXXXXX";
    char history[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(history, sizeof history, "%s/history", dir);
    assert_int_equal(mkdir(history, 0700), 0);
    struct sync_schema_set *set = NULL;
    struct sync_error err = {0};
    assert_int_equal(sync_schema_set_new(dir, &set, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_FILE);
    /* The newest answers to the name; the old one and a copy of the newest only to their
     * fingerprints. */
    write_file(dir, "readme.txt", "not a schema");
    write_file(dir, "R.avsc", ONE_FIELD("\"type\":\"long\""));
    write_file(history, "1.avsc", ONE_FIELD("\"type\":\"int\""));
    write_file(history, "2.avsc", ONE_FIELD("\"type\":\"long\",\"doc\":\"copy\""));
    assert_true(sync_is_ok(sync_schema_set_new(dir, &set, &err)));
    const struct sync_schema *newest = sync_schema_set_find(set, "R");
    assert_non_null(strstr((const char *)sync_schema_text(newest).data, "long"));
    const char *old_form =
        "{\"name\":\"R\",\"type\":\"record\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}";
    uint64_t old = schema_fingerprint(sync_bytes_text(old_form));
    assert_non_null(sync_schema_set_find_fingerprint(set, old));
    sync_schema_set_free(&set);
    write_file(dir, "S.avsc", ONE_FIELD("\"type\":\"double\""));
    assert_int_equal(sync_schema_set_new(dir, &set, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_SCHEMA_INVALID);
    assert_non_null(strstr(err.text, "move the older one below history/"));
    write_file(dir, "S.avsc", "{");
    assert_int_equal(sync_schema_set_new(dir, &set, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_SCHEMA_INVALID);
    assert_non_null(strstr(err.text, "/S.avsc"));
    assert_null(set);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(sync_schema_set_new(dir, &set, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemas_that_break_a_rule_are_refused),
        cmocka_unit_test(defaults_must_be_values_of_their_type),
        cmocka_unit_test(size_and_nesting_are_bounded),
        cmocka_unit_test(nesting_by_name_is_bounded),
        cmocka_unit_test(canonical_forms_and_fingerprints_are_those_of_the_specification),
        cmocka_unit_test(names_are_made_full_and_written_once),
        cmocka_unit_test(a_schema_of_ours_is_a_record),
        cmocka_unit_test(an_error_names_the_field),
        cmocka_unit_test(the_schemas_of_the_repository_are_read_and_known_to_avro),
        cmocka_unit_test(a_directory_is_read_whole_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
