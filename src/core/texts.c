/*
 * Lists of texts in the form of an Avro array. Not here: checking bytes from outside (datum.c).
 */
#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

/* One number; the list has been checked, so a bad one is our own fault. */
static int64_t take_long(struct sync_texts *texts)
{
    SYNC_ASSERT(texts != NULL);
    uint64_t bits = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        SYNC_ASSERT(texts->size > 0);
        uint8_t byte = *texts->data++;
        texts->size--;
        bits |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            break;
        }
    }
    return (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
}

bool sync_texts_next(struct sync_texts *left, struct sync_bytes *ret_text)
{
    SYNC_ASSERT(left != NULL && ret_text != NULL);
    SYNC_ASSERT(left->data != NULL || left->size == 0);
    if (left->size == 0) {
        return false;
    }
    if (left->block_left == 0) {
        int64_t count = take_long(left);
        if (count < 0) {
            count = -count;
            (void)take_long(left); /* bytes of the block: for those who skip it */
        }
        left->block_left = (size_t)count;
    }
    if (left->block_left == 0) {
        SYNC_ASSERT(left->size == 0);
        return false;
    }
    int64_t size = take_long(left);
    SYNC_ASSERT(size >= 0 && (uint64_t)size <= left->size);
    *ret_text = (struct sync_bytes){left->data, (size_t)size};
    left->data += size;
    left->size -= (size_t)size;
    left->block_left--;
    left->count--;
    return true;
}

/* Writes a number that is not negative; 0 when the room is too small. */
static size_t write_long(uint64_t value, uint8_t *room, size_t room_size)
{
    SYNC_ASSERT(value <= INT64_MAX);
    SYNC_ASSERT(room != NULL);
    uint64_t bits = value << 1;
    size_t used = 0;
    for (; used < room_size; bits >>= 7) {
        room[used++] = (uint8_t)(bits < 0x80 ? bits : bits | 0x80);
        if (bits < 0x80) {
            return used;
        }
    }
    return 0;
}

bool sync_texts_make(const struct sync_bytes *items, size_t count, uint8_t *room, size_t room_size,
                     struct sync_texts *ret_texts)
{
    SYNC_ASSERT(items != NULL || count == 0);
    SYNC_ASSERT(ret_texts != NULL);
    size_t used = 0;
    size_t wrote = count > 0 ? write_long(count, room, room_size) : 0;
    if (count > 0 && wrote == 0) {
        return false;
    }
    used += wrote;
    for (size_t i = 0; i < count; i++) {
        wrote = write_long(items[i].size, room + used, room_size - used);
        if (wrote == 0 || items[i].size > room_size - used - wrote) {
            return false;
        }
        if (items[i].size > 0) {
            memcpy(room + used + wrote, items[i].data, items[i].size);
        }
        used += wrote + items[i].size;
    }
    wrote = write_long(0, room + used, room_size - used);
    if (wrote == 0) {
        return false;
    }
    *ret_texts = (struct sync_texts){.data = room, .size = used + wrote, .count = count};
    return true;
}
