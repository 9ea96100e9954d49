/* Delegation to Kafka record. The headers repeat fields for tools; decisions read the record. */
#include "delegation_record.h"

#include <runtime/id.h>
#include <runtime/time_text.h>
#include <stdarg.h>
#include <stdio.h>

#define EARLIEST_TEXT_US (-62135596800000000LL) /* 0001-01-01: RFC 3339 has four digits */
#define LATEST_TEXT_US   253402300799999999LL   /* 9999-12-31 */
#define TEXT_MAX         256
#define NO_GIVER_KEY     "p:0" /* no party has it; the consumer parks what has no giver */

static const char *const system_words[] = {"ALTINN2", "ALTINN3", "SYS"};

/* Text in the arena, NULL when it is full: the caller asks once, at the end. */
static const char *text(struct sync_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static const char *text(struct sync_arena *arena, const char *format, ...)
{
    char buffer[TEXT_MAX];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(buffer, sizeof buffer, format, values);
    va_end(values);
    return (const char *)sync_arena_copy(arena, sync_bytes_text(buffer)).data;
}

static void add(struct delegation_record *record, const char *name, const char *value)
{
    SYNC_ASSERT(record->header_count < DELEGATION_RECORD_HEADERS_MAX);
    record->headers[record->header_count++] = (struct sync_kafka_header){name, value};
}

static bool is_mark(const struct delegation_change *change)
{
    return change->kind == DELEGATION_CONTROL;
}

/* A row number of a snapshot means something in its snapshot only; a mark shares its number with
 * events. */
static struct sync_uuid id_of(const struct delegation_change *change)
{
    static const enum sync_system systems[] = {SYNC_SYSTEM_ALTINN2, SYNC_SYSTEM_ALTINN3,
                                               SYNC_SYSTEM_SYS};
    char snapshot[SYNC_UUID_BUFFER] = "";
    const char *part = snapshot;
    if (is_mark(change)) {
        part = change->op == DELEGATION_TICK ? "tick" : "end";
    } else if (change->has_snapshot_id) {
        sync_uuid_format(&change->snapshot_id, snapshot);
    }
    return sync_id_event_of(systems[change->source], change->stream, part, change->seq);
}

/* Where the source tells only that we wrote, the system alone. */
static const char *origin_text(struct sync_arena *arena, const struct delegation_change *change)
{
    const char *system = system_words[change->origin_source];
    if (!change->has_origin_stream) {
        return text(arena, "%s", system);
    }
    return text(arena, "%s/%.*s/%lld", system, (int)change->origin_stream.size,
                (const char *)change->origin_stream.data, (long long)change->origin_seq);
}

static void add_event(const struct sync_schema *schema, const struct delegation_change *change,
                      struct sync_arena *arena, struct delegation_record *record)
{
    char id[SYNC_UUID_BUFFER];
    struct sync_uuid event = id_of(change);
    sync_uuid_format(&event, id);
    add(record, "content-type", "application/avro");
    add(record, "ce_specversion", "1.0");
    add(record, "ce_id", text(arena, "%s", id));
    add(record, "ce_source",
        text(arena, "/%s/%.*s", system_words[change->source], (int)change->stream.size,
             (const char *)change->stream.data));
    add(record, "ce_type", "no.altinn.authorization.DelegationChanged");
    if (record->key.data != NULL) {
        add(record, "ce_subject", (const char *)record->key.data);
    }
    if (change->has_event_time && change->event_time_us >= EARLIEST_TEXT_US &&
        change->event_time_us <= LATEST_TEXT_US) {
        char time[SYNC_TIME_BUFFER];
        sync_time_format(change->event_time_us, 6, time);
        add(record, "ce_time", text(arena, "%s", time));
    }
    add(record, "ce_dataschema",
        text(arena, "urn:avro:%s:%016llx", sync_schema_name(schema),
             (unsigned long long)sync_schema_fingerprint(schema)));
    add(record, "ce_resource", "delegation");
    if (change->has_origin) {
        add(record, "ce_syncorigin", origin_text(arena, change));
    }
    add(record, "ce_syncmode", change->has_snapshot_id ? "HISTORY" : "LIVE");
}

static sync_status make_key(const struct delegation_change *change, struct sync_arena *arena,
                            struct sync_bytes *ret_key, struct sync_error *err)
{
    struct sync_key key;
    *ret_key = (struct sync_bytes){NULL, 0};
    if (is_mark(change)) {
        return SYNC_OK; /* it goes to a named partition */
    }
    sync_status status = sync_processor_delegation.key(change, &key, err);
    if (status.class == SYNC_CLASS_PARK) {
        *ret_key = sync_bytes_text(NO_GIVER_KEY);
        return SYNC_OK;
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    *ret_key = sync_arena_copy(arena, (struct sync_bytes){(const uint8_t *)key.text, key.size});
    return ret_key->data != NULL ? SYNC_OK
                                 : sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                                             "make a record: the arena is full");
}

sync_status delegation_record_make(const struct sync_schema *schema,
                                   const struct delegation_change *change, struct sync_arena *arena,
                                   struct delegation_record *ret_record, struct sync_error *err)
{
    struct delegation_record record = {.header_count = 0};
    sync_status status = make_key(change, arena, &record.key, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    add_event(schema, change, arena, &record);
    for (size_t i = 0; i < record.header_count; i++) {
        if (!record.headers[i].value) {
            return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                             "make a record: the arena is full");
        }
    }
    status = sync_encode(schema, &sync_processor_delegation, change, arena, &record.value, err);
    if (sync_is_ok(status)) {
        *ret_record = record;
    }
    return status;
}
