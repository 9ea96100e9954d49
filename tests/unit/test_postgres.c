/* Shows statements, transactions, time-outs, origins and lost connections on a real PostgreSQL 15.
 * SYNC_TEST_DSN names a superuser's database of a throw-away cluster; its tables stand in a schema
 * that the test drops first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/limits.h"
#include "runtime/clock.h"
#include "runtime/metrics.h"
#include "runtime/postgres.h"
#include "server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *dsn;
static uint8_t memory[1024 * 1024];
static struct sync_arena arena;
static struct sync_params params;
static struct sync_error err;

#define STATEMENT(n, text) static const struct sync_statement n = {#n, text}

STATEMENT(backend_pid, "SELECT pg_backend_pid()");
STATEMENT(count_rows, "SELECT count(*) FROM sync_test.item");
STATEMENT(insert_row, "INSERT INTO sync_test.item VALUES ($1, $2)");
STATEMENT(lock_row, "SELECT id FROM sync_test.item WHERE id = $1 FOR UPDATE");
STATEMENT(sleep_long, "SELECT pg_sleep(30)");
STATEMENT(kill_backend, "SELECT pg_terminate_backend($1)");

static void ok(sync_status status)
{
    if (!sync_is_ok(status)) {
        fail_msg("%s", err.text);
    }
}

static struct sync_db *open_db(const char *prefix, int pool)
{
    struct sync_db_options options = {dsn, "test_postgres", prefix, pool};
    struct sync_db *db = NULL;
    ok(sync_db_new(&options, &db, &err));
    return db;
}

static struct sync_params *fresh(void)
{
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    return &params;
}

static int32_t pid_of(struct sync_db *db)
{
    SYNC_RESULT result = {0};
    ok(sync_db_exec(db, &backend_pid, NULL, &result, &err));
    return sync_result_int4(&result, 0, 0);
}

static void terminate(struct sync_db *from, int32_t pid)
{
    sync_params_int4(fresh(), pid);
    ok(sync_db_exec(from, &kill_backend, &params, NULL, &err));
}

static int64_t rows(struct sync_db *db)
{
    SYNC_RESULT result = {0};
    ok(sync_db_exec(db, &count_rows, NULL, &result, &err));
    return sync_result_int8(&result, 0, 0);
}

static sync_status insert(struct sync_db *db, int32_t id, const char *text)
{
    sync_params_int4(fresh(), id);
    sync_params_text(&params, text);
    return sync_db_exec(db, &insert_row, &params, NULL, &err);
}

static sync_status lock(struct sync_db *db, int32_t id)
{
    sync_params_int4(fresh(), id);
    return sync_db_exec(db, &lock_row, &params, NULL, &err);
}

static void begin(struct sync_db *db, int lock_ms, int statement_ms)
{
    struct sync_txn_limits limits = {lock_ms, statement_ms, false};
    ok(sync_txn_begin(db, &limits, NULL, &err));
}

static int drop_schema(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    ok(sync_db_script(db,
                      "DROP SCHEMA IF EXISTS sync_test CASCADE;"
                      "SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin"
                      " WHERE roname IN ('sync:test:1', 'sync:test:2')",
                      &err));
    sync_db_free(&db);
    return 0;
}

static int make_schema(void **state)
{
    (void)drop_schema(state);
    struct sync_db *db = open_db(NULL, 0);
    ok(sync_db_script(db,
                      "CREATE SCHEMA sync_test;"
                      "CREATE TABLE sync_test.parent (id int PRIMARY KEY);"
                      "CREATE TABLE sync_test.item (id int CONSTRAINT item_key PRIMARY KEY,"
                      " name text CHECK (name <> ''));"
                      "CREATE TABLE sync_test.child (id int, parent int CONSTRAINT child_parent"
                      " REFERENCES sync_test.parent DEFERRABLE INITIALLY DEFERRED);"
                      "SELECT pg_replication_origin_create('sync:test:1'),"
                      " pg_replication_origin_create('sync:test:2')",
                      &err));
    sync_db_free(&db);
    return 0;
}

static int empty_tables(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    ok(sync_db_script(db, "TRUNCATE sync_test.item, sync_test.child, sync_test.parent", &err));
    sync_db_free(&db);
    return 0;
}

/* Values ------------------------------------------------------------------------------------ */

STATEMENT(
    echo_scalars,
    "SELECT $1::bool, $2::int2, $3::int4, $4::int8, $5::text, $6::bytea, $7::uuid, $8::timestamptz,"
    " $5::text IS NULL");

static void scalars_come_back_as_they_went(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    struct sync_uuid id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    const uint8_t bytes[] = {0, 255, 0};
    sync_params_bool(fresh(), true);
    sync_params_int2(&params, INT16_MIN);
    sync_params_int4(&params, INT32_MIN);
    sync_params_int8(&params, INT64_MIN);
    sync_params_text(&params, "blåbær");
    sync_params_bytes(&params, (struct sync_bytes){bytes, sizeof bytes});
    sync_params_uuid(&params, &id);
    sync_params_time(&params, 1741078800200999);
    SYNC_RESULT result = {0};
    ok(sync_db_exec(db, &echo_scalars, &params, &result, &err));
    assert_int_equal(result.rows, 1);
    assert_true(sync_result_bool(&result, 0, 0));
    assert_int_equal(sync_result_int4(&result, 0, 1), INT16_MIN);
    assert_int_equal(sync_result_int8(&result, 0, 1), INT16_MIN);
    assert_int_equal(sync_result_int4(&result, 0, 2), INT32_MIN);
    assert_int_equal(sync_result_int8(&result, 0, 2), INT32_MIN);
    assert_true(sync_result_int8(&result, 0, 3) == INT64_MIN);
    assert_true(sync_bytes_equal(sync_result_bytes(&result, 0, 4), sync_bytes_text("blåbær")));
    assert_true(sync_bytes_equal(sync_result_bytes(&result, 0, 5),
                                 (struct sync_bytes){bytes, sizeof bytes}));
    struct sync_uuid back = sync_result_uuid(&result, 0, 6);
    assert_int_equal(sync_uuid_compare(&back, &id), 0);
    assert_int_equal(sync_result_time(&result, 0, 7), 1741078800200999);
    assert_false(sync_result_bool(&result, 0, 8));
    sync_db_free(&db);
}

static void nulls_come_back_as_nulls(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    sync_params_bool(fresh(), false);
    sync_params_int2(&params, 0);
    sync_params_int4(&params, 0);
    sync_params_int8(&params, 0);
    sync_params_text(&params, NULL);
    sync_params_bytes(&params, (struct sync_bytes){NULL, 0});
    sync_params_uuid(&params, NULL);
    sync_params_time(&params, INT64_MAX);
    SYNC_RESULT result = {0};
    ok(sync_db_exec(db, &echo_scalars, &params, &result, &err));
    for (int column = 4; column < 7; column++) {
        assert_true(sync_result_is_null(&result, 0, column));
        assert_null(sync_result_bytes(&result, 0, column).data);
    }
    assert_true(sync_result_time(&result, 0, 7) == INT64_MAX);
    assert_true(sync_result_bool(&result, 0, 8));
    sync_db_free(&db);
}

STATEMENT(
    echo_arrays,
    "SELECT b, i2, i4, i8, t, by, u, ts FROM unnest($1::bool[], $2::int2[], $3::int4[], $4::int8[],"
    " $5::text[], $6::bytea[], $7::uuid[], $8::timestamptz[]) WITH ORDINALITY"
    " AS a (b, i2, i4, i8, t, by, u, ts, n) ORDER BY n");

static void arrays_come_back_row_by_row(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    const bool flags[] = {true, false, true}, nulls[] = {false, true, false};
    const int16_t twos[] = {-1, 0, 1};
    const int32_t fours[] = {INT32_MIN, 0, INT32_MAX};
    const int64_t eights[] = {INT64_MIN, 0, INT64_MAX};
    const struct sync_bytes texts[] = {sync_bytes_text("a"), {NULL, 0}, sync_bytes_text("")};
    const struct sync_uuid ids[] = {{{1}}, {{0}}, {{255}}};
    const int64_t times[] = {INT64_MIN, 0, 946684800000000};
    sync_params_bool_array(fresh(), flags, nulls, 3);
    sync_params_int2_array(&params, twos, nulls, 3);
    sync_params_int4_array(&params, fours, nulls, 3);
    sync_params_int8_array(&params, eights, nulls, 3);
    sync_params_text_array(&params, texts, 3);
    sync_params_bytes_array(&params, texts, 3);
    sync_params_uuid_array(&params, ids, nulls, 3);
    sync_params_time_array(&params, times, nulls, 3);
    SYNC_RESULT result = {0};
    ok(sync_db_exec(db, &echo_arrays, &params, &result, &err));
    assert_int_equal(result.rows, 3);
    for (int column = 0; column < 8; column++) {
        assert_false(sync_result_is_null(&result, 0, column));
        assert_true(sync_result_is_null(&result, 1, column));
        assert_false(sync_result_is_null(&result, 2, column));
    }
    assert_true(sync_result_bool(&result, 2, 0));
    assert_int_equal(sync_result_int4(&result, 0, 1), -1);
    assert_int_equal(sync_result_int4(&result, 2, 2), INT32_MAX);
    assert_true(sync_result_int8(&result, 0, 3) == INT64_MIN);
    assert_int_equal(sync_result_bytes(&result, 0, 4).size, 1);
    assert_int_equal(sync_result_bytes(&result, 2, 5).size, 0);
    assert_non_null(sync_result_bytes(&result, 2, 5).data);
    assert_int_equal(sync_result_uuid(&result, 2, 6).bytes[0], 255);
    assert_true(sync_result_time(&result, 0, 7) == INT64_MIN);
    assert_int_equal(sync_result_time(&result, 2, 7), 946684800000000);
    sync_db_free(&db);
}

static void empty_arrays_give_no_row(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    sync_params_bool_array(fresh(), NULL, NULL, 0);
    sync_params_int2_array(&params, NULL, NULL, 0);
    sync_params_int4_array(&params, NULL, NULL, 0);
    sync_params_int8_array(&params, NULL, NULL, 0);
    sync_params_text_array(&params, NULL, 0);
    sync_params_bytes_array(&params, NULL, 0);
    sync_params_uuid_array(&params, NULL, NULL, 0);
    sync_params_time_array(&params, NULL, NULL, 0);
    SYNC_RESULT result = {0};
    ok(sync_db_exec(db, &echo_arrays, &params, &result, &err));
    assert_int_equal(result.rows, 0);
    sync_db_free(&db);
}

static void a_time_outside_the_range_is_refused_as_data(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    STATEMENT(echo_time, "SELECT $1::timestamptz");
    sync_params_time(fresh(), INT64_MIN + 1);
    assert_int_equal(sync_db_exec(db, &echo_time, &params, NULL, &err).class, SYNC_CLASS_PARK);
    assert_string_equal(sync_db_sqlstate(db), "22008");
    sync_db_free(&db);
}

static void parameters_that_found_the_arena_full_are_not_sent(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    sync_arena_init(&arena, memory, 4);
    sync_params_init(&params, &arena);
    sync_params_int4(&params, 1);
    sync_params_text(&params, "x");
    params.full = true;
    assert_int_equal(sync_db_exec(db, &insert_row, &params, NULL, &err).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_MEMORY_LIMIT);
    assert_int_equal(rows(db), 0);
    sync_db_free(&db);
}

/* Statements -------------------------------------------------------------------------------- */

static void changed_rows_are_counted_and_selected_ones_are_not(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    STATEMENT(insert_two, "INSERT INTO sync_test.item VALUES (1, 'a'), (2, 'b') RETURNING id");
    STATEMENT(delete_all, "DELETE FROM sync_test.item");
    SYNC_RESULT inserted = {0}, counted = {0}, deleted = {0};
    ok(sync_db_exec(db, &insert_two, NULL, &inserted, &err));
    ok(sync_db_exec(db, &count_rows, NULL, &counted, &err));
    ok(sync_db_exec(db, &delete_all, NULL, &deleted, &err));
    assert_int_equal(inserted.affected, 2);
    assert_int_equal(inserted.rows, 2);
    assert_int_equal(counted.affected, 0);
    assert_int_equal(deleted.affected, 2);
    assert_int_equal(deleted.rows, 0);
    sync_db_free(&db);
}

static void a_pipeline_gives_each_its_result(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    sync_params_int4(fresh(), 1);
    sync_params_text(&params, "a");
    struct sync_call calls[] = {
        {&count_rows, NULL}, {&insert_row, &params}, {&count_rows, NULL}, {&backend_pid, NULL}};
    struct sync_result results[4];
    ok(sync_db_pipeline(db, calls, 4, results, &err));
    assert_int_equal(sync_result_int8(&results[0], 0, 0), 0);
    assert_int_equal(results[1].affected, 1);
    assert_int_equal(sync_result_int8(&results[2], 0, 0), 1);
    assert_int_equal(sync_result_int4(&results[3], 0, 0), pid_of(db));
    for (int i = 0; i < 4; i++) {
        sync_result_done(&results[i]);
    }
    sync_db_free(&db);
}

static void a_pipeline_ends_at_its_first_error_and_leaves_nothing(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    struct sync_params bad;
    STATEMENT(later_statement, "SELECT 4711");
    sync_params_int4(fresh(), 1);
    sync_params_text(&params, "a");
    sync_params_init(&bad, &arena);
    sync_params_int4(&bad, 2);
    sync_params_text(&bad, "");
    struct sync_call calls[] = {
        {&insert_row, &params}, {&insert_row, &bad}, {&later_statement, NULL}};
    struct sync_result results[3];
    assert_int_equal(sync_db_pipeline(db, calls, 3, results, &err).class, SYNC_CLASS_PARK);
    assert_string_equal(sync_db_sqlstate(db), "23514");
    assert_string_equal(sync_db_constraint(db), "item_name_check");
    assert_non_null(strstr(err.text, "insert_row"));
    for (int i = 0; i < 3; i++) {
        assert_null(results[i].handle);
    }
    assert_int_equal(rows(db), 0);
    SYNC_RESULT result = {0};
    ok(sync_db_exec(db, &later_statement, NULL, &result,
                    &err)); /* its Parse was skipped: it is sent again */
    assert_int_equal(sync_result_int4(&result, 0, 0), 4711);
    sync_db_free(&db);
}

static void a_statement_that_does_not_parse_is_fatal_and_harms_no_later_one(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    STATEMENT(no_table, "SELECT * FROM sync_test.nothing");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sync_db_exec(db, &no_table, NULL, NULL, &err).class, SYNC_CLASS_FATAL);
        assert_int_equal(err.code, SYNC_CODE_DB_SCHEMA);
    }
    assert_int_equal(rows(db), 0);
    sync_db_free(&db);
}

static void a_refused_value_does_not_stand_in_the_error(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    STATEMENT(cast_text, "SELECT $1::text::int4");
    sync_params_text(fresh(), "geheim");
    assert_int_equal(sync_db_exec(db, &cast_text, &params, NULL, &err).class, SYNC_CLASS_PARK);
    assert_null(strstr(err.text, "geheim"));
    assert_non_null(strstr(err.text, "22P02"));
    sync_db_free(&db);
}

static void names_without_schema_do_not_resolve(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    ok(sync_db_script(db, "CREATE TABLE IF NOT EXISTS public.shadow (id int)", &err));
    STATEMENT(no_schema, "SELECT * FROM shadow");
    assert_int_equal(sync_db_exec(db, &no_schema, NULL, NULL, &err).class, SYNC_CLASS_FATAL);
    ok(sync_db_script(db, "DROP TABLE public.shadow", &err));
    sync_db_free(&db);
}

static void large_parameters_and_answers_pass_both_ways(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    STATEMENT(echo_large, "SELECT $1::bytea");
    size_t size = 8 * 1024 * 1024;
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, 0xA5, size);
    sync_params_bytes(fresh(), (struct sync_bytes){bytes, size});
    struct sync_call calls[] = {
        {&echo_large, &params}, {&echo_large, &params}, {&echo_large, &params}};
    struct sync_result results[3];
    ok(sync_db_pipeline(db, calls, 3, results, &err));
    for (int i = 0; i < 3; i++) {
        assert_true(sync_bytes_equal(sync_result_bytes(&results[i], 0, 0),
                                     (struct sync_bytes){bytes, size}));
        sync_result_done(&results[i]);
    }
    free(bytes);
    sync_db_free(&db);
}

static void settings_are_read_and_unknown_ones_are_empty(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    char text[64] = "?";
    ok(sync_db_setting(db, "search_path", sizeof text, text, &err));
    assert_string_equal(text, "pg_catalog, pg_temp");
    ok(sync_db_setting(db, "idle_in_transaction_session_timeout", sizeof text, text, &err));
    assert_string_equal(text, "10s");
    ok(sync_db_setting(db, "output_plugin_libraries_of_no_version", sizeof text, text, &err));
    assert_string_equal(text, "");
    sync_db_free(&db);
}

/* Transactions ------------------------------------------------------------------------------ */

static void a_commit_is_seen_by_others_and_a_rollback_is_not(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0), *other = open_db(NULL, 0);
    struct sync_txn_limits limits = {0};
    int64_t now_us = 0;
    ok(sync_txn_begin(db, &limits, &now_us, &err));
    assert_true(llabs(now_us - sync_clock_wall_us()) < 60000000);
    ok(insert(db, 1, "a"));
    assert_int_equal(rows(other), 0);
    ok(sync_txn_commit(db, &err));
    assert_int_equal(rows(other), 1);
    begin(db, 0, 0);
    ok(insert(db, 2, "b"));
    sync_txn_rollback(db);
    assert_int_equal(rows(other), 1);
    sync_db_free(&db);
    sync_db_free(&other);
}

static void an_error_ends_the_transaction_and_commit_tells_it(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    begin(db, 0, 0);
    ok(insert(db, 1, "a"));
    assert_int_equal(insert(db, 1, "again").class, SYNC_CLASS_PARK);
    assert_string_equal(sync_db_constraint(db), "item_key");
    assert_int_equal(insert(db, 2, "b").class, SYNC_CLASS_RETRY);
    assert_string_equal(sync_db_sqlstate(db), "25P02");
    assert_int_equal(sync_txn_commit(db, &err).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_DB_CONFLICT);
    assert_int_equal(rows(db), 0);
    sync_db_free(&db);
}

static void a_rollback_keeps_the_reason_of_the_failure(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    ok(insert(db, 1, "a"));
    begin(db, 0, 0);
    assert_int_equal(insert(db, 1, "again").class, SYNC_CLASS_PARK);
    sync_txn_rollback(db);
    assert_string_equal(sync_db_sqlstate(db), "23505");
    assert_string_equal(sync_db_constraint(db), "item_key");
    assert_int_equal(rows(db), 1);
    sync_db_free(&db);
}

static void a_deferred_check_fails_at_commit_and_rolls_back(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    STATEMENT(insert_child, "INSERT INTO sync_test.child VALUES (1, 99)");
    STATEMENT(count_children, "SELECT count(*) FROM sync_test.child");
    begin(db, 0, 0);
    ok(sync_db_exec(db, &insert_child, NULL, NULL, &err));
    assert_int_equal(sync_txn_commit(db, &err).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_DB_ROW_GONE);
    assert_string_equal(sync_db_constraint(db), "child_parent");
    SYNC_RESULT result = {0};
    ok(sync_db_exec(db, &count_children, NULL, &result, &err));
    assert_int_equal(sync_result_int8(&result, 0, 0), 0);
    sync_db_free(&db);
}

/* The server reports it behind the answer of the statement, where the pipeline ends. */
static void a_deferred_check_of_a_lone_statement_is_seen(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    STATEMENT(insert_lone, "INSERT INTO sync_test.child VALUES (3, 97)");
    assert_int_equal(sync_db_exec(db, &insert_lone, NULL, NULL, &err).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_DB_ROW_GONE);
    assert_string_equal(sync_db_constraint(db), "child_parent");
    assert_int_equal(rows(db), 0); /* the session goes on */
    sync_db_free(&db);
}

static void a_read_only_transaction_writes_nothing(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    struct sync_txn_limits limits = {.read_only = true};
    ok(sync_txn_begin(db, &limits, NULL, &err));
    assert_int_equal(insert(db, 1, "a").class, SYNC_CLASS_RETRY); /* 25006: as if on a standby */
    sync_txn_rollback(db);
    assert_int_equal(rows(db), 0);
    sync_db_free(&db);
}

static void the_lock_limit_of_the_transaction_gives_way(void **state)
{
    (void)state;
    struct sync_db *holder = open_db(NULL, 0), *waiter = open_db(NULL, 0);
    ok(insert(holder, 1, "a"));
    begin(holder, 0, 0);
    ok(lock(holder, 1));
    begin(waiter, 100, 0);
    assert_int_equal(lock(waiter, 1).class, SYNC_CLASS_RETRY);
    assert_string_equal(sync_db_sqlstate(waiter), "55P03");
    sync_txn_rollback(waiter);
    sync_txn_rollback(holder);
    begin(waiter, 0, 0); /* the limit ended with its transaction */
    char text[32];
    ok(sync_db_setting(waiter, "lock_timeout", sizeof text, text, &err));
    assert_string_equal(text, "5s");
    ok(sync_txn_commit(waiter, &err));
    sync_db_free(&holder);
    sync_db_free(&waiter);
}

static void the_statement_limit_of_the_transaction_ends_a_statement(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    begin(db, 0, 100);
    assert_int_equal(sync_db_exec(db, &sleep_long, NULL, NULL, &err).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_TIMEOUT);
    assert_true(sync_db_is_connected(db));
    sync_txn_rollback(db);
    sync_db_free(&db);
}

static void in_a_hurry_all_statements_share_what_is_left(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    STATEMENT(sleep_short, "SELECT pg_sleep(0.4)");
    begin(db, 0, 0);
    ok(sync_db_exec(db, &sleep_short, NULL, NULL, &err)); /* before the hurry nothing counts */
    ok(sync_txn_hurry(db, &err));
    int64_t start_us = sync_clock_monotonic_us();
    struct sync_call calls[] = {{&sleep_short, NULL}, {&sleep_short, NULL}, {&sleep_short, NULL}};
    assert_int_equal(sync_db_pipeline(db, calls, 3, NULL, &err).class, SYNC_CLASS_RETRY);
    int64_t took_ms = (sync_clock_monotonic_us() - start_us) / 1000;
    assert_int_equal(err.code, SYNC_CODE_TIMEOUT);
    assert_in_range(took_ms, 700,
                    1150); /* 900: neither each for itself (1200), nor the first alone */
    sync_txn_rollback(db);
    begin(db, 0, 0);
    char text[32];
    ok(sync_db_setting(db, "statement_timeout", sizeof text, text, &err));
    assert_string_equal(text, "10s");
    ok(sync_txn_commit(db, &err));
    sync_db_free(&db);
}

static void in_a_hurry_results_stay_with_their_statements(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    begin(db, 0, 0);
    ok(sync_txn_hurry(db, &err));
    ok(insert(db, 7, "a"));
    assert_int_equal(rows(db), 1);
    ok(sync_txn_hurry(db, &err)); /* a second call changes nothing */
    ok(sync_txn_commit(db, &err));
    assert_int_equal(rows(db), 1);
    sync_db_free(&db);
}

static void the_first_and_the_last_calls_travel_with_begin_and_commit(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0), *other = open_db(NULL, 0);
    STATEMENT(read_limits, "SELECT current_setting('lock_timeout'), now() = statement_timestamp()");
    struct sync_txn_limits limits = {.lock_timeout_ms = 123};
    struct sync_call first[] = {{&read_limits, NULL}, {&count_rows, NULL}};
    struct sync_result results[2];
    int64_t now_us = 0;
    ok(sync_txn_begin_with(db, &limits, first, 2, results, &now_us, &err));
    assert_true(sync_bytes_equal(sync_result_bytes(&results[0], 0, 0), sync_bytes_text("123ms")));
    assert_int_equal(sync_result_int8(&results[1], 0, 0), 0);
    assert_true(now_us > SYNC_EPOCH_2000_US);
    sync_result_done(&results[0]);
    sync_result_done(&results[1]);
    sync_params_int4(fresh(), 1);
    sync_params_text(&params, "a");
    ok(sync_txn_hurry(db, &err)); /* its own calls in between are nobody's results */
    struct sync_call last[] = {{&insert_row, &params}, {&count_rows, NULL}};
    ok(sync_txn_commit_with(db, last, 2, results, &err));
    assert_int_equal(results[0].affected, 1);
    assert_int_equal(sync_result_int8(&results[1], 0, 0), 1);
    sync_result_done(&results[0]);
    sync_result_done(&results[1]);
    assert_int_equal(rows(other), 1);
    sync_db_free(&db);
    sync_db_free(&other);
}

static void a_call_refused_with_begin_leaves_no_transaction(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    struct sync_txn_limits limits = {0};
    sync_params_int4(fresh(), 1);
    sync_params_text(&params, "");
    struct sync_call calls[] = {{&insert_row, &params}};
    assert_int_equal(sync_txn_begin_with(db, &limits, calls, 1, NULL, NULL, &err).class,
                     SYNC_CLASS_PARK);
    assert_string_equal(sync_db_constraint(db), "item_name_check");
    begin(db, 0, 0);
    ok(insert(db, 1, "a"));
    ok(sync_txn_commit(db, &err));
    assert_int_equal(rows(db), 1);
    sync_db_free(&db);
}

/* The server skips COMMIT behind a refused call: that is no doubt. */
static void a_call_refused_with_commit_is_rolled_back_and_no_doubt(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    struct sync_params bad;
    begin(db, 0, 0);
    ok(insert(db, 1, "a"));
    sync_params_int4(fresh(), 2);
    sync_params_text(&params, "b");
    sync_params_init(&bad, &arena);
    sync_params_int4(&bad, 1);
    sync_params_text(&bad, "again");
    struct sync_call calls[] = {{&insert_row, &params}, {&insert_row, &bad}};
    struct sync_result results[2];
    assert_int_equal(sync_txn_commit_with(db, calls, 2, results, &err).class, SYNC_CLASS_PARK);
    assert_string_equal(sync_db_constraint(db), "item_key");
    assert_null(results[0].handle);
    assert_int_equal(rows(db), 0);
    begin(db, 0, 100);
    ok(insert(db, 1, "a"));
    struct sync_call late[] = {{&sleep_long, NULL}};
    assert_int_equal(sync_txn_commit_with(db, late, 1, NULL, &err).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_TIMEOUT);
    assert_true(sync_db_is_connected(db));
    assert_int_equal(rows(db), 0);
    begin(db, 0, 0); /* parameters that did not fit: nothing was sent */
    sync_arena_init(&arena, memory, 8);
    sync_params_init(&bad, &arena);
    sync_params_int8_array(&bad, (const int64_t[4]){1, 2, 3, 4}, NULL, 4);
    struct sync_call full[] = {{&insert_row, &bad}};
    assert_int_equal(sync_txn_commit_with(db, full, 1, NULL, &err).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_MEMORY_LIMIT);
    assert_int_equal(rows(db), 0);
    sync_db_free(&db);
}

static void a_deferred_check_behind_the_last_calls_is_no_doubt(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    STATEMENT(insert_orphan, "INSERT INTO sync_test.child VALUES (2, 98)");
    begin(db, 0, 0);
    struct sync_call calls[] = {{&insert_orphan, NULL}};
    assert_int_equal(sync_txn_commit_with(db, calls, 1, NULL, &err).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_DB_ROW_GONE);
    begin(db, 0, 0);
    ok(sync_txn_commit(db, &err));
    sync_db_free(&db);
}

/* Loss -------------------------------------------------------------------------------------- */

static void a_terminated_session_is_lost_and_the_next_statement_connects_again(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0), *other = open_db(NULL, 0);
    int32_t pid = pid_of(db);
    terminate(other, pid);
    assert_int_equal(sync_db_exec(db, &count_rows, NULL, NULL, &err).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_DB_UNREACHABLE);
    assert_false(sync_db_is_connected(db));
    assert_int_not_equal(pid_of(db), pid);
    sync_db_free(&db);
    sync_db_free(&other);
}

static void a_transaction_never_goes_on_over_a_second_connection(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0), *other = open_db(NULL, 0);
    begin(db, 0, 0);
    ok(insert(db, 1, "a"));
    terminate(other, pid_of(db));
    assert_int_equal(insert(db, 2, "b").class, SYNC_CLASS_RETRY);
    assert_int_equal(insert(db, 3, "c").class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_DB_UNREACHABLE);
    assert_false(sync_is_ok(sync_txn_hurry(db, &err)));
    assert_int_equal(sync_txn_commit(db, &err).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_DB_UNREACHABLE); /* COMMIT was never sent: no doubt */
    assert_int_equal(rows(db), 0);
    sync_db_free(&db);
    sync_db_free(&other);
}

static void a_session_that_dies_before_its_commit_is_answered_is_in_doubt(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0), *other = open_db(NULL, 0);
    begin(db, 0, 0);
    ok(insert(db, 1, "a"));
    terminate(other, pid_of(db));
    assert_int_equal(sync_txn_commit(db, &err).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_IN_DOUBT);
    assert_false(sync_db_is_connected(db));
    assert_int_equal(rows(db), 0); /* the owner row would tell; here the table does */
    sync_db_free(&db);
    sync_db_free(&other);
}

static void a_session_that_dies_among_the_last_calls_is_in_doubt(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0), *other = open_db(NULL, 0);
    STATEMENT(kill_self, "SELECT pg_terminate_backend(pg_backend_pid())");
    begin(db, 0, 0);
    sync_params_int4(fresh(), 1);
    sync_params_text(&params, "a");
    struct sync_call calls[] = {{&insert_row, &params}, {&kill_self, NULL}};
    assert_int_equal(sync_txn_commit_with(db, calls, 2, NULL, &err).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_IN_DOUBT);
    assert_false(sync_db_is_connected(db));
    assert_int_equal(rows(other), 0);
    sync_db_free(&db);
    sync_db_free(&other);
}

static void a_rollback_after_a_loss_leaves_a_usable_handle(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0), *other = open_db(NULL, 0);
    begin(db, 0, 0);
    terminate(other, pid_of(db));
    sync_txn_rollback(db);
    begin(db, 0, 0);
    ok(insert(db, 1, "a"));
    ok(sync_txn_commit(db, &err));
    assert_int_equal(rows(other), 1);
    sync_db_free(&db);
    sync_db_free(&other);
}

/* A server that stops in the middle, as on a dead disk: its backend gets SIGSTOP. */
static bool stop_backend(int32_t pid)
{
    if (kill(pid, SIGSTOP) == 0) {
        return true;
    }
    print_message("may not stop a server process: run as root or as the server's user\n");
    return false;
}

static void a_statement_without_an_answer_is_given_up(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    begin(db, 0, 100);
    int32_t pid = pid_of(db);
    if (stop_backend(pid)) {
        int64_t start_us = sync_clock_monotonic_us();
        assert_int_equal(insert(db, 1, "a").class, SYNC_CLASS_RETRY);
        assert_true(sync_clock_monotonic_us() - start_us >= SYNC_DB_NETWORK_MS * 1000LL);
        (void)kill(pid, SIGCONT);
        assert_int_equal(err.code, SYNC_CODE_DB_UNREACHABLE);
        assert_false(sync_db_is_connected(db));
    }
    sync_txn_rollback(db);
    assert_int_equal(rows(db), 0);
    sync_db_free(&db);
}

/* We give up, then the server wakes and commits what it was sent: the doubt is real. */
static void a_commit_without_an_answer_is_in_doubt_and_may_be_done(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    begin(db, 0, 100);
    ok(insert(db, 1, "a"));
    int32_t pid = pid_of(db);
    if (!stop_backend(pid)) {
        sync_txn_rollback(db);
        sync_db_free(&db);
        return;
    }
    sync_status status = sync_txn_commit(db, &err);
    (void)kill(pid, SIGCONT);
    assert_int_equal(status.class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_IN_DOUBT);
    int64_t end_us = sync_clock_monotonic_us() + 20000000;
    while (rows(db) == 0 && sync_clock_monotonic_us() < end_us) {
    }
    assert_int_equal(rows(db), 1);
    sync_db_free(&db);
}

static atomic_bool commit_is_over;

/* What an operator does whose COMMIT hangs: waits until it waits, then cancels it. */
static void *cancel_wait(void *context)
{
    struct sync_db *db = NULL;
    struct sync_error own_err;
    struct sync_params own;
    uint8_t bytes[64];
    struct sync_arena own_arena;
    STATEMENT(
        cancel_waiting,
        "SELECT pg_cancel_backend($1) FROM pg_stat_get_activity($1) WHERE wait_event = 'SyncRep'");
    struct sync_db_options options = {dsn, "test_postgres", NULL, 0};
    sync_arena_init(&own_arena, bytes, sizeof bytes);
    sync_params_init(&own, &own_arena);
    sync_params_int4(&own, *(int32_t *)context);
    if (!sync_is_ok(sync_db_new(&options, &db, &own_err))) {
        return NULL;
    }
    for (int cancelled = 0; cancelled == 0 && !atomic_load(&commit_is_over);) {
        SYNC_RESULT result = {0};
        sync_status status = sync_db_exec(db, &cancel_waiting, &own, &result, &own_err);
        cancelled = sync_is_ok(status) ? result.rows : 1;
    }
    sync_db_free(&db);
    return NULL;
}

static void wait_for_standby(struct sync_db *db, const char *name)
{
    char text[32] = "?", command[128];
    (void)snprintf(command, sizeof command, "ALTER SYSTEM SET synchronous_standby_names = '%s'",
                   name);
    ok(sync_db_script(db, command, &err));
    ok(sync_db_script(db, "SELECT pg_reload_conf()", &err));
    while (strcmp(text, name) != 0) {
        ok(sync_db_setting(db, "synchronous_standby_names", sizeof text, text, &err));
    }
}

/* The standby does not exist, so COMMIT waits, once the server's checkpointer has heard of it. */
static void a_cancelled_wait_for_a_standby_is_in_doubt(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0), *other = open_db(NULL, 0);
    int32_t pid = pid_of(db);
    pthread_t thread;
    sync_status status = SYNC_OK;
    struct sync_error found = {0};
    int count = 0;
    wait_for_standby(other, "nobody");
    while (sync_is_ok(status)) {
        begin(db, 0, 0);
        ok(insert(db, ++count, "a"));
        atomic_store(&commit_is_over, false);
        assert_int_equal(pthread_create(&thread, NULL, cancel_wait, &pid), 0);
        status = sync_txn_commit(db, &err);
        found = err;
        atomic_store(&commit_is_over, true);
        (void)pthread_join(thread, NULL);
    }
    wait_for_standby(other, "");
    assert_int_equal(status.class, SYNC_CLASS_RETRY);
    assert_int_equal(found.code, SYNC_CODE_IN_DOUBT);
    assert_non_null(strstr(found.text, "standby"));
    assert_int_equal(rows(other), count); /* done, yet not safe */
    sync_db_free(&db);
    sync_db_free(&other);
}

/* A listener that never answers. */
static int deaf_port(int *ret_fd)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    *ret_fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(*ret_fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(*ret_fd, 4), 0);
    assert_int_equal(getsockname(*ret_fd, (struct sockaddr *)&at, &size), 0);
    return ntohs(at.sin_port);
}

static sync_status connect_to(const char *text)
{
    struct sync_db_options options = {text, "test_postgres", NULL, 0};
    struct sync_db *db = NULL;
    memset(&err, 0, sizeof err);
    sync_status status = sync_db_new(&options, &db, &err);
    if (sync_is_ok(status)) {
        status = sync_db_connect(db, &err);
        sync_db_free(&db);
    }
    return status;
}

static void a_server_that_never_answers_is_given_up(void **state)
{
    (void)state;
    int fd;
    char text[128];
    (void)snprintf(text, sizeof text, "host=127.0.0.1 port=%d user=x dbname=x sslmode=disable",
                   deaf_port(&fd));
    int64_t start_us = sync_clock_monotonic_us();
    assert_int_equal(connect_to(text).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_DB_UNREACHABLE);
    assert_in_range((sync_clock_monotonic_us() - start_us) / 1000000, SYNC_DB_CONNECT_S - 1,
                    SYNC_DB_CONNECT_S + 10);
    (void)close(fd);
}

static void the_second_host_is_tried_when_the_first_is_down(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    char port[32], text[256];
    ok(sync_db_setting(db, "port", sizeof port, port, &err));
    (void)snprintf(text, sizeof text,
                   "host=127.0.0.1,127.0.0.1 port=1,%s user=postgres dbname=postgres", port);
    ok(connect_to(text));
    sync_db_free(&db);
}

static void a_database_or_role_that_does_not_exist_is_fatal(void **state)
{
    (void)state;
    char text[512];
    (void)snprintf(text, sizeof text, "%s dbname=sync_test_nothing", dsn);
    assert_int_equal(connect_to(text).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_DB_REFUSED);
    assert_non_null(strstr(err.text, "sync_test_nothing"));
    (void)snprintf(text, sizeof text, "%s user=sync_test_nobody", dsn);
    assert_int_equal(connect_to(text).class, SYNC_CLASS_FATAL);
}

static void a_closed_port_is_retried(void **state)
{
    (void)state;
    assert_int_equal(connect_to("host=127.0.0.1 port=1 user=x dbname=x").class, SYNC_CLASS_RETRY);
    assert_int_equal(connect_to("host=/nowhere user=x dbname=x").class, SYNC_CLASS_RETRY);
}

static void asynchronous_commit_is_refused(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0);
    ok(sync_db_script(db,
                      "DROP ROLE IF EXISTS sync_test_lazy; CREATE ROLE sync_test_lazy LOGIN;"
                      "ALTER ROLE sync_test_lazy SET synchronous_commit = off",
                      &err));
    char text[512];
    (void)snprintf(text, sizeof text, "%s user=sync_test_lazy", dsn);
    assert_int_equal(connect_to(text).class, SYNC_CLASS_FATAL);
    assert_non_null(strstr(err.text, "synchronous_commit"));
    ok(sync_db_script(db, "DROP ROLE sync_test_lazy", &err));
    sync_db_free(&db);
}

static void sessions_and_round_trips_are_counted(void **state)
{
    (void)state;
    struct sync_metric *sessions = sync_metric_new(SYNC_GAUGE, "db_connections_in_use", "", "");
    double before = sync_metric_read(sessions, NULL);
    struct sync_db *db = open_db(NULL, 0), *other = open_db(NULL, 0);
    int32_t pid = pid_of(db);
    assert_true(sync_metric_read(sessions, NULL) == before + 1);
    terminate(other, pid);
    assert_true(sync_metric_read(sessions, NULL) == before + 2);
    assert_false(sync_is_ok(sync_db_exec(db, &count_rows, NULL, NULL, &err)));
    assert_true(sync_metric_read(sessions, NULL) == before + 1);
    sync_db_free(&db);
    sync_db_free(&other);
    assert_true(sync_metric_read(sessions, NULL) == before);
    size_t size;
    char *page = sync_metrics_render(&size);
    assert_non_null(strstr(page, "db_query_duration_seconds_count{statement=\"backend_pid\"}"));
    free(page);
}

/* DSN
 * -----------------------------------------------------------------------------------------------
 */

static void only_loopback_or_verified_tls_is_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sync_code code; /* NONE = accepted */
    } rows_of[] = {
        {"host=/tmp dbname=x", SYNC_CODE_NONE},
        {"postgresql://127.0.0.1:5432/x", SYNC_CODE_NONE},
        {"host=127.0.0.1,/tmp dbname=x", SYNC_CODE_NONE},
        {"host=db.example.org sslmode=verify-full", SYNC_CODE_NONE},
        {"host=db.example.org hostaddr=127.0.0.1", SYNC_CODE_NONE},
        {"host=192.0.2.1", SYNC_CODE_INSECURE},
        {"host=192.0.2.1 sslmode=require", SYNC_CODE_INSECURE},
        {"host=192.0.2.1 sslmode=verify-ca", SYNC_CODE_INSECURE},
        {"host=127.0.0.1,192.0.2.1", SYNC_CODE_INSECURE},
        {"host=localhost hostaddr=192.0.2.1", SYNC_CODE_INSECURE},
        {"postgresql://192.0.2.1/x?sslmode=prefer", SYNC_CODE_INSECURE},
        {"host=127.0.0.1 password=geheim", SYNC_CODE_INSECURE},
        {"postgresql://u:geheim@127.0.0.1/x", SYNC_CODE_INSECURE},
        {"host=127.0.0.1 hots=x", SYNC_CODE_CONFIG},
        {"geheim", SYNC_CODE_CONFIG},
        {"service=sync_test_no_such_service", SYNC_CODE_CONFIG},
        {"host=a,b hostaddr=127.0.0.1,", SYNC_CODE_CONFIG},
        {"host=127.0.0.1,127.0.0.1,127.0.0.1 port=1,2", SYNC_CODE_CONFIG},
    };
    for (size_t i = 0; i < sizeof rows_of / sizeof rows_of[0]; i++) {
        memset(&err, 0, sizeof err);
        sync_status status = sync_db_dsn_check(rows_of[i].text, "database.dsn", &err);
        if (err.code != rows_of[i].code ||
            sync_is_ok(status) != (rows_of[i].code == SYNC_CODE_NONE)) {
            fail_msg("%s: %s", rows_of[i].text, err.text);
        }
        assert_null(strstr(err.text, "geheim"));
        assert_true(sync_is_ok(status) || strcmp(err.field, "database.dsn") == 0);
    }
}

static void a_service_file_and_the_environment_are_followed(void **state)
{
    (void)state;
    char path[] = "/tmp/sync_test_service_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const char *text = "[far]\nhost=192.0.2.1\n[near]\nhost=127.0.0.1\n";
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
    assert_int_equal(setenv("PGSERVICEFILE", path, 1), 0);
    assert_int_equal(sync_db_dsn_check("service=far", "database.dsn", &err).class,
                     SYNC_CLASS_FATAL);
    ok(sync_db_dsn_check("service=near", "database.dsn", &err));
    assert_int_equal(setenv("PGHOST", "192.0.2.1", 1), 0);
    assert_int_equal(sync_db_dsn_check("dbname=x", "database.dsn", &err).class, SYNC_CLASS_FATAL);
    ok(sync_db_dsn_check("service=near", "database.dsn", &err));
    (void)unsetenv("PGHOST");
    (void)unsetenv("PGSERVICEFILE");
    (void)unlink(path);
}

static void a_password_in_the_environment_is_refused(void **state)
{
    (void)state;
    assert_int_equal(setenv("PGPASSWORD", "geheim", 1), 0);
    assert_int_equal(sync_db_dsn_check("host=127.0.0.1", "database.dsn", &err).class,
                     SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_INSECURE);
    assert_non_null(strstr(err.text, "PGPASSFILE"));
    (void)unsetenv("PGPASSWORD");
}

/* Origins ----------------------------------------------------------------------------------- */

STATEMENT(own_origin, "SELECT pg_replication_origin_session_is_setup()");

static void each_session_takes_the_next_free_origin(void **state)
{
    (void)state;
    struct sync_db *a = open_db("sync:test", 2), *b = open_db("sync:test", 2),
                   *c = open_db("sync:test", 2);
    ok(sync_db_connect(a, &err));
    ok(sync_db_connect(b, &err));
    SYNC_RESULT result = {0};
    ok(sync_db_exec(b, &own_origin, NULL, &result, &err));
    assert_true(sync_result_bool(&result, 0, 0));
    assert_int_equal(sync_db_connect(c, &err).class, SYNC_CLASS_RETRY);
    assert_int_equal(err.code, SYNC_CODE_DB_CONFLICT);
    assert_non_null(strstr(err.text, "origin_pool"));
    assert_false(sync_db_is_connected(c));
    assert_int_equal(insert(c, 1, "a").class,
                     SYNC_CLASS_RETRY); /* without an origin it writes nothing */
    assert_int_equal(rows(a), 0);
    sync_db_free(&a);
    sync_status status = sync_db_connect(c, &err);
    for (int i = 0; i < 1000 && !sync_is_ok(status);
         i++) { /* until the server has noticed that a is gone */
        status = sync_db_connect(c, &err);
    }
    ok(status);
    sync_db_free(&b);
    sync_db_free(&c);
}

static void a_missing_origin_is_fatal_and_names_the_command(void **state)
{
    (void)state;
    struct sync_db *db = open_db("sync:testnothing", 2);
    assert_int_equal(sync_db_connect(db, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_DB_SCHEMA);
    assert_non_null(strstr(err.text, "db migrate"));
    sync_db_free(&db);
}

static void a_role_without_the_grant_is_fatal_and_names_the_functions(void **state)
{
    (void)state;
    struct sync_db *db = open_db(NULL, 0), *poor = NULL;
    ok(sync_db_script(db, "DROP ROLE IF EXISTS sync_test_poor; CREATE ROLE sync_test_poor LOGIN",
                      &err));
    char text[512];
    (void)snprintf(text, sizeof text, "%s user=sync_test_poor", dsn);
    struct sync_db_options options = {text, "test_postgres", "sync:test", 2};
    ok(sync_db_new(&options, &poor, &err));
    assert_int_equal(sync_db_connect(poor, &err).class, SYNC_CLASS_FATAL);
    assert_non_null(strstr(err.text, "pg_replication_origin_session_setup"));
    sync_db_free(&poor);
    ok(sync_db_script(db, "DROP ROLE sync_test_poor", &err));
    sync_db_free(&db);
}

/* Two transactions: the second must not carry the time of the first. */
static void each_transaction_carries_its_own_origin_time(void **state)
{
    (void)state;
    struct sync_db *db = open_db("sync:test", 2), *other = open_db(NULL, 0);
    char level[16];
    ok(sync_db_setting(other, "wal_level", sizeof level, level, &err));
    assert_string_equal(level, "logical");
    ok(sync_db_script(other,
                      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                      " WHERE slot_name = 'sync_test_slot';",
                      &err));
    ok(sync_db_script(
        other, "SELECT pg_create_logical_replication_slot('sync_test_slot', 'test_decoding')",
        &err));
    for (int i = 1; i <= 2; i++) {
        begin(db, 0, 0);
        ok(insert(db, i, "a"));
        ok(sync_txn_commit(db, &err));
    }
    STATEMENT(
        read_times,
        "SELECT substring(data FROM 'at (.*)\\)')::timestamptz FROM"
        " pg_logical_slot_get_changes('sync_test_slot', NULL, NULL, 'include-timestamp', 'on')"
        " WHERE data LIKE 'COMMIT%'");
    SYNC_RESULT result = {0};
    ok(sync_db_exec(other, &read_times, NULL, &result, &err));
    ok(sync_db_script(other, "SELECT pg_drop_replication_slot('sync_test_slot')", &err));
    assert_int_equal(result.rows, 2);
    int64_t first_us = sync_result_time(&result, 0, 0), second_us = sync_result_time(&result, 1, 0);
    assert_true(llabs(first_us - sync_clock_wall_us()) < 60000000);
    assert_true(second_us > first_us);
    sync_db_free(&db);
    sync_db_free(&other);
}

static const struct CMUnitTest without_server[] = {
    cmocka_unit_test(only_loopback_or_verified_tls_is_accepted),
    cmocka_unit_test(a_service_file_and_the_environment_are_followed),
    cmocka_unit_test(a_password_in_the_environment_is_refused),
    cmocka_unit_test(a_server_that_never_answers_is_given_up),
    cmocka_unit_test(a_closed_port_is_retried),
};

static const struct CMUnitTest with_server[] = {
    cmocka_unit_test(scalars_come_back_as_they_went),
    cmocka_unit_test(nulls_come_back_as_nulls),
    cmocka_unit_test(arrays_come_back_row_by_row),
    cmocka_unit_test(empty_arrays_give_no_row),
    cmocka_unit_test(a_time_outside_the_range_is_refused_as_data),
    cmocka_unit_test_setup(parameters_that_found_the_arena_full_are_not_sent, empty_tables),
    cmocka_unit_test_setup(changed_rows_are_counted_and_selected_ones_are_not, empty_tables),
    cmocka_unit_test_setup(a_pipeline_gives_each_its_result, empty_tables),
    cmocka_unit_test_setup(a_pipeline_ends_at_its_first_error_and_leaves_nothing, empty_tables),
    cmocka_unit_test_setup(a_statement_that_does_not_parse_is_fatal_and_harms_no_later_one,
                           empty_tables),
    cmocka_unit_test(a_refused_value_does_not_stand_in_the_error),
    cmocka_unit_test(names_without_schema_do_not_resolve),
    cmocka_unit_test(large_parameters_and_answers_pass_both_ways),
    cmocka_unit_test(settings_are_read_and_unknown_ones_are_empty),
    cmocka_unit_test_setup(a_commit_is_seen_by_others_and_a_rollback_is_not, empty_tables),
    cmocka_unit_test_setup(an_error_ends_the_transaction_and_commit_tells_it, empty_tables),
    cmocka_unit_test_setup(a_rollback_keeps_the_reason_of_the_failure, empty_tables),
    cmocka_unit_test_setup(a_deferred_check_fails_at_commit_and_rolls_back, empty_tables),
    cmocka_unit_test_setup(a_deferred_check_of_a_lone_statement_is_seen, empty_tables),
    cmocka_unit_test_setup(a_read_only_transaction_writes_nothing, empty_tables),
    cmocka_unit_test_setup(the_lock_limit_of_the_transaction_gives_way, empty_tables),
    cmocka_unit_test(the_statement_limit_of_the_transaction_ends_a_statement),
    cmocka_unit_test(in_a_hurry_all_statements_share_what_is_left),
    cmocka_unit_test_setup(in_a_hurry_results_stay_with_their_statements, empty_tables),
    cmocka_unit_test_setup(the_first_and_the_last_calls_travel_with_begin_and_commit, empty_tables),
    cmocka_unit_test_setup(a_call_refused_with_begin_leaves_no_transaction, empty_tables),
    cmocka_unit_test_setup(a_call_refused_with_commit_is_rolled_back_and_no_doubt, empty_tables),
    cmocka_unit_test_setup(a_deferred_check_behind_the_last_calls_is_no_doubt, empty_tables),
    cmocka_unit_test_setup(a_session_that_dies_among_the_last_calls_is_in_doubt, empty_tables),
    cmocka_unit_test(a_terminated_session_is_lost_and_the_next_statement_connects_again),
    cmocka_unit_test_setup(a_transaction_never_goes_on_over_a_second_connection, empty_tables),
    cmocka_unit_test_setup(a_session_that_dies_before_its_commit_is_answered_is_in_doubt,
                           empty_tables),
    cmocka_unit_test_setup(a_rollback_after_a_loss_leaves_a_usable_handle, empty_tables),
    cmocka_unit_test_setup(a_statement_without_an_answer_is_given_up, empty_tables),
    cmocka_unit_test_setup(a_commit_without_an_answer_is_in_doubt_and_may_be_done, empty_tables),
    cmocka_unit_test_setup(a_cancelled_wait_for_a_standby_is_in_doubt, empty_tables),
    cmocka_unit_test_setup(sessions_and_round_trips_are_counted, empty_tables),
    cmocka_unit_test(the_second_host_is_tried_when_the_first_is_down),
    cmocka_unit_test(a_database_or_role_that_does_not_exist_is_fatal),
    cmocka_unit_test(asynchronous_commit_is_refused),
    cmocka_unit_test_setup(each_session_takes_the_next_free_origin, empty_tables),
    cmocka_unit_test(a_missing_origin_is_fatal_and_names_the_command),
    cmocka_unit_test(a_role_without_the_grant_is_fatal_and_names_the_functions),
    cmocka_unit_test_setup(each_transaction_carries_its_own_origin_time, empty_tables),
};

int main(void)
{
    dsn = server_dsn();
    int failed = cmocka_run_group_tests(without_server, NULL, NULL);
    if (dsn == NULL) {
        print_message(
            "SYNC_TEST_DSN is not set. Start a throw-away PostgreSQL 15 and run again with, for "
            "example,\n"
            "  SYNC_TEST_DSN='host=/tmp/cluster user=postgres dbname=postgres' test_postgres\n");
        return failed != 0 ? failed : 77;
    }
    return failed + cmocka_run_group_tests(with_server, make_schema, drop_schema);
}
