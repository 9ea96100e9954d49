/*
 * The ledger of events (DL-01), origins of echoes (DL-93), positions of streams and counts of
 * exports (DL-104). An event is entered with its outcome when it is decided; its row stays when it
 * comes out of hold or park again. Not here: what an event means.
 */
#include "delegation_store.h"

#include "delegation_metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_US (86400LL * 1000000)

/* Identities --------------------------------------------------------------------------------- */

static int16_t source_number(int32_t source)
{
    return source == DELEGATION_SYS ? DELEG_SYS : (int16_t)(source + DELEG_SOURCE_OFFSET);
}

static int32_t day_of(int64_t time_us)
{
    return (int32_t)(time_us / DAY_US - (time_us % DAY_US < 0 ? 1 : 0));
}

/* The partitions of the ledger: those of the oldest day may go, those of the last may not be there,
 * while this transaction runs. What is older is refs' and marks' business alone (P3). */
static bool is_kept(const struct sync_batch *batch, const struct delegation_change *change)
{
    int64_t today = batch->now_us / DAY_US, oldest = today - (DELEG_LEDGER_DAYS - 1);
    return change->capture_time_us >= oldest * DAY_US &&
           change->capture_time_us < (today + 2) * DAY_US;
}

static bool is_entered(const struct delegation_change *change)
{
    return change->kind < DELEGATION_CONTROL;
}

struct columns {
    size_t *records;
    int32_t *places, *days;
    int16_t *sources, *outcomes;
    struct sync_bytes *streams, *rules;
    struct sync_uuid *snapshots;
    int64_t *seqs;
    size_t count;
};

static bool columns_take(struct sync_arena *arena, size_t count, struct columns *ret_columns)
{
    *ret_columns = (struct columns){
        .records = sync_arena_take_array(arena, count, sizeof(size_t)),
        .places = sync_arena_take_array(arena, count, sizeof(int32_t)),
        .days = sync_arena_take_array(arena, count, sizeof(int32_t)),
        .sources = sync_arena_take_array(arena, count, sizeof(int16_t)),
        .outcomes = sync_arena_take_array(arena, count, sizeof(int16_t)),
        .streams = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
        .rules = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
        .snapshots = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .seqs = sync_arena_take_array(arena, count, sizeof(int64_t)),
    };
    return ret_columns->records != NULL && ret_columns->places != NULL &&
           ret_columns->days != NULL && ret_columns->sources != NULL &&
           ret_columns->outcomes != NULL && ret_columns->streams != NULL &&
           ret_columns->rules != NULL && ret_columns->snapshots != NULL &&
           ret_columns->seqs != NULL;
}

static size_t columns_add(struct columns *columns, size_t record,
                          const struct delegation_change *change)
{
    size_t at = columns->count++;
    columns->records[at] = record;
    columns->places[at] = (int32_t)at;
    columns->days[at] = day_of(change->capture_time_us);
    columns->sources[at] = source_number(change->source);
    columns->streams[at] = change->stream;
    columns->snapshots[at] = change->snapshot_id; /* zero when absent */
    columns->seqs[at] = change->seq;
    return at;
}

/* Settled records ---------------------------------------------------------------------------- */

static sync_status find_known(struct sync_db *db, struct sync_batch *batch, struct sync_error *err)
{
    static const struct sync_statement statement = {
        "delegation_known",
        "SELECT k.i FROM unnest($1::int4[], $2::int2[], $3::text[], $4::uuid[], $5::int8[],"
        "  $6::int4[]) AS k (i, source, stream, snapshot_id, seq, day)"
        " JOIN sync.seen s ON s.source = k.source AND s.stream = k.stream"
        "  AND s.snapshot_id = k.snapshot_id AND s.seq = k.seq"
        "  AND s.event_day = '1970-01-01'::date + k.day"};
    struct columns columns;
    if (!columns_take(batch->arena, batch->record_count + 1, &columns)) {
        return deleg_memory_full("the ledger", err);
    }
    for (size_t i = 0; i < batch->record_count; i++) {
        const struct delegation_change *change = batch->records[i].change;
        if (!batch->records[i].decided && change != NULL && is_entered(change) &&
            is_kept(batch, change)) {
            (void)columns_add(&columns, i, change);
        }
    }
    if (columns.count == 0) {
        return SYNC_OK;
    }
    struct sync_params params;
    sync_params_init(&params, batch->arena);
    sync_params_int4_array(&params, columns.places, NULL, columns.count);
    sync_params_int2_array(&params, columns.sources, NULL, columns.count);
    sync_params_text_array(&params, columns.streams, columns.count);
    sync_params_uuid_array(&params, columns.snapshots, NULL, columns.count);
    sync_params_int8_array(&params, columns.seqs, NULL, columns.count);
    sync_params_int4_array(&params, columns.days, NULL, columns.count);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &statement, &params, &result, err);
    for (int row = 0; sync_is_ok(status) && row < result.rows; row++) {
        struct sync_record *record =
            &batch->records[columns.records[sync_result_int4(&result, row, 0)]];
        record->decided = true;
        record->settled = true;
        record->fold = (struct sync_fold){.outcome = SYNC_OUTCOME_DUPLICATE, .rule = "DL-01"};
    }
    return status;
}

/* Positions and exports ---------------------------------------------------------------------- */

static bool is_tick(const struct delegation_change *change)
{
    return change->kind == DELEGATION_CONTROL && change->op == DELEGATION_TICK;
}

static bool is_end(const struct delegation_change *change)
{
    return change->kind == DELEGATION_CONTROL && change->op == DELEGATION_END;
}

/* TICK raises the position of its stream in this partition; the same position again, its time. */
static sync_status write_positions(struct sync_db *db, struct sync_batch *batch,
                                   struct sync_error *err)
{
    static const struct sync_statement statement = {
        "delegation_positions",
        "INSERT INTO sync.stream_pos AS p (stream, topic, partition, pos, pos_time)"
        " SELECT DISTINCT ON (n.stream) n.stream, $4, $5, n.pos, n.pos_time"
        "  FROM unnest($1::text[], $2::int8[], $3::timestamptz[]) AS n (stream, pos, pos_time)"
        "  ORDER BY n.stream, n.pos DESC, n.pos_time DESC"
        " ON CONFLICT (stream, topic, partition) DO UPDATE SET pos = excluded.pos,"
        "  pos_time = excluded.pos_time"
        " WHERE (p.pos, p.pos_time) < (excluded.pos, excluded.pos_time)"};
    struct sync_bytes *streams =
        sync_arena_take_array(batch->arena, batch->record_count, sizeof *streams);
    int64_t *positions =
        sync_arena_take_array(batch->arena, batch->record_count, sizeof *positions);
    int64_t *times_us = sync_arena_take_array(batch->arena, batch->record_count, sizeof *times_us);
    size_t count = 0;
    if (streams == NULL || positions == NULL || times_us == NULL) {
        return deleg_memory_full("positions", err);
    }
    for (size_t i = 0; i < batch->record_count; i++) {
        const struct delegation_change *change = batch->records[i].change;
        if (!batch->records[i].decided && change != NULL && is_tick(change)) {
            streams[count] = change->stream;
            positions[count] = change->seq;
            times_us[count++] = change->capture_time_us;
        }
    }
    if (count == 0) {
        return SYNC_OK;
    }
    struct sync_params params;
    sync_params_init(&params, batch->arena);
    sync_params_text_array(&params, streams, count);
    sync_params_int8_array(&params, positions, NULL, count);
    sync_params_time_array(&params, times_us, NULL, count);
    sync_params_text(&params, batch->topic);
    sync_params_int4(&params, batch->partition);
    return sync_db_exec(db, &statement, &params, NULL, err);
}

struct exports {
    struct sync_uuid *ids;
    struct sync_bytes *resources, *codes;
    int32_t *editions;
    int64_t *positions, *rows, *counted;
    bool *no_position, *no_count;
    size_t count;
};

static bool exports_take(struct sync_arena *arena, size_t count, struct exports *ret_exports)
{
    *ret_exports = (struct exports){
        .ids = sync_arena_take_array(arena, count, sizeof(struct sync_uuid)),
        .resources = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
        .codes = sync_arena_take_array(arena, count, sizeof(struct sync_bytes)),
        .editions = sync_arena_take_array(arena, count, sizeof(int32_t)),
        .positions = sync_arena_take_array(arena, count, sizeof(int64_t)),
        .rows = sync_arena_take_array(arena, count, sizeof(int64_t)),
        .counted = sync_arena_take_array(arena, count, sizeof(int64_t)),
        .no_position = sync_arena_take_array(arena, count, sizeof(bool)),
        .no_count = sync_arena_take_array(arena, count, sizeof(bool)),
    };
    return ret_exports->ids != NULL && ret_exports->resources != NULL &&
           ret_exports->codes != NULL && ret_exports->editions != NULL &&
           ret_exports->positions != NULL && ret_exports->rows != NULL &&
           ret_exports->counted != NULL && ret_exports->no_position != NULL &&
           ret_exports->no_count != NULL;
}

/* What a row of an export is counted under: its resource, its service, or nothing. */
static bool exports_add(struct sync_arena *arena, struct exports *exports,
                        const struct delegation_change *change)
{
    char text[DELEGATION_TARGET_SIZE] = "";
    size_t at = exports->count++;
    bool service = change->has_target && change->target_kind == DELEGATION_TARGET_SERVICE;
    bool resource = change->has_target && change->target_kind == DELEGATION_TARGET_RESOURCE;
    if (service && !delegation_text_take(change->service_code, text, sizeof text)) {
        text[0] = '\0';
    }
    if (resource && !delegation_text_take(change->target_id, text, sizeof text)) {
        text[0] = '\0';
    }
    struct sync_bytes kept = sync_arena_copy(arena, sync_bytes_text(text));
    exports->ids[at] = change->snapshot_id;
    exports->resources[at] = service ? sync_bytes_text("") : kept;
    exports->codes[at] = service ? kept : (struct sync_bytes){NULL, 0};
    exports->editions[at] = change->edition;
    exports->positions[at] = change->snapshot_pos;
    exports->no_position[at] = !change->has_snapshot_pos;
    exports->rows[at] = is_end(change) ? 0 : 1;
    exports->counted[at] = change->seq;
    exports->no_count[at] = !is_end(change);
    return kept.data != NULL;
}

static bool is_of_export(const struct sync_record *record)
{
    const struct delegation_change *change = record->change;
    return change != NULL && change->has_snapshot_id && !record->settled;
}

/* Every row counts once, whatever becomes of it; what waits or is parked is decided (DL-98). */
static sync_status write_exports(struct sync_db *db, struct sync_batch *batch,
                                 struct sync_error *err)
{
    static const struct sync_statement statement = {
        "delegation_exports",
        "INSERT INTO sync.snapshot AS s (snapshot_id, topic, partition, resource, snapshot_pos,"
        "  decided, counted)"
        " SELECT n.id, $8, $9, coalesce(r.resource, n.code || '/' || n.edition, n.resource),"
        "  max(n.pos), sum(n.rows), max(n.counted)"
        "  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int4[], $5::int8[], $6::int8[],"
        "   $7::int8[]) AS n (id, resource, code, edition, pos, rows, counted)"
        "  LEFT JOIN sync.resource_state r ON r.service_code = n.code AND r.edition = n.edition"
        "  GROUP BY 1, 4 ORDER BY 1, 4"
        " ON CONFLICT (snapshot_id, topic, partition, resource) DO UPDATE SET"
        "  snapshot_pos = coalesce(excluded.snapshot_pos, s.snapshot_pos),"
        "  decided = s.decided + excluded.decided,"
        "  counted = coalesce(excluded.counted, s.counted)"};
    struct exports exports;
    if (!exports_take(batch->arena, batch->record_count + 1, &exports)) {
        return deleg_memory_full("exports", err);
    }
    for (size_t i = 0; i < batch->record_count; i++) {
        if (is_of_export(&batch->records[i]) &&
            !exports_add(batch->arena, &exports, batch->records[i].change)) {
            return deleg_memory_full("exports", err);
        }
    }
    if (exports.count == 0) {
        return SYNC_OK;
    }
    struct sync_params params;
    sync_params_init(&params, batch->arena);
    sync_params_uuid_array(&params, exports.ids, NULL, exports.count);
    sync_params_text_array(&params, exports.resources, exports.count);
    sync_params_text_array(&params, exports.codes, exports.count);
    sync_params_int4_array(&params, exports.editions, NULL, exports.count);
    sync_params_int8_array(&params, exports.positions, exports.no_position, exports.count);
    sync_params_int8_array(&params, exports.rows, NULL, exports.count);
    sync_params_int8_array(&params, exports.counted, exports.no_count, exports.count);
    sync_params_text(&params, batch->topic);
    sync_params_int4(&params, batch->partition);
    return sync_db_exec(db, &statement, &params, NULL, err);
}

sync_status deleg_settle(struct sync_db *db, struct sync_batch *batch, struct sync_error *err)
{
    sync_status status = find_known(db, batch, err);
    if (sync_is_ok(status)) {
        status = write_positions(db, batch, err);
    }
    return sync_is_ok(status) ? write_exports(db, batch, err) : status;
}

/* Identities of a batch ---------------------------------------------------------------------- */

static bool seen_has(const struct delegation_state *state, const struct delegation_change *change)
{
    for (size_t i = 0; i < state->seen_count; i++) {
        const struct delegation_seen *seen = &state->seen[i];
        if (seen->source == change->source && seen->seq == change->seq &&
            sync_bytes_equal(seen->stream, change->stream) &&
            sync_uuid_compare(&seen->snapshot_id, &change->snapshot_id) == 0) {
            return true;
        }
    }
    return false;
}

sync_status deleg_seen(struct deleg_batch *all, struct sync_error *err)
{
    for (size_t i = 0; i < all->case_count; i++) {
        const struct delegation_change *change = all->cases[i].change;
        struct deleg_giver *giver = all->cases[i].giver;
        struct delegation_state *state = &giver->state;
        if (!is_entered(change)) {
            continue;
        }
        if (state->seen == NULL) {
            state->seen =
                sync_arena_take_array(all->batch->arena, giver->case_count, sizeof *state->seen);
            if (state->seen == NULL) {
                return deleg_memory_full("identities", err);
            }
        }
        if (!seen_has(state, change)) {
            state->seen[state->seen_count++] =
                (struct delegation_seen){.source = change->source,
                                         .stream = change->stream,
                                         .snapshot_id = change->snapshot_id,
                                         .seq = change->seq};
        }
    }
    return SYNC_OK;
}

/* Entering ----------------------------------------------------------------------------------- */

static const struct sync_statement enter_statement = {
    "delegation_enter",
    "INSERT INTO sync.seen (source, stream, snapshot_id, seq, event_day, outcome, rule)"
    " SELECT n.source, n.stream, n.snapshot_id, n.seq, '1970-01-01'::date + n.day, n.outcome,"
    "  n.rule FROM unnest($1::int2[], $2::text[], $3::uuid[], $4::int8[], $5::int4[], $6::int2[],"
    "  $7::text[]) AS n (source, stream, snapshot_id, seq, day, outcome, rule)"
    " ORDER BY n.source, n.stream COLLATE \"C\", n.snapshot_id, n.seq"
    " ON CONFLICT (source, stream, snapshot_id, seq, event_day) DO NOTHING"};

/* An echo's cause is entered the same day or the day before; any other day is asked for only then.
 * A write that a row of an export caused names the number of the row. Each question is an index
 * look-up with the whole key: OFFSET 0 and LIMIT keep the planner from joining by part of it, which
 * would walk all that a stream has said. */
static const struct sync_statement origins_statement = {
    "delegation_origins",
    "SELECT count(*) FROM (SELECT n.* FROM unnest($1::int2[], $2::text[], $3::int8[], $4::int4[])"
    "   AS n (source, stream, seq, day)"
    "  WHERE NOT EXISTS (SELECT FROM sync.seen s WHERE s.source = n.source AND s.stream = n.stream"
    "   AND s.snapshot_id = '00000000-0000-0000-0000-000000000000' AND s.seq = n.seq"
    "   AND s.event_day BETWEEN '1970-01-01'::date + n.day - 1 AND '1970-01-01'::date + n.day"
    "   OFFSET 0) OFFSET 0) AS o"
    " WHERE NOT EXISTS (SELECT FROM (SELECT '00000000-0000-0000-0000-000000000000'::uuid AS id"
    "   UNION SELECT e.snapshot_id FROM sync.snapshot e) AS e"
    "  CROSS JOIN LATERAL (SELECT FROM sync.seen s WHERE s.source = o.source"
    "   AND s.stream = o.stream AND s.snapshot_id = e.id AND s.seq = o.seq LIMIT 1) AS s)"};

static sync_status read_origins(struct deleg_batch *all, const struct sync_result *result,
                                struct sync_error *err)
{
    (void)all;
    (void)err;
    deleg_count(DELEG_ECHO_UNKNOWN, sync_result_int8(result, 0, 0));
    return SYNC_OK;
}

static sync_status ask_origins(struct deleg_batch *all, struct deleg_asks *asks,
                               struct sync_error *err)
{
    struct columns columns;
    if (!columns_take(all->batch->arena, all->case_count + 1, &columns)) {
        return deleg_memory_full("origins", err);
    }
    for (size_t i = 0; i < all->case_count; i++) {
        const struct delegation_change *change = all->cases[i].change;
        if (all->cases[i].record->fold.outcome == SYNC_OUTCOME_ECHO && change->has_origin_seq) {
            size_t at = columns_add(&columns, i, change);
            columns.sources[at] = source_number(change->origin_source);
            columns.streams[at] = change->origin_stream;
            columns.seqs[at] = change->origin_seq;
        }
    }
    if (columns.count > 0) {
        struct sync_params *params = deleg_ask(all, asks, &origins_statement, read_origins);
        sync_params_int2_array(params, columns.sources, NULL, columns.count);
        sync_params_text_array(params, columns.streams, columns.count);
        sync_params_int8_array(params, columns.seqs, NULL, columns.count);
        sync_params_int4_array(params, columns.days, NULL, columns.count);
    }
    return SYNC_OK;
}

static bool is_new(const struct deleg_batch *all, const struct deleg_case *at)
{
    const struct sync_record *record = at->record;
    return !record->released_held && !record->released_parked && is_entered(at->change) &&
           record->fold.outcome != SYNC_OUTCOME_DUPLICATE && is_kept(all->batch, at->change);
}

sync_status deleg_write_ledger(struct deleg_batch *all, struct deleg_asks *asks,
                               struct sync_error *err)
{
    struct columns columns;
    if (!columns_take(all->batch->arena, all->case_count + 1, &columns)) {
        return deleg_memory_full("the ledger", err);
    }
    for (size_t i = 0; i < all->case_count; i++) {
        if (is_new(all, &all->cases[i])) {
            const struct sync_fold *fold = &all->cases[i].record->fold;
            size_t at = columns_add(&columns, i, all->cases[i].change);
            columns.outcomes[at] = (int16_t)fold->outcome;
            columns.rules[at] = sync_bytes_text(fold->rule);
        }
    }
    if (columns.count > 0) {
        struct sync_params *params = deleg_ask(all, asks, &enter_statement, NULL);
        sync_params_int2_array(params, columns.sources, NULL, columns.count);
        sync_params_text_array(params, columns.streams, columns.count);
        sync_params_uuid_array(params, columns.snapshots, NULL, columns.count);
        sync_params_int8_array(params, columns.seqs, NULL, columns.count);
        sync_params_int4_array(params, columns.days, NULL, columns.count);
        sync_params_int2_array(params, columns.outcomes, NULL, columns.count);
        sync_params_text_array(params, columns.rules, columns.count);
    }
    return ask_origins(all, asks, err);
}
