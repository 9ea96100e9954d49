/*
 * The send thread of a route with an outside target: takes intents from the lanes
 * of the partitions that this process owns, sends them in order per key, records the answers.
 * Decides nothing: what a call means stands in the entity's lane store. Not here: who owns a
 * partition (consumer).
 */
#ifndef SYNC_RUNTIME_SENDER_H
#define SYNC_RUNTIME_SENDER_H
#include "store.h"

#define SYNC_SENDER_PARTITIONS_MAX 256 /* = the most partitions that one assignment can name */

struct sync_sender;

/* All texts are copied. lane lives for ever. */
struct sync_sender_options {
    const char *dsn;
    const char *setting;     /* option that holds dsn, static text; NULL = "database.dsn" */
    const char *application; /* application_name of its own connection */
    const char *scope, *topic, *target;
    const struct sync_lane_store *lane;
    const struct sync_config *config; /* for lane; lives as long as the sender. NULL = none */
    const char *base_url;             /* "http://127.0.0.1:8082" */
    const char *token_file;           /* bearer token, read again after a 401; "" or NULL = none */
    int timeout_ms;                   /* of one call; 0 = SYNC_BRIDGE_TOTAL_MS */
    int in_flight_max;                /* 0 = SYNC_LANE_IN_FLIGHT_MAX */
    int64_t echo_expected_s;          /* 0 = SYNC_ECHO_EXPECTED_S */
    uint64_t seed;                    /* of the jitter */
};

/* Since the start, for tests and the drain's log line. */
struct sync_sender_counters {
    int64_t calls, done, skipped, parked, closed, retried, unknown, fenced;
    int64_t in_flight;
};

/*
 * Makes a sender without a thread.
 * Owns: the caller frees it with sync_sender_free.  Blocks: no.
 * Fails: FATAL insecure or config (base_url, dsn), file (token_file).
 */
sync_status sync_sender_new(const struct sync_sender_options *options,
                            struct sync_sender **ret_sender, struct sync_error *err);

/* Starts the thread. Once.  Fails: FATAL internal when the system gives no thread. */
sync_status sync_sender_start(struct sync_sender *sender, struct sync_error *err);

/*
 * Ends the thread: takes nothing more, waits for the calls in flight, cuts them after drain_ms; a
 * cut call stays "sent" and is decided again by its class. Blocks: at most drain_ms + one database
 * transaction.  Calls: from the thread that started it.
 */
void sync_sender_stop(struct sync_sender *sender, int drain_ms);
void sync_sender_free(struct sync_sender **sender); /* stops without a drain if it still runs */

/* A commit may have added intents: the lanes are looked at. Any thread; does not block. */
void sync_sender_wake(struct sync_sender *sender);
/* A commit added these intents; those of other targets are passed over. Any thread; does not block.
 * Owns: hints are copied. */
void sync_sender_hint(struct sync_sender *sender, const struct sync_lane_hint *hints, size_t count);

/* The partition was claimed with this epoch: its lane may be sent. Any thread. Again with a newer
 * epoch: replaces. */
void sync_sender_own(struct sync_sender *sender, int32_t partition, int64_t epoch);

/* Fenced or revoked: nothing more is taken; answers to calls still in flight are dropped. Any
 * thread. */
void sync_sender_disown(struct sync_sender *sender, int32_t partition);

/* While paused nothing is taken; calls in flight are awaited and recorded. Any thread. */
void sync_sender_pause(struct sync_sender *sender, bool paused);

/*
 * A partition that the sender itself found fenced since the last question, -1 when none. Any
 * thread; the consumer drops it too.
 */
int32_t sync_sender_fenced(struct sync_sender *sender);

/*
 * True when the database refused the sender in a way that no repeat mends: the process must end.
 * Owns: ret_error, untouched when false.  Blocks: no.  Calls: any thread.  Fails: never.
 */
bool sync_sender_failed(struct sync_sender *sender, struct sync_error *ret_error);

/* What was counted since the start. Any thread. */
void sync_sender_counters(struct sync_sender *sender, struct sync_sender_counters *ret_counters);
#endif
