/* Look-ups and numbers of the receiver in its home database. Not here: threads, answers. */
#include "resolver.h"

#include <core/limits.h>
#include <runtime/migrate.h>
#include <runtime/postgres.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES (256 * 1024) /* parameters of one look-up of SYNC_HTTP_REQUESTS_MAX ids */

struct cache_entry {
    struct sync_uuid altinn3_id; /* zero = free */
    int32_t altinn2_id;
};

struct resolver {
    struct sync_db *db;
    bool is_checked; /* the tables are those of this program */
    char source[48];
    struct sync_arena arena;
    struct resolver_run run; /* what is left of the reserved block */
    int64_t left;
    uint8_t memory[ARENA_BYTES];
    struct cache_entry cache[SYNC_RECEIVER_CACHE_ENTRIES];
};

static const struct sync_statement find_statement = {
    "receiver_find",
    "SELECT \"Id\", \"Altinn2CorrespondenceId\" FROM correspondence.\"Correspondences\""
    " WHERE \"Id\" = ANY ($1) AND \"Altinn2CorrespondenceId\" IS NOT NULL"};
static const struct sync_statement reserve_statement = {
    "receiver_reserve",
    "UPDATE sync.source SET next_sequence = next_sequence + $2, updated_at = now()"
    " WHERE name = $1 RETURNING next_sequence - $2 + sequence_base, generation"};
static const struct sync_statement create_statement = {
    "receiver_create",
    "INSERT INTO sync.source (name, generation, updated_at) VALUES ($1, 1, now())"
    " ON CONFLICT (name) DO NOTHING"};
static const struct sync_statement ping_statement = {"receiver_ping", "SELECT 1"};

sync_status resolver_new(const char *dsn, const char *source, struct resolver **ret_resolver,
                         struct sync_error *err)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_MEMORY_LIMIT,
                         "make the look-up: no memory");
    }
    snprintf(resolver->source, sizeof resolver->source, "%s", source);
    sync_arena_init(&resolver->arena, resolver->memory, sizeof resolver->memory);
    sync_status status = sync_db_new(
        &(struct sync_db_options){.dsn = dsn, .application = resolver->source}, &resolver->db, err);
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

/* Ids of newer messages share their first bytes, so the last ones choose the place. */
static struct cache_entry *cache_place(struct resolver *resolver, const struct sync_uuid *id)
{
    uint64_t hash = 0;
    memcpy(&hash, id->bytes + 8, sizeof hash);
    hash ^= hash >> 29;
    hash *= 0x9e3779b97f4a7c15ULL;
    return &resolver->cache[(hash >> 32) % SYNC_RECEIVER_CACHE_ENTRIES];
}

/* One statement in a transaction of its own under the look-up's time limit. */
static sync_status run_statement(struct resolver *resolver, const struct sync_statement *statement,
                                 const struct sync_params *params, struct sync_result *ret_result,
                                 struct sync_error *err)
{
    int64_t now_us = 0;
    struct sync_txn_limits limits = {.lock_timeout_ms = SYNC_RECEIVER_LOOKUP_MS,
                                     .statement_timeout_ms = SYNC_RECEIVER_LOOKUP_MS};
    sync_status status = resolver->is_checked ? SYNC_OK : sync_db_schema_check(resolver->db, err);
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

/* What the database says about the ids, into the answers and the cache. */
static sync_status ask(struct resolver *resolver, const struct sync_uuid *ids, size_t count,
                       int32_t *ret_altinn2_ids, struct sync_error *err)
{
    struct sync_params params;
    sync_arena_reset(&resolver->arena, 0);
    sync_params_init(&params, &resolver->arena);
    sync_params_uuid_array(&params, ids, NULL, count);
    SYNC_RESULT result = {0};
    sync_status status = run_statement(resolver, &find_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "look up messages of Altinn 3");
    }
    for (int row = 0; row < result.rows; row++) {
        struct sync_uuid id = sync_result_uuid(&result, row, 0);
        int32_t altinn2_id = sync_result_int4(&result, row, 1);
        for (size_t i = 0; i < count && altinn2_id > 0; i++) {
            if (sync_uuid_compare(&ids[i], &id) == 0) {
                ret_altinn2_ids[i] = altinn2_id;
                *cache_place(resolver, &id) = (struct cache_entry){id, altinn2_id};
            }
        }
    }
    return SYNC_OK;
}

sync_status resolver_find(struct resolver *resolver, const struct sync_uuid *altinn3_ids,
                          size_t count, int32_t *ret_altinn2_ids, struct sync_error *err)
{
    SYNC_ASSERT(count <= SYNC_HTTP_REQUESTS_MAX);
    bool all_cached = true;
    for (size_t i = 0; i < count; i++) {
        const struct cache_entry *entry = cache_place(resolver, &altinn3_ids[i]);
        bool cached = sync_uuid_compare(&entry->altinn3_id, &altinn3_ids[i]) == 0;
        ret_altinn2_ids[i] = cached ? entry->altinn2_id : 0;
        all_cached = all_cached && cached;
    }
    /* A place of the cache may be taken by another id of the same call, so the answers do not pass
     * through it. */
    return all_cached ? SYNC_OK : ask(resolver, altinn3_ids, count, ret_altinn2_ids, err);
}

static sync_status reserve(struct resolver *resolver, int64_t count, bool *ret_found,
                           struct sync_error *err)
{
    struct sync_params params;
    sync_arena_reset(&resolver->arena, 0);
    sync_params_init(&params, &resolver->arena);
    sync_params_text(&params, resolver->source);
    sync_params_int8(&params, count);
    SYNC_RESULT result = {0};
    sync_status status = run_statement(resolver, &reserve_statement, &params, &result, err);
    if (!sync_is_ok(status)) {
        return sync_wrap(err, "reserve numbers of %s", resolver->source);
    }
    *ret_found = result.rows == 1;
    if (*ret_found) {
        resolver->run.first = sync_result_int8(&result, 0, 0);
        resolver->left = count;
        snprintf(resolver->run.stream, sizeof resolver->run.stream, "%s.%d", resolver->source,
                 (int)sync_result_int4(&result, 0, 1));
    }
    return SYNC_OK;
}

static sync_status create_source(struct resolver *resolver, struct sync_error *err)
{
    struct sync_params params;
    sync_arena_reset(&resolver->arena, 0);
    sync_params_init(&params, &resolver->arena);
    sync_params_text(&params, resolver->source);
    return run_statement(resolver, &create_statement, &params, NULL, err);
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
            return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_ROW_GONE,
                             "reserve numbers of %s: its row in sync.source is gone",
                             resolver->source);
        }
    }
    *ret_run = resolver->run;
    resolver->run.first += wanted;
    resolver->left -= wanted;
    return SYNC_OK;
}

sync_status resolver_ping(struct resolver *resolver, struct sync_error *err)
{
    struct sync_params params;
    sync_arena_reset(&resolver->arena, 0);
    sync_params_init(&params, &resolver->arena);
    return run_statement(resolver, &ping_statement, &params, NULL, err);
}
