/*
 * Facts above both sides (6.3): scopes and merges. A scope counts at once for every later decision;
 * the keys that it covers are settled by the store in chunks.
 */
#include "parts.h"

/* The scope that a change is about, in canonical form; seq is its last one. */
static bool scope_read(const struct delegation_state *state, const struct delegation_change *change,
                       struct delegation_scope *ret_scope)
{
    struct delegation_scope scope = {.kind = (enum delegation_scope_kind)change->scope_kind};
    struct sync_texts left = change->scope_ids;
    struct sync_bytes text;
    if (!sync_texts_next(&left, &text)) {
        return false;
    }
    if (scope.kind == DELEGATION_SCOPE_INSTANCE) {
        *ret_scope = scope;
        return delegation_text_take(text, ret_scope->instance, sizeof ret_scope->instance);
    }
    if (!sync_uuid_parse(text, &scope.party) || sync_uuid_is_zero(&scope.party)) {
        return false;
    }
    scope.party = delegation_alias_of(state, &scope.party);
    if (scope.kind == DELEGATION_SCOPE_RELATION) {
        if (!sync_texts_next(&left, &text) || !sync_uuid_parse(text, &scope.facilitator) ||
            sync_uuid_is_zero(&scope.facilitator) ||
            !delegation_text_take(change->er_role, scope.er_role, sizeof scope.er_role)) {
            return false;
        }
        scope.facilitator = delegation_alias_of(state, &scope.facilitator);
    }
    *ret_scope = scope;
    return true;
}

static bool is_same_scope(const struct delegation_scope *a, const struct delegation_scope *b)
{
    return a->kind == b->kind && sync_uuid_compare(&a->party, &b->party) == 0 &&
           sync_uuid_compare(&a->facilitator, &b->facilitator) == 0 &&
           strcmp(a->er_role, b->er_role) == 0 && strcmp(a->instance, b->instance) == 0;
}

static struct delegation_scope *scope_find(struct delegation_state *state,
                                           const struct delegation_scope *wanted)
{
    for (size_t i = 0; i < state->scope_count; i++) {
        if (is_same_scope(&state->scopes[i], wanted)) {
            return &state->scopes[i];
        }
    }
    return NULL;
}

/* DL-40 … DL-43. */
static enum delegation_rule scope_apply(struct delegation_scope *scope,
                                        const struct delegation_change *change, int64_t time_us)
{
    static const enum delegation_rule first[] = {[DELEGATION_SCOPE_PARTY] = DL_40,
                                                 [DELEGATION_SCOPE_RELATION] = DL_41,
                                                 [DELEGATION_SCOPE_INSTANCE] = DL_42};
    if (change->seq <= scope->seq) {
        return DL_11;
    }
    enum delegation_rule rule = scope->seq == DELEGATION_NEVER ? first[scope->kind] : DL_43;
    bool lift = change->op == DELEGATION_LIFT;
    scope->seq = change->seq;
    scope->cut_us = delegation_later(scope->cut_us, time_us);
    scope->final = !lift && (scope->final || change->scope_final); /* what ended stays: DL-44 */
    scope->dirty = true;
    return lift ? DL_43 : rule;
}

static sync_status alias_add(struct delegation_state *state, const struct sync_uuid *old_id,
                             const struct sync_uuid *new_id, int64_t seq, struct sync_error *err)
{
    if (state->alias_count >= state->alias_capacity) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                         "decide a merge: the store gave no room for its alias");
    }
    state->aliases[state->alias_count++] = (struct delegation_alias){*old_id, *new_id, seq, true};
    return SYNC_OK;
}

/* DL-45: the alias; the keys are moved by the store, with delegation_merge_key. */
static sync_status merge_apply(struct delegation_state *state,
                               const struct delegation_change *change, struct sync_fold *ret_fold,
                               struct sync_error *err)
{
    struct sync_texts left = change->scope_ids;
    struct sync_bytes old_text = {NULL, 0};
    struct sync_bytes new_text = {NULL, 0};
    struct sync_uuid old_id, new_id;
    bool both = sync_texts_next(&left, &old_text) && sync_texts_next(&left, &new_text);
    if (!both || !sync_uuid_parse(old_text, &old_id) || !sync_uuid_parse(new_text, &new_id) ||
        sync_uuid_is_zero(&old_id) || sync_uuid_is_zero(&new_id)) {
        (void)delegation_park(ret_fold, DL_02, SYNC_CODE_UUID, "scope.ids",
                              "An id of the merge is no party.");
        return SYNC_OK;
    }
    struct sync_uuid from = delegation_alias_of(state, &old_id);
    struct sync_uuid to = delegation_alias_of(state, &new_id);
    bool known = sync_uuid_compare(&from, &old_id) != 0;
    if (sync_uuid_compare(&from, &to) == 0) {
        if (known) {
            *ret_fold = delegation_by(DL_11);
            return SYNC_OK;
        }
        (void)delegation_park(ret_fold, DL_04, SYNC_CODE_ID_CONFLICT, "scope.ids",
                              "A party cannot merge into itself.");
        return SYNC_OK;
    }
    if (known) {
        (void)delegation_park(ret_fold, DL_04, SYNC_CODE_ID_CONFLICT, "scope.ids",
                              "The party has become another one before.");
        return SYNC_OK;
    }
    *ret_fold = delegation_by(DL_45);
    return alias_add(state, &old_id, &to, change->seq, err);
}

sync_status delegation_scope_fold(struct delegation_state *state,
                                  const struct delegation_change *change,
                                  struct sync_fold *ret_fold, struct sync_error *err)
{
    struct delegation_scope wanted;
    if (change->op == DELEGATION_MERGE) {
        return merge_apply(state, change, ret_fold, err);
    }
    if (!scope_read(state, change, &wanted)) {
        (void)delegation_park(ret_fold, DL_02, SYNC_CODE_FIELD_RANGE, "scope.ids",
                              "An id of the scope is not what its kind needs.");
        return SYNC_OK;
    }
    struct delegation_scope *scope = scope_find(state, &wanted);
    if (scope == NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                         "decide a scope: the store gave no row for it");
    }
    int64_t time_us = change->has_event_time && change->event_time_us <= change->capture_time_us
                          ? change->event_time_us
                          : change->capture_time_us;
    *ret_fold = delegation_by(scope_apply(scope, change, time_us));
    return SYNC_OK;
}

/* Merges. */

void delegation_merge_scope(struct delegation_scope *into, const struct delegation_scope *from)
{
    into->cut_us = delegation_later(into->cut_us, from->cut_us);
    into->seq = delegation_later(into->seq, from->seq);
    into->final = into->final || from->final;
    into->dirty = true;
}

static void merge_native_ids(struct delegation_ref *into, const struct delegation_ref *from)
{
    for (size_t i = 0; i < from->native_count; i++) {
        bool known = false;
        for (size_t k = 0; k < into->native_count; k++) {
            known = known || into->native_ids[k] == from->native_ids[i];
        }
        if (!known && into->native_count < DELEGATION_NATIVE_IDS_MAX) {
            into->native_ids[into->native_count++] = from->native_ids[i];
        }
    }
}

/* Collisions keep the higher seq, a tie the revoke; what was revoked or cut is never forgotten. */
static void merge_ref(struct delegation_ref *into, const struct delegation_ref *from)
{
    bool from_said = from->op != DELEGATION_OP_NONE;
    bool into_said = into->op != DELEGATION_OP_NONE;
    bool newer = from_said && (!into_said || from->seq > into->seq);
    bool tie = from_said && into_said && from->seq == into->seq;
    if (newer || (tie && from->op == DELEGATION_REVOKE)) {
        into->op = from->op;
        into->seq = from->seq;
        into->op_time = from->op_time;
        into->lender = from->lender;
        memcpy(into->a2_right, from->a2_right, sizeof into->a2_right);
    }
    into->revoke_time = delegation_later(into->revoke_time, from->revoke_time);
    into->human_time = delegation_later(into->human_time, from->human_time);
    into->echo_seq = delegation_later(into->echo_seq, from->echo_seq);
    if (from->present_seq > into->present_seq) {
        into->present = from->present;
    } else if (from->present_seq == into->present_seq) {
        into->present = into->present && from->present;
    }
    into->present_seq = delegation_later(into->present_seq, from->present_seq);
    merge_native_ids(into, from);
    into->dirty = true;
}

static sync_status merge_full(struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                     "merge two keys: the store gave no room for their rows");
}

/* The right of a row under the other key, or DELEGATION_NO_RIGHT when it has no room. */
static int merge_right(struct delegation_key *into, const struct delegation_key *from, int right)
{
    return right == DELEGATION_EVERY ? right : delegation_right_slot(into, from->rights[right]);
}

sync_status delegation_merge_key(const struct delegation_state *state, struct delegation_key *into,
                                 struct delegation_key *from, struct sync_error *err)
{
    (void)state;
    for (size_t i = 0; i < from->ref_count; i++) {
        const struct delegation_ref *row = &from->refs[i];
        int right = merge_right(into, from, row->right);
        struct delegation_ref *place =
            right == DELEGATION_NO_RIGHT ? NULL
                                         : delegation_ref_slot(into, right, row->source, row->ref);
        if (place == NULL) {
            return merge_full(err);
        }
        merge_ref(place, row);
    }
    for (size_t i = 0; i < from->mark_count; i++) {
        const struct delegation_mark *mark = &from->marks[i];
        int right = merge_right(into, from, mark->right);
        struct delegation_mark *place =
            right == DELEGATION_NO_RIGHT ? NULL : delegation_mark_slot(into, right, mark->source);
        if (place == NULL) {
            return merge_full(err);
        }
        place->all_seq = delegation_later(place->all_seq, mark->all_seq);
        place->all_time = delegation_later(place->all_time, mark->all_time);
        place->cut_time = delegation_later(place->cut_time, mark->cut_time);
        place->dirty = true;
    }
    into->version = delegation_later(into->version, from->version) + 1;
    into->dirty = true;
    from->ref_count = 0;
    from->mark_count = 0;
    from->dirty = true;
    return SYNC_OK;
}
