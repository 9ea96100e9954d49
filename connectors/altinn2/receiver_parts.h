/*
 * What a capture of Altinn 2 is to the receiver: its calls with their parsers, and what its stream
 * thread makes of them. The receiver owns listener, threads, producing and answers. Nobody else
 * includes this.
 */
#ifndef SYNC_ALTINN2_RECEIVER_PARTS_H
#define SYNC_ALTINN2_RECEIVER_PARTS_H
#include "push.h"
#include "receiver.h"

#include <runtime/schema.h>
#include <stdatomic.h>

#define RECEIVER_TOPICS_MAX 4

/* Where a call came in. Below an export's path the same calls give rows of a snapshot. */
struct receiver_place {
    bool is_export, has_position;
    struct sync_uuid snapshot_id;
    int64_t snapshot_pos;
};

/*
 * One call.
 * parse reads the body on the listener's thread, so that nothing of the request is needed later.
 * Owns:   ret_content is freed with free() by the receiver.  Blocks: no.
 * Fails:  PARK (answered 400, oversize 413), with the JSON pointer in field; RETRY (503).
 */
struct receiver_call {
    const char *path;
    sync_status (*parse)(struct sync_bytes body, const struct receiver_place *place,
                         void **ret_content, struct sync_error *err); /* NULL: answered 501 */
};

/* A topic that the capture writes. */
struct receiver_topic {
    const char *name;
    atomic_int partitions; /* 0 until the broker told */
};

/* What the receiver shares with a capture's own part. */
struct receiver_shell {
    const char *name;
    const struct sync_config *config;
    struct sync_schema_set *schemas;
    struct push_table pushes;
    struct receiver_topic topics[RECEIVER_TOPICS_MAX];
    size_t topic_count;
    atomic_bool ending; /* threads of the capture end soon */
};

struct receiver_capture {
    const char *name; /* in sync.source, logs and metrics */
    const struct receiver_call *calls;
    size_t call_count;
    /* Takes off what stands before the path of a call, NULL = nothing ever does. Returns the path
     * of the call. Listener's thread. */
    const char *(*locate)(void *part, const char *path, struct receiver_place *ret_place);
    /* Names the topics of the shell and makes the capture's own part, which close ends and frees.
     */
    sync_status (*open)(struct receiver_shell *shell, void **ret_part, struct sync_error *err);
    void (*close)(void **part);
    /*
     * Stream thread: looks up, numbers and makes the records of pushes. Each is answered and freed,
     * or moved to PUSH_READY. On failure the receiver answers those that are still PUSH_RESOLVING
     * with 503.
     */
    sync_status (*make)(void *part, struct push **pushes, size_t count, struct sync_error *err);
    /* Stream thread: pushes marked with confirm whose records are all stored. Each is answered and
     * freed; on failure the receiver answers the others with 503. NULL = none is marked. */
    sync_status (*confirm)(void *part, struct push **pushes, size_t count, struct sync_error *err);
    /* Stream thread, between calls, at least every second: what is to be said unasked. */
    sync_status (*idle)(void *part, int64_t now_us, struct sync_error *err);
    sync_status (*ping)(void *part, struct sync_error *err); /* does the database answer */
    /* A thread of the capture's own, which returns soon after shell->ending; NULL = none. */
    void (*run)(void *part);
};

/* Runs a capture until it is told to stop. Fails: FATAL. */
sync_status receiver_run(const struct receiver_capture *capture, const struct sync_config *config,
                         struct sync_error *err);

/* Any thread of the capture: what became of a question to the database. A refusal ends the process,
 * an outage is told and waited for. */
void receiver_judge_database(struct receiver_shell *shell, sync_status status,
                             const struct sync_error *err);
#endif
