/*
 * The keys of a batch: which ones its records touch, made where they are missing, locked in
 * ascending key_id together with those that hang together with them, and given to their givers. Not
 * here: what lies under a key (delegation_read.c).
 */
#include "delegation_store.h"

#include "../../src/runtime/id.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY_TEXT_MAX 640 /* three uuids, target, instance and what parts them */

struct sync_uuid deleg_key_uuid(const struct delegation_key_name *name)
{
    char text[KEY_TEXT_MAX] = "delegation/";
    size_t head = strlen(text);
    size_t size = delegation_key_format(name, text + head, sizeof text - head);
    SYNC_ASSERT(size > 0);
    return sync_id_own((struct sync_bytes){(const uint8_t *)text, head + size});
}

/* Wanted keys -------------------------------------------------------------------------------- */

/* A key that a record touches, and what the record may add to it. */
struct want {
    struct sync_uuid id;
    struct delegation_key_name name;
    size_t rights, refs;
};

struct wants {
    struct want *items; /* in the end distinct, ascending id */
    size_t count, capacity;
};

static bool wants_grow(struct sync_arena *arena, struct wants *wants)
{
    size_t capacity = 2 * wants->capacity + 64;
    struct want *items = sync_arena_take_array(arena, capacity, sizeof *items);
    if (items == NULL) {
        return false;
    }
    if (wants->count > 0) {
        memcpy(items, wants->items, wants->count * sizeof *items);
    }
    wants->items = items;
    wants->capacity = capacity;
    return true;
}

/* Rows that one event can add under a key: a pair per right and ref, and the row of all rights of a
 * ref. Made-up refs go one by one with their rights. */
static size_t refs_of(const struct delegation_change *change)
{
    size_t rights = change->rights.count, refs = change->refs.count;
    return refs == 0 ? rights + 1 : (rights + 1) * refs;
}

static sync_status want_case(struct deleg_batch *all, const struct deleg_case *at,
                             struct wants *wants, struct sync_error *err)
{
    struct delegation_key_name names[DELEGATION_KEYS_MAX];
    const struct delegation_change *change = at->change;
    size_t count = delegation_keys_of(&at->giver->state, change, names);
    for (size_t i = 0; i < count; i++) {
        if (wants->count == wants->capacity && !wants_grow(all->batch->arena, wants)) {
            return deleg_memory_full("keys", err);
        }
        bool actions = names[i].kind <= DELEGATION_INSTANCE;
        wants->items[wants->count++] = (struct want){
            .id = deleg_key_uuid(&names[i]),
            .name = names[i],
            .rights = actions ? change->rights.count + 1 : 1,
            .refs = refs_of(change),
        };
    }
    return SYNC_OK;
}

static int compare_wants(const void *left, const void *right)
{
    const struct want *a = left, *b = right;
    return sync_uuid_compare(&a->id, &b->id);
}

static void wants_merge(struct wants *wants)
{
    size_t kept = 0;
    qsort(wants->items, wants->count, sizeof *wants->items, compare_wants);
    for (size_t i = 0; i < wants->count; i++) {
        struct want *last = kept == 0 ? NULL : &wants->items[kept - 1];
        if (last != NULL && sync_uuid_compare(&last->id, &wants->items[i].id) == 0) {
            last->rights += wants->items[i].rights;
            last->refs += wants->items[i].refs;
            continue;
        }
        wants->items[kept++] = wants->items[i];
    }
    wants->count = kept;
}

static const struct want *want_find(const struct wants *wants, const struct sync_uuid *id)
{
    struct want wanted = {.id = *id};
    return wants->count == 0
               ? NULL
               : bsearch(&wanted, wants->items, wants->count, sizeof wanted, compare_wants);
}

/* Making them -------------------------------------------------------------------------------- */

struct columns {
    struct sync_uuid *ids, *from, *to, *facilitators;
    int16_t *kinds, *variants;
    struct sync_bytes *targets, *instances;
};

static bool columns_take(struct sync_arena *arena, size_t count, struct columns *ret_columns)
{
    *ret_columns = (struct columns){
        .ids = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .from = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .to = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .facilitators = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .kinds = sync_arena_take_array(arena, count, sizeof(int16_t)),
        .variants = sync_arena_take_array(arena, count, sizeof(int16_t)),
        .targets = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
        .instances = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
    };
    return ret_columns->ids != NULL && ret_columns->from != NULL && ret_columns->to != NULL &&
           ret_columns->facilitators != NULL && ret_columns->kinds != NULL &&
           ret_columns->variants != NULL && ret_columns->targets != NULL &&
           ret_columns->instances != NULL;
}

static void columns_fill(const struct wants *wants, struct columns *columns)
{
    for (size_t i = 0; i < wants->count; i++) {
        const struct delegation_key_name *name = &wants->items[i].name;
        columns->ids[i] = wants->items[i].id;
        columns->from[i] = name->from;
        columns->to[i] = name->to;
        columns->facilitators[i] = name->facilitator;
        columns->kinds[i] = (int16_t)name->kind;
        columns->variants[i] = (int16_t)name->variant;
        columns->targets[i] = sync_bytes_text(name->target);
        columns->instances[i] = sync_bytes_text(name->instance);
    }
}

/* In natural-key order, before the lock: whoever waits here holds no lock on a key. */
static sync_status make_keys(struct deleg_batch *all, const struct columns *columns, size_t count,
                             struct sync_error *err)
{
    static const struct sync_statement statement = {
        "delegation_make_keys",
        "INSERT INTO sync.deleg_key (key_uuid, kind, from_id, to_id, target, instance, variant,"
        " facilitator)"
        " SELECT n.* FROM unnest($1::uuid[], $2::int2[], $3::uuid[], $4::uuid[], $5::text[],"
        "  $6::text[], $7::int2[], $8::uuid[])"
        "  AS n (key_uuid, kind, from_id, to_id, target, instance, variant, facilitator)"
        " WHERE NOT EXISTS (SELECT FROM sync.deleg_key k WHERE k.key_uuid = n.key_uuid OFFSET 0)"
        " ORDER BY n.from_id, n.to_id, n.kind, n.target COLLATE \"C\", n.instance COLLATE \"C\","
        "  n.variant, n.facilitator ON CONFLICT DO NOTHING"};
    struct sync_params params;
    sync_params_init(&params, all->batch->arena);
    sync_params_uuid_array(&params, columns->ids, NULL, count);
    sync_params_int2_array(&params, columns->kinds, NULL, count);
    sync_params_uuid_array(&params, columns->from, NULL, count);
    sync_params_uuid_array(&params, columns->to, NULL, count);
    sync_params_text_array(&params, columns->targets, count);
    sync_params_text_array(&params, columns->instances, count);
    sync_params_int2_array(&params, columns->variants, NULL, count);
    sync_params_uuid_array(&params, columns->facilitators, NULL, count);
    return sync_db_exec(all->db, &statement, &params, NULL, err);
}

/* Locking ------------------------------------------------------------------------------------ */

#define KEY_COLUMNS                                                                                \
    "k.key_id, k.key_uuid, k.kind, k.from_id, k.to_id, k.target, k.instance, k.variant,"           \
    " k.facilitator, k.version, k.effective, k.held_a3, k.open_set, k.open_version, k.left_set,"   \
    " k.restores_a2, k.restores_a3, k.restore_parked_a2, k.restore_parked_a3, k.a3_row_id,"        \
    " k.a3_row_validfrom, k.refused, k.a3_row_pos"
enum column {
    KEY_ID,
    KEY_UUID,
    KIND,
    FROM_ID,
    TO_ID,
    TARGET,
    INSTANCE,
    VARIANT,
    FACILITATOR,
    VERSION,
    EFFECTIVE,
    HELD_A3,
    OPEN_SET,
    OPEN_VERSION,
    LEFT_SET,
    RESTORES_A2,
    RESTORES_A3,
    PARKED_A2,
    PARKED_A3,
    ROW_ID,
    ROW_VALIDFROM,
    REFUSED,
    ROW_POS,
};

/*
 * Roles lend to packages and clients of the same two parties (a revoke finds them by what is stored
 * here, whatever became of the relation: DL-66), and the givers of one instance are
 * compared (DL-56): those keys are locked with the wanted ones, at once, so that the order holds.
 * The lock statement reads columns of the row it locks: of a row that it waited for, the server
 * returns the version that the other one committed.
 */
static const struct sync_statement lock_statement = {
    "delegation_lock_keys",
    "SELECT " KEY_COLUMNS " FROM sync.deleg_key k WHERE k.key_id = ANY (ARRAY("
    "SELECT w.key_id FROM sync.deleg_key w WHERE w.key_uuid = ANY ($1::uuid[])"
    " UNION SELECT p.key_id FROM unnest($2::uuid[], $3::uuid[]) AS n (from_id, to_id)"
    "  JOIN sync.deleg_key p ON p.from_id = n.from_id AND p.to_id = n.to_id AND p.kind >= 2"
    " UNION SELECT i.key_id FROM sync.deleg_key i WHERE i.kind = 1"
    "  AND i.instance = ANY ($4::text[])"
    " UNION SELECT unnest($5::int8[])"
    " UNION SELECT p.key_id FROM sync.deleg_key s JOIN sync.deleg_key p"
    "  ON p.from_id = s.from_id AND p.to_id = s.to_id AND p.kind >= 2"
    "  WHERE s.key_id = ANY ($5::int8[]) AND s.kind >= 2"
    " UNION SELECT i.key_id FROM sync.deleg_key s JOIN sync.deleg_key i"
    "  ON i.instance = s.instance AND i.kind = 1"
    "  WHERE s.key_id = ANY ($5::int8[]) AND s.kind = 1))"
    " ORDER BY k.key_id FOR UPDATE"};

/* Afterwards: a key of the same sort that was committed while the lock was waited for. */
static const struct sync_statement missed_statement = {
    "delegation_missed_keys",
    "SELECT p.key_id FROM unnest($1::uuid[], $2::uuid[]) AS n (from_id, to_id)"
    "  JOIN sync.deleg_key p ON p.from_id = n.from_id AND p.to_id = n.to_id AND p.kind >= 2"
    "  WHERE p.key_id <> ALL ($4::int8[])"
    " UNION ALL SELECT i.key_id FROM sync.deleg_key i WHERE i.kind = 1"
    "  AND i.instance = ANY ($3::text[]) AND i.key_id <> ALL ($4::int8[]) LIMIT 1"};

/* What the lock is asked for. */
struct lock {
    const struct sync_uuid *ids;
    size_t id_count;
    struct sync_uuid *from, *to; /* pairs of parties with a key of kind package, role or client */
    size_t pair_count;
    struct sync_bytes *instances;
    size_t instance_count;
    const int64_t *key_ids;
    size_t key_id_count;
};

static void lock_params(const struct lock *lock, struct sync_params *params)
{
    sync_params_uuid_array(params, lock->ids, NULL, lock->id_count);
    sync_params_uuid_array(params, lock->from, NULL, lock->pair_count);
    sync_params_uuid_array(params, lock->to, NULL, lock->pair_count);
    sync_params_text_array(params, lock->instances, lock->instance_count);
    sync_params_int8_array(params, lock->key_ids, NULL, lock->key_id_count);
}

/* Roles of one pair come one after the other, as do givers of one instance. */
static void lock_add(struct lock *lock, const struct delegation_key_name *name)
{
    size_t last = lock->pair_count - 1;
    if (name->kind == DELEGATION_INSTANCE) {
        lock->instances[lock->instance_count++] = sync_bytes_text(name->instance);
    }
    if (name->kind < DELEGATION_PACKAGE ||
        (lock->pair_count > 0 && sync_uuid_compare(&lock->from[last], &name->from) == 0 &&
         sync_uuid_compare(&lock->to[last], &name->to) == 0)) {
        return;
    }
    lock->from[lock->pair_count] = name->from;
    lock->to[lock->pair_count++] = name->to;
}

static sync_status lock_of(struct deleg_batch *all, const struct wants *wants,
                           const struct columns *columns, struct lock *ret_lock,
                           struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    struct lock lock = {
        .ids = columns->ids,
        .id_count = wants->count,
        .from = sync_arena_take_array(arena, wants->count + 1, sizeof(struct sync_uuid)),
        .to = sync_arena_take_array(arena, wants->count + 1, sizeof(struct sync_uuid)),
        .instances = sync_arena_take_array(arena, wants->count + 1, sizeof(struct sync_bytes)),
    };
    if (lock.from == NULL || lock.to == NULL || lock.instances == NULL) {
        return deleg_memory_full("keys to lock", err);
    }
    for (size_t i = 0; i < wants->count; i++) {
        lock_add(&lock, &wants->items[i].name);
    }
    *ret_lock = lock;
    return SYNC_OK;
}

/* Slots -------------------------------------------------------------------------------------- */

static void take_text(const struct sync_result *result, int row, enum column column, char *ret_text,
                      size_t capacity)
{
    struct sync_bytes text = sync_result_bytes(result, row, column);
    SYNC_ASSERT(text.size < capacity); /* the key was made from such a text */
    memcpy(ret_text, text.data, text.size);
    ret_text[text.size] = '\0';
}

static void name_read(const struct sync_result *result, int row,
                      struct delegation_key_name *ret_name)
{
    ret_name->kind = (enum delegation_kind)sync_result_int4(result, row, KIND);
    ret_name->from = sync_result_uuid(result, row, FROM_ID);
    ret_name->to = sync_result_uuid(result, row, TO_ID);
    ret_name->facilitator = sync_result_uuid(result, row, FACILITATOR);
    ret_name->variant = sync_result_int4(result, row, VARIANT);
    take_text(result, row, TARGET, ret_name->target, sizeof ret_name->target);
    take_text(result, row, INSTANCE, ret_name->instance, sizeof ret_name->instance);
}

static sync_status slot_read(struct deleg_batch *all, const struct sync_result *result, int row,
                             const struct wants *wants, struct sync_error *err)
{
    struct deleg_slot *slot = &all->slots[row];
    struct sync_uuid from = sync_result_uuid(result, row, FROM_ID);
    struct sync_uuid id = sync_result_uuid(result, row, KEY_UUID);
    const struct want *want = want_find(wants, &id);
    slot->key_id = sync_result_int8(result, row, KEY_ID);
    slot->giver = all->one_giver ? all->givers[0] : deleg_giver_of(all, &from);
    if (slot->giver == NULL) {
        return deleg_memory_full("givers of keys", err);
    }
    slot->index = slot->giver->slot_count++;
    slot->right_room = want == NULL ? 0 : want->rights;
    slot->ref_room = want == NULL ? 0 : want->refs;
    slot->has_row = !sync_result_is_null(result, row, ROW_VALIDFROM);
    slot->has_row_id = !sync_result_is_null(result, row, ROW_ID);
    slot->row_id = sync_result_uuid(result, row, ROW_ID);
    slot->row_valid_us = sync_result_time(result, row, ROW_VALIDFROM);
    all->key_ids[row] = slot->key_id;
    return SYNC_OK;
}

/* Rights are bits by index: there is room for those of the row, of its refs and marks, and of the
 * batch. What lies under the key adds to the list later. */
static sync_status rights_take(struct deleg_batch *all, struct delegation_key *key,
                               struct sync_error *err)
{
    size_t room = key->name.kind <= DELEGATION_INSTANCE ? DELEGATION_RIGHTS_MAX : 1;
    key->rights = sync_arena_take_array(all->batch->arena, room, sizeof *key->rights);
    key->right_capacity = (uint16_t)room;
    return key->rights == NULL ? deleg_memory_full("rights of a key", err) : SYNC_OK;
}

static void restores_read(const struct sync_result *result, int row, enum column times,
                          enum column parked, struct delegation_restores *restores)
{
    struct sync_array array = sync_result_array(result, row, times);
    struct sync_bytes item;
    while (restores->count < 3 && sync_array_next(&array, &item)) {
        restores->at_us[restores->count++] = sync_array_time(item);
    }
    restores->parked = sync_result_bool(result, row, parked);
}

static sync_status key_read(struct deleg_batch *all, const struct sync_result *result, int row,
                            struct sync_error *err)
{
    struct delegation_key *key = deleg_key(&all->slots[row]);
    name_read(result, row, &key->name);
    key->id = sync_result_uuid(result, row, KEY_UUID);
    key->version = sync_result_int8(result, row, VERSION);
    sync_status status = rights_take(all, key, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    key->effective = deleg_set_read(key, sync_result_array(result, row, EFFECTIVE));
    key->held_a3 = deleg_set_read(key, sync_result_array(result, row, HELD_A3));
    key->seen_a3 = key->held_a3; /* every write of a batch ends in its transaction */
    key->a3_pos = sync_result_int8(result, row, ROW_POS);
    key->has_open = !sync_result_is_null(result, row, OPEN_SET);
    key->open_set = deleg_set_read(key, sync_result_array(result, row, OPEN_SET));
    key->open_version = sync_result_int8(result, row, OPEN_VERSION);
    key->has_left = !sync_result_is_null(result, row, LEFT_SET);
    key->left_set = deleg_set_read(key, sync_result_array(result, row, LEFT_SET));
    key->refused = deleg_set_read(key, sync_result_array(result, row, REFUSED));
    restores_read(result, row, RESTORES_A2, PARKED_A2, &key->restores[DELEGATION_A2]);
    restores_read(result, row, RESTORES_A3, PARKED_A3, &key->restores[DELEGATION_A3]);
    return SYNC_OK;
}

static sync_status give_keys(struct deleg_batch *all, struct sync_error *err)
{
    for (size_t i = 0; i < all->slot_count; i++) {
        struct deleg_giver *giver = all->slots[i].giver;
        struct delegation_state *state = &giver->state;
        if (state->keys != NULL) {
            continue;
        }
        state->keys =
            sync_arena_take_array(all->batch->arena, giver->slot_count, sizeof *state->keys);
        giver->key_ids =
            sync_arena_take_array(all->batch->arena, giver->slot_count, sizeof *giver->key_ids);
        state->key_count = giver->slot_count;
        if (state->keys == NULL || giver->key_ids == NULL) {
            return deleg_memory_full("keys", err);
        }
    }
    for (size_t i = 0; i < all->slot_count; i++) {
        all->slots[i].giver->key_ids[all->slots[i].index] = all->slots[i].key_id;
    }
    return SYNC_OK;
}

static sync_status slots_make(struct deleg_batch *all, const struct sync_result *result,
                              const struct wants *wants, struct sync_error *err)
{
    size_t count = (size_t)result->rows;
    all->slots = sync_arena_take_array(all->batch->arena, count + 1, sizeof *all->slots);
    all->key_ids = sync_arena_take_array(all->batch->arena, count + 1, sizeof *all->key_ids);
    if (all->slots == NULL || all->key_ids == NULL) {
        return deleg_memory_full("locked keys", err);
    }
    all->slot_count = count;
    sync_status status = SYNC_OK;
    for (int row = 0; row < result->rows && sync_is_ok(status); row++) {
        status = slot_read(all, result, row, wants, err);
    }
    if (sync_is_ok(status)) {
        status = give_keys(all, err);
    }
    for (int row = 0; row < result->rows && sync_is_ok(status); row++) {
        status = key_read(all, result, row, err);
    }
    return status;
}

/* Pairs and instances of the locked keys. */
static sync_status lock_of_slots(struct deleg_batch *all, struct lock *ret_lock,
                                 struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    struct lock lock = {
        .from = sync_arena_take_array(arena, all->slot_count + 1, sizeof(struct sync_uuid)),
        .to = sync_arena_take_array(arena, all->slot_count + 1, sizeof(struct sync_uuid)),
        .instances = sync_arena_take_array(arena, all->slot_count + 1, sizeof(struct sync_bytes)),
    };
    if (lock.from == NULL || lock.to == NULL || lock.instances == NULL) {
        return deleg_memory_full("locked keys", err);
    }
    for (size_t i = 0; i < all->slot_count; i++) {
        lock_add(&lock, &deleg_key(&all->slots[i])->name);
    }
    *ret_lock = lock;
    return SYNC_OK;
}

/* Somebody made one while we waited: the whole batch again, which then sees it. */
static sync_status check_missed(struct deleg_batch *all, struct sync_error *err)
{
    struct lock lock = {.ids = NULL};
    sync_status status = lock_of_slots(all, &lock, err);
    if (!sync_is_ok(status) || lock.pair_count + lock.instance_count == 0) {
        return status;
    }
    struct sync_params params;
    sync_params_init(&params, all->batch->arena);
    sync_params_uuid_array(&params, lock.from, NULL, lock.pair_count);
    sync_params_uuid_array(&params, lock.to, NULL, lock.pair_count);
    sync_params_text_array(&params, lock.instances, lock.instance_count);
    sync_params_int8_array(&params, all->key_ids, NULL, all->slot_count);
    SYNC_RESULT result = {0};
    status = sync_db_exec(all->db, &missed_statement, &params, &result, err);
    if (sync_is_ok(status) && result.rows > 0) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT,
                         "lock %zu keys: another one of theirs was made meanwhile",
                         all->slot_count);
    }
    return status;
}

static sync_status lock_keys(struct deleg_batch *all, const struct lock *lock,
                             const struct wants *wants, struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, all->batch->arena);
    lock_params(lock, &params);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(all->db, &lock_statement, &params, &result, err);
    if (sync_is_ok(status)) {
        status = slots_make(all, &result, wants, err);
    }
    if (sync_is_ok(status)) {
        status = check_missed(all, err);
    }
    return sync_is_ok(status) ? status : sync_wrap(err, "lock the keys of a batch");
}

sync_status deleg_lock_keys(struct deleg_batch *all, struct sync_error *err)
{
    struct wants wants = {.items = NULL};
    struct columns columns;
    struct lock lock = {.ids = NULL};
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < all->case_count && sync_is_ok(status); i++) {
        status = want_case(all, &all->cases[i], &wants, err);
    }
    if (!sync_is_ok(status) || wants.count == 0) {
        return status;
    }
    wants_merge(&wants);
    if (!columns_take(all->batch->arena, wants.count, &columns)) {
        return deleg_memory_full("keys to make", err);
    }
    columns_fill(&wants, &columns);
    status = make_keys(all, &columns, wants.count, err);
    if (sync_is_ok(status)) {
        status = lock_of(all, &wants, &columns, &lock, err);
    }
    return sync_is_ok(status) ? lock_keys(all, &lock, &wants, err) : status;
}

sync_status deleg_lock_names(struct deleg_batch *all, const struct delegation_key_name *names,
                             size_t name_count, const int64_t *key_ids, size_t id_count,
                             struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    struct wants wants = {.items =
                              sync_arena_take_array(arena, name_count + 1, sizeof(struct want))};
    struct columns columns;
    struct lock lock = {.ids = NULL};
    if (wants.items == NULL || !columns_take(arena, name_count + 1, &columns)) {
        return deleg_memory_full("keys to lock", err);
    }
    for (size_t i = 0; i < name_count; i++) {
        wants.items[wants.count++] =
            (struct want){.id = deleg_key_uuid(&names[i]), .name = names[i]};
    }
    wants_merge(&wants);
    columns_fill(&wants, &columns);
    sync_status status = wants.count == 0 ? SYNC_OK : make_keys(all, &columns, wants.count, err);
    if (sync_is_ok(status)) {
        status = lock_of(all, &wants, &columns, &lock, err);
    }
    if (sync_is_ok(status)) {
        lock.key_ids = key_ids;
        lock.key_id_count = id_count;
        status = lock_keys(all, &lock, &wants, err);
    }
    return status;
}
