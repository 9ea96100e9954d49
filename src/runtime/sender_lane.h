/*
 * The transactions of the send thread on its lanes. Each begins with the
 * lane gate and is short. Not here: HTTP, threads, when to call.
 */
#ifndef SYNC_RUNTIME_SENDER_LANE_H
#define SYNC_RUNTIME_SENDER_LANE_H
#include "store.h"

enum sync_target_state { SYNC_TARGET_OPEN = 0, SYNC_TARGET_STOPPED = 1, SYNC_TARGET_CLOSED = 2 };

/* What stays the same. The arena is reset by each function; what they return lies in it until the
 * next one. */
struct sync_lane {
    struct sync_db *db;
    const struct sync_lane_store *store;
    const char *scope, *topic, *target;
    int64_t echo_expected_s;
    struct sync_arena *arena;
};

/* A partition whose lane is ours; fenced is set when the gate does not find our epoch. */
struct sync_lane_partition {
    int32_t partition;
    int64_t epoch;
    bool fenced;
    bool gated; /* inside a transaction: its row is locked */
};
struct sync_lane_partitions {
    struct sync_lane_partition *items;
    size_t count;
};

/* One effect of a lane. */
struct sync_lane_item {
    struct sync_lane_effect effect;
    int32_t partition;
    bool untried;        /* finish: no call was made, so none counts */
    bool again;          /* finish: goes back to waiting … */
    int64_t wait_us;     /* … for so long */
    int code;            /* finish: answer, 0 = none */
    const char *problem; /* finish: short text, NULL = none */
    bool more;           /* set by finish: more effects of the key wait */
};

/* A key whose head may be due. */
struct sync_lane_key {
    struct sync_bytes key;
    int32_t partition;
};

/* What a look without locks says. */
struct sync_lane_view {
    enum sync_target_state target;
    int64_t now_us;             /* the server's clock */
    int64_t next_due_us;        /* when the next effect that waits is due; INT64_MAX = none */
    struct sync_lane_key *keys; /* whose head is due, the longest due first */
    size_t key_count;
};
#define SYNC_LANE_VIEW_KEYS_MAX                                                                    \
    512 /* one look feeds many rounds: it passes the dead rows of all that were sent lately */

/* Which keys can be sent. busy: keys in flight. Fails: as every function here, class of the
 * statement. */
sync_status sync_lane_look(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                           const struct sync_bytes *busy, size_t busy_count,
                           struct sync_lane_view *ret_view, struct sync_error *err);

struct sync_lane_taken {
    struct sync_lane_item *items; /* heads that were decided; those to send have verdict SEND */
    size_t count;
    enum sync_target_state target; /* not open: nothing was taken */
};
/*
 * One transaction: gate, heads of the keys (1 to SYNC_LANE_KEYS_MAX, each once, none in flight),
 * the entity's verdict, marks. probe: also from a stopped target. After it returned OK, those with
 * verdict SEND must be sent.
 */
sync_status sync_lane_take(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                           const struct sync_lane_key *keys, size_t key_count, bool probe,
                           struct sync_lane_taken *ret_taken, struct sync_error *err);

/* What waits or is sent in our lanes, and since when (INT64_MAX = nothing). Reads every open row.
 */
sync_status sync_lane_pending(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                              int64_t *ret_pending, int64_t *ret_oldest_us, struct sync_error *err);

/*
 * One transaction: gate, answers. Items of fenced partitions are left alone. On success
 * effect.carried_on tells which refused ones wait again with another fact.
 */
sync_status sync_lane_finish(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                             struct sync_lane_item *items, size_t count, struct sync_error *err);

/* One transaction: ends up to SYNC_LANE_KEYS_MAX effects of a closed target that are not in flight.
 */
sync_status sync_lane_close(struct sync_lane *lane, const struct sync_lane_partitions *partitions,
                            const struct sync_bytes *busy, size_t busy_count, size_t *ret_closed,
                            struct sync_error *err);

/* Writes the target's row: closed beats stopped, an operator's word is kept. */
sync_status sync_lane_set_target(struct sync_lane *lane, enum sync_target_state state,
                                 const char *reason, struct sync_error *err);
/* What an effect does, as a label: its name without the numbers that set it apart from others of
 * its kind, "altinn2/17" is "altinn2". Fails: never. */
void sync_lane_operation(const char *name, char ret_operation[static SYNC_EFFECT_NAME_MAX]);
#endif
