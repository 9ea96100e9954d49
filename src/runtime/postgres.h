/*
 * One PostgreSQL connection: prepared statements over binary parameters and arrays, transactions,
 * classes by SQLSTATE, the in-doubt question. The only user of libpq besides
 * connectors/altinn3/capture.c.
 */
#ifndef SYNC_RUNTIME_POSTGRES_H
#define SYNC_RUNTIME_POSTGRES_H

#include "../core/arena.h"
#include <altinn_sync/status.h>
#include <altinn_sync/types.h>

struct sync_db;

struct sync_db_options {
    const char *dsn;         /* URI, keywords or service; plaintext only to loopback or a socket */
    const char *application; /* application_name */
    /* "sync:status-to-altinn3": takes the next free origin of the pool; NULL = none. With an
     * origin, write inside sync_txn_begin … commit only: it stamps the origin's time. */
    const char *origin_prefix;
    int origin_pool;
    const char *setting; /* option that holds dsn, static text; NULL = "database.dsn" */
};

/*
 * Makes a handle; connects at the first use and again after a loss. One thread.
 * Fails: FATAL insecure when dsn leads elsewhere without verified TLS; FATAL config when it does
 * not parse.
 */
sync_status sync_db_new(const struct sync_db_options *options, struct sync_db **ret_db,
                        struct sync_error *err);
void sync_db_free(struct sync_db **db);

/*
 * Connected, read-write, settings pinned (search_path, time-outs, origin taken, notice receiver).
 * Blocks: at most SYNC_DB_CONNECT_S per host + 10 s, and what the name service takes.
 * Fails: RETRY unreachable, or every origin of the pool is taken; FATAL refused (3D000, 28*, origin
 * 53400).
 */
sync_status sync_db_connect(struct sync_db *db, struct sync_error *err);
void sync_db_disconnect(struct sync_db *db);
bool sync_db_is_connected(const struct sync_db *db);
/* The option that holds its DSN. */
const char *sync_db_option(const struct sync_db *db);

/* A statement: static text, prepared once per connection under its name. */
struct sync_statement {
    const char *name, *sql;
};

/* Parameters of one statement, in order; numbers and arrays are encoded into the arena, text and
 * bytes are borrowed until the statement has run. An add that finds the arena full is remembered
 * and the statement then fails with RETRY memory_limit. */
#define SYNC_PARAMS_MAX 40
struct sync_params {
    struct sync_arena *arena;
    int count;
    bool full;
    const char *values[SYNC_PARAMS_MAX];
    int lengths[SYNC_PARAMS_MAX];
    int formats[SYNC_PARAMS_MAX];
    uint32_t types[SYNC_PARAMS_MAX];
};
void sync_params_init(struct sync_params *params, struct sync_arena *arena);
void sync_params_bool(struct sync_params *params, bool value);
void sync_params_int2(struct sync_params *params, int16_t value);
void sync_params_int4(struct sync_params *params, int32_t value);
void sync_params_int8(struct sync_params *params, int64_t value);
void sync_params_text(struct sync_params *params, const char *value); /* NULL = null */
/* bytea; data NULL = null */
void sync_params_bytes(struct sync_params *params, struct sync_bytes value);
void sync_params_uuid(struct sync_params *params, const struct sync_uuid *value); /* NULL = null */
/* timestamptz; INT64_MIN and INT64_MAX = infinities */
void sync_params_time(struct sync_params *params, int64_t time_us);

/* Arrays; nulls may be NULL (no element is null) or count flags; of bytes data NULL = null. */
void sync_params_bool_array(struct sync_params *p, const bool *v, const bool *nulls, size_t count);
void sync_params_int2_array(struct sync_params *p, const int16_t *v, const bool *nulls,
                            size_t count);
void sync_params_int4_array(struct sync_params *p, const int32_t *v, const bool *nulls,
                            size_t count);
void sync_params_int8_array(struct sync_params *p, const int64_t *v, const bool *nulls,
                            size_t count);
void sync_params_text_array(struct sync_params *p, const struct sync_bytes *v, size_t count);
void sync_params_bytes_array(struct sync_params *p, const struct sync_bytes *v, size_t count);
void sync_params_uuid_array(struct sync_params *p, const struct sync_uuid *v, const bool *nulls,
                            size_t count);
void sync_params_time_array(struct sync_params *p, const int64_t *us, const bool *nulls,
                            size_t count);

/* Rows of one statement, binary. SYNC_RESULT frees it at the end of the block. */
struct sync_result {
    void *handle;
    int rows;
    int64_t affected; /* rows changed by INSERT, UPDATE, DELETE */
};
void sync_result_done(struct sync_result *result);
#define SYNC_RESULT __attribute__((cleanup(sync_result_done))) struct sync_result
bool sync_result_is_null(const struct sync_result *r, int row, int column);
bool sync_result_bool(const struct sync_result *r, int row, int column);
int32_t sync_result_int4(const struct sync_result *r, int row, int column); /* int2 or int4 */
int64_t sync_result_int8(const struct sync_result *r, int row, int column); /* int2, int4 or int8 */
/* text, bytea; valid until done */
struct sync_bytes sync_result_bytes(const struct sync_result *r, int row, int column);
struct sync_uuid sync_result_uuid(const struct sync_result *r, int row, int column);
/* Microseconds; infinities kept */
int64_t sync_result_time(const struct sync_result *r, int row, int column);

/*
 * Runs one statement. params may be NULL, ret_result may be NULL (rows are dropped).
 * Blocks: at most the statement's time-out + network.
 * Fails: the class of the SQLSTATE (see sync_db_classify); the connection is dropped when it is
 * lost.
 */
sync_status sync_db_exec(struct sync_db *db, const struct sync_statement *statement,
                         const struct sync_params *params, struct sync_result *ret_result,
                         struct sync_error *err);

/* One call of a pipeline; params may be NULL. */
struct sync_call {
    const struct sync_statement *statement;
    const struct sync_params *params;
};
#define SYNC_PIPELINE_CALLS_MAX 16
/*
 * Runs several statements in one round trip. ret_results has count elements, or is NULL (rows are
 * dropped). Inside a transaction each statement sees what the ones before it wrote and what others
 * committed before it began. The first error ends the pipeline: no later statement runs, no result
 * is kept, err names the statement.
 */
sync_status sync_db_pipeline(struct sync_db *db, const struct sync_call *calls, size_t count,
                             struct sync_result *ret_results, struct sync_error *err);

/* Setting of the server or session as text, "" when the server does not know it. */
sync_status sync_db_setting(struct sync_db *db, const char *name, size_t capacity, char *ret_text,
                            struct sync_error *err);

/*
 * Checks a DSN without connecting: it parses (service and PG* variables resolved), holds no
 * password, and is loopback or verified TLS. Also for connections that are opened elsewhere
 * (capture). setting: the option that holds it, for the sentence. Fails: FATAL config or insecure.
 */
sync_status sync_db_dsn_check(const char *dsn, const char *setting, struct sync_error *err);
/* The same, and says whether every host is loopback or a Unix socket. */
sync_status sync_db_dsn_is_loopback(const char *dsn, const char *setting, bool *ret_loopback,
                                    struct sync_error *err);

/* A script of several statements without parameters (migrations, SET). */
sync_status sync_db_script(struct sync_db *db, const char *sql, struct sync_error *err);

/* SQLSTATE of the last failure, "" when there was none (connection lost, time-out). */
const char *sync_db_sqlstate(const struct sync_db *db);
/* Which constraint was hit, "" when the last failure names none. */
const char *sync_db_constraint(const struct sync_db *db);

/* Class by SQLSTATE, the longer code first. "" = connection lost. */
enum sync_class sync_db_classify(const char *sqlstate, enum sync_code *ret_code);

/*
 * BEGIN READ COMMITTED and, with an origin, pg_replication_origin_xact_setup; ret_now_us is the
 * server's time. lock_timeout_ms and statement_timeout_ms are set for this transaction; 0 = the
 * connection's default.
 */
struct sync_txn_limits {
    int lock_timeout_ms, statement_timeout_ms;
    bool read_only;
};
sync_status sync_txn_begin(struct sync_db *db, const struct sync_txn_limits *limits,
                           int64_t *ret_now_us, struct sync_error *err);
/* The same, and calls behind it in the same round trip, as in sync_db_pipeline. Fails: no
 * transaction is open then. */
sync_status sync_txn_begin_with(struct sync_db *db, const struct sync_txn_limits *limits,
                                const struct sync_call *calls, size_t count,
                                struct sync_result *ret_results, int64_t *ret_now_us,
                                struct sync_error *err);
/*
 * From the first lock on a row of Altinn 3: every further statement of the transaction runs under a
 * statement_timeout of what is left of SYNC_DB_WAIT_ALTINN3_MS, counted by the server. No round
 * trip. Fails: RETRY when no transaction is open any more.
 */
sync_status sync_txn_hurry(struct sync_db *db, struct sync_error *err);
/*
 * COMMIT. Fails: RETRY with code in_doubt when nobody knows (connection lost, cancelled wait for a
 * standby): ask the owner row. Any other failure: rolled back.
 */
sync_status sync_txn_commit(struct sync_db *db, struct sync_error *err);
/*
 * The last calls of a transaction and its COMMIT in one round trip. Fails: as sync_db_pipeline,
 * when a call was refused, and rolled back then; else as sync_txn_commit. In doubt as well when the
 * connection was lost before any answer: COMMIT had left with the calls.
 */
sync_status sync_txn_commit_with(struct sync_db *db, const struct sync_call *calls, size_t count,
                                 struct sync_result *ret_results, struct sync_error *err);
/* Rolls back; never fails: a connection that cannot roll back is dropped. */
void sync_txn_rollback(struct sync_db *db);

/* Of libpq, "15.20". Static; call it from one thread. */
const char *sync_db_library_version(void);

#endif
