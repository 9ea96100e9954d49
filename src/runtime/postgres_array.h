/*
 * Columns that are arrays: reading one from a result, and writing one per row of a statement. An
 * array of arrays cannot be unnested by rows, so a statement takes texts and casts each one.
 */
#ifndef SYNC_RUNTIME_POSTGRES_ARRAY_H
#define SYNC_RUNTIME_POSTGRES_ARRAY_H
#include "postgres.h"

/* A one-dimensional array of a result, valid as long as the result. All zero = empty. */
struct sync_array {
    const uint8_t *data;
    size_t size;
    size_t left; /* items that are not taken off yet */
};

/* The array of a column; null reads as empty. */
struct sync_array sync_result_array(const struct sync_result *r, int row, int column);

/* Takes the first item off: text, or the binary form of a number. False at the end. */
bool sync_array_next(struct sync_array *array, struct sync_bytes *ret_item);

/* Items of int8[] and of timestamptz[] (microseconds). */
int64_t sync_array_int8(struct sync_bytes item);
int64_t sync_array_time(struct sync_bytes item);

/*
 * The array as text that a statement casts: $1::text[] … n.items::text[]. data is NULL when the
 * arena is full.
 */
struct sync_bytes sync_array_text(struct sync_arena *arena, const struct sync_bytes *items,
                                  size_t count);
struct sync_bytes sync_array_text_int8(struct sync_arena *arena, const int64_t *items,
                                       size_t count);

#endif
