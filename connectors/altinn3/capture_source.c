/* The row of sync.source, the slot, and the rules by which they fit together. */
#include "capture_source.h"

#include "pgoutput.h"

#include <stdio.h>

#define ARENA_BYTES  4096   /* parameters of one statement */
#define SLOT_WAIT_MS 120000 /* making a slot waits for every transaction that is open now */
#define RESYNC_SENTENCE                                                                            \
    "changes may be lost; compare both sides, then run altinn-sync capture init again"

static const struct sync_statement read_statement = {
    "capture_source_read",
    "SELECT generation, system_id, timeline, slot, publication, start_lsn::text,"
    " delivered_lsn::text, sequence_base, started_at FROM sync.source WHERE name = $1"};

static const struct sync_statement slot_statement = {
    "capture_slot_read",
    "SELECT s.slot_name IS NOT NULL, coalesce(s.active, false),"
    " coalesce(s.slot_type = 'logical', false), coalesce(s.database = current_database(), false),"
    " s.plugin::text, s.wal_status::text, s.confirmed_flush_lsn::text,"
    " coalesce((pg_current_wal_lsn() - s.restart_lsn)::int8, 0), s.restart_lsn::text,"
    " (SELECT count(*) FROM sync.source_gap g WHERE g.name = $2 AND g.closed_at IS NULL)"
    " FROM (SELECT $1::text AS name) w LEFT JOIN pg_replication_slots s"
    " ON s.slot_name::text = w.name"};

static const struct sync_statement gap_statement = {
    "capture_gap_store", "INSERT INTO sync.source_gap (name, opened_at, from_position, reason)"
                         " SELECT $1, now(), $2, $3 WHERE NOT EXISTS (SELECT FROM sync.source_gap"
                         " WHERE name = $1 AND closed_at IS NULL AND from_position = $2)"};

/* Slots and every origin that ever committed share one limit. */
static const struct sync_statement server_statement = {
    "capture_server_check",
    "SELECT current_setting('wal_level'), current_setting('max_replication_slots')::int4,"
    " ((SELECT count(*) FROM pg_replication_slots)"
    "  + (SELECT count(*) FROM pg_replication_origin))::int4"};

static const struct sync_statement make_slot_statement = {
    "capture_slot_make",
    "SELECT lsn::text FROM pg_create_logical_replication_slot($1::text::name, 'pgoutput')"};

static const struct sync_statement drop_slot_statement = {
    "capture_slot_drop", "SELECT pg_drop_replication_slot($1::text::name)"};

/* A new generation of a source that ran before: what came between the two slots was not read. */
static const struct sync_statement create_statement = {
    "capture_source_create",
    "WITH gap AS (INSERT INTO sync.source_gap (name, opened_at, from_position, to_position, reason)"
    " SELECT name, now(), delivered_lsn::text, $6::text, 'a new slot was made' FROM sync.source"
    " WHERE name = $1 AND start_lsn IS NOT NULL)"
    " INSERT INTO sync.source AS s (name, generation, system_id, timeline, slot, publication,"
    " start_lsn, started_at, delivered_lsn, updated_at)"
    " VALUES ($1, 1, $2, $3, $4, $5, $6::text::pg_lsn, clock_timestamp(), $6::text::pg_lsn, now())"
    " ON CONFLICT (name) DO UPDATE SET generation = s.generation + 1,"
    " system_id = excluded.system_id, timeline = excluded.timeline, slot = excluded.slot,"
    " publication = excluded.publication, start_lsn = excluded.start_lsn,"
    " started_at = excluded.started_at, delivered_lsn = excluded.delivered_lsn,"
    " updated_at = excluded.updated_at"};

static const struct sync_statement delivered_statement = {
    "capture_delivered_store",
    "UPDATE sync.source SET delivered_lsn = greatest(delivered_lsn, $3::text::pg_lsn),"
    " updated_at = now() WHERE name = $1 AND generation = $2"};

static const struct sync_statement heartbeat_statement = {
    "capture_heartbeat", "SELECT pg_logical_emit_message(false, 'altinn-sync', 'heartbeat')::text"};

static void copy_text(const struct sync_result *result, int column, size_t capacity, char *ret_text)
{
    struct sync_bytes text = sync_result_bytes(result, 0, column);
    (void)snprintf(ret_text, capacity, "%.*s", (int)text.size, (const char *)text.data);
}

static uint64_t read_lsn(const struct sync_result *result, int column)
{
    uint64_t lsn = 0;
    if (!sync_result_is_null(result, 0, column)) {
        (void)pgoutput_lsn_parse(sync_result_bytes(result, 0, column),
                                 &lsn); /* the server's text */
    }
    return lsn;
}

sync_status capture_source_read(struct sync_db *db, const char *name,
                                struct capture_source *ret_source, struct sync_error *err)
{
    uint8_t memory[ARENA_BYTES];
    struct sync_arena arena;
    struct sync_params params;
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text(&params, name);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &read_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct capture_source source = {.found = false};
    if (result.rows == 1 && !sync_result_is_null(&result, 0, 5)) {
        source.found = true;
        source.generation = sync_result_int4(&result, 0, 0);
        copy_text(&result, 1, sizeof source.identity.system_id, source.identity.system_id);
        source.identity.timeline = sync_result_int4(&result, 0, 2);
        copy_text(&result, 3, sizeof source.slot, source.slot);
        copy_text(&result, 4, sizeof source.publication, source.publication);
        source.start_lsn = read_lsn(&result, 5);
        source.delivered_lsn = read_lsn(&result, 6);
        source.sequence_base = sync_result_int8(&result, 0, 7);
        source.started_at_us = sync_result_time(&result, 0, 8);
    }
    *ret_source = source;
    return SYNC_OK;
}

/* Slot and publication, in one round trip. */
static sync_status ask_slot(struct sync_db *db, const struct capture_entity *entity,
                            const struct capture_source *source,
                            struct sync_result ret_results[static 2], struct sync_error *err)
{
    struct sync_arena none;
    struct sync_params slot, publication;
    sync_arena_init(&none, NULL, 0);
    sync_params_init(&slot, &none);
    sync_params_text(&slot, source->slot);
    sync_params_text(&slot, entity->name);
    sync_params_init(&publication, &none);
    sync_params_text(&publication, source->publication);
    const struct sync_call calls[] = {{&slot_statement, &slot},
                                      {entity->publication_statement, &publication}};
    return sync_db_pipeline(db, calls, 2, ret_results, err);
}

sync_status capture_slot_read(struct sync_db *db, const struct capture_entity *entity,
                              const struct capture_source *source, struct capture_slot *ret_slot,
                              struct sync_error *err)
{
    struct sync_result results[2] = {{0}};
    sync_status status = ask_slot(db, entity, source, results, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    const struct sync_result *row = &results[0];
    struct capture_slot slot = {
        .found = sync_result_bool(row, 0, 0),
        .active = sync_result_bool(row, 0, 1),
        .logical = sync_result_bool(row, 0, 2),
        .here = sync_result_bool(row, 0, 3),
        .confirmed_lsn = read_lsn(row, 6),
        .retained_bytes = sync_result_int8(row, 0, 7),
        .restart_lsn = read_lsn(row, 8),
        .open_gaps = sync_result_int8(row, 0, 9),
        .publication_found = sync_result_bool(&results[1], 0, 0),
    };
    if (slot.found && !sync_result_is_null(row, 0, 4)) {
        copy_text(row, 4, sizeof slot.plugin, slot.plugin);
    }
    if (slot.found && !sync_result_is_null(row, 0, 5)) {
        copy_text(row, 5, sizeof slot.wal_status, slot.wal_status);
    }
    sync_result_done(&results[0]);
    sync_result_done(&results[1]);
    *ret_slot = slot;
    return SYNC_OK;
}

static sync_status check_slot(const struct capture_entity *entity,
                              const struct capture_source *source, const struct capture_slot *slot,
                              bool *ret_gap, struct sync_error *err)
{
    char confirmed[PGOUTPUT_LSN_BUFFER], delivered[PGOUTPUT_LSN_BUFFER];
    *ret_gap = true;
    if (!slot->found) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SLOT,
                         "slot %s does not exist any more: " RESYNC_SENTENCE, source->slot);
    }
    if (strcmp(slot->wal_status, "lost") == 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SLOT,
                         "slot %s: the server has thrown away log that was not read "
                         "(max_slot_wal_keep_size): " RESYNC_SENTENCE,
                         source->slot);
    }
    if (slot->confirmed_lsn > source->delivered_lsn) {
        pgoutput_lsn_format(slot->confirmed_lsn, confirmed);
        pgoutput_lsn_format(source->delivered_lsn, delivered);
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SLOT,
                         "slot %s stands at %s, but only %s is delivered: somebody else moved "
                         "it; " RESYNC_SENTENCE,
                         source->slot, confirmed, delivered);
    }
    *ret_gap = false;
    if (!slot->logical || !slot->here || strcmp(slot->plugin, "pgoutput") != 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SLOT,
                         "slot %s is not a logical pgoutput slot of this database: check %s and "
                         "the DSN of the database",
                         source->slot, entity->slot_option);
    }
    return SYNC_OK;
}

sync_status capture_source_check(const struct capture_entity *entity,
                                 const struct capture_source *source,
                                 const struct capture_slot *slot,
                                 const struct capture_identity *identity, bool *ret_gap,
                                 struct sync_error *err)
{
    *ret_gap = false;
    if (!source->found) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SLOT,
                         "no slot is recorded in sync.source: run altinn-sync capture init first");
    }
    if (strcmp(source->identity.system_id, identity->system_id) != 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SYSTEM_ID,
                         "the server's system id is %s, but %s is recorded: this is another "
                         "database cluster; check the DSN",
                         identity->system_id, source->identity.system_id);
    }
    if (source->identity.timeline != identity->timeline) {
        *ret_gap = true;
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_TIMELINE,
                         "the server is on timeline %d, but %d is recorded: it failed over or was "
                         "restored; " RESYNC_SENTENCE,
                         (int)identity->timeline, (int)source->identity.timeline);
    }
    sync_status status = check_slot(entity, source, slot, ret_gap, err);
    if (sync_is_ok(status)) {
        status = capture_publication_check(entity, source, slot, err);
        *ret_gap = !sync_is_ok(status);
    }
    return status;
}

sync_status capture_publication_check(const struct capture_entity *entity,
                                      const struct capture_source *source,
                                      const struct capture_slot *slot, struct sync_error *err)
{
    if (slot->publication_found) {
        return SYNC_OK;
    }
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SLOT,
                     "publication %s does not publish %s: let their owner run %s; "
                     "changes may be lost, so compare both sides",
                     source->publication, entity->published, entity->tables->publication_file);
}

sync_status capture_gap_store(struct sync_db *db, const char *name,
                              const struct capture_source *source, const char *reason,
                              struct sync_error *err)
{
    uint8_t memory[ARENA_BYTES];
    char delivered[PGOUTPUT_LSN_BUFFER];
    struct sync_arena arena;
    struct sync_params params;
    pgoutput_lsn_format(source->delivered_lsn, delivered);
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text(&params, name);
    sync_params_text(&params, delivered);
    sync_params_text(&params, reason);
    return sync_db_exec(db, &gap_statement, &params, NULL, err);
}

sync_status capture_server_check(struct sync_db *db, struct sync_error *err)
{
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &server_statement, NULL, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (!sync_bytes_equal(sync_result_bytes(&result, 0, 0), sync_bytes_text("logical"))) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_DB_REFUSED,
                         "make a slot: the server does not keep what is needed; set wal_level = "
                         "logical in postgresql.conf and restart it");
    }
    int32_t limit = sync_result_int4(&result, 0, 1), used = sync_result_int4(&result, 0, 2);
    if (used >= limit) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_DB_REFUSED,
                         "make a slot: %d slots and origins exist and max_replication_slots is %d; "
                         "raise it in postgresql.conf and restart the server",
                         (int)used, (int)limit);
    }
    return SYNC_OK;
}

static sync_status make_slot(struct sync_db *db, const char *slot,
                             char ret_start[static PGOUTPUT_LSN_BUFFER], struct sync_error *err)
{
    struct sync_arena none;
    struct sync_params params;
    sync_arena_init(&none, NULL, 0);
    sync_params_init(&params, &none);
    sync_params_text(&params, slot);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &make_slot_statement, &params, &result, err);
    if (sync_is_ok(status)) {
        copy_text(&result, 0, PGOUTPUT_LSN_BUFFER, ret_start);
    }
    return status;
}

static sync_status store_source(struct sync_db *db, const char *name,
                                const struct capture_source *source, const char *start,
                                struct sync_error *err)
{
    uint8_t memory[ARENA_BYTES];
    struct sync_arena arena;
    struct sync_params params;
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text(&params, name);
    sync_params_text(&params, source->identity.system_id);
    sync_params_int4(&params, source->identity.timeline);
    sync_params_text(&params, source->slot);
    sync_params_text(&params, source->publication);
    sync_params_text(&params, start);
    return sync_db_exec(db, &create_statement, &params, NULL, err);
}

/* Best effort: the slot keeps log for ever, so it must not stay without anybody who knows it. */
static void drop_slot(struct sync_db *db, const char *slot)
{
    struct sync_arena none;
    struct sync_params params;
    struct sync_error ignored;
    sync_arena_init(&none, NULL, 0);
    sync_params_init(&params, &none);
    sync_params_text(&params, slot);
    (void)sync_db_exec(db, &drop_slot_statement, &params, NULL, &ignored); /* init says it exists */
}

sync_status capture_source_create(struct sync_db *db, const char *name,
                                  const struct capture_source *source, struct sync_error *err)
{
    char start[PGOUTPUT_LSN_BUFFER] = "";
    int64_t now_us = 0;
    struct sync_txn_limits limits = {.statement_timeout_ms = SLOT_WAIT_MS};
    sync_status status = sync_txn_begin(db, &limits, &now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = make_slot(db, source->slot, start, err);
    if (!sync_is_ok(status)) {
        sync_txn_rollback(db);
        return status;
    }
    status = store_source(db, name, source, start, err);
    if (sync_is_ok(status)) {
        status = sync_txn_commit(db, err);
    } else {
        sync_txn_rollback(db);
    }
    if (!sync_is_ok(status) && err->code != SYNC_CODE_IN_DOUBT) {
        drop_slot(db, source->slot); /* slots are not part of a transaction */
    }
    return status;
}

sync_status capture_delivered_store(struct sync_db *db, const char *name, int32_t generation,
                                    uint64_t delivered_lsn, struct sync_error *err)
{
    uint8_t memory[ARENA_BYTES];
    char delivered[PGOUTPUT_LSN_BUFFER];
    struct sync_arena arena;
    struct sync_params params;
    pgoutput_lsn_format(delivered_lsn, delivered);
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text(&params, name);
    sync_params_int4(&params, generation);
    sync_params_text(&params, delivered);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &delivered_statement, &params, &result, err);
    if (sync_is_ok(status) && result.affected != 1) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SLOT,
                         "store the delivered position: sync.source is of another generation by "
                         "now; somebody ran capture init; start this process again");
    }
    return status;
}

sync_status capture_heartbeat(struct sync_db *db, struct sync_error *err)
{
    return sync_db_exec(db, &heartbeat_statement, NULL, NULL, err);
}
