/* Which types and rows fit together. Not here: building plans. */
#include "schema_match.h"

const struct sync_field *schema_rows_find(struct schema_rows rows, const char *path)
{
    for (size_t i = 0; i < rows.count; i++) {
        if (strcmp(rows.items[i].path, path) == 0) {
            return &rows.items[i];
        }
    }
    return NULL;
}

bool schema_rows_need(struct schema_rows rows, const char *path)
{
    size_t size = strlen(path);
    for (size_t i = 0; i < rows.count; i++) {
        const char *row = rows.items[i].path;
        if (strncmp(row, path, size) == 0 && (row[size] == '\0' || row[size] == '.')) {
            return true;
        }
    }
    return false;
}

bool schema_rows_allow_null(struct schema_rows rows, const char *path)
{
    const struct sync_field *row = schema_rows_find(rows, path);
    if (row == NULL) {
        return !schema_rows_need(rows, path);
    }
    return row->type == SYNC_FIELD_PRESENCE || row->present_offset != SYNC_FIELD_REQUIRED;
}

static const struct schema_field *field_named(const struct schema_type *record, const char *name,
                                              size_t size)
{
    for (size_t i = 0; i < record->field_count; i++) {
        const char *other = record->fields[i].name;
        if (strncmp(other, name, size) == 0 && other[size] == '\0') {
            return &record->fields[i];
        }
    }
    return NULL;
}

bool schema_path_exists(const struct schema_type *type, const char *path)
{
    bool found = false;
    if (type->kind == SCHEMA_UNION) {
        for (size_t i = 0; i < type->branch_count && !found; i++) {
            found = schema_path_exists(type->branches[i], path);
        }
        return found;
    }
    if (type->kind != SCHEMA_RECORD) {
        return false;
    }
    size_t size = strcspn(path, ".");
    const struct schema_field *field = field_named(type, path, size);
    if (field == NULL || path[size] == '\0') {
        return field != NULL;
    }
    return schema_path_exists(field->type, path + size + 1);
}

/* The specification compares names without their namespaces; aliases are the reader's. */
static bool names_match(const struct schema_type *writer, const struct schema_type *reader)
{
    const char *name = schema_short_name(writer->name);
    bool match = strcmp(name, schema_short_name(reader->name)) == 0;
    for (size_t i = 0; i < reader->aliases.count && !match; i++) {
        match = strcmp(writer->name, reader->aliases.items[i]) == 0;
    }
    return match;
}

static bool kind_promotes(enum schema_kind writer, enum schema_kind reader)
{
    switch (writer) {
    case SCHEMA_INT:
        return reader == SCHEMA_LONG || reader == SCHEMA_FLOAT || reader == SCHEMA_DOUBLE;
    case SCHEMA_LONG:
        return reader == SCHEMA_FLOAT || reader == SCHEMA_DOUBLE;
    case SCHEMA_FLOAT:
        return reader == SCHEMA_DOUBLE;
    case SCHEMA_BYTES:
        return reader == SCHEMA_STRING;
    case SCHEMA_STRING:
        return reader == SCHEMA_BYTES;
    case SCHEMA_NULL:
    case SCHEMA_BOOLEAN:
    case SCHEMA_DOUBLE:
    case SCHEMA_FIXED:
    case SCHEMA_ENUM:
    case SCHEMA_RECORD:
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
    case SCHEMA_UNION:
        return false;
    }
    return false;
}

static bool is_same_type(const struct schema_type *writer, const struct schema_type *reader)
{
    if (writer->kind != reader->kind) {
        return false;
    }
    return writer->name == NULL ||
           (names_match(writer, reader) && writer->fixed_bytes == reader->fixed_bytes);
}

const struct schema_type *schema_branch_for(const struct schema_type *writer,
                                            const struct schema_type *reader)
{
    if (reader->kind != SCHEMA_UNION) {
        bool fits = is_same_type(writer, reader) || kind_promotes(writer->kind, reader->kind);
        return fits ? reader : NULL;
    }
    for (size_t i = 0; i < reader->branch_count; i++) {
        if (is_same_type(writer, reader->branches[i])) {
            return reader->branches[i];
        }
    }
    for (size_t i = 0; i < reader->branch_count; i++) {
        if (kind_promotes(writer->kind, reader->branches[i]->kind)) {
            return reader->branches[i];
        }
    }
    return NULL;
}

bool schema_matches(const struct schema_type *writer, const struct schema_type *reader)
{
    return schema_branch_for(writer, reader) != NULL;
}

const struct schema_field *schema_field_for(const struct schema_type *writer,
                                            const struct schema_field *field)
{
    const struct schema_field *found = field_named(writer, field->name, strlen(field->name));
    for (size_t i = 0; i < field->aliases.count && found == NULL; i++) {
        const char *alias = field->aliases.items[i];
        found = field_named(writer, alias, strlen(alias));
    }
    return found;
}

enum sync_plan_store schema_store_of(enum schema_kind kind, enum sync_field_type type)
{
    switch (type) {
    case SYNC_FIELD_BOOL:
        return kind == SCHEMA_BOOLEAN ? SYNC_STORE_BOOL : SYNC_STORE_NONE;
    case SYNC_FIELD_INT:
        return kind == SCHEMA_INT ? SYNC_STORE_INT : SYNC_STORE_NONE;
    case SYNC_FIELD_LONG:
        return kind == SCHEMA_INT || kind == SCHEMA_LONG ? SYNC_STORE_LONG : SYNC_STORE_NONE;
    case SYNC_FIELD_DOUBLE:
        if (kind == SCHEMA_FLOAT) {
            return SYNC_STORE_FLOAT;
        }
        return kind == SCHEMA_DOUBLE || kind == SCHEMA_INT || kind == SCHEMA_LONG
                   ? SYNC_STORE_DOUBLE
                   : SYNC_STORE_NONE;
    case SYNC_FIELD_TEXT:
        return kind == SCHEMA_STRING || kind == SCHEMA_BYTES ? SYNC_STORE_TEXT : SYNC_STORE_NONE;
    case SYNC_FIELD_UUID:
        return kind == SCHEMA_STRING ? SYNC_STORE_UUID : SYNC_STORE_NONE;
    case SYNC_FIELD_ENUM:
        return kind == SCHEMA_ENUM ? SYNC_STORE_ENUM : SYNC_STORE_NONE;
    case SYNC_FIELD_TEXTS:
        return kind == SCHEMA_ARRAY ? SYNC_STORE_TEXTS : SYNC_STORE_NONE;
    case SYNC_FIELD_PRESENCE:
        return kind == SCHEMA_RECORD ? SYNC_STORE_PRESENCE : SYNC_STORE_NONE;
    }
    return SYNC_STORE_NONE;
}

int32_t schema_symbol_index(const char *const *symbols, const char *symbol)
{
    for (int32_t i = 0; symbols[i] != NULL; i++) {
        if (strcmp(symbols[i], symbol) == 0) {
            return i;
        }
    }
    return -1;
}
