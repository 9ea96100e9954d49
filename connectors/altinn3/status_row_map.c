/* Rows to changes. Values are binary: uuid 16 bytes, integer 4, timestamptz 8 (µs since 2000). */
#include "status_row_map.h"

#include <stdio.h>

#define TYPE_INTEGER     23
#define TYPE_TIMESTAMPTZ 1184
#define TYPE_UUID        2950

struct column_row {
    const char *names[2]; /* by table */
    uint32_t type_id;
    size_t size;
    bool nullable;
};
static const struct column_row column_rows[STATUS_ROW_COLUMN_COUNT] = {
    [STATUS_ROW_MESSAGE] = {{"CorrespondenceId", "CorrespondenceId"}, TYPE_UUID, 16, false},
    [STATUS_ROW_KIND] = {{"Status", "EventType"}, TYPE_INTEGER, 4, false},
    [STATUS_ROW_TIME] = {{"StatusChanged", "EventOccurred"}, TYPE_TIMESTAMPTZ, 8, false},
    [STATUS_ROW_PARTY] = {{"PartyUuid", "PartyUuid"}, TYPE_UUID, 16, false},
    [STATUS_ROW_SYNCED] = {{"SyncedFromAltinn2", "SyncedFromAltinn2"}, TYPE_TIMESTAMPTZ, 8, true},
};
static const char *const table_names[] = {"CorrespondenceStatuses", "CorrespondenceDeleteEvents"};

static bool find_table(const struct pgoutput_message *relation, enum status_row_table *ret_table)
{
    if (!sync_bytes_equal(relation->schema, sync_bytes_text("correspondence"))) {
        return false;
    }
    for (size_t i = 0; i < sizeof table_names / sizeof table_names[0]; i++) {
        if (sync_bytes_equal(relation->name, sync_bytes_text(table_names[i]))) {
            *ret_table = (enum status_row_table)i;
            return true;
        }
    }
    return false;
}

static sync_status find_column(const struct pgoutput_message *relation, enum status_row_table table,
                               enum status_row_column wanted, size_t *ret_index,
                               struct sync_error *err)
{
    const struct column_row *row = &column_rows[wanted];
    const char *name = row->names[table];
    char path[sizeof err->field];
    (void)snprintf(path, sizeof path, "%s.%s", table_names[table], name); /* both are short */
    for (size_t i = 0; i < relation->column_count; i++) {
        if (!sync_bytes_equal(relation->columns[i].name, sync_bytes_text(name))) {
            continue;
        }
        if (relation->columns[i].type_id != row->type_id) {
            return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_SCHEMA_MISMATCH, path,
                                   "read the columns of %s: %s has type number %u, not %u",
                                   table_names[table], name, relation->columns[i].type_id,
                                   row->type_id);
        }
        *ret_index = i;
        return SYNC_OK;
    }
    return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_FIELD_MISSING, path,
                           "read the columns of %s: the publication does not send %s; let the "
                           "owner of the tables run connectors/altinn3/sql/publication.sql",
                           table_names[table], name);
}

sync_status status_row_plan_make(const struct pgoutput_message *relation, bool *ret_known,
                                 struct status_row_plan *ret_plan, struct sync_error *err)
{
    struct status_row_plan plan = {.relation_id = relation->relation_id};
    if (!find_table(relation, &plan.table)) {
        *ret_known = false;
        return SYNC_OK;
    }
    for (int i = 0; i < STATUS_ROW_COLUMN_COUNT; i++) {
        sync_status status =
            find_column(relation, plan.table, (enum status_row_column)i, &plan.columns[i], err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    *ret_known = true;
    *ret_plan = plan;
    return SYNC_OK;
}

static sync_status check_cells(const struct status_row_plan *plan, const struct pgoutput_tuple *row,
                               struct sync_error *err)
{
    for (int i = 0; i < STATUS_ROW_COLUMN_COUNT; i++) {
        const struct column_row *column = &column_rows[i];
        size_t index = plan->columns[i];
        const struct pgoutput_cell *cell = index < row->count ? &row->cells[index] : NULL;
        if (cell && cell->kind == PGOUTPUT_NULL && column->nullable) {
            continue;
        }
        if (!cell || cell->kind != PGOUTPUT_BINARY || cell->value.size != column->size) {
            return sync_fail_field(
                err, SYNC_CLASS_FATAL, SYNC_CODE_PROTOCOL, column->names[plan->table],
                "read a row of %s: %s is not a binary value of %zu bytes", table_names[plan->table],
                column->names[plan->table], column->size);
        }
    }
    return SYNC_OK;
}

static uint64_t cell_number(const struct status_row_plan *plan, const struct pgoutput_tuple *row,
                            enum status_row_column column)
{
    struct sync_bytes value = row->cells[plan->columns[column]].value;
    uint64_t number = 0;
    for (size_t i = 0; i < value.size; i++) {
        number = number << 8 | value.data[i];
    }
    return number;
}

static struct sync_uuid cell_uuid(const struct status_row_plan *plan,
                                  const struct pgoutput_tuple *row, enum status_row_column column)
{
    struct sync_uuid id;
    memcpy(id.bytes, row->cells[plan->columns[column]].value.data, sizeof id.bytes);
    return id;
}

/*
 * Event types 1 and 2 are left out: the status row of the same purge is published already, and a
 * purge must not be reported twice.
 */
static bool find_kind(enum status_row_table table, int32_t number, int32_t *ret_kind)
{
    static const struct {
        enum status_row_table table;
        int32_t number, kind;
    } rows[] = {
        {STATUS_ROW_STATUSES, 4, STATUS_READ},
        {STATUS_ROW_STATUSES, 6, STATUS_CONFIRMED},
        {STATUS_ROW_STATUSES, 7, STATUS_PURGED_BY_RECIPIENT},
        {STATUS_ROW_STATUSES, 8, STATUS_PURGED_BY_OWNER},
        {STATUS_ROW_STATUSES, 9, STATUS_ARCHIVED},
        {STATUS_ROW_DELETE_EVENTS, 3, STATUS_SOFT_DELETED},
        {STATUS_ROW_DELETE_EVENTS, 4, STATUS_RESTORED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].table == table && rows[i].number == number) {
            *ret_kind = rows[i].kind;
            return true;
        }
    }
    return false;
}

sync_status status_row_map(const struct status_row_plan *plan, const struct pgoutput_tuple *row,
                           enum status_row_fate *ret_fate, struct status_change *ret_change,
                           struct sync_error *err)
{
    sync_status status = check_cells(plan, row, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    int32_t kind = 0;
    if (!find_kind(plan->table, (int32_t)cell_number(plan, row, STATUS_ROW_KIND), &kind)) {
        *ret_fate = STATUS_ROW_OTHER_KIND;
        return SYNC_OK;
    }
    if (row->cells[plan->columns[STATUS_ROW_SYNCED]].kind != PGOUTPUT_NULL) {
        *ret_fate = STATUS_ROW_OWN_WRITE;
        return SYNC_OK;
    }
    *ret_change = (struct status_change){
        .has_altinn3_id = true,
        .altinn3_id = cell_uuid(plan, row, STATUS_ROW_MESSAGE),
        .mode = STATUS_LIVE,
        .kind = kind,
        .occurred_at_us = pgoutput_time_us((int64_t)cell_number(plan, row, STATUS_ROW_TIME)),
        .party = cell_uuid(plan, row, STATUS_ROW_PARTY),
    };
    *ret_fate = STATUS_ROW_PUBLISH;
    return SYNC_OK;
}
