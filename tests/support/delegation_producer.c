/*
 * Tool of the tests: JSON lines to records of delegations on a topic, with the project's own
 * encoder and headers. A line has the fields of the Avro record, nested as there. Not here: what
 * every such tool does (producer/producer.c).
 */
#include "../../connectors/delegation_record.h"
#include "producer/producer.h"

#include <runtime/clock.h>

#define TEXTS_MAX 512

/* Index of the field's word in the symbols of an enum; -1 when it is none of them. */
static int32_t symbol(const struct sync_json *object, const char *name, const char *const *symbols,
                      int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        if (producer_is(object, name, symbols[i])) {
            return i;
        }
    }
    return -1;
}
#define SYMBOL(object, name, list)                                                                 \
    symbol(object, name, list, (int32_t)(sizeof(list) / sizeof(list)[0]))

static const char *const sources[] = {"A2", "A3", "SYS"};
static const char *const kinds[] = {"SINGLE", "INSTANCE", "PACKAGE", "ROLE",
                                    "CLIENT", "SCOPE",    "CONTROL"};
static const char *const ops[] = {"GRANT", "REVOKE", "REVOKE_ALL", "LIFT", "MERGE", "TICK", "END"};
static const char *const targets[] = {"SERVICE", "RESOURCE", "PACKAGE", "ROLE"};
static const char *const scopes[] = {"PARTY", "RELATION", "INSTANCE"};
static const char *const actors[] = {"HUMAN", "MACHINE"};

static struct sync_bytes text_of(const struct sync_json *object, const char *name, bool *ret_has)
{
    const struct sync_json *value = producer_value(object, name);
    *ret_has = value != NULL;
    return value != NULL ? sync_json_text(value) : sync_bytes_text("");
}

static struct sync_texts texts_of(const struct sync_json *object, const char *name,
                                  struct sync_arena *arena)
{
    const struct sync_json *value = producer_value(object, name);
    struct sync_bytes items[TEXTS_MAX];
    struct sync_texts texts = {0};
    size_t count = value != NULL ? sync_json_count(value) : 0, size = 16;
    SYNC_ASSERT(count <= TEXTS_MAX);
    for (size_t i = 0; i < count; i++) {
        items[i] = sync_json_text(sync_json_at(value, i));
        size += items[i].size + 10;
    }
    uint8_t *room = sync_arena_take_array(arena, size, 1);
    SYNC_ASSERT(room != NULL && sync_texts_make(items, count, room, size, &texts));
    return texts;
}

static struct delegation_name name_of(const struct sync_json *line, const char *field)
{
    const struct sync_json *value = producer_value(line, field);
    struct delegation_name name = {.present = value != NULL};
    if (value == NULL) {
        return name;
    }
    name.has_uuid = producer_uuid(value, "uuid", &name.uuid);
    name.has_party_id = producer_value(value, "party_id") != NULL;
    name.party_id = (int32_t)producer_integer(value, "party_id");
    name.has_user_id = producer_value(value, "user_id") != NULL;
    name.user_id = (int32_t)producer_integer(value, "user_id");
    name.type = text_of(value, "type", &name.has_type);
    return name;
}

static void source_of(const struct sync_json *line, struct delegation_change *change)
{
    bool has_stream = false;
    change->source = SYMBOL(line, "source", sources);
    change->stream = text_of(line, "stream", &has_stream);
    change->seq = producer_integer(line, "seq");
    change->weak =
        producer_value(line, "weak") != NULL && sync_json_bool(producer_value(line, "weak"));
    change->has_snapshot_id = producer_uuid(line, "snapshot_id", &change->snapshot_id);
    change->has_snapshot_pos = producer_value(line, "snapshot_pos") != NULL;
    change->snapshot_pos = producer_integer(line, "snapshot_pos");
    change->origin_source = SYMBOL(line, "origin_source", sources);
    change->has_origin = change->origin_source >= 0;
    change->origin_source = change->has_origin ? change->origin_source : 0;
    change->origin_stream = text_of(line, "origin_stream", &change->has_origin_stream);
    change->has_origin_seq = producer_value(line, "origin_seq") != NULL;
    change->origin_seq = producer_integer(line, "origin_seq");
    change->has_native_id = producer_value(line, "native_id") != NULL;
    change->native_id = producer_integer(line, "native_id");
}

static void target_of(const struct sync_json *line, struct delegation_change *change)
{
    const struct sync_json *target = producer_value(line, "target");
    change->has_target = target != NULL;
    if (target != NULL) {
        change->target_kind = SYMBOL(target, "kind", targets);
        change->target_id = text_of(target, "id", &change->has_target_id);
        change->service_code = text_of(target, "service_code", &change->has_service_code);
        change->has_edition = producer_value(target, "edition") != NULL;
        change->edition = (int32_t)producer_integer(target, "edition");
    }
    change->instance = text_of(line, "instance", &change->has_instance);
    change->app_controlled = producer_value(line, "app_controlled") != NULL &&
                             sync_json_bool(producer_value(line, "app_controlled"));
}

static void scope_of(const struct sync_json *line, struct sync_arena *arena,
                     struct delegation_change *change)
{
    const struct sync_json *scope = producer_value(line, "scope");
    change->has_scope = scope != NULL;
    if (scope != NULL) {
        change->scope_kind = SYMBOL(scope, "kind", scopes);
        change->scope_ids = texts_of(scope, "ids", arena);
        change->er_role = text_of(scope, "er_role", &change->has_er_role);
        change->scope_final = producer_value(scope, "final") != NULL &&
                              sync_json_bool(producer_value(scope, "final"));
    }
}

static void times_of(const struct sync_json *line, struct delegation_change *change)
{
    change->has_event_time = producer_value(line, "event_time") != NULL;
    change->event_time_us = producer_integer(line, "event_time");
    change->capture_time_us = producer_value(line, "capture_time") != NULL
                                  ? producer_integer(line, "capture_time")
                                  : sync_clock_wall_us();
    change->by =
        producer_is(line, "by", actors[DELEGATION_MACHINE]) ? DELEGATION_MACHINE : DELEGATION_HUMAN;
}

static sync_status make(const struct sync_json *line, const struct sync_schema *schema,
                        struct sync_arena *arena, struct producer_record *ret_record,
                        struct sync_error *err)
{
    struct delegation_change change = {0};
    struct delegation_record record = {.header_count = 0};
    source_of(line, &change);
    target_of(line, &change);
    scope_of(line, arena, &change);
    times_of(line, &change);
    change.kind = SYMBOL(line, "kind", kinds);
    change.op = SYMBOL(line, "op", ops);
    change.from = name_of(line, "from");
    change.to = name_of(line, "to");
    change.facilitator = name_of(line, "facilitator");
    change.performer = name_of(line, "performer");
    change.rights = texts_of(line, "rights", arena);
    change.refs = texts_of(line, "refs", arena);
    sync_status status = delegation_record_make(schema, &change, arena, &record, err);
    ret_record->key = record.key;
    ret_record->value = record.value;
    ret_record->header_count = record.header_count;
    memcpy(ret_record->headers, record.headers, sizeof record.headers);
    return status;
}

int main(int argc, char **argv)
{
    static const struct producer_kind kind = {"delegation_producer",
                                              "no.altinn.sync.DelegationChange", make};
    return producer_main(argc, argv, &kind);
}
