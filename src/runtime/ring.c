/*
 * Rings of bytes between two threads, and wake-ups. Not here: what the items mean.
 *
 * Positions only grow; the place in memory is position modulo capacity. The producer alone moves
 * head, the consumer alone moves tail and, behind head, the states of items. An item never wraps:
 * what is left at the end of memory becomes a filler that the consumer passes over.
 */
#include "ring.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum item_state { ITEM_WAITING, ITEM_TAKEN, ITEM_RELEASED };

/* Stands before every item; as large as the alignment, so that a filler always has room for one. */
struct item {
    _Alignas(max_align_t) uint32_t step; /* bytes to the next header */
    uint32_t size;
    uint32_t state;
};

struct sync_ring {
    uint8_t *memory;
    size_t capacity, items_max;
    struct sync_wake *filled, *drained;
    size_t reserved;  /* producer: bytes that commit moves head by */
    size_t put_count; /* producer */
    atomic_size_t head, tail, released_count, committed_count;
};

sync_status sync_wake_init(struct sync_wake *ret_wake, struct sync_error *err)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT, "make a wake-up: %s",
                         strerror(errno));
    }
    ret_wake->fd = fd;
    atomic_init(&ret_wake->raised, false);
    return SYNC_OK;
}

void sync_wake_done(struct sync_wake *wake)
{
    if (wake->fd >= 0) {
        (void)close(wake->fd);
        wake->fd = -1;
    }
}

void sync_wake_raise(struct sync_wake *wake)
{
    if (atomic_exchange(&wake->raised, true)) {
        return; /* the waiter has not looked since: it will see our item as well */
    }
    uint64_t one = 1;
    ssize_t written = write(wake->fd, &one, sizeof one);
    SYNC_ASSERT(written == (ssize_t)sizeof one);
}

bool sync_wake_wait(struct sync_wake *wake, int timeout_ms)
{
    struct pollfd descriptor = {.fd = wake->fd, .events = POLLIN};
    if (poll(&descriptor, 1, timeout_ms) <= 0) {
        return false; /* also EINTR: the caller's loop turns */
    }
    uint64_t count;
    ssize_t got = read(wake->fd, &count, sizeof count);
    (void)atomic_exchange(&wake->raised, false);
    return got == (ssize_t)sizeof count;
}

int sync_wake_descriptor(const struct sync_wake *wake)
{
    return wake->fd;
}

static size_t round_up(size_t size)
{
    return (size + sizeof(struct item) - 1) / sizeof(struct item) * sizeof(struct item);
}

sync_status sync_ring_new(const struct sync_ring_options *options, struct sync_ring **ret_ring,
                          struct sync_error *err)
{
    size_t capacity = round_up(options->bytes_max);
    SYNC_ASSERT(capacity >= 4 * sizeof(struct item) && capacity < UINT32_MAX);
    struct sync_ring *ring = calloc(1, sizeof *ring);
    uint8_t *memory = aligned_alloc(_Alignof(struct item), capacity);
    if (ring == NULL || memory == NULL) {
        free(ring);
        free(memory);
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "make a ring of %zu bytes: no memory", capacity);
    }
    ring->memory = memory;
    ring->capacity = capacity;
    ring->items_max = options->items_max == 0 ? SIZE_MAX : options->items_max;
    ring->filled = options->filled;
    ring->drained = options->drained;
    *ret_ring = ring;
    return SYNC_OK;
}

void sync_ring_free(struct sync_ring **ring)
{
    if (*ring != NULL) {
        free((*ring)->memory);
        free(*ring);
        *ring = NULL;
    }
}

static struct item *item_at(const struct sync_ring *ring, size_t position)
{
    return (struct item *)(void *)(ring->memory + position % ring->capacity);
}

static struct item *header_of(const struct sync_ring *ring, const void *data)
{
    const uint8_t *bytes = data;
    SYNC_ASSERT(bytes > ring->memory && bytes < ring->memory + ring->capacity);
    return (struct item *)(void *)(ring->memory + (bytes - ring->memory)) - 1;
}

void *sync_ring_reserve(struct sync_ring *ring, size_t size)
{
    size_t need = sizeof(struct item) + round_up(size);
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    size_t open =
        ring->put_count - atomic_load_explicit(&ring->released_count, memory_order_relaxed);
    size_t left = ring->capacity - head % ring->capacity;
    size_t filler = left < need ? left : 0;
    ring->reserved = 0;
    if (size > ring->capacity / 2 || open >= ring->items_max ||
        filler + need > ring->capacity - (head - tail)) {
        return NULL;
    }
    if (filler > 0) {
        *item_at(ring, head) = (struct item){(uint32_t)filler, 0, ITEM_RELEASED};
    }
    struct item *item = item_at(ring, head + filler);
    *item = (struct item){(uint32_t)need, (uint32_t)size, ITEM_WAITING};
    ring->reserved = filler + need;
    return item + 1;
}

void sync_ring_commit(struct sync_ring *ring)
{
    SYNC_ASSERT(ring->reserved > 0);
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    ring->put_count++;
    atomic_store_explicit(&ring->committed_count, ring->put_count, memory_order_relaxed);
    atomic_store_explicit(&ring->head, head + ring->reserved, memory_order_release);
    ring->reserved = 0;
    if (ring->filled != NULL) {
        sync_wake_raise(ring->filled);
    }
}

bool sync_ring_put(struct sync_ring *ring, const void *data, size_t size)
{
    void *memory = sync_ring_reserve(ring, size);
    if (memory == NULL) {
        return false;
    }
    memcpy(memory, data, size);
    sync_ring_commit(ring);
    return true;
}

/* Position of an item: the one place between tail and head that lies at its address. */
static size_t position_of(const struct sync_ring *ring, const struct item *item, size_t tail)
{
    size_t place = (size_t)((const uint8_t *)item - ring->memory);
    return tail + (place + ring->capacity - tail % ring->capacity) % ring->capacity;
}

void *sync_ring_next(struct sync_ring *ring, const void *after, size_t *ret_size)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    size_t position = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (after != NULL) {
        const struct item *last = header_of(ring, after);
        position = position_of(ring, last, position) + last->step;
    }
    while (position != head) {
        struct item *item = item_at(ring, position);
        if (item->state == ITEM_WAITING) {
            *ret_size = item->size;
            return item + 1;
        }
        position += item->step;
    }
    return NULL;
}

void sync_ring_take(struct sync_ring *ring, void *item)
{
    struct item *header = header_of(ring, item);
    SYNC_ASSERT(header->state == ITEM_WAITING);
    header->state = ITEM_TAKEN;
}

void sync_ring_put_back(struct sync_ring *ring, void *item)
{
    struct item *header = header_of(ring, item);
    SYNC_ASSERT(header->state == ITEM_TAKEN);
    header->state = ITEM_WAITING;
}

void sync_ring_release(struct sync_ring *ring, void *item)
{
    struct item *header = header_of(ring, item);
    SYNC_ASSERT(header->state != ITEM_RELEASED);
    header->state = ITEM_RELEASED;
    size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t before = tail;
    while (tail != head && item_at(ring, tail)->state == ITEM_RELEASED) {
        tail += item_at(ring, tail)->step;
    }
    (void)atomic_fetch_add_explicit(&ring->released_count, 1, memory_order_relaxed);
    if (tail != before) {
        atomic_store_explicit(&ring->tail, tail, memory_order_release);
        if (ring->drained != NULL) {
            sync_wake_raise(ring->drained);
        }
    }
}

size_t sync_ring_bytes(const struct sync_ring *ring)
{
    size_t tail = atomic_load_explicit(&ring->tail,
                                       memory_order_acquire); /* first: head is never behind it */
    return atomic_load_explicit(&ring->head, memory_order_acquire) - tail;
}

size_t sync_ring_items(const struct sync_ring *ring)
{
    size_t released = atomic_load_explicit(&ring->released_count, memory_order_acquire);
    return atomic_load_explicit(&ring->committed_count, memory_order_acquire) - released;
}
