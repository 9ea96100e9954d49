/*
 * Homes: what the configuration says about them, and that each database gets its own migrations and
 * origins, on a real PostgreSQL 15 (SYNC_TEST_DSN).
 */
#include "own_database.h"
#include "runtime/home.h"

#include <altinn_sync/processor.h>

static struct sync_config config;
static struct sync_error err;

static void set(char *field, const char *value)
{
    (void)snprintf(field, SYNC_CONFIG_TEXT_MAX, "%s", value);
}

static void only_homes_that_are_set_are_read(void **state)
{
    (void)state;
    struct sync_home homes[SYNC_HOMES_MAX];
    set(config.database_dsn, "service=a");
    set(config.database_authorization_dsn, "");
    assert_int_equal(sync_homes_read(&config, homes), 1);
    assert_string_equal(homes[0].name, "correspondence");
    assert_string_equal(homes[0].dsn, "service=a");
    set(config.database_dsn, "");
    set(config.database_authorization_dsn, "service=b");
    assert_int_equal(sync_homes_read(&config, homes), 1);
    assert_string_equal(homes[0].name, "authorization");
    assert_string_equal(homes[0].setting, "database.authorization_dsn");
}

static void a_home_that_is_not_set_is_refused_with_its_setting(void **state)
{
    (void)state;
    struct sync_home home = {.name = "untouched"};
    set(config.database_authorization_dsn, "");
    assert_int_equal(sync_home_find(&config, "authorization", "run x", &home, &err).class,
                     SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_CONFIG);
    assert_string_equal(err.field, "database.authorization_dsn");
    assert_string_equal(err.text, "run x: its home is authorization, but "
                                  "database.authorization_dsn is empty; set it");
    assert_string_equal(home.name, "untouched");
}

static void a_name_that_is_no_home_is_refused_with_all_names(void **state)
{
    (void)state;
    struct sync_home home;
    assert_int_equal(sync_home_find(&config, "elsewhere", "status", &home, &err).class,
                     SYNC_CLASS_FATAL);
    assert_non_null(strstr(err.text, "correspondence, authorization"));
}

static void every_processor_names_a_home_that_exists(void **state)
{
    (void)state;
    struct sync_home home;
    set(config.database_dsn, "service=a");
    set(config.database_authorization_dsn, "service=b");
    for (size_t i = 0; sync_processors[i] != NULL; i++) {
        assert_true(
            sync_is_ok(sync_home_find(&config, sync_processors[i]->home, "test", &home, &err)));
    }
}

/* Migrations ---------------------------------------------------------------------------------- */

static void a_home_gets_the_common_migrations_and_its_own(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    assert_int_equal(ask("SELECT count(*) FROM sync.schema_version WHERE version >= 100"
                         " AND version < 200"),
                     0);
    assert_true(ask("SELECT count(*) FROM sync.schema_version WHERE version < 100") > 0);
    assert_true(ask("SELECT count(*) FROM sync.schema_version WHERE version >= 200") > 0);
    assert_int_equal(ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'sync'"
                         " AND tablename = 'correspondence'"),
                     0);
    must(sync_db_schema_check(own.db, "authorization", &own.err));
}

static void the_database_of_another_home_is_named(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    int applied = 0;
    assert_int_equal(sync_db_migrate(own.db, "correspondence", false, &applied, &own.err).class,
                     SYNC_CLASS_FATAL);
    assert_int_equal(own.err.code, SYNC_CODE_DB_SCHEMA);
    assert_non_null(strstr(own.err.text, "leads to the home authorization, not to the home "
                                         "correspondence"));
    assert_int_equal(ask("SELECT count(*) FROM sync.schema_version WHERE version >= 100"
                         " AND version < 200"),
                     0);
}

static int start(void **state)
{
    (void)state;
    own_start_home("sync_test_home", "authorization");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    own_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_homes_that_are_set_are_read),
        cmocka_unit_test(a_home_that_is_not_set_is_refused_with_its_setting),
        cmocka_unit_test(a_name_that_is_no_home_is_refused_with_all_names),
        cmocka_unit_test(every_processor_names_a_home_that_exists),
        cmocka_unit_test(a_home_gets_the_common_migrations_and_its_own),
        cmocka_unit_test(the_database_of_another_home_is_named),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
