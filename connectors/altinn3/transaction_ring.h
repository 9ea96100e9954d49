/*
 * Which transactions of the source are finished: records handed to the producer are counted per
 * transaction, and the position moves only over the contiguous prefix of committed transactions
 * without open records. Pure; one thread. Not here: producing, telling the server.
 */
#ifndef SYNC_CONNECTORS_ALTINN3_TRANSACTION_RING_H
#define SYNC_CONNECTORS_ALTINN3_TRANSACTION_RING_H

#include <altinn_sync/types.h>

#define TRANSACTION_RING_MAX 16384 /* read, but not yet delivered; then reading waits */

struct transaction_ring {
    struct {
        uint64_t end_lsn;
        uint32_t open; /* records handed over or waiting for an id, without delivery report */
        bool committed;
    } items[TRANSACTION_RING_MAX];
    uint64_t first, next; /* numbers of transactions; first … next - 1 are in the ring */
};

/*
 * Empties it, before first use on zeroed memory and after a reconnect, when the server sends again
 * from the confirmed prefix. Numbers are never used again, so that late reports of dropped
 * transactions are told apart.
 */
void transaction_ring_clear(struct transaction_ring *ring);
bool transaction_ring_is_full(const struct transaction_ring *ring);
bool transaction_ring_is_empty(const struct transaction_ring *ring);
/* True between begin and commit of the newest transaction. */
bool transaction_ring_is_open(const struct transaction_ring *ring);
/* Puts a new transaction behind the others and returns its number; the ring must not be full. */
uint64_t transaction_ring_begin(struct transaction_ring *ring);
/* One more record of the newest transaction is under way. */
void transaction_ring_hand(struct transaction_ring *ring, uint64_t number);
/* One record is stored or was dropped; ignored for a transaction that is not in the ring any more.
 */
void transaction_ring_finish(struct transaction_ring *ring, uint64_t number);
/* The newest transaction is complete; its successor may begin at end_lsn. */
void transaction_ring_commit(struct transaction_ring *ring, uint64_t end_lsn);
/* Takes the finished prefix out; true and its end when there was one. */
bool transaction_ring_advance(struct transaction_ring *ring, uint64_t *ret_end_lsn);

#endif
