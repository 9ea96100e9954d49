/* Shows the class of each SQLSTATE, row by row as the protocol's table, and of neighbours just
 * outside a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/postgres.h"

static void check(const char *sqlstate, enum sync_class class, enum sync_code code)
{
    enum sync_code found;
    assert_int_equal(sync_db_classify(sqlstate, &found), class);
    assert_int_equal(found, code);
}

static void trouble_of_the_environment_is_retried(void **state)
{
    (void)state;
    static const char *const rows[] = {"08000", "08003", "08006", "08P01", "25006",
                                       "25P03", "53000", "53100", "53200", "53300",
                                       "57P01", "57P02", "57P03", "57P05", "58030"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check(rows[i], SYNC_CLASS_RETRY, SYNC_CODE_DB_UNREACHABLE);
    }
}

static void conflicts_with_others_are_retried(void **state)
{
    (void)state;
    static const char *const rows[] = {"25P02", "40001", "40P01", "55006", "55P03"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check(rows[i], SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT);
    }
    check("57014", SYNC_CLASS_RETRY, SYNC_CODE_TIMEOUT);
}

static void a_referenced_row_that_is_gone_is_decided_again(void **state)
{
    (void)state;
    check("23503", SYNC_CLASS_RETRY, SYNC_CODE_DB_ROW_GONE);
}

static void refused_data_is_parked(void **state)
{
    (void)state;
    static const char *const rows[] = {"22000", "22001", "22003", "22008", "22021", "22P02",
                                       "23000", "23502", "23505", "23514", "23P01"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check(rows[i], SYNC_CLASS_PARK, SYNC_CODE_DATA_REFUSED);
    }
}

static void a_wrong_schema_is_fatal(void **state)
{
    (void)state;
    static const char *const rows[] = {"42P01", "42703", "42704", "42883", "3F000"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check(rows[i], SYNC_CLASS_FATAL, SYNC_CODE_DB_SCHEMA);
    }
}

static void a_database_that_says_no_is_fatal(void **state)
{
    (void)state;
    static const char *const rows[] = {"42501", "42601", "42P18", "28000",
                                       "28P01", "3D000", "0A000", "53400"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check(rows[i], SYNC_CLASS_FATAL, SYNC_CODE_DB_REFUSED);
    }
}

static void what_no_row_names_is_retried_as_internal(void **state)
{
    (void)state;
    static const char *const rows[] = {"XX000", "XX001", "25001", "40002", "55000", "57000",
                                       "58000", "3D001", "3F001", "P0001", "21000", "01000"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check(rows[i], SYNC_CLASS_RETRY, SYNC_CODE_INTERNAL);
    }
}

static void no_sqlstate_is_a_lost_connection(void **state)
{
    (void)state;
    check("", SYNC_CLASS_RETRY, SYNC_CODE_DB_UNREACHABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trouble_of_the_environment_is_retried),
        cmocka_unit_test(conflicts_with_others_are_retried),
        cmocka_unit_test(a_referenced_row_that_is_gone_is_decided_again),
        cmocka_unit_test(refused_data_is_parked),
        cmocka_unit_test(a_wrong_schema_is_fatal),
        cmocka_unit_test(a_database_that_says_no_is_fatal),
        cmocka_unit_test(what_no_row_names_is_retried_as_internal),
        cmocka_unit_test(no_sqlstate_is_a_lost_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
