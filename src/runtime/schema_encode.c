/*
 * Encodes a change struct as a framed Avro value. The same walk runs twice: first it counts, then
 * it writes into memory of exactly that size. Not here: untrusted bytes.
 */
#include "schema_match.h"

#include "../core/limits.h"
#include "../core/utf8.h"

struct encoder {
    struct schema_rows rows;
    const uint8_t *change;
    uint8_t *data; /* NULL while counting */
    size_t size, capacity;
    struct sync_error *err;
};

static sync_status encode(struct encoder *e, const struct schema_type *type, const char *path);

static sync_status refuse(struct encoder *e, enum sync_code code, const char *path,
                          const char *what)
{
    return sync_fail_field(e->err, SYNC_CLASS_PARK, code, path, "encode field %s: %s", path, what);
}

static void put(struct encoder *e, const void *bytes, size_t size)
{
    if (e->data != NULL) {
        SYNC_ASSERT(size <= e->capacity - e->size);
        if (size > 0) {
            memcpy(e->data + e->size, bytes, size);
        }
    }
    e->size += size;
}

static void put_long(struct encoder *e, int64_t value)
{
    uint8_t bytes[10];
    size_t size = 0;
    uint64_t bits = (uint64_t)value << 1 ^ (0 - ((uint64_t)value >> 63));
    while (bits >= 0x80) {
        bytes[size++] = (uint8_t)(bits | 0x80);
        bits >>= 7;
    }
    bytes[size++] = (uint8_t)bits;
    put(e, bytes, size);
}

static void put_little_endian(struct encoder *e, uint64_t bits, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(bits >> 8 * i);
    }
    put(e, bytes, size);
}

static void get(const struct encoder *e, size_t offset, void *ret_value, size_t size)
{
    memcpy(ret_value, e->change + offset, size);
}

static bool flag_at(const struct encoder *e, size_t offset)
{
    bool flag = false;
    get(e, offset, &flag, sizeof flag);
    return flag;
}

/* An integer row of any width; also a boolean. */
static int64_t integer_of(const struct encoder *e, const struct sync_field *row)
{
    int64_t wide = 0;
    int32_t narrow = 0;
    if (row->type == SYNC_FIELD_BOOL) {
        return flag_at(e, row->offset);
    }
    if (row->type == SYNC_FIELD_LONG) {
        get(e, row->offset, &wide, sizeof wide);
        return wide;
    }
    get(e, row->offset, &narrow, sizeof narrow);
    return narrow;
}

static void put_real(struct encoder *e, const struct schema_type *type,
                     const struct sync_field *row)
{
    double value = 0;
    uint64_t wide = 0;
    uint32_t narrow = 0;
    get(e, row->offset, &value, sizeof value);
    if (type->kind == SCHEMA_FLOAT) {
        memcpy(&narrow, &(float){(float)value}, sizeof narrow);
        put_little_endian(e, narrow, sizeof narrow);
        return;
    }
    memcpy(&wide, &value, sizeof wide);
    put_little_endian(e, wide, sizeof wide);
}

static sync_status put_text(struct encoder *e, const struct sync_field *row)
{
    char buffer[SYNC_UUID_BUFFER];
    struct sync_bytes text = {NULL, 0};
    if (row->type == SYNC_FIELD_UUID) {
        struct sync_uuid id;
        get(e, row->offset, &id, sizeof id);
        sync_uuid_format(&id, buffer);
        text = (struct sync_bytes){(const uint8_t *)buffer, SYNC_UUID_TEXT};
    } else {
        get(e, row->offset, &text, sizeof text);
    }
    if (text.size > SYNC_RECORD_BYTES_MAX || (row->size_max > 0 && text.size > row->size_max)) {
        return refuse(e, SYNC_CODE_FIELD_RANGE, row->path, "text is longer than the field allows");
    }
    if (!sync_utf8_is_text(text)) {
        return refuse(e, SYNC_CODE_UTF8, row->path, "text is ill-formed UTF-8 or holds NUL");
    }
    put_long(e, (int64_t)text.size);
    put(e, text.data, text.size);
    return SYNC_OK;
}

/* The list is kept as it stands on the wire, so it is checked by reading it, then copied. */
static sync_status put_texts(struct encoder *e, const struct sync_field *row)
{
    struct sync_texts texts;
    get(e, row->offset, &texts, sizeof texts);
    struct sync_texts left = texts;
    struct sync_bytes text = {NULL, 0};
    while (sync_texts_next(&left, &text)) {
        if (!sync_utf8_is_text(text)) {
            return refuse(e, SYNC_CODE_UTF8, row->path, "text is ill-formed UTF-8 or holds NUL");
        }
    }
    if (texts.size == 0) {
        put_long(e, 0);
        return SYNC_OK;
    }
    put(e, texts.data, texts.size);
    return SYNC_OK;
}

/* The row's index stands for a symbol, which has an index of its own in the schema. */
static sync_status put_symbol(struct encoder *e, const struct schema_type *type,
                              const struct sync_field *row)
{
    int64_t index = integer_of(e, row);
    const char *symbol = NULL;
    for (int64_t i = 0; row->symbols[i] != NULL; i++) {
        symbol = i == index ? row->symbols[i] : symbol;
    }
    for (size_t i = 0; symbol != NULL && i < type->symbols.count; i++) {
        if (strcmp(type->symbols.items[i], symbol) == 0) {
            put_long(e, (int64_t)i);
            return SYNC_OK;
        }
    }
    return refuse(e, SYNC_CODE_FIELD_RANGE, row->path, "the value is not a symbol of the schema");
}

static sync_status encode_scalar(struct encoder *e, const struct schema_type *type,
                                 const char *path)
{
    const struct sync_field *row = schema_rows_find(e->rows, path);
    if (row == NULL || schema_store_of(type->kind, row->type) == SYNC_STORE_NONE) {
        return refuse(e, SYNC_CODE_SCHEMA_MISMATCH, path, "no row gives a value of its type");
    }
    int64_t integer = 0;
    switch ((enum sync_plan_store)schema_store_of(type->kind, row->type)) {
    case SYNC_STORE_BOOL:
        put(e, &(uint8_t){(uint8_t)integer_of(e, row)}, 1);
        return SYNC_OK;
    case SYNC_STORE_INT:
    case SYNC_STORE_LONG:
        integer = integer_of(e, row);
        if (type->kind == SCHEMA_INT && (integer < INT32_MIN || integer > INT32_MAX)) {
            return refuse(e, SYNC_CODE_FIELD_RANGE, path, "the value is longer than 32 bits");
        }
        put_long(e, integer);
        return SYNC_OK;
    case SYNC_STORE_FLOAT:
    case SYNC_STORE_DOUBLE:
        if (type->kind != SCHEMA_FLOAT && type->kind != SCHEMA_DOUBLE) {
            break;
        }
        put_real(e, type, row);
        return SYNC_OK;
    case SYNC_STORE_TEXT:
    case SYNC_STORE_UUID:
        return put_text(e, row);
    case SYNC_STORE_TEXTS:
        return put_texts(e, row);
    case SYNC_STORE_ENUM:
        return put_symbol(e, type, row);
    case SYNC_STORE_NONE:
    case SYNC_STORE_PRESENCE:
        break;
    }
    return refuse(e, SYNC_CODE_SCHEMA_MISMATCH, path, "no row gives a value of its type");
}

/* Whether the struct has a value at this path: a field without a row has none. */
static bool is_present(const struct encoder *e, const char *path)
{
    const struct sync_field *row = schema_rows_find(e->rows, path);
    if (row == NULL) {
        return schema_rows_need(e->rows, path);
    }
    if (row->type == SYNC_FIELD_PRESENCE) {
        return flag_at(e, row->offset);
    }
    return row->present_offset == SYNC_FIELD_REQUIRED || flag_at(e, row->present_offset);
}

static bool branch_fits(const struct encoder *e, const struct schema_type *branch, const char *path,
                        bool present)
{
    if (!present || branch->kind == SCHEMA_NULL) {
        return !present && branch->kind == SCHEMA_NULL;
    }
    const struct sync_field *row = schema_rows_find(e->rows, path);
    return row == NULL ? branch->kind == SCHEMA_RECORD
                       : schema_store_of(branch->kind, row->type) != SYNC_STORE_NONE;
}

static sync_status encode_union(struct encoder *e, const struct schema_type *type, const char *path)
{
    bool present = is_present(e, path);
    for (size_t i = 0; i < type->branch_count; i++) {
        if (branch_fits(e, type->branches[i], path, present)) {
            put_long(e, (int64_t)i);
            return encode(e, type->branches[i], path);
        }
    }
    return refuse(e, SYNC_CODE_SCHEMA_MISMATCH, path, "no branch of the union fits the row");
}

static sync_status encode_record(struct encoder *e, const struct schema_type *type,
                                 const char *path)
{
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < type->field_count && sync_is_ok(status); i++) {
        char here[SYNC_FIELD_PATH_BYTES_MAX];
        if (!schema_path_join(path, type->fields[i].name, here, sizeof here)) {
            return refuse(e, SYNC_CODE_SCHEMA_MISMATCH, path, "the path of a field is too long");
        }
        status = encode(e, type->fields[i].type, here);
    }
    return status;
}

static sync_status encode(struct encoder *e, const struct schema_type *type, const char *path)
{
    if (type->kind == SCHEMA_UNION) {
        return encode_union(e, type, path);
    }
    if (type->kind == SCHEMA_NULL) {
        return SYNC_OK;
    }
    bool is_root = path[0] == '\0';
    if (!is_root && !is_present(e, path)) {
        return refuse(e, SYNC_CODE_FIELD_MISSING, path, "the schema needs a value");
    }
    return type->kind == SCHEMA_RECORD ? encode_record(e, type, path)
                                       : encode_scalar(e, type, path);
}

static sync_status run(struct encoder *e, const struct sync_schema *schema)
{
    put(e, (const uint8_t[]){0xC3, 0x01}, 2);
    put_little_endian(e, sync_schema_fingerprint(schema), 8);
    return encode(e, schema_tree_of(schema)->root, "");
}

sync_status sync_encode(const struct sync_schema *schema, const struct sync_processor *processor,
                        const void *change, struct sync_arena *arena, struct sync_bytes *ret_value,
                        struct sync_error *err)
{
    struct encoder encoder = {
        .rows = {processor->fields, processor->field_count}, .change = change, .err = err};
    sync_status status = run(&encoder, schema);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (encoder.size > SYNC_RECORD_BYTES_MAX) {
        return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_OVERSIZE,
                         "encode a record: %zu bytes, a topic carries %d", encoder.size,
                         SYNC_RECORD_BYTES_MAX);
    }
    encoder.capacity = encoder.size;
    encoder.size = 0;
    encoder.data = sync_arena_take(arena, encoder.capacity);
    if (encoder.data == NULL) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "encode a record of %zu bytes: the batch's memory is full",
                         encoder.capacity);
    }
    status = run(&encoder, schema);
    SYNC_ASSERT(sync_is_ok(status) && encoder.size == encoder.capacity);
    *ret_value = (struct sync_bytes){encoder.data, encoder.size};
    return SYNC_OK;
}
