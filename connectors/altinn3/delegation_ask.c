/*
 * What the records of a batch name: parties by uuid and by both numbers, aliases, resources by id
 * and by service. One round trip, and a second one where an alias leads to a party that was not
 * named. Each giver then gets the answers that its own records ask for. Not here: keys.
 */
#include "delegation_answers.h"

#define NAMES_PER_CASE 4 /* from, to, facilitator, performer */

/* Names ------------------------------------------------------------------------------------- */

struct names {
    struct sync_uuid *uuids;
    int32_t *party_ids, *user_ids;
    struct sync_bytes *resources, *codes;
    int32_t *editions;
    size_t uuid_count, party_id_count, user_id_count, resource_count, service_count;
};

static bool names_take(struct sync_arena *arena, size_t case_count, struct names *ret_names)
{
    size_t parties = NAMES_PER_CASE * case_count + 1;
    *ret_names = (struct names){
        .uuids = sync_arena_take_array(arena, 2 * parties, sizeof(struct sync_uuid)),
        .party_ids = sync_arena_take_array(arena, parties, sizeof(int32_t)),
        .user_ids = sync_arena_take_array(arena, parties, sizeof(int32_t)),
        .resources = sync_arena_take_array(arena, case_count + 1, sizeof(struct sync_bytes)),
        .codes = sync_arena_take_array(arena, case_count + 1, sizeof(struct sync_bytes)),
        .editions = sync_arena_take_array(arena, case_count + 1, sizeof(int32_t)),
    };
    return ret_names->uuids != NULL && ret_names->party_ids != NULL &&
           ret_names->user_ids != NULL && ret_names->resources != NULL &&
           ret_names->codes != NULL && ret_names->editions != NULL;
}

static void name_add(struct names *names, const struct delegation_name *name)
{
    if (name->has_uuid && !sync_uuid_is_zero(&name->uuid)) {
        names->uuids[names->uuid_count++] = name->uuid;
    }
    if (name->has_party_id && name->party_id > 0) {
        names->party_ids[names->party_id_count++] = name->party_id;
    }
    if (name->has_user_id && name->user_id > 0) {
        names->user_ids[names->user_id_count++] = name->user_id;
    }
}

/* Parties that a fact above both sides names: their aliases count. */
static void scope_add(struct names *names, const struct delegation_change *change)
{
    struct sync_texts left = change->scope_ids;
    struct sync_bytes text;
    struct sync_uuid id;
    for (size_t i = 0; i < NAMES_PER_CASE && sync_texts_next(&left, &text); i++) {
        if (sync_uuid_parse(text, &id)) {
            names->uuids[names->uuid_count++] = id;
        }
    }
}

/* Canonical, as the rules will look for it (DL-05); what does not fit is nobody's name. */
static bool text_add(struct sync_arena *arena, struct sync_bytes text, struct sync_bytes *list,
                     size_t *count)
{
    char canonical[DELEGATION_TARGET_SIZE];
    if (!delegation_text_take(text, canonical, sizeof canonical)) {
        return true;
    }
    struct sync_bytes kept = sync_arena_copy(arena, sync_bytes_text(canonical));
    list[*count] = kept;
    *count += 1;
    return kept.data != NULL;
}

static bool target_add(struct sync_arena *arena, struct names *names,
                       const struct delegation_change *change)
{
    if (change->target_kind == DELEGATION_TARGET_SERVICE && change->has_service_code) {
        names->editions[names->service_count] = change->edition;
        return text_add(arena, change->service_code, names->codes, &names->service_count);
    }
    if (change->target_kind == DELEGATION_TARGET_RESOURCE && change->has_target_id) {
        return text_add(arena, change->target_id, names->resources, &names->resource_count);
    }
    return true;
}

static bool names_add(struct sync_arena *arena, struct names *names,
                      const struct delegation_change *change)
{
    if (change->kind == DELEGATION_SCOPE) {
        scope_add(names, change);
        return true;
    }
    if (change->kind > DELEGATION_CLIENT) {
        return true;
    }
    name_add(names, &change->from);
    name_add(names, &change->to);
    name_add(names, &change->facilitator);
    name_add(names, &change->performer);
    return target_add(arena, names, change);
}

static int compare_uuids(const void *left, const void *right)
{
    return sync_uuid_compare(left, right);
}

static int compare_numbers(const void *left, const void *right)
{
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

/* Asking ------------------------------------------------------------------------------------ */

static sync_status ask(struct deleg_batch *all, struct names *names, struct sync_error *err)
{
    names->uuid_count =
        deleg_distinct(names->uuids, names->uuid_count, sizeof names->uuids[0], compare_uuids);
    names->party_id_count =
        deleg_distinct(names->party_ids, names->party_id_count, sizeof(int32_t), compare_numbers);
    names->user_id_count =
        deleg_distinct(names->user_ids, names->user_id_count, sizeof(int32_t), compare_numbers);
    const struct deleg_questions questions = {
        .uuids = names->uuids,
        .party_ids = names->party_ids,
        .user_ids = names->user_ids,
        .resources = names->resources,
        .codes = names->codes,
        .editions = names->editions,
        .uuid_count = names->uuid_count,
        .party_id_count = names->party_id_count,
        .user_id_count = names->user_id_count,
        .resource_count = names->resource_count,
        .service_count = names->service_count,
    };
    return deleg_answers_ask(all, &questions, err);
}

/* Where an alias leads to a party that nobody named, it is asked for too. */
static sync_status ask_aliased(struct deleg_batch *all, struct names *names, struct sync_error *err)
{
    const struct deleg_answers *answers = &all->answers;
    names->uuid_count = names->party_id_count = names->user_id_count = 0;
    names->resource_count = names->service_count = 0;
    for (size_t i = 0; i < answers->alias_count; i++) {
        if (deleg_party_find(answers, &answers->aliases[i].new_id) == NULL) {
            names->uuids[names->uuid_count++] = answers->aliases[i].new_id;
        }
    }
    return names->uuid_count == 0 ? SYNC_OK : ask(all, names, err);
}

/* Sharing out ------------------------------------------------------------------------------- */

/* The rules search a giver's lists from their begin, so each holds only what its records name. */

static void share_party(struct deleg_giver *giver, const struct deleg_answers *answers,
                        const struct deleg_party *party, size_t room)
{
    struct delegation_state *state = &giver->state;
    struct delegation_party *list = (struct delegation_party *)state->parties;
    for (; party != NULL;) {
        bool there = false;
        for (size_t i = 0; i < state->party_count && !there; i++) {
            there = sync_uuid_compare(&list[i].uuid, &party->party.uuid) == 0;
        }
        if (!there) {
            SYNC_ASSERT(state->party_count < room);
            list[state->party_count++] = party->party;
        }
        party = party->merged ? deleg_party_find(answers, &party->alias) : NULL;
    }
}

/* A chain of merges is stored with its end, so an alias is one step. */
#define PARTIES_PER_NAME 6 /* three ids, each with what it has become */

static void share_name(struct deleg_giver *giver, const struct deleg_answers *answers,
                       const struct delegation_name *name, size_t room)
{
    if (name->has_uuid) {
        share_party(giver, answers, deleg_party_find(answers, &name->uuid), room);
        const struct delegation_alias *alias = deleg_alias_find(answers, &name->uuid);
        if (alias != NULL) {
            share_party(giver, answers, deleg_party_find(answers, &alias->new_id), room);
        }
    }
    if (name->has_party_id && name->party_id > 0) {
        share_party(giver, answers, deleg_party_by_number(answers, name->party_id, false), room);
    }
    if (name->has_user_id && name->user_id > 0) {
        share_party(giver, answers, deleg_party_by_number(answers, name->user_id, true), room);
    }
}

static void share_resource(struct deleg_giver *giver, const struct delegation_resource *resource)
{
    struct delegation_state *state = &giver->state;
    struct delegation_resource *list = (struct delegation_resource *)state->resources;
    for (size_t i = 0; resource != NULL && i < state->resource_count; i++) {
        if (strcmp(list[i].id, resource->id) == 0) {
            return;
        }
    }
    if (resource != NULL) {
        list[state->resource_count++] = *resource;
    }
}

static sync_status giver_room(struct deleg_batch *all, struct deleg_giver *giver,
                              struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    struct delegation_state *state = &giver->state;
    size_t parties = NAMES_PER_CASE * PARTIES_PER_NAME * giver->case_count + 1;
    size_t most = all->answers.party_count + 1;
    size_t aliases = all->answers.alias_count + (all->sys ? giver->case_count : 0) + 1;
    giver->name_count = parties < most ? parties : most;
    state->parties = sync_arena_take_array(arena, giver->name_count, sizeof *state->parties);
    state->resources =
        sync_arena_take_array(arena, giver->case_count + 1, sizeof *state->resources);
    state->aliases = sync_arena_take_array(arena, aliases, sizeof *state->aliases);
    if (state->parties == NULL || state->resources == NULL || state->aliases == NULL) {
        return deleg_memory_full("answers", err);
    }
    state->alias_capacity = aliases;
    state->alias_count = all->answers.alias_count;
    if (state->alias_count > 0) {
        memcpy(state->aliases, all->answers.aliases, state->alias_count * sizeof *state->aliases);
    }
    return SYNC_OK;
}

static sync_status share_out(struct deleg_batch *all, struct sync_error *err)
{
    const struct deleg_answers *answers = &all->answers;
    for (size_t i = 0; i < all->case_count; i++) {
        struct deleg_giver *giver = all->cases[i].giver;
        const struct delegation_change *change = all->cases[i].change;
        if (giver->state.parties == NULL) {
            sync_status status = giver_room(all, giver, err);
            if (!sync_is_ok(status)) {
                return status;
            }
        }
        if (change->kind > DELEGATION_CLIENT) {
            continue;
        }
        share_name(giver, answers, &change->from, giver->name_count);
        share_name(giver, answers, &change->to, giver->name_count);
        share_name(giver, answers, &change->facilitator, giver->name_count);
        share_name(giver, answers, &change->performer, giver->name_count);
        share_resource(giver, deleg_resource_of(answers, change));
    }
    return SYNC_OK;
}

sync_status deleg_ask_names(struct deleg_batch *all, struct sync_error *err)
{
    struct names names;
    struct sync_arena *arena = all->batch->arena;
    if (all->case_count == 0) {
        return SYNC_OK;
    }
    bool fits = names_take(arena, all->case_count, &names);
    for (size_t i = 0; i < all->case_count && fits; i++) {
        fits = names_add(arena, &names, all->cases[i].change);
    }
    if (!fits) {
        return deleg_memory_full("names to ask for", err);
    }
    names.uuids[names.uuid_count++] = all->context->identity;
    sync_status status = ask(all, &names, err);
    if (sync_is_ok(status)) {
        status = ask_aliased(all, &names, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_answers_index(all, err);
    }
    all->answers.identity_known = deleg_party_find(&all->answers, &all->context->identity) != NULL;
    return sync_is_ok(status) ? share_out(all, err) : status;
}

/* Keys that no record names ------------------------------------------------------------------ */

static bool has_party(const struct delegation_state *state, const struct sync_uuid *id)
{
    for (size_t i = 0; i < state->party_count; i++) {
        if (sync_uuid_compare(&state->parties[i].uuid, id) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_resource(const struct delegation_state *state, const char *id)
{
    for (size_t i = 0; i < state->resource_count; i++) {
        if (strcmp(state->resources[i].id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* A key that hangs together with a wanted one, or of a sweep: its giver lacks an answer about it.
 */
static bool is_unnamed(const struct deleg_slot *slot)
{
    const struct delegation_state *state = &slot->giver->state;
    const struct delegation_key_name *name = &deleg_key(slot)->name;
    if (slot->right_room > 0) {
        return false;
    }
    return !has_party(state, &name->from) || !has_party(state, &name->to) ||
           (name->kind <= DELEGATION_INSTANCE && !has_resource(state, name->target));
}

static sync_status ask_unnamed(struct deleg_batch *all, size_t count, struct sync_error *err)
{
    struct names names;
    if (!names_take(all->batch->arena, count, &names)) {
        return deleg_memory_full("names of keys", err);
    }
    names.uuids[names.uuid_count++] = all->context->identity;
    for (size_t i = 0; i < all->slot_count; i++) {
        const struct delegation_key_name *name = &deleg_key(&all->slots[i])->name;
        if (!is_unnamed(&all->slots[i])) {
            continue;
        }
        names.uuids[names.uuid_count++] = name->from;
        names.uuids[names.uuid_count++] = name->to;
        if (name->kind <= DELEGATION_INSTANCE) {
            names.resources[names.resource_count++] = sync_bytes_text(name->target);
        }
    }
    sync_status status = ask(all, &names, err);
    all->answers.identity_known = deleg_party_find(&all->answers, &all->context->identity) != NULL;
    return status;
}

/* Lists of a giver with room for its unnamed keys besides what they hold. */
static sync_status grow_lists(struct deleg_batch *all, struct deleg_giver *giver,
                              struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    struct delegation_state *state = &giver->state;
    size_t room = state->party_count + PARTIES_PER_NAME * giver->slot_count + 1;
    size_t resource_room = state->resource_count + giver->slot_count + 1;
    struct delegation_party *parties = sync_arena_take_array(arena, room, sizeof *parties);
    struct delegation_resource *resources =
        sync_arena_take_array(arena, resource_room, sizeof *resources);
    if (parties == NULL || resources == NULL) {
        return deleg_memory_full("answers for keys", err);
    }
    if (state->party_count > 0) {
        memcpy(parties, state->parties, state->party_count * sizeof *parties);
    }
    if (state->resource_count > 0) {
        memcpy(resources, state->resources, state->resource_count * sizeof *resources);
    }
    state->parties = parties;
    state->resources = resources;
    giver->name_count = room;
    return SYNC_OK;
}

sync_status deleg_ask_keys(struct deleg_batch *all, struct sync_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < all->slot_count; i++) {
        count += is_unnamed(&all->slots[i]) ? 1 : 0;
    }
    if (count == 0) {
        return SYNC_OK;
    }
    sync_status status = ask_unnamed(all, count, err);
    for (size_t i = 0; i < all->slot_count && sync_is_ok(status); i++) {
        struct deleg_slot *slot = &all->slots[i];
        const struct delegation_key_name *name = &deleg_key(slot)->name;
        if (!is_unnamed(slot)) {
            continue;
        }
        if (!slot->giver->grown) {
            status = grow_lists(all, slot->giver, err);
            slot->giver->grown = true;
        }
        if (sync_is_ok(status)) {
            size_t room = slot->giver->name_count;
            share_party(slot->giver, &all->answers, deleg_party_find(&all->answers, &name->from),
                        room);
            share_party(slot->giver, &all->answers, deleg_party_find(&all->answers, &name->to),
                        room);
            share_resource(slot->giver, deleg_resource_find(&all->answers, name->target));
        }
    }
    return status;
}
