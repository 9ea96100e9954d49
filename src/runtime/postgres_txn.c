/*
 * Statements and transactions over the wire: connecting when needed, begin, hurry, commit, in
 * doubt. Not here: the wire itself (postgres.c).
 */
#include "postgres_wire.h"

#include "clock.h"

#include <stdio.h>

static const struct sync_statement txn_begin_write = {
    "txn_begin", "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"};
static const struct sync_statement txn_begin_read = {
    "txn_begin_read", "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"};
static const struct sync_statement txn_commit = {"commit", "COMMIT"};
static const struct sync_statement txn_settings = {
    "txn_settings",
    "SELECT now(), set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)",
};
/* Without the set-up in each transaction the streamed commit time is that of an earlier one. */
static const struct sync_statement txn_settings_origin = {
    "txn_settings_origin",
    "SELECT now(), set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true),"
    " pg_replication_origin_xact_setup('0/1', clock_timestamp())",
};
/* $1 began at $2: the server itself counts what is left, so that statements of one round trip share
 * it. */
static const struct sync_statement txn_hurry = {
    "txn_hurry",
    "SELECT set_config('statement_timeout',"
    " greatest(1, $1::int4 - ceil(1000 * extract(epoch FROM clock_timestamp() - "
    "$2::timestamptz))::int4)::text, true)",
};
static const struct sync_statement read_setting = {
    "read_setting", "SELECT coalesce(current_setting($1, true), '')"};

sync_status sync_db_connect(struct sync_db *db, struct sync_error *err)
{
    if (sync_db_is_connected(db)) {
        return SYNC_OK;
    }
    sync_status status = sync_wire_open(db, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = sync_session_begin(db, err);
    if (!sync_is_ok(status)) {
        sync_db_disconnect(db);
        return status;
    }
    db->usable = true;
    sync_wire_count_sessions(1);
    db->statement_ms = SYNC_DB_STATEMENT_MS;
    return SYNC_OK;
}

/* A transaction must not go on over a second connection. */
static sync_status ensure_usable(struct sync_db *db, const char *name, struct sync_error *err)
{
    if (db->in_txn && !sync_db_is_connected(db)) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_UNREACHABLE,
                         "%s: the transaction was lost with its connection", name);
    }
    return sync_db_connect(db, err);
}

static void drop_results(struct sync_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sync_result_done(&results[i]);
    }
}

/* How long the answers of a trip may take together. */
static int trip_ms(const struct sync_db *db, size_t count)
{
    int statements_ms =
        db->hurry_from_us != 0 ? SYNC_DB_WAIT_ALTINN3_MS : db->statement_ms * (int)count;
    return statements_ms + SYNC_DB_NETWORK_MS;
}

/* Calls as they are sent: in a hurry the rest of the budget stands before each; COMMIT behind them
 * where it ends the transaction. */
struct trip {
    struct sync_call all[SYNC_WIRE_CALLS_MAX];
    struct sync_result results[SYNC_WIRE_CALLS_MAX];
    size_t count, step; /* step: the caller's call i stands at i * step + step - 1 */
    uint8_t memory[64];
    struct sync_arena arena;
    struct sync_params budget;
};

static void trip_init(const struct sync_db *db, const struct sync_call *calls, size_t count,
                      bool commits, struct trip *trip)
{
    trip->count = 0;
    trip->step = db->hurry_from_us != 0 ? 2 : 1;
    sync_arena_init(&trip->arena, trip->memory, sizeof trip->memory);
    sync_params_init(&trip->budget, &trip->arena);
    sync_params_int4(&trip->budget, SYNC_DB_WAIT_ALTINN3_MS);
    sync_params_time(&trip->budget, db->hurry_from_us);
    for (size_t i = 0; i < count; i++) {
        if (trip->step == 2) {
            trip->all[trip->count++] = (struct sync_call){&txn_hurry, &trip->budget};
        }
        trip->all[trip->count++] = calls[i];
    }
    if (commits) {
        trip->all[trip->count++] = (struct sync_call){&txn_commit, NULL};
    }
}

/* Hands the caller's results out and drops the others. */
static void trip_take(struct trip *trip, size_t count, struct sync_result *ret_results)
{
    for (size_t i = 0; ret_results != NULL && i < count; i++) {
        struct sync_result *own = &trip->results[i * trip->step + trip->step - 1];
        ret_results[i] = *own;
        *own = (struct sync_result){NULL, 0, 0};
    }
    drop_results(trip->results, trip->count);
}

sync_status sync_db_pipeline(struct sync_db *db, const struct sync_call *calls, size_t count,
                             struct sync_result *ret_results, struct sync_error *err)
{
    SYNC_ASSERT(count > 0 && count <= SYNC_PIPELINE_CALLS_MAX);
    sync_status status = ensure_usable(db, calls[0].statement->name, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    struct trip trip;
    trip_init(db, calls, count, false, &trip);
    status = sync_wire_calls(db, trip.all, trip.count, trip_ms(db, count), trip.results, err);
    if (sync_is_ok(status)) {
        trip_take(&trip, count, ret_results);
    }
    return status;
}

sync_status sync_db_exec(struct sync_db *db, const struct sync_statement *statement,
                         const struct sync_params *params, struct sync_result *ret_result,
                         struct sync_error *err)
{
    struct sync_call call = {statement, params};
    return sync_db_pipeline(db, &call, 1, ret_result, err);
}

sync_status sync_db_script(struct sync_db *db, const char *sql, struct sync_error *err)
{
    char tag[SYNC_WIRE_TAG] = "";
    sync_status status = ensure_usable(db, "script", err);
    if (!sync_is_ok(status)) {
        return status;
    }
    return sync_wire_script(db, "script", sql, db->statement_ms + SYNC_DB_NETWORK_MS, tag, err);
}

sync_status sync_db_setting(struct sync_db *db, const char *name, size_t capacity, char *ret_text,
                            struct sync_error *err)
{
    struct sync_arena none;
    struct sync_params params;
    sync_arena_init(&none, NULL, 0);
    sync_params_init(&params, &none);
    sync_params_text(&params, name);
    SYNC_RESULT result = {0};
    sync_status status = sync_db_exec(db, &read_setting, &params, &result, err);
    if (sync_is_ok(status)) {
        struct sync_bytes text = sync_result_bytes(&result, 0, 0);
        (void)snprintf(ret_text, capacity, "%.*s", (int)text.size, (const char *)text.data);
    }
    return status;
}

/* Transactions ------------------------------------------------------------------------------ */

static void forget_txn(struct sync_db *db)
{
    db->in_txn = false;
    db->hurry_from_us = 0;
    db->statement_ms = SYNC_DB_STATEMENT_MS;
}

static const char *digits(int number, char buffer[static 16])
{
    (void)snprintf(buffer, 16, "%d", number);
    return buffer;
}

static void note_begin(struct sync_db *db, int statement_ms, const struct sync_result *settings)
{
    db->statement_ms = statement_ms;
    db->wait_cancelled = false;
    db->begun_monotonic_us = sync_clock_monotonic_us();
    db->begun_server_us = sync_result_time(settings, 0, 0);
}

sync_status sync_txn_begin_with(struct sync_db *db, const struct sync_txn_limits *limits,
                                const struct sync_call *calls, size_t count,
                                struct sync_result *ret_results, int64_t *ret_now_us,
                                struct sync_error *err)
{
    SYNC_ASSERT(!db->in_txn && count <= SYNC_PIPELINE_CALLS_MAX);
    sync_status status = sync_db_connect(db, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    int lock_ms = limits->lock_timeout_ms > 0 ? limits->lock_timeout_ms : SYNC_DB_LOCK_CLAIM_MS;
    int statement_ms =
        limits->statement_timeout_ms > 0 ? limits->statement_timeout_ms : SYNC_DB_STATEMENT_MS;
    char texts[2][16];
    struct sync_arena none;
    struct sync_params params;
    sync_arena_init(&none, NULL, 0);
    sync_params_init(&params, &none);
    sync_params_text(&params, digits(lock_ms, texts[0]));
    sync_params_text(&params, digits(statement_ms, texts[1]));
    bool marks = db->origin > 0 && !limits->read_only;
    struct sync_call all[2 + SYNC_PIPELINE_CALLS_MAX] = {
        {limits->read_only ? &txn_begin_read : &txn_begin_write, NULL},
        {marks ? &txn_settings_origin : &txn_settings, &params},
    };
    struct sync_result results[2 + SYNC_PIPELINE_CALLS_MAX];
    memcpy(&all[2], calls, count * sizeof *calls);
    int wait_ms = SYNC_DB_STATEMENT_MS + statement_ms * (int)count + SYNC_DB_NETWORK_MS;
    status = sync_wire_calls(db, all, 2 + count, wait_ms, results, err);
    db->in_txn = true;
    if (!sync_is_ok(status)) {
        sync_txn_rollback(db);
        return status;
    }
    note_begin(db, statement_ms, &results[1]);
    if (ret_now_us != NULL) {
        *ret_now_us = db->begun_server_us;
    }
    drop_results(results, ret_results != NULL ? 2 : 2 + count);
    if (ret_results != NULL) {
        memcpy(ret_results, &results[2], count * sizeof *results);
    }
    return SYNC_OK;
}

sync_status sync_txn_begin(struct sync_db *db, const struct sync_txn_limits *limits,
                           int64_t *ret_now_us, struct sync_error *err)
{
    static const struct sync_call none[1];
    return sync_txn_begin_with(db, limits, none, 0, NULL, ret_now_us, err);
}

sync_status sync_txn_hurry(struct sync_db *db, struct sync_error *err)
{
    SYNC_ASSERT(db->in_txn);
    if (!sync_db_is_connected(db)) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_UNREACHABLE,
                         "hurry: the transaction was lost with its connection");
    }
    if (db->hurry_from_us == 0) {
        /* The server's clock of now, from its time at BEGIN: at most one trip early, which is the
         * safe side. */
        db->hurry_from_us =
            db->begun_server_us + sync_clock_monotonic_us() - db->begun_monotonic_us;
    }
    return SYNC_OK;
}

/*
 * An error reply to COMMIT means rolled back, but for those that end the session or cancel: they
 * may come after the commit record was written.
 */
static bool leaves_doubt(const struct sync_db *db)
{
    return db->conn == NULL || db->sqlstate[0] == '\0' || strncmp(db->sqlstate, "57", 2) == 0;
}

/* Nobody knows whether it is done: the owner row says it, over another connection. */
static sync_status fail_doubt(struct sync_db *db, const char *why, struct sync_error *err)
{
    sync_db_disconnect(db);
    return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_IN_DOUBT, "commit: %s", why);
}

sync_status sync_txn_commit_with(struct sync_db *db, const struct sync_call *calls, size_t count,
                                 struct sync_result *ret_results, struct sync_error *err)
{
    SYNC_ASSERT(db->in_txn && count <= SYNC_PIPELINE_CALLS_MAX);
    if (!sync_db_is_connected(db)) {
        forget_txn(db);
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_UNREACHABLE,
                         "commit: the transaction was lost with its connection");
    }
    struct trip trip;
    trip_init(db, calls, count, true, &trip);
    int wait_ms = trip_ms(db, count) + db->statement_ms;
    sync_status status = sync_wire_calls(db, trip.all, trip.count, wait_ms, trip.results, err);
    bool refused = db->conn != NULL && db->failed_call + 1 < trip.count;
    if (!sync_is_ok(status) && refused) { /* the server has skipped COMMIT */
        sync_txn_rollback(db);
        return status;
    }
    forget_txn(db);
    if (!sync_is_ok(status)) {
        return leaves_doubt(db)
                   ? fail_doubt(db, "no clear answer, so nobody here knows whether it is done", err)
                   : status;
    }
    bool committed = sync_wire_has_tag(&trip.results[trip.count - 1], "COMMIT");
    if (db->wait_cancelled || !committed) {
        drop_results(trip.results, trip.count);
    }
    if (db->wait_cancelled) {
        return fail_doubt(db, "the server stopped waiting for a synchronous standby", err);
    }
    if (!committed) {
        return sync_fail(err, SYNC_CLASS_RETRY, SYNC_CODE_DB_CONFLICT,
                         "commit: the server rolled back, because a statement before had failed");
    }
    trip_take(&trip, count, ret_results);
    return SYNC_OK;
}

sync_status sync_txn_commit(struct sync_db *db, struct sync_error *err)
{
    static const struct sync_call none[1];
    return sync_txn_commit_with(db, none, 0, NULL, err);
}

void sync_txn_rollback(struct sync_db *db)
{
    char tag[SYNC_WIRE_TAG] = "", sqlstate[sizeof db->sqlstate], constraint[sizeof db->constraint];
    memcpy(sqlstate, db->sqlstate, sizeof sqlstate); /* the caller still asks why it rolls back */
    memcpy(constraint, db->constraint, sizeof constraint);
    forget_txn(db);
    if (!sync_db_is_connected(db)) {
        sync_db_disconnect(db);
        return;
    }
    if (sync_wire_in_txn(db) &&
        !sync_is_ok(sync_wire_script(db, "rollback", "ROLLBACK", SYNC_DB_NETWORK_MS, tag, NULL))) {
        sync_db_disconnect(db);
    }
    memcpy(db->sqlstate, sqlstate, sizeof sqlstate);
    memcpy(db->constraint, constraint, sizeof constraint);
}
