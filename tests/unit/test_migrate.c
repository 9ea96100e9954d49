/* Shows migrations and origins on a real PostgreSQL 15, in a database of their own that is made and
 * dropped here. SYNC_TEST_DSN names a superuser's database of a throw-away cluster. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/migrate.h"
#include "server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX 64
#define HOME     "correspondence"

static const char *dsn;
static char own_dsn[512];
static struct sync_error err;
static struct sync_migration_row rows[ROWS_MAX];
static size_t count;

static void ok(sync_status status)
{
    if (!sync_is_ok(status)) {
        fail_msg("%s", err.text);
    }
}

static struct sync_db *open_db(const char *text)
{
    struct sync_db_options options = {.dsn = text, .application = "test_migrate"};
    struct sync_db *db = NULL;
    ok(sync_db_new(&options, &db, &err));
    return db;
}

static void script(const char *text, const char *sql)
{
    struct sync_db *db = open_db(text);
    ok(sync_db_script(db, sql, &err));
    sync_db_free(&db);
}

static int drop_database(void **state)
{
    (void)state;
    script(dsn, "DROP DATABASE IF EXISTS sync_test_migrate WITH (FORCE)");
    return 0;
}

static int make_database(void **state)
{
    (void)drop_database(state);
    script(dsn, "CREATE DATABASE sync_test_migrate");
    return 0;
}

static void a_fresh_database_has_everything_pending(void **state)
{
    (void)state;
    struct sync_db *db = open_db(own_dsn);
    ok(sync_migrations_read(db, HOME, rows, ROWS_MAX, &count, &err));
    assert_true(count >= 2);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows[i].state, SYNC_MIGRATION_PENDING);
        assert_true(i == 0 || rows[i - 1].version < rows[i].version);
    }
    assert_int_equal(sync_db_schema_check(db, HOME, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_DB_SCHEMA);
    assert_non_null(strstr(err.text, "db migrate"));
    sync_db_free(&db);
}

static void a_dry_run_counts_and_changes_nothing(void **state)
{
    (void)state;
    struct sync_db *db = open_db(own_dsn);
    int applied = 0;
    ok(sync_db_migrate(db, HOME, true, &applied, &err));
    ok(sync_migrations_read(db, HOME, rows, ROWS_MAX, &count, &err));
    assert_int_equal((size_t)applied, count);
    assert_int_equal(rows[0].state, SYNC_MIGRATION_PENDING);
    sync_db_free(&db);
}

static void all_are_applied_once(void **state)
{
    (void)state;
    struct sync_db *db = open_db(own_dsn);
    int applied = 0;
    ok(sync_db_migrate(db, HOME, false, &applied, &err));
    ok(sync_migrations_read(db, HOME, rows, ROWS_MAX, &count, &err));
    assert_int_equal((size_t)applied, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows[i].state, SYNC_MIGRATION_APPLIED);
        assert_true(rows[i].applied_us > 1700000000000000);
    }
    ok(sync_db_schema_check(db, HOME, &err));
    ok(sync_db_migrate(db, HOME, false, &applied, &err));
    assert_int_equal(applied, 0);
    sync_db_free(&db);
}

struct run {
    int applied;
    bool good;
};

static void *migrate_beside(void *context)
{
    struct run *run = context;
    struct sync_db_options options = {.dsn = own_dsn, .application = "test_migrate"};
    struct sync_db *db = NULL;
    struct sync_error own_err;
    run->good = sync_is_ok(sync_db_new(&options, &db, &own_err)) &&
                sync_is_ok(sync_db_migrate(db, HOME, false, &run->applied, &own_err));
    sync_db_free(&db);
    return NULL;
}

static void four_runs_at_once_apply_each_migration_once(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct run runs[4] = {{0}};
    int applied = 0;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, migrate_beside, &runs[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(runs[i].good);
        applied += runs[i].applied;
    }
    struct sync_db *db = open_db(own_dsn);
    ok(sync_migrations_read(db, HOME, rows, ROWS_MAX, &count, &err));
    assert_int_equal((size_t)applied, count);
    sync_db_free(&db);
}

static void a_changed_migration_is_refused(void **state)
{
    (void)state;
    struct sync_db *db = open_db(own_dsn);
    int applied = 0;
    ok(sync_db_migrate(db, HOME, false, &applied, &err));
    ok(sync_db_script(db, "UPDATE sync.schema_version SET sha256 = '\\x00' WHERE version = 1",
                      &err));
    assert_int_equal(sync_db_migrate(db, HOME, false, &applied, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_DB_SCHEMA);
    assert_non_null(strstr(err.text, "001_"));
    assert_int_equal(sync_db_schema_check(db, HOME, &err).class, SYNC_CLASS_FATAL);
    sync_db_free(&db);
}

static void a_migration_of_a_newer_program_is_refused(void **state)
{
    (void)state;
    struct sync_db *db = open_db(own_dsn);
    int applied = 0;
    ok(sync_db_migrate(db, HOME, false, &applied, &err));
    ok(sync_db_script(
        db, "INSERT INTO sync.schema_version VALUES (900, '900_later.sql', '\\x00', now())", &err));
    assert_int_equal(sync_db_schema_check(db, HOME, &err).class, SYNC_CLASS_FATAL);
    assert_non_null(strstr(err.text, "900_later.sql"));
    ok(sync_migrations_read(db, HOME, rows, ROWS_MAX, &count, &err));
    assert_int_equal(rows[count - 1].state, SYNC_MIGRATION_UNKNOWN);
    sync_db_free(&db);
}

static void one_that_fails_leaves_nothing_of_itself(void **state)
{
    (void)state;
    struct sync_db *db = open_db(own_dsn);
    int applied = 0;
    ok(sync_db_script(db, "CREATE SCHEMA sync",
                      &err)); /* somebody else's: the first migration fails */
    assert_false(sync_is_ok(sync_db_migrate(db, HOME, false, &applied, &err)));
    assert_non_null(strstr(err.text, "001_"));
    ok(sync_db_script(db, "DROP SCHEMA sync", &err));
    ok(sync_db_migrate(db, HOME, false, &applied, &err));
    assert_true(applied >= 2);
    sync_db_free(&db);
}

static const struct sync_statement count_origins = {"count_origins",
                                                    "SELECT count(*) FROM pg_replication_origin"};

static void origins_are_made_once(void **state)
{
    (void)state;
    struct sync_db *db = open_db(own_dsn);
    int missing = 0, created = 0;
    SYNC_RESULT before = {0};
    SYNC_RESULT after = {0};
    ok(sync_db_exec(db, &count_origins, NULL, &before, &err));
    ok(sync_db_migrate_origins(db, HOME, 2, true, &missing, &err));
    ok(sync_db_migrate_origins(db, HOME, 2, false, &created, &err));
    assert_int_equal(created, missing);
    ok(sync_db_exec(db, &count_origins, NULL, &after, &err));
    assert_int_equal(sync_result_int8(&after, 0, 0) - sync_result_int8(&before, 0, 0), created);
    ok(sync_db_migrate_origins(db, HOME, 2, false, &created, &err));
    assert_int_equal(created, 0);
    sync_db_free(&db);
}

static void a_role_that_may_not_make_origins_is_told_so(void **state)
{
    (void)state;
    char text[600];
    int created = 0;
    script(own_dsn, "DROP ROLE IF EXISTS sync_test_mortal; CREATE ROLE sync_test_mortal LOGIN");
    (void)snprintf(text, sizeof text, "%s user=sync_test_mortal", own_dsn);
    struct sync_db *db = open_db(text);
    assert_int_equal(sync_db_migrate_origins(db, HOME, 97, false, &created, &err).class,
                     SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_DB_REFUSED);
    assert_non_null(strstr(err.text, "pg_replication_origin_create"));
    sync_db_free(&db);
    script(own_dsn, "DROP ROLE sync_test_mortal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_fresh_database_has_everything_pending, make_database),
        cmocka_unit_test_setup(a_dry_run_counts_and_changes_nothing, make_database),
        cmocka_unit_test_setup(all_are_applied_once, make_database),
        cmocka_unit_test_setup(four_runs_at_once_apply_each_migration_once, make_database),
        cmocka_unit_test_setup(a_changed_migration_is_refused, make_database),
        cmocka_unit_test_setup(a_migration_of_a_newer_program_is_refused, make_database),
        cmocka_unit_test_setup(one_that_fails_leaves_nothing_of_itself, make_database),
        cmocka_unit_test_setup(origins_are_made_once, make_database),
        cmocka_unit_test_setup(a_role_that_may_not_make_origins_is_told_so, make_database),
    };
    dsn = server_dsn();
    if (dsn == NULL) {
        print_message(
            "SYNC_TEST_DSN is not set. Start a throw-away PostgreSQL 15 and run again with, for "
            "example,\n"
            "  SYNC_TEST_DSN='host=/tmp/cluster user=postgres dbname=postgres' test_migrate\n");
        return 77;
    }
    (void)snprintf(own_dsn, sizeof own_dsn, "%s dbname=sync_test_migrate", dsn);
    return cmocka_run_group_tests(tests, NULL, drop_database);
}
