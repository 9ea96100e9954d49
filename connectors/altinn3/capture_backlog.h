/*
 * The producer of a load: records go to named partitions of the backlog topic, and count as sent
 * only when the broker has stored every one. One thread. Not here: which records.
 */
#ifndef SYNC_CONNECTORS_ALTINN3_CAPTURE_BACKLOG_H
#define SYNC_CONNECTORS_ALTINN3_CAPTURE_BACKLOG_H

#include "capture_entity.h"
#include <stdatomic.h>

struct capture_backlog {
    const struct sync_config *config;
    const char *topic;
    char client[64];
    const atomic_bool *ends; /* borrowed: waits end with it */
    struct sync_kafka_producer *producer;
    int32_t partition_count; /* 0: not known yet */
    size_t in_flight;
    bool has_failed;
    struct sync_error failure;
};

/*
 * Fills a backlog that lies in zeroed memory.
 * Owns: capture_backlog_done frees what it made.  Blocks: no.  Fails: FATAL config.
 */
sync_status capture_backlog_init(struct capture_backlog *backlog,
                                 const struct capture_entity *entity,
                                 const struct sync_config *config, const atomic_bool *ends,
                                 struct sync_error *err);
void capture_backlog_done(struct capture_backlog *backlog);

/* Asks for the partitions once. Blocks: at most 1 s.  Fails: RETRY unreachable; FATAL
 * topic_unknown, topic_refused. */
sync_status capture_backlog_know(struct capture_backlog *backlog, struct sync_error *err);

/* Hands a record over; waits for room in the client's queue. Fails: RETRY, PARK oversize: then
 * begin anew with the first record that is not flushed. */
sync_status capture_backlog_send(struct capture_backlog *backlog,
                                 const struct capture_record *record, int32_t partition,
                                 struct sync_error *err);

/* Waits until everything is stored. Fails: RETRY when something was not, or the process ends: begin
 * anew; there is a new producer then. FATAL config. */
sync_status capture_backlog_flush(struct capture_backlog *backlog, struct sync_error *err);

#endif
