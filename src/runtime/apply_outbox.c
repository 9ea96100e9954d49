/*
 * Effects of a batch: their ids, lanes, states and rows in sync.outbox. Not here: sending
 * (sender.c), what an effect means (processor).
 */
#include "../core/limits.h"
#include "apply_parts.h"
#include "digest.h"
#include "id.h"
#include "route.h"

#include <stdio.h>

/*
 * Found key by key, then changed by id: joined, the keys would be compared with each other. The
 * states are in the words of the index by key, and of no other, so that no plan reads the lane; of
 * the row that is changed they fit no index.
 */
static const struct sync_statement skip_rows = {
    "outbox_skip",
    "UPDATE sync.outbox AS o SET state = 3, ended_at = $4 WHERE o.state + 0 IN (0, 6)"
    " AND o.effect_id = ANY (ARRAY(SELECT e.effect_id"
    "  FROM unnest($1::text[], $2::text[], $3::text[]) AS w (entity_key, target, kept)"
    "  CROSS JOIN LATERAL (SELECT x.effect_id FROM sync.outbox AS x"
    "   WHERE x.entity_key = w.entity_key AND x.state IN (0, 1, 6) AND x.state <> 1"
    "   AND x.target = w.target AND x.name <> w.kept OFFSET 0) AS e))"};

/*
 * A second insert of an id does nothing, unless it revives an effect that was parked, closed or had
 * no route; on a closed target a parked one becomes closed, so that "lanes open" finds it.
 */
static const struct sync_statement insert_rows = {
    "outbox_insert",
    "INSERT INTO sync.outbox AS outbox (effect_id, name, target, scope, topic, partition, "
    "entity_key,"
    " state, not_before, body, created_at, ended_at)"
    " SELECT n.effect_id, n.name, n.target, n.scope, n.topic, n.partition, n.entity_key, n.state, "
    "n.not_before,"
    " n.body, $12, CASE WHEN n.state = 0 THEN NULL ELSE $12 END"
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], "
    "$7::text[],"
    " $8::smallint[], $9::bytea[], $10::text[], $11::timestamptz[]) WITH ORDINALITY AS n "
    "(effect_id, name,"
    " target, scope, topic, partition, entity_key, state, body, single, not_before, place)"
    " WHERE n.single IS NULL OR NOT EXISTS (SELECT FROM sync.outbox o"
    " WHERE o.entity_key = n.entity_key AND o.state IN (0, 6) AND o.target = n.target"
    " AND starts_with(o.name, n.single))"
    " ORDER BY n.place"
    " ON CONFLICT (effect_id) DO UPDATE SET state = excluded.state, scope = excluded.scope,"
    " topic = excluded.topic, partition = excluded.partition, seq = DEFAULT, attempt = 0,"
    " not_before = excluded.not_before, body = excluded.body, ended_at = excluded.ended_at"
    " WHERE outbox.state IN (4, 5, 6) AND excluded.state = 0"
    " OR outbox.state = 4 AND excluded.state = 5"
    " RETURNING state, target, partition, entity_key, not_before <= $12"};

/* A new effect must not wait behind a look-up that failed: those not sent yet are due at once. Key
 * and target name the lane. */
static const struct sync_statement hurry_rows = {
    "outbox_hurry", "UPDATE sync.outbox AS o SET not_before = $3"
                    " WHERE o.state + 0 = 0 AND o.attempt = 0 AND o.effect_id = ANY (ARRAY("
                    "  SELECT e.effect_id FROM unnest($1::text[], $2::text[])"
                    "   AS k (entity_key, target) CROSS JOIN LATERAL (SELECT x.effect_id"
                    "   FROM sync.outbox AS x WHERE x.entity_key = k.entity_key"
                    "   AND x.target = k.target AND x.state IN (0, 1, 6) AND x.state < 1"
                    "   AND x.attempt = 0 AND x.not_before > $3 OFFSET 0) AS e))"};

static sync_status effect_take(struct apply *apply, const struct sync_record *record,
                               const struct sync_entity *owner, const struct sync_effect *effect,
                               struct sync_error *err)
{
    struct apply_effect *row = sync_arena_take(apply->batch->arena, sizeof *row);
    if (row == NULL) {
        return apply_full(err);
    }
    row->record = record;
    row->effect = *effect;
    row->key = effect->lane_key[0] != '\0' ? row->effect.lane_key : owner->key.text;
    row->partition_key =
        effect->partition_key[0] != '\0' ? row->effect.partition_key : owner->key.text;
    SYNC_ASSERT(strlen(row->key) < SYNC_LANE_KEY_SIZE); /* the sender has no more room */
    size_t slot = apply_hash(row->key, strlen(row->key)) & (apply->slot_count - 1);
    row->before = apply->last_of[slot];
    apply->last_of[slot] = row;
    if (apply->last_effect == NULL) {
        apply->first_effect = row;
    } else {
        apply->last_effect->next = row;
    }
    apply->last_effect = row;
    apply->effect_count++;
    return SYNC_OK;
}

sync_status apply_effects_take(struct apply *apply, const struct sync_record *record,
                               const struct sync_key *entity, struct sync_effects *effects,
                               struct sync_error *err)
{
    const struct sync_entity *owner = apply_entity_find(apply, entity);
    SYNC_ASSERT(owner != NULL);
    for (; effects != NULL; effects = effects->next) {
        for (size_t i = 0; i < effects->count; i++) {
            sync_status status = effect_take(apply, record, owner, &effects->items[i], err);
            if (!sync_is_ok(status)) {
                return status;
            }
        }
        effects->count = 0;
    }
    return SYNC_OK;
}

/* Settling ------------------------------------------------------------------------------------ */

static struct sync_uuid id_of(const struct sync_effect *effect)
{
    char name[SYNC_EFFECT_NAME_MAX + 16];
    (void)snprintf(name, sizeof name, "altinn-sync/%s", effect->name);
    return sync_id_v5(&effect->namespace_id, sync_bytes_text(name));
}

static bool is_reachable(const struct sync_applier *applier, const char *target)
{
    const struct sync_lane_store *lane = sync_lane_store_find(applier->processor->store, target);
    return lane == NULL || lane->reachable == NULL || lane->reachable(applier->config);
}

/* The lane belongs to the target: to the partition of the key in the topic whose route ends there.
 */
static void lane_of(const struct apply *apply, struct apply_effect *row)
{
    const struct sync_applier *applier = apply->applier;
    row->lane = sync_route_to(applier->processor, row->effect.target);
    row->partition = apply->batch->partition;
    row->state = OUTBOX_NO_ROUTE;
    if (row->lane != NULL) {
        const struct sync_topic *topic =
            sync_topics_find(applier->topics, sync_route_lane_topic(row->lane));
        SYNC_ASSERT(topic != NULL);
        row->partition =
            sync_digest_partition(sync_bytes_text(row->partition_key), topic->partitions);
    }
    if (row->lane != NULL && is_reachable(applier, row->effect.target)) {
        row->state = row->effect.closed ? OUTBOX_CLOSED : OUTBOX_WAITING;
    }
}

static bool is_pending(const struct apply_effect *row)
{
    return !row->dropped && !row->effect.withdraw &&
           (row->state == OUTBOX_WAITING || row->state == OUTBOX_NO_ROUTE);
}

/* What this batch decided before for the same lane key changes as a row of the table would. */
static void meet_earlier(struct apply_effect *row)
{
    size_t prefix = row->effect.single_prefix_size;
    for (struct apply_effect *old = row->before; old != NULL; old = old->before) {
        if (strcmp(old->key, row->key) != 0) {
            continue; /* only in the same slot */
        }
        if (row->effect.withdraw) {
            if (is_pending(old) && strcmp(old->effect.target, row->effect.target) == 0 &&
                strcmp(old->effect.name, row->effect.name) != 0) {
                old->state = OUTBOX_SKIPPED;
            }
            continue;
        }
        if (old->effect.withdraw || old->dropped) {
            continue;
        }
        bool same_id = sync_uuid_compare(&old->id, &row->id) == 0;
        bool stands_for = prefix > 0 && is_pending(old) &&
                          strncmp(old->effect.name, row->effect.name, prefix) == 0;
        row->dropped = row->dropped || same_id || stands_for;
    }
}

void apply_effects_settle(struct apply *apply)
{
    for (struct apply_effect *row = apply->first_effect; row != NULL; row = row->next) {
        if (!row->effect.withdraw) {
            row->id = id_of(&row->effect);
            lane_of(apply, row);
        }
        meet_earlier(row);
    }
}

/* Rows ---------------------------------------------------------------------------------------- */

/* Columns of the insert; those of "hurry" are among them. */
struct columns {
    struct sync_uuid *ids;
    struct sync_bytes *names, *targets, *scopes, *topics, *keys, *bodies, *singles;
    int32_t *partitions;
    int16_t *states;
    int64_t *not_before_us;
    size_t count;
};

static bool columns_take(struct sync_arena *arena, size_t count, struct columns *ret_columns)
{
    struct sync_bytes **texts[] = {
        &ret_columns->names, &ret_columns->targets, &ret_columns->scopes, &ret_columns->topics,
        &ret_columns->keys,  &ret_columns->bodies,  &ret_columns->singles};
    bool full = false;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = sync_arena_take_array(arena, count, sizeof **texts[i]);
        full = full || *texts[i] == NULL;
    }
    ret_columns->ids = sync_arena_take_array(arena, count, sizeof *ret_columns->ids);
    ret_columns->partitions = sync_arena_take_array(arena, count, sizeof *ret_columns->partitions);
    ret_columns->states = sync_arena_take_array(arena, count, sizeof *ret_columns->states);
    ret_columns->not_before_us =
        sync_arena_take_array(arena, count, sizeof *ret_columns->not_before_us);
    return !full && ret_columns->ids != NULL && ret_columns->partitions != NULL &&
           ret_columns->states != NULL && ret_columns->not_before_us != NULL;
}

static void columns_add(const struct apply *apply, const struct apply_effect *row,
                        struct columns *columns)
{
    const struct sync_effect *effect = &row->effect;
    size_t at = columns->count++;
    columns->ids[at] = row->id;
    columns->names[at] = sync_bytes_text(effect->name);
    columns->targets[at] = sync_bytes_text(effect->target);
    columns->scopes[at] =
        sync_bytes_text(row->lane != NULL ? row->lane->name : apply->batch->scope);
    columns->topics[at] =
        sync_bytes_text(row->lane != NULL ? sync_route_lane_topic(row->lane) : apply->batch->topic);
    columns->keys[at] = sync_bytes_text(row->key);
    columns->bodies[at] = (struct sync_bytes){(const uint8_t *)effect->body, effect->body_size};
    if (effect->single_prefix_size > 0) {
        columns->singles[at] =
            (struct sync_bytes){(const uint8_t *)effect->name, effect->single_prefix_size};
    }
    columns->partitions[at] = row->partition;
    columns->states[at] = (int16_t)row->state;
    columns->not_before_us[at] = apply->batch->now_us + effect->delay_us;
}

static struct sync_params *params_new(struct sync_arena *arena)
{
    struct sync_params *params = sync_arena_take(arena, sizeof *params);
    if (params != NULL) {
        sync_params_init(params, arena);
    }
    return params;
}

static sync_status add_skips(struct apply *apply, struct sync_call *calls, size_t *count,
                             struct sync_error *err)
{
    struct sync_arena *arena = apply->batch->arena;
    struct sync_bytes *keys = sync_arena_take_array(arena, apply->effect_count, sizeof *keys);
    struct sync_bytes *targets = sync_arena_take_array(arena, apply->effect_count, sizeof *targets);
    struct sync_bytes *kept = sync_arena_take_array(arena, apply->effect_count, sizeof *kept);
    struct sync_params *params = params_new(arena);
    if (keys == NULL || targets == NULL || kept == NULL || params == NULL) {
        return apply_full(err);
    }
    size_t used = 0;
    for (const struct apply_effect *row = apply->first_effect; row != NULL; row = row->next) {
        if (row->effect.withdraw) {
            keys[used] = sync_bytes_text(row->key);
            targets[used] = sync_bytes_text(row->effect.target);
            kept[used++] = sync_bytes_text(row->effect.name);
        }
    }
    if (used > 0) {
        sync_params_text_array(params, keys, used);
        sync_params_text_array(params, targets, used);
        sync_params_text_array(params, kept, used);
        sync_params_time(params, apply->batch->now_us);
        calls[(*count)++] = (struct sync_call){&skip_rows, params};
    }
    return SYNC_OK;
}

static sync_status add_insert(const struct apply *apply, const struct columns *columns,
                              struct sync_call *calls, size_t *count, struct sync_error *err)
{
    struct sync_params *params = params_new(apply->batch->arena);
    if (params == NULL) {
        return apply_full(err);
    }
    sync_params_uuid_array(params, columns->ids, NULL, columns->count);
    sync_params_text_array(params, columns->names, columns->count);
    sync_params_text_array(params, columns->targets, columns->count);
    sync_params_text_array(params, columns->scopes, columns->count);
    sync_params_text_array(params, columns->topics, columns->count);
    sync_params_int4_array(params, columns->partitions, NULL, columns->count);
    sync_params_text_array(params, columns->keys, columns->count);
    sync_params_int2_array(params, columns->states, NULL, columns->count);
    sync_params_bytes_array(params, columns->bodies, columns->count);
    sync_params_text_array(params, columns->singles, columns->count);
    sync_params_time_array(params, columns->not_before_us, NULL, columns->count);
    sync_params_time(params, apply->batch->now_us);
    calls[(*count)++] = (struct sync_call){&insert_rows, params};
    return SYNC_OK;
}

/* Only for keys that get a waiting effect now; one that may wait itself hurries none. */
static sync_status add_hurry(const struct apply *apply, const struct columns *all,
                             struct sync_call *calls, size_t *count, struct sync_error *err)
{
    struct sync_arena *arena = apply->batch->arena;
    struct sync_bytes *keys = sync_arena_take_array(arena, all->count, sizeof *keys);
    struct sync_bytes *targets = sync_arena_take_array(arena, all->count, sizeof *targets);
    struct sync_params *params = params_new(arena);
    size_t used = 0;
    if (keys == NULL || targets == NULL || params == NULL) {
        return apply_full(err);
    }
    for (size_t i = 0; i < all->count; i++) {
        if (all->states[i] == OUTBOX_WAITING && all->not_before_us[i] == apply->batch->now_us) {
            keys[used] = all->keys[i];
            targets[used++] = all->targets[i];
        }
    }
    if (used > 0) {
        sync_params_text_array(params, keys, used);
        sync_params_text_array(params, targets, used);
        sync_params_time(params, apply->batch->now_us);
        calls[(*count)++] = (struct sync_call){&hurry_rows, params};
    }
    return SYNC_OK;
}

sync_status apply_outbox_calls(struct apply *apply, struct sync_call *calls, size_t *count,
                               size_t *ret_insert, struct sync_error *err)
{
    struct columns columns = {0};
    *ret_insert = SIZE_MAX;
    if (apply->effect_count == 0) {
        return SYNC_OK;
    }
    if (!columns_take(apply->batch->arena, apply->effect_count, &columns)) {
        return apply_full(err);
    }
    for (const struct apply_effect *row = apply->first_effect; row != NULL; row = row->next) {
        if (!row->dropped && !row->effect.withdraw) {
            columns_add(apply, row, &columns);
        }
    }
    sync_status status = add_skips(apply, calls, count, err);
    if (sync_is_ok(status) && columns.count > 0) {
        status = add_hurry(apply, &columns, calls, count, err);
    }
    if (sync_is_ok(status) && columns.count > 0) {
        *ret_insert = *count;
        status = add_insert(apply, &columns, calls, count, err);
    }
    return status;
}
