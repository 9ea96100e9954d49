/*
 * Rows of Altinn 3 that a batch writes: statuses and delete events, each with the id that its key
 * gives. Not here: attachments (correspondence_attachments.c).
 */
#include "correspondence_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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
    SYNC_ASSERT(fact->kind >= 0 && fact->kind < WRITE_KINDS_MAX);
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
    size_t count = write_count(all, deletes ? is_delete_row : is_status_row);
    struct row_columns c = {0};
    if (count == 0) {
        return SYNC_OK;
    }
    if (!take_row_columns(arena, count, &c)) {
        return message_memory_full("rows of Altinn 3", err);
    }
    fill_row_columns(all, deletes, &c);
    struct write_call *call = write_call_add(all, deletes ? &delete_events : &statuses, count);
    struct sync_params *params = &call->params;
    call->altinn3 = true;
    sync_params_uuid_array(params, c.id, NULL, count);
    sync_params_uuid_array(params, c.message, NULL, count);
    sync_params_int4_array(params, c.kind, NULL, count);
    sync_params_time_array(params, c.occurred_us, NULL, count);
    sync_params_uuid_array(params, c.party, NULL, count);
    if (!deletes) {
        sync_params_text_array(params, c.text, count);
    }
    sync_params_time(params, all->batch->now_us);
    return SYNC_OK;
}

sync_status write_rows(struct write_batch *all, struct sync_error *err)
{
    /* The order of the messages' share locks: by their id in Altinn 3. */
    qsort(all->facts, all->fact_count, sizeof *all->facts, compare_written);
    sync_status status = insert_rows(all, false, err);
    return sync_is_ok(status) ? insert_rows(all, true, err) : status;
}
