/*
 * Facts above both sides: the rows of sys_scope that the facts of a batch may move, and the aliases
 * that they make. All facts of a batch share one state, because a merge moves the scopes of others.
 * The keys that they cover are recomputed by a sweep (delegation_sweep.c).
 */
#include "delegation_store.h"

#include <stdio.h>

#define IDS_MAX 8 /* names that one id can have by aliases and merges of one batch */

/* Ids ---------------------------------------------------------------------------------------- */

/* The text of a scope in sys_scope. */
static void scope_id(const struct delegation_scope *scope, char ret_text[static DELEG_SCOPE_ID])
{
    char party[SYNC_UUID_BUFFER], firm[SYNC_UUID_BUFFER];
    sync_uuid_format(&scope->party, party);
    sync_uuid_format(&scope->facilitator, firm);
    switch (scope->kind) {
    case DELEGATION_SCOPE_PARTY:
        (void)snprintf(ret_text, DELEG_SCOPE_ID, "%s", party);
        return;
    case DELEGATION_SCOPE_RELATION:
        (void)snprintf(ret_text, DELEG_SCOPE_ID, "%s/%s/%s", party, firm, scope->er_role);
        return;
    case DELEGATION_SCOPE_INSTANCE:
        (void)snprintf(ret_text, DELEG_SCOPE_ID, "%s", scope->instance);
    }
}

struct ids {
    struct sync_uuid items[IDS_MAX];
    size_t count;
};

static void ids_add(struct ids *ids, const struct sync_uuid *id)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (sync_uuid_compare(&ids->items[i], id) == 0) {
            return;
        }
    }
    if (ids->count < IDS_MAX) {
        ids->items[ids->count++] = *id;
    }
}

/* Old and new party of a merge; false: the change is none. */
static bool merge_of(const struct delegation_change *change, struct sync_uuid *ret_old,
                     struct sync_uuid *ret_new)
{
    struct sync_texts left = change->scope_ids;
    struct sync_bytes old_text = {NULL, 0}, new_text = {NULL, 0};
    return change->kind == DELEGATION_SCOPE && change->op == DELEGATION_MERGE &&
           sync_texts_next(&left, &old_text) && sync_texts_next(&left, &new_text) &&
           sync_uuid_parse(old_text, ret_old) && sync_uuid_parse(new_text, ret_new);
}

/* All that an id may mean while the batch is decided: itself, what it has become, and what merges
 * of the batch make of those. */
static struct ids ids_of(const struct deleg_batch *all, const struct sync_uuid *id)
{
    struct ids ids = {.count = 0};
    struct sync_uuid old_id, new_id;
    ids_add(&ids, id);
    for (size_t i = 0; i < ids.count; i++) {
        for (size_t k = 0; k < all->answers.alias_count; k++) {
            const struct delegation_alias *alias = &all->answers.aliases[k];
            if (sync_uuid_compare(&alias->old_id, &ids.items[i]) == 0) {
                ids_add(&ids, &alias->new_id);
            }
        }
        for (size_t k = 0; k < all->case_count; k++) {
            if (merge_of(all->cases[k].change, &old_id, &new_id) &&
                sync_uuid_compare(&old_id, &ids.items[i]) == 0) {
                ids_add(&ids, &new_id);
            }
        }
    }
    return ids;
}

/* Slots -------------------------------------------------------------------------------------- */

struct slots {
    struct delegation_scope *items;
    size_t count, capacity;
};

static bool slots_add(struct sync_arena *arena, struct slots *slots,
                      const struct delegation_scope *scope)
{
    char own[DELEG_SCOPE_ID], other[DELEG_SCOPE_ID];
    scope_id(scope, own);
    for (size_t i = 0; i < slots->count; i++) {
        scope_id(&slots->items[i], other);
        if (slots->items[i].kind == scope->kind && strcmp(own, other) == 0) {
            return true;
        }
    }
    if (slots->count == slots->capacity) {
        size_t capacity = 2 * slots->capacity + 32;
        struct delegation_scope *items = sync_arena_take_array(arena, capacity, sizeof *items);
        if (items == NULL) {
            return false;
        }
        if (slots->count > 0) {
            memcpy(items, slots->items, slots->count * sizeof *items);
        }
        slots->items = items;
        slots->capacity = capacity;
    }
    slots->items[slots->count] = *scope;
    slots->items[slots->count].seq = DELEGATION_NEVER;
    slots->items[slots->count++].cut_us = DELEGATION_NEVER;
    return true;
}

static bool add_relation(struct deleg_batch *all, struct slots *slots,
                         struct delegation_scope *scope, struct sync_bytes firm_text)
{
    struct sync_uuid firm;
    if (!sync_uuid_parse(firm_text, &firm)) {
        return true; /* the rules park it */
    }
    struct ids firms = ids_of(all, &firm);
    bool fits = true;
    for (size_t i = 0; i < firms.count && fits; i++) {
        scope->facilitator = firms.items[i];
        fits = slots_add(all->batch->arena, slots, scope);
    }
    return fits;
}

static bool add_party(struct deleg_batch *all, struct slots *slots, struct delegation_scope *scope,
                      struct sync_bytes text, struct sync_bytes firm_text)
{
    struct sync_uuid party;
    if (!sync_uuid_parse(text, &party)) {
        return true;
    }
    struct ids ids = ids_of(all, &party);
    bool fits = true;
    for (size_t i = 0; i < ids.count && fits; i++) {
        scope->party = ids.items[i];
        fits = scope->kind == DELEGATION_SCOPE_RELATION
                   ? add_relation(all, slots, scope, firm_text)
                   : slots_add(all->batch->arena, slots, scope);
    }
    return fits;
}

static bool add_case(struct deleg_batch *all, struct slots *slots,
                     const struct delegation_change *change)
{
    struct delegation_scope scope = {.kind = (enum delegation_scope_kind)change->scope_kind};
    struct sync_texts left = change->scope_ids;
    struct sync_bytes text = {NULL, 0}, firm = {NULL, 0};
    if (change->kind != DELEGATION_SCOPE || change->op == DELEGATION_MERGE ||
        !sync_texts_next(&left, &text)) {
        return true;
    }
    if (scope.kind == DELEGATION_SCOPE_INSTANCE) {
        return !delegation_text_take(text, scope.instance, sizeof scope.instance) ||
               slots_add(all->batch->arena, slots, &scope);
    }
    if (scope.kind == DELEGATION_SCOPE_RELATION &&
        (!sync_texts_next(&left, &firm) ||
         !delegation_text_take(change->er_role, scope.er_role, sizeof scope.er_role))) {
        return true;
    }
    return add_party(all, slots, &scope, text, firm);
}

/* Reading ------------------------------------------------------------------------------------ */

static const struct sync_statement read_statement = {
    "delegation_own_scopes",
    "SELECT n.i, s.seq, s.cut_time, s.final FROM unnest($1::int4[], $2::int2[], $3::text[])"
    "  AS n (i, kind, id) JOIN sync.sys_scope s ON s.scope_kind = n.kind AND s.scope_id = n.id"
    " FOR UPDATE OF s"};

static sync_status read_slots(struct deleg_batch *all, struct slots *slots, struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    int32_t *places = sync_arena_take_array(arena, slots->count + 1, sizeof *places);
    int16_t *kinds = sync_arena_take_array(arena, slots->count + 1, sizeof *kinds);
    struct sync_bytes *ids = sync_arena_take_array(arena, slots->count + 1, sizeof *ids);
    bool fits = places != NULL && kinds != NULL && ids != NULL;
    for (size_t i = 0; i < slots->count && fits; i++) {
        char text[DELEG_SCOPE_ID];
        scope_id(&slots->items[i], text);
        places[i] = (int32_t)i;
        kinds[i] = (int16_t)slots->items[i].kind;
        ids[i] = sync_arena_copy(arena, sync_bytes_text(text));
        fits = ids[i].data != NULL;
    }
    if (!fits) {
        return deleg_memory_full("facts above both sides", err);
    }
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_int4_array(&params, places, NULL, slots->count);
    sync_params_int2_array(&params, kinds, NULL, slots->count);
    sync_params_text_array(&params, ids, slots->count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(all->db, &read_statement, &params, &result, err);
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        struct delegation_scope *scope = &slots->items[sync_result_int4(&result, row, 0)];
        scope->seq = sync_result_int8(&result, row, 1);
        scope->cut_us = sync_result_is_null(&result, row, 2) ? DELEGATION_NEVER
                                                             : sync_result_time(&result, row, 2);
        scope->final = sync_result_bool(&result, row, 3);
    }
    return status;
}

sync_status deleg_read_scopes(struct deleg_batch *all, struct sync_error *err)
{
    struct slots slots = {.count = 0};
    if (!all->sys || all->case_count == 0) {
        return SYNC_OK;
    }
    for (size_t i = 0; i < all->case_count; i++) {
        if (!add_case(all, &slots, all->cases[i].change)) {
            return deleg_memory_full("facts above both sides", err);
        }
    }
    sync_status status = slots.count == 0 ? SYNC_OK : read_slots(all, &slots, err);
    for (size_t i = 0; i < all->giver_count && sync_is_ok(status); i++) {
        all->givers[i]->state.scopes = slots.items;
        all->givers[i]->state.scope_count = slots.count;
    }
    return status;
}

/* Writing ------------------------------------------------------------------------------------ */

/* A row that another owner moved meanwhile keeps what is stricter. */
static const struct sync_statement scopes_statement = {
    "delegation_write_scopes",
    "INSERT INTO sync.sys_scope AS s (scope_kind, scope_id, seq, cut_time, final, stream, "
    "partition,"
    "  sweep_state, sweep_key, sweep_after)"
    " SELECT n.kind, n.id, n.seq, n.cut_time, n.final, n.stream, $7, 1, 0, $8"
    "  FROM unnest($1::int2[], $2::text[], $3::int8[], $4::timestamptz[], $5::bool[], $6::text[])"
    "  AS n (kind, id, seq, cut_time, final, stream) ORDER BY n.kind, n.id COLLATE \"C\""
    " ON CONFLICT (scope_kind, scope_id) DO UPDATE SET"
    "  final = CASE WHEN excluded.seq > s.seq THEN excluded.final ELSE s.final END,"
    "  seq = greatest(s.seq, excluded.seq), cut_time = greatest(s.cut_time, excluded.cut_time),"
    "  stream = excluded.stream, partition = excluded.partition, sweep_state = 1, sweep_key = 0,"
    "  sweep_after = excluded.sweep_after"};

/* Of the last record of the batch that speaks of scopes: all of one topic share their stream. */
static struct sync_bytes stream_of(const struct deleg_batch *all)
{
    return all->cases[all->case_count - 1].change->stream;
}

static sync_status write_scopes(struct deleg_batch *all, const struct delegation_state *state,
                                struct deleg_asks *asks, struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    size_t most = state->scope_count + 1, count = 0;
    int16_t *kinds = sync_arena_take_array(arena, most, sizeof *kinds);
    struct sync_bytes *ids = sync_arena_take_array(arena, most, sizeof *ids);
    struct sync_bytes *streams = sync_arena_take_array(arena, most, sizeof *streams);
    int64_t *seqs = sync_arena_take_array(arena, most, sizeof *seqs);
    int64_t *cuts = sync_arena_take_array(arena, most, sizeof *cuts);
    bool *finals = sync_arena_take_array(arena, most, sizeof *finals);
    bool fits = kinds != NULL && ids != NULL && streams != NULL && seqs != NULL && cuts != NULL &&
                finals != NULL;
    for (size_t i = 0; i < state->scope_count && fits; i++) {
        const struct delegation_scope *scope = &state->scopes[i];
        char text[DELEG_SCOPE_ID];
        if (!scope->dirty) {
            continue;
        }
        scope_id(scope, text);
        kinds[count] = (int16_t)scope->kind;
        ids[count] = sync_arena_copy(arena, sync_bytes_text(text));
        streams[count] = stream_of(all);
        seqs[count] = scope->seq;
        cuts[count] = scope->cut_us;
        finals[count] = scope->final;
        fits = ids[count++].data != NULL;
    }
    if (!fits) {
        return deleg_memory_full("facts above both sides", err);
    }
    if (count > 0) {
        struct sync_params *params = deleg_ask(all, asks, &scopes_statement, NULL);
        sync_params_int2_array(params, kinds, NULL, count);
        sync_params_text_array(params, ids, count);
        sync_params_int8_array(params, seqs, NULL, count);
        sync_params_time_array(params, cuts, NULL, count);
        sync_params_bool_array(params, finals, NULL, count);
        sync_params_text_array(params, streams, count);
        sync_params_int4(params, all->batch->partition);
        sync_params_time(params, all->batch->now_us);
    }
    return SYNC_OK;
}

/* Aliases ------------------------------------------------------------------------------------ */

static const struct sync_statement aliases_statement = {
    "delegation_write_aliases",
    "INSERT INTO sync.alias (old_uuid, new_uuid, seq, stream, partition, sweep_state, sweep_after)"
    " SELECT n.old, n.new, n.seq, n.stream, $5, 1, $6 FROM unnest($1::uuid[], $2::uuid[],"
    "  $3::int8[], $4::text[]) AS n (old, new, seq, stream) ORDER BY n.old"
    " ON CONFLICT (old_uuid) DO NOTHING"};
/* Who had become the old one has become the new one: a chain is stored with its end. */
static const struct sync_statement chains_statement = {
    "delegation_write_chains",
    "UPDATE sync.alias a SET new_uuid = n.new FROM unnest($1::uuid[], $2::uuid[]) AS n (old, new)"
    " WHERE a.new_uuid = n.old AND a.old_uuid <> n.new"};
/* Scopes of the old party, also where it is the firm of a relation, count for the new one: the
 * later time, the higher number, and final wins (DL-45). */
static const struct sync_statement moved_statement = {
    "delegation_move_scopes",
    "INSERT INTO sync.sys_scope AS s (scope_kind, scope_id, seq, cut_time, final, stream, "
    "partition,"
    "  sweep_state, sweep_key, sweep_after)"
    " SELECT o.scope_kind, replace(o.scope_id, n.old::text, n.new::text), max(o.seq),"
    "  max(o.cut_time), bool_or(o.final), max(o.stream), $3, 1, 0, $4"
    "  FROM unnest($1::uuid[], $2::uuid[]) AS n (old, new) JOIN sync.sys_scope o"
    "  ON (o.scope_kind = 0 AND o.scope_id = n.old::text) OR (o.scope_kind = 1 AND"
    "   (split_part(o.scope_id, '/', 1) = n.old::text"
    "    OR split_part(o.scope_id, '/', 2) = n.old::text))"
    "  GROUP BY 1, 2 ORDER BY 1, 2"
    " ON CONFLICT (scope_kind, scope_id) DO UPDATE SET final = s.final OR excluded.final,"
    "  seq = greatest(s.seq, excluded.seq), cut_time = greatest(s.cut_time, excluded.cut_time),"
    "  sweep_state = 1, sweep_key = 0, sweep_after = excluded.sweep_after"};

static void merge_params(struct sync_params *params, const struct sync_uuid *olds,
                         const struct sync_uuid *news, size_t count)
{
    sync_params_uuid_array(params, olds, NULL, count);
    sync_params_uuid_array(params, news, NULL, count);
}

/* Where a merge ends, after the others of the batch. */
static struct sync_uuid end_of(const struct delegation_state *state, const struct sync_uuid *id)
{
    struct sync_uuid end = *id;
    for (size_t turn = 0; turn < state->alias_count; turn++) {
        for (size_t i = 0; i < state->alias_count; i++) {
            bool next = sync_uuid_compare(&state->aliases[i].old_id, &end) == 0;
            end = next ? state->aliases[i].new_id : end;
        }
    }
    return end;
}

static sync_status write_aliases(struct deleg_batch *all, const struct delegation_state *state,
                                 struct deleg_asks *asks, struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    size_t most = state->alias_count + 1, count = 0;
    struct sync_uuid *olds = sync_arena_take_array(arena, most, sizeof *olds);
    struct sync_uuid *news = sync_arena_take_array(arena, most, sizeof *news);
    int64_t *seqs = sync_arena_take_array(arena, most, sizeof *seqs);
    struct sync_bytes *streams = sync_arena_take_array(arena, most, sizeof *streams);
    if (olds == NULL || news == NULL || seqs == NULL || streams == NULL) {
        return deleg_memory_full("merges", err);
    }
    for (size_t i = 0; i < state->alias_count; i++) {
        if (state->aliases[i].dirty) {
            olds[count] = state->aliases[i].old_id;
            news[count] = end_of(state, &state->aliases[i].new_id);
            seqs[count] = state->aliases[i].seq;
            streams[count++] = stream_of(all);
        }
    }
    if (count == 0) {
        return SYNC_OK;
    }
    struct sync_params *params = deleg_ask(all, asks, &aliases_statement, NULL);
    merge_params(params, olds, news, count);
    sync_params_int8_array(params, seqs, NULL, count);
    sync_params_text_array(params, streams, count);
    sync_params_int4(params, all->batch->partition);
    sync_params_time(params, all->batch->now_us);
    merge_params(deleg_ask(all, asks, &chains_statement, NULL), olds, news, count);
    params = deleg_ask(all, asks, &moved_statement, NULL);
    merge_params(params, olds, news, count);
    sync_params_int4(params, all->batch->partition);
    sync_params_time(params, all->batch->now_us);
    return SYNC_OK;
}

sync_status deleg_write_scopes(struct deleg_batch *all, struct deleg_asks *asks,
                               struct sync_error *err)
{
    sync_status status = SYNC_OK;
    for (size_t i = 0; i < all->giver_count && all->sys && all->case_count > 0; i++) {
        const struct delegation_state *state = &all->givers[i]->state;
        status = write_scopes(all, state, asks, err);
        if (sync_is_ok(status)) {
            status = write_aliases(all, state, asks, err);
        }
    }
    return status;
}
