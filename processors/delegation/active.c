/*
 * The definitions of section 4: dead, wild, present, shown, cut, active, effective. They answer
 * from refs, marks and scopes, and change nothing.
 */
#include "parts.h"

bool delegation_has_actions(enum delegation_kind kind)
{
    return kind == DELEGATION_SINGLE || kind == DELEGATION_INSTANCE;
}

int delegation_right_find(const struct delegation_key *key, const char *right)
{
    for (int i = 0; i < key->right_count; i++) {
        if (strcmp(key->rights[i], right) == 0) {
            return i;
        }
    }
    return DELEGATION_NO_RIGHT;
}

/* Of kinds package, role and client "*" is the right itself, and the only one. */
int delegation_every(const struct delegation_key *key)
{
    return delegation_has_actions(key->name.kind) ? DELEGATION_EVERY : 0;
}

struct delegation_ref *delegation_ref_find(const struct delegation_key *key, int right, int source,
                                           const char *ref)
{
    for (size_t i = 0; i < key->ref_count; i++) {
        struct delegation_ref *row = &key->refs[i];
        if (row->right == right && row->source == source && strcmp(row->ref, ref) == 0) {
            return row;
        }
    }
    return NULL;
}

struct delegation_mark *delegation_mark_find(const struct delegation_key *key, int right,
                                             int source)
{
    for (size_t i = 0; i < key->mark_count; i++) {
        struct delegation_mark *mark = &key->marks[i];
        if (mark->right == right && mark->source == source) {
            return mark;
        }
    }
    return NULL;
}

int64_t delegation_dead(const struct delegation_key *key, int right, int source)
{
    const struct delegation_mark *one = delegation_mark_find(key, right, source);
    const struct delegation_mark *all = delegation_mark_find(key, delegation_every(key), source);
    return delegation_later(one == NULL ? DELEGATION_NEVER : one->all_seq,
                            all == NULL ? DELEGATION_NEVER : all->all_seq);
}

const struct delegation_ref *delegation_wild(const struct delegation_key *key, int source,
                                             const char *ref)
{
    if (!delegation_has_actions(key->name.kind)) {
        return NULL; /* the row of "*" is the row of the right itself */
    }
    const struct delegation_ref *row = delegation_ref_find(key, DELEGATION_EVERY, source, ref);
    return row != NULL && row->op == DELEGATION_REVOKE ? row : NULL;
}

/* The order that a number of this row must pass: revokes of all refs, and of all rights of it. */
static int64_t barrier(const struct delegation_key *key, const struct delegation_ref *ref)
{
    const struct delegation_ref *wild = delegation_wild(key, ref->source, ref->ref);
    return delegation_later(delegation_dead(key, ref->right, ref->source),
                            wild == NULL ? DELEGATION_NEVER : wild->seq);
}

static bool is_present(const struct delegation_key *key, const struct delegation_ref *ref)
{
    return ref->present && ref->right != DELEGATION_EVERY && ref->present_seq > barrier(key, ref);
}

bool delegation_shows(const struct delegation_key *key, int right, int source, int64_t below)
{
    for (size_t i = 0; i < key->ref_count; i++) {
        const struct delegation_ref *ref = &key->refs[i];
        if (ref->right == right && ref->source == source && ref->present_seq < below &&
            is_present(key, ref)) {
            return true;
        }
    }
    return false;
}

uint64_t delegation_shown(const struct delegation_key *key, enum delegation_source side)
{
    uint64_t set = 0;
    for (size_t i = 0; i < key->ref_count; i++) {
        const struct delegation_ref *ref = &key->refs[i];
        if (ref->source == side && is_present(key, ref)) {
            set |= delegation_bit(ref->right);
        }
    }
    return set;
}

int64_t delegation_cut_by(const struct delegation_key *key, int right, int source)
{
    const struct delegation_mark *one = delegation_mark_find(key, right, source);
    const struct delegation_mark *all = delegation_mark_find(key, delegation_every(key), source);
    return delegation_later(one == NULL ? DELEGATION_NEVER : one->cut_time,
                            all == NULL ? DELEGATION_NEVER : all->cut_time);
}

/* The row of the mapping by which a key's package belongs to a role, or NULL. */
static const struct delegation_package_row *package_row(const struct delegation_tables *tables,
                                                        const char *role, const char *package)
{
    for (size_t i = 0; i < tables->package_count; i++) {
        const struct delegation_package_row *row = &tables->packages[i];
        if (strcmp(row->role, role) == 0 && strcmp(row->package, package) == 0) {
            return row;
        }
    }
    return NULL;
}

/* Whether a relation of this ER role carries a package. One that no row names hangs on every
 * relation of the pair (DL-106): what ended cannot be told apart, so it ends. */
static bool relation_carries_package(const struct delegation_tables *tables, const char *er_role,
                                     const char *package)
{
    bool named = false;
    for (size_t i = 0; i < tables->package_count; i++) {
        const struct delegation_package_row *row = &tables->packages[i];
        if (row->client_role[0] != '\0' && strcmp(row->package, package) == 0) {
            named = true;
            if (strcmp(row->client_role, er_role) == 0) {
                return true;
            }
        }
    }
    return !named;
}

static bool relation_carries_role(const struct delegation_tables *tables, const char *er_role,
                                  const char *role)
{
    bool named = false;
    for (size_t i = 0; i < tables->package_count; i++) {
        const struct delegation_package_row *row = &tables->packages[i];
        if (row->client_role[0] != '\0' && strcmp(row->role, role) == 0) {
            named = true;
            if (strcmp(row->client_role, er_role) == 0) {
                return true;
            }
        }
    }
    return !named && strcmp(er_role, "*") == 0;
}

static bool is_party(const struct sync_uuid *id, const struct sync_uuid *party)
{
    return sync_uuid_compare(id, party) == 0;
}

bool delegation_covers_key(const struct delegation_state *state,
                           const struct delegation_scope *scope, const struct delegation_key *key)
{
    const struct delegation_key_name *name = &key->name;
    switch (scope->kind) {
    case DELEGATION_SCOPE_PARTY:
        return is_party(&name->to, &scope->party) ||
               (name->kind != DELEGATION_CLIENT && is_party(&name->from, &scope->party));
    case DELEGATION_SCOPE_RELATION:
        return name->kind == DELEGATION_CLIENT && is_party(&name->from, &scope->party) &&
               is_party(&name->facilitator, &scope->facilitator) &&
               relation_carries_package(state->tables, scope->er_role, name->target);
    case DELEGATION_SCOPE_INSTANCE:
        return name->kind == DELEGATION_INSTANCE && strcmp(name->instance, scope->instance) == 0;
    }
    return true; /* a kind that is not known ends access */
}

/* A role ref with a facilitator belongs to the agent and to the relation, not to the client. */
static bool covers_client_ref(const struct delegation_state *state,
                              const struct delegation_scope *scope,
                              const struct delegation_key *key, const char *facilitator)
{
    if (scope->kind == DELEGATION_SCOPE_PARTY) {
        return is_party(&key->name.to, &scope->party);
    }
    const char *role = delegation_role_of(key->name.target);
    char text[SYNC_UUID_BUFFER];
    sync_uuid_format(&scope->facilitator, text);
    return scope->kind == DELEGATION_SCOPE_RELATION && is_party(&key->name.from, &scope->party) &&
           strcmp(text, facilitator) == 0 && role != NULL &&
           relation_carries_role(state->tables, scope->er_role, role);
}

static const char *facilitator_of(const struct delegation_key *key,
                                  const struct delegation_ref *ref)
{
    const char *at = NULL;
    for (const char *c = ref->ref; key->name.kind == DELEGATION_ROLE && *c != '\0'; c++) {
        at = *c == '@' ? c + 1 : at;
    }
    return at;
}

int64_t delegation_sys_cut(const struct delegation_state *state, const struct delegation_key *key,
                           const struct delegation_ref *ref)
{
    int64_t latest = DELEGATION_NEVER;
    const char *facilitator = facilitator_of(key, ref);
    for (size_t i = 0; i < state->scope_count; i++) {
        const struct delegation_scope *scope = &state->scopes[i];
        bool covers = facilitator == NULL ? delegation_covers_key(state, scope, key)
                                          : covers_client_ref(state, scope, key, facilitator);
        if (covers) {
            latest = delegation_later(latest, scope->final ? INT64_MAX : scope->cut_us);
        }
    }
    return latest;
}

/* DL-64: what a role lends lives with the role's own ref. */
static bool lender_is_active(const struct delegation_state *state, const struct delegation_ref *ref)
{
    const struct delegation_key *role = &state->keys[ref->lender];
    const struct delegation_ref *own = delegation_ref_find(role, 0, ref->source, ref->ref);
    return own != NULL && delegation_is_active(state, role, own);
}

bool delegation_condition(const struct delegation_state *state, const struct delegation_key *key,
                          const struct delegation_ref *ref)
{
    if (ref->lender < 0) {
        return true;
    }
    SYNC_ASSERT((size_t)ref->lender < state->key_count);
    const char *role = delegation_role_of(state->keys[ref->lender].name.target);
    const struct delegation_package_row *row =
        role == NULL ? NULL : package_row(state->tables, role, key->name.target);
    if (row == NULL) {
        return false; /* the table has changed: nothing is lent by rows that are gone */
    }
    bool party =
        row->condition == DELEGATION_ANY ||
        (row->condition == DELEGATION_PERSON && key->from_type == DELEGATION_TYPE_PERSON) ||
        (row->condition == DELEGATION_NOT_PERSON && key->from_type == DELEGATION_TYPE_OTHER);
    bool in_time = row->granted_from_us == DELEGATION_NEVER ||
                   (ref->op_time != DELEGATION_NEVER && ref->op_time >= row->granted_from_us);
    return party && in_time && lender_is_active(state, ref);
}

bool delegation_stands(const struct delegation_state *state, const struct delegation_key *key,
                       const struct delegation_ref *ref)
{
    if (ref->op != DELEGATION_GRANT || ref->right == DELEGATION_EVERY ||
        ref->seq <= barrier(key, ref)) {
        return false;
    }
    int other = ref->source == DELEGATION_A2 ? DELEGATION_A3 : DELEGATION_A2;
    int64_t cut_us = delegation_cut_by(key, ref->right, other);
    int64_t skew_us = state->tables->skew_us;
    if (cut_us != DELEGATION_NEVER &&
        (cut_us > INT64_MAX - skew_us || ref->op_time <= cut_us + skew_us)) {
        return false;
    }
    int64_t sys_us = delegation_sys_cut(state, key, ref);
    return sys_us == DELEGATION_NEVER || (sys_us != INT64_MAX && ref->op_time > sys_us);
}

bool delegation_is_active(const struct delegation_state *state, const struct delegation_key *key,
                          const struct delegation_ref *ref)
{
    return delegation_stands(state, key, ref) && delegation_condition(state, key, ref);
}

uint64_t delegation_active_of(const struct delegation_state *state,
                              const struct delegation_key *key, int source)
{
    uint64_t set = 0;
    for (size_t i = 0; i < key->ref_count; i++) {
        const struct delegation_ref *ref = &key->refs[i];
        if (ref->source == source && delegation_is_active(state, key, ref)) {
            set |= delegation_bit(ref->right);
        }
    }
    return set;
}

uint64_t delegation_effective(const struct delegation_state *state,
                              const struct delegation_key *key)
{
    if (sync_uuid_compare(&key->name.from, &key->name.to) == 0) {
        return 0;
    }
    return delegation_active_of(state, key, DELEGATION_A2) |
           delegation_active_of(state, key, DELEGATION_A3);
}
