/*
 * Policy documents: which actions a row of Altinn 3 stands for. The table store keeps them in
 * sync.policy_document, in the transaction that writes the rows, as Altinn 3's own stand there. A
 * store that is no part of the transaction fits behind the same two questions: put queues its
 * intent in the outbox and says later, and the row is pointed at the document by a second
 * transaction, under the version of the key. Not here: which rows there are.
 */
#ifndef CONNECTORS_ALTINN3_DELEGATION_POLICY_H
#define CONNECTORS_ALTINN3_DELEGATION_POLICY_H
#include "delegation_store.h"

struct deleg_policy {
    const struct deleg_slot *slot; /* whose whole set is written */
    struct sync_bytes path, version, instance;
    struct sync_bytes actions; /* text of a sorted array */
};

struct deleg_policy_store {
    const char *name;
    bool later; /* the document is not there when the transaction ends */
    /*
     * Stores documents of which path and actions are set, and sets their versions: higher ones of a
     * key come later, equal ones are the same document. Adds to asks.
     * Fails: RETRY memory_limit.
     */
    sync_status (*put)(struct deleg_batch *all, struct deleg_policy *documents, size_t count,
                       struct deleg_asks *asks, struct sync_error *err);
    /*
     * Actions of documents, as texts of arrays in the arena; data NULL = there is no such document.
     * Fails: class of the statement.
     */
    sync_status (*get)(struct deleg_batch *all, const struct sync_bytes *paths,
                       const struct sync_bytes *versions, size_t count,
                       struct sync_array *ret_actions, struct sync_error *err);
};

extern const struct deleg_policy_store deleg_policy_table;

/* Where the document of a key stands: its resource, its instance, and the two parties. data NULL:
 * the arena is full. */
struct sync_bytes deleg_policy_path(struct sync_arena *arena, const struct delegation_key *key);
#endif
