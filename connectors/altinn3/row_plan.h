/*
 * Where the needed columns of a known table stand in the rows of a stream, and reading them. Pure.
 * Values are binary: uuid 16 bytes, integer 4, timestamptz 8 (µs since 2000), text as it is. Not
 * here: what a row means (status_row_map.h, delegation_row_map.h).
 */
#ifndef SYNC_CONNECTORS_ALTINN3_ROW_PLAN_H
#define SYNC_CONNECTORS_ALTINN3_ROW_PLAN_H

#include "pgoutput.h"

#define ROW_COLUMNS_MAX 20

enum row_type { ROW_UUID, ROW_INTEGER, ROW_TIME, ROW_TEXT };
struct row_column {
    const char *name;
    enum row_type type;
    bool nullable;
};
struct row_table {
    const char *schema, *name;
    const struct row_column *columns;
    size_t column_count;
};
/* The tables of one publication. */
struct row_tables {
    const struct row_table *tables;
    size_t count;
    const char *publication_file; /* that makes it: for sentences */
};

struct row_plan {
    uint32_t relation_id;
    size_t table; /* index into the tables */
    const struct row_table *shape;
    size_t columns[ROW_COLUMNS_MAX];
};

/*
 * Plan of a relation message. ret_known is false, and nothing fails, for a table that is not one of
 * these. Owns: ret_plan borrows from tables.  Blocks: no. Fails: FATAL field_missing or
 * schema_mismatch with the column's path: the source must stop.
 */
sync_status row_plan_make(const struct row_tables *tables, const struct pgoutput_message *relation,
                          bool *ret_known, struct row_plan *ret_plan, struct sync_error *err);

/*
 * Whether each needed cell is there with the size of its type; null only where it may be. A text
 * may be "unchanged": then it is not sent. Blocks: no.  Fails: FATAL protocol.
 */
sync_status row_check(const struct row_plan *plan, const struct pgoutput_tuple *row,
                      struct sync_error *err);

/* Of a row that was checked. Null gives zero, NULL or an empty text. */
bool row_is_null(const struct row_plan *plan, const struct pgoutput_tuple *row, size_t column);
bool row_is_unchanged(const struct row_plan *plan, const struct pgoutput_tuple *row, size_t column);
struct sync_uuid row_uuid(const struct row_plan *plan, const struct pgoutput_tuple *row,
                          size_t column);
int32_t row_integer(const struct row_plan *plan, const struct pgoutput_tuple *row, size_t column);
/* Microseconds since 1970; infinities are INT64_MIN and INT64_MAX. */
int64_t row_time_us(const struct row_plan *plan, const struct pgoutput_tuple *row, size_t column);
struct sync_bytes row_text(const struct row_plan *plan, const struct pgoutput_tuple *row,
                           size_t column);

#endif
