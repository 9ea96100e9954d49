/*
 * What the fold decided, written by one statement per table, keys sorted: facts, entity rows, then
 * the rows of Altinn 3. Not here: outbox, hold, park and counts (the runtime), attachments of a
 * purge (correspondence_attachments.c).
 */
#include "correspondence_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define KINDS_MAX 15 /* wire status numbers 0 … 14 */

/* One fact to write, with its message. */
struct written {
    const struct message *message;
    const struct status_fact *fact;
};

struct write_batch {
    struct sync_db *db;
    struct sync_batch *batch;
    struct message **messages;
    size_t message_count;
    struct written *facts; /* every fact that something is written of, by message */
    size_t fact_count;
    struct sync_bytes texts[KINDS_MAX][2]; /* StatusText by kind and mode */
};

static sync_status check_written(int64_t affected, size_t wanted, const char *what,
                                 struct sync_error *err)
{
    if (affected == (int64_t)wanted) {
        return SYNC_OK;
    }
    /* The lock of the entity rows makes the look-up final. Whoever wrote beside us broke that
     * order. */
    return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT,
                     "write %zu %s: %" PRId64 " were new", wanted, what, affected);
}

/* Facts
 * ---------------------------------------------------------------------------------------------- */

static bool is_inserted(const struct status_fact *fact)
{
    return fact->insert;
}

static bool is_updated(const struct status_fact *fact)
{
    return fact->update && !fact->insert;
}

static bool is_status_row(const struct status_fact *fact)
{
    const struct status_kind_info *info = status_kind_find(fact->kind);
    return fact->write_row && (!info || info->status_row);
}

static bool is_delete_row(const struct status_fact *fact)
{
    const struct status_kind_info *info = status_kind_find(fact->kind);
    return fact->write_row && info && info->delete_event != 0;
}

static bool is_row(const struct status_fact *fact)
{
    return fact->write_row;
}

static size_t count_facts(const struct write_batch *all,
                          bool (*wanted)(const struct status_fact *fact))
{
    size_t count = 0;
    for (size_t i = 0; i < all->fact_count; i++) {
        count += wanted(all->facts[i].fact);
    }
    return count;
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
    struct sync_arena *arena = all->batch->arena;
    size_t count = count_facts(all, is_inserted);
    struct fact_columns c = {0};
    if (count == 0) {
        return SYNC_OK;
    }
    if (!take_fact_columns(arena, count, &c)) {
        return message_memory_full("facts to store", err);
    }
    fill_fact_columns(all, is_inserted, &c);
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_int4_array(&params, c.id, NULL, count);
    sync_params_int2_array(&params, c.kind, NULL, count);
    sync_params_uuid_array(&params, c.party, NULL, count);
    sync_params_int8_array(&params, c.second, NULL, count);
    sync_params_int8_array(&params, c.occurred_us, NULL, count);
    sync_params_int2_array(&params, c.mode, NULL, count);
    sync_params_int2_array(&params, c.system, NULL, count);
    sync_params_text_array(&params, c.stream, count);
    sync_params_int8_array(&params, c.sequence, NULL, count);
    sync_params_bool_array(&params, c.in_a2, NULL, count);
    sync_params_bool_array(&params, c.in_a3, NULL, count);
    sync_params_bool_array(&params, c.refused, NULL, count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(all->db, &statement, &params, &result, err);
    all->batch->facts_stored += (int64_t)count;
    return sync_is_ok(status) ? check_written(result.affected, count, "facts", err) : status;
}

static sync_status update_facts(struct write_batch *all, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "correspondence_update_facts", "UPDATE sync.correspondence_fact f SET in_a2 = n.in_a2, "
                                       "in_a3 = n.in_a3, refused = n.refused"
                                       " FROM unnest($1::int4[], $2::int2[], $3::uuid[], "
                                       "$4::int8[], $5::bool[], $6::bool[], $7::bool[])"
                                       "  AS n (id, kind, party, second, in_a2, in_a3, refused)"
                                       " WHERE f.altinn2_id = n.id AND f.kind = n.kind AND "
                                       "f.party_uuid = n.party AND f.second = n.second"};
    struct sync_arena *arena = all->batch->arena;
    size_t count = count_facts(all, is_updated);
    struct fact_columns c = {0};
    if (count == 0) {
        return SYNC_OK;
    }
    if (!take_fact_columns(arena, count, &c)) {
        return message_memory_full("facts to change", err);
    }
    fill_fact_columns(all, is_updated, &c);
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_int4_array(&params, c.id, NULL, count);
    sync_params_int2_array(&params, c.kind, NULL, count);
    sync_params_uuid_array(&params, c.party, NULL, count);
    sync_params_int8_array(&params, c.second, NULL, count);
    sync_params_bool_array(&params, c.in_a2, NULL, count);
    sync_params_bool_array(&params, c.in_a3, NULL, count);
    sync_params_bool_array(&params, c.refused, NULL, count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(all->db, &statement, &params, &result, err);
    return sync_is_ok(status) ? check_written(result.affected, count, "changed facts", err)
                              : status;
}

/* Entity rows
 * ---------------------------------------------------------------------------------------- */

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

static void fill_state_columns(const struct write_batch *all, struct state_columns *c)
{
    for (size_t i = 0; i < all->message_count; i++) {
        const struct status_state *state = &all->messages[i]->state;
        if (!state->dirty) {
            continue;
        }
        size_t n = c->count++;
        c->id[n] = state->altinn2_id;
        c->mapping[n] = (int16_t)state->mapping;
        c->altinn3_id[n] = state->altinn3_id;
        c->no_altinn3_id[n] = !state->has_altinn3_id;
        c->gate[n] = (int16_t)state->gate;
        c->visible_at_us[n] = state->visible_at_us;
        c->not_visible[n] = state->visible_at_us == STATUS_NEVER;
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
        c->dlg_opened[n] = state->dlg_opened;
        c->dlg_confirmed[n] = state->dlg_confirmed;
        c->dlg_deleted[n] = state->dlg_deleted;
        c->dlg_label[n] = (int16_t)state->dlg_label;
        c->version[n] = state->version;
    }
}

static void state_params(struct sync_params *params, const struct state_columns *c)
{
    size_t n = c->count;
    sync_params_int4_array(params, c->id, NULL, n);
    sync_params_int2_array(params, c->mapping, NULL, n);
    sync_params_uuid_array(params, c->altinn3_id, c->no_altinn3_id, n);
    sync_params_int2_array(params, c->gate, NULL, n);
    sync_params_time_array(params, c->visible_at_us, c->not_visible, n);
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
    sync_params_bool_array(params, c->dlg_opened, NULL, n);
    sync_params_bool_array(params, c->dlg_confirmed, NULL, n);
    sync_params_bool_array(params, c->dlg_deleted, NULL, n);
    sync_params_int2_array(params, c->dlg_label, NULL, n);
    sync_params_int8_array(params, c->version, NULL, n);
}

static sync_status update_states(struct write_batch *all, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "correspondence_update",
        "UPDATE sync.correspondence c SET mapping = n.mapping, altinn3_id = n.altinn3_id, gate = "
        "n.gate,"
        " visible_at = n.visible_at, has_read = n.has_read, has_confirmed = n.has_confirmed,"
        " has_archived = n.has_archived, is_purged = n.is_purged, max_soft_deleted = "
        "n.soft_deleted,"
        " max_restored = n.restored, max_archived = n.archived, a2_read = n.a2_read,"
        " a2_confirmed = n.a2_confirmed, a2_deleted = n.a2_deleted, dlg_opened = n.dlg_opened,"
        " dlg_confirmed = n.dlg_confirmed, dlg_deleted = n.dlg_deleted, dlg_label = n.dlg_label,"
        " version = n.version"
        " FROM unnest($1::int4[], $2::int2[], $3::uuid[], $4::int2[], $5::timestamptz[], "
        "$6::bool[],"
        "  $7::bool[], $8::bool[], $9::bool[], $10::int8[], $11::int8[], $12::int8[], $13::int2[],"
        "  $14::int2[], $15::int2[], $16::bool[], $17::bool[], $18::bool[], $19::int2[], "
        "$20::int8[])"
        " AS n (id, mapping, altinn3_id, gate, visible_at, has_read, has_confirmed, has_archived,"
        "  is_purged, soft_deleted, restored, archived, a2_read, a2_confirmed, a2_deleted, "
        "dlg_opened,"
        "  dlg_confirmed, dlg_deleted, dlg_label, version)"
        " WHERE c.altinn2_id = n.id"};
    struct sync_arena *arena = all->batch->arena;
    struct state_columns c = {0};
    size_t count = 0;
    for (size_t i = 0; i < all->message_count; i++) {
        count += all->messages[i]->state.dirty;
    }
    if (count == 0) {
        return SYNC_OK;
    }
    if (!take_state_columns(arena, count, &c)) {
        return message_memory_full("entity rows", err);
    }
    fill_state_columns(all, &c);
    struct sync_params params;
    sync_params_init(&params, arena);
    state_params(&params, &c);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(all->db, &statement, &params, &result, err);
    return sync_is_ok(status) ? check_written(result.affected, count, "messages", err) : status;
}

/* Rows of Altinn 3
 * ------------------------------------------------------------------------------------ */

static int compare_written(const void *left, const void *right)
{
    const struct written *a = left, *b = right;
    int order = sync_uuid_compare(&a->message->state.altinn3_id, &b->message->state.altinn3_id);
    if (order != 0) {
        return order;
    }
    if (a->fact->kind != b->fact->kind) {
        return a->fact->kind < b->fact->kind ? -1 : 1;
    }
    if (a->fact->occurred_at_us != b->fact->occurred_at_us) {
        return a->fact->occurred_at_us < b->fact->occurred_at_us ? -1 : 1;
    }
    return sync_uuid_compare(&a->fact->party, &b->fact->party);
}

static struct sync_uuid row_id(const struct written *row, const char *table)
{
    char party[SYNC_UUID_BUFFER];
    char key[80];
    sync_uuid_format(&row->fact->party, party);
    (void)snprintf(key, sizeof key, "%" PRId32 "/%s/%" PRId64, row->fact->kind, party,
                   row->fact->second);
    return message_row_id(&row->message->state.altinn3_id, table, key);
}

static struct sync_bytes status_text(struct write_batch *all, const struct status_fact *fact)
{
    bool history = fact->mode == STATUS_HISTORY;
    SYNC_ASSERT(fact->kind >= 0 && fact->kind < KINDS_MAX);
    struct sync_bytes *text = &all->texts[fact->kind][history];
    if (!text->data) {
        char buffer[80];
        int size = snprintf(buffer, sizeof buffer, "%s event %s from Altinn 2",
                            history ? "Remigrate" : "Sync", status_kind_name(fact->kind));
        *text = sync_arena_copy(all->batch->arena,
                                (struct sync_bytes){(const uint8_t *)buffer, (size_t)size});
    }
    return *text;
}

struct row_columns {
    struct sync_uuid *id, *message, *party;
    int32_t *kind;
    struct sync_bytes *text;
    int64_t *occurred_us;
    size_t count;
};

static bool take_row_columns(struct sync_arena *arena, size_t count,
                             struct row_columns *ret_columns)
{
    *ret_columns = (struct row_columns){
        .id = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .message = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .party = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .kind = sync_arena_take_array(arena, count, sizeof(int32_t)),
        .text = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
        .occurred_us = sync_arena_take_array(arena, count, sizeof(int64_t)),
    };
    return ret_columns->id && ret_columns->message && ret_columns->party && ret_columns->kind &&
           ret_columns->text && ret_columns->occurred_us;
}

static void fill_row_columns(struct write_batch *all, bool deletes, struct row_columns *c)
{
    const char *table = deletes ? "CorrespondenceDeleteEvents" : "CorrespondenceStatuses";
    for (size_t i = 0; i < all->fact_count; i++) {
        const struct written *row = &all->facts[i];
        if (!(deletes ? is_delete_row(row->fact) : is_status_row(row->fact))) {
            continue;
        }
        size_t n = c->count++;
        c->id[n] = row_id(row, table);
        c->message[n] = row->message->state.altinn3_id;
        c->party[n] = row->fact->party;
        c->kind[n] = deletes ? status_kind_find(row->fact->kind)->delete_event : row->fact->kind;
        c->text[n] = status_text(all, row->fact);
        c->occurred_us[n] = row->fact->occurred_at_us;
    }
}

static sync_status insert_rows(struct write_batch *all, bool deletes, struct sync_error *err)
{
    static const struct sync_statement statuses = {
        "correspondence_insert_statuses",
        "INSERT INTO correspondence.\"CorrespondenceStatuses\" (\"Id\", \"CorrespondenceId\", "
        "\"Status\","
        " \"StatusText\", \"StatusChanged\", \"PartyUuid\", \"SyncedFromAltinn2\")"
        " SELECT n.id, n.message, n.kind, n.text, n.occurred, n.party, $7"
        " FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::timestamptz[], $5::uuid[], "
        "$6::text[])"
        "  AS n (id, message, kind, occurred, party, text)"
        " ON CONFLICT (\"CorrespondenceId\", \"Status\", \"StatusChanged\", \"PartyUuid\") DO "
        "NOTHING"};
    static const struct sync_statement delete_events = {
        "correspondence_insert_deletes",
        "INSERT INTO correspondence.\"CorrespondenceDeleteEvents\" (\"Id\", \"CorrespondenceId\","
        " \"EventType\", \"EventOccurred\", \"PartyUuid\", \"SyncedFromAltinn2\")"
        " SELECT n.id, n.message, n.kind, n.occurred, n.party, $6"
        " FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::timestamptz[], $5::uuid[])"
        "  AS n (id, message, kind, occurred, party)"
        " ON CONFLICT (\"CorrespondenceId\", \"EventType\", \"EventOccurred\", \"PartyUuid\") DO "
        "NOTHING"};
    struct sync_arena *arena = all->batch->arena;
    size_t count = count_facts(all, deletes ? is_delete_row : is_status_row);
    struct row_columns c = {0};
    if (count == 0) {
        return SYNC_OK;
    }
    if (!take_row_columns(arena, count, &c)) {
        return message_memory_full("rows of Altinn 3", err);
    }
    fill_row_columns(all, deletes, &c);
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_uuid_array(&params, c.id, NULL, count);
    sync_params_uuid_array(&params, c.message, NULL, count);
    sync_params_int4_array(&params, c.kind, NULL, count);
    sync_params_time_array(&params, c.occurred_us, NULL, count);
    sync_params_uuid_array(&params, c.party, NULL, count);
    if (!deletes) {
        sync_params_text_array(&params, c.text, count);
    }
    sync_params_time(&params, all->batch->now_us);
    SYNC_RESULT result = {0};
    sync_status status =
        sync_db_exec(all->db, deletes ? &delete_events : &statuses, &params, &result, err);
    all->batch->rows_written += result.affected;
    return status;
}

static sync_status write_altinn3(struct write_batch *all, struct sync_error *err)
{
    /* The order of the messages' share locks: by their id in Altinn 3. */
    qsort(all->facts, all->fact_count, sizeof *all->facts, compare_written);
    sync_status status = insert_rows(all, false, err);
    if (sync_is_ok(status)) {
        status = insert_rows(all, true, err);
    }
    if (sync_is_ok(status)) {
        status =
            message_purge_attachments(all->db, all->batch, all->messages, all->message_count, err);
    }
    return sync_is_ok(status) ? status : sync_wrap(err, "write rows of Altinn 3");
}

static sync_status collect(struct write_batch *all, struct sync_error *err)
{
    struct sync_batch *batch = all->batch;
    sync_status status = message_list(batch, &all->messages, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    all->message_count = batch->entity_count;
    size_t total = 0;
    for (size_t i = 0; i < all->message_count; i++) {
        total += all->messages[i]->state.fact_count;
    }
    all->facts = sync_arena_take_array(batch->arena, total + 1, sizeof *all->facts);
    if (!all->facts) {
        return message_memory_full("what it writes", err);
    }
    for (size_t i = 0; i < all->message_count; i++) {
        const struct status_state *state = &all->messages[i]->state;
        for (size_t k = 0; k < state->fact_count; k++) {
            const struct status_fact *fact = &state->facts[k];
            if (fact->insert || fact->update || fact->write_row) {
                all->facts[all->fact_count++] = (struct written){all->messages[i], fact};
            }
        }
    }
    return SYNC_OK;
}

sync_status message_write(struct sync_db *db, struct sync_batch *batch, struct sync_error *err)
{
    struct write_batch all = {.db = db, .batch = batch};
    if (batch->entity_count == 0) {
        return SYNC_OK;
    }
    sync_status status = collect(&all, err);
    if (sync_is_ok(status)) {
        status = insert_facts(&all, err);
    }
    if (sync_is_ok(status)) {
        status = update_facts(&all, err);
    }
    if (sync_is_ok(status)) {
        status = update_states(&all, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    batch->facts_only = count_facts(&all, is_row) == 0;
    return batch->facts_only ? SYNC_OK : write_altinn3(&all, err);
}
