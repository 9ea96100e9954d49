/*
 * Checks defaults of Avro fields against their types. Not here: taking them into a plan
 * (schema_plan.c).
 */
#include "schema_tree.h"

#include "../core/utf8.h"

static bool integer_is_valid(const struct sync_json *value, int64_t min, int64_t max)
{
    return sync_json_type_of(value) == SYNC_JSON_INTEGER && sync_json_integer(value) >= min &&
           sync_json_integer(value) <= max;
}

/* Bytes stand in JSON as text whose characters are the bytes: U+0000 … U+00FF. */
static bool bytes_are_valid(const struct sync_json *value, uint32_t fixed_bytes)
{
    if (sync_json_type_of(value) != SYNC_JSON_TEXT) {
        return false;
    }
    struct sync_bytes text = sync_json_text(value);
    size_t count = 0;
    for (size_t at = 0; at < text.size; count++) {
        size_t size = sync_utf8_sequence((struct sync_bytes){text.data + at, text.size - at});
        if (size != 1 && (size != 2 || text.data[at] > 0xC3)) {
            return false;
        }
        at += size;
    }
    return fixed_bytes == 0 || count == fixed_bytes;
}

static bool symbol_is_valid(const struct schema_type *type, const struct sync_json *value)
{
    const char *text = (const char *)sync_json_text(value).data;
    for (size_t i = 0; i < type->symbols.count; i++) {
        if (strcmp(type->symbols.items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static bool record_is_valid(const struct schema_type *type, const struct sync_json *value)
{
    if (sync_json_type_of(value) != SYNC_JSON_OBJECT) {
        return false;
    }
    for (size_t i = 0; i < type->field_count; i++) {
        const struct schema_field *field = &type->fields[i];
        const struct sync_json *member = sync_json_get(value, field->name);
        if (member == NULL ? field->fallback == NULL
                           : !schema_default_is_valid(field->type, member)) {
            return false;
        }
    }
    return true;
}

static bool array_is_valid(const struct schema_type *type, const struct sync_json *value)
{
    bool valid = sync_json_type_of(value) == SYNC_JSON_ARRAY;
    for (size_t i = 0; i < sync_json_count(value) && valid; i++) {
        valid = schema_default_is_valid(type->branches[0], sync_json_at(value, i));
    }
    return valid;
}

struct map_check {
    const struct schema_type *type;
    bool valid;
};

static void check_member(const char *name, const struct sync_json *value, void *context)
{
    (void)name;
    struct map_check *check = context;
    check->valid = check->valid && schema_default_is_valid(check->type, value);
}

static bool map_is_valid(const struct schema_type *type, const struct sync_json *value)
{
    struct map_check check = {type->branches[0], sync_json_type_of(value) == SYNC_JSON_OBJECT};
    sync_json_each(value, check_member, &check);
    return check.valid;
}

bool schema_default_is_valid(const struct schema_type *type, const struct sync_json *value)
{
    enum sync_json_type found = sync_json_type_of(value);
    switch (type->kind) {
    case SCHEMA_NULL:
        return found == SYNC_JSON_NULL;
    case SCHEMA_BOOLEAN:
        return found == SYNC_JSON_BOOL;
    case SCHEMA_INT:
        return integer_is_valid(value, INT32_MIN, INT32_MAX);
    case SCHEMA_LONG:
        return integer_is_valid(value, INT64_MIN, INT64_MAX);
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
        return found == SYNC_JSON_INTEGER || found == SYNC_JSON_REAL;
    case SCHEMA_BYTES:
        return bytes_are_valid(value, 0);
    case SCHEMA_STRING:
        return found == SYNC_JSON_TEXT;
    case SCHEMA_FIXED:
        return bytes_are_valid(value, type->fixed_bytes);
    case SCHEMA_ENUM:
        return found == SYNC_JSON_TEXT && symbol_is_valid(type, value);
    case SCHEMA_RECORD:
        return record_is_valid(type, value);
    case SCHEMA_ARRAY:
        return array_is_valid(type, value);
    case SCHEMA_MAP:
        return map_is_valid(type, value);
    case SCHEMA_UNION:
        return schema_default_is_valid(type->branches[0], value);
    }
    return false;
}
