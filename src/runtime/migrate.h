/*
 * Brings the database to the state that this binary knows: numbered SQL with checksums under an
 * advisory lock, then the pools of replication origins.
 */
#ifndef SYNC_RUNTIME_MIGRATE_H
#define SYNC_RUNTIME_MIGRATE_H
#include "postgres.h"

struct sync_migration {
    int version;
    const char *name, *sql; /* common 1…99, entities from 100 on */
};
extern const struct sync_migration sync_migrations[]; /* generated, ended by name NULL, ascending */

enum sync_migration_state {
    SYNC_MIGRATION_PENDING, /* not applied yet */
    SYNC_MIGRATION_APPLIED,
    SYNC_MIGRATION_CHANGED, /* applied with another text than that of this binary */
    SYNC_MIGRATION_UNKNOWN, /* applied by a newer binary */
};
struct sync_migration_row {
    int version;
    char name[64];
    enum sync_migration_state state;
    int64_t applied_us; /* not for PENDING */
};

/* Every migration that the binary or the database knows, ascending. Fails: as sync_db_exec. */
sync_status sync_migrations_read(struct sync_db *db, struct sync_migration_row *ret_rows,
                                 size_t max, size_t *ret_count, struct sync_error *err);

/*
 * Applies what is pending, each in a transaction of its own; with dry_run only counts it.
 * Blocks: at most SYNC_DB_MIGRATE_MS per migration; two runs at once wait for each other.
 * Fails: FATAL db_schema when one was changed or is unknown, or fails; those before it stay
 * applied.
 */
sync_status sync_db_migrate(struct sync_db *db, bool dry_run, int *ret_applied,
                            struct sync_error *err);

/*
 * Makes the origins "sync:<route>:1…pool" of every route of this binary that are missing.
 * Fails: FATAL db_refused when our role may not.
 */
sync_status sync_db_migrate_origins(struct sync_db *db, int pool, bool dry_run, int *ret_created,
                                    struct sync_error *err);

/*
 * For processes that work on the schema: it is exactly the one of this binary.
 * Fails: FATAL db_schema with the command to run.
 */
sync_status sync_db_schema_check(struct sync_db *db, struct sync_error *err);
#endif
