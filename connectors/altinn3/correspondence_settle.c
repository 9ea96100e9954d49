/*
 * Settled records: found without a lock, known and with nothing left to set. Facts are never
 * removed and flags only rise, so the answer is final. Not here: records that may change something.
 */
#include "correspondence_store.h"

#include <stdlib.h>

/* Columns of the records that are asked for. */
struct settle_keys {
    size_t *record;
    int32_t *index, *id;
    int16_t *kind;
    struct sync_uuid *party;
    int64_t *second;
    size_t count;
};

static bool take_keys(struct sync_arena *arena, size_t count, struct settle_keys *ret_keys)
{
    ret_keys->record = sync_arena_take_array(arena, count, sizeof *ret_keys->record);
    ret_keys->index = sync_arena_take_array(arena, count, sizeof *ret_keys->index);
    ret_keys->id = sync_arena_take_array(arena, count, sizeof *ret_keys->id);
    ret_keys->kind = sync_arena_take_array(arena, count, sizeof *ret_keys->kind);
    ret_keys->party = sync_arena_take_array(arena, count, sizeof *ret_keys->party);
    ret_keys->second = sync_arena_take_array(arena, count, sizeof *ret_keys->second);
    return ret_keys->record && ret_keys->index && ret_keys->id && ret_keys->kind &&
           ret_keys->party && ret_keys->second;
}

struct settle_order {
    int32_t id;
    size_t record;
};

static int compare_order(const void *left, const void *right)
{
    const struct settle_order *a = left, *b = right;
    return (a->id > b->id) - (a->id < b->id);
}

/* Sorted by message: neighbours in the index are looked up one after the other. */
static size_t sort_records(const struct sync_batch *batch, struct settle_order *order)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->record_count; i++) {
        const struct sync_record *record = &batch->records[i];
        if (!record->decided && record->change && record->entity.size > 0) {
            order[count++] = (struct settle_order){message_id_of(&record->entity), i};
        }
    }
    qsort(order, count, sizeof *order, compare_order);
    return count;
}

static void fill_keys(const struct sync_batch *batch, const struct settle_order *order,
                      size_t count, struct settle_keys *keys)
{
    for (size_t n = 0; n < count; n++) {
        const struct status_change *change = batch->records[order[n].record].change;
        keys->record[n] = order[n].record;
        keys->index[n] = (int32_t)n;
        keys->id[n] = order[n].id;
        keys->kind[n] = (int16_t)change->kind;
        keys->party[n] = change->party;
        keys->second[n] = sync_second_of(change->occurred_at_us);
    }
    keys->count = count;
}

static void read_answer(const struct sync_result *result, int row, struct status_state *ret_state,
                        struct status_fact *ret_fact)
{
    *ret_state = (struct status_state){
        .mapping = sync_result_int4(result, row, 5),
        .has_altinn3_id = !sync_result_is_null(result, row, 6),
        .purged = sync_result_bool(result, row, 7),
        .a2_read = sync_result_int4(result, row, 8),
        .a2_confirmed = sync_result_int4(result, row, 9),
        .a2_deleted = sync_result_int4(result, row, 10),
    };
    if (ret_state->has_altinn3_id) {
        ret_state->altinn3_id = sync_result_uuid(result, row, 6);
    }
    *ret_fact = (struct status_fact){
        .known = true,
        .in_a2 = sync_result_bool(result, row, 2),
        .in_a3 = sync_result_bool(result, row, 3),
        .refused = sync_result_bool(result, row, 4),
    };
}

/* Whether a record from Altinn 3 would still queue the call of its kind. */
static bool needs_call(struct status_state *state, const struct status_fact *fact,
                       const struct status_change *change)
{
    const int32_t *flag = status_flag_of(state, change->kind);
    if (!flag || fact->refused) {
        return false;
    }
    bool purge = status_kind_is_purge(change->kind);
    if (!purge && (state->purged || sync_uuid_is_zero(&change->party))) {
        return false; /* a purged message has no further call; CS-101 */
    }
    return *flag == STATUS_FLAG_NO && state->a2_deleted == STATUS_FLAG_NO;
}

/* Nothing that the record could set is missing. Whatever is in doubt takes the lock. */
static bool is_settled(enum sync_system topic_system, struct status_state *state,
                       const struct status_fact *fact, const struct status_change *change)
{
    if (state->mapping != STATUS_MAPPED) {
        return false;
    }
    if (change->has_altinn3_id && sync_uuid_compare(&change->altinn3_id, &state->altinn3_id) != 0) {
        return false; /* CS-11 */
    }
    if (topic_system == SYNC_SYSTEM_ALTINN3) {
        return fact->in_a3 && !needs_call(state, fact, change);
    }
    const int32_t *flag = status_flag_of(state, change->kind);
    return fact->in_a2 && (!flag || *flag == STATUS_FLAG_HELD);
}

static void settle_record(struct sync_record *record, const struct sync_result *result, int row)
{
    struct status_state state;
    struct status_fact fact;
    const struct status_change *change = record->change;
    read_answer(result, row, &state, &fact);
    if (!is_settled(record->context.topic_system, &state, &fact, change)) {
        return;
    }
    bool echo = change->has_origin && status_system_of(&change->origin) == record->route->to;
    record->decided = true;
    record->settled = true;
    record->fold = echo ? (struct sync_fold){.outcome = SYNC_OUTCOME_ECHO, .rule = "CS-04"}
                        : (struct sync_fold){.outcome = SYNC_OUTCOME_DUPLICATE, .rule = "CS-20"};
}

/* Keeps what was seen for the later steps, and settles the record where nothing is left to set. */
static void take_sight(struct sync_record *record, const struct sync_result *result, int row,
                       struct message_sight *sight)
{
    sight->exists = true;
    sight->version = sync_result_int8(result, row, 1);
    sight->known = !sync_result_is_null(result, row, 2);
    if (sight->known) {
        settle_record(record, result, row);
    }
}

sync_status message_settle(struct sync_db *db, struct sync_batch *batch, struct sync_error *err)
{
    /* Of a row without the fact only the version matters. */
    static const struct sync_statement statement = {
        "correspondence_settle",
        "SELECT k.i, c.version, f.in_a2, f.in_a3, f.refused, c.mapping, c.altinn3_id, c.is_purged,"
        " c.a2_read, c.a2_confirmed, c.a2_deleted"
        " FROM unnest($1::int4[], $2::int4[], $3::int2[], $4::uuid[], $5::int8[])"
        "  AS k (i, id, kind, party, second)"
        " CROSS JOIN LATERAL (SELECT * FROM sync.correspondence m WHERE m.altinn2_id = k.id"
        "  OFFSET 0) AS c"
        " LEFT JOIN LATERAL (SELECT * FROM sync.correspondence_fact m WHERE m.altinn2_id = k.id"
        "  AND m.kind = k.kind AND m.party_uuid = k.party AND m.second = k.second"
        "  OFFSET 0) AS f ON true"};
    struct message_sight *sights =
        sync_arena_take_array(batch->arena, batch->record_count + 1, sizeof *sights);
    batch->store_data = sights;
    size_t mark = sync_arena_mark(batch->arena);
    struct settle_keys keys = {0};
    struct settle_order *order =
        sync_arena_take_array(batch->arena, batch->record_count + 1, sizeof *order);
    if (!sights || !order || !take_keys(batch->arena, batch->record_count + 1, &keys)) {
        return message_memory_full("the keys to settle", err);
    }
    fill_keys(batch, order, sort_records(batch, order), &keys);
    if (keys.count == 0) {
        sync_arena_reset(batch->arena, mark);
        return SYNC_OK;
    }
    struct sync_params params;
    sync_params_init(&params, batch->arena);
    sync_params_int4_array(&params, keys.index, NULL, keys.count);
    sync_params_int4_array(&params, keys.id, NULL, keys.count);
    sync_params_int2_array(&params, keys.kind, NULL, keys.count);
    sync_params_uuid_array(&params, keys.party, NULL, keys.count);
    sync_params_int8_array(&params, keys.second, NULL, keys.count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &statement, &params, &result, err);
    for (size_t i = 0; i < keys.count; i++) {
        sights[keys.record[i]].asked = true;
    }
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        size_t i = keys.record[sync_result_int4(&result, row, 0)];
        take_sight(&batch->records[i], &result, row, &sights[i]);
    }
    sync_arena_reset(batch->arena, mark);
    return status;
}
