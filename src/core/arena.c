/* Memory of one batch. Not here: growing; an arena that is full says so. */
#include "arena.h"

#include <altinn_sync/status.h>

void sync_arena_init(struct sync_arena *arena, void *memory, size_t capacity)
{
    SYNC_ASSERT(arena != NULL);
    SYNC_ASSERT(memory != NULL || capacity == 0);
    *arena = (struct sync_arena){memory, capacity, 0};
}

void *sync_arena_take(struct sync_arena *arena, size_t size)
{
    SYNC_ASSERT(arena->used <= arena->capacity);
    size_t alignment = _Alignof(max_align_t);
    size_t start = (arena->used + alignment - 1) / alignment * alignment;
    if (start > arena->capacity || size > arena->capacity - start) {
        return NULL;
    }
    arena->used = start + size;
    SYNC_ASSERT(arena->used <= arena->capacity);
    void *memory = arena->memory + start;
    memset(memory, 0, size);
    return memory;
}

void *sync_arena_take_array(struct sync_arena *arena, size_t count, size_t size)
{
    SYNC_ASSERT(size > 0);
    SYNC_ASSERT(arena->used <= arena->capacity);
    if (count > SIZE_MAX / size) {
        return NULL;
    }
    return sync_arena_take(arena, count * size);
}

struct sync_bytes sync_arena_copy(struct sync_arena *arena, struct sync_bytes bytes)
{
    SYNC_ASSERT(bytes.data != NULL || bytes.size == 0);
    SYNC_ASSERT(bytes.size < SIZE_MAX);
    uint8_t *copy = sync_arena_take(arena, bytes.size + 1);
    if (copy == NULL) {
        return (struct sync_bytes){NULL, 0};
    }
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return (struct sync_bytes){copy, bytes.size};
}

size_t sync_arena_mark(const struct sync_arena *arena)
{
    SYNC_ASSERT(arena != NULL);
    SYNC_ASSERT(arena->used <= arena->capacity);
    return arena->used;
}

void sync_arena_reset(struct sync_arena *arena, size_t mark)
{
    SYNC_ASSERT(mark <= arena->used);
    SYNC_ASSERT(arena->used <= arena->capacity);
    arena->used = mark;
}
