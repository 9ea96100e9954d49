/*
 * Shows that every hostile datum ends as a parked record with its exact code, quickly and without
 * memory, and that each rule of schema evolution holds: with small schemas and datums written out
 * by hand.
 */
#include "core/limits.h"
#include "core/plan.h"
#include "runtime/schema.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

struct sink {
    bool b, has_t, has_n, has_u;
    int32_t i, e;
    int64_t l;
    double d;
    struct sync_bytes t;
    struct sync_uuid u;
    int32_t x, y;
};

#define AT(member) offsetof(struct sink, member)
#define REQUIRED   SYNC_FIELD_REQUIRED
static const char *const symbols[] = {"ZERO", "ONE", "TWO", NULL};
static const struct sync_field row_b = {"b", SYNC_FIELD_BOOL, AT(b), REQUIRED, NULL, 0};
static const struct sync_field row_i = {"i", SYNC_FIELD_INT, AT(i), REQUIRED, NULL, 0};
static const struct sync_field row_l = {"l", SYNC_FIELD_LONG, AT(l), REQUIRED, NULL, 0};
static const struct sync_field row_d = {"d", SYNC_FIELD_DOUBLE, AT(d), REQUIRED, NULL, 0};
static const struct sync_field row_t = {"t", SYNC_FIELD_TEXT, AT(t), AT(has_t), NULL, 8};
static const struct sync_field row_s = {"s", SYNC_FIELD_TEXT, AT(t), REQUIRED, NULL, 0};
static const struct sync_field row_u = {"u", SYNC_FIELD_UUID, AT(u), AT(has_u), NULL, 0};
static const struct sync_field row_e = {"e", SYNC_FIELD_ENUM, AT(e), REQUIRED, symbols, 0};
static const struct sync_field row_n = {"n", SYNC_FIELD_PRESENCE, AT(has_n), REQUIRED, NULL, 0};
static const struct sync_field row_nx = {"n.x", SYNC_FIELD_INT, AT(x), REQUIRED, NULL, 0};
static const struct sync_field row_ny = {"n.y", SYNC_FIELD_INT, AT(y), REQUIRED, NULL, 0};

#define RECORD(fields)         "{'type':'record','name':'R','fields':[" fields "]}"
#define FIELD(name, type)      "{'name':'" name "','type':" type "}"
#define WITH(name, type, rest) "{'name':'" name "','type':" type "," rest "}"
#define ENUM(list)             "{'type':'enum','name':'E','symbols':[" list "]}"
#define INNER(fields)          "{'type':'record','name':'N','fields':[" fields "]}"
#define ARRAY(item)            "{'type':'array','items':" item "}"
#define MAP(item)              "{'type':'map','values':" item "}"

/* Rows of the case, ended by one without a path. */
#define LAST                                                                                       \
    {                                                                                              \
        NULL, SYNC_FIELD_BOOL, 0, 0, NULL, 0                                                       \
    }
#define ROWS(...)   ((const struct sync_field[]){__VA_ARGS__, LAST})
#define NO_ROWS     ((const struct sync_field[]){LAST})
#define DATUM(text) ((struct sync_bytes){(const uint8_t *)(text), sizeof(text) - 1})

/* Schemas stand here with ' for ", so that they can be read. */
static struct sync_schema *schema_of(const char *text)
{
    char copy[8192];
    (void)snprintf(copy, sizeof copy, "%s", text);
    for (char *at = strchr(copy, '\''); at != NULL; at = strchr(at, '\'')) {
        *at = '"';
    }
    struct sync_schema *schema = NULL;
    struct sync_error err = {0};
    if (!sync_is_ok(sync_schema_new(sync_bytes_text(copy), &schema, &err))) {
        fail_msg("%s: %s", text, err.text);
    }
    return schema;
}

static struct sync_plan *plan_of(const char *writer_text, const char *reader_text,
                                 const struct sync_field *rows, struct sync_error *err)
{
    struct sync_schema *writer = schema_of(writer_text);
    struct sync_schema *reader = schema_of(reader_text);
    struct sync_plan *plan = NULL;
    size_t count = 0;
    while (rows[count].path != NULL) {
        count++;
    }
    sync_status status =
        sync_plan_new(writer, reader, rows, count, sizeof(struct sink), &plan, err);
    assert_int_equal(sync_is_ok(status), plan != NULL);
    if (plan == NULL) {
        assert_int_equal(status.class, SYNC_CLASS_PARK);
    }
    /* The plan stands on its own. */
    sync_schema_free(&writer);
    sync_schema_free(&reader);
    return plan;
}

static struct sync_error run(const char *writer, const char *reader, const struct sync_field *rows,
                             struct sync_bytes datum, struct sink *ret_sink)
{
    static struct sync_plan *plan = NULL; /* defaults live in it: kept until the next case */
    struct sync_error err = {0};
    sync_plan_free(&plan);
    plan = plan_of(writer, reader, rows, &err);
    if (plan == NULL) {
        return err;
    }
    /* Its own memory, so that a sanitizer sees one byte too far; kept like the plan. */
    static uint8_t *copy = NULL;
    free(copy);
    copy = malloc(datum.size > 0 ? datum.size : 1);
    assert_non_null(copy);
    memcpy(copy, datum.data, datum.size);
    memset(ret_sink, 0xEE, sizeof *ret_sink);
    struct timespec start;
    struct timespec end;
    size_t heap = mallinfo2().uordblks;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    sync_status status =
        sync_datum_decode(plan, (struct sync_bytes){copy, datum.size}, ret_sink, &err);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    assert_int_equal(mallinfo2().uordblks, heap);
    int64_t took_us = (end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000;
    assert_true(took_us < 10000);
    if (!sync_is_ok(status)) {
        assert_int_equal(status.class, SYNC_CLASS_PARK);
        assert_non_null(strstr(err.text, "decode byte "));
    }
    return err;
}

static struct sink good(const char *writer, const char *reader, const struct sync_field *rows,
                        struct sync_bytes datum)
{
    struct sink sink;
    struct sync_error err = run(writer, reader, rows, datum, &sink);
    assert_string_equal(err.text, "");
    return sink;
}

static void bad(const char *schema, struct sync_bytes datum, enum sync_code code)
{
    struct sink sink;
    struct sync_error err = run(schema, schema, NO_ROWS, datum, &sink);
    if (err.code != code) {
        fail_msg("%s: %s instead of %s", schema, sync_code_word(err.code), sync_code_word(code));
    }
    assert_string_equal(err.field, code == SYNC_CODE_TRAILING_BYTES ? "" : "a");
}

static void hostile_counts_and_lengths_are_parked(void **state)
{
    (void)state;
    const char *nulls = RECORD(FIELD("a", ARRAY("'null'")));
    const char *strings = RECORD(FIELD("a", ARRAY("'string'")));
    const char *empties = RECORD(FIELD("a", ARRAY(INNER(""))));
    const char *map = RECORD(FIELD("a", MAP("'null'")));
    const char *string = RECORD(FIELD("a", "'string'"));
    const char *bytes = RECORD(FIELD("a", "'bytes'"));
    /* Six bytes that claim 2,000,000,000 items of no size; also as a block with a size. */
    bad(nulls, DATUM("\x80\xD0\xAC\xF3\x0E\x00"), SYNC_CODE_ITEM_COUNT);
    bad(empties, DATUM("\x80\xD0\xAC\xF3\x0E\x00"), SYNC_CODE_ITEM_COUNT);
    bad(nulls, DATUM("\xFF\xCF\xAC\xF3\x0E\x00\x00"), SYNC_CODE_ITEM_COUNT);
    /* 1,025 in one block, and in two. */
    bad(nulls, DATUM("\x82\x10\x00"), SYNC_CODE_ITEM_COUNT);
    bad(nulls, DATUM("\x80\x10\x02\x00"), SYNC_CODE_ITEM_COUNT);
    /* Eleven bytes that claim two billion strings. */
    bad(strings, DATUM("\x80\xD0\xAC\xF3\x0E\x00\x00\x00\x00\x00\x00"), SYNC_CODE_ITEM_COUNT);
    bad(map, DATUM("\x80\xD0\xAC\xF3\x0E\x00"), SYNC_CODE_ITEM_COUNT);
    /* The most negative count, a negative block size, one beyond the end, one that lies. */
    bad(strings, DATUM("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x00\x00"), SYNC_CODE_ITEM_COUNT);
    bad(strings, DATUM("\x01\x01\x00\x00"), SYNC_CODE_LENGTH);
    bad(strings, DATUM("\x01\x08\x00\x00"), SYNC_CODE_LENGTH);
    bad(strings, DATUM("\x01\x04\x00\x00"), SYNC_CODE_LENGTH);
    bad(strings, DATUM(""), SYNC_CODE_TRUNCATED);
    bad(strings, DATUM("\x01"), SYNC_CODE_TRUNCATED);
    bad(strings, DATUM("\x02\x00"), SYNC_CODE_TRUNCATED);
    /* Lengths: -1, the most negative, two billion with four bytes, one too many. */
    bad(string, DATUM("\x01"), SYNC_CODE_LENGTH);
    bad(bytes, DATUM("\x01"), SYNC_CODE_LENGTH);
    bad(string, DATUM("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), SYNC_CODE_LENGTH);
    bad(string,
        DATUM("\xFE\xFF\xFF\xFF\x0F"
              "abcd"),
        SYNC_CODE_LENGTH);
    bad(bytes,
        DATUM("\x0A"
              "abcd"),
        SYNC_CODE_LENGTH);
    bad(string, DATUM(""), SYNC_CODE_TRUNCATED);
}

static void hostile_numbers_are_parked(void **state)
{
    (void)state;
    const char *number = RECORD(FIELD("a", "'long'"));
    const char *integer = RECORD(FIELD("a", "'int'"));
    bad(number, DATUM(""), SYNC_CODE_TRUNCATED);
    bad(number, DATUM("\x80\x80"), SYNC_CODE_TRUNCATED);
    bad(number, DATUM("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), SYNC_CODE_VARINT);
    bad(number, DATUM("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), SYNC_CODE_VARINT);
    bad(number, DATUM("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02"), SYNC_CODE_VARINT);
    bad(number, DATUM("\x80\x00"), SYNC_CODE_VARINT);
    bad(integer, DATUM("\x80\x80\x80\x80\x10"), SYNC_CODE_VARINT);
    bad(integer, DATUM("\x81\x80\x80\x80\x10"), SYNC_CODE_VARINT);
    bad(integer, DATUM("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), SYNC_CODE_VARINT);
    bad(RECORD(FIELD("a", "'boolean'")), DATUM("\x02"), SYNC_CODE_BOOLEAN);
    bad(RECORD(FIELD("a", "'boolean'")), DATUM(""), SYNC_CODE_TRUNCATED);
    bad(RECORD(FIELD("a", "'float'")), DATUM("\0\0\0"), SYNC_CODE_TRUNCATED);
    bad(RECORD(FIELD("a", "'double'")), DATUM("\0\0\0\0\0\0\0"), SYNC_CODE_TRUNCATED);
    bad(RECORD(FIELD("a", "{'type':'fixed','name':'F','size':1048576}")), DATUM("abc"),
        SYNC_CODE_TRUNCATED);
}

static void hostile_choices_are_parked(void **state)
{
    (void)state;
    const char *choice = RECORD(FIELD("a", ENUM("'A','B'")));
    const char *either = RECORD(FIELD("a", "['null','int']"));
    bad(choice, DATUM("\x04"), SYNC_CODE_ENUM_SYMBOL);
    bad(choice, DATUM("\x01"), SYNC_CODE_ENUM_SYMBOL);
    bad(choice, DATUM("\x80\x89\x7A"), SYNC_CODE_ENUM_SYMBOL); /* index 1,000,000 */
    bad(choice, DATUM("\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), SYNC_CODE_VARINT);
    bad(either, DATUM("\x04"), SYNC_CODE_UNION_BRANCH);
    bad(either, DATUM("\x01"), SYNC_CODE_UNION_BRANCH);
    bad(either, DATUM("\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), SYNC_CODE_UNION_BRANCH);
}

static void hostile_texts_are_parked_also_where_they_are_skipped(void **state)
{
    (void)state;
    const char *string = RECORD(FIELD("a", "'string'"));
    bad(string, DATUM("\x02\x00"), SYNC_CODE_UTF8);
    bad(string, DATUM("\x02\x80"), SYNC_CODE_UTF8);
    bad(string, DATUM("\x04\xC0\xAF"), SYNC_CODE_UTF8);
    bad(string, DATUM("\x06\xE0\x80\x80"), SYNC_CODE_UTF8);
    bad(string, DATUM("\x06\xED\xA0\x80"), SYNC_CODE_UTF8);
    bad(string, DATUM("\x08\xF4\x90\x80\x80"), SYNC_CODE_UTF8);
    bad(string, DATUM("\x08\xF0\x8F\xBF\xBF"), SYNC_CODE_UTF8);
    bad(string, DATUM("\x04\xE2\x82"), SYNC_CODE_UTF8);
    bad(string,
        DATUM("\x06"
              "a\xC3"
              "a"),
        SYNC_CODE_UTF8);
    bad(RECORD(FIELD("a", MAP("'int'"))), DATUM("\x02\x02\xFF\x00\x00"), SYNC_CODE_UTF8);
    (void)good(string, string, NO_ROWS, DATUM("\x14\xC3\xA5\xE2\x82\xAC\xF0\x9F\x98\x80z"));
}

static void bytes_behind_the_record_are_parked(void **state)
{
    (void)state;
    bad(RECORD(""), DATUM("\x00"), SYNC_CODE_TRAILING_BYTES);
    bad(RECORD(FIELD("a", "'int'")), DATUM("\x00\x00"), SYNC_CODE_TRAILING_BYTES);
    bad(RECORD(FIELD("a", "'null'")), DATUM("\x00"), SYNC_CODE_TRAILING_BYTES);
    (void)good(RECORD(""), RECORD(""), NO_ROWS, DATUM(""));
}

/* Arrays of arrays: depth levels, each with one item, around an int. */
static void nest(char *text, size_t capacity, int levels)
{
    (void)snprintf(text, capacity, "{'type':'record','name':'R','fields':[{'name':'a','type':");
    for (int i = 0; i < levels; i++) {
        (void)strncat(text, "{'type':'array','items':", capacity - strlen(text) - 1);
    }
    (void)strncat(text, "'int'", capacity - strlen(text) - 1);
    for (int i = 0; i < levels; i++) {
        (void)strncat(text, "}", capacity - strlen(text) - 1);
    }
    (void)strncat(text, "}]}", capacity - strlen(text) - 1);
}

static void values_nested_deeper_than_sixteen_levels_are_parked(void **state)
{
    (void)state;
    for (int levels = 14; levels < 18; levels++) {
        char schema[2048];
        uint8_t datum[64] = {0};
        nest(schema, sizeof schema, levels);
        memset(datum, 0x02, (size_t)levels); /* one item on each level, the int 0, the ends */
        struct sync_bytes bytes = {datum, 2 * (size_t)levels + 1};
        if (levels + 1 <= SYNC_DATUM_DEPTH_MAX) {
            (void)good(schema, schema, NO_ROWS, bytes);
        } else {
            bad(schema, bytes, SYNC_CODE_DEPTH);
        }
    }
}

static void more_values_than_the_bound_are_parked(void **state)
{
    (void)state;
    const char *schema = RECORD(FIELD("a", ARRAY("'int'")));
    static uint8_t datum[8192];
    /* 4,095 ints and their array are 4,096 values. */
    memcpy(datum, "\xFE\x3F", 2);
    (void)good(schema, schema, NO_ROWS, (struct sync_bytes){datum, 2 + 4095 + 1});
    memcpy(datum, "\x80\x40", 2);
    bad(schema, (struct sync_bytes){datum, 2 + 4096 + 1}, SYNC_CODE_NODE_COUNT);
}

/* A type that holds the one before it twice, thirty times: 2^30 values if it were written out. */
static void shared_types_do_not_grow_a_plan(void **state)
{
    (void)state;
    char schema[8192];
    int size = snprintf(schema, sizeof schema, "{'type':'record','name':'R','fields':[");
    for (int i = 0; i < 30; i++) {
        char inner[16] = "null";
        if (i > 0) {
            (void)snprintf(inner, sizeof inner, "T%d", i - 1);
        }
        size += snprintf(schema + size, sizeof schema - (size_t)size,
                         "%s{'name':'f%d','type':{'type':'record','name':'T%d','fields':["
                         "{'name':'p','type':'%s'},{'name':'q','type':'%s'}]}}",
                         i > 0 ? "," : "", i, i, inner, inner);
    }
    (void)snprintf(schema + size, sizeof schema - (size_t)size, "]}");
    struct sync_error err = {0};
    struct sync_plan *plan = plan_of(schema, schema, NO_ROWS, &err);
    assert_non_null(plan);
    assert_true(plan->node_count < 200);
    sync_plan_free(&plan);
    /* No byte at all asks for 2^30 values of no size. */
    struct sink sink;
    struct sync_error error = run(schema, schema, NO_ROWS, DATUM(""), &sink);
    assert_int_equal(error.code, SYNC_CODE_NODE_COUNT);
}

static void numbers_are_promoted(void **state)
{
    (void)state;
#define INT_L   RECORD(FIELD("l", "'int'"))
#define LONG_L  RECORD(FIELD("l", "'long'"))
#define D(type) RECORD(FIELD("d", "'" type "'"))
    assert_int_equal(good(INT_L, LONG_L, ROWS(row_l), DATUM("\x01")).l, -1);
    assert_int_equal(good(INT_L, INT_L, ROWS(row_l), DATUM("\x02")).l, 1);
    assert_true(good(D("int"), D("double"), ROWS(row_d), DATUM("\x03")).d == -2.0);
    assert_true(good(D("long"), D("double"), ROWS(row_d), DATUM("\x04")).d == 2.0);
    assert_true(good(D("float"), D("double"), ROWS(row_d), DATUM("\x00\x00\xC0\x3F")).d == 1.5);
    assert_true(good(D("float"), D("float"), ROWS(row_d), DATUM("\x00\x00\xC0\x3F")).d == 1.5);
    assert_true(good(D("double"), D("double"), ROWS(row_d), DATUM("\0\0\0\0\0\0\xF8\xBF")).d ==
                -1.5);
    /* 2^24 + 1 does not fit a float. */
    assert_true(good(D("int"), D("float"), ROWS(row_d), DATUM("\x82\x80\x80\x10")).d == 16777216.0);
    assert_true(good(D("int"), D("double"), ROWS(row_d), DATUM("\x82\x80\x80\x10")).d ==
                16777217.0);
}

static void text_and_bytes_are_read_as_each_other(void **state)
{
    (void)state;
    const char *text = RECORD(FIELD("s", "'string'"));
    const char *bytes = RECORD(FIELD("s", "'bytes'"));
    struct sink sink = good(bytes, text, ROWS(row_s), DATUM("\x04hi"));
    assert_true(sync_bytes_equal(sink.t, sync_bytes_text("hi")));
    sink = good(text, bytes, ROWS(row_s), DATUM("\x04hi"));
    assert_true(sync_bytes_equal(sink.t, sync_bytes_text("hi")));
    struct sync_error err = run(bytes, text, ROWS(row_s), DATUM("\x02\xFF"), &sink);
    assert_int_equal(err.code, SYNC_CODE_UTF8);
    assert_string_equal(err.field, "s");
}

static void types_that_do_not_fit_are_a_mismatch_with_their_path(void **state)
{
    (void)state;
    static const struct {
        const char *writer, *reader;
        struct sync_field row;
    } cases[] = {
        {RECORD(FIELD("i", "'long'")), RECORD(FIELD("i", "'int'")), {0}},
        {RECORD(FIELD("i", "'string'")), RECORD(FIELD("i", "'int'")), {0}},
        {RECORD(FIELD("i", "['string','null']")), RECORD(FIELD("i", "'int'")), {0}},
        {RECORD(FIELD("i", "'int'")), RECORD(FIELD("i", "['null','string']")), {0}},
        {RECORD(FIELD("i", "'int'")), RECORD(FIELD("i", "'long'")), {0}},
        {RECORD(FIELD("i", "'int'")), RECORD(FIELD("i", ARRAY("'int'"))), {0}},
        {RECORD(""), RECORD(FIELD("i", "'int'")), {0}},
        {RECORD(""), RECORD(WITH("i", "['null','int']", "'default':null")), {0}},
        {RECORD(FIELD("i", "'int'")), RECORD(FIELD("k", "'int'")), {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sync_error err = {0};
        struct sync_plan *plan = plan_of(cases[i].writer, cases[i].reader, ROWS(row_i), &err);
        assert_null(plan);
        assert_int_equal(err.code, SYNC_CODE_SCHEMA_MISMATCH);
        assert_string_equal(err.field, "i");
        assert_non_null(strstr(err.text, "at i: "));
    }
    struct sync_error err = {0};
    assert_null(plan_of("{'type':'record','name':'Other','fields':[]}", RECORD(""), NO_ROWS, &err));
    assert_int_equal(err.code, SYNC_CODE_SCHEMA_MISMATCH);
}

static void added_fields_are_skipped_by_their_type(void **state)
{
    (void)state;
    const char *reader = RECORD(FIELD("i", "'int'"));
    const char *writer =
        RECORD("{'name':'z1','type':{'type':'fixed','name':'F','size':3}},"
               "{'name':'z2','type':{'type':'array','items':['null','string']}},"
               "{'name':'z3','type':{'type':'map','values':{'type':'record','name':'N','fields':["
               "{'name':'p','type':'double'},"
               "{'name':'q','type':{'type':'enum','name':'E','symbols':['A','B']}}]}}},"
               "{'name':'z4','type':['null','F','N']},"
               "{'name':'z5','type':'boolean'},"
               "{'name':'i','type':'int'},"
               "{'name':'z6','type':{'type':'array','items':{'type':'array','items':'float'}}}");
    struct sync_bytes datum = DATUM("abc"
                                    "\x03\x06"
                                    "\x02\x02x\x00\x00"
                                    "\x02\x02k"
                                    "12345678\x02\x00"
                                    "\x04"
                                    "87654321\x00"
                                    "\x01"
                                    "\x54"
                                    "\x02\x02"
                                    "1234\x00\x00");
    /* The block of z2 says three bytes and has four. */
    uint8_t copy[64];
    memcpy(copy, datum.data, datum.size);
    struct sink sink;
    assert_int_equal(run(writer, reader, ROWS(row_i), datum, &sink).code, SYNC_CODE_LENGTH);
    copy[4] = 0x08;
    sink = good(writer, reader, ROWS(row_i), (struct sync_bytes){copy, datum.size});
    assert_int_equal(sink.i, 42);
}

static void missing_fields_take_their_defaults(void **state)
{
    (void)state;
    struct sync_bytes nothing = DATUM("");
#define NEW(name, type, value) RECORD(WITH(name, type, "'default':" value))
    assert_true(good(RECORD(""), NEW("b", "'boolean'", "true"), ROWS(row_b), nothing).b);
    assert_int_equal(good(RECORD(""), NEW("i", "'int'", "-7"), ROWS(row_i), nothing).i, -7);
    assert_int_equal(good(RECORD(""), NEW("l", "'int'", "5"), ROWS(row_l), nothing).l, 5);
    assert_true(good(RECORD(""), NEW("d", "'double'", "2"), ROWS(row_d), nothing).d == 2.0);
    assert_true(good(RECORD(""), NEW("d", "'long'", "3"), ROWS(row_d), nothing).d == 3.0);
    assert_true(good(RECORD(""), NEW("d", "'float'", "0.1"), ROWS(row_d), nothing).d ==
                (double)0.1f);
    assert_int_equal(good(RECORD(""), NEW("e", ENUM("'TWO'"), "'TWO'"), ROWS(row_e), nothing).e, 2);
    struct sink sink = good(RECORD(""), NEW("t", "'string'", "'h\\u00e5'"), ROWS(row_t), nothing);
    assert_true(sink.has_t && sync_bytes_equal(sink.t, sync_bytes_text("hå")));
    sink = good(RECORD(""), NEW("t", "['null','string']", "null"), ROWS(row_t), nothing);
    assert_true(!sink.has_t && sink.t.data == NULL);
    sink = good(RECORD(""), NEW("u", "'string'", "'00000000-0000-0000-0000-0000000000FF'"),
                ROWS(row_u), nothing);
    assert_true(sink.has_u && sink.u.bytes[15] == 0xFF);
}

static void defaults_of_records_reach_their_rows(void **state)
{
    (void)state;
    const char *inner =
        RECORD(WITH("n", INNER(FIELD("x", "'int'") "," WITH("y", "'int'", "'default':9")),
                    "'default':{'x':8}"));
    struct sink sink = good(RECORD(""), inner, ROWS(row_n, row_nx, row_ny), DATUM(""));
    assert_true(sink.has_n);
    assert_int_equal(sink.x, 8);
    assert_int_equal(sink.y, 9);
    /* A field that an inner record lacks; nothing is stored when the record is not there. */
    const char *old = RECORD(FIELD("n", "['null'," INNER(FIELD("x", "'int'")) "]"));
    const char *new = RECORD(FIELD(
        "n", "['null'," INNER(FIELD("x", "'int'") "," WITH("y", "'int'", "'default':9")) "]"));
    sink = good(old, new, ROWS(row_n, row_nx, row_ny), DATUM("\x02\x06"));
    assert_true(sink.has_n && sink.x == 3 && sink.y == 9);
    sink = good(old, new, ROWS(row_n, row_nx, row_ny), DATUM("\x00"));
    assert_true(!sink.has_n && sink.x == 0 && sink.y == 0);
    struct sync_error err = {0};
    assert_null(plan_of(old, RECORD(FIELD("n", INNER(FIELD("x", "'int'") "," FIELD("y", "'int'")))),
                        ROWS(row_n, row_nx, row_ny), &err));
    assert_string_equal(err.field, "n.y");
}

static void defaults_that_a_row_cannot_take_are_a_mismatch(void **state)
{
    (void)state;
    struct sync_error err = {0};
    assert_null(plan_of(RECORD(""), NEW("t", "'string'", "'123456789'"), ROWS(row_t), &err));
    assert_int_equal(err.code, SYNC_CODE_SCHEMA_MISMATCH);
    assert_null(plan_of(RECORD(""), NEW("t", "'bytes'", "'\\u00ff'"), ROWS(row_t), &err));
    assert_null(plan_of(RECORD(""), NEW("u", "'string'", "'no uuid'"), ROWS(row_u), &err));
    assert_null(plan_of(RECORD(""), NEW("e", ENUM("'SIX'"), "'SIX'"), ROWS(row_e), &err));
    assert_int_equal(err.code, SYNC_CODE_SCHEMA_MISMATCH);
    assert_string_equal(err.field, "e");
}

static void union_branches_are_matched_by_type(void **state)
{
    (void)state;
    const char *nullable = RECORD(FIELD("t", "['null','string']"));
    const char *swapped = RECORD(FIELD("t", "['string','null']"));
    const char *plain = RECORD(FIELD("t", "'string'"));
    const char *wider = RECORD(FIELD("t", "['null','string','int']"));
    struct sink sink = good(swapped, nullable, ROWS(row_t), DATUM("\x00\x02x"));
    assert_true(sink.has_t && sink.t.size == 1);
    sink = good(swapped, nullable, ROWS(row_t), DATUM("\x02"));
    assert_false(sink.has_t);
    sink = good(plain, nullable, ROWS(row_t), DATUM("\x02x"));
    assert_true(sink.has_t);
    sink = good(nullable, plain, ROWS(row_t), DATUM("\x02\x02x"));
    assert_true(sink.has_t);
    struct sync_error err = run(nullable, plain, ROWS(row_t), DATUM("\x00"), &sink);
    assert_int_equal(err.code, SYNC_CODE_FIELD_MISSING);
    assert_string_equal(err.field, "t");
    err = run(wider, nullable, ROWS(row_t), DATUM("\x04\x02"), &sink);
    assert_int_equal(err.code, SYNC_CODE_UNION_BRANCH);
    assert_string_equal(err.field, "t");
    /* The same type before a promotion: int is read as double only when there is no int. */
    sink = good(RECORD(FIELD("d", "'int'")), RECORD(FIELD("d", "['double','int']")), ROWS(row_d),
                DATUM("\x02"));
    assert_true(sink.d == 1.0);
}

static void null_is_refused_where_a_row_requires_a_value(void **state)
{
    (void)state;
    const char *schema = RECORD(FIELD("i", "['null','int']"));
    struct sink sink;
    struct sync_error err = run(schema, schema, ROWS(row_i), DATUM("\x00"), &sink);
    assert_int_equal(err.code, SYNC_CODE_FIELD_MISSING);
    assert_string_equal(err.field, "i");
    assert_int_equal(good(schema, schema, ROWS(row_i), DATUM("\x02\x02")).i, 1);
    const char *inner = RECORD(FIELD("n", "['null'," INNER(FIELD("x", "'int'")) "]"));
    err = run(inner, inner, ROWS(row_nx), DATUM("\x00"), &sink);
    assert_int_equal(err.code, SYNC_CODE_FIELD_MISSING);
    assert_string_equal(err.field, "n");
}

static void enum_symbols_are_matched_by_name_and_never_guessed(void **state)
{
    (void)state;
    const char *reader = RECORD(FIELD("e", "{'type':'enum','name':'E','symbols':['ONE',"
                                           "'TWO','SIX'],'default':'ONE'}"));
    const char *writer = RECORD(FIELD("e", ENUM("'TWO','ZERO','ONE','SIX'")));
    struct sink sink = good(writer, reader, ROWS(row_e), DATUM("\x00"));
    assert_int_equal(sink.e, 2);
    sink = good(writer, reader, ROWS(row_e), DATUM("\x04"));
    assert_int_equal(sink.e, 1);
    /* ZERO is no symbol of the reader's schema, SIX none of the row. */
    struct sync_error err = run(writer, reader, ROWS(row_e), DATUM("\x02"), &sink);
    assert_int_equal(err.code, SYNC_CODE_ENUM_SYMBOL);
    assert_string_equal(err.field, "e");
    assert_non_null(strstr(err.text, "byte 0 of 1"));
    err = run(writer, reader, ROWS(row_e), DATUM("\x06"), &sink);
    assert_int_equal(err.code, SYNC_CODE_ENUM_SYMBOL);
}

static void aliases_of_the_reader_find_old_names(void **state)
{
    (void)state;
    const char *old = "{'type':'record','name':'Old','namespace':'x','fields':["
                      "{'name':'was','type':'int'},{'name':'z','type':'int'}]}";
    const char *new = "{'type':'record','name':'R','aliases':['x.Old'],'fields':["
                      "{'name':'i','type':'int','aliases':['before','was']}]}";
    assert_int_equal(good(old, new, ROWS(row_i), DATUM("\x06\x08")).i, 3);
    struct sync_error err = {0};
    assert_null(plan_of(new, old, NO_ROWS, &err)); /* the writer's aliases count for nothing */
    assert_int_equal(err.code, SYNC_CODE_SCHEMA_MISMATCH);
}

static void texts_longer_than_their_row_are_parked(void **state)
{
    (void)state;
    const char *schema = RECORD(FIELD("t", "'string'"));
    struct sink sink = good(schema, schema, ROWS(row_t),
                            DATUM("\x10"
                                  "12345678"));
    assert_int_equal(sink.t.size, 8);
    struct sync_error err = run(schema, schema, ROWS(row_t),
                                DATUM("\x12"
                                      "123456789"),
                                &sink);
    assert_int_equal(err.code, SYNC_CODE_FIELD_RANGE);
    assert_string_equal(err.field, "t");
    assert_non_null(strstr(err.text, "byte 1 of 10"));
}

static void uuids_must_have_their_form(void **state)
{
    (void)state;
    const char *schema = RECORD(FIELD("u", "'string'"));
    static const char *const texts[] = {"",
                                        "01234567-89ab-cdef-0123-456789abcde",
                                        "01234567-89ab-cdef-0123-456789abcdef0",
                                        "0123456789abcdef0123456789abcdef",
                                        "{1234567-89ab-cdef-0123-456789abcde}",
                                        "01234567-89ab-cdef-0123_456789abcdef",
                                        "01234567-89ab-cdef-0123-456789abcdeg"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint8_t datum[64];
        size_t size = strlen(texts[i]);
        datum[0] = (uint8_t)(size * 2);
        memcpy(datum + 1, texts[i], size);
        struct sink sink;
        struct sync_error err =
            run(schema, schema, ROWS(row_u), (struct sync_bytes){datum, size + 1}, &sink);
        assert_int_equal(err.code, SYNC_CODE_UUID);
        assert_string_equal(err.field, "u");
    }
    struct sink sink = good(schema, schema, ROWS(row_u),
                            DATUM("\x48"
                                  "01234567-89aB-CDef-0123-456789abcdEF"));
    assert_true(sink.has_u && sink.u.bytes[5] == 0xAB && sink.u.bytes[15] == 0xEF);
}

static void rows_that_do_not_fit_the_reader_are_a_mismatch(void **state)
{
    (void)state;
    struct sync_error err = {0};
    const char *inner = RECORD(FIELD("n", INNER(FIELD("x", "'int'"))));
    assert_null(plan_of(inner, inner, ROWS(row_ny), &err));
    assert_string_equal(err.field, "n.y");
    struct sync_field wrong = {"n", SYNC_FIELD_INT, AT(i), REQUIRED, NULL, 0};
    assert_null(plan_of(inner, inner, ROWS(wrong), &err));
    assert_string_equal(err.field, "n");
    wrong = (struct sync_field){"i", SYNC_FIELD_PRESENCE, AT(has_n), REQUIRED, NULL, 0};
    const char *flat = RECORD(FIELD("i", "'int'"));
    assert_null(plan_of(flat, flat, ROWS(wrong), &err));
    assert_int_equal(err.code, SYNC_CODE_SCHEMA_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_counts_and_lengths_are_parked),
        cmocka_unit_test(hostile_numbers_are_parked),
        cmocka_unit_test(hostile_choices_are_parked),
        cmocka_unit_test(hostile_texts_are_parked_also_where_they_are_skipped),
        cmocka_unit_test(bytes_behind_the_record_are_parked),
        cmocka_unit_test(values_nested_deeper_than_sixteen_levels_are_parked),
        cmocka_unit_test(more_values_than_the_bound_are_parked),
        cmocka_unit_test(shared_types_do_not_grow_a_plan),
        cmocka_unit_test(numbers_are_promoted),
        cmocka_unit_test(text_and_bytes_are_read_as_each_other),
        cmocka_unit_test(types_that_do_not_fit_are_a_mismatch_with_their_path),
        cmocka_unit_test(added_fields_are_skipped_by_their_type),
        cmocka_unit_test(missing_fields_take_their_defaults),
        cmocka_unit_test(defaults_of_records_reach_their_rows),
        cmocka_unit_test(defaults_that_a_row_cannot_take_are_a_mismatch),
        cmocka_unit_test(union_branches_are_matched_by_type),
        cmocka_unit_test(null_is_refused_where_a_row_requires_a_value),
        cmocka_unit_test(enum_symbols_are_matched_by_name_and_never_guessed),
        cmocka_unit_test(aliases_of_the_reader_find_old_names),
        cmocka_unit_test(texts_longer_than_their_row_are_parked),
        cmocka_unit_test(uuids_must_have_their_form),
        cmocka_unit_test(rows_that_do_not_fit_the_reader_are_a_mismatch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
