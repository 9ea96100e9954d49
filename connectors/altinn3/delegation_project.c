/*
 * Projection to Altinn 3 (10.1): what is to be written, whether it may be (DL-83, DL-102), and what
 * the key knows afterwards. One change per row, whatever the batch decided in between. Not here:
 * the statements (delegation_project_find.c, delegation_project_write.c).
 */
#include "delegation_project.h"

#include "../../src/core/limits.h"
#include "../../src/runtime/digest.h"
#include "../../src/runtime/id.h"
#include "../../src/runtime/log.h"
#include "authorization_ids.h"
#include "delegation_metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static sync_status full(struct sync_error *err)
{
    return deleg_memory_full("rows of Altinn 3", err);
}

/* Planning ----------------------------------------------------------------------------------- */

/* DL-17: our own system stands in for a performer that is no entity there. */
static struct sync_uuid performer_of(const struct deleg_batch *all, const struct deleg_slot *slot)
{
    const struct delegation_state *state = &slot->giver->state;
    const struct sync_uuid *performer = &deleg_key(slot)->cause.performer;
    for (size_t i = 0; i < state->party_count; i++) {
        if (sync_uuid_compare(&state->parties[i].uuid, performer) == 0) {
            return *performer;
        }
    }
    return all->context->identity;
}

/* What the capture reads back as origin. */
static struct sync_bytes operation_of(struct sync_arena *arena,
                                      const struct delegation_cause *cause)
{
    static const char *const sources[] = {"A2", "A3", "SYS"};
    char text[128];
    int size =
        snprintf(text, sizeof text, "altinn-sync/%s/%.*s/%" PRId64, sources[cause->source],
                 (int)cause->stream.size,
                 cause->stream.size == 0 ? "" : (const char *)cause->stream.data, cause->seq);
    SYNC_ASSERT(size > 0 && (size_t)size < sizeof text);
    return sync_arena_copy(arena, (struct sync_bytes){(const uint8_t *)text, (size_t)size});
}

/* Derived, never random: time of the event that made the write due, table, unique columns, key and
 * version, so that a repeat has the same id. */
static struct sync_uuid row_id(const struct deleg_write *write, const char *table)
{
    const struct delegation_key *key = deleg_key(write->slot);
    char version[24];
    (void)snprintf(version, sizeof version, "%" PRId64, key->version);
    const struct sync_bytes parts[] = {
        sync_bytes_text(table),
        {write->from.bytes, sizeof write->from.bytes},
        {write->to.bytes, sizeof write->to.bytes},
        {write->role.bytes, sizeof write->role.bytes},
        sync_bytes_text(key->name.target),
        sync_bytes_text(key->name.instance),
        {key->id.bytes, sizeof key->id.bytes},
        sync_bytes_text(version),
    };
    struct sync_digest digest = sync_digest_parts(parts, sizeof parts / sizeof parts[0]);
    return sync_id_v7(key->cause.capture_us, &digest);
}

static void name_rows(struct deleg_write *write)
{
    static const char *const tables[] = {[DELEGATION_SINGLE] = "assignmentresource",
                                         [DELEGATION_INSTANCE] = "assignmentinstance",
                                         [DELEGATION_PACKAGE] = "assignmentpackage",
                                         [DELEGATION_ROLE] = "assignment",
                                         [DELEGATION_CLIENT] = "delegationpackage"};
    write->assignment_id = row_id(write, "assignment");
    write->delegation_id = row_id(write, "delegation");
    write->id = row_id(write, tables[deleg_kind(write)]);
}

static bool plan_write(struct deleg_batch *all, struct deleg_slot *slot, struct deleg_write *write)
{
    const struct delegation_key *key = deleg_key(slot);
    bool client = key->name.kind == DELEGATION_CLIENT;
    write->slot = slot;
    write->wanted = key->held_a3;
    write->from = client ? key->name.facilitator : key->name.from;
    write->to = key->name.to;
    write->role = deleg_container_role(slot);
    write->performer = performer_of(all, slot);
    write->operation = operation_of(all->batch->arena, &key->cause);
    write->path = deleg_policy_path(all->batch->arena, key);
    name_rows(write);
    return write->operation.data != NULL && write->path.data != NULL;
}

/* A write that the batch itself made needless again ends here (DL-82). */
static sync_status plan(struct deleg_batch *all, struct deleg_writes *writes,
                        struct sync_error *err)
{
    writes->items =
        sync_arena_take_array(all->batch->arena, all->slot_count + 1, sizeof *writes->items);
    if (writes->items == NULL) {
        return full(err);
    }
    for (size_t i = 0; i < all->slot_count; i++) {
        struct delegation_key *key = deleg_key(&all->slots[i]);
        if (!key->write_a3) {
            continue;
        }
        if (key->held_a3 == key->seen_a3) {
            delegation_written(key, true);
            continue;
        }
        if (!plan_write(all, &all->slots[i], &writes->items[writes->count++])) {
            return full(err);
        }
    }
    return SYNC_OK;
}

/* What a born event of the batch said about the row: nothing that we see is newer (DL-83). */
static void take_reports(struct deleg_batch *all)
{
    for (size_t i = 0; i < all->slot_count; i++) {
        struct deleg_slot *slot = &all->slots[i];
        struct delegation_key *key = deleg_key(slot);
        if (!key->report.told) {
            continue;
        }
        slot->has_row = key->report.is_there;
        slot->has_row_id = false;
        slot->row_valid_us = key->report.valid_us;
        slot->a3_changed = true;
        key->dirty = true;
    }
}

/* Judging ------------------------------------------------------------------------------------ */

static bool is_as_seen(const struct deleg_write *write)
{
    const struct deleg_slot *slot = write->slot;
    if (!slot->has_row || !write->row.there) {
        return slot->has_row == write->row.there;
    }
    return slot->row_valid_us == write->row.valid_us &&
           (!slot->has_row_id || sync_uuid_compare(&slot->row_id, &write->row.id) == 0);
}

static bool is_ours(const struct deleg_batch *all, const struct deleg_found *found)
{
    return sync_uuid_compare(&found->writer, &all->context->identity) == 0;
}

static enum deleg_act act_of(const struct deleg_batch *all, const struct deleg_write *write)
{
    if (write->wanted == 0 && !write->row.there) {
        return DELEG_NOTHING; /* whoever removed it */
    }
    if (write->wanted == 0 && write->slot->ours_only && !is_ours(all, &write->row)) {
        return DELEG_NOTHING; /* DL-45 */
    }
    if (!is_as_seen(write)) {
        return DELEG_PUT_OFF;
    }
    if (!write->row.there) {
        return DELEG_INSERT;
    }
    if (write->wanted == 0) {
        return DELEG_REMOVE;
    }
    return deleg_kind(write) <= DELEGATION_INSTANCE ? DELEG_UPDATE : DELEG_NOTHING;
}

/* Identities whose rows are copies of Altinn 2's, so that no person's word is lost with them. */
static bool is_sync_identity(const struct deleg_batch *all, const struct sync_uuid *id)
{
    static const char *const others[] = {AUTHORIZATION_SYSTEM_A2_ROLE_IMPORT,
                                         AUTHORIZATION_SYSTEM_A2_ADD_RULES_API,
                                         AUTHORIZATION_SYSTEM_A2_INSTANCE_IMPORT};
    char text[SYNC_UUID_BUFFER];
    sync_uuid_format(id, text);
    bool found = sync_uuid_compare(id, &all->context->identity) == 0;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        found = found || strcmp(text, others[i]) == 0;
    }
    return found;
}

/* Rows that are not as they were seen ---------------------------------------------------------- */

/* Where the log of Altinn 3 stands, and up to where its events are decided in every partition. */
static sync_status read_log(struct deleg_batch *all, int64_t *ret_now, int64_t *ret_decided,
                            struct sync_error *err)
{
    static const struct sync_statement statement = {
        "delegation_log_position",
        "WITH c AS (SELECT coalesce(max(s.sequence_base), 0) AS base, max(s.generation) AS number"
        "  FROM sync.source s WHERE s.name = $1)"
        " SELECT c.base + (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8,"
        "  coalesce((SELECT min(p.pos) FROM sync.stream_pos p"
        "   WHERE p.stream = 'a3.change.' || c.number AND p.topic = 'altinn3.delegation.v1'"
        "   HAVING count(*) >= (SELECT t.partitions FROM sync.topic t"
        "    WHERE t.topic = 'altinn3.delegation.v1')), 0) FROM c"};
    struct sync_params params;
    sync_params_init(&params, all->batch->arena);
    sync_params_text(&params, DELEG_CAPTURE_ALTINN3);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(all->db, &statement, &params, &result, err);
    if (sync_is_ok(status)) {
        int64_t now = sync_result_int8(&result, 0, 0);
        *ret_now = now > 0 ? now : 1;
        *ret_decided = sync_result_int8(&result, 0, 1);
    }
    return status;
}

/* The position that a key has waited for; 0 = it has not waited. */
static int64_t waited_for(const struct deleg_slot *slot)
{
    for (const struct deleg_missing *at = slot->recorded; at != NULL; at = at->next) {
        if (strcmp(at->kind, "a3_event") == 0) {
            return strtoll((const char *)at->id.data, NULL, 10);
        }
    }
    return 0;
}

static void know_content(struct deleg_write *write, const struct sync_array *actions)
{
    struct delegation_key *key = deleg_key(write->slot);
    write->known = true;
    if (!write->row.there) {
        write->content_known = true;
    } else if (deleg_kind(write) > DELEGATION_INSTANCE) {
        write->content_known = true;
        write->content = 1; /* "*", the only right of such a key */
    } else if (actions->data != NULL) {
        write->content_known = true;
        write->content = deleg_set_read(key, *actions);
    }
}

static sync_status read_contents(struct deleg_batch *all, struct deleg_writes *writes,
                                 struct sync_error *err)
{
    struct sync_arena *arena = all->batch->arena;
    struct sync_bytes *paths = sync_arena_take_array(arena, writes->count + 1, sizeof *paths);
    struct sync_bytes *versions = sync_arena_take_array(arena, writes->count + 1, sizeof *versions);
    struct sync_array *actions = sync_arena_take_array(arena, writes->count + 1, sizeof *actions);
    if (paths == NULL || versions == NULL || actions == NULL) {
        return full(err);
    }
    for (size_t i = 0; i < writes->count; i++) {
        bool wanted = writes->items[i].act == DELEG_PUT_OFF && writes->items[i].row.there;
        paths[i] = wanted ? writes->items[i].row_path : (struct sync_bytes){NULL, 0};
        versions[i] = wanted ? writes->items[i].row_version : (struct sync_bytes){NULL, 0};
    }
    sync_status status = deleg_policy_table.get(all, paths, versions, writes->count, actions, err);
    for (size_t i = 0; i < writes->count && sync_is_ok(status); i++) {
        if (writes->items[i].act == DELEG_PUT_OFF) {
            know_content(&writes->items[i], &actions[i]);
        }
    }
    return status;
}

/*
 * Everything up to a position behind our look is decided, and still the row is not as it was seen:
 * no event explains it. It is taken as it is where nobody's word can be lost: it says what we want
 * or what was seen, or it is a copy of Altinn 2.
 */
static bool may_adopt(const struct deleg_batch *all, const struct deleg_write *write)
{
    const struct delegation_key *key = deleg_key(write->slot);
    if (!write->content_known) {
        return false;
    }
    return write->content == write->wanted || write->content == key->seen_a3 ||
           (write->row.there && is_sync_identity(all, &write->row.writer));
}

static void adopt(struct deleg_batch *all, struct deleg_write *write)
{
    struct deleg_slot *slot = write->slot;
    struct delegation_key *key = deleg_key(slot);
    slot->has_row = slot->has_row_id = write->row.there;
    slot->row_id = write->row.id;
    slot->row_valid_us = write->row.valid_us;
    key->seen_a3 = write->content;
    write->act = write->content == write->wanted ? DELEG_NOTHING : act_of(all, write);
    if (write->act == DELEG_INSERT && !write->assignment.there) {
        write->act = DELEG_PUT_OFF; /* its parent is made the next time */
    }
}

static sync_status judge_put_off(struct deleg_batch *all, struct deleg_writes *writes,
                                 struct sync_error *err)
{
    int64_t now = 0, decided = 0;
    size_t count = 0;
    for (size_t i = 0; i < writes->count; i++) {
        count += writes->items[i].act == DELEG_PUT_OFF ? 1 : 0;
    }
    if (count == 0) {
        return SYNC_OK;
    }
    sync_status status = read_log(all, &now, &decided, err);
    if (sync_is_ok(status)) {
        status = read_contents(all, writes, err);
    }
    for (size_t i = 0; i < writes->count && sync_is_ok(status); i++) {
        struct deleg_write *write = &writes->items[i];
        int64_t since = waited_for(write->slot);
        if (write->act != DELEG_PUT_OFF) {
            continue;
        }
        if (since > 0 && since <= decided && may_adopt(all, write)) {
            adopt(all, write);
            continue;
        }
        write->slot->a3_event_pos = since > 0 && since > decided ? since : now;
        deleg_count(DELEG_WRITE_PUT_OFF, 1);
    }
    return status;
}

/* DL-102 --------------------------------------------------------------------------------------- */

static bool is_changed(const struct deleg_write *write)
{
    return write->act == DELEG_UPDATE || write->act == DELEG_REMOVE;
}

/* Another writer came after our transaction began: its history would run backwards. */
static sync_status check_order(struct deleg_batch *all, const struct deleg_writes *writes,
                               struct sync_error *err)
{
    for (size_t i = 0; i < writes->count; i++) {
        const struct deleg_write *write = &writes->items[i];
        bool is_later = write->row.valid_us >= all->batch->now_us;
        if (!is_changed(write) || !(is_later || write->row_is_newer)) {
            continue;
        }
        if (write->row_is_newer || write->row.valid_us <= writes->clock_us) {
            deleg_count(DELEG_AUDIT_ORDER_RETRY, 1);
            return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT,
                             "change a row of Altinn 3: it was changed after this batch began");
        }
        deleg_count(DELEG_AUDIT_FUTURE, 1);
        sync_log(SYNC_WARN, "a row of Altinn 3 is dated in the future",
                 SYNC_LOG_NUMBER("ahead_ms", (write->row.valid_us - writes->clock_us) / 1000));
    }
    return SYNC_OK;
}

/* Ending --------------------------------------------------------------------------------------- */

/* Nothing was taken from Altinn 3, and Altinn 2 does not need it for what was added. */
static bool adds_what_altinn2_shows(const struct deleg_write *write)
{
    const struct delegation_key *key = deleg_key(write->slot);
    uint64_t lost = key->seen_a3 & ~write->wanted;
    uint64_t added = write->wanted & ~key->seen_a3;
    return lost == 0 && (added & ~delegation_shown(key, DELEGATION_A2)) == 0;
}

static void end_write(struct deleg_batch *all, struct deleg_write *write)
{
    struct deleg_slot *slot = write->slot;
    slot->a2_shows = !slot->a3_changed && adds_what_altinn2_shows(write);
    switch (write->act) {
    case DELEG_INSERT:
        slot->row_id = write->id;
        break;
    case DELEG_UPDATE:
        slot->row_id = write->row.id;
        break;
    case DELEG_NOTHING:
    case DELEG_REMOVE:
    case DELEG_PUT_OFF:
        break;
    }
    bool wrote = write->act == DELEG_INSERT || write->act == DELEG_UPDATE;
    slot->a3_changed =
        slot->a3_changed || (write->through && (wrote || write->act == DELEG_REMOVE));
    if (write->through && wrote) {
        slot->has_row = slot->has_row_id = true;
        slot->row_valid_us = all->batch->now_us;
    } else if (write->through && write->wanted == 0) {
        slot->has_row = slot->has_row_id = false;
    }
    slot->a3_known = write->through;
    delegation_written(deleg_key(slot), write->through);
}

/* Refused by a condition that had just been checked: somebody was quicker. */
static sync_status judge_beaten(struct deleg_batch *all, struct deleg_writes *writes,
                                struct sync_error *err)
{
    int64_t now = 0, decided = 0;
    bool beaten = false;
    for (size_t i = 0; i < writes->count; i++) {
        const struct deleg_write *write = &writes->items[i];
        beaten = beaten || (!write->through && write->slot->a3_event_pos == 0);
    }
    sync_status status = beaten ? read_log(all, &now, &decided, err) : SYNC_OK;
    for (size_t i = 0; i < writes->count && sync_is_ok(status) && beaten; i++) {
        struct deleg_write *write = &writes->items[i];
        if (!write->through && write->slot->a3_event_pos == 0) {
            write->slot->a3_event_pos = now;
            deleg_count(DELEG_WRITE_PUT_OFF, 1);
        }
    }
    return status;
}

static sync_status judge(struct deleg_batch *all, struct deleg_writes *writes,
                         struct sync_error *err)
{
    for (size_t i = 0; i < writes->count; i++) {
        writes->items[i].act = act_of(all, &writes->items[i]);
    }
    sync_status status = judge_put_off(all, writes, err);
    return sync_is_ok(status) ? check_order(all, writes, err) : status;
}

static sync_status check_identity(const struct deleg_batch *all, struct sync_error *err)
{
    if (all->answers.identity_known) {
        return SYNC_OK;
    }
    return sync_fail_field(err, SYNC_CLASS_FATAL, SYNC_CODE_CONFIG, "authorization.identity",
                           "write to Altinn 3: authorization.identity is no entity there; have it "
                           "entered in dbo.entity, or set the one that was");
}

sync_status deleg_project(struct deleg_batch *all, struct sync_error *err)
{
    struct deleg_writes writes = {.count = 0};
    take_reports(all);
    sync_status status = plan(all, &writes, err);
    all->batch->facts_only = writes.count == 0;
    if (!sync_is_ok(status) || writes.count == 0) {
        return status;
    }
    status = check_identity(all, err);
    if (sync_is_ok(status)) {
        status = sync_txn_hurry(all->db, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_find_rows(all, &writes, err);
    }
    if (sync_is_ok(status)) {
        status = judge(all, &writes, err);
    }
    if (sync_is_ok(status)) {
        status = deleg_write_a3(all, &writes, err);
    }
    if (sync_is_ok(status)) {
        status = judge_beaten(all, &writes, err);
    }
    for (size_t i = 0; i < writes.count && sync_is_ok(status); i++) {
        end_write(all, &writes.items[i]);
    }
    return sync_is_ok(status) ? status : sync_wrap(err, "write the rows of Altinn 3");
}
