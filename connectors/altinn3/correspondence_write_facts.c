/* Facts of a batch: the new ones, and those of which a side or a refusal became known. */
#include "correspondence_write.h"

static bool is_inserted(const struct status_fact *fact)
{
    return fact->insert;
}

static bool is_updated(const struct status_fact *fact)
{
    return fact->update && !fact->insert;
}

struct fact_columns {
    int32_t *id;
    int16_t *kind, *mode, *system;
    struct sync_uuid *party;
    int64_t *second, *occurred_us, *sequence;
    struct sync_bytes *stream;
    bool *in_a2, *in_a3, *refused;
    size_t count;
};

static bool take_fact_columns(struct sync_arena *arena, size_t count,
                              struct fact_columns *ret_columns)
{
    *ret_columns = (struct fact_columns){
        .id = sync_arena_take_array(arena, count, sizeof(int32_t)),
        .kind = sync_arena_take_array(arena, count, sizeof(int16_t)),
        .mode = sync_arena_take_array(arena, count, sizeof(int16_t)),
        .system = sync_arena_take_array(arena, count, sizeof(int16_t)),
        .party = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .second = sync_arena_take_array(arena, count, sizeof(int64_t)),
        .occurred_us = sync_arena_take_array(arena, count, sizeof(int64_t)),
        .sequence = sync_arena_take_array(arena, count, sizeof(int64_t)),
        .stream = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
        .in_a2 = sync_arena_take_array(arena, count, sizeof(bool)),
        .in_a3 = sync_arena_take_array(arena, count, sizeof(bool)),
        .refused = sync_arena_take_array(arena, count, sizeof(bool)),
    };
    return ret_columns->id && ret_columns->kind && ret_columns->mode && ret_columns->system &&
           ret_columns->party && ret_columns->second && ret_columns->occurred_us &&
           ret_columns->sequence && ret_columns->stream && ret_columns->in_a2 &&
           ret_columns->in_a3 && ret_columns->refused;
}

static void fill_fact_columns(const struct write_batch *all,
                              bool (*wanted)(const struct status_fact *fact),
                              struct fact_columns *c)
{
    for (size_t i = 0; i < all->fact_count; i++) {
        const struct status_fact *fact = all->facts[i].fact;
        if (!wanted(fact)) {
            continue;
        }
        size_t n = c->count++;
        c->id[n] = all->facts[i].message->state.altinn2_id;
        c->kind[n] = (int16_t)fact->kind;
        c->mode[n] = (int16_t)fact->mode;
        c->system[n] = (int16_t)fact->source_system;
        c->party[n] = fact->party;
        c->second[n] = fact->second;
        c->occurred_us[n] = fact->occurred_at_us;
        c->sequence[n] = fact->source_sequence;
        c->stream[n] = fact->source_stream.data ? fact->source_stream : sync_bytes_text("");
        c->in_a2[n] = fact->in_a2;
        c->in_a3[n] = fact->in_a3;
        c->refused[n] = fact->refused;
    }
}

/*
 * One statement over the facts that are wanted, with no parameters yet; *ret_params stays NULL when
 * there are none. what: for the errors.
 */
static sync_status add_call(struct write_batch *all, const struct sync_statement *statement,
                            bool (*wanted)(const struct status_fact *fact), const char *what,
                            struct fact_columns *ret_columns, struct sync_params **ret_params,
                            struct sync_error *err)
{
    size_t count = write_count(all, wanted);
    if (count == 0) {
        return SYNC_OK;
    }
    if (!take_fact_columns(all->batch->arena, count, ret_columns)) {
        return message_memory_full(what, err);
    }
    fill_fact_columns(all, wanted, ret_columns);
    struct write_call *call = write_call_add(all, statement, count);
    call->exactly = what;
    *ret_params = &call->params;
    return SYNC_OK;
}

static void add_flags(struct sync_params *params, const struct fact_columns *c)
{
    sync_params_bool_array(params, c->in_a2, NULL, c->count);
    sync_params_bool_array(params, c->in_a3, NULL, c->count);
    sync_params_bool_array(params, c->refused, NULL, c->count);
}

static sync_status insert_facts(struct write_batch *all, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "correspondence_insert_facts",
        "INSERT INTO sync.correspondence_fact (altinn2_id, kind, party_uuid, second, "
        "occurred_at_us, mode,"
        " source_system, source_stream, source_sequence, in_a2, in_a3, refused)"
        " SELECT n.* FROM unnest($1::int4[], $2::int2[], $3::uuid[], $4::int8[], $5::int8[], "
        "$6::int2[],"
        "  $7::int2[], $8::text[], $9::int8[], $10::bool[], $11::bool[], $12::bool[]) AS n"
        " ON CONFLICT (altinn2_id, kind, party_uuid, second) DO NOTHING"};
    struct fact_columns c = {0};
    struct sync_params *params = NULL;
    sync_status status = add_call(all, &statement, is_inserted, "new facts", &c, &params, err);
    if (!sync_is_ok(status) || params == NULL) {
        return status;
    }
    sync_params_int4_array(params, c.id, NULL, c.count);
    sync_params_int2_array(params, c.kind, NULL, c.count);
    sync_params_uuid_array(params, c.party, NULL, c.count);
    sync_params_int8_array(params, c.second, NULL, c.count);
    sync_params_int8_array(params, c.occurred_us, NULL, c.count);
    sync_params_int2_array(params, c.mode, NULL, c.count);
    sync_params_int2_array(params, c.system, NULL, c.count);
    sync_params_text_array(params, c.stream, c.count);
    sync_params_int8_array(params, c.sequence, NULL, c.count);
    add_flags(params, &c);
    return SYNC_OK;
}

static sync_status update_facts(struct write_batch *all, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "correspondence_update_facts", "UPDATE sync.correspondence_fact f SET in_a2 = n.in_a2, "
                                       "in_a3 = n.in_a3, refused = n.refused"
                                       " FROM unnest($1::int4[], $2::int2[], $3::uuid[], "
                                       "$4::int8[], $5::bool[], $6::bool[], $7::bool[])"
                                       "  AS n (id, kind, party, second, in_a2, in_a3, refused)"
                                       " WHERE f.altinn2_id = n.id AND f.kind = n.kind"
                                       "  AND f.party_uuid = n.party AND f.second = n.second"};
    struct fact_columns c = {0};
    struct sync_params *params = NULL;
    sync_status status = add_call(all, &statement, is_updated, "changed facts", &c, &params, err);
    if (!sync_is_ok(status) || params == NULL) {
        return status;
    }
    sync_params_int4_array(params, c.id, NULL, c.count);
    sync_params_int2_array(params, c.kind, NULL, c.count);
    sync_params_uuid_array(params, c.party, NULL, c.count);
    sync_params_int8_array(params, c.second, NULL, c.count);
    add_flags(params, &c);
    return SYNC_OK;
}

sync_status write_facts(struct write_batch *all, struct sync_error *err)
{
    sync_status status = insert_facts(all, err);
    return sync_is_ok(status) ? update_facts(all, err) : status;
}
