/*
 * Brings schema.sql and the population into the database. Not here: what changes them.
 */
#include "sim.h"

#include <core/arena.h>
#include <stdlib.h>

#define STEP 1000 /* parties of one statement */

static const struct sync_statement parties_statement = {
    "sim_parties", "INSERT INTO altinn2delegations.party SELECT * FROM unnest($1::int[], "
                   "$2::int[], $3::uuid[]) ON CONFLICT DO NOTHING"};
static const struct sync_statement own_statement = {
    "sim_own", "INSERT INTO altinn2delegations.party VALUES (0, $1, $2) ON CONFLICT DO NOTHING"};
/* What can be given: messages are read and archived, schemas read only, other services all. */
static const struct sync_statement resource_statement = {
    "sim_resource",
    "INSERT INTO altinn2delegations.resource SELECT $1, $2, $3, CASE $4"
    " WHEN 0 THEN ARRAY['read', 'write', 'archiveread', 'archivedelete']"
    " WHEN 1 THEN ARRAY['read', 'write']"
    " ELSE ARRAY['read', 'write', 'sign', 'archiveread'] END ON CONFLICT DO NOTHING"};
static const struct sync_statement count_statement = {
    "sim_count", "SELECT (SELECT count(*) FROM altinn2delegations.change WHERE actor < 2),"
                 " (SELECT count(*) FROM altinn2delegations.call WHERE path = 'command'),"
                 " (SELECT count(*) FROM altinn2delegations.call WHERE newer)"};

static void free_text(char **text)
{
    free(*text);
}

static void close_file(FILE **file)
{
    if (*file) {
        fclose(*file);
    }
}

static sync_status run_schema(struct sim *sim, struct sync_db *db, struct sync_error *err)
{
    const char *name = sim->options.schema_file;
    const size_t room = 256 * 1024;
    __attribute__((cleanup(free_text))) char *text = malloc(room);
    __attribute__((cleanup(close_file))) FILE *file = fopen(name, "r");
    size_t size = file && text ? fread(text, 1, room, file) : 0;
    if (size == 0 || size == room || ferror(file)) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_FILE, "read %s: it cannot be read", name);
    }
    text[size] = '\0';
    return sync_db_script(db, text, err);
}

static sync_status add_parties(struct sync_db *db, int32_t first, int32_t count,
                               struct sync_arena *arena, struct sync_error *err)
{
    int32_t *ids = sync_arena_take_array(arena, (size_t)count, sizeof *ids);
    int32_t *users = sync_arena_take_array(arena, (size_t)count, sizeof *users);
    struct sync_uuid *uuids = sync_arena_take_array(arena, (size_t)count, sizeof *uuids);
    SYNC_ASSERT(ids && users && uuids);
    for (int32_t i = 0; i < count; i++) {
        ids[i] = first + i;
        users[i] = delegations_user(ids[i]);
        uuids[i] = population_party(ids[i]);
    }
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_int4_array(&params, ids, NULL, (size_t)count);
    sync_params_int4_array(&params, users, NULL, (size_t)count);
    sync_params_uuid_array(&params, uuids, NULL, (size_t)count);
    return sync_db_exec(db, &parties_statement, &params, NULL, err);
}

static sync_status add_resource(struct sync_db *db, int32_t resource, struct sync_arena *arena,
                                struct sync_error *err)
{
    char id[64];
    int32_t kind = resource % DELEGATIONS_RESOURCE_KINDS;
    bool messages = kind == DELEGATIONS_MESSAGES || kind == DELEGATIONS_ARCHIVE;
    struct sync_params params;
    delegations_resource_id(resource, id, sizeof id);
    sync_params_init(&params, arena);
    sync_params_text(&params, id);
    sync_params_int4(&params, delegations_service(resource));
    sync_params_int4(&params, delegations_edition(resource));
    sync_params_int4(&params, messages ? 0 : kind == DELEGATIONS_SCHEMA ? 1 : 2);
    return sync_db_exec(db, &resource_statement, &params, NULL, err);
}

static sync_status add_own(struct sim *sim, struct sync_db *db, struct sync_arena *arena,
                           struct sync_error *err)
{
    struct sync_params params;
    sync_params_init(&params, arena);
    sync_params_int4(&params, sim->options.own_user_id);
    sync_params_uuid(&params, &sim->options.own_party);
    return sync_db_exec(db, &own_statement, &params, NULL, err);
}

static sync_status read_counts(struct sim *sim, struct sync_db *db, struct sync_error *err)
{
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &count_statement, NULL, &result, err);
    if (sync_is_ok(status)) {
        atomic_store(&sim->counters.acts, sync_result_int8(&result, 0, 0));
        atomic_store(&sim->counters.commands, sync_result_int8(&result, 0, 1));
        atomic_store(&sim->counters.applied, sync_result_int8(&result, 0, 2));
    }
    return status;
}

sync_status sim_tables_prepare(struct sim *sim, struct sync_db *db, struct sync_error *err)
{
    static uint8_t memory[128 * 1024];
    struct sync_arena arena;
    const struct delegations_size *size = &sim->options.size;
    sync_arena_init(&arena, memory, sizeof memory);
    sync_status status = run_schema(sim, db, err);
    for (int32_t at = 0; at < size->parties && sync_is_ok(status); at += STEP) {
        int32_t left = size->parties - at;
        sync_arena_reset(&arena, 0);
        status =
            add_parties(db, POPULATION_PARTY_FIRST + at, left < STEP ? left : STEP, &arena, err);
    }
    for (int32_t i = 0; i < size->resources && sync_is_ok(status); i++) {
        sync_arena_reset(&arena, 0);
        status = add_resource(db, i, &arena, err);
    }
    status = sync_is_ok(status) ? add_own(sim, db, &arena, err) : status;
    return sync_is_ok(status) ? read_counts(sim, db, err) : status;
}
