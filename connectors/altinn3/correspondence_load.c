/*
 * What the fold has to know, in the order that keeps it true: stored facts of the keys, purge keys,
 * share locks on rows of Altinn 3, then its rows. Not here: the look-ups of Altinn 3
 * (correspondence_ask.c) and what the states get from them (correspondence_fill.c).
 */
#include "correspondence_store.h"

#include "../../src/runtime/id.h"
#include "../../src/runtime/log.h"

#include <stdlib.h>

/* Keys
 * --------------------------------------------------------------------------------------------- */

static int compare_keys(const void *left, const void *right)
{
    const struct message_key *a = left, *b = right;
    int32_t a_id = a->message->state.altinn2_id, b_id = b->message->state.altinn2_id;
    if (a_id != b_id) {
        return a_id < b_id ? -1 : 1;
    }
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    int party = sync_uuid_compare(&a->party, &b->party);
    if (party != 0) {
        return party;
    }
    if (a->second != b->second) {
        return a->second < b->second ? -1 : 1;
    }
    return a->order < b->order ? -1 : 1;
}

/* sights: what settle saw of these records, NULL for released ones. */
static void add_keys(struct message_batch *all, struct sync_record *records, size_t count,
                     const struct message_sight *sights)
{
    for (size_t i = 0; i < count; i++) {
        const struct sync_record *record = &records[i];
        const struct status_change *change = record->change;
        if (record->decided || !change || !record->state) {
            continue;
        }
        const struct message *message = record->state;
        bool echo = change->has_origin && status_system_of(&change->origin) == record->route->to;
        bool same = sights && sights[i].asked && sights[i].exists &&
                    sights[i].version == message->state.version;
        all->keys[all->key_count] = (struct message_key){
            .message = record->state,
            .change = change,
            .order = all->key_count,
            .kind = change->kind,
            .party = change->party,
            .second = sync_second_of(change->occurred_at_us),
            .to_altinn3 = !echo && record->route->to == SYNC_SYSTEM_ALTINN3,
            .to_altinn2 = !echo && record->route->to == SYNC_SYSTEM_ALTINN2,
            .no_origin = !change->has_origin,
            .fresh = same && !sights[i].known,
            .echo_until_us = STATUS_NEVER,
        };
        all->key_count++;
    }
}

static bool is_same_key(const struct message_key *a, const struct message_key *b)
{
    return a->message == b->message && a->kind == b->kind && a->second == b->second &&
           sync_uuid_compare(&a->party, &b->party) == 0;
}

/* One key per (message, kind, party, second); the first record of the fold gives its change. */
static void merge_keys(struct message_batch *all)
{
    size_t kept = 0;
    qsort(all->keys, all->key_count, sizeof *all->keys, compare_keys);
    for (size_t i = 0; i < all->key_count; i++) {
        if (kept > 0 && is_same_key(&all->keys[kept - 1], &all->keys[i])) {
            all->keys[kept - 1].to_altinn3 |= all->keys[i].to_altinn3;
            all->keys[kept - 1].to_altinn2 |= all->keys[i].to_altinn2;
            all->keys[kept - 1].no_origin |= all->keys[i].no_origin;
            continue;
        }
        all->keys[kept++] = all->keys[i];
    }
    all->key_count = kept;
    for (size_t i = kept; i-- > 0;) {
        all->keys[i].message->key_first = i;
        all->keys[i].message->key_count++;
    }
}

static sync_status collect(struct message_batch *all, struct sync_error *err)
{
    struct sync_batch *batch = all->batch;
    all->message_count = batch->entity_count;
    sync_status status = message_list(batch, &all->messages, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    all->keys = sync_arena_take_array(batch->arena, batch->record_count + batch->released_count + 1,
                                      sizeof *all->keys);
    if (!all->keys) {
        return message_memory_full("its keys", err);
    }
    add_keys(all, batch->released, batch->released_count, NULL);
    add_keys(all, batch->records, batch->record_count, batch->store_data);
    merge_keys(all);
    return SYNC_OK;
}

/* Stored facts of the keys
 * -------------------------------------------------------------------------- */

static sync_status find_known(struct message_batch *all, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "correspondence_known",
        "SELECT k.i, f.in_a2, f.in_a3, f.refused"
        " FROM unnest($1::int4[], $2::int4[], $3::int2[], $4::uuid[], $5::int8[])"
        "  AS k (i, id, kind, party, second)"
        " CROSS JOIN LATERAL (SELECT * FROM sync.correspondence_fact m WHERE m.altinn2_id = k.id"
        "  AND m.kind = k.kind AND m.party_uuid = k.party AND m.second = k.second"
        "  OFFSET 0) AS f"};
    struct sync_arena *arena = all->batch->arena;
    size_t n = 0, most = all->key_count;
    int32_t *index = sync_arena_take_array(arena, most, sizeof *index);
    int32_t *id = sync_arena_take_array(arena, most, sizeof *id);
    int16_t *kind = sync_arena_take_array(arena, most, sizeof *kind);
    struct sync_uuid *party = sync_arena_take_array(arena, most, sizeof *party);
    int64_t *second = sync_arena_take_array(arena, most, sizeof *second);
    if (!index || !id || !kind || !party || !second) {
        return message_memory_full("the keys to look up", err);
    }
    for (size_t i = 0; i < most; i++) {
        if (all->keys[i].fresh) {
            continue;
        }
        index[n] = (int32_t)i;
        id[n] = all->keys[i].message->state.altinn2_id;
        kind[n] = (int16_t)all->keys[i].kind;
        party[n] = all->keys[i].party;
        second[n++] = all->keys[i].second;
    }
    if (n == 0) {
        return SYNC_OK;
    }
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_int4_array(&params, index, NULL, n);
    sync_params_int4_array(&params, id, NULL, n);
    sync_params_int2_array(&params, kind, NULL, n);
    sync_params_uuid_array(&params, party, NULL, n);
    sync_params_int8_array(&params, second, NULL, n);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(all->db, &statement, &params, &result, err);
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        struct message_key *key = &all->keys[sync_result_int4(&result, row, 0)];
        key->known = true;
        key->in_a2 = sync_result_bool(&result, row, 1);
        key->in_a3 = sync_result_bool(&result, row, 2);
        key->refused = sync_result_bool(&result, row, 3);
    }
    return status;
}

/* Which messages need what. A key that is known writes nothing to Altinn 3. */
static size_t mark_messages(struct message_batch *all)
{
    size_t touched = 0;
    for (size_t i = 0; i < all->key_count; i++) {
        struct message_key *key = &all->keys[i];
        bool mapped = key->message->state.mapping == STATUS_MAPPED;
        key->message->touched |= mapped && key->to_altinn3 && !key->known;
        key->message->asked |= mapped && key->to_altinn2;
    }
    for (size_t i = 0; i < all->message_count; i++) {
        struct message *message = all->messages[i];
        message->touched |= message->import_all; /* adopted: the gate is confirmed under the lock */
        message->asked &= !message->touched;
        touched += message->touched;
    }
    return touched;
}

/* Purge keys
 * ---------------------------------------------------------------------------------------- */

static int compare_altinn3(const void *left, const void *right)
{
    const struct message *a = *(struct message *const *)left, *b = *(struct message *const *)right;
    return sync_uuid_compare(&a->state.altinn3_id, &b->state.altinn3_id);
}

static bool wants_purge_key(const struct message_batch *all, const struct message *message)
{
    if (!message->touched || message->state.purged) {
        return false;
    }
    for (size_t i = 0; i < message->key_count; i++) {
        const struct message_key *key = &all->keys[message->key_first + i];
        if (key->to_altinn3 && !key->known && status_kind_is_purge(key->kind)) {
            return true;
        }
    }
    return false;
}

/* The purge key of a message, for sorting by the key. */
struct purge_key {
    struct sync_uuid id;
    struct message *message;
};

static int compare_purge_keys(const void *left, const void *right)
{
    return sync_uuid_compare(&((const struct purge_key *)left)->id,
                             &((const struct purge_key *)right)->id);
}

/* Keys that came back are ours now; the others were there. */
static void note_taken(struct purge_key *keys, size_t count, const struct sync_result *taken)
{
    for (size_t i = 0; i < count; i++) {
        keys[i].message->key_there = true;
    }
    for (int row = 0; row < taken->rows; row++) {
        struct purge_key wanted = {.id = sync_result_uuid(taken, row, 0)};
        struct purge_key *key = bsearch(&wanted, keys, count, sizeof *keys, compare_purge_keys);
        SYNC_ASSERT(key != NULL);
        key->message->key_there = false;
    }
}

static sync_status insert_purge_keys(struct message_batch *all, struct purge_key *keys,
                                     size_t count, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "correspondence_purge_key", "INSERT INTO correspondence.\"IdempotencyKeys\" (\"Id\", "
                                    "\"CorrespondenceId\", \"AttachmentId\","
                                    " \"PartyUrn\", \"StatusAction\", \"IdempotencyType\")"
                                    " SELECT k.id, k.message, NULL, NULL, NULL, 5"
                                    " FROM unnest($1::uuid[], $2::uuid[]) AS k (id, message)"
                                    " WHERE EXISTS (SELECT FROM correspondence.\"Correspondences\" "
                                    "c WHERE c.\"Id\" = k.message OFFSET 0)"
                                    " ORDER BY k.id ON CONFLICT (\"Id\") DO NOTHING"
                                    " RETURNING \"Id\""};
    struct sync_arena *arena = all->batch->arena;
    struct sync_uuid *ids = sync_arena_take_array(arena, count, sizeof *ids);
    struct sync_uuid *owners = sync_arena_take_array(arena, count, sizeof *owners);
    if (!ids || !owners) {
        return message_memory_full("purge keys", err);
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = keys[i].id;
        owners[i] = keys[i].message->state.altinn3_id;
    }
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_uuid_array(&params, ids, NULL, count);
    sync_params_uuid_array(&params, owners, NULL, count);
    SYNC_RESULT taken = {0};
    sync_status status = sync_db_exec(all->db, &statement, &params, &taken, err);
    if (sync_is_ok(status)) {
        note_taken(keys, count, &taken);
    }
    return status;
}

/* Key first, then the row of the message: the order of the application's own purge. An application
 * that purges in this moment is waited for, and the look-up after it sees its rows. */
static sync_status take_purge_keys(struct message_batch *all, struct sync_error *err)
{
    struct purge_key *keys =
        sync_arena_take_array(all->batch->arena, all->message_count, sizeof *keys);
    if (!keys) {
        return message_memory_full("purge keys", err);
    }
    size_t count = 0;
    for (size_t i = 0; i < all->message_count; i++) {
        struct message *message = all->messages[i];
        if (wants_purge_key(all, message)) {
            struct sync_uuid id =
                sync_id_v5(&message->state.altinn3_id, sync_bytes_text("PurgeCorrespondence"));
            keys[count++] = (struct purge_key){id, message};
        }
    }
    if (count == 0) {
        return SYNC_OK;
    }
    qsort(keys, count, sizeof *keys, compare_purge_keys);
    return insert_purge_keys(all, keys, count, err);
}

/* A key without a row of a purge, now that the rows are imported: a purge of Altinn 3 was aborted.
 * It stops nothing (CS-25, CS-26). */
static void count_orphans(struct message_batch *all)
{
    for (size_t i = 0; i < all->message_count; i++) {
        const struct message *message = all->messages[i];
        all->batch->orphan_keys += message->key_there && message->found && !message->state.purged;
    }
}

/* Rows of the messages
 * ------------------------------------------------------------------------------ */

static void read_message(struct message *message, const struct sync_result *result, int row)
{
    bool is_migrating = sync_result_bool(result, row, 1);
    message->state.has_recipient_party = sync_result_int4(result, row, 2) > 0;
    message->state.recipient_party_id = sync_result_int4(result, row, 2);
    message->state.confirmation_needed = sync_result_bool(result, row, 3);
    if (!message->touched) {
        return;
    }
    int32_t gate = message->state.gate;
    if (!is_migrating && (gate == STATUS_HIDDEN || gate == STATUS_OPENING)) {
        message->flipped = true; /* CS-102 */
        message->import_all = true;
    }
    if (is_migrating && gate == STATUS_VISIBLE) {
        sync_log(
            SYNC_ERROR, "gate_reversed",
            SYNC_LOG_TEXT("error", "Altinn 3 hides a message again that was visible (CS-102)"));
    }
}

/* Rows come in the order of the wanted ids; an id without a row was deleted there. */
static void read_found(struct message **wanted, size_t count, const struct sync_result *result)
{
    int row = 0;
    for (size_t i = 0; i < count; i++) {
        struct sync_uuid id =
            row < result->rows ? sync_result_uuid(result, row, 0) : (struct sync_uuid){{0}};
        wanted[i]->found =
            row < result->rows && sync_uuid_compare(&id, &wanted[i]->state.altinn3_id) == 0;
        wanted[i]->state.a3_present = wanted[i]->found; /* CS-103 */
        if (wanted[i]->found) {
            read_message(wanted[i], result, row++);
        }
    }
}

static sync_status read_messages(struct message_batch *all, bool locked, struct sync_error *err)
{
    static const struct sync_statement share = {
        "correspondence_share",
        "SELECT c.\"Id\", c.\"IsMigrating\", c.\"PartyId\", c.\"IsConfirmationNeeded\""
        " FROM correspondence.\"Correspondences\" c WHERE c.\"Id\" = ANY ($1::uuid[])"
        " ORDER BY c.\"Id\" FOR SHARE"};
    static const struct sync_statement ask = {
        "correspondence_peek",
        "SELECT c.\"Id\", c.\"IsMigrating\", c.\"PartyId\", c.\"IsConfirmationNeeded\""
        " FROM correspondence.\"Correspondences\" c WHERE c.\"Id\" = ANY ($1::uuid[]) ORDER BY "
        "c.\"Id\""};
    struct sync_arena *arena = all->batch->arena;
    struct message **wanted = sync_arena_take_array(arena, all->message_count, sizeof *wanted);
    struct sync_uuid *ids = sync_arena_take_array(arena, all->message_count, sizeof *ids);
    if (!wanted || !ids) {
        return message_memory_full("rows of Altinn 3", err);
    }
    size_t count = 0;
    for (size_t i = 0; i < all->message_count; i++) {
        if (locked ? all->messages[i]->touched : all->messages[i]->asked) {
            wanted[count++] = all->messages[i];
        }
    }
    if (count == 0) {
        return SYNC_OK;
    }
    qsort(wanted, count, sizeof *wanted, compare_altinn3);
    for (size_t i = 0; i < count; i++) {
        ids[i] = wanted[i]->state.altinn3_id;
    }
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_uuid_array(&params, ids, NULL, count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(all->db, locked ? &share : &ask, &params, &result, err);
    if (sync_is_ok(status)) {
        read_found(wanted, count, &result);
    }
    return status;
}

static sync_status lock_altinn3(struct message_batch *all, struct sync_error *err)
{
    sync_status status = sync_txn_hurry(all->db, err);
    if (sync_is_ok(status)) {
        status = take_purge_keys(all, err);
    }
    if (sync_is_ok(status)) {
        status = read_messages(all, true, err);
    }
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "lock messages in Altinn 3");
    }
    return SYNC_OK;
}

sync_status message_load(struct sync_db *db, struct sync_batch *batch, struct sync_error *err)
{
    struct message_batch all = {.db = db, .batch = batch};
    if (batch->entity_count == 0) {
        return SYNC_OK;
    }
    sync_status status = collect(&all, err);
    if (sync_is_ok(status) && all.key_count > 0) {
        status = find_known(&all, err);
    }
    if (!sync_is_ok(status)) {
        return status;
    }
    if (mark_messages(&all) > 0) {
        status = lock_altinn3(&all, err);
    }
    if (sync_is_ok(status)) {
        status = read_messages(&all, false, err);
    }
    if (sync_is_ok(status)) {
        status = message_ask(&all, err);
    }
    if (sync_is_ok(status)) {
        status = message_fill(&all, err);
    }
    if (sync_is_ok(status)) {
        count_orphans(&all);
    }
    return status;
}
