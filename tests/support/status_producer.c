/*
 * Tool of the tests: JSON lines to status records on a topic, with the project's own encoder and
 * headers. A line has the fields of the Avro record. Not here: what every such tool does
 * (producer/producer.c).
 */
#include "../../connectors/status_record.h"
#include "producer/producer.h"

#include <runtime/clock.h>

static bool source_of(const struct sync_json *object, const char *name,
                      struct status_source *ret_source)
{
    const struct sync_json *value = producer_value(object, name);
    if (value == NULL) {
        return false;
    }
    const struct sync_json *stream = producer_value(value, "stream");
    ret_source->system = producer_is(value, "system", "ALTINN3");
    ret_source->stream = stream != NULL ? sync_json_text(stream) : sync_bytes_text("");
    ret_source->sequence = producer_integer(value, "sequence");
    return true;
}

static void change_of(const struct sync_json *line, struct status_change *ret_change)
{
    *ret_change = (struct status_change){0};
    (void)source_of(line, "source", &ret_change->source);
    ret_change->has_origin = source_of(line, "origin", &ret_change->origin);
    ret_change->has_altinn2_id = producer_value(line, "altinn2_id") != NULL;
    ret_change->altinn2_id = (int32_t)producer_integer(line, "altinn2_id");
    ret_change->has_altinn3_id = producer_uuid(line, "altinn3_id", &ret_change->altinn3_id);
    ret_change->mode = producer_is(line, "mode", "HISTORY");
    ret_change->captured_at_us = producer_value(line, "captured_at_us") != NULL
                                     ? producer_integer(line, "captured_at_us")
                                     : sync_clock_wall_us();
    ret_change->written_by_sync = producer_value(line, "written_by_sync") != NULL &&
                                  sync_json_bool(producer_value(line, "written_by_sync"));
    ret_change->kind = (int32_t)producer_integer(line, "kind");
    ret_change->occurred_at_us = producer_integer(line, "occurred_at_us");
    (void)producer_uuid(line, "party_uuid", &ret_change->party);
    ret_change->has_user = producer_uuid(line, "user_uuid", &ret_change->user);
    ret_change->has_altinn2_party = producer_value(line, "altinn2_party_id") != NULL;
    ret_change->altinn2_party_id = (int32_t)producer_integer(line, "altinn2_party_id");
}

static sync_status make(const struct sync_json *line, const struct sync_schema *schema,
                        struct sync_arena *arena, struct producer_record *ret_record,
                        struct sync_error *err)
{
    struct status_change change;
    struct status_record record = {.header_count = 0};
    change_of(line, &change);
    sync_status status = status_record_make(schema, &change, arena, &record, err);
    ret_record->key = record.key;
    ret_record->value = record.value;
    ret_record->header_count = record.header_count;
    memcpy(ret_record->headers, record.headers, sizeof record.headers);
    return status;
}

int main(int argc, char **argv)
{
    static const struct producer_kind kind = {"status_producer", "no.altinn.sync.StatusChange",
                                              make};
    return producer_main(argc, argv, &kind);
}
