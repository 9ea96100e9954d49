/* Takes the reader's defaults into a plan. They have been checked against their types
 * (schema_default.c). */
#include "schema_builder.h"

#include "../core/limits.h"

static sync_status add_child(struct schema_builder *b, struct sync_plan_node node, const char *path,
                             struct schema_absent *absent)
{
    SYNC_ASSERT(absent->count < b->rows.count);
    struct sync_plan_child child = {0};
    sync_status status = schema_builder_node(b, node, &child.node);
    if (sync_is_ok(status)) {
        status = schema_builder_text(b, sync_bytes_text(path), &child.path);
    }
    if (sync_is_ok(status)) {
        b->plan->children[absent->first + absent->count++] = child;
    }
    return status;
}

/* Only ASCII: the bytes of a default stand in JSON as characters, and a row keeps text. */
static bool text_is_storable(enum schema_kind kind, struct sync_bytes text)
{
    for (size_t i = 0; kind == SCHEMA_BYTES && i < text.size; i++) {
        if (text.data[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

/* The constant of a scalar; false when the row cannot take it. */
static bool constant_of(const struct schema_type *type, const struct sync_field *row,
                        const struct sync_json *value, struct sync_plan_constant *ret_constant)
{
    struct sync_bytes text = sync_json_text(value);
    struct sync_plan_constant constant = {.integer = sync_json_integer(value),
                                          .real = sync_json_real(value)};
    if (type->kind == SCHEMA_BOOLEAN) {
        constant.integer = sync_json_bool(value);
    }
    if (type->kind == SCHEMA_FLOAT) {
        constant.real = (double)(float)constant.real;
    }
    if (type->kind == SCHEMA_ENUM) {
        constant.integer = schema_symbol_index(row->symbols, (const char *)text.data);
        if (constant.integer < 0) {
            return false;
        }
    }
    if (row->type == SYNC_FIELD_TEXTS && sync_json_count(value) > 0) {
        return false;
    }
    if (row->type == SYNC_FIELD_UUID && !sync_uuid_parse(text, &constant.uuid)) {
        return false;
    }
    if (row->type == SYNC_FIELD_TEXT &&
        ((row->size_max > 0 && text.size > row->size_max) || !text_is_storable(type->kind, text))) {
        return false;
    }
    *ret_constant = constant;
    return true;
}

static sync_status add_scalar(struct schema_builder *b, const struct schema_type *type,
                              const struct sync_json *value, const char *path,
                              struct schema_absent *absent)
{
    struct sync_plan_node node = {.wire = SYNC_WIRE_ABSENT};
    const struct sync_field *row = NULL;
    sync_status status = schema_builder_bind(b, type->kind, path, &node, &row);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_plan_constant constant;
    if (!constant_of(type, row, value, &constant)) {
        return schema_builder_mismatch(b, path, "the row cannot take the reader's default");
    }
    if (row->type == SYNC_FIELD_TEXT) {
        struct sync_bytes text = sync_json_text(value);
        constant.text_size = (uint32_t)text.size;
        status = schema_builder_text(b, text, &constant.text);
    }
    if (sync_is_ok(status)) {
        status = schema_builder_constant(b, constant, &node.first);
    }
    return sync_is_ok(status) ? add_child(b, node, path, absent) : status;
}

static sync_status add_presence(struct schema_builder *b, const char *path,
                                struct schema_absent *absent)
{
    struct sync_plan_node node = {.wire = SYNC_WIRE_ABSENT};
    const struct sync_field *row = NULL;
    sync_status status = schema_builder_bind(b, SCHEMA_RECORD, path, &node, &row);
    if (sync_is_ok(status)) {
        status = schema_builder_constant(b, (struct sync_plan_constant){0}, &node.first);
    }
    return sync_is_ok(status) ? add_child(b, node, path, absent) : status;
}

static sync_status add_record(struct schema_builder *b, const struct schema_type *type,
                              const struct sync_json *value, const char *path,
                              struct schema_absent *absent)
{
    sync_status status = SYNC_OK;
    if (schema_rows_find(b->rows, path) != NULL) {
        status = add_presence(b, path, absent);
    }
    for (size_t i = 0; i < type->field_count && sync_is_ok(status); i++) {
        const struct schema_field *field = &type->fields[i];
        char here[SYNC_FIELD_PATH_BYTES_MAX];
        if (!schema_path_join(path, field->name, here, sizeof here)) {
            return schema_builder_mismatch(b, path, "the path of a field is longer than 255 bytes");
        }
        if (!schema_rows_need(b->rows, here)) {
            continue;
        }
        const struct sync_json *member = sync_json_get(value, field->name);
        status = schema_builder_fallback(b, field, member != NULL ? member : field->fallback, here,
                                         absent);
    }
    return status;
}

sync_status schema_builder_fallback(struct schema_builder *b, const struct schema_field *field,
                                    const struct sync_json *value, const char *path,
                                    struct schema_absent *absent)
{
    if (value == NULL) {
        return schema_builder_mismatch(b, path,
                                       "the writer lacks the field, and it has no default");
    }
    const struct schema_type *type = field->type;
    if (type->kind == SCHEMA_UNION) {
        type = type->branches[0];
    }
    if (type->kind == SCHEMA_NULL) {
        return schema_rows_allow_null(b->rows, path)
                   ? SYNC_OK
                   : schema_builder_mismatch(b, path,
                                             "the writer lacks the field, and null is "
                                             "refused");
    }
    if (type->kind == SCHEMA_RECORD) {
        return add_record(b, type, value, path, absent);
    }
    return add_scalar(b, type, value, path, absent);
}
