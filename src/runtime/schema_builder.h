/* The growing parts of a plan, shared by schema_plan.c and schema_fallback.c. */
#ifndef SYNC_RUNTIME_SCHEMA_BUILDER_H
#define SYNC_RUNTIME_SCHEMA_BUILDER_H

#include "schema_match.h"

struct schema_room {
    size_t used, capacity;
};

struct schema_builder {
    struct sync_plan *plan;
    struct schema_room nodes, children, symbols, constants, texts;
    uint32_t *skips; /* by the writer's type: its skipping node + 1, 0 = none yet */
    struct schema_rows rows;
    struct sync_error *err;
};

/* Where the next child that takes no bytes goes: its record has room for one per row. */
struct schema_absent {
    uint32_t first, count;
};

/* Each of these fails RETRY memory_limit; a node also PARK schema_mismatch when there are too many.
 */
sync_status schema_builder_node(struct schema_builder *b, struct sync_plan_node node,
                                uint32_t *ret_node);
sync_status schema_builder_text(struct schema_builder *b, struct sync_bytes text,
                                uint32_t *ret_text);
sync_status schema_builder_constant(struct schema_builder *b, struct sync_plan_constant constant,
                                    uint32_t *ret_constant);

/* PARK schema_mismatch with the path. */
sync_status schema_builder_mismatch(struct schema_builder *b, const char *path, const char *what);

/*
 * Finds the row of a path and writes where it lands into the node.
 * Fails: PARK schema_mismatch when there is no row or it cannot hold the type.
 */
sync_status schema_builder_bind(struct schema_builder *b, enum schema_kind reader, const char *path,
                                struct sync_plan_node *node, const struct sync_field **ret_row);

/*
 * Adds the children that store the default of a field that the writer does not have, at or below
 * path. value is the field's own default, or what the default of an enclosing record says. Fails:
 * PARK schema_mismatch when there is no default, or the rows cannot take it.
 */
sync_status schema_builder_fallback(struct schema_builder *b, const struct schema_field *field,
                                    const struct sync_json *value, const char *path,
                                    struct schema_absent *absent);

/* Compiles a plan from two checked trees; see sync_plan_new. */
sync_status schema_plan_compile(const struct schema_tree *writer, const struct schema_tree *reader,
                                struct schema_rows rows, size_t change_size,
                                struct sync_plan **ret_plan, struct sync_error *err);

#endif
