/*
 * Step 9: recomputes a key and compares it with both sides (section 10). Altinn 3 is written by the
 * store, Altinn 2 by commands. Not here: sending, SQL.
 */
#include "parts.h"

#include <inttypes.h>
#include <stdio.h>

#define DAY_US      (24LL * 3600 * 1000000)
#define RESTORE_MAX 3

struct plan {
    uint64_t want_a3, next_a3;
    uint64_t want_a2;
    bool write_a3, withdraw, command;
};

/* The resource of a key; kinds without one are always in phase sync. */
static enum delegation_phase phase_of(const struct delegation_key *key,
                                      const struct delegation_resource *resource)
{
    if (!delegation_has_actions(key->name.kind)) {
        return DELEGATION_SYNC;
    }
    return resource == NULL ? DELEGATION_OFF : resource->phase;
}

/* DL-84: rights whose action the resource's own policy offers. */
static uint64_t offered(const struct delegation_key *key,
                        const struct delegation_resource *resource)
{
    uint64_t set = 0;
    for (int right = 0; right < key->right_count; right++) {
        bool found = !delegation_has_actions(key->name.kind);
        for (size_t i = 0; !found && resource != NULL && i < resource->action_count; i++) {
            found = strcmp(resource->actions[i], key->rights[right]) == 0;
        }
        set |= found ? delegation_bit(right) : 0;
    }
    return set;
}

/* DL-56: the giver with the earliest grant is projected; of two the lower uuid. */
static bool rival_is_first(const struct delegation_state *state, const struct delegation_key *key)
{
    if (!key->has_rival) {
        return false;
    }
    int64_t own = INT64_MAX;
    for (size_t i = 0; i < key->ref_count; i++) {
        if (delegation_is_active(state, key, &key->refs[i]) && key->refs[i].op_time < own) {
            own = key->refs[i].op_time;
        }
    }
    if (key->rival_time != own) {
        return key->rival_time < own;
    }
    return sync_uuid_compare(&key->rival_from, &key->name.from) < 0;
}

/* DL-72: a party condition cannot be answered yet. */
static bool waits_for_type(const struct delegation_key *key)
{
    bool lent = false;
    for (size_t i = 0; i < key->ref_count; i++) {
        lent = lent || (key->refs[i].lender >= 0 && key->refs[i].op == DELEGATION_GRANT);
    }
    return lent && key->from_type == DELEGATION_TYPE_UNKNOWN;
}

static void plan_a3(const struct delegation_state *state, struct delegation_key *key,
                    struct plan *plan)
{
    const struct delegation_resource *resource = delegation_resource_find(state, key->name.target);
    enum delegation_phase phase = phase_of(key, resource);
    bool actions = delegation_has_actions(key->name.kind);
    bool policy_known = !actions || (resource != NULL && resource->has_actions);
    bool missing = key->depends_missing || !policy_known;
    uint64_t offers = policy_known ? offered(key, resource) : UINT64_MAX;
    uint64_t refused = key->effective & ~offers;
    key->dirty = key->dirty || refused != key->refused;
    key->refused = refused;
    plan->want_a3 = rival_is_first(state, key) ? 0 : key->effective & offers;
    plan->next_a3 = missing ? plan->want_a3 & key->held_a3 : plan->want_a3;
    if (phase == DELEGATION_OFF || phase == DELEGATION_SHADOW) {
        plan->next_a3 = key->held_a3;
    }
    bool pending = (plan->want_a3 & ~plan->next_a3) != 0 || waits_for_type(key);
    key->dirty = key->dirty || pending != key->pending;
    key->pending = pending;
}

static void plan_a2(const struct delegation_state *state, const struct delegation_key *key,
                    struct plan *plan)
{
    const struct delegation_resource *resource = delegation_resource_find(state, key->name.target);
    enum delegation_class class = delegation_class_of(&key->name, resource);
    for (int right = 0; right < key->right_count; right++) {
        bool expressible = !delegation_has_actions(key->name.kind) ||
                           delegation_map_action(state->tables, class, key->rights[right]) != NULL;
        plan->want_a2 |= expressible ? key->effective & delegation_bit(right) : 0;
    }
}

/* Altinn 2 has services, roles and rules on messages; no forms, and nothing that an app controls.
 */
static bool altinn2_has(const struct delegation_key *key,
                        const struct delegation_resource *resource)
{
    if (key->name.kind == DELEGATION_INSTANCE) {
        return key->name.variant == 0 && delegation_is_correspondence(&key->name, resource);
    }
    return key->name.kind == DELEGATION_SINGLE || key->name.kind == DELEGATION_ROLE;
}

static bool has_commands(const struct delegation_state *state, const struct delegation_key *key)
{
    const struct delegation_resource *resource = delegation_resource_find(state, key->name.target);
    enum delegation_phase phase = phase_of(key, resource);
    return altinn2_has(key, resource) && (phase == DELEGATION_SYNC || phase == DELEGATION_FROZEN);
}

/* DL-85: counts a loss; at the fourth in a day the side gets nothing back until a person says so.
 */
static void count_loss(struct delegation_key *key, struct delegation_restores *restores,
                       uint64_t lost, int64_t time_us)
{
    if (lost == 0 || restores->parked) {
        return;
    }
    int64_t since = time_us > DELEGATION_NEVER + DAY_US ? time_us - DAY_US : DELEGATION_NEVER;
    size_t kept = 0;
    for (size_t i = 0; i < restores->count; i++) {
        if (restores->at_us[i] > since) {
            restores->at_us[kept++] = restores->at_us[i];
        }
    }
    restores->parked = kept == RESTORE_MAX;
    if (!restores->parked) {
        restores->at_us[kept++] = time_us;
    }
    restores->count = (uint8_t)kept;
    key->dirty = true;
}

/* The state machine of 10.2. */
static void plan_command(struct delegation_key *key, const struct delegation_turn *turn,
                         uint64_t shown, struct plan *plan)
{
    uint64_t want = plan->want_a2;
    bool again = key->has_left && want == key->left_set && shown != key->left_set && turn->born &&
                 turn->a2_moved && !key->restores[DELEGATION_A2].parked;
    if (again) {
        plan->withdraw = key->has_open;
        plan->command = true;
        return;
    }
    uint64_t held = key->has_left ? key->left_set : shown;
    if (!key->has_open) {
        plan->command = want != held;
        return;
    }
    /* What has left may have had no effect, and never goes again while a newer one waits: then
     * only a newer one can end it, be its set the same. */
    if (want == held && !key->has_left) {
        plan->withdraw = true; /* the far side must never get it (DL-90) */
        return;
    }
    plan->withdraw = key->open_set != want;
    plan->command = key->open_set != want;
}

/* Commands. */

struct writer {
    char *text;
    size_t used, capacity;
    bool full;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *w, const char *format, ...)
{
    __builtin_va_list list;
    __builtin_va_start(list, format);
    int size = vsnprintf(w->text + w->used, w->capacity - w->used, format, list);
    __builtin_va_end(list);
    w->full = w->full || size < 0 || (size_t)size >= w->capacity - w->used;
    w->used += w->full ? 0 : (size_t)size;
}

static void put_rights(struct writer *w, const struct delegation_state *state,
                       const struct delegation_key *key, uint64_t set)
{
    const struct delegation_resource *resource = delegation_resource_find(state, key->name.target);
    enum delegation_class class = delegation_class_of(&key->name, resource);
    const char *between = "";
    for (int right = 0; right < key->right_count; right++) {
        if ((set & delegation_bit(right)) == 0) {
            continue;
        }
        const struct delegation_right_row *row =
            delegation_has_actions(key->name.kind)
                ? delegation_map_action(state->tables, class, key->rights[right])
                : NULL;
        put(w, "%s\"%s\"", between, row == NULL ? "*" : row->a2_right);
        between = ",";
    }
}

/* Only what the far side needs beside the key, which stands in deleg_key and never changes. */
static void command_body(const struct delegation_state *state, const struct delegation_key *key,
                         const struct delegation_turn *turn, uint64_t set,
                         struct sync_effect *effect)
{
    static const char *const sides[] = {"A2", "A3", "SYS"};
    struct writer w = {.text = effect->body, .capacity = sizeof effect->body};
    char id[SYNC_UUID_BUFFER];
    sync_uuid_format(&key->id, id);
    put(&w, "{\"key\":\"%s\",\"version\":%" PRId64 ",\"rights\":[", id, key->version);
    put_rights(&w, state, key, set);
    const struct delegation_cause *cause = &turn->cause;
    put(&w, "],\"cause\":\"%s\",\"origin\":\"%s/%.*s/%" PRId64 "\"}", cause->rule,
        sides[cause->source], (int)cause->stream.size,
        cause->stream.size == 0 ? "" : (const char *)cause->stream.data, cause->seq);
    SYNC_ASSERT(!w.full); /* the rights of rights.csv, one stream name and two numbers */
    effect->body_size = w.used;
}

static struct sync_effect *effect_add(struct sync_effects *effects,
                                      const struct delegation_key *key)
{
    SYNC_ASSERT(effects->count < SYNC_FOLD_EFFECTS_MAX);
    struct sync_effect *effect = &effects->items[effects->count++];
    *effect = (struct sync_effect){.target = "altinn2", .namespace_id = key->id};
    sync_uuid_format(&key->id, effect->lane_key);
    sync_uuid_format(&key->name.from, effect->partition_key); /* DL-103 */
    return effect;
}

/* DL-89: Altinn 2 knows the recipient by a number, or not at all. */
static bool has_number(const struct delegation_state *state, const struct sync_uuid *id)
{
    const struct delegation_party *party = delegation_party_find(state, id);
    return party != NULL && (party->party_id != 0 || party->user_id != 0);
}

static void command_apply(struct delegation_state *state, struct delegation_key *key,
                          const struct delegation_turn *turn, const struct plan *plan,
                          struct sync_effects *effects)
{
    if (plan->withdraw) {
        effect_add(effects, key)->withdraw = true;
        key->has_open = false;
        key->dirty = true;
    }
    if (!plan->command) {
        return;
    }
    key->has_open = true;
    key->open_set = plan->want_a2;
    key->open_version = key->version;
    key->dirty = true;
    if (!has_number(state, &key->name.to)) {
        return; /* the set is remembered, so it is not tried again until it changes */
    }
    struct sync_effect *effect = effect_add(effects, key);
    (void)snprintf(effect->name, sizeof effect->name, "altinn2/%" PRId64, key->version);
    command_body(state, key, turn, plan->want_a2, effect);
}

/* One comparison. */

static void see_left(struct delegation_key *key, const struct delegation_turn *turn, uint64_t shown)
{
    if (turn->a2_moved && key->has_left && shown == key->left_set) {
        key->has_left = false;
        key->dirty = true;
    }
}

/* History, where the store gave room for it. */
static void step_add(struct delegation_state *state, const struct delegation_key *key,
                     uint64_t before)
{
    if (state->steps == NULL) {
        return;
    }
    SYNC_ASSERT(state->step_count < state->step_capacity);
    state->steps[state->step_count++] = (struct delegation_step){.key = (size_t)(key - state->keys),
                                                                 .version = key->version,
                                                                 .before = before,
                                                                 .after = key->effective,
                                                                 .cause = key->cause};
}

void delegation_compare(struct delegation_state *state, struct delegation_key *key,
                        const struct delegation_turn *turn, struct sync_effects *ret_effects)
{
    struct plan plan = {0};
    uint64_t before = key->effective;
    key->effective = delegation_effective(state, key);
    bool changed = before != key->effective;
    plan_a3(state, key, &plan);
    plan_a2(state, key, &plan);
    int64_t time_us = turn->cause.capture_us; /* docs/decisions/0020 */
    count_loss(key, &key->restores[DELEGATION_A3], turn->lost[DELEGATION_A3] & plan.next_a3,
               time_us);
    if (key->restores[DELEGATION_A3].parked) {
        plan.next_a3 &= key->held_a3;
    }
    plan.write_a3 = plan.next_a3 != key->held_a3;
    if (has_commands(state, key)) {
        uint64_t shown = delegation_shown(key, DELEGATION_A2);
        see_left(key, turn, shown);
        count_loss(key, &key->restores[DELEGATION_A2], turn->lost[DELEGATION_A2] & plan.want_a2,
                   time_us);
        if (key->restores[DELEGATION_A2].parked) {
            plan.want_a2 &= key->has_left ? key->left_set : shown;
        }
        plan_command(key, turn, shown, &plan);
    } else {
        plan.withdraw = key->has_open;
    }
    if (changed || plan.write_a3 || plan.command) {
        key->version++; /* DL-100 */
        key->cause = turn->cause;
        key->dirty = true;
    }
    if (changed) {
        step_add(state, key, before);
    }
    if (plan.write_a3) {
        key->held_a3 = plan.next_a3;
        key->write_a3 = true;
    }
    command_apply(state, key, turn, &plan, ret_effects);
}

void delegation_settle(struct delegation_state *state, struct delegation_key *key,
                       const struct delegation_cause *cause, struct sync_effects *ret_effects)
{
    struct delegation_turn turn = {.cause = *cause};
    delegation_compare(state, key, &turn, ret_effects);
}

void delegation_written(struct delegation_key *key, bool through)
{
    key->write_a3 = false;
    key->dirty = true;
    if (through) {
        key->seen_a3 = key->held_a3;
        return;
    }
    key->held_a3 = key->seen_a3;
    key->pending = true;
}

void delegation_taken(struct delegation_key *key)
{
    SYNC_ASSERT(key->has_open);
    key->has_open = false;
    key->has_left = true;
    key->left_set = key->open_set;
    key->dirty = true;
}
