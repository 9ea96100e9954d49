/*
 * What the parts of the delegation processor share. Nobody else includes it: the store and the
 * tests use altinn_sync/delegation.h.
 */
#ifndef PROCESSORS_DELEGATION_PARTS_H
#define PROCESSORS_DELEGATION_PARTS_H

#include <altinn_sync/delegation.h>

/* One row per rule: symbol, number, outcome, subject (NULL = a record), sentence. The order is that
 * of the reference: of two rules of one event the higher row is shown. Invariants have no row. */
#define DELEGATION_RULES(X)                                                                        \
    X(DL_20, "20", APPLIED, NULL, "A grant of a right that nobody held gives access.")             \
    X(DL_24, "24", APPLIED, NULL,                                                                  \
      "A grant that stands although a revoke is stored gives access again.")                       \
    X(DL_33, "33", APPLIED, NULL,                                                                  \
      "A person's last revoke ends the right on both sides: the other grant is older.")            \
    X(DL_35, "35", APPLIED, NULL, "The last grant of a right is gone, and nobody else holds it.")  \
    X(DL_36, "36", APPLIED, NULL, "A person's revoke ends the older grant of the other side.")     \
    X(DL_40, "40", APPLIED, NULL, "A dead party's delegated rights end.")                          \
    X(DL_41, "41", APPLIED, NULL, "A client relation ended, and what hung on it.")                 \
    X(DL_42, "42", APPLIED, NULL, "A purged message's instance rights end.")                       \
    X(DL_43, "43", APPLIED, NULL,                                                                  \
      "A scope is lifted, or cut once more, and nothing returns by itself.")                       \
    X(DL_45, "45", APPLIED, NULL, "Two parties became one, and their keys with them.")             \
    X(DL_104, "104", APPLIED, NULL,                                                                \
      "A mark in the stream raises the position and touches no key.")                              \
    X(DL_26, "26", APPLIED, NULL, "A grant is stored, but a fact above both sides ends it.")       \
    X(DL_25, "25", APPLIED, NULL,                                                                  \
      "A grant is stored, but a person on the other side ended the access later.")                 \
    X(DL_28, "28", APPLIED, NULL,                                                                  \
      "A grant is stored, but its condition or the role that lends it does not hold.")             \
    X(DL_21, "21", APPLIED, NULL, "The same grant came again, and its time may rise.")             \
    X(DL_22, "22", APPLIED, NULL, "Another grant of the same side holds the right already.")       \
    X(DL_23, "23", APPLIED, NULL, "The other side holds the right already and stays its owner.")   \
    X(DL_30, "30", APPLIED, NULL,                                                                  \
      "A revoke of what is not effective is remembered, so that a late grant cannot win.")         \
    X(DL_31, "31", APPLIED, NULL, "Other grants of the same side keep the right.")                 \
    X(DL_32, "32", APPLIED, NULL,                                                                  \
      "A machine's last revoke leaves the right, which the other side holds.")                     \
    X(DL_34, "34", APPLIED, NULL,                                                                  \
      "A person's last revoke leaves a right that is newer or still shown.")                       \
    X(DL_37, "37", APPLIED, NULL,                                                                  \
      "A machine's revoke of what its side never granted changes no access.")                      \
    X(DL_38, "38", APPLIED, NULL, "A person's revoke leaves a newer grant of the other side.")     \
    X(DL_01, "01", DUPLICATE, NULL, "The event is in the ledger already.")                         \
    X(DL_10, "10", STALE, NULL, "A right that is written through to Altinn 2 is not our event.")   \
    X(DL_11, "11", STALE, NULL, "Its source has said something newer about this right.")           \
    X(DL_57, "57", STALE, NULL,                                                                    \
      "The whole grant was revoked later, and the revoke now covers this right too.")              \
    X(DL_108, "108", STALE, NULL,                                                                  \
      "A person's revoke came behind a newer grant of its ref, and ends the other side's older "   \
      "one.")                                                                                      \
    X(DL_12, "12", STALE, NULL,                                                                    \
      "On a weak stream, a grant not later than the latest known revoke gives nothing.")           \
    X(DL_27, "27", STALE, NULL, "A grant of Altinn 2 made after the freeze of its resource.")      \
    X(DL_68, "68", STALE, NULL, "Enterprise users get no roles: of no interest.")                  \
    X(DL_69, "69", STALE, NULL, "A role that follows from a company role is no delegation.")       \
    X(DL_06, "06", ECHO, NULL, "A grant that we wrote is shown, and gives no access by itself.")   \
    X(DL_07, "07", ECHO, NULL, "A revoke that we wrote is no longer shown, and nothing else.")     \
    X(DL_19, "19", ECHO, NULL, "The side repeats a report of our write under a new number.")       \
    X(DL_08, "08", HELD, NULL, "An id of Altinn 2 has no counterpart yet.")                        \
    X(DL_02, "02", PARKED, NULL,                                                                   \
      "What does not decode, contradicts itself or is not known is parked, never access.")         \
    X(DL_03, "03", PARKED, NULL, "No right of the event has a counterpart.")                       \
    X(DL_04, "04", PARKED, NULL, "Two ids of one party name different parties.")                   \
    X(DL_09, "09", PARKED, NULL, "What was held for too long is parked.")                          \
    X(DL_15, "15", PARKED, NULL, "The recipient has no id of any sort.")                           \
    X(DL_16, "16", PARKED, NULL, "A grant dated more than 5 minutes after its capture is parked.") \
    X(DL_52, "52", PARKED, NULL,                                                                   \
      "A message right on a resource that is no correspondence service is parked.")                \
    X(DL_105, "105", PARKED, NULL,                                                                 \
      "The key or the event would have more rights or refs than fit.")                             \
    X(DL_39, "39", APPLIED, "effect",                                                              \
      "Grants that the side no longer shows end with the last one that it did show.")              \
    X(DL_85, "85", APPLIED, "effect",                                                              \
      "A side that lost what is effective gets it back, 3 times in 24 hours.")                     \
    X(DL_84, "84", APPLIED, "effect",                                                              \
      "An action that the resource's policy does not offer is stored, not projected.")             \
    X(DL_56, "56", APPLIED, "effect",                                                              \
      "Only the earliest giver of an instance is projected to Altinn 3.")                          \
    X(DL_88, "88", APPLIED, "effect", "A command without a route is kept and shown as drift.")     \
    X(DL_89, "89", APPLIED, "effect",                                                              \
      "A recipient that Altinn 2 has no number for gets no command.")                              \
    X(DL_90, "90", APPLIED, "effect",                                                              \
      "A waiting command that is no longer wanted is withdrawn before anything else.")             \
    X(DL_109, "109", APPLIED, "effect",                                                            \
      "A backlog that adds to Altinn 3 what Altinn 2 shows itself clears no cache there.")         \
    X(DL_93, "93", ECHO, "mapping", "An echo whose origin is not in the ledger is counted.")       \
    X(DL_71, "71", APPLIED, "mapping",                                                             \
      "A person who ends the tax package in Altinn 3 ends its role too.")

/* The rules by number. */
#define DELEGATION_RULE_SYMBOL(symbol, number, outcome, subject, sentence) symbol,
enum delegation_rule { DELEGATION_RULES(DELEGATION_RULE_SYMBOL) DELEGATION_RULE_COUNT };
#undef DELEGATION_RULE_SYMBOL

/* "DL-20". Static text. */
const char *delegation_rule_id(enum delegation_rule rule);

/* The one of two that is shown: the outcomes first, then the higher row. */
enum delegation_rule delegation_rule_shown(enum delegation_rule a, enum delegation_rule b);

/* An event as the rules see it: resolved, canonical, in terms of one side. */

struct delegation_event {
    enum delegation_source source;
    enum delegation_stream stream;
    enum delegation_op op;
    bool weak, snapshot, human, echo;
    int64_t order;    /* DL-14 */
    int64_t event_us; /* DELEGATION_NEVER = absent */
    int64_t time_us;  /* t: event time, else capture time */
    bool has_native_id;
    int64_t native_id;
    uint64_t origin;            /* DL-19: digest of origin and sort; 0 = the origin is not told */
    struct sync_uuid performer; /* zero = not known (DL-17) */
    bool paired;                /* made-up refs: right i goes with ref i only */
    size_t right_count, ref_count;
    char rights[DELEGATION_RIGHTS_MAX][DELEGATION_RIGHT_SIZE];    /* actions */
    char a2_rights[DELEGATION_RIGHTS_MAX][DELEGATION_RIGHT_SIZE]; /* '' = none */
    char ref_prefix[DELEGATION_REF_SIZE];                         /* in front of each ref */
    struct sync_bytes refs[DELEGATION_REFS_MAX];                  /* as they came */
    struct delegation_key_name name;
    const struct delegation_resource *resource; /* NULL = none, or not known */
    char role[DELEGATION_ROLE_SIZE];            /* kind role: its bare code */
};

/* Canonical text of a ref of the event (DL-05). */
void delegation_event_ref(const struct delegation_event *event, size_t index,
                          char ret_ref[static DELEGATION_REF_SIZE]);

/* Text, DL-05. */

/* Whether a part stands in a text. */
bool delegation_text_has(const char *text, const char *part);
/* Bare code of a role key's target; NULL when it is none. */
const char *delegation_role_of(const char *target);
/* Goes on with a digest. */
uint64_t delegation_digest(uint64_t digest, const void *bytes, size_t size);

/* Answers from refs and marks. */

/* Rows of a key; NULL when there is none. */
struct delegation_ref *delegation_ref_find(const struct delegation_key *key, int right, int source,
                                           const char *ref);
struct delegation_mark *delegation_mark_find(const struct delegation_key *key, int right,
                                             int source);
/* Index of a right, or -2. */
#define DELEGATION_NO_RIGHT (-2)
int delegation_right_find(const struct delegation_key *key, const char *right);
/* The index that stands for "*". */
int delegation_every(const struct delegation_key *key);
/* Whether "*" stands for all rights (kinds single and instance), or is the right itself. */
bool delegation_has_actions(enum delegation_kind kind);

/* Section 4, by its words; NULL or DELEGATION_NEVER = absent. */
int64_t delegation_dead(const struct delegation_key *key, int right, int source);
const struct delegation_ref *delegation_wild(const struct delegation_key *key, int source,
                                             const char *ref);
bool delegation_shows(const struct delegation_key *key, int right, int source, int64_t below);
int64_t delegation_cut_by(const struct delegation_key *key, int right, int source);
int64_t delegation_sys_cut(const struct delegation_state *state, const struct delegation_key *key,
                           const struct delegation_ref *ref);
bool delegation_covers_key(const struct delegation_state *state,
                           const struct delegation_scope *scope, const struct delegation_key *key);
/* Active but for the condition of the mapping and the role that lends it. */
bool delegation_stands(const struct delegation_state *state, const struct delegation_key *key,
                       const struct delegation_ref *ref);
bool delegation_condition(const struct delegation_state *state, const struct delegation_key *key,
                          const struct delegation_ref *ref);
/* Rights with an active ref of the source. */
uint64_t delegation_active_of(const struct delegation_state *state,
                              const struct delegation_key *key, int source);

static inline uint64_t delegation_bit(int right)
{
    return (uint64_t)1 << right;
}

static inline int64_t delegation_later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The decision on one key. */

struct delegation_decision {
    enum delegation_rule rule;
    bool stale;          /* nothing but presence may have moved */
    bool moved;          /* something was written down under the key */
    bool gone;           /* DL-39 */
    uint64_t reported;   /* rights that a born, not stale event says its side now has … */
    uint64_t unreported; /* … and has no more */
};

/*
 * Section 5: one event on one key. lender: index of the role key whose refs are borrowed, or -1.
 * Fails: PARK when the key would have too many rights (DL-105), and then nothing moved; FATAL when
 * the store gave no room.
 */
sync_status delegation_decide(const struct delegation_state *state, struct delegation_key *key,
                              const struct delegation_event *event, int lender,
                              struct delegation_decision *ret_decision, struct sync_error *err);

/* Room of the store: NULL when there is none. */
struct delegation_ref *delegation_ref_slot(struct delegation_key *key, int right, int source,
                                           const char *ref);
struct delegation_mark *delegation_mark_slot(struct delegation_key *key, int right, int source);
int delegation_right_slot(struct delegation_key *key, const char *right);

/* Steps 2 to 5. */

/*
 * Reads a checked change against the answers of the store. True: ret_event is ready, without the
 * rights in ret_unmapped, which are parked by themselves (DL-03). False: ret_fold says why the
 * change goes no further.
 */
bool delegation_read(const struct delegation_state *state, const struct delegation_change *change,
                     struct delegation_event *ret_event, uint64_t *ret_unmapped,
                     struct sync_fold *ret_fold);
/* DL-02 and its like, which need no answers. True when it decides. */
bool delegation_check(const struct delegation_change *change, const struct sync_context *ctx,
                      struct sync_fold *ret_fold);
enum delegation_stream delegation_stream_of(struct sync_bytes stream);
struct sync_uuid delegation_alias_of(const struct delegation_state *state,
                                     const struct sync_uuid *id);
bool delegation_park(struct sync_fold *ret_fold, enum delegation_rule rule, enum sync_code code,
                     const char *field, const char *reason);
struct sync_fold delegation_by(enum delegation_rule rule);

/* Mapping. */

/* Whether the target is a service for messages: by the type of the resource, else by its id. */
bool delegation_is_correspondence(const struct delegation_key_name *name,
                                  const struct delegation_resource *resource);
/* Class of a key's target in rights.csv. */
enum delegation_class delegation_class_of(const struct delegation_key_name *name,
                                          const struct delegation_resource *resource);
const struct delegation_right_row *delegation_map_right(const struct delegation_tables *tables,
                                                        enum delegation_class class,
                                                        const char *a2_right);
/* The right that Altinn 2 is to set for an action; NULL = it has no counterpart. */
const struct delegation_right_row *delegation_map_action(const struct delegation_tables *tables,
                                                         enum delegation_class class,
                                                         const char *action);
const struct delegation_resource *delegation_resource_find(const struct delegation_state *state,
                                                           const char *id);
/* Whether a role has rows that need a client relation. */
bool delegation_is_client_role(const struct delegation_tables *tables, const char *role);
/* Names of the keys that borrow from a role event (DL-60, DL-61); returns their number. */
size_t delegation_borrowers(const struct delegation_tables *tables,
                            const struct delegation_event *event,
                            struct delegation_key_name *ret_names, size_t capacity);

/* Scopes. */

/* Decides a scope, a lift or a merge. Fails: FATAL when the store gave no row for the scope. */
sync_status delegation_scope_fold(struct delegation_state *state,
                                  const struct delegation_change *change,
                                  struct sync_fold *ret_fold, struct sync_error *err);

/* Sides, step 9. */

struct delegation_turn {
    bool born;        /* false: an echo, or no event at all */
    bool a2_moved;    /* an event of Altinn 2 moved something under this key */
    uint64_t lost[2]; /* by side: what a born event took from it, at the time of its capture */
    struct delegation_cause cause;
};

/* Recomputes a key and compares it with both sides. */
void delegation_compare(struct delegation_state *state, struct delegation_key *key,
                        const struct delegation_turn *turn, struct sync_effects *ret_effects);

#endif
