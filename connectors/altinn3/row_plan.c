/* Plans of relations, and binary cells to values. */
#include "row_plan.h"

#include <stdio.h>

/* Type numbers of PostgreSQL and bytes of a value; 0 = any. */
static const struct {
    uint32_t type_id;
    size_t size;
} types[] = {
    [ROW_UUID] = {2950, 16},
    [ROW_INTEGER] = {23, 4},
    [ROW_TIME] = {1184, 8},
    [ROW_TEXT] = {25, 0},
};

static bool find_table(const struct row_tables *tables, const struct pgoutput_message *relation,
                       size_t *ret_table)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (sync_bytes_equal(relation->schema, sync_bytes_text(tables->tables[i].schema)) &&
            sync_bytes_equal(relation->name, sync_bytes_text(tables->tables[i].name))) {
            *ret_table = i;
            return true;
        }
    }
    return false;
}

static sync_status find_column(const struct row_tables *tables, const struct row_table *table,
                               const struct row_column *column,
                               const struct pgoutput_message *relation, size_t *ret_index,
                               struct sync_error *err)
{
    char path[sizeof err->field];
    uint32_t wanted = types[column->type].type_id;
    (void)snprintf(path, sizeof path, "%s.%s", table->name, column->name); /* both are short */
    for (size_t i = 0; i < relation->column_count; i++) {
        if (!sync_bytes_equal(relation->columns[i].name, sync_bytes_text(column->name))) {
            continue;
        }
        if (relation->columns[i].type_id != wanted) {
            return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_SCHEMA_MISMATCH, path,
                                   "read the columns of %s: %s has type number %u, not %u",
                                   table->name, column->name, relation->columns[i].type_id, wanted);
        }
        *ret_index = i;
        return SYNC_OK;
    }
    return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_FIELD_MISSING, path,
                           "read the columns of %s: the publication does not send %s; let the "
                           "owner of the tables run %s",
                           table->name, column->name, tables->publication_file);
}

sync_status row_plan_make(const struct row_tables *tables, const struct pgoutput_message *relation,
                          bool *ret_known, struct row_plan *ret_plan, struct sync_error *err)
{
    struct row_plan plan = {.relation_id = relation->relation_id};
    if (!find_table(tables, relation, &plan.table)) {
        *ret_known = false;
        return SYNC_OK;
    }
    plan.shape = &tables->tables[plan.table];
    SYNC_ASSERT(plan.shape->column_count <= ROW_COLUMNS_MAX);
    for (size_t i = 0; i < plan.shape->column_count; i++) {
        sync_status status = find_column(tables, plan.shape, &plan.shape->columns[i], relation,
                                         &plan.columns[i], err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    *ret_known = true;
    *ret_plan = plan;
    return SYNC_OK;
}

static bool fits(const struct row_column *column, const struct pgoutput_cell *cell)
{
    if (cell->kind == PGOUTPUT_NULL) {
        return column->nullable;
    }
    if (cell->kind == PGOUTPUT_UNCHANGED) {
        return column->type == ROW_TEXT;
    }
    size_t size = types[column->type].size;
    return cell->kind == PGOUTPUT_BINARY && (size == 0 || cell->value.size == size);
}

sync_status row_check(const struct row_plan *plan, const struct pgoutput_tuple *row,
                      struct sync_error *err)
{
    for (size_t i = 0; i < plan->shape->column_count; i++) {
        const struct row_column *column = &plan->shape->columns[i];
        size_t index = plan->columns[i];
        if (index >= row->count || !fits(column, &row->cells[index])) {
            return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_PROTOCOL, column->name,
                                   "read a row of %s: %s is not a binary value of its type",
                                   plan->shape->name, column->name);
        }
    }
    return SYNC_OK;
}

static const struct pgoutput_cell *cell_of(const struct row_plan *plan,
                                           const struct pgoutput_tuple *row, size_t column)
{
    return &row->cells[plan->columns[column]];
}

static uint64_t number_of(const struct pgoutput_cell *cell)
{
    uint64_t number = 0;
    for (size_t i = 0; cell->kind == PGOUTPUT_BINARY && i < cell->value.size; i++) {
        number = number << 8 | cell->value.data[i];
    }
    return number;
}

bool row_is_null(const struct row_plan *plan, const struct pgoutput_tuple *row, size_t column)
{
    return cell_of(plan, row, column)->kind == PGOUTPUT_NULL;
}

bool row_is_unchanged(const struct row_plan *plan, const struct pgoutput_tuple *row, size_t column)
{
    return cell_of(plan, row, column)->kind == PGOUTPUT_UNCHANGED;
}

struct sync_uuid row_uuid(const struct row_plan *plan, const struct pgoutput_tuple *row,
                          size_t column)
{
    const struct pgoutput_cell *cell = cell_of(plan, row, column);
    struct sync_uuid id = {{0}};
    if (cell->kind == PGOUTPUT_BINARY) {
        memcpy(id.bytes, cell->value.data, sizeof id.bytes);
    }
    return id;
}

int32_t row_integer(const struct row_plan *plan, const struct pgoutput_tuple *row, size_t column)
{
    return (int32_t)number_of(cell_of(plan, row, column));
}

int64_t row_time_us(const struct row_plan *plan, const struct pgoutput_tuple *row, size_t column)
{
    return pgoutput_time_us((int64_t)number_of(cell_of(plan, row, column)));
}

struct sync_bytes row_text(const struct row_plan *plan, const struct pgoutput_tuple *row,
                           size_t column)
{
    const struct pgoutput_cell *cell = cell_of(plan, row, column);
    bool there = cell->kind == PGOUTPUT_BINARY;
    return there ? cell->value : (struct sync_bytes){NULL, 0};
}
