/*
 * Random changes of any processor, made from its descriptor alone: values come from small sets, so
 * that keys, times and parties collide. The same seed gives the same changes.
 */
#ifndef SYNC_TESTS_RANDOM_CHANGES_H
#define SYNC_TESTS_RANDOM_CHANGES_H
#include "core/arena.h"
#include "runtime/breaker.h"

#include <altinn_sync/processor.h>

#define CHANGES_BASE_US (1741078800LL * 1000000) /* 2025-03-04T09:00:00Z */

static inline int random_pick(uint64_t *seed, int count)
{
    return (int)(sync_random_next(seed) % (uint64_t)count);
}

struct changes {
    const struct sync_processor *processor;
    struct sync_arena *arena; /* of the changes and what they point at */
    uint64_t seed;
    int64_t sequence; /* of the last change: every one gets its own */
};

static inline bool path_has(const struct sync_field *field, const char *word)
{
    return strstr(field->path, word) != NULL;
}

static inline int64_t random_long(struct changes *changes, const struct sync_field *field)
{
    if (path_has(field, "seq")) {
        return changes->sequence;
    }
    int64_t small = random_pick(&changes->seed, 8);
    bool is_time = path_has(field, "_us") || path_has(field, "time");
    return is_time ? CHANGES_BASE_US + small * 1000000 : small;
}

static inline struct sync_bytes random_text(struct changes *changes, const struct sync_field *field)
{
    static const char *const texts[] = {"a", "b", "c"};
    if (path_has(field, "stream")) {
        return sync_bytes_text("battery.1");
    }
    return sync_bytes_text(texts[random_pick(&changes->seed, 3)]);
}

static inline struct sync_texts random_texts(struct changes *changes,
                                             const struct sync_field *field)
{
    struct sync_bytes items[2];
    struct sync_texts texts = {0};
    uint8_t *room = sync_arena_take(changes->arena, 64);
    size_t count = (size_t)random_pick(&changes->seed, 3);
    for (size_t i = 0; i < count; i++) {
        items[i] = random_text(changes, field);
    }
    bool made = room != NULL && sync_texts_make(items, count, room, 64, &texts);
    SYNC_ASSERT(made);
    return texts;
}

static inline void random_value(struct changes *changes, const struct sync_field *field, char *at)
{
    int32_t number = random_pick(&changes->seed, 16);
    switch (field->type) {
    case SYNC_FIELD_BOOL:
    case SYNC_FIELD_PRESENCE:
        *(bool *)at = random_pick(&changes->seed, 4) == 0;
        break;
    case SYNC_FIELD_INT:
        memcpy(at, &number, sizeof number);
        break;
    case SYNC_FIELD_LONG:
        *(int64_t *)at = random_long(changes, field);
        break;
    case SYNC_FIELD_DOUBLE:
        *(double *)at = number / 4.0;
        break;
    case SYNC_FIELD_TEXT:
        *(struct sync_bytes *)at = random_text(changes, field);
        break;
    case SYNC_FIELD_TEXTS:
        *(struct sync_texts *)at = random_texts(changes, field);
        break;
    case SYNC_FIELD_UUID:
        *(struct sync_uuid *)at = (struct sync_uuid){{(uint8_t)(1 + number % 3)}};
        break;
    case SYNC_FIELD_ENUM: {
        int32_t count = 0;
        while (field->symbols[count] != NULL) {
            count++;
        }
        number = random_pick(&changes->seed, count);
        memcpy(at, &number, sizeof number);
        break;
    }
    }
}

/* The presence row above a field, NULL = none. */
static inline const struct sync_field *field_parent(const struct sync_processor *processor,
                                                    const struct sync_field *field)
{
    for (size_t i = 0; i < processor->field_count; i++) {
        const struct sync_field *row = &processor->fields[i];
        size_t size = strlen(row->path);
        if (row->type == SYNC_FIELD_PRESENCE && strncmp(row->path, field->path, size) == 0 &&
            field->path[size] == '.') {
            return row;
        }
    }
    return NULL;
}

/* Place of a system in the lists of symbols of our schemas: Altinn 2, Altinn 3, what stands above.
 */
static inline int32_t system_place(enum sync_system system)
{
    return system == SYNC_SYSTEM_SYS ? 2 : system == SYNC_SYSTEM_ALTINN3;
}

/* A change in the arena; its source is the side that the input stands for. */
static inline void *random_change(struct changes *changes, const struct sync_input *input)
{
    const struct sync_processor *processor = changes->processor;
    char *change = sync_arena_take(changes->arena, processor->change_size);
    SYNC_ASSERT(change != NULL);
    changes->sequence++;
    for (size_t i = 0; i < processor->field_count; i++) {
        const struct sync_field *field = &processor->fields[i];
        const struct sync_field *parent = field_parent(processor, field);
        if (parent != NULL && !*(bool *)(change + parent->offset)) {
            continue;
        }
        bool nullable = field->present_offset != SYNC_FIELD_REQUIRED;
        if (nullable && random_pick(&changes->seed, 3) == 0) {
            continue;
        }
        if (nullable) {
            *(bool *)(change + field->present_offset) = true;
        }
        random_value(changes, field, change + field->offset);
        if (strcmp(field->path, "source.system") == 0 || strcmp(field->path, "source") == 0) {
            *(int32_t *)(change + field->offset) = system_place(input->from);
        }
    }
    return change;
}

/*
 * Makes the change a write of ours on the side it comes from: its origin is the other side. False
 * when the descriptor has no origin: name it "origin.system" or "origin_source".
 */
static inline bool change_is_ours(const struct sync_processor *processor, char *change,
                                  enum sync_system origin)
{
    bool found = false;
    for (size_t i = 0; i < processor->field_count; i++) {
        const struct sync_field *field = &processor->fields[i];
        if (strcmp(field->path, "origin") == 0) {
            *(bool *)(change + field->offset) = true;
        }
        if (strcmp(field->path, "origin.stream") == 0) {
            *(struct sync_bytes *)(change + field->offset) = sync_bytes_text("battery.1");
        }
        if (strcmp(field->path, "origin.system") == 0 ||
            strcmp(field->path, "origin_source") == 0) {
            *(int32_t *)(change + field->offset) = system_place(origin);
            if (field->present_offset != SYNC_FIELD_REQUIRED) {
                *(bool *)(change + field->present_offset) = true;
            }
            found = true;
        }
    }
    return found;
}
#endif
