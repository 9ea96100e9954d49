/*
 * Ownership of a partition: claim, gate, the owner row when a commit is in doubt.
 * Who owns a partition is said by the database alone, never by the group. Not here: what is read or
 * applied.
 */
#ifndef SYNC_RUNTIME_CLAIM_H
#define SYNC_RUNTIME_CLAIM_H
#include "digest.h"
#include "postgres.h"

/* Whose progress, in what. */
struct sync_place {
    const char *scope, *topic;
    int32_t partition;
};

/* The owner row. */
struct sync_owner {
    int64_t epoch, position;
    bool has_tail; /* digest of record position - 1 is known */
    struct sync_digest tail;
};

/*
 * Compares the cluster with what sync.topic knows, and tells it about a topic seen first or grown:
 * for partitions that it grew by, all scopes that read it get owner rows at 0. A transaction of its
 * own.
 * Fails: FATAL cluster (another cluster, fewer partitions); RETRY and others of the database.
 */
sync_status sync_claim_topic(struct sync_db *db, const char *topic, const char *cluster_id,
                             int32_t partitions, struct sync_error *err);

/* Whether the place has an owner row. Fails: classes of the database. */
sync_status sync_claim_exists(struct sync_db *db, const struct sync_place *place, bool *ret_exists,
                              struct sync_error *err);

/*
 * Claims: the next epoch. start counts once in the place's life. A transaction of its own.
 * Blocks: at most SYNC_DB_LOCK_CLAIM_MS for a holder that is not gone yet.
 * Fails: RETRY also when the commit is in doubt; a second claim only raises the epoch again.
 */
sync_status sync_claim_partition(struct sync_db *db, const struct sync_place *place, int64_t start,
                                 const char *holder, struct sync_owner *ret_owner,
                                 struct sync_error *err);

/* One step of a position, from first to behind last. */
struct sync_gate {
    int64_t epoch, first, last;
    struct sync_digest tail; /* of the last record */
    bool sparse;             /* the topic has holes: first may lie above the position */
};
/* First statement of every apply transaction. ret_passed false: roll back and read the owner row.
 */
sync_status sync_gate_pass(struct sync_db *db, const struct sync_place *place,
                           const struct sync_gate *gate, bool *ret_passed, struct sync_error *err);

/* First statement of a transaction that moves no position: shares the owner row with my epoch. */
sync_status sync_gate_share(struct sync_db *db, const struct sync_place *place, int64_t epoch,
                            bool *ret_mine, struct sync_error *err);

/* The owner row as it is; inside or outside a transaction. Fails: FATAL internal when there is
 * none. */
sync_status sync_owner_read(struct sync_db *db, const struct sync_place *place,
                            struct sync_owner *ret_owner, struct sync_error *err);

/*
 * In doubt: the owner row, once the old backend is gone. Its own commit waits for what the one in
 * doubt waited for, so an answer also means that a synchronous standby has it. A transaction of its
 * own. Blocks: at most SYNC_DB_LOCK_IN_DOUBT_MS + SYNC_DB_STATEMENT_IN_DOUBT_MS.
 */
sync_status sync_owner_settle(struct sync_db *db, const struct sync_place *place,
                              struct sync_owner *ret_owner, struct sync_error *err);
#endif
