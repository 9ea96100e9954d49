/* Arrays as columns of a result and as texts of a statement. Not here: arrays as parameters
 * (postgres_params.c). */
#include "postgres_array.h"

#include "../core/limits.h"

#include <inttypes.h>
#include <stdio.h>

#define HEADER_BYTES    12 /* dimensions, null flag, type of the items */
#define DIMENSION_BYTES 8  /* length, lower bound */

static int64_t take_number(const uint8_t *data, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        number = number << 8 | data[i];
    }
    return size == 4 ? (int32_t)number : (int64_t)number;
}

/* The server sent it: a malformed one is our own mistake. */
struct sync_array sync_result_array(const struct sync_result *r, int row, int column)
{
    struct sync_bytes value = sync_result_bytes(r, row, column);
    if (value.data == NULL) {
        return (struct sync_array){NULL, 0, 0};
    }
    SYNC_ASSERT(value.size >= HEADER_BYTES);
    int64_t dimensions = take_number(value.data, 4);
    if (dimensions == 0) {
        return (struct sync_array){NULL, 0, 0};
    }
    size_t head = HEADER_BYTES + DIMENSION_BYTES;
    SYNC_ASSERT(dimensions == 1 && value.size >= head);
    return (struct sync_array){.data = value.data + head,
                               .size = value.size - head,
                               .left = (size_t)take_number(value.data + HEADER_BYTES, 4)};
}

bool sync_array_next(struct sync_array *array, struct sync_bytes *ret_item)
{
    if (array->left == 0) {
        return false;
    }
    SYNC_ASSERT(array->size >= 4);
    int64_t size = take_number(array->data, 4);
    bool null = size < 0;
    size_t bytes = null ? 0 : (size_t)size;
    SYNC_ASSERT(array->size - 4 >= bytes);
    *ret_item = (struct sync_bytes){null ? NULL : array->data + 4, bytes};
    array->data += 4 + bytes;
    array->size -= 4 + bytes;
    array->left--;
    return true;
}

int64_t sync_array_int8(struct sync_bytes item)
{
    SYNC_ASSERT(item.size == 8);
    return take_number(item.data, item.size);
}

int64_t sync_array_time(struct sync_bytes item)
{
    int64_t shifted = sync_array_int8(item), time_us;
    if (shifted == INT64_MIN || shifted == INT64_MAX) {
        return shifted;
    }
    bool far = __builtin_add_overflow(shifted, SYNC_EPOCH_2000_US, &time_us);
    return far ? INT64_MAX - 1 : time_us;
}

/* Writing ------------------------------------------------------------------------------------- */

/* Quoted always, so that no item can be taken for null or for an end. */
static size_t put_item(char *to, struct sync_bytes item)
{
    size_t used = 0;
    to[used++] = '"';
    for (size_t i = 0; i < item.size; i++) {
        char byte = (char)item.data[i];
        if (byte == '"' || byte == '\\') {
            to[used++] = '\\';
        }
        to[used++] = byte;
    }
    to[used++] = '"';
    return used;
}

struct sync_bytes sync_array_text(struct sync_arena *arena, const struct sync_bytes *items,
                                  size_t count)
{
    size_t room = 3;
    for (size_t i = 0; i < count; i++) {
        room += 2 * items[i].size + 3;
    }
    char *text = sync_arena_take(arena, room);
    if (text == NULL) {
        return (struct sync_bytes){NULL, 0};
    }
    size_t used = 0;
    text[used++] = '{';
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            text[used++] = ',';
        }
        used += put_item(text + used, items[i]);
    }
    text[used++] = '}';
    return (struct sync_bytes){(const uint8_t *)text, used};
}

struct sync_bytes sync_array_text_int8(struct sync_arena *arena, const int64_t *items, size_t count)
{
    enum { ITEM_BYTES = 22 };
    size_t room = ITEM_BYTES * count + 3, used = 0;
    char *text = sync_arena_take(arena, room);
    if (text == NULL) {
        return (struct sync_bytes){NULL, 0};
    }
    text[used++] = '{';
    for (size_t i = 0; i < count; i++) {
        used +=
            (size_t)snprintf(text + used, room - used, "%s%" PRId64, i > 0 ? "," : "", items[i]);
    }
    text[used++] = '}';
    return (struct sync_bytes){(const uint8_t *)text, used};
}
