/* Applies numbered SQL and makes replication origins. Not here: the SQL, who may run it. */
#include "migrate.h"

#include "../core/limits.h"
#include "digest.h"

#include <altinn_sync/processor.h>
#include <stdio.h>

#define SHA256_BYTES     32
#define ROWS_MAX         256  /* migrations that one database may know */
#define ORIGINS_MAX      1024 /* origins of all pools together */
#define ORIGIN_BYTES_MAX 128

/* One key for the whole database: "sync" as a number. */
static const struct sync_statement migrate_lock = {"migrate_lock",
                                                   "SELECT pg_advisory_xact_lock(1937337955)"};
static const struct sync_statement migrate_has_table = {
    "migrate_has_table", "SELECT to_regclass('sync.schema_version') IS NOT NULL"};
static const struct sync_statement migrate_read = {
    "migrate_read",
    "SELECT version, name, sha256, applied_at FROM sync.schema_version ORDER BY version"};
static const struct sync_statement migrate_note = {
    "migrate_note", "INSERT INTO sync.schema_version (version, name, sha256, applied_at) VALUES "
                    "($1, $2, $3, now())"};
static const struct sync_statement migrate_origins = {
    "migrate_origins",
    "SELECT pg_replication_origin_create(n.name) FROM unnest($1::text[]) AS n (name)"
    " WHERE NOT EXISTS (SELECT FROM pg_replication_origin o WHERE o.roname = n.name)"};
static const struct sync_statement migrate_origins_missing = {
    "migrate_origins_missing",
    "SELECT n.name FROM unnest($1::text[]) AS n (name)"
    " WHERE NOT EXISTS (SELECT FROM pg_replication_origin o WHERE o.roname = n.name)"};

/* Reading ----------------------------------------------------------------------------------- */

static bool is_of(const struct sync_migration *migration, const char *home)
{
    return migration->home == NULL || strcmp(migration->home, home) == 0;
}

/* The first migration of the home from at on; the end of the list when there is none. */
static const struct sync_migration *next_of(const struct sync_migration *at, const char *home)
{
    while (at->name != NULL && !is_of(at, home)) {
        at++;
    }
    return at;
}

/* The home of a version that this binary knows for one home only, else NULL. */
static const char *home_of(int version)
{
    for (const struct sync_migration *at = sync_migrations; at->name != NULL; at++) {
        if (at->version == version) {
            return at->home;
        }
    }
    return NULL;
}

static bool same_text(const struct sync_migration *migration, struct sync_bytes sum)
{
    uint8_t own[SHA256_BYTES];
    sync_digest_sha256(sync_bytes_text(migration->sql), own);
    return sync_bytes_equal(sum, (struct sync_bytes){own, sizeof own});
}

static void put_row(struct sync_migration_row *row, int version, struct sync_bytes name,
                    enum sync_migration_state state)
{
    row->version = version;
    row->state = state;
    row->applied_us = 0;
    (void)snprintf(row->name, sizeof row->name, "%.*s", (int)name.size, (const char *)name.data);
}

/* The database's rows and ours, both ascending, become one list. */
static size_t merge_rows(const struct sync_result *found, const char *home,
                         struct sync_migration_row *rows, size_t max)
{
    size_t count = 0;
    int theirs = 0;
    const struct sync_migration *ours = next_of(sync_migrations, home);
    while (count < max && (ours->name != NULL || theirs < found->rows)) {
        int version = theirs < found->rows ? sync_result_int4(found, theirs, 0) : INT32_MAX;
        struct sync_migration_row *row = &rows[count++];
        if (ours->name != NULL && ours->version < version) {
            put_row(row, ours->version, sync_bytes_text(ours->name), SYNC_MIGRATION_PENDING);
            ours = next_of(ours + 1, home);
            continue;
        }
        enum sync_migration_state state = SYNC_MIGRATION_UNKNOWN;
        if (ours->name != NULL && ours->version == version) {
            bool same = same_text(ours, sync_result_bytes(found, theirs, 2));
            state = same ? SYNC_MIGRATION_APPLIED : SYNC_MIGRATION_CHANGED;
            ours = next_of(ours + 1, home);
        }
        put_row(row, version, sync_result_bytes(found, theirs, 1), state);
        row->applied_us = sync_result_time(found, theirs, 3);
        theirs++;
    }
    return count;
}

sync_status sync_migrations_read(struct sync_db *db, const char *home,
                                 struct sync_migration_row *ret_rows, size_t max, size_t *ret_count,
                                 struct sync_error *err)
{
    SYNC_RESULT has = {0};
    SYNC_RESULT found = {0};
    sync_status status = sync_db_exec(db, &migrate_has_table, NULL, &has, err);
    if (sync_is_ok(status) && sync_result_bool(&has, 0, 0)) {
        status = sync_db_exec(db, &migrate_read, NULL, &found, err);
    }
    if (sync_is_ok(status)) {
        *ret_count = merge_rows(&found, home, ret_rows, max);
    }
    return status;
}

static sync_status fail_unknown(const struct sync_db *db, const struct sync_migration_row *row,
                                const char *home, struct sync_error *err)
{
    const char *other = home_of(row->version);
    if (other != NULL) {
        return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_DB_SCHEMA,
                         "%s leads to the home %s, not to the home %s; every home is a database of "
                         "its own",
                         sync_db_option(db), other, home);
    }
    return sync_fail(err, SYNC_CLASS_FATAL, SYNC_CODE_DB_SCHEMA,
                     "the database knows migration %s, which this program does not; use the "
                     "program whose \"altinn-sync db migrate\" applied it",
                     row->name);
}

static sync_status check_row(const struct sync_db *db, const struct sync_migration_row *row,
                             const char *home, struct sync_error *err)
{
    switch (row->state) {
    case SYNC_MIGRATION_PENDING:
    case SYNC_MIGRATION_APPLIED:
        break;
    case SYNC_MIGRATION_CHANGED:
        return sync_fail(
            err, SYNC_CLASS_FATAL, SYNC_CODE_DB_SCHEMA,
            "migration %s was applied with another text than that of this program; use the program "
            "whose \"altinn-sync db migrate\" applied it, or a fresh database",
            row->name);
    case SYNC_MIGRATION_UNKNOWN:
        return fail_unknown(db, row, home, err);
    }
    return SYNC_OK;
}

static sync_status read_checked(struct sync_db *db, const char *home,
                                struct sync_migration_row *rows, size_t *ret_count,
                                int *ret_pending, struct sync_error *err)
{
    sync_status status = sync_migrations_read(db, home, rows, ROWS_MAX, ret_count, err);
    *ret_pending = 0;
    for (size_t i = 0; sync_is_ok(status) && i < *ret_count; i++) {
        *ret_pending += rows[i].state == SYNC_MIGRATION_PENDING;
        status = check_row(db, &rows[i], home, err);
    }
    return status;
}

sync_status sync_db_schema_check(struct sync_db *db, const char *home, struct sync_error *err)
{
    struct sync_migration_row rows[ROWS_MAX];
    size_t count;
    int pending;
    sync_status status = read_checked(db, home, rows, &count, &pending, err);
    if (!sync_is_ok(status) || pending == 0) {
        return status;
    }
    return sync_fail(
        err, SYNC_CLASS_FATAL, SYNC_CODE_DB_SCHEMA,
        "the database lacks %d migration%s of this program; run \"altinn-sync db migrate\"",
        pending, pending == 1 ? "" : "s");
}

/* Applying ---------------------------------------------------------------------------------- */

static sync_status note_applied(struct sync_db *db, const struct sync_migration *migration,
                                struct sync_error *err)
{
    uint8_t sum[SHA256_BYTES], memory[64];
    struct sync_arena arena;
    struct sync_params params;
    sync_digest_sha256(sync_bytes_text(migration->sql), sum);
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    sync_params_int4(&params, migration->version);
    sync_params_text(&params, migration->name);
    sync_params_bytes(&params, (struct sync_bytes){sum, sizeof sum});
    return sync_db_exec(db, &migrate_note, &params, NULL, err);
}

/* Another run may have applied it while we waited for the lock: then it is not pending any more. */
static sync_status still_pending(struct sync_db *db, const char *home, int version,
                                 bool *ret_pending, struct sync_error *err)
{
    struct sync_migration_row rows[ROWS_MAX];
    size_t count;
    int pending;
    sync_status status = read_checked(db, home, rows, &count, &pending, err);
    *ret_pending = false;
    for (size_t i = 0; sync_is_ok(status) && i < count; i++) {
        *ret_pending |= rows[i].version == version && rows[i].state == SYNC_MIGRATION_PENDING;
    }
    return status;
}

static sync_status apply(struct sync_db *db, const char *home,
                         const struct sync_migration *migration, int *applied,
                         struct sync_error *err)
{
    struct sync_txn_limits limits = {SYNC_DB_LOCK_CLAIM_MS, SYNC_DB_MIGRATE_MS, false};
    bool pending = false;
    sync_status status = sync_txn_begin(db, &limits, NULL, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = sync_db_exec(db, &migrate_lock, NULL, NULL, err);
    if (sync_is_ok(status)) {
        status = still_pending(db, home, migration->version, &pending, err);
    }
    if (sync_is_ok(status) && pending) {
        status = sync_db_script(db, migration->sql, err);
    }
    if (sync_is_ok(status) && pending) {
        status = note_applied(db, migration, err);
    }
    if (sync_is_ok(status)) {
        status = sync_txn_commit(db, err);
    } else {
        sync_txn_rollback(db);
    }
    *applied += sync_is_ok(status) && pending;
    return sync_is_ok(status) ? status : sync_wrap(err, "migration %s", migration->name);
}

sync_status sync_db_migrate(struct sync_db *db, const char *home, bool dry_run, int *ret_applied,
                            struct sync_error *err)
{
    struct sync_migration_row rows[ROWS_MAX];
    size_t count;
    int pending, applied = 0;
    sync_status status = read_checked(db, home, rows, &count, &pending, err);
    const struct sync_migration *at = next_of(sync_migrations, home);
    for (; sync_is_ok(status) && !dry_run && at->name != NULL; at = next_of(at + 1, home)) {
        status = apply(db, home, at, &applied, err);
    }
    *ret_applied = dry_run ? pending : applied;
    return status;
}

/* Origins ----------------------------------------------------------------------------------- */

static size_t name_origins(const char *home, int pool, char (*names)[ORIGIN_BYTES_MAX],
                           struct sync_bytes *texts)
{
    size_t count = 0;
    for (size_t p = 0; sync_processors[p] != NULL; p++) {
        const struct sync_processor *processor = sync_processors[p];
        bool here = strcmp(processor->home, home) == 0;
        for (size_t r = 0; here && r < processor->route_count; r++) {
            for (int n = 1; n <= pool && count < ORIGINS_MAX; n++) {
                (void)snprintf(names[count], ORIGIN_BYTES_MAX, "sync:%s:%d",
                               processor->routes[r].name, n);
                texts[count] = sync_bytes_text(names[count]);
                count++;
            }
        }
    }
    return count;
}

static sync_status create_origins(struct sync_db *db, const struct sync_params *params,
                                  int *ret_created, struct sync_error *err)
{
    struct sync_txn_limits limits = {0};
    SYNC_RESULT created = {0};
    struct sync_call calls[] = {{&migrate_lock, NULL}, {&migrate_origins, params}};
    struct sync_result results[2];
    sync_status status = sync_txn_begin(db, &limits, NULL, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    status = sync_db_pipeline(db, calls, 2, results, err);
    if (!sync_is_ok(status)) {
        sync_txn_rollback(db);
        if (strcmp(sync_db_sqlstate(db), "42501") == 0) {
            return sync_fail(
                err, SYNC_CLASS_FATAL, SYNC_CODE_DB_REFUSED,
                "our role may not make replication origins; run as the migration role, which needs "
                "EXECUTE on pg_replication_origin_create");
        }
        return status;
    }
    sync_result_done(&results[0]);
    created = results[1];
    *ret_created = created.rows;
    return sync_txn_commit(db, err);
}

sync_status sync_db_migrate_origins(struct sync_db *db, const char *home, int pool, bool dry_run,
                                    int *ret_created, struct sync_error *err)
{
    static char names[ORIGINS_MAX][ORIGIN_BYTES_MAX];
    static struct sync_bytes texts[ORIGINS_MAX];
    static uint8_t memory[ORIGINS_MAX * (ORIGIN_BYTES_MAX + 4) + 64];
    struct sync_arena arena;
    struct sync_params params;
    SYNC_RESULT missing = {0};
    sync_arena_init(&arena, memory, sizeof memory);
    sync_params_init(&params, &arena);
    size_t count = name_origins(home, pool, names, texts);
    sync_params_text_array(&params, texts, count);
    sync_status status = sync_db_exec(db, &migrate_origins_missing, &params, &missing, err);
    if (!sync_is_ok(status)) {
        return status;
    }
    *ret_created = missing.rows;
    if (dry_run || missing.rows == 0) {
        return status;
    }
    status = create_origins(db, &params, ret_created, err);
    return sync_is_ok(status) ? status : sync_wrap(err, "replication origins");
}
