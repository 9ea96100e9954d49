/*
 * Placeholders, the lock of the entity rows, their states, and adoption of mappings made elsewhere.
 * Not here: rows of Altinn 3 that a mapping brings (correspondence_ask.c,
 * correspondence_fill.c).
 */
#include "correspondence_store.h"

#include "../../src/core/limits.h"

#include <stdlib.h>

static sync_status make_messages(struct sync_batch *batch, struct sync_error *err)
{
    struct message *messages =
        sync_arena_take_array(batch->arena, batch->entity_count + 1, sizeof *messages);
    if (!messages) {
        return message_memory_full("its messages", err);
    }
    for (size_t i = 0; i < batch->entity_count; i++) {
        struct sync_entity *entity = &batch->entities[i];
        int32_t id = message_id_of(&entity->key);
        if (id == 0) {
            return sync_fail(err, SYNC_CLASS_PARK, SYNC_CODE_KEY_MISMATCH,
                             "lock a message: its key is no id of Altinn 2");
        }
        messages[i].state.altinn2_id = id;
        messages[i].state.a3_present = true;
        messages[i].state.bridge_closed = batch->bridge_closed;
        messages[i].state.init_us = STATUS_NEVER;
        messages[i].entity = entity;
        entity->state = &messages[i].state;
    }
    return SYNC_OK;
}

static sync_status exec_ids(struct sync_db *db, struct sync_arena *arena,
                            const struct sync_statement *statement, const int32_t *ids,
                            size_t count, struct sync_result *ret_result, struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_int4_array(&params, ids, NULL, count);
    return sync_db_exec(db, statement, &params, ret_result, err);
}

/* Placeholders come in a statement before the lock: whoever waits in it holds no lock on a row that
 * was there before, so that no two can wait for each other. */
static sync_status place_rows(struct sync_db *db, struct sync_arena *arena, const int32_t *ids,
                              size_t count, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "correspondence_place",
        "INSERT INTO sync.correspondence (altinn2_id)"
        " SELECT k.id FROM unnest($1::int4[]) AS k (id)"
        " WHERE NOT EXISTS (SELECT FROM sync.correspondence c WHERE c.altinn2_id = k.id OFFSET 0)"
        " ORDER BY k.id ON CONFLICT (altinn2_id) DO NOTHING"};
    return count == 0 ? SYNC_OK : exec_ids(db, arena, &statement, ids, count, NULL, err);
}

/*
 * The lock statement reads columns of the row it locks and joins nothing: of a row that it waited
 * for, the server returns the version that the other one committed (PostgreSQL 13.2.1), while rows
 * of other tables would be those of before the wait.
 */
static sync_status lock_rows(struct sync_db *db, struct sync_arena *arena, const int32_t *ids,
                             size_t count, struct sync_result *ret_result, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "correspondence_lock",
        "SELECT c.altinn2_id, c.mapping, c.altinn3_id, c.gate, c.visible_at, c.has_read,"
        " c.has_confirmed, c.has_archived, c.is_purged, c.max_soft_deleted, c.max_restored,"
        " c.max_archived, c.a2_read, c.a2_confirmed, c.a2_deleted, c.dlg_opened, c.dlg_confirmed,"
        " c.dlg_deleted, c.dlg_label, c.version FROM sync.correspondence c"
        " WHERE c.altinn2_id = ANY ($1::int4[]) ORDER BY c.altinn2_id FOR UPDATE"};
    sync_status status = exec_ids(db, arena, &statement, ids, count, ret_result, err);
    if (sync_is_ok(status) && (size_t)ret_result->rows != count) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT,
                         "lock %zu messages: %d rows were there", count, ret_result->rows);
    }
    return status;
}

sync_status message_lock_rows(struct sync_db *db, struct sync_arena *arena, const int32_t *ids,
                              size_t count, struct sync_error *err)
{
    sync_status status = place_rows(db, arena, ids, count, err);
    SYNC_RESULT result = {0};
    return sync_is_ok(status) ? lock_rows(db, arena, ids, count, &result, err) : status;
}

static int compare_ids(const void *left, const void *right)
{
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

/* Ids of which settle saw no row: new ones, and those that no record names (adoption). */
static sync_status place_unseen(struct sync_db *db, const struct sync_batch *batch,
                                const int32_t *ids, size_t count, struct sync_error *err)
{
    const struct message_sight *sights = batch->store_data;
    bool *seen = sync_arena_take_array(batch->arena, count, sizeof *seen);
    int32_t *unseen = sync_arena_take_array(batch->arena, count, sizeof *unseen);
    if (!seen || !unseen) {
        return message_memory_full("new ids", err);
    }
    for (size_t i = 0; sights && i < batch->record_count; i++) {
        int32_t id = sights[i].exists ? message_id_of(&batch->records[i].entity) : 0;
        const int32_t *found = bsearch(&id, ids, count, sizeof *ids, compare_ids);
        if (found) {
            seen[found - ids] = true;
        }
    }
    size_t unseen_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!seen[i]) {
            unseen[unseen_count++] = ids[i];
        }
    }
    return place_rows(db, batch->arena, unseen, unseen_count, err);
}

static int64_t second_or_never(const struct sync_result *result, int row, int column)
{
    return sync_result_is_null(result, row, column) ? STATUS_NEVER
                                                    : sync_result_int8(result, row, column);
}

static void read_state(const struct sync_result *r, int row, struct status_state *state)
{
    state->mapping = sync_result_int4(r, row, 1);
    state->has_altinn3_id = !sync_result_is_null(r, row, 2);
    if (state->has_altinn3_id) {
        state->altinn3_id = sync_result_uuid(r, row, 2);
    }
    state->gate = sync_result_int4(r, row, 3);
    state->visible_at_us =
        sync_result_is_null(r, row, 4) ? STATUS_NEVER : sync_result_time(r, row, 4);
    state->read = sync_result_bool(r, row, 5);
    state->confirmed = sync_result_bool(r, row, 6);
    state->archived = sync_result_bool(r, row, 7);
    state->purged = sync_result_bool(r, row, 8);
    state->max_soft_deleted = second_or_never(r, row, 9);
    state->max_restored = second_or_never(r, row, 10);
    state->max_archived = second_or_never(r, row, 11);
    state->a2_read = sync_result_int4(r, row, 12);
    state->a2_confirmed = sync_result_int4(r, row, 13);
    state->a2_deleted = sync_result_int4(r, row, 14);
    state->dlg_opened = sync_result_bool(r, row, 15);
    state->dlg_confirmed = sync_result_bool(r, row, 16);
    state->dlg_deleted = sync_result_bool(r, row, 17);
    state->dlg_label = sync_result_int4(r, row, 18);
    state->version = sync_result_int8(r, row, 19);
}

static sync_status lock_states(struct sync_db *db, struct sync_arena *arena,
                               struct message **messages, const int32_t *ids, size_t count,
                               struct sync_error *err)
{
    SYNC_RESULT result = {0};
    sync_status status = lock_rows(db, arena, ids, count, &result, err);
    for (size_t i = 0; sync_is_ok(status) && i < count; i++) {
        SYNC_ASSERT(sync_result_int4(&result, (int)i, 0) == ids[i]);
        read_state(&result, (int)i, &messages[i]->state);
        messages[i]->before = messages[i]->state;
        messages[i]->entity->mapped = messages[i]->state.mapping == STATUS_MAPPED;
    }
    return status;
}

/* CS-18: Altinn 3 has a row with the id, and we have no mapping. Its gate is confirmed under the
 * share lock of load, which brings a flip in between in line (CS-102). */
static sync_status adopt(struct sync_db *db, struct sync_batch *batch, struct message **unmapped,
                         const int32_t *ids, size_t count, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "correspondence_adopt", "SELECT k.i::int4, c.\"Id\", c.\"IsMigrating\""
                                " FROM unnest($1::int4[]) WITH ORDINALITY AS k (id, i)"
                                " CROSS JOIN LATERAL (SELECT m.\"Id\", m.\"IsMigrating\""
                                "  FROM correspondence.\"Correspondences\" m"
                                "  WHERE m.\"Altinn2CorrespondenceId\" = k.id OFFSET 0) AS c"};
    SYNC_RESULT result = {0};
    sync_status status = exec_ids(db, batch->arena, &statement, ids, count, &result, err);
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        struct message *message = unmapped[sync_result_int4(&result, row, 0) - 1];
        struct sync_uuid altinn3_id = sync_result_uuid(&result, row, 1);
        status_adopt(&message->state, &altinn3_id, sync_result_bool(&result, row, 2),
                     batch->now_us);
        message->entity->adopted = true;
        message->import_all = true;
    }
    return status;
}

/* CS-17 asks how many records an id already holds; counting stops at the limit. */
static sync_status count_held(struct sync_db *db, struct sync_batch *batch,
                              struct message **unmapped, size_t count, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "correspondence_held",
        "SELECT k.i::int4, n.n FROM unnest($1::text[]) WITH ORDINALITY AS k (key, i)"
        " CROSS JOIN LATERAL (SELECT count(*) AS n FROM (SELECT FROM sync.hold h"
        "  WHERE h.entity_key = k.key LIMIT $2) AS h) AS n WHERE n.n > 0"};
    struct sync_bytes *keys = sync_arena_take_array(batch->arena, count, sizeof *keys);
    if (!keys) {
        return message_memory_full("the held ids", err);
    }
    for (size_t i = 0; i < count; i++) {
        const struct sync_key *key = &unmapped[i]->entity->key;
        keys[i] = (struct sync_bytes){(const uint8_t *)key->text, key->size};
    }
    struct sync_params params;
    sync_params_init(&params, batch->arena);
    sync_params_text_array(&params, keys, count);
    sync_params_int8(&params, SYNC_HELD_PER_KEY_MAX);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &statement, &params, &result, err);
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        unmapped[sync_result_int4(&result, row, 0) - 1]->state.held_count =
            sync_result_int8(&result, row, 1);
    }
    return status;
}

static sync_status look_unmapped(struct sync_db *db, struct sync_batch *batch,
                                 struct message **messages, int32_t *ids, struct sync_error *err)
{
    struct message **unmapped =
        sync_arena_take_array(batch->arena, batch->entity_count, sizeof *unmapped);
    if (!unmapped) {
        return message_memory_full("the messages without a mapping", err);
    }
    size_t count = 0;
    for (size_t i = 0; i < batch->entity_count; i++) {
        if (messages[i]->state.mapping != STATUS_MAPPED) {
            unmapped[count] = messages[i];
            ids[count++] = messages[i]->state.altinn2_id;
        }
    }
    if (count == 0) {
        return SYNC_OK;
    }
    sync_status status = adopt(db, batch, unmapped, ids, count, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    return count_held(db, batch, unmapped, count, err);
}

sync_status message_lock(struct sync_db *db, struct sync_batch *batch, struct sync_error *err)
{
    size_t count = batch->entity_count;
    if (count == 0) {
        return SYNC_OK;
    }
    struct message **messages = NULL;
    sync_status status = make_messages(batch, err);
    if (sync_is_ok(status)) {
        status = message_list(batch, &messages, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    int32_t *ids = sync_arena_take_array(batch->arena, count, sizeof *ids);
    if (!ids) {
        return message_memory_full("the ids to lock", err);
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = messages[i]->state.altinn2_id;
    }
    status = place_unseen(db, batch, ids, count, err);
    if (sync_is_ok(status)) {
        status = lock_states(db, batch->arena, messages, ids, count, err);
    }
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "lock the messages of a batch");
    }
    return look_unmapped(db, batch, messages, ids, err);
}
