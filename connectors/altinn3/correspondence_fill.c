/*
 * Gives each state the facts of its keys, and imports what Altinn 3 has and we do not: rows of an
 * adopted or flipped message (CS-18, CS-19, CS-102), and the purge that a touched message got
 * there. Not here: the rules of an import, a flip and the difference (processors/).
 */
#include "correspondence_store.h"

#include <stdlib.h>

static int compare_rows(const void *left, const void *right)
{
    const struct message_row *a = left, *b = right;
    int32_t a_id = a->message->state.altinn2_id, b_id = b->message->state.altinn2_id;
    if (a_id != b_id) {
        return a_id < b_id ? -1 : 1;
    }
    if (a->row.occurred_at_us != b->row.occurred_at_us) {
        return a->row.occurred_at_us < b->row.occurred_at_us ? -1 : 1;
    }
    if (a->row.kind != b->row.kind) {
        return a->row.kind < b->row.kind ? -1 : 1;
    }
    return sync_uuid_compare(&a->row.party, &b->row.party);
}

static struct status_fact fact_of_key(const struct message_key *key)
{
    return (struct status_fact){
        .kind = key->kind,
        .party = key->party,
        .second = key->second,
        .occurred_at_us = key->change->occurred_at_us,
        .mode = key->change->mode,
        .known = key->known,
        .in_a2 = key->in_a2,
        .in_a3 = key->in_a3,
        .refused = key->refused,
        .a3_row = key->a3_row,
        .echo_until_us = key->echo_until_us,
    };
}

/* Slots of every state in one piece: its keys, then room for stored facts and imported rows. */
static sync_status make_slots(struct message_batch *all, struct sync_error *err)
{
    size_t total = all->key_count + all->row_count + all->fact_count;
    struct status_fact *slots = sync_arena_take_array(all->batch->arena, total + 1, sizeof *slots);
    if (!slots) {
        return message_memory_full("its facts", err);
    }
    for (size_t i = 0; i < all->message_count; i++) {
        struct message *message = all->messages[i];
        message->state.facts = slots;
        message->state.fact_count = message->key_count;
        message->state.fact_capacity =
            message->key_count + message->row_count + message->fact_count;
        for (size_t k = 0; k < message->key_count; k++) {
            slots[k] = fact_of_key(&all->keys[message->key_first + k]);
        }
        slots += message->state.fact_capacity;
    }
    return SYNC_OK;
}

static void add_stored(struct message_batch *all)
{
    for (size_t i = 0; i < all->fact_count; i++) {
        struct status_state *state = &all->facts[i].message->state;
        const struct status_fact *stored = &all->facts[i].fact;
        struct status_fact *slot =
            status_fact_find(state, stored->kind, &stored->party, stored->second);
        if (!slot) {
            SYNC_ASSERT(state->fact_count < state->fact_capacity);
            state->facts[state->fact_count++] = *stored;
            continue;
        }
        slot->occurred_at_us = stored->occurred_at_us;
        slot->mode = stored->mode;
    }
}

/* Effects that no record of the batch made; most messages have none, so the memory is passed on. */
static sync_status effects_of(struct message_batch *all, struct message *message,
                              struct sync_effects **ret_effects, struct sync_error *err)
{
    if (message->entity->effects) {
        *ret_effects = message->entity->effects;
        return SYNC_OK;
    }
    if (!all->spare) {
        all->spare = sync_arena_take(all->batch->arena, sizeof *all->spare);
    }
    if (!all->spare) {
        return message_memory_full("effects of an import", err);
    }
    *ret_effects = all->spare;
    return SYNC_OK;
}

static void keep_effects(struct message_batch *all, struct message *message,
                         struct sync_effects *effects)
{
    if (effects == all->spare && effects->count > 0) {
        message->entity->effects = effects;
        all->spare = NULL;
    }
}

static sync_status import_rows(struct message_batch *all, struct sync_error *err)
{
    qsort(all->rows, all->row_count, sizeof *all->rows, compare_rows);
    for (size_t i = 0; i < all->row_count; i++) {
        struct message *message = all->rows[i].message;
        struct sync_effects *effects = NULL;
        sync_status status = effects_of(all, message, &effects, err);
        if (sync_is_ok(status)) {
            status =
                status_import(&message->state, &all->rows[i].row, all->batch->now_us, effects, err);
        }
        if (!sync_is_ok(status)) {
            return status;
        }
        keep_effects(all, message, effects);
    }
    return SYNC_OK;
}

/* CS-102, before the records are folded: they then meet a visible message. */
static sync_status flip(struct message_batch *all, struct message *message, struct sync_error *err)
{
    struct sync_effects *effects = NULL;
    sync_status status = effects_of(all, message, &effects, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status_flip(&message->state, all->batch->now_us);
    status = all->batch->processor->difference(all->batch->route, &message->state, effects, err);
    if (sync_is_ok(status)) {
        keep_effects(all, message, effects);
    }
    return status;
}

sync_status message_fill(struct message_batch *all, struct sync_error *err)
{
    sync_status status = make_slots(all, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    add_stored(all);
    if (all->row_count > 0) {
        status = import_rows(all, err);
    }
    for (size_t i = 0; sync_is_ok(status) && i < all->message_count; i++) {
        if (all->messages[i]->flipped) {
            status = flip(all, all->messages[i], err);
        }
    }
    return status;
}
