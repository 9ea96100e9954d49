/*
 * The poll thread's half of the capture: takes events, looks up what the log does not carry,
 * produces, counts what the broker has stored and moves the position over the contiguous finished
 * prefix. One thread. Not here: reading the log (capture_stream.h), the life of the process
 * (capture.c).
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_PUBLISHER_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_PUBLISHER_H

#include "capture_queue.h"
#include "capture_stream.h"
#include "capture_ticks.h"
#include <core/prefix.h>

#define CAPTURE_UNITS_MAX    16384 /* transactions read and not delivered; then reading waits */
#define CAPTURE_TICK_TICKET  0xffffffffffffULL /* of marks: they belong to no transaction */
#define CAPTURE_RECORD_BYTES 16384             /* struct, key, value and headers of one record */

/* What the publisher knows of an item that has not been handed over yet. */
struct capture_pending {
    uint64_t ticket;
    int64_t unknown_us; /* monotonic: when an answer first said that something is not there; 0 =
                           none did */
    unsigned parts_done;
};

struct capture_publisher {
    const struct capture_entity *entity;
    const struct sync_config *config;
    const char *topic;
    const struct sync_schema *schema;
    struct capture_stream *stream;
    struct sync_db *db;
    struct sync_kafka_producer *producer;
    void *desk; /* entity->desk_size bytes */
    struct sync_prefix prefix;
    struct sync_prefix_unit units[CAPTURE_UNITS_MAX];
    int64_t committed_us[CAPTURE_UNITS_MAX]; /* by ticket: when the source committed it */
    struct capture_item items[CAPTURE_ITEMS_MAX];
    struct capture_pending pending[CAPTURE_ITEMS_MAX]; /* of the same items */
    size_t pending_count;
    struct capture_event events[CAPTURE_ITEMS_MAX];
    uint8_t *rows, *answers; /* of items and events; of items */
    uint64_t ticket;         /* of the open transaction */
    bool is_topic_known;
    atomic_bool has_begun;     /* the first RESTART was taken; also others look */
    bool is_open, is_reading;  /* reading: RESTART was taken, no new one is due */
    bool has_failed;           /* a report said "not stored" */
    struct sync_error failure; /* the last such report */
    unsigned session;          /* of the producer's tags: reports of earlier ones count no more */
    size_t in_flight;
    uint64_t stored_lsn; /* in sync.source */
    uint64_t sound_lsn;  /* stored when the publication was last seen to be whole */
    bool is_asked;       /* the server waits: store now */
    int64_t asking_us, asked_us, reported_us, stored_us, heartbeat_us, resolved_us,
        retry_us;         /* monotonic */
    int64_t ask_pause_us; /* until what was not there is asked for again */
    size_t delivered;     /* records since the position was stored */
    int32_t partition_count;
    struct capture_ticks ticks;
};

/* Tag of a record: its ticket, and the session in which its report counts. Pure. */
void *capture_tag(const struct capture_publisher *publisher, uint64_t ticket);

/*
 * Fills a publisher that lies in zeroed memory; schema and stream outlive it.
 * Owns: capture_publisher_done frees what it made.  Blocks: no.  Fails: FATAL config, insecure.
 */
sync_status capture_publisher_init(struct capture_publisher *publisher,
                                   const struct sync_config *config, struct capture_stream *stream,
                                   const struct sync_schema *schema, struct sync_error *err);
void capture_publisher_done(struct capture_publisher *publisher);

/*
 * One turn: takes what waits (for at most 100 ms), hands it over, serves reports, stores the
 * position. Blocks: at most a look-up's time-out + network. Fails: FATAL; an outage is logged and
 * the next turns try again.
 */
sync_status capture_publisher_turn(struct capture_publisher *publisher, struct sync_error *err);

/* Takes nothing new, waits at most timeout_ms for the reports that are due, stores the position. */
void capture_publisher_drain(struct capture_publisher *publisher, int timeout_ms);

/* Seconds since the source committed the oldest change that is not delivered; 0 = none is open. */
double capture_publisher_lag_seconds(const struct capture_publisher *publisher);

#endif
