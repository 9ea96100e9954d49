/*
 * The capture "altinn3-delegation": who gives what to whom in Altinn 3, from its tables of edges
 * and their history. Own writes are published, with their origin: the rules need to see them. Not
 * here: what a row means (delegation_row_map.c, delegation_events.c), look-ups (delegation_desk.c).
 */
#include "../delegation_record.h"
#include "capture_backfill_table.h"
#include "capture_entity.h"
#include "delegation_desk.h"
#include "delegation_load.h"

#include <core/limits.h>

#define QUEUE_ROWS 2048 /* 4 MiB */

/* As many tables as we know, each with all rows and inserts and updates. */
static const struct sync_statement publication_statement = {
    "capture_publication_delegation",
    "SELECT count(*) = 11 FROM pg_publication p JOIN pg_publication_tables t"
    " ON t.pubname = p.pubname WHERE p.pubname = $1::text AND p.pubinsert AND p.pubupdate"
    " AND t.rowfilter IS NULL AND ((t.schemaname = 'dbo' AND t.tablename IN ('assignment',"
    " 'assignmentresource', 'assignmentinstance', 'assignmentpackage', 'delegation',"
    " 'delegationpackage')) OR (t.schemaname = 'dbo_history' AND t.tablename IN"
    " ('auditassignment', 'auditassignmentresource', 'auditassignmentinstance',"
    " 'auditassignmentpackage', 'auditdelegationpackage')))"};

static void put_record(const struct delegation_record *record, struct capture_record *ret_record)
{
    *ret_record = (struct capture_record){.present = true,
                                          .key = record->key,
                                          .value = record->value,
                                          .header_count = record->header_count};
    memcpy(ret_record->headers, record->headers, record->header_count * sizeof record->headers[0]);
}

static void put_snapshot(const struct capture_letter *letter, struct delegation_change *ret_change)
{
    if (letter->snapshot != NULL) {
        ret_change->has_snapshot_id = ret_change->has_snapshot_pos = true;
        ret_change->snapshot_id = letter->snapshot->id;
        ret_change->snapshot_pos = letter->snapshot->position;
    }
}

static sync_status make(void *context, const struct capture_item *item, unsigned part,
                        const struct capture_letter *letter, struct capture_record *ret_record,
                        struct sync_error *err)
{
    struct delegation_desk *desk = context;
    struct delegation_change change;
    struct delegation_record record;
    bool present = false;
    sync_status status =
        delegation_event_make(&desk->known, item, part, letter->arena, &present, &change, err);
    if (!sync_is_ok(status) || !present) {
        ret_record->present = false;
        return status;
    }
    change.stream = letter->stream;
    change.seq = item->sequence + (int64_t)part;
    change.capture_time_us = item->committed_us;
    put_snapshot(letter, &change);
    status = delegation_record_make(letter->schema, &change, letter->arena, &record, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    put_record(&record, ret_record);
    return SYNC_OK;
}

/* A mark of the stream: number and meaning are set by op. */
static struct delegation_change mark_of(const struct capture_letter *letter, enum delegation_op op,
                                        int64_t sequence, int64_t now_us)
{
    struct delegation_change change = {.source = DELEGATION_A3,
                                       .stream = letter->stream,
                                       .seq = sequence,
                                       .kind = DELEGATION_CONTROL,
                                       .op = (int32_t)op,
                                       .capture_time_us = now_us,
                                       .by = DELEGATION_MACHINE};
    put_snapshot(letter, &change);
    return change;
}

static sync_status make_mark(const struct capture_letter *letter,
                             const struct delegation_change *change,
                             struct capture_record *ret_record, struct sync_error *err)
{
    struct delegation_record record;
    sync_status status =
        delegation_record_make(letter->schema, change, letter->arena, &record, err);
    if (sync_is_ok(status)) {
        put_record(&record, ret_record);
    }
    return status;
}

static sync_status tick(const struct capture_letter *letter, int64_t sequence, int64_t now_us,
                        struct capture_record *ret_record, struct sync_error *err)
{
    struct delegation_change change = mark_of(letter, DELEGATION_TICK, sequence, now_us);
    return make_mark(letter, &change, ret_record, err);
}

static sync_status end(const struct capture_letter *letter, const struct capture_target *target,
                       int64_t count, int64_t now_us, struct capture_record *ret_record,
                       struct sync_error *err)
{
    struct delegation_change change = mark_of(letter, DELEGATION_END, count, now_us);
    if (target != NULL) {
        change.has_target = change.has_target_id = true;
        change.target_kind = target->kind;
        change.target_id = sync_bytes_text(target->id);
    }
    return make_mark(letter, &change, ret_record, err);
}

static const struct capture_load load = {.tables = delegation_load_tables,
                                         .table_count = DELEGATION_LOAD_TABLES,
                                         .target = delegation_load_target,
                                         .end = end};
_Static_assert(DELEGATION_LOAD_TABLES <= CAPTURE_TABLES_MAX, "every table has a place");
_Static_assert(DELEGATION_RECORD_HEADERS_MAX <= CAPTURE_HEADERS_MAX, "the headers of a record fit");

extern const struct capture_entity capture_delegation;
const struct capture_entity capture_delegation = {
    .name = "altinn3-delegation",
    .stream = "a3.change",
    .processor = &sync_processor_delegation,
    .slot_option = "capture.delegation_slot",
    .publication_option = "capture.delegation_publication",
    .slot_at = offsetof(struct sync_config, capture_delegation_slot),
    .publication_at = offsetof(struct sync_config, capture_delegation_publication),
    .publication_statement = &publication_statement,
    .published = "all inserts and updates of the six tables of delegations and of their history",
    .tables = &delegation_row_tables,
    .parts = DELEGATION_EVENT_PARTS,
    .wait_ms = SYNC_CAPTURE_DOCUMENT_MS,
    .row_size = sizeof(struct delegation_row),
    .queue_rows = QUEUE_ROWS,
    .reader_size = sizeof(struct delegation_reader),
    .answer_size = sizeof(struct desk_answer),
    .begin = delegation_reader_begin,
    .read = delegation_reader_read,
    .desk_size = sizeof(struct delegation_desk),
    .open = delegation_desk_open,
    .learn = delegation_desk_learn,
    .resolve = delegation_desk_resolve,
    .expire = delegation_desk_expire,
    .order = delegation_desk_order,
    .make = make,
    .tick = tick,
    .load = &load,
};

static sync_status plan(struct sync_db *db, int64_t rate_max, int64_t *ret_parts,
                        struct sync_error *err)
{
    return backfill_begin(db, &capture_delegation, rate_max, ret_parts, err);
}

extern const struct backfill_load backfill_altinn3_delegation;
const struct backfill_load backfill_altinn3_delegation = {.capture = "altinn3-delegation",
                                                          .processor = &sync_processor_delegation,
                                                          .standing = "",
                                                          .takes_rate = true,
                                                          .plan = plan};
