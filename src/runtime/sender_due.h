/*
 * Keys whose oldest effect may be due, in the order in which they became so. Pure. Not here:
 * whether it is (sender_lane.c), who says so (sender.c).
 */
#ifndef SYNC_RUNTIME_SENDER_DUE_H
#define SYNC_RUNTIME_SENDER_DUE_H
#include "../core/limits.h"
#include "sender_lane.h"

#define SYNC_DUE_HINTS_MAX 256 /* keys told by the apply thread; beyond, the table is asked */
#define SYNC_DUE_MAX       (SYNC_LANE_VIEW_KEYS_MAX + SYNC_DUE_HINTS_MAX + SYNC_LANE_KEYS_MAX)

struct sync_due_key {
    int32_t partition;
    struct sync_key key;
};

/* Zeroed = empty. */
struct sync_due {
    struct sync_due_key items[SYNC_DUE_MAX];
    size_t next, count; /* from next to count are still to be tried */
};

/* Copies a key; false when its text is longer than any key of ours. */
bool sync_due_key_of(int32_t partition, struct sync_bytes text, struct sync_due_key *ret_key);

/* Puts a key behind the others; false when there is no room. */
bool sync_due_add(struct sync_due *due, const struct sync_due_key *key);
void sync_due_clear(struct sync_due *due);
size_t sync_due_left(const struct sync_due *due);

/*
 * Up to max keys to try, each once and none that is busy: what waits behind an effect in flight is
 * told when that ends. Random is 0 for the longest due first; else any key may come first.
 * Owns: the keys point into the list until it changes. ret_passed: how many were gone through.
 */
size_t sync_due_choose(struct sync_due *due, const struct sync_bytes *busy, size_t busy_count,
                       size_t max, uint64_t random, struct sync_lane_key *ret_keys,
                       size_t *ret_passed);
/* What was gone through is tried. */
void sync_due_pass(struct sync_due *due, size_t passed);
#endif
