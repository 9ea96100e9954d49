/*
 * JSON over jansson: strict bounded parsing, reads that cannot fail, building. Not here: what a
 * value means.
 */
#include "json.h"

#include "../core/limits.h"
#include "../core/utf8.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const json_t *value_of(const struct sync_json *json)
{
    return (const json_t *)json;
}

static const struct sync_json *wrap(const json_t *value)
{
    return (const struct sync_json *)value;
}

/*
 * Bounds depth and count before jansson recurses and allocates. It need not judge the syntax:
 * outside strings every bracket and comma counts, so jansson can meet no deeper nesting and no more
 * values than this.
 */
static sync_status check_bounds(struct sync_bytes text, struct sync_error *err)
{
    size_t depth = 0;
    size_t values = 1;
    bool in_text = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        if (in_text) {
            i += c == '\\';
            in_text = c != '"';
            continue;
        }
        in_text = c == '"';
        bool opens = c == '[' || c == '{';
        depth += opens;
        values += opens || c == ',' || c == ':';
        depth -= (c == ']' || c == '}') && depth > 0;
        if (depth > SYNC_JSON_DEPTH_MAX) {
            return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_DEPTH,
                             "JSON nested deeper than %d at byte %zu", SYNC_JSON_DEPTH_MAX, i);
        }
        if (values > SYNC_JSON_VALUES_MAX) {
            return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_OVERSIZE,
                             "JSON with more than %d values at byte %zu", SYNC_JSON_VALUES_MAX, i);
        }
    }
    return SYNC_OK;
}

/* Jansson's own sentence quotes the text, which may hold a person. */
static const char *reason_of(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_unknown:
    case json_error_wrong_type:
    case json_error_item_not_found:
    case json_error_index_out_of_range:
    case json_error_invalid_argument:
    case json_error_cannot_open_file:
    case json_error_null_value:
    case json_error_invalid_format:
    case json_error_null_byte_in_key:
        return "cannot be read";
    case json_error_out_of_memory:
        return "memory is short";
    case json_error_stack_overflow:
        return "nested too deep";
    case json_error_invalid_utf8:
        return "ill-formed UTF-8";
    case json_error_premature_end_of_input:
        return "ends too early";
    case json_error_end_of_input_expected:
        return "something stands behind the value";
    case json_error_invalid_syntax:
        return "syntax error";
    case json_error_null_character:
        return "NUL character in a text";
    case json_error_duplicate_key:
        return "a name stands twice in an object";
    case json_error_numeric_overflow:
        return "number out of range";
    }
    return "cannot be read";
}

sync_status sync_json_parse(struct sync_bytes text, struct sync_json **ret_json,
                            struct sync_error *err)
{
    if (text.size > SYNC_JSON_BYTES_MAX) {
        return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_OVERSIZE,
                         "JSON of %zu bytes, at most %d are read", text.size, SYNC_JSON_BYTES_MAX);
    }
    sync_status status = check_bounds(text, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    json_error_t error;
    const char *start = text.size > 0 ? (const char *)text.data : "";
    json_t *value = json_loadb(start, text.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL && json_error_code(&error) == json_error_out_of_memory) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "parse JSON of %zu bytes: memory is short", text.size);
    }
    if (value == NULL) {
        return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_SYNTAX, "JSON at line %d column %d: %s",
                         error.line, error.column, reason_of(&error));
    }
    *ret_json = (struct sync_json *)value;
    return SYNC_OK;
}

void sync_json_free(struct sync_json **json)
{
    if (json == NULL || *json == NULL) {
        return;
    }
    json_decref((json_t *)*json);
    *json = NULL;
}

enum sync_json_type sync_json_type_of(const struct sync_json *json)
{
    if (json == NULL) {
        return SYNC_JSON_NULL;
    }
    switch (json_typeof(value_of(json))) {
    case JSON_OBJECT:
        return SYNC_JSON_OBJECT;
    case JSON_ARRAY:
        return SYNC_JSON_ARRAY;
    case JSON_STRING:
        return SYNC_JSON_TEXT;
    case JSON_INTEGER:
        return SYNC_JSON_INTEGER;
    case JSON_REAL:
        return SYNC_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return SYNC_JSON_BOOL;
    case JSON_NULL:
        return SYNC_JSON_NULL;
    }
    return SYNC_JSON_NULL;
}

const struct sync_json *sync_json_get(const struct sync_json *object, const char *name)
{
    return wrap(json_object_get(value_of(object), name));
}

size_t sync_json_count(const struct sync_json *array)
{
    return json_array_size(value_of(array));
}

const struct sync_json *sync_json_at(const struct sync_json *array, size_t index)
{
    return wrap(json_array_get(value_of(array), index));
}

bool sync_json_bool(const struct sync_json *json)
{
    return json_is_true(value_of(json));
}

int64_t sync_json_integer(const struct sync_json *json)
{
    return json_integer_value(value_of(json));
}

double sync_json_real(const struct sync_json *json)
{
    return json_number_value(value_of(json));
}

struct sync_bytes sync_json_text(const struct sync_json *json)
{
    const char *text = json_string_value(value_of(json));
    if (text == NULL) {
        return sync_bytes_text("");
    }
    return (struct sync_bytes){(const uint8_t *)text, json_string_length(value_of(json))};
}

void sync_json_each(const struct sync_json *object,
                    void (*each)(const char *name, const struct sync_json *value, void *context),
                    void *context)
{
    /* The iterator takes a mutable object only because it could also set values. */
    json_t *value = (json_t *)(uintptr_t)object;
    for (void *at = json_object_iter(value); at != NULL; at = json_object_iter_next(value, at)) {
        each(json_object_iter_key(at), wrap(json_object_iter_value(at)), context);
    }
}

static void append(struct sync_json_writer *w, const char *data, size_t size)
{
    if (w->failed || size > SYNC_JSON_WRITER_BYTES_MAX - w->size) {
        w->failed = true;
        return;
    }
    size_t needed = w->size + size + 1;
    if (needed > w->capacity) {
        size_t capacity = needed * 2 < 256 ? 256 : needed * 2;
        char *grown = realloc(w->data, capacity);
        if (grown == NULL) {
            w->failed = true;
            return;
        }
        w->data = grown;
        w->capacity = capacity;
    }
    memcpy(w->data + w->size, data, size);
    w->size += size;
    w->data[w->size] = '\0';
}

static void append_escaped(struct sync_json_writer *w, uint8_t byte)
{
    char escape[8];
    int size = 0;
    switch (byte) {
    case '"':
    case '\\':
        size = snprintf(escape, sizeof escape, "\\%c", byte);
        break;
    case '\n':
        size = snprintf(escape, sizeof escape, "\\n");
        break;
    case '\t':
        size = snprintf(escape, sizeof escape, "\\t");
        break;
    default:
        size = snprintf(escape, sizeof escape, "\\u%04x", byte < 0x80 ? byte : 0xFFFD);
        break;
    }
    append(w, escape, (size_t)size);
}

static void append_text(struct sync_json_writer *w, const char *value)
{
    append(w, "\"", 1);
    struct sync_bytes left = sync_bytes_text(value);
    while (left.size > 0) {
        size_t size = sync_utf8_sequence(left);
        uint8_t byte = left.data[0];
        if (size == 0 || byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7F) {
            append_escaped(w, byte);
            size = 1;
        } else {
            append(w, (const char *)left.data, size);
        }
        left = (struct sync_bytes){left.data + size, left.size - size};
    }
    append(w, "\"", 1);
}

static void begin_value(struct sync_json_writer *w, const char *name)
{
    if (w->comma) {
        append(w, ",", 1);
    }
    w->comma = true;
    if (name != NULL) {
        append_text(w, name);
        append(w, ":", 1);
    }
}

void sync_json_writer_init(struct sync_json_writer *w)
{
    *w = (struct sync_json_writer){0};
}

void sync_json_open(struct sync_json_writer *w, const char *name, char bracket)
{
    SYNC_ASSERT(bracket == '{' || bracket == '[');
    begin_value(w, name);
    append(w, &bracket, 1);
    w->comma = false;
    w->depth++;
}

void sync_json_close(struct sync_json_writer *w, char bracket)
{
    SYNC_ASSERT(bracket == '}' || bracket == ']');
    SYNC_ASSERT(w->depth > 0);
    append(w, &bracket, 1);
    w->comma = true;
    w->depth--;
}

void sync_json_put_text(struct sync_json_writer *w, const char *name, const char *value)
{
    begin_value(w, name);
    if (value == NULL) {
        append(w, "null", 4);
        return;
    }
    append_text(w, value);
}

void sync_json_put_integer(struct sync_json_writer *w, const char *name, int64_t value)
{
    char text[24];
    int size = snprintf(text, sizeof text, "%lld", (long long)value);
    begin_value(w, name);
    append(w, text, (size_t)size);
}

void sync_json_put_real(struct sync_json_writer *w, const char *name, double value)
{
    char text[40] = "null";
    if (isfinite(value)) {
        /* The shorter form when it reads back as the same number. */
        (void)snprintf(text, sizeof text, "%.15g", value);
        if (strtod(text, NULL) != value) {
            (void)snprintf(text, sizeof text, "%.17g", value);
        }
    }
    begin_value(w, name);
    append(w, text, strlen(text));
}

void sync_json_put_bool(struct sync_json_writer *w, const char *name, bool value)
{
    begin_value(w, name);
    append(w, value ? "true" : "false", value ? 4 : 5);
}

char *sync_json_writer_take(struct sync_json_writer *w)
{
    char *data = w->data;
    SYNC_ASSERT(w->failed || w->depth == 0);
    if (w->failed) {
        free(data);
        data = NULL;
    }
    sync_json_writer_init(w);
    return data;
}
