/*
 * A status change as it stands on Kafka: key, framed value and CloudEvents
 * headers. Both captures make their records here, so that they cannot differ. Not here: numbering,
 * producing.
 */
#ifndef SYNC_CONNECTORS_STATUS_RECORD_H
#define SYNC_CONNECTORS_STATUS_RECORD_H
#include <altinn_sync/correspondence_status.h>
#include <core/arena.h>
#include <runtime/kafka.h>
#include <runtime/schema.h>

#define STATUS_RECORD_HEADERS_MAX 12

struct status_record {
    struct sync_bytes key, value;
    struct sync_kafka_header headers[STATUS_RECORD_HEADERS_MAX];
    size_t header_count;
};

/*
 * Makes the record of a change: source, ids, times and kind are set by the caller.
 * Owns: everything in ret_record lies in the arena.  Blocks: no.
 * Fails: PARK when a value does not fit the schema; RETRY memory_limit when the arena is full.
 */
sync_status status_record_make(const struct sync_schema *schema, const struct status_change *change,
                               struct sync_arena *arena, struct status_record *ret_record,
                               struct sync_error *err);
#endif
