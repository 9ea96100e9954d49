/*
 * The contract between the runtime and a processor: a constant descriptor and pure functions.
 * A processor reads no clock and no table, allocates nothing and keeps no state of its own.
 */
#ifndef ALTINN_SYNC_PROCESSOR_H
#define ALTINN_SYNC_PROCESSOR_H

#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

/* The six outcomes; the numbers are those of sync.outcome_count. */
enum sync_outcome {
    SYNC_OUTCOME_APPLIED = 0,
    SYNC_OUTCOME_DUPLICATE = 1,
    SYNC_OUTCOME_STALE = 2,
    SYNC_OUTCOME_ECHO = 3,
    SYNC_OUTCOME_HELD = 4,
    SYNC_OUTCOME_PARKED = 5,
};
#define SYNC_OUTCOME_COUNT 6

/* How one field of the reader's record lands in the change struct of the processor. */
enum sync_field_type {
    SYNC_FIELD_BOOL,     /* bool */
    SYNC_FIELD_INT,      /* int32_t */
    SYNC_FIELD_LONG,     /* int64_t */
    SYNC_FIELD_DOUBLE,   /* double */
    SYNC_FIELD_TEXT,     /* struct sync_bytes, UTF-8 without NUL; points into the record */
    SYNC_FIELD_UUID,     /* struct sync_uuid, from its 36-character text */
    SYNC_FIELD_ENUM,     /* int32_t: index into symbols of this row */
    SYNC_FIELD_TEXTS,    /* struct sync_texts: an array of strings; points into the record */
    SYNC_FIELD_PRESENCE, /* bool: a nullable record is there; its own fields follow as further rows
                          */
};
#define SYNC_FIELD_REQUIRED SIZE_MAX

struct sync_field {
    const char *path; /* "source.stream": names joined by '.' */
    enum sync_field_type type;
    size_t offset; /* of the value in the change struct */
    size_t
        present_offset; /* of a bool that says "not null"; SYNC_FIELD_REQUIRED = null is refused */
    const char *const *symbols; /* SYNC_FIELD_ENUM: NULL-ended list, the reader's closed set */
    size_t size_max;            /* SYNC_FIELD_TEXT: bytes; 0 = no bound of its own */
};

/* One topic that a route reads, and the side of birth that the topic stands for. */
struct sync_input {
    const char *topic;
    enum sync_system from;
};

/*
 * One consumer. Inputs of one route are co-partitioned: partitions with equal numbers hold the same
 * keys. The lanes of the targets have the partitions of the first input's topic.
 */
struct sync_route {
    const char *name; /* = consumer group = scope */
    const struct sync_input *inputs;
    size_t input_count;
    enum sync_system to;        /* side it is applied to */
    const char *const *targets; /* outside targets whose lanes it sends, NULL-ended; NULL = none */
    const char *yields_to;      /* backlog: the live route it gives way to; NULL = none */
};

/*
 * One row per rule. Rules that end no record (they act on a mapping, an imported row, a gate or an
 * effect) name their subject; their outcome then means nothing.
 */
struct sync_rule {
    const char *id;
    enum sync_outcome outcome;
    const char *sentence;
    const char *subject; /* NULL = a record; else "mapping", "row", "gate" or "effect" */
};

/* How long a record may wait: held under the first rule for longer than the option says, it is
 * parked. */
struct sync_hold_limit {
    const char *held_rule;   /* "CS-13" */
    const char *parked_rule; /* "CS-15" */
    const char *option;      /* name of the option with the age, in seconds */
    enum sync_code code;     /* of the parked row */
    const char *reason;      /* one sentence for the parked row */
};

struct sync_option {
    const char *name, *help;
    int64_t min, max, fallback;
    const char *unit;
};

/* The key of an entity: text as it stands on Kafka and in sync.hold.entity_key. The longest is the
 * URN of an instance. */
struct sync_key {
    char text[208];
    size_t size;
};

/* What a rule may know besides the change itself: the envelope, never a clock. */
struct sync_context {
    int64_t appended_us; /* the broker's append time of the record */
    int64_t decided_us; /* released from hold or park: time of that transaction, else appended_us */
    enum sync_system topic_system; /* side of birth that the topic stands for */
    struct sync_bytes key;         /* Kafka key */
    bool released;                 /* decided again: hold rules do not apply any more */
};

#define SYNC_EFFECT_NAME_MAX    112
#define SYNC_EFFECT_BODY_MAX    512
#define SYNC_LANE_KEY_SIZE      80 /* two UUIDs and what parts them, or the longest status key */
#define SYNC_PARTITION_KEY_SIZE 40 /* a UUID, or "p:" and a number */

/* One intended outward act. Its id is UUIDv5(namespace, "altinn-sync/" + name). */
struct sync_effect {
    char name[SYNC_EFFECT_NAME_MAX];
    const char *target; /* altinn2, dialog, event, blob: static text */
    struct sync_uuid namespace_id;
    /* "" = the entity's key. Effects with one lane key leave in order; withdraw reaches only them
     */
    char lane_key[SYNC_LANE_KEY_SIZE];
    /* "" = the entity's key. Its partition, in the topic of the route that sends to target, is that
     * of the lane */
    char partition_key[SYNC_PARTITION_KEY_SIZE];
    int64_t delay_us; /* sent that much later at the earliest; hurries none before it */
    char body[SYNC_EFFECT_BODY_MAX]; /* frozen JSON text, bytes that every attempt is made from */
    size_t body_size;
    bool closed; /* the target is closed: stored as closed */
    /* Not an effect: those of the entity that wait for target, or have no route there, end skipped;
     * the one whose name stands in name stays. */
    bool withdraw;
    /*
     * > 0: the first bytes of the name stand for all effects of the entity that begin with them,
     * and at most one of those is waiting or no_route. If there is one already, this one is not
     * inserted: the sender reads the derived state when it sends.
     */
    size_t single_prefix_size;
};

#define SYNC_FOLD_EFFECTS_MAX 16

struct sync_effects {
    struct sync_effect items[SYNC_FOLD_EFFECTS_MAX];
    size_t count;
    struct sync_effects *next; /* more of the same: a store can yield any number; NULL = none */
};

/* What became of one record. */
struct sync_fold {
    enum sync_outcome outcome;
    const char *rule;    /* "CS-31": static text */
    enum sync_code code; /* parked: why */
    const char *field;   /* parked: path of the offending field, static; NULL = none */
    const char *reason;  /* parked: one static sentence; NULL otherwise */
    /* held: which id is waited for, as in sync.hold; NULL = the entity itself is missing */
    const char *missing_kind; /* static text */
    char missing_id[136];
    /* A person hears of it at once: it takes something away and cannot act, or contradicts itself.
     */
    bool alarm;
    /*
     * A part of the record that is set aside by itself while the rest counts by outcome: a row in
     * sync.parked, no count. code 0 = none; all texts static.
     */
    struct {
        enum sync_code code;
        const char *field, *reason, *rule;
    } part;
};

/* What people and metrics are told about a change. */
struct sync_event {
    enum sync_system system; /* its identity: <system>/<stream>/<part>/<sequence> */
    struct sync_bytes stream;
    char part[SYNC_UUID_BUFFER]; /* "" = none */
    int64_t sequence;
    int64_t captured_us; /* 0 = not known */
    bool has_origin;     /* it names the event that caused it */
    bool leaked;         /* written by the sync, and published all the same */
};

/* decided = the intake alone gave the outcome; the entity's state is not needed. */
struct sync_processor {
    const char *name, *purpose, *schema; /* schema: full Avro name */
    const char *home; /* database that holds its state: correspondence, authorization */
    const struct sync_field *fields;
    size_t field_count;
    const struct sync_route *routes;
    size_t route_count;
    const struct sync_rule *rules;
    size_t rule_count;
    const struct sync_option *options;
    size_t option_count;
    const char *store;           /* name of the entity's store */
    const char *unreadable_rule; /* of a record that does not decode; its outcome is parked */
    const struct sync_hold_limit *hold_limits;
    size_t hold_limit_count;
    /* Records may be decided in any order, and the end is the same. false: only those of different
     * topics; each topic keeps its own. */
    bool any_order;
    size_t change_size, state_size;
    /* Names the change; ret_event borrows from it. */
    void (*event)(const void *change, struct sync_event *ret_event);
    /* Key of a change. PARK when the change has none. */
    sync_status (*key)(const void *change, struct sync_key *ret_key, struct sync_error *err);
    /* Rules that need no state. Returns true and fills ret_fold when they decide. */
    bool (*intake)(const struct sync_route *route, const void *change,
                   const struct sync_context *ctx, struct sync_fold *ret_fold);
    /*
     * Decides one change on the state left by the one before it, and changes the state. The route
     * is the one that the record came by, also at release. Effects are added behind those already
     * there. Fails: FATAL when the store gave the state no slot for the change's key.
     */
    sync_status (*fold)(const struct sync_route *route, void *state, const void *change,
                        const struct sync_context *ctx, struct sync_fold *ret_fold,
                        struct sync_effects *ret_effects, struct sync_error *err);
    /*
     * What the outside targets should be told, given what they were told: for adoption (after the
     * release is folded) and flips. Adds effects behind those already there and marks them as told.
     */
    sync_status (*difference)(const struct sync_route *route, void *state,
                              struct sync_effects *ret_effects, struct sync_error *err);
};

/* All processors of this binary; generated from processors/, NULL-ended. */
extern const struct sync_processor *const sync_processors[];

#endif
