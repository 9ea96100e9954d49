/*
 * Entity rows of a batch; they are locked. Most batches only raise what facts raise, so that goes
 * in a statement of its own with half the columns: each array costs the server as much as a column
 * it writes. The rows join by their key alone: "key = ANY ($1)" beside the join makes the server
 * compare every row with every element.
 */
#include "correspondence_write.h"

struct state_columns {
    int32_t *id;
    int16_t *mapping, *gate, *dlg_label, *a2_read, *a2_confirmed, *a2_deleted;
    struct sync_uuid *altinn3_id;
    bool *no_altinn3_id, *not_visible, *read, *confirmed, *archived, *purged;
    bool *dlg_opened, *dlg_confirmed, *dlg_deleted;
    bool *no_soft_deleted, *no_restored, *no_archived;
    int64_t *visible_at_us, *max_soft_deleted, *max_restored, *max_archived, *version;
    size_t count;
};

static bool take_state_columns(struct sync_arena *arena, size_t count, struct state_columns *c)
{
    int16_t **shorts[] = {&c->mapping, &c->gate,         &c->dlg_label,
                          &c->a2_read, &c->a2_confirmed, &c->a2_deleted};
    bool **bools[] = {&c->no_altinn3_id, &c->not_visible, &c->read,        &c->confirmed,
                      &c->archived,      &c->purged,      &c->dlg_opened,  &c->dlg_confirmed,
                      &c->dlg_deleted,   &c->no_restored, &c->no_archived, &c->no_soft_deleted};
    int64_t **longs[] = {&c->visible_at_us, &c->max_soft_deleted, &c->max_restored,
                         &c->max_archived, &c->version};
    c->id = sync_arena_take_array(arena, count, sizeof *c->id);
    c->altinn3_id = sync_arena_take_array(arena, count, sizeof *c->altinn3_id);
    bool taken = c->id && c->altinn3_id;
    for (size_t i = 0; i < sizeof shorts / sizeof shorts[0]; i++) {
        *shorts[i] = sync_arena_take_array(arena, count, sizeof(int16_t));
        taken = taken && *shorts[i];
    }
    for (size_t i = 0; i < sizeof bools / sizeof bools[0]; i++) {
        *bools[i] = sync_arena_take_array(arena, count, sizeof(bool));
        taken = taken && *bools[i];
    }
    for (size_t i = 0; i < sizeof longs / sizeof longs[0]; i++) {
        *longs[i] = sync_arena_take_array(arena, count, sizeof(int64_t));
        taken = taken && *longs[i];
    }
    return taken;
}

/* Whether more than flags, maxima and version changed since the lock. */
static bool is_whole(const struct message *message)
{
    const struct status_state *now = &message->state, *before = &message->before;
    return now->mapping != before->mapping || now->gate != before->gate ||
           now->visible_at_us != before->visible_at_us || now->dlg_opened != before->dlg_opened ||
           now->dlg_confirmed != before->dlg_confirmed || now->dlg_deleted != before->dlg_deleted ||
           now->dlg_label != before->dlg_label;
}

static void fill_row(struct state_columns *c, const struct status_state *state)
{
    size_t n = c->count++;
    c->id[n] = state->altinn2_id;
    c->read[n] = state->read;
    c->confirmed[n] = state->confirmed;
    c->archived[n] = state->archived;
    c->purged[n] = state->purged;
    c->max_soft_deleted[n] = state->max_soft_deleted;
    c->no_soft_deleted[n] = state->max_soft_deleted == STATUS_NEVER;
    c->max_restored[n] = state->max_restored;
    c->no_restored[n] = state->max_restored == STATUS_NEVER;
    c->max_archived[n] = state->max_archived;
    c->no_archived[n] = state->max_archived == STATUS_NEVER;
    c->a2_read[n] = (int16_t)state->a2_read;
    c->a2_confirmed[n] = (int16_t)state->a2_confirmed;
    c->a2_deleted[n] = (int16_t)state->a2_deleted;
    c->version[n] = state->version;
    c->mapping[n] = (int16_t)state->mapping;
    c->altinn3_id[n] = state->altinn3_id;
    c->no_altinn3_id[n] = !state->has_altinn3_id;
    c->gate[n] = (int16_t)state->gate;
    c->visible_at_us[n] = state->visible_at_us;
    c->not_visible[n] = state->visible_at_us == STATUS_NEVER;
    c->dlg_opened[n] = state->dlg_opened;
    c->dlg_confirmed[n] = state->dlg_confirmed;
    c->dlg_deleted[n] = state->dlg_deleted;
    c->dlg_label[n] = (int16_t)state->dlg_label;
}

static void raised_params(struct sync_params *params, const struct state_columns *c)
{
    size_t n = c->count;
    sync_params_int4_array(params, c->id, NULL, n);
    sync_params_bool_array(params, c->read, NULL, n);
    sync_params_bool_array(params, c->confirmed, NULL, n);
    sync_params_bool_array(params, c->archived, NULL, n);
    sync_params_bool_array(params, c->purged, NULL, n);
    sync_params_int8_array(params, c->max_soft_deleted, c->no_soft_deleted, n);
    sync_params_int8_array(params, c->max_restored, c->no_restored, n);
    sync_params_int8_array(params, c->max_archived, c->no_archived, n);
    sync_params_int2_array(params, c->a2_read, NULL, n);
    sync_params_int2_array(params, c->a2_confirmed, NULL, n);
    sync_params_int2_array(params, c->a2_deleted, NULL, n);
    sync_params_int8_array(params, c->version, NULL, n);
}

static void other_params(struct sync_params *params, const struct state_columns *c)
{
    size_t n = c->count;
    sync_params_int2_array(params, c->mapping, NULL, n);
    sync_params_uuid_array(params, c->altinn3_id, c->no_altinn3_id, n);
    sync_params_int2_array(params, c->gate, NULL, n);
    sync_params_time_array(params, c->visible_at_us, c->not_visible, n);
    sync_params_bool_array(params, c->dlg_opened, NULL, n);
    sync_params_bool_array(params, c->dlg_confirmed, NULL, n);
    sync_params_bool_array(params, c->dlg_deleted, NULL, n);
    sync_params_int2_array(params, c->dlg_label, NULL, n);
}

#define RAISED                                                                                     \
    " has_read = n.has_read, has_confirmed = n.has_confirmed, has_archived = n.has_archived,"      \
    " is_purged = n.is_purged, max_soft_deleted = n.soft_deleted, max_restored = n.restored,"      \
    " max_archived = n.archived, a2_read = n.a2_read, a2_confirmed = n.a2_confirmed,"              \
    " a2_deleted = n.a2_deleted, version = n.version"
#define RAISED_ARRAYS                                                                              \
    "$1::int4[], $2::bool[], $3::bool[], $4::bool[], $5::bool[], $6::int8[], $7::int8[],"          \
    " $8::int8[], $9::int2[], $10::int2[], $11::int2[], $12::int8[]"
#define RAISED_NAMES                                                                               \
    "id, has_read, has_confirmed, has_archived, is_purged, soft_deleted, restored, archived,"      \
    " a2_read, a2_confirmed, a2_deleted, version"

static sync_status update_states(struct write_batch *all, bool whole, struct sync_error *err)
{
    static const struct sync_statement raised_statement = {
        "correspondence_update",
        "UPDATE sync.correspondence c SET" RAISED " FROM unnest(" RAISED_ARRAYS
        ") AS n (" RAISED_NAMES ") WHERE c.altinn2_id = n.id"};
    static const struct sync_statement whole_statement = {
        "correspondence_update_whole",
        "UPDATE sync.correspondence c SET" RAISED
        ", mapping = n.mapping, altinn3_id = n.altinn3_id, gate = n.gate, visible_at = "
        "n.visible_at,"
        " dlg_opened = n.dlg_opened, dlg_confirmed = n.dlg_confirmed, dlg_deleted = n.dlg_deleted,"
        " dlg_label = n.dlg_label"
        " FROM unnest(" RAISED_ARRAYS ", $13::int2[], $14::uuid[], $15::int2[], $16::timestamptz[],"
        "  $17::bool[], $18::bool[], $19::bool[], $20::int2[])"
        " AS n (" RAISED_NAMES ", mapping, altinn3_id, gate, visible_at, dlg_opened, dlg_confirmed,"
        "  dlg_deleted, dlg_label) WHERE c.altinn2_id = n.id"};
    struct state_columns c = {0};
    size_t count = 0;
    for (size_t i = 0; i < all->message_count; i++) {
        count += all->messages[i]->state.dirty && is_whole(all->messages[i]) == whole;
    }
    if (count == 0) {
        return SYNC_OK;
    }
    if (!take_state_columns(all->batch->arena, count, &c)) {
        return message_memory_full("entity rows", err);
    }
    for (size_t i = 0; i < all->message_count; i++) {
        if (all->messages[i]->state.dirty && is_whole(all->messages[i]) == whole) {
            fill_row(&c, &all->messages[i]->state);
        }
    }
    struct write_call *call =
        write_call_add(all, whole ? &whole_statement : &raised_statement, count);
    call->exactly = "messages";
    raised_params(&call->params, &c);
    if (whole) {
        other_params(&call->params, &c);
    }
    return SYNC_OK;
}

sync_status write_states(struct write_batch *all, struct sync_error *err)
{
    sync_status status = update_states(all, false, err);
    return sync_is_ok(status) ? update_states(all, true, err) : status;
}
