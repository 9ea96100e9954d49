/*
 * What a batch writes besides its entity: outbox, hold, parked, decisions and, last, counts. One
 * round trip. Not here: the outbox rows themselves (apply_outbox.c).
 */
#include "apply_parts.h"
#include "digest.h"
#include "id.h"

#define COUNT_ROWS_MAX    4096 /* a release may touch every partition of both directions */
#define DECISION_SAMPLE   100  /* "sampled": one record of so many, by its offset */
#define EFFECT_NAMES_SIZE (SYNC_FOLD_EFFECTS_MAX * (SYNC_EFFECT_NAME_MAX + 1))
#define WRITE_CALLS_MAX   8
#define TEXTS_MAX         5

static const struct sync_statement insert_held = {
    "hold_insert",
    "INSERT INTO sync.hold (scope, topic, partition, record_offset, entity_key, appended_at, "
    "record,"
    " rule, missing_kind, missing_id, since, urgent)"
    " SELECT n.* FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::text[],"
    " $6::timestamptz[], $7::bytea[], $8::text[], $9::text[], $10::text[], $11::timestamptz[],"
    " $12::bool[]) AS n (scope, topic, partition, record_offset, entity_key, appended_at, record,"
    " rule, kind, id, since, urgent)"
    " ORDER BY n.scope COLLATE \"C\", n.topic COLLATE \"C\", n.partition, n.record_offset"};
/* A record that left parked and comes back is open again. */
static const struct sync_statement insert_parked = {
    "parked_insert",
    "INSERT INTO sync.parked (scope, topic, partition, record_offset, entity_key, appended_at, "
    "record,"
    " rule, code, field, reason, digest, part, missing_kind, missing_id, sealed, since)"
    " SELECT n.*, false, $16 FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], "
    "$5::text[],"
    " $6::timestamptz[], $7::bytea[], $8::text[], $9::text[], $10::text[], $11::text[], "
    "$12::bytea[], $13::bool[], $14::text[], $15::text[])"
    " AS n (scope, topic, partition, record_offset, entity_key, appended_at, record, rule, code,"
    " field, reason, digest, part, missing_kind, missing_id)"
    " ORDER BY n.scope COLLATE \"C\", n.topic COLLATE \"C\", n.partition, n.record_offset"
    " ON CONFLICT (scope, topic, partition, record_offset) DO UPDATE SET rule = excluded.rule,"
    " code = excluded.code, field = excluded.field, reason = excluded.reason,"
    " record = excluded.record, part = excluded.part, missing_kind = excluded.missing_kind,"
    " missing_id = excluded.missing_id, since = excluded.since, state = 0"};
static const struct sync_statement insert_decisions = {
    "decision_insert",
    "INSERT INTO sync.decision (day, scope, topic, partition, record_offset, event_id, entity_key,"
    " outcome, rule, effects, decided_at)"
    " SELECT ($10::timestamptz AT TIME ZONE 'UTC')::date, n.scope, n.topic, n.partition,"
    " n.record_offset, n.event_id, n.entity_key, n.outcome, n.rule, string_to_array(n.effects, "
    "','),"
    " $10 FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::uuid[], $6::text[],"
    " $7::smallint[], $8::text[], $9::text[]) AS n (scope, topic, partition, record_offset, "
    "event_id,"
    " entity_key, outcome, rule, effects)"};
/* Last, and in key order: every batch of every scope may touch these rows. */
static const struct sync_statement add_counts = {
    "count_add",
    "INSERT INTO sync.outcome_count AS c (scope, topic, partition, outcome, n)"
    " SELECT d.* FROM unnest($1::text[], $2::text[], $3::int[], $4::smallint[], $5::bigint[])"
    " AS d (scope, topic, partition, outcome, n)"
    " ORDER BY d.scope COLLATE \"C\", d.topic COLLATE \"C\", d.partition, d.outcome"
    " ON CONFLICT (scope, topic, partition, outcome) DO UPDATE SET n = c.n + excluded.n"};

/* Columns that holds, parks and decisions share; a selection of the batch's records. */
struct rows {
    const struct sync_record **records;
    struct sync_bytes *scopes, *topics, *keys, *values, *rules, *texts[TEXTS_MAX];
    int32_t *partitions;
    int64_t *offsets, *times_us;
    size_t count;
};

static bool rows_take(struct sync_arena *arena, size_t count, struct rows *ret_rows)
{
    struct sync_bytes **texts[5 + TEXTS_MAX] = {
        &ret_rows->scopes, &ret_rows->topics, &ret_rows->keys, &ret_rows->values, &ret_rows->rules};
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        texts[5 + i] = &ret_rows->texts[i];
    }
    bool full = false;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = sync_arena_take_array(arena, count, sizeof **texts[i]);
        full = full || *texts[i] == NULL;
    }
    ret_rows->records = sync_arena_take_array(arena, count, sizeof *ret_rows->records);
    ret_rows->partitions = sync_arena_take_array(arena, count, sizeof *ret_rows->partitions);
    ret_rows->offsets = sync_arena_take_array(arena, count, sizeof *ret_rows->offsets);
    ret_rows->times_us = sync_arena_take_array(arena, count, sizeof *ret_rows->times_us);
    return !full && ret_rows->records != NULL && ret_rows->partitions != NULL &&
           ret_rows->offsets != NULL && ret_rows->times_us != NULL;
}

static void rows_add(struct rows *rows, const struct sync_record *record)
{
    size_t at = rows->count++;
    rows->records[at] = record;
    rows->scopes[at] = sync_bytes_text(record->scope);
    rows->topics[at] = sync_bytes_text(record->topic);
    rows->partitions[at] = record->partition;
    rows->offsets[at] = record->offset;
    rows->times_us[at] = record->context.appended_us;
    rows->rules[at] = sync_bytes_text(record->fold.rule);
    rows->values[at] = record->value;
    if (record->entity.size > 0) { /* else null: the record has no readable key */
        rows->keys[at] =
            (struct sync_bytes){(const uint8_t *)record->entity.text, record->entity.size};
    }
}

/* Scope, topic, partition, offset: the first four parameters of every insert. */
static struct sync_params *rows_params(const struct apply *apply, const struct rows *rows)
{
    struct sync_params *params = sync_arena_take(apply->batch->arena, sizeof *params);
    if (params != NULL) {
        sync_params_init(params, apply->batch->arena);
        sync_params_text_array(params, rows->scopes, rows->count);
        sync_params_text_array(params, rows->topics, rows->count);
        sync_params_int4_array(params, rows->partitions, NULL, rows->count);
        sync_params_int8_array(params, rows->offsets, NULL, rows->count);
    }
    return params;
}

/* Calls back for every record that was decided now, the released ones first. */
static void each_record(const struct apply *apply, struct rows *rows,
                        bool (*want)(const struct apply *apply, const struct sync_record *record))
{
    const struct sync_batch *batch = apply->batch;
    for (size_t i = 0; i < batch->released_count; i++) {
        if (want(apply, &batch->released[i])) {
            rows_add(rows, &batch->released[i]);
        }
    }
    for (size_t i = 0; i < batch->record_count; i++) {
        if (want(apply, &batch->records[i])) {
            rows_add(rows, &batch->records[i]);
        }
    }
}

static size_t total(const struct apply *apply)
{
    return apply->batch->released_count + apply->batch->record_count;
}

/* Hold ---------------------------------------------------------------------------------------- */

static bool is_held(const struct apply *apply, const struct sync_record *record)
{
    (void)apply;
    return record->fold.outcome == SYNC_OUTCOME_HELD;
}

/* Null: the entity itself is missing. */
static void name_missing(const struct sync_fold *fold, struct sync_bytes *ret_kind,
                         struct sync_bytes *ret_id)
{
    bool named = fold->missing_kind != NULL;
    *ret_kind = named ? sync_bytes_text(fold->missing_kind) : (struct sync_bytes){NULL, 0};
    *ret_id = named ? sync_bytes_text(fold->missing_id) : (struct sync_bytes){NULL, 0};
}

static sync_status add_held(const struct apply *apply, struct rows *rows, struct sync_call *calls,
                            size_t *count, struct sync_error *err)
{
    rows->count = 0;
    each_record(apply, rows, is_held);
    if (rows->count == 0) {
        return SYNC_OK;
    }
    struct sync_params *params = rows_params(apply, rows);
    int64_t *since_us = sync_arena_take_array(apply->batch->arena, rows->count, sizeof *since_us);
    bool *urgent = sync_arena_take_array(apply->batch->arena, rows->count, sizeof *urgent);
    if (params == NULL || since_us == NULL || urgent == NULL) {
        return apply_full(err);
    }
    for (size_t i = 0; i < rows->count; i++) {
        const struct sync_record *record = rows->records[i];
        since_us[i] = record->held_since_us != 0 ? record->held_since_us : apply->batch->now_us;
        urgent[i] = record->fold.alarm;
        name_missing(&record->fold, &rows->texts[0][i], &rows->texts[1][i]);
    }
    sync_params_text_array(params, rows->keys, rows->count);
    sync_params_time_array(params, rows->times_us, NULL, rows->count);
    sync_params_bytes_array(params, rows->values, rows->count);
    sync_params_text_array(params, rows->rules, rows->count);
    sync_params_text_array(params, rows->texts[0], rows->count);
    sync_params_text_array(params, rows->texts[1], rows->count);
    sync_params_time_array(params, since_us, NULL, rows->count);
    sync_params_bool_array(params, urgent, NULL, rows->count);
    calls[(*count)++] = (struct sync_call){&insert_held, params};
    return SYNC_OK;
}

/* Park ---------------------------------------------------------------------------------------- */

/* A part of it alone: the record itself counts by its outcome. */
static bool is_part(const struct sync_record *record)
{
    return record->fold.outcome != SYNC_OUTCOME_PARKED && record->fold.part.code != 0;
}

static bool is_parked(const struct apply *apply, const struct sync_record *record)
{
    (void)apply;
    return record->fold.outcome == SYNC_OUTCOME_PARKED || is_part(record);
}

/* One parked only for a limit of holding is still released, so its bytes stay readable. */
static bool keeps_bytes(const struct apply *apply, const struct sync_record *record)
{
    return apply->applier->keep_parked_bytes || record->fold.code == SYNC_CODE_HELD_TOO_MANY ||
           record->fold.code == SYNC_CODE_HELD_TOO_LONG;
}

/* Columns of parked that the other inserts have not. */
struct parked {
    struct sync_digest *digests;
    struct sync_bytes *digest_bytes;
    bool *parts;
};

static void describe_whole(const struct sync_record *record, struct rows *rows, size_t i)
{
    const struct sync_fold *fold = &record->fold;
    const char *field = fold->field != NULL ? fold->field : record->error.field;
    rows->texts[0][i] = sync_bytes_text(sync_code_word(fold->code));
    rows->texts[1][i] = field[0] == '\0' ? (struct sync_bytes){NULL, 0} : sync_bytes_text(field);
    rows->texts[2][i] = sync_bytes_text(fold->reason != NULL ? fold->reason : record->error.text);
    name_missing(fold, &rows->texts[3][i], &rows->texts[4][i]);
}

static void describe_part(const struct sync_record *record, struct rows *rows, size_t i)
{
    static const struct sync_bytes none = {NULL, 0};
    const struct sync_fold *fold = &record->fold;
    rows->rules[i] = sync_bytes_text(fold->part.rule);
    rows->texts[0][i] = sync_bytes_text(sync_code_word(fold->part.code));
    rows->texts[1][i] = fold->part.field == NULL ? none : sync_bytes_text(fold->part.field);
    rows->texts[2][i] = sync_bytes_text(fold->part.reason);
    rows->texts[3][i] = rows->texts[4][i] = none;
}

static void describe_parked(const struct apply *apply, struct rows *rows, struct parked *parked)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct sync_record *record = rows->records[i];
        parked->parts[i] = is_part(record);
        (parked->parts[i] ? describe_part : describe_whole)(record, rows, i);
        parked->digests[i] =
            sync_digest_record(record->offset, record->timestamp_ms, record->key, record->value);
        parked->digest_bytes[i] =
            (struct sync_bytes){parked->digests[i].bytes, sizeof parked->digests[i].bytes};
        if (!keeps_bytes(apply, record)) {
            rows->values[i] = (struct sync_bytes){NULL, 0};
        }
    }
}

static sync_status add_parked(const struct apply *apply, struct rows *rows, struct sync_call *calls,
                              size_t *count, struct sync_error *err)
{
    rows->count = 0;
    each_record(apply, rows, is_parked);
    if (rows->count == 0) {
        return SYNC_OK;
    }
    struct sync_arena *arena = apply->batch->arena;
    struct parked parked = {
        .digests = sync_arena_take_array(arena, rows->count, sizeof *parked.digests),
        .digest_bytes = sync_arena_take_array(arena, rows->count, sizeof *parked.digest_bytes),
        .parts = sync_arena_take_array(arena, rows->count, sizeof *parked.parts),
    };
    struct sync_params *params = rows_params(apply, rows);
    if (parked.digests == NULL || parked.digest_bytes == NULL || parked.parts == NULL ||
        params == NULL) {
        return apply_full(err);
    }
    describe_parked(apply, rows, &parked);
    sync_params_text_array(params, rows->keys, rows->count);
    sync_params_time_array(params, rows->times_us, NULL, rows->count);
    sync_params_bytes_array(params, rows->values, rows->count);
    sync_params_text_array(params, rows->rules, rows->count);
    sync_params_text_array(params, rows->texts[0], rows->count);
    sync_params_text_array(params, rows->texts[1], rows->count);
    sync_params_text_array(params, rows->texts[2], rows->count);
    sync_params_bytes_array(params, parked.digest_bytes, rows->count);
    sync_params_bool_array(params, parked.parts, NULL, rows->count);
    sync_params_text_array(params, rows->texts[3], rows->count);
    sync_params_text_array(params, rows->texts[4], rows->count);
    sync_params_time(params, apply->batch->now_us);
    calls[(*count)++] = (struct sync_call){&insert_parked, params};
    return SYNC_OK;
}

/* Decisions ----------------------------------------------------------------------------------- */

static bool is_logged(const struct apply *apply, const struct sync_record *record)
{
    return apply->applier->decision_mode == 2 || record->fold.outcome == SYNC_OUTCOME_PARKED ||
           record->offset % DECISION_SAMPLE == 0;
}

/* The event's id, zero when the record did not decode. */
static struct sync_uuid id_of_event(const struct sync_processor *processor,
                                    const struct sync_record *record)
{
    struct sync_event event;
    if (record->change == NULL) {
        return (struct sync_uuid){0};
    }
    processor->event(record->change, &event);
    return sync_id_event_of(event.system, event.stream, event.part, event.sequence);
}

/* Names of a record's effects, joined by commas; null when it has none. */
static bool effect_names(const struct apply *apply, const struct sync_record *record,
                         const struct apply_effect **at, struct sync_bytes *ret_names)
{
    char names[EFFECT_NAMES_SIZE];
    size_t size = 0;
    for (; *at != NULL && ((*at)->record == NULL || (*at)->record == record); *at = (*at)->next) {
        if ((*at)->record == NULL || (*at)->effect.withdraw) {
            continue;
        }
        size_t more = strlen((*at)->effect.name);
        if (size > 0) {
            names[size++] = ',';
        }
        memcpy(names + size, (*at)->effect.name, more);
        size += more;
    }
    if (size == 0) {
        return true;
    }
    *ret_names =
        sync_arena_copy(apply->batch->arena, (struct sync_bytes){(const uint8_t *)names, size});
    return ret_names->data != NULL;
}

/*
 * Effects are in the order of deciding, as the rows are. With every record logged the next effect
 * belongs to this row or a later one; with a sample the effects of what is left out are passed
 * over.
 */
static bool name_effects(const struct apply *apply, struct rows *rows)
{
    bool sampled = apply->applier->decision_mode != 2;
    const struct apply_effect *at = apply->first_effect;
    for (size_t i = 0; i < rows->count && at != NULL; i++) {
        const struct apply_effect *own = at;
        while (own != NULL && own->record != rows->records[i] && (sampled || own->record == NULL)) {
            own = own->next;
        }
        if (own == NULL || own->record != rows->records[i]) {
            continue;
        }
        if (!effect_names(apply, rows->records[i], &own, &rows->texts[0][i])) {
            return false;
        }
        at = own;
    }
    return true;
}

static sync_status add_decisions(const struct apply *apply, struct rows *rows,
                                 struct sync_call *calls, size_t *count, struct sync_error *err)
{
    rows->count = 0;
    if (apply->applier->decision_mode == 0) {
        return SYNC_OK;
    }
    each_record(apply, rows, is_logged);
    if (rows->count == 0) {
        return SYNC_OK;
    }
    struct sync_arena *arena = apply->batch->arena;
    struct sync_uuid *events = sync_arena_take_array(arena, rows->count, sizeof *events);
    int16_t *outcomes = sync_arena_take_array(arena, rows->count, sizeof *outcomes);
    struct sync_params *params = rows_params(apply, rows);
    memset(rows->texts[0], 0, rows->count * sizeof *rows->texts[0]);
    if (events == NULL || outcomes == NULL || params == NULL || !name_effects(apply, rows)) {
        return apply_full(err);
    }
    for (size_t i = 0; i < rows->count; i++) {
        events[i] = id_of_event(apply->applier->processor, rows->records[i]);
        outcomes[i] = (int16_t)rows->records[i]->fold.outcome;
    }
    sync_params_uuid_array(params, events, NULL, rows->count);
    sync_params_text_array(params, rows->keys, rows->count);
    sync_params_int2_array(params, outcomes, NULL, rows->count);
    sync_params_text_array(params, rows->rules, rows->count);
    sync_params_text_array(params, rows->texts[0], rows->count);
    sync_params_time(params, apply->batch->now_us);
    calls[(*count)++] = (struct sync_call){&insert_decisions, params};
    return SYNC_OK;
}

/* Counts -------------------------------------------------------------------------------------- */

static bool count_add(struct apply *apply, const struct sync_record *record,
                      enum sync_outcome outcome, int64_t n)
{
    for (size_t i = 0; i < apply->count_rows; i++) {
        struct apply_count *row = &apply->counts[i];
        if (row->outcome == (int16_t)outcome && row->partition == record->partition &&
            strcmp(row->topic, record->topic) == 0 && strcmp(row->scope, record->scope) == 0) {
            row->n += n;
            return true;
        }
    }
    if (apply->count_rows == COUNT_ROWS_MAX) {
        return false;
    }
    apply->counts[apply->count_rows++] =
        (struct apply_count){record->scope, record->topic, record->partition, (int16_t)outcome, n};
    return true;
}

/* Every consumed record once; one that leaves hold or park moves from one column to another. */
static bool count_all(struct apply *apply)
{
    const struct sync_batch *batch = apply->batch;
    bool counted = true;
    for (size_t i = 0; i < batch->record_count && counted; i++) {
        counted = count_add(apply, &batch->records[i], batch->records[i].fold.outcome, 1);
    }
    for (size_t i = 0; i < batch->released_count && counted; i++) {
        const struct sync_record *record = &batch->released[i];
        enum sync_outcome left = record->released_held ? SYNC_OUTCOME_HELD : SYNC_OUTCOME_PARKED;
        counted =
            count_add(apply, record, left, -1) && count_add(apply, record, record->fold.outcome, 1);
    }
    return counted;
}

static sync_status add_count_call(struct apply *apply, struct sync_call *calls, size_t *count,
                                  struct sync_error *err)
{
    struct sync_arena *arena = apply->batch->arena;
    size_t most = 2 * total(apply) < COUNT_ROWS_MAX ? 2 * total(apply) : COUNT_ROWS_MAX;
    apply->counts = sync_arena_take_array(arena, most, sizeof *apply->counts);
    struct rows rows = {0};
    if (apply->counts == NULL || !count_all(apply) || !rows_take(arena, apply->count_rows, &rows)) {
        return apply_full(err);
    }
    int16_t *outcomes = sync_arena_take_array(arena, apply->count_rows, sizeof *outcomes);
    struct sync_params *params = sync_arena_take(arena, sizeof *params);
    if (outcomes == NULL || params == NULL) {
        return apply_full(err);
    }
    for (size_t i = 0; i < apply->count_rows; i++) {
        const struct apply_count *row = &apply->counts[i];
        rows.scopes[i] = sync_bytes_text(row->scope);
        rows.topics[i] = sync_bytes_text(row->topic);
        rows.partitions[i] = row->partition;
        outcomes[i] = row->outcome;
        rows.offsets[i] = row->n;
    }
    sync_params_init(params, arena);
    sync_params_text_array(params, rows.scopes, apply->count_rows);
    sync_params_text_array(params, rows.topics, apply->count_rows);
    sync_params_int4_array(params, rows.partitions, NULL, apply->count_rows);
    sync_params_int2_array(params, outcomes, NULL, apply->count_rows);
    sync_params_int8_array(params, rows.offsets, NULL, apply->count_rows);
    calls[(*count)++] = (struct sync_call){&add_counts, params};
    return SYNC_OK;
}

/* All of it ----------------------------------------------------------------------------------- */

static sync_status collect_calls(struct apply *apply, struct sync_call *calls, size_t *count,
                                 size_t *ret_insert, struct sync_error *err)
{
    sync_status status = apply_outbox_calls(apply, calls, count, ret_insert, err);
    if (!sync_is_ok(status) || total(apply) == 0) {
        return status;
    }
    struct rows rows[3] = {
        {0}, {0}, {0}}; /* what a call borrows lives until the pipeline has run */
    for (size_t i = 0; i < 3; i++) {
        if (!rows_take(apply->batch->arena, total(apply), &rows[i])) {
            return apply_full(err);
        }
    }
    status = add_held(apply, &rows[0], calls, count, err);
    if (sync_is_ok(status)) {
        status = add_parked(apply, &rows[1], calls, count, err);
    }
    if (sync_is_ok(status)) {
        status = add_decisions(apply, &rows[2], calls, count, err);
    }
    if (sync_is_ok(status)) {
        status = add_count_call(apply, calls, count, err);
    }
    return status;
}

/* What waits now, for the senders. Without memory for it they are only woken. */
static void take_hints(struct apply *apply, const struct sync_result *inserted)
{
    struct sync_batch *batch = apply->batch;
    batch->hints =
        sync_arena_take_array(batch->arena, (size_t)inserted->rows + 1, sizeof *batch->hints);
    batch->hint_count = 0;
    for (int row = 0; row < inserted->rows; row++) {
        if (sync_result_int4(inserted, row, 0) != OUTBOX_WAITING) {
            continue;
        }
        apply->lane_effects++;
        struct sync_bytes target =
            sync_arena_copy(batch->arena, sync_result_bytes(inserted, row, 1));
        struct sync_bytes key = sync_arena_copy(batch->arena, sync_result_bytes(inserted, row, 3));
        if (batch->hints != NULL && target.data != NULL && key.data != NULL) {
            batch->hints[batch->hint_count++] =
                (struct sync_lane_hint){.target = (const char *)target.data,
                                        .partition = sync_result_int4(inserted, row, 2),
                                        .key = key,
                                        .due = sync_result_bool(inserted, row, 4)};
        }
    }
}

sync_status apply_write(struct apply *apply, struct sync_error *err)
{
    struct sync_call calls[WRITE_CALLS_MAX];
    struct sync_result results[WRITE_CALLS_MAX] = {{0}};
    size_t count = 0;
    size_t insert = SIZE_MAX;
    sync_status status = collect_calls(apply, calls, &count, &insert, err);
    if (!sync_is_ok(status) || count == 0) {
        return status;
    }
    status = sync_db_pipeline(apply->applier->db, calls, count, results, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    if (insert != SIZE_MAX) {
        take_hints(apply, &results[insert]);
    }
    for (size_t i = 0; i < count; i++) {
        sync_result_done(&results[i]);
    }
    return SYNC_OK;
}
