/*
 * The store of correspondence status: set-based SQL over arrays in the database of Altinn 3
 * correspondence, one statement per table and step. This file holds its table of functions, what
 * the steps share, and the question of the adoption sweep. Not here: the steps, each in a file of
 * its own (settle, lock, load, write), and every rule (processors/correspondence_status.c).
 */
#include "correspondence_store.h"

#include "../../src/runtime/id.h"

#include <stdio.h>
#include <stdlib.h>

/* A held record has passed the check of its key, so the text is a number. */
static const struct sync_statement adoptable = {
    "correspondence_adoptable",
    "SELECT w.entity_key FROM"
    " (SELECT entity_key FROM sync.hold WHERE scope = $1 AND topic = $2 AND partition = $3"
    "   AND entity_key > $5 AND entity_key <= $6"
    "  UNION SELECT p.entity_key FROM sync.parked AS p WHERE p.scope = $1 AND p.topic = $2"
    "   AND p.partition = $3 AND p.entity_key > $5 AND p.entity_key <= $6"
    "   AND " SYNC_PARKED_BY_LIMIT(
        "p") " OFFSET 0) AS w"
             " WHERE EXISTS (SELECT FROM correspondence.\"Correspondences\" c"
             "  WHERE c.\"Altinn2CorrespondenceId\" = w.entity_key::int OFFSET 0)"
             " ORDER BY w.entity_key COLLATE \"C\" LIMIT $4"};

const struct sync_store sync_store_correspondence = {
    .name = "correspondence",
    .rights = message_rights,
    .digest = "SELECT c.altinn2_id, c.has_read, c.has_confirmed, c.has_archived, c.is_purged,"
              " c.max_soft_deleted, c.max_restored, c.max_archived, f.kind, f.party_uuid, f.second"
              " FROM sync.correspondence c JOIN sync.correspondence_fact f USING (altinn2_id)",
    .settle = message_settle,
    .lock = message_lock,
    .load = message_load,
    .store = message_write,
    .adoptable = &adoptable,
};

sync_status message_memory_full(const char *what, struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                     "take memory of the batch for %s: the arena is full", what);
}

static int compare_ids(const void *left, const void *right)
{
    int32_t a = (*(struct message *const *)left)->state.altinn2_id;
    int32_t b = (*(struct message *const *)right)->state.altinn2_id;
    return (a > b) - (a < b);
}

sync_status message_list(const struct sync_batch *batch, struct message ***ret_messages,
                         struct sync_error *err)
{
    struct message **messages =
        sync_arena_take_array(batch->arena, batch->entity_count + 1, sizeof *messages);
    if (!messages) {
        return message_memory_full("its messages", err);
    }
    for (size_t i = 0; i < batch->entity_count; i++) {
        messages[i] = batch->entities[i].state;
    }
    qsort(messages, batch->entity_count, sizeof *messages, compare_ids);
    *ret_messages = messages;
    return SYNC_OK;
}

int32_t message_id_of(const struct sync_key *key)
{
    int64_t id = 0;
    if (key->size == 0 || key->size > 10 || key->text[0] == '0') {
        return 0;
    }
    for (size_t i = 0; i < key->size; i++) {
        if (key->text[i] < '0' || key->text[i] > '9') {
            return 0;
        }
        id = id * 10 + (key->text[i] - '0');
    }
    return id > INT32_MAX ? 0 : (int32_t)id;
}

struct sync_uuid message_row_id(const struct sync_uuid *namespace_id, const char *table,
                                const char *key)
{
    char name[160];
    int size = snprintf(name, sizeof name, "altinn-sync/row/%s/%s", table, key);
    SYNC_ASSERT(size > 0 && (size_t)size < sizeof name);
    return sync_id_v5(namespace_id, (struct sync_bytes){(const uint8_t *)name, (size_t)size});
}
