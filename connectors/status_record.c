/* Status change to Kafka record. The headers repeat fields for tools; decisions read the record. */
#include "status_record.h"

#include <runtime/id.h>
#include <runtime/time_text.h>
#include <stdarg.h>
#include <stdio.h>

#define EARLIEST_TEXT_US                                                                           \
    (-62135596800000000LL)                  /* 0001-01-01: RFC 3339 has four digits for a year */
#define LATEST_TEXT_US 253402300799999999LL /* 9999-12-31 */
#define TEXT_MAX       256

static const char *const system_words[] = {"ALTINN2", "ALTINN3"};

/* Text in the arena, NULL when it is full: the caller asks once, at the end. */
static const char *text(struct sync_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static const char *text(struct sync_arena *arena, const char *format, ...)
{
    char buffer[TEXT_MAX];
    va_list values;
    va_start(values, format);
    vsnprintf(buffer, sizeof buffer, format, values);
    va_end(values);
    return (const char *)sync_arena_copy(arena, sync_bytes_text(buffer)).data;
}

static const char *triple(struct sync_arena *arena, const struct status_source *source)
{
    return text(arena, "%s/%.*s/%lld", system_words[source->system != 0], (int)source->stream.size,
                (const char *)source->stream.data, (long long)source->sequence);
}

static const char *uuid_text(struct sync_arena *arena, const struct sync_uuid *id)
{
    char buffer[SYNC_UUID_BUFFER];
    sync_uuid_format(id, buffer);
    return text(arena, "%s", buffer);
}

static void add(struct status_record *record, const char *name, const char *value)
{
    SYNC_ASSERT(record->header_count < STATUS_RECORD_HEADERS_MAX);
    record->headers[record->header_count++] = (struct sync_kafka_header){name, value};
}

static void add_event(const struct sync_schema *schema, const struct status_change *change,
                      struct sync_arena *arena, struct status_record *record)
{
    static const enum sync_system systems[] = {SYNC_SYSTEM_ALTINN2, SYNC_SYSTEM_ALTINN3};
    const struct status_source *source = &change->source;
    struct sync_uuid id =
        sync_id_event(systems[source->system != 0], source->stream, source->sequence);
    add(record, "content-type", "application/avro");
    add(record, "ce_specversion", "1.0");
    add(record, "ce_id", uuid_text(arena, &id));
    add(record, "ce_source",
        text(arena, "/%s/%.*s", system_words[source->system != 0], (int)source->stream.size,
             (const char *)source->stream.data));
    add(record, "ce_type", "no.altinn.correspondence.StatusChanged");
    add(record, "ce_subject", (const char *)record->key.data);
    if (change->occurred_at_us >= EARLIEST_TEXT_US && change->occurred_at_us <= LATEST_TEXT_US) {
        char time[SYNC_TIME_BUFFER];
        sync_time_format(change->occurred_at_us, 6, time);
        add(record, "ce_time", text(arena, "%s", time));
    }
    add(record, "ce_dataschema",
        text(arena, "urn:avro:%s:%016llx", sync_schema_name(schema),
             (unsigned long long)sync_schema_fingerprint(schema)));
    add(record, "ce_resource", "correspondence");
    if (change->has_altinn3_id) {
        add(record, "ce_resourceinstance", uuid_text(arena, &change->altinn3_id));
    }
    if (change->has_origin) {
        add(record, "ce_syncorigin", triple(arena, &change->origin));
    }
    add(record, "ce_syncmode", change->mode == STATUS_HISTORY ? "HISTORY" : "LIVE");
}

sync_status status_record_make(const struct sync_schema *schema, const struct status_change *change,
                               struct sync_arena *arena, struct status_record *ret_record,
                               struct sync_error *err)
{
    struct status_record record = {.header_count = 0};
    const char *key = change->has_altinn2_id ? text(arena, "%d", (int)change->altinn2_id)
                                             : uuid_text(arena, &change->altinn3_id);
    if (!key) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "make a record: the arena is full");
    }
    record.key = sync_bytes_text(key);
    add_event(schema, change, arena, &record);
    for (size_t i = 0; i < record.header_count; i++) {
        if (!record.headers[i].value) {
            return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                             "make a record: the arena is full");
        }
    }
    sync_status status = sync_encode(schema, &sync_processor_correspondence_status, change, arena,
                                     &record.value, err);
    if (sync_is_ok(status)) {
        *ret_record = record;
    }
    return status;
}
