/*
 * Release: what was held for an entity, or parked only because a limit of holding was reached,
 * comes back into the transaction that creates or adopts its mapping. Of one entity at most
 * SYNC_RELEASE_ROWS_MAX records, or fewer where the caller found these to take too long: what is
 * more is left behind and comes back when the next sweep names the entity. Not here: who is adopted
 * (store).
 */
#include "../core/limits.h"
#include "apply_parts.h"
#include "claim.h"
#include "route.h"

/* Columns of both statements, in this order. */
enum column { SCOPE, TOPIC, PARTITION, OFFSET, KEY, APPENDED, RECORD, SINCE };

/* Only what waits for an id that is there now, where the store says which are; what waits for
 * another one would be held again, and keep what stands behind it waiting. */
#define ARRIVED                                                                                    \
    " AND ($4 OR missing_id IS NULL OR (missing_kind, missing_id) IN"                              \
    " (SELECT * FROM unnest($5::text[], $6::text[])))"

/* Its scope names the consumer, perhaps with the id of a replay behind '#'. */
static const struct sync_statement take_held = {
    "release_held",
    "WITH found AS (SELECT scope, topic, partition, record_offset FROM sync.hold"
    " WHERE entity_key = ANY ($1) AND split_part(scope, '#', 1) = ANY ($2)" ARRIVED
    " ORDER BY topic COLLATE \"C\", record_offset, scope COLLATE \"C\" LIMIT $3 FOR UPDATE),"
    " gone AS (DELETE FROM sync.hold AS h USING found AS f"
    " WHERE (h.scope, h.topic, h.partition, h.record_offset) ="
    " (f.scope, f.topic, f.partition, f.record_offset)"
    " RETURNING h.scope, h.topic, h.partition, h.record_offset, h.entity_key, h.appended_at, "
    "h.record, h.since)"
    " SELECT * FROM gone ORDER BY topic COLLATE \"C\", record_offset, scope COLLATE \"C\""};
static const struct sync_statement take_parked = {
    "release_parked",
    "WITH found AS (SELECT scope, topic, partition, record_offset, entity_key, appended_at, record"
    " FROM sync.parked WHERE state = 0 AND entity_key = ANY ($1)"
    " AND split_part(scope, '#', 1) = ANY ($2) AND code = ANY ($7) AND NOT sealed"
    " AND record IS NOT NULL" ARRIVED
    " ORDER BY topic COLLATE \"C\", record_offset, scope COLLATE \"C\" LIMIT $3 FOR UPDATE),"
    " done AS (UPDATE sync.parked AS p SET state = 1, record = NULL FROM found AS f"
    " WHERE (p.scope, p.topic, p.partition, p.record_offset) ="
    " (f.scope, f.topic, f.partition, f.record_offset)"
    " RETURNING f.scope, f.topic, f.partition, f.record_offset, f.entity_key, f.appended_at, "
    "f.record)"
    " SELECT * FROM done ORDER BY topic COLLATE \"C\", record_offset, scope COLLATE \"C\""};

static bool is_released(const struct sync_entity *entity)
{
    return entity->adopted || entity->excluded || (entity->named && entity->mapped);
}

static size_t count_released(const struct sync_batch *batch)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->entity_count; i++) {
        count += is_released(&batch->entities[i]);
    }
    return count;
}

/* Which entities, and scopes of this entity's consumers. */
struct wanted {
    struct sync_bytes *keys, *scopes, *kinds, *ids;
    size_t key_count, scope_count, missing_count;
};

static sync_status wanted_of(const struct apply *apply, size_t count, struct wanted *ret_wanted,
                             struct sync_error *err)
{
    const struct sync_batch *batch = apply->batch;
    const struct sync_processor *processor = apply->applier->processor;
    struct wanted wanted = {
        .keys = sync_arena_take_array(batch->arena, count, sizeof *wanted.keys),
        .scopes =
            sync_arena_take_array(batch->arena, processor->route_count, sizeof *wanted.scopes),
        .kinds = sync_arena_take_array(batch->arena, batch->arrived_count, sizeof *wanted.kinds),
        .ids = sync_arena_take_array(batch->arena, batch->arrived_count, sizeof *wanted.ids),
        .scope_count = processor->route_count,
        .missing_count = batch->arrived_count,
    };
    if (wanted.keys == NULL || wanted.scopes == NULL || wanted.kinds == NULL ||
        wanted.ids == NULL) {
        return apply_full(err);
    }
    for (size_t i = 0; i < batch->entity_count; i++) {
        const struct sync_entity *entity = &batch->entities[i];
        if (is_released(entity)) {
            wanted.keys[wanted.key_count++] =
                (struct sync_bytes){(const uint8_t *)entity->key.text, entity->key.size};
        }
    }
    for (size_t i = 0; i < processor->route_count; i++) {
        wanted.scopes[i] = sync_bytes_text(processor->routes[i].name);
    }
    for (size_t i = 0; i < batch->arrived_count; i++) {
        wanted.kinds[i] = sync_bytes_text(batch->arrived[i].kind);
        wanted.ids[i] = batch->arrived[i].id;
    }
    *ret_wanted = wanted;
    return SYNC_OK;
}

static void put_arrived(const struct sync_batch *batch, const struct wanted *wanted,
                        struct sync_params *params)
{
    sync_params_bool(params, batch->arrived == NULL);
    sync_params_text_array(params, wanted->kinds, wanted->missing_count);
    sync_params_text_array(params, wanted->ids, wanted->missing_count);
}

/* Why a record is parked that was only held too long or with too many others. */
static void put_limit_codes(struct sync_params *params)
{
    const struct sync_bytes codes[] = {sync_bytes_text(sync_code_word(SYNC_CODE_HELD_TOO_LONG)),
                                       sync_bytes_text(sync_code_word(SYNC_CODE_HELD_TOO_MANY))};
    sync_params_text_array(params, codes, 2);
}

static sync_status take(const struct apply *apply, const struct sync_statement *statement,
                        const struct wanted *wanted, size_t limit, struct sync_result *ret_result,
                        struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, apply->batch->arena);
    sync_params_text_array(&params, wanted->keys, wanted->key_count);
    sync_params_text_array(&params, wanted->scopes, wanted->scope_count);
    sync_params_int8(&params, (int64_t)limit);
    put_arrived(apply->batch, wanted, &params);
    if (statement == &take_parked) {
        put_limit_codes(&params);
    }
    return sync_db_exec(apply->applier->db, statement, &params, ret_result, err);
}

static struct sync_bytes column(const struct apply *apply, const struct sync_result *result,
                                int row, enum column column)
{
    return sync_arena_copy(apply->batch->arena, sync_result_bytes(result, row, (int)column));
}

/* One row as a record; decoded, and ready for the fold. */
static sync_status record_of(struct apply *apply, const struct sync_result *result, int row,
                             struct sync_record *record, struct sync_error *err)
{
    struct sync_bytes scope = column(apply, result, row, SCOPE);
    struct sync_bytes topic = column(apply, result, row, TOPIC);
    struct sync_bytes key = column(apply, result, row, KEY);
    record->value = column(apply, result, row, RECORD);
    if (scope.data == NULL || topic.data == NULL || key.data == NULL ||
        record->value.data == NULL) {
        return apply_full(err);
    }
    SYNC_ASSERT(key.size < sizeof record->entity.text);
    record->scope = (const char *)scope.data;
    record->topic = (const char *)topic.data;
    record->route = sync_route_of_scope(apply->applier->processor, record->scope);
    SYNC_ASSERT(record->route != NULL);
    const struct sync_input *input = sync_route_input(record->route, record->topic);
    SYNC_ASSERT(input != NULL);
    record->partition = sync_result_int4(result, row, PARTITION);
    record->offset = sync_result_int8(result, row, OFFSET);
    record->key = key;
    memcpy(record->entity.text, key.data, key.size);
    record->entity.size = key.size;
    int64_t appended_us = sync_result_time(result, row, APPENDED);
    record->timestamp_ms = appended_us / 1000;
    const struct sync_entity *entity = apply_entity_find(apply, &record->entity);
    SYNC_ASSERT(entity != NULL);
    record->context = (struct sync_context){
        .appended_us = appended_us,
        .decided_us = apply->batch->now_us,
        .topic_system = input->from,
        .key = key,
        .released = !entity->excluded, /* an excluded one ends by the mapping rules */
    };
    return apply_decode(apply->applier, apply->batch, record) ? SYNC_OK : apply_full(err);
}

/* Whether the next held row comes before the next parked one: by topic, then offset. */
static bool is_held_first(const struct sync_result *held, int i, const struct sync_result *parked,
                          int j)
{
    if (i == held->rows || j == parked->rows) {
        return i < held->rows;
    }
    struct sync_bytes a = sync_result_bytes(held, i, TOPIC);
    struct sync_bytes b = sync_result_bytes(parked, j, TOPIC);
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    if (order != 0 || a.size != b.size) {
        return order != 0 ? order < 0 : a.size < b.size;
    }
    return sync_result_int8(held, i, OFFSET) <= sync_result_int8(parked, j, OFFSET);
}

/* Both results are in order. */
static sync_status merge(struct apply *apply, const struct sync_result *held,
                         const struct sync_result *parked, struct sync_error *err)
{
    struct sync_batch *batch = apply->batch;
    size_t total = (size_t)held->rows + (size_t)parked->rows;
    struct sync_record *all = sync_arena_take_array(batch->arena, total + 1, sizeof *all);
    if (all == NULL) {
        return apply_full(err);
    }
    int i = 0;
    int j = 0;
    for (size_t at = 0; at < total; at++) {
        bool from_held = is_held_first(held, i, parked, j);
        all[at].released_held = from_held;
        all[at].released_parked = !from_held;
        all[at].held_since_us = from_held ? sync_result_time(held, i, SINCE) : 0;
        sync_status status = from_held ? record_of(apply, held, i++, &all[at], err)
                                       : record_of(apply, parked, j++, &all[at], err);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    batch->released = all;
    batch->released_count = total;
    return SYNC_OK;
}

/*
 * Held first: what another transaction ages meanwhile has then become visible among the parked. Of
 * several entities all records come or none: with fewer entities they fit.
 */
sync_status apply_release(struct apply *apply, struct sync_error *err)
{
    size_t count = count_released(apply->batch);
    if (count == 0) {
        return SYNC_OK;
    }
    struct wanted wanted;
    SYNC_RESULT held = {0};
    SYNC_RESULT parked = {0};
    bool less = count == 1 && apply->batch->release_max > 0;
    size_t limit = less ? apply->batch->release_max : SYNC_RELEASE_ROWS_MAX + (count > 1);
    sync_status status = wanted_of(apply, count, &wanted, err);
    if (sync_is_ok(status)) {
        status = take(apply, &take_held, &wanted, limit, &held, err);
    }
    size_t left = limit - (size_t)held.rows;
    if (sync_is_ok(status) && left > 0) {
        status = take(apply, &take_parked, &wanted, left, &parked, err);
    }
    if (sync_is_ok(status) && held.rows + parked.rows > SYNC_RELEASE_ROWS_MAX) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "release what waits for %zu messages: it is more than %d records", count,
                         SYNC_RELEASE_ROWS_MAX);
    }
    return sync_is_ok(status) ? merge(apply, &held, &parked, err) : status;
}
