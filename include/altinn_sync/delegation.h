/*
 * Delegations: the change, the state and the pure rules that the processor shares with its store.
 * Rules: DL-nn of the domain reference, and docs/decisions/0020 where it is silent. Both directions
 * decide by the same functions. No SQL, no clock, no allocation: memory is the store's.
 */
#ifndef ALTINN_SYNC_DELEGATION_H
#define ALTINN_SYNC_DELEGATION_H

#include <altinn_sync/processor.h>

/* Bounds, each with its NUL where it is text. */
#define DELEGATION_STREAM_SIZE   65
#define DELEGATION_RIGHT_SIZE    65  /* an action, as XACML names it */
#define DELEGATION_REF_SIZE      201 /* a source's name of one grant */
#define DELEGATION_TARGET_SIZE   129 /* resource id, package URN or role code URN */
#define DELEGATION_INSTANCE_SIZE 201
#define DELEGATION_ROLE_SIZE     17
#define DELEGATION_RIGHTS_MAX    64  /* of one event, and of one key: sets are bits of a uint64_t */
#define DELEGATION_REFS_MAX      256 /* of one event */
#define DELEGATION_NATIVE_IDS_MAX                                                                  \
    16                           /* older ones are forgotten: then DL-67 ends more, not less       \
                                  */
#define DELEGATION_ORIGINS_MAX 8 /* of one ref on a weak stream (DL-19) */
#define DELEGATION_KEYS_MAX    8 /* keys that one event can touch, DL-67 aside */

#define DELEGATION_NEVER       INT64_MIN /* no time, no number */
#define DELEGATION_EVERY       (-1) /* the right "*" of kinds single and instance; known or not */
#define DELEGATION_SKEW_US     (2 * 1000000LL)

enum delegation_source { DELEGATION_A2 = 0, DELEGATION_A3 = 1, DELEGATION_SYS = 2 };
enum delegation_kind {
    DELEGATION_SINGLE = 0,
    DELEGATION_INSTANCE = 1,
    DELEGATION_PACKAGE = 2,
    DELEGATION_ROLE = 3,
    DELEGATION_CLIENT = 4,
    DELEGATION_SCOPE = 5,
    DELEGATION_CONTROL = 6,
};
enum delegation_op {
    DELEGATION_GRANT = 0,
    DELEGATION_REVOKE = 1,
    DELEGATION_REVOKE_ALL = 2,
    DELEGATION_LIFT = 3,
    DELEGATION_MERGE = 4,
    DELEGATION_TICK = 5,
    DELEGATION_END = 6,
    DELEGATION_OP_NONE = 7, /* of a stored ref of which only an echo is known */
};
enum delegation_target_kind {
    DELEGATION_TARGET_SERVICE = 0,
    DELEGATION_TARGET_RESOURCE = 1,
    DELEGATION_TARGET_PACKAGE = 2,
    DELEGATION_TARGET_ROLE = 3,
};
enum delegation_scope_kind {
    DELEGATION_SCOPE_PARTY = 0,
    DELEGATION_SCOPE_RELATION = 1,
    DELEGATION_SCOPE_INSTANCE = 2,
};
enum delegation_by { DELEGATION_HUMAN = 0, DELEGATION_MACHINE = 1 };

/* The change: one record of a topic. */

/* A party as the source names it; what is absent is zero. */
struct delegation_name {
    bool present;
    bool has_uuid, has_party_id, has_user_id, has_type;
    struct sync_uuid uuid;
    int32_t party_id, user_id;
    struct sync_bytes type;
};

struct delegation_change {
    int32_t source; /* enum delegation_source */
    struct sync_bytes stream;
    int64_t seq;
    bool weak;
    bool has_snapshot_id, has_snapshot_pos;
    struct sync_uuid snapshot_id;
    int64_t snapshot_pos;
    bool has_origin, has_origin_stream, has_origin_seq;
    int32_t origin_source;
    struct sync_bytes origin_stream;
    int64_t origin_seq;
    bool has_native_id;
    int64_t native_id;
    int32_t kind, op;
    struct delegation_name from, to, facilitator, performer;
    bool has_target, has_target_id, has_service_code, has_edition;
    int32_t target_kind;
    struct sync_bytes target_id, service_code;
    int32_t edition;
    bool has_instance;
    struct sync_bytes instance;
    bool app_controlled;
    struct sync_texts rights, refs;
    bool has_scope, has_er_role, scope_final;
    int32_t scope_kind;
    struct sync_texts scope_ids;
    struct sync_bytes er_role;
    bool has_event_time;
    int64_t event_time_us, capture_time_us;
    int32_t by;
};

/* Tables from the data files: constant while the process runs. */

enum delegation_class {
    DELEGATION_CLASS_OTHER = 0,
    DELEGATION_CLASS_CORRESPONDENCE = 1,
    DELEGATION_CLASS_MESSAGE = 2,
};

/* data/rights.csv, in lower case. */
struct delegation_right_row {
    enum delegation_class class;
    char a2_right[DELEGATION_RIGHT_SIZE];
    char action[DELEGATION_RIGHT_SIZE];
    bool set_in_a2;
};

enum delegation_condition { DELEGATION_ANY, DELEGATION_PERSON, DELEGATION_NOT_PERSON };

/* data/role-packages.csv, in lower case. */
struct delegation_package_row {
    char role[DELEGATION_ROLE_SIZE];
    char package[DELEGATION_TARGET_SIZE];
    enum delegation_condition condition;
    char client_role[32];    /* ER role of the relation; empty = a package row */
    int64_t granted_from_us; /* DELEGATION_NEVER = any time */
};

/* data/a2-roles.csv, in lower case: er_roles between blanks, one at each end. */
struct delegation_role_row {
    char role[DELEGATION_ROLE_SIZE];
    struct sync_uuid id;
    char er_roles[256];
};

struct delegation_tables {
    const struct delegation_right_row *rights;
    size_t right_count;
    const struct delegation_package_row *packages;
    size_t package_count;
    const struct delegation_role_row *roles;
    size_t role_count;
    int64_t skew_us;
    bool unstable_refs[4]; /* DL-18, by enum delegation_stream */
};

enum delegation_stream {
    DELEGATION_STREAM_RULE,
    DELEGATION_STREAM_MESSAGE,
    DELEGATION_STREAM_ROLE,
    DELEGATION_STREAM_CHANGE,
    DELEGATION_STREAM_REGISTER,
    DELEGATION_STREAM_STORE, /* sys.message */
    DELEGATION_STREAM_UNKNOWN,
};

/*
 * Whether tables can be used: no empty or upper-case name, no right twice in its class, every
 * mapped action set by some right, every role of a package known.
 * Fails: FATAL config, naming file and row.
 */
sync_status delegation_tables_check(const struct delegation_tables *tables, struct sync_error *err);

/* Answers of the store: what the batch needs to know about the world. */

enum delegation_party_type {
    DELEGATION_TYPE_UNKNOWN = 0,
    DELEGATION_TYPE_PERSON = 1,
    DELEGATION_TYPE_OTHER = 2,
};

struct delegation_party {
    struct sync_uuid uuid;
    int32_t party_id, user_id; /* 0 = none */
    enum delegation_party_type type;
};

enum delegation_resource_type {
    DELEGATION_RESOURCE_UNKNOWN = 0,
    DELEGATION_RESOURCE_OTHER = 1,
    DELEGATION_RESOURCE_CORRESPONDENCE = 2,
    DELEGATION_RESOURCE_ALTINN2 = 3, /* Altinn2Service: written through, never our event */
};

enum delegation_phase {
    DELEGATION_OFF = 0,    /* decided, never projected */
    DELEGATION_SHADOW = 1, /* the same, compared only */
    DELEGATION_SYNC = 2,
    DELEGATION_FROZEN = 3, /* Altinn 2 takes no new grants */
    DELEGATION_FINAL = 4,  /* Altinn 3 is right by definition: no commands to Altinn 2 */
};

struct delegation_resource {
    char id[DELEGATION_TARGET_SIZE];
    enum delegation_resource_type type;
    bool has_service;
    char service_code[33];
    int32_t edition;
    bool has_actions; /* false: its policy is not known yet */
    char actions[DELEGATION_RIGHTS_MAX][DELEGATION_RIGHT_SIZE];
    size_t action_count;
    enum delegation_phase phase;
    int64_t freeze_us; /* DELEGATION_NEVER = not frozen */
};

struct delegation_alias {
    struct sync_uuid old_id, new_id;
    int64_t seq; /* of the merge */
    bool dirty;  /* made by this batch (DL-45): the store moves what is old */
};

/* A row of sys_scope. A scope that was never cut has seq DELEGATION_NEVER. */
struct delegation_scope {
    enum delegation_scope_kind kind;
    struct sync_uuid party;       /* PARTY; RELATION: the client */
    struct sync_uuid facilitator; /* RELATION */
    char er_role[32];             /* RELATION; "*" = roles without a row in the table */
    char instance[DELEGATION_INSTANCE_SIZE];
    int64_t seq, cut_us; /* DELEGATION_NEVER = absent */
    bool final;
    bool dirty;
};

/* An identity in the ledger, and whether it is there. */
struct delegation_seen {
    int32_t source;
    struct sync_bytes stream;
    struct sync_uuid snapshot_id;
    int64_t seq;
    bool known;
};

/* What a change goes back to: an event, or a fact above both sides. */
struct delegation_cause {
    enum delegation_source source;
    struct sync_bytes stream; /* as long as the record, or in memory of the store */
    int64_t seq;
    int64_t event_us, capture_us; /* DELEGATION_NEVER = it has no time */
    struct sync_uuid performer;   /* zero = not known */
    const char *rule;             /* static text, or in memory of the store */
};

/* One row of deleg_ref. */
struct delegation_ref {
    int16_t right;  /* index into the key's rights, or DELEGATION_EVERY */
    uint8_t source; /* DELEGATION_A2 or _A3 */
    uint8_t op;     /* GRANT, REVOKE or OP_NONE */
    bool present, dirty;
    int16_t lender; /* DL-60: index of the role key in the state; -1 = owned */
    int64_t seq, op_time, revoke_time, human_time, present_seq, echo_seq;
    uint64_t origins[DELEGATION_ORIGINS_MAX]; /* DL-19: digests of what was reported already */
    int64_t native_ids[DELEGATION_NATIVE_IDS_MAX];
    uint8_t origin_count, native_count;
    struct sync_uuid performer; /* of the event that moved it last; zero = not known */
    const char *rule;           /* of that decision */
    char a2_right[DELEGATION_RIGHT_SIZE];
    char ref[DELEGATION_REF_SIZE];
};

/* One row of deleg_mark. */
struct delegation_mark {
    int16_t right;
    uint8_t source;
    bool dirty;
    int64_t all_seq, all_time, cut_time;
    const char *rule;
};

struct delegation_restores {
    int64_t at_us[3]; /* newest last */
    uint8_t count;
    bool parked;
};

/* What a born event says about the row of a key in Altinn 3: the store compares it with the row. */
struct delegation_report {
    bool told;        /* by this batch */
    bool is_there;    /* false: the row is gone */
    int64_t valid_us; /* from when the row is as it is */
};

/* The natural key. */
struct delegation_key_name {
    enum delegation_kind kind;
    struct sync_uuid from, to, facilitator; /* zero = absent */
    char target[DELEGATION_TARGET_SIZE];
    char instance[DELEGATION_INSTANCE_SIZE];
    int variant; /* 0 user, 1 app-controlled */
};

/* One key with everything that is known under it. Sets are bits by index into rights. */
struct delegation_key {
    struct delegation_key_name name;
    struct sync_uuid id; /* key_uuid, made by the store */
    int64_t version;
    uint64_t effective;
    uint64_t held_a3; /* what Altinn 3 holds once our writes are through */
    uint64_t seen_a3; /* what it is known to hold: of reports and of writes that went through */
    int64_t a3_pos;   /* order below which a report of Altinn 3 is older than our newest write */
    bool has_left;    /* a command may have taken effect and is not yet seen */
    uint64_t left_set;
    bool has_open; /* a command waits */
    uint64_t open_set;
    int64_t open_version;
    struct delegation_restores restores[2]; /* by side: DELEGATION_A2, DELEGATION_A3 */
    /* answers */
    enum delegation_party_type from_type;
    bool depends_missing; /* party, resource row, role, package or relation is not there yet */
    bool has_rival;       /* DL-56: another from of the same instance has a grant */
    struct sync_uuid rival_from;
    int64_t rival_time;
    /* the lists, in memory of the store */
    char (*rights)[DELEGATION_RIGHT_SIZE];
    struct delegation_ref *refs;
    struct delegation_mark *marks;
    uint16_t right_count, right_capacity, ref_count, ref_capacity, mark_count, mark_capacity;
    /* for the store */
    bool dirty;       /* the row must be written */
    bool write_a3;    /* the Altinn 3 row must become held_a3, on the condition that it is seen */
    bool pending;     /* something is missing: project when it comes (DL-80) */
    uint64_t refused; /* DL-84: effective, but the resource's policy does not offer it */
    struct delegation_cause cause; /* of the newest version; set only where the version rose */
    struct delegation_report report;
};

/* One change of an effective set: a row of history. */
struct delegation_step {
    size_t key; /* index in the state */
    int64_t version;
    uint64_t before, after;
    struct delegation_cause cause;
};

/* The keys of one giving party that a batch touches, and the answers it needs. */
struct delegation_state {
    const struct delegation_tables *tables;
    struct delegation_key *keys;
    size_t key_count;
    struct delegation_scope *scopes;
    size_t scope_count;
    const struct delegation_party *parties;
    size_t party_count;
    const struct delegation_resource *resources;
    size_t resource_count;
    struct delegation_alias *aliases;
    size_t alias_count, alias_capacity; /* a merge adds one */
    struct delegation_seen *seen;
    size_t seen_count;
    struct delegation_step *steps; /* NULL = nobody wants them */
    size_t step_count, step_capacity;
    /* for the store */
    uint64_t
        unmapped; /* DL-03: rights of the last change that are parked by themselves, by index */
};

/*
 * The natural keys that a change touches, for the store to lock, make and load before the fold. A
 * change that is held, parked or ignored touches none. For DL-67 the store also loads every client
 * key of the giver whose refs have the role key as lender.
 * Owns: ret_names is the caller's.  Fails: never; writes at most DELEGATION_KEYS_MAX.
 */
size_t delegation_keys_of(const struct delegation_state *state,
                          const struct delegation_change *change,
                          struct delegation_key_name ret_names[static DELEGATION_KEYS_MAX]);

/* Slot of a key, or NULL. */
struct delegation_key *delegation_key_find(const struct delegation_state *state,
                                           const struct delegation_key_name *name);

/* Canonical form of a text (DL-05): trimmed, in lower case. False when it does not fit, or is
 * empty. */
bool delegation_text_take(struct sync_bytes text, char *ret_text, size_t capacity);

/* What is known of a party under this uuid, or NULL. */
const struct delegation_party *delegation_party_find(const struct delegation_state *state,
                                                     const struct sync_uuid *id);

/*
 * Text of the parts of a key, joined by '|': key_uuid is its UUIDv5 behind "delegation/". Returns
 * its size; 0 when the room is too small.
 */
size_t delegation_key_format(const struct delegation_key_name *name, char *ret_text,
                             size_t capacity);

/* Answers about a key, recomputed from its refs, marks and the scopes. */
bool delegation_is_active(const struct delegation_state *state, const struct delegation_key *key,
                          const struct delegation_ref *ref);
uint64_t delegation_effective(const struct delegation_state *state,
                              const struct delegation_key *key);
uint64_t delegation_shown(const struct delegation_key *key, enum delegation_source side);

/*
 * A scope, a condition or a dependency moved: recomputes a key and compares it with both sides, as
 * the fold does for the keys it touches (DL-40 … DL-46, DL-80). Adds at most two effects.
 */
void delegation_settle(struct delegation_state *state, struct delegation_key *key,
                       const struct delegation_cause *cause, struct sync_effects *ret_effects);

/* How the conditional write to Altinn 3 ended (DL-83). Not through: pending until its event came.
 */
void delegation_written(struct delegation_key *key, bool through);

/* The sender took the waiting command (10.2): its set may take effect from now on. */
void delegation_taken(struct delegation_key *key);

/*
 * DL-45: moves the refs, marks and numbers of a key to the key of the same parts under the new
 * uuid. Collisions keep the higher seq, a tie the revoke; marks keep the larger of each.
 * Fails: FATAL when into has no room. Afterwards settle both.
 */
sync_status delegation_merge_key(const struct delegation_state *state, struct delegation_key *into,
                                 struct delegation_key *from, struct sync_error *err);

/* DL-45 for scopes: later time, higher seq, final wins. */
void delegation_merge_scope(struct delegation_scope *into, const struct delegation_scope *from);

extern const struct sync_processor sync_processor_delegation;

#endif
