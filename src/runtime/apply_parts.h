/*
 * What the files of "apply" share while one batch is decided and written. All of it lies in the
 * batch arena. Internal: only apply*.c include it.
 */
#ifndef SYNC_RUNTIME_APPLY_PARTS_H
#define SYNC_RUNTIME_APPLY_PARTS_H
#include "apply.h"

/* Numbers of sync.outbox.state. */
enum outbox_state {
    OUTBOX_WAITING = 0,
    OUTBOX_SKIPPED = 3,
    OUTBOX_CLOSED = 5,
    OUTBOX_NO_ROUTE = 6,
};

/* One effect that was decided, in the order of deciding. */
struct apply_effect {
    struct apply_effect *next;
    struct apply_effect *before;      /* the one before it in the same slot of last_of */
    const struct sync_record *record; /* NULL: of an entity, not of one record */
    const char *key;                  /* of its lane, and of its partition */
    const char *partition_key;
    struct sync_effect effect;
    struct sync_uuid id;
    enum outbox_state state;
    bool dropped;                  /* no row: another one of this batch stands for it */
    const struct sync_route *lane; /* NULL = no route sends it */
    int32_t partition;
};

/* One row of sync.outcome_count that moves. */
struct apply_count {
    const char *scope, *topic;
    int32_t partition;
    int16_t outcome;
    int64_t n;
};

struct apply {
    struct sync_applier *applier;
    struct sync_batch *batch;
    uint32_t *slots; /* hash of keys -> index of an entity + 1 */
    size_t slot_count;
    struct apply_effect **last_of; /* slot_count slots, by hash of lane keys: the newest effect */
    struct apply_effect *first_effect, *last_effect;
    size_t effect_count;
    struct apply_count *counts;
    size_t count_rows;
    size_t lane_effects;
};

/* Hash of a key. */
size_t apply_hash(const char *text, size_t size);

/* Entity of a key, or NULL. */
struct sync_entity *apply_entity_find(const struct apply *apply, const struct sync_key *key);

/* Fails: RETRY memory_limit; the batch is then tried with fewer records. */
sync_status apply_full(struct sync_error *err);

/* Parks a record that the runtime itself refuses, under the processor's rule for unreadable
 * records. */
void apply_park(const struct sync_applier *applier, struct sync_record *record);

/* Decodes a record's value and fills change; parks the record when that fails. False: arena full.
 */
bool apply_decode(struct sync_applier *applier, struct sync_batch *batch,
                  struct sync_record *record);

/*
 * Takes what is held, or parked only for a limit of holding, for adopted and excluded entities out
 * of its tables into batch->released, by topic, then offset.
 */
sync_status apply_release(struct apply *apply, struct sync_error *err);

/* Numbers the entities anew; the store may have brought them into its lock order. */
sync_status apply_index(struct apply *apply, struct sync_error *err);

/* Moves effects into the list and empties them. */
sync_status apply_effects_take(struct apply *apply, const struct sync_record *record,
                               const struct sync_key *entity, struct sync_effects *effects,
                               struct sync_error *err);

/* Gives every effect its id, its lane and its state. */
void apply_effects_settle(struct apply *apply);

/* Outbox, hold, parked, decisions and, last, counts, in one round trip. */
sync_status apply_write(struct apply *apply, struct sync_error *err);

/* The calls on sync.outbox; adds at most three to calls. ret_insert: index of the one that returns
 * states. */
struct sync_call;
sync_status apply_outbox_calls(struct apply *apply, struct sync_call *calls, size_t *count,
                               size_t *ret_insert, struct sync_error *err);

#endif
