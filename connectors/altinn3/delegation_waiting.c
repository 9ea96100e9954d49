/*
 * What waits for an id that Altinn 3 did not have: whose records can go on by now, and which ids
 * they waited for. Not here: who holds them (processors/delegation/read.c), and their release
 * (src/runtime/apply_release.c).
 */
#include "delegation_store.h"

/* Whether the id that a row of sync.hold or sync.parked names is known by now. OFFSET 0 keeps each
 * question an index look-up of its own. */
#define IS_THERE(row)                                                                              \
    " CASE " row ".missing_kind"                                                                   \
    " WHEN 'party_id' THEN EXISTS (SELECT FROM dbo.entity e"                                       \
    "  WHERE e.partyid = " row ".missing_id::int OFFSET 0)"                                        \
    " WHEN 'user_id' THEN EXISTS (SELECT FROM dbo.entity e"                                        \
    "  WHERE e.userid = " row ".missing_id::int OFFSET 0)"                                         \
    " WHEN 'service' THEN EXISTS (SELECT FROM sync.resource_state r"                               \
    "  WHERE r.service_code = split_part(" row ".missing_id, '/', 1)"                              \
    "  AND r.edition = split_part(" row ".missing_id, '/', 2)::int OFFSET 0)"                      \
    " WHEN 'resource' THEN EXISTS (SELECT FROM sync.resource_state r"                              \
    "  WHERE r.resource = " row ".missing_id OFFSET 0) ELSE false END"

const struct sync_statement deleg_adoptable = {
    "delegation_adoptable",
    "SELECT h.entity_key FROM sync.hold h WHERE h.scope = $1 AND h.topic = $2"
    " AND h.partition = $3 AND h.entity_key > $5 AND h.entity_key <= $6 AND" IS_THERE(
        "h") " UNION SELECT p.entity_key FROM sync.parked p WHERE p.scope = $1 AND p.topic = $2"
             " AND p.partition = $3 AND p.entity_key > $5 AND p.entity_key <= $6"
             " AND " SYNC_PARKED_BY_LIMIT("p") " AND" IS_THERE("p") " ORDER BY 1 LIMIT $4"};

static const struct sync_statement arrived = {
    "delegation_arrived",
    "SELECT w.missing_kind, w.missing_id FROM (SELECT missing_kind, missing_id FROM sync.hold"
    " WHERE entity_key = ANY ($1) UNION SELECT missing_kind, missing_id FROM sync.parked"
    " WHERE entity_key = ANY ($1) AND state = 0) w WHERE" IS_THERE("w")};

/* The keys of the entities that are named, as parameters; their number. */
static size_t put_named(const struct deleg_batch *all, struct sync_bytes *keys)
{
    size_t count = 0;
    for (size_t i = 0; i < all->batch->entity_count; i++) {
        const struct sync_entity *entity = &all->batch->entities[i];
        if (entity->named) {
            keys[count++] =
                (struct sync_bytes){(const uint8_t *)entity->key.text, entity->key.size};
        }
    }
    return count;
}

sync_status deleg_find_arrived(struct deleg_batch *all, struct sync_error *err)
{
    struct sync_batch *batch = all->batch;
    struct sync_bytes *keys =
        sync_arena_take_array(batch->arena, batch->entity_count + 1, sizeof *keys);
    if (keys == NULL) {
        return deleg_memory_full("the keys that wait", err);
    }
    size_t count = put_named(all, keys);
    if (count == 0) {
        return SYNC_OK;
    }
    struct sync_params params;
    sync_params_init(&params, batch->arena);
    sync_params_text_array(&params, keys, count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(all->db, &arrived, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_missing *there =
        sync_arena_take_array(batch->arena, (size_t)result.rows + 1, sizeof *there);
    for (int row = 0; there != NULL && row < result.rows; row++) {
        struct sync_bytes kind = sync_arena_copy(batch->arena, sync_result_bytes(&result, row, 0));
        there[row].id = sync_arena_copy(batch->arena, sync_result_bytes(&result, row, 1));
        there[row].kind = (const char *)kind.data;
        if (kind.data == NULL || there[row].id.data == NULL) {
            there = NULL;
        }
    }
    if (there == NULL) {
        return deleg_memory_full("the ids that arrived", err);
    }
    batch->arrived = there;
    batch->arrived_count = (size_t)result.rows;
    return SYNC_OK;
}
