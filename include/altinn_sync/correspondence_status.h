/*
 * Correspondence status: the change, the state and the pure rules that the processor shares with
 * its store. Rules: docs/rules.md (CS-nn). No SQL, no clock, no allocation.
 */
#ifndef ALTINN_SYNC_CORRESPONDENCE_STATUS_H
#define ALTINN_SYNC_CORRESPONDENCE_STATUS_H

#include <altinn_sync/processor.h>

/* The kind number is the wire status number. */
enum status_kind {
    STATUS_READ = 4,
    STATUS_CONFIRMED = 6,
    STATUS_PURGED_BY_RECIPIENT = 7,
    STATUS_PURGED_BY_OWNER = 8,
    STATUS_ARCHIVED = 9,
    STATUS_SOFT_DELETED = 13,
    STATUS_RESTORED = 14,
};

enum status_mode { STATUS_LIVE = 0, STATUS_HISTORY = 1 };

/* Triple that names an event. system is SYNC_SYSTEM_ALTINN2 or _ALTINN3 after
 * status_change_system(). */
struct status_source {
    int32_t system; /* index into the reader's symbols: 0 ALTINN2, 1 ALTINN3 */
    struct sync_bytes stream;
    int64_t sequence;
};

struct status_change {
    struct status_source source;
    bool has_origin;
    struct status_source origin;
    bool has_altinn2_id;
    int32_t altinn2_id;
    bool has_altinn3_id;
    struct sync_uuid altinn3_id;
    int32_t mode; /* enum status_mode */
    int64_t captured_at_us;
    bool written_by_sync;
    int32_t kind;
    int64_t occurred_at_us;
    struct sync_uuid party;
    bool has_user;
    struct sync_uuid user;
    bool has_altinn2_party;
    int32_t altinn2_party_id;
};

/* The numbers are those of the columns of sync.correspondence. */
enum status_mapping {
    STATUS_UNKNOWN = 0,
    STATUS_EXPECTED = 1,
    STATUS_MAPPED = 2,
    STATUS_EXCLUDED = 3,
};
enum status_gate {
    STATUS_HIDDEN = 0,
    STATUS_OPENING = 1,
    STATUS_VISIBLE = 2,
    STATUS_WITHDRAWN = 3
};
enum status_flag { STATUS_FLAG_NO = 0, STATUS_FLAG_QUEUED = 1, STATUS_FLAG_HELD = 2 };
enum status_label {
    STATUS_LABEL_UNKNOWN = 0, /* as dlg_label only: differs from every label */
    STATUS_LABEL_NONE = 1,
    STATUS_LABEL_DEFAULT = 2,
    STATUS_LABEL_BIN = 3,
    STATUS_LABEL_ARCHIVE = 4,
};

#define STATUS_NEVER INT64_MIN /* a maximum without any fact */

/* One candidate key, or one stored fact that the batch needs; the store's load fills it, fold marks
 * it. */
struct status_fact {
    int32_t kind;
    struct sync_uuid party;
    int64_t second;
    int64_t occurred_at_us;
    int32_t mode;
    int32_t source_system; /* enum sync_system */
    struct sync_bytes source_stream;
    int64_t source_sequence;
    /* answers of the look-up, then kept up by fold */
    bool known; /* in the set */
    bool in_a2, in_a3, refused;
    bool a3_row;           /* Altinn 3 has a row of that kind, party and second */
    int64_t echo_until_us; /* latest expiry of a matching expectation; STATUS_NEVER = none */
    /* for the store */
    bool insert;      /* fact is new: insert it */
    bool update;      /* in_a2, in_a3 or refused changed */
    bool write_row;   /* write the Altinn 3 row(s) of this fact */
    bool write_purge; /* purge key, attachments of the message; only together with write_row */
    bool released;    /* decided at release: kept for the mode of the status text */
};

/* Cached row of sync.correspondence and what the batch knows besides. */
struct status_state {
    int32_t altinn2_id;
    int32_t mapping;
    bool has_altinn3_id;
    struct sync_uuid altinn3_id;
    int32_t gate;
    int64_t visible_at_us; /* STATUS_NEVER = null */
    bool read, confirmed, archived, purged;
    int64_t max_soft_deleted, max_restored, max_archived; /* seconds */
    int32_t a2_read, a2_confirmed, a2_deleted;            /* enum status_flag */
    bool dlg_opened, dlg_confirmed, dlg_deleted;
    int32_t dlg_label; /* enum status_label */
    int64_t version;   /* +1 per stored fact */
    /* answers of the look-up */
    bool confirmation_needed;
    bool a3_present;    /* Altinn 3 still has the message's row */
    bool bridge_closed; /* the lane to Altinn 2 is closed */
    bool has_recipient_party;
    int32_t recipient_party_id; /* "PartyId": the recipient in Altinn 2's numbering */
    int64_t held_count;         /* records held for this id */
    int64_t init_us;            /* time of "capture init"; STATUS_NEVER = none yet */
    struct status_fact *facts;
    size_t fact_count, fact_capacity;
    bool dirty; /* the row must be written */
};

/* One row of Altinn 3's history, as the store found it. */
struct status_row {
    int32_t kind;
    struct sync_uuid party;
    int64_t occurred_at_us;
    bool synced;       /* "SyncedFromAltinn2" is set */
    bool with_message; /* came with its message: same xmin as the contents row */
};

/* Name, Altinn 3 delete event type (0 = none) and flags of a kind; NULL for one that is not a fact
 * kind. */
struct status_kind_info {
    int32_t kind;
    const char *name;         /* "Read", for StatusText */
    int32_t delete_event;     /* "EventType", 0 = none */
    bool status_row;          /* has a row in "CorrespondenceStatuses" */
    const char *bridge_event; /* "read", "confirm", "delete" or NULL */
};
const struct status_kind_info *status_kind_find(int32_t kind);

/* Altinn 3's name of a kind, passive ones too, for StatusText; NULL for a kind that is not known.
 */
const char *status_kind_name(int32_t kind);
bool status_kind_is_passive(int32_t kind);
bool status_kind_is_purge(int32_t kind);

/* Derived label of a message. */
enum status_label status_label_of(const struct status_state *state);

/* Slot of a key, or NULL. Linear: a batch touches few keys of one message. */
struct status_fact *status_fact_find(const struct status_state *state, int32_t kind,
                                     const struct sync_uuid *party, int64_t second);

/*
 * CS-18: a mapping was created or adopted. Sets gate and dlg_label; the store then imports the rows
 * of Altinn 3, the runtime folds what was held, and the difference function queues what is left.
 * now_us is the time of the transaction; an adopted message keeps no visible_at (that is CS-102's).
 */
void status_adopt(struct status_state *state, const struct sync_uuid *altinn3_id, bool is_migrating,
                  int64_t now_us);

/*
 * CS-102: Altinn 3's own endpoint made the message visible. The store imports the rows of Altinn 3
 * first, while the gate is still hidden, then calls this, then the difference function, then the
 * records are folded. For the difference the state needs a slot for every stored READ, CONFIRMED
 * and PURGED fact: the dialog shows the earliest of each.
 */
void status_flip(struct status_state *state, int64_t now_us);

/*
 * CS-19: imports one row of Altinn 3 as a fact; a row of another kind than the facts is passed
 * over. Effects, added behind those already there: the one call of a row that will never be
 * published (dated before "capture init", or no capture was ever initialised: CS-104), and dialog
 * effects within 60 s of visible_at. now_us is the time of the transaction. Fails: FATAL when the
 * state has neither the key's slot nor a free one.
 */
sync_status status_import(struct status_state *state, const struct status_row *row, int64_t now_us,
                          struct sync_effects *ret_effects, struct sync_error *err);

/*
 * What a call to the bridge is made from: the frozen content of an a2/… effect. As JSON, one object
 * with altinn2_id, kind, party (36 characters), second, occurred_at_us, and party_id (null when not
 * known yet).
 */
struct status_call {
    int32_t altinn2_id;
    int32_t kind;
    struct sync_uuid party;
    int64_t second;
    int64_t occurred_at_us;
    bool has_party_id;
    int32_t party_id;
};

/* Frozen body of an a2/… effect, as JSON text. Returns its size; 0 if capacity is too small. */
size_t status_call_format(const struct status_call *call, char *ret_text, size_t capacity);

/* Name of the a2/… effect of a kind: "a2/read", "a2/confirm", "a2/delete"; NULL for others. */
const char *status_call_name(int32_t kind);

/* Which flag of the state belongs to a kind; NULL when Altinn 2 has no call for it. */
int32_t *status_flag_of(struct status_state *state, int32_t kind);

/*
 * Name of the effect that purges one attachment ("blob/purge/<attachment>") and its frozen body.
 * The store knows the attachments; it calls this for each when a fact says write_purge.
 */
void status_blob_effect(const struct status_state *state, const struct sync_uuid *attachment,
                        struct sync_effect *ret_effect);

/* The system of a triple; SYNC_SYSTEM_NONE when the index is none of the reader's symbols. */
enum sync_system status_system_of(const struct status_source *source);

/* What an answer of the bridge means, CS-50…55. transport_failed: no answer at all. */
enum status_answer {
    STATUS_ANSWER_DONE,   /* CS-50 */
    STATUS_ANSWER_RETRY,  /* CS-52 */
    STATUS_ANSWER_PARK,   /* CS-53 */
    STATUS_ANSWER_STOP,   /* CS-54 */
    STATUS_ANSWER_CLOSED, /* CS-55 */
};
enum status_answer status_answer_of(bool transport_failed, int http_code, const char **ret_rule);

/*
 * After PARK: which other fact carries the call on: the earliest (second, then party) of the kind
 * that is known, not refused and not held by Altinn 2 already, and for read and confirm not of the
 * zero party. Both kinds of purge are one kind here. facts are all stored facts of the message; the
 * one whose call was parked is marked refused before. Returns its index, or SIZE_MAX.
 */
size_t status_carry_on(const struct status_fact *facts, size_t count, int32_t kind);

extern const struct sync_processor sync_processor_correspondence_status;

#endif
