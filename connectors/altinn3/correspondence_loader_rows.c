/*
 * Inserts what the lines of a chunk say: parties, then messages with their rows, one statement per
 * table. A row of a table is a C struct, its columns are a list of offsets. Not here: the mapping
 * and what was held, which adoption does in the same transaction, and reading lines
 * (correspondence_loader.c).
 */
#include "correspondence_loader.h"
#include "correspondence_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Tables
 * -------------------------------------------------------------------------------------------- */

enum column_type { COLUMN_UUID, COLUMN_INT, COLUMN_LONG, COLUMN_BOOL, COLUMN_TEXT, COLUMN_TIME };
#define NEVER_NULL SIZE_MAX

struct column {
    enum column_type type;
    size_t offset;
    size_t present_offset; /* of a bool; false = null. Texts and times know by themselves */
};

struct table {
    struct sync_statement statement;
    const struct column *columns;
    size_t column_count, row_size;
};

#define COLUMN(row, type, member)                                                                  \
    {                                                                                              \
        type, offsetof(struct row, member), NEVER_NULL                                             \
    }

struct content_row {
    struct sync_uuid id, message;
    struct sync_bytes language, title, summary, body;
};

/* A row below a message: reply option, reference, link. */
struct child_row {
    struct sync_uuid id, parent;
    struct sync_bytes first, second;
};

struct act_row {
    struct sync_uuid id, message, party;
    int32_t kind;
    struct sync_bytes text;
    int64_t at_us;
};

struct attachment_row {
    struct load_attachment attachment;
    struct sync_uuid status_id;
    struct sync_bytes resource_id, sender, owner;
    int64_t created_us;
};

static const struct column message_columns[] = {
    COLUMN(load_message, COLUMN_UUID, altinn3_id),
    COLUMN(load_message, COLUMN_INT, altinn2_id),
    COLUMN(load_message, COLUMN_TEXT, resource_id),
    COLUMN(load_message, COLUMN_TEXT, recipient),
    COLUMN(load_message, COLUMN_TEXT, recipient_type),
    COLUMN(load_message, COLUMN_TEXT, sender),
    COLUMN(load_message, COLUMN_TEXT, owner),
    COLUMN(load_message, COLUMN_TEXT, message_sender),
    COLUMN(load_message, COLUMN_TEXT, senders_reference),
    COLUMN(load_message, COLUMN_INT, altinn2_party_id),
    COLUMN(load_message, COLUMN_TIME, created_us),
    COLUMN(load_message, COLUMN_TIME, requested_publish_us),
    COLUMN(load_message, COLUMN_TIME, published_us),
    COLUMN(load_message, COLUMN_TIME, due_us),
    COLUMN(load_message, COLUMN_BOOL, hidden),
    COLUMN(load_message, COLUMN_BOOL, confirmation_needed),
    COLUMN(load_message, COLUMN_BOOL, confidential),
    {COLUMN_BOOL, offsetof(struct load_message, ignore_reservation),
     offsetof(struct load_message, has_ignore_reservation)},
    COLUMN(load_message, COLUMN_TEXT, properties),
};
/* The owner's number is known (1) or still to be found by Altinn 3 (0). */
static const struct table messages_table = {
    {"load_messages",
     "INSERT INTO correspondence.\"Correspondences\" (\"Id\", \"Altinn2CorrespondenceId\", "
     "\"ResourceId\","
     " \"Recipient\", \"RecipientType\", \"Sender\", \"ServiceOwnerId\", "
     "\"ServiceOwnerMigrationStatus\","
     " \"MessageSender\", \"SendersReference\", \"PartyId\", \"Created\", \"RequestedPublishTime\","
     " \"Published\", \"DueDateTime\", \"IsMigrating\", \"IsConfirmationNeeded\", "
     "\"IsConfidential\","
     " \"IgnoreReservation\", \"PropertyList\", \"OriginalRequest\")"
     " SELECT n.id, n.altinn2_id, n.resource, n.recipient, n.recipient_type, n.sender, n.owner,"
     "  CASE WHEN n.owner IS NULL THEN 0 ELSE 1 END, n.message_sender, n.reference, n.party, "
     "n.created,"
     "  n.requested, n.published, n.due, n.hidden, n.confirmation, n.confidential, n.ignore,"
     "  n.properties::public.hstore, NULL"
     " FROM unnest($1::uuid[], $2::int4[], $3::text[], $4::text[], $5::text[], $6::text[], "
     "$7::text[],"
     "  $8::text[], $9::text[], $10::int4[], $11::timestamptz[], $12::timestamptz[], "
     "$13::timestamptz[],"
     "  $14::timestamptz[], $15::bool[], $16::bool[], $17::bool[], $18::bool[], $19::text[])"
     " AS n (id, altinn2_id, resource, recipient, recipient_type, sender, owner, message_sender, "
     "reference,"
     "  party, created, requested, published, due, hidden, confirmation, confidential, ignore, "
     "properties)"},
    message_columns,
    sizeof message_columns / sizeof message_columns[0],
    sizeof(struct load_message)};

static const struct column content_columns[] = {
    COLUMN(content_row, COLUMN_UUID, id),       COLUMN(content_row, COLUMN_UUID, message),
    COLUMN(content_row, COLUMN_TEXT, language), COLUMN(content_row, COLUMN_TEXT, title),
    COLUMN(content_row, COLUMN_TEXT, summary),  COLUMN(content_row, COLUMN_TEXT, body),
};
static const struct table contents_table = {
    {"load_contents", "INSERT INTO correspondence.\"CorrespondenceContents\" (\"Id\", "
                      "\"CorrespondenceId\", \"Language\","
                      " \"MessageTitle\", \"MessageSummary\", \"MessageBody\")"
                      " SELECT n.* FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], "
                      "$5::text[], $6::text[]) AS n"},
    content_columns,
    sizeof content_columns / sizeof content_columns[0],
    sizeof(struct content_row)};

static const struct column child_columns[] = {
    COLUMN(child_row, COLUMN_UUID, id),
    COLUMN(child_row, COLUMN_UUID, parent),
    COLUMN(child_row, COLUMN_TEXT, first),
    COLUMN(child_row, COLUMN_TEXT, second),
};
static const struct table reply_options_table = {
    {"load_reply_options",
     "INSERT INTO correspondence.\"CorrespondenceReplyOptions\" (\"Id\", \"CorrespondenceId\", "
     "\"LinkURL\","
     " \"LinkText\") SELECT n.* FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS n"},
    child_columns,
    4,
    sizeof(struct child_row)};
static const struct table dialogs_table = {
    {"load_dialogs", "INSERT INTO correspondence.\"ExternalReferences\" (\"Id\", "
                     "\"CorrespondenceId\", \"ReferenceType\","
                     " \"ReferenceValue\") SELECT n.id, n.message, 3, n.dialog"
                     " FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS n (id, message, dialog)"},
    child_columns,
    3,
    sizeof(struct child_row)};
/* By the attachment's id in Altinn 2: it may have been there before, under another id. Once per
 * content. */
static const struct table links_table = {
    {"load_links",
     "INSERT INTO correspondence.\"CorrespondenceAttachments\" (\"Id\", "
     "\"CorrespondenceContentId\","
     " \"AttachmentId\", \"Created\", \"ExpirationTime\")"
     " SELECT DISTINCT ON (n.id) n.id, n.content, a.\"Id\", a.\"Created\", NULL::timestamptz"
     " FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS n (id, content, attachment)"
     " JOIN correspondence.\"Attachments\" a ON a.\"Altinn2AttachmentId\" = n.attachment ORDER BY "
     "n.id"},
    child_columns,
    3,
    sizeof(struct child_row)};

static const struct column act_columns[] = {
    COLUMN(act_row, COLUMN_UUID, id),    COLUMN(act_row, COLUMN_UUID, message),
    COLUMN(act_row, COLUMN_INT, kind),   COLUMN(act_row, COLUMN_TIME, at_us),
    COLUMN(act_row, COLUMN_UUID, party), COLUMN(act_row, COLUMN_TEXT, text),
};
/* Two rows of one kind, party and second are one fact and have one id: the earlier is kept. */
static const struct table statuses_table = {
    {"load_statuses",
     "INSERT INTO correspondence.\"CorrespondenceStatuses\" (\"Id\", \"CorrespondenceId\", "
     "\"Status\","
     " \"StatusText\", \"StatusChanged\", \"PartyUuid\", \"SyncedFromAltinn2\")"
     " SELECT DISTINCT ON (n.id) n.id, n.message, n.kind, n.text, n.at, n.party, now()"
     " FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::timestamptz[], $5::uuid[], $6::text[])"
     "  AS n (id, message, kind, at, party, text) ORDER BY n.id, n.at"},
    act_columns,
    6,
    sizeof(struct act_row)};
static const struct table delete_events_table = {
    {"load_delete_events",
     "INSERT INTO correspondence.\"CorrespondenceDeleteEvents\" (\"Id\", \"CorrespondenceId\","
     " \"EventType\", \"EventOccurred\", \"PartyUuid\", \"SyncedFromAltinn2\")"
     " SELECT DISTINCT ON (n.id) n.id, n.message, n.kind, n.at, n.party, now()"
     " FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::timestamptz[], $5::uuid[])"
     "  AS n (id, message, kind, at, party) ORDER BY n.id, n.at"},
    act_columns,
    5,
    sizeof(struct act_row)};

static const struct column attachment_columns[] = {
    COLUMN(attachment_row, COLUMN_UUID, attachment.id),
    COLUMN(attachment_row, COLUMN_TEXT, attachment.altinn2_attachment_id),
    COLUMN(attachment_row, COLUMN_TEXT, resource_id),
    COLUMN(attachment_row, COLUMN_TEXT, attachment.file_name),
    COLUMN(attachment_row, COLUMN_TEXT, attachment.display_name),
    COLUMN(attachment_row, COLUMN_BOOL, attachment.encrypted),
    COLUMN(attachment_row, COLUMN_TEXT, attachment.checksum),
    COLUMN(attachment_row, COLUMN_LONG, attachment.size),
    COLUMN(attachment_row, COLUMN_TEXT, attachment.senders_reference),
    COLUMN(attachment_row, COLUMN_TEXT, sender),
    COLUMN(attachment_row, COLUMN_TEXT, owner),
    COLUMN(attachment_row, COLUMN_TEXT, attachment.data_location_url),
    COLUMN(attachment_row, COLUMN_TIME, created_us),
};
static const struct table attachments_table = {
    {"load_attachments",
     "INSERT INTO correspondence.\"Attachments\" (\"Id\", \"Altinn2AttachmentId\", \"ResourceId\","
     " \"FileName\", \"DisplayName\", \"IsEncrypted\", \"Checksum\", \"AttachmentSize\","
     " \"SendersReference\", \"Sender\", \"ServiceOwnerId\", \"ServiceOwnerMigrationStatus\","
     " \"DataLocationType\", \"DataLocationUrl\", \"StorageProviderId\", \"ExpirationInDays\", "
     "\"Created\")"
     " SELECT n.id, n.altinn2_id, n.resource, n.file, n.display, n.encrypted, n.checksum, n.size,"
     "  n.reference, n.sender, n.owner, CASE WHEN n.owner IS NULL THEN 0 ELSE 1 END, 0, n.url, "
     "NULL, NULL,"
     "  n.created"
     " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bool[], "
     "$7::text[],"
     "  $8::int8[], $9::text[], $10::text[], $11::text[], $12::text[], $13::timestamptz[])"
     " AS n (id, altinn2_id, resource, file, display, encrypted, checksum, size, reference, "
     "sender, owner,"
     "  url, created)"
     " ON CONFLICT (\"Altinn2AttachmentId\") DO NOTHING"},
    attachment_columns,
    sizeof attachment_columns / sizeof attachment_columns[0],
    sizeof(struct attachment_row)};

static const struct column attachment_status_columns[] = {
    COLUMN(attachment_row, COLUMN_UUID, status_id),
    COLUMN(attachment_row, COLUMN_UUID, attachment.id),
    COLUMN(attachment_row, COLUMN_TIME, created_us),
};
/* Only of attachments that the statement before made: one that was there has a history of its own.
 */
static const struct table attachment_statuses_table = {
    {"load_attachment_statuses",
     "INSERT INTO correspondence.\"AttachmentStatuses\" (\"Id\", \"AttachmentId\", \"Status\","
     " \"StatusText\", \"StatusChanged\", \"PartyUuid\")"
     " SELECT DISTINCT ON (n.id) n.id, n.attachment, 2, 'Published', n.created,"
     "  '00000000-0000-0000-0000-000000000000'::uuid"
     " FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS n (id, attachment, created)"
     " WHERE EXISTS (SELECT FROM correspondence.\"Attachments\" a WHERE a.\"Id\" = n.attachment)"
     "  AND NOT EXISTS (SELECT FROM correspondence.\"AttachmentStatuses\" s"
     "   WHERE s.\"AttachmentId\" = n.attachment)"
     " ORDER BY n.id"},
    attachment_status_columns,
    3,
    sizeof(struct attachment_row)};

static const struct column party_columns[] = {
    COLUMN(load_party, COLUMN_UUID, uuid),
    COLUMN(load_party, COLUMN_INT, altinn2_party_id),
};
/* Named twice in one chunk: the later line counts. */
static const struct table parties_table = {
    {"load_parties",
     "INSERT INTO sync.party AS p (party_uuid, altinn2_party_id)"
     " SELECT DISTINCT ON (n.uuid) n.uuid, n.number FROM unnest($1::uuid[], $2::int4[])"
     "  WITH ORDINALITY AS n (uuid, number, i) ORDER BY n.uuid, n.i DESC"
     " ON CONFLICT (party_uuid) DO UPDATE SET altinn2_party_id = excluded.altinn2_party_id"
     " WHERE p.altinn2_party_id <> excluded.altinn2_party_id"},
    party_columns,
    2,
    sizeof(struct load_party)};

/* One insert
 * ----------------------------------------------------------------------------------------- */

struct rows {
    const char *first;
    size_t count, size;
};

static const void *cell(const struct rows *rows, size_t row, const struct column *column)
{
    return rows->first + row * rows->size + column->offset;
}

/* Copies one column into an array and adds it; false when the arena is full. */
static bool add_column(struct sync_params *params, const struct rows *rows,
                       const struct column *column)
{
    static const size_t sizes[] = {sizeof(struct sync_uuid),  sizeof(int32_t),
                                   sizeof(int64_t),           sizeof(bool),
                                   sizeof(struct sync_bytes), sizeof(int64_t)};
    size_t size = sizes[column->type];
    char *values = sync_arena_take_array(params->arena, rows->count, size);
    bool *nulls = sync_arena_take_array(params->arena, rows->count, sizeof *nulls);
    if (!values || !nulls) {
        return false;
    }
    for (size_t i = 0; i < rows->count; i++) {
        memcpy(values + i * size, cell(rows, i, column), size);
        if (column->type == COLUMN_TIME) {
            nulls[i] = *(const int64_t *)cell(rows, i, column) == LOAD_ABSENT;
        } else if (column->present_offset != NEVER_NULL) {
            nulls[i] = !*(const bool *)(rows->first + i * rows->size + column->present_offset);
        }
    }
    switch (column->type) {
    case COLUMN_UUID:
        sync_params_uuid_array(params, (const struct sync_uuid *)(const void *)values, nulls,
                               rows->count);
        break;
    case COLUMN_INT:
        sync_params_int4_array(params, (const int32_t *)(const void *)values, nulls, rows->count);
        break;
    case COLUMN_LONG:
        sync_params_int8_array(params, (const int64_t *)(const void *)values, nulls, rows->count);
        break;
    case COLUMN_BOOL:
        sync_params_bool_array(params, (const bool *)(const void *)values, nulls, rows->count);
        break;
    case COLUMN_TEXT:
        sync_params_text_array(params, (const struct sync_bytes *)(const void *)values,
                               rows->count);
        break;
    case COLUMN_TIME:
        sync_params_time_array(params, (const int64_t *)(const void *)values, nulls, rows->count);
        break;
    }
    return true;
}

static sync_status insert(struct sync_db *db, struct sync_arena *arena, const struct table *table,
                          const void *first, size_t count, struct sync_error *err)
{
    if (count == 0) {
        return SYNC_OK;
    }
    size_t mark = sync_arena_mark(arena);
    struct rows rows = {.first = first, .count = count, .size = table->row_size};
    struct sync_params params;
    sync_params_init(&params, arena);
    for (size_t i = 0; i < table->column_count; i++) {
        if (!add_column(&params, &rows, &table->columns[i])) {
            return message_memory_full("the rows of a table", err);
        }
    }
    sync_status status = sync_db_exec(db, &table->statement, &params, NULL, err);
    sync_arena_reset(arena, mark);
    return status;
}

/* Rows of a chunk
 * ------------------------------------------------------------------------------------ */

struct chunk {
    struct sync_db *db;
    struct sync_arena *arena;
    struct sync_error *err;
    struct load_party *parties;
    struct sync_load_line **lines; /* of messages, ascending A2 id */
    struct load_message *messages; /* those that are new, ascending A2 id */
    size_t party_count, line_count, message_count;
};

static struct load_message *message_of(const struct sync_load_line *line)
{
    return &((struct load_item *)line->item)->message;
}

static int compare_lines(const void *left, const void *right)
{
    const struct sync_load_line *a = *(struct sync_load_line *const *)left;
    const struct sync_load_line *b = *(struct sync_load_line *const *)right;
    int32_t a_id = message_of(a)->altinn2_id, b_id = message_of(b)->altinn2_id;
    if (a_id != b_id) {
        return a_id < b_id ? -1 : 1;
    }
    return a->number < b->number ? -1 : 1;
}

static sync_status sort_lines(struct chunk *chunk, struct sync_load_line *lines, size_t count)
{
    chunk->parties = sync_arena_take_array(chunk->arena, count + 1, sizeof *chunk->parties);
    chunk->lines = sync_arena_take_array(chunk->arena, count + 1, sizeof(struct sync_load_line *));
    chunk->messages = sync_arena_take_array(chunk->arena, count + 1, sizeof *chunk->messages);
    if (!chunk->parties || !chunk->lines || !chunk->messages) {
        return message_memory_full("the lines of a chunk", chunk->err);
    }
    for (size_t i = 0; i < count; i++) {
        const struct load_item *item = lines[i].item;
        lines[i].known = false;
        lines[i].entity.size = 0;
        if (lines[i].refused) {
            continue;
        }
        if (item->is_party) {
            chunk->parties[chunk->party_count++] = item->party;
            continue;
        }
        struct sync_key *key = &lines[i].entity;
        key->size =
            (size_t)snprintf(key->text, sizeof key->text, "%" PRId32, item->message.altinn2_id);
        chunk->lines[chunk->line_count++] = &lines[i];
    }
    qsort(chunk->lines, chunk->line_count, sizeof(struct sync_load_line *), compare_lines);
    return SYNC_OK;
}

/* A message that is mapped stays what it is, even if Altinn 3 deleted it since: nothing is
 * resurrected. */
static sync_status find_known(struct chunk *chunk, const int32_t *ids)
{
    static const struct sync_statement statement = {
        "load_known", "SELECT k.i::int4 FROM unnest($1::int4[]) WITH ORDINALITY AS k (id, i)"
                      " WHERE EXISTS (SELECT FROM correspondence.\"Correspondences\" c"
                      "   WHERE c.\"Altinn2CorrespondenceId\" = k.id OFFSET 0)"
                      "  OR EXISTS (SELECT FROM sync.correspondence m WHERE m.altinn2_id = k.id "
                      "AND m.mapping = 2 OFFSET 0)"};
    struct sync_params params;
    sync_params_init(&params, chunk->arena);
    sync_params_int4_array(&params, ids, NULL, chunk->line_count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(chunk->db, &statement, &params, &result, chunk->err);
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        chunk->lines[sync_result_int4(&result, row, 0) - 1]->known = true;
    }
    return status;
}

/* Locks the messages as everybody does, then says which lines are new; a second line of one id is
 * not. */
static sync_status lock_messages(struct chunk *chunk)
{
    int32_t *ids = sync_arena_take_array(chunk->arena, chunk->line_count + 1, sizeof *ids);
    if (!ids) {
        return message_memory_full("the ids of a chunk", chunk->err);
    }
    size_t distinct = 0;
    for (size_t i = 0; i < chunk->line_count; i++) {
        int32_t id = message_of(chunk->lines[i])->altinn2_id;
        if (distinct == 0 || ids[distinct - 1] != id) {
            ids[distinct++] = id;
        }
    }
    sync_status status = message_lock_rows(chunk->db, chunk->arena, ids, distinct, chunk->err);
    for (size_t i = 0; i < chunk->line_count; i++) {
        ids[i] = message_of(chunk->lines[i])->altinn2_id;
    }
    if (sync_is_ok(status)) {
        status = find_known(chunk, ids);
    }
    for (size_t i = 0; sync_is_ok(status) && i < chunk->line_count; i++) {
        struct sync_load_line *line = chunk->lines[i];
        line->known = line->known || (i > 0 && ids[i] == ids[i - 1]);
        if (!line->known) {
            chunk->messages[chunk->message_count++] = *message_of(line);
        }
    }
    return status;
}

static struct sync_uuid child_id(const struct load_message *message, const char *table,
                                 const char *key)
{
    return message_row_id(&message->altinn3_id, table, key);
}

static sync_status write_contents(struct chunk *chunk)
{
    struct content_row *rows =
        sync_arena_take_array(chunk->arena, chunk->message_count, sizeof *rows);
    if (!rows) {
        return message_memory_full("contents", chunk->err);
    }
    for (size_t i = 0; i < chunk->message_count; i++) {
        const struct load_message *message = &chunk->messages[i];
        rows[i] = (struct content_row){.id = child_id(message, "CorrespondenceContents", "1"),
                                       .message = message->altinn3_id,
                                       .language = message->language,
                                       .title = message->title,
                                       .summary = message->summary,
                                       .body = message->body};
    }
    return insert(chunk->db, chunk->arena, &contents_table, rows, chunk->message_count, chunk->err);
}

static sync_status write_reply_options(struct chunk *chunk)
{
    size_t count = 0, n = 0;
    for (size_t i = 0; i < chunk->message_count; i++) {
        count += chunk->messages[i].reply_option_count;
    }
    struct child_row *rows = sync_arena_take_array(chunk->arena, count + 1, sizeof *rows);
    if (!rows) {
        return message_memory_full("reply options", chunk->err);
    }
    for (size_t i = 0; i < chunk->message_count; i++) {
        const struct load_message *message = &chunk->messages[i];
        for (size_t k = 0; k < message->reply_option_count; k++) {
            char key[24];
            (void)snprintf(key, sizeof key, "%zu", k);
            rows[n++] =
                (struct child_row){.id = child_id(message, "CorrespondenceReplyOptions", key),
                                   .parent = message->altinn3_id,
                                   .first = message->reply_options[k].url,
                                   .second = message->reply_options[k].text};
        }
    }
    return insert(chunk->db, chunk->arena, &reply_options_table, rows, n, chunk->err);
}

static sync_status write_dialogs(struct chunk *chunk)
{
    struct child_row *rows =
        sync_arena_take_array(chunk->arena, chunk->message_count, sizeof *rows);
    size_t n = 0;
    if (!rows) {
        return message_memory_full("dialog references", chunk->err);
    }
    for (size_t i = 0; i < chunk->message_count; i++) {
        const struct load_message *message = &chunk->messages[i];
        char text[SYNC_UUID_BUFFER];
        if (!message->has_dialog) {
            continue;
        }
        sync_uuid_format(&message->dialog_id, text);
        struct sync_bytes copy = sync_arena_copy(
            chunk->arena, (struct sync_bytes){(const uint8_t *)text, SYNC_UUID_TEXT});
        if (!copy.data) {
            return message_memory_full("dialog references", chunk->err);
        }
        rows[n++] = (struct child_row){.id = child_id(message, "ExternalReferences", "3"),
                                       .parent = message->altinn3_id,
                                       .first = copy};
    }
    return insert(chunk->db, chunk->arena, &dialogs_table, rows, n, chunk->err);
}

static sync_status write_attachments(struct chunk *chunk)
{
    size_t count = 0, n = 0;
    for (size_t i = 0; i < chunk->message_count; i++) {
        count += chunk->messages[i].attachment_count;
    }
    struct attachment_row *rows = sync_arena_take_array(chunk->arena, count + 1, sizeof *rows);
    struct child_row *links = sync_arena_take_array(chunk->arena, count + 1, sizeof *links);
    if (!rows || !links) {
        return message_memory_full("attachments", chunk->err);
    }
    for (size_t i = 0; i < chunk->message_count; i++) {
        const struct load_message *message = &chunk->messages[i];
        for (size_t k = 0; k < message->attachment_count; k++, n++) {
            const struct load_attachment *attachment = &message->attachments[k];
            char key[SYNC_UUID_BUFFER];
            sync_uuid_format(&attachment->id, key);
            rows[n] = (struct attachment_row){
                .attachment = *attachment,
                .status_id = message_row_id(&attachment->id, "AttachmentStatuses", "2"),
                .resource_id = message->resource_id,
                .sender = message->sender,
                .owner = message->owner,
                .created_us = message->created_us};
            links[n] =
                (struct child_row){.id = child_id(message, "CorrespondenceAttachments", key),
                                   .parent = child_id(message, "CorrespondenceContents", "1"),
                                   .first = attachment->altinn2_attachment_id};
        }
    }
    sync_status status = insert(chunk->db, chunk->arena, &attachments_table, rows, n, chunk->err);
    if (sync_is_ok(status)) {
        status = insert(chunk->db, chunk->arena, &attachment_statuses_table, rows, n, chunk->err);
    }
    return sync_is_ok(status) ? insert(chunk->db, chunk->arena, &links_table, links, n, chunk->err)
                              : status;
}

static sync_status fill_act(struct chunk *chunk, const struct load_message *message,
                            const struct load_act *act, bool deletes, struct act_row *ret_row)
{
    static const int32_t wire_kinds[] = {0, STATUS_PURGED_BY_OWNER, STATUS_PURGED_BY_RECIPIENT,
                                         STATUS_SOFT_DELETED, STATUS_RESTORED}; /* by event type */
    int32_t kind = deletes ? wire_kinds[act->kind] : act->kind;
    char party[SYNC_UUID_BUFFER], key[80], text[80];
    sync_uuid_format(&act->party, party);
    (void)snprintf(key, sizeof key, "%" PRId32 "/%s/%" PRId64, kind, party,
                   sync_second_of(act->at_us));
    int size =
        snprintf(text, sizeof text, "Remigrate event %s from Altinn 2", status_kind_name(kind));
    *ret_row = (struct act_row){
        .id = child_id(message, deletes ? "CorrespondenceDeleteEvents" : "CorrespondenceStatuses",
                       key),
        .message = message->altinn3_id,
        .party = act->party,
        .kind = act->kind,
        .at_us = act->at_us,
        .text = sync_arena_copy(chunk->arena,
                                (struct sync_bytes){(const uint8_t *)text, (size_t)size})};
    return ret_row->text.data ? SYNC_OK : message_memory_full("histories", chunk->err);
}

static sync_status write_acts(struct chunk *chunk, bool deletes)
{
    size_t count = 0, n = 0;
    for (size_t i = 0; i < chunk->message_count; i++) {
        const struct load_message *message = &chunk->messages[i];
        count += deletes ? message->delete_event_count : message->status_count;
    }
    struct act_row *rows = sync_arena_take_array(chunk->arena, count + 1, sizeof *rows);
    if (!rows) {
        return message_memory_full("histories", chunk->err);
    }
    for (size_t i = 0; i < chunk->message_count; i++) {
        const struct load_message *message = &chunk->messages[i];
        size_t acts = deletes ? message->delete_event_count : message->status_count;
        for (size_t k = 0; k < acts; k++) {
            const struct load_act *act =
                deletes ? &message->delete_events[k] : &message->statuses[k];
            sync_status status = fill_act(chunk, message, act, deletes, &rows[n++]);
            if (!sync_is_ok(status)) {
                return status;
            }
        }
    }
    return insert(chunk->db, chunk->arena, deletes ? &delete_events_table : &statuses_table, rows,
                  n, chunk->err);
}

static sync_status write_messages(struct chunk *chunk)
{
    sync_status status = insert(chunk->db, chunk->arena, &messages_table, chunk->messages,
                                chunk->message_count, chunk->err);
    if (sync_is_ok(status)) {
        status = write_contents(chunk);
    }
    if (sync_is_ok(status)) {
        status = write_reply_options(chunk);
    }
    if (sync_is_ok(status)) {
        status = write_dialogs(chunk);
    }
    if (sync_is_ok(status)) {
        status = write_attachments(chunk);
    }
    if (sync_is_ok(status)) {
        status = write_acts(chunk, false);
    }
    return sync_is_ok(status) ? write_acts(chunk, true) : status;
}

sync_status correspondence_load_write(struct sync_db *db, struct sync_load_line *lines,
                                      size_t count, struct sync_arena *arena,
                                      struct sync_error *err)
{
    struct chunk chunk = {.db = db, .arena = arena, .err = err};
    sync_status status = sort_lines(&chunk, lines, count);
    if (sync_is_ok(status) && chunk.line_count > 0) {
        status = lock_messages(&chunk); /* before anything else, as everybody */
    }
    if (sync_is_ok(status)) {
        status = insert(db, arena, &parties_table, chunk.parties, chunk.party_count, err);
    }
    if (sync_is_ok(status) && chunk.message_count > 0) {
        status = write_messages(&chunk);
    }
    return status;
}
