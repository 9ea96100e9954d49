/*
 * Merges (DL-45): keys that name the old party move to those that name the new one, with their
 * refs, marks and numbers; what stands under the old name in Altinn 3 by our hand is removed, and
 * the new keys are projected. A pair moves whole, because its roles lend to its packages. Not here:
 * what wins where two rows collide (the rules), scopes (delegation_scopes.c).
 */
#include "delegation_store.h"

#include <stdlib.h>

#define MERGE_KEYS 100 /* of one chunk: each brings its pair, and a new key */

/* Keys that still hold something; those of one pair together. */
static const struct sync_statement keys_statement = {
    "delegation_merge_keys",
    "WITH old AS (SELECT k.key_id, k.from_id, k.to_id FROM ("
    "(SELECT key_id, from_id, to_id FROM sync.deleg_key WHERE from_id = $1 AND key_id > $2"
    "  ORDER BY key_id LIMIT 4 * $3) UNION (SELECT key_id, from_id, to_id FROM sync.deleg_key"
    "  WHERE to_id = $1 AND key_id > $2 ORDER BY key_id LIMIT 4 * $3)"
    " UNION (SELECT key_id, from_id, to_id FROM sync.deleg_key WHERE kind = 4"
    "  AND facilitator = $1 AND key_id > $2 ORDER BY key_id LIMIT 4 * $3)) AS k"
    " ORDER BY k.key_id LIMIT $3)"
    " SELECT m.key_id, m.kind, m.from_id, m.to_id, m.target, m.instance, m.variant, m.facilitator,"
    "  m.key_id IN (SELECT key_id FROM old) FROM sync.deleg_key m WHERE m.key_id = ANY (ARRAY("
    "  SELECT key_id FROM old UNION SELECT p.key_id FROM old JOIN sync.deleg_key p"
    "   ON p.from_id = old.from_id AND p.to_id = old.to_id AND p.kind >= 2))"
    " ORDER BY m.key_id"};

struct moves {
    struct delegation_key_name *olds, *news;
    int64_t *key_ids;
    size_t count;
    size_t chunk_count; /* of those, the ones of the chunk itself */
    int64_t last;
};

static void text_read(const struct sync_result *result, int row, int column, char *ret_text,
                      size_t capacity)
{
    struct sync_bytes text = sync_result_bytes(result, row, column);
    SYNC_ASSERT(text.size < capacity);
    memcpy(ret_text, text.data, text.size);
    ret_text[text.size] = '\0';
}

static void name_read(const struct sync_result *result, int row, struct delegation_key_name *name)
{
    memset(name, 0, sizeof *name);
    name->kind = (enum delegation_kind)sync_result_int4(result, row, 1);
    name->from = sync_result_uuid(result, row, 2);
    name->to = sync_result_uuid(result, row, 3);
    text_read(result, row, 4, name->target, sizeof name->target);
    text_read(result, row, 5, name->instance, sizeof name->instance);
    name->variant = sync_result_int4(result, row, 6);
    name->facilitator = sync_result_uuid(result, row, 7);
}

/* True: the name is about the old party. */
static bool rename_party(const struct deleg_chunk *chunk, struct delegation_key_name *name)
{
    struct sync_uuid *parts[] = {&name->from, &name->to, &name->facilitator};
    bool moved = false;
    for (size_t i = 0; i < 3; i++) {
        if (sync_uuid_compare(parts[i], &chunk->old_id) == 0) {
            *parts[i] = chunk->new_id;
            moved = true;
        }
    }
    return moved;
}

static sync_status find_moves(struct deleg_batch *all, struct moves *moves, struct sync_error *err)
{
    const struct deleg_chunk *chunk = all->chunk;
    struct sync_arena *arena = all->batch->arena;
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_uuid(&params, &chunk->old_id);
    sync_params_int8(&params, chunk->cursor);
    sync_params_int8(&params, MERGE_KEYS);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(all->db, &keys_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    size_t most = (size_t)result.rows + 1;
    moves->olds = sync_arena_take_array(arena, most, sizeof *moves->olds);
    moves->news = sync_arena_take_array(arena, most, sizeof *moves->news);
    moves->key_ids = sync_arena_take_array(arena, most, sizeof *moves->key_ids);
    if (moves->olds == NULL || moves->news == NULL || moves->key_ids == NULL) {
        return deleg_memory_full("keys that move", err);
    }
    for (int row = 0; row < result.rows; row++) {
        struct delegation_key_name *name = &moves->olds[moves->count];
        bool own = sync_result_bool(&result, row, 8);
        moves->chunk_count += own ? 1 : 0;
        moves->last = own ? sync_result_int8(&result, row, 0) : moves->last;
        name_read(&result, row, name);
        moves->news[moves->count] = *name;
        moves->key_ids[moves->count] = sync_result_int8(&result, row, 0);
        moves->count += rename_party(chunk, &moves->news[moves->count]) ? 1 : 0;
    }
    return SYNC_OK;
}

/* Each old key finds the new one among the locked keys. */
static void pair_slots(struct deleg_batch *all, const struct moves *moves)
{
    for (size_t i = 0; i < moves->count; i++) {
        struct deleg_slot *old = deleg_slot_find(all, moves->key_ids[i]);
        for (size_t k = 0; k < all->slot_count && old != NULL; k++) {
            struct sync_uuid id = deleg_key_uuid(&moves->news[i]);
            if (sync_uuid_compare(&deleg_key(&all->slots[k])->id, &id) == 0) {
                old->into = &all->slots[k];
            }
        }
    }
}

/* Refs that a moved role lends go with it. */
static void move_lenders(struct deleg_batch *all)
{
    for (size_t i = 0; i < all->slot_count; i++) {
        struct delegation_key *key = deleg_key(&all->slots[i]);
        for (size_t r = 0; r < key->ref_count; r++) {
            struct delegation_ref *ref = &key->refs[r];
            for (size_t k = 0; k < all->slot_count && ref->lender >= 0; k++) {
                const struct deleg_slot *role = &all->slots[k];
                if (role->into != NULL && role->index == (size_t)ref->lender) {
                    ref->lender = (int16_t)role->into->index;
                    ref->dirty = true;
                    break;
                }
            }
        }
    }
}

static sync_status settle(struct deleg_batch *all, struct deleg_slot *slot, struct sync_error *err)
{
    const struct deleg_chunk *chunk = all->chunk;
    const struct delegation_cause cause = {.source = DELEGATION_SYS,
                                           .stream = chunk->stream,
                                           .seq = chunk->seq,
                                           .event_us = DELEGATION_NEVER,
                                           .capture_us = all->batch->now_us,
                                           .rule = "DL-45"};
    struct sync_effects *effects = deleg_effects(all);
    if (effects == NULL) {
        return deleg_memory_full("effects of a merge", err);
    }
    slot->due = true;
    delegation_settle(&slot->giver->state, deleg_key(slot), &cause, effects);
    return SYNC_OK;
}

/* The old keys end before the new ones are projected. */
static sync_status move_keys(struct deleg_batch *all, struct sync_error *err)
{
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < all->slot_count && sync_is_ok(status); i++) {
        struct deleg_slot *slot = &all->slots[i];
        if (slot->into != NULL) {
            slot->ours_only = true;
            status = delegation_merge_key(&slot->giver->state, deleg_key(slot->into),
                                          deleg_key(slot), err);
        }
    }
    move_lenders(all);
    for (size_t i = 0; i < all->slot_count && sync_is_ok(status); i++) {
        if (all->slots[i].into != NULL) {
            status = settle(all, &all->slots[i], err);
        }
    }
    for (size_t i = 0; i < all->slot_count && sync_is_ok(status); i++) {
        if (all->slots[i].into != NULL) {
            status = settle(all, all->slots[i].into, err);
        }
    }
    return status;
}

sync_status deleg_merge(struct deleg_batch *all, struct sync_error *err)
{
    struct moves moves = {.count = 0};
    struct sync_uuid nobody = {{0}};
    all->one_giver = true;
    if (deleg_giver_of(all, &nobody) == NULL) {
        return deleg_memory_full("the keys of a merge", err);
    }
    sync_status status = find_moves(all, &moves, err);
    all->chunk->ended = moves.chunk_count < MERGE_KEYS;
    all->chunk->cursor = moves.last;
    if (!sync_is_ok(status) || moves.count == 0) {
        return status;
    }
    status = deleg_lock_names(all, moves.news, moves.count, moves.key_ids, moves.count, err);
    if (sync_is_ok(status)) {
        pair_slots(all, &moves);
        status = deleg_read_keys(all, err);
    }
    if (sync_is_ok(status)) {
        status = move_keys(all, err);
    }
    return sync_is_ok(status) ? status : sync_wrap(err, "merge a party");
}

sync_status deleg_merge_end(struct deleg_batch *all, struct deleg_asks *asks,
                            struct sync_error *err)
{
    static const struct sync_statement refs = {
        "delegation_merged_refs", "DELETE FROM sync.deleg_ref WHERE key_id = ANY ($1::int8[])"};
    static const struct sync_statement marks = {
        "delegation_merged_marks", "DELETE FROM sync.deleg_mark WHERE key_id = ANY ($1::int8[])"};
    int64_t *key_ids =
        sync_arena_take_array(all->batch->arena, all->slot_count + 1, sizeof *key_ids);
    size_t count = 0;
    if (key_ids == NULL) {
        return deleg_memory_full("keys that moved", err);
    }
    for (size_t i = 0; i < all->slot_count; i++) {
        if (all->slots[i].into != NULL) {
            key_ids[count++] = all->slots[i].key_id;
        }
    }
    if (count > 0) {
        sync_params_int8_array(deleg_ask(all, asks, &refs, NULL), key_ids, NULL, count);
        sync_params_int8_array(deleg_ask(all, asks, &marks, NULL), key_ids, NULL, count);
    }
    return SYNC_OK;
}
