/* SQL of sync.backfill. Every statement names the capture, so that two loads never meet. */
#include "capture_backfill_table.h"

static const struct sync_statement read_statement = {
    "backfill_read",
    "SELECT table_name, state, snapshot_id, nullif(cursor, '')::uuid, chunk IS NOT NULL,"
    " chunk_end::uuid, chunk_rows, first_row, low_pos, rows_done, rows_sent, rows_total,"
    " coalesce(rate_max, 0)::int8, started_at, updated_at FROM sync.backfill WHERE capture = $1"};

/* Numbers of rows are those of sync.source, which no other use of this capture takes. */
static const struct sync_statement number_statement = {
    "backfill_number", "UPDATE sync.source SET next_sequence = next_sequence + $2,"
                       " updated_at = now() WHERE name = $1 RETURNING next_sequence - $2"};
static const struct sync_statement plan_statement = {
    "backfill_plan",
    "UPDATE sync.backfill SET state = 'running', chunk = $3, chunk_end = $4, chunk_rows = $5,"
    " first_row = $6, low_pos = $7, high_pos = $8, started_at = coalesce(started_at, now()),"
    " updated_at = now() WHERE capture = $1 AND table_name = $2 AND chunk IS NULL"
    " AND state IN ('planned', 'running')"};
static const struct sync_statement sent_statement = {
    "backfill_sent",
    "INSERT INTO sync.backfill_sent AS s (capture, target_kind, target, partition, n)"
    " SELECT $1, w.kind, w.target, w.partition, w.n"
    " FROM unnest($2::int2[], $3::text[], $4::int4[], $5::int8[])"
    " AS w (kind, target, partition, n) ORDER BY w.kind, w.target COLLATE \"C\", w.partition"
    " ON CONFLICT (capture, target_kind, target, partition) DO UPDATE SET n = s.n + excluded.n"};
static const struct sync_statement delivered_statement = {
    "backfill_delivered",
    "UPDATE sync.backfill SET cursor = chunk_end, rows_done = rows_done + chunk_rows,"
    " rows_sent = rows_sent + $3, chunk = NULL, updated_at = now()"
    " WHERE capture = $1 AND table_name = $2 AND chunk IS NOT NULL"};
static const struct sync_statement finish_statement = {
    "backfill_finish",
    "UPDATE sync.backfill SET state = 'done', started_at = coalesce(started_at, now()),"
    " updated_at = now() WHERE capture = $1 AND table_name = $2 AND chunk IS NULL"
    " AND state IN ('planned', 'running')"};
static const struct sync_statement sent_read_statement = {
    "backfill_sent_read",
    "SELECT t.target_kind, t.target, p.n::int4, coalesce(s.n, 0) FROM"
    " (SELECT DISTINCT target_kind, target FROM sync.backfill_sent WHERE capture = $1"
    "  AND (target_kind, target) > ($2::int2, $3::text) ORDER BY target_kind, target LIMIT 200) t"
    " CROSS JOIN generate_series(0, $4::int4 - 1) AS p (n)"
    " LEFT JOIN sync.backfill_sent s ON s.capture = $1 AND s.target_kind = t.target_kind"
    "  AND s.target = t.target AND s.partition = p.n ORDER BY t.target_kind, t.target, p.n"};
static const struct sync_statement total_read_statement = {
    "backfill_total_read",
    "SELECT p.n::int4, coalesce((SELECT sum(s.n) FROM sync.backfill_sent s WHERE s.capture = $1"
    " AND s.partition = p.n), 0)::int8 FROM generate_series(0, $2::int4 - 1) AS p (n)"};

static const struct sync_statement start_statement = {
    "backfill_start",
    "INSERT INTO sync.backfill (capture, table_name, state, snapshot_id, rate_max)"
    " VALUES ($1, $2, 'planned', $3, nullif($4, 0)::int4)"};
static const struct sync_statement estimate_statement = {
    "backfill_estimate",
    "UPDATE sync.backfill SET rows_total = $3 WHERE capture = $1 AND table_name = $2"};
static const struct sync_statement snapshot_statement = {"backfill_snapshot",
                                                         "SELECT gen_random_uuid()"};
static int64_t number_of(const struct sync_result *result, int row, int column, int64_t otherwise)
{
    return sync_result_is_null(result, row, column) ? otherwise
                                                    : sync_result_int8(result, row, column);
}

static int64_t time_of(const struct sync_result *result, int row, int column)
{
    return sync_result_is_null(result, row, column) ? INT64_MIN
                                                    : sync_result_time(result, row, column);
}

static struct sync_uuid id_of(const struct sync_result *result, int row, int column)
{
    struct sync_uuid none = {{0}};
    return sync_result_is_null(result, row, column) ? none : sync_result_uuid(result, row, column);
}

static struct backfill_table table_of(const struct sync_result *result, int row)
{
    return (struct backfill_table){
        .state = backfill_state_of(sync_result_bytes(result, row, 1)),
        .snapshot_id = id_of(result, row, 2),
        .cursor = id_of(result, row, 3),
        .has_chunk = sync_result_bool(result, row, 4),
        .chunk_end = id_of(result, row, 5),
        .chunk_rows = number_of(result, row, 6, 0),
        .first_row = number_of(result, row, 7, 0),
        .low_position = number_of(result, row, 8, 0),
        .rows_done = sync_result_int8(result, row, 9),
        .rows_sent = sync_result_int8(result, row, 10),
        .rows_total = number_of(result, row, 11, -1),
        .rate_max = sync_result_int8(result, row, 12),
        .started_us = time_of(result, row, 13),
        .updated_us = time_of(result, row, 14),
    };
}

sync_status backfill_read(struct sync_db *db, const struct capture_entity *entity,
                          struct backfill_table *ret_tables, struct sync_error *err)
{
    struct sync_params params;
    SYNC_RESULT result = {0};
    sync_params_init(&params, NULL);
    sync_params_text(&params, entity->name);
    sync_status status = sync_db_exec(db, &read_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    for (size_t i = 0; i < entity->load->table_count; i++) {
        ret_tables[i] = (struct backfill_table){.state = BACKFILL_NONE, .rows_total = -1};
        for (int row = 0; row < result.rows; row++) {
            if (sync_bytes_equal(sync_result_bytes(&result, row, 0),
                                 sync_bytes_text(entity->load->tables[i].name))) {
                ret_tables[i] = table_of(&result, row);
            }
        }
    }
    return SYNC_OK;
}

/* Plan. */

static sync_status take_numbers(struct sync_db *db, const char *capture, size_t count,
                                struct sync_arena *arena, int64_t *ret_first,
                                struct sync_error *err)
{
    struct sync_params params;
    SYNC_RESULT result = {0};
    sync_params_init(&params, arena);
    sync_params_text(&params, capture);
    sync_params_int8(&params, (int64_t)count);
    sync_status status = sync_db_exec(db, &number_statement, &params, &result, err);
    if (sync_is_ok(status) && result.rows != 1) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_SLOT,
                         "number the rows of a backfill: sync.source does not know %s", capture);
    }
    if (sync_is_ok(status)) {
        *ret_first = sync_result_int8(&result, 0, 0);
    }
    return status;
}

static sync_status write_plan(struct sync_db *db, const char *capture,
                              const struct backfill_chunk *chunk, int64_t first_row,
                              struct sync_arena *arena, bool *ret_going, struct sync_error *err)
{
    char end[SYNC_UUID_BUFFER];
    struct sync_params params;
    SYNC_RESULT result = {0};
    sync_uuid_format(&chunk->end, end);
    sync_params_init(&params, arena);
    sync_params_text(&params, capture);
    sync_params_text(&params, chunk->table);
    sync_params_uuid_array(&params, chunk->ids, NULL, chunk->count);
    sync_params_text(&params, end);
    sync_params_int8(&params, (int64_t)chunk->rows);
    sync_params_int8(&params, first_row);
    sync_params_int8(&params, chunk->low_position);
    sync_params_int8(&params, chunk->high_position);
    sync_status status = sync_db_exec(db, &plan_statement, &params, &result, err);
    *ret_going = sync_is_ok(status) && result.affected == 1;
    return status;
}

static sync_status write_counts(struct sync_db *db, const char *capture,
                                const struct backfill_chunk *chunk, struct sync_arena *arena,
                                struct sync_error *err)
{
    struct sync_params params;
    int16_t *kinds = sync_arena_take_array(arena, chunk->pair_count, sizeof *kinds);
    struct sync_bytes *ids = sync_arena_take_array(arena, chunk->pair_count, sizeof *ids);
    if (chunk->pair_count == 0) {
        return SYNC_OK;
    }
    if (kinds == NULL || ids == NULL) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "count the rows of a backfill: the arena is full");
    }
    for (size_t i = 0; i < chunk->pair_count; i++) {
        kinds[i] = chunk->targets[i].kind;
        ids[i] = sync_bytes_text(chunk->targets[i].id);
    }
    sync_params_init(&params, arena);
    sync_params_text(&params, capture);
    sync_params_int2_array(&params, kinds, NULL, chunk->pair_count);
    sync_params_text_array(&params, ids, chunk->pair_count);
    sync_params_int4_array(&params, chunk->partitions, NULL, chunk->pair_count);
    sync_params_int8_array(&params, chunk->counts, NULL, chunk->pair_count);
    return sync_db_exec(db, &sent_statement, &params, NULL, err);
}

static sync_status end_txn(struct sync_db *db, sync_status status, bool keep,
                           struct sync_error *err)
{
    if (sync_is_ok(status) && keep) {
        return sync_txn_commit(db, err);
    }
    sync_txn_rollback(db);
    return status;
}

sync_status backfill_plan(struct sync_db *db, const struct capture_entity *entity,
                          const struct backfill_chunk *chunk, struct sync_arena *arena,
                          int64_t *ret_first_row, bool *ret_going, struct sync_error *err)
{
    int64_t now_us = 0, first_row = 0;
    bool going = false;
    sync_status status = sync_txn_begin(db, &(struct sync_txn_limits){0}, &now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = take_numbers(db, entity->name, chunk->count, arena, &first_row, err);
    if (sync_is_ok(status)) {
        status = write_plan(db, entity->name, chunk, first_row, arena, &going, err);
    }
    if (sync_is_ok(status) && going) {
        status = write_counts(db, entity->name, chunk, arena, err);
    }
    status = end_txn(db, status, going, err);
    *ret_first_row = first_row;
    *ret_going = going;
    return status;
}

/* After the plan. */

static sync_status run_on_table(struct sync_db *db, const struct sync_statement *statement,
                                const struct capture_entity *entity, const char *table,
                                struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, NULL);
    sync_params_text(&params, entity->name);
    sync_params_text(&params, table);
    return sync_db_exec(db, statement, &params, NULL, err);
}

sync_status backfill_delivered(struct sync_db *db, const struct capture_entity *entity,
                               const char *table, int64_t rows_sent, struct sync_error *err)
{
    uint8_t memory[64];
    struct sync_arena arena;
    struct sync_params params;
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text(&params, entity->name);
    sync_params_text(&params, table);
    sync_params_int8(&params, rows_sent);
    return sync_db_exec(db, &delivered_statement, &params, NULL, err);
}

sync_status backfill_finish(struct sync_db *db, const struct capture_entity *entity,
                            const char *table, struct sync_error *err)
{
    return run_on_table(db, &finish_statement, entity, table, err);
}

sync_status backfill_sent_read(struct sync_db *db, const struct capture_entity *entity,
                               const struct capture_target *after, int32_t partition_count,
                               struct sync_result *ret_result, struct sync_error *err)
{
    uint8_t memory[64];
    struct sync_arena arena;
    struct sync_params params;
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text(&params, entity->name);
    sync_params_int2(&params, after->kind);
    sync_params_text(&params, after->id);
    sync_params_int4(&params, partition_count);
    return sync_db_exec(db, &sent_read_statement, &params, ret_result, err);
}

sync_status backfill_total_read(struct sync_db *db, const struct capture_entity *entity,
                                int32_t partition_count, struct sync_result *ret_result,
                                struct sync_error *err)
{
    uint8_t memory[64];
    struct sync_arena arena;
    struct sync_params params;
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text(&params, entity->name);
    sync_params_int4(&params, partition_count);
    return sync_db_exec(db, &total_read_statement, &params, ret_result, err);
}

sync_status backfill_estimate(struct sync_db *db, const struct capture_entity *entity,
                              const struct capture_table *table, struct sync_error *err)
{
    uint8_t memory[64];
    struct sync_arena arena;
    struct sync_params params;
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, table->estimate, NULL, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text(&params, entity->name);
    sync_params_text(&params, table->name);
    sync_params_int8(&params, sync_result_int8(&result, 0, 0));
    return sync_db_exec(db, &estimate_statement, &params, NULL, err);
}

/* Start. */

static sync_status start_table(struct sync_db *db, const struct capture_entity *entity,
                               const struct capture_table *table,
                               const struct sync_uuid *snapshot_id, int64_t rate_max,
                               struct sync_error *err)
{
    uint8_t memory[256];
    struct sync_arena arena;
    struct sync_params params;
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_text(&params, entity->name);
    sync_params_text(&params, table->name);
    sync_params_uuid(&params, snapshot_id);
    sync_params_int8(&params, rate_max);
    return sync_db_exec(db, &start_statement, &params, NULL, err);
}

sync_status backfill_begin(struct sync_db *db, const struct capture_entity *entity,
                           int64_t rate_max, int64_t *ret_tables, struct sync_error *err)
{
    SYNC_RESULT snapshot = {0};
    sync_status status = sync_db_exec(db, &snapshot_statement, NULL, &snapshot, err);
    for (size_t i = 0; i < entity->load->table_count && sync_is_ok(status); i++) {
        struct sync_uuid id = sync_result_uuid(&snapshot, 0, 0);
        status = start_table(db, entity, &entity->load->tables[i], &id, rate_max, err);
    }
    *ret_tables = (int64_t)entity->load->table_count;
    return status;
}
