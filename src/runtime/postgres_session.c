/*
 * Sets a fresh connection up: pinned settings, checks of the server, replication origin. A session
 * that could not take its origin is dropped, so that it can write nothing.
 */
#include "postgres_wire.h"

#include <stdio.h>

#define SESSION_WAIT_MS (SYNC_DB_STATEMENT_MS)

/*
 * A prepared statement keeps its plan. One made while a table was empty would scan it, or hash it
 * whole, when it is full, until statistics change; all our statements look keys up by an index. A
 * scan that is left all the same counts as so dear that the server would compile it for seconds.
 */
static const struct sync_statement session_settings = {
    "session_settings",
    "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false),"
    " pg_catalog.set_config('lock_timeout', $1, false), pg_catalog.set_config('statement_timeout', "
    "$2, false),"
    " pg_catalog.set_config('idle_in_transaction_session_timeout', $3, false),"
    " pg_catalog.set_config('tcp_user_timeout', $4, false),"
    " pg_catalog.set_config('default_transaction_isolation', 'read committed', false),"
    " pg_catalog.current_setting('synchronous_commit'),"
    " pg_catalog.set_config('enable_seqscan', 'off', false),"
    " pg_catalog.set_config('enable_hashjoin', 'off', false),"
    " pg_catalog.set_config('enable_mergejoin', 'off', false),"
    " pg_catalog.set_config('jit', 'off', false)",
};
#define COLUMN_SYNCHRONOUS_COMMIT 6

static const struct sync_statement session_origin = {
    "session_origin",
    "SELECT pg_catalog.pg_replication_origin_session_setup($1)",
};

static const char *digits(int number, char buffer[static 16])
{
    (void)snprintf(buffer, 16, "%d", number);
    return buffer;
}

static sync_status pin_settings(struct sync_db *db, struct sync_error *err)
{
    char texts[4][16];
    struct sync_arena none;
    struct sync_params params;
    sync_arena_init(&none, NULL, 0);
    sync_params_init(&params, &none);
    sync_params_text(&params, digits(SYNC_DB_LOCK_CLAIM_MS, texts[0]));
    sync_params_text(&params, digits(SYNC_DB_STATEMENT_MS, texts[1]));
    sync_params_text(&params, digits(SYNC_DB_IDLE_IN_TXN_MS, texts[2]));
    sync_params_text(&params, digits(SYNC_DB_TCP_USER_MS, texts[3]));
    SYNC_RESULT result = {0};
    struct sync_call call = {&session_settings, &params};
    sync_status status = sync_wire_calls(db, &call, 1, SESSION_WAIT_MS, &result, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct sync_bytes commit = sync_result_bytes(&result, 0, COLUMN_SYNCHRONOUS_COMMIT);
    if (sync_bytes_equal(commit, sync_bytes_text("on")) ||
        sync_bytes_equal(commit, sync_bytes_text("remote_apply"))) {
        return SYNC_OK;
    }
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_DB_REFUSED,
                     "connect to the database: synchronous_commit is %.*s, so a commit may be "
                     "lost; run ALTER ROLE "
                     "for our role with SET synchronous_commit = on",
                     (int)commit.size, (const char *)commit.data);
}

/* What an origin's refusal means beside the common table. */
static sync_status origin_failed(struct sync_db *db, const char *name, sync_status status,
                                 struct sync_error *err)
{
    if (strcmp(db->sqlstate, "42704") == 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_DB_SCHEMA,
                         "the replication origin %s does not exist; run \"altinn-sync db migrate\"",
                         name);
    }
    if (strcmp(db->sqlstate, "42501") == 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_DB_REFUSED,
                         "our role may not take the replication origin %s; grant it EXECUTE on "
                         "pg_replication_origin_session_setup, _session_reset and _xact_setup",
                         name);
    }
    if (strcmp(db->sqlstate, "53400") == 0 || strcmp(db->sqlstate, "55000") == 0) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_DB_REFUSED,
                         "the server has no room for the replication origin %s: slots and all "
                         "origins of the pools "
                         "must fit into max_replication_slots; raise it and restart PostgreSQL",
                         name);
    }
    return status;
}

static sync_status take_origin(struct sync_db *db, struct sync_error *err)
{
    struct sync_arena none;
    sync_arena_init(&none, NULL, 0);
    for (int i = 1; i <= db->origin_pool; i++) {
        char name[128];
        struct sync_params params;
        (void)snprintf(name, sizeof name, "%s:%d", db->origin_prefix, i);
        sync_params_init(&params, &none);
        sync_params_text(&params, name);
        struct sync_call call = {&session_origin, &params};
        sync_status status = sync_wire_calls(db, &call, 1, SESSION_WAIT_MS, NULL, err);
        if (sync_is_ok(status)) {
            db->origin = i;
            return status;
        }
        if (strcmp(db->sqlstate, "55006") != 0) { /* 55006: another session holds it */
            return origin_failed(db, name, status, err);
        }
    }
    return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT,
                     "all %d replication origins %s:<n> are taken; raise consumer.origin_pool and "
                     "run \"altinn-sync "
                     "db migrate\", or stop another process of this consumer",
                     db->origin_pool, db->origin_prefix);
}

sync_status sync_session_begin(struct sync_db *db, struct sync_error *err)
{
    sync_status status = pin_settings(db, err);
    if (sync_is_ok(status) && db->origin_prefix != NULL) {
        status = take_origin(db, err);
    }
    return status;
}
