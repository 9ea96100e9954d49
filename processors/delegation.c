/*
 * Delegations, both directions: descriptor, key, and the course of one event over the keys that it
 * touches. The parts stand in processors/delegation/: check, read, decide, active, scope, sides.
 * Pure. Not here: how records come, SQL, sending, sweeps.
 */
#include "delegation/parts.h"

#include <inttypes.h>
#include <stdio.h>

#define APPLIED   SYNC_OUTCOME_APPLIED
#define DUPLICATE SYNC_OUTCOME_DUPLICATE
#define STALE     SYNC_OUTCOME_STALE
#define ECHO      SYNC_OUTCOME_ECHO
#define HELD      SYNC_OUTCOME_HELD
#define PARKED    SYNC_OUTCOME_PARKED

#define RULE_ROW(symbol, number, outcome, subject, sentence)                                       \
    {"DL-" number, outcome, sentence, subject},
static const struct sync_rule rules[] = {DELEGATION_RULES(RULE_ROW)};
#undef RULE_ROW

const char *delegation_rule_id(enum delegation_rule rule)
{
    return rules[rule].id;
}

enum delegation_rule delegation_rule_shown(enum delegation_rule a, enum delegation_rule b)
{
    return a < b ? a : b;
}

struct sync_fold delegation_by(enum delegation_rule rule)
{
    return (struct sync_fold){.outcome = rules[rule].outcome, .rule = rules[rule].id};
}

bool delegation_park(struct sync_fold *ret_fold, enum delegation_rule rule, enum sync_code code,
                     const char *field, const char *reason)
{
    *ret_fold = delegation_by(rule);
    ret_fold->code = code;
    ret_fold->field = field;
    ret_fold->reason = reason;
    return true;
}

/* Keys. */

struct delegation_key *delegation_key_find(const struct delegation_state *state,
                                           const struct delegation_key_name *name)
{
    for (size_t i = 0; i < state->key_count; i++) {
        const struct delegation_key_name *own = &state->keys[i].name;
        if (own->kind == name->kind && own->variant == name->variant &&
            sync_uuid_compare(&own->from, &name->from) == 0 &&
            sync_uuid_compare(&own->to, &name->to) == 0 &&
            sync_uuid_compare(&own->facilitator, &name->facilitator) == 0 &&
            strcmp(own->target, name->target) == 0 && strcmp(own->instance, name->instance) == 0) {
            return &state->keys[i];
        }
    }
    return NULL;
}

size_t delegation_key_format(const struct delegation_key_name *name, char *ret_text,
                             size_t capacity)
{
    static const char *const kinds[] = {"single", "instance", "package", "role", "client"};
    char from[SYNC_UUID_BUFFER], to[SYNC_UUID_BUFFER], facilitator[SYNC_UUID_BUFFER];
    SYNC_ASSERT(name->kind <= DELEGATION_CLIENT);
    sync_uuid_format(&name->from, from);
    sync_uuid_format(&name->to, to);
    sync_uuid_format(&name->facilitator, facilitator);
    int size = snprintf(ret_text, capacity, "%s|%s|%s|%s|%s|%d|%s", kinds[name->kind], from, to,
                        name->target, name->instance, name->variant, facilitator);
    return size > 0 && (size_t)size < capacity ? (size_t)size : 0;
}

/* The Kafka key (2.4): uuid of the giver, of the party or client of a scope; the instance's URN. */
static sync_status scope_key(const struct delegation_change *change, struct sync_key *ret_key,
                             struct sync_error *err)
{
    struct sync_texts left = change->scope_ids;
    struct sync_bytes text = {NULL, 0};
    struct sync_key made = {.size = 0};
    if (!change->has_scope || !sync_texts_next(&left, &text) ||
        !delegation_text_take(text, made.text, sizeof made.text)) {
        return sync_fail_field(err, SYNC_CLASS_PARK, SYNC_CODE_FIELD_MISSING, "scope.ids",
                               "read the key of a fact above both sides: it names nothing");
    }
    made.size = strlen(made.text);
    *ret_key = made;
    return SYNC_OK;
}

static sync_status key(const void *input, struct sync_key *ret_key, struct sync_error *err)
{
    const struct delegation_change *change = input;
    struct sync_key made = {.size = 0};
    if (change->kind == DELEGATION_SCOPE) {
        return scope_key(change, ret_key, err);
    }
    if (change->kind == DELEGATION_CONTROL) {
        *ret_key = made; /* a mark belongs to a partition, not to a party */
        return SYNC_OK;
    }
    if (change->from.has_uuid && !sync_uuid_is_zero(&change->from.uuid)) {
        sync_uuid_format(&change->from.uuid, made.text);
        made.size = SYNC_UUID_TEXT;
    } else if (change->from.has_party_id && change->from.party_id != 0) {
        made.size =
            (size_t)snprintf(made.text, sizeof made.text, "p:%" PRId32, change->from.party_id);
    } else {
        return sync_fail_field(err, SYNC_CLASS_PARK, SYNC_CODE_FIELD_MISSING, "from",
                               "read the key of a delegation: its giver has no uuid and no party "
                               "id");
    }
    *ret_key = made;
    return SYNC_OK;
}

/* The role whose package a person can end in Altinn 3 (DL-71). */
static const char tax_role[] = "a0282";

static bool ends_tax_package(const struct delegation_state *state,
                             const struct delegation_event *event)
{
    if (event->name.kind != DELEGATION_PACKAGE || event->source != DELEGATION_A3 ||
        event->op == DELEGATION_GRANT || event->echo || !event->human) {
        return false;
    }
    for (size_t i = 0; i < state->tables->package_count; i++) {
        const struct delegation_package_row *row = &state->tables->packages[i];
        if (strcmp(row->role, tax_role) == 0 && strcmp(row->package, event->name.target) == 0) {
            return true;
        }
    }
    return false;
}

static void tax_role_name(const struct delegation_event *event,
                          struct delegation_key_name *ret_name)
{
    *ret_name = event->name;
    ret_name->kind = DELEGATION_ROLE;
    (void)snprintf(ret_name->target, sizeof ret_name->target, "urn:altinn:rolecode:%s", tax_role);
}

/* Natural key of the event itself: a role key has no facilitator (2.4). Service and instance, user
 * and app, differ in it, so one never ends the other (DL-50, DL-51). */
static struct delegation_key_name own_name(const struct delegation_event *event)
{
    struct delegation_key_name name = event->name;
    if (name.kind == DELEGATION_ROLE) {
        name.facilitator = (struct sync_uuid){{0}};
    }
    return name;
}

size_t delegation_keys_of(const struct delegation_state *state,
                          const struct delegation_change *change,
                          struct delegation_key_name ret_names[static DELEGATION_KEYS_MAX])
{
    struct delegation_event event;
    struct sync_fold ignored;
    uint64_t unmapped = 0;
    if (change->kind > DELEGATION_CLIENT ||
        !delegation_read(state, change, &event, &unmapped, &ignored)) {
        return 0;
    }
    size_t count = 0;
    ret_names[count++] = own_name(&event);
    if (event.name.kind == DELEGATION_ROLE) {
        count += delegation_borrowers(state->tables, &event, ret_names + count,
                                      DELEGATION_KEYS_MAX - count);
    }
    if (ends_tax_package(state, &event)) {
        tax_role_name(&event, &ret_names[count++]);
    }
    return count;
}

/* Fold. */

struct folding {
    struct delegation_state *state;
    const struct delegation_change *change;
    const struct delegation_event *event;
    struct sync_effects *effects;
    struct sync_error *err;
    enum delegation_rule rule;
    bool any;
};

static sync_status no_slot(struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_INTERNAL,
                     "decide a delegation: the store gave no slot for a key that it touches");
}

/* What a born event of Altinn 3 says that it holds now; ours are known by their writes. Where the
 * event is older than our newest write, that write found the row as the event had left it. An event
 * of a package says nothing of the row of a role that ends with it (DL-71). */
static void report_a3(struct delegation_key *at, const struct delegation_event *event,
                      const struct delegation_decision *decision)
{
    if (event->source != DELEGATION_A3 || event->echo || decision->stale ||
        event->order < at->a3_pos || event->name.kind != at->name.kind) {
        return;
    }
    at->held_a3 = (at->held_a3 | decision->reported) & ~decision->unreported;
    at->seen_a3 = (at->seen_a3 | decision->reported) & ~decision->unreported;
    bool some = event->right_count > 0 && delegation_has_actions(at->name.kind);
    at->report = (struct delegation_report){.told = true,
                                            .is_there = event->op == DELEGATION_GRANT ||
                                                        (event->op == DELEGATION_REVOKE && some),
                                            .valid_us = event->event_us};
}

static struct delegation_cause cause_of(const struct delegation_change *change,
                                        const struct delegation_event *event, const char *rule)
{
    return (struct delegation_cause){
        .source = (enum delegation_source)change->source,
        .stream = change->stream,
        .seq = change->seq,
        .event_us = change->has_event_time ? change->event_time_us : DELEGATION_NEVER,
        .capture_us = change->capture_time_us,
        .performer = event == NULL ? (struct sync_uuid){{0}} : event->performer,
        .rule = rule};
}

/* Decides one key and compares it with the sides. */
static sync_status fold_key(struct folding *f, struct delegation_key *at,
                            const struct delegation_event *event, int lender,
                            struct delegation_decision *ret_decision)
{
    struct delegation_turn turn = {.born = !event->echo};
    uint64_t shown = delegation_shown(at, DELEGATION_A2);
    uint64_t seen = at->seen_a3;
    sync_status status = delegation_decide(f->state, at, event, lender, ret_decision, f->err);
    if (!sync_is_ok(status)) {
        return status;
    }
    report_a3(at, event, ret_decision);
    if (turn.born) {
        turn.lost[DELEGATION_A2] = shown & ~delegation_shown(at, DELEGATION_A2);
        turn.lost[DELEGATION_A3] = seen & ~at->seen_a3;
    }
    turn.a2_moved = event->source == DELEGATION_A2 && ret_decision->moved;
    turn.cause = cause_of(f->change, event, delegation_rule_id(ret_decision->rule));
    delegation_compare(f->state, at, &turn, f->effects);
    f->rule = f->any ? delegation_rule_shown(f->rule, ret_decision->rule) : ret_decision->rule;
    f->any = true;
    return SYNC_OK;
}

/* DL-64: keys that borrow from a role follow it. */
static void settle_borrowers(struct folding *f, const struct delegation_key *role)
{
    int index = (int)(role - f->state->keys);
    for (size_t i = 0; i < f->state->key_count; i++) {
        struct delegation_key *at = &f->state->keys[i];
        bool borrows = false;
        for (size_t k = 0; k < at->ref_count; k++) {
            borrows = borrows || at->refs[k].lender == index;
        }
        if (borrows) {
            struct delegation_cause cause =
                cause_of(f->change, f->event, delegation_rule_id(f->rule));
            delegation_settle(f->state, at, &cause, f->effects);
        }
    }
}

/* DL-60, DL-61: the same fact under the keys of the mapping. */
static sync_status fold_borrowers(struct folding *f, const struct delegation_key *role)
{
    struct delegation_key_name names[DELEGATION_KEYS_MAX];
    struct delegation_decision decision;
    size_t count = delegation_borrowers(f->state->tables, f->event, names, DELEGATION_KEYS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct delegation_key *at = delegation_key_find(f->state, &names[i]);
        if (at == NULL) {
            return no_slot(f->err);
        }
        sync_status status = fold_key(f, at, f->event, (int)(role - f->state->keys), &decision);
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return SYNC_OK;
}

/* DL-67. */

static bool has_native_id(const struct delegation_ref *row, int64_t native_id)
{
    for (size_t i = 0; i < row->native_count; i++) {
        if (row->native_ids[i] == native_id) {
            return true;
        }
    }
    return false;
}

/* The refs of the role that ever carried the event's id; none: the event means all of them. */
static void find_native_refs(const struct delegation_key *role, struct delegation_event *event)
{
    event->ref_count = 0;
    event->ref_prefix[0] = '\0';
    /* Decided as all of them before its id was known: when it comes again, it is that once more. */
    bool was_all = delegation_dead(role, 0, DELEGATION_A2) >= event->order;
    for (size_t i = 0; event->has_native_id && !was_all && i < role->ref_count; i++) {
        const struct delegation_ref *row = &role->refs[i];
        if (row->source == DELEGATION_A2 && has_native_id(row, event->native_id) &&
            event->ref_count < DELEGATION_REFS_MAX) {
            event->refs[event->ref_count++] = sync_bytes_text(row->ref);
        }
    }
    if (event->ref_count == 0) {
        event->op = DELEGATION_REVOKE_ALL;
        event->right_count = 0;
    }
}

/* Whether a key borrows what the event ends: a ref of its, or anything when it names none. */
static bool borrows_from(const struct delegation_key *at, int role,
                         const struct delegation_event *event)
{
    for (size_t i = 0; i < at->ref_count; i++) {
        bool meant = event->ref_count == 0;
        for (size_t k = 0; k < event->ref_count && !meant; k++) {
            meant = sync_bytes_equal(event->refs[k], sync_bytes_text(at->refs[i].ref));
        }
        if (meant && at->refs[i].lender == role) {
            return true;
        }
    }
    return false;
}

static sync_status fold_role_without_facilitator(struct folding *f, struct delegation_key *role)
{
    struct delegation_event event = *f->event;
    struct delegation_decision decision;
    find_native_refs(role, &event);
    sync_status status = fold_key(f, role, &event, -1, &decision);
    if (!sync_is_ok(status) || decision.stale) {
        return status;
    }
    int index = (int)(role - f->state->keys);
    for (size_t i = 0; i < f->state->key_count && sync_is_ok(status); i++) {
        struct delegation_key *at = &f->state->keys[i];
        if ((int)i != index && borrows_from(at, index, &event)) {
            status = fold_key(f, at, &event, index, &decision);
        }
    }
    return status;
}

/* The course of a role event. */
static sync_status fold_role(struct folding *f, struct delegation_key *role)
{
    const struct delegation_event *event = f->event;
    struct delegation_decision decision;
    bool ends = event->op != DELEGATION_GRANT;
    if (event->source == DELEGATION_A2 && ends && sync_uuid_is_zero(&event->name.facilitator) &&
        delegation_is_client_role(f->state->tables, event->role)) {
        return fold_role_without_facilitator(f, role);
    }
    sync_status status = fold_key(f, role, event, -1, &decision);
    if (sync_is_ok(status) && event->source == DELEGATION_A2 && !decision.stale) {
        status = fold_borrowers(f, role);
    }
    if (sync_is_ok(status)) {
        settle_borrowers(f, role);
    }
    return status;
}

static sync_status fold_tax_role(struct folding *f)
{
    struct delegation_key_name name;
    struct delegation_decision decision;
    tax_role_name(f->event, &name);
    struct delegation_key *role = delegation_key_find(f->state, &name);
    if (role == NULL) {
        return no_slot(f->err);
    }
    struct delegation_event event = *f->event;
    event.op = DELEGATION_REVOKE_ALL;
    event.right_count = 0;
    event.ref_count = 0;
    sync_status status = fold_key(f, role, &event, -1, &decision);
    if (sync_is_ok(status)) {
        settle_borrowers(f, role);
    }
    return status;
}

static sync_status fold_event(struct folding *f)
{
    struct delegation_key_name name = own_name(f->event);
    struct delegation_decision decision;
    struct delegation_key *at = delegation_key_find(f->state, &name);
    if (at == NULL) {
        return no_slot(f->err);
    }
    if (name.kind == DELEGATION_ROLE) {
        return fold_role(f, at);
    }
    sync_status status = fold_key(f, at, f->event, -1, &decision);
    if (sync_is_ok(status) && ends_tax_package(f->state, f->event)) {
        status = fold_tax_role(f);
    }
    return status;
}

/* DL-01. What comes again from hold or park keeps its row and goes on. */
static bool is_duplicate(struct delegation_state *state, const struct delegation_change *change,
                         const struct sync_context *ctx)
{
    for (size_t i = 0; i < state->seen_count; i++) {
        struct delegation_seen *seen = &state->seen[i];
        if (seen->source == change->source && seen->seq == change->seq &&
            sync_bytes_equal(seen->stream, change->stream) &&
            sync_uuid_compare(&seen->snapshot_id, &change->snapshot_id) == 0) {
            bool known = seen->known;
            seen->known = true;
            return known && !ctx->released;
        }
    }
    return false;
}

static sync_status fold_scope(struct delegation_state *state,
                              const struct delegation_change *change, struct sync_fold *ret_fold,
                              struct sync_effects *ret_effects, struct sync_error *err)
{
    sync_status status = delegation_scope_fold(state, change, ret_fold, err);
    struct delegation_cause cause = cause_of(change, NULL, ret_fold->rule);
    for (size_t i = 0; i < state->key_count && sync_is_ok(status); i++) {
        delegation_settle(state, &state->keys[i], &cause, ret_effects);
    }
    return status;
}

/* A revoke that cannot act alarms at once, and so do ids that contradict. */
static void alarm_of(const struct delegation_change *change, struct sync_fold *fold)
{
    bool waits = fold->outcome == HELD || fold->outcome == PARKED;
    bool ends = change->op == DELEGATION_REVOKE || change->op == DELEGATION_REVOKE_ALL;
    fold->alarm = (waits && ends) || strcmp(fold->rule, rules[DL_04].id) == 0;
}

/* DL-03: rights without a counterpart are set aside, the others count. */
static void part_of(const struct delegation_state *state, struct sync_fold *fold)
{
    if (state->unmapped != 0) {
        fold->part.code = SYNC_CODE_KIND_UNKNOWN;
        fold->part.field = "rights";
        fold->part.reason = "Some rights of the event have no counterpart.";
        fold->part.rule = rules[DL_03].id;
    }
}

static sync_status fold_checked(struct delegation_state *state,
                                const struct delegation_change *change, struct sync_fold *ret_fold,
                                struct sync_effects *ret_effects, struct sync_error *err)
{
    if (change->kind == DELEGATION_CONTROL) {
        *ret_fold = delegation_by(DL_104);
        return SYNC_OK;
    }
    if (change->kind == DELEGATION_SCOPE) {
        return fold_scope(state, change, ret_fold, ret_effects, err);
    }
    struct delegation_event event;
    if (!delegation_read(state, change, &event, &state->unmapped, ret_fold)) {
        return SYNC_OK;
    }
    struct folding f = {
        .state = state, .change = change, .event = &event, .effects = ret_effects, .err = err};
    sync_status status = fold_event(&f);
    if (status.class == SYNC_CLASS_PARK) {
        (void)delegation_park(ret_fold, DL_105, SYNC_CODE_FIELD_RANGE, "rights",
                              "The key would have more than 64 rights.");
        return SYNC_OK;
    }
    if (sync_is_ok(status)) {
        *ret_fold = delegation_by(f.rule);
        part_of(state, ret_fold);
    }
    return status;
}

static sync_status fold(const struct sync_route *route, void *entity, const void *input,
                        const struct sync_context *ctx, struct sync_fold *ret_fold,
                        struct sync_effects *ret_effects, struct sync_error *err)
{
    (void)route;
    struct delegation_state *state = entity;
    const struct delegation_change *change = input;
    state->unmapped = 0;
    if (change->kind != DELEGATION_CONTROL && is_duplicate(state, change, ctx)) {
        *ret_fold = delegation_by(DL_01);
        return SYNC_OK;
    }
    sync_status status = fold_checked(state, change, ret_fold, ret_effects, err);
    if (sync_is_ok(status)) {
        alarm_of(change, ret_fold);
    }
    return status;
}

static void event(const void *input, struct sync_event *ret_event)
{
    static const enum sync_system systems[] = {SYNC_SYSTEM_ALTINN2, SYNC_SYSTEM_ALTINN3,
                                               SYNC_SYSTEM_SYS};
    const struct delegation_change *change = input;
    *ret_event = (struct sync_event){
        .system = systems[change->source],
        .stream = change->stream,
        .sequence = change->seq,
        .captured_us = change->capture_time_us,
        .has_origin = change->has_origin,
    };
    if (change->op == DELEGATION_TICK || change->op == DELEGATION_END) {
        (void)snprintf(ret_event->part, sizeof ret_event->part, "%s",
                       change->op == DELEGATION_TICK ? "tick" : "end");
    } else if (change->has_snapshot_id) {
        sync_uuid_format(&change->snapshot_id, ret_event->part);
    }
}

static bool intake(const struct sync_route *route, const void *input,
                   const struct sync_context *ctx, struct sync_fold *ret_fold)
{
    (void)route;
    if (!delegation_check(input, ctx, ret_fold)) {
        return false;
    }
    alarm_of(input, ret_fold);
    return true;
}

static sync_status difference(const struct sync_route *route, void *entity,
                              struct sync_effects *ret_effects, struct sync_error *err)
{
    (void)route;
    (void)err;
    struct delegation_state *state = entity;
    struct delegation_cause cause = {.source = DELEGATION_SYS,
                                     .event_us = DELEGATION_NEVER,
                                     .capture_us = DELEGATION_NEVER,
                                     .rule = "settle"};
    for (size_t i = 0; i < state->key_count; i++) {
        delegation_settle(state, &state->keys[i], &cause, ret_effects);
    }
    return SYNC_OK;
}

/* Descriptor. */

static const char *const sources[] = {"A2", "A3", "SYS", NULL};
static const char *const kinds[] = {"SINGLE", "INSTANCE", "PACKAGE", "ROLE",
                                    "CLIENT", "SCOPE",    "CONTROL", NULL};
static const char *const ops[] = {"GRANT", "REVOKE", "REVOKE_ALL", "LIFT",
                                  "MERGE", "TICK",   "END",        NULL};
static const char *const target_kinds[] = {"SERVICE", "RESOURCE", "PACKAGE", "ROLE", NULL};
static const char *const scope_kinds[] = {"PARTY", "RELATION", "INSTANCE", NULL};
static const char *const actors[] = {"HUMAN", "MACHINE", NULL};

#define REQUIRED   SYNC_FIELD_REQUIRED
#define AT(member) offsetof(struct delegation_change, member)
#define PARTY_FIELDS(path, member)                                                                 \
    {path, SYNC_FIELD_PRESENCE, AT(member.present), REQUIRED, NULL, 0},                            \
        {path ".uuid", SYNC_FIELD_UUID, AT(member.uuid), AT(member.has_uuid), NULL, 0},            \
        {path ".party_id", SYNC_FIELD_INT, AT(member.party_id), AT(member.has_party_id), NULL, 0}, \
        {path ".user_id", SYNC_FIELD_INT, AT(member.user_id), AT(member.has_user_id), NULL, 0},    \
    {                                                                                              \
        path ".type", SYNC_FIELD_TEXT, AT(member.type), AT(member.has_type), NULL, 64              \
    }

static const struct sync_field fields[] = {
    {"source", SYNC_FIELD_ENUM, AT(source), REQUIRED, sources, 0},
    {"stream", SYNC_FIELD_TEXT, AT(stream), REQUIRED, NULL, DELEGATION_STREAM_SIZE - 1},
    {"seq", SYNC_FIELD_LONG, AT(seq), REQUIRED, NULL, 0},
    {"weak", SYNC_FIELD_BOOL, AT(weak), REQUIRED, NULL, 0},
    {"snapshot_id", SYNC_FIELD_UUID, AT(snapshot_id), AT(has_snapshot_id), NULL, 0},
    {"snapshot_pos", SYNC_FIELD_LONG, AT(snapshot_pos), AT(has_snapshot_pos), NULL, 0},
    {"origin_source", SYNC_FIELD_ENUM, AT(origin_source), AT(has_origin), sources, 0},
    {"origin_stream", SYNC_FIELD_TEXT, AT(origin_stream), AT(has_origin_stream), NULL,
     DELEGATION_STREAM_SIZE - 1},
    {"origin_seq", SYNC_FIELD_LONG, AT(origin_seq), AT(has_origin_seq), NULL, 0},
    {"native_id", SYNC_FIELD_LONG, AT(native_id), AT(has_native_id), NULL, 0},
    {"kind", SYNC_FIELD_ENUM, AT(kind), REQUIRED, kinds, 0},
    {"op", SYNC_FIELD_ENUM, AT(op), REQUIRED, ops, 0},
    PARTY_FIELDS("from", from),
    PARTY_FIELDS("to", to),
    PARTY_FIELDS("facilitator", facilitator),
    {"target", SYNC_FIELD_PRESENCE, AT(has_target), REQUIRED, NULL, 0},
    {"target.kind", SYNC_FIELD_ENUM, AT(target_kind), REQUIRED, target_kinds, 0},
    {"target.id", SYNC_FIELD_TEXT, AT(target_id), AT(has_target_id), NULL, 0},
    {"target.service_code", SYNC_FIELD_TEXT, AT(service_code), AT(has_service_code), NULL, 0},
    {"target.edition", SYNC_FIELD_INT, AT(edition), AT(has_edition), NULL, 0},
    {"instance", SYNC_FIELD_TEXT, AT(instance), AT(has_instance), NULL, 0},
    {"app_controlled", SYNC_FIELD_BOOL, AT(app_controlled), REQUIRED, NULL, 0},
    {"rights", SYNC_FIELD_TEXTS, AT(rights), REQUIRED, NULL, 0},
    {"refs", SYNC_FIELD_TEXTS, AT(refs), REQUIRED, NULL, 0},
    {"scope", SYNC_FIELD_PRESENCE, AT(has_scope), REQUIRED, NULL, 0},
    {"scope.kind", SYNC_FIELD_ENUM, AT(scope_kind), REQUIRED, scope_kinds, 0},
    {"scope.ids", SYNC_FIELD_TEXTS, AT(scope_ids), REQUIRED, NULL, 0},
    {"scope.er_role", SYNC_FIELD_TEXT, AT(er_role), AT(has_er_role), NULL, 0},
    {"scope.final", SYNC_FIELD_BOOL, AT(scope_final), REQUIRED, NULL, 0},
    {"event_time", SYNC_FIELD_LONG, AT(event_time_us), AT(has_event_time), NULL, 0},
    {"capture_time", SYNC_FIELD_LONG, AT(capture_time_us), REQUIRED, NULL, 0},
    PARTY_FIELDS("performer", performer),
    {"by", SYNC_FIELD_ENUM, AT(by), REQUIRED, actors, 0},
};

static const struct sync_input live_to_altinn3[] = {
    {"altinn2.delegation.v1", SYNC_SYSTEM_ALTINN2},
    {"sync.delegation-sys.v1", SYNC_SYSTEM_SYS},
};
static const struct sync_input live_to_altinn2[] = {{"altinn3.delegation.v1", SYNC_SYSTEM_ALTINN3}};
static const struct sync_input backlog_to_altinn3[] = {
    {"altinn2.delegation-backlog.v1", SYNC_SYSTEM_ALTINN2}};
static const struct sync_input backlog_to_altinn2[] = {
    {"altinn3.delegation-backlog.v1", SYNC_SYSTEM_ALTINN3}};
static const char *const bridge[] = {"altinn2", "altinn2-cache", NULL};

/* The backlog queues its effects in the lanes of the live route (DL-103). */
static const struct sync_route routes[] = {
    {"delegation-to-altinn3", live_to_altinn3, 2, SYNC_SYSTEM_ALTINN3, NULL, NULL},
    {"delegation-to-altinn2", live_to_altinn2, 1, SYNC_SYSTEM_ALTINN2, bridge, NULL},
    {"delegation-backlog-to-altinn3", backlog_to_altinn3, 1, SYNC_SYSTEM_ALTINN3, NULL,
     "delegation-to-altinn3"},
    {"delegation-backlog-to-altinn2", backlog_to_altinn2, 1, SYNC_SYSTEM_ALTINN2, NULL,
     "delegation-to-altinn2"},
};

static const struct sync_option options[] = {
    {"held_age_s", "How long an event may wait for a party, a user or a service.", 1,
     366LL * 24 * 3600, 7LL * 24 * 3600, "s"},
};

static const struct sync_hold_limit hold_limits[] = {
    {"DL-08", "DL-09", "held_age_s", SYNC_CODE_HELD_TOO_LONG,
     "Nobody named the party or the service in the time that an event may wait."},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

const struct sync_processor sync_processor_delegation = {
    .name = "delegation",
    .purpose = "Keeps who may act for whom equal in Altinn 2 and Altinn 3.",
    .schema = "no.altinn.sync.DelegationChange",
    .home = "authorization",
    .fields = fields,
    .field_count = COUNT_OF(fields),
    .routes = routes,
    .route_count = COUNT_OF(routes),
    .rules = rules,
    .rule_count = DELEGATION_RULE_COUNT,
    .options = options,
    .option_count = COUNT_OF(options),
    .store = "delegation",
    .unreadable_rule = "DL-02",
    .hold_limits = hold_limits,
    .hold_limit_count = COUNT_OF(hold_limits),
    .change_size = sizeof(struct delegation_change),
    .state_size = sizeof(struct delegation_state),
    .event = event,
    .key = key,
    .intake = intake,
    .fold = fold,
    .difference = difference,
};
