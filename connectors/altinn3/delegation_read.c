/*
 * What lies under the locked keys, read after the lock so that it is what the last writer left:
 * refs, marks, scopes that cover them, what waits, and what their rows in Altinn 3 hang on. One
 * round trip. Not here: names and keys (delegation_ask.c, delegation_keys.c).
 */
#include "delegation_depend.h"

#include <stdlib.h>

/* Refs and marks ----------------------------------------------------------------------------- */

static const struct sync_statement refs_statement = {
    "delegation_refs",
    "SELECT r.key_id, r.right_id, r.source, r.ref, r.seq, r.op, r.op_time, r.revoke_time,"
    " r.human_time, r.present, r.present_seq, r.echo_seq, r.role_key_id, r.performer,"
    " r.native_ids, r.echo_origins, r.a2_right, r.rule FROM sync.deleg_ref r"
    " WHERE r.key_id = ANY ($1::int8[]) ORDER BY r.key_id"};
static const struct sync_statement marks_statement = {
    "delegation_marks",
    "SELECT m.key_id, m.right_id, m.source, m.all_seq, m.all_time, m.cut_time, m.rule"
    " FROM sync.deleg_mark m WHERE m.key_id = ANY ($1::int8[]) ORDER BY m.key_id"};

static int64_t number_or_never(const struct sync_result *result, int row, int column)
{
    return sync_result_is_null(result, row, column) ? DELEGATION_NEVER
                                                    : sync_result_int8(result, row, column);
}

static int64_t time_or_never(const struct sync_result *result, int row, int column)
{
    return sync_result_is_null(result, row, column) ? DELEGATION_NEVER
                                                    : sync_result_time(result, row, column);
}

/* The list of rights grows with every row; a key never has more than fit (DL-105). */
static int16_t right_read(const struct sync_result *result, int row, struct delegation_key *key)
{
    struct sync_bytes name = sync_result_bytes(result, row, 1);
    bool every =
        sync_bytes_equal(name, sync_bytes_text("*")) && key->name.kind <= DELEGATION_INSTANCE;
    int right = every ? DELEGATION_EVERY : deleg_right_of(key, name);
    SYNC_ASSERT(right >= DELEGATION_EVERY);
    return (int16_t)right;
}

static void numbers_read(struct sync_array array, int64_t *items, size_t room, uint8_t *ret_count)
{
    struct sync_bytes item;
    while (*ret_count < room && sync_array_next(&array, &item)) {
        items[(*ret_count)++] = sync_array_int8(item);
    }
}

/* Text that outlives the result, for rows that are written again. */
static bool rule_read(struct sync_arena *arena, const struct sync_result *result, int row,
                      int column, const char **ret_rule)
{
    struct sync_bytes kept = sync_arena_copy(arena, sync_result_bytes(result, row, column));
    *ret_rule = (const char *)kept.data;
    return kept.data != NULL;
}

static sync_status ref_read(struct deleg_batch *all, const struct sync_result *result, int row,
                            struct deleg_slot *slot, struct sync_error *err)
{
    struct delegation_key *key = deleg_key(slot);
    struct delegation_ref *ref = &key->refs[key->ref_count++];
    struct sync_bytes name = sync_result_bytes(result, row, 3);
    struct sync_bytes a2_right = sync_result_bytes(result, row, 16);
    uint8_t origins = 0;
    SYNC_ASSERT(name.size < sizeof ref->ref && a2_right.size < sizeof ref->a2_right);
    ref->right = right_read(result, row, key);
    ref->source = (uint8_t)(sync_result_int4(result, row, 2) - DELEG_SOURCE_OFFSET);
    memcpy(ref->ref, name.data, name.size);
    ref->seq = number_or_never(result, row, 4);
    ref->op = (uint8_t)(sync_result_is_null(result, row, 5) ? DELEGATION_OP_NONE
                                                            : sync_result_int4(result, row, 5));
    ref->op_time = time_or_never(result, row, 6);
    ref->revoke_time = time_or_never(result, row, 7);
    ref->human_time = time_or_never(result, row, 8);
    ref->present = sync_result_bool(result, row, 9);
    ref->present_seq = number_or_never(result, row, 10);
    ref->echo_seq = number_or_never(result, row, 11);
    ref->performer = sync_result_uuid(result, row, 13);
    numbers_read(sync_result_array(result, row, 14), ref->native_ids, DELEGATION_NATIVE_IDS_MAX,
                 &ref->native_count);
    numbers_read(sync_result_array(result, row, 15), (int64_t *)ref->origins,
                 DELEGATION_ORIGINS_MAX, &origins);
    ref->origin_count = origins;
    memcpy(ref->a2_right, a2_right.data, a2_right.size);
    ref->lender = -1;
    if (!sync_result_is_null(result, row, 12)) {
        const struct deleg_slot *role = deleg_slot_find(all, sync_result_int8(result, row, 12));
        SYNC_ASSERT(role != NULL && role->giver == slot->giver); /* locked with its pair */
        ref->lender = (int16_t)role->index;
    }
    return rule_read(all->batch->arena, result, row, 17, &ref->rule)
               ? SYNC_OK
               : deleg_memory_full("rules", err);
}

/* How many rows each key has, so that its lists get room for those and for new ones. */
static void count_rows(const struct deleg_batch *all, const struct sync_result *result, bool marks)
{
    for (int row = 0; row < result->rows; row++) {
        struct deleg_slot *slot = deleg_slot_find(all, sync_result_int8(result, row, 0));
        SYNC_ASSERT(slot != NULL);
        slot->ref_count += marks ? 0 : 1;
        slot->mark_count += marks ? 1 : 0;
    }
}

/* A client role that is revoked without its firm ends each of its refs under every client key of
 * the pair (DL-67). */
static size_t lent_refs(const struct deleg_batch *all, const struct deleg_slot *client)
{
    const struct delegation_key_name *name = &deleg_key(client)->name;
    size_t refs = 0;
    for (size_t i = 0; i < all->slot_count && name->kind == DELEGATION_CLIENT; i++) {
        const struct deleg_slot *slot = &all->slots[i];
        const struct delegation_key_name *other = &deleg_key(slot)->name;
        if (slot->giver == client->giver && other->kind == DELEGATION_ROLE &&
            sync_uuid_compare(&other->from, &name->from) == 0 &&
            sync_uuid_compare(&other->to, &name->to) == 0) {
            refs += slot->ref_count + slot->ref_room;
        }
    }
    return refs;
}

/* What keys of a merged party bring. */
static size_t merged_refs(const struct deleg_batch *all, const struct deleg_slot *into)
{
    size_t refs = 0;
    for (size_t i = 0; i < all->slot_count && all->one_giver; i++) {
        refs += all->slots[i].into == into ? all->slots[i].ref_count : 0;
    }
    return refs;
}

static sync_status read_refs(struct deleg_batch *all, const struct sync_result *result,
                             struct sync_error *err)
{
    count_rows(all, result, false);
    for (size_t i = 0; i < all->slot_count; i++) {
        const struct deleg_slot *slot = &all->slots[i];
        struct delegation_key *key = deleg_key(slot);
        size_t room =
            slot->ref_count + slot->ref_room + lent_refs(all, slot) + merged_refs(all, slot);
        key->refs = sync_arena_take_array(all->batch->arena, room + 1, sizeof *key->refs);
        key->ref_capacity = (uint16_t)(room > UINT16_MAX ? UINT16_MAX : room);
        if (key->refs == NULL) {
            return deleg_memory_full("refs", err);
        }
    }
    sync_status status = SYNC_OK;
    for (int row = 0; row < result->rows && sync_is_ok(status); row++) {
        struct deleg_slot *slot = deleg_slot_find(all, sync_result_int8(result, row, 0));
        status = ref_read(all, result, row, slot, err);
    }
    return status;
}

static sync_status mark_read(struct deleg_batch *all, const struct sync_result *result, int row,
                             struct sync_error *err)
{
    struct delegation_key *key = deleg_key(deleg_slot_find(all, sync_result_int8(result, row, 0)));
    struct delegation_mark *mark = &key->marks[key->mark_count++];
    mark->right = right_read(result, row, key);
    mark->source = (uint8_t)(sync_result_int4(result, row, 2) - DELEG_SOURCE_OFFSET);
    mark->all_seq = number_or_never(result, row, 3);
    mark->all_time = time_or_never(result, row, 4);
    mark->cut_time = time_or_never(result, row, 5);
    return rule_read(all->batch->arena, result, row, 6, &mark->rule)
               ? SYNC_OK
               : deleg_memory_full("rules", err);
}

/* A mark per right and for all rights, of each source: the rights that there are, and those that
 * the batch may add. */
static sync_status marks_take(struct deleg_batch *all, const struct deleg_slot *slot,
                              struct sync_error *err)
{
    struct delegation_key *key = deleg_key(slot);
    size_t rights = all->one_giver ? DELEGATION_RIGHTS_MAX : key->right_count + slot->right_room;
    size_t most = key->name.kind <= DELEGATION_INSTANCE ? DELEGATION_RIGHTS_MAX : 1;
    rights = rights < most ? rights : most;
    size_t room = 2 * (rights + 1) + slot->mark_count;
    key->marks = sync_arena_take_array(all->batch->arena, room, sizeof *key->marks);
    key->mark_capacity = (uint16_t)room;
    return key->marks == NULL ? deleg_memory_full("marks", err) : SYNC_OK;
}

static sync_status read_marks(struct deleg_batch *all, const struct sync_result *result,
                              struct sync_error *err)
{
    sync_status status = SYNC_OK;
    count_rows(all, result, true);
    for (size_t i = 0; i < all->slot_count && sync_is_ok(status); i++) {
        status = marks_take(all, &all->slots[i], err);
    }
    for (int row = 0; row < result->rows && sync_is_ok(status); row++) {
        status = mark_read(all, result, row, err);
    }
    return status;
}

/* Scopes ------------------------------------------------------------------------------------- */

/* A relation's id begins with the client's: "<client>/<firm>/<role>"; '0' comes behind '/'. */
static const struct sync_statement scopes_statement = {
    "delegation_scopes",
    "SELECT s.scope_kind, s.scope_id, s.seq, s.cut_time, s.final FROM sync.sys_scope s"
    "  WHERE s.scope_kind = 0 AND s.scope_id = ANY ($1::text[])"
    " UNION ALL SELECT s.scope_kind, s.scope_id, s.seq, s.cut_time, s.final"
    "  FROM unnest($2::text[]) AS c (id) JOIN sync.sys_scope s ON s.scope_kind = 1"
    "  AND s.scope_id > c.id || '/' AND s.scope_id < c.id || '0'"
    " UNION ALL SELECT s.scope_kind, s.scope_id, s.seq, s.cut_time, s.final FROM sync.sys_scope s"
    "  WHERE s.scope_kind = 2 AND s.scope_id = ANY ($3::text[])"};

static struct sync_bytes uuid_text(struct sync_arena *arena, const struct sync_uuid *id)
{
    char text[SYNC_UUID_BUFFER];
    sync_uuid_format(id, text);
    return sync_arena_copy(arena, sync_bytes_text(text));
}

/* Reads an id of sys_scope back into its parts. False: it is none of ours. */
static bool scope_id_read(struct sync_bytes id, struct delegation_scope *scope)
{
    if (scope->kind == DELEGATION_SCOPE_INSTANCE) {
        bool fits = id.size > 0 && id.size < sizeof scope->instance;
        memcpy(scope->instance, id.data, fits ? id.size : 0);
        return fits;
    }
    struct sync_bytes party = {id.data, SYNC_UUID_TEXT};
    if (id.size < SYNC_UUID_TEXT || !sync_uuid_parse(party, &scope->party)) {
        return false;
    }
    if (scope->kind == DELEGATION_SCOPE_PARTY) {
        return id.size == SYNC_UUID_TEXT;
    }
    size_t head = 2 * SYNC_UUID_TEXT + 2;
    struct sync_bytes firm = {id.data + SYNC_UUID_TEXT + 1, SYNC_UUID_TEXT};
    if (id.size <= head || id.size - head >= sizeof scope->er_role ||
        !sync_uuid_parse(firm, &scope->facilitator)) {
        return false;
    }
    memcpy(scope->er_role, id.data + head, id.size - head);
    return true;
}

/* Whether a scope is about a giver or somebody that it gives to; the rules say which keys. */
static bool concerns(const struct deleg_giver *giver, const struct delegation_scope *scope)
{
    bool by_party = scope->kind != DELEGATION_SCOPE_INSTANCE;
    for (size_t i = 0; i < giver->state.key_count; i++) {
        const struct delegation_key_name *name = &giver->state.keys[i].name;
        if (by_party ? sync_uuid_compare(&name->from, &scope->party) == 0 ||
                           sync_uuid_compare(&name->to, &scope->party) == 0
                     : strcmp(name->instance, scope->instance) == 0) {
            return true;
        }
    }
    return false;
}

static sync_status scope_add(struct deleg_batch *all, struct deleg_giver *giver,
                             const struct delegation_scope *scope, size_t most,
                             struct sync_error *err)
{
    struct delegation_state *state = &giver->state;
    if (state->scopes == NULL) {
        state->scopes = sync_arena_take_array(all->batch->arena, most, sizeof *state->scopes);
        if (state->scopes == NULL) {
            return deleg_memory_full("facts above both sides", err);
        }
    }
    state->scopes[state->scope_count++] = *scope;
    return SYNC_OK;
}

static sync_status read_scopes(struct deleg_batch *all, const struct sync_result *result,
                               struct sync_error *err)
{
    sync_status status = SYNC_OK;
    for (int row = 0; row < result->rows && sync_is_ok(status); row++) {
        struct delegation_scope scope = {
            .kind = (enum delegation_scope_kind)sync_result_int4(result, row, 0),
            .seq = sync_result_int8(result, row, 2),
            .cut_us = time_or_never(result, row, 3),
            .final = sync_result_bool(result, row, 4)};
        bool ours = scope_id_read(sync_result_bytes(result, row, 1), &scope);
        for (size_t i = 0; i < all->giver_count && ours && sync_is_ok(status); i++) {
            if (concerns(all->givers[i], &scope)) {
                status = scope_add(all, all->givers[i], &scope, (size_t)result->rows, err);
            }
        }
    }
    return status;
}

static sync_status ask_scopes(struct deleg_batch *all, struct deleg_asks *asks,
                              struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    size_t most = 2 * all->slot_count + 1, party_count = 0, client_count = 0, instance_count = 0;
    struct sync_bytes *parties = sync_arena_take_array(arena, most, sizeof *parties);
    struct sync_bytes *clients = sync_arena_take_array(arena, most, sizeof *clients);
    struct sync_bytes *instances = sync_arena_take_array(arena, most, sizeof *instances);
    bool fits = parties != NULL && clients != NULL && instances != NULL;
    for (size_t i = 0; i < all->slot_count && fits; i++) {
        const struct delegation_key_name *name = &deleg_key(&all->slots[i])->name;
        parties[party_count] = uuid_text(arena, &name->from);
        parties[party_count + 1] = uuid_text(arena, &name->to);
        fits = parties[party_count].data != NULL && parties[party_count + 1].data != NULL;
        if (name->kind == DELEGATION_ROLE || name->kind == DELEGATION_CLIENT) {
            clients[client_count++] = parties[party_count];
        }
        if (name->kind == DELEGATION_INSTANCE) {
            instances[instance_count++] = sync_bytes_text(name->instance);
        }
        party_count += 2;
    }
    if (!fits) {
        return deleg_memory_full("facts above both sides", err);
    }
    struct sync_params *params = deleg_ask(all, asks, &scopes_statement, read_scopes);
    sync_params_text_array(params, parties, party_count);
    sync_params_text_array(params, clients, client_count);
    sync_params_text_array(params, instances, instance_count);
    return SYNC_OK;
}

/* Rivals ------------------------------------------------------------------------------------- */

/* Earliest grant that stands under a key; INT64_MAX = none. */
static int64_t first_grant(const struct deleg_slot *slot)
{
    const struct delegation_key *key = deleg_key(slot);
    int64_t first_us = INT64_MAX;
    for (size_t i = 0; i < key->ref_count; i++) {
        const struct delegation_ref *ref = &key->refs[i];
        if (ref->op_time < first_us && delegation_is_active(&slot->giver->state, key, ref)) {
            first_us = ref->op_time;
        }
    }
    return first_us;
}

static void rival_add(struct delegation_key *key, const struct sync_uuid *from, int64_t time_us)
{
    bool earlier = !key->has_rival || time_us < key->rival_time ||
                   (time_us == key->rival_time && sync_uuid_compare(from, &key->rival_from) < 0);
    if (earlier) {
        key->has_rival = true;
        key->rival_from = *from;
        key->rival_time = time_us;
    }
}

/* One key of a group of keys of one instance. */
static bool rivals_of(struct deleg_slot *slot, struct deleg_slot *const *group, size_t count)
{
    struct delegation_key *key = deleg_key(slot);
    bool had = key->has_rival;
    struct sync_uuid from = key->rival_from;
    int64_t time_us = key->rival_time;
    key->has_rival = false;
    for (size_t i = 0; i < count; i++) {
        const struct sync_uuid *other = &deleg_key(group[i])->name.from;
        bool rival = sync_uuid_compare(other, &key->name.from) != 0;
        int64_t first_us = rival ? first_grant(group[i]) : INT64_MAX;
        if (first_us != INT64_MAX) {
            rival_add(key, other, first_us);
        }
    }
    return had != key->has_rival ||
           (had && (time_us != key->rival_time || sync_uuid_compare(&from, &key->rival_from) != 0));
}

static int compare_instances(const void *left, const void *right)
{
    const struct deleg_slot *a = *(struct deleg_slot *const *)left;
    const struct deleg_slot *b = *(struct deleg_slot *const *)right;
    int order = strcmp(deleg_key(a)->name.instance, deleg_key(b)->name.instance);
    return order != 0 ? order : (a->key_id > b->key_id) - (a->key_id < b->key_id);
}

static size_t group_size(struct deleg_slot *const *slots, size_t count)
{
    size_t size = 1;
    while (size < count &&
           strcmp(deleg_key(slots[0])->name.instance, deleg_key(slots[size])->name.instance) == 0) {
        size++;
    }
    return size;
}

sync_status deleg_rivals(struct deleg_batch *all, bool *ret_moved, struct sync_error *err)
{
    struct deleg_slot **slots =
        sync_arena_take_array(all->batch->arena, all->slot_count + 1, sizeof(struct deleg_slot *));
    size_t count = 0, size;
    if (slots == NULL) {
        return deleg_memory_full("givers of instances", err);
    }
    for (size_t i = 0; i < all->slot_count; i++) {
        if (deleg_key(&all->slots[i])->name.kind == DELEGATION_INSTANCE) {
            slots[count++] = &all->slots[i];
        }
    }
    qsort(slots, count, sizeof(struct deleg_slot *), compare_instances);
    *ret_moved = false;
    for (size_t at = 0; at < count; at += size) {
        size = group_size(slots + at, count - at);
        for (size_t i = 0; i < size && size > 1; i++) {
            *ret_moved = rivals_of(slots[at + i], slots + at, size) || *ret_moved;
        }
    }
    return SYNC_OK;
}

/* All of it ---------------------------------------------------------------------------------- */

/* Room for history: of each event its own key, and what borrows from it; of the store's own work
 * every key once more. */
static sync_status steps_take(struct deleg_batch *all, struct sync_error *err)
{
    for (size_t i = 0; i < all->giver_count; i++) {
        struct deleg_giver *giver = all->givers[i];
        struct delegation_state *state = &giver->state;
        size_t lent = 0;
        for (size_t k = 0; k < state->key_count; k++) {
            lent += state->keys[k].name.kind >= DELEGATION_PACKAGE ? 1 : 0;
        }
        size_t each = lent < 4 * DELEGATION_KEYS_MAX ? 2 + lent : 4 * DELEGATION_KEYS_MAX;
        state->step_capacity = (giver->case_count + 2) * each + 4 * state->key_count;
        state->steps =
            sync_arena_take_array(all->batch->arena, state->step_capacity, sizeof *state->steps);
        if (state->steps == NULL) {
            return deleg_memory_full("history", err);
        }
    }
    return SYNC_OK;
}

sync_status deleg_read_keys(struct deleg_batch *all, struct sync_error *err)
{
    struct deleg_asks *asks = NULL;
    if (all->slot_count == 0) {
        return SYNC_OK;
    }
    sync_status status = deleg_ask_keys(all, err);
    if (sync_is_ok(status)) {
        status = deleg_asks_new(all, &asks, err);
    }
    if (sync_is_ok(status)) {
        struct sync_params *params = deleg_ask(all, asks, &refs_statement, read_refs);
        sync_params_int8_array(params, all->key_ids, NULL, all->slot_count);
        params = deleg_ask(all, asks, &marks_statement, read_marks);
        sync_params_int8_array(params, all->key_ids, NULL, all->slot_count);
        status = ask_scopes(all, asks, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_ask_places(all, asks, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_asks_run(all, asks, err);
    }
    for (size_t i = 0; i < all->slot_count && sync_is_ok(status); i++) {
        status = deleg_find_missing(all, &all->slots[i], err);
    }
    bool moved;
    if (sync_is_ok(status)) {
        status = deleg_rivals(all, &moved, err);
    }
    return sync_is_ok(status) ? steps_take(all, err) : status;
}
