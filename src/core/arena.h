/*
 * Memory of one batch: taken piece by piece, given back all at once. Memory comes from the caller.
 */
#ifndef SYNC_CORE_ARENA_H
#define SYNC_CORE_ARENA_H

#include <altinn_sync/types.h>

struct sync_arena {
    uint8_t *memory;
    size_t capacity;
    size_t used;
};

/* Uses memory of the caller, which must outlive the arena. */
void sync_arena_init(struct sync_arena *arena, void *memory, size_t capacity);

/*
 * Zeroed memory, aligned for any type, valid until the arena is reset to a mark below it.
 * Owns: the arena.  Blocks: no.  Fails: NULL when the arena is full.
 */
void *sync_arena_take(struct sync_arena *arena, size_t size);

/* count * size, NULL also when the product overflows. */
void *sync_arena_take_array(struct sync_arena *arena, size_t count, size_t size);

/* Copy of bytes in the arena, with a NUL behind them; data is NULL when the arena is full. */
struct sync_bytes sync_arena_copy(struct sync_arena *arena, struct sync_bytes bytes);

/* Where the arena stands, and back to there: what was taken since is gone. Never fails. */
size_t sync_arena_mark(const struct sync_arena *arena);
void sync_arena_reset(struct sync_arena *arena, size_t mark);

#endif
