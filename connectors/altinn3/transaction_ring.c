/* The contiguous finished prefix of a stream of transactions. */
#include "transaction_ring.h"

#include <altinn_sync/status.h>

static size_t index_of(const struct transaction_ring *ring, uint64_t number)
{
    SYNC_ASSERT(number >= ring->first && number < ring->next);
    return (size_t)(number % TRANSACTION_RING_MAX);
}

void transaction_ring_clear(struct transaction_ring *ring)
{
    ring->first = ring->next;
}

bool transaction_ring_is_full(const struct transaction_ring *ring)
{
    return ring->next - ring->first == TRANSACTION_RING_MAX;
}

bool transaction_ring_is_empty(const struct transaction_ring *ring)
{
    return ring->next == ring->first;
}

bool transaction_ring_is_open(const struct transaction_ring *ring)
{
    return ring->next != ring->first && !ring->items[index_of(ring, ring->next - 1)].committed;
}

uint64_t transaction_ring_begin(struct transaction_ring *ring)
{
    SYNC_ASSERT(!transaction_ring_is_full(ring) && !transaction_ring_is_open(ring));
    uint64_t number = ring->next++;
    size_t index = index_of(ring, number);
    ring->items[index].end_lsn = 0;
    ring->items[index].open = 0;
    ring->items[index].committed = false;
    return number;
}

void transaction_ring_hand(struct transaction_ring *ring, uint64_t number)
{
    ring->items[index_of(ring, number)].open++;
}

void transaction_ring_finish(struct transaction_ring *ring, uint64_t number)
{
    if (number < ring->first) {
        return;
    }
    size_t index = index_of(ring, number);
    SYNC_ASSERT(ring->items[index].open > 0);
    ring->items[index].open--;
}

void transaction_ring_commit(struct transaction_ring *ring, uint64_t end_lsn)
{
    SYNC_ASSERT(transaction_ring_is_open(ring));
    size_t index = index_of(ring, ring->next - 1);
    ring->items[index].end_lsn = end_lsn;
    ring->items[index].committed = true;
}

bool transaction_ring_advance(struct transaction_ring *ring, uint64_t *ret_end_lsn)
{
    bool moved = false;
    while (!transaction_ring_is_empty(ring)) {
        size_t index = index_of(ring, ring->first);
        if (!ring->items[index].committed || ring->items[index].open > 0) {
            break;
        }
        *ret_end_lsn = ring->items[index].end_lsn;
        ring->first++;
        moved = true;
    }
    return moved;
}
