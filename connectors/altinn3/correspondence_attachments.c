/*
 * Attachments of the messages that were purged in this batch: a Purged status and the effect that
 * removes the bytes, unless the attachment is gone already or a message that is not purged still
 * uses it. Runs after the status rows of the purges were written, so that messages purged together
 * count as purged.
 */
#include "correspondence_store.h"

#define ATTACHMENT_PURGED 3

static const struct status_fact *purge_of(const struct message *message)
{
    for (size_t i = 0; i < message->state.fact_count; i++) {
        if (message->state.facts[i].write_purge) {
            return &message->state.facts[i];
        }
    }
    return NULL;
}

/* One attachment that ends now, with the message whose purge ended it. */
struct ended {
    struct message *message;
    struct sync_uuid attachment;
};

/*
 * Two purges at the same time of messages that share an attachment must not both find the other one
 * not purged: the attachment's row is locked first, and looked at in the next statement. NO KEY
 * UPDATE lets the application add rows below it.
 */
static sync_status find_ended(struct sync_db *db, struct sync_batch *batch, struct message **purged,
                              const struct sync_uuid *ids, size_t count, struct ended **ret_ended,
                              size_t *ret_count, struct sync_error *err)
{
    static const struct sync_statement lock = {
        "correspondence_lock_attachments",
        "SELECT count(*) FROM (SELECT FROM correspondence.\"Attachments\" a WHERE a.\"Id\" IN"
        "  (SELECT l.\"AttachmentId\" FROM correspondence.\"CorrespondenceContents\" t"
        "    JOIN correspondence.\"CorrespondenceAttachments\" l ON l.\"CorrespondenceContentId\" "
        "= t.\"Id\""
        "    WHERE t.\"CorrespondenceId\" = ANY ($1::uuid[]))"
        "  ORDER BY a.\"Id\" FOR NO KEY UPDATE) AS locked"};
    static const struct sync_statement ended = {
        "correspondence_ended_attachments",
        "SELECT DISTINCT ON (l.\"AttachmentId\") k.i::int4, l.\"AttachmentId\""
        " FROM unnest($1::uuid[]) WITH ORDINALITY AS k (id, i)"
        " JOIN correspondence.\"CorrespondenceContents\" t ON t.\"CorrespondenceId\" = k.id"
        " JOIN correspondence.\"CorrespondenceAttachments\" l ON l.\"CorrespondenceContentId\" = "
        "t.\"Id\""
        " WHERE NOT EXISTS (SELECT FROM correspondence.\"AttachmentStatuses\" s"
        "   WHERE s.\"AttachmentId\" = l.\"AttachmentId\" AND s.\"Status\" IN (3, 5))"
        "  AND NOT EXISTS (SELECT FROM correspondence.\"CorrespondenceAttachments\" o"
        "   JOIN correspondence.\"CorrespondenceContents\" u ON u.\"Id\" = "
        "o.\"CorrespondenceContentId\""
        "   WHERE o.\"AttachmentId\" = l.\"AttachmentId\" AND NOT EXISTS"
        "    (SELECT FROM correspondence.\"CorrespondenceStatuses\" p"
        "      WHERE p.\"CorrespondenceId\" = u.\"CorrespondenceId\" AND p.\"Status\" BETWEEN 7 "
        "AND 8))"
        " ORDER BY l.\"AttachmentId\", k.i"};
    struct sync_params params;
    sync_params_init(&params, batch->arena);
    sync_params_uuid_array(&params, ids, NULL, count);
    sync_status status = sync_db_exec(db, &lock, &params, NULL, err);
    SYNC_RESULT result = {0};
    if (sync_is_ok(status)) {
        status = sync_db_exec(db, &ended, &params, &result, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    struct ended *list = sync_arena_take_array(batch->arena, (size_t)result.rows + 1, sizeof *list);
    if (!list) {
        return message_memory_full("attachments", err);
    }
    for (int row = 0; row < result.rows; row++) {
        list[row].message = purged[sync_result_int4(&result, row, 0) - 1];
        list[row].attachment = sync_result_uuid(&result, row, 1);
    }
    *ret_ended = list;
    *ret_count = (size_t)result.rows;
    return SYNC_OK;
}

static sync_status insert_statuses(struct sync_db *db, struct sync_batch *batch,
                                   const struct ended *list, size_t count, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "correspondence_insert_attachment_statuses",
        "INSERT INTO correspondence.\"AttachmentStatuses\" (\"Id\", \"AttachmentId\", \"Status\","
        " \"StatusText\", \"StatusChanged\", \"PartyUuid\")"
        " SELECT n.id, n.attachment, $5, 'Purged with its message by a sync event from Altinn 2',"
        "  n.occurred, n.party"
        " FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[])"
        "  AS n (id, attachment, occurred, party)"};
    struct sync_arena *arena = batch->arena;
    struct sync_uuid *id = sync_arena_take_array(arena, count, sizeof *id);
    struct sync_uuid *attachment = sync_arena_take_array(arena, count, sizeof *attachment);
    struct sync_uuid *party = sync_arena_take_array(arena, count, sizeof *party);
    int64_t *occurred_us = sync_arena_take_array(arena, count, sizeof *occurred_us);
    if (!id || !attachment || !party || !occurred_us) {
        return message_memory_full("attachment statuses", err);
    }
    for (size_t i = 0; i < count; i++) {
        const struct status_fact *purge = purge_of(list[i].message);
        id[i] = message_row_id(&list[i].attachment, "AttachmentStatuses", "3");
        attachment[i] = list[i].attachment;
        party[i] = purge->party;
        occurred_us[i] = purge->occurred_at_us;
    }
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_uuid_array(&params, id, NULL, count);
    sync_params_uuid_array(&params, attachment, NULL, count);
    sync_params_time_array(&params, occurred_us, NULL, count);
    sync_params_uuid_array(&params, party, NULL, count);
    sync_params_int4(&params, ATTACHMENT_PURGED);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &statement, &params, &result, err);
    batch->rows_written += result.affected;
    return status;
}

/* A message may have more attachments than one list holds effects: then the list goes on. */
static sync_status add_effect(struct sync_batch *batch, const struct ended *ended,
                              struct sync_error *err)
{
    struct sync_effects **place = &ended->message->entity->effects;
    while (*place && (*place)->count == SYNC_FOLD_EFFECTS_MAX) {
        place = &(*place)->next;
    }
    if (!*place) {
        *place = sync_arena_take(batch->arena, sizeof **place);
    }
    if (!*place) {
        return message_memory_full("effects of a purge", err);
    }
    struct sync_effects *effects = *place;
    status_blob_effect(&ended->message->state, &ended->attachment,
                       &effects->items[effects->count++]);
    return SYNC_OK;
}

sync_status message_purge_attachments(struct sync_db *db, struct sync_batch *batch,
                                      struct message **messages, size_t count,
                                      struct sync_error *err)
{
    struct message **purged = sync_arena_take_array(batch->arena, count + 1, sizeof *purged);
    struct sync_uuid *ids = sync_arena_take_array(batch->arena, count + 1, sizeof *ids);
    size_t purged_count = 0;
    if (!purged || !ids) {
        return message_memory_full("purged messages", err);
    }
    for (size_t i = 0; i < count; i++) {
        if (purge_of(messages[i])) {
            purged[purged_count] = messages[i];
            ids[purged_count++] = messages[i]->state.altinn3_id;
        }
    }
    struct ended *list = NULL;
    size_t ended_count = 0;
    if (purged_count == 0) {
        return SYNC_OK;
    }
    sync_status status = find_ended(db, batch, purged, ids, purged_count, &list, &ended_count, err);
    if (!sync_is_ok(status) || ended_count == 0) {
        return status;
    }
    status = insert_statuses(db, batch, list, ended_count, err);
    for (size_t i = 0; sync_is_ok(status) && i < ended_count; i++) {
        status = add_effect(batch, &list[i], err);
    }
    return status;
}
