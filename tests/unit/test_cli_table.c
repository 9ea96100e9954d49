/* Shows the two forms of a table and that every cell arrives. How: printing into memory, comparing
 * bytes. */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void prints(struct sync_table *table, bool json, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    sync_table_print(&table, json, out);
    assert_int_equal(fclose(out), 0);
    assert_null(table);
    assert_string_equal(text, expected);
    free(text);
}

static struct sync_table *sample(void)
{
    struct sync_table *table = sync_table_new(SYNC_CELLS("name", "#count", "last error"));
    sync_table_row(table, SYNC_CELLS("a", "1", ""));
    sync_table_row(table, SYNC_CELLS("longer", "1000", "x \"y\""));
    return table;
}

static void columns_are_aligned_numbers_to_the_right(void **state)
{
    (void)state;
    prints(sample(), false,
           "NAME    COUNT  LAST ERROR\n"
           "a           1  -\n"
           "longer   1000  x \"y\"\n");
}

static void json_has_numbers_nulls_and_escapes(void **state)
{
    (void)state;
    prints(sample(), true,
           "[{\"name\":\"a\",\"count\":1,\"last_error\":null},"
           "{\"name\":\"longer\",\"count\":1000,\"last_error\":\"x \\\"y\\\"\"}]\n");
}

static void a_table_without_rows_has_its_heading_or_an_empty_array(void **state)
{
    (void)state;
    prints(sync_table_new(SYNC_CELLS("a", "b")), false, "A  B\n");
    prints(sync_table_new(SYNC_CELLS("a", "b")), true, "[]\n");
}

static void width_is_counted_in_characters(void **state)
{
    (void)state;
    struct sync_table *table = sync_table_new(SYNC_CELLS("a", "b"));
    sync_table_row(table, SYNC_CELLS("åæø", "1"));
    sync_table_row(table, SYNC_CELLS("x", "2"));
    prints(table, false, "A    B\nåæø  1\nx    2\n");
}

static void text_in_a_number_column_stays_text_in_json(void **state)
{
    (void)state;
    struct sync_table *table = sync_table_new(SYNC_CELLS("#a"));
    sync_table_row(table, SYNC_CELLS("unknown"));
    sync_table_row(table, SYNC_CELLS("0"));
    sync_table_row(table, SYNC_CELLS("-7"));
    sync_table_row(table, SYNC_CELLS("1.5"));
    prints(table, true, "[{\"a\":\"unknown\"},{\"a\":0},{\"a\":-7},{\"a\":1.5}]\n");
}

static void many_rows_keep_their_order(void **state)
{
    (void)state;
    struct sync_table *table = sync_table_new(SYNC_CELLS("#n"));
    char expected[8192] = "N\n", cell[16];
    for (int i = 1000; i < 1999; i++) {
        (void)snprintf(cell, sizeof cell, "%d", i);
        sync_table_row(table, SYNC_CELLS(cell));
    }
    size_t used = (size_t)snprintf(expected, sizeof expected, "   N\n");
    for (int i = 1000; i < 1999; i++) {
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%d\n", i);
    }
    prints(table, false, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned_numbers_to_the_right),
        cmocka_unit_test(json_has_numbers_nulls_and_escapes),
        cmocka_unit_test(a_table_without_rows_has_its_heading_or_an_empty_array),
        cmocka_unit_test(width_is_counted_in_characters),
        cmocka_unit_test(text_in_a_number_column_stays_text_in_json),
        cmocka_unit_test(many_rows_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
