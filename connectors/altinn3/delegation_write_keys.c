/*
 * The rows of keys and what they wait for, written when it is known what became of the rows of
 * Altinn 3. Not here: what lies under a key (delegation_write.c).
 */
#include "delegation_depend.h"

#include "../../src/runtime/digest.h"
#include "../../src/runtime/time_text.h"

#include <inttypes.h>
#include <stdio.h>

#define HASH_FORMAT "1" /* of what effective_hash covers */

static sync_status full(struct sync_error *err)
{
    return deleg_memory_full("keys to write", err);
}

/* Rows --------------------------------------------------------------------------------------- */

struct keys {
    int64_t *ids, *versions, *open_versions, *row_times;
    bool *no_open, *no_row, *no_row_id, *parked_a2, *parked_a3, *known;
    struct sync_uuid *row_ids;
    struct sync_bytes *effective, *hashes, *held_a3, *open_sets, *left_sets, *restores_a2;
    struct sync_bytes *restores_a3, *refused;
    size_t count;
};

static bool keys_take(struct sync_arena *arena, size_t n, struct keys *k)
{
    int64_t **numbers[] = {&k->ids, &k->versions, &k->open_versions, &k->row_times};
    bool **flags[] = {&k->no_open,   &k->no_row,    &k->no_row_id,
                      &k->parked_a2, &k->parked_a3, &k->known};
    struct sync_bytes **texts[] = {&k->effective, &k->hashes,      &k->held_a3,     &k->open_sets,
                                   &k->left_sets, &k->restores_a2, &k->restores_a3, &k->refused};
    bool fits = true;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        *numbers[i] = sync_arena_take_array(arena, n, sizeof **numbers[i]);
        fits = fits && *numbers[i] != NULL;
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        *flags[i] = sync_arena_take_array(arena, n, sizeof **flags[i]);
        fits = fits && *flags[i] != NULL;
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = sync_arena_take_array(arena, n, sizeof **texts[i]);
        fits = fits && *texts[i] != NULL;
    }
    k->row_ids = sync_arena_take_array(arena, n, sizeof *k->row_ids);
    return fits && k->row_ids != NULL;
}

/* DL-94: equal hash, equal set. */
static struct sync_bytes hash_of(struct sync_arena *arena, const struct delegation_key *key,
                                 struct sync_bytes effective)
{
    const struct sync_bytes parts[] = {
        {key->id.bytes, sizeof key->id.bytes}, sync_bytes_text(HASH_FORMAT), effective};
    struct sync_digest digest = sync_digest_parts(parts, 3);
    return sync_arena_copy(arena, (struct sync_bytes){digest.bytes, sizeof digest.bytes});
}

static struct sync_bytes restores_text(struct sync_arena *arena,
                                       const struct delegation_restores *restores)
{
    char texts[3][SYNC_TIME_BUFFER];
    struct sync_bytes items[3];
    for (size_t i = 0; i < restores->count; i++) {
        sync_time_format(restores->at_us[i], 6, texts[i]);
        items[i] = sync_bytes_text(texts[i]);
    }
    return sync_array_text(arena, items, restores->count);
}

static bool keys_add(struct sync_arena *arena, const struct deleg_slot *slot, struct keys *k)
{
    const struct delegation_key *key = deleg_key(slot);
    size_t at = k->count++;
    k->ids[at] = slot->key_id;
    k->versions[at] = key->version;
    k->effective[at] = deleg_set_text(arena, key, key->effective);
    k->hashes[at] = hash_of(arena, key, k->effective[at]);
    k->held_a3[at] = deleg_set_text(arena, key, key->held_a3);
    k->no_open[at] = !key->has_open;
    k->open_versions[at] = key->open_version;
    k->open_sets[at] =
        key->has_open ? deleg_set_text(arena, key, key->open_set) : (struct sync_bytes){NULL, 0};
    k->left_sets[at] =
        key->has_left ? deleg_set_text(arena, key, key->left_set) : (struct sync_bytes){NULL, 0};
    k->restores_a2[at] = restores_text(arena, &key->restores[DELEGATION_A2]);
    k->restores_a3[at] = restores_text(arena, &key->restores[DELEGATION_A3]);
    k->refused[at] = deleg_set_text(arena, key, key->refused);
    k->parked_a2[at] = key->restores[DELEGATION_A2].parked;
    k->parked_a3[at] = key->restores[DELEGATION_A3].parked;
    k->no_row[at] = !slot->has_row;
    k->row_times[at] = slot->row_valid_us;
    k->no_row_id[at] = !slot->has_row || !slot->has_row_id;
    k->row_ids[at] = slot->row_id;
    k->known[at] = slot->a3_known;
    return k->effective[at].data != NULL && k->hashes[at].data != NULL &&
           k->held_a3[at].data != NULL && k->restores_a2[at].data != NULL &&
           k->restores_a3[at].data != NULL && k->refused[at].data != NULL &&
           (!key->has_open || k->open_sets[at].data != NULL) &&
           (!key->has_left || k->left_sets[at].data != NULL);
}

/* What left for Altinn 2 is the sender's business: here it can only have been seen. The log is
 * asked where it stands after the rows of Altinn 3 are locked: whoever was before us lies below. */
static const struct sync_statement keys_statement = {
    "delegation_write_keys",
    "UPDATE sync.deleg_key k SET version = n.version, effective = n.effective::text[],"
    "  effective_hash = n.hash, held_a3 = n.held_a3::text[], open_version = n.open_version,"
    "  open_set = n.open_set::text[], left_set = n.left_set::text[],"
    "  left_version = CASE WHEN n.left_set IS NULL THEN NULL ELSE k.left_version END,"
    "  left_at = CASE WHEN n.left_set IS NULL THEN NULL ELSE k.left_at END,"
    "  restores_a2 = n.restores_a2::timestamptz[], restores_a3 = n.restores_a3::timestamptz[],"
    "  restore_parked_a2 = n.parked_a2, restore_parked_a3 = n.parked_a3, a3_row_id = n.row_id,"
    "  a3_row_validfrom = n.row_time, refused = n.refused::text[],"
    "  a3_row_pos = CASE WHEN n.known THEN (SELECT max(s.sequence_base)"
    "   + (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8 FROM sync.source s"
    "   WHERE s.name = '" DELEG_CAPTURE_ALTINN3 "') ELSE k.a3_row_pos END"
    " FROM unnest($1::int8[], $2::int8[], $3::text[], $4::bytea[], $5::text[], $6::int8[],"
    "  $7::text[], $8::text[], $9::text[], $10::text[], $11::bool[], $12::bool[], $13::uuid[],"
    "  $14::timestamptz[], $15::text[], $16::bool[]) AS n (key_id, version, effective, hash, "
    "held_a3,"
    "  open_version, open_set, left_set, restores_a2, restores_a3, parked_a2, parked_a3, row_id,"
    "  row_time, refused, known)"
    " WHERE k.key_id = n.key_id"};

static sync_status write_rows(struct deleg_batch *all, struct deleg_asks *asks,
                              struct sync_error *err)
{
    struct keys *k = sync_arena_take(all->batch->arena, sizeof *k);
    if (k == NULL || !keys_take(all->batch->arena, all->slot_count + 1, k)) {
        return full(err);
    }
    for (size_t i = 0; i < all->slot_count; i++) {
        if (deleg_key(&all->slots[i])->dirty && !keys_add(all->batch->arena, &all->slots[i], k)) {
            return full(err);
        }
    }
    if (k->count == 0) {
        return SYNC_OK;
    }
    struct sync_params *params = deleg_ask(all, asks, &keys_statement, NULL);
    sync_params_int8_array(params, k->ids, NULL, k->count);
    sync_params_int8_array(params, k->versions, NULL, k->count);
    sync_params_text_array(params, k->effective, k->count);
    sync_params_bytes_array(params, k->hashes, k->count);
    sync_params_text_array(params, k->held_a3, k->count);
    sync_params_int8_array(params, k->open_versions, k->no_open, k->count);
    sync_params_text_array(params, k->open_sets, k->count);
    sync_params_text_array(params, k->left_sets, k->count);
    sync_params_text_array(params, k->restores_a2, k->count);
    sync_params_text_array(params, k->restores_a3, k->count);
    sync_params_bool_array(params, k->parked_a2, NULL, k->count);
    sync_params_bool_array(params, k->parked_a3, NULL, k->count);
    sync_params_uuid_array(params, k->row_ids, k->no_row_id, k->count);
    sync_params_time_array(params, k->row_times, k->no_row, k->count);
    sync_params_text_array(params, k->refused, k->count);
    sync_params_bool_array(params, k->known, NULL, k->count);
    return SYNC_OK;
}

/* Waiting ------------------------------------------------------------------------------------ */

static const struct delegation_resource *resource_of(const struct deleg_slot *slot)
{
    const struct delegation_state *state = &slot->giver->state;
    for (size_t i = 0; i < state->resource_count; i++) {
        if (strcmp(state->resources[i].id, deleg_key(slot)->name.target) == 0) {
            return &state->resources[i];
        }
    }
    return NULL;
}

/* The rest of why a key waits, which the rules see in the resource and in the party. */
static sync_status miss_rest(struct deleg_batch *all, struct deleg_slot *slot,
                             struct sync_error *err)
{
    const struct delegation_key *key = deleg_key(slot);
    struct sync_bytes target = sync_bytes_text(key->name.target);
    char text[24];
    sync_status status = SYNC_OK;
    if (key->name.kind <= DELEGATION_INSTANCE) {
        const struct delegation_resource *resource = resource_of(slot);
        bool off = resource == NULL || resource->phase <= DELEGATION_SHADOW;
        if (resource == NULL || !resource->has_actions) {
            status = deleg_miss(all, slot, "policy", target, err);
        }
        if (off && sync_is_ok(status)) {
            status = deleg_miss(all, slot, "phase", target, err);
        }
    }
    if (slot->a3_event_pos > 0 && sync_is_ok(status)) {
        (void)snprintf(text, sizeof text, "%" PRId64, slot->a3_event_pos);
        status = deleg_miss(all, slot, "a3_event", sync_bytes_text(text), err);
    }
    return status;
}

static bool list_has(const struct deleg_missing *list, const struct deleg_missing *wanted)
{
    for (; list != NULL; list = list->next) {
        if (strcmp(list->kind, wanted->kind) == 0 && sync_bytes_equal(list->id, wanted->id)) {
            return true;
        }
    }
    return false;
}

struct waits {
    int64_t *keys, *since_us;
    struct sync_bytes *kinds, *ids;
    size_t count, capacity;
    int64_t now_us;
};

static bool waits_grow(struct sync_arena *arena, struct waits *waits)
{
    struct waits more = *waits;
    more.capacity = 2 * waits->capacity + 64;
    more.keys = sync_arena_take_array(arena, more.capacity, sizeof *more.keys);
    more.since_us = sync_arena_take_array(arena, more.capacity, sizeof *more.since_us);
    more.kinds = sync_arena_take_array(arena, more.capacity, sizeof *more.kinds);
    more.ids = sync_arena_take_array(arena, more.capacity, sizeof *more.ids);
    if (more.keys == NULL || more.since_us == NULL || more.kinds == NULL || more.ids == NULL) {
        return false;
    }
    for (size_t i = 0; i < waits->count; i++) {
        more.keys[i] = waits->keys[i];
        more.since_us[i] = waits->since_us[i];
        more.kinds[i] = waits->kinds[i];
        more.ids[i] = waits->ids[i];
    }
    *waits = more;
    return true;
}

/* A key waits since the event was captured that made its write due: the watermark of its resource
 * must not pass it. */
static int64_t since_when(const struct deleg_slot *slot, int64_t now_us)
{
    int64_t captured_us = deleg_key(slot)->cause.capture_us;
    return captured_us > 0 && captured_us < now_us ? captured_us : now_us;
}

static bool waits_add(struct sync_arena *arena, struct waits *waits, const struct deleg_slot *slot,
                      const struct deleg_missing *missing)
{
    if (waits->count == waits->capacity && !waits_grow(arena, waits)) {
        return false;
    }
    waits->keys[waits->count] = slot->key_id;
    waits->since_us[waits->count] = since_when(slot, waits->now_us);
    waits->kinds[waits->count] = sync_bytes_text(missing->kind);
    waits->ids[waits->count++] = missing->id;
    return true;
}

/* Rows of one list that the other does not have. */
static bool waits_differ(struct sync_arena *arena, const struct deleg_slot *slot,
                         const struct deleg_missing *list, const struct deleg_missing *other,
                         struct waits *waits)
{
    bool fits = true;
    for (; list != NULL && fits; list = list->next) {
        fits = list_has(other, list) || waits_add(arena, waits, slot, list);
    }
    return fits;
}

static const struct sync_statement end_statement = {
    "delegation_end_waits",
    "DELETE FROM sync.pending w USING unnest($1::int8[], $2::text[], $3::text[])"
    "  AS n (key_id, kind, id) WHERE w.key_id = n.key_id AND w.dependency_kind = n.kind"
    "  AND w.dependency_id = n.id"};
/* What a key waits for may change; since when it waits does not. */
static const struct sync_statement begin_statement = {
    "delegation_begin_waits",
    "INSERT INTO sync.pending (key_id, dependency_kind, dependency_id, since)"
    " SELECT n.key_id, n.kind, n.id, least(n.since,"
    "   (SELECT min(w.since) FROM sync.pending w WHERE w.key_id = n.key_id))"
    "  FROM unnest($1::int8[], $2::text[], $3::text[], $4::timestamptz[])"
    "  AS n (key_id, kind, id, since) ON CONFLICT DO NOTHING"};

static void waits_params(const struct waits *waits, struct sync_params *params)
{
    sync_params_int8_array(params, waits->keys, NULL, waits->count);
    sync_params_text_array(params, waits->kinds, waits->count);
    sync_params_text_array(params, waits->ids, waits->count);
}

/* Only keys that the batch moved: what others wait for stays as it was found. */
static sync_status write_waits(struct deleg_batch *all, struct deleg_asks *asks,
                               struct sync_error *err)
{
    struct waits begin = {.now_us = all->batch->now_us}, end = begin;
    struct sync_arena *arena = all->batch->arena;
    for (size_t i = 0; i < all->slot_count; i++) {
        struct deleg_slot *slot = &all->slots[i];
        const struct delegation_key *key = deleg_key(slot);
        if (!key->dirty && !slot->due) {
            continue;
        }
        sync_status status = key->pending ? miss_rest(all, slot, err) : SYNC_OK;
        if (!sync_is_ok(status)) {
            return status;
        }
        const struct deleg_missing *now = key->pending ? slot->missing : NULL;
        if (!waits_differ(arena, slot, now, slot->recorded, &begin) ||
            !waits_differ(arena, slot, slot->recorded, now, &end)) {
            return full(err);
        }
    }
    if (begin.count > 0) {
        struct sync_params *params = deleg_ask(all, asks, &begin_statement, NULL);
        waits_params(&begin, params);
        sync_params_time_array(params, begin.since_us, NULL, begin.count);
    }
    if (end.count > 0) {
        waits_params(&end, deleg_ask(all, asks, &end_statement, NULL));
    }
    return SYNC_OK;
}

sync_status deleg_write_keys(struct deleg_batch *all, struct deleg_asks *asks,
                             struct sync_error *err)
{
    if (all->slot_count == 0) {
        return SYNC_OK;
    }
    sync_status status = write_rows(all, asks, err);
    return sync_is_ok(status) ? write_waits(all, asks, err) : status;
}
