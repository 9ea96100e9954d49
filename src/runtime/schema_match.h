/*
 * Questions about pairs of types and about rows, for schema_plan.c and schema_encode.c.
 */
#ifndef SYNC_RUNTIME_SCHEMA_MATCH_H
#define SYNC_RUNTIME_SCHEMA_MATCH_H

#include "../core/plan.h"
#include "schema_tree.h"

/* The rows of a processor. */
struct schema_rows {
    const struct sync_field *items;
    size_t count;
};

/* The row with exactly this path, or NULL. */
const struct sync_field *schema_rows_find(struct schema_rows rows, const char *path);

/* Whether a row stands at this path or below it. */
bool schema_rows_need(struct schema_rows rows, const char *path);

/* Whether null may stand at this path: its row can say so. */
bool schema_rows_allow_null(struct schema_rows rows, const char *path);

/* Whether the path names a field of the record, through records and branches of unions. */
bool schema_path_exists(const struct schema_type *type, const char *path);

/*
 * Whether the writer's type can be read as the reader's, looking at this level only: promotions,
 * names, aliases. A union of the reader matches when one of its branches does; the writer's is no
 * union.
 */
bool schema_matches(const struct schema_type *writer, const struct schema_type *reader);

/* The reader's branch for a writer's type: the same type before a promotion; the type itself when
 * it is no union; NULL when nothing matches. */
const struct schema_type *schema_branch_for(const struct schema_type *writer,
                                            const struct schema_type *reader);

/* The writer's field that the reader's field reads: by name, then by alias; NULL when it has none.
 */
const struct schema_field *schema_field_for(const struct schema_type *writer,
                                            const struct schema_field *field);

/* How a value of the reader's type lands in a row; SYNC_STORE_NONE when it cannot. */
enum sync_plan_store schema_store_of(enum schema_kind kind, enum sync_field_type type);

/* Index in a NULL-ended list of symbols, or -1. */
int32_t schema_symbol_index(const char *const *symbols, const char *symbol);

#endif
