/* The home database of a receiver: statements and numbers. Not here: threads, answers. */
#include "resolver.h"

#include <core/limits.h>
#include <runtime/migrate.h>
#include <stdio.h>
#include <stdlib.h>

struct resolver {
    struct sync_db *db;
    bool is_checked; /* the tables are those of this program */
    char source[48];
    const char *home; /* static */
    struct sync_arena arena;
    struct resolver_run run; /* what is left of the reserved block */
    int64_t left;
    bool numbered; /* run.first is the next number of this process */
    uint8_t memory[SYNC_RECEIVER_PARAMS_BYTES];
};

static const struct sync_statement reserve_statement = {
    "receiver_reserve",
    "UPDATE sync.source SET next_sequence = next_sequence + $2, updated_at = now()"
    " WHERE name = $1 RETURNING next_sequence - $2 + sequence_base, generation"};
static const struct sync_statement create_statement = {
    "receiver_create",
    "INSERT INTO sync.source (name, generation, updated_at) VALUES ($1, 1, now())"
    " ON CONFLICT (name) DO NOTHING"};
static const struct sync_statement position_statement = {
    "receiver_position",
    "SELECT next_sequence + sequence_base, generation FROM sync.source WHERE name = $1"};
static const struct sync_statement ping_statement = {"receiver_ping", "SELECT 1"};

sync_status resolver_new(const struct sync_home *home, const char *source,
                         struct resolver **ret_resolver, struct sync_error *err)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "make the look-up: no memory");
    }
    resolver->home = home->name;
    snprintf(resolver->source, sizeof resolver->source, "%s", source);
    sync_arena_init(&resolver->arena, resolver->memory, sizeof resolver->memory);
    sync_status status =
        sync_db_new(&(struct sync_db_options){.dsn = home->dsn, .application = resolver->source},
                    &resolver->db, err);
    if (!sync_is_ok(status)) {
        free(resolver);
        return status;
    }
    *ret_resolver = resolver;
    return SYNC_OK;
}

void resolver_free(struct resolver **resolver)
{
    if (*resolver) {
        sync_db_free(&(*resolver)->db);
        free(*resolver);
        *resolver = NULL;
    }
}

struct sync_params resolver_params(struct resolver *resolver)
{
    struct sync_params params;
    sync_arena_reset(&resolver->arena, 0);
    sync_params_init(&params, &resolver->arena);
    return params;
}

sync_status resolver_exec_within(struct resolver *resolver, int timeout_ms,
                                 const struct sync_statement *statement,
                                 const struct sync_params *params, struct sync_result *ret_result,
                                 struct sync_error *err)
{
    int64_t now_us = 0;
    struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_RECEIVER_LOOKUP_MS,
                                     .statement_timeout_ms = timeout_ms};
    sync_status status =
        resolver->is_checked ? SYNC_OK : sync_db_schema_check(resolver->db, resolver->home, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    resolver->is_checked = true;
    status = sync_txn_begin(resolver->db, &limits, &now_us, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = sync_db_exec(resolver->db, statement, params, ret_result, err);
    if (!sync_is_ok(status)) {
        sync_txn_rollback(resolver->db);
        return status;
    }
    return sync_txn_commit(resolver->db, err);
}

sync_status resolver_exec(struct resolver *resolver, const struct sync_statement *statement,
                          const struct sync_params *params, struct sync_result *ret_result,
                          struct sync_error *err)
{
    return resolver_exec_within(resolver, SYNC_RECEIVER_LOOKUP_MS, statement, params, ret_result,
                                err);
}

static sync_status reserve(struct resolver *resolver, int64_t count, bool *ret_found,
                           struct sync_error *err)
{
    struct sync_params params = resolver_params(resolver);
    sync_params_text(&params, resolver->source);
    sync_params_int8(&params, count);
    SYNC_RESULT result = {0};
    sync_status status = resolver_exec(resolver, &reserve_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "reserve numbers of %s", resolver->source);
    }
    *ret_found = result.rows == 1;
    if (*ret_found) {
        resolver->run.first = sync_result_int8(&result, 0, 0);
        resolver->run.generation = sync_result_int4(&result, 0, 1);
        resolver->left = count;
        resolver->numbered = true;
    }
    return SYNC_OK;
}

static sync_status create_source(struct resolver *resolver, struct sync_error *err)
{
    struct sync_params params = resolver_params(resolver);
    sync_params_text(&params, resolver->source);
    return resolver_exec(resolver, &create_statement, &params, NULL, err);
}

static sync_status row_gone(const struct resolver *resolver, struct sync_error *err)
{
    return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_ROW_GONE,
                     "reserve numbers of %s: its row in sync.source is gone", resolver->source);
}

sync_status resolver_number(struct resolver *resolver, size_t count, struct resolver_run *ret_run,
                            struct sync_error *err)
{
    int64_t wanted = (int64_t)count;
    if (wanted > resolver->left) {
        int64_t block = wanted > SYNC_RECEIVER_NUMBERS_BLOCK ? wanted : SYNC_RECEIVER_NUMBERS_BLOCK;
        bool found = false;
        sync_status status = reserve(resolver, block, &found, err);
        if (sync_is_ok(status) && !found) {
            status = create_source(resolver, err);
            status = sync_is_ok(status) ? reserve(resolver, block, &found, err) : status;
        }
        if (!sync_is_ok(status)) {
            return status;
        }
        if (!found) {
            return row_gone(resolver, err);
        }
    }
    *ret_run = resolver->run;
    resolver->run.first += wanted;
    resolver->left -= wanted;
    return SYNC_OK;
}

sync_status resolver_position(struct resolver *resolver, struct resolver_run *ret_run,
                              struct sync_error *err)
{
    if (resolver->numbered) {
        *ret_run = (struct resolver_run){resolver->run.generation, resolver->run.first - 1};
        return SYNC_OK;
    }
    for (int attempt = 0; attempt < 2; attempt++) {
        struct sync_params params = resolver_params(resolver);
        sync_params_text(&params, resolver->source);
        SYNC_RESULT result = {0};
        sync_status status = resolver_exec(resolver, &position_statement, &params, &result, err);
        if (sync_is_ok(status) && result.rows == 1) {
            *ret_run = (struct resolver_run){sync_result_int4(&result, 0, 1),
                                             sync_result_int8(&result, 0, 0) - 1};
            return SYNC_OK;
        }
        status = sync_is_ok(status) ? create_source(resolver, err) : status;
        if (!sync_is_ok(status)) {
            return status;
        }
    }
    return row_gone(resolver, err);
}

sync_status resolver_ping(struct resolver *resolver, struct sync_error *err)
{
    struct sync_params params = resolver_params(resolver);
    return resolver_exec(resolver, &ping_statement, &params, NULL, err);
}
