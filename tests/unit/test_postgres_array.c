/*
 * Shows that an array comes out of the server as it went in, by one text per row: hostile items,
 * none, numbers at their ends. Needs SYNC_TEST_DSN.
 */
#include "../../src/runtime/postgres_array.h"
#include "server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct sync_db *db;
static struct sync_error err;
static uint8_t memory[65536];
static struct sync_arena arena;

static int start(void **state)
{
    (void)state;
    if (server_dsn() == NULL) {
        return 0;
    }
    struct sync_db_options options = {.dsn = server_dsn(), .application = "unit test"};
    assert_true(sync_is_ok(sync_db_new(&options, &db, &err)));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sync_db_free(&db);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    sync_arena_init(&arena, memory, sizeof memory);
    return 0;
}

static void needs_database(void)
{
    if (db == NULL) {
        skip();
    }
}

/* Sends rows of arrays as texts, and reads them back as arrays. */
static void query(const struct sync_statement *statement, const struct sync_bytes *rows,
                  size_t count, struct sync_result *ret_result)
{
    struct sync_params params;
    sync_params_init(&params, &arena);
    sync_params_text_array(&params, rows, count);
    if (!sync_is_ok(sync_db_exec(db, statement, &params, ret_result, &err))) {
        fail_msg("%s", err.text);
    }
}

static void check_texts(const struct sync_result *result, int row, const char *const *items,
                        size_t count)
{
    struct sync_array array = sync_result_array(result, row, 0);
    struct sync_bytes item;
    for (size_t i = 0; i < count; i++) {
        assert_true(sync_array_next(&array, &item));
        assert_int_equal(item.size, strlen(items[i]));
        assert_memory_equal(item.data, items[i], item.size);
    }
    assert_false(sync_array_next(&array, &item));
}

static void texts_come_back_as_they_were(void **state)
{
    static const struct sync_statement statement = {
        "texts", "SELECT n.t::text[] FROM unnest($1::text[]) WITH ORDINALITY AS n (t, i)"
                 " ORDER BY n.i"};
    (void)state;
    needs_database();
    static const char *const hostile[] = {"read", "\"", "\\",  "a,b",  "{}",
                                          "NULL", "",   " x ", "\x1f", "r\xc3\xa5"};
    enum { COUNT = sizeof hostile / sizeof hostile[0] };
    struct sync_bytes items[COUNT], rows[2];
    for (size_t i = 0; i < COUNT; i++) {
        items[i] = sync_bytes_text(hostile[i]);
    }
    rows[0] = sync_array_text(&arena, items, COUNT);
    rows[1] = sync_array_text(&arena, NULL, 0);
    SYNC_RESULT result = {0};
    query(&statement, rows, 2, &result);
    check_texts(&result, 0, hostile, COUNT);
    check_texts(&result, 1, NULL, 0);
}

static void numbers_and_times_come_back_as_they_were(void **state)
{
    static const struct sync_statement statement = {
        "numbers", "SELECT n.t::int8[], ARRAY['2025-03-04T09:00:00.000001Z', 'infinity',"
                   " '-infinity']::timestamptz[] FROM unnest($1::text[]) AS n (t)"};
    (void)state;
    needs_database();
    const int64_t numbers[] = {INT64_MIN, -1, 0, INT64_MAX};
    const int64_t times_us[] = {1741078800000001, INT64_MAX, INT64_MIN};
    struct sync_bytes row = sync_array_text_int8(&arena, numbers, 4);
    SYNC_RESULT result = {0};
    query(&statement, &row, 1, &result);
    struct sync_array array = sync_result_array(&result, 0, 0);
    struct sync_bytes item;
    for (size_t i = 0; i < 4; i++) {
        assert_true(sync_array_next(&array, &item));
        assert_true(sync_array_int8(item) == numbers[i]);
    }
    array = sync_result_array(&result, 0, 1);
    for (size_t i = 0; i < 3; i++) {
        assert_true(sync_array_next(&array, &item));
        assert_true(sync_array_time(item) == times_us[i]);
    }
    assert_false(sync_array_next(&array, &item));
}

static void null_reads_as_empty(void **state)
{
    static const struct sync_statement statement = {
        "nulls", "SELECT NULL::text[], ARRAY[NULL, 'a'] FROM unnest($1::text[])"};
    (void)state;
    needs_database();
    struct sync_bytes row = sync_bytes_text("x"), item;
    SYNC_RESULT result = {0};
    query(&statement, &row, 1, &result);
    struct sync_array array = sync_result_array(&result, 0, 0);
    assert_false(sync_array_next(&array, &item));
    array = sync_result_array(&result, 0, 1);
    assert_true(sync_array_next(&array, &item) && item.data == NULL);
    assert_true(sync_array_next(&array, &item) && item.size == 1);
}

static void a_full_arena_gives_no_text(void **state)
{
    (void)state;
    uint8_t few[16];
    const struct sync_bytes item = sync_bytes_text("a text that is longer than the arena");
    const int64_t number = 1;
    sync_arena_init(&arena, few, sizeof few);
    assert_null(sync_array_text(&arena, &item, 1).data);
    assert_null(sync_array_text_int8(&arena, &number, 1).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(texts_come_back_as_they_were, set_up),
        cmocka_unit_test_setup(numbers_and_times_come_back_as_they_were, set_up),
        cmocka_unit_test_setup(null_reads_as_empty, set_up),
        cmocka_unit_test_setup(a_full_arena_gives_no_text, set_up),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
