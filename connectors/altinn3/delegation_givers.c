/*
 * Who gives: one state for everything of one party, whichever of its names a record came under.
 * Not here: what the records of a giver name (delegation_ask.c).
 */
#include "delegation_store.h"

#include <stdlib.h>

static struct deleg_giver *giver_make(struct deleg_batch *all, const struct sync_uuid *id)
{
    if (all->giver_count == all->giver_capacity) {
        size_t capacity = 2 * all->giver_capacity + 16;
        struct deleg_giver **givers =
            sync_arena_take_array(all->batch->arena, capacity, sizeof(struct deleg_giver *));
        if (givers == NULL) {
            return NULL;
        }
        if (all->giver_count > 0) {
            memcpy(givers, all->givers, all->giver_count * sizeof(struct deleg_giver *));
        }
        all->givers = givers;
        all->giver_capacity = capacity;
    }
    struct deleg_giver *giver = sync_arena_take(all->batch->arena, sizeof *giver);
    if (giver == NULL) {
        return NULL;
    }
    giver->id = *id;
    giver->state.tables = all->context->tables;
    return giver;
}

/* Where a giver stands, or would stand, in the ascending list. */
static size_t giver_place(const struct deleg_batch *all, const struct sync_uuid *id)
{
    size_t low = 0, high = all->giver_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sync_uuid_compare(&all->givers[middle]->id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct deleg_giver *deleg_giver_of(struct deleg_batch *all, const struct sync_uuid *id)
{
    size_t at = giver_place(all, id);
    if (at < all->giver_count && sync_uuid_compare(&all->givers[at]->id, id) == 0) {
        return all->givers[at];
    }
    struct deleg_giver *giver = giver_make(all, id);
    if (giver == NULL) {
        return NULL;
    }
    memmove(&all->givers[at + 1], &all->givers[at],
            (all->giver_count - at) * sizeof(struct deleg_giver *));
    all->givers[at] = giver;
    all->giver_count++;
    return giver;
}

/* Kafka keys --------------------------------------------------------------------------------- */

/* A Kafka key of this entity: "<uuid>", or "p:<number>". */
struct giver_key {
    bool is_uuid, is_number;
    struct sync_uuid uuid; /* zero = nobody has the number */
    int32_t number;
};

static struct giver_key giver_key_of(const struct sync_key *key)
{
    struct giver_key parsed = {.is_uuid = false};
    struct sync_bytes text = {(const uint8_t *)key->text, key->size};
    if (sync_uuid_parse(text, &parsed.uuid)) {
        parsed.is_uuid = true;
        return parsed;
    }
    if (key->size > 2 && key->size <= 12 && memcmp(key->text, "p:", 2) == 0) {
        char *end = NULL;
        long number = strtol(key->text + 2, &end, 10);
        parsed.is_number = *end == '\0' && number > 0 && number <= INT32_MAX;
        parsed.number = (int32_t)number;
    }
    return parsed;
}

/* Both read (place in keys, uuid): the uuid that the key stands for by now. */
static const struct sync_statement givers_by_uuid = {
    "delegation_givers_by_uuid",
    "SELECT k.i, sync.party_now(a.new_uuid) FROM unnest($1::int4[], $2::uuid[]) AS k (i, id)"
    " JOIN sync.alias a ON a.old_uuid = k.id"};
static const struct sync_statement givers_by_number = {
    "delegation_givers_by_number",
    "SELECT k.i, coalesce(sync.party_now(a.new_uuid), e.id) FROM unnest($1::int4[], $2::int4[]) AS "
    "k (i, number)"
    " JOIN dbo.entity e ON e.partyid = k.number LEFT JOIN sync.alias a ON a.old_uuid = e.id"};

static sync_status resolve(struct deleg_batch *all, struct giver_key *keys, bool numbers,
                           struct sync_error *err)
{
    size_t entity_count = all->batch->entity_count, count = 0;
    struct sync_arena *arena = all->batch->arena;
    int32_t *places = sync_arena_take_array(arena, entity_count, sizeof *places);
    int32_t *wanted = sync_arena_take_array(arena, entity_count, sizeof *wanted);
    struct sync_uuid *ids = sync_arena_take_array(arena, entity_count, sizeof *ids);
    if (places == NULL || wanted == NULL || ids == NULL) {
        return deleg_memory_full("its givers", err);
    }
    for (size_t i = 0; i < entity_count; i++) {
        if (numbers ? keys[i].is_number : keys[i].is_uuid) {
            places[count] = (int32_t)i;
            wanted[count] = keys[i].number;
            ids[count++] = keys[i].uuid;
        }
    }
    if (count == 0) {
        return SYNC_OK;
    }
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_int4_array(&params, places, NULL, count);
    if (numbers) {
        sync_params_int4_array(&params, wanted, NULL, count);
    } else {
        sync_params_uuid_array(&params, ids, NULL, count);
    }
    SYNC_RESULT result = {0};
    sync_status status =
        sync_db_exec(all->db, numbers ? &givers_by_number : &givers_by_uuid, &params, &result, err);
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        keys[sync_result_int4(&result, row, 0)].uuid = sync_result_uuid(&result, row, 1);
    }
    return status;
}

static sync_status attach_givers(struct deleg_batch *all, const struct giver_key *keys,
                                 struct sync_error *err)
{
    struct sync_batch *batch = all->batch;
    for (size_t i = 0; i < batch->entity_count; i++) {
        struct sync_entity *entity = &batch->entities[i];
        bool somebody = !sync_uuid_is_zero(&keys[i].uuid);
        struct deleg_giver *giver = somebody || all->sys ? deleg_giver_of(all, &keys[i].uuid)
                                                         : giver_make(all, &keys[i].uuid);
        if (giver == NULL) {
            return deleg_memory_full("its givers", err);
        }
        entity->state = &giver->state;
        entity->mapped = entity->named; /* what is held for it comes out */
    }
    return SYNC_OK;
}

sync_status deleg_find_givers(struct deleg_batch *all, struct sync_error *err)
{
    struct sync_batch *batch = all->batch;
    struct giver_key *keys =
        sync_arena_take_array(batch->arena, batch->entity_count + 1, sizeof *keys);
    if (keys == NULL) {
        return deleg_memory_full("its givers", err);
    }
    for (size_t i = 0; i < batch->entity_count && !all->sys; i++) {
        keys[i] = giver_key_of(&batch->entities[i].key);
    }
    sync_status status = resolve(all, keys, false, err);
    if (sync_is_ok(status)) {
        status = resolve(all, keys, true, err);
    }
    return sync_is_ok(status) ? attach_givers(all, keys, err) : status;
}
