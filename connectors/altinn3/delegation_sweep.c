/*
 * Work of the store that no record asks for, a chunk at a time: keys that a fact above both sides
 * covers (6.3), keys of a resource whose row changed, keys whose missing dependency is there now
 * (DL-80), and merges (delegation_merge.c). The owner of a partition of the facts does those that
 * were decided there; the owner of partition 0 does what has no partition. Not here: when it runs
 * (the consumer), what a fact means (the rules).
 */
#include "delegation_store.h"

#include "../../src/core/limits.h"
#include "../../src/runtime/claim.h"

#include <stdio.h>

#define SYS_TOPIC "sync.delegation-sys.v1"

/* Tasks, the first one that is due. "due" is the part that both questions share. */
#define DUE_MERGES                                                                                 \
    "FROM sync.alias WHERE sweep_state > 0 AND sweep_after <= now() AND partition = $1"
#define DUE_SCOPES                                                                                 \
    "FROM sync.sys_scope WHERE sweep_state > 0 AND sweep_after <= now() AND partition = $1"
#define DUE_RESOURCES "FROM sync.resource_state WHERE sweep_state > 0 AND $1 = 0"
/*
 * A few dependencies stand for many keys: each one is found once by going along the index, and only
 * those that are there lead to keys. A relation must carry the package of the key.
 */
#define DUE_PENDING                                                                                \
    "FROM (WITH RECURSIVE d AS ("                                                                  \
    "(SELECT p.dependency_kind AS kind, p.dependency_id AS id FROM sync.pending p WHERE $1 = 0"    \
    "  ORDER BY 1, 2 LIMIT 1)"                                                                     \
    " UNION ALL SELECT n.kind, n.id FROM d CROSS JOIN LATERAL (SELECT p.dependency_kind AS kind,"  \
    "  p.dependency_id AS id FROM sync.pending p WHERE (p.dependency_kind, p.dependency_id) >"     \
    "  (d.kind, d.id) ORDER BY 1, 2 LIMIT 1) AS n)"                                                \
    " SELECT d.kind, d.id FROM d WHERE CASE d.kind"                                                \
    " WHEN 'party' THEN EXISTS (SELECT FROM dbo.entity e WHERE e.id = d.id::uuid OFFSET 0)"        \
    " WHEN 'resource' THEN EXISTS (SELECT FROM dbo.resource r WHERE r.refid = d.id OFFSET 0)"      \
    " WHEN 'role' THEN EXISTS (SELECT FROM dbo.role r WHERE r.urn = d.id OFFSET 0)"                \
    "  OR EXISTS (SELECT FROM dbo.role r"                                                          \
    "   WHERE r.code = replace(d.id, 'urn:altinn:rolecode:', '') OFFSET 0)"                        \
    " WHEN 'package' THEN EXISTS (SELECT FROM dbo.package p WHERE p.urn = d.id OFFSET 0)"          \
    " WHEN 'policy' THEN EXISTS (SELECT FROM sync.resource_state r WHERE r.resource = d.id"        \
    "  AND r.actions IS NOT NULL OFFSET 0)"                                                        \
    " WHEN 'phase' THEN EXISTS (SELECT FROM sync.resource_state r WHERE r.resource = d.id"         \
    "  AND r.phase >= 2 OFFSET 0)"                                                                 \
    " WHEN 'relation' THEN EXISTS (SELECT FROM dbo.assignment a JOIN dbo.role r ON r.id = "        \
    "a.roleid"                                                                                     \
    "  WHERE a.fromid = split_part(d.id, '/', 1)::uuid"                                            \
    "  AND a.toid = split_part(d.id, '/', 2)::uuid"                                                \
    "  AND split_part(d.id, '/', 3) IN ('', r.code) OFFSET 0)"                                     \
    " WHEN 'a3_event' THEN d.id::int8 <= coalesce((SELECT min(p.pos) FROM sync.stream_pos p"       \
    "  WHERE p.topic = 'altinn3.delegation.v1' AND p.stream = 'a3.change.' ||"                     \
    "   (SELECT s.generation FROM sync.source s WHERE s.name = '" DELEG_CAPTURE_ALTINN3 "')"       \
    "  HAVING count(*) >= (SELECT t.partitions FROM sync.topic t"                                  \
    "   WHERE t.topic = 'altinn3.delegation.v1')), -1)"                                            \
    " WHEN 'release' THEN true WHEN '" DELEG_ABSENT "' THEN true"                                  \
    " ELSE false END) AS f JOIN sync.pending w"                                                    \
    "  ON w.dependency_kind = f.kind AND w.dependency_id = f.id"                                   \
    " JOIN sync.deleg_key k ON k.key_id = w.key_id"                                                \
    " WHERE f.kind <> 'relation' OR EXISTS (SELECT FROM dbo.package p"                             \
    "  JOIN dbo.assignment a ON a.fromid = k.from_id AND a.toid = k.facilitator"                   \
    "  JOIN dbo.rolepackage rp ON rp.roleid = a.roleid AND rp.packageid = p.id"                    \
    "  WHERE p.urn = k.target AND (rp.entityvariantid IS NULL OR rp.entityvariantid ="             \
    "   (SELECT e.variantid FROM dbo.entity e WHERE e.id = k.from_id)) OFFSET 0)"

sync_status deleg_due(struct sync_db *db, const struct sync_place *place, struct sync_arena *arena,
                      bool *ret_due, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "delegation_due",
        "SELECT EXISTS (SELECT " DUE_MERGES ") OR EXISTS (SELECT " DUE_SCOPES
        ") OR EXISTS (SELECT " DUE_RESOURCES ") OR EXISTS (SELECT " DUE_PENDING ")"};
    struct sync_params params;
    *ret_due = false;
    if (strcmp(place->topic, SYS_TOPIC) != 0) {
        return SYNC_OK;
    }
    sync_params_init(&params, arena);
    sync_params_int4(&params, place->partition);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &statement, &params, &result, err);
    if (sync_is_ok(status)) {
        *ret_due = sync_result_bool(&result, 0, 0);
    }
    return status;
}

/* Choosing ----------------------------------------------------------------------------------- */

/* Merges before scopes, so that a scope finds the keys where they belong. */
static const struct sync_statement choose_statement = {
    "delegation_choose",
    "(SELECT 1 AS task, old_uuid, sync.party_now(new_uuid), NULL::int2, '', stream, seq, NULL,"
    "  sweep_key, sweep_state " DUE_MERGES " ORDER BY sweep_after, old_uuid LIMIT 1)"
    " UNION ALL (SELECT 2, NULL, NULL, scope_kind, scope_id, stream, seq, cut_time, sweep_key,"
    "  sweep_state " DUE_SCOPES " ORDER BY sweep_after, scope_kind, scope_id LIMIT 1)"
    " UNION ALL (SELECT 3, NULL, NULL, NULL, resource, '', 0, NULL, sweep_key,"
    "  sweep_state " DUE_RESOURCES " ORDER BY resource LIMIT 1)"
    " ORDER BY task LIMIT 1"};

static sync_status text_keep(struct sync_arena *arena, const struct sync_result *result, int column,
                             struct sync_bytes *ret_text, struct sync_error *err)
{
    *ret_text = sync_arena_copy(arena, sync_result_bytes(result, 0, column));
    return ret_text->data == NULL ? deleg_memory_full("a sweep", err) : SYNC_OK;
}

static sync_status choose(struct deleg_batch *all, struct deleg_chunk *chunk,
                          struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, all->batch->arena);
    sync_params_int4(&params, all->batch->partition);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(all->db, &choose_statement, &params, &result, err);
    if (!sync_is_ok(status) || result.rows == 0) {
        chunk->task = DELEG_PENDING;
        return status;
    }
    chunk->task = (enum deleg_task)sync_result_int4(&result, 0, 0);
    chunk->old_id = sync_result_uuid(&result, 0, 1);
    chunk->new_id = sync_result_uuid(&result, 0, 2);
    chunk->scope_kind = (enum delegation_scope_kind)sync_result_int4(&result, 0, 3);
    chunk->seq = sync_result_int8(&result, 0, 6);
    chunk->cut_us =
        sync_result_is_null(&result, 0, 7) ? DELEGATION_NEVER : sync_result_time(&result, 0, 7);
    chunk->began = chunk->cursor = sync_result_int8(&result, 0, 8);
    chunk->pass = sync_result_int4(&result, 0, 9);
    status = text_keep(all->batch->arena, &result, 4, &chunk->id, err);
    return sync_is_ok(status) ? text_keep(all->batch->arena, &result, 5, &chunk->stream, err)
                              : status;
}

/* Keys of a chunk ---------------------------------------------------------------------------- */

#define CHUNK "ORDER BY k.key_id LIMIT $3"
static const struct sync_statement party_keys = {
    "delegation_party_keys",
    "SELECT k.key_id FROM ((SELECT k.key_id FROM sync.deleg_key k WHERE k.to_id = $1::uuid"
    "  AND k.key_id > $2 " CHUNK ") UNION (SELECT k.key_id FROM sync.deleg_key k"
    "  WHERE k.from_id = $1::uuid AND k.key_id > $2 " CHUNK ")) AS k " CHUNK};
static const struct sync_statement relation_keys = {
    "delegation_relation_keys",
    "SELECT k.key_id FROM sync.deleg_key k WHERE k.from_id = split_part($1::text, '/', 1)::uuid"
    "  AND k.kind IN (3, 4) AND k.key_id > $2 " CHUNK};
static const struct sync_statement instance_keys = {
    "delegation_instance_keys",
    "SELECT k.key_id FROM sync.deleg_key k WHERE k.kind = 1 AND k.instance = $1::text"
    "  AND k.key_id > $2 " CHUNK};
static const struct sync_statement resource_keys = {
    "delegation_resource_keys",
    "SELECT k.key_id FROM sync.deleg_key k WHERE k.target = $1::text AND k.kind <= 1"
    "  AND k.key_id > $2 " CHUNK};
static const struct sync_statement pending_keys = {"delegation_pending_keys",
                                                   "SELECT DISTINCT k.key_id " DUE_PENDING
                                                   " ORDER BY k.key_id LIMIT $2"};

static sync_status take_keys(struct deleg_batch *all, const struct sync_statement *statement,
                             const struct sync_params *params, struct sync_error *err)
{
    struct deleg_chunk *chunk = all->chunk;
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(all->db, statement, params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    chunk->count = (size_t)result.rows;
    chunk->key_ids =
        sync_arena_take_array(all->batch->arena, chunk->count + 1, sizeof *chunk->key_ids);
    if (chunk->key_ids == NULL) {
        return deleg_memory_full("keys of a sweep", err);
    }
    for (int row = 0; row < result.rows; row++) {
        chunk->key_ids[row] = sync_result_int8(&result, row, 0);
    }
    return SYNC_OK;
}

/* Without keys left the pass is through; else the cursor goes behind them. */
static void move_cursor(struct deleg_chunk *chunk)
{
    chunk->ended = chunk->count < DELEG_SWEEP_KEYS;
    if (chunk->count > 0) {
        chunk->cursor = chunk->key_ids[chunk->count - 1];
    }
}

static sync_status find_scope_keys(struct deleg_batch *all, struct sync_error *err)
{
    static const struct sync_statement *const statements[] = {
        [DELEGATION_SCOPE_PARTY] = &party_keys,
        [DELEGATION_SCOPE_RELATION] = &relation_keys,
        [DELEGATION_SCOPE_INSTANCE] = &instance_keys};
    struct deleg_chunk *chunk = all->chunk;
    struct sync_params params;
    struct sync_uuid party = {{0}};
    sync_params_init(&params, all->batch->arena);
    if (chunk->scope_kind == DELEGATION_SCOPE_PARTY) {
        (void)sync_uuid_parse(chunk->id, &party);
        sync_params_uuid(&params, &party);
    } else {
        sync_params_text(&params, (const char *)chunk->id.data);
    }
    sync_params_int8(&params, chunk->cursor);
    sync_params_int8(&params, DELEG_SWEEP_KEYS);
    sync_status status = take_keys(all, statements[chunk->scope_kind], &params, err);
    move_cursor(chunk);
    return status;
}

static sync_status find_resource_keys(struct deleg_batch *all, struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, all->batch->arena);
    sync_params_text(&params, (const char *)all->chunk->id.data);
    sync_params_int8(&params, all->chunk->cursor);
    sync_params_int8(&params, DELEG_SWEEP_KEYS);
    sync_status status = take_keys(all, &resource_keys, &params, err);
    move_cursor(all->chunk);
    return status;
}

static sync_status find_pending_keys(struct deleg_batch *all, struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, all->batch->arena);
    sync_params_int4(&params, all->batch->partition);
    sync_params_int8(&params, DELEG_SWEEP_KEYS);
    return take_keys(all, &pending_keys, &params, err);
}

/* Settling ----------------------------------------------------------------------------------- */

static struct delegation_cause scope_cause(const struct deleg_batch *all)
{
    static const char *const rules[] = {[DELEGATION_SCOPE_PARTY] = "DL-40",
                                        [DELEGATION_SCOPE_RELATION] = "DL-41",
                                        [DELEGATION_SCOPE_INSTANCE] = "DL-42"};
    const struct deleg_chunk *chunk = all->chunk;
    bool timed = chunk->cut_us != DELEGATION_NEVER;
    return (struct delegation_cause){.source = DELEGATION_SYS,
                                     .stream = chunk->stream,
                                     .seq = chunk->seq,
                                     .event_us = chunk->cut_us,
                                     .capture_us = timed ? chunk->cut_us : all->batch->now_us,
                                     .rule = rules[chunk->scope_kind]};
}

/* What waited goes back to the event that decided its set: the newest row of history. */
static const struct sync_statement causes_statement = {
    "delegation_causes",
    "SELECT DISTINCT ON (h.key_id) h.key_id, h.source, h.stream, h.seq, h.event_time,"
    "  h.applied_at, h.rule FROM sync.history h WHERE h.key_id = ANY ($1::int8[])"
    " ORDER BY h.key_id, h.version DESC"};

static sync_status read_causes(struct deleg_batch *all, const struct sync_result *result,
                               struct sync_error *err)
{
    for (int row = 0; row < result->rows; row++) {
        struct deleg_slot *slot = deleg_slot_find(all, sync_result_int8(result, row, 0));
        int source = sync_result_int4(result, row, 1);
        struct sync_bytes stream =
            sync_arena_copy(all->batch->arena, sync_result_bytes(result, row, 2));
        struct sync_bytes rule =
            sync_arena_copy(all->batch->arena, sync_result_bytes(result, row, 6));
        if (slot == NULL) {
            continue;
        }
        if (stream.data == NULL || rule.data == NULL) {
            return deleg_memory_full("causes", err);
        }
        slot->cause = (struct delegation_cause){
            .source = source == DELEG_SYS ? DELEGATION_SYS
                                          : (enum delegation_source)(source - DELEG_SOURCE_OFFSET),
            .stream = stream,
            .seq = sync_result_int8(result, row, 3),
            .event_us = sync_result_is_null(result, row, 4) ? DELEGATION_NEVER
                                                            : sync_result_time(result, row, 4),
            .capture_us = sync_result_time(result, row, 5),
            .rule = (const char *)rule.data};
    }
    return SYNC_OK;
}

static sync_status find_causes(struct deleg_batch *all, struct sync_error *err)
{
    struct deleg_asks *asks = NULL;
    for (size_t i = 0; i < all->slot_count; i++) {
        all->slots[i].cause = (struct delegation_cause){.source = DELEGATION_SYS,
                                                        .event_us = DELEGATION_NEVER,
                                                        .capture_us = all->batch->now_us,
                                                        .rule = "DL-80"};
    }
    if (all->chunk->task == DELEG_SCOPE) {
        for (size_t i = 0; i < all->slot_count; i++) {
            all->slots[i].cause = scope_cause(all);
        }
        return SYNC_OK;
    }
    sync_status status = deleg_asks_new(all, &asks, err);
    if (sync_is_ok(status)) {
        struct sync_params *params = deleg_ask(all, asks, &causes_statement, read_causes);
        sync_params_int8_array(params, all->chunk->key_ids, NULL, all->chunk->count);
        status = deleg_asks_run(all, asks, err);
    }
    return status;
}

static sync_status settle(struct deleg_batch *all, struct sync_error *err)
{
    for (size_t i = 0; i < all->chunk->count; i++) {
        struct deleg_slot *slot = deleg_slot_find(all, all->chunk->key_ids[i]);
        SYNC_ASSERT(slot != NULL);
        slot->due = true;
        struct sync_effects *effects = deleg_effects(all);
        if (effects == NULL) {
            return deleg_memory_full("effects of a sweep", err);
        }
        sync_status status = deleg_revoke_absent(all, slot, effects, err);
        if (!sync_is_ok(status)) {
            return status;
        }
        effects = deleg_effects(all);
        if (effects == NULL) {
            return deleg_memory_full("effects of a sweep", err);
        }
        delegation_settle(&slot->giver->state, deleg_key(slot), &slot->cause, effects);
    }
    return SYNC_OK;
}

static sync_status find_keys(struct deleg_batch *all, struct sync_error *err)
{
    switch (all->chunk->task) {
    case DELEG_SCOPE:
        return find_scope_keys(all, err);
    case DELEG_RESOURCE:
        return find_resource_keys(all, err);
    case DELEG_PENDING:
        return find_pending_keys(all, err);
    case DELEG_MERGE:
    case DELEG_NO_TASK:
        break;
    }
    return SYNC_OK;
}

sync_status deleg_sweep(struct deleg_batch *all, struct sync_error *err)
{
    struct deleg_chunk *chunk = sync_arena_take(all->batch->arena, sizeof *chunk);
    if (chunk == NULL) {
        return deleg_memory_full("a sweep", err);
    }
    all->chunk = chunk;
    sync_status status = choose(all, chunk, err);
    if (sync_is_ok(status) && chunk->task == DELEG_MERGE) {
        return deleg_merge(all, err);
    }
    if (sync_is_ok(status)) {
        status = find_keys(all, err);
    }
    if (sync_is_ok(status) && chunk->count > 0) {
        status = deleg_lock_names(all, NULL, 0, chunk->key_ids, chunk->count, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_read_keys(all, err);
    }
    if (sync_is_ok(status) && chunk->count > 0) {
        status = find_causes(all, err);
    }
    return sync_is_ok(status) ? settle(all, err) : sync_wrap(err, "sweep delegations");
}

/* Cursors ------------------------------------------------------------------------------------ */

/* The second pass comes one statement time-out later: for what was under way meanwhile. */
#define NEXT_PASS                                                                                  \
    " sweep_key = CASE WHEN $2 THEN 0 ELSE $3 END,"                                                \
    " sweep_state = CASE WHEN NOT $2 THEN sweep_state WHEN sweep_state = 1 THEN 2 ELSE 0 END,"     \
    " sweep_after = CASE WHEN $2 THEN now() + $4 * interval '1 millisecond' ELSE sweep_after END"
static const struct sync_statement end_merge = {
    "delegation_end_merge", "UPDATE sync.alias SET" NEXT_PASS " WHERE old_uuid = $1::uuid"
                            " AND sweep_state = $5"};
/* A scope that was cut again meanwhile has a new number, and begins anew. */
static const struct sync_statement end_scope = {
    "delegation_end_scope", "UPDATE sync.sys_scope SET" NEXT_PASS " WHERE scope_id = $1::text"
                            " AND sweep_state = $5 AND scope_kind = $6 AND seq = $7"};
static const struct sync_statement end_resource = {
    "delegation_end_resource",
    "UPDATE sync.resource_state SET sweep_key = CASE WHEN $2 THEN 0 ELSE $3 END,"
    "  sweep_state = CASE WHEN $2 THEN 0 ELSE sweep_state END WHERE resource = $1::text"
    " AND sweep_key = $4"};

static void pass_params(const struct deleg_chunk *chunk, struct sync_params *params)
{
    sync_params_bool(params, chunk->ended);
    sync_params_int8(params, chunk->cursor);
}

sync_status deleg_sweep_end(struct deleg_batch *all, struct deleg_asks *asks,
                            struct sync_error *err)
{
    const struct deleg_chunk *chunk = all->chunk;
    struct sync_params *params;
    if (chunk == NULL) {
        return SYNC_OK;
    }
    all->batch->more = chunk->task != DELEG_PENDING || chunk->count == DELEG_SWEEP_KEYS;
    switch (chunk->task) {
    case DELEG_MERGE:
        params = deleg_ask(all, asks, &end_merge, NULL);
        sync_params_uuid(params, &chunk->old_id);
        pass_params(chunk, params);
        sync_params_int8(params, SYNC_DB_STATEMENT_MS);
        sync_params_int4(params, chunk->pass);
        return deleg_merge_end(all, asks, err);
    case DELEG_SCOPE:
        params = deleg_ask(all, asks, &end_scope, NULL);
        sync_params_text(params, (const char *)chunk->id.data);
        pass_params(chunk, params);
        sync_params_int8(params, SYNC_DB_STATEMENT_MS);
        sync_params_int4(params, chunk->pass);
        sync_params_int4(params, (int32_t)chunk->scope_kind);
        sync_params_int8(params, chunk->seq);
        break;
    case DELEG_RESOURCE:
        params = deleg_ask(all, asks, &end_resource, NULL);
        sync_params_text(params, (const char *)chunk->id.data);
        pass_params(chunk, params);
        sync_params_int8(params, chunk->began);
        break;
    case DELEG_PENDING:
    case DELEG_NO_TASK:
        break;
    }
    return SYNC_OK;
}
