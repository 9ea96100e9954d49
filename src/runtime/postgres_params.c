/* Parameters in PostgreSQL's binary form, scalars and arrays. Not here: sending them. */
#include "postgres.h"

#include "../core/limits.h"

enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_TIMESTAMPTZ = 1184,
    OID_UUID = 2950,
    OID_BOOL_ARRAY = 1000,
    OID_BYTEA_ARRAY = 1001,
    OID_INT2_ARRAY = 1005,
    OID_INT4_ARRAY = 1007,
    OID_TEXT_ARRAY = 1009,
    OID_INT8_ARRAY = 1016,
    OID_TIMESTAMPTZ_ARRAY = 1185,
    OID_UUID_ARRAY = 2951,
};

#define ARRAY_HEADER_BYTES 20 /* dimensions, null flag, element type, length, lower bound */

static void put_big_endian(uint8_t *to, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        to[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
}

static void add(struct sync_params *params, uint32_t type, const void *value, size_t size)
{
    SYNC_ASSERT(params->count < SYNC_PARAMS_MAX);
    SYNC_ASSERT(size <= INT32_MAX);
    int at = params->count++;
    params->values[at] = value;
    params->lengths[at] = (int)size;
    params->formats[at] = 1;
    params->types[at] = type;
}

static uint8_t *take(struct sync_params *params, size_t size)
{
    uint8_t *memory = sync_arena_take(params->arena, size);
    params->full |= memory == NULL;
    return memory;
}

static void add_number(struct sync_params *params, uint32_t type, uint64_t value, size_t size)
{
    uint8_t *memory = take(params, size);
    if (memory != NULL) {
        put_big_endian(memory, value, size);
    }
    add(params, type, memory, size);
}

/* PostgreSQL counts from 2000. What does not fit is sent as a time that the server refuses (22008).
 */
static uint64_t time_of(int64_t time_us)
{
    int64_t shifted;
    if (time_us == INT64_MIN || time_us == INT64_MAX) {
        return (uint64_t)time_us;
    }
    if (__builtin_sub_overflow(time_us, SYNC_EPOCH_2000_US, &shifted) || shifted == INT64_MIN) {
        shifted = INT64_MIN + 1;
    }
    return (uint64_t)shifted;
}

void sync_params_init(struct sync_params *params, struct sync_arena *arena)
{
    params->arena = arena;
    params->count = 0;
    params->full = false;
}

void sync_params_bool(struct sync_params *params, bool value)
{
    add_number(params, OID_BOOL, value, 1);
}

void sync_params_int2(struct sync_params *params, int16_t value)
{
    add_number(params, OID_INT2, (uint64_t)value, 2);
}

void sync_params_int4(struct sync_params *params, int32_t value)
{
    add_number(params, OID_INT4, (uint64_t)value, 4);
}

void sync_params_int8(struct sync_params *params, int64_t value)
{
    add_number(params, OID_INT8, (uint64_t)value, 8);
}

void sync_params_text(struct sync_params *params, const char *value)
{
    add(params, OID_TEXT, value, value == NULL ? 0 : strlen(value));
}

void sync_params_bytes(struct sync_params *params, struct sync_bytes value)
{
    add(params, OID_BYTEA, value.data, value.size);
}

void sync_params_uuid(struct sync_params *params, const struct sync_uuid *value)
{
    uint8_t *memory = value == NULL ? NULL : take(params, sizeof value->bytes);
    if (memory != NULL) {
        memcpy(memory, value->bytes, sizeof value->bytes);
    }
    add(params, OID_UUID, memory, sizeof value->bytes);
}

void sync_params_time(struct sync_params *params, int64_t time_us)
{
    add_number(params, OID_TIMESTAMPTZ, time_of(time_us), 8);
}

/* An array under construction; at is NULL when the arena was full. */
struct writer {
    uint8_t *start, *at;
};

static struct writer array_begin(struct sync_params *params, uint32_t type, size_t count,
                                 size_t body)
{
    SYNC_ASSERT(count <= INT32_MAX);
    uint8_t *memory = take(params, ARRAY_HEADER_BYTES + body);
    struct writer writer = {memory, memory};
    if (memory == NULL) {
        return writer;
    }
    put_big_endian(memory, count > 0, 4);
    put_big_endian(memory + 4, 0, 4);
    put_big_endian(memory + 8, type, 4);
    put_big_endian(memory + 12, count, 4);
    put_big_endian(memory + 16, 1, 4);
    /* No element, no dimension: the header ends after the type. */
    writer.at += count > 0 ? ARRAY_HEADER_BYTES : 12;
    return writer;
}

static void array_null(struct writer *writer)
{
    put_big_endian(writer->start + 4, 1, 4);
    put_big_endian(writer->at, UINT32_MAX, 4);
    writer->at += 4;
}

static void array_number(struct writer *writer, uint64_t value, size_t size)
{
    put_big_endian(writer->at, size, 4);
    put_big_endian(writer->at + 4, value, size);
    writer->at += 4 + size;
}

static void array_bytes(struct writer *writer, const uint8_t *data, size_t size)
{
    put_big_endian(writer->at, size, 4);
    if (size > 0) {
        memcpy(writer->at + 4, data, size);
    }
    writer->at += 4 + size;
}

static void array_end(struct sync_params *params, uint32_t type, const struct writer *writer)
{
    add(params, type, writer->start,
        writer->start == NULL ? 0 : (size_t)(writer->at - writer->start));
}

void sync_params_bool_array(struct sync_params *p, const bool *v, const bool *nulls, size_t count)
{
    struct writer writer = array_begin(p, OID_BOOL, count, count * (4 + 1));
    for (size_t i = 0; writer.at != NULL && i < count; i++) {
        if (nulls != NULL && nulls[i]) {
            array_null(&writer);
            continue;
        }
        array_number(&writer, v[i], 1);
    }
    array_end(p, OID_BOOL_ARRAY, &writer);
}

void sync_params_int2_array(struct sync_params *p, const int16_t *v, const bool *nulls,
                            size_t count)
{
    struct writer writer = array_begin(p, OID_INT2, count, count * (4 + 2));
    for (size_t i = 0; writer.at != NULL && i < count; i++) {
        if (nulls != NULL && nulls[i]) {
            array_null(&writer);
            continue;
        }
        array_number(&writer, (uint64_t)v[i], 2);
    }
    array_end(p, OID_INT2_ARRAY, &writer);
}

void sync_params_int4_array(struct sync_params *p, const int32_t *v, const bool *nulls,
                            size_t count)
{
    struct writer writer = array_begin(p, OID_INT4, count, count * (4 + 4));
    for (size_t i = 0; writer.at != NULL && i < count; i++) {
        if (nulls != NULL && nulls[i]) {
            array_null(&writer);
            continue;
        }
        array_number(&writer, (uint64_t)v[i], 4);
    }
    array_end(p, OID_INT4_ARRAY, &writer);
}

void sync_params_int8_array(struct sync_params *p, const int64_t *v, const bool *nulls,
                            size_t count)
{
    struct writer writer = array_begin(p, OID_INT8, count, count * (4 + 8));
    for (size_t i = 0; writer.at != NULL && i < count; i++) {
        if (nulls != NULL && nulls[i]) {
            array_null(&writer);
            continue;
        }
        array_number(&writer, (uint64_t)v[i], 8);
    }
    array_end(p, OID_INT8_ARRAY, &writer);
}

/* Text and bytea have the same binary form; data NULL is null. */
static void add_bytes_array(struct sync_params *p, uint32_t array, uint32_t element,
                            const struct sync_bytes *v, size_t count)
{
    size_t body = count * 4;
    for (size_t i = 0; i < count; i++) {
        body += v[i].size;
    }
    struct writer writer = array_begin(p, element, count, body);
    for (size_t i = 0; writer.at != NULL && i < count; i++) {
        if (v[i].data == NULL) {
            array_null(&writer);
            continue;
        }
        array_bytes(&writer, v[i].data, v[i].size);
    }
    array_end(p, array, &writer);
}

void sync_params_text_array(struct sync_params *p, const struct sync_bytes *v, size_t count)
{
    add_bytes_array(p, OID_TEXT_ARRAY, OID_TEXT, v, count);
}

void sync_params_bytes_array(struct sync_params *p, const struct sync_bytes *v, size_t count)
{
    add_bytes_array(p, OID_BYTEA_ARRAY, OID_BYTEA, v, count);
}

void sync_params_uuid_array(struct sync_params *p, const struct sync_uuid *v, const bool *nulls,
                            size_t count)
{
    struct writer writer = array_begin(p, OID_UUID, count, count * (4 + sizeof v->bytes));
    for (size_t i = 0; writer.at != NULL && i < count; i++) {
        if (nulls != NULL && nulls[i]) {
            array_null(&writer);
            continue;
        }
        array_bytes(&writer, v[i].bytes, sizeof v[i].bytes);
    }
    array_end(p, OID_UUID_ARRAY, &writer);
}

void sync_params_time_array(struct sync_params *p, const int64_t *us, const bool *nulls,
                            size_t count)
{
    struct writer writer = array_begin(p, OID_TIMESTAMPTZ, count, count * (4 + 8));
    for (size_t i = 0; writer.at != NULL && i < count; i++) {
        if (nulls != NULL && nulls[i]) {
            array_null(&writer);
            continue;
        }
        array_number(&writer, time_of(us[i]), 8);
    }
    array_end(p, OID_TIMESTAMPTZ_ARRAY, &writer);
}
