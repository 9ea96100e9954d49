/*
 * Two sides, two topics and the bridge around one message, as steps that can come in any order.
 * Runs the processor that ships and checks every effect the moment it is decided. Not here: which
 * orders are tried (enumerator.c), what the end must look like (oracle.h).
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <altinn_sync/correspondence_status.h>

#define WORLD_CHANGES   12
#define WORLD_KEYS_MAX  24
#define WORLD_STEPS_MAX 64
#define WORLD_HELD_MAX  8

/* How Altinn 2 reports a call of ours back. */
enum world_echo {
    WORLD_ECHO_NONE,
    WORLD_ECHO_EXACT,
    WORLD_ECHO_SECOND, /* one second later */
    WORLD_ECHO_PARTY,  /* under another party; a delete as the other kind of purge */
    WORLD_ECHO_BOTH,
    WORLD_ECHO_ORIGIN, /* as BOTH, but naming our act as its origin */
    WORLD_ECHOES,
};

enum world_start {
    WORLD_HIDDEN, /* may be made visible at any point */
    WORLD_VISIBLE,
    WORLD_UNMAPPED, /* adopted at any point, hidden or visible */
    WORLD_STARTS,
};

/* Faults of what is around the processor; each must be found. */
enum world_plant {
    WORLD_PLANT_NONE,
    WORLD_PLANT_LABEL_FROM_LAST_EVENT,
    WORLD_PLANT_PURGE_FORGOTTEN,
    WORLD_PLANT_STALE_LOOK_UP,
    WORLD_PLANT_TOLERANCE,
    WORLD_PLANT_NO_EXPECTED_ECHO,
    WORLD_PLANT_QUEUED_TAKEN_AS_HELD,
    WORLD_PLANT_DONE_FORGOTTEN,
    WORLD_PLANT_DIALOG_NOT_SKIPPED,
    WORLD_PLANT_FLIP_UNTOLD,
    WORLD_PLANT_HELD_LOST,
    WORLD_PLANTS,
};
const char *world_plant_name(enum world_plant plant);

struct world_key {
    int32_t kind;
    int party;
    int64_t second;
};

/* What stays the same in one run. */
struct world_model {
    uint16_t set; /* bits of the changes that happen */
    int extra;    /* how many records may come once more */
    enum world_echo echo;
    enum world_start start;
    enum world_plant plant;
    size_t key_count;
    struct world_key keys[WORLD_KEYS_MAX];
    int change_key[WORLD_CHANGES];
};

enum world_call {
    WORLD_CALL_NONE,
    WORLD_CALL_WAITING,
    WORLD_CALL_SENT,
    WORLD_CALL_DONE,
    WORLD_CALL_SKIPPED
};
enum world_topic { WORLD_NO_BATCH, WORLD_TOPIC_ALTINN2, WORLD_TOPIC_ALTINN3 };

struct world {
    struct status_state state; /* state.facts is set when it is used */
    uint32_t rows;             /* keys of which Altinn 3 has a row */
    uint32_t reported;         /* keys that Altinn 2 reported as echo */
    uint32_t events;           /* keys of which an Altinn Event was decided */
    uint32_t expected;         /* keys of calls that left */
    uint16_t committed;        /* changes of Altinn 3 that happened */
    uint16_t delivered;        /* changes whose record came */
    int extra_left;
    enum world_topic batch; /* open transaction */
    bool batch_purge;       /* it holds the purge key, or Altinn 3 purged beside it */
    bool altinn3_visible;   /* not IsMigrating */
    struct {
        enum world_call state;
        int key;
        bool echo_waiting, echo_seen;
    } calls[3]; /* read, confirm, delete */
    int call_order[3], call_count;
    bool event_purged;
    bool waiting_opened, waiting_confirmed, waiting_label, waiting_deleted;
    bool told_opened, told_confirmed, told_deleted;
    bool dialog_deleted, dialog_opened, dialog_confirmed;
    int dialog_label;
    uint8_t held[2][WORLD_HELD_MAX];
    int held_count[2];
    struct status_fact facts[WORLD_KEYS_MAX]; /* last: a copy leaves out what is not used */
};

enum world_op {
    WORLD_ACT,    /* a person acts in Altinn 3 */
    WORLD_RECORD, /* the record of a change is decided, in the open batch or a new one */
    WORLD_ECHOED, /* so is the record by which Altinn 2 reports a call */
    WORLD_COMMIT,
    WORLD_FLIP,
    WORLD_ADOPT,
    WORLD_SEND,
    WORLD_ANSWER,
    WORLD_DIALOG, /* the dialog sender sends all that waits */
};
struct world_step {
    uint8_t op, argument;
};

/* What went wrong; the rule of the last decision is for the printed story. */
struct world_fault {
    char text[160];
    const char *rule;
};

void world_model_init(struct world_model *model, uint16_t set, int extra, enum world_echo echo);
bool world_has_call(
    uint16_t set); /* whether a change of the set can cause a call, so that echo matters */
void world_init(const struct world_model *model, struct world *ret_world);
size_t world_steps(const struct world_model *model, const struct world *world,
                   struct world_step ret_steps[WORLD_STEPS_MAX]);

/* False: the step broke an invariant. */
bool world_take(const struct world_model *model, struct world *world, struct world_step step,
                struct world_fault *ret_fault);

/* Everything happened, came, was sent and answered. */
bool world_is_end(const struct world_model *model, const struct world *world);

/* Judges an end; the world is used up by it. ret_one_way: acts that have no way to Altinn 2. */
bool world_check_end(const struct world_model *model, struct world *world, size_t *ret_one_way,
                     struct world_fault *ret_fault);

/* What must be equal at every end with the same gate: facts of the changes, flags, label, gate. */
uint64_t world_end_digest(const struct world_model *model, const struct world *world);

/* All that decides the future, packed. Returns its size. */
#define WORLD_PACKED_MAX 128
size_t world_pack(const struct world *world, uint8_t ret_bytes[WORLD_PACKED_MAX]);

/* A copy without the unused slots. */
void world_copy(const struct world_model *model, const struct world *world, struct world *ret_copy);

void world_describe(struct world_step step, char *ret_text, size_t capacity);
const char *world_change_name(int change);

#endif
