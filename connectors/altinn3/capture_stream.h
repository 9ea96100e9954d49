/*
 * The stream thread of the capture: connects, compares slot and server with what is recorded, reads
 * the log, keeps what is not ours to publish out, and answers the server in time whatever the
 * broker does. Not here: ids, producing, positions (capture_publisher.h).
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_STREAM_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_STREAM_H

#include "capture_queue.h"
#include "capture_source.h"
#include <stdatomic.h>

#define CAPTURE_RELATIONS_MAX 32 /* at most 11 are ours; a wider publication is borne, not used */

/* One relation of the stream. */
struct capture_relation {
    uint32_t id;
    bool known; /* one of the entity's tables */
    struct row_plan plan;
};

struct capture_stream {
    const struct capture_entity *entity;
    const struct sync_config *config;
    struct sync_home home; /* of the entity */
    struct capture_queue queue;
    /* Said by the poll thread. */
    atomic_bool ends;               /* return soon */
    atomic_bool restart;            /* begin again behind the confirmed prefix */
    atomic_uint restarts_taken;     /* RESTART events handled; start_lsn is then set */
    _Atomic uint64_t start_lsn;     /* where to begin */
    _Atomic uint64_t confirmed_lsn; /* stored: the slot may forget what lies before */
    /* Said by the stream thread. */
    atomic_bool broken; /* fatal holds why; the thread has returned */
    struct sync_error fatal;
    struct capture_source source;  /* as recorded; set before the first RESTART */
    _Atomic uint64_t recorded_lsn; /* delivered, as recorded before the last RESTART */
    char text[64];                 /* "altinn3-status.1"; the same */
    /* Of the stream thread alone. */
    struct sync_db *db;
    struct capture_wire *wire;
    unsigned restarts_sent;
    bool in_transaction, is_own_write; /* own: its origin is one of ours */
    int64_t committed_us;              /* of the open transaction */
    uint64_t change_lsn;               /* of the last change, and how many before it had the same */
    int64_t ordinal;
    uint64_t received_lsn, told_lsn;
    int64_t told_us; /* when the server last heard of us */
    bool is_asked;   /* the server waits for an answer */
    struct capture_relation relations[CAPTURE_RELATIONS_MAX];
    size_t relation_count;
    void *reader; /* entity->reader_size bytes */
    void *row;    /* the one that is read */
    struct pgoutput_message message;
};

/*
 * Prepares a stream that lies in zeroed memory.
 * Owns: capture_stream_done frees what it made.  Blocks: no.  Fails: FATAL config, insecure,
 * memory_limit.
 */
sync_status capture_stream_init(struct capture_stream *stream, const struct capture_entity *entity,
                                const struct sync_config *config, struct sync_error *err);
void capture_stream_done(struct capture_stream *stream);

/* Body of the thread; context is the stream. Returns when it is told to, or broken. */
void *capture_stream_run(void *context);

#endif
