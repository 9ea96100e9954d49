/*
 * Watermarks: what the tables of the home database say about each resource, as records. A record
 * that is held or set aside counts for the resource that it names; one that cannot be read may be
 * about any, and counts for all. The time of a resource stops before the oldest of what waits for
 * it. Not here: when a service opens.
 */
#include "delegation_watermark.h"

#include "fields.h"

#include <core/limits.h>
#include <runtime/clock.h>
#include <runtime/id.h>
#include <runtime/log.h>
#include <runtime/time_text.h>
#include <stdio.h>
#include <stdlib.h>

#define SCHEMA        "no.altinn.sync.DelegationWatermark"
#define RESOURCES_MAX 10000 /* of the registry: about 2,000 */
#define CHUNK         500   /* records made at once */
#define RECORD_BYTES  1536
#define WAITING_MAX   20000 /* held or parked records that are read; more count for all */
/* How long before its place on the topic a record may have been captured: delivery.timeout.ms. */
#define DELIVERY_US 120000000LL
#define QUERY_MS    10000
#define HEADERS     7

enum backlog { BACKLOG_PENDING, BACKLOG_RUNNING, BACKLOG_DONE };
static const char *const backlogs[] = {"PENDING", "RUNNING", "DONE", NULL};

/* One record, and how it is encoded. */
struct mark {
    struct sync_bytes resource, service_code;
    bool has_service, has_edition, has_snapshot_pos, has_live_pos, has_live_time;
    int32_t edition, backlog;
    int64_t snapshot_pos, live_pos, live_time_us, held, pending, parked;
};
#define AT(member) offsetof(struct mark, member)
static const struct sync_field fields[] = {
    {"resource", SYNC_FIELD_TEXT, AT(resource), SYNC_FIELD_REQUIRED, NULL, 0},
    {"service_code", SYNC_FIELD_TEXT, AT(service_code), AT(has_service), NULL, 0},
    {"edition", SYNC_FIELD_INT, AT(edition), AT(has_edition), NULL, 0},
    {"backlog", SYNC_FIELD_ENUM, AT(backlog), SYNC_FIELD_REQUIRED, backlogs, 0},
    {"snapshot_pos", SYNC_FIELD_LONG, AT(snapshot_pos), AT(has_snapshot_pos), NULL, 0},
    {"live_pos", SYNC_FIELD_LONG, AT(live_pos), AT(has_live_pos), NULL, 0},
    {"live_time", SYNC_FIELD_LONG, AT(live_time_us), AT(has_live_time), NULL, 0},
    {"held", SYNC_FIELD_LONG, AT(held), SYNC_FIELD_REQUIRED, NULL, 0},
    {"pending", SYNC_FIELD_LONG, AT(pending), SYNC_FIELD_REQUIRED, NULL, 0},
    {"parked", SYNC_FIELD_LONG, AT(parked), SYNC_FIELD_REQUIRED, NULL, 0},
};
static const struct sync_processor form = {.name = "delegation-watermark",
                                           .schema = SCHEMA,
                                           .fields = fields,
                                           .field_count = sizeof fields / sizeof fields[0],
                                           .change_size = sizeof(struct mark)};

struct resource {
    char id[DELEGATION_TARGET_SIZE], service_code[33];
    struct mark mark; /* its texts are set when it is encoded */
};

struct delegation_watermark {
    struct receiver_shell *shell;
    struct resolver *resolver;
    const struct sync_schema *schema;
    struct sync_decoder *decoder;
    int64_t next_us; /* monotonic */
    enum push_outcome outcome;
    struct resource *resources;
    size_t count, published;
};

static const struct sync_statement resources_statement = {
    "watermark_resources",
    "WITH snapshots AS (SELECT resource, max(snapshot_pos) AS pos,"
    " count(*) FILTER (WHERE counted IS NOT NULL AND decided >= counted) AS ended"
    " FROM sync.snapshot WHERE topic = $1 GROUP BY resource, snapshot_id),"
    " newest AS (SELECT DISTINCT ON (resource) * FROM snapshots"
    " ORDER BY resource, pos DESC NULLS LAST)"
    " SELECT r.resource, r.service_code, r.edition, n.resource IS NOT NULL, n.pos, n.ended"
    " FROM sync.resource_state AS r LEFT JOIN newest AS n ON n.resource = r.resource"
    " ORDER BY r.resource COLLATE \"C\" LIMIT $2"};
static const struct sync_statement live_statement = {
    "watermark_live",
    "SELECT count(*), min(p.pos), min(p.pos_time) FROM sync.stream_pos AS p, sync.source AS s"
    " WHERE s.name = $2 AND p.topic = $1"
    " AND p.stream IN ('a2.rule.' || s.generation, 'a2.message.' || s.generation)"};
/* One statement sees one moment: what goes from one table to another is in one of them. */
static const struct sync_statement waiting_statement = {
    "watermark_waiting",
    "(SELECT 0 AS place, record, NULL::text AS target, count(*) OVER () AS n,"
    " min(appended_at) OVER () AS oldest, false AS unknown FROM sync.hold LIMIT $1)"
    " UNION ALL (SELECT 1, CASE WHEN sealed THEN NULL ELSE record END, NULL, count(*) OVER (),"
    " min(appended_at) OVER (), bool_or(appended_at IS NULL) OVER ()"
    " FROM sync.parked WHERE state = 0 LIMIT $1)"
    " UNION ALL SELECT 2, NULL, k.target, count(DISTINCT k.key_id), min(p.since), false"
    " FROM sync.pending AS p JOIN sync.deleg_key AS k USING (key_id) WHERE k.kind IN (0, 1)"
    " GROUP BY k.target"};

/* Reading. */

static void take_text(const struct sync_result *result, int row, int column, char *ret_text,
                      size_t size)
{
    struct sync_bytes text = sync_result_bytes(result, row, column);
    (void)snprintf(ret_text, size, "%.*s", (int)text.size, (const char *)text.data);
}

static void take_resource(const struct sync_result *result, int row, int partitions,
                          struct resource *ret_resource)
{
    struct resource resource = {.mark.held = 0};
    struct mark *mark = &resource.mark;
    take_text(result, row, 0, resource.id, sizeof resource.id);
    mark->has_service = mark->has_edition = !sync_result_is_null(result, row, 1);
    if (mark->has_service) {
        take_text(result, row, 1, resource.service_code, sizeof resource.service_code);
        mark->edition = sync_result_int4(result, row, 2);
    }
    if (sync_result_bool(result, row, 3)) {
        bool done = sync_result_int8(result, row, 5) >= partitions;
        mark->backlog = done ? BACKLOG_DONE : BACKLOG_RUNNING;
        mark->has_snapshot_pos = !sync_result_is_null(result, row, 4);
        mark->snapshot_pos = mark->has_snapshot_pos ? sync_result_int8(result, row, 4) : 0;
    }
    *ret_resource = resource;
}

static sync_status read_resources(struct delegation_watermark *w, struct sync_error *err)
{
    int partitions = atomic_load(&w->shell->topics[DELEGATION_BACKLOG].partitions);
    struct sync_params params = resolver_params(w->resolver);
    sync_params_text(&params, w->shell->topics[DELEGATION_BACKLOG].name);
    sync_params_int8(&params, RESOURCES_MAX);
    SYNC_RESULT result = {0};
    sync_status status =
        resolver_exec_within(w->resolver, QUERY_MS, &resources_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "read the resources");
    }
    free(w->resources);
    w->count = 0;
    w->resources = calloc((size_t)result.rows + 1, sizeof *w->resources);
    if (!w->resources) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "read the resources: no memory");
    }
    for (int row = 0; row < result.rows; row++) {
        take_resource(&result, row, partitions, &w->resources[w->count++]);
    }
    return SYNC_OK;
}

/* The position that every partition has passed; none while one of them has told nothing. */
static sync_status read_live(struct delegation_watermark *w, struct sync_error *err)
{
    const struct receiver_topic *topic = &w->shell->topics[DELEGATION_LIVE];
    int partitions = atomic_load(&topic->partitions);
    struct sync_params params = resolver_params(w->resolver);
    sync_params_text(&params, topic->name);
    sync_params_text(&params, DELEGATION_CAPTURE);
    SYNC_RESULT result = {0};
    sync_status status =
        resolver_exec_within(w->resolver, QUERY_MS, &live_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "read the positions of the streams");
    }
    bool known = partitions > 0 && sync_result_int8(&result, 0, 0) == 2LL * partitions;
    for (size_t i = 0; i < w->count && known; i++) {
        struct mark *mark = &w->resources[i].mark;
        mark->has_live_pos = mark->has_live_time = true;
        mark->live_pos = sync_result_int8(&result, 0, 1);
        mark->live_time_us = sync_result_time(&result, 0, 2);
    }
    return SYNC_OK;
}

static struct resource *find_resource(struct delegation_watermark *w, const char *id)
{
    size_t low = 0, high = w->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(id, w->resources[middle].id);
        if (order == 0) {
            return &w->resources[middle];
        }
        low = order > 0 ? middle + 1 : low;
        high = order > 0 ? high : middle;
    }
    return NULL;
}

static struct resource *find_service(struct delegation_watermark *w, const char *code,
                                     int32_t edition)
{
    for (size_t i = 0; i < w->count; i++) {
        struct resource *resource = &w->resources[i];
        if (resource->mark.has_service && resource->mark.edition == edition &&
            strcmp(resource->service_code, code) == 0) {
            return resource;
        }
    }
    return NULL;
}

/* Which resource a waiting record is about, and when it was captured; all: it could not be read. */
static struct resource *resource_of(struct delegation_watermark *w, struct sync_bytes record,
                                    bool *ret_all, int64_t *ret_captured_us)
{
    struct delegation_change change;
    struct sync_error ignored;
    char text[DELEGATION_TARGET_SIZE];
    *ret_all =
        !record.data || !sync_is_ok(sync_decoder_decode(w->decoder, record, &change, &ignored));
    if (*ret_all || !change.has_target) {
        return NULL;
    }
    *ret_captured_us = change.capture_time_us;
    if (change.target_kind == DELEGATION_TARGET_RESOURCE && change.has_target_id) {
        return fields_canonical(change.target_id, text, sizeof text) ? find_resource(w, text)
                                                                     : NULL;
    }
    bool service = change.target_kind == DELEGATION_TARGET_SERVICE && change.has_service_code &&
                   change.has_edition;
    return service && fields_canonical(change.service_code, text, sizeof text)
               ? find_service(w, text, change.edition)
               : NULL;
}

enum place { PLACE_HOLD, PLACE_PARKED, PLACE_PENDING, PLACES };

/* Something waits since then: counts it, and its resource is not caught up any further. */
static void add_waiting(struct mark *mark, enum place place, int64_t count, int64_t since_us)
{
    int64_t *const counts[PLACES] = {&mark->held, &mark->parked, &mark->pending};
    *counts[place] += count;
    mark->live_time_us = mark->live_time_us > since_us ? since_us : mark->live_time_us;
    mark->has_live_time = mark->has_live_time && since_us != INT64_MIN;
}

/* What may be about any resource. */
struct unread {
    int64_t count, since_us; /* INT64_MIN: nobody knows since when */
};

/* A held or parked record. Beyond WAITING_MAX they are not read: their number is known. */
static void take_record(struct delegation_watermark *w, const struct sync_result *result, int row,
                        int64_t left, struct unread *unread)
{
    enum place place = (enum place)sync_result_int4(result, row, 0);
    bool dated = !sync_result_is_null(result, row, 4) && !sync_result_bool(result, row, 5);
    struct sync_bytes record = sync_result_is_null(result, row, 1)
                                   ? (struct sync_bytes){NULL, 0}
                                   : sync_result_bytes(result, row, 1);
    int64_t captured_us = 0;
    bool any = false;
    struct resource *resource = resource_of(w, record, &any, &captured_us);
    if (resource) {
        add_waiting(&resource->mark, place, 1, captured_us);
    }
    unread->count += left + any;
    if (left > 0 || any) {
        unread->since_us = dated ? sync_result_time(result, row, 4) - DELIVERY_US : INT64_MIN;
    }
}

static void take_pending(struct delegation_watermark *w, const struct sync_result *result, int row)
{
    char target[DELEGATION_TARGET_SIZE];
    take_text(result, row, 2, target, sizeof target);
    struct resource *resource = find_resource(w, target);
    if (resource) {
        add_waiting(&resource->mark, PLACE_PENDING, sync_result_int8(result, row, 3),
                    sync_result_time(result, row, 4));
    }
}

static sync_status read_waiting(struct delegation_watermark *w, struct sync_error *err)
{
    struct unread unread[PLACES] = {{0}};
    bool seen[PLACES] = {false};
    struct sync_params params = resolver_params(w->resolver);
    sync_params_int8(&params, WAITING_MAX);
    SYNC_RESULT result = {0};
    sync_status status =
        resolver_exec_within(w->resolver, QUERY_MS, &waiting_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "read what waits");
    }
    for (int row = 0; row < result.rows; row++) {
        enum place place = (enum place)sync_result_int4(&result, row, 0);
        int64_t more = sync_result_int8(&result, row, 3) - WAITING_MAX;
        if (place == PLACE_PENDING) {
            take_pending(w, &result, row);
            continue;
        }
        take_record(w, &result, row, !seen[place] && more > 0 ? more : 0, &unread[place]);
        seen[place] = true;
    }
    for (size_t i = 0; i < w->count; i++) {
        for (int place = PLACE_HOLD; place <= PLACE_PARKED; place++) {
            if (unread[place].count > 0) {
                add_waiting(&w->resources[i].mark, (enum place)place, unread[place].count,
                            unread[place].since_us);
            }
        }
    }
    return SYNC_OK;
}

/* The positions first: what waits at or below them is found afterwards. */
static sync_status read_marks(struct delegation_watermark *w, struct sync_error *err)
{
    sync_status status = read_resources(w, err);
    status = sync_is_ok(status) ? read_live(w, err) : status;
    return sync_is_ok(status) ? read_waiting(w, err) : status;
}

/* Publishing. */

static const char *text_in(struct sync_arena *arena, const char *text)
{
    return (const char *)sync_arena_copy(arena, sync_bytes_text(text)).data;
}

static bool add_headers(const struct delegation_watermark *w, const struct resource *resource,
                        int64_t now_us, struct sync_arena *arena,
                        struct sync_kafka_header *ret_headers)
{
    static const struct sync_uuid zero;
    char id[SYNC_UUID_BUFFER], time[SYNC_TIME_BUFFER], name[DELEGATION_TARGET_SIZE + 32];
    char schema[128];
    (void)snprintf(name, sizeof name, "%s/%lld", resource->id, (long long)now_us);
    struct sync_uuid event = sync_id_v5(&zero, sync_bytes_text(name));
    sync_uuid_format(&event, id);
    sync_time_format(now_us, 6, time);
    (void)snprintf(schema, sizeof schema, "urn:avro:" SCHEMA ":%016llx",
                   (unsigned long long)sync_schema_fingerprint(w->schema));
    const struct sync_kafka_header headers[HEADERS] = {
        {"content-type", "application/avro"},
        {"ce_specversion", "1.0"},
        {"ce_id", text_in(arena, id)},
        {"ce_source", "/SYS/" DELEGATION_CAPTURE},
        {"ce_type", "no.altinn.authorization.DelegationsDecided"},
        {"ce_time", text_in(arena, time)},
        {"ce_dataschema", text_in(arena, schema)}};
    memcpy(ret_headers, headers, sizeof headers);
    return headers[2].value && headers[5].value && headers[6].value;
}

static sync_status add_record(struct delegation_watermark *w, struct push *push,
                              struct sync_arena *arena, struct resource *resource,
                              struct sync_error *err)
{
    struct sync_bytes value = {NULL, 0};
    struct sync_kafka_header *headers = sync_arena_take_array(arena, HEADERS, sizeof *headers);
    resource->mark.resource = sync_bytes_text(resource->id);
    resource->mark.service_code = sync_bytes_text(resource->service_code);
    if (!headers || !add_headers(w, resource, push->captured_at_us, arena, headers)) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "make a watermark: the arena is full");
    }
    sync_status status = sync_encode(w->schema, &form, &resource->mark, arena, &value, err);
    struct sync_bytes key = sync_arena_copy(arena, sync_bytes_text(resource->id));
    if (sync_is_ok(status) && key.data) {
        push->records[push->record_count++] =
            (struct sync_kafka_record){.topic = w->shell->topics[DELEGATION_WATERMARK].name,
                                       .key = key,
                                       .value = value,
                                       .headers = headers,
                                       .header_count = HEADERS};
    }
    return status;
}

/* The next records; the place is the poll thread's afterwards. */
static sync_status publish_chunk(struct delegation_watermark *w, struct sync_error *err)
{
    size_t count = w->count - w->published < CHUNK ? w->count - w->published : CHUNK;
    size_t size = (count + 1) * (RECORD_BYTES + sizeof(struct sync_kafka_record));
    struct push *push = push_table_reserve(&w->shell->pushes, &w->outcome);
    if (!push) {
        return SYNC_OK; /* every place is taken: the next turn tries again */
    }
    struct sync_arena arena;
    push->memory = malloc(size);
    sync_status status = push->memory ? SYNC_OK : (sync_status){SYNC_CLASS_RETRY};
    if (sync_is_ok(status)) {
        sync_arena_init(&arena, push->memory, size);
        push->records = sync_arena_take_array(&arena, count, sizeof *push->records);
    }
    for (size_t i = 0; i < count && sync_is_ok(status); i++) {
        status = add_record(w, push, &arena, &w->resources[w->published + i], err);
    }
    w->published += count;
    if (sync_is_ok(status)) {
        push_table_move(&w->shell->pushes, push, PUSH_READY);
    } else {
        sync_log(SYNC_ERROR, "watermark_refused");
        push_release(&w->shell->pushes, push);
    }
    return SYNC_OK;
}

sync_status delegation_watermark_turn(struct delegation_watermark *watermark,
                                      struct sync_error *err)
{
    struct delegation_watermark *w = watermark;
    int64_t now_us = sync_clock_monotonic_us();
    bool known = atomic_load(&w->shell->topics[DELEGATION_LIVE].partitions) > 0 &&
                 atomic_load(&w->shell->topics[DELEGATION_BACKLOG].partitions) > 0;
    if (!known || push_table_await(&w->shell->pushes, &w->outcome, 0) == PUSH_PENDING) {
        return SYNC_OK;
    }
    if (w->published < w->count) {
        return publish_chunk(w, err);
    }
    if (now_us < w->next_us) {
        return SYNC_OK;
    }
    /* Begun half as late as promised, so that the last record of a round is in time, too. */
    w->next_us = now_us + SYNC_WATERMARK_MS * 1000LL / 2;
    w->published = 0;
    w->count = 0;
    sync_status status = read_marks(w, err);
    if (!sync_is_ok(status)) {
        w->count = 0;
    }
    return status;
}

/* Start and end. */

sync_status delegation_watermark_new(struct delegation_capture *capture, struct resolver *resolver,
                                     struct delegation_watermark **ret_watermark,
                                     struct sync_error *err)
{
    struct delegation_watermark *w = calloc(1, sizeof *w);
    if (!w) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "start the capture: no memory");
    }
    w->shell = capture->shell;
    w->resolver = resolver;
    w->outcome = PUSH_DONE;
    w->schema = sync_schema_set_find(w->shell->schemas, SCHEMA);
    sync_status status =
        w->schema ? SYNC_OK
                  : sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE,
                              "find schema %s below schemas.dir: it is not there", SCHEMA);
    if (sync_is_ok(status)) {
        status = sync_decoder_new(w->shell->schemas, &sync_processor_delegation, &w->decoder, err);
    }
    if (!sync_is_ok(status)) {
        delegation_watermark_free(&w);
        return status;
    }
    *ret_watermark = w;
    return SYNC_OK;
}

void delegation_watermark_free(struct delegation_watermark **watermark)
{
    if (*watermark) {
        sync_decoder_free(&(*watermark)->decoder);
        free((*watermark)->resources);
        free(*watermark);
        *watermark = NULL;
    }
}
