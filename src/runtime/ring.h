/*
 * All that threads share: bounded rings of bytes with one producer and one consumer, and wake-ups.
 * Items have any size and lie in the ring until the consumer releases them, in any order. C11
 * atomics; no lock.
 */
#ifndef SYNC_RUNTIME_RING_H
#define SYNC_RUNTIME_RING_H

#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

#include <stdatomic.h>

/* A wake-up: raised by any thread, waited for by one. Raising twice before a wait counts once. */
struct sync_wake {
    int fd;
    atomic_bool raised;
};

/*
 * Fails: RETRY memory_limit when the process has no descriptor left; ret_wake is then untouched.
 * Owns: sync_wake_done closes the descriptor.
 */
sync_status sync_wake_init(struct sync_wake *ret_wake, struct sync_error *err);
void sync_wake_done(struct sync_wake *wake);

/* Ends a wait, or the next one. Calls: any thread. Blocks: no. */
void sync_wake_raise(struct sync_wake *wake);

/* True when raised, false after timeout_ms; what was raised is taken back. Calls: one thread. */
bool sync_wake_wait(struct sync_wake *wake, int timeout_ms);

/* Descriptor for poll(2) together with a socket; readable when raised. Then call
 * sync_wake_wait(wake, 0). */
int sync_wake_descriptor(const struct sync_wake *wake);

struct sync_ring;

/*
 * A ring of bytes_max bytes and at most items_max items (0 = no limit of its own). filled is raised
 * when an item comes in, drained when room comes back; either may be NULL, both outlive the ring.
 * Fails: RETRY memory_limit.
 */
struct sync_ring_options {
    size_t bytes_max, items_max;
    struct sync_wake *filled, *drained;
};
sync_status sync_ring_new(const struct sync_ring_options *options, struct sync_ring **ret_ring,
                          struct sync_error *err);
/* After both threads have ended. */
void sync_ring_free(struct sync_ring **ring);

/*
 * Producer: memory for one item of size bytes, aligned for any type, not yet visible to the
 * consumer. A second reserve without commit replaces the first. Owns: the ring.  Blocks: no. Fails:
 * NULL when there is no room now; never room for more than half a ring.
 */
void *sync_ring_reserve(struct sync_ring *ring, size_t size);
/* Producer: makes the reserved item visible. */
void sync_ring_commit(struct sync_ring *ring);
/* Reserve, copy, commit; false when there is no room. */
bool sync_ring_put(struct sync_ring *ring, const void *data, size_t size);

/* Consumer: the oldest waiting item behind "after" (NULL = of all), or NULL. Taken items are passed
 * over. */
void *sync_ring_next(struct sync_ring *ring, const void *after, size_t *ret_size);
/* Consumer: hides an item from sync_ring_next, and shows it again. It stays in the ring. */
void sync_ring_take(struct sync_ring *ring, void *item);
void sync_ring_put_back(struct sync_ring *ring, void *item);
/* Consumer: gives the item's memory back, taken or not. */
void sync_ring_release(struct sync_ring *ring, void *item);

/* Bytes and items that are not yet released. Calls: either thread; a moment old. */
size_t sync_ring_bytes(const struct sync_ring *ring);
size_t sync_ring_items(const struct sync_ring *ring);

#endif
