/*
 * DL-91: after a change of Altinn 3 that Altinn 2 can see, Altinn 2 is to drop what it has cached
 * of the pair. One call per pair and batch, a little later, so that calls of several batches join.
 * A backlog of Altinn 2's own grants makes none (DL-109): a million of them would be a million
 * calls. Not here: sending (delegation_cache_lane.c).
 */
#include "delegation_store.h"

#include <inttypes.h>
#include <stdio.h>

#define JOIN_US (2 * 1000000LL) /* DL-91 */

/* Altinn 2 asks for services, messages and roles, by numbers. */
static bool is_seen(const struct deleg_batch *all, const struct deleg_slot *slot)
{
    bool backlog = all->batch->route->yields_to != NULL;
    const struct delegation_key_name *name = &deleg_key(slot)->name;
    const struct delegation_party *from = delegation_party_find(&slot->giver->state, &name->from);
    const struct delegation_party *to = delegation_party_find(&slot->giver->state, &name->to);
    bool kind = name->kind <= DELEGATION_INSTANCE || name->kind == DELEGATION_ROLE;
    return slot->a3_changed && !(backlog && slot->a2_shows) && kind && from != NULL &&
           from->party_id != 0 && to != NULL && (to->party_id != 0 || to->user_id != 0);
}

static bool is_told(const struct deleg_batch *all, size_t index)
{
    const struct delegation_key_name *name = &deleg_key(&all->slots[index])->name;
    for (size_t i = 0; i < index; i++) {
        const struct delegation_key_name *other = &deleg_key(&all->slots[i])->name;
        if (sync_uuid_compare(&other->from, &name->from) == 0 &&
            sync_uuid_compare(&other->to, &name->to) == 0 && is_seen(all, &all->slots[i])) {
            return true;
        }
    }
    return false;
}

static void effect_add(const struct deleg_slot *slot, struct sync_effects *effects)
{
    const struct delegation_key *key = deleg_key(slot);
    struct sync_effect *effect = &effects->items[effects->count++];
    *effect = (struct sync_effect){
        .target = "altinn2-cache", .namespace_id = key->id, .delay_us = JOIN_US, .body_size = 2};
    (void)snprintf(effect->name, sizeof effect->name, "altinn2-cache/%" PRId64 "/%" PRId64,
                   key->version, slot->row_valid_us);
    sync_uuid_format(&key->name.from, effect->partition_key);
    sync_uuid_format(&key->name.from, effect->lane_key);
    effect->lane_key[SYNC_UUID_TEXT] = '/';
    sync_uuid_format(&key->name.to, effect->lane_key + SYNC_UUID_TEXT + 1);
    memcpy(effect->body, "{}", 2); /* the numbers are looked up when it leaves */
}

sync_status deleg_clear_cache(struct deleg_batch *all, struct sync_error *err)
{
    for (size_t i = 0; i < all->slot_count; i++) {
        if (!is_seen(all, &all->slots[i]) || is_told(all, i)) {
            continue;
        }
        struct sync_effects *effects = deleg_effects(all);
        if (effects == NULL) {
            return deleg_memory_full("calls to Altinn 2", err);
        }
        effect_add(&all->slots[i], effects);
    }
    return SYNC_OK;
}
