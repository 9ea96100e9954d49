/*
 * What the files of the correspondence store share: the message of a batch and the keys of its
 * records. Not here: rules (processors/) and the sender's questions (correspondence_lane.c).
 */
#ifndef SYNC_ALTINN3_CORRESPONDENCE_STORE_H
#define SYNC_ALTINN3_CORRESPONDENCE_STORE_H
#include "../../src/runtime/store.h"
#include <altinn_sync/correspondence_status.h>

/*
 * What settle saw of a record, without a lock. version grows with every stored fact: where it is
 * still the same under the lock, a key that was not known then is not known now, and is not asked
 * for again.
 */
struct message_sight {
    bool asked;  /* settle looked this record up */
    bool exists; /* there is an entity row */
    bool known;  /* the fact was there */
    int64_t version;
};

extern const struct sync_right message_rights[]; /* what this store must be allowed to */

/* One entity of a batch. The state comes first: the runtime and the rules see only that. */
struct message {
    struct status_state state;
    struct status_state before; /* the same as it was locked */
    struct sync_entity *entity;
    size_t key_first, key_count; /* its slice of the batch's keys */
    size_t fact_count;           /* stored facts beyond the keys, when all are read */
    size_t row_count;            /* rows of Altinn 3 that are imported */
    bool touched;    /* rows of Altinn 3 will be written: its row there gets a share lock */
    bool asked;      /* only asked in Altinn 3, without a lock */
    bool found;      /* Altinn 3 has its row */
    bool key_there;  /* its purge key was taken before we wanted it */
    bool flipped;    /* CS-102: visible in Altinn 3, not yet here */
    bool import_all; /* all rows of Altinn 3 and all stored facts are read */
};

/* One distinct key (kind, party, second) that undecided records of a message name. */
struct message_key {
    struct message *message;
    const struct status_change
        *change; /* of the first record with the key, in the order of the fold */
    size_t order;
    int32_t kind;
    struct sync_uuid party;
    int64_t second;
    bool to_altinn3; /* some record with it could write to Altinn 3: born in Altinn 2 and no echo */
    bool to_altinn2;
    bool no_origin;
    bool fresh; /* settle did not find it, and nothing was stored since */
    /* answers of the look-ups */
    bool known, in_a2, in_a3, refused, a3_row;
    int64_t echo_until_us;
};

/* One row of Altinn 3's history, and one stored fact, with the message they belong to. */
struct message_row {
    struct message *message;
    struct status_row row;
};
struct message_fact {
    struct message *message;
    struct status_fact fact;
};

/* Messages and keys of one batch, while load runs. */
struct message_batch {
    struct sync_db *db;
    struct sync_batch *batch;
    struct message **messages; /* ascending A2 id */
    size_t message_count;
    struct message_key *keys; /* ascending message, kind, party, second */
    size_t key_count;
    struct message_row *rows; /* of Altinn 3, by message, then time */
    size_t row_count;
    struct message_fact *facts; /* stored ones of the messages that read all */
    size_t fact_count;
    struct sync_effects *spare; /* memory for the effects of the next message that has some */
};

/* Fails: RETRY memory_limit. Makes the text say what the memory was for. */
sync_status message_memory_full(const char *what, struct sync_error *err);

/* Messages of the batch in ascending A2 id, in its arena. Fails: RETRY memory_limit. */
sync_status message_list(const struct sync_batch *batch, struct message ***ret_messages,
                         struct sync_error *err);

/* The key's number, or 0 when the text is no A2 id. */
int32_t message_id_of(const struct sync_key *key);

/* Id of a row that we write: UUIDv5(namespace, "altinn-sync/row/<table>/<key>"). */
struct sync_uuid message_row_id(const struct sync_uuid *namespace_id, const char *table,
                                const char *key);

/*
 * Makes placeholders for ids that are not there and locks all rows, ids ascending; both are what
 * orders consumers, senders and the loader. Fails: class of the statement.
 */
sync_status message_lock_rows(struct sync_db *db, struct sync_arena *arena, const int32_t *ids,
                              size_t count, struct sync_error *err);

/* Steps of the store contract; each in a file of its own. */
sync_status message_settle(struct sync_db *db, struct sync_batch *batch, struct sync_error *err);
sync_status message_lock(struct sync_db *db, struct sync_batch *batch, struct sync_error *err);
sync_status message_load(struct sync_db *db, struct sync_batch *batch, struct sync_error *err);
sync_status message_write(struct sync_db *db, struct sync_batch *batch, struct sync_error *err);

/* Asks Altinn 3 and the common tables about the messages and keys of a batch; part of message_load.
 */
sync_status message_ask(struct message_batch *all, struct sync_error *err);
/* Gives each state its facts and imports the rows that Altinn 3 has and we do not; part of
 * message_load. */
sync_status message_fill(struct message_batch *all, struct sync_error *err);
/* Attachments of the messages that were purged now: states and effects; part of message_write. */
sync_status message_purge_attachments(struct sync_db *db, struct sync_batch *batch,
                                      struct message **messages, size_t count,
                                      struct sync_error *err);
#endif
