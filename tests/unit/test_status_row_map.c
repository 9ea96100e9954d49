/*
 * Shows which inserted rows of Altinn 3 are published and as what, and that a table or a row that
 * does not fit stops the source. Shown over every status and event number, and over every column
 * missing or mistyped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../connectors/altinn3/status_row_map.h"

static struct pgoutput_message relation;
static struct pgoutput_tuple row;
static uint8_t bytes[6][16];

/* Relation and row of a table, with the columns in the order of the publication. */
static void make(enum status_row_table table, int32_t kind, bool synced)
{
    static const char *const names[2][6] = {
        {"Id", "CorrespondenceId", "Status", "StatusChanged", "PartyUuid", "SyncedFromAltinn2"},
        {"Id", "CorrespondenceId", "EventType", "EventOccurred", "PartyUuid", "SyncedFromAltinn2"}};
    static const uint32_t types[] = {2950, 2950, 23, 1184, 2950, 1184};
    static const size_t sizes[] = {16, 16, 4, 8, 16, 8};
    relation.type = PGOUTPUT_RELATION;
    relation.relation_id = 16400 + (uint32_t)table;
    relation.schema = sync_bytes_text("correspondence");
    relation.name = sync_bytes_text(table == STATUS_ROW_STATUSES ? "CorrespondenceStatuses"
                                                                 : "CorrespondenceDeleteEvents");
    relation.column_count = 6;
    row.count = 6;
    memset(bytes, 0, sizeof bytes);
    memset(bytes[1], 0x11, 16);
    memset(bytes[4], 0xaa, 16);
    bytes[2][3] = (uint8_t)kind;
    bytes[3][7] = 9; /* 9 µs after 2000 */
    for (size_t i = 0; i < 6; i++) {
        relation.columns[i] =
            (struct pgoutput_column){i == 0, sync_bytes_text(names[table][i]), types[i]};
        row.cells[i] = (struct pgoutput_cell){PGOUTPUT_BINARY, {bytes[i], sizes[i]}};
    }
    if (!synced) {
        row.cells[5] = (struct pgoutput_cell){PGOUTPUT_NULL, {NULL, 0}};
    }
}

static struct row_plan plan_of_relation(void)
{
    struct row_plan plan;
    struct sync_error err;
    bool known = false;
    assert_true(sync_is_ok(row_plan_make(&status_row_tables, &relation, &known, &plan, &err)));
    assert_true(known);
    return plan;
}

static enum status_row_fate fate_of(enum status_row_table table, int32_t kind, bool synced,
                                    struct status_change *ret_change)
{
    make(table, kind, synced);
    struct row_plan plan = plan_of_relation();
    enum status_row_fate fate = STATUS_ROW_OTHER_KIND;
    struct sync_error err;
    assert_true(sync_is_ok(status_row_map(&plan, &row, &fate, ret_change, &err)));
    return fate;
}

static void every_status_number_has_its_fate(void **state)
{
    (void)state;
    for (int32_t number = 0; number < 128; number++) {
        struct status_change change = {.kind = -1};
        bool wanted = number == 4 || number == 6 || number == 7 || number == 8 || number == 9;
        assert_int_equal(fate_of(STATUS_ROW_STATUSES, number, false, &change),
                         wanted ? STATUS_ROW_PUBLISH : STATUS_ROW_OTHER_KIND);
        assert_int_equal(change.kind, wanted ? number : -1);
    }
}

static void every_event_number_has_its_fate(void **state)
{
    (void)state;
    for (int32_t number = 0; number < 128; number++) {
        struct status_change change = {.kind = -1};
        bool wanted = number == 3 || number == 4;
        assert_int_equal(fate_of(STATUS_ROW_DELETE_EVENTS, number, false, &change),
                         wanted ? STATUS_ROW_PUBLISH : STATUS_ROW_OTHER_KIND);
        assert_int_equal(change.kind, wanted ? number + 10 : -1);
    }
}

static void a_row_with_the_synced_mark_is_an_own_write(void **state)
{
    (void)state;
    struct status_change change = {.kind = -1};
    assert_int_equal(fate_of(STATUS_ROW_STATUSES, 4, true, &change), STATUS_ROW_OWN_WRITE);
    assert_int_equal(fate_of(STATUS_ROW_DELETE_EVENTS, 3, true, &change), STATUS_ROW_OWN_WRITE);
    assert_int_equal(change.kind, -1);
}

static void a_change_carries_message_time_and_party(void **state)
{
    (void)state;
    struct status_change change;
    assert_int_equal(fate_of(STATUS_ROW_STATUSES, 4, false, &change), STATUS_ROW_PUBLISH);
    assert_true(change.has_altinn3_id);
    assert_memory_equal(change.altinn3_id.bytes, bytes[1], 16);
    assert_memory_equal(change.party.bytes, bytes[4], 16);
    assert_true(change.occurred_at_us == 946684800000009);
    assert_int_equal(change.mode, STATUS_LIVE);
    assert_false(change.has_altinn2_id);
    assert_false(change.has_user);
    assert_false(change.written_by_sync);
}

static void infinite_times_are_kept_for_the_rules(void **state)
{
    (void)state;
    make(STATUS_ROW_STATUSES, 4, false);
    struct row_plan plan = plan_of_relation();
    struct status_change change;
    struct sync_error err;
    enum status_row_fate fate;
    memset(bytes[3], 0xff, 8);
    bytes[3][0] = 0x7f;
    assert_true(sync_is_ok(status_row_map(&plan, &row, &fate, &change, &err)));
    assert_true(change.occurred_at_us == INT64_MAX);
    memset(bytes[3], 0, 8);
    bytes[3][0] = 0x80;
    assert_true(sync_is_ok(status_row_map(&plan, &row, &fate, &change, &err)));
    assert_true(change.occurred_at_us == INT64_MIN);
}

static void a_missing_column_stops_the_source_with_its_path(void **state)
{
    (void)state;
    for (size_t i = 1; i < 6; i++) {
        make(STATUS_ROW_STATUSES, 4, false);
        relation.columns[i].name = sync_bytes_text("Renamed");
        struct row_plan plan;
        struct sync_error err;
        bool known = false;
        assert_int_equal(row_plan_make(&status_row_tables, &relation, &known, &plan, &err).class,
                         SYNC_CLASS_FATAL);
        assert_int_equal(err.code, SYNC_CODE_FIELD_MISSING);
        assert_memory_equal(err.field, "CorrespondenceStatuses.", 23);
        assert_false(known);
    }
}

static void a_mistyped_column_stops_the_source(void **state)
{
    (void)state;
    for (size_t i = 1; i < 6; i++) {
        make(STATUS_ROW_DELETE_EVENTS, 3, false);
        relation.columns[i].type_id = 25;
        struct row_plan plan;
        struct sync_error err;
        bool known = false;
        assert_int_equal(row_plan_make(&status_row_tables, &relation, &known, &plan, &err).class,
                         SYNC_CLASS_FATAL);
        assert_int_equal(err.code, SYNC_CODE_SCHEMA_MISMATCH);
    }
}

static void columns_are_found_by_name_in_any_order_and_new_ones_ignored(void **state)
{
    (void)state;
    make(STATUS_ROW_STATUSES, 6, false);
    struct pgoutput_column column = relation.columns[1];
    struct pgoutput_cell cell = row.cells[1];
    relation.columns[1] = relation.columns[4];
    row.cells[1] = row.cells[4];
    relation.columns[4] = column;
    row.cells[4] = cell;
    relation.columns[6] = (struct pgoutput_column){false, sync_bytes_text("New"), 25};
    row.cells[6] = (struct pgoutput_cell){PGOUTPUT_UNCHANGED, {NULL, 0}};
    relation.column_count = 7;
    row.count = 7;
    struct row_plan plan = plan_of_relation();
    struct status_change change;
    struct sync_error err;
    enum status_row_fate fate;
    assert_true(sync_is_ok(status_row_map(&plan, &row, &fate, &change, &err)));
    assert_memory_equal(change.altinn3_id.bytes, bytes[1], 16);
}

static void other_tables_and_schemas_are_left_alone(void **state)
{
    (void)state;
    const char *names[][2] = {{"correspondence", "Correspondences"},
                              {"public", "CorrespondenceStatuses"},
                              {"correspondence", "correspondencestatuses"}};
    for (size_t i = 0; i < 3; i++) {
        make(STATUS_ROW_STATUSES, 4, false);
        relation.schema = sync_bytes_text(names[i][0]);
        relation.name = sync_bytes_text(names[i][1]);
        relation.column_count = 0;
        struct row_plan plan;
        struct sync_error err;
        bool known = true;
        assert_true(sync_is_ok(row_plan_make(&status_row_tables, &relation, &known, &plan, &err)));
        assert_false(known);
    }
}

static void assert_row_refused(const struct row_plan *plan)
{
    struct status_change change = {.kind = -1};
    struct sync_error err;
    enum status_row_fate fate;
    assert_int_equal(status_row_map(plan, &row, &fate, &change, &err).class, SYNC_CLASS_FATAL);
    assert_int_equal(err.code, SYNC_CODE_PROTOCOL);
    assert_int_equal(change.kind, -1);
}

static void a_row_that_does_not_fit_its_relation_stops_the_source(void **state)
{
    (void)state;
    for (size_t i = 1; i < 6; i++) {
        make(STATUS_ROW_STATUSES, 4, true);
        struct row_plan plan = plan_of_relation();
        struct pgoutput_cell cell = row.cells[i];
        if (i < 5) {
            row.cells[i].kind = PGOUTPUT_NULL;
            assert_row_refused(&plan);
        }
        row.cells[i] = cell;
        row.cells[i].kind = PGOUTPUT_TEXT;
        assert_row_refused(&plan);
        row.cells[i].kind = PGOUTPUT_UNCHANGED;
        assert_row_refused(&plan);
        row.cells[i] = cell;
        row.cells[i].value.size--;
        assert_row_refused(&plan);
        row.cells[i] = cell;
        row.count = i;
        assert_row_refused(&plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_number_has_its_fate),
        cmocka_unit_test(every_event_number_has_its_fate),
        cmocka_unit_test(a_row_with_the_synced_mark_is_an_own_write),
        cmocka_unit_test(a_change_carries_message_time_and_party),
        cmocka_unit_test(infinite_times_are_kept_for_the_rules),
        cmocka_unit_test(a_missing_column_stops_the_source_with_its_path),
        cmocka_unit_test(a_mistyped_column_stops_the_source),
        cmocka_unit_test(columns_are_found_by_name_in_any_order_and_new_ones_ignored),
        cmocka_unit_test(other_tables_and_schemas_are_left_alone),
        cmocka_unit_test(a_row_that_does_not_fit_its_relation_stops_the_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
