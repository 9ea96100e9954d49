/*
 * Compiles a writer's schema against a reader's schema and a processor's rows into a decoding plan.
 * Parts that no row asks for are skipped by their type; the skipping nodes of a type are shared,
 * those of rows are not. Not here: defaults (schema_fallback.c), matching (schema_match.c).
 */
#include "schema_builder.h"

#include "../core/limits.h"

#include <stdlib.h>

static sync_status compile(struct schema_builder *b, const struct schema_type *writer,
                           const struct schema_type *reader, const char *path, uint32_t *ret_node);

sync_status schema_builder_mismatch(struct schema_builder *b, const char *path, const char *what)
{
    return sync_fail_field(b->err, SYNC_CLASS_PARK, SYNC_CODE_SCHEMA_MISMATCH, path,
                           "match the writer's schema at %s: %s",
                           path[0] != '\0' ? path : "its root", what);
}

static sync_status no_memory(struct schema_builder *b)
{
    return sync_fail(b->err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                     "compile a decoding plan: memory is short");
}

/* Makes room for more items; the new ones are zeroed. */
static bool reserve(void **items, struct schema_room *room, size_t count, size_t size)
{
    size_t needed = room->used + count;
    if (needed > room->capacity) {
        size_t capacity = needed * 2 < 64 ? 64 : needed * 2;
        void *grown = realloc(*items, capacity * size);
        if (grown == NULL) {
            return false;
        }
        *items = grown;
        room->capacity = capacity;
    }
    if (count > 0) {
        memset((uint8_t *)*items + room->used * size, 0, count * size);
    }
    room->used = needed;
    return true;
}

sync_status schema_builder_node(struct schema_builder *b, struct sync_plan_node node,
                                uint32_t *ret_node)
{
    if (b->nodes.used == SYNC_PLAN_NODES_MAX) {
        return schema_builder_mismatch(b, "", "the plan would have more than 65536 nodes");
    }
    if (!reserve((void **)&b->plan->nodes, &b->nodes, 1, sizeof node)) {
        return no_memory(b);
    }
    *ret_node = (uint32_t)b->nodes.used - 1;
    b->plan->nodes[*ret_node] = node;
    return SYNC_OK;
}

sync_status schema_builder_text(struct schema_builder *b, struct sync_bytes text,
                                uint32_t *ret_text)
{
    size_t at = b->texts.used;
    if (!reserve((void **)&b->plan->texts, &b->texts, text.size + 1, 1)) {
        return no_memory(b);
    }
    if (text.size > 0) {
        memcpy(b->plan->texts + at, text.data, text.size);
    }
    *ret_text = (uint32_t)at;
    return SYNC_OK;
}

sync_status schema_builder_constant(struct schema_builder *b, struct sync_plan_constant constant,
                                    uint32_t *ret_constant)
{
    if (!reserve((void **)&b->plan->constants, &b->constants, 1, sizeof constant)) {
        return no_memory(b);
    }
    *ret_constant = (uint32_t)b->constants.used - 1;
    b->plan->constants[*ret_constant] = constant;
    return SYNC_OK;
}

/* Children of one node lie side by side, so their places are taken before they are compiled. */
static sync_status take_children(struct schema_builder *b, size_t count, uint32_t *ret_first)
{
    size_t first = b->children.used;
    if (!reserve((void **)&b->plan->children, &b->children, count,
                 sizeof(struct sync_plan_child))) {
        return no_memory(b);
    }
    for (size_t i = first; i < b->children.used; i++) {
        b->plan->children[i].path = SYNC_PLAN_NONE;
    }
    *ret_first = (uint32_t)first;
    return SYNC_OK;
}

static enum sync_plan_wire wire_of(enum schema_kind kind)
{
    static const uint8_t wires[] = {
        [SCHEMA_NULL] = SYNC_WIRE_NULL,     [SCHEMA_BOOLEAN] = SYNC_WIRE_BOOLEAN,
        [SCHEMA_INT] = SYNC_WIRE_INT,       [SCHEMA_LONG] = SYNC_WIRE_LONG,
        [SCHEMA_FLOAT] = SYNC_WIRE_FLOAT,   [SCHEMA_DOUBLE] = SYNC_WIRE_DOUBLE,
        [SCHEMA_BYTES] = SYNC_WIRE_BYTES,   [SCHEMA_STRING] = SYNC_WIRE_STRING,
        [SCHEMA_FIXED] = SYNC_WIRE_FIXED,   [SCHEMA_ENUM] = SYNC_WIRE_ENUM,
        [SCHEMA_RECORD] = SYNC_WIRE_RECORD, [SCHEMA_ARRAY] = SYNC_WIRE_ARRAY,
        [SCHEMA_MAP] = SYNC_WIRE_MAP,       [SCHEMA_UNION] = SYNC_WIRE_UNION,
    };
    return (enum sync_plan_wire)wires[kind];
}

static struct sync_plan_node node_of(const struct schema_type *type)
{
    struct sync_plan_node node = {.wire = (uint8_t)wire_of(type->kind), .present = SYNC_PLAN_NONE};
    if (type->kind == SCHEMA_FIXED) {
        node.size = type->fixed_bytes;
    }
    if (type->kind == SCHEMA_ARRAY) {
        node.size = type->branches[0]->least;
    }
    if (type->kind == SCHEMA_MAP) {
        node.size = type->branches[0]->least + 1;
    }
    return node;
}

/* The writer's symbols as indexes of the row, or -1 each when the value is skipped or unknown. */
static sync_status take_symbols(struct schema_builder *b, const struct schema_type *writer,
                                const struct schema_type *reader, const struct sync_field *row,
                                struct sync_plan_node *node)
{
    size_t first = b->symbols.used;
    if (!reserve((void **)&b->plan->symbols, &b->symbols, writer->symbols.count, sizeof(int32_t))) {
        return no_memory(b);
    }
    for (size_t i = 0; i < writer->symbols.count; i++) {
        const char *symbol = writer->symbols.items[i];
        bool known = false;
        for (size_t k = 0; row != NULL && k < reader->symbols.count && !known; k++) {
            known = strcmp(reader->symbols.items[k], symbol) == 0;
        }
        b->plan->symbols[first + i] = known ? schema_symbol_index(row->symbols, symbol) : -1;
    }
    node->first = (uint32_t)first;
    node->count = (uint32_t)writer->symbols.count;
    return SYNC_OK;
}

/* Nodes that check and skip a value of the type. */
static sync_status skip(struct schema_builder *b, const struct schema_type *type,
                        uint32_t *ret_node)
{
    if (b->skips[type->id] != 0) {
        *ret_node = b->skips[type->id] - 1;
        return SYNC_OK;
    }
    struct sync_plan_node node = node_of(type);
    size_t count = type->kind == SCHEMA_RECORD ? type->field_count : type->branch_count;
    sync_status status = SYNC_OK;
    if (type->kind == SCHEMA_ENUM) {
        status = take_symbols(b, type, NULL, NULL, &node);
    }
    if (sync_is_ok(status) && count > 0) {
        node.count = (uint32_t)count;
        status = take_children(b, count, &node.first);
    }
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        uint32_t part = 0;
        status =
            skip(b, type->kind == SCHEMA_RECORD ? type->fields[i].type : type->branches[i], &part);
        b->plan->children[node.first + i].node = part;
    }
    if (sync_is_ok(status)) {
        status = schema_builder_node(b, node, ret_node);
    }
    if (sync_is_ok(status)) {
        b->skips[type->id] = *ret_node + 1;
    }
    return status;
}

static sync_status refusal(struct schema_builder *b, enum sync_code code, uint32_t *ret_node)
{
    struct sync_plan_node node = {
        .wire = SYNC_WIRE_REFUSE, .present = SYNC_PLAN_NONE, .size = (uint32_t)code};
    return schema_builder_node(b, node, ret_node);
}

static sync_status compile_null(struct schema_builder *b, const char *path, uint32_t *ret_node)
{
    if (!schema_rows_allow_null(b->rows, path)) {
        return refusal(b, SYNC_CODE_FIELD_MISSING, ret_node);
    }
    struct sync_plan_node node = {.wire = SYNC_WIRE_NULL, .present = SYNC_PLAN_NONE};
    return schema_builder_node(b, node, ret_node);
}

sync_status schema_builder_bind(struct schema_builder *b, enum schema_kind reader, const char *path,
                                struct sync_plan_node *node, const struct sync_field **ret_row)
{
    static const size_t sizes[] = {
        [SYNC_FIELD_BOOL] = sizeof(bool),
        [SYNC_FIELD_INT] = sizeof(int32_t),
        [SYNC_FIELD_LONG] = sizeof(int64_t),
        [SYNC_FIELD_DOUBLE] = sizeof(double),
        [SYNC_FIELD_TEXT] = sizeof(struct sync_bytes),
        [SYNC_FIELD_UUID] = sizeof(struct sync_uuid),
        [SYNC_FIELD_ENUM] = sizeof(int32_t),
        [SYNC_FIELD_TEXTS] = sizeof(struct sync_texts),
        [SYNC_FIELD_PRESENCE] = sizeof(bool),
    };
    const struct sync_field *row = schema_rows_find(b->rows, path);
    if (row == NULL) {
        return schema_builder_mismatch(b, path, "a row reads below a value that is no record");
    }
    enum sync_plan_store store = schema_store_of(reader, row->type);
    if (store == SYNC_STORE_NONE) {
        return schema_builder_mismatch(b, path, "the row's type cannot hold the reader's type");
    }
    size_t size = sizes[row->type];
    SYNC_ASSERT(row->offset <= b->plan->change_size && size <= b->plan->change_size - row->offset);
    SYNC_ASSERT(row->type != SYNC_FIELD_ENUM || row->symbols != NULL);
    node->store = (uint8_t)store;
    node->offset = (uint32_t)row->offset;
    node->present = SYNC_PLAN_NONE;
    if (row->type != SYNC_FIELD_PRESENCE && row->present_offset != SYNC_FIELD_REQUIRED) {
        SYNC_ASSERT(row->present_offset < b->plan->change_size);
        node->present = (uint32_t)row->present_offset;
    }
    if (row->type == SYNC_FIELD_TEXT) {
        SYNC_ASSERT(row->size_max <= UINT32_MAX);
        node->size = (uint32_t)row->size_max;
    }
    *ret_row = row;
    return SYNC_OK;
}

static sync_status compile_scalar(struct schema_builder *b, const struct schema_type *writer,
                                  const struct schema_type *reader, const char *path,
                                  uint32_t *ret_node)
{
    struct sync_plan_node node = node_of(writer);
    const struct sync_field *row = NULL;
    sync_status status = schema_builder_bind(b, reader->kind, path, &node, &row);
    if (sync_is_ok(status) && writer->kind == SCHEMA_ENUM) {
        status = take_symbols(b, writer, reader, row, &node);
    }
    return sync_is_ok(status) ? schema_builder_node(b, node, ret_node) : status;
}

/* A list of texts: the items are checked as strings, the row keeps the bytes of the whole. */
static sync_status compile_texts(struct schema_builder *b, const struct schema_type *writer,
                                 const struct schema_type *reader, const char *path,
                                 uint32_t *ret_node)
{
    struct sync_plan_node node = node_of(writer);
    const struct sync_field *row = NULL;
    if (writer->branches[0]->kind != SCHEMA_STRING || reader->branches[0]->kind != SCHEMA_STRING) {
        return schema_builder_mismatch(b, path, "a row reads arrays of strings only");
    }
    sync_status status = schema_builder_bind(b, reader->kind, path, &node, &row);
    if (sync_is_ok(status)) {
        node.count = 1;
        status = take_children(b, 1, &node.first);
    }
    uint32_t item = 0;
    if (sync_is_ok(status)) {
        status = skip(b, writer->branches[0], &item);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    b->plan->children[node.first].node = item;
    return schema_builder_node(b, node, ret_node);
}

/* The reader's field that takes this field of the writer, or NULL. */
static const struct schema_field *taker_of(const struct schema_type *writer,
                                           const struct schema_type *reader,
                                           const struct schema_field *field)
{
    for (size_t i = 0; i < reader->field_count; i++) {
        if (schema_field_for(writer, &reader->fields[i]) == field) {
            return &reader->fields[i];
        }
    }
    return NULL;
}

/* One field of the writer: read when a row asks for it, else skipped. */
static sync_status compile_field(struct schema_builder *b, const struct schema_field *field,
                                 const struct schema_field *taker, const char *path,
                                 struct sync_plan_child *ret_child)
{
    char here[SYNC_FIELD_PATH_BYTES_MAX];
    const char *name = taker != NULL ? taker->name : field->name;
    if (!schema_path_join(path, name, here, sizeof here)) {
        return schema_builder_mismatch(b, path, "the path of a field is longer than 255 bytes");
    }
    struct sync_plan_child child = {0};
    sync_status status = taker != NULL && schema_rows_need(b->rows, here)
                             ? compile(b, field->type, taker->type, here, &child.node)
                             : skip(b, field->type, &child.node);
    if (sync_is_ok(status)) {
        status = schema_builder_text(b, sync_bytes_text(here), &child.path);
    }
    if (sync_is_ok(status)) {
        *ret_child = child;
    }
    return status;
}

/* Fields of the reader that the writer does not have: their defaults become nodes that take no
 * bytes. */
static sync_status compile_missing(struct schema_builder *b, const struct schema_type *writer,
                                   const struct schema_type *reader, const char *path,
                                   struct schema_absent *absent)
{
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < reader->field_count && sync_is_ok(status); i++) {
        const struct schema_field *field = &reader->fields[i];
        char here[SYNC_FIELD_PATH_BYTES_MAX];
        if (schema_field_for(writer, field) != NULL) {
            continue;
        }
        if (!schema_path_join(path, field->name, here, sizeof here)) {
            return schema_builder_mismatch(b, path, "the path of a field is longer than 255 bytes");
        }
        if (schema_rows_need(b->rows, here)) {
            status = schema_builder_fallback(b, field, field->fallback, here, absent);
        }
    }
    return status;
}

static sync_status compile_record(struct schema_builder *b, const struct schema_type *writer,
                                  const struct schema_type *reader, const char *path,
                                  uint32_t *ret_node)
{
    struct sync_plan_node node = node_of(writer);
    const struct sync_field *row = NULL;
    sync_status status = SYNC_OK;
    if (schema_rows_find(b->rows, path) != NULL) {
        status = schema_builder_bind(b, SCHEMA_RECORD, path, &node, &row);
    }
    /* No more defaults than rows can be missing. */
    if (sync_is_ok(status)) {
        status = take_children(b, writer->field_count + b->rows.count, &node.first);
    }
    for (size_t i = 0; i < writer->field_count && sync_is_ok(status); i++) {
        const struct schema_field *field = &writer->fields[i];
        struct sync_plan_child child = {0, SYNC_PLAN_NONE};
        status = compile_field(b, field, taker_of(writer, reader, field), path, &child);
        b->plan->children[node.first + i] = child;
    }
    struct schema_absent absent = {node.first + (uint32_t)writer->field_count, 0};
    if (sync_is_ok(status)) {
        status = compile_missing(b, writer, reader, path, &absent);
    }
    node.count = (uint32_t)writer->field_count + absent.count;
    return sync_is_ok(status) ? schema_builder_node(b, node, ret_node) : status;
}

/* Each branch of the writer is compiled for itself; one that the reader cannot take refuses the
 * datum. */
static sync_status compile_union(struct schema_builder *b, const struct schema_type *writer,
                                 const struct schema_type *reader, const char *path,
                                 uint32_t *ret_node)
{
    struct sync_plan_node node = node_of(writer);
    node.count = (uint32_t)writer->branch_count;
    bool any = false;
    sync_status status = take_children(b, writer->branch_count, &node.first);
    for (size_t i = 0; i < writer->branch_count && sync_is_ok(status); i++) {
        const struct schema_type *branch = writer->branches[i];
        uint32_t part = 0;
        if (schema_matches(branch, reader)) {
            any = true;
            status = compile(b, branch, reader, path, &part);
        } else {
            enum sync_code code =
                branch->kind == SCHEMA_NULL ? SYNC_CODE_FIELD_MISSING : SYNC_CODE_UNION_BRANCH;
            status = refusal(b, code, &part);
        }
        b->plan->children[node.first + i].node = part;
    }
    if (sync_is_ok(status) && !any) {
        return schema_builder_mismatch(b, path, "no branch of the union fits the reader's type");
    }
    return sync_is_ok(status) ? schema_builder_node(b, node, ret_node) : status;
}

static sync_status compile(struct schema_builder *b, const struct schema_type *writer,
                           const struct schema_type *reader, const char *path, uint32_t *ret_node)
{
    if (writer->kind == SCHEMA_UNION) {
        return compile_union(b, writer, reader, path, ret_node);
    }
    const struct schema_type *branch = schema_branch_for(writer, reader);
    if (branch == NULL) {
        return schema_builder_mismatch(b, path, "the writer's type does not fit the reader's");
    }
    if (writer->kind == SCHEMA_NULL) {
        return compile_null(b, path, ret_node);
    }
    if (writer->kind == SCHEMA_RECORD) {
        return compile_record(b, writer, branch, path, ret_node);
    }
    if (writer->kind == SCHEMA_ARRAY) {
        return compile_texts(b, writer, branch, path, ret_node);
    }
    return compile_scalar(b, writer, branch, path, ret_node);
}

static sync_status compile_root(struct schema_builder *b, const struct schema_tree *writer,
                                const struct schema_tree *reader)
{
    if (writer->root->kind != SCHEMA_RECORD || reader->root->kind != SCHEMA_RECORD) {
        return schema_builder_mismatch(b, "", "a schema is no record");
    }
    for (size_t i = 0; i < b->rows.count; i++) {
        if (!schema_path_exists(reader->root, b->rows.items[i].path)) {
            return schema_builder_mismatch(b, b->rows.items[i].path,
                                           "a row reads a field that the reader's schema lacks");
        }
    }
    uint32_t root = 0;
    sync_status status = compile(b, writer->root, reader->root, "", &root);
    b->plan->root = root;
    return status;
}

sync_status schema_plan_compile(const struct schema_tree *writer, const struct schema_tree *reader,
                                struct schema_rows rows, size_t change_size,
                                struct sync_plan **ret_plan, struct sync_error *err)
{
    SYNC_ASSERT(change_size < UINT32_MAX);
    struct schema_builder builder = {.rows = rows, .err = err};
    builder.plan = calloc(1, sizeof *builder.plan);
    builder.skips = calloc(writer->type_count, sizeof *builder.skips);
    sync_status status = SYNC_OK;
    if (builder.plan == NULL || builder.skips == NULL) {
        status = no_memory(&builder);
    } else {
        builder.plan->change_size = change_size;
        status = compile_root(&builder, writer, reader);
    }
    free(builder.skips);
    if (!sync_is_ok(status)) {
        sync_plan_free(&builder.plan);
        return status;
    }
    builder.plan->node_count = builder.nodes.used;
    builder.plan->child_count = builder.children.used;
    builder.plan->symbol_count = builder.symbols.used;
    builder.plan->constant_count = builder.constants.used;
    builder.plan->texts_size = builder.texts.used;
    *ret_plan = builder.plan;
    return SYNC_OK;
}

void sync_plan_free(struct sync_plan **plan)
{
    if (plan == NULL || *plan == NULL) {
        return;
    }
    free((*plan)->nodes);
    free((*plan)->children);
    free((*plan)->symbols);
    free((*plan)->constants);
    free((*plan)->texts);
    free(*plan);
    *plan = NULL;
}
