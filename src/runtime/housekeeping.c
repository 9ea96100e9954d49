/* Ageing, deleting, day partitions. Not here: when it runs (consumer_sweep.c), the gauges
 * (housekeeping_measure.c). */
#include "housekeeping.h"

#include "../core/limits.h"
#include "config.h"

/* Held too long under one rule: out of hold. */
static const struct sync_statement take_aged = {
    "age_take",
    "DELETE FROM sync.hold AS h USING (SELECT scope, topic, partition, record_offset FROM sync.hold"
    " WHERE scope = $1 AND topic = $2 AND partition = $3 AND rule = $4 AND since < $5"
    " ORDER BY since, record_offset LIMIT $6 FOR UPDATE SKIP LOCKED) AS o"
    " WHERE (h.scope, h.topic, h.partition, h.record_offset) ="
    " (o.scope, o.topic, o.partition, o.record_offset)"
    " RETURNING h.record_offset, h.entity_key, h.appended_at, h.record, h.missing_kind, "
    "h.missing_id"};
/* … and into parked, its bytes kept, because it is still released. */
static const struct sync_statement park_aged = {
    "age_park",
    "INSERT INTO sync.parked (scope, topic, partition, record_offset, entity_key, appended_at, "
    "record,"
    " digest, missing_kind, missing_id, rule, code, reason, sealed, since)"
    " SELECT $1, $2, $3, n.*, $11, $12, $13, false, $14 FROM unnest($4::bigint[], $5::text[],"
    " $6::timestamptz[], $7::bytea[], $8::bytea[], $9::text[], $10::text[]) AS n"
    " (record_offset, entity_key, appended_at, record, digest, kind, id)"
    " ORDER BY n.record_offset"
    " ON CONFLICT (scope, topic, partition, record_offset) DO UPDATE SET rule = excluded.rule,"
    " code = excluded.code, field = NULL, reason = excluded.reason, record = excluded.record,"
    " part = false, missing_kind = excluded.missing_kind, missing_id = excluded.missing_id,"
    " since = excluded.since, state = 0"};
static const struct sync_statement count_aged = {
    "age_count",
    "INSERT INTO sync.outcome_count AS c (scope, topic, partition, outcome, n)"
    " VALUES ($1, $2, $3, 4, -$4::bigint), ($1, $2, $3, 5, $4)"
    " ON CONFLICT (scope, topic, partition, outcome) DO UPDATE SET n = c.n + excluded.n"};
static const struct sync_statement delete_effects = {
    "outbox_delete",
    "DELETE FROM sync.outbox WHERE effect_id IN (SELECT effect_id FROM sync.outbox"
    " WHERE scope = $1 AND topic = $2 AND partition = $3 AND state IN (2, 3) AND ended_at < $4"
    " ORDER BY ended_at LIMIT $5 FOR UPDATE SKIP LOCKED)"};
static const struct sync_statement delete_expectations = {
    "echo_delete",
    "DELETE FROM sync.expected_echo WHERE ctid IN (SELECT ctid FROM sync.expected_echo"
    " WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)"};
static const struct sync_statement keep_days = {
    "keep_days", "SELECT sync.keep_days('decision', $1), sync.keep_days('seen', 35)"};
static const struct sync_statement lock_days = {
    "keep_days_lock",
    "SELECT pg_advisory_xact_lock(1937337956)"}; /* migrations have the one before */

static void place_params(const struct sync_housekeeping *h, const struct sync_place *place,
                         struct sync_params *ret_params)
{
    sync_params_init(ret_params, h->arena);
    sync_params_text(ret_params, place->scope);
    sync_params_text(ret_params, place->topic);
    sync_params_int4(ret_params, place->partition);
}

/* Ageing -------------------------------------------------------------------------------------- */

/* The limit in force: the option of the configuration, else what the processor says. */
static int64_t age_of(const struct sync_housekeeping *h, const struct sync_hold_limit *limit)
{
    const struct sync_processor *processor = h->applier->processor;
    const struct sync_config *config = h->applier->config;
    int64_t age_s = INT64_MAX / 1000000;
    for (size_t i = 0; i < processor->option_count; i++) {
        if (strcmp(processor->options[i].name, limit->option) == 0) {
            age_s = processor->options[i].fallback;
        }
    }
    if (config != NULL) {
        (void)sync_config_number(config, "consumer", limit->option, &age_s);
    }
    return age_s;
}

struct aged {
    int64_t *offsets, *times_us;
    struct sync_bytes *keys, *values, *digest_bytes, *kinds, *ids;
    struct sync_digest *digests;
};

static bool aged_take(struct sync_arena *arena, size_t count, struct aged *ret_aged)
{
    ret_aged->offsets = sync_arena_take_array(arena, count, sizeof *ret_aged->offsets);
    ret_aged->times_us = sync_arena_take_array(arena, count, sizeof *ret_aged->times_us);
    ret_aged->keys = sync_arena_take_array(arena, count, sizeof *ret_aged->keys);
    ret_aged->values = sync_arena_take_array(arena, count, sizeof *ret_aged->values);
    ret_aged->digest_bytes = sync_arena_take_array(arena, count, sizeof *ret_aged->digest_bytes);
    ret_aged->digests = sync_arena_take_array(arena, count, sizeof *ret_aged->digests);
    ret_aged->kinds = sync_arena_take_array(arena, count, sizeof *ret_aged->kinds);
    ret_aged->ids = sync_arena_take_array(arena, count, sizeof *ret_aged->ids);
    return ret_aged->offsets != NULL && ret_aged->times_us != NULL && ret_aged->keys != NULL &&
           ret_aged->values != NULL && ret_aged->digest_bytes != NULL &&
           ret_aged->digests != NULL && ret_aged->kinds != NULL && ret_aged->ids != NULL;
}

static struct sync_bytes nullable(const struct sync_result *result, int row, int column)
{
    return sync_result_is_null(result, row, column) ? (struct sync_bytes){NULL, 0}
                                                    : sync_result_bytes(result, row, column);
}

static void aged_read(const struct sync_result *result, struct aged *aged)
{
    for (int i = 0; i < result->rows; i++) {
        aged->offsets[i] = sync_result_int8(result, i, 0);
        aged->keys[i] = sync_result_bytes(result, i, 1);
        aged->times_us[i] = sync_result_time(result, i, 2);
        aged->values[i] = sync_result_bytes(result, i, 3);
        aged->kinds[i] = nullable(result, i, 4);
        aged->ids[i] = nullable(result, i, 5);
        aged->digests[i] = sync_digest_record(aged->offsets[i], aged->times_us[i] / 1000,
                                              aged->keys[i], aged->values[i]);
        aged->digest_bytes[i] =
            (struct sync_bytes){aged->digests[i].bytes, sizeof aged->digests[i].bytes};
    }
}

static sync_status park_rows(struct sync_housekeeping *h, const struct sync_place *place,
                             const struct sync_hold_limit *limit, const struct sync_result *rows,
                             int64_t now_us, struct sync_error *err)
{
    size_t count = (size_t)rows->rows;
    struct aged aged = {0};
    if (!aged_take(h->arena, count, &aged)) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_MEMORY_LIMIT,
                         "age held records: the batch arena is full");
    }
    aged_read(rows, &aged);
    struct sync_params params;
    place_params(h, place, &params);
    sync_params_int8_array(&params, aged.offsets, NULL, count);
    sync_params_text_array(&params, aged.keys, count);
    sync_params_time_array(&params, aged.times_us, NULL, count);
    sync_params_bytes_array(&params, aged.values, count);
    sync_params_bytes_array(&params, aged.digest_bytes, count);
    sync_params_text_array(&params, aged.kinds, count);
    sync_params_text_array(&params, aged.ids, count);
    sync_params_text(&params, limit->parked_rule);
    sync_params_text(&params, sync_code_word(limit->code));
    sync_params_text(&params, limit->reason);
    sync_params_time(&params, now_us);
    return sync_db_exec(h->applier->db, &park_aged, &params, NULL, err);
}

static sync_status age_rule(struct sync_housekeeping *h, const struct sync_place *place,
                            const struct sync_hold_limit *limit, int64_t now_us, size_t *aged,
                            struct sync_error *err)
{
    struct sync_params params;
    place_params(h, place, &params);
    sync_params_text(&params, limit->held_rule);
    sync_params_time(&params, now_us - age_of(h, limit) * 1000000);
    sync_params_int8(&params, (int64_t)(SYNC_HOUSEKEEPING_ROWS_MAX - *aged));
    SYNC_RESULT rows = {0};
    sync_status status = sync_db_exec(h->applier->db, &take_aged, &params, &rows, err);
    if (!sync_is_ok(status) || rows.rows == 0) {
        return status;
    }
    *aged += (size_t)rows.rows;
    return park_rows(h, place, limit, &rows, now_us, err);
}

sync_status sync_housekeeping_age(struct sync_housekeeping *h, const struct sync_place *place,
                                  int64_t now_us, size_t *ret_aged, struct sync_error *err)
{
    const struct sync_processor *processor = h->applier->processor;
    size_t mark = sync_arena_mark(h->arena);
    size_t aged = 0;
    sync_status status = SYNC_OK;
    for (size_t i = 0; sync_is_ok(status) && i < processor->hold_limit_count; i++) {
        if (aged < SYNC_HOUSEKEEPING_ROWS_MAX) {
            status = age_rule(h, place, &processor->hold_limits[i], now_us, &aged, err);
        }
    }
    if (sync_is_ok(status) && aged > 0) {
        struct sync_params params;
        place_params(h, place, &params);
        sync_params_int8(&params, (int64_t)aged);
        status = sync_db_exec(h->applier->db, &count_aged, &params, NULL, err);
    }
    sync_arena_reset(h->arena, mark);
    if (sync_is_ok(status)) {
        *ret_aged = aged;
    }
    return status;
}

/* Deleting ------------------------------------------------------------------------------------ */

sync_status sync_housekeeping_delete(struct sync_housekeeping *h, const struct sync_place *place,
                                     int64_t now_us, struct sync_error *err)
{
    size_t mark = sync_arena_mark(h->arena);
    struct sync_params effects;
    place_params(h, place, &effects);
    sync_params_time(&effects, now_us - h->outbox_keep_days * 24 * 3600 * 1000000);
    sync_params_int8(&effects, SYNC_HOUSEKEEPING_ROWS_MAX);
    struct sync_params expectations;
    sync_params_init(&expectations, h->arena);
    sync_params_time(&expectations, now_us - h->echo_keep_s * 1000000);
    sync_params_int8(&expectations, SYNC_HOUSEKEEPING_ROWS_MAX);
    const struct sync_call calls[] = {{&delete_effects, &effects},
                                      {&delete_expectations, &expectations}};
    sync_status status = sync_db_pipeline(h->applier->db, calls, 2, NULL, err);
    sync_arena_reset(h->arena, mark);
    return status;
}

/* One process at a time: two that make the same table at once would fail, as nothing mends. The
 * look comes in a later statement than the lock, so that it sees what the other one made. */
static sync_status make_days(struct sync_housekeeping *h, struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, h->arena);
    sync_params_int4(&params, (int32_t)h->decision_keep_days);
    sync_status status = sync_db_exec(h->applier->db, &lock_days, NULL, NULL, err);
    return sync_is_ok(status) ? sync_db_exec(h->applier->db, &keep_days, &params, NULL, err)
                              : status;
}

sync_status sync_housekeeping_days(struct sync_housekeeping *h, struct sync_error *err)
{
    static const struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_DB_LOCK_CLAIM_MS,
                                                  .statement_timeout_ms = SYNC_DB_STATEMENT_MS};
    size_t mark = sync_arena_mark(h->arena);
    sync_status status = sync_txn_begin(h->applier->db, &limits, NULL, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = make_days(h, err);
    if (sync_is_ok(status)) {
        status = sync_txn_commit(h->applier->db, err);
    } else {
        sync_txn_rollback(h->applier->db);
    }
    sync_arena_reset(h->arena, mark);
    return status;
}
