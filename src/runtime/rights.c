/* Asks the server which rights a role lacks. */
#include "rights.h"

#include <stdio.h>

#define ARENA_BYTES ((size_t)64 * 1024)

const struct sync_right sync_rights_common[] = {
    {"sync", "schema_version", NULL, "SELECT"},
    {"sync", "topic", NULL, "SELECT"},
    {"sync", "topic", NULL, "INSERT"},
    {"sync", "topic", NULL, "UPDATE"},
    {"sync", "partition_owner", NULL, "SELECT"},
    {"sync", "partition_owner", NULL, "INSERT"},
    {"sync", "partition_owner", NULL, "UPDATE"},
    {"sync", "outcome_count", NULL, "SELECT"},
    {"sync", "outcome_count", NULL, "INSERT"},
    {"sync", "outcome_count", NULL, "UPDATE"},
    {"sync", "hold", NULL, "SELECT"},
    {"sync", "hold", NULL, "INSERT"},
    {"sync", "hold", NULL, "DELETE"},
    {"sync", "parked", NULL, "SELECT"},
    {"sync", "parked", NULL, "INSERT"},
    {"sync", "parked", NULL, "UPDATE"},
    {"sync", "outbox", NULL, "SELECT"},
    {"sync", "outbox", NULL, "INSERT"},
    {"sync", "outbox", NULL, "UPDATE"},
    {"sync", "outbox", NULL, "DELETE"},
    {"sync", "expected_echo", NULL, "SELECT"},
    {"sync", "expected_echo", NULL, "INSERT"},
    {"sync", "expected_echo", NULL, "UPDATE"},
    {"sync", "expected_echo", NULL, "DELETE"},
    {"sync", "target", NULL, "SELECT"},
    {"sync", "target", NULL, "INSERT"},
    {"sync", "target", NULL, "UPDATE"},
    {"sync", "decision", NULL, "INSERT"},
    {"sync", "source", NULL, "SELECT"},
    {"sync", "party", NULL, "SELECT"},
    {"sync", "pause", NULL, "SELECT"},
    {"sync", "yield", NULL, "SELECT"},
    {"sync", "yield", NULL, "INSERT"},
    {"sync", "yield", NULL, "UPDATE"},
    {"sync", "yield", NULL, "DELETE"},
    {NULL, NULL, NULL, NULL},
};

/* pg_class and not regclass: a schema without USAGE must be an answer, not an error. */
static const struct sync_statement rights_missing = {
    "rights_missing",
    "WITH lack AS (SELECT r.n, r.schema || '.' || r.tbl AS name, c.oid IS NULL AS gone, "
    "r.privilege, r.col"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY"
    "  AS r (schema, tbl, col, privilege, n)"
    " LEFT JOIN pg_namespace s ON s.nspname = r.schema"
    " LEFT JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = r.tbl"
    " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = r.col AND NOT a.attisdropped"
    " WHERE c.oid IS NULL OR NOT has_schema_privilege(s.oid, 'USAGE')"
    "  OR CASE WHEN r.col = '' THEN NOT has_table_privilege(c.oid, r.privilege)"
    "   ELSE a.attnum IS NULL OR NOT has_column_privilege(c.oid, a.attnum, r.privilege) END),"
    " words AS (SELECT min(n) AS n, name, bool_or(gone) AS gone, privilege"
    "   || coalesce(' (' || string_agg(nullif(col, ''), ', ' ORDER BY n) || ')', '') AS word"
    "  FROM lack GROUP BY name, privilege)"
    " SELECT CASE WHEN bool_or(gone) THEN 'no table ' || name"
    "  ELSE string_agg(word, ', ' ORDER BY n) || ' ON ' || name END"
    " FROM words GROUP BY name ORDER BY min(n)"};

/* Rows of one column each, as arrays for unnest. */
struct rows {
    struct sync_bytes schema[SYNC_RIGHTS_MAX], table[SYNC_RIGHTS_MAX], column[SYNC_RIGHTS_MAX],
        privilege[SYNC_RIGHTS_MAX];
    size_t count;
};

static void add_row(struct rows *rows, const struct sync_right *right, struct sync_bytes column)
{
    SYNC_ASSERT(rows->count < SYNC_RIGHTS_MAX);
    size_t at = rows->count++;
    rows->schema[at] = sync_bytes_text(right->schema);
    rows->table[at] = sync_bytes_text(right->table);
    rows->column[at] = column;
    rows->privilege[at] = sync_bytes_text(right->privilege);
}

static void take_apart(const struct sync_right *rights, struct rows *rows)
{
    for (const struct sync_right *right = rights; right->schema != NULL; right++) {
        if (right->columns == NULL) {
            add_row(rows, right, sync_bytes_text(""));
            continue;
        }
        for (const char *at = right->columns; *at != '\0';) {
            size_t size = strcspn(at, ",");
            add_row(rows, right, (struct sync_bytes){(const uint8_t *)at, size});
            at += size + (at[size] == ',');
        }
    }
}

sync_status sync_rights_missing(struct sync_db *db, const struct sync_right *rights,
                                char (*ret_texts)[SYNC_RIGHT_TEXT], size_t max, size_t *ret_count,
                                struct sync_error *err)
{
    static uint8_t memory[ARENA_BYTES]; /* one thread asks, and only for people */
    static struct rows rows;
    struct sync_arena arena;
    struct sync_params params;
    rows.count = 0;
    take_apart(rights, &rows);
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text_array(&params, rows.schema, rows.count);
    sync_params_text_array(&params, rows.table, rows.count);
    sync_params_text_array(&params, rows.column, rows.count);
    sync_params_text_array(&params, rows.privilege, rows.count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &rights_missing, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    size_t count = (size_t)result.rows < max ? (size_t)result.rows : max;
    for (size_t i = 0; i < count; i++) {
        struct sync_bytes text = sync_result_bytes(&result, (int)i, 0);
        (void)snprintf(ret_texts[i], SYNC_RIGHT_TEXT, "%.*s", (int)text.size,
                       (const char *)text.data);
    }
    *ret_count = count;
    return SYNC_OK;
}
