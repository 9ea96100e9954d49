/* The list of keys to try. */
#include "sender_due.h"

bool sync_due_key_of(int32_t partition, struct sync_bytes text, struct sync_due_key *ret_key)
{
    if (text.size == 0 || text.size >= sizeof ret_key->key.text) {
        return false;
    }
    ret_key->partition = partition;
    memcpy(ret_key->key.text, text.data, text.size);
    ret_key->key.text[text.size] = '\0';
    ret_key->key.size = text.size;
    return true;
}

bool sync_due_add(struct sync_due *due, const struct sync_due_key *key)
{
    if (due->count == SYNC_DUE_MAX && due->next > 0) {
        due->count -= due->next;
        memmove(due->items, &due->items[due->next], due->count * sizeof *due->items);
        due->next = 0;
    }
    if (due->count == SYNC_DUE_MAX) {
        return false;
    }
    due->items[due->count++] = *key;
    return true;
}

void sync_due_clear(struct sync_due *due)
{
    due->next = due->count = 0;
}

size_t sync_due_left(const struct sync_due *due)
{
    return due->count - due->next;
}

static struct sync_bytes text_of(const struct sync_due_key *item)
{
    return (struct sync_bytes){(const uint8_t *)item->key.text, item->key.size};
}

static bool is_among(struct sync_bytes text, const struct sync_bytes *others, size_t count)
{
    bool found = false;
    for (size_t i = 0; i < count && !found; i++) {
        found = sync_bytes_equal(text, others[i]);
    }
    return found;
}

static bool is_chosen(struct sync_bytes text, const struct sync_lane_key *keys, size_t count)
{
    bool found = false;
    for (size_t i = 0; i < count && !found; i++) {
        found = sync_bytes_equal(text, keys[i].key);
    }
    return found;
}

size_t sync_due_choose(struct sync_due *due, const struct sync_bytes *busy, size_t busy_count,
                       size_t max, uint64_t random, struct sync_lane_key *ret_keys,
                       size_t *ret_passed)
{
    SYNC_ASSERT(max <= SYNC_LANE_KEYS_MAX);
    size_t count = 0, at = due->next;
    if (at < due->count) {
        size_t first = at + (size_t)(random % sync_due_left(due));
        struct sync_due_key other = due->items[at];
        due->items[at] = due->items[first];
        due->items[first] = other;
    }
    for (; at < due->count && count < max; at++) {
        struct sync_bytes text = text_of(&due->items[at]);
        if (!is_among(text, busy, busy_count) && !is_chosen(text, ret_keys, count)) {
            ret_keys[count++] = (struct sync_lane_key){text, due->items[at].partition};
        }
    }
    *ret_passed = at - due->next;
    return count;
}

void sync_due_pass(struct sync_due *due, size_t passed)
{
    SYNC_ASSERT(passed <= sync_due_left(due));
    due->next += passed;
    if (due->next == due->count) {
        sync_due_clear(due);
    }
}
