/*
 * Look-ups after the locks, in one round trip: has Altinn 3 a row of each new key, which rows of it
 * do we not know, which echoes do we expect. Not here: what follows from the answers
 * (correspondence_fill.c).
 */
#include "correspondence_store.h"

#include <stdlib.h>

#define QUESTIONS_MAX 7
#define SECOND_US     1000000LL
#define CAPTURE       "altinn3-status" /* whose "capture init" CS-19 compares with */

struct question {
    const struct sync_statement *statement;
    struct sync_params params;
    sync_status (*read)(struct message_batch *all, const struct sync_result *result,
                        struct sync_error *err);
};

/* Columns that the questions about keys have in common. */
struct key_columns {
    int32_t *index, *kind;
    struct sync_uuid *message, *party;
    struct sync_bytes *entity;
    int64_t *second, *since_us;
    size_t count;
};

static bool take_columns(struct sync_arena *arena, size_t count, struct key_columns *ret_columns)
{
    *ret_columns = (struct key_columns){
        .index = sync_arena_take_array(arena, count, sizeof(int32_t)),
        .kind = sync_arena_take_array(arena, count, sizeof(int32_t)),
        .message = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .party = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .entity = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
        .second = sync_arena_take_array(arena, count, sizeof(int64_t)),
        .since_us = sync_arena_take_array(arena, count, sizeof(int64_t)),
    };
    return ret_columns->index && ret_columns->kind && ret_columns->message && ret_columns->party &&
           ret_columns->entity && ret_columns->second && ret_columns->since_us;
}

static void add_column(struct key_columns *columns, const struct message_batch *all,
                       size_t key_index)
{
    const struct message_key *key = &all->keys[key_index];
    const struct sync_key *entity = &key->message->entity->key;
    size_t n = columns->count++;
    columns->index[n] = (int32_t)key_index;
    columns->kind[n] = key->kind;
    columns->message[n] = key->message->state.altinn3_id;
    columns->party[n] = key->party;
    columns->entity[n] = (struct sync_bytes){(const uint8_t *)entity->text, entity->size};
    columns->second[n] = key->second;
    columns->since_us[n] = key->second * SECOND_US;
}

/* New keys of Altinn 2 on messages that Altinn 3 has. Where all rows are imported, that answers it.
 */
static bool is_row_wanted(const struct message_key *key)
{
    return key->to_altinn3 && !key->known && key->message->touched && key->message->found &&
           !key->message->import_all;
}

static bool has_status_row(int32_t kind)
{
    const struct status_kind_info *info = status_kind_find(kind);
    return !info || info->status_row;
}

static bool is_status_row_wanted(const struct message_key *key)
{
    return is_row_wanted(key) && has_status_row(key->kind);
}

static bool is_delete_row_wanted(const struct message_key *key)
{
    return is_row_wanted(key) && !has_status_row(key->kind);
}

/* Section 10: READ and CONFIRMED without an origin on a message that is visible, or becomes so now.
 */
static bool is_echo_wanted(const struct message_key *key)
{
    const struct message *message = key->message;
    return key->to_altinn3 && !key->known && key->no_origin &&
           (key->kind == STATUS_READ || key->kind == STATUS_CONFIRMED) &&
           (message->state.gate == STATUS_VISIBLE || message->flipped);
}

static sync_status read_a3_rows(struct message_batch *all, const struct sync_result *result,
                                struct sync_error *err)
{
    (void)err;
    for (int row = 0; row < result->rows; row++) {
        all->keys[sync_result_int4(result, row, 0)].a3_row = true;
    }
    return SYNC_OK;
}

static sync_status read_echoes(struct message_batch *all, const struct sync_result *result,
                               struct sync_error *err)
{
    (void)err;
    for (int row = 0; row < result->rows; row++) {
        all->keys[sync_result_int4(result, row, 0)].echo_until_us =
            sync_result_time(result, row, 1);
    }
    return SYNC_OK;
}

static sync_status select_keys(struct message_batch *all,
                               bool (*wanted)(const struct message_key *key),
                               struct key_columns *ret_columns, struct sync_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < all->key_count; i++) {
        count += wanted(&all->keys[i]);
    }
    *ret_columns = (struct key_columns){0};
    if (count == 0) {
        return SYNC_OK;
    }
    if (!take_columns(all->batch->arena, count, ret_columns)) {
        return message_memory_full("keys to ask for", err);
    }
    for (size_t i = 0; i < all->key_count; i++) {
        if (wanted(&all->keys[i])) {
            add_column(ret_columns, all, i);
        }
    }
    return SYNC_OK;
}

/* The second is a range of the unique index; there is no index of its own, and none is to be added.
 * Asked for the smallest time instead of for existence, because only that index can give it: the
 * others read every row of the message for each key, and a message may have thousands. */
static sync_status ask_rows(struct message_batch *all, bool deletes, struct question *questions,
                            size_t *count, struct sync_error *err)
{
    static const struct sync_statement statuses = {
        "correspondence_ask_statuses",
        "SELECT k.i FROM unnest($1::int4[], $2::uuid[], $3::int4[], $4::uuid[], $5::timestamptz[])"
        "  AS k (i, message, kind, party, since)"
        " WHERE (SELECT min(s.\"StatusChanged\") FROM correspondence.\"CorrespondenceStatuses\" s"
        "  WHERE s.\"CorrespondenceId\" = k.message AND s.\"Status\" = k.kind"
        "  AND s.\"StatusChanged\" >= k.since AND s.\"StatusChanged\" < k.since + interval '1 "
        "second'"
        "  AND s.\"PartyUuid\" = k.party) IS NOT NULL"};
    static const struct sync_statement delete_events = {
        "correspondence_ask_deletes",
        "SELECT k.i FROM unnest($1::int4[], $2::uuid[], $3::int4[], $4::uuid[], $5::timestamptz[])"
        "  AS k (i, message, kind, party, since)"
        " WHERE (SELECT min(d.\"EventOccurred\") FROM "
        "correspondence.\"CorrespondenceDeleteEvents\" d"
        "  WHERE d.\"CorrespondenceId\" = k.message AND d.\"EventType\" = k.kind - 10"
        "  AND d.\"EventOccurred\" >= k.since AND d.\"EventOccurred\" < k.since + interval '1 "
        "second'"
        "  AND d.\"PartyUuid\" = k.party) IS NOT NULL"};
    struct key_columns columns;
    sync_status status =
        select_keys(all, deletes ? is_delete_row_wanted : is_status_row_wanted, &columns, err);
    if (!sync_is_ok(status) || columns.count == 0) {
        return status;
    }
    struct question *q = &questions[(*count)++];
    q->statement = deletes ? &delete_events : &statuses;
    q->read = read_a3_rows;
    sync_params_init(&q->params, all->batch->arena);
    sync_params_int4_array(&q->params, columns.index, NULL, columns.count);
    sync_params_uuid_array(&q->params, columns.message, NULL, columns.count);
    sync_params_int4_array(&q->params, columns.kind, NULL, columns.count);
    sync_params_uuid_array(&q->params, columns.party, NULL, columns.count);
    sync_params_time_array(&q->params, columns.since_us, NULL, columns.count);
    return SYNC_OK;
}

static sync_status ask_echoes(struct message_batch *all, struct question *questions, size_t *count,
                              struct sync_error *err)
{
    static const struct sync_statement statement = {
        "correspondence_ask_echoes",
        "SELECT k.i, max(e.expires_at)"
        " FROM unnest($1::int4[], $2::text[], $3::int4[], $4::int8[]) AS k (i, entity, kind, "
        "second)"
        " CROSS JOIN LATERAL (SELECT m.expires_at FROM sync.expected_echo m"
        "  WHERE m.entity_key = k.entity AND m.kind = k.kind"
        "  AND m.second + 0 BETWEEN k.second - 2 AND k.second + 2 OFFSET 0) AS e"
        " GROUP BY k.i"};
    struct key_columns columns;
    sync_status status = select_keys(all, is_echo_wanted, &columns, err);
    if (!sync_is_ok(status) || columns.count == 0) {
        return status;
    }
    struct question *q = &questions[(*count)++];
    q->statement = &statement;
    q->read = read_echoes;
    sync_params_init(&q->params, all->batch->arena);
    sync_params_int4_array(&q->params, columns.index, NULL, columns.count);
    sync_params_text_array(&q->params, columns.entity, columns.count);
    sync_params_int4_array(&q->params, columns.kind, NULL, columns.count);
    sync_params_int8_array(&q->params, columns.second, NULL, columns.count);
    return SYNC_OK;
}

/* Rows of Altinn 3 that we may not know
 * ------------------------------------------------------------- */

static sync_status read_history(struct message_batch *all, const struct sync_result *result,
                                struct sync_error *err)
{
    struct message_row *rows = sync_arena_take_array(
        all->batch->arena, all->row_count + (size_t)result->rows + 1, sizeof *rows);
    if (!rows) {
        return message_memory_full("rows to import", err);
    }
    if (all->row_count > 0) {
        memcpy(rows, all->rows, all->row_count * sizeof *rows);
    }
    all->rows = rows;
    for (int row = 0; row < result->rows; row++) {
        struct message *message = all->messages[sync_result_int4(result, row, 0)];
        message->row_count++;
        rows[all->row_count++] =
            (struct message_row){.message = message,
                                 .row = {.kind = sync_result_int4(result, row, 1),
                                         .party = sync_result_uuid(result, row, 2),
                                         .occurred_at_us = sync_result_time(result, row, 3),
                                         .synced = sync_result_bool(result, row, 4),
                                         .with_message = sync_result_bool(result, row, 5)}};
    }
    return SYNC_OK;
}

static sync_status read_facts(struct message_batch *all, const struct sync_result *result,
                              struct sync_error *err)
{
    all->facts =
        sync_arena_take_array(all->batch->arena, (size_t)result->rows + 1, sizeof *all->facts);
    if (!all->facts) {
        return message_memory_full("stored facts", err);
    }
    all->fact_count = (size_t)result->rows;
    for (int row = 0; row < result->rows; row++) {
        struct message *message = all->messages[sync_result_int4(result, row, 0)];
        message->fact_count++;
        all->facts[row] =
            (struct message_fact){.message = message,
                                  .fact = {.kind = sync_result_int4(result, row, 1),
                                           .party = sync_result_uuid(result, row, 2),
                                           .second = sync_result_int8(result, row, 3),
                                           .occurred_at_us = sync_result_int8(result, row, 4),
                                           .mode = sync_result_int4(result, row, 5),
                                           .in_a2 = sync_result_bool(result, row, 6),
                                           .in_a3 = sync_result_bool(result, row, 7),
                                           .refused = sync_result_bool(result, row, 8),
                                           .known = true,
                                           .echo_until_us = STATUS_NEVER}};
    }
    return SYNC_OK;
}

static sync_status read_init(struct message_batch *all, const struct sync_result *result,
                             struct sync_error *err)
{
    (void)err;
    for (size_t i = 0; result->rows > 0 && i < all->message_count; i++) {
        all->messages[i]->state.init_us = sync_result_time(result, 0, 0);
    }
    return SYNC_OK;
}

/* Kinds 7 and 8 of every touched message that is not purged yet; all kinds where all are imported.
 */
static bool is_history_wanted(const struct message *message)
{
    return message->touched && message->found && (message->import_all || !message->state.purged);
}

static bool is_all_wanted(const struct message *message)
{
    return message->import_all && message->found;
}

struct message_columns {
    int32_t *index, *altinn2_id, *low, *high;
    struct sync_uuid *altinn3_id;
    size_t count;
};

static sync_status select_messages(struct message_batch *all,
                                   bool (*wanted)(const struct message *message),
                                   struct message_columns *ret_columns, struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    struct message_columns c = {
        .index = sync_arena_take_array(arena, all->message_count, sizeof(int32_t)),
        .altinn2_id = sync_arena_take_array(arena, all->message_count, sizeof(int32_t)),
        .low = sync_arena_take_array(arena, all->message_count, sizeof(int32_t)),
        .high = sync_arena_take_array(arena, all->message_count, sizeof(int32_t)),
        .altinn3_id = sync_arena_take_array(arena, all->message_count, sizeof(struct sync_uuid)),
    };
    if (!c.index || !c.altinn2_id || !c.low || !c.high || !c.altinn3_id) {
        return message_memory_full("messages to ask for", err);
    }
    for (size_t i = 0; i < all->message_count; i++) {
        const struct message *message = all->messages[i];
        if (!wanted(message)) {
            continue;
        }
        c.index[c.count] = (int32_t)i;
        c.altinn2_id[c.count] = message->state.altinn2_id;
        c.altinn3_id[c.count] = message->state.altinn3_id;
        c.low[c.count] = message->import_all ? STATUS_READ : STATUS_PURGED_BY_RECIPIENT;
        c.high[c.count] = message->import_all ? STATUS_ARCHIVED : STATUS_PURGED_BY_OWNER;
        c.count++;
    }
    *ret_columns = c;
    return SYNC_OK;
}

/* Statuses are asked for by message and kind together, so that the index by kind alone does not
 * fit: it reads the kind's rows of all messages. "Came with its message": the same transaction
 * wrote the row and the contents row, which is never updated. Comparing transaction ids outlives
 * freezing, for the server keeps the raw number. */
static sync_status ask_history(struct message_batch *all, struct question *questions, size_t *count,
                               struct sync_error *err)
{
    static const struct sync_statement statuses = {
        "correspondence_ask_history",
        "SELECT k.i, s.\"Status\", s.\"PartyUuid\", s.\"StatusChanged\","
        " s.\"SyncedFromAltinn2\" IS NOT NULL,"
        " EXISTS (SELECT FROM correspondence.\"CorrespondenceContents\" t"
        "  WHERE t.\"CorrespondenceId\" = k.message AND t.xmin = s.xmin OFFSET 0)"
        " FROM unnest($1::int4[], $2::uuid[], $3::int4[], $4::int4[]) AS k (i, message, low, high)"
        " CROSS JOIN LATERAL (SELECT m.\"Status\", m.\"PartyUuid\", m.\"StatusChanged\","
        "   m.\"SyncedFromAltinn2\", m.xmin FROM correspondence.\"CorrespondenceStatuses\" m"
        "  WHERE m.\"CorrespondenceId\" = k.message"
        "   AND (m.\"CorrespondenceId\", m.\"Status\") >= (k.message, k.low)"
        "   AND (m.\"CorrespondenceId\", m.\"Status\") <= (k.message, k.high) OFFSET 0) AS s"};
    static const struct sync_statement init = {
        "correspondence_ask_init",
        "SELECT started_at FROM sync.source WHERE name = $1 AND started_at IS NOT NULL"};
    struct message_columns columns = {0};
    sync_status status = select_messages(all, is_history_wanted, &columns, err);
    if (!sync_is_ok(status) || columns.count == 0) {
        return status;
    }
    struct question *q = &questions[(*count)++];
    q->statement = &statuses;
    q->read = read_history;
    sync_params_init(&q->params, all->batch->arena);
    sync_params_int4_array(&q->params, columns.index, NULL, columns.count);
    sync_params_uuid_array(&q->params, columns.altinn3_id, NULL, columns.count);
    sync_params_int4_array(&q->params, columns.low, NULL, columns.count);
    sync_params_int4_array(&q->params, columns.high, NULL, columns.count);
    q = &questions[(*count)++];
    q->statement = &init;
    q->read = read_init;
    sync_params_init(&q->params, all->batch->arena);
    sync_params_text(&q->params, CAPTURE);
    return SYNC_OK;
}

static sync_status ask_all(struct message_batch *all, struct question *questions, size_t *count,
                           struct sync_error *err)
{
    static const struct sync_statement deletes = {
        "correspondence_ask_delete_history",
        "SELECT k.i, d.\"EventType\" + 10, d.\"PartyUuid\", d.\"EventOccurred\","
        " d.\"SyncedFromAltinn2\" IS NOT NULL,"
        " EXISTS (SELECT FROM correspondence.\"CorrespondenceContents\" t"
        "  WHERE t.\"CorrespondenceId\" = k.message AND t.xmin = d.xmin OFFSET 0)"
        " FROM unnest($1::int4[], $2::uuid[]) AS k (i, message)"
        " CROSS JOIN LATERAL (SELECT m.\"EventType\", m.\"PartyUuid\", m.\"EventOccurred\","
        "   m.\"SyncedFromAltinn2\", m.xmin FROM correspondence.\"CorrespondenceDeleteEvents\" m"
        "  WHERE m.\"CorrespondenceId\" = k.message AND m.\"EventType\" + 0 IN (3, 4)"
        "  OFFSET 0) AS d"};
    static const struct sync_statement facts = {
        "correspondence_ask_facts", "SELECT k.i, f.kind, f.party_uuid, f.second, f.occurred_at_us, "
                                    "f.mode, f.in_a2, f.in_a3, f.refused"
                                    " FROM unnest($1::int4[], $2::int4[]) AS k (i, id)"
                                    " CROSS JOIN LATERAL (SELECT * FROM sync.correspondence_fact m"
                                    "  WHERE m.altinn2_id = k.id OFFSET 0) AS f"};
    struct message_columns columns = {0};
    sync_status status = select_messages(all, is_all_wanted, &columns, err);
    if (!sync_is_ok(status) || columns.count == 0) {
        return status;
    }
    struct question *q = &questions[(*count)++];
    q->statement = &deletes;
    q->read = read_history;
    sync_params_init(&q->params, all->batch->arena);
    sync_params_int4_array(&q->params, columns.index, NULL, columns.count);
    sync_params_uuid_array(&q->params, columns.altinn3_id, NULL, columns.count);
    q = &questions[(*count)++];
    q->statement = &facts;
    q->read = read_facts;
    sync_params_init(&q->params, all->batch->arena);
    sync_params_int4_array(&q->params, columns.index, NULL, columns.count);
    sync_params_int4_array(&q->params, columns.altinn2_id, NULL, columns.count);
    return SYNC_OK;
}

static void drop_results(struct sync_result (*results)[QUESTIONS_MAX])
{
    for (size_t i = 0; i < QUESTIONS_MAX; i++) {
        sync_result_done(&(*results)[i]);
    }
}

static sync_status run(struct message_batch *all, const struct question *questions, size_t count,
                       struct sync_error *err)
{
    struct sync_call calls[QUESTIONS_MAX] = {0};
    __attribute__((cleanup(drop_results))) struct sync_result results[QUESTIONS_MAX] = {0};
    for (size_t i = 0; i < count; i++) {
        calls[i] = (struct sync_call){questions[i].statement, &questions[i].params};
    }
    sync_status status = sync_db_pipeline(all->db, calls, count, results, err);
    for (size_t i = 0; sync_is_ok(status) && i < count; i++) {
        status = questions[i].read(all, &results[i], err);
    }
    return status;
}

sync_status message_ask(struct message_batch *all, struct sync_error *err)
{
    struct question *questions =
        sync_arena_take_array(all->batch->arena, QUESTIONS_MAX, sizeof *questions);
    size_t count = 0;
    if (!questions) {
        return message_memory_full("its questions", err);
    }
    sync_status status = ask_rows(all, false, questions, &count, err);
    if (sync_is_ok(status)) {
        status = ask_rows(all, true, questions, &count, err);
    }
    if (sync_is_ok(status)) {
        status = ask_history(all, questions, &count, err);
    }
    if (sync_is_ok(status)) {
        status = ask_all(all, questions, &count, err);
    }
    if (sync_is_ok(status)) {
        status = ask_echoes(all, questions, &count, err);
    }
    SYNC_ASSERT(count <= QUESTIONS_MAX);
    if (!sync_is_ok(status) || count == 0) {
        return status;
    }
    status = run(all, questions, count, err);
    return sync_is_ok(status) ? status : sync_wrap(err, "look up the rows of Altinn 3");
}
