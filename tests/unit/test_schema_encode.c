/*
 * Shows that the encoder writes each kind of row as Avro says, and refuses what the schema cannot
 * hold with code and path: with small schemas and bytes written out by hand.
 */
#include "core/limits.h"
#include "runtime/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define FRAME_BYTES 10

struct source {
    bool b, has_l, has_n;
    int32_t i, e, x;
    int64_t l;
    double d;
    struct sync_bytes t;
    struct sync_texts a;
};

#define AT(member) offsetof(struct source, member)
#define REQUIRED   SYNC_FIELD_REQUIRED
static const char *const symbols[] = {"ZERO", "ONE", NULL};
static const struct sync_field rows[] = {
    {"b", SYNC_FIELD_BOOL, AT(b), REQUIRED, NULL, 0},
    {"i", SYNC_FIELD_INT, AT(i), REQUIRED, NULL, 0},
    {"l", SYNC_FIELD_LONG, AT(l), AT(has_l), NULL, 0},
    {"d", SYNC_FIELD_DOUBLE, AT(d), REQUIRED, NULL, 0},
    {"t", SYNC_FIELD_TEXT, AT(t), REQUIRED, NULL, 0},
    {"e", SYNC_FIELD_ENUM, AT(e), REQUIRED, symbols, 0},
    {"a", SYNC_FIELD_TEXTS, AT(a), REQUIRED, NULL, 0},
    {"n", SYNC_FIELD_PRESENCE, AT(has_n), REQUIRED, NULL, 0},
    {"n.x", SYNC_FIELD_INT, AT(x), REQUIRED, NULL, 0},
};
static const struct sync_processor processor = {
    .name = "test", .fields = rows, .field_count = sizeof rows / sizeof rows[0]};

static uint8_t memory[2 * SYNC_RECORD_BYTES_MAX];

/* One field of the type; ' stands for ". */
static struct sync_bytes run(const char *name, const char *type, const struct source *source,
                             struct sync_error *err)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "{'type':'record','name':'R','fields':[{'name':'%s','type':%s}]}", name, type);
    for (char *at = strchr(text, '\''); at != NULL; at = strchr(at, '\'')) {
        *at = '"';
    }
    struct sync_schema *schema = NULL;
    if (!sync_is_ok(sync_schema_new(sync_bytes_text(text), &schema, err))) {
        fail_msg("%s: %s", text, err->text);
    }
    struct sync_arena arena;
    struct sync_bytes value = {NULL, 0};
    sync_arena_init(&arena, memory, sizeof memory);
    *err = (struct sync_error){0};
    sync_status status = sync_encode(schema, &processor, source, &arena, &value, err);
    assert_int_equal(sync_is_ok(status), value.data != NULL);
    assert_true(sync_is_ok(status) || status.class == SYNC_CLASS_PARK);
    sync_schema_free(&schema);
    return value;
}

static void good(const char *name, const char *type, const struct source *source,
                 struct sync_bytes expected)
{
    struct sync_error err;
    struct sync_bytes value = run(name, type, source, &err);
    assert_string_equal(err.text, "");
    struct sync_bytes datum = {value.data + FRAME_BYTES, value.size - FRAME_BYTES};
    assert_true(sync_bytes_equal(datum, expected));
}

static void bad(const char *name, const char *type, const struct source *source,
                enum sync_code code)
{
    struct sync_error err;
    (void)run(name, type, source, &err);
    assert_int_equal(err.code, code);
    assert_string_equal(err.field, name);
}

#define DATUM(text) ((struct sync_bytes){(const uint8_t *)(text), sizeof(text) - 1})

static void each_row_is_written_as_its_type(void **state)
{
    (void)state;
    struct source s = {.b = true, .has_l = true, .i = INT32_MIN, .l = INT64_MAX, .e = 1, .d = 1.5};
    s.t = sync_bytes_text("hå");
    good("b", "'boolean'", &s, DATUM("\x01"));
    good("i", "'int'", &s, DATUM("\xFF\xFF\xFF\xFF\x0F"));
    good("l", "'long'", &s, DATUM("\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"));
    good("d", "'double'", &s, DATUM("\x00\x00\x00\x00\x00\x00\xF8\x3F"));
    good("d", "'float'", &s, DATUM("\x00\x00\xC0\x3F"));
    good("t", "'string'", &s, DATUM("\x06h\xC3\xA5"));
    good("t", "'bytes'", &s, DATUM("\x06h\xC3\xA5"));
    good("e", "{'type':'enum','name':'E','symbols':['TWO','ONE']}", &s, DATUM("\x02"));
    good("other", "'null'", &s, DATUM(""));
}

static void a_union_gets_the_branch_that_the_row_fills(void **state)
{
    (void)state;
    struct source s = {.has_l = true, .l = 3, .x = 4};
    good("l", "['null','long']", &s, DATUM("\x02\x06"));
    good("l", "['string','long','null']", &s, DATUM("\x02\x06"));
    s.has_l = false;
    good("l", "['null','long']", &s, DATUM("\x00"));
    good("l", "['string','long','null']", &s, DATUM("\x04"));
    const char *inner =
        "['null',{'type':'record','name':'N','fields':[{'name':'x','type':'int'}]}]";
    good("n", inner, &s, DATUM("\x00"));
    s.has_n = true;
    good("n", inner, &s, DATUM("\x02\x08"));
    /* A field that no row fills is null where it may be. */
    good("other", "['null','string']", &s, DATUM("\x00"));
}

static void what_the_schema_cannot_hold_is_refused(void **state)
{
    (void)state;
    struct source s = {.has_l = true, .l = 1LL << 31, .e = 1};
    bad("l", "'int'", &s, SYNC_CODE_FIELD_RANGE);
    s.l = -(1LL << 31) - 1;
    bad("l", "['null','int']", &s, SYNC_CODE_FIELD_RANGE);
    s.has_l = false;
    bad("l", "'long'", &s, SYNC_CODE_FIELD_MISSING);
    bad("l", "['string','long']", &s, SYNC_CODE_SCHEMA_MISMATCH);
    bad("n", "{'type':'record','name':'N','fields':[{'name':'x','type':'int'}]}", &s,
        SYNC_CODE_FIELD_MISSING);
    bad("e", "{'type':'enum','name':'E','symbols':['ZERO']}", &s, SYNC_CODE_FIELD_RANGE);
    bad("d", "'long'", &s, SYNC_CODE_SCHEMA_MISMATCH);
    bad("i", "'string'", &s, SYNC_CODE_SCHEMA_MISMATCH);
    bad("i", "{'type':'array','items':'int'}", &s, SYNC_CODE_SCHEMA_MISMATCH);
    bad("i", "['null','string']", &s, SYNC_CODE_SCHEMA_MISMATCH);
    bad("other", "'string'", &s, SYNC_CODE_FIELD_MISSING);
}

static void a_list_of_texts_is_written_as_an_array(void **state)
{
    (void)state;
    uint8_t room[16];
    struct sync_bytes items[] = {sync_bytes_text("xy"), sync_bytes_text("")};
    struct source s = {0};
    good("a", "{'type':'array','items':'string'}", &s, (struct sync_bytes){(uint8_t[]){0}, 1});
    assert_true(sync_texts_make(items, 2, room, sizeof room, &s.a));
    good("a", "{'type':'array','items':'string'}", &s,
         (struct sync_bytes){(uint8_t[]){4, 4, 'x', 'y', 0, 0}, 6});
    items[0] = (struct sync_bytes){(uint8_t[]){0xC0, 0x80}, 2};
    assert_true(sync_texts_make(items, 2, room, sizeof room, &s.a));
    bad("a", "{'type':'array','items':'string'}", &s, SYNC_CODE_UTF8);
    bad("a", "'string'", &s, SYNC_CODE_SCHEMA_MISMATCH);
}

static void a_record_larger_than_a_topic_carries_is_refused(void **state)
{
    (void)state;
    struct sync_error err;
    struct source s = {0};
    char *text = malloc(SYNC_RECORD_BYTES_MAX + 1);
    assert_non_null(text);
    memset(text, 'x', SYNC_RECORD_BYTES_MAX + 1);
    s.t = (struct sync_bytes){(uint8_t *)text, SYNC_RECORD_BYTES_MAX + 1};
    bad("t", "'string'", &s, SYNC_CODE_FIELD_RANGE);
    s.t.size = SYNC_RECORD_BYTES_MAX;
    (void)run("t", "'string'", &s, &err);
    assert_int_equal(err.code, SYNC_CODE_OVERSIZE);
    s.t.size = SYNC_RECORD_BYTES_MAX - FRAME_BYTES - 3; /* and 3 bytes of length */
    assert_int_equal(run("t", "'string'", &s, &err).size, SYNC_RECORD_BYTES_MAX);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_written_as_its_type),
        cmocka_unit_test(a_union_gets_the_branch_that_the_row_fills),
        cmocka_unit_test(what_the_schema_cannot_hold_is_refused),
        cmocka_unit_test(a_list_of_texts_is_written_as_an_array),
        cmocka_unit_test(a_record_larger_than_a_topic_carries_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
