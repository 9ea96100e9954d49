/*
 * What the files of the delegation store share: the batch as the store sees it, its givers, the
 * answers about the world, and the locked keys. Not here: rules (processors/delegation.c).
 */
#ifndef CONNECTORS_ALTINN3_DELEGATION_STORE_H
#define CONNECTORS_ALTINN3_DELEGATION_STORE_H

#include "../../src/runtime/postgres_array.h"
#include "../../src/runtime/store.h"

#include <altinn_sync/delegation.h>

/* Numbers of a source in our tables: those of enum sync_system. */
#define DELEG_SOURCE_OFFSET   2 /* DELEGATION_A2 is stored as 2, DELEGATION_A3 as 3 */
#define DELEG_SYS             9

#define DELEG_SWEEP_KEYS      500 /* keys of one chunk: bounds its transaction */
#define DELEG_LEDGER_DAYS     35
#define DELEG_SCOPE_ID        256 /* text of a scope, with its NUL */
#define DELEG_CAPTURE_ALTINN3 "altinn3-delegation"
#define DELEG_ABSENT          "absent" /* kind of a row of sync.pending: an order of DL-97 */

extern const struct sync_right deleg_rights[];
extern const struct sync_drift deleg_drift[];
extern const struct sync_statement deleg_absent_list, deleg_absent_release; /* DL-97 */

/* What open reads; constant while the process runs. */
struct deleg_context {
    struct delegation_tables *tables;
    struct sync_uuid identity; /* the writing system of our rows in Altinn 3 */
};

/* Everything of one giving party: Kafka keys that name it by uuid, number and old uuid share one.
 * All facts above both sides of a batch share one without an id. */
struct deleg_giver {
    struct delegation_state state; /* first: the rules and the runtime see only that */
    struct sync_uuid id;           /* zero: nobody, or a number that nobody has */
    size_t case_count, slot_count;
    int64_t *key_ids;  /* of the keys of the state */
    size_t name_count; /* room for parties */
    bool grown;        /* there is room for what its unnamed keys need */
};

/* One record that is not decided yet, released or consumed, in the order of the fold. */
struct deleg_case {
    struct sync_record *record;
    const struct delegation_change *change;
    struct deleg_giver *giver;
};

/* A party as the database has it, and who it has become. */
struct deleg_party {
    struct delegation_party party;
    struct sync_uuid variant; /* dbo.entityvariant */
    bool merged;
    struct sync_uuid alias;
};

/* Answers to what the records of a batch name. */
struct deleg_answers {
    struct deleg_party *parties; /* ascending uuid */
    size_t party_count;
    struct deleg_party **by_party_id, **by_user_id; /* ascending number, those that have one */
    size_t by_party_id_count, by_user_id_count;
    struct delegation_alias *aliases; /* ascending old uuid */
    size_t alias_count;
    struct delegation_resource *resources; /* ascending id */
    size_t resource_count;
    bool identity_known; /* the writing system is an entity of Altinn 3 */
};

/* Why a key cannot be projected now (sync.pending). */
struct deleg_missing {
    struct deleg_missing *next;
    const char *kind; /* static */
    struct sync_bytes id;
};

/* What the row of a key in Altinn 3 hangs on; zero = not there. */
struct deleg_place {
    struct sync_uuid role;     /* container role, or the role itself */
    struct sync_uuid target;   /* row of the resource or package */
    struct sync_uuid relation; /* client: assignment of client and firm … */
    struct sync_uuid role_package;
    bool schema; /* the resource is a MaskinportenSchema */
};

/* The chunk of a sweep: which keys, and why. */
enum deleg_task { DELEG_NO_TASK, DELEG_MERGE, DELEG_SCOPE, DELEG_RESOURCE, DELEG_PENDING };
struct deleg_chunk {
    enum deleg_task task;
    struct sync_uuid old_id, new_id; /* MERGE */
    enum delegation_scope_kind scope_kind;
    struct sync_bytes id; /* SCOPE: scope_id; RESOURCE: its id */
    struct sync_bytes stream;
    int64_t seq, cut_us;
    int64_t began;  /* the cursor as it was … */
    int64_t cursor; /* … and as it is to be */
    int pass;       /* 1 or 2 */
    bool ended;     /* the pass is through */
    int64_t *key_ids;
    size_t count;
};

/* Beside each locked key of a giver's state: its row. */
struct deleg_slot {
    int64_t key_id;
    struct deleg_giver *giver;
    size_t index; /* of the key in the state */
    /* the row in Altinn 3 as it was last seen */
    bool has_row, has_row_id;
    struct sync_uuid row_id;
    int64_t row_valid_us;
    struct deleg_place place;
    struct deleg_missing *missing;  /* now */
    struct deleg_missing *recorded; /* in sync.pending */
    bool due;                       /* sweep: to be settled … */
    struct delegation_cause cause;  /* … for this reason */
    struct deleg_slot *into;        /* merge: the key of the same parts under the new uuid */
    bool a3_known;                  /* its row was written, or found as it is to be */
    bool a3_changed;                /* its row was written, or reported by a born event */
    bool a2_shows;                  /* our write added only what Altinn 2 shows itself (DL-109) */
    bool ours_only;                 /* a merged key: only what we wrote is removed */
    int64_t a3_event_pos;         /* what must be decided before its row is written; 0 = nothing */
    size_t right_room, ref_room;  /* what the records of the batch may add */
    size_t ref_count, mark_count; /* rows that were loaded */
};

struct deleg_batch {
    struct sync_db *db;
    struct sync_batch *batch;
    const struct deleg_context *context;
    bool sys;                    /* the topic of facts above both sides */
    struct deleg_giver **givers; /* ascending id, as far as given_count says */
    size_t giver_count, giver_capacity;
    struct deleg_case *cases;
    size_t case_count;
    struct deleg_answers answers;
    struct deleg_slot *slots; /* ascending key_id */
    size_t slot_count;
    int64_t *key_ids;             /* of the slots */
    struct sync_effects *effects; /* where the next effect of the store goes */
    void *writes;                 /* rows of Altinn 3 (delegation_project.h) */
    struct deleg_chunk *chunk;    /* of a sweep; NULL = none */
    bool one_giver;               /* merge: all keys in one state */
};

/* Fails: RETRY memory_limit. Makes the text say what the memory was for. */
sync_status deleg_memory_full(const char *what, struct sync_error *err);

/* Statements of one round trip. */
struct deleg_ask {
    const struct sync_statement *statement;
    struct sync_params params;
    /* Reads the rows; NULL = they are not wanted. */
    sync_status (*read)(struct deleg_batch *all, const struct sync_result *result,
                        struct sync_error *err);
};
struct deleg_asks {
    struct deleg_ask items[SYNC_PIPELINE_CALLS_MAX];
    size_t count;
};
sync_status deleg_asks_new(const struct deleg_batch *all, struct deleg_asks **ret_asks,
                           struct sync_error *err);
/* The next one, without parameters yet. There is room for SYNC_PIPELINE_CALLS_MAX. */
struct sync_params *deleg_ask(const struct deleg_batch *all, struct deleg_asks *asks,
                              const struct sync_statement *statement,
                              sync_status (*read)(struct deleg_batch *all,
                                                  const struct sync_result *result,
                                                  struct sync_error *err));
/* Runs them and reads their rows, in order. Fails: class of the statement, or what read says. */
sync_status deleg_asks_run(struct deleg_batch *all, struct deleg_asks *asks,
                           struct sync_error *err);

/* Kafka keys of a partition for which a record waits whose id is known by now (struct sync_store).
 */
extern const struct sync_statement deleg_adoptable;
/* Which ids that the named entities wait for are known by now. Fails: class of the statement. */
sync_status deleg_find_arrived(struct deleg_batch *all, struct sync_error *err);

/* Gives each entity of the batch the state of its giver. Fails: class of the statement. */
sync_status deleg_find_givers(struct deleg_batch *all, struct sync_error *err);

/* Giver of a uuid, made when it is not there. NULL: the arena is full. */
struct deleg_giver *deleg_giver_of(struct deleg_batch *all, const struct sync_uuid *id);

static inline struct delegation_key *deleg_key(const struct deleg_slot *slot)
{
    return &slot->giver->state.keys[slot->index];
}

/* Row of a key of a giver's state. */
static inline int64_t deleg_key_id(const struct deleg_giver *giver, size_t index)
{
    return giver->key_ids[index];
}

/* Slot of a key id, or NULL. */
struct deleg_slot *deleg_slot_find(const struct deleg_batch *all, int64_t key_id);

/* Index of a right of a key, added where there is room; -2 = there is none. */
int deleg_right_of(struct delegation_key *key, struct sync_bytes right);
/* Name of a right of a key; "*" of DELEGATION_EVERY. */
struct sync_bytes deleg_right_name(const struct delegation_key *key, int right);
/* A set as the text of a sorted array. data NULL: the arena is full. */
struct sync_bytes deleg_set_text(struct sync_arena *arena, const struct delegation_key *key,
                                 uint64_t set);
/* Bits of an array of rights; those without room are left out. */
uint64_t deleg_set_read(struct delegation_key *key, struct sync_array array);

/* UUIDv5 of a natural key. */
struct sync_uuid deleg_key_uuid(const struct delegation_key_name *name);

/* Room for the effects of one more key, in a list that the runtime takes. NULL: arena full. */
struct sync_effects *deleg_effects(struct deleg_batch *all);

/* Steps of load, in this order; each in a file of its own. */

/* The undecided records of the batch, with their givers. */
sync_status deleg_cases(struct deleg_batch *all, struct sync_error *err);
/* What the records name: parties, aliases, resources; gives each giver its part. */
sync_status deleg_ask_names(struct deleg_batch *all, struct sync_error *err);
/* The same for keys that no record of the giver names. */
sync_status deleg_ask_keys(struct deleg_batch *all, struct sync_error *err);
/* Makes and locks the keys that the records touch, and those that hang together with them. */
sync_status deleg_lock_keys(struct deleg_batch *all, struct sync_error *err);
/* Rows of the facts above both sides that the records of the batch may move (SYS). */
sync_status deleg_read_scopes(struct deleg_batch *all, struct sync_error *err);
/* Refs, marks, scopes and what the projection hangs on, of the locked keys. */
sync_status deleg_read_keys(struct deleg_batch *all, struct sync_error *err);
/* DL-56: who else gives an instance; ret_moved: an answer is another one than before. */
sync_status deleg_rivals(struct deleg_batch *all, bool *ret_moved, struct sync_error *err);

/* Ledger and positions. */
sync_status deleg_settle(struct sync_db *db, struct sync_batch *batch, struct sync_error *err);
/* Gives each giver the identities of its records. */
sync_status deleg_seen(struct deleg_batch *all, struct sync_error *err);
/* Adds ledger, stream positions and counts of exports. */
sync_status deleg_write_ledger(struct deleg_batch *all, struct deleg_asks *asks,
                               struct sync_error *err);
/* Notes grants that a freeze of their resource ignores (DL-27). */
sync_status deleg_write_frozen(struct deleg_batch *all, struct deleg_asks *asks,
                               struct sync_error *err);

/* Steps of store. */
/* Refs, marks and history. */
sync_status deleg_write_rows(struct deleg_batch *all, struct deleg_asks *asks,
                             struct sync_error *err);
/* Scopes and aliases (SYS). */
sync_status deleg_write_scopes(struct deleg_batch *all, struct deleg_asks *asks,
                               struct sync_error *err);
/* Rows of keys, and what waits. */
sync_status deleg_write_keys(struct deleg_batch *all, struct deleg_asks *asks,
                             struct sync_error *err);
/* Altinn 3's rows (10.1). */
sync_status deleg_project(struct deleg_batch *all, struct sync_error *err);
/* Calls that make Altinn 2 drop what it has cached (DL-91). */
sync_status deleg_clear_cache(struct deleg_batch *all, struct sync_error *err);

/* Sweeps. */
sync_status deleg_due(struct sync_db *db, const struct sync_place *place, struct sync_arena *arena,
                      bool *ret_due, struct sync_error *err);
/* Loads one chunk, and settles its keys. */
sync_status deleg_sweep(struct deleg_batch *all, struct sync_error *err);
/* Revokes what an export lacks, where an operator has ordered it (DL-97); before the key is
 * settled. Fails: as the fold. */
sync_status deleg_revoke_absent(struct deleg_batch *all, struct deleg_slot *slot,
                                struct sync_effects *effects, struct sync_error *err);
/* Keys of the old party move to those of the new one (DL-45); part of deleg_sweep. */
sync_status deleg_merge(struct deleg_batch *all, struct sync_error *err);
/* Removes what moved away from a merged key. */
sync_status deleg_merge_end(struct deleg_batch *all, struct deleg_asks *asks,
                            struct sync_error *err);
/* Makes keys that are missing, and locks them with others, by ids. */
sync_status deleg_lock_names(struct deleg_batch *all, const struct delegation_key_name *names,
                             size_t name_count, const int64_t *key_ids, size_t id_count,
                             struct sync_error *err);
/* Moves the cursors of what was swept. */
sync_status deleg_sweep_end(struct deleg_batch *all, struct deleg_asks *asks,
                            struct sync_error *err);
#endif
