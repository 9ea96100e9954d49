/*
 * A change of a delegation as it stands on Kafka: key, framed value and CloudEvents headers. Both
 * captures make their records here, so that they cannot differ. Not here: numbering, producing.
 */
#ifndef SYNC_CONNECTORS_DELEGATION_RECORD_H
#define SYNC_CONNECTORS_DELEGATION_RECORD_H
#include <altinn_sync/delegation.h>
#include <core/arena.h>
#include <runtime/kafka.h>
#include <runtime/schema.h>

#define DELEGATION_RECORD_HEADERS_MAX 12

struct delegation_record {
    struct sync_bytes key, value; /* key of TICK and END: null */
    struct sync_kafka_header headers[DELEGATION_RECORD_HEADERS_MAX];
    size_t header_count;
};

/*
 * Makes the record of a change; every field is set by the caller. A change without a giver gets a
 * key that no giver has: the consumer parks it, and nothing that a source said is left out.
 * Owns: everything in ret_record lies in the arena.  Blocks: no.
 * Fails: PARK when a value does not fit the schema; RETRY memory_limit when the arena is
 * full.
 */
sync_status delegation_record_make(const struct sync_schema *schema,
                                   const struct delegation_change *change, struct sync_arena *arena,
                                   struct delegation_record *ret_record, struct sync_error *err);

#endif
