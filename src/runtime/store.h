/*
 * The contract between the runtime and an entity's store (connectors/altinn3/<entity>_store.c):
 * set-based SQL over arrays, inside a transaction that the runtime opens and ends. A store decides
 * nothing: rules stand in processors/.
 */
#ifndef SYNC_RUNTIME_STORE_H
#define SYNC_RUNTIME_STORE_H
#include "../core/arena.h"
#include "postgres.h"
#include "rights.h"
#include <altinn_sync/processor.h>

/* One record of a batch: consumed now, or released from hold or park. Lives in the batch arena. */
struct sync_record {
    const char *scope, *topic; /* where it counts: for released records those of their hold row */
    const struct sync_route *route;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct sync_bytes key, value;
    struct sync_context context;
    void *change;                        /* decoded; NULL = did not decode */
    struct sync_key entity;              /* size 0 = none */
    bool decided;                        /* fold is final: parked or ended at intake, or settled */
    bool settled;                        /* known and nothing left to set: no lock was taken */
    bool released_held, released_parked; /* came out of sync.hold / sync.parked */
    int64_t held_since_us; /* released_held: since when, kept if it is held again; else 0 */
    void *state; /* the entity's state, set by load; shared by all records of the entity */
    struct sync_fold fold;
    struct sync_effects *effects; /* NULL = none */
    struct sync_error error;      /* parked: code, field, text */
};

/* One entity that the batch touches. */
struct sync_entity {
    struct sync_key key;
    void *state;
    bool named;    /* by the caller, for what waits for it: adoption, load */
    bool mapped;   /* set by lock: nothing more is held for it, but a release may have left some */
    bool adopted;  /* its mapping came into being in this transaction: release what is held */
    bool excluded; /* became EXCLUDED: what is held becomes stale */
    struct sync_effects *effects; /* of adoption, import, flip: not of one record */
};

/* An id that records wait for, as in sync.hold. */
struct sync_missing {
    const char *kind; /* in the batch arena, or static */
    struct sync_bytes id;
};

/* Rows of sync.parked that are released as held ones are; the words of the index parked_by_place,
 * with the codes of SYNC_CODE_HELD_TOO_LONG and SYNC_CODE_HELD_TOO_MANY. */
#define SYNC_PARKED_BY_LIMIT(row)                                                                  \
    row ".state = 0 AND " row ".code IN ('held_too_long', 'held_too_many') AND NOT " row           \
        ".sealed AND " row ".record IS NOT NULL"

/* An effect that a batch lets wait in the lane of its target. */
struct sync_lane_hint {
    const char *target;
    int32_t partition;
    struct sync_bytes key;
    bool due; /* at once */
};

struct sync_batch {
    const struct sync_processor *processor;
    const struct sync_route *route; /* of the consumer; for load the route whose rows it writes */
    const char *scope, *topic;
    int32_t partition;
    struct sync_arena *arena;
    int64_t now_us;              /* the server's time of this transaction */
    bool bridge_closed;          /* sync.target says altinn2 is closed */
    struct sync_record *records; /* consumed, in offset order */
    size_t record_count;
    struct sync_record
        *released; /* ordered by topic, then offset; folded before the consumed ones */
    size_t released_count;
    size_t release_max;           /* of one entity alone; 0 = SYNC_RELEASE_ROWS_MAX */
    struct sync_entity *entities; /* distinct, ascending in the store's lock order */
    size_t entity_count;
    /* Set by lock for the entities that are named: what they wait for and is there now. Only that
     * is released of them. NULL = all that waits. */
    const struct sync_missing *arrived;
    size_t arrived_count;
    bool facts_only; /* no write to tables of Altinn 3 is needed: set by the store, for counters */
    int64_t rows_written; /* counter, filled by store */
    int64_t orphan_keys;  /* counter, filled by load: keys that an aborted act left in the target */
    void *store_data; /* what the store keeps from one of its steps to the next; NULL at first */
    const void *store_context; /* what open gave; NULL = nothing */
    bool sweep; /* no records: one chunk of the store's own work, for an entity without a key */
    bool more;  /* set by the store: another chunk is due at once */
    struct sync_lane_hint *hints; /* once written: for the senders, when it is committed */
    size_t hint_count;
};

struct sync_config; /* config.h */
struct sync_place;  /* claim.h: one partition of one consumer */

/*
 * One class of rows that a person should look at: what was decided, and a side does not show.
 * Consumers count them (drift_records), "drift list" prints them. Classes that two sides share
 * stand once for each.
 */
struct sync_drift {
    const char *class; /* a word: label, and argument of the verbs */
    const char *rule;
    enum sync_system to; /* the side that lacks something */
    const char *sentence;
    const struct sync_statement *count; /* one number; NULL = too dear for every minute: listed only
                                         */
    /* $1 rows at most, oldest first: uuid, since when (null: not known), name, what */
    const struct sync_statement *list;
    /* $1 uuid[]: lets those go on, in the caller's transaction; returns the uuids of those that
     * did. NULL = there is nothing to release. */
    const struct sync_statement *release;
    const char *question; /* asked before a release: what it does */
};

struct sync_store {
    const char *name;
    const struct sync_right
        *rights; /* beyond the common ones; ended by a NULL schema; NULL = none */
    /* Query without parameters: what is known of every entity, without ids and times of our own
     * making. Two databases in which the same records were decided give the same rows. */
    const char *digest;
    /*
     * Once per process: what the store needs besides the database. NULL = nothing.
     * Owns: the caller, until close.  Blocks: for the file system.  Fails: FATAL file or config.
     */
    sync_status (*open)(const struct sync_config *config, void **ret_context,
                        struct sync_error *err);
    void (*close)(void **context);
    /*
     * Looks up, without a lock, which undecided records are settled: known and nothing left to set.
     * Sets decided, settled and the fold (duplicate, rule). NULL = nothing is known without a lock.
     */
    sync_status (*settle)(struct sync_db *db, struct sync_batch *batch, struct sync_error *err);
    /*
     * Inserts placeholders, locks the entity rows in ascending order, then reads them into states
     * in later statements; adopts mappings made elsewhere (sets entity->adopted). batch->entities
     * holds distinct keys when called; every state is set after it.
     */
    sync_status (*lock)(struct sync_db *db, struct sync_batch *batch, struct sync_error *err);
    /*
     * After the released records were attached (record->state set for all): takes purge keys,
     * share-locks rows of Altinn 3, looks up candidate facts, expectations and rows; imports.
     * NULL = lock has read all that the rules need.
     */
    sync_status (*load)(struct sync_db *db, struct sync_batch *batch, struct sync_error *err);
    /* After the fold: facts, entity rows, rows of Altinn 3. */
    sync_status (*store)(struct sync_db *db, struct sync_batch *batch, struct sync_error *err);
    /*
     * Adoption sweep: keys of the partition for which records are held, or parked only for a limit
     * of holding (SYNC_PARKED_BY_LIMIT), that can go on now; ascending by their text. $1 scope, $2
     * topic, $3 partition, $4 at most so many, $5 only keys behind this one, $6 and up to this one:
     * the page between them has few rows, however many wait. NULL = no rule ever holds.
     */
    const struct sync_statement *adoptable;
    /*
     * Whether the store has work of its own in this place that no record asks for: keys that a fact
     * above them, a row or the end of a wait has moved. If so, the owner applies a batch with sweep
     * set, which locks, loads and stores one chunk. NULL = never.
     */
    sync_status (*due)(struct sync_db *db, const struct sync_place *place, struct sync_arena *arena,
                       bool *ret_due, struct sync_error *err);
    const struct sync_drift *drift; /* ended by a NULL class; NULL = none */
};
/* All stores of this binary; generated from connectors/altinn3/, NULL-ended. */
extern const struct sync_store *const sync_stores[];
const struct sync_store *sync_store_find(const char *name);

/* Effects in flight: what the sender asks the entity. Each inside the sender's transaction, after
 * the lane gate. */
struct sync_lane_effect {
    struct sync_uuid effect_id;
    const char *name; /* a2/read … */
    struct sync_key entity;
    struct sync_bytes body; /* frozen JSON */
    int32_t attempt;
    int64_t created_us;
    /* verdict of look() */
    enum { SYNC_LANE_SEND, SYNC_LANE_SKIP, SYNC_LANE_LATER, SYNC_LANE_PARK } verdict;
    const char *rule;            /* CS-51, CS-56, CS-58 */
    int64_t not_before_us;       /* LATER: when to look again */
    bool behind;                 /* LATER: goes behind the key's others (seq = DEFAULT) */
    bool body_changed;           /* the body was completed or another fact took over: store it */
    struct sync_uuid echo_party; /* SEND: what sync.expected_echo gets, when echo_kind is not 0 */
    int32_t echo_kind;
    int64_t echo_second;
    /* for settle() */
    enum { SYNC_LANE_DONE, SYNC_LANE_REFUSED, SYNC_LANE_CLOSED } ended;
    bool carried_on; /* settle(): another fact carries the same effect on: back to waiting with body
                      */
};
/* What an answer of the target means; the table stands in the entity's rules. */
enum sync_lane_answer {
    SYNC_LANE_ANSWER_DONE,
    SYNC_LANE_ANSWER_RETRY, /* the same again after a backoff */
    SYNC_LANE_ANSWER_PARK,
    SYNC_LANE_ANSWER_STOP,   /* the lane waits with alarm, nothing is parked or dropped */
    SYNC_LANE_ANSWER_CLOSED, /* the target is gone: nothing more is sent to it */
};
/* One call to the target. */
struct sync_lane_request {
    const char *method; /* static; NULL = POST */
    const char *path;   /* below the base URL */
    struct sync_bytes body;
};
struct sync_lane_store {
    const char *store, *target; /* store: name of the entity's store */
    /*
     * Whether this configuration says how to reach the target; NULL = always. Where it does not,
     * effects are stored as no_route: decided and counted, never sent.
     */
    bool (*reachable)(const struct sync_config *config);
    /* Rule of a key that failed too often while its lane works for others (CS-57). */
    const char *exhausted_rule;
    /* Class of an answer and its rule id (static text). failed: no answer at all; code is 0 then.
     */
    enum sync_lane_answer (*answer)(bool failed, int code, const char **ret_rule);
    /* Locks the entity rows ascending and fills the verdicts (CS-51, 56, 58). */
    sync_status (*look)(struct sync_db *db, struct sync_lane_effect *effects, size_t count,
                        int64_t now_us, struct sync_arena *arena, struct sync_error *err);
    /* Locks the entity rows and stores what the target now holds or refused (CS-50, 53, 55, "After
     * PARK"). NULL = the entity does not remember it. */
    sync_status (*settle)(struct sync_db *db, struct sync_lane_effect *effects, size_t count,
                          int64_t now_us, struct sync_arena *arena, struct sync_error *err);
    /* After "lanes open": flags of the effects that wait again become queued unless held. NULL =
     * the entity has none. */
    sync_status (*reopened)(struct sync_db *db, const struct sync_key *entities,
                            const char *const *names, size_t count, struct sync_arena *arena,
                            struct sync_error *err);
    /* Call of an effect, in the arena. Byte-identical for every attempt. config: of the process. */
    sync_status (*request)(const struct sync_config *config, const struct sync_lane_effect *effect,
                           struct sync_arena *arena, struct sync_lane_request *ret_request,
                           struct sync_error *err);
};
/* The lane of one target of one entity, NULL = none. */
const struct sync_lane_store *sync_lane_store_find(const char *store, const char *target);
#endif
