/*
 * Shows what each message of the log about Altinn 3's tables of delegations tells: what came, what
 * went and who took it, what changed; that an update waits for its history inside its transaction
 * only; and that a table or row that does not fit stops the source.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../connectors/altinn3/delegation_row_map.h"

#define CELLS_MAX 20

static struct pgoutput_message message;
static struct row_plan plan;
static struct delegation_reader *reader;
static struct delegation_row row;
static uint8_t bytes[CELLS_MAX][64];
static struct sync_error err;

static int open_reader(void **state)
{
    (void)state;
    reader = calloc(1, sizeof *reader);
    assert_non_null(reader);
    delegation_reader_begin(reader);
    return 0;
}

static int close_reader(void **state)
{
    (void)state;
    free(reader);
    return 0;
}

static const struct row_table *table_of(const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < delegation_row_tables.count; i++) {
        if (strcmp(delegation_row_tables.tables[i].name, name) == 0) {
            *ret_index = i;
            return &delegation_row_tables.tables[i];
        }
    }
    fail_msg("no table %s", name);
    return NULL;
}

static const uint32_t type_ids[] = {
    [ROW_UUID] = 2950, [ROW_INTEGER] = 23, [ROW_TIME] = 1184, [ROW_TEXT] = 25};
static const size_t type_sizes[] = {[ROW_UUID] = 16, [ROW_INTEGER] = 4, [ROW_TIME] = 8};

/* A row of a table whose column n is filled with the byte n + 1, texts with the letter 'a' + n. */
static void make(const char *name, enum pgoutput_type type)
{
    size_t index = 0;
    const struct row_table *table = table_of(name, &index);
    message.type = type;
    message.relation_id = 16400 + (uint32_t)index;
    message.schema = sync_bytes_text(table->schema);
    message.name = sync_bytes_text(table->name);
    message.column_count = message.row.count = table->column_count;
    for (size_t i = 0; i < table->column_count; i++) {
        enum row_type column = table->columns[i].type;
        size_t size = column == ROW_TEXT ? 3 : type_sizes[column];
        memset(bytes[i], column == ROW_TEXT ? (int)('a' + i) : (int)(i + 1), size);
        message.columns[i] = (struct pgoutput_column){
            i == 0, sync_bytes_text(table->columns[i].name), type_ids[column]};
        message.row.cells[i] = (struct pgoutput_cell){PGOUTPUT_BINARY, {bytes[i], size}};
    }
    bool known = false;
    assert_true(sync_is_ok(row_plan_make(&delegation_row_tables, &message, &known, &plan, &err)));
    assert_true(known);
}

static size_t column_of(const char *name)
{
    for (size_t i = 0; i < plan.shape->column_count; i++) {
        if (strcmp(plan.shape->columns[i].name, name) == 0) {
            return i;
        }
    }
    fail_msg("no column %s", name);
    return 0;
}

static void set_null(const char *name)
{
    message.row.cells[column_of(name)] = (struct pgoutput_cell){PGOUTPUT_NULL, {NULL, 0}};
}

static void set_text(const char *name, const char *text)
{
    message.row.cells[column_of(name)] =
        (struct pgoutput_cell){PGOUTPUT_BINARY, sync_bytes_text(text)};
}

/* History of a change, not of a deletion. */
static void make_old(const char *name)
{
    make(name, PGOUTPUT_INSERT);
    set_null("audit_deletedby");
    set_null("audit_deletedbysystem");
    set_null("audit_deleteoperation");
}

static enum capture_fate read_it(void)
{
    enum capture_fate fate = CAPTURE_FATE_OWN_WRITE;
    assert_true(sync_is_ok(delegation_reader_read(reader, &plan, &message, &fate, &row, &err)));
    return fate;
}

static void assert_uuid(const struct sync_uuid *id, const char *column)
{
    uint8_t wanted[16];
    memset(wanted, (int)column_of(column) + 1, 16);
    assert_memory_equal(id->bytes, wanted, 16);
}

static void an_inserted_row_tells_place_document_and_writer(void **state)
{
    (void)state;
    make("assignmentinstance", PGOUTPUT_INSERT);
    assert_int_equal(read_it(), CAPTURE_FATE_ROW);
    assert_int_equal(row.kind, DELEGATION_ROW_INSTANCE);
    assert_int_equal(row.act, DELEGATION_ROW_INSERTED);
    assert_uuid(&row.id, "id");
    assert_uuid(&row.place.parent, "assignmentid");
    assert_uuid(&row.place.object, "resourceid");
    assert_string_equal(row.place.instance, "jjj");
    assert_true(row.now.present && !row.now.is_cut);
    assert_string_equal(row.now.path, "hhh");
    assert_string_equal(row.now.version, "iii");
    assert_true(row.stamp.has_by && row.stamp.has_system);
    assert_uuid(&row.stamp.by, "audit_changedby");
    assert_uuid(&row.stamp.system, "audit_changedbysystem");
    assert_string_equal(row.stamp.operation, "ddd");
    assert_true(row.stamp.time_us == 0x0505050505050505 + 946684800000000);
    assert_false(row.unstamped || row.now_unknown);
}

static void edges_tell_their_ends(void **state)
{
    (void)state;
    static const char *const thirds[] = {"roleid", "facilitatorid"};
    static const char *const names[] = {"assignment", "delegation"};
    for (size_t i = 0; i < 2; i++) {
        make(names[i], PGOUTPUT_INSERT);
        assert_int_equal(read_it(), CAPTURE_FATE_ROW);
        assert_uuid(&row.place.from, "fromid");
        assert_uuid(&row.place.to, "toid");
        assert_uuid(&row.place.object, thirds[i]);
        assert_false(row.now.present);
    }
}

static void every_table_of_history_tells_who_deleted(void **state)
{
    (void)state;
    static const struct {
        const char *name, *parent;
        enum delegation_row_kind kind;
    } tables[] = {
        {"auditassignment", "fromid", DELEGATION_ROW_ASSIGNMENT},
        {"auditassignmentresource", "assignmentid", DELEGATION_ROW_RESOURCE},
        {"auditassignmentinstance", "assignmentid", DELEGATION_ROW_INSTANCE},
        {"auditassignmentpackage", "assignmentid", DELEGATION_ROW_PACKAGE},
        {"auditdelegationpackage", "delegationid", DELEGATION_ROW_CLIENT_PACKAGE},
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        make(tables[i].name, PGOUTPUT_INSERT);
        assert_int_equal(read_it(), CAPTURE_FATE_ROW);
        assert_int_equal(row.kind, tables[i].kind);
        assert_int_equal(row.act, DELEGATION_ROW_DELETED);
        assert_uuid(tables[i].kind == DELEGATION_ROW_ASSIGNMENT ? &row.place.from
                                                                : &row.place.parent,
                    tables[i].parent);
        assert_uuid(&row.stamp.by, "audit_deletedby");
        assert_uuid(&row.stamp.system, "audit_deletedbysystem");
        char operation[4] = {0};
        memset(operation, (int)('a' + column_of("audit_deleteoperation")), 3);
        assert_string_equal(row.stamp.operation, operation);
        uint64_t byte = column_of("audit_validto") + 1;
        assert_true(row.stamp.time_us == (int64_t)(byte * 0x0101010101010101) + 946684800000000);
    }
}

/* Any of the three says that somebody deleted it. */
static void one_trace_of_a_deletion_is_enough(void **state)
{
    (void)state;
    static const char *const traces[] = {"audit_deletedby", "audit_deletedbysystem",
                                         "audit_deleteoperation"};
    for (size_t i = 0; i < 3; i++) {
        make("auditassignmentpackage", PGOUTPUT_INSERT);
        for (size_t k = 0; k < 3; k++) {
            if (k != i) {
                set_null(traces[k]);
            }
        }
        assert_int_equal(read_it(), CAPTURE_FATE_ROW);
        assert_int_equal(row.act, DELEGATION_ROW_DELETED);
    }
}

static void an_update_waits_for_its_history_and_tells_both_documents(void **state)
{
    (void)state;
    make("assignmentresource", PGOUTPUT_UPDATE);
    set_text("policyversion", "2");
    set_text("audit_changeoperation", "second");
    assert_int_equal(read_it(), CAPTURE_FATE_OTHER);
    make_old("auditassignmentresource");
    set_text("policyversion", "1");
    assert_int_equal(read_it(), CAPTURE_FATE_ROW);
    assert_int_equal(row.act, DELEGATION_ROW_CHANGED);
    assert_string_equal(row.now.version, "2");
    assert_string_equal(row.old.version, "1");
    assert_string_equal(row.stamp.operation, "second");
    assert_false(row.unstamped);
    assert_int_equal(read_it(), CAPTURE_FATE_OTHER); /* it is told once */
}

static void an_update_that_moves_nothing_of_ours_is_of_no_interest(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"assignmentresource", "auditassignmentresource"},
                                           {"assignment", "auditassignment"},
                                           {"assignmentpackage", "auditassignmentpackage"},
                                           {"delegationpackage", "auditdelegationpackage"}};
    for (size_t i = 0; i < 4; i++) {
        make(names[i][0], PGOUTPUT_UPDATE);
        set_text("audit_changeoperation", "touched");
        assert_int_equal(read_it(), CAPTURE_FATE_OTHER);
        make_old(names[i][1]);
        assert_int_equal(read_it(), CAPTURE_FATE_OTHER);
        assert_int_equal(reader->count, 0);
    }
}

static void a_writer_who_leaves_the_stamp_is_told(void **state)
{
    (void)state;
    make("assignmentresource", PGOUTPUT_UPDATE);
    set_text("policyversion", "2");
    (void)read_it();
    make_old("auditassignmentresource");
    assert_int_equal(read_it(), CAPTURE_FATE_ROW);
    assert_true(row.unstamped);
}

static void a_row_that_moves_tells_where_it_stood(void **state)
{
    (void)state;
    make("assignmentpackage", PGOUTPUT_UPDATE);
    memset(bytes[column_of("assignmentid")], 0x77, 16);
    (void)read_it();
    make_old("auditassignmentpackage");
    assert_int_equal(read_it(), CAPTURE_FATE_ROW);
    assert_int_equal(row.place.parent.bytes[0], 0x77);
    assert_uuid(&row.before.parent, "assignmentid");
}

/* A large value that an update did not touch is not sent. */
static void what_is_not_sent_is_as_history_has_it(void **state)
{
    (void)state;
    make("assignmentresource", PGOUTPUT_UPDATE);
    message.row.cells[column_of("policypath")].kind = PGOUTPUT_UNCHANGED;
    set_text("policyversion", "2");
    (void)read_it();
    make_old("auditassignmentresource");
    assert_int_equal(read_it(), CAPTURE_FATE_ROW);
    assert_string_equal(row.now.path, "hhh");
    assert_string_equal(row.now.version, "2");
    assert_true(row.now.present);
}

static void updates_of_one_statement_come_before_all_their_history(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) { /* over the end of the ring */
        for (int i = 0; i < DELEGATION_UPDATES_MAX - 5; i++) {
            make("assignmentresource", PGOUTPUT_UPDATE);
            memcpy(bytes[0], &i, sizeof i);
            set_text("policyversion", "2");
            assert_int_equal(read_it(), CAPTURE_FATE_OTHER);
        }
        for (int i = 0; i < DELEGATION_UPDATES_MAX - 5; i++) {
            make_old("auditassignmentresource");
            memcpy(bytes[0], &i, sizeof i);
            assert_int_equal(read_it(), CAPTURE_FATE_ROW);
            assert_memory_equal(row.id.bytes, &i, sizeof i);
            assert_string_equal(row.now.version, "2");
        }
    }
    assert_false(reader->overflowed);
}

/* Triggers of another order, or rows of a cascade between. */
static void history_in_any_order_finds_its_update(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        make("assignmentresource", PGOUTPUT_UPDATE);
        bytes[0][0] = (uint8_t)(0x40 + i);
        char version[2] = {(char)('0' + i), 0};
        set_text("policyversion", version);
        (void)read_it();
    }
    for (int i = 4; i >= 0; i--) {
        make("auditassignmentpackage", PGOUTPUT_INSERT); /* a deletion between them */
        assert_int_equal(read_it(), CAPTURE_FATE_ROW);
        make_old("auditassignmentresource");
        bytes[0][0] = (uint8_t)(0x40 + i);
        assert_int_equal(read_it(), CAPTURE_FATE_ROW);
        assert_int_equal(row.now.version[0], '0' + i);
    }
}

static void more_updates_than_fit_are_told_without_their_document(void **state)
{
    (void)state;
    for (int i = 0; i <= DELEGATION_UPDATES_MAX; i++) {
        make("assignmentresource", PGOUTPUT_UPDATE);
        memcpy(bytes[0], &i, sizeof i);
        set_text("policyversion", "2");
        (void)read_it();
    }
    int last = DELEGATION_UPDATES_MAX;
    make_old("auditassignmentresource");
    memcpy(bytes[0], &last, sizeof last);
    assert_int_equal(read_it(), CAPTURE_FATE_ROW);
    assert_int_equal(row.act, DELEGATION_ROW_CHANGED);
    assert_true(row.now_unknown);
    assert_string_equal(row.old.version, "iii");
}

static void nothing_waits_beyond_its_transaction(void **state)
{
    (void)state;
    make("assignmentresource", PGOUTPUT_UPDATE);
    set_text("policyversion", "2");
    (void)read_it();
    delegation_reader_begin(reader);
    make_old("auditassignmentresource");
    assert_int_equal(read_it(), CAPTURE_FATE_OTHER); /* history that somebody writes by hand */
}

static void texts_that_are_too_long_or_null_are_told_apart(void **state)
{
    (void)state;
    char text[DELEGATION_PATH_SIZE + 1];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    make("assignmentinstance", PGOUTPUT_INSERT);
    set_text("policypath", text);
    assert_int_equal(read_it(), CAPTURE_FATE_ROW);
    assert_true(row.now.is_cut);
    text[DELEGATION_PATH_SIZE - 1] = '\0'; /* the longest that fits */
    set_text("policypath", text);
    (void)read_it();
    assert_false(row.now.is_cut);
    assert_string_equal(row.now.path, text);
    set_null("policypath");
    set_null("instanceid");
    (void)read_it();
    assert_false(row.now.present || row.now.is_cut || row.place.is_cut);
    assert_string_equal(row.place.instance, "");
    set_text("instanceid", text);
    (void)read_it();
    assert_true(row.place.is_cut);
}

static void rows_without_a_stamp_are_taken(void **state)
{
    (void)state;
    make("assignment", PGOUTPUT_INSERT);
    set_null("audit_changedby");
    set_null("audit_changedbysystem");
    set_null("audit_changeoperation");
    assert_int_equal(read_it(), CAPTURE_FATE_ROW);
    assert_false(row.stamp.has_by || row.stamp.has_system);
    assert_string_equal(row.stamp.operation, "");
}

static void a_column_that_is_missing_or_mistyped_stops_the_source(void **state)
{
    (void)state;
    struct row_plan other;
    bool known = false;
    for (size_t table = 0; table < delegation_row_tables.count; table++) {
        const struct row_table *shape = &delegation_row_tables.tables[table];
        for (size_t i = 0; i < shape->column_count; i++) {
            make(shape->name, PGOUTPUT_RELATION);
            message.columns[i].type_id = 20;
            assert_int_equal(
                row_plan_make(&delegation_row_tables, &message, &known, &other, &err).class,
                SYNC_CLASS_FATAL);
            assert_int_equal(err.code, SYNC_CODE_SCHEMA_MISMATCH);
            message.columns[i].name = sync_bytes_text("renamed");
            assert_int_equal(
                row_plan_make(&delegation_row_tables, &message, &known, &other, &err).class,
                SYNC_CLASS_FATAL);
            assert_int_equal(err.code, SYNC_CODE_FIELD_MISSING);
            assert_non_null(strstr(err.text, "delegation-publication.sql"));
        }
    }
}

static void a_row_that_does_not_fit_its_relation_stops_the_source(void **state)
{
    (void)state;
    for (size_t table = 0; table < delegation_row_tables.count; table++) {
        const struct row_table *shape = &delegation_row_tables.tables[table];
        for (size_t i = 0; i < shape->column_count; i++) {
            enum capture_fate fate;
            make(shape->name, PGOUTPUT_INSERT);
            message.row.cells[i].kind = PGOUTPUT_TEXT;
            assert_int_equal(
                delegation_reader_read(reader, &plan, &message, &fate, &row, &err).class,
                SYNC_CLASS_FATAL);
            assert_int_equal(err.code, SYNC_CODE_PROTOCOL);
            message.row.count = i;
            assert_int_equal(
                delegation_reader_read(reader, &plan, &message, &fate, &row, &err).class,
                SYNC_CLASS_FATAL);
        }
    }
}

static void other_tables_are_left_alone(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"dbo", "entity"}, {"dbo_history", "auditdelegation"}, {"public", "assignment"}};
    for (size_t i = 0; i < 3; i++) {
        struct row_plan other;
        bool known = true;
        make("assignment", PGOUTPUT_RELATION);
        message.schema = sync_bytes_text(names[i][0]);
        message.name = sync_bytes_text(names[i][1]);
        assert_true(
            sync_is_ok(row_plan_make(&delegation_row_tables, &message, &known, &other, &err)));
        assert_false(known);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_reader, close_reader)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_inserted_row_tells_place_document_and_writer),
        CASE(edges_tell_their_ends),
        CASE(every_table_of_history_tells_who_deleted),
        CASE(one_trace_of_a_deletion_is_enough),
        CASE(an_update_waits_for_its_history_and_tells_both_documents),
        CASE(an_update_that_moves_nothing_of_ours_is_of_no_interest),
        CASE(a_writer_who_leaves_the_stamp_is_told),
        CASE(a_row_that_moves_tells_where_it_stood),
        CASE(what_is_not_sent_is_as_history_has_it),
        CASE(updates_of_one_statement_come_before_all_their_history),
        CASE(history_in_any_order_finds_its_update),
        CASE(more_updates_than_fit_are_told_without_their_document),
        CASE(nothing_waits_beyond_its_transaction),
        CASE(texts_that_are_too_long_or_null_are_told_apart),
        CASE(rows_without_a_stamp_are_taken),
        CASE(a_column_that_is_missing_or_mistyped_stops_the_source),
        CASE(a_row_that_does_not_fit_its_relation_stops_the_source),
        CASE(other_tables_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
