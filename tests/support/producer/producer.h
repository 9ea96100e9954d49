/*
 * What the tools share that put JSON lines on a topic as records of one schema: options, pace,
 * deliveries, raw bytes in place of a record, the closing line. Not here: what a line means.
 */
#ifndef SYNC_TESTS_PRODUCER_H
#define SYNC_TESTS_PRODUCER_H

#include <core/arena.h>
#include <runtime/json.h>
#include <runtime/kafka.h>
#include <runtime/schema.h>

#define PRODUCER_HEADERS_MAX 12

struct producer_record {
    struct sync_bytes key, value;
    struct sync_kafka_header headers[PRODUCER_HEADERS_MAX];
    size_t header_count;
};

/* A kind of record: how a line becomes one, in the arena. */
struct producer_kind {
    const char *name;   /* of the tool */
    const char *schema; /* full name */
    sync_status (*make)(const struct sync_json *line, const struct sync_schema *schema,
                        struct sync_arena *arena, struct producer_record *ret_record,
                        struct sync_error *err);
};

/*
 * The whole tool. Besides the fields of the kind a line may have "key" (overrides the Kafka key),
 * "hex" (raw bytes in place of the value), "null" (no value) and "partition". Returns the exit
 * code.
 */
int producer_main(int argc, char **argv, const struct producer_kind *kind);

/* Fields of a line: NULL, 0, false where it is absent or null. */
const struct sync_json *producer_value(const struct sync_json *object, const char *name);
int64_t producer_integer(const struct sync_json *object, const char *name);
bool producer_uuid(const struct sync_json *object, const char *name, struct sync_uuid *ret_id);
/* Whether the text of the field is this word. */
bool producer_is(const struct sync_json *object, const char *name, const char *word);

#endif
