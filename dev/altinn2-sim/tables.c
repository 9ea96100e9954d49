/* Schema "altinn2sim": what this Altinn 2 holds and what happened to it. Not here: who changes it.
 */
#include "sim.h"

#include <core/arena.h>
#include <core/limits.h>

#define POPULATION_STEP 1000

static const char schema_sql[] =
    "CREATE SCHEMA IF NOT EXISTS altinn2sim;"
    "CREATE TABLE IF NOT EXISTS altinn2sim.message ("
    " altinn2_id int PRIMARY KEY, altinn3_id uuid NOT NULL, migrated boolean NOT NULL,"
    " is_read boolean NOT NULL DEFAULT false, is_confirmed boolean NOT NULL DEFAULT false,"
    " is_archived boolean NOT NULL DEFAULT false, is_trashed boolean NOT NULL DEFAULT false,"
    " is_deleted boolean NOT NULL DEFAULT false) WITH (fillfactor = 50);"
    /* What users did: the facts born in Altinn 2. */
    "CREATE TABLE IF NOT EXISTS altinn2sim.act ("
    " act_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, altinn2_id int NOT NULL, kind int "
    "NOT NULL,"
    " party_uuid uuid NOT NULL, user_uuid uuid, occurred_at timestamptz NOT NULL);"
    /* What the batch job has to tell: acts, second stores and echoes. */
    "CREATE TABLE IF NOT EXISTS altinn2sim.report ("
    " report_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, altinn2_id int NOT NULL, kind int "
    "NOT NULL,"
    " party_uuid uuid NOT NULL, user_uuid uuid, occurred_at timestamptz NOT NULL, cause text NOT "
    "NULL,"
    " act_id bigint, request_id bigint, due_at timestamptz NOT NULL DEFAULT now(), pushed_at "
    "timestamptz);"
    "CREATE INDEX IF NOT EXISTS report_open ON altinn2sim.report (report_id) WHERE pushed_at IS "
    "NULL;"
    /* Every request of the bridge with its answer; code 0: the answer was lost. */
    "CREATE TABLE IF NOT EXISTS altinn2sim.request ("
    " request_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT "
    "clock_timestamp(),"
    " idempotency_key text, altinn2_id int, party_id int, event_type text, event_timestamp "
    "timestamptz,"
    " code int NOT NULL, applied smallint NOT NULL, fault text);"
    /* Every flag that rose, by whom. */
    "CREATE TABLE IF NOT EXISTS altinn2sim.change ("
    " change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT "
    "clock_timestamp(),"
    " altinn2_id int NOT NULL, flag text NOT NULL, act_id bigint, request_id bigint);";

static const struct sync_statement add_statement = {
    "sim_add",
    "INSERT INTO altinn2sim.message (altinn2_id, altinn3_id, migrated)"
    " SELECT * FROM unnest($1::int[], $2::uuid[], $3::boolean[]) ON CONFLICT DO NOTHING"};
static const struct sync_statement flags_statement = {
    "sim_flags",
    "SELECT altinn2_id, is_read::int + 2 * is_confirmed::int + 4 * is_archived::int + 8 * "
    "is_trashed::int"
    " + 16 * is_deleted::int FROM altinn2sim.message WHERE altinn2_id BETWEEN $1 AND $2"};
static const struct sync_statement counts_statement = {
    "sim_counts",
    "SELECT (SELECT count(*) FROM altinn2sim.act), (SELECT count(*) FROM altinn2sim.report),"
    " (SELECT count(*) FROM altinn2sim.report WHERE pushed_at IS NOT NULL),"
    " (SELECT count(*) FROM altinn2sim.request), (SELECT count(*) FROM altinn2sim.request WHERE "
    "applied > 0),"
    " (SELECT count(*) FROM altinn2sim.request WHERE applied > 1),"
    " (SELECT count(*) FROM altinn2sim.request WHERE code = 0)"};

size_t sim_message_count(const struct sim *sim)
{
    return (size_t)(sim->options.messages.last - sim->options.messages.first) + 1;
}

bool sim_message_index(const struct sim *sim, int32_t altinn2_id, size_t *ret_index)
{
    const struct population_range *range = &sim->options.messages;
    if (altinn2_id < range->first || altinn2_id > range->last) {
        return false;
    }
    *ret_index = (size_t)(altinn2_id - range->first);
    return true;
}

static sync_status add_messages(struct sim *sim, struct sync_db *db, int32_t first, int32_t last,
                                struct sync_arena *arena, struct sync_error *err)
{
    size_t count = (size_t)(last - first) + 1;
    int32_t *ids = sync_arena_take_array(arena, count, sizeof *ids);
    struct sync_uuid *uuids = sync_arena_take_array(arena, count, sizeof *uuids);
    bool *migrated = sync_arena_take_array(arena, count, sizeof *migrated);
    if (!ids || !uuids || !migrated) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT, "make messages: no memory");
    }
    for (size_t i = 0; i < count; i++) {
        const struct population_range *away = &sim->options.not_migrated;
        ids[i] = first + (int32_t)i;
        uuids[i] = population_message(ids[i]);
        migrated[i] = away->first == 0 || ids[i] < away->first || ids[i] > away->last;
    }
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_int4_array(&params, ids, NULL, count);
    sync_params_uuid_array(&params, uuids, NULL, count);
    sync_params_bool_array(&params, migrated, NULL, count);
    return sync_db_exec(db, &add_statement, &params, NULL, err);
}

static sync_status read_flags(struct sim *sim, struct sync_db *db, struct sync_arena *arena,
                              struct sync_error *err)
{
    struct sync_params params;
    sync_arena_reset(arena, 0);
    sync_params_init(&params, arena);
    sync_params_int4(&params, sim->options.messages.first);
    sync_params_int4(&params, sim->options.messages.last);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &flags_statement, &params, &result, err);
    for (int row = 0; row < result.rows && sync_is_ok(status); row++) {
        size_t index = 0;
        if (sim_message_index(sim, sync_result_int4(&result, row, 0), &index)) {
            atomic_store(&sim->flags[index], (unsigned char)sync_result_int4(&result, row, 1));
        }
    }
    return status;
}

static sync_status read_counts(struct sim *sim, struct sync_db *db, struct sync_error *err)
{
    struct sim_counters *counters = &sim->counters;
    atomic_llong *targets[] = {&counters->acts,     &counters->reports, &counters->pushed,
                               &counters->requests, &counters->applied, &counters->applied_twice,
                               &sim->calls.lost};
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &counts_statement, NULL, &result, err);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0] && sync_is_ok(status); i++) {
        atomic_store(targets[i], sync_result_int8(&result, 0, (int)i));
    }
    return status;
}

sync_status sim_tables_prepare(struct sim *sim, struct sync_db *db, struct sync_error *err)
{
    static uint8_t memory[256 * 1024];
    struct sync_arena arena;
    sync_arena_init(&arena, memory, sizeof memory);
    sync_status status = sync_db_script(db, schema_sql, err);
    const struct population_range *range = &sim->options.messages;
    for (int64_t first = range->first; first <= range->last && sync_is_ok(status);
         first += POPULATION_STEP) {
        int64_t last = first + POPULATION_STEP - 1;
        sync_arena_reset(&arena, 0);
        status = add_messages(sim, db, (int32_t)first,
                              (int32_t)(last < range->last ? last : range->last), &arena, err);
    }
    status = sync_is_ok(status) ? read_flags(sim, db, &arena, err) : status;
    return sync_is_ok(status) ? read_counts(sim, db, err) : status;
}
